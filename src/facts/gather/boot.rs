//! What leads from the boot to the contract's units: links first, and the text of every unit only where links do not
//! say it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Pad, Worker, generators, units};
use crate::facts::UnitFacts;
use crate::facts::boot::{BootFacts, BootNode, NodeState, Pull, Reached, started};
use crate::facts::generators::Generators;
use crate::facts::start::takes_descriptors;
use crate::model::{Location, Observed};
use crate::systemd::effective::{EffectiveUnit, LoadState, TRIGGERS};
use crate::systemd::unit_name::UnitName;

/// Settings by which a unit starts others (systemd.unit(5)).
const STARTS: [&str; 4] = ["Wants", "Requires", "BindsTo", "Upholds"];

/// More instances than this that no link names are not read.
const MOST_INSTANCES: usize = 5000;

/// The graph below the units that a boot has to come to.
pub(super) fn gather(worker: &Worker<'_>, pad: &Pad) -> BootFacts {
    let mut subjects: Vec<String> = worker.ground.contract.services.iter().filter_map(started).collect();
    subjects.extend(requisites(worker, pad));
    let mut graph = Graph {
        worker,
        pad,
        boot: BootFacts::default(),
        done: BTreeSet::new(),
        texts: None,
        instances: BTreeMap::new(),
    };
    worker.index().linked_instances().iter().for_each(|name| graph.instance(name));
    graph.boot.default = worker.index().own_name("default.target");
    let is_disk = worker.ground.system.ask().is_none();
    graph.boot.generators = if is_disk { generators::foreign(worker) } else { Generators::default() };
    subjects.iter().for_each(|name| graph.add(name));
    // What a socket unit starts stands in its text alone.
    let takers = takers(pad);
    let is_open = |graph: &Graph<'_, '_>, name: &str| graph.boot.reaches(name) != Reached::Yes;
    if !takers.is_empty() || subjects.iter().any(|name| is_open(&graph, name)) {
        graph.read_texts();
        subjects.iter().chain(&takers).for_each(|name| graph.add(name));
    }
    graph.boot
}

/// Reads the socket units that may hand descriptors to services.
pub(super) fn sockets(worker: &Worker<'_>, boot: Option<&BootFacts>, pad: &mut Pad) {
    for taker in takers(pad) {
        let named = pad
            .effective(&taker)
            .into_iter()
            .flat_map(|unit| unit.words("Service", "Sockets"))
            .map(|(name, _)| name);
        let pulling =
            boot.into_iter().flat_map(|boot| boot.sockets_of(&taker)).map(|socket| socket.to_string());
        for name in named.chain(pulling).collect::<Vec<_>>() {
            units::gather(worker, &name, pad);
        }
    }
}

/// Services of the contract, and units that they require, whose start needs a descriptor that a socket unit hands over.
fn takers(pad: &Pad) -> Vec<String> {
    let takers = pad.loaded().filter(|unit| unit.name.kind() == "service" && takes_descriptors(unit));
    takers.map(|unit| unit.name.as_str().to_owned()).collect()
}

/// Units that services require and do not start themselves, so that something else must have.
fn requisites(worker: &Worker<'_>, pad: &Pad) -> BTreeSet<String> {
    let services = worker.ground.contract.services.iter();
    let units = services.filter_map(|service| pad.effective(&service.unit.value));
    let words = units.flat_map(|unit| unit.words("Unit", "Requisite"));
    words.map(|(name, _)| name).collect()
}

struct Graph<'w, 'a> {
    worker: &'w Worker<'a>,
    pad: &'w Pad,
    boot: BootFacts,
    /// Names that are in it, with what leads to them.
    done: BTreeSet<Arc<str>>,
    /// What every unit's text starts; read when links do not lead to the boot.
    texts: Option<BTreeMap<Arc<str>, Vec<Pull>>>,
    /// Instances that links or texts name, by their templates.
    instances: BTreeMap<String, BTreeSet<Arc<str>>>,
}

impl Graph<'_, '_> {
    /// Adds a unit and everything that leads to it.
    fn add(&mut self, name: &str) {
        let mut waiting: Vec<Arc<str>> = vec![name.into()];
        while let Some(asked) = waiting.pop() {
            if !self.done.insert(asked.clone()) {
                continue;
            }
            let (name, effective) = self.look(&asked);
            if *name != *asked {
                self.boot.names.insert(asked, name.clone());
                waiting.push(name);
                continue;
            }
            let node = self.node(&name, &effective);
            waiting.extend(node.pulled_by.iter().map(|pull| pull.by.clone()));
            self.boot.nodes.insert(name, node);
        }
    }

    /// The unit's own name, and what it is.
    fn look(&self, name: &str) -> (Arc<str>, Observed<Arc<EffectiveUnit>>) {
        let effective = match self.pad.units.get(name) {
            Some(UnitFacts { effective, .. }) => effective.clone(),
            None => units::effective(self.worker, name).map(Arc::new),
        };
        let own = match &effective {
            Observed::Found(unit) => unit.name.as_str().into(),
            _ => name.into(),
        };
        (own, effective)
    }

    fn node(&self, name: &Arc<str>, effective: &Observed<Arc<EffectiveUnit>>) -> BootNode {
        let (state, names) = match effective {
            Observed::Found(unit) => {
                let state = match unit.load {
                    LoadState::Loaded => NodeState::Loaded,
                    LoadState::NotFound => NodeState::Absent,
                    LoadState::Masked => NodeState::Masked,
                    LoadState::BadSetting(..) | LoadState::Error(..) => NodeState::Refused,
                };
                (state, unit.names().map(str::to_owned).collect())
            }
            Observed::Absent => (NodeState::Absent, vec![name.to_string()]),
            Observed::Unreadable(why) => (NodeState::Unread(why.clone()), vec![name.to_string()]),
        };
        let mut pulled_by: Vec<Pull> = names.iter().flat_map(|name| self.links(name)).collect();
        for name in &names {
            pulled_by
                .extend(self.texts.iter().filter_map(|texts| texts.get(name.as_str())).flatten().cloned());
        }
        pulled_by.extend(names.iter().flat_map(|name| self.triggers(name)));
        let pulled_by = pulled_by.into_iter().flat_map(|pull| self.of_instances(pull)).collect();
        let is_administrators = |unit: &Arc<EffectiveUnit>| unit.location().path().starts_with("/etc/");
        let is_packaged = matches!(effective, Observed::Found(unit) if !is_administrators(unit));
        BootNode { state, is_packaged, pulled_by }
    }

    /// The links that stand for `Wants=` and kin of other units. What was linked for this boot alone is gone at the next.
    fn links(&self, name: &str) -> Vec<Pull> {
        let links = self.worker.index().links_to(name);
        let lasting = links
            .iter()
            .filter(|link| !link.starts_with("/run/") || link.starts_with("/run/systemd/generator"));
        let pull = |link: &Arc<str>| {
            let (by, _) = link.rsplit('/').nth(1)?.rsplit_once('.')?;
            Some(Pull { by: by.into(), at: Location::file(link.clone()) })
        };
        lasting.filter_map(pull).collect()
    }

    /// Takes down that there is this instance of a template.
    fn instance(&mut self, name: &Arc<str>) {
        if let Some(template) = UnitName::parse(name).ok().and_then(|name| name.template()) {
            self.instances.entry(template.as_str().to_owned()).or_default().insert(name.clone());
        }
    }

    /// What a template starts, each of its instances starts.
    fn of_instances(&self, pull: Pull) -> Vec<Pull> {
        let Some(template) = UnitName::parse(&pull.by).ok().filter(|name| name.instance() == Some("")) else {
            return vec![pull];
        };
        let instances = self.instances.get(template.as_str()).into_iter().flatten();
        let mut all: Vec<Pull> = instances.map(|by| Pull { by: by.clone(), at: pull.at.clone() }).collect();
        all.push(pull);
        all
    }

    /// The timer, socket and path of the same name.
    fn triggers(&self, name: &str) -> Vec<Pull> {
        let Some(stem) = name.strip_suffix(".service") else { return Vec::new() };
        let pull = |kind: &str| {
            let by = format!("{stem}.{kind}");
            // Whether one that cannot be read starts it is said where the texts of all units are read.
            let Observed::Found(unit) = self.look(&by).1 else { return None };
            let is_it =
                unit.load == LoadState::Loaded && unit.started().is_some_and(|(started, _)| started == name);
            is_it.then(|| Pull { by: by.into(), at: unit.location() })
        };
        TRIGGERS.iter().filter_map(|trigger| pull(trigger.kind)).collect()
    }

    /// Reads what every unit of the host starts, and every instance that another one or a link names.
    fn read_texts(&mut self) {
        let mut texts: BTreeMap<Arc<str>, Vec<Pull>> = BTreeMap::new();
        // What links enable is among them, instances too.
        let mut waiting = self.worker.index().names();
        waiting.reverse();
        let mut seen: BTreeSet<Arc<str>> = waiting.iter().cloned().collect();
        let most = seen.len() + MOST_INSTANCES;
        while let Some(by) = waiting.pop() {
            let unit = match self.look(&by).1 {
                Observed::Found(unit) => unit,
                Observed::Absent => continue,
                Observed::Unreadable(why) => {
                    self.boot.unread.get_or_insert_with(|| format!("{by} could not be read: {why}"));
                    continue;
                }
            };
            let words = STARTS.iter().flat_map(|key| unit.words("Unit", key));
            let named = words.map(|(word, setting)| (word, setting.at.clone()));
            let started = unit.started().map(|(name, setting)| {
                (name, setting.map_or_else(|| unit.location(), |setting| setting.at.clone()))
            });
            for (name, at) in named.chain(started) {
                let name: Arc<str> = name.into();
                if is_instance(&name) && !seen.contains(&name) {
                    // An instance may name further ones by its own name.
                    if seen.len() == most {
                        self.boot.unread =
                            Some(format!("units start more than {MOST_INSTANCES} instances of templates"));
                        continue;
                    }
                    seen.insert(name.clone());
                    waiting.push(name.clone());
                }
                texts.entry(name).or_default().push(Pull { by: by.clone(), at });
            }
        }
        seen.iter().for_each(|name| self.instance(name));
        self.texts = Some(texts);
        self.done.clear();
    }
}

fn is_instance(name: &str) -> bool {
    UnitName::parse(name).is_ok_and(|name| name.instance().is_some_and(|instance| !instance.is_empty()))
}
