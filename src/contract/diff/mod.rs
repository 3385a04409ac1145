//! Which duties change from one contract to another.
//!
//! A contract is taken apart into single duties (`duties`), each with a shape that knows what is tighter
//! (`shape`). What is not judged on a host is no duty: titles, what golden would write, the change log.

mod duties;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use self::duties::{Duty, duties};
use super::Contract;
use crate::model::Location;

/// A duty that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Whose: `contract`, `service:NAME`, `place:NAME`, `rule:ID` …
    pub subject: String,
    /// Which: a key of the contract, or section and setting.
    pub what: String,
    /// In which way.
    pub kind: Kind,
    /// What was demanded.
    pub old: Option<Side>,
    /// What is demanded.
    pub new: Option<Side>,
}

/// A demand as one of the two contracts has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The demand in words.
    pub text: String,
    /// Its line.
    pub at: Location,
}

/// In which way a duty changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Whoever meets the new one meets the old one.
    Tightened,
    /// Whoever met the old one meets the new one.
    Loosened,
    /// Neither.
    Changed,
    /// Duties change, and this does not say so.
    Missing,
}

impl Kind {
    /// The word for a person.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Tightened => "tightened",
            Kind::Loosened => "loosened",
            Kind::Changed => "changed",
            Kind::Missing => "missing",
        }
    }
}

/// Everything that changes, in the order of the old contract; what is new comes after. Empty when no duty does.
pub fn diff(old: &Contract, new: &Contract) -> Vec<Change> {
    let (before, after) = (duties(old), duties(new));
    let mut changes = whole(&before, &after);
    let one_side: HashSet<String> = changes.iter().map(|change| change.subject.clone()).collect();
    let (mut order, mut slots) = (Vec::new(), HashMap::new());
    for (side, all) in [&before, &after].into_iter().enumerate() {
        for duty in all.iter().filter(|duty| !duty.is_whole() && !one_side.contains(&duty.subject)) {
            let slot = *slots.entry((&duty.subject, &duty.what)).or_insert_with(|| {
                order.push([Vec::new(), Vec::new()]);
                order.len() - 1
            });
            if let Some(sides) =
                order.get_mut(slot).and_then(|sides: &mut [Vec<&Duty>; 2]| sides.get_mut(side))
            {
                sides.push(duty);
            }
        }
    }
    for [old, new] in order {
        pair(old, new, &mut changes);
    }
    if !changes.is_empty() {
        changes.extend(unsaid(old, new));
    }
    changes
}

/// What is there on one side alone, with all of its duties: a service, a place.
fn whole(before: &[Duty], after: &[Duty]) -> Vec<Change> {
    let subjects = |all: &[Duty]| -> HashSet<String> {
        all.iter().filter(|duty| duty.is_whole()).map(|duty| duty.subject.clone()).collect()
    };
    let (old, new) = (subjects(before), subjects(after));
    let gone = before.iter().filter(|duty| duty.is_whole() && !new.contains(&duty.subject));
    let come = after.iter().filter(|duty| duty.is_whole() && !old.contains(&duty.subject));
    gone.map(|duty| one(duty, Kind::Removed)).chain(come.map(|duty| one(duty, Kind::Added))).collect()
}

fn one(duty: &Duty, kind: Kind) -> Change {
    let side = Some(duty.side());
    let (old, new) = if kind == Kind::Removed { (side, None) } else { (None, side) };
    Change { subject: duty.subject.clone(), what: duty.what.clone(), kind, old, new }
}

/// Compares the demands of one subject on one thing. Those on both sides fall out; of the others each is held
/// against the one in its place.
fn pair(mut old: Vec<&Duty>, mut new: Vec<&Duty>, changes: &mut Vec<Change>) {
    old.retain(|duty| match new.iter().position(|other| other.is_same(duty)) {
        Some(at) => {
            new.remove(at);
            false
        }
        None => true,
    });
    let common = old.len().min(new.len());
    for (old, new) in old.iter().zip(&new) {
        let (subject, what) = (new.subject.clone(), new.what.clone());
        let (kind, sides) = (new.against(old), (Some(old.side()), Some(new.side())));
        changes.push(Change { subject, what, kind, old: sides.0, new: sides.1 });
    }
    changes.extend(old.iter().skip(common).map(|duty| one(duty, Kind::Removed)));
    changes.extend(new.iter().skip(common).map(|duty| one(duty, Kind::Added)));
}

/// Duties changed: the version must say so, and the change log why.
fn unsaid(old: &Contract, new: &Contract) -> Vec<Change> {
    let missing = |what: &str, text: String| {
        let side = |contract: &Contract| Side { text: text.clone(), at: contract.version.at.clone() };
        let (old, new) = (Some(side(old)), Some(side(new)));
        Change { subject: "contract".to_owned(), what: what.to_owned(), kind: Kind::Missing, old, new }
    };
    let version = &new.version.value;
    let said = |change: &super::Change| {
        let known = |other: &super::Change| other.version == change.version && other.text == change.text;
        change.version == *version && !old.changes.iter().any(known)
    };
    let mut unsaid = Vec::new();
    if old.version.value == *version {
        unsaid.push(missing("version", format!("version = {version:?} as before")));
    }
    if !new.changes.iter().any(said) {
        let text = format!("no new entry of version {version:?} under [[changes]]");
        let old = None;
        unsaid.push(Change { old, ..missing("changes", text) });
    }
    unsaid
}
