//! What the contract demands of a setting of a unit or of a variable of an env file.

use std::sync::Arc;

use crate::model::{Location, Severity};

/// A demand on one setting of an effective unit.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingDemand {
    /// systemd section, for example `Service`.
    pub section: String,
    /// Setting, for example `Restart`.
    pub key: Arc<str>,
    /// What its value must be.
    pub form: Form,
    /// How binding it is.
    pub severity: Severity,
    /// True when systemd's default satisfies it without being stated.
    pub default_counts: bool,
    /// Where it is written.
    pub at: Location,
}

/// The forms a demand on a setting can take. Values are compared as systemd reads them: `10`, `10s` and
/// `10000ms` are one time span.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// Exactly this value.
    Equals(String),
    /// One of these values.
    OneOf(Vec<String>),
    /// A list that holds at least these words.
    Contains(Vec<String>),
    /// Not set at all.
    Absent,
    /// Set to anything.
    Present,
}

/// A demand on one variable of a service's effective environment.
#[derive(Clone, Debug, PartialEq)]
pub struct VariableDemand {
    /// The variable.
    pub name: Arc<str>,
    /// What its value must be.
    pub form: VariableForm,
    /// How binding it is.
    pub severity: Severity,
    /// Where it is written.
    pub at: Location,
}

/// The forms a demand on a variable can take.
#[derive(Clone, Debug, PartialEq)]
pub enum VariableForm {
    /// Exactly this text.
    Equals(String),
    /// One of these texts.
    OneOf(Vec<String>),
    /// An absolute path; with a directory it must lie on or under it.
    Path {
        /// The directory.
        under: Option<String>,
    },
    /// A whole number in this range.
    Integer {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// Set and not empty.
    Present,
    /// Not set at all.
    Absent,
}
