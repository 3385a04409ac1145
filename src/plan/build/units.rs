//! The units of a plan: their files, and what of systemd's own state differs, in the order in which units need each
//! other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Builder;
use crate::contract::{Health, Service};
use crate::model::Observed;
use crate::model::answers::UnitStates;
use crate::model::change::{Change, Verb};
use crate::plan::Step;
use crate::render::{Artefact, What};

impl Builder<'_> {
    pub(super) fn units(&mut self, artefacts: &[Artefact]) {
        for artefact in artefacts.iter().filter(|one| one.what == What::Units) {
            self.unit_file(artefact);
        }
    }

    /// The file of one unit.
    pub(super) fn unit_file(&mut self, artefact: &Artefact) {
        let Some(file) = &artefact.on_host else { return };
        let name = file.path.rsplit('/').next().unwrap_or_default().to_owned();
        // A unit of that name that lies elsewhere, or is masked, is somebody else's.
        let is_new = matches!(self.now(&file.path), Some(super::Now::Absent));
        if is_new && self.unit_lies_elsewhere(&name, &file.path) {
            return;
        }
        if self.write(&name, file, artefact.mode, &artefact.content) {
            self.reload = true;
            if is_new {
                self.made.insert(name.clone());
            }
            self.changed.insert(name);
        } else {
            self.give_back(&name, file, artefact);
        }
    }

    fn unit_lies_elsewhere(&mut self, name: &str, path: &str) -> bool {
        let places: Vec<String> = places_of(name).filter(|place| place != path).collect();
        places.iter().any(|place| self.exists(place))
    }

    /// What golden made is loaded, enabled and started; what it changed is taken up.
    pub(super) fn states(&mut self) {
        let Some(ask) = self.system.ask() else { return };
        if self.changed.is_empty() && !self.reload {
            return;
        }
        let wanted: Vec<Wanted> =
            self.wanted_units().into_iter().filter(|unit| self.changed.contains(&unit.name)).collect();
        let names: Vec<&str> = wanted.iter().map(|unit| unit.name.as_str()).collect();
        let states = match ask.units(&names) {
            Observed::Found(states) => states,
            Observed::Absent => {
                return self.hindered("systemd does not answer", "golden plans for hosts that run systemd");
            }
            Observed::Unreadable(why) => return self.hindered(format!("systemd: {why}"), "systemctl status"),
        };
        if self.reload {
            self.step("host", "unit files have changed", Change::Reload);
        }
        for wanted in &wanted {
            if self.made.contains(&wanted.name) {
                self.verb(&wanted.name, "it is new", Verb::Enable, None);
            }
        }
        self.activate(&wanted, &states);
    }

    /// Starts and restarts, in the order in which units need each other.
    fn activate(&mut self, wanted: &[Wanted], states: &UnitStates) {
        for one in wanted {
            let active = states.get(one.name.as_str()).is_some_and(|state| state.active_state == "active");
            let (verb, why) = match active {
                true => (Verb::Restart, "what it runs from has changed"),
                false => (Verb::Start, "it is new"),
            };
            if active || self.made.contains(&one.name) || one.health.is_some() {
                self.verb(&one.name, why, verb, one.health.clone());
            }
        }
    }

    fn verb(&mut self, unit: &str, why: &str, verb: Verb, health: Option<Health>) {
        let change = Change::Unit { verb, unit: unit.to_owned() };
        self.steps.push(Step { health, ..Step::new(unit, why, change) });
    }

    /// The units that must be enabled and active: of dependencies, of services in their order, of timers.
    fn wanted_units(&self) -> Vec<Wanted> {
        let contract = self.contract;
        let plain = |name: &str| Wanted { name: name.to_owned(), health: None };
        let mut units: Vec<Wanted> = contract
            .dependencies
            .values()
            .filter_map(|dependency| Some(plain(&dependency.unit.as_ref()?.value)))
            .collect();
        for service in in_order(&contract.services) {
            if service.runs_by_itself() {
                units.push(Wanted { name: service.unit.value.clone(), health: Some(service.health()) });
            }
            units.extend(service.timer.iter().map(|timer| plain(&timer.value)));
        }
        units.push(plain(&crate::render::audit_timer(contract)));
        units
    }
}

/// Where systemd looks for the file of a unit, and for an instance also for its template's.
pub(crate) fn places_of(name: &str) -> impl Iterator<Item = String> {
    let template = name.split_once('@').and_then(|(prefix, rest)| {
        let (instance, kind) = rest.rsplit_once('.')?;
        (!instance.is_empty()).then(|| format!("{prefix}@.{kind}"))
    });
    let names: Vec<String> = std::iter::once(name.to_owned()).chain(template).collect();
    let directories = crate::systemd::search::UNIT_DIRECTORIES.iter();
    directories.flat_map(move |directory| {
        names.iter().map(|name| format!("{directory}/{name}")).collect::<Vec<String>>()
    })
}

/// A unit that must be enabled and active.
struct Wanted {
    name: String,
    health: Option<Health>,
}

/// Services so that each comes after those it names in `after`; a contract has no circles.
pub(in crate::plan) fn in_order(services: &[Service]) -> Vec<&Service> {
    fn visit<'s>(
        service: &'s Service,
        by_name: &BTreeMap<&str, &'s Service>,
        seen: &mut BTreeSet<Arc<str>>,
        order: &mut Vec<&'s Service>,
    ) {
        if !seen.insert(service.name.clone()) {
            return;
        }
        for earlier in service.after.iter().filter_map(|name| by_name.get(name.value.as_str())) {
            visit(earlier, by_name, seen, order);
        }
        order.push(service);
    }
    let by_name: BTreeMap<&str, &Service> =
        services.iter().map(|service| (service.name.as_ref(), service)).collect();
    let (mut seen, mut order) = (BTreeSet::new(), Vec::with_capacity(services.len()));
    for service in services {
        visit(service, &by_name, &mut seen, &mut order);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::in_order;
    use crate::contract::Contract;

    #[test]
    fn an_instance_lies_where_its_template_does() {
        let places: Vec<String> = super::places_of("queue@a.b.service").collect();
        assert!(places.contains(&"/etc/systemd/system/queue@a.b.service".to_owned()));
        assert!(places.contains(&"/usr/lib/systemd/system/queue@.service".to_owned()));
        assert!(super::places_of("queue@.service").all(|place| place.ends_with("/queue@.service")));
    }

    #[test]
    fn services_come_after_what_they_wait_for() {
        let contract = Contract::built_in();
        let names: Vec<&str> =
            in_order(&contract.services).iter().map(|service| service.name.as_ref()).collect();
        assert_eq!(names, ["backend", "ai-engine", "execution", "rl-agent"]);
    }
}
