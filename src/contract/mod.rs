//! The contract: from the text of a `golden.toml` to what we believe.
//!
//! `document` is what the TOML says, with spans; `validate` turns it into a [`Contract`] or into *all* of
//! its errors at once. A contract with errors is never used in part. Everything that a rule compares a
//! host with stands here as data and knows the line that demands it.

pub mod demand;
pub mod service;
mod types;

pub use demand::{Form, SettingDemand, VariableDemand, VariableForm};
pub use service::{CommandDemand, EnvFileDemand, Job, JobProgram, Kind, Service};
pub use types::*;
