//! Our reading of an environment file as a shell would take it, against the real bash and dash.
//!
//! `Same` and `Differs` are claims about both shells and are checked on written and on random files; `Breaks`
//! claims less, so the written files also check that it is not said too often.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use golden::syntax::env_file::{self, EnvFile};
use golden::syntax::env_shell::{ShellReading, shell_readings};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const SHELLS: [&str; 2] = ["/bin/bash", "/bin/dash"];

/// The environments that `shell` exports after sourcing each file, None where it died.
fn source(shell: &str, files: &[Vec<u8>]) -> Vec<Option<BTreeMap<String, String>>> {
    let dir = tempfile::tempdir().expect("a directory for the files");
    let work = dir.path().join("work");
    std::fs::create_dir(&work).expect("a directory to run in");
    for (index, content) in files.iter().enumerate() {
        std::fs::write(dir.path().join(format!("{index}.env")), content).expect("a file to source");
    }
    // A process each: in a subshell, bash 5.2 replaces itself by the last command of a sourced file.
    let script = format!(
        "i=0; while [ $i -lt {} ]; do \
         {shell} -c 'set -a; . \"$0.env\"; exec /usr/bin/env -0 >\"$0.out\"' ../$i; i=$((i+1)); done",
        files.len()
    );
    let status = Command::new(shell)
        .args(["-c", &script])
        .env_clear()
        .env("PATH", "/nonexistent")
        .current_dir(&work)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.expect("the shell runs");
    (0..files.len()).map(|index| read_environment(&dir.path().join(format!("{index}.out")))).collect()
}

fn read_environment(path: &Path) -> Option<BTreeMap<String, String>> {
    let bytes = std::fs::read(path).ok()?;
    let pairs = bytes.split(|&byte| byte == 0).filter_map(|pair| {
        let pair = String::from_utf8_lossy(pair).into_owned();
        pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
    });
    Some(pairs.collect())
}

/// Checks the claims about each file; the last assignment of a name is the one a process sees.
fn check(contents: &[Vec<u8>]) {
    let read: Vec<(EnvFile, Vec<ShellReading>)> = contents
        .iter()
        .map(|content| {
            let file = env_file::parse(content, 257);
            let readings = shell_readings(content, &file);
            assert_eq!(file.variables.len(), readings.len());
            (file, readings)
        })
        .collect();
    for shell in SHELLS {
        for (index, real) in source(shell, contents).into_iter().enumerate() {
            // dash ends at a syntax error, so that nobody sees what it had assigned before; bash goes on.
            let Some(real) = real else {
                assert_eq!(
                    shell,
                    "/bin/dash",
                    "bash died of {:?}",
                    String::from_utf8_lossy(&contents[index])
                );
                continue;
            };
            let (file, readings) = &read[index];
            let mut last = BTreeMap::new();
            for (variable, reading) in file.variables.iter().zip(readings) {
                last.insert(variable.name.as_str(), (variable, reading));
            }
            for (name, (variable, reading)) in last {
                let claimed = match reading {
                    ShellReading::Same => &variable.value,
                    ShellReading::Differs { shell } => {
                        assert_ne!(shell, &variable.value);
                        shell
                    }
                    ShellReading::Breaks { .. } => continue,
                };
                let got = real.get(name);
                let text = String::from_utf8_lossy(&contents[index]);
                assert_eq!(got, Some(claimed), "{shell}, {name} in {text:?}, claimed {reading:?}");
            }
        }
    }
}

fn one(text: &str) -> ShellReading {
    let file = env_file::parse(text.as_bytes(), 257);
    shell_readings(text.as_bytes(), &file).remove(0)
}

fn written_files() -> Vec<(&'static str, ShellReading)> {
    let same = || ShellReading::Same;
    let differs = |shell: &str| ShellReading::Differs { shell: shell.to_owned() };
    vec![
        ("A=1\n", same()),
        ("A=\n", same()),
        ("  A=1\n", same()),
        ("# c\n\nA=1\n", same()),
        ("# c \\\nA=1\n", same()),
        ("A=1 # c\\\nA=2\n", differs("2")),
        ("A='a b'\n", same()),
        ("A=\"a b\"\n", same()),
        ("A=\"a\\$b\\\"c\\\\\"\n", same()),
        ("A=\"a\\nb\"\n", same()),
        ("A='a\nb'\n", same()),
        ("A=1#c\n", same()),
        ("A=a\\\nb\n", same()),
        ("A=postgres://u:p@h:5/d?x=1#f\n", same()),
        ("A=a=b==\n", same()),
        ("A={a,b}*?[x]!\n", same()),
        ("A=a$\n", same()),
        ("A='$X `id` ~'\n", same()),
        ("A=/home/~/x\n", same()),
        ("A=\"~/x\"\n", same()),
        ("A=é\n", same()),
        ("A=1", same()),
        ("A=1 # c\n", differs("1")),
        ("A=\"a\" # c\n", differs("a")),
        ("A=1;\n", differs("1")),
        ("A=1;B=2\n", differs("1")),
        ("A=1 B=2\n", differs("1")),
        ("A=a\"b\"c\n", differs("abc")),
        ("A=[\"x\",\"y\"]\n", differs("[x,y]")),
        ("A=\"x\"'y'$\n", same()),
        ("A=1\r\n", differs("1\r")),
        ("A=\"it's\"d'\\'\n", differs("it'sd\\")),
        ("A=x'y z'\n", differs("xy z")),
        ("A=x\\\n  y\n", ShellReading::Breaks { why: "the shell runs `y` as a command".to_owned() }),
    ]
}

#[test]
fn the_common_subset_is_read_exactly() {
    for (text, expected) in written_files() {
        assert_eq!(one(text), expected, "{text:?}");
    }
    let contents: Vec<Vec<u8>> = written_files().iter().map(|(text, _)| text.as_bytes().to_vec()).collect();
    check(&contents);
}

#[test]
fn known_variables_are_expanded_and_unknown_ones_named() {
    let text = "D=/opt/data\nA=$D/x\nB=\"${D}/y\"\nC=${HOME}/z\nE=${D:-q}\n";
    let file = env_file::parse(text.as_bytes(), 257);
    let readings = shell_readings(text.as_bytes(), &file);
    assert_eq!(readings[1], ShellReading::Differs { shell: "/opt/data/x".to_owned() });
    assert_eq!(readings[2], ShellReading::Differs { shell: "/opt/data/y".to_owned() });
    let ShellReading::Breaks { why } = &readings[3] else { panic!("{:?}", readings[3]) };
    assert!(why.contains("$HOME, which this file does not set"), "{why}");
    let continued = "B=1\nBC=2\nA=\"$\\\nB\\\nC\"x\n";
    let file = env_file::parse(continued.as_bytes(), 257);
    let readings = shell_readings(continued.as_bytes(), &file);
    assert_eq!(readings[2], ShellReading::Differs { shell: "2x".to_owned() });
    check(&[text.as_bytes().to_vec(), continued.as_bytes().to_vec()]);
}

#[test]
fn what_a_shell_would_run_is_said() {
    let cases = [
        ("A=b c\n", "runs `c`"),
        ("A= b\n", "runs `b`"),
        ("A = 1\n", "runs `A`"),
        ("A=$(id)\n", "runs `id`"),
        ("A=`id`\n", "backticks"),
        ("A=~/x\n", "home directory"),
        ("A=x:~/y\n", "home directory"),
        ("A=\\\n~/x\n", "home directory"),
        ("B=1\nA=$B\\\n2\n", "$B2, which this file does not set"),
        ("A=a&b=c\n", "background"),
        ("A=a|b\n", "line 1"),
        ("A=a>b\n", "redirects"),
        ("A=(1 2)\n", "line 1: `(`"),
        ("A=$$\n", "`$$`"),
        ("UID=5\n", "of its own"),
        ("; c\nA=1\n", "line 1: a syntax error"),
        ("A=it's\nB=1\n", "line 1: a single quote"),
        ("A=1\rB=2\n", "belongs to what begins on line 1"),
    ];
    for (text, expected) in cases {
        let file = env_file::parse(text.as_bytes(), 257);
        let readings = shell_readings(text.as_bytes(), &file);
        let said =
            readings.iter().any(|r| matches!(r, ShellReading::Breaks { why } if why.contains(expected)));
        assert!(said, "{text:?}: {readings:?}");
    }
    let never_the_same: Vec<Vec<u8>> = cases.iter().map(|(text, _)| text.as_bytes().to_vec()).collect();
    check(&never_the_same);
}

/// Random files of the characters that matter; the only commands they can name do not exist.
#[test]
fn random_files_are_read_as_both_shells_read_them() {
    let piece = prop_oneof![
        4 => "[ab1/.,:@%+-]{1,3}",
        1 => "[ \\t\"'\\\\$#;~={}\\[\\]*?!&<>|`()\r]",
        1 => Just("$A".to_owned()),
        1 => Just("${B}".to_owned()),
        1 => Just("\\\n".to_owned()),
        1 => Just(" # x".to_owned()),
        1 => Just("\"a b\"".to_owned()),
        1 => Just("'a b'".to_owned()),
        1 => Just("é".to_owned()),
    ];
    let value = prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    let line = ("[ABC]", value).prop_map(|(name, value)| format!("{name}={value}\n"));
    let file = prop::collection::vec(line, 1..4).prop_map(|lines| lines.concat().into_bytes());
    let mut runner = TestRunner::default();
    let count = std::env::var("GOLDEN_RANDOM_FILES").map_or(300, |count| count.parse().expect("a number"));
    let files: Vec<Vec<u8>> =
        (0..count).map(|_| file.new_tree(&mut runner).expect("a file").current()).collect();
    let claimed = files.iter().flat_map(|content| shell_readings(content, &env_file::parse(content, 257)));
    let exact = claimed.filter(|reading| !matches!(reading, ShellReading::Breaks { .. })).count();
    assert!(exact > count / 2, "only {exact} exact readings among {count} files");
    check(&files);
}
