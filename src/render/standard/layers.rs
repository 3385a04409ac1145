//! Demands by whose they are: of every service, of a kind, of one service. A demand is known by the line that makes it,
//! so what is said once in the contract stands once in the document.

use std::sync::Arc;

use crate::contract::{Contract, Kind, Service, SettingDemand, VariableDemand};
use crate::model::Location;

/// A demand on a setting or a variable.
pub(super) trait Demand {
    /// The demands of a service.
    fn of(service: &Service) -> &[Arc<Self>];
    /// What is demanded, and by which line.
    fn identity(&self) -> (&str, &str, &Location);
}

impl Demand for SettingDemand {
    fn of(service: &Service) -> &[Arc<Self>] {
        &service.settings
    }

    fn identity(&self) -> (&str, &str, &Location) {
        (&self.section, &self.key, &self.at)
    }
}

impl Demand for VariableDemand {
    fn of(service: &Service) -> &[Arc<Self>] {
        &service.variables
    }

    fn identity(&self) -> (&str, &str, &Location) {
        ("", &self.name, &self.at)
    }
}

/// Demands, each once.
pub(super) struct Layers<'c, D> {
    /// Of every kind.
    pub common: Vec<&'c D>,
    /// Of some kinds, with those.
    pub kinds: Vec<(&'c D, Vec<Kind>)>,
    /// Of single services.
    pub services: Vec<(&'c Service, &'c D)>,
}

/// The demands of a contract.
pub(super) fn layers<D: Demand>(contract: &Contract) -> Layers<'_, D> {
    let patterns: Vec<(Kind, &Service)> = contract.patterns.iter().map(|(kind, one)| (*kind, one)).collect();
    let has =
        |service: &Service, demand: &D| D::of(service).iter().any(|own| own.identity() == demand.identity());
    let mut found = Layers { common: Vec::new(), kinds: Vec::new(), services: Vec::new() };
    for (kind, pattern) in &patterns {
        for demand in D::of(pattern).iter().map(Arc::as_ref) {
            let kinds: Vec<Kind> =
                patterns.iter().filter(|(_, other)| has(other, demand)).map(|(kind, _)| *kind).collect();
            // Each demand is taken where it comes first.
            if kinds.first() != Some(kind) {
                continue;
            }
            if kinds.len() == patterns.len() {
                found.common.push(demand);
            } else {
                found.kinds.push((demand, kinds));
            }
        }
    }
    for service in &contract.services {
        let pattern = contract.patterns.get(&service.kind.value);
        let own = D::of(service).iter().map(Arc::as_ref);
        let own = own.filter(|demand| pattern.is_none_or(|pattern| !has(pattern, demand)));
        found.services.extend(own.map(|demand| (service, demand)));
    }
    found
}
