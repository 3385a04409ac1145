//! What is made on a disk before its services start: tmpfiles.d and fstab.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mask::is_masked;
use super::room::Room;
use super::{Pad, Worker, content, generators, in_run};
use crate::facts::made::{AtBoot, Given, MadeFacts, MadeKind, MountFacts};
use crate::facts::start::lies_under;
use crate::model::{Location, Observed, RUN, RUN_OF_SYSTEMD};
use crate::syntax::accounts::Accounts;
use crate::syntax::fstab::{self, Mount};
use crate::syntax::tmpfiles::{self, Does};
use crate::system::booted::{self, Booted};
use crate::system::mounts::{self, MountUnit, MountUnits};
use crate::system::partial::Partial;
use crate::system::{System, TEXT_LIMIT, Walker};

/// The lines of tmpfiles.d that count, with their files, and why not all of them are known.
pub(super) struct Lines {
    lines: Vec<(Arc<str>, tmpfiles::Line)>,
    unread: Option<String>,
    left_in_run: Result<Vec<Arc<str>>, String>,
}

/// The unit that runs systemd-tmpfiles at boot.
const TMPFILES: &str = "/etc/systemd/system/systemd-tmpfiles-setup.service";

impl Lines {
    /// Reads them from a disk. There are none where the unit is masked that obeys them.
    pub(super) fn read<'a>(system: &'a (dyn System + 'a)) -> Lines {
        let walker = Walker::new(system);
        let mut read = Lines { lines: Vec::new(), unread: None, left_in_run: left_in_run(system) };
        if is_masked(&walker, TMPFILES) {
            return read;
        }
        let mut room = Room::of_the_host();
        for path in read.files(system, &walker) {
            if is_masked(&walker, &path) {
                continue;
            }
            let lookup = walker.lookup(&path);
            let bytes = content(&lookup).and_then(|real| system.read(real, TEXT_LIMIT));
            let bytes = bytes.and_then(|bytes| match room.file().and_then(|()| room.text(&bytes)) {
                Ok(()) => Observed::Found(bytes),
                Err(why) => Observed::Unreadable(why),
            });
            match bytes {
                Observed::Found(bytes) => {
                    let path: Arc<str> = path.into();
                    let lines = tmpfiles::parse(&String::from_utf8_lossy(&bytes)).into_iter();
                    read.lines.extend(lines.map(|line| (path.clone(), line)));
                }
                Observed::Absent => {}
                Observed::Unreadable(why) => read.unread = Some(format!("{path}: {why}")),
            }
        }
        read
    }

    /// The files that count: of two with one name that of the stronger directory; a link to /dev/null takes one away.
    fn files<'a>(
        &mut self,
        system: &'a (dyn System + 'a),
        walker: &Walker<'a, dyn System + 'a>,
    ) -> Vec<String> {
        let mut files = BTreeMap::new();
        for directory in tmpfiles::DIRECTORIES {
            let lookup = walker.lookup(directory);
            match content(&lookup).and_then(|real| system.list(real)) {
                Observed::Found(names) => {
                    for name in names.into_iter().filter(|name| name.ends_with(".conf")) {
                        let path = format!("{directory}/{name}");
                        files.entry(name).or_insert(path);
                    }
                }
                Observed::Absent => {}
                Observed::Unreadable(why) => self.unread = Some(format!("{directory}: {why}")),
            }
        }
        files.into_values().collect()
    }

    /// The disk as those lines leave it, as far as what lies where is concerned.
    pub(super) fn obeyed<'a>(&self, system: &'a (dyn System + 'a)) -> Booted<'a> {
        Booted::new(system, self.lines.iter().map(|(_, line)| line))
    }
}

/// What lies in /run on a disk that a boot does not find there, or why that is not known.
fn left_in_run<'a>(system: &'a (dyn System + 'a)) -> Result<Vec<Arc<str>>, String> {
    let names = |directory: &str| match system.list(directory) {
        Observed::Found(names) => Ok(names.into_iter().map(|name| format!("{directory}/{name}")).collect()),
        Observed::Absent => Ok(Vec::new()),
        Observed::Unreadable(why) => Err(format!("what lies in {directory} could not be read: {why}")),
    };
    let of_systemd: Vec<String> = names(RUN_OF_SYSTEMD)?;
    let all: Vec<String> = names(RUN)?;
    let left = all.into_iter().chain(of_systemd).filter(|path| booted::is_left(path));
    Ok(left.map(Arc::from).collect())
}

/// What makes something at boot.
pub(super) fn gather(worker: &Worker<'_>, (mounts, lines): (MountFacts, Lines), pad: &Pad) -> MadeFacts {
    let (left_in_run, unlisted) = match lines.left_in_run {
        Ok(left) => (left, None),
        Err(why) => (Vec::new(), Some((format!("{RUN}/").into(), Location::file(RUN), why))),
    };
    let mut made = MadeFacts { mounts, unread: lines.unread, left_in_run, ..MadeFacts::default() };
    made.unsure.extend(unlisted);
    for (path, line) in &lines.lines {
        take(&mut made, path, line, worker.ground.accounts);
    }
    made.generators = generators::foreign(worker);
    generators::scripts(worker, &mut made);
    in_run::gather(worker, pad, &mut made);
    made
}

/// Takes a line over. An owner that nobody knows refuses it.
fn take(made: &mut MadeFacts, path: &Arc<str>, line: &tmpfiles::Line, accounts: &Observed<Accounts>) {
    let at = Location::line(path.clone(), line.line);
    // What is removed is not there any more: the disk is looked at as it will be then.
    if matches!(line.does, Does::Remove { .. }) {
        return;
    }
    if line.is_prefix {
        let why = "its path depends on the host".to_owned();
        return made.unsure.push((line.path.as_str().into(), at, why));
    }
    match owners(line, accounts) {
        Ok(Some((uid, gid))) => {
            made.given.extend(given(line, uid, gid));
            made.at_boot.extend(at_boot(line, uid, gid, at));
        }
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
                None if !accounts.elsewhere.is_empty() => Err(format!("it is not known who {name} is")),
                found => Ok(found),
            },
            Observed::Absent => Ok(None),
            Observed::Unreadable(why) => Err(format!("it is not known who {name} is: {why}")),
        }
    };
    let uid = number(line.user.as_deref(), &|accounts, name| Some(accounts.user(name)?.uid))?;
    let gid = number(line.group.as_deref(), &|accounts, name| Some(accounts.group(name)?.gid))?;
    Ok(uid.zip(gid))
}

fn at_boot(line: &tmpfiles::Line, uid: u32, gid: u32, at: Location) -> Option<AtBoot> {
    let (kind, usual) = match line.does {
        Does::Directory | Does::EmptyDirectory => (MadeKind::Directory, 0o755),
        Does::File => (MadeKind::File, 0o644),
        Does::Link { .. } | Does::Copy | Does::Other => (MadeKind::Other, 0o777),
        Does::Give { .. } | Does::Remove { .. } => return None,
    };
    let mode = line.mode.unwrap_or(usual);
    let (path, size) = (line.path.as_str().into(), if kind == MadeKind::File { line.size() } else { 0 });
    Some(AtBoot { path, kind, uid, gid, mode, size, replaces: line.replaces, at })
}

/// What a line makes of the owner and the mode of what is there already.
fn given(line: &tmpfiles::Line, uid: u32, gid: u32) -> Option<Given> {
    let [mode, user, group] = line.holds;
    let tree = match line.does {
        Does::Give { tree } => tree,
        Does::Directory | Does::EmptyDirectory | Does::File => false,
        _ => return None,
    };
    (mode || user || group).then(|| Given {
        path: line.path.as_str().into(),
        tree,
        uid: user.then_some(uid),
        gid: group.then_some(gid),
        mode: line.mode.filter(|_| mode),
    })
}

/// The table of file systems.
const FSTAB: &str = "/etc/fstab";

/// Whether a mount unit is the host's own. Those of packages mount what is the kernel's, or nothing until somebody asks.
fn is_of_the_host(unit: &MountUnit) -> bool {
    let is_packaged = ["/usr/lib/", "/lib/", "/run/"].iter().any(|of| unit.path.starts_with(of));
    let is_kernels = ["/dev", "/proc", "/sys", "/run", "/tmp"].iter().any(|of| lies_under(&unit.place, of));
    unit.place.starts_with('/') && unit.place != "/" && !is_packaged && !is_kernels
}

/// Where fstab(5) and the host's own mount units mount something beside the root, and the disk as what is not mounted
/// now leaves it.
pub(super) fn mounts<'a>(system: &'a (dyn System + 'a)) -> (MountFacts, Option<Partial<'a>>) {
    let walker = Walker::new(system);
    let lookup = walker.lookup(FSTAB);
    let mut taken = Taken { system, walker: &walker, facts: MountFacts::default(), hidden: Vec::new() };
    let MountUnits { units, masked, unread } = mounts::units(system);
    // systemd-fstab-generator(8) makes a unit of each line; a unit of the host's has precedence.
    let own = units.iter().filter(|unit| is_of_the_host(unit)).map(|unit| &unit.place);
    let own: Vec<&String> = masked.iter().chain(own).collect();
    let is_units = |place: &str| own.iter().any(|of| *of == place);
    match content(&lookup).and_then(|real| system.read(real, TEXT_LIMIT)) {
        Observed::Absent => {}
        Observed::Unreadable(why) => taken.facts.mounts_unread = Some(format!("{FSTAB}: {why}")),
        Observed::Found(bytes) => {
            let lines = fstab::parse(&String::from_utf8_lossy(&bytes)).into_iter();
            for mount in lines.filter(|mount| !is_units(&mount.place)) {
                let at = Location::line(FSTAB, mount.line);
                taken.add(&mount, mount.is_at_boot(), at);
            }
        }
    }
    taken.facts.mounts_unread = taken.facts.mounts_unread.take().or(unread);
    for unit in units.into_iter().filter(is_of_the_host) {
        let MountUnit { place, path, kind, options, is_started } = unit;
        taken.add(&Mount { place, kind, options, line: 0 }, is_started, Location::file(path));
    }
    let Taken { facts, hidden, .. } = taken;
    let is_whole = hidden.is_empty() && facts.mounts_unread.is_none();
    let unread = facts.mounts_unread.as_ref().map(|why| format!("it is not known what a boot mounts: {why}"));
    let partial = (!is_whole).then(|| Partial::new(system, hidden, unread));
    (facts, partial)
}

/// What was taken over of the table and of units.
struct Taken<'w, 'a> {
    system: &'a (dyn System + 'a),
    walker: &'w Walker<'a, dyn System + 'a>,
    facts: MountFacts,
    /// Places that are not mounted now, and why what lies there is not known.
    hidden: Vec<(String, String)>,
}

impl Taken<'_, '_> {
    fn add(&mut self, mount: &Mount, is_at_boot: bool, at: Location) {
        let lookup = self.walker.lookup(&mount.place);
        let place = lookup.real().unwrap_or(&mount.place).to_owned();
        let is_mounted = |real| matches!(self.system.is_mount_point(real), Observed::Found(true));
        let is_present = lookup.real().is_some_and(is_mounted);
        if is_present {
            self.facts.present.push(at.clone());
        }
        if is_at_boot && !is_present && !mount.is_of_memory() {
            let why = format!("{at} mounts a file system there, which is not mounted now");
            self.hidden.push((place.clone(), why));
        }
        if mount.is_noexec() {
            self.facts.noexec.push(at.clone());
        }
        let all = if is_at_boot { &mut self.facts.mounts } else { &mut self.facts.on_demand };
        all.push((place.into(), at));
    }
}
