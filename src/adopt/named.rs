//! From names on the command line to services: `worker`, `worker.service`, `backup.timer`.

use super::Refused;
use crate::contract::Activation;
use crate::syntax::search::UNIT_DIRECTORIES;
use crate::syntax::unit_name::UnitName;
use crate::system::{Look, Walker};

/// A service that a person named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name in the contract.
    pub name: String,
    /// Its unit.
    pub unit: UnitName,
    /// Units of the same name that could start it, which lie on this host.
    pub triggers: Vec<Activation>,
}

/// What may start a service of the same name in place of the boot, by the ending of its unit.
const TRIGGERS: [(&str, Activation); 3] =
    [("timer", Activation::Timer), ("socket", Activation::Socket), ("path", Activation::Path)];

/// Each named service once, in the order of the names.
pub(super) fn named<L: Look + ?Sized>(
    walker: &Walker<'_, L>,
    names: &[String],
) -> Result<Vec<Named>, Refused> {
    let (mut found, mut wrong): (Vec<Named>, Vec<String>) = (Vec::new(), Vec::new());
    for name in names {
        match unit(name) {
            Ok(unit) if found.iter().any(|other| other.unit == unit) => {}
            Ok(unit) => {
                let triggers = TRIGGERS.iter().filter(|(kind, _)| lies_here(walker, unit.stem(), kind));
                let triggers = triggers.map(|(_, activation)| *activation).collect();
                let name = free_name(unit.stem(), &found);
                found.push(Named { name, unit, triggers });
            }
            Err(why) => wrong.push(why),
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(Refused(wrong)) }
}

/// The service of a name; that of a timer, socket or path is its namesake.
fn unit(name: &str) -> Result<UnitName, String> {
    let kinds = TRIGGERS.iter().map(|(kind, _)| *kind).chain(["service"]);
    let ending = kinds.filter_map(|kind| name.strip_suffix(kind)?.strip_suffix('.')).next();
    let unit = UnitName::parse(&format!("{}.service", ending.unwrap_or(name)))
        .map_err(|why| format!("{name:?} is no name of a unit: {why}"))?;
    match unit.instance() {
        Some("") => {
            Err(format!("{name:?} is a template: name an instance of it, such as {}@1", unit.prefix()))
        }
        _ => Ok(unit),
    }
}

fn lies_here<L: Look + ?Sized>(walker: &Walker<'_, L>, stem: &str, kind: &str) -> bool {
    // One that cannot be looked at is none of which anything could be demanded.
    let lies_in =
        |directory: &&str| matches!(walker.lookup(&format!("{directory}/{stem}.{kind}")).node(), Ok(Some(_)));
    UNIT_DIRECTORIES.iter().any(lies_in)
}

/// A name that the contract can give: what a unit's name has beyond that becomes `-`.
fn free_name(stem: &str, taken: &[Named]) -> String {
    let plain: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') { c } else { '-' })
        .collect();
    let plain = plain.trim_matches(['-', '.', '_']);
    let plain = if plain.is_empty() { "service" } else { plain };
    let is_free = |name: &str| taken.iter().all(|other| other.name != name);
    let numbered = (2..).map(|number| format!("{plain}-{number}"));
    std::iter::once(plain.to_owned()).chain(numbered).find(|name| is_free(name)).unwrap_or_default()
}
