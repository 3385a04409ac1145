//! What takes time grows with what there is to read, and not faster: eight times the lines take about eight times as long.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test fails by panicking, and says how long things took"
)]

use std::fmt::Write;
use std::time::{Duration, Instant};

use golden::audit::{Selection, audit};
use golden::contract::Contract;
use golden::facts::Needs;
use golden::facts::gather::gather;
use golden::system::{MemorySystem, manifest};

const HOST: &str = include_str!("field/base.host");
const CONTRACT: &str = include_str!("field/base.toml");

/// A file of so many lines, each with its number for `#`.
fn file(path: &str, head: &[&str], line: &str, count: usize) -> String {
    let mut text = format!("file {path} root:app 0640\n");
    head.iter().for_each(|line| writeln!(text, "| {line}").unwrap());
    (0..count).for_each(|number| writeln!(text, "| {}", line.replace('#', &number.to_string())).unwrap());
    text
}

fn unit(line: &str, count: usize) -> String {
    file("/etc/systemd/system/a.service.d/x.conf", &["[Service]"], line, count)
}

fn env_file(line: &str, count: usize) -> String {
    let reads =
        file("/etc/systemd/system/a.service.d/x.conf", &["[Service]", "EnvironmentFile=/etc/a.env"], "", 0);
    reads + &file("/etc/a.env", &[], line, count)
}

fn drop_ins(line: &str, count: usize) -> String {
    let path = |number| format!("/etc/systemd/system/a.service.d/{number:06}.conf");
    (0..count)
        .map(|number| file(&path(number), &["[Service]"], &line.replace('#', &number.to_string()), 1))
        .collect()
}

/// Makes a change with so many lines.
type Make = fn(&str, usize) -> String;

/// How long a host takes to be looked at, judged, and written down without its secrets.
fn time(change: &str) -> Duration {
    let none = |_: &str| Err("nothing is extended".to_owned());
    let contract = Contract::parse(CONTRACT, "/etc/golden/golden.toml", false, &none).unwrap();
    let mut host = MemorySystem::from_manifest(HOST).unwrap();
    manifest::apply(&mut host, change).unwrap();
    let start = Instant::now();
    let mut facts = gather(&host, &contract, Needs::all());
    let report = audit(&contract, &facts, &Selection::default(), false);
    facts.hide_secrets(&contract);
    assert!(!report.results.is_empty());
    start.elapsed()
}

#[test]
#[ignore = "it measures time: `make bench` runs it"]
fn eight_times_the_lines_take_no_more_than_their_share() {
    let kinds: [(&str, Make, &str); 13] = [
        ("variables of a unit", unit, "Environment=A#=1"),
        ("one variable of a unit, again and again", unit, "Environment=A=#"),
        ("secrets of a unit", unit, "Environment=A#_TOKEN=abcdefgh#"),
        ("variables that are none", unit, "Environment=A#"),
        ("settings that are none", unit, "Foo#=1"),
        ("commands", unit, "ExecStartPre=/usr/bin/true #"),
        (
            "secrets of commands",
            unit,
            "ExecStartPre=/a --password a# -H 'X-Token: #' {\"token\":\"#\",\"b\":1}",
        ),
        (
            "secrets of a text",
            unit,
            "ExecStartPre=/a '\"token\":\"#\",\"token\":\"#\",\"token\":\"#\"' $${TOKEN:-#}",
        ),
        ("variables of an env file", env_file, "A#=1"),
        ("one variable of an env file, again and again", env_file, "A=# x$y # #"),
        ("lines that systemd drops", env_file, "export A#=1"),
        ("secrets of an env file", env_file, "A#_TOKEN=abcdefgh#"),
        ("drop-ins", drop_ins, "Environment=A#=1"),
    ];
    let mut slow = String::new();
    for (name, make, line) in kinds {
        let measure = || (time(&make(line, 1_000)), time(&make(line, 8_000)));
        // Quadratic is sixty-four times; a busy machine and small numbers get their share.
        let is_slow = |(few, many): (Duration, Duration)| many > few * 28 + Duration::from_millis(300);
        let (few, many) = measure();
        println!("{name}: {few:?} and {many:?}");
        // What else the machine does passes; what is quadratic stays.
        if is_slow((few, many)) && is_slow(measure()) {
            let _ = writeln!(slow, "{name}: 1000 take {few:?}, 8000 take {many:?}");
        }
    }
    assert!(slow.is_empty(), "{slow}");
}
