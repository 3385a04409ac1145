//! What every rule file imports.

pub use crate::contract::*;
pub use crate::facts::view::{DependencyView, JobView, ModelView, PlaceView, ServiceView, View};
pub use crate::facts::{Need, ProgramFacts};
pub use crate::model::change::quoted;
pub use crate::model::{
    Access, Credentials, Finding, Location, Lookup, Meta, NodeKind, Observed, Outcome, Ruling, Stated, Step,
    Undecided,
};
pub use crate::model::{Change, How, Remedy, Spot, Verb};
pub use crate::systemd::effective::{EffectiveUnit, LoadState, Setting};

/// The unit does not load, so there is nothing to judge; rules with a word on that say it.
pub fn unit_not_loaded() -> Outcome {
    Outcome::not_applicable("the unit is not loaded")
}

/// A setting as one would write it, for the evidence of a finding.
pub fn written(setting: &Setting) -> String {
    format!("{}={}", setting.key, setting.value())
}

/// What a setting overrode, nearest first, as a finding shows it.
pub fn overridden(setting: &Setting) -> Vec<(Location, String)> {
    let line = |(at, value): &(Location, String)| (at.clone(), format!("{}={value}", setting.key));
    setting.overrode.iter().rev().map(line).collect()
}

/// A number of seconds in the largest unit that fits.
pub fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A moment, given in seconds since the epoch, as people write it.
pub fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| format!("second {seconds}"), |at| at.to_string())
}
