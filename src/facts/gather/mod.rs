//! Fills the facts through the door to the world: what the rules need, no more, each thing once.
//!
//! One gatherer a family. Services are independent of each other, so they are gathered on all processors;
//! each worker has its own [`Pad`] of observations, and the pads are laid together at the end. While
//! systemd and servers answer, the rest of the host is looked at.

mod accounts;
mod approval;
mod boot;
mod configuration;
mod dependencies;
mod environment;
mod generators;
mod git;
mod git_owners;
mod health;
mod host_names;
mod in_force;
mod in_run;
mod libraries;
mod logs;
mod made;
mod manager;
mod mask;
mod misfits;
mod models;
mod names;
mod places;
mod ports;
mod probes;
mod processors;
mod redis_start;
mod repository;
mod required;
mod room;
mod start;
mod state;
mod telemetry;
mod units;
mod unjudged;
mod venvs;
mod version;

pub use dependencies::redis_password;
pub use probes::probe;
pub use telemetry::{Asked, recorded, telemetry};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::thread::ScopedJoinHandle;

use super::made::MountFacts;
use super::misfit::Misfit;
use super::unit::OWN_PROGRAMS;
use super::{
    EnvFileFacts, FileFacts, HostFacts, LogFacts, MissingLibrary, Need, Needs, ProgramFacts, RepositoryFacts,
    SCHEMA, SudoersFiles, UnitFacts, VenvFacts,
};
use room::Room;

use crate::contract::{Contract, Service};
use crate::model::{End, Lookup, Observed};
use crate::system::walk::untrusted;
use crate::system::{System, TEXT_LIMIT, Walker};
use crate::systemd::effective::EffectiveUnit;
use crate::systemd::version::SystemdVersion;

/// Looks at a host for what `needs` names.
pub fn gather(system: &dyn System, contract: &Contract, needs: Needs) -> HostFacts {
    if system.ask().is_some() {
        return gathered(system, contract, needs, None);
    }
    let (mounts, partial) = made::mounts(system);
    let disk = partial.as_ref().map_or(system, |partial| partial as &dyn System);
    let lines = made::Lines::read(disk);
    let booted = lines.obeyed(disk);
    gathered(&booted, contract, needs, Some((mounts, lines)))
}

/// What a boot mounts on a disk, and what it makes there.
type Boot = (MountFacts, made::Lines);

/// The facts of a host that runs, or of a disk with what a boot mounts and makes there.
fn gathered(system: &dyn System, contract: &Contract, needs: Needs, boot: Option<Boot>) -> HostFacts {
    let walker = Walker::new(system);
    let mut facts = nothing_seen(system, needs);
    facts.systemd = version::version(system, &walker);
    let accounts = names::accounts(system, &walker, contract);
    let version = facts.systemd.known().ok().flatten().copied().unwrap_or_default();
    let ground = Ground { system, contract, needs, version, index: OnceLock::new(), accounts: &accounts };
    let worker = Worker { ground: &ground, walker };
    let bus = system.ask().filter(|_| needs.has(Need::Bus));
    let (mut pad, host, answers) = std::thread::scope(|scope| {
        // systemd takes its time to answer; without it another thread costs what it saves.
        let beside = Beside { scope, is_worth_it: bus.is_some() };
        let answers = beside.gather(|| dependencies::ask(&Worker::new(&ground)));
        let host = beside.gather(|| HostPart::gather(&Worker::new(&ground)));
        let parts = each_service(&worker, parts(&ground), described);
        let named = dependencies::named(&worker, &parts);
        let named = beside.gather(|| dependencies::ask_named(&Worker::new(&ground), named));
        let mut pad = Pad::of(each_service(&worker, parts, started));
        if needs.has(Need::Units) {
            units::gather_others(&worker, &mut pad);
            for path in OWN_PROGRAMS {
                pad.look(&worker, path);
            }
        }
        if let Some(ask) = bus {
            let names: Vec<Arc<str>> = pad.units.keys().cloned().collect();
            let states = units::ask_systemd(ask, &names);
            units::take_states(&worker, states, &mut pad, &mut facts.processes);
            // A job that is to be run does not wait for the health of a service.
            if needs.has(Need::Servers) && needs.has(Need::Processes) {
                facts.answers = health::gather(system, ask, contract, &pad);
            }
        }
        facts.values = in_force::gather(&worker, &pad);
        facts.named_servers = named.taken();
        (pad, host.taken(), answers.taken())
    });
    pad.take(host.pad);
    facts.sudoers = host.sudoers;
    facts.logs = host.logs;
    facts.repository = host.repository;
    facts.dependencies = dependencies::gather(&worker, answers, &mut pad);
    facts.names = host_names::asked_for(&worker, &pad);
    facts.processors = processors::asked_for(&worker, &pad);
    facts.listening = ports::gather(&worker, &pad);
    facts.boot = needs.has(Need::Units).then(|| boot::gather(&worker, &pad));
    boot::sockets(&worker, facts.boot.as_ref(), &mut pad);
    facts.manager = needs.has(Need::Units).then(|| manager::gather(&worker, &mut pad)).flatten();
    facts.contract_files = places::contract_files(&worker);
    facts.approval = approval::gather(&worker, &mut pad);
    facts.models = needs.has(Need::Models).then(|| models::gather(&worker, &mut pad)).flatten();
    facts.state = needs.has(Need::State).then(|| state::gather(&worker, &mut pad));
    let asks = needs.has(Need::Start) || needs.has(Need::Places);
    facts.made = boot.filter(|_| asks).map(|boot| made::gather(&worker, boot, &pad));
    facts.access_lists = if asks { unjudged::access_lists(&worker, &pad) } else { BTreeSet::new() };
    facts.unjudged = if asks { unjudged::gather(&worker, &facts.access_lists) } else { Vec::new() };
    facts.accounts = names::with_units(system, accounts, &pad);
    pad.into_facts(&mut facts);
    facts
}

/// Facts of this host, now, in which nothing has been looked at yet.
pub fn nothing_seen(system: &dyn System, needs: Needs) -> HostFacts {
    HostFacts {
        schema: SCHEMA.to_owned(),
        golden: env!("CARGO_PKG_VERSION").to_owned(),
        host: system.host_name(),
        scope: system.scope(),
        time: system.now(),
        caller: system.caller(),
        gathered: needs.looked_at(),
        systemd: Observed::Absent,
        manager: None,
        accounts: Observed::Absent,
        sudoers: Observed::Absent,
        paths: BTreeMap::new(),
        listings: BTreeMap::new(),
        file_systems: BTreeMap::new(),
        mount_points: BTreeMap::new(),
        files: BTreeMap::new(),
        made: None,
        unjudged: Vec::new(),
        access_lists: BTreeSet::new(),
        units: BTreeMap::new(),
        values: BTreeMap::new(),
        names: None,
        processors: None,
        listening: BTreeMap::new(),
        boot: None,
        processes: BTreeMap::new(),
        answers: BTreeMap::new(),
        env_files: BTreeMap::new(),
        programs: BTreeMap::new(),
        mains: BTreeMap::new(),
        path_files: BTreeMap::new(),
        misfits: BTreeMap::new(),
        libraries: BTreeMap::new(),
        venvs: BTreeMap::new(),
        dependencies: BTreeMap::new(),
        named_servers: BTreeMap::new(),
        pythons: BTreeMap::new(),
        repository: None,
        logs: None,
        contract_files: None,
        approval: None,
        state: None,
        models: None,
        telemetry: None,
    }
}

/// What of the host is no unit and no service: looked at while those are.
struct HostPart {
    pad: Pad,
    sudoers: Observed<SudoersFiles>,
    logs: Option<LogFacts>,
    repository: Option<RepositoryFacts>,
}

impl HostPart {
    fn gather(worker: &Worker<'_>) -> Self {
        let mut pad = Pad::default();
        let sudoers = match worker.needs(Need::Sudo) {
            true => accounts::sudoers(worker),
            false => Observed::Absent,
        };
        if worker.needs(Need::Places) {
            places::gather(worker, &mut pad);
        }
        if worker.needs(Need::Mounts) {
            places::mounts(worker, &mut pad);
        }
        let logs = worker.needs(Need::Logs).then(|| logs::gather(worker, &mut pad));
        let repository = match [Need::Repository, Need::Clones, Need::Sources] {
            any if any.iter().any(|need| worker.needs(*need)) => repository::gather(worker, &mut pad),
            _ => None,
        };
        Self { pad, sudoers, logs, repository }
    }
}

/// What every gatherer stands on.
struct Ground<'a> {
    system: &'a (dyn System + 'a),
    contract: &'a Contract,
    needs: Needs,
    version: SystemdVersion,
    index: OnceLock<units::Index>,
    accounts: &'a Observed<crate::syntax::accounts::Accounts>,
}

impl<'a> Ground<'a> {
    /// For a look at one thing, of which no rule asks.
    fn bare(
        system: &'a (dyn System + 'a),
        contract: &'a Contract,
        accounts: &'a Observed<crate::syntax::accounts::Accounts>,
    ) -> Self {
        let (needs, version) = (Needs::default(), SystemdVersion::default());
        Self { system, contract, needs, version, index: OnceLock::new(), accounts }
    }
}

/// One worker: the common ground and a walker of its own.
struct Worker<'a> {
    ground: &'a Ground<'a>,
    walker: Walker<'a, dyn System + 'a>,
}

impl<'a> Worker<'a> {
    fn new(ground: &'a Ground<'a>) -> Self {
        Self { ground, walker: Walker::new(ground.system) }
    }

    fn needs(&self, need: Need) -> bool {
        self.ground.needs.has(need)
    }

    /// The unit directories, listed by whoever needs them first.
    fn index(&self) -> &'a units::Index {
        let Ground { system, needs, index, .. } = self.ground;
        index.get_or_init(|| units::Index::read(*system, &self.walker, *needs))
    }

    /// The bytes of a file, links followed inside the root.
    fn read(&self, lookup: &Lookup) -> Observed<Vec<u8>> {
        self.read_up_to(lookup, TEXT_LIMIT)
    }

    /// The same of a file with at most so many bytes.
    fn read_up_to(&self, lookup: &Lookup, limit: u64) -> Observed<Vec<u8>> {
        content(lookup).and_then(|real| self.ground.system.read(real, limit))
    }

    /// The bytes of a file as far as there is room for them.
    fn read_within(&self, lookup: &Lookup, room: &mut Room) -> Observed<Vec<u8>> {
        if let Err(why) = room.file() {
            return Observed::Unreadable(why);
        }
        self.read(lookup).and_then(|bytes| match room.text(&bytes) {
            Ok(()) => Observed::Found(bytes),
            Err(why) => Observed::Unreadable(why),
        })
    }

    /// The first bytes of a regular file.
    fn beginning(&self, lookup: &Lookup, bytes: u64) -> Observed<Vec<u8>> {
        content(lookup).and_then(|real| self.ground.system.head(real, bytes))
    }

    /// The names in a directory, links followed inside the root.
    fn list(&self, lookup: &Lookup) -> Observed<Vec<String>> {
        content(lookup).and_then(|real| self.ground.system.list(real))
    }
}

/// Where a walk ends whose content may be read: not behind a link that somebody laid out of their own directories.
fn content(lookup: &Lookup) -> Observed<&str> {
    match (&lookup.end, lookup.real(), untrusted(lookup)) {
        (End::Found, Some(_), Some(why)) => Observed::Unreadable(why),
        (End::Found, Some(real), None) => Observed::Found(real),
        (End::Unreadable(path, why), ..) => Observed::Unreadable(format!("{path}: {why}")),
        _ => Observed::Absent,
    }
}

/// What one worker has observed.
#[derive(Default)]
struct Pad {
    paths: BTreeMap<Arc<str>, Lookup>,
    listings: BTreeMap<Arc<str>, Observed<Vec<String>>>,
    file_systems: BTreeMap<Arc<str>, Observed<String>>,
    mount_points: BTreeMap<Arc<str>, Observed<bool>>,
    files: BTreeMap<Arc<str>, Observed<FileFacts>>,
    units: BTreeMap<Arc<str>, UnitFacts>,
    env_files: BTreeMap<Arc<str>, Observed<EnvFileFacts>>,
    programs: BTreeMap<Arc<str>, Observed<ProgramFacts>>,
    mains: BTreeMap<Arc<str>, Observed<String>>,
    path_files: BTreeMap<Arc<str>, Observed<String>>,
    misfits: BTreeMap<Arc<str>, Observed<Vec<Misfit>>>,
    libraries: BTreeMap<Arc<str>, Observed<Vec<MissingLibrary>>>,
    /// What was read to know the libraries.
    libraries_known: libraries::Known,
    venvs: BTreeMap<Arc<str>, Observed<VenvFacts>>,
}

impl Pad {
    /// What all parts have observed.
    fn of(parts: Vec<Part<'_>>) -> Self {
        let pads = parts.into_iter().map(|part| part.pad);
        pads.reduce(|mut all, pad| {
            all.take(pad);
            all
        })
        .unwrap_or_default()
    }

    /// Hands over what was observed.
    fn into_facts(self, facts: &mut HostFacts) {
        facts.paths = self.paths;
        facts.listings = self.listings;
        facts.file_systems = self.file_systems;
        facts.mount_points = self.mount_points;
        facts.files = self.files;
        facts.units = self.units;
        facts.env_files = self.env_files;
        facts.programs = self.programs;
        facts.mains = self.mains;
        facts.path_files = self.path_files;
        facts.misfits = self.misfits;
        facts.libraries = self.libraries;
        facts.venvs = self.venvs;
    }

    /// Lays another pad on this one.
    fn take(&mut self, mut other: Pad) {
        self.paths.append(&mut other.paths);
        self.listings.append(&mut other.listings);
        self.file_systems.append(&mut other.file_systems);
        self.mount_points.append(&mut other.mount_points);
        self.files.append(&mut other.files);
        self.units.append(&mut other.units);
        self.env_files.append(&mut other.env_files);
        self.programs.append(&mut other.programs);
        self.mains.append(&mut other.mains);
        self.path_files.append(&mut other.path_files);
        self.misfits.append(&mut other.misfits);
        self.libraries.append(&mut other.libraries);
        self.venvs.append(&mut other.venvs);
    }

    /// The units that could be read.
    fn loaded(&self) -> impl Iterator<Item = &EffectiveUnit> {
        self.units.values().filter_map(|unit| match &unit.effective {
            Observed::Found(unit) => Some(&**unit),
            _ => None,
        })
    }

    /// A unit that was read.
    fn effective(&self, name: &str) -> Option<&Arc<EffectiveUnit>> {
        self.units.get(name).and_then(|unit| unit.effective.known().ok().flatten())
    }

    /// Looks at a path once.
    fn look(&mut self, worker: &Worker<'_>, path: &str) -> &Lookup {
        if !self.paths.contains_key(path) {
            let lookup = worker.walker.lookup(path);
            self.paths.insert(lookup.asked.clone(), lookup);
        }
        &self.paths[path]
    }

    /// Lists a directory once, links followed.
    fn list(&mut self, worker: &Worker<'_>, path: &str) -> Observed<Vec<String>> {
        if let Some(listing) = self.listings.get(path) {
            return listing.clone();
        }
        let lookup = self.look(worker, path);
        let listing = worker.list(lookup);
        self.listings.insert(path.into(), listing.clone());
        listing
    }
}

/// Services that one worker looks at, and what it has observed.
struct Part<'a> {
    services: &'a [Service],
    pad: Pad,
    /// The one who looks; `None` where there is one part alone, which the caller looks at.
    worker: Option<Worker<'a>>,
}

/// Services in as many parts as there are workers for them; one part of no services.
fn parts<'a>(ground: &'a Ground<'a>) -> Vec<Part<'a>> {
    let services = &ground.contract.services;
    let workers = crate::facts::workers(services.len());
    if workers == 1 {
        return vec![Part { services, pad: Pad::default(), worker: None }];
    }
    let part = |services| Part { services, pad: Pad::default(), worker: Some(Worker::new(ground)) };
    services.chunks(services.len().div_ceil(workers)).map(part).collect()
}

/// Does the same for each service, each part on a processor of its own.
fn each_service<'a>(
    worker: &Worker<'_>,
    mut parts: Vec<Part<'a>>,
    gather: fn(&Worker<'_>, &Service, &mut Pad),
) -> Vec<Part<'a>> {
    let through = |worker: &Worker<'_>, services: &[Service], pad: &mut Pad| {
        services.iter().for_each(|service| gather(worker, service, pad));
    };
    std::thread::scope(|scope| {
        for Part { services, pad, worker: own } in &mut parts {
            match own {
                Some(own) => drop(scope.spawn(move || through(own, services, pad))),
                None => through(worker, services, pad),
            }
        }
    });
    parts
}

/// What a thread found. A panic goes on where it would have gone without the thread.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A service as it is written: its unit and what is in its environment.
fn described(worker: &Worker<'_>, service: &Service, pad: &mut Pad) {
    units::gather(worker, &service.unit.value, pad);
    environment::gather(worker, service, pad);
}

/// A service as it starts: programs, directories, its venv.
fn started(worker: &Worker<'_>, service: &Service, pad: &mut Pad) {
    if worker.needs(Need::Start) {
        start::gather(worker, service, pad);
    }
    if worker.needs(Need::Venvs) {
        venvs::gather(worker, service, pad);
    }
}

/// Where looks are made beside the others.
struct Beside<'scope, 'env> {
    scope: &'scope std::thread::Scope<'scope, 'env>,
    is_worth_it: bool,
}

/// What is gathered there.
enum Gathered<'scope, T> {
    Now(T),
    Beside(ScopedJoinHandle<'scope, T>),
}

impl<'scope> Beside<'scope, '_> {
    fn gather<T: Send + 'scope>(&self, look: impl FnOnce() -> T + Send + 'scope) -> Gathered<'scope, T> {
        match self.is_worth_it {
            true => Gathered::Beside(self.scope.spawn(look)),
            false => Gathered::Now(look()),
        }
    }
}

impl<T> Gathered<'_, T> {
    /// Waits for it. A panic in there goes on here.
    fn taken(self) -> T {
        match self {
            Gathered::Now(gathered) => gathered,
            Gathered::Beside(thread) => joined(thread),
        }
    }
}
