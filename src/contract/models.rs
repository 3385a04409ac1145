//! The models whose lifecycle golden guards: where an artefact lies, which service loads it, and what activates it.

use std::sync::Arc;

use super::Contract;
use crate::model::{Location, Stated};

/// A model of section F.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name, as the telemetry has it.
    pub name: Arc<str>,
    /// The service that loads it.
    pub service: Stated<String>,
    /// The name of its artefact in `active/`.
    pub artefact: Stated<String>,
    /// The env file of that one service, in which activation changes variables.
    pub env_file: String,
    /// What is set when it becomes a canary.
    pub canary: Vec<Assignment>,
    /// What is set when it is promoted.
    pub active: Vec<Assignment>,
    /// The variable with the share of the traffic that a canary gets.
    pub share: Option<Stated<String>>,
    /// The field of an event that holds the digest of the artefact that made it.
    pub digest_field: Option<Stated<String>>,
    /// Seconds after which a verdict of the gate proves nothing any more.
    pub gate_within: Stated<u64>,
    /// Formats that run code when they are loaded are allowed.
    pub runs_code: Option<Stated<bool>>,
    /// `golden model watch` may roll back by itself.
    pub rolls_back: Option<Stated<bool>>,
    /// What is watched while it is live.
    pub watch: Watch,
    /// Where it begins in the contract.
    pub at: Location,
}

/// What is watched while a model is live.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Seconds that are looked back.
    pub window: Stated<u64>,
    /// What was lost in that time, as a fraction; a gain is negative.
    pub loss: Option<Source>,
    /// Which share of the operations failed; without it the service's journal counts.
    pub errors: Option<Source>,
}

/// Where a number comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The dependency that is asked.
    pub dependency: Stated<String>,
    /// What it is asked.
    pub query: Query,
    /// Where it begins in the contract.
    pub at: Location,
}

/// A question with one number for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// A SELECT of SQLite; `:since` is the beginning of the window in seconds since the epoch.
    Sql(String),
    /// A key of Redis that holds the number.
    Key(String),
}

/// Seconds that are looked back where the contract does not say.
pub const WINDOW: u64 = 3600;

/// A variable that activation sets.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Its value; `{artefact}` stands for the path of the artefact that the service is to load.
    pub value: Stated<String>,
}

impl Assignment {
    /// The value for an artefact at a path.
    pub fn value_for(&self, path: &str) -> String {
        self.value.value.replace(ARTEFACT, path)
    }
}

/// What stands for the path of the artefact in a value.
pub const ARTEFACT: &str = "{artefact}";

/// Seconds that a verdict of the gate counts where the contract does not say.
pub const GATE_WITHIN: u64 = 3600;

impl Model {
    /// Variables that any step of its lifecycle sets.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let set = self.canary.iter().chain(&self.active).map(|one| one.name.as_str());
        set.chain(self.share.iter().map(|share| share.value.as_str()))
    }

    /// Whether the service is told the path of the artefact.
    pub fn names_artefact(&self) -> bool {
        self.canary.iter().any(|one| one.value.value.contains(ARTEFACT))
    }
}

impl Contract {
    /// The model with this name.
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| *model.name == *name)
    }
}
