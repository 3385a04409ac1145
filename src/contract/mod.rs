//! The contract: from the text of a `golden.toml` to what we believe.
//!
//! `document` is what the TOML says, with spans; `validate` turns it into a [`Contract`] or into *all* of
//! its errors at once. A contract with errors is never used in part. Everything that a rule compares a
//! host with stands here as data and knows the line that demands it.
//!
//! The way through: `text` knows lines and columns, `tree` holds values with their place, `document`
//! parses and merges what a contract extends, `reader` takes typed values out of the tree and collects
//! errors, `read` makes the contract's parts of them, `check` looks for contradictions between the parts.

mod builtin;
mod check;
pub mod demand;
mod dependency;
pub mod diff;
mod document;
pub mod edit;
mod error;
pub mod models;
mod placeholder;
mod port;
pub mod provision;
mod read;
mod reader;
mod safety;
mod schema;
pub mod secrets;
pub mod service;
mod suggest;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod types;
mod validate;
pub(crate) mod words;

pub use demand::{Form, SettingDemand, VariableDemand, VariableForm};
pub use dependency::{Dependency, DependencyKind};
pub use diff::diff;
pub use error::ContractError;
pub use models::{Assignment, Model, Query, Source as NumberSource, Watch};
pub use placeholder::means_itself;
pub use port::Port;
pub use provision::{Health, Provision, ServiceProvision};
pub use safety::{Gate, Rollback, Safety, Scoreboard, Telemetry};
pub use service::{Activation, CommandDemand, EnvFileDemand, Job, JobProgram, Kind, Service};
pub use types::*;

/// Every key of the format, by table.
#[cfg(test)]
pub(crate) fn schema_keys() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    schema::ALL.iter().map(|keys| (keys.table, keys.keys))
}
