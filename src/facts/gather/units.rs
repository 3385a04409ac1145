//! Effective units: all directories in systemd's precedence, drop-ins of every level, aliases, masks,
//! templates and instances, and the links that enable a unit.
//!
//! The unit directories are listed once, into an [`Index`]; ten thousand units in one directory cost one
//! listing, not ten thousand searches.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use super::mask::is_masked;
use super::{Pad, Worker, host_names, manager, required};
use crate::contract::Service;
use crate::facts::{Need, Needs, UnitFacts};
use crate::model::answers::{Process, UnitStates};
use crate::model::{End, Entry, NodeKind, Observed, Step, leads_to};
use crate::syntax::unit_file::{self, UnitFile};
use crate::system::{Ask, System, Walker};
use crate::systemd::calendar;
use crate::systemd::effective::{EffectiveUnit, LoadState};
use crate::systemd::search::{self, DropIn, Link, UNIT_DIRECTORIES};
use crate::systemd::specifier::{self, HostNames, Specifiers};
use crate::systemd::unit_name::UnitName;

/// Where a unit file name leads.
enum Place {
    /// A file, or a link to one that is no other unit, in this unit directory.
    File(Arc<str>),
    /// A link to the unit file of another name.
    Alias(Arc<str>),
}

/// A link below a unit's `*.wants` or `*.requires`, which counts as that setting of the unit.
struct Pull {
    key: &'static str,
    unit: Arc<str>,
    link: Arc<str>,
}

/// What lies in the unit directories, listed once.
pub(super) struct Index {
    /// Unit directories that exist with their real paths, in order of precedence; a directory that is reached
    /// twice by a link (`/lib` and `/usr/lib`) counts once.
    directories: Vec<(Arc<str>, Arc<str>)>,
    /// Unit file name to the first place that has it.
    files: HashMap<Arc<str>, Place>,
    /// Unit name to the other names that lead to it.
    aliases: HashMap<UnitName, Vec<UnitName>>,
    /// Drop-in directory name (`x.service.d`) to its places (positions in `directories`), in order.
    drop_ins: HashMap<Arc<str>, Vec<usize>>,
    /// Unit name to its own `*.wants` and `*.requires`: the setting, the unit it names, the link.
    pulls: HashMap<Arc<str>, Vec<Pull>>,
    /// Unit name to the links below `*.wants`, `*.requires` and `*.upholds` that name it.
    enabled_by: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// Directories that could not be listed.
    unread: Vec<String>,
    /// Read for the first specifier that stands for one.
    names: OnceLock<HostNames>,
    /// Read for the first unit.
    environment: OnceLock<Observed<manager::Environment>>,
}

impl Index {
    /// Lists the unit directories, when any rule needs units.
    pub(super) fn read<'a>(
        system: &'a (dyn System + 'a),
        walker: &Walker<'a, dyn System + 'a>,
        needs: Needs,
    ) -> Index {
        let mut index = Index {
            directories: Vec::new(),
            files: HashMap::new(),
            aliases: HashMap::new(),
            drop_ins: HashMap::new(),
            pulls: HashMap::new(),
            enabled_by: HashMap::new(),
            unread: Vec::new(),
            names: OnceLock::new(),
            environment: OnceLock::new(),
        };
        if !needs.has(Need::Fragments) {
            return index;
        }
        let mut seen = BTreeSet::new();
        for directory in UNIT_DIRECTORIES {
            let lookup = walker.lookup(directory);
            match (&lookup.end, lookup.real()) {
                (End::Found, Some(real)) if seen.insert(real.to_owned()) => {
                    index.directories.push(((*directory).into(), real.into()));
                }
                (End::Unreadable(path, why), _) => index.unread.push(format!("{path}: {why}")),
                _ => {}
            }
        }
        for rank in 0..index.directories.len() {
            index.list(system, rank, needs);
        }
        index.find_aliases();
        index
    }

    fn list(&mut self, system: &dyn System, rank: usize, needs: Needs) {
        let (directory, real) = self.directories[rank].clone();
        let names = match system.entries(&real) {
            Observed::Found(names) => names,
            Observed::Absent => return,
            Observed::Unreadable(why) => return self.unread.push(format!("{directory}: {why}")),
        };
        for Entry { name, kind, target } in names {
            if name.ends_with(".d") {
                self.drop_ins.entry(name.into()).or_default().push(rank);
            } else if [".wants", ".requires", ".upholds"].iter().any(|suffix| name.ends_with(suffix)) {
                if needs.has(Need::Units) {
                    self.list_links(system, &directory, &real, &name);
                }
            } else if !self.files.contains_key(name.as_str())
                && let Some(place) = self.place(&directory, &real, &name, kind, target)
            {
                self.files.insert(name.into(), place);
            }
        }
    }

    /// Where a name in a unit directory leads; `None` where systemd passes the link over.
    fn place(
        &self,
        directory: &Arc<str>,
        real: &str,
        name: &str,
        kind: NodeKind,
        target: Option<Arc<str>>,
    ) -> Option<Place> {
        let file = Some(Place::File(directory.clone()));
        if kind != NodeKind::Link {
            return file;
        }
        let Some(target) = target else { return file };
        let target = leads_to(real, &target);
        let inside =
            |directory: &str| target.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
        let Ok(name) = UnitName::parse(name) else { return file };
        // A link out of the unit directories is the unit, whatever its target is called.
        if !UNIT_DIRECTORIES
            .iter()
            .copied()
            .chain(self.directories.iter().map(|(_, real)| &**real))
            .any(inside)
        {
            return file;
        }
        let target = target.rsplit('/').next().unwrap_or(&target);
        match search::link(&name, target) {
            Link::Same if target == name.as_str() => file,
            // An instance that leads to its template is read from the template's file.
            Link::Same | Link::Alias(..) => Some(Place::Alias(target.into())),
            Link::Invalid => None,
        }
    }

    fn find_aliases(&mut self) {
        let mut aliases: HashMap<UnitName, Vec<UnitName>> = HashMap::new();
        for (name, place) in &self.files {
            if matches!(place, Place::Alias(_))
                && let Ok(name) = UnitName::parse(name)
                && let Some((own, _)) = self.resolve(&name)
            {
                aliases.entry(own).or_default().push(name);
            }
        }
        for names in aliases.values_mut() {
            names.sort();
        }
        self.aliases = aliases;
    }

    /// The unit's own name and the path of its file.
    fn resolve(&self, name: &UnitName) -> Option<(UnitName, String)> {
        let mut own = name.clone();
        let mut file: Arc<str> = name.as_str().into();
        // Chains of links end like any chain of links.
        for _ in 0..16 {
            let place = self.files.get(&file).or_else(|| {
                file = UnitName::parse(&file).ok()?.template()?.as_str().into();
                self.files.get(&file)
            })?;
            match place {
                Place::File(directory) => return Some((own, format!("{directory}/{file}"))),
                Place::Alias(target) => {
                    if let Link::Alias(other, _) = search::link(&own, target) {
                        own = other;
                    }
                    file = target.clone();
                }
            }
        }
        None
    }

    /// The name of the unit that a name leads to.
    pub(super) fn own_name(&self, name: &str) -> Option<Arc<str>> {
        let (own, _) = self.resolve(&UnitName::parse(name).ok()?)?;
        Some(own.as_str().into())
    }

    /// The links below `*.wants`, `*.requires` and `*.upholds` that name a unit.
    pub(super) fn links_to(&self, name: &str) -> &[Arc<str>] {
        self.enabled_by.get(name).map_or(&[], Vec::as_slice)
    }

    /// The instances of templates that links name, sorted.
    pub(super) fn linked_instances(&self) -> BTreeSet<Arc<str>> {
        let is_instance = |name: &&Arc<str>| {
            UnitName::parse(name).is_ok_and(|name| name.instance().is_some_and(|of| !of.is_empty()))
        };
        self.enabled_by.keys().filter(is_instance).cloned().collect()
    }

    /// The names of all unit files and of what links enable, sorted; of templates nothing is started.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        let is_unit = |name: &&Arc<str>| UnitName::parse(name).is_ok_and(|name| name.instance() != Some(""));
        let all = self.files.keys().chain(self.enabled_by.keys());
        let mut names: Vec<Arc<str>> = all.filter(is_unit).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// The other names of a unit: those of links to it, and of links to its template.
    fn other_names(&self, own: &UnitName, asked: &UnitName) -> Vec<UnitName> {
        let mut names: Vec<UnitName> = self.aliases.get(own).into_iter().flatten().cloned().collect();
        if let (Some(template), Some(instance)) = (own.template(), own.instance()) {
            let of_template = self.aliases.get(&template).into_iter().flatten();
            names.extend(of_template.filter_map(|name| name.instantiate(instance)));
        }
        names.push(asked.clone());
        names.sort();
        names.dedup();
        names.retain(|name| name != own);
        names
    }

    /// Takes the links below a unit's `*.wants` or its kin. Measured on 252 and 257: what is no link is passed over, and so is
    /// a link to /dev/null; where any other leads does not matter.
    fn list_links(&mut self, system: &dyn System, directory: &str, real: &str, name: &str) {
        let Some((unit, kind)) = name.rsplit_once('.') else { return };
        if UnitName::parse(unit).is_err() {
            return;
        }
        match system.entries(&format!("{real}/{name}")) {
            Observed::Found(links) => {
                for Entry { name: link, kind: node, target } in links {
                    if node != NodeKind::Link || target.as_deref() == Some("/dev/null") {
                        continue;
                    }
                    let path: Arc<str> = format!("{directory}/{name}/{link}").into();
                    let key = [("wants", "Wants"), ("requires", "Requires")];
                    if let Some((_, key)) = key.into_iter().find(|(suffix, _)| *suffix == kind) {
                        let pull = Pull { key, unit: link.as_str().into(), link: path.clone() };
                        self.pulls.entry(unit.into()).or_default().push(pull);
                    }
                    self.enabled_by.entry(link.into()).or_default().push(path);
                }
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => self.unread.push(format!("{directory}/{name}: {why}")),
        }
    }
}

impl specifier::Host for Worker<'_> {
    fn names(&self) -> &HostNames {
        self.index().names.get_or_init(|| host_names::of(self.ground.system, &self.walker))
    }
}

/// Reads one unit with everything that shapes it.
pub(super) fn gather(worker: &Worker<'_>, name: &str, pad: &mut Pad) {
    if !worker.needs(Need::Fragments) || pad.units.contains_key(name) {
        return;
    }
    let index = worker.index();
    let effective = match index.unread.first() {
        Some(why) => Observed::Unreadable(format!("a unit directory could not be listed: {why}")),
        None => effective(worker, name).map(Arc::new),
    };
    let names = match &effective {
        Observed::Found(unit) => unit.names().map(str::to_owned).collect(),
        _ => vec![name.to_owned()],
    };
    look_at_files(worker, name, &effective, pad);
    let drop_in_directories = drop_in_directories(worker, &names);
    for directory in &drop_in_directories {
        pad.look(worker, directory);
    }
    let enabled_by = names.iter().filter_map(|name| index.enabled_by.get(name.as_str())).flatten().cloned();
    let facts = UnitFacts {
        effective,
        enabled_by: Observed::Found(enabled_by.collect()),
        drop_in_directories,
        state: Observed::Absent,
    };
    pad.units.insert(name.into(), facts);
}

/// The paths of all drop-in directories of a unit with these names.
fn drop_in_directories(worker: &Worker<'_>, names: &[String]) -> Vec<Arc<str>> {
    let index = worker.index();
    let names: Vec<UnitName> = names.iter().filter_map(|name| UnitName::parse(name).ok()).collect();
    let mut found = Vec::new();
    for name in search::drop_in_directories(&names).into_iter().flatten() {
        for rank in index.drop_ins.get(name.as_str()).into_iter().flatten() {
            found.push(format!("{}/{name}", index.directories[*rank].0).into());
        }
    }
    found
}

/// The files of a unit as files: their times, where links lead, what lies below a mask.
fn look_at_files(worker: &Worker<'_>, name: &str, effective: &Observed<Arc<EffectiveUnit>>, pad: &mut Pad) {
    let Observed::Found(unit) = effective else { return };
    for file in unit.files() {
        pad.look(worker, file);
    }
    pad.look(worker, &format!("{}/{name}", search::OWN_DIRECTORY));
    if unit.load == LoadState::NotFound || unit.load == LoadState::Masked {
        for directory in UNIT_DIRECTORIES {
            pad.look(worker, &format!("{directory}/{name}"));
        }
    }
}

/// A unit with everything that shapes it.
pub(super) fn effective(worker: &Worker<'_>, name: &str) -> Observed<EffectiveUnit> {
    let Ok(unit_name) = UnitName::parse(name) else {
        return Observed::Unreadable(format!("{name:?} is not a unit name"));
    };
    let index = worker.index();
    let Some((own, path)) = index.resolve(&unit_name) else {
        return Observed::Found(EffectiveUnit::not_found(&unit_name));
    };
    let fragment = match read_fragment(worker, &path) {
        Ok(Fragment::Missing) => return Observed::Found(EffectiveUnit::not_found(&unit_name)),
        Ok(Fragment::Masked) => return Observed::Found(EffectiveUnit::masked(&unit_name, path.into())),
        Ok(Fragment::File(file)) => file,
        Err(why) => return Observed::Unreadable(why),
    };
    // A unit takes the drop-ins of every one of its names.
    let mut names = vec![own.clone()];
    names.extend(index.other_names(&own, &unit_name));
    let drop_ins = match drop_ins(worker, &names) {
        Ok(drop_ins) => drop_ins,
        Err(why) => return Observed::Unreadable(why),
    };
    let environment = match index.environment.get_or_init(|| manager::environment(worker)) {
        Observed::Found(lines) => lines.as_slice(),
        Observed::Absent => &[],
        Observed::Unreadable(why) => return Observed::Unreadable(why.clone()),
    };
    let path = fragment.path.clone();
    let version = worker.ground.version;
    let specifiers = Specifiers::new(&own, Some(&path), Some(worker), version);
    let mut unit = EffectiveUnit::merge(&own, fragment, drop_ins, &specifiers, version);
    // Measured on 252 and 257: what lies below the `*.wants` of a template counts for each of its instances.
    let templates: BTreeSet<UnitName> = names.iter().filter_map(UnitName::template).collect();
    let named = names.iter().chain(&templates);
    for pull in named.filter_map(|name| index.pulls.get(name.as_str())).flatten() {
        unit.add_link(pull.key, &pull.unit, pull.link.clone());
    }
    Observed::Found(unit.with_environment(environment).with_aliases(names.split_off(1)))
}

enum Fragment {
    Missing,
    Masked,
    File(UnitFile),
}

fn read_fragment(worker: &Worker<'_>, path: &str) -> Result<Fragment, String> {
    let lookup = worker.walker.lookup(path);
    if is_masked(&worker.walker, path) {
        return Ok(Fragment::Masked);
    }
    match lookup.node() {
        Ok(Some(step)) if step.meta.kind == NodeKind::File => {}
        Ok(_) => return Ok(Fragment::Missing),
        Err(undecided) => return Err(undecided.why),
    }
    match worker.read(&lookup) {
        Observed::Found(bytes) if bytes.is_empty() => Ok(Fragment::Masked),
        Observed::Found(bytes) => Ok(Fragment::File(unit_file::parse(&path.into(), &bytes))),
        Observed::Absent => Ok(Fragment::Missing),
        Observed::Unreadable(why) => Err(format!("{path}: {why}")),
    }
}

/// The drop-ins that apply to a unit of these names, in order of application.
fn drop_ins(worker: &Worker<'_>, names: &[UnitName]) -> Result<Vec<UnitFile>, String> {
    let mut files = Vec::new();
    for path in drop_in_paths(worker, names)? {
        let lookup = worker.walker.lookup(&path);
        match lookup.node() {
            Ok(Some(step)) if step.meta.kind == NodeKind::File => {}
            // A directory or a link that leads nowhere hides others of its name and says nothing.
            Ok(_) => continue,
            Err(undecided) => return Err(undecided.why),
        }
        match worker.read(&lookup) {
            Observed::Found(bytes) => files.push(unit_file::parse(&path.as_str().into(), &bytes)),
            Observed::Absent => {}
            Observed::Unreadable(why) => return Err(format!("{path}: {why}")),
        }
    }
    Ok(files)
}

fn drop_in_paths(worker: &Worker<'_>, names: &[UnitName]) -> Result<Vec<String>, String> {
    let index = worker.index();
    let mut listed = Vec::new();
    for (group, directories) in search::drop_in_directories(names).into_iter().enumerate() {
        for directory_name in directories {
            for rank in index.drop_ins.get(directory_name.as_str()).into_iter().flatten() {
                let Some(directory) = drop_in_directory(worker, *rank, &directory_name)? else { continue };
                let files = match worker.ground.system.list(&directory) {
                    Observed::Found(files) => files,
                    Observed::Absent => continue,
                    Observed::Unreadable(why) => return Err(format!("{directory}: {why}")),
                };
                for file in files.into_iter().filter(|file| search::is_drop_in(file)) {
                    let path = format!("{directory}/{file}");
                    let masked = is_masked(&worker.walker, &path);
                    listed.push(DropIn { path, file, group, directory_rank: *rank, masked });
                }
            }
        }
    }
    Ok(search::surviving_drop_ins(listed))
}

/// The real path of a drop-in directory, if it is one.
fn drop_in_directory(worker: &Worker<'_>, rank: usize, name: &str) -> Result<Option<String>, String> {
    let index = worker.index();
    let path = format!("{}/{name}", index.directories[rank].1);
    let lookup = worker.walker.lookup(&path);
    let Some(step) = lookup.node().map_err(|undecided| undecided.why)? else { return Ok(None) };
    let real = step.path.to_string();
    let parent = real.rsplit_once('/').map_or("", |(parent, _)| parent);
    // Measured on 252 and 257: a relative link to a directory beside it is not followed, an absolute one is.
    let beside = index.directories.iter().any(|(_, real)| **real == *parent);
    let relative = matches!(worker.walker.lookup_no_follow(&path).node(), Ok(Some(Step { target: Some(target), .. })) if !target.starts_with('/'));
    let is_read = step.meta.kind == NodeKind::Directory && !(beside && relative);
    Ok(is_read.then_some(real))
}

/// Units that services refer to: those of their dependencies, their timers, and what activates them.
pub(super) fn gather_others(worker: &Worker<'_>, pad: &mut Pad) {
    let contract = worker.ground.contract;
    let dependencies = contract.dependencies.values().filter_map(|dependency| dependency.unit.as_ref());
    let timers = contract.services.iter().filter_map(|service| service.timer.as_ref());
    for unit in dependencies.chain(timers) {
        gather(worker, &unit.value, pad);
    }
    for unit in contract.services.iter().filter_map(crate::contract::Service::activated_by) {
        gather(worker, &unit, pad);
    }
    look_at_zones(worker, pad);
    required::gather(worker, pad);
    for name in possible_aliases(worker, pad) {
        gather(worker, &name, pad);
    }
}

/// The time zones that timers name, in the database that systemd asks.
fn look_at_zones(worker: &Worker<'_>, pad: &mut Pad) {
    let timers = worker.ground.contract.services.iter().filter_map(|service| service.timer.as_ref());
    let units =
        timers.filter_map(|timer| pad.units.get(timer.value.as_str())?.effective.known().ok().flatten());
    let expressions = units.flat_map(|unit| unit.assignments("Timer", "OnCalendar"));
    let zones: BTreeSet<String> =
        expressions.filter_map(|setting| calendar::parse(setting.value()).ok()?.zone).collect();
    for zone in zones {
        pad.look(worker, calendar::ZONE_DIRECTORY);
        pad.look(worker, &format!("{}/{zone}", calendar::ZONE_DIRECTORY));
    }
}

/// Names that may be other names of what a service should follow or be started by: in its order lines, unless those name
/// all of it by its own name, and in what starts it.
fn possible_aliases(worker: &Worker<'_>, pad: &Pad) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let read = |name: &str| match &pad.units.get(name)?.effective {
        Observed::Found(unit) => Some(unit),
        _ => None,
    };
    for service in &worker.ground.contract.services {
        let Some(unit) = read(&service.unit.value) else { continue };
        let words = |key: &str| unit.words("Unit", key).into_iter().map(|(word, _)| word);
        let (after, bound): (Vec<String>, Vec<String>) =
            (words("After").collect(), words("BindsTo").collect());
        let all_named = service.after_units.iter().all(|unit| after.contains(&unit.value))
            && service.binds_to.iter().all(|unit| bound.contains(&unit.value));
        if !all_named {
            names.extend(after.into_iter().chain(bound));
        }
        let timer = service.timer.as_ref().map(|timer| timer.value.clone());
        let triggers = timer.into_iter().chain(service.activated_by());
        names.extend(triggers.filter_map(|name| Some(read(&name)?.started()?.0)));
    }
    names.retain(|name| !pad.units.contains_key(name.as_str()));
    names
}

/// Asks systemd about the units that were read.
pub(super) fn ask_systemd(ask: &dyn Ask, names: &[Arc<str>]) -> Observed<UnitStates> {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    ask.units(&names)
}

/// Lays systemd's answers to the units, and asks the kernel about their main processes.
pub(super) fn take_states(
    worker: &Worker<'_>,
    states: Observed<UnitStates>,
    pad: &mut Pad,
    processes: &mut BTreeMap<u32, Observed<Process>>,
) {
    let Some(ask) = worker.ground.system.ask() else { return };
    match states {
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
        let services = worker.ground.contract.services.iter();
        let services: BTreeMap<&str, &Service> =
            services.map(|service| (service.unit.value.as_str(), service)).collect();
        for (name, unit) in &pad.units {
            if let Observed::Found(state) = &unit.state
                && state.main_pid > 0
            {
                let demands = services.get(&**name).map_or(&[][..], |service| &service.variables);
                let variables: Vec<&str> = demands.iter().map(|demand| demand.name.as_ref()).collect();
                let look = || ask.process(state.main_pid, &variables);
                processes.entry(state.main_pid).or_insert_with(look);
            }
        }
    }
}
