use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use super::*;
use crate::system::hand::Rights;
use rustix::fs::FileType;
use std::io::Write;

fn ground() -> (tempfile::TempDir, DiskHand) {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    for directory in ["etc", "opt/app", "home/qt/repo", "srv"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nqt:x:1000:1000::/home/qt:/bin/sh\n")
        .unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\nqt:x:1000:\n").unwrap();
    let hand = DiskHand::below(root);
    (home, hand)
}

fn own() -> Rights {
    Rights { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw(), mode: 0o640 }
}

#[test]
fn a_file_takes_its_place_whole_and_comes_back() {
    let (home, hand) = ground();
    let new = Node::file(*b"one\n", own());
    let after = hand.put("/etc/x.env", &Node::Absent, &new).unwrap();
    assert!(after.same(&new));
    let two = Node::file(*b"two\n", Rights { mode: 0o600, ..own() });
    let then = hand.put("/etc/x.env", &after, &two).unwrap();
    assert!(matches!(hand.put("/etc/x.env", &after, &two), Err(Refused::Changed(_))));
    hand.put("/etc/x.env", &then, &after).unwrap();
    assert_eq!(hand.node("/etc/x.env").unwrap(), after, "with its time");
    hand.put("/etc/x.env", &after, &Node::Absent).unwrap();
    assert!(!home.path().join("etc/x.env").exists());
    assert!(matches!(hand.put("/no/way", &Node::Absent, &new), Err(Refused::Io(..))));
}

#[test]
fn what_a_kill_left_beside_a_file_is_swept_away() {
    let (directory, hand) = ground();
    let left = directory.path().join(".x.golden-new");
    std::fs::write(&left, "half").unwrap();
    std::fs::write(directory.path().join("x"), "whole").unwrap();
    hand.sweep("/x").unwrap();
    hand.sweep("/x").unwrap();
    hand.sweep("/none/x").unwrap();
    assert!(!left.exists() && directory.path().join("x").exists());
}

#[test]
fn roots_links_are_followed_and_stay_below_the_root() {
    let (home, hand) = ground();
    symlink("/opt/app", home.path().join("etc/app")).unwrap();
    symlink("../../../../opt", home.path().join("etc/above")).unwrap();
    assert_eq!(hand.way("/etc/app/x").unwrap().path, "/opt/app/x");
    assert_eq!(hand.way("/etc/above/app/x").unwrap().path, "/opt/app/x");
    symlink("circle", home.path().join("etc/circle")).unwrap();
    assert!(matches!(hand.way("/etc/circle/x"), Err(Refused::Unsafe(_))));
}

#[test]
fn in_a_users_directory_no_link_is_followed_and_root_is_that_user() {
    if crate::skip::without_root() {
        return;
    }
    let (home, hand) = ground();
    for path in ["home/qt", "home/qt/repo"] {
        chown(home.path().join(path), Some(1000), Some(1000)).unwrap();
    }
    let shadow = home.path().join("etc/shadow");
    std::fs::write(&shadow, "secret").unwrap();
    std::fs::set_permissions(&shadow, std::fs::Permissions::from_mode(0o600)).unwrap();
    symlink("/etc", home.path().join("home/qt/repo/conf")).unwrap();
    symlink("/etc/shadow", home.path().join("home/qt/repo/shadow")).unwrap();
    assert!(matches!(hand.way("/home/qt/repo/conf/shadow"), Err(Refused::Unsafe(_))));
    assert!(matches!(hand.node("/home/qt/repo/shadow").unwrap(), Node::Link { .. }), "not followed");
    std::fs::hard_link(&shadow, home.path().join("home/qt/repo/hard")).unwrap();
    assert!(matches!(hand.node("/home/qt/repo/hard"), Err(Refused::Unsafe(_))));
    std::fs::remove_file(home.path().join("home/qt/repo/hard")).unwrap();

    // What is made there is the user's, and what the user may not do is not done.
    let qt = Rights { uid: 1000, gid: 1000, mode: 0o755 };
    let file = Node::file(*b"#!/bin/sh\n", qt);
    hand.put("/home/qt/repo/run.sh", &Node::Absent, &file).unwrap();
    let meta = std::fs::metadata(home.path().join("home/qt/repo/run.sh")).unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o7777), (1000, 0o755));
    let rooted = Node::file(*b"#!/bin/sh\n", Rights { uid: 0, ..qt });
    let was = hand.node("/home/qt/repo/run.sh").unwrap();
    assert!(hand.put("/home/qt/repo/run.sh", &was, &rooted).is_err(), "a user gives nothing to root");

    // A thing of root's in there is a person's.
    std::fs::create_dir(home.path().join("home/qt/repo/.git")).unwrap();
    assert!(matches!(hand.way("/home/qt/repo/.git/HEAD"), Err(Refused::Unsafe(_))));
    std::fs::set_permissions(home.path().join("home/qt"), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(hand.way("/home/qt/repo"), Err(Refused::Unsafe(_))));
}

#[test]
fn no_link_of_a_copied_tree_leads_to_a_user() {
    if crate::skip::without_root() {
        return;
    }
    let (home, hand) = ground();
    let tree = home.path().join("srv/built");
    std::fs::create_dir_all(tree.join("bin/deep")).unwrap();
    std::fs::write(home.path().join("opt/app/python3"), "").unwrap();
    std::fs::write(home.path().join("home/qt/python3"), "").unwrap();
    chown(home.path().join("home/qt"), Some(1000), Some(1000)).unwrap();
    let copy = |target: &str, at: &str, but: &str| {
        let link = tree.join(at);
        symlink(target, &link).unwrap();
        let copied = hand.copy_tree("/srv/built", "/opt/new", "/opt/venv", but);
        std::fs::remove_file(&link).unwrap();
        std::fs::remove_dir_all(home.path().join("opt/new")).unwrap();
        copied
    };
    for target in ["/opt/app/python3", "bin", "bin/deep", "/opt/venv/bin", "/opt/nowhere", "../app/python3"] {
        copy(target, "link", "/usr/bin/python3").unwrap();
    }
    for target in ["/home/qt", "/home/qt/python3", "/home/qt/nothing", "../../home/qt/python3", "link"] {
        let refused = copy(target, "link", "/usr/bin/python3");
        assert!(matches!(refused, Err(Refused::Unsafe(_))), "{target}: {refused:?}");
    }
    copy("/home/qt/python3", "bin/python", "/home/qt/python3").unwrap();
    // What looks like a way inside leads out by another link.
    symlink("/", tree.join("bin/root")).unwrap();
    assert!(copy("root/home/qt/python3", "bin/link", "/usr/bin/python3").is_err());
    assert!(copy("bin/root/home", "link", "/usr/bin/python3").is_ok());
}

#[test]
fn a_file_that_changes_hands_is_a_new_one() {
    if crate::skip::without_root() {
        return;
    }
    let (home, hand) = ground();
    let place = home.path().join("etc/x.env");
    std::fs::write(&place, "A=1\n").unwrap();
    chown(&place, Some(1000), Some(1000)).unwrap();
    let mut held_open = std::fs::OpenOptions::new().write(true).open(&place).unwrap();
    let was = hand.node("/etc/x.env").unwrap();
    let now = Node::file(*b"A=1\n", Rights { uid: 0, gid: 1000, mode: 0o640 });
    hand.put("/etc/x.env", &was, &now).unwrap();
    held_open.write_all(b"B=2\n").unwrap();
    assert_eq!(std::fs::read_to_string(&place).unwrap(), "A=1\n");
}

#[test]
fn what_lies_where_a_file_is_written_holds_nobody_up() {
    let (home, hand) = ground();
    let etc = home.path().join("etc");
    std::fs::create_dir_all(etc.join(".x.golden-new/full")).unwrap();
    hand.put("/etc/x", &Node::Absent, &Node::file(*b"1", own())).unwrap();
    std::fs::write(etc.join("canary"), "canary").unwrap();
    symlink("canary", etc.join(".y.golden-new")).unwrap();
    hand.put("/etc/y", &Node::Absent, &Node::file(*b"2", own())).unwrap();
    let read = |name: &str| std::fs::read_to_string(etc.join(name)).unwrap();
    assert_eq!((read("x"), read("y"), read("canary")), ("1".into(), "2".into(), "canary".into()));
    let left = std::fs::read_dir(&etc).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<OsString> = left.filter(|name| name.as_bytes().ends_with(b"golden-new")).collect();
    assert_eq!(left, [OsString::from(".x.golden-new")], "and nothing beside it");
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let (home, hand) = ground();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        home.path().join("etc/fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(matches!(hand.node("/etc/fifo"), Err(Refused::Unsafe(_))));
    assert!(hand.put("/", &Node::Absent, &Node::Absent).is_err());
    assert!(hand.node(&format!("/etc/{}", "x".repeat(300))).is_err());
}
