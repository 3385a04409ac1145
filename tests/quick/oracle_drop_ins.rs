//! Fragments, drop-ins, aliases, templates and masks as a live systemd put them together, against our own
//! search and merge of the same files. The cases were measured; a difference is our defect.

use crate::support::oracle;
use crate::support::shown;
use crate::support::units;

use std::collections::{BTreeMap, BTreeSet};

use golden::system::memory::{MemoryNode, MemorySystem, Owned};
use golden::systemd::effective::EffectiveUnit;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    unit: String,
    files: BTreeMap<String, Content>,
    show: BTreeMap<String, String>,
    id: String,
    load_state: String,
    fragment: String,
    dropins: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Link { link: String },
}

impl Case {
    /// systemd lists drop-ins that are masked or lead nowhere too.
    fn says_something(&self, path: &str) -> bool {
        match self.files.get(path) {
            Some(Content::Link { link }) => self.files.contains_key(link),
            Some(Content::Text(_)) | None => true,
        }
    }
}

/// A reload empties the directories of generators, so that the unit is gone before it is shown.
const EMPTIED: &[&str] = &["fragment-generated"];

/// A merged-usr disk with nothing but a systemd of this version and the units that the cases lean on.
fn host(version: u32) -> MemorySystem {
    let mut host = MemorySystem::default();
    put(
        &mut host,
        &format!("/usr/lib/systemd/libsystemd-shared-{version}.so"),
        MemoryNode::File(b""[..].into()),
    );
    put(&mut host, "/dev/null", MemoryNode::File(b""[..].into()));
    put(&mut host, "/lib", MemoryNode::Link("usr/lib".into()));
    host
}

fn put(host: &mut MemorySystem, path: &str, node: MemoryNode) {
    let owned = |node| Owned { node, uid: 0, gid: 0, mode: 0o755, modified: 0, links: 1 };
    let parents = path.match_indices('/').map(|(at, _)| if at == 0 { "/" } else { &path[..at] });
    for parent in parents {
        host.nodes.entry(parent.to_owned()).or_insert_with(|| owned(MemoryNode::Directory));
    }
    host.nodes.insert(path.to_owned(), owned(node));
}

/// The setting that a property shows.
fn setting(property: &str) -> (&'static str, &'static str, &'static str) {
    const SETTINGS: &[(&str, &str, &str, &str)] = &[
        ("After", "Unit", "After", ""),
        ("Description", "Unit", "Description", ""),
        ("Environment", "Service", "Environment", ""),
        ("MemoryMax", "Service", "MemoryMax", "infinity"),
        ("Nice", "Service", "Nice", "0"),
        ("ProtectSystem", "Service", "ProtectSystem", "no"),
        ("Restart", "Service", "Restart", "no"),
        ("RestartUSec", "Service", "RestartSec", "100ms"),
        ("StartLimitIntervalUSec", "Unit", "StartLimitIntervalSec", "10s"),
        ("UMask", "Service", "UMask", "0022"),
        ("User", "Service", "User", ""),
        ("Wants", "Unit", "Wants", ""),
    ];
    let found =
        SETTINGS.iter().find(|(name, ..)| *name == property).expect("a property that is told apart here");
    (found.1, found.2, found.3)
}

/// `/lib` is a link to `/usr/lib`, and systemd 252 names the one, 257 the other.
fn real(path: &str) -> String {
    path.strip_prefix("/lib/").map_or(path.to_owned(), |rest| format!("/usr/lib/{rest}"))
}

fn compare(case: &Case, unit: &EffectiveUnit, differences: &mut Vec<String>) {
    let mut compare = |what: &str, theirs: String, ours: String| {
        if theirs != ours {
            differences.push(format!("{}: {what}: systemd {theirs:?}, ours {ours:?}", case.name));
        }
    };
    compare("LoadState", case.load_state.clone(), shown::load_word(unit).to_owned());
    let ours = unit.fragment.as_deref().unwrap_or("");
    let named = match case.files.get(ours) {
        // systemd 247 names what a link leads to.
        Some(Content::Link { link }) if case.fragment != ours => link,
        _ => ours,
    };
    compare("FragmentPath", real(&case.fragment), real(named));
    if shown::load_word(unit) == "masked" {
        return;
    }
    let drop_ins = |paths: &mut dyn Iterator<Item = &str>| paths.map(real).collect::<Vec<_>>().join(" ");
    let theirs =
        drop_ins(&mut case.dropins.iter().map(String::as_str).filter(|path| case.says_something(path)));
    compare("DropInPaths", theirs, drop_ins(&mut unit.drop_ins.iter().map(|path| &**path)));
    if case.load_state != "loaded" {
        return;
    }
    compare("Id", case.id.clone(), unit.name.to_string());
    for (property, printed) in &case.show {
        if property == "ExecStart" {
            let programs: Vec<&str> =
                unit.assignments("Service", "ExecStart").map(|setting| setting.value()).collect();
            let shown =
                printed.split("argv[]=").skip(1).map(|part| part.split(" ;").next().unwrap_or_default());
            compare(property, shown.collect::<Vec<_>>().join("\n"), programs.join("\n"));
            continue;
        }
        let (section, key, default) = setting(property);
        if shown::UNITS.contains(&property.as_str()) {
            let theirs: BTreeSet<&str> = printed.split(' ').collect();
            let words = unit.words(section, key);
            let lacking: Vec<&str> =
                words.iter().map(|(word, _)| word.as_str()).filter(|word| !theirs.contains(word)).collect();
            compare(property, String::new(), lacking.join(" "));
            continue;
        }
        let default = if property == "Description" { unit.name.as_str() } else { default };
        compare(
            property,
            shown::theirs(property, printed),
            shown::ours(unit, section, key, property, default),
        );
    }
}

#[test]
fn every_set_of_files_makes_the_unit_that_a_live_systemd_made() {
    let mut differences = Vec::new();
    let mut judged = 0;
    for (version, cases) in oracle::measured::<Case>("dropin-cases.json") {
        assert!(cases.len() >= 60);
        // Of a template there is nothing to show.
        for case in
            cases.iter().filter(|case| !case.unit.contains("@.") && !EMPTIED.contains(&case.name.as_str()))
        {
            let mut host = host(version);
            for (path, content) in &case.files {
                let node = match content {
                    Content::Text(text) => MemoryNode::File(text.as_bytes().into()),
                    Content::Link { link } => MemoryNode::Link(link.as_str().into()),
                };
                put(&mut host, path, node);
            }
            let facts = units::gather(&host, &[case.unit.clone()].into());
            let unit = facts.units.get(case.unit.as_str()).expect("the unit was gathered");
            let mut here = Vec::new();
            match unit.effective.known().ok().flatten() {
                Some(unit) => compare(case, unit, &mut here),
                None => here.push(format!("{}: {:?}", case.name, unit.effective)),
            }
            differences.extend(here.into_iter().map(|difference| format!("systemd {version}: {difference}")));
            judged += 1;
        }
    }
    println!("sets of files: {judged} compared, {} differences", differences.len());
    assert!(differences.is_empty(), "{differences:#?}");
}
