//! A path as a service finds it when it starts: what lies on the disk, and what is made before.
//!
//! systemd makes the directories of `StateDirectory=` and its kin, those of the units that it starts before, what
//! tmpfiles.d(5) names, and mounts the file systems of the kernel (systemd.exec(5), file-hierarchy(7)). A walk over
//! them has the same steps that the kernel will find, so that who may do what there is judged in one place.

mod of_systemd;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use of_systemd::{DEVICES, SYSTEM, VOLATILE};

use crate::facts::made::{AtBoot, MadeKind, Making, OwnDirectory, before, leaves_nothing, own_directories};
use crate::facts::start::{lies_under, simplified};
use crate::model::{End, RUN_OF_SYSTEMD};
use crate::rules::prelude::*;
use crate::rules::reach::Runner;
use crate::rules::remedy::gap;
use crate::rules::sandbox::Empty;
use crate::systemd::unit_name;

/// What a unit finds when it starts. Made once for all the paths that a rule asks about.
pub struct AtStart<'v, 'a> {
    view: ServiceView<'a>,
    unit: &'v EffectiveUnit,
    own: Vec<OwnDirectory<'v>>,
    /// The paths of `own` and of links to it, with the positions there.
    places: BTreeMap<String, usize>,
    /// What other units leave that start before.
    others: OnceCell<Result<Making, Undecided>>,
    runner: OnceCell<Result<Option<Runner>, Undecided>>,
}

impl<'a> ServiceView<'a> {
    /// What a unit of this service finds when it starts.
    pub fn start_of<'v>(&self, unit: &'v EffectiveUnit) -> AtStart<'v, 'a> {
        let own = own_directories(unit);
        let mut places = BTreeMap::new();
        for (at, directory) in own.iter().enumerate() {
            for path in [Some(&directory.path), directory.link.as_ref(), directory.private.as_ref()]
                .into_iter()
                .flatten()
            {
                places.entry(path.clone()).or_insert(at);
            }
        }
        AtStart { view: *self, unit, own, places, others: OnceCell::new(), runner: OnceCell::new() }
    }

    /// Whether a file that is absent below /run on a disk would be there on the host: whoever writes files there does so
    /// while the host runs, and no file says so.
    pub fn is_on_disk_alone(&self, path: &str) -> Result<(), Undecided> {
        match self.made().is_some() && VOLATILE.iter().any(|volatile| lies_under(path, volatile)) {
            true => Err(Undecided::new(format!("{path} can only be written while the host runs"))),
            false => Ok(()),
        }
    }
}

impl<'a> AtStart<'_, 'a> {
    /// The walk to a path that the service will make when it starts.
    pub fn path(&self, path: &str) -> Result<Cow<'a, Lookup>, Undecided> {
        let asked = path.strip_prefix("/var").filter(|rest| lies_under(rest, "/run")).unwrap_or(path);
        let mut above = asked;
        while !above.is_empty() {
            if let Some(own) = self.places.get(above).and_then(|at| self.own.get(*at)) {
                return self.own(own, &asked[above.len()..], asked);
            }
            above = above.rsplit_once('/').map_or("", |(above, _)| above);
        }
        self.looked(path, true)
    }

    /// The same before systemd makes the directories of the unit itself.
    pub fn before(&self, path: &str) -> Result<Cow<'a, Lookup>, Undecided> {
        self.looked(path, false)
    }

    /// Whether something is at a path by then. A mount point is a directory, whatever is mounted there.
    pub fn has(&self, path: &str) -> Result<bool, Undecided> {
        Ok(self.is_mount_point(path)? || self.path(path)?.node()?.is_some())
    }

    /// The same when systemd makes the sandbox: the links to the unit's own directories come after it (measured on 247 to 262).
    pub fn has_for_sandbox(&self, path: &str) -> Result<bool, Undecided> {
        let is_link = |own: &OwnDirectory| own.link.as_ref().is_some_and(|link| lies_under(path, link));
        match self.own.iter().any(is_link) {
            true => Ok(self.before(path)?.node()?.is_some()),
            false => self.has(path),
        }
    }

    /// Whether a boot mounts something at this very path.
    pub fn is_mount_point(&self, path: &str) -> Result<bool, Undecided> {
        Ok(is_mounted_at(&self.view, self.view.path(Need::Start, path)?))
    }

    /// The names in a directory before systemd makes the directories of the unit itself, as far as they are known; `None`
    /// where there is no such directory.
    pub fn names(&self, directory: &str) -> Result<Option<BTreeSet<String>>, Undecided> {
        let lookup = self.before(directory)?;
        let Some(node) = lookup.node()?.filter(|node| node.meta.kind == NodeKind::Directory) else {
            return Ok(None);
        };
        let on_disk = self.view.listing(Need::Start, directory)?;
        let mut names: BTreeSet<String> = on_disk.into_iter().flatten().cloned().collect();
        let from = if *node.path == *"/" { 1 } else { node.path.len() + 1 };
        let first = |made: &AtBoot| made.path[from..].split('/').next().map(str::to_owned);
        let boot = self.view.made().map(|made| &made.at_boot);
        let all = boot.into_iter().chain([self.others()?]);
        names.extend(all.flat_map(|making| making.below(&node.path)).filter_map(first));
        Ok(Some(names))
    }

    /// Whether a directory will hold nothing that [`AtStart::names`] did not tell.
    pub fn holds_no_more(&self, directory: &str) -> Result<(), Undecided> {
        let Some(made) = self.view.made() else { return Ok(()) };
        let below = format!("{}/", directory.trim_end_matches('/'));
        let of_it = |path: &str| path.starts_with(&below) || below.starts_with(path);
        is_told(&self.view, directory, of_it)?;
        match made.mounts.hides(directory) {
            Some((mount, at)) => Err(not_there(mount, at)),
            None => Ok(()),
        }
    }

    fn looked(&self, path: &str, with_own: bool) -> Result<Cow<'a, Lookup>, Undecided> {
        let found = self.view.path(Need::Start, path)?;
        let seen = as_absent(&self.view, found);
        if !matches!(seen.end, End::Absent(_)) {
            let given = given(&self.view, found);
            return Ok(rewritten(&self.view, found).or(given).map_or(Cow::Borrowed(found), Cow::Owned));
        }
        let own = if with_own { of_unit(&self.view, self.unit) } else { Making::default() };
        let lookup = match made(&self.view, &seen, &[&own, self.others()?])? {
            Some(lookup) => Cow::Owned(lookup),
            None => seen,
        };
        if lookup.real().is_none() {
            self.is_decided(&lookup)?;
        }
        Ok(lookup)
    }

    /// A directory of the unit's own, or what lies below it.
    fn own(&self, own: &OwnDirectory<'_>, below: &str, asked: &str) -> Result<Cow<'a, Lookup>, Undecided> {
        let found = self.view.path(Need::Start, &own.path)?;
        let disk = as_absent(&self.view, found);
        let node = disk.node()?;
        // systemd makes no directory where a file lies: 238/STATE_DIRECTORY and its kin.
        if node.is_some_and(|node| node.meta.kind != NodeKind::Directory) {
            return Ok(Cow::Borrowed(found));
        }
        let (uid, gid) = match self.runner()?.filter(|_| !own.is_roots) {
            Some(Runner { credentials, .. }) => {
                (credentials.uid, credentials.gids.first().copied().unwrap_or(0))
            }
            None => (0, 0),
        };
        let steps = made_at(&disk, &own.path, directory(&own.path, uid, gid, own.mode));
        let mut lookup = Lookup { asked: asked.into(), steps, end: End::Found };
        if below.is_empty() {
            return Ok(Cow::Owned(lookup));
        }
        let real = disk.real();
        let walk = self.view.path(Need::Start, &format!("{}{below}", own.path))?;
        // The files of a dynamic user are given to it anew each time.
        let of_runner = |step: &Arc<Step>| match self.unit.is_dynamic() && step.meta.kind != NodeKind::Link {
            true => Arc::new(Step { meta: Meta { uid, gid, ..step.meta }, ..Step::clone(step) }),
            false => step.clone(),
        };
        let inside =
            |step: &&Arc<Step>| real.is_some_and(|real| lies_under(&step.path, real) && *step.path != *real);
        lookup.steps.extend(walk.steps.iter().filter(inside).map(of_runner));
        lookup.end = walk.end.clone();
        Ok(Cow::Owned(lookup))
    }

    /// The walk to what the sandbox lays at a path, through others that it lays on the way; what is absent there is made.
    pub fn emptied(&self, path: &str, empty: &[Empty]) -> Result<Lookup, Undecided> {
        let disk = self.before(path)?;
        let steps = made_at(&disk, path, directory(path, 0, 0, 0o755)).into_iter().map(|step| {
            match empty
                .iter()
                .filter(|empty| lies_under(&step.path, &empty.path))
                .max_by_key(|it| it.path.len())
            {
                Some(it) if *it.path == *step.path => directory(&it.path, it.uid, it.gid, it.mode),
                Some(_) => directory(&step.path, 0, 0, 0o755),
                None => step,
            }
        });
        Ok(Lookup { asked: path.into(), steps: steps.collect(), end: End::Found })
    }

    fn runner(&self) -> Result<Option<&Runner>, Undecided> {
        let runner = self.runner.get_or_init(|| self.view.runner(self.unit)).as_ref();
        Ok(runner.map_err(Clone::clone)?.as_ref())
    }

    /// What units leave that start before.
    fn others(&self) -> Result<&Making, Undecided> {
        let look = || {
            let mut all = Making::default();
            for name in before(self.unit) {
                let Ok(other) = self.view.unit(&name) else { continue };
                let Some(other) = other.effective.known()? else { continue };
                Vec::from(of_unit(&self.view, other)).into_iter().for_each(|made| all.add(made));
            }
            Ok(all)
        };
        self.others.get_or_init(look).as_ref().map_err(Clone::clone)
    }

    /// Whether what is absent on a disk will be absent when the service starts.
    fn is_decided(&self, lookup: &Lookup) -> Result<(), Undecided> {
        is_on_disk(&self.view, lookup)?;
        let path = missing_path(lookup);
        let Some(facts) = self.view.made() else { return Ok(()) };
        let on_demand = |(place, at): &&(Arc<str>, Location)| {
            lies_under(&path, place) && !facts.mounts.present.contains(at) && self.asks_for(place)
        };
        if let Some((mount, at)) = facts.mounts.on_demand.iter().find(on_demand) {
            return Err(not_there(mount, at));
        }
        if ["/dev", "/proc", "/sys"].iter().any(|volatile| lies_under(&path, volatile)) {
            return Err(Undecided::new(format!("{path} is made by the kernel of a running host")));
        }
        if lies_under(&path, RUN_OF_SYSTEMD) {
            return Err(Undecided::new(format!("{path} is made by systemd, or not, while the host runs")));
        }
        if !VOLATILE.iter().any(|volatile| lies_under(&path, volatile)) {
            return Ok(());
        }
        // Who starts before may make it; those that the contract knows say so in their units.
        let is_other =
            |word: &String| [".service", ".socket", ".mount"].iter().any(|kind| word.ends_with(kind));
        match before(self.unit).into_iter().find(is_other) {
            Some(other) => Err(Undecided::new(format!("{other}, which starts before, may make {path}"))),
            None => Ok(()),
        }
    }

    /// Whether the start of the unit mounts what waits to be asked for: by a unit of its name, or because the unit needs what
    /// lies there (systemd.unit(5), `RequiresMountsFor=`; systemd.exec(5), "IMPLICIT DEPENDENCIES").
    fn asks_for(&self, place: &str) -> bool {
        let unit = self.unit;
        let words = |keys: &[&str]| -> Vec<String> {
            keys.iter().flat_map(|key| unit.words("Unit", key)).map(|(word, _)| word).collect()
        };
        let is_it = |name: &String| {
            let escaped = name.strip_suffix(".mount");
            escaped.is_some_and(|escaped| unit_name::unescape(escaped) == place.trim_start_matches('/'))
        };
        let needed = words(&["RequiresMountsFor", "WantsMountsFor"]);
        let settings = ["WorkingDirectory", "RootDirectory"].iter();
        let settings = settings.filter_map(|key| unit.scalar("Service", key));
        let settings = settings.map(|setting| setting.value().trim_start_matches('-').to_owned());
        let own = self.own.iter().map(|own| own.path.clone());
        words(&["Requires", "Requisite", "BindsTo", "Wants"]).iter().any(is_it)
            || needed.into_iter().chain(settings).chain(own).any(|path| lies_under(&path, place))
    }
}

/// The walk, where another file system keeps it from going on, as one that ends there: what is made there is known.
fn as_absent<'l>(view: &View, lookup: &'l Lookup) -> Cow<'l, Lookup> {
    match &lookup.end {
        End::Unreadable(first, _) if view.made().is_some_and(|made| made.mounts.hides(first).is_some()) => {
            Cow::Owned(Lookup { end: End::Absent(first.clone()), ..lookup.clone() })
        }
        _ => Cow::Borrowed(lookup),
    }
}

/// Whether a boot mounts something where a walk ends: there is a directory, of which nothing else is known.
pub fn is_mounted_at(view: &View, lookup: &Lookup) -> bool {
    let seen = as_absent(view, lookup);
    let is_hidden = matches!((&lookup.end, &seen.end), (End::Unreadable(..), End::Absent(_)));
    let path = missing_path(&seen);
    let over = view.made().filter(|_| is_hidden).and_then(|made| made.mounts.hides(&path));
    over.is_some_and(|(place, _)| place == path)
}

/// The walk to a file that systemd-tmpfiles writes anew.
fn rewritten(view: &View, lookup: &Lookup) -> Option<Lookup> {
    let made = view.made()?.at_boot.at(lookup.real()?)?;
    let node = lookup.steps.last().filter(|node| made.replaces && node.meta.kind == NodeKind::File)?;
    let node = Arc::new(Step { meta: Meta { size: made.size, ..node.meta }, ..Step::clone(node) });
    let steps = lookup.steps.iter().take(lookup.steps.len() - 1).cloned().chain([node]).collect();
    Some(Lookup { steps, ..lookup.clone() })
}

/// The walk as systemd-tmpfiles gives what is there to others; `None` where it leaves all of it as it is.
fn given(view: &View, lookup: &Lookup) -> Option<Lookup> {
    let given = &view.made()?.given;
    let become_of = |step: &Arc<Step>| {
        let meta = given.iter().fold(step.meta, |meta, given| given.of(&step.path, meta));
        if meta == step.meta { step.clone() } else { Arc::new(Step { meta, ..Step::clone(step) }) }
    };
    let steps: Vec<Arc<Step>> = lookup.steps.iter().map(become_of).collect();
    (steps != lookup.steps).then(|| Lookup { steps, ..lookup.clone() })
}

/// Whether what a walk does not find can be known from the disk at all.
pub fn is_on_disk(view: &View, lookup: &Lookup) -> Result<(), Undecided> {
    let Some(made) = view.made() else { return Ok(()) };
    let lookup = as_absent(view, lookup);
    let path = missing_path(&lookup);
    is_told(view, &path, |begins: &str| path.starts_with(begins))?;
    if let Some(left) = made.left_in_run.iter().find(|left| lies_under(&path, left)) {
        return Err(Undecided::new(format!(
            "{left} was made while the host ran, and it is not known what makes it after a boot"
        )));
    }
    match made.mounts.hides(&path) {
        Some((mount, at)) => Err(not_there(mount, at)),
        None => Ok(()),
    }
}

/// Whether all lines of tmpfiles.d are known that may be about a path.
fn is_told(view: &View, path: &str, is_about: impl Fn(&str) -> bool) -> Result<(), Undecided> {
    let Some(made) = view.made() else { return Ok(()) };
    if let Some(why) = &made.unread {
        return Err(Undecided::new(format!("it is not known whether {path} is made at boot: {why}")));
    }
    match made.unsure.iter().find(|(begins, ..)| is_about(begins)) {
        Some((_, at, why)) => Err(Undecided::new(format!("{at} may make {path}: {why}"))),
        None => Ok(()),
    }
}

fn not_there(mount: &str, at: &Location) -> Undecided {
    Undecided::new(format!("what lies below {mount} is not on this disk: {at} mounts it"))
}

/// What systemd makes for the services of the contract.
pub fn makers(view: &View) -> Result<Making, Undecided> {
    let mut all = Making::default();
    for service in &view.contract.services {
        let unit = view.effective(&service.unit.value)?;
        if unit.load == LoadState::Loaded {
            Vec::from(of_unit(view, unit)).into_iter().for_each(|made| all.add(made));
        }
    }
    Ok(all)
}

/// The directories that another unit leaves for those that start after it.
fn of_unit(view: &View, unit: &EffectiveUnit) -> Making {
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
        size: 0,
        replaces: false,
        at: own.setting.at.clone(),
    });
    made.collect()
}

/// The walk as far as things are made that it does not find on the disk: at boot, which is done already on a host that
/// runs, and what else is named. `None` where nobody makes any of it.
pub fn made(view: &View, lookup: &Lookup, more: &[&Making]) -> Result<Option<Lookup>, Undecided> {
    let lookup = as_absent(view, lookup);
    let End::Absent(first) = &lookup.end else { return Ok(None) };
    let path = missing_path(&lookup);
    let missing: Vec<&str> =
        parents(&path).chain([path.as_str()]).filter(|part| lies_under(part, first)).collect();
    let boot = view.made().into_iter().flat_map(|made| [&made.at_boot, &*SYSTEM]);
    let all: Vec<&Making> = boot.chain(more.iter().copied()).collect();
    let there = missing.iter().take_while(|part| all.iter().any(|making| making.makes(part))).count();
    if there == 0 {
        return Ok(None);
    }
    let mut steps = lookup.steps.clone();
    for part in &missing[..there] {
        let Some(made) = all.iter().find_map(|making| making.at(part)) else {
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
        let meta = Meta {
            kind,
            uid: made.uid,
            gid: made.gid,
            mode: made.mode,
            size: made.size,
            modified: 0,
            links: 1,
        };
        steps.push(Arc::new(Step { path: (*part).into(), meta, target: None }));
    }
    let end = missing.get(there).map_or(End::Found, |next| End::Absent((*next).into()));
    Ok(Some(Lookup { asked: lookup.asked.clone(), steps, end }))
}

/// The steps to something that is made at a path: the directories above it as they are, or made, too.
fn made_at(disk: &Lookup, path: &str, node: Arc<Step>) -> Vec<Arc<Step>> {
    let above = |parent: &str| {
        let found = disk.steps.iter().find(|step| *step.path == *parent);
        found.cloned().unwrap_or_else(|| directory(parent, 0, 0, 0o755))
    };
    [above("/")].into_iter().chain(parents(path).map(above)).chain([node]).collect()
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
    let kind = NodeKind::Directory;
    let meta = Meta { kind, uid, gid, mode, size: 0, modified: 0, links: 1 };
    Arc::new(Step { path: path.into(), meta, target: None })
}
