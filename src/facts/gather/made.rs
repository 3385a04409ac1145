//! What is made on a disk before its services start: tmpfiles.d and fstab.

use std::collections::BTreeMap;

use super::room::Room;
use super::{Worker, content, generators};
use crate::facts::made::{AtBoot, MadeFacts, MadeKind, MountFacts};
use crate::facts::start::lies_under;
use crate::model::{Location, Observed};
use crate::syntax::accounts::Accounts;
use crate::syntax::fstab;
use crate::syntax::tmpfiles::{self, Makes};
use crate::system::mounts::{self, MountUnit};
use crate::system::partial::Partial;
use crate::system::{System, TEXT_LIMIT, Walker};

/// Reads what makes something at boot.
pub(super) fn gather(worker: &Worker<'_>, mounts: MountFacts) -> MadeFacts {
    let mut made = MadeFacts { mounts, ..MadeFacts::default() };
    let mut room = Room::of_the_host();
    for path in files(worker, &mut made.unread) {
        let lookup = worker.walker.lookup(&path);
        match worker.read_within(&lookup, &mut room) {
            Observed::Found(bytes) => {
                for line in tmpfiles::parse(&String::from_utf8_lossy(&bytes)) {
                    take(&mut made, &path, &line, worker.ground.accounts);
                }
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => made.unread = Some(format!("{path}: {why}")),
        }
    }
    made.generators = generators::foreign(worker);
    generators::scripts(worker, &mut made);
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

/// Takes a line over. An owner that nobody knows refuses it.
fn take(made: &mut MadeFacts, path: &str, line: &tmpfiles::Line, accounts: &Observed<Accounts>) {
    let at = Location::line(path, line.line);
    if line.is_prefix {
        let why = "its path depends on the host".to_owned();
        return made.unsure.push((line.path.as_str().into(), at, why));
    }
    match owners(line, accounts) {
        Ok(Some((uid, gid))) => made.at_boot.add(at_boot(line, uid, gid, at)),
        Ok(None) => {}
        Err(why) => made.unsure.push((line.path.as_str().into(), at, why)),
    }
}

/// Numbers for the names of a line; `None` where the host does not know one of them, an error where that is not known.
fn owners(line: &tmpfiles::Line, accounts: &Observed<Accounts>) -> Result<Option<(u32, u32)>, String> {
    let number = |name: Option<&str>, find: &dyn Fn(&Accounts, &str) -> Option<u32>| {
        let Some(name) = name.filter(|name| *name != "root") else { return Ok(Some(0)) };
        if let Ok(number) = name.parse() {
            return Ok(Some(number));
        }
        match accounts {
            Observed::Found(accounts) => match find(accounts, name) {
                None if !accounts.elsewhere.is_empty() => Err(format!("who {name} is is not known")),
                found => Ok(found),
            },
            Observed::Absent => Ok(None),
            Observed::Unreadable(why) => Err(format!("who {name} is is not known: {why}")),
        }
    };
    let uid = number(line.user.as_deref(), &|accounts, name| Some(accounts.user(name)?.uid))?;
    let gid = number(line.group.as_deref(), &|accounts, name| Some(accounts.group(name)?.gid))?;
    Ok(uid.zip(gid))
}

fn at_boot(line: &tmpfiles::Line, uid: u32, gid: u32, at: Location) -> AtBoot {
    let (kind, usual) = match line.makes {
        Makes::Directory => (MadeKind::Directory, 0o755),
        Makes::File => (MadeKind::File, 0o644),
        Makes::Other => (MadeKind::Other, 0o777),
    };
    let mode = line.mode.unwrap_or(usual);
    let (path, size) = (line.path.as_str().into(), if kind == MadeKind::File { line.size } else { 0 });
    AtBoot { path, kind, uid, gid, mode, size, replaces: line.replaces, at }
}

/// The table of file systems.
const FSTAB: &str = "/etc/fstab";

/// Whether a mount unit is the host's own. Those of packages mount what is the kernel's, or nothing until somebody asks.
fn is_of_the_host(unit: &MountUnit) -> bool {
    let is_packaged = ["/usr/lib/", "/lib/", "/run/"].iter().any(|of| unit.path.starts_with(of));
    let is_kernels = ["/dev", "/proc", "/sys", "/run", "/tmp"].iter().any(|of| lies_under(&unit.place, of));
    unit.place.starts_with('/') && unit.place != "/" && !is_packaged && !is_kernels
}

/// Where fstab(5) mounts something beside the root, and the disk as what is not mounted now leaves it.
pub(super) fn mounts<'a>(system: &'a (dyn System + 'a)) -> (MountFacts, Option<Partial<'a>>) {
    let walker = Walker::new(system);
    let lookup = walker.lookup(FSTAB);
    let mut facts = MountFacts::default();
    let mut hidden = Vec::new();
    match content(&lookup).and_then(|real| system.read(real, TEXT_LIMIT)) {
        Observed::Absent => {}
        Observed::Unreadable(why) => facts.mounts_unread = Some(format!("{FSTAB}: {why}")),
        Observed::Found(bytes) => {
            for mount in fstab::parse(&String::from_utf8_lossy(&bytes)) {
                let at = Location::line(FSTAB, mount.line);
                let lookup = walker.lookup(&mount.place);
                let place = lookup.real().unwrap_or(&mount.place).to_owned();
                let is_present = matches!(
                    lookup.real().map(|real| system.is_mount_point(real)),
                    Some(Observed::Found(true))
                );
                if is_present {
                    facts.present.push(at.clone());
                }
                if mount.is_at_boot() && !is_present && !mount.is_of_memory() {
                    let why = format!("{at} mounts a file system there, which is not mounted now");
                    hidden.push((place.clone(), why));
                }
                if mount.is_noexec() {
                    facts.noexec.push(at.clone());
                }
                let all = if mount.is_at_boot() { &mut facts.mounts } else { &mut facts.on_demand };
                all.push((place.into(), at));
            }
        }
    }
    let (units, unread) = mounts::units(system);
    facts.mounts_unread = facts.mounts_unread.take().or(unread);
    for unit in units.into_iter().filter(is_of_the_host) {
        let lookup = walker.lookup(&unit.place);
        let place = lookup.real().unwrap_or(&unit.place).to_owned();
        let is_present =
            lookup.real().is_some_and(|real| matches!(system.is_mount_point(real), Observed::Found(true)));
        if !is_present && !hidden.iter().any(|(other, _)| *other == place) {
            hidden
                .push((place, format!("{} mounts a file system there, which is not mounted now", unit.path)));
        }
    }
    let is_whole = hidden.is_empty() && facts.mounts_unread.is_none();
    let unread = facts.mounts_unread.as_ref().map(|why| format!("what a boot mounts is not known: {why}"));
    let partial = (!is_whole).then(|| Partial::new(system, hidden, unread));
    (facts, partial)
}
