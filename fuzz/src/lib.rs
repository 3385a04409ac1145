//! What each fuzzer does with its bytes: reads them as golden would, and demands what must hold of any input.
//!
//! Beside the fuzzers a test of golden runs these over the kept corpus (`tests/quick/fuzz_corpus.rs`).

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a broken promise is a crash"
)]

use std::sync::OnceLock;

use golden::audit::{Selection, audit};
use golden::contract::{Contract, Dependency, DependencyKind};
use golden::facts::{HostFacts, Need, Needs, gather};
use golden::model::{Location, Stated};
use golden::report::{human, json};
use golden::syntax::{
    accounts, elf, env_file, env_shell, glob, logrotate, makefile, pyvenv_cfg, redis_conf, secret_shape,
    shebang, shell_words, sudoers, unit_file as unit_text,
};
use golden::system::memory::{MemoryNode, MemorySystem, Owned};
use golden::systemd::effective::EffectiveUnit;
use golden::systemd::{command_line, environment};

/// What every reader of systemd's files is asked about: versions before and after each change of a reading.
const VERSIONS: [u32; 4] = [252, 253, 254, 257];

/// One unit file, as a service, a timer and an instance of a template.
pub fn unit_file(data: &[u8]) {
    let file = unit_text::parse(&"/x".into(), data);
    let lines = 2 + data.iter().filter(|byte| matches!(byte, b'\n' | b'\r' | 0)).count();
    assert!(file.entries.iter().all(|entry| !entry.key.is_empty() && entry.line as usize <= lines));
    assert!(file.notes.iter().all(|note| note.line as usize <= lines));
    for version in [252, 257] {
        let mut host = host(version);
        put(&mut host, "/etc/systemd/system/foo-bar@.service", data);
        put(&mut host, "/etc/systemd/system/foo.service", data);
        put(&mut host, "/etc/systemd/system/foo.timer", data);
        read_units(&host);
    }
}

/// A fragment and drop-ins of every level, separated by lines of `%%`; an empty one is a link to /dev/null.
pub fn drop_ins(data: &[u8]) {
    const PLACES: [&str; 7] = [
        "/usr/lib/systemd/system/foo-bar@.service",
        "/etc/systemd/system/foo-bar@a-b\\x2dc.service.d/10-a.conf",
        "/run/systemd/system/foo-bar@.service.d/10-a.conf",
        "/etc/systemd/system/foo-.service.d/10-a.conf",
        "/etc/systemd/system/service.d/05-all.conf",
        "/usr/local/lib/systemd/system/foo-bar@.service.d/20-b.conf",
        "/usr/lib/systemd/system/foo-bar@.service.d/zz.conf",
    ];
    let mut host = host(257);
    let mut rest = data;
    for place in PLACES {
        let end = rest.windows(4).position(|part| part == b"\n%%\n");
        let (piece, after) = end.map_or((rest, &b""[..]), |end| (&rest[..=end], &rest[end + 4..]));
        if piece.is_empty() && place.ends_with(".conf") {
            add(&mut host, place, MemoryNode::Link("/dev/null".into()));
        } else {
            put(&mut host, place, piece);
        }
        rest = after;
    }
    read_units(&host);
}

/// One env file, by every version, and as shells read it.
pub fn env_file(data: &[u8]) {
    let lines = 2 + data.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    for version in VERSIONS {
        let file = env_file::parse(data, version);
        assert!(file.variables.iter().all(|variable| env_file::is_valid_name(&variable.name)));
        assert!(file.variables.iter().all(|variable| variable.line as usize <= lines));
        assert!(file.dropped.iter().all(|dropped| dropped.line as usize <= lines));
        assert!(file.notes.iter().all(|note| note.line as usize <= lines));
        assert!(file.effective().len() + file.repeated().len() <= file.variables.len());
        assert_eq!(env_shell::shell_readings(data, &file).len(), file.variables.len());
        assert_eq!(file, again(&file));
        for variable in &file.variables {
            secret_shape::secret_shape(&variable.value);
        }
    }
}

/// A contract: what it says, or its errors as a person sees them; a good one judges an empty host.
pub fn contract(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let base = |path: &str| match path.ends_with("base.toml") {
        true => Ok(Contract::built_in_text().to_owned()),
        false => Err("there is no such file".to_owned()),
    };
    match Contract::parse(text, "golden.toml", false, &base) {
        Ok(contract) => {
            let facts = gather::gather(&host(257), &contract, Needs::all());
            render(&contract, &facts);
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                error.render(text);
            }
        }
    }
}

/// A facts file, judged by the built-in contract, which never takes it for a compliant host unless it says all.
pub fn facts(data: &[u8]) {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    let Ok(facts) = serde_json::from_slice::<HostFacts>(data) else { return };
    // What was read can be written, and written it reads the same.
    let written = serde_json::to_vec(&facts).expect("facts can be written");
    let read: HostFacts = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(written, serde_json::to_vec(&read).expect("facts can be written"));
    render(CONTRACT.get_or_init(Contract::built_in), &facts);
}

/// The other readers, by the first byte.
pub fn commands(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(data);
    let specifiers = |word: &str| if word.contains("%Z") { Err(String::new()) } else { Ok(word.to_owned()) };
    match kind % 12 {
        0 => {
            for command in command_line::parse_with(&text, &specifiers).commands {
                command_line::expand_arguments(&command, &|name| Some(name.to_owned()));
                command_line::expand_arguments(&command, &|_| None);
            }
        }
        1 => {
            environment::parse_environment(&text, &specifiers);
            environment::parse_pass_environment(&text, &specifiers);
            environment::parse_unset_environment(&text, &specifiers);
        }
        2 | 3 => {
            let makefile = makefile::parse(&text);
            for (_, line) in makefile.recipe_lines().take(100) {
                for expanded in &line.expanded {
                    shell_words::calls(expanded, line.line);
                }
            }
        }
        4 | 5 => {
            for call in shell_words::calls(&text, 1) {
                assert!(call.line >= 1);
                call.makes_a_venv();
            }
        }
        6 => {
            let known =
                accounts::parse(b"root:x:0:0::/:/bin/sh\nqt:x:9:9::/:/bin/sh\n", b"qt:x:9:\nsudo:x:27:qt\n");
            sudoers::parse(&text).grants_root(known.user("qt").expect("it is there"), &known);
            let read = accounts::parse(data, data);
            for user in read.users.iter().take(20) {
                read.group_names_of(user);
            }
        }
        7 => {
            shebang::parse(data).map(|shebang| shebang.env_use()).ok();
            pyvenv_cfg::parse(data);
        }
        8 => drop(elf::parse(data)),
        9 => {
            let mut conf = redis_conf::parse(data);
            conf.splice(0, "/inc", redis_conf::parse(data));
            conf.bind();
        }
        10 => drop(logrotate::parse(data)),
        _ => {
            let (pattern, path) = text.split_once('\n').unwrap_or((&text, "/a/b"));
            glob::matches(pattern, path);
            golden::syntax::glob::matches_word(pattern, path);
            secret_shape::secret_shape(&text);
            secret_shape::is_placeholder(&text);
        }
    }
}

/// A disk with nothing but a systemd of this version.
fn host(version: u32) -> MemorySystem {
    let mut host = MemorySystem::default();
    put(&mut host, &format!("/usr/lib/systemd/libsystemd-shared-{version}.so"), b"");
    put(&mut host, "/etc/machine-id", b"0123456789abcdef0123456789abcdef\n");
    put(&mut host, "/dev/null", b"");
    host
}

fn put(host: &mut MemorySystem, path: &str, content: &[u8]) {
    add(host, path, MemoryNode::File(content.into()));
}

fn add(host: &mut MemorySystem, path: &str, node: MemoryNode) {
    let owned = |node| Owned { node, uid: 0, gid: 0, mode: 0o755, modified: 0, links: 1 };
    let parents = path.match_indices('/').map(|(at, _)| if at == 0 { "/" } else { &path[..at] });
    for parent in parents {
        host.nodes.entry(parent.to_owned()).or_insert_with(|| owned(MemoryNode::Directory));
    }
    host.nodes.insert(path.to_owned(), owned(node));
}

/// Reads the units of the fuzzers' names as an audit would.
fn read_units(host: &MemorySystem) {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    let contract = CONTRACT.get_or_init(|| {
        let text = "schema = 1\n[contract]\nname = \"fuzz\"\nversion = \"1.0.0\"\n[identity]\nuser = \"root\"\ngroup = \"root\"\n";
        let parsed = Contract::parse(text, "fuzz.toml", false, &|_| Err(String::new()));
        let mut contract = parsed.expect("the contract of the fuzzers");
        for name in ["foo.service", "foo.timer", r"foo-bar@a-b\x2dc.service"] {
            let at = Location::file("fuzz.toml");
            let unit = Some(Stated { value: name.to_owned(), at: at.clone() });
            let dependency = Dependency { name: name.into(), kind: DependencyKind::Unit, unit, at };
            contract.dependencies.insert(name.into(), dependency);
        }
        contract
    });
    let facts = gather::gather(host, contract, Needs::of(&[Need::Units]));
    for unit in facts.units.values() {
        let Some(unit) = unit.effective.known().ok().flatten() else { continue };
        check_unit(unit);
    }
    render(contract, &facts);
}

fn check_unit(unit: &EffectiveUnit) {
    let same: EffectiveUnit = again(unit);
    assert_eq!(*unit, same);
    for setting in &unit.settings {
        let key = setting.key.as_str();
        assert!(unit.assignments(&setting.section, key).any(|other| other == setting));
        assert!(!unit.words(&setting.section, key).iter().any(|(word, _)| word.contains('\0')));
        if key.starts_with("Exec") {
            command_line::parse(setting.value());
        }
        let plain = |word: &str| Ok(word.to_owned());
        environment::parse_environment(setting.value(), &plain);
    }
}

/// Through a facts file and back.
fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_vec(value).expect("it can be written");
    serde_json::from_slice(&text).expect("what was written can be read")
}

fn render(contract: &Contract, facts: &HostFacts) {
    let report = audit(contract, facts, &Selection::default(), true);
    json::render(&report).expect("a report can be written");
    for (verbose, quiet) in [(true, false), (false, true)] {
        human::render(&report, human::Style { color: verbose, verbose, quiet, width: 100 });
    }
}

/// Does with bytes what golden would.
pub type Fuzzer = fn(&[u8]);

/// Every fuzzer by its name.
pub const ALL: [(&str, Fuzzer); 7] = [
    ("unit_file", unit_file),
    ("drop_ins", drop_ins),
    ("env_file", env_file),
    ("contract", contract),
    ("facts", facts),
    ("commands", commands),
    ("telemetry", telemetry),
];

/// Recorded events of models: whatever stands there, only numbers from 0 to 1 and known actions are counted.
pub fn telemetry(data: &[u8]) {
    let contract = Contract::built_in();
    let mut host = host(257);
    host.now = 1_769_860_800;
    let mut seen = gather::nothing_seen(&host, Needs::default());
    let asked = gather::Asked { model: Some("m".into()), ..gather::Asked::default() };
    gather::recorded(&mut &*data, "events", &contract, &asked, &mut seen);
    let telemetry = seen.telemetry.as_ref().expect("the contract has a [safety]");
    if let golden::model::Observed::Found(events) = &telemetry.events {
        assert!(events.malformed_count <= events.count && events.votes.len() as u64 <= events.count);
        for model in events.models.values() {
            let said: u64 = model.actions.iter().map(|(_, count)| count).sum();
            assert!(said == model.count() && said > 0 && said <= events.count);
            assert!(model.confidences.iter().all(|one| (0.0..=1.0).contains(one)));
            assert!(model.confidences.is_sorted() && model.p10 <= model.p90 && model.deviation.is_finite());
        }
    }
    let judged = golden::safety::gate::judge_recorded(&contract, &host, asked, ("events", &mut &*data), None);
    // Fewer than two hundred events prove nothing, and no fuzzer writes so many.
    let lines = data.split(|byte| *byte == b'\n').count();
    assert!(lines >= 200 || !judged.passed());
    let board = judged.board(&contract);
    let page = golden::report::board::page(&board);
    assert!(!page.contains("<script") && page.ends_with("</html>\n"));
}
