//! Several looks of one rule: a finding is certain whatever else could not be looked at, and without one a single
//! failed look leaves the rule undecided.

use super::prelude::*;

/// What came of them.
#[derive(Default)]
pub struct Looks {
    findings: Vec<Finding>,
    unknown: Option<Undecided>,
}

impl Looks {
    /// Adds one: what it found, or why it could not be made.
    pub fn add(&mut self, look: Result<impl IntoIterator<Item = Finding>, Undecided>) {
        match look {
            Ok(found) => self.findings.extend(found),
            Err(undecided) => drop(self.unknown.get_or_insert(undecided)),
        }
    }

    /// The ruling of all of them; two findings with the same key are one.
    pub fn ruling(mut self) -> Ruling {
        self.findings.dedup_by(|a, b| a.key == b.key);
        match self.unknown.filter(|_| self.findings.is_empty()) {
            Some(undecided) => Err(undecided),
            None => Ok(Outcome::from_findings(self.findings)),
        }
    }
}
