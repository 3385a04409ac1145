//! Environment files and exec lines against what a live systemd did with them.
//!
//! Each fixture under `oracle/systemd-<version>` was measured: the environment a started process received,
//! or the arguments a program printed. A difference is a bug of ours.

use crate::support::oracle;

use std::collections::BTreeMap;

use golden::syntax::{env_file, glob, unit_file};
use golden::systemd::effective::{EffectiveUnit, LoadState};
use golden::systemd::specifier::Specifiers;
use golden::systemd::unit_name::UnitName;
use golden::systemd::version::SystemdVersion;
use golden::systemd::{command_line, environment};
use serde_json::Value;

/// The env files that lay on the machines.
const ENV_FILES: &[(&str, &str)] = &[("/etc/t/d/10.env", "G1=a\nX=1\n"), ("/etc/t/d/20.env", "G2=b\nX=2\n")];

fn decode_base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        bits = bits << 6 | digit(byte);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}

#[test]
fn env_files_give_the_measured_environment() {
    let (mut judged, mut differences) = (0, Vec::new());
    for (version, cases) in oracle::measured::<Value>("env-cases.json") {
        assert!(cases.len() >= 200, "systemd {version} has its cases");
        for case in cases {
            judged += 1;
            let name = case["name"].as_str().unwrap_or_default();
            let content = decode_base64(case["content_b64"].as_str().unwrap_or_default());
            let file = env_file::parse(&content, version);
            let ours: BTreeMap<&str, &str> = file
                .effective()
                .into_iter()
                .map(|(name, variable)| (name, variable.value.as_str()))
                .collect();
            let theirs: BTreeMap<&str, &str> = case["env"]
                .as_object()
                .expect("an environment")
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()))
                .collect();
            let starts = case["starts"].as_bool().expect("whether it starts");
            let too_long = file.notes.iter().any(|note| note.kind == env_file::NoteKind::TooLongToExec);
            let ours_starts = file.fatal.is_none() && !too_long;
            if ours_starts != starts || (starts && ours != theirs) {
                let text = String::from_utf8_lossy(&content);
                let text: String = text.chars().take(300).collect();
                differences.push(format!(
                    "systemd {version}, {name}: {text:?}\n  systemd {starts} {theirs:.300?}\n  ours    {ours_starts} {ours:.300?}"
                ));
            }
        }
    }
    println!("env files: {judged} compared, {} differences", differences.len());
    assert!(differences.is_empty(), "{} of {judged}:\n{}", differences.len(), differences.join("\n"));
}

/// What the service of a unit file would be given, where every command prints its arguments: whether the unit
/// loads, and the arguments.
fn judge(name: &str, unit: &[u8], version: u32) -> (bool, Vec<String>) {
    let name = UnitName::parse(&format!("{name}.service")).expect("a unit name");
    let path = format!("/etc/systemd/system/{name}").into();
    let version = SystemdVersion(version);
    let specifiers = Specifiers::new(&name, Some(&path), None, version);
    let unit = EffectiveUnit::merge(&name, unit_file::parse(&path, unit), Vec::new(), &specifiers, version);
    let plain = |word: &str| Ok(word.to_owned());
    let mut variables = BTreeMap::new();
    for setting in unit.assignments("Service", "Environment") {
        let list = environment::parse_environment(setting.value(), &plain);
        variables.extend(list.items.into_iter().map(|item| (item.name, item.value)));
    }
    for setting in unit.assignments("Service", "EnvironmentFile") {
        let pattern = setting.value().trim_start_matches('-');
        for (path, text) in
            ENV_FILES.iter().filter(|(path, _)| glob::matches(pattern, path.trim_start_matches('/')))
        {
            let file = env_file::parse(text.as_bytes(), version.0);
            assert!(path.starts_with('/') && file.fatal.is_none());
            variables.extend(file.variables.into_iter().map(|variable| (variable.name, variable.value)));
        }
    }
    // systemd 262 fills in the variables of a command line before that.
    let unset = (version.0 < 262).then(|| unit.assignments("Service", "UnsetEnvironment"));
    for setting in unset.into_iter().flatten() {
        for removal in environment::parse_unset_environment(setting.value(), &plain).items {
            variables.retain(|name, value| {
                *name != removal.name || removal.value.as_ref().is_some_and(|only| only != value)
            });
        }
    }
    let commands_of = |key: &'static str| {
        let settings = unit.assignments("Service", key);
        settings.flat_map(|setting| command_line::parse(setting.value()).commands).collect::<Vec<_>>()
    };
    let mut commands = commands_of("ExecStart");
    // What fails is not stopped, only cleaned up after.
    if !commands.iter().any(|command| command.program == "/bin/false" && !command.prefixes.ignore_failure) {
        commands.extend(commands_of("ExecStop"));
    }
    commands.extend(commands_of("ExecStopPost"));
    let commands = commands.into_iter();
    let lookup = |name: &str| variables.get(name).cloned();
    let printed = commands.filter(|command| command.program.ends_with("argv"));
    let arguments = printed.flat_map(|command| command_line::expand_arguments(&command, &lookup)).collect();
    (unit.load == LoadState::Loaded, arguments)
}

#[test]
fn exec_lines_give_the_measured_arguments() {
    let (mut judged, mut differences) = (0, Vec::new());
    for (version, cases) in oracle::measured::<Value>("unit-cases.json") {
        for case in cases {
            let name = case["name"].as_str().unwrap_or_default();
            let unit = decode_base64(case["unit_b64"].as_str().unwrap_or_default());
            let stdout = match case["stdout_b64"].as_str() {
                Some(coded) => String::from_utf8_lossy(&decode_base64(coded)).into_owned(),
                None => case["stdout"].as_str().unwrap_or_default().to_owned(),
            };
            if !stdout.starts_with('[') {
                continue;
            }
            let (loads, arguments) = judge(&format!("ou-{name}"), &unit, version);
            let printed: String = arguments.iter().map(|argument| format!("[{argument}]")).collect();
            if !loads || printed != stdout.replace("]\n", "]") {
                let unit = String::from_utf8_lossy(&unit);
                differences.push(format!(
                    "systemd {version}, {name}: {unit}\n  systemd {stdout:?}\n  ours    {printed:?}"
                ));
            }
            judged += 1;
        }
    }
    assert!(judged >= 100, "only {judged} cases were comparable");
    assert!(differences.is_empty(), "{} of {judged}:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn refused_exec_lines_are_refused() {
    for (name, refused) in [("e34", true), ("e42", true), ("e48", false)] {
        for (version, cases) in oracle::measured::<Value>("unit-cases.json") {
            let Some(case) = cases.iter().find(|case| case["name"] == name) else { continue };
            let unit = decode_base64(case["unit_b64"].as_str().unwrap_or_default());
            let (loads, _) = judge(&format!("ou-{name}"), &unit, version);
            assert_eq!(!loads, refused, "systemd {version}, {name}");
            assert_eq!(case["load_state"] == "bad-setting", refused, "systemd {version}, {name} measured");
        }
    }
}
