//! A service that stands for all of its kind: what the contract says of every one of them, and placeholders (`<service>`,
//! `<program>`) for what each says itself. Rendered like any other service, it is the golden template.
//!
//! The reader of services makes it, with `<service>` for a name (`Contract::patterns`). A document does not wait for a
//! gap to be filled.

use std::sync::Arc;

use super::rendered;
use super::unit::{self, Open, Sections};
use crate::contract::{CommandDemand, Contract, Kind, Service, ServiceProvision};
use crate::model::Stated;

/// The kind of most services that run all the time; where there is none, of those that one would write first.
pub(super) fn usual_kind(contract: &Contract) -> Kind {
    let number = |kind: Kind| rendered(contract).filter(|service| service.kind.value == kind).count();
    let without_services = contract.venvs.is_empty();
    match number(Kind::Executable).cmp(&number(Kind::Python)) {
        std::cmp::Ordering::Greater => Kind::Executable,
        std::cmp::Ordering::Equal if without_services => Kind::Executable,
        _ => Kind::Python,
    }
}

/// The service that stands for all of a kind; `None` for a contract that nobody has read.
pub(super) fn service(contract: &Contract, kind: Kind) -> Option<Service> {
    let mut example = contract.patterns.get(&kind)?.clone();
    let mut all: Vec<&Service> = rendered(contract).filter(|service| service.kind.value == kind).collect();
    if all.is_empty() {
        // What every service says so far, the first of its kind will most likely say too.
        all = rendered(contract).collect();
    }
    example.requires = common(&all, |service| &service.requires);
    example.after_units = common(&all, |service| &service.after_units);
    if kind.runs() {
        example.binds_to = common(&all, |service| &service.binds_to);
    }
    example.writes = common(&all, |service| &service.writes);
    example.venv = venv(&all)
        .or_else(|| (kind == Kind::Python).then(|| Stated::new("<venv>".to_owned(), example.at.clone())));
    let words = ["<program>", "<arguments>"].map(str::to_owned).to_vec();
    let start = CommandDemand { words, exact: false, at: example.at.clone() };
    example.provision = Arc::new(ServiceProvision { start: Some(start), ..ServiceProvision::default() });
    Some(example)
}

/// Its unit. What nobody decides for all services alike is a placeholder with the name of the setting.
pub(super) fn sections(contract: &Contract, example: &Service) -> Sections {
    let mut open = |what: Open<'_>| match what {
        Open::Setting(demand) => Some(format!("<{}>", demand.key)),
        Open::Start => None,
    };
    unit::sections(contract, example, &mut open)
}

/// The unit of a service of the contract, as far as it is decided.
pub(super) fn sections_of(contract: &Contract, service: &Service) -> Sections {
    unit::sections(contract, service, &mut |_| None)
}

/// A text of the example with a service's own words in the place of its name and title.
pub(super) fn filled(example: &Service, text: &str, service: &Service) -> String {
    let title = example.title.as_deref().unwrap_or_default();
    text.replace(example.name.as_ref(), &service.name).replace(title, super::words::title(service))
}

/// What all services name, in the order of the first.
fn common(all: &[&Service], of: impl Fn(&Service) -> &[Stated<String>]) -> Vec<Stated<String>> {
    let Some((first, rest)) = all.split_first() else { return Vec::new() };
    let is_everywhere = |one: &&Stated<String>| {
        rest.iter().all(|service| of(service).iter().any(|other| other.value == one.value))
    };
    of(first).iter().filter(is_everywhere).cloned().collect()
}

/// The venv, where every service has one of its own name in the same directory.
fn venv(all: &[&Service]) -> Option<Stated<String>> {
    let paths = all.iter().filter_map(|service| Some((&service.name, service.venv.as_ref()?)));
    let mut named = paths.map(|(name, venv)| {
        let parent = venv.value.strip_suffix(name.as_ref()).filter(|parent| parent.ends_with('/'));
        Stated::new(
            parent.map_or("<venv>".to_owned(), |parent| format!("{parent}<service>")),
            venv.at.clone(),
        )
    });
    let first = named.next()?;
    let same = named.all(|other| other.value == first.value);
    Some(if same { first } else { Stated::new("<venv>".to_owned(), first.at) })
}
