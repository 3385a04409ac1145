//! Facts about models: which files lie where golden activates, and what the ledger says of each model.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Observed;

/// What was seen of the models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// The names in `active/`, each with the sha256 of its file. What is no file is unreadable.
    pub active: Observed<BTreeMap<Arc<str>, Observed<String>>>,
    /// What the ledger says of the models of the contract, by name.
    pub known: Observed<BTreeMap<Arc<str>, Known>>,
}

/// What the ledger says of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What was promoted last.
    pub active: Option<Placed>,
    /// What is on probation.
    pub canary: Option<Placed>,
    /// What a rollback would need, and whether it is there.
    pub backups: Vec<Backup>,
    /// The newest verdict of the gate on the canary.
    pub gate: Option<Judged>,
}

/// An artefact that golden has put somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// sha256 in hex.
    pub digest: String,
    /// Its version.
    pub version: String,
    /// The entry of the ledger.
    pub entry: u64,
}

/// An artefact that a rollback would bring back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// sha256 in hex of what must lie there.
    pub digest: String,
    /// Where the ledger says that it lies; empty where it does not say.
    pub path: String,
    /// The sha256 of what lies there.
    pub found: Observed<String>,
}

/// A verdict of the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The entry of the ledger.
    pub entry: u64,
    /// When, in seconds since the epoch.
    pub at: i64,
    /// `passed`, or why not.
    pub result: String,
}
