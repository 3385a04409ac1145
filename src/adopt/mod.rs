//! The first contract of a host that runs already: services that are there, written down as they are.
//!
//! Nothing is invented. What a unit states is demanded of it, what it leaves to systemd stays open, and nothing of it is
//! rendered: its files are somebody's. A value of an env file is not copied, since it may be a secret; that the variable
//! is set is demanded.
//!
//! The way through: `named` makes services of the names on the command line, a draft contract of these names is what the
//! host is gathered by, `service` says what one unit becomes, and `text` writes it for people.

mod named;
mod ports;
mod service;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::sync::Arc;

use crate::contract::Contract;
use crate::contract::secrets::Hiding;
use crate::facts::gather::gather;
use crate::facts::{HostFacts, Need, Needs};
use crate::model::Undecided;
use crate::system::{System, Walker};
use crate::systemd::effective::{EffectiveUnit, LoadState};

pub use named::Named;

/// What the contract is called, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The system's name.
    pub name: &'a str,
    /// The day, as `2026-01-31`.
    pub today: &'a str,
    /// Who may change the contract.
    pub authority: &'a str,
}

/// Why no contract can be made of a host: one sentence for each unit that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Vec<String>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// What is looked at: units with what starts them, accounts, env files, what lies at paths.
const NEEDS: Needs = Needs::of(&[Need::Accounts, Need::Units, Need::EnvFiles, Need::Start, Need::Places]);

/// Writes the contract of these units. Errors name every unit of which none can be made.
pub fn contract(system: &dyn System, header: Header<'_>, units: &[String]) -> Result<String, Refused> {
    let named = named::named(&Walker::new(system), units)?;
    let draft = draft(header, &named)?;
    let facts = gather(system, &draft, NEEDS);
    let hiding = Hiding::of(&draft);
    let mut wrong = Vec::new();
    let mut services: Vec<service::Service> = Vec::new();
    for named in &named {
        match loaded(&facts, &hiding, named) {
            Ok(unit) => match service::service(&facts, &Walker::new(system), &hiding, named, unit) {
                // Another name of a unit that was named already.
                Ok(service) if services.iter().any(|other| other.unit == service.unit) => {}
                Ok(service) => services.push(service),
                Err(why) => wrong.push(format!("{}: {why}", named.unit)),
            },
            Err(why) => wrong.push(why),
        }
    }
    let runs = services.iter().filter(|service| matches!(service.kind, "python" | "executable"));
    let units: Vec<&str> = runs.map(|service| service.unit.as_str()).collect();
    let mut ports = ports::of(system, &units);
    services.iter_mut().for_each(|service| service.ports = ports.remove(&service.unit).unwrap_or_default());
    if wrong.is_empty() { Ok(text::write(header, &services)) } else { Err(Refused(wrong)) }
}

/// As much of a contract as it takes to look at these units.
fn draft(header: Header<'_>, named: &[Named]) -> Result<Contract, Refused> {
    let text = text::draft(header, named);
    let nothing = |path: &str| Err(format!("{path}: nothing is extended"));
    Contract::parse(&text, "golden.toml", false, &nothing)
        .map_err(|errors| Refused(errors.iter().map(|error| error.render(&text)).collect()))
}

fn loaded<'f>(
    facts: &'f HostFacts,
    hiding: &Hiding<'_>,
    named: &Named,
) -> Result<&'f Arc<EffectiveUnit>, String> {
    let name = &named.unit;
    let seen = facts.units.get(name.as_str()).map(|unit| unit.effective.known());
    let undecided = |undecided: Undecided| format!("{name} cannot be read: {undecided}");
    let unit = seen.transpose().map_err(undecided)?.flatten();
    let unit = unit.ok_or_else(|| format!("{name} is not on this host"))?;
    match &unit.load {
        LoadState::Loaded => Ok(unit),
        LoadState::NotFound => Err(format!("{name} is not on this host (systemctl list-unit-files)")),
        LoadState::Masked => {
            Err(format!("{name} is masked: nothing can be demanded of it (systemctl unmask {name})"))
        }
        LoadState::BadSetting(why, at) | LoadState::Error(why, at) => {
            Err(format!("{name} does not load: {at}: {}", hiding.shown(at.path(), why)))
        }
    }
}
