//! Every change of files against every name that somebody else can exchange on the way to it.
#![expect(clippy::disallowed_methods, reason = "a test looks at the world itself")]

use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use super::*;
use crate::model::change::{Spot, Verb};
use crate::system::DiskSystem;
use crate::system::hand::DiskHand;

/// The user who owns what lies below these.
const USER: u32 = 1000;
const THEIRS: &[&str] = &["/home/qt", "/opt/app/data"];

/// A host below a directory: root's places, a user's home, a user's data in root's directory, and what must not change.
fn host() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755)).unwrap();
    for directory in [
        "etc/systemd/system",
        "opt/app/data/sub",
        "home/qt/repo/sub",
        "home/carol",
        "canary/sub",
        "var/lib/dpkg/info",
    ] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    let write = |path: &str, text: &str, mode: u32| {
        std::fs::write(root.join(path), text).unwrap();
        std::fs::set_permissions(root.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write(
        "etc/passwd",
        "root:x:0:0::/root:/bin/sh\nqt:x:1000:1000::/home/qt:/bin/sh\ncarol:x:1001:1001::/home/carol:/bin/sh\n",
        0o644,
    );
    write("etc/group", "root:x:0:\nqt:x:1000:\ncarol:x:1001:\n", 0o644);
    for path in ["home/qt/repo/sub/file", "opt/app/data/sub/file"] {
        write(path, "one\ntwo\nthree\n", 0o644);
    }
    for path in ["canary/file", "canary/sub/file", "home/carol/file"] {
        write(path, "canary\ntwo\nthree\n", 0o600);
    }
    for top in THEIRS {
        own(&root.join(top.trim_start_matches('/')), USER);
    }
    own(&root.join("home/carol"), 1001);
    home
}

fn own(path: &Path, uid: u32) {
    lchown(path, Some(uid), Some(uid)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| own(&entry.unwrap().path(), uid));
    }
}

/// Everything that is not the user's own: names, owners, modes, texts.
fn others(root: &Path) -> Vec<String> {
    fn walk(path: &Path, all: &mut Vec<String>) {
        let meta = path.symlink_metadata().unwrap();
        let text = if meta.is_file() { std::fs::read_to_string(path).unwrap() } else { String::new() };
        if meta.uid() != USER {
            all.push(format!("{} {} {} {:o} {text}", path.display(), meta.uid(), meta.gid(), meta.mode()));
        }
        if meta.is_dir() {
            std::fs::read_dir(path).unwrap().for_each(|entry| walk(&entry.unwrap().path(), all));
        }
    }
    let mut all = Vec::new();
    walk(root, &mut all);
    all.sort();
    all
}

/// Every change of files at a path. What this does not name is no change of files, as the match beside it proves.
fn changes(path: &str) -> Vec<Change> {
    let at = Spot::of_root(path);
    let theirs = Spot::of_user(path, "qt");
    let text = |text: &str| text.to_owned();
    let mut all = vec![
        Change::UnitLine { unit: "x.service".into(), path: path.into(), line: 2, text: Some(text("x")) },
        Change::Variable { path: path.into(), line: None, name: text("A"), value: Some(text("1")) },
        Change::Directive { path: path.into(), name: text("a"), value: text("1") },
        Change::Assignment { path: path.into(), name: text("A"), was: None, now: Some(text("A=1")) },
    ];
    for at in [at, theirs] {
        all.extend([
            Change::Lines { at: at.clone(), line: Some(2), was: text("two"), lines: vec![text("x")] },
            Change::Lines { at: at.clone(), line: None, was: String::new(), lines: vec![text("x")] },
            Change::Mode { at: at.clone(), mode: 0o777 },
            Change::Owner { at: at.clone(), owner: Some(text("qt")), group: Some(text("qt")) },
            Change::Directory { at: at.clone(), owner: text("qt"), group: text("qt"), mode: 0o777 },
            Change::File {
                at: at.clone(),
                content: text("x"),
                owner: text("qt"),
                group: text("qt"),
                mode: 0o777,
            },
            Change::File {
                at: at.clone(),
                content: text("x"),
                owner: text("root"),
                group: text("root"),
                mode: 0o644,
            },
            Change::Database { at: at.clone(), owner: text("qt") },
            Change::Restore { at: at.clone(), tree: text("/home/qt/repository") },
            Change::Link { at: at.clone(), target: text("/etc") },
            Change::Remove { at: at.clone() },
            Change::Move { at: at.clone(), to: format!("{path}.moved") },
            Change::Move { at: Spot::of_root("/home/carol/file"), to: path.into() },
        ]);
    }
    all
}

/// Each variant of a change: whether it is one of files, which [`changes`] must hold.
fn is_of_files(change: &Change) -> bool {
    match change {
        Change::Setting { .. }
        | Change::UnitLine { .. }
        | Change::Variable { .. }
        | Change::Assignment { .. }
        | Change::Directive { .. }
        | Change::Lines { .. }
        | Change::Mode { .. }
        | Change::Owner { .. }
        | Change::Directory { .. }
        | Change::File { .. }
        | Change::Link { .. }
        | Change::Remove { .. }
        | Change::Move { .. }
        | Change::Restore { .. }
        | Change::Database { .. } => true,
        Change::Server { .. }
        | Change::Artefact { .. }
        | Change::Account { .. }
        | Change::LeaveGroup { .. }
        | Change::Packages { .. }
        | Change::Clone { .. }
        | Change::Checkout { .. }
        | Change::Venv { .. }
        | Change::Reload
        | Change::Unit { .. } => false,
    }
}

/// Makes a change by the draft and the hand, as an executor would; what was refused and what was done.
fn carried_out(root: &Path, change: &Change) -> usize {
    let (hand, system) = (DiskHand::below(root), DiskSystem::rooted(root).unwrap());
    let accounts = super::super::prepare::known_accounts(&system).unwrap();
    let mut draft = Draft::new(&hand, &system, accounts, EnvFiles::default());
    if draft.make(change).is_err() {
        return 0;
    }
    draft.edits().iter().filter(|edit| hand.put(&edit.path, &edit.was, &edit.now).is_ok()).count()
}

/// Puts something in the place of a name, as the user would.
fn exchange(root: &Path, at: &Path, put: fn(&Path, &Path)) {
    let _ = std::fs::rename(at, root.join("away"));
    put(root, at);
    if at.symlink_metadata().unwrap().is_symlink() {
        lchown(at, Some(USER), Some(USER)).unwrap();
    }
}

/// What takes the place of a name: a link to root's, a link to somebody's, a file with a second name, things that are
/// neither.
type Plant = (&'static str, fn(root: &Path, at: &Path));

const PLANTS: &[Plant] = &[
    ("a link to root's", |_, at| symlink("/canary", at).unwrap()),
    ("a link to a file of root's", |_, at| symlink("/canary/file", at).unwrap()),
    ("a link up and out", |_, at| symlink("../../../../../../canary", at).unwrap()),
    ("a link on the host itself", |root, at| symlink(root.join("canary"), at).unwrap()),
    ("a link to somebody's", |_, at| symlink("/home/carol", at).unwrap()),
    ("a link to itself", |_, at| symlink(at.file_name().unwrap(), at).unwrap()),
    ("another name of root's file", |root, at| std::fs::hard_link(root.join("canary/file"), at).unwrap()),
    ("another name of somebody's file", |root, at| {
        std::fs::hard_link(root.join("home/carol/file"), at).unwrap()
    }),
    ("a FIFO", |_, at| {
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        rustix::fs::mknodat(rustix::fs::CWD, at, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    }),
    ("root's own directory", |_, at| {
        std::fs::create_dir(at).unwrap();
        std::fs::create_dir(at.join("sub")).unwrap();
        std::fs::write(at.join("sub/file"), "canary\ntwo\n").unwrap();
        std::fs::write(at.join("file"), "canary\ntwo\n").unwrap();
    }),
];

#[test]
fn no_name_that_somebody_else_can_exchange_leads_a_change_away() {
    if crate::skip::without_root() {
        return;
    }
    let mut tried = 0;
    for (top, path) in [("/home/qt", "/home/qt/repo/sub/file"), ("/opt/app", "/opt/app/data/sub/file")] {
        // Every name below the last directory that only root can write.
        let names: Vec<&str> = path.match_indices('/').map(|(at, _)| &path[..at]).chain([path]).collect();
        for name in names.iter().filter(|name| name.len() > top.len() && !THEIRS.contains(name)) {
            for (plant, put) in PLANTS {
                let exchanged = || {
                    let home = host();
                    let at = home.path().join(name.trim_start_matches('/'));
                    exchange(home.path(), &at, *put);
                    let before = others(home.path());
                    (home, before)
                };
                let (mut home, mut before) = exchanged();
                for change in changes(path) {
                    let done = carried_out(home.path(), &change);
                    assert_eq!(others(home.path()), before, "{plant} at {name}: {change:?}");
                    assert!(is_of_files(&change));
                    tried += 1;
                    // What is the user's own may have changed, and the next change is tried on what was planted.
                    if done > 0 {
                        (home, before) = exchanged();
                    }
                }
            }
        }
    }
    assert!(tried > 1000, "{tried}");
}

/// The same names changed between the draft and the act.
#[test]
fn a_name_that_is_exchanged_after_the_draft_leads_no_change_away() {
    if crate::skip::without_root() {
        return;
    }
    let path = "/home/qt/repo/sub/file";
    for name in ["/home/qt/repo", "/home/qt/repo/sub", path] {
        for (plant, put) in PLANTS {
            for change in changes(path) {
                let home = host();
                let (hand, system) = (DiskHand::below(home.path()), DiskSystem::rooted(home.path()).unwrap());
                let accounts = super::super::prepare::known_accounts(&system).unwrap();
                let mut draft = Draft::new(&hand, &system, accounts, EnvFiles::default());
                if draft.make(&change).is_err() {
                    continue;
                }
                let at = home.path().join(name.trim_start_matches('/'));
                exchange(home.path(), &at, *put);
                let before = others(home.path());
                for edit in draft.edits() {
                    let _ = hand.put(&edit.path, &edit.was, &edit.now);
                }
                // What was moved out of somebody's directory stays there, since nothing took its place.
                let _ = hand.put("/etc/nothing", &Node::Absent, &Node::Absent);
                if !matches!(change, Change::Move { .. }) {
                    assert_eq!(others(home.path()), before, "{plant} at {name}: {change:?}");
                }
            }
        }
    }
}

/// Units, whose drop-ins lie in root's directory: a directory of a unit that a user made is not followed.
#[test]
fn a_drop_in_is_not_written_through_somebodys_directory() {
    if crate::skip::without_root() {
        return;
    }
    let setting = Change::Setting {
        unit: "x.service".into(),
        section: "Service".into(),
        key: "User".into(),
        values: vec!["qt".into()],
        how: How::Set,
        over: None,
    };
    for (plant, put) in PLANTS.iter().filter(|(plant, _)| !plant.starts_with("root's")) {
        let home = host();
        let at = home.path().join("etc/systemd/system/x.service.d");
        exchange(home.path(), &at, *put);
        let before = others(home.path());
        carried_out(home.path(), &setting);
        assert_eq!(others(home.path()), before, "{plant}");
        assert_eq!(
            carried_out(home.path(), &Change::Unit { verb: Verb::Start, unit: "x.service".into() }),
            0
        );
    }
}
