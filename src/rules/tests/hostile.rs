//! Hosts that somebody made to mislead an audit, to stop it or to keep it busy.

use std::fmt::Write as _;
use std::os::unix::fs::{lchown, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{SERVICE, disk, judge, stage};
use crate::facts::Needs;
use crate::facts::gather::gather;
use crate::model::{RuleResult, Said, Severity};
use crate::system::DiskSystem;

const REPOSITORY: &str = "home/qt/quantum_trader";

/// What the rule says, a word each.
fn words(results: &[RuleResult], rule: &str) -> Vec<String> {
    let of_rule = results.iter().filter(|result| result.rule.id == rule);
    let words = of_rule.map(|result| match &result.said {
        Said::Pass => "passes".to_owned(),
        Said::NotApplicable(why) => format!("not applicable: {why}"),
        Said::Undecided(undecided) => format!("undecided: {}", undecided.why),
        Said::Fail(failure) => format!("{:?}: {}", result.severity, failure.finding.message),
    });
    words.collect()
}

/// Changes the compliant host on a real disk and judges it; nothing without root, who alone can give files away.
fn on_disk(change: impl FnOnce(&Path), look: impl FnOnce(&Path, Vec<RuleResult>, String)) {
    if crate::skip::without_root() {
        return;
    }
    let (host, contract) = stage("").unwrap();
    let directory = tempfile::tempdir().unwrap();
    disk::write(&host, directory.path(), b"SQLite format 3\0").unwrap();
    change(directory.path());
    let system = DiskSystem::rooted(directory.path()).unwrap();
    let results = judge(&system, &contract, &[]);
    let facts = gather(&system, &contract, Needs::all());
    look(directory.path(), results, serde_json::to_string(&facts).unwrap());
}

fn fifo(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
}

fn write(path: &Path, text: impl AsRef<[u8]>, uid: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    lchown(path, Some(uid), Some(uid)).unwrap();
}

fn link(target: &str, path: &Path, uid: u32) {
    let _ = std::fs::remove_file(path);
    symlink(target, path).unwrap();
    lchown(path, Some(uid), Some(uid)).unwrap();
}

const USER: u32 = 1000;
const STRANGER: u32 = 4711;
const SECRET: &str = "root:$y$j9T$s3cret:19000:0:99999:7:::";

#[test]
fn a_link_out_of_the_repository_is_not_read() {
    for (name, rule) in [
        ("Makefile", "makefile-bypasses-wrapper"),
        ("ops/nightly.sh", "script-calls-system-python"),
        (".git/HEAD", ""),
        (".git/config", "repository-not-a-work-tree"),
        (".git/index", ""),
        (".git/refs/heads/main", ""),
        (".git/commondir", ""),
        ("golden.toml", ""),
    ] {
        let change = |root: &Path| {
            write(&root.join("etc/shadow"), SECRET, 0);
            link("/etc/shadow", &root.join(REPOSITORY).join(name), USER);
        };
        on_disk(change, |_, results, facts| {
            assert!(!facts.contains("s3cret"), "{name}");
            if !rule.is_empty() {
                let said = words(&results, rule);
                assert!(said.iter().all(|said| said.starts_with("undecided")), "{name}: {said:?}");
            }
        });
    }
}

#[test]
fn git_is_not_led_elsewhere_by_its_own_texts() {
    for (name, text) in [
        (".git/HEAD", "ref: refs/../../../../../etc/shadow\n"),
        (".git/HEAD", "ref: /etc/shadow\n"),
        (".git/HEAD", SECRET),
        (".git/commondir", "/root/theirs\n"),
    ] {
        let change = |root: &Path| {
            write(&root.join("etc/shadow"), SECRET, 0);
            write(&root.join("root/theirs/HEAD"), "ref: refs/heads/s3cret\n", 0);
            write(&root.join("root/theirs/config"), "[remote \"s3cret\"]\nurl = s3cret\n", 0);
            write(&root.join(REPOSITORY).join(name), text, USER);
        };
        on_disk(change, |_, _, facts| assert!(!facts.contains("s3cret"), "{name} {text}"));
    }
}

#[test]
fn what_stands_behind_a_limit_is_not_passed_over() {
    let hidden = format!("#!/bin/sh\n{}python3 ops/x.py\n", "# nothing\n".repeat(120_000));
    let change = |root: &Path| write(&root.join(REPOSITORY).join("ops/nightly.sh"), &hidden, USER);
    on_disk(change, |_, results, _| {
        let said = words(&results, "script-calls-system-python");
        assert!(said[0].starts_with("undecided") && said[0].contains("more than"), "{said:?}");
    });
    let makefile = format!("{}all:\n\tpython3 x.py\n", "# nothing\n".repeat(120_000));
    let change = |root: &Path| write(&root.join(REPOSITORY).join("Makefile"), &makefile, USER);
    on_disk(change, |_, results, _| {
        assert!(words(&results, "makefile-bypasses-wrapper")[0].starts_with("undecided"));
    });
}

#[test]
fn fifos_and_names_of_any_bytes_do_not_stop_an_audit() {
    use std::os::unix::ffi::OsStrExt as _;
    let start = Instant::now();
    let change = |root: &Path| {
        let ops = root.join(REPOSITORY).join("ops");
        for name in ["-x.sh", "pipe.sh"] {
            fifo(&ops.join(name));
        }
        fifo(&root.join(REPOSITORY).join("-rf"));
        std::fs::write(ops.join("n".repeat(255)), "#!/bin/sh\ntrue\n").unwrap();
        let raw = ops.join(std::ffi::OsStr::from_bytes(b"\xff\xfe"));
        std::fs::create_dir(&raw).unwrap();
        std::fs::write(raw.join("x.sh"), "python3 x.py\n").unwrap();
        fifo(&root.join("etc/quantum/fifo.env"));
        for at in ["etc/sudoers.d/pipe", "etc/cron.d/pipe"] {
            std::fs::create_dir_all(root.join(at).parent().unwrap()).unwrap();
            fifo(&root.join(at));
        }
    };
    on_disk(change, |_, results, _| {
        let said = words(&results, "script-calls-system-python");
        assert!(said[0].contains("x.sh calls python3"), "{said:?}");
    });
    // What lies in a directory with such a name is looked at like everything else.
    let change = |root: &Path| {
        let raw = root.join(REPOSITORY).join("ops").join(std::ffi::OsStr::from_bytes(b"\xff\xfe"));
        std::fs::create_dir(&raw).unwrap();
        std::fs::write(raw.join("x.sh"), "python3 x.py\n").unwrap();
    };
    on_disk(change, |_, results, _| {
        let said = words(&results, "script-calls-system-python");
        assert!(!said[0].starts_with("undecided") && said[0] != "passes", "{said:?}");
    });
    // Measured on 252 and 257: a drop-in counts whatever bytes its name is of.
    let change = |root: &Path| {
        let directory = root.join(format!("etc/systemd/system/{SERVICE}.d"));
        std::fs::create_dir_all(&directory).unwrap();
        let name = std::ffi::OsStr::from_bytes(b"\xff.conf");
        std::fs::write(directory.join(name), "[Service]\nUser=root\n").unwrap();
    };
    on_disk(change, |_, results, _| {
        let said = words(&results, "unit-runs-as-root");
        assert!(said.iter().any(|said| said.contains("runs as root")), "{said:?}");
    });
    assert!(start.elapsed() < Duration::from_secs(20));
}

fn clone_at(path: &Path, uid: u32) {
    for name in ["objects", "refs"] {
        std::fs::create_dir_all(path.join(".git").join(name)).unwrap();
    }
    lchown(path, Some(uid), Some(uid)).unwrap();
    write(&path.join(".git/HEAD"), "ref: refs/heads/main\n", uid);
    let config = "[remote \"o\"]\nurl = git@github.com:binyaminsemerci-ops/quantum_trader\n";
    write(&path.join(".git/config"), config, uid);
}

#[test]
fn a_stranger_neither_violates_nor_blocks() {
    const RULE: &str = "repository-cloned-twice";
    let own = |root: &Path, name: &str| {
        let path = root.join("home/stranger").join(name);
        std::fs::create_dir_all(&path).unwrap();
        lchown(&path, Some(STRANGER), Some(STRANGER)).unwrap();
        lchown(root.join("home/stranger"), Some(STRANGER), Some(STRANGER)).unwrap();
        path
    };
    on_disk(
        |root| clone_at(&own(root, "copy"), STRANGER),
        |_, results, _| {
            let said = words(&results, RULE);
            assert_eq!(said.len(), 1);
            assert!(said[0].starts_with("Should: "), "{said:?}");
        },
    );
    let hostile = |root: &Path| {
        fifo(&own(root, "a").join(".git"));
        link("/root/other/.git", &own(root, "b").join(".git"), STRANGER);
        clone_at(&own(root, "c"), STRANGER);
        std::fs::write(own(root, "c").join(".git/config"), "[[[ not a config").unwrap();
        write(&own(root, "d").join(".git"), "gitdir: /root/theirs\n", STRANGER);
        write(&root.join("root/theirs/HEAD"), "ref: refs/heads/main\n", 0);
    };
    on_disk(hostile, |_, results, _| assert_eq!(words(&results, RULE), ["passes"]));
    // The same of the contract's own user is a violation, or undecided.
    let known = |root: &Path| clone_at(&root.join("opt/copy"), USER);
    on_disk(known, |_, results, _| {
        let severe = |result: &&RuleResult| result.rule.id == RULE && result.severity == Severity::Must;
        assert_eq!(results.iter().filter(severe).count(), 1);
    });
}

#[test]
fn a_hundred_scripts_of_calls_take_little_room() {
    let script = "a|".repeat(512 << 10);
    let change = |root: &Path| {
        for number in 0..100 {
            let path = root.join(REPOSITORY).join(format!("ops/{number}.sh"));
            write(&path, &script, USER);
        }
    };
    on_disk(change, |_, results, facts| {
        assert!(words(&results, "script-calls-system-python")[0].starts_with("undecided"));
        assert!(facts.len() < 64 << 20, "{} bytes of facts", facts.len());
    });
}

#[test]
fn a_directory_of_many_names_is_not_listed_to_its_end() {
    let change = |root: &Path| {
        let folder = root.join(REPOSITORY).join("ops/many");
        std::fs::create_dir(&folder).unwrap();
        for number in 0..=crate::system::MOST_NAMES {
            std::fs::File::create(folder.join(format!("{number}.x"))).unwrap();
        }
    };
    on_disk(change, |_, results, _| {
        let said = words(&results, "script-calls-system-python");
        assert!(said[0].contains("names"), "{said:?}");
    });
}

/// Numbers that are the same from run to run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }
}

/// Changes one thing somewhere in a value.
fn spoil(value: &mut serde_json::Value, dice: &mut Dice) {
    use serde_json::Value;
    const TEXTS: &[&str] =
        &["", "/", "\u{1b}[2J\n", "é", "..", "%", "\u{202e}x", "a@b@c.service", "-", "=", "1", ":", "\0"];
    let deeper = dice.below(12) > 0;
    match value {
        Value::Array(all) if !all.is_empty() && deeper => {
            let at = dice.below(all.len());
            spoil(&mut all[at], dice);
        }
        Value::Object(all) if !all.is_empty() && deeper => {
            let at = dice.below(all.len());
            if let Some(inner) = all.values_mut().nth(at) {
                spoil(inner, dice);
            }
        }
        Value::Array(all) => all.truncate(dice.below(all.len() + 1)),
        Value::Object(all) => {
            let gone = all.keys().nth(dice.below(all.len().max(1))).cloned();
            gone.map(|key| all.remove(&key));
        }
        Value::Number(number) => {
            *number = [0_u64, 1, 4_294_967_295, 8, 1 << 40, 511][dice.below(6)].into();
        }
        Value::String(text) => {
            *text = match dice.below(TEXTS.len() + 1) {
                at if at < TEXTS.len() => TEXTS[at].to_owned(),
                _ => "x".repeat(5000),
            };
        }
        Value::Bool(is) => *is = !*is,
        Value::Null => *value = Value::String(String::new()),
    }
}

#[test]
fn recorded_facts_of_somebody_else_do_no_more_than_be_wrong() {
    let (host, contract) = stage("").unwrap();
    let facts = serde_json::to_value(gather(&host, &contract, Needs::all())).unwrap();
    let selection = crate::audit::Selection::default();
    let mut dice = Dice(11);
    let mut judged = 0;
    for _ in 0..300 {
        let mut changed = facts.clone();
        for _ in 0..=dice.below(3) {
            spoil(&mut changed, &mut dice);
        }
        let Ok(facts) = serde_json::from_value::<crate::facts::HostFacts>(changed) else { continue };
        judged += 1;
        drop(crate::audit::audit(&contract, &facts, &selection, true));
    }
    assert!(judged > 50, "{judged} were facts at all");
}

#[test]
fn facts_and_contracts_without_bottom_are_errors() {
    let deep =
        format!("{{\"schema\":\"golden.facts/1\",\"x\":{}1{}}}", "[".repeat(300_000), "]".repeat(300_000));
    assert!(serde_json::from_str::<crate::facts::HostFacts>(&deep).is_err());
    let none = |_: &str| Err("nothing is extended".to_owned());
    for text in [
        format!("schema = 1\nx = {}1{}\n", "[".repeat(100_000), "]".repeat(100_000)),
        format!("schema = 1\nx = {}1{}\n", "{a = ".repeat(100_000), "}".repeat(100_000)),
        format!("schema = 1\n{} = 1\n", ["a"; 50_000].join(".")),
        format!("schema = 1\n[{}]\n", ["a"; 50_000].join(".")),
    ] {
        assert!(crate::contract::Contract::parse(&text, "golden.toml", false, &none).is_err());
    }
}

/// How long the whole audit of a changed host takes.
fn time(change: &str) -> Duration {
    let (host, contract) = stage(change).unwrap();
    let start = Instant::now();
    drop(judge(&host, &contract, &[]));
    start.elapsed()
}

#[test]
fn many_of_anything_take_time_in_proportion() {
    let lines = |count: usize, line: &dyn Fn(usize) -> String| {
        (0..count).fold(String::new(), |mut text, at| {
            let _ = writeln!(text, "| {}", line(at));
            text
        })
    };
    let unit =
        |body: String| format!("file /etc/systemd/system/{SERVICE}.d/many.conf root:root 0644\n{body}");
    let section = |section: &str, body: String| unit(format!("| [{section}]\n{body}"));
    let drop_ins: String = (0..8000)
        .map(|at| {
            format!(
                "file /etc/systemd/system/{SERVICE}.d/m{at:05}.conf root:root 0644\n| [Service]\n| Nice=1\n"
            )
        })
        .collect();
    let env: String = lines(8000, &|at| format!("B{at}=1")).replace("| ", "+ ");
    let targets = |prerequisite: &dyn Fn(usize) -> String| {
        let rules = lines(20_000, &|at| format!("t{at}: {}", prerequisite(at)));
        format!(
            "replace /home/qt/quantum_trader/Makefile\n{}",
            rules.replace("| ", "+ ").replace("t0:", "train:")
        )
    };
    let cases = [
        ("Environment= lines", section("Service", lines(8000, &|at| format!("Environment=A{at}=1")))),
        (
            "words of Environment=",
            section(
                "Service",
                lines(1, &|_| {
                    (0..8000).fold("Environment=".to_owned(), |text, at| text + &format!("A{at}=1 "))
                }),
            ),
        ),
        ("UnsetEnvironment= lines", section("Service", lines(8000, &|at| format!("UnsetEnvironment=A{at}")))),
        ("After= lines", section("Unit", lines(8000, &|at| format!("After=a{at}.service")))),
        (
            "After= words",
            section(
                "Unit",
                lines(1, &|_| {
                    (0..8000).fold("After=".to_owned(), |text, at| text + &format!("a{at}.service "))
                }),
            ),
        ),
        ("unknown settings", section("Service", lines(8000, &|at| format!("Nothing{at}=1")))),
        ("ExecStartPre= lines", section("Service", lines(8000, &|_| "ExecStartPre=/bin/true".to_owned()))),
        ("one setting again and again", section("Service", lines(8000, &|at| format!("Nice={}", at % 19)))),
        ("drop-ins", drop_ins),
        ("env file lines", format!("replace /etc/quantum/backend.env\n{env}")),
        ("targets", targets(&|_| String::new())),
        ("a chain of targets", targets(&|at| format!("t{}", at + 1))),
    ];
    let mut slow = Vec::new();
    for (what, change) in &cases {
        let took = time(change);
        if took > Duration::from_secs(4) {
            slow.push(format!("{what}: {took:?}"));
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}
