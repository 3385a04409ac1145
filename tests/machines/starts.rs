//! Whether packaged daemons start: what golden says of a disk full of them against what systemd does there, with what they
//! need installed, and on a second machine without half of it. `GOLDEN_REBOOT=all` takes each thing from each service, on two
//! releases.

use crate::support::machine::{self, Image, Machine, Suite};
use crate::support::starts;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use golden::facts::start::commands;
use golden::system::DiskSystem;
use golden::systemd::effective::EffectiveUnit;

use crate::support::units;

/// Packages whose units make a host what it is: they are not started a second time, and their programs stay.
const OF_THE_SYSTEM: &[&str] = &[
    "systemd",
    "systemd-sysv",
    "udev",
    "dbus",
    "dbus-bin",
    "util-linux",
    "coreutils",
    "dash",
    "bash",
    "procps",
    "init-system-helpers",
    "perl-base",
    "python3-minimal",
    "python3.11-minimal",
    "python3.13-minimal",
    "grep",
    "sed",
    "mount",
    "kmod",
    "e2fsprogs",
    "apt",
    "dpkg",
    "sysvinit-utils",
    "gawk",
    "mawk",
    "findutils",
    "hostname",
    "iproute2",
];

/// Statuses with which systemd itself ends a process that it could not start (systemd.exec(5), *Process Exit Codes*).
const OF_SYSTEMD: std::ops::RangeInclusive<u32> = 200..=245;

/// Files of packages.
fn files_of(root: &Path, packages: &[&str]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for package in packages {
        for name in [format!("{package}.list"), format!("{package}:amd64.list")] {
            let list = fs::read_to_string(root.join("var/lib/dpkg/info").join(name)).unwrap_or_default();
            all.extend(list.lines().map(str::to_owned));
        }
    }
    all
}

/// Services of packages that anybody may start at any time.
fn services(root: &Path) -> Vec<String> {
    let of_system = files_of(root, OF_THE_SYSTEM);
    let directory = root.join("usr/lib/systemd/system");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let is_file = entry.file_type().unwrap().is_file();
        let is_of_system = ["/lib", "/usr/lib"]
            .iter()
            .any(|lib| of_system.contains(&format!("{lib}/systemd/system/{name}")));
        if !is_file || !name.ends_with(".service") || name.contains('@') || is_of_system {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        let is_early = ["DefaultDependencies=no", "DefaultDependencies=false", "RefuseManualStart=yes"]
            .iter()
            .any(|line| text.contains(line));
        if !is_early {
            names.insert(name);
        }
    }
    names.into_iter().collect()
}

/// Takes from every other service something that it starts with: its program, its user, or the directory that it works in.
/// Another round takes another thing, from the others as well.
fn take_away(root: &Path, names: &[String], units: &BTreeMap<String, EffectiveUnit>, round: usize) {
    let kept = files_of(root, OF_THE_SYSTEM);
    let mut passwd = fs::read_to_string(root.join("etc/passwd")).unwrap();
    for (at, name) in names.iter().enumerate().filter(|(at, _)| at % 2 == round % 2) {
        let Some(unit) = units.get(name) else { continue };
        let scalar = |key: &str| unit.scalar("Service", key).map(|setting| setting.value().to_owned());
        let user = scalar("User").filter(|user| user != "root");
        let directory = scalar("WorkingDirectory").filter(|directory| directory.starts_with('/'));
        match ((at / 2 + round) % 3, user, directory) {
            (0, Some(user), _) => {
                let is_other = |line: &&str| !line.starts_with(&format!("{user}:"));
                passwd = passwd.lines().filter(is_other).fold(String::new(), |text, line| text + line + "\n");
            }
            (1, _, Some(directory)) if directory.len() > 1 => {
                let _ =
                    fs::rename(root.join(&directory[1..]), root.join(format!("{}.gone", &directory[1..])));
            }
            _ => {
                let program =
                    commands(unit, &["ExecStart"]).into_iter().map(|started| started.command.program);
                let is_own = |program: &String| {
                    let other = program.strip_prefix("/usr").map_or(format!("/usr{program}"), str::to_owned);
                    program.starts_with('/') && !kept.contains(program) && !kept.contains(&other)
                };
                for program in program.filter(is_own) {
                    let _ =
                        fs::rename(root.join(&program[1..]), root.join(format!("{}.gone", &program[1..])));
                }
            }
        }
    }
    fs::write(root.join("etc/passwd"), passwd).unwrap();
}

/// What became of a start.
#[derive(Debug)]
struct Became {
    /// It runs, or ran to its end.
    runs: bool,
    /// systemd itself could not start it: a status of [`OF_SYSTEMD`], or a refusal.
    not_started: Option<String>,
    /// All that systemd shows, for a person.
    shown: String,
}

/// Starts all services and waits.
fn start(machine: &Machine, names: &[String]) -> BTreeMap<String, Became> {
    let mut refusals = BTreeMap::new();
    for name in names {
        let output = machine.run(&["systemctl", "start", "--no-block", "--", name]);
        if !output.status.success() {
            refusals.insert(name, String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
    }
    // What never answers (Type=notify without a notice) is still waited for by systemd, not here.
    machine.sh_ok(
        "for i in $(seq 300); do [ -n \"$(systemctl list-jobs --no-legend)\" ] || break; sleep 0.1; done",
    );
    let properties = "--property=ActiveState,Result,ExecMainCode,ExecMainStatus,ConditionResult,AssertResult,\
                      ExecCondition,ExecStartPre,ExecStart,ExecStartPost";
    let mut became = BTreeMap::new();
    for name in names {
        let shown = machine.ok(&["systemctl", "show", properties, "--", name]);
        let value = |key: &str| shown.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        let of_commands = shown.match_indices("status=").filter_map(|(at, word)| {
            shown[at + word.len()..].split(['/', ' ', '\n']).next()?.parse::<u32>().ok()
        });
        let own = value("ExecMainStatus=").parse::<u32>().ok();
        let status = own.into_iter().chain(of_commands).find(|status| OF_SYSTEMD.contains(status));
        let refusal = refusals.get(name).cloned();
        let runs = match value("ActiveState=") {
            "active" | "reloading" => true,
            "inactive" => {
                value("Result=") == "success" && value("ConditionResult=") == "yes" && status.is_none()
            }
            _ => false,
        };
        let not_started = refusal.or_else(|| status.map(|status| format!("status {status}")));
        became.insert(name.clone(), Became { runs, not_started, shown: shown.replace('\n', " | ") });
    }
    became
}

/// How many services were judged, how many systemd could not start, how many of those golden names, and what is wrong.
#[derive(Default)]
struct Tally {
    services: usize,
    not_started: usize,
    named: usize,
    false_alarms: Vec<String>,
    missed: Vec<String>,
}

fn judge(suite: Suite, taken: Option<usize>, tally: &mut Tally) {
    let mut machine = Machine::prepare(&machine::image(Image::Zoo, suite));
    let names = services(machine.root());
    if let Some(round) = taken {
        let system = DiskSystem::rooted(machine.root()).unwrap();
        let facts = units::gather(&system, &names.iter().cloned().collect());
        let known = facts.units.iter().filter_map(|(name, unit)| {
            Some((name.to_string(), unit.effective.known().ok().flatten()?.as_ref().clone()))
        });
        take_away(machine.root(), &names, &known.collect(), round);
    }
    let mut text = String::new();
    for (at, name) in names.iter().enumerate() {
        let _ = writeln!(
            text,
            "[services.s{at}]\nkind = \"executable\"\n[services.s{at}.unit]\nname = \"{name}\""
        );
    }
    let system = DiskSystem::rooted(machine.root()).unwrap();
    let report = starts::report(&system, &starts::contract(&text));
    drop(system);
    machine.up(&[]);
    let became = start(&machine, &names);
    for (at, name) in names.iter().enumerate() {
        let (fails, undecided) = starts::said(&report, &format!("s{at}"), false);
        let Became { runs, not_started, shown } = &became[name];
        let about = format!("{} {taken:?} {name}: {fails:?} {undecided:?}: {shown}", suite.systemd());
        tally.services += 1;
        if *runs && !fails.is_empty() {
            tally.false_alarms.push(about.clone());
        }
        if let Some(why) = not_started {
            tally.not_started += 1;
            match fails.is_empty() {
                true => tally.missed.push(format!("{why}: {about}")),
                false => tally.named += 1,
            }
        }
    }
}

#[test]
fn what_keeps_daemons_from_starting_is_named_and_nothing_else() {
    if machine::skipped() {
        return;
    }
    let (suites, rounds): (&[Suite], usize) = match std::env::var("GOLDEN_REBOOT").as_deref() {
        Ok("all") => (&[Suite::Bookworm, Suite::Trixie], 6),
        _ => (&[Suite::Bookworm], 1),
    };
    let mut tally = Tally::default();
    for suite in suites {
        for taken in [None].into_iter().chain((0..rounds).map(Some)) {
            judge(*suite, taken, &mut tally);
        }
    }
    let Tally { services, not_started, named, false_alarms, missed } = tally;
    println!(
        "starts: {services} services, {not_started} that systemd could not start, {named} of them named"
    );
    missed.iter().for_each(|missed| println!("not named: {missed}"));
    assert!(false_alarms.is_empty(), "{false_alarms:#?}");
    assert!(named * 100 >= not_started * 95, "{named} of {not_started}: {missed:#?}");
    assert!(services >= 150 && not_started >= 30, "{services} {not_started}");
}
