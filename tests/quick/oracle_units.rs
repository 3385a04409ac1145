//! What a live systemd made of units and values, against our own reading. The cases were measured; a
//! difference is our defect.

use crate::support::oracle;
use crate::support::shown;

use std::collections::BTreeMap;

use golden::syntax::unit_file;
use golden::systemd::effective::EffectiveUnit;
use golden::systemd::specifier::Specifiers;
use golden::systemd::unit_name::UnitName;
use golden::systemd::version::SystemdVersion;
use serde::Deserialize;

#[derive(Deserialize)]
struct UnitCase {
    name: String,
    unit_b64: String,
    load_state: String,
    #[serde(
        default,
        alias = "verify_247",
        alias = "verify_252",
        alias = "verify_254",
        alias = "verify_257",
        alias = "verify_262"
    )]
    verify: Vec<String>,
}

#[derive(Deserialize)]
struct ValueCase {
    section: String,
    key: String,
    /// The value of an assignment before it.
    before: Option<String>,
    value: String,
    show_property: String,
    default: String,
    effective: String,
    load_state: String,
    #[serde(default)]
    host_dependent: bool,
}

fn decode(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = 0_u32;
    let mut count = 0;
    let mut bytes = Vec::new();
    for value in text.bytes().filter_map(|byte| ALPHABET.iter().position(|known| *known == byte)) {
        bits = bits << 6 | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}

fn read(name: &str, bytes: &[u8], version: SystemdVersion) -> EffectiveUnit {
    let unit = UnitName::parse(name).unwrap();
    let path = format!("/etc/systemd/system/{name}").into();
    let file = unit_file::parse(&path, bytes);
    if file.empty {
        return EffectiveUnit::masked(&unit, path);
    }
    let specifiers = Specifiers::new(&unit, Some(&path), None, version);
    EffectiveUnit::merge(&unit, file, Vec::new(), &specifiers, version)
}

#[test]
fn every_unit_loads_or_is_refused_as_by_the_live_systemd() {
    let mut differences = Vec::new();
    let mut judged = 0;
    for (version, cases) in oracle::measured::<UnitCase>("unit-cases.json") {
        let version = SystemdVersion(version);
        for case in cases {
            judged += 1;
            let text = decode(&case.unit_b64);
            let unit = read(&format!("ou-{}.service", case.name), &text, version);
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            if shown::load_word(&unit) != case.load_state {
                differences.push(format!("{version} {}: {} but {:?}", case.name, case.load_state, unit.load));
            }
            // Every "ignoring" of a key or a section is one of ours, on the same line.
            for message in case.verify {
                let known =
                    ["Unknown key", "Unknown section", "Assignment outside", "is not absolute, ignoring"];
                if !known.iter().any(|words| message.contains(words)) || case.load_state != "loaded" {
                    continue;
                }
                let line: usize = message.split(':').nth(1).unwrap().parse().unwrap();
                let section_only = message.contains("Unknown section");
                let seen = |at: u32| {
                    let at = at as usize;
                    // systemd names the last of the lines that a backslash joins, we the first.
                    let joined = at < line && lines[at - 1..line - 1].iter().all(|line| line.ends_with('\\'));
                    at == line || joined || section_only && at == line + 1
                };
                if !unit.ignored.iter().any(|ignored| ignored.at.line_number().is_some_and(&seen)) {
                    differences.push(format!("{version} {}: not noticed: {message}", case.name));
                }
            }
        }
    }
    println!("units: {judged} compared, {} differences", differences.len());
    assert!(judged >= 700);
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Settings whose words our reader passes on as they are, so that it does not notice what systemd drops of them,
/// and settings that systemd does not print of a service that does not run, or not at all.
const PASSED_ON: &[&str] = &["SystemCallFilter", "RestrictFileSystems", "WatchdogSec", "LoadCredential"];

/// What a specifier stands for may be the host's, but not whether there is such a specifier.
#[test]
fn every_specifier_is_known_to_the_versions_that_know_it() {
    let mut judged = 0;
    for (version, cases) in oracle::measured::<ValueCase>("value-cases.json") {
        for case in cases.iter().filter(|case| case.value.starts_with("is %")) {
            let text =
                format!("[{}]\n{}={}\n[Service]\nExecStart=/bin/true\n", case.section, case.key, case.value);
            let unit = read("ov.service", text.as_bytes(), SystemdVersion(version));
            let is_known = unit.ignored.is_empty();
            assert_eq!(is_known, case.effective != case.default, "{version} {}={}", case.key, case.value);
            judged += 1;
        }
    }
    assert!(judged >= 5 * 60, "{judged}");
}

#[test]
fn every_value_is_what_systemctl_show_prints() {
    let mut differences = Vec::new();
    let mut judged: BTreeMap<String, u32> = BTreeMap::new();
    let mut undecided = 0;
    for (version, cases) in oracle::measured::<ValueCase>("value-cases.json") {
        let version = SystemdVersion(version);
        for case in
            cases.iter().filter(|case| !case.host_dependent && !PASSED_ON.contains(&case.key.as_str()))
        {
            *judged.entry(case.key.clone()).or_default() += 1;
            let values = case.before.iter().chain([&case.value]);
            let lines: String = values.map(|value| format!("{}={value}\n", case.key)).collect();
            let text = format!("[{}]\n{lines}[Service]\nExecStart=/bin/true\n", case.section);
            let unit = read("ov.service", text.as_bytes(), version);
            if !unit.unmeasured.is_empty() {
                undecided += 1;
                continue;
            }
            let (property, load) = (case.show_property.as_str(), shown::load_word(&unit));
            let name = golden::systemd::known::name(&case.key);
            let moved = |section: &&str| {
                let unit_has = unit.settings.iter().chain(&unit.resets);
                unit_has
                    .into_iter()
                    .any(|setting| &*setting.section == *section && setting.key.as_str() == case.key)
            };
            let section = ["Service", "Unit"].into_iter().find(moved).unwrap_or(&case.section);
            assert!(name.is_some() || case.effective == case.default, "{}", case.key);
            let theirs = shown::theirs(property, &case.effective);
            let ours = shown::ours(&unit, section, &case.key, property, &case.default);
            // Of a unit that does not load it prints what it had read so far.
            if load != case.load_state || load == "loaded" && ours != theirs {
                differences.push(format!(
                    "{version} {}={:?} after {:?}: systemd {theirs:?} ({}), ours {ours:?} ({load})",
                    case.key, case.value, case.before, case.load_state,
                ));
            }
        }
    }
    assert!(judged.len() >= 100, "{judged:?}");
    // Of systemd 247 the priorities of a policy and the filter of core dumps.
    assert!(undecided <= 8, "{undecided} undecided");
    let differing = differences.len();
    println!("values: {} compared, {differing} differences", judged.values().sum::<u32>());
    assert!(differences.is_empty(), "{differing} of {}: {differences:#?}", judged.values().sum::<u32>());
}
