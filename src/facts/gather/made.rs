//! What is made on a disk before its services start: tmpfiles.d and fstab.

use std::collections::BTreeMap;

use super::room::Room;
use super::{Worker, generators};
use crate::facts::made::{AtBoot, MadeFacts, MadeKind};
use crate::model::{Location, Observed};
use crate::syntax::accounts::Accounts;
use crate::syntax::fstab;
use crate::syntax::tmpfiles::{self, Makes};

/// Reads what makes something at boot.
pub(super) fn gather(worker: &Worker<'_>) -> MadeFacts {
    let mut made = MadeFacts::default();
    let accounts = worker.ground.accounts.known().ok().flatten();
    let mut room = Room::of_the_host();
    for path in files(worker, &mut made.unread) {
        let lookup = worker.walker.lookup(&path);
        match worker.read_within(&lookup, &mut room) {
            Observed::Found(bytes) => {
                let lines = tmpfiles::parse(&String::from_utf8_lossy(&bytes));
                made.at_boot.extend(lines.iter().filter_map(|line| at_boot(&path, line, accounts)));
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => made.unread = Some(format!("{path}: {why}")),
        }
    }
    mounts(worker, &mut made);
    made.generator = generators::foreign(worker);
    made.provided = generators::provided(worker);
    made
}

/// The files that count: of two with one name that of the stronger directory; a link to /dev/null takes one away.
fn files(worker: &Worker<'_>, unread: &mut Option<String>) -> Vec<String> {
    let mut files = BTreeMap::new();
    for directory in tmpfiles::DIRECTORIES {
        match worker.list(&worker.walker.lookup(directory)) {
            Observed::Found(names) => {
                for name in names.into_iter().filter(|name| name.ends_with(".conf")) {
                    let path = format!("{directory}/{name}");
                    files.entry(name).or_insert(path);
                }
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => *unread = Some(format!("{directory}: {why}")),
        }
    }
    files.into_values().collect()
}

/// A line with numbers for names. An owner that nobody knows refuses the line.
fn at_boot(path: &str, line: &tmpfiles::Line, accounts: Option<&Accounts>) -> Option<AtBoot> {
    let uid = match line.user.as_deref() {
        None | Some("root") => 0,
        Some(name) => name.parse().ok().or_else(|| Some(accounts?.user(name)?.uid))?,
    };
    let gid = match line.group.as_deref() {
        None | Some("root") => 0,
        Some(name) => name.parse().ok().or_else(|| Some(accounts?.group(name)?.gid))?,
    };
    let (kind, usual) = match line.makes {
        Makes::Directory => (MadeKind::Directory, 0o755),
        Makes::File => (MadeKind::File, 0o644),
        Makes::Other => (MadeKind::Other, 0o777),
    };
    Some(AtBoot {
        path: line.path.as_str().into(),
        kind,
        uid,
        gid,
        mode: line.mode.unwrap_or(usual),
        at: Location::line(path, line.line),
    })
}

/// Where fstab(5) mounts something beside the root.
fn mounts(worker: &Worker<'_>, made: &mut MadeFacts) {
    const FSTAB: &str = "/etc/fstab";
    let Observed::Found(bytes) = worker.read(&worker.walker.lookup(FSTAB)) else { return };
    for mount in fstab::parse(&String::from_utf8_lossy(&bytes)) {
        let at = Location::line(FSTAB, mount.line);
        if mount.is_noexec() {
            made.noexec.push(at.clone());
        }
        made.mounts.push((mount.place.into(), at));
    }
}
