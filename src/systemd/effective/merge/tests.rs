//! How drop-ins are laid over a fragment.

use super::*;
use crate::syntax::unit_file;

fn merge(files: &[(&str, &str)]) -> EffectiveUnit {
    let name = UnitName::parse("quantum-x.service").unwrap();
    let mut files = files.iter().map(|(path, text)| unit_file::parse(&(*path).into(), text.as_bytes()));
    let fragment = files.next().unwrap();
    let specifiers = Specifiers::new(&name, None, None, SystemdVersion(252));
    EffectiveUnit::merge(&name, fragment, files.collect(), &specifiers, SystemdVersion(252))
}

#[test]
fn the_last_assignment_counts_and_knows_what_it_overrode() {
    let unit = merge(&[
        ("/u", "[Service]\nExecStart=/bin/true\nUser=qt\n"),
        ("/d/a.conf", "[Service]\nUser=root\n"),
        ("/d/b.conf", "[Service]\nUser=\nUser=other\n"),
    ]);
    let user = unit.scalar("Service", "User").unwrap();
    assert_eq!((user.value(), user.at.to_string().as_str()), ("other", "/d/b.conf:3"));
    let overrode: Vec<_> = user.overrode.iter().map(|(at, text)| format!("{at} {text}")).collect();
    assert_eq!(overrode, ["/u:3 qt", "/d/a.conf:2 root", "/d/b.conf:2 "]);
}

#[test]
fn lists_add_up_until_an_empty_assignment() {
    let unit = merge(&[
        ("/u", "[Unit]\nAfter=a.service b.service\nAfter=c.service\n[Service]\nExecStart=/bin/true\n"),
        ("/d", "[Service]\nExecStart=\nExecStart=/bin/false x\n"),
    ]);
    let after: Vec<_> = unit.words("Unit", "After").into_iter().map(|(word, _)| word).collect();
    assert_eq!(after, ["a.service", "b.service", "c.service"]);
    assert_eq!(unit.assignments("Service", "ExecStart").count(), 1);
    assert_eq!(unit.load, LoadState::Loaded);
}

#[test]
fn what_systemd_drops_leaves_the_earlier_value() {
    let unit = merge(&[(
        "/u",
        "[Service]\nExecStart=/bin/true\nRestartSec=10\nRestartSec=5 # c\nUsr=qt\n[Install]\nUser=x\n",
    )]);
    assert_eq!(unit.scalar("Service", "RestartSec").unwrap().value(), "10s");
    let ignored: Vec<_> = unit.ignored.iter().map(|ignored| ignored.at.to_string()).collect();
    assert_eq!(ignored, ["/u:4", "/u:5", "/u:7"]);
}

#[test]
fn systemd_refuses_what_it_cannot_start() {
    for text in [
        "[Service]\nUser=x\n",
        "[Service]\nExecStart=/bin/a\nExecStart=/bin/b\n",
        "[Service]\nType=oneshot\nRestart=always\nExecStart=/bin/a\n",
        "[Service]\nExecStart=/bin/a \"open\n",
        "[Service]\nExecStart=/bin/a %Z\n",
        "[Service]\nExecStart=./a\n",
        "[Service]\nExecStart=/bin/a\nWorkingDirectory=x\n",
        "[Service]\nExecStart=/bin/a ; /bin/b\n",
        "[Service]\nExecStart=/bin/a\nUser=a/b\n",
        "[Service]\nExecStart=/bin/a\nUser=%Z\n",
        "[Service]\nExecStart=/bin/a\nRootDirectory=x\n",
        "[Service]\nExecStart=/bin/a\nDynamicUser=maybe\n",
    ] {
        assert!(matches!(merge(&[("/u", text)]).load, LoadState::BadSetting(..)), "{text}");
    }
    assert!(matches!(merge(&[("/u", "[Service\nExecStart=/bin/a\n")]).load, LoadState::Error(..)));
}

#[test]
fn what_ends_a_drop_in_does_not_fail_the_unit() {
    let unit = merge(&[
        ("/u", "[Service]\nExecStart=/bin/true\n"),
        ("/d1", "[Service]\nUser=a\nWorkingDirectory=x\nGroup=b\n"),
        ("/d2", "[Service]\nNice=1\n[broken\nNice=2\n"),
        ("/d3", "[Service]\nUser=qt\nPIDFile=/a/../b\nGroup=b\n"),
    ]);
    assert_eq!(unit.load, LoadState::Loaded);
    assert!(unit.scalar("Service", "Group").is_none());
    assert_eq!(unit.scalar("Service", "Nice").unwrap().value(), "1");
    let ignored: Vec<_> =
        unit.ignored.iter().map(|ignored| format!("{} {}", ignored.at, ignored.text)).collect();
    assert_eq!(ignored, ["/d1:3 WorkingDirectory=x", "/d2:3 [broken", "/d3:3 PIDFile=/a/../b"]);
}

#[test]
fn what_is_not_known_of_the_host_is_neither_dropped_nor_a_value() {
    let unit = merge(&[("/u", "[Service]\nExecStart=/bin/true %v\nUser=%m\nNice=5\n")]);
    assert_eq!((&unit.load, unit.ignored.len()), (&LoadState::Loaded, 0));
    let look = |key: &'static str| {
        super::super::noticing_unread(|| unit.scalar("Service", key).map(Setting::value)).1
    };
    assert_eq!(look("Nice"), None);
    assert!(look("User").unwrap().starts_with("/u:3: User=%m: "), "{:?}", look("User"));
    assert!(look("ExecStart").is_some());
}

#[test]
fn what_a_specifier_stands_for_stays_in_its_word() {
    let name = UnitName::parse("x@a\\x2db.service").unwrap();
    let file = unit_file::parse(
        &"/u".into(),
        b"[Service]\nExecStart=/bin/x %i y%I\nEnvironment=A=%i\nSyslogIdentifier=%i\n",
    );
    let specifiers = Specifiers::new(&name, None, None, SystemdVersion(252));
    let unit = EffectiveUnit::merge(&name, file, Vec::new(), &specifiers, SystemdVersion(252));
    let command = command_line::parse(unit.scalar("Service", "ExecStart").unwrap().value());
    assert_eq!(command.commands[0].words, ["a\\x2db", "ya-b"]);
    assert_eq!(unit.scalar("Service", "SyslogIdentifier").unwrap().value(), "a\\x2db");
}

/// Quadratic time would be minutes here.
#[test]
fn repeated_assignments_are_read_in_one_pass() {
    let many = |piece: &str| format!("[Service]\nExecStart=/bin/true\n{}", piece.repeat(100_000));
    let unit = merge(&[("/u", &many("User=x\n"))]);
    assert_eq!(unit.scalar("Service", "User").unwrap().overrode.len(), 99_999);
    let unit = merge(&[("/u", &many("Environment=A=1\n"))]);
    assert_eq!(unit.assignments("Service", "Environment").count(), 100_000);
    let unit = merge(&[("/u", &many("User=x\nEnvironment=A=1\nUser=\nEnvironment=\n"))]);
    assert_eq!((unit.settings.len(), unit.resets.len()), (1, 2));
}
