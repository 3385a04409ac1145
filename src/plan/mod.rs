//! What must be done to a host, as typed changes: shown first, kept before, verified after, and undone when one fails.
//! This is the one executor of changes: mends, provisioning, deployments and undo all pass through it.
//!
//! [`build`] and the remedies of findings say what is to be done ([`Step`]); [`prepare`] makes of it what will be done
//! ([`Work`]), or says why not; [`apply`] does it with a journal, so that a plan that was interrupted at any point is
//! brought back to the old state by the next call.

pub mod apply;
pub mod build;
pub mod deploy;
mod diff;
mod draft;
mod healthy;
pub mod journal;
mod left;
mod links;
mod owed;
mod prepare;
mod program;
mod store;
mod undo;
pub mod work_tree;

pub use apply::{Applied, Listener, Order, Tools, Trouble, Watch};
pub use build::{Hindrance, Ours, plan};
use journal::Progress;
pub use left::Left;
pub use owed::Paid;
pub use prepare::{Prepared, Refusal, prepare};
pub use program::Failed;

use serde::{Deserialize, Serialize};

use crate::contract::{Contract, Health};
pub use crate::model::change::short;
use crate::model::change::{Change, Stage};
use draft::Edit;

/// Steps in the order in which they are named; [`prepare`] brings them into the order in which they are taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// None where there is nothing to do.
    pub steps: Vec<Step>,
}

/// One change that is to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it is for: a service, a file, or the host.
    pub subject: String,
    /// Why it is due; for a mend the rule that failed.
    pub why: String,
    /// What is changed.
    pub change: Change,
    /// When a unit that is started counts as healthy.
    pub health: Option<Health>,
    /// Other units that answered before, and must answer once everything is done.
    pub answering: Vec<Awaited>,
    /// It is tried: where it does not succeed, nothing else is taken back for it.
    pub tried: bool,
}

impl Step {
    /// A step without a proof of its own.
    pub fn new(subject: impl Into<String>, why: impl Into<String>, change: Change) -> Self {
        Self {
            subject: subject.into(),
            why: why.into(),
            change,
            health: None,
            answering: Vec::new(),
            tried: false,
        }
    }
}

/// One thing that will be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// What a person reads of it.
    pub title: String,
    /// Why: the reasons of all steps that it carries out.
    pub why: Vec<String>,
    /// When it is done.
    stage: Stage,
    /// It is tried: where it does not succeed, nothing else is taken back for it.
    tried: bool,
    /// Units that systemd restarts along with it.
    along: Vec<String>,
    /// What is done.
    what: What,
}

/// What a work does.
#[derive(Clone, Debug, PartialEq)]
enum What {
    /// One path becomes something else.
    Edit(Edit),
    /// A program is run.
    Program(Change),
    /// A service that was started is waited for.
    Healthy(Awaited),
}

/// A unit that is waited for until it is healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// Its name.
    pub unit: String,
    /// When it is.
    pub health: Health,
}

impl Work {
    /// Waits for a unit.
    fn wait(awaited: Awaited, why: Vec<String>, stage: Stage) -> Self {
        let title = format!("wait until {} is healthy", awaited.unit);
        let what = What::Healthy(awaited);
        Self { title, why, stage, tried: false, along: Vec::new(), what }
    }

    /// The difference it makes to a file, in unified form; empty where it makes none. Values of secrets are hidden.
    pub fn diff(&self, contract: &Contract) -> String {
        match &self.what {
            What::Edit(edit) => diff::unified(edit, contract),
            _ => String::new(),
        }
    }

    /// The path that it changes, where it changes one itself.
    pub fn path(&self) -> Option<&str> {
        match &self.what {
            What::Edit(edit) => Some(&edit.path),
            _ => None,
        }
    }

    /// What a program carries out.
    fn program(&self) -> Option<&Change> {
        match &self.what {
            What::Program(change) => Some(change),
            _ => None,
        }
    }

    /// The unit whose process it starts or restarts.
    pub fn starts(&self) -> Option<&str> {
        use crate::model::change::Verb;
        match &self.what {
            What::Program(Change::Unit { verb: Verb::Start | Verb::Restart, unit }) => Some(unit),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
