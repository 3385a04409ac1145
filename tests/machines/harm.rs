//! What golden must not harm. Each scenario of `tests/machines/harm/scenarios.txt` lays a healthy thing of somebody else's and one
//! violation beside it on a host that is run by hand; then `golden fix` and `golden apply` do what they can. Nothing may
//! have changed but what the shown plan names and the scenario allows, what ran still runs in the same process, and after
//! the undo the whole file system is what it was. By default one scenario of each kind and end is tried; `GOLDEN_HARM=all` tries
//! all, `GOLDEN_HARM=words,words` those whose names hold any of the words, `GOLDEN_SUITE=trixie` another Debian.

use super::machine::catalogue;
use crate::support::machine;
use crate::support::report;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::support::sample::one_of_each;
use machine::{Image, Machine, Suite};
use report::{Report, Said};

#[test]
fn golden_does_no_harm() {
    if machine::skipped() {
        return;
    }
    let suite = match std::env::var("GOLDEN_SUITE").as_deref() {
        Ok("trixie") => Suite::Trixie,
        _ => Suite::Bookworm,
    };
    let words = std::env::var("GOLDEN_HARM").unwrap_or_default();
    let all = scenarios();
    let table = all.iter().map(|one| format!("{}  {}", one.ends.word(), one.title())).collect();
    catalogue::compare_at("tests/machines/harm/table.txt", &table);
    let chosen: Vec<&Scenario> = match words.as_str() {
        "all" => all.iter().collect(),
        "" => one_of_each(&all, |one| (one.kind.clone(), one.ends)),
        words => all.iter().filter(|one| words.split(',').any(|word| one.title().contains(word))).collect(),
    };
    let host = Host::boot(suite);
    let mut wrong = Vec::new();
    let mut ends: BTreeMap<End, usize> = BTreeMap::new();
    for scenario in &chosen {
        let start = Instant::now();
        let judged = host.judge(scenario);
        println!("harm: {:4.1} s  {}", start.elapsed().as_secs_f32(), scenario.title());
        match judged {
            Ok(end) => *ends.entry(end).or_default() += 1,
            Err(why) => {
                println!("{}: {why}", scenario.title());
                wrong.push(format!("{}: {why}", scenario.title()));
            }
        }
    }
    let (total, harmed) = (chosen.len(), wrong.len());
    let of = |end: End| ends.get(&end).copied().unwrap_or(0);
    println!(
        "harm: {total} scenarios, {} mended, {} left to a person, {harmed} harmed",
        of(End::Mended),
        of(End::Person) + of(End::Refused)
    );
    assert!(wrong.is_empty(), "{harmed} wrong:\n\n{}", wrong.join("\n\n"));
    assert!(!chosen.is_empty(), "no scenario is called so");
}

/// What becomes of the violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// It is gone.
    Mended,
    /// It is there, and golden says what a person must do.
    Person,
    /// The contract is refused.
    Refused,
}

impl End {
    fn word(self) -> &'static str {
        match self {
            End::Mended => "mended ",
            End::Person => "person ",
            End::Refused => "refused",
        }
    }
}

/// A healthy thing and a violation.
#[derive(Clone, Debug)]
struct Scenario {
    /// Which of the healthy things that golden once harmed.
    kind: String,
    name: String,
    /// What lays the healthy thing, and then the violation.
    lays: String,
    /// What is added to the contract.
    contract: String,
    /// The violation's rule and subject.
    rule: String,
    subject: String,
    ends: End,
    /// Paths that may change, directories with all below them by a slash at the end; units that may restart by name.
    may: Vec<String>,
    /// Shell whose output must be the same after the fix.
    keeps: String,
}

impl Scenario {
    fn title(&self) -> String {
        format!("{}: {}", self.kind, self.name)
    }

    fn may_change(&self, path: &str) -> bool {
        self.may.iter().any(|may| may == path || may.ends_with('/') && path.starts_with(may.as_str()))
    }

    fn is_said(&self, said: &Said) -> bool {
        said.rule == self.rule && said.subject == self.subject
    }
}

/// The scenarios, as `tests/machines/harm/scenarios.txt` has them.
fn scenarios() -> Vec<Scenario> {
    let mut all: Vec<Scenario> = Vec::new();
    let (mut kind, mut block) = (String::new(), "");
    let text = include_str!("harm/scenarios.txt");
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        if let Some(more) = line.strip_prefix("  ") {
            let scenario = all.last_mut().expect("a scenario comes first");
            let to = match block {
                "contract" => &mut scenario.contract,
                "keeps" => &mut scenario.keeps,
                _ => &mut scenario.lays,
            };
            to.push_str(more);
            to.push('\n');
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        block = word;
        match word {
            "kind" => rest.clone_into(&mut kind),
            "scenario" => all.push(Scenario {
                kind: kind.clone(),
                name: rest.to_owned(),
                lays: String::new(),
                contract: String::new(),
                rule: String::new(),
                subject: String::new(),
                ends: End::Person,
                may: Vec::new(),
                keeps: String::new(),
            }),
            "lays" | "contract" => {}
            "keeps" => all.last_mut().expect("a scenario comes first").keeps.push_str(rest),
            "finding" | "ends" | "may" => {
                let scenario = all.last_mut().expect("a scenario comes first");
                match word {
                    "finding" => {
                        let (rule, subject) = rest.split_once(' ').expect("a rule and a subject");
                        (scenario.rule, scenario.subject) = (rule.to_owned(), subject.to_owned());
                    }
                    "may" => {
                        let rest = rest.replace("$U", "/etc/systemd/system");
                        scenario.may.extend(rest.split(' ').map(str::to_owned));
                    }
                    _ => {
                        scenario.ends = match rest {
                            "mended" => End::Mended,
                            "person" => End::Person,
                            "refused" => End::Refused,
                            _ => panic!("{line}: it ends mended, person or refused"),
                        };
                    }
                }
            }
            _ => panic!("{line}: no such word"),
        }
    }
    all
}

/// A running service by its unit: its main process.
type Processes = BTreeMap<String, String>;

struct Host {
    machine: Machine,
}

impl Host {
    fn boot(suite: Suite) -> Self {
        let mut machine = Machine::prepare(&machine::image(Image::Base, suite));
        machine.up(&[]);
        let golden = std::fs::read(env!("CARGO_BIN_EXE_golden")).unwrap();
        machine.write("/usr/local/bin/golden", golden, 0o755, "root:root");
        machine.write("/tmp/digest.py", include_str!("harm/digest.py"), 0o644, "root:root");
        machine.write("/etc/golden/golden.toml", CONTRACT, 0o644, "root:root");
        machine.sh_ok(include_str!("harm/host.sh"));
        let host = Self { machine };
        let report = host.audit();
        assert_eq!(report.failures(), [], "the host is compliant");
        assert_eq!(report.undecided(), [], "and all of it is decided");
        assert_eq!(host.golden("plan"), "nothing to do on this host\n", "nothing is to be done");
        assert!(host.golden("fix --yes").ends_with("nothing to mend\n"), "nor mended");
        host.machine.sh_ok("python3 /tmp/digest.py save");
        host
    }

    fn audit(&self) -> Report {
        Report::of(&self.machine.run(&["golden", "audit", "--format", "json"]))
    }

    /// What golden says, errors and all.
    fn golden(&self, words: &str) -> String {
        String::from_utf8_lossy(&self.machine.sh(&format!("golden {words} 2>&1")).stdout).into_owned()
    }

    fn digest(&self) -> BTreeSet<String> {
        self.machine.sh_ok("python3 /tmp/digest.py digest").lines().map(str::to_owned).collect()
    }

    fn processes(&self) -> Processes {
        let shown = self.machine.ok(&[
            "systemctl",
            "show",
            "--property=Id,MainPID,ActiveState",
            "--value",
            "--type=service",
            "*",
        ]);
        let units = shown.split("\n\n").map(|unit| unit.trim().lines().collect::<Vec<&str>>());
        let running = units.filter_map(|words| match words[..] {
            // systemctl(1) keeps an order of its own.
            [pid, unit, "active"] if pid != "0" => Some((unit.to_owned(), pid.to_owned())),
            _ => None,
        });
        running.collect()
    }

    /// Why a scenario does not end as it should; the host is put back in any case.
    fn judge(&self, scenario: &Scenario) -> Result<End, String> {
        let lays = format!("{PRELUDE}{}", scenario.lays);
        let contract = format!("{CONTRACT}\n{}", scenario.contract);
        self.machine.write("/etc/golden/golden.toml", contract, 0o644, "root:root");
        let laid = self.machine.run(&["/bin/bash", "-c", &lays]);
        let judged = match laid.status.success() {
            true => {
                self.settle();
                self.mended(scenario)
            }
            false => Err(format!("it is not laid: {}", String::from_utf8_lossy(&laid.stderr))),
        };
        self.put_back();
        judged
    }

    /// Waits until systemd has nothing more to do.
    fn settle(&self) {
        self.machine.wait_until("systemd is done", "test -z \"$(systemctl list-jobs --no-legend)\"");
    }

    fn mended(&self, scenario: &Scenario) -> Result<End, String> {
        let (before, ran) = (self.digest(), self.processes());
        let kept = self.machine.sh_ok(&scenario.keeps);
        if scenario.ends == End::Refused {
            let said = self.golden("audit") + &self.golden("fix --yes") + &self.golden("apply --yes");
            let after = self.digest();
            return match said.contains("a contract with errors is never used in part") {
                true if after == before => Ok(End::Refused),
                true => Err(format!("a refused contract changed this:{}", changes(&before, &after))),
                false => Err(format!("the contract was not refused: {said}")),
            };
        }
        let checked = self.golden("contract check");
        if !checked.contains(": no errors.") {
            return Err(checked);
        }
        let report = self.audit();
        let was = report.failures();
        if !was.iter().any(|said| scenario.is_said(said)) {
            return Err(format!("the violation is not there: {was:#?}\n{:#?}", report.undecided()));
        }
        let mut said = String::new();
        for _ in 0..3 {
            let once = self.golden("fix --yes");
            let is_last = once.ends_with("nothing to mend\n") || once.ends_with("golden can mend\n");
            said.push_str(&once);
            if is_last {
                break;
            }
        }
        said.push_str("apply:\n");
        said.push_str(&self.golden("apply --yes"));
        let judged = self.harmed(scenario, &before, &ran, &kept, &was, &said);
        let undone = self.undo(&before, &ran, said.matches(" made. To take them back").count());
        let end = judged.map_err(|why| format!("{why}\n{said}"))?;
        undone.map_err(|why| format!("{why}\nafter:\n{said}"))?;
        match end == scenario.ends {
            true => Ok(end),
            false => Err(format!("it ended {}, not {}\n{said}", end.word(), scenario.ends.word())),
        }
    }

    /// What was done to what nobody meant.
    fn harmed(
        &self,
        scenario: &Scenario,
        before: &BTreeSet<String>,
        ran: &Processes,
        kept: &str,
        was: &[Said],
        said: &str,
    ) -> Result<End, String> {
        let after = self.digest();
        let shown = Shown::of(said);
        for path in paths(before.symmetric_difference(&after)) {
            if !shown.names(path) {
                return Err(format!("{path} changed and no plan names it:{}", changes(before, &after)));
            }
            if !scenario.may_change(path) {
                return Err(format!("{path} must not change:{}", changes(before, &after)));
            }
        }
        let runs = self.processes();
        for (unit, pid) in ran.iter().filter(|(unit, pid)| runs.get(*unit) != Some(pid)) {
            let now = runs.get(unit).map_or("it does not run", String::as_str);
            if !shown.starts.contains(unit) {
                return Err(format!("{unit} ran as {pid}, now {now}, and no plan names it"));
            }
            if !scenario.may.contains(unit) || !runs.contains_key(unit) {
                return Err(format!("{unit} ran as {pid} and must not be restarted; now {now}"));
            }
        }
        let keeps = self.machine.sh_ok(&scenario.keeps);
        if keeps != kept {
            return Err(format!("kept was {kept:?}, is {keeps:?}"));
        }
        let is = self.audit().failures();
        let known = |one: &Said| was.iter().any(|said| said.rule == one.rule && said.subject == one.subject);
        // What was not restarted, and said so, runs with what it had.
        let skipped = |one: &Said| {
            (said.contains("skipped ") || said.contains("it is not restarted"))
                && one.rule.starts_with("process-")
        };
        if let Some(new) = is.iter().find(|one| !known(one) && !skipped(one)) {
            return Err(format!("a violation that was not there before: {new:#?}"));
        }
        match is.iter().any(|said| scenario.is_said(said)) {
            false => Ok(End::Mended),
            true if said.lines().any(|line| line.starts_with("left ")) => Ok(End::Person),
            true => Err("the violation is still there, and nobody is told".to_owned()),
        }
    }

    /// As many plans as were carried out are undone, the newest first; then all is as it was.
    fn undo(&self, before: &BTreeSet<String>, ran: &Processes, plans: usize) -> Result<(), String> {
        let mut said = String::new();
        for _ in 0..plans {
            said.push_str(&self.golden("apply --undo"));
        }
        let after = self.digest();
        if after != *before {
            return Err(format!("the undo left a difference:{}\n{said}", changes(before, &after)));
        }
        let runs = self.processes();
        // What could not start before cannot after; then the undo says so.
        let is_said = |unit: &str| said.contains(&format!("{unit} ran before and does not run now"));
        match ran.keys().find(|unit| !runs.contains_key(*unit) && !is_said(unit)) {
            Some(unit) => Err(format!("{unit} ran before and does not after the undo\n{said}")),
            None => Ok(()),
        }
    }

    /// The host as it was laid.
    fn put_back(&self) {
        self.machine.sh_ok(
            "for mount in $(findmnt -rno TARGET | grep -E '^/(srv|opt|mnt)' | sort -r); do umount -l $mount; done
             systemctl list-units --no-legend --plain --state=active,failed,activating --type=service,timer,socket,path \
                 | cut -d' ' -f1 | grep -vE '^(api|worker|dbus|systemd-|user@|user-runtime|redis-server|console-|getty|apt-|dpkg-|e2scrub|fstrim|logrotate)' \
                 | xargs -r systemctl --quiet stop
             python3 /tmp/digest.py restore
             rm -rf /var/lib/golden /run/golden
             systemctl daemon-reload
             systemctl reset-failed
             systemctl restart api worker",
        );
    }
}

/// What the shown plans say is done.
#[derive(Debug, Default)]
struct Shown {
    /// Paths.
    paths: BTreeSet<String>,
    /// Units whose links change.
    links: BTreeSet<String>,
    /// Units that are started or restarted.
    starts: BTreeSet<String>,
    /// Accounts or groups change.
    accounts: bool,
}

impl Shown {
    /// The numbered lines of lists.
    fn of(said: &str) -> Self {
        let mut shown = Self::default();
        for line in said.lines() {
            let Some((number, rest)) = line.trim_start().split_once("  ") else { continue };
            if !number.chars().all(|c| c.is_ascii_digit()) || !line.starts_with(' ') {
                continue;
            }
            let title = rest.split("  ").next().unwrap_or(rest);
            let words: Vec<&str> = title.split(' ').map(|word| word.trim_end_matches([',', ':'])).collect();
            shown
                .paths
                .extend(words.iter().filter(|word| word.starts_with('/')).map(|word| (*word).to_owned()));
            match words[..] {
                ["restart" | "start", unit] => {
                    shown.starts.insert(unit.to_owned());
                }
                ["enable" | "disable" | "mask" | "unmask", unit] => {
                    shown.links.insert(unit.to_owned());
                }
                _ => {}
            }
            shown.accounts |= title.contains("account") || title.contains("group");
        }
        shown
    }

    fn names(&self, path: &str) -> bool {
        let files =
            ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid"];
        let is_link = path.starts_with("/etc/systemd/system/")
            && self.links.iter().any(|unit| path.ends_with(&format!("/{unit}")))
            || self.links.iter().any(|_| path.ends_with(".wants"));
        self.paths.contains(path) || is_link || self.accounts && files.contains(&path.trim_end_matches('-'))
    }
}

/// The paths of lines of a digest, each once.
fn paths<'d>(lines: impl Iterator<Item = &'d String>) -> BTreeSet<&'d str> {
    lines.map(|line| line.split('\t').next().unwrap_or(line)).collect()
}

/// What differs between two digests.
fn changes(before: &BTreeSet<String>, after: &BTreeSet<String>) -> String {
    let gone = before.difference(after).map(|line| format!("\n  - {line}"));
    gone.chain(after.difference(before).map(|line| format!("\n  + {line}"))).collect()
}

/// What the shell of every scenario begins with.
const PRELUDE: &str = "set -eu\nU=/etc/systemd/system\n\
    runs() { until grep -q sleep /proc/$(systemctl show -P MainPID $1)/comm; do :; done; }\n";

/// The contract that every scenario begins with.
const CONTRACT: &str = include_str!("harm/golden.toml");
