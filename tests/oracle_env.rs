//! Environment files and exec lines against what a live systemd did with them.
//!
//! Each fixture under `oracle/systemd-<version>` was measured: the environment a started process received,
//! or the arguments a program printed. A difference is a bug of ours.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test fails by panicking, and looks at the world itself"
)]

use std::collections::BTreeMap;
use std::path::Path;

use golden::syntax::{command_line, env_file, environment};
use serde_json::Value;

/// Every measured version that has `file`, with its cases.
fn measured(file: &str) -> Vec<(u32, Vec<Value>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&root).expect("the oracle is committed").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(version) = name.strip_prefix("systemd-").and_then(|text| text.parse().ok()) else {
            continue;
        };
        let Ok(text) = std::fs::read_to_string(entry.path().join(file)) else { continue };
        let cases: Vec<Value> = serde_json::from_str(&text).expect("a list of cases");
        found.push((version, cases));
    }
    assert!(found.iter().any(|(version, _)| *version == 252), "{file} of systemd 252 is committed");
    found
}

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
    for (version, cases) in measured("env-cases.json") {
        assert!(cases.len() >= 40, "systemd {version} has its cases");
        for case in cases {
            let name = case["name"].as_str().unwrap_or_default();
            let file =
                env_file::parse(&decode_base64(case["content_b64"].as_str().unwrap_or_default()), version);
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
            assert_eq!(file.fatal.is_none() && !too_long, starts, "systemd {version}, {name}: starts");
            if starts {
                assert_eq!(ours, theirs, "systemd {version}, {name}");
            }
        }
    }
}

/// Logical lines of a unit, without its sections: enough for these fixtures, whose grammar has its own tests.
fn settings(unit: &str) -> Vec<(String, String)> {
    let mut joined = String::new();
    let mut found = Vec::new();
    for line in unit.trim_start_matches('\u{feff}').lines() {
        let line = line.trim_end_matches('\r');
        let trimmed = line.trim_start();
        if trimmed.starts_with(['#', ';']) {
            continue;
        }
        match line.strip_suffix('\\') {
            Some(start) => joined += &format!("{start} "),
            None => {
                joined += line;
                found.push(std::mem::take(&mut joined));
            }
        }
    }
    found.push(joined);
    let pairs = found.iter().filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}

fn specifiers(unit_name: &str, word: &str) -> Result<String, String> {
    let mut result = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('%') {
        result += &rest[..at];
        let after = &rest[at + 1..];
        match after.chars().next() {
            Some('%') => result.push('%'),
            Some('n') => result += &format!("{unit_name}.service"),
            Some('p') => result += unit_name,
            Some('Z') => return Err("unknown specifier".to_owned()),
            Some(other) => result += &format!("%{other}"),
            None => result.push('%'),
        }
        rest = after.get(after.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default();
    }
    Ok(result + rest)
}

/// What `argv` would print, and whether the unit loads, as far as exec lines decide it.
fn judge(unit_name: &str, unit: &str) -> (bool, Vec<String>) {
    let expand = |word: &str| specifiers(unit_name, word);
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let (mut commands, mut refused) = (Vec::new(), false);
    for (key, value) in settings(unit) {
        match key.as_str() {
            "Environment" => {
                let list = environment::parse_environment(&value, &expand);
                variables.extend(list.items.into_iter().map(|item| (item.name, item.value)));
            }
            "EnvironmentFile" => {
                let text = if value == "/etc/t/d/10.env" { "G1=a\nX=1\n" } else { "G2=b\nX=2\n" };
                let text = if value.starts_with('/') { text } else { "" };
                let file = env_file::parse(text.as_bytes(), 252);
                files.extend(file.variables.into_iter().map(|variable| (variable.name, variable.value)));
            }
            "ExecStart" => {
                let line = command_line::parse_with(&value, &expand);
                refused |= line.error.is_some_and(|error| error.refuses_unit);
                commands.extend(line.commands);
            }
            _ => {}
        }
    }
    variables.append(&mut files);
    let lookup = |name: &str| variables.get(name).cloned();
    let printed = commands.iter().filter(|command| command.program == "/usr/local/bin/argv");
    (!refused, printed.flat_map(|command| command_line::expand_arguments(command, &lookup)).collect())
}

#[test]
fn exec_lines_give_the_measured_arguments() {
    let mut judged = 0;
    for (version, cases) in measured("unit-cases.json") {
        for case in cases {
            let name = case["name"].as_str().unwrap_or_default();
            let unit = String::from_utf8_lossy(&decode_base64(case["unit_b64"].as_str().unwrap_or_default()))
                .into_owned();
            if !unit.contains("ExecStart=") {
                continue;
            }
            let (loads, arguments) = judge(&format!("ou-{name}"), &unit);
            let stdout = case["stdout"].as_str().unwrap_or_default();
            if !stdout.starts_with('[') {
                continue;
            }
            let printed: String = arguments.iter().map(|argument| format!("[{argument}]")).collect();
            assert!(loads, "systemd {version}, {name} loads");
            assert_eq!(printed, stdout.replace("]\n", "]"), "systemd {version}, {name}: {unit}");
            judged += 1;
        }
    }
    assert!(judged >= 25, "only {judged} cases were comparable");
}

#[test]
fn refused_exec_lines_are_refused() {
    for (name, refused) in [("e34", true), ("e42", true), ("e48", false)] {
        for (version, cases) in measured("unit-cases.json") {
            let Some(case) = cases.iter().find(|case| case["name"] == name) else { continue };
            let unit = decode_base64(case["unit_b64"].as_str().unwrap_or_default());
            let (loads, _) = judge(&format!("ou-{name}"), &String::from_utf8_lossy(&unit));
            assert_eq!(!loads, refused, "systemd {version}, {name}");
            assert_eq!(case["load_state"] == "bad-setting", refused, "systemd {version}, {name} measured");
        }
    }
}
