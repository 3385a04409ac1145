//! A path as a service finds it when it starts: what lies on the disk, and what is made before.
//!
//! systemd makes the directories of `StateDirectory=` and its kin, those of the units that it starts before, what
//! tmpfiles.d(5) names, and mounts the file systems of the kernel (systemd.exec(5), file-hierarchy(7)). A walk over
//! them has the same steps that the kernel will find, so that who may do what there is judged in one place.

use std::borrow::Cow;
use std::sync::Arc;

use crate::facts::made::{AtBoot, MadeKind, OwnDirectory, before, leaves_nothing, own_directories};
use crate::facts::start::{lies_under, simplified};
use crate::model::End;
use crate::rules::prelude::*;
use crate::rules::reach::Runner;
use crate::rules::remedy::gap;

/// Directories that systemd itself mounts or makes, with their permission bits.
const OF_THE_SYSTEM: &[(&str, u32)] = &[
    ("/dev", 0o755),
    ("/dev/shm", 0o1777),
    ("/proc", 0o555),
    ("/proc/irq", 0o555),
    ("/proc/sys", 0o555),
    ("/run", 0o755),
    ("/run/lock", 0o1777),
    ("/run/systemd", 0o755),
    ("/run/user", 0o755),
    ("/sys", 0o555),
    ("/sys/class", 0o755),
    ("/sys/devices", 0o755),
    ("/sys/fs/cgroup", 0o755),
    ("/sys/kernel", 0o755),
    ("/tmp", 0o1777),
];

/// Devices of every host.
const DEVICES: &[&str] = &[
    "/dev/full",
    "/dev/log",
    "/dev/null",
    "/dev/random",
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
    "/dev/ptmx",
];

/// Directories whose content is made anew at every boot, by whoever runs there.
const VOLATILE: &[&str] = &["/run", "/dev", "/proc", "/sys", "/tmp"];

impl<'a> ServiceView<'a> {
    /// The walk to a path that the service will make when it starts.
    pub fn at_start(&self, unit: &EffectiveUnit, path: &str) -> Result<Cow<'a, Lookup>, Undecided> {
        let asked = path.strip_prefix("/var").filter(|rest| lies_under(rest, "/run")).unwrap_or(path);
        let runner = self.runner(unit)?;
        for own in own_directories(unit) {
            if let Some(below) = own_part(&own, asked) {
                return self.own(unit, &own, below, asked, runner.as_ref());
            }
        }
        self.looked(unit, path, of_unit(self, unit))
    }

    /// The same before systemd makes the directories of the unit itself.
    pub fn before_start(&self, unit: &EffectiveUnit, path: &str) -> Result<Cow<'a, Lookup>, Undecided> {
        self.looked(unit, path, Vec::new())
    }

    /// Whether a file that is absent below /run on a disk would be there on the host: whoever writes files there does so
    /// while the host runs, and no file says so.
    pub fn is_on_disk_alone(&self, path: &str) -> Result<(), Undecided> {
        match self.made().is_some() && VOLATILE.iter().any(|volatile| lies_under(path, volatile)) {
            true => Err(Undecided::new(format!("{path} can only be written while the host runs"))),
            false => Ok(()),
        }
    }

    fn looked(
        &self,
        unit: &EffectiveUnit,
        path: &str,
        own: Vec<AtBoot>,
    ) -> Result<Cow<'a, Lookup>, Undecided> {
        let lookup = self.path(Need::Start, path)?;
        if !matches!(lookup.end, End::Absent(_)) {
            return Ok(Cow::Borrowed(lookup));
        }
        let all: Vec<AtBoot> = own.into_iter().chain(self.made_by_others(unit)?).collect();
        let lookup = made(self, lookup, &all)?.map_or(Cow::Borrowed(lookup), Cow::Owned);
        if lookup.real().is_none() {
            self.is_decided(unit, &lookup)?;
        }
        Ok(lookup)
    }

    /// A directory of the unit's own, or what lies below it.
    fn own(
        &self,
        unit: &EffectiveUnit,
        own: &OwnDirectory<'_>,
        below: &str,
        asked: &str,
        runner: Option<&Runner>,
    ) -> Result<Cow<'a, Lookup>, Undecided> {
        let disk = self.path(Need::Start, &own.path)?;
        let node = disk.node()?;
        // systemd makes no directory where a file lies: 238/STATE_DIRECTORY and its kin.
        if node.is_some_and(|node| node.meta.kind != NodeKind::Directory) {
            return Ok(Cow::Borrowed(disk));
        }
        let (uid, gid) = match runner.filter(|_| !own.is_roots) {
            Some(Runner { credentials, .. }) => {
                (credentials.uid, credentials.gids.first().copied().unwrap_or(0))
            }
            None => (0, 0),
        };
        let mut steps = vec![directory("/", 0, 0, 0o755)];
        steps.extend(parents(&own.path).map(|parent| {
            let found = disk.steps.iter().find(|step| *step.path == *parent);
            found.cloned().unwrap_or_else(|| directory(parent, 0, 0, 0o755))
        }));
        steps.push(directory(&own.path, uid, gid, own.mode));
        let mut lookup = Lookup { asked: asked.into(), steps, end: End::Found };
        if below.is_empty() {
            return Ok(Cow::Owned(lookup));
        }
        let real = disk.real();
        let walk = self.path(Need::Start, &format!("{}{below}", own.path))?;
        // The files of a dynamic user are given to it anew each time.
        let of_runner = |step: &Arc<Step>| match unit.is_dynamic() && step.meta.kind != NodeKind::Link {
            true => Arc::new(Step { meta: Meta { uid, gid, ..step.meta }, ..Step::clone(step) }),
            false => step.clone(),
        };
        let inside =
            |step: &&Arc<Step>| real.is_some_and(|real| lies_under(&step.path, real) && *step.path != *real);
        lookup.steps.extend(walk.steps.iter().filter(inside).map(of_runner));
        lookup.end = walk.end.clone();
        Ok(Cow::Owned(lookup))
    }

    /// What is made before the service starts, by others.
    fn made_by_others(&self, unit: &EffectiveUnit) -> Result<Vec<AtBoot>, Undecided> {
        let mut all = at_boot(self);
        for name in before(unit) {
            let Ok(other) = self.unit(&name) else { continue };
            let Some(other) = other.effective.known()? else { continue };
            all.extend(of_unit(self, other));
        }
        Ok(all)
    }

    /// Whether what is absent on a disk will be absent when the service starts.
    fn is_decided(&self, unit: &EffectiveUnit, lookup: &Lookup) -> Result<(), Undecided> {
        is_on_disk(self, lookup)?;
        let path = missing_path(lookup);
        if self.made().is_none() {
            return Ok(());
        }
        if ["/dev", "/proc", "/sys"].iter().any(|volatile| lies_under(&path, volatile)) {
            return Err(Undecided::new(format!("{path} is made by the kernel of a running host")));
        }
        // Who starts before may make it; those that the contract knows say so in their units.
        let is_other =
            |word: &String| [".service", ".socket", ".mount"].iter().any(|kind| word.ends_with(kind));
        let others = before(unit).into_iter().find(is_other);
        match others.filter(|_| VOLATILE.iter().any(|volatile| lies_under(&path, volatile))) {
            Some(other) => Err(Undecided::new(format!("{other}, which starts before, may make {path}"))),
            None => Ok(()),
        }
    }
}

/// Whether what a walk does not find can be known from the disk at all.
pub fn is_on_disk(view: &View, lookup: &Lookup) -> Result<(), Undecided> {
    let Some(made) = view.made() else { return Ok(()) };
    let path = missing_path(lookup);
    if let Some(why) = &made.unread {
        return Err(Undecided::new(format!("whether {path} is made at boot is not known: {why}")));
    }
    match made.mounts.iter().find(|(mount, _)| lies_under(&path, mount)) {
        Some((mount, at)) => {
            Err(Undecided::new(format!("what lies below {mount} is not on this disk: {at} mounts it")))
        }
        None => Ok(()),
    }
}

/// What is made at boot; nothing on a running host, where it is made already.
fn at_boot(view: &View) -> Vec<AtBoot> {
    let Some(made) = view.made() else { return Vec::new() };
    let of_system = |(path, mode): &(&str, u32)| AtBoot {
        path: (*path).into(),
        kind: MadeKind::Directory,
        uid: 0,
        gid: 0,
        mode: *mode,
        at: Location::file(*path),
    };
    let devices = DEVICES.iter().map(|path| AtBoot { kind: MadeKind::Other, ..of_system(&(path, 0o666)) });
    let system = OF_THE_SYSTEM.iter().map(of_system);
    made.at_boot.iter().cloned().chain(system).chain(devices).collect()
}

/// What is made at boot, and what systemd makes for the services of the contract.
pub fn makers(view: &View) -> Result<Vec<AtBoot>, Undecided> {
    let mut all = at_boot(view);
    for service in &view.contract.services {
        let unit = view.effective(&service.unit.value)?;
        if unit.load == LoadState::Loaded {
            all.extend(of_unit(view, unit));
        }
    }
    Ok(all)
}

/// The directories that another unit leaves for those that start after it.
fn of_unit(view: &View, unit: &EffectiveUnit) -> Vec<AtBoot> {
    let user = unit.user_name().and_then(|name| view.accounts().ok()?.user(name));
    let (uid, gid) = user.map_or((0, 0), |user| (user.uid, user.gid));
    let own = own_directories(unit).into_iter();
    let stays = own.filter(|own| !lies_under(&own.path, "/run") || !leaves_nothing(unit));
    let made = stays.map(|own| AtBoot {
        path: own.path.as_str().into(),
        kind: MadeKind::Directory,
        uid: if own.is_roots { 0 } else { uid },
        gid: if own.is_roots { 0 } else { gid },
        mode: own.mode,
        at: own.setting.at.clone(),
    });
    made.collect()
}

/// What of a path lies below a directory of the unit's own: empty for the directory itself.
fn own_part<'p>(own: &OwnDirectory<'_>, path: &'p str) -> Option<&'p str> {
    let places = [Some(&own.path), own.link.as_ref()];
    let place = places.into_iter().flatten().find(|place| lies_under(path, place))?;
    Some(&path[place.len()..])
}

/// The walk as far as things are made that it does not find on the disk; `None` where nobody makes any of it.
pub fn made(view: &View, lookup: &Lookup, all: &[AtBoot]) -> Result<Option<Lookup>, Undecided> {
    let End::Absent(first) = &lookup.end else { return Ok(None) };
    let path = missing_path(lookup);
    let missing: Vec<&str> =
        parents(&path).chain([path.as_str()]).filter(|part| lies_under(part, first)).collect();
    let is_made = |part: &str| all.iter().any(|made| lies_under(&made.path, part));
    let there = missing.iter().take_while(|part| is_made(part)).count();
    if there == 0 {
        return Ok(None);
    }
    let mut steps = lookup.steps.clone();
    for part in &missing[..there] {
        let Some(made) = all.iter().find(|made| *made.path == **part) else {
            steps.push(directory(part, 0, 0, 0o755));
            continue;
        };
        // A link or a copy: what it will be is not followed.
        if made.kind == MadeKind::Other && view.made().is_some() && !DEVICES.contains(part) {
            return Err(Undecided::new(format!("{} makes {part}, which is not looked into", made.at)));
        }
        let kind = match made.kind {
            MadeKind::Directory => NodeKind::Directory,
            MadeKind::File => NodeKind::File,
            MadeKind::Other => NodeKind::Special,
        };
        steps.push(step(part, kind, made.uid, made.gid, made.mode));
    }
    let end = missing.get(there).map_or(End::Found, |next| End::Absent((*next).into()));
    Ok(Some(Lookup { asked: lookup.asked.clone(), steps, end }))
}

/// The path that does not exist, links on the way resolved.
fn missing_path(lookup: &Lookup) -> String {
    gap(lookup).map_or_else(|| simplified(&lookup.asked), |gap| simplified(&gap.path))
}

/// The directories above a path, without the root, the highest first.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).filter(|parent| !parent.is_empty())
}

fn directory(path: &str, uid: u32, gid: u32, mode: u32) -> Arc<Step> {
    step(path, NodeKind::Directory, uid, gid, mode)
}

fn step(path: &str, kind: NodeKind, uid: u32, gid: u32, mode: u32) -> Arc<Step> {
    let meta = Meta { kind, uid, gid, mode, size: 0, modified: 0, links: 1 };
    Arc::new(Step { path: path.into(), meta, target: None })
}
