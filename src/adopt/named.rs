//! From names on the command line to services: `worker`, `worker.service`, `backup.timer`.

use super::Refused;
use crate::contract::Activation;
use crate::system::{Look, Walker};
use crate::systemd::search::UNIT_DIRECTORIES;
use crate::systemd::unit_name::UnitName;

/// A service that a person named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name in the contract.
    pub name: String,
    /// Its unit.
    pub unit: UnitName,
    /// A unit of the same name that lies on this host and may start it.
    pub trigger: Option<Activation>,
    /// Whether that unit was named, and not the service.
    pub by_trigger: bool,
}

/// What may start a service of the same name in place of the boot; the ending of its unit is the contract's word for it.
const TRIGGERS: [Activation; 3] = [Activation::Timer, Activation::Socket, Activation::Path];

/// Each named service once, in the order of the names.
pub(super) fn named<L: Look + ?Sized>(
    walker: &Walker<'_, L>,
    names: &[String],
) -> Result<Vec<Named>, Refused> {
    let (mut found, mut wrong): (Vec<Named>, Vec<String>) = (Vec::new(), Vec::new());
    for name in names {
        match unit(name) {
            Ok((unit, _)) if found.iter().any(|other| other.unit == unit) => {}
            Ok((unit, by)) => {
                let lies_here = |way: &Activation| lies_here(walker, unit.stem(), way.word());
                let trigger = by.or_else(|| TRIGGERS.into_iter().find(lies_here));
                let name = free_name(unit.stem(), &found);
                found.push(Named { name, unit, trigger, by_trigger: by.is_some() });
            }
            Err(why) => wrong.push(why),
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(Refused(wrong)) }
}

/// The service of a name; that of a timer, socket or path is its namesake.
fn unit(name: &str) -> Result<(UnitName, Option<Activation>), String> {
    let stem_of = |kind: &str| name.strip_suffix(kind)?.strip_suffix('.');
    let by = TRIGGERS.into_iter().find_map(|way| Some((stem_of(way.word())?, way)));
    let stem = by.map(|(stem, _)| stem).or_else(|| stem_of("service")).unwrap_or(name);
    let unit = UnitName::parse(&format!("{stem}.service"))
        .map_err(|why| format!("{name:?} is not the name of a unit: {why}"))?;
    match unit.instance() {
        Some("") => {
            Err(format!("{name:?} is a template: name an instance of it, such as {}@1", unit.prefix()))
        }
        _ => Ok((unit, by.map(|(_, way)| way))),
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
