//! Effective units: all directories in systemd's precedence, drop-ins of every level, aliases, masks,
//! templates and instances, and the links that enable a unit.
//!
//! The unit directories are listed once, into an [`Index`]; ten thousand units in one directory cost one
//! listing, not ten thousand searches.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{Pad, Worker};
use crate::contract::Contract;
use crate::facts::{Need, Needs, UnitFacts};
use crate::model::answers::Process;
use crate::model::{End, NodeKind, Observed, Step};
use crate::syntax::effective::{EffectiveUnit, LoadState};
use crate::syntax::search::{self, DropIn, UNIT_DIRECTORIES};
use crate::syntax::specifier::Specifiers;
use crate::syntax::unit_file::{self, UnitFile};
use crate::syntax::unit_name::UnitName;
use crate::syntax::version::SystemdVersion;
use crate::system::{System, Walker};

/// The version of the systemd whose reading counts. Its shared library carries the version in its name, and
/// is the same package as the manager itself; asking the manager would need a running one.
pub(super) fn version<'a>(system: &'a (dyn System + 'a)) -> Observed<SystemdVersion> {
    let walker = Walker::new(system);
    let mut trouble = None;
    for directory in ["/usr/lib/systemd", "/lib/systemd"] {
        let lookup = walker.lookup(directory);
        let Some(real) = lookup.real() else { continue };
        match system.list(real) {
            Observed::Found(names) => {
                let version = names.iter().find_map(|name| {
                    let number = name.strip_prefix("libsystemd-shared-")?.strip_suffix(".so")?;
                    SystemdVersion::parse(number)
                });
                if let Some(version) = version {
                    return Observed::Found(version);
                }
            }
            Observed::Unreadable(why) => trouble = Some(why),
            Observed::Absent => {}
        }
    }
    debian_version(system, &walker).unwrap_or_else(|| {
        Observed::Unreadable(trouble.unwrap_or_else(|| "no libsystemd-shared in /usr/lib/systemd".to_owned()))
    })
}

/// Debian keeps the library in the multiarch directory.
fn debian_version<'a>(
    system: &'a (dyn System + 'a),
    walker: &Walker<'a, dyn System + 'a>,
) -> Option<Observed<SystemdVersion>> {
    ["x86_64-linux-gnu", "aarch64-linux-gnu"].iter().find_map(|triplet| {
        let lookup = walker.lookup(&format!("/usr/lib/{triplet}/systemd"));
        let Observed::Found(names) = system.list(lookup.real()?) else { return None };
        names.iter().find_map(|name| {
            let number = name.strip_prefix("libsystemd-shared-")?.strip_suffix(".so")?;
            SystemdVersion::parse(number).map(Observed::Found)
        })
    })
}

/// What lies in the unit directories, listed once.
pub(super) struct Index {
    /// Unit directories that exist, in order of precedence; a directory that is reached twice by a link
    /// (`/lib` and `/usr/lib`) counts once.
    directories: Vec<Arc<str>>,
    /// Unit file name to the directories that hold it, in order.
    files: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// Drop-in directory name (`x.service.d`) to its places, in order.
    drop_ins: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// Unit name to the links below `*.wants`, `*.requires` and `*.upholds` that name it.
    enabled_by: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// Directories that could not be listed.
    unread: Vec<String>,
    names: Option<crate::syntax::specifier::HostNames>,
}

impl Index {
    /// Lists the unit directories, when any rule needs units.
    pub(super) fn read(system: &dyn System, _contract: &Contract, needs: Needs) -> Index {
        let mut index = Index {
            directories: Vec::new(),
            files: HashMap::new(),
            drop_ins: HashMap::new(),
            enabled_by: HashMap::new(),
            unread: Vec::new(),
            names: Some(host_names(system)),
        };
        if !needs.has(Need::Units) {
            return index;
        }
        let walker = Walker::new(system);
        let mut seen = BTreeSet::new();
        for directory in UNIT_DIRECTORIES {
            let lookup = walker.lookup(directory);
            match (&lookup.end, lookup.real()) {
                (End::Found, Some(real)) if seen.insert(real.to_owned()) => {
                    index.directories.push((*directory).into());
                    index.list(system, directory, real);
                }
                (End::Unreadable(path, why), _) => index.unread.push(format!("{path}: {why}")),
                _ => {}
            }
        }
        index
    }

    fn list(&mut self, system: &dyn System, directory: &str, real: &str) {
        let names = match system.list(real) {
            Observed::Found(names) => names,
            Observed::Absent => return,
            Observed::Unreadable(why) => return self.unread.push(format!("{directory}: {why}")),
        };
        for name in names {
            let place: Arc<str> = directory.into();
            if name.ends_with(".d") {
                self.drop_ins.entry(name.into()).or_default().push(place);
            } else if [".wants", ".requires", ".upholds"].iter().any(|suffix| name.ends_with(suffix)) {
                self.list_links(system, directory, real, &name);
            } else {
                self.files.entry(name.into()).or_default().push(place);
            }
        }
    }

    fn list_links(&mut self, system: &dyn System, directory: &str, real: &str, name: &str) {
        match system.list(&format!("{real}/{name}")) {
            Observed::Found(links) => {
                for link in links {
                    let path = format!("{directory}/{name}/{link}").into();
                    self.enabled_by.entry(link.into()).or_default().push(path);
                }
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => self.unread.push(format!("{directory}/{name}: {why}")),
        }
    }
}

/// Names of the host that specifiers may need; what cannot be known stays unknown.
fn host_names(system: &dyn System) -> crate::syntax::specifier::HostNames {
    let line = |path: &str| match system.read(path, 4096) {
        Observed::Found(bytes) => Some(String::from_utf8_lossy(&bytes).trim().to_owned()),
        _ => None,
    };
    crate::syntax::specifier::HostNames {
        machine_id: line("/etc/machine-id"),
        host_name: match system.ask() {
            Some(_) => Some(system.host_name()),
            None => line("/etc/hostname"),
        },
        os_release: line("/etc/os-release").or_else(|| line("/usr/lib/os-release")),
        ..Default::default()
    }
}

/// Reads one unit with everything that shapes it.
pub(super) fn gather(worker: &Worker<'_>, name: &str, pad: &mut Pad) {
    if !worker.needs(Need::Units) || pad.units.contains_key(name) {
        return;
    }
    let index = worker.ground.index;
    let effective = match index.unread.first() {
        Some(why) => Observed::Unreadable(format!("a unit directory could not be listed: {why}")),
        None => effective(worker, name),
    };
    let names = match &effective {
        Observed::Found(unit) => unit.names().map(str::to_owned).collect(),
        _ => vec![name.to_owned()],
    };
    look_at_files(worker, name, &effective, pad);
    let enabled_by = names.iter().filter_map(|name| index.enabled_by.get(name.as_str())).flatten().cloned();
    let facts =
        UnitFacts { effective, enabled_by: Observed::Found(enabled_by.collect()), state: Observed::Absent };
    pad.units.insert(name.into(), facts);
}

/// The files of a unit as files: their times, where links lead, what lies below a mask.
fn look_at_files(worker: &Worker<'_>, name: &str, effective: &Observed<EffectiveUnit>, pad: &mut Pad) {
    let Observed::Found(unit) = effective else { return };
    for file in unit.files() {
        pad.look(worker, file);
    }
    if unit.load == LoadState::NotFound || unit.load == LoadState::Masked {
        for directory in UNIT_DIRECTORIES {
            pad.look(worker, &format!("{directory}/{name}"));
        }
    }
}

fn effective(worker: &Worker<'_>, name: &str) -> Observed<EffectiveUnit> {
    let Ok(unit_name) = UnitName::parse(name) else {
        return Observed::Unreadable(format!("{name:?} is no unit name"));
    };
    let mut trouble = None;
    let fragment = fragment(worker, &unit_name, &mut trouble);
    if let Some(why) = trouble {
        return Observed::Unreadable(why);
    }
    let (found_name, aliases, fragment) = match fragment {
        Fragment::Missing => return Observed::Found(EffectiveUnit::not_found(&unit_name)),
        Fragment::Masked(path) => return Observed::Found(EffectiveUnit::masked(&unit_name, path)),
        Fragment::File(name, aliases, file) => (name, aliases, file),
    };
    // A unit that is asked for by an alias takes the drop-ins of every one of its names.
    let mut names = vec![found_name.clone()];
    names.extend(aliases.iter().cloned());
    let mut drop_ins = Vec::new();
    for drop_in in drop_in_paths(worker, &names) {
        let lookup = worker.walker.lookup(&drop_in);
        match worker.read(&lookup) {
            Observed::Found(bytes) => drop_ins.push(unit_file::parse(&drop_in.as_str().into(), &bytes)),
            Observed::Absent => {}
            Observed::Unreadable(why) => return Observed::Unreadable(format!("{drop_in}: {why}")),
        }
    }
    let path = fragment.path.clone();
    let specifiers = Specifiers::new(&unit_name, Some(&path), worker.ground.index.names.as_ref());
    let unit = EffectiveUnit::merge(&found_name, fragment, drop_ins, &specifiers, worker.ground.version);
    Observed::Found(unit.with_aliases(aliases))
}

enum Fragment {
    Missing,
    Masked(Arc<str>),
    /// The unit's own name after aliases, the names that led to it, and the file.
    File(UnitName, Vec<UnitName>, UnitFile),
}

/// The first file of the search path; an instance falls back to its template.
fn fragment(worker: &Worker<'_>, name: &UnitName, trouble: &mut Option<String>) -> Fragment {
    let index = worker.ground.index;
    let mut own = name.clone();
    let mut aliases = Vec::new();
    // A link to another unit name is an alias; chains of them end like any chain of links.
    for _ in 0..8 {
        let candidates = [Some(own.as_str().to_owned()), own.template().map(|name| name.as_str().to_owned())];
        let found = candidates.into_iter().flatten().find_map(|file| {
            let directory = index.files.get(file.as_str())?.first()?;
            Some(format!("{directory}/{file}"))
        });
        let Some(path) = found else { return Fragment::Missing };
        let link = worker.walker.lookup_no_follow(&path);
        if let Ok(Some(step)) = link.node()
            && let Some(target) = step.target.as_deref()
            && let Some(other) = search::alias_target(&own, target)
        {
            aliases.push(std::mem::replace(&mut own, other));
            continue;
        }
        return read_fragment(worker, own, aliases, &path, trouble);
    }
    Fragment::Missing
}

fn read_fragment(
    worker: &Worker<'_>,
    own: UnitName,
    aliases: Vec<UnitName>,
    path: &str,
    trouble: &mut Option<String>,
) -> Fragment {
    let lookup = worker.walker.lookup(path);
    if points_to_null(worker, path) {
        return Fragment::Masked(path.into());
    }
    match lookup.node() {
        Ok(Some(step)) if step.meta.kind == NodeKind::File => {}
        Ok(_) => return Fragment::Missing,
        Err(undecided) => {
            *trouble = Some(undecided.why);
            return Fragment::Missing;
        }
    }
    match worker.read(&lookup) {
        Observed::Found(bytes) if bytes.is_empty() => Fragment::Masked(path.into()),
        Observed::Found(bytes) => Fragment::File(own, aliases, unit_file::parse(&path.into(), &bytes)),
        Observed::Absent => Fragment::Missing,
        Observed::Unreadable(why) => {
            *trouble = Some(format!("{path}: {why}"));
            Fragment::Missing
        }
    }
}

/// Whether a path is a link to `/dev/null`, which an image that was never booted does not have.
fn points_to_null(worker: &Worker<'_>, path: &str) -> bool {
    if worker.walker.lookup(path).real() == Some("/dev/null") {
        return true;
    }
    let link = worker.walker.lookup_no_follow(path);
    let Ok(Some(Step { path, target: Some(target), .. })) = link.node() else { return false };
    let mut standing: Vec<&str> =
        if target.starts_with('/') { Vec::new() } else { path.split('/').collect() };
    standing.pop();
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            standing.pop();
        } else {
            standing.push(part);
        }
    }
    standing.into_iter().filter(|part| !part.is_empty()).eq(["dev", "null"])
}

/// The drop-ins that apply to a unit of these names, in order of application.
fn drop_in_paths(worker: &Worker<'_>, names: &[UnitName]) -> Vec<String> {
    let index = worker.ground.index;
    let mut listed = Vec::new();
    for directory_name in search::drop_in_directories(names) {
        for place in index.drop_ins.get(directory_name.as_str()).into_iter().flatten() {
            let directory = format!("{place}/{directory_name}");
            let lookup = worker.walker.lookup(&directory);
            let Some(real) = lookup.real() else { continue };
            let Observed::Found(files) = worker.ground.system.list(real) else { continue };
            let rank = index.directories.iter().position(|known| known == place).unwrap_or(usize::MAX);
            for file in files.into_iter().filter(|file| file.ends_with(".conf")) {
                let path = format!("{directory}/{file}");
                let masked = points_to_null(worker, &path);
                listed.push(DropIn { path, file, directory_rank: rank, masked });
            }
        }
    }
    search::surviving_drop_ins(listed)
}

/// Units that services refer to: their dependencies' and their timers'.
pub(super) fn gather_others(worker: &Worker<'_>, pad: &mut Pad) {
    let contract = worker.ground.contract;
    let dependencies = contract.dependencies.values().filter_map(|dependency| dependency.unit.as_ref());
    let timers = contract.services.iter().filter_map(|service| service.timer.as_ref());
    for unit in dependencies.chain(timers) {
        gather(worker, &unit.value, pad);
    }
    for name in possible_aliases(worker, pad) {
        gather(worker, &name, pad);
    }
}

/// Names in the order lines of services that may be other names of what they should follow. Only of
/// services that do not name all of it by its own name.
fn possible_aliases(worker: &Worker<'_>, pad: &Pad) -> BTreeSet<String> {
    let contract = worker.ground.contract;
    let mut names = BTreeSet::new();
    for service in &contract.services {
        let Some(UnitFacts { effective: Observed::Found(unit), .. }) =
            pad.units.get(service.unit.value.as_str())
        else {
            continue;
        };
        let mut words: Vec<String> = unit.words("Unit", "After").into_iter().map(|(word, _)| word).collect();
        let bound: Vec<String> = unit.words("Unit", "BindsTo").into_iter().map(|(word, _)| word).collect();
        let all_named = service.after_units.iter().all(|unit| words.contains(&unit.value))
            && service.binds_to.iter().all(|unit| bound.contains(&unit.value));
        words.extend(bound);
        if let Some(timer) = &service.timer
            && let Some(UnitFacts { effective: Observed::Found(timer), .. }) =
                pad.units.get(timer.value.as_str())
        {
            names.extend(timer.scalar("Timer", "Unit").map(|setting| setting.value().to_owned()));
        }
        let unnamed = words
            .into_iter()
            .filter(|word| word.ends_with(".service") && !pad.units.contains_key(word.as_str()));
        if !all_named {
            names.extend(unnamed);
        }
    }
    names
}

/// Asks systemd about every unit that was read, and the kernel about their main processes.
pub(super) fn ask_systemd(
    worker: &Worker<'_>,
    pad: &mut Pad,
    processes: &mut BTreeMap<u32, Observed<Process>>,
) {
    let Some(ask) = worker.ground.system.ask() else { return };
    let names: Vec<Arc<str>> = pad.units.keys().cloned().collect();
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match ask.units(&names) {
        Observed::Found(mut states) => {
            for (name, unit) in &mut pad.units {
                unit.state = states.remove(name).map_or(Observed::Absent, Observed::Found);
            }
        }
        Observed::Absent => {}
        Observed::Unreadable(why) => {
            for unit in pad.units.values_mut() {
                unit.state = Observed::Unreadable(why.clone());
            }
        }
    }
    if worker.needs(Need::Processes) {
        for unit in pad.units.values() {
            if let Observed::Found(state) = &unit.state
                && state.main_pid > 0
            {
                processes.entry(state.main_pid).or_insert_with(|| ask.process(state.main_pid));
            }
        }
    }
}
