//! What takes time grows with what there is to read, and not faster: eight times the lines take about eight times as long.
//!
//! A time limit proves nothing on a busy machine, so this measures whether eight times the lines take eight times as
//! long.

use std::fmt::Write;
use std::time::{Duration, Instant};

use golden::audit::{Selection, audit};
use golden::contract::Contract;
use golden::facts::Needs;
use golden::facts::gather::gather;
use golden::system::{MemorySystem, manifest};

const HOST: &str = include_str!("../field/base.host");
const CONTRACT: &str = include_str!("../field/base.toml");

/// A repository, so that it is looked at.
const REPOSITORY: &str = "
[repository]
place = \"app\"
[layout.app]
path = \"/srv/app\"
owner = \"app\"
";
const GIT: &str = "\
dir /srv/app/.git app:app 0755
file /srv/app/.git/HEAD app:app 0644
| ref: refs/heads/main
file /srv/app/.git/config app:app 0644
| [core]
| bare = false
dir /srv/app/.git/objects app:app 0755
dir /srv/app/.git/refs app:app 0755
";

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

/// A drop-in and a tmpfiles.d with so many lines each, whose parts stand on both sides of a `|`.
fn made(lines: &str, count: usize) -> String {
    let (of_unit, of_boot) = lines.split_once(" | ").unwrap();
    unit(of_unit, count) + &file("/etc/tmpfiles.d/x.conf", &[], of_boot, count)
}

fn crontab(line: &str, count: usize) -> String {
    file("/etc/cron.d/a", &[], line, count)
}

/// Files that one pattern of the unit matches.
fn matched(line: &str, count: usize) -> String {
    let files = (0..count).map(|number| file(&format!("/etc/a.d/{number:06}.env"), &[], line, 1));
    let reads = file(
        "/etc/systemd/system/a.service.d/x.conf",
        &["[Service]", "EnvironmentFile=/etc/a.d/*.env"],
        "",
        0,
    );
    reads + &files.collect::<String>()
}

/// An env file of `A=` and nothing else, many in a line of the count.
fn short_variables(line: &str, count: usize) -> String {
    env_file(line, count * 40)
}

/// A program whose object names so many directories, and a library that is in none of them.
fn runpath(line: &str, count: usize) -> String {
    let list: Vec<String> = (0..count / 8).map(|number| line.replace('#', &number.to_string())).collect();
    format!("elf /usr/bin/true root:root 0755 needs=libgone.so.1 runpath={}\n", list.join(":"))
}

/// The same of many objects, each of which needs the next.
fn libraries(line: &str, count: usize) -> String {
    let object = |path: String, number: usize| {
        format!(
            "elf {path} root:root 0755 needs=lib{}.so rpath={}\n",
            number + 1,
            line.replace('#', &number.to_string())
        )
    };
    let rest = (1..count / 8).map(|number| object(format!("/usr/lib/lib{number}.so"), number));
    object("/usr/bin/true".to_owned(), 0) + &rest.collect::<String>()
}

/// A git index whose paths have so many directories, each a directory of its own.
fn git_index(line: &str, count: usize) -> String {
    let mut bytes = b"DIRC\0\0\0\x02".to_vec();
    bytes.extend((count as u32).to_be_bytes());
    for number in 0..count {
        let path = format!("{number:06}/{}x", line.repeat(100));
        bytes.extend([0; 24].iter().chain(&[0, 0, 0x81, 0xa4]).chain(&[0; 12]).chain(&[0x11; 20]));
        bytes.extend((path.len() as u16).to_be_bytes());
        bytes.extend(path.bytes());
        bytes.extend(vec![0; 8 - (62 + path.len()) % 8]);
    }
    bytes.extend([0; 20]);
    let text: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("data /srv/app/.git/index app:app 0644\n| {text}\n")
}

/// Makes a change with so many lines.
type Make = fn(&str, usize) -> String;

/// How long a host takes to be looked at, judged, and written down without its secrets.
fn time(change: &str) -> Duration {
    let none = |_: &str| Err("nothing is extended".to_owned());
    let contract =
        Contract::parse(&format!("{CONTRACT}{REPOSITORY}"), "/etc/golden/golden.toml", false, &none).unwrap();
    let mut host = MemorySystem::from_manifest(HOST).unwrap();
    manifest::apply(&mut host, GIT).unwrap();
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
    let kinds: [(&str, Make, &str); 23] = [
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
        ("paths that tmpfiles.d makes", made, "ReadWritePaths=/run/a# | d /run/a# 0755 app app -"),
        ("paths below what tmpfiles.d makes", made, "ReadOnlyPaths=/srv/x/a# | d /srv/x/a#/b 0755 app app -"),
        ("names that tmpfiles.d makes", made, "ReadOnlyPaths=-/srv/a# | f /srv/x/a# 0644 app app - text"),
        ("own directories", unit, "StateDirectory=a#\n| ReadWritePaths=/var/lib/a#/in"),
        ("short variables of a long env file", short_variables, "A=#"),
        ("drop-ins", drop_ins, "Environment=A#=1"),
        ("env files that a pattern matches", matched, "A#=1"),
        ("directories of an object", runpath, "/opt/#"),
        ("libraries that need each other", libraries, "/opt/#"),
        ("paths of a git index", git_index, "a/"),
        ("lines of crontab", crontab, "* * * * * root /usr/bin/true #"),
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
