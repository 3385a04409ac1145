//! What the contract demands of a setting of a unit or of a variable of an env file.

use std::sync::Arc;

use super::words;
use crate::model::{Location, Severity};
use crate::syntax::stand_in;

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
    /// The first systemd that knows the setting; older ones owe nothing.
    pub since: Option<u32>,
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

impl VariableForm {
    /// Whether a value is one that is demanded; of a hidden one nobody can tell, which is noticed. Paths are compared as the kernel would: `/a//b/` is `/a/b`.
    pub fn accepts(&self, value: &str) -> bool {
        if !matches!(self, VariableForm::Present | VariableForm::Absent) {
            stand_in::compared(value);
        }
        match self {
            VariableForm::Equals(demanded) => value == demanded || is_same_path(demanded, value),
            VariableForm::OneOf(allowed) => allowed.iter().any(|one| one == value),
            VariableForm::Path { under } => {
                value.starts_with('/')
                    && !value.split('/').any(|part| part == "..")
                    && under.as_ref().is_none_or(|directory| words::lies_under(value, directory))
            }
            VariableForm::Integer { min, max } => {
                value.parse::<i64>().is_ok_and(|number| (*min..=*max).contains(&number))
            }
            VariableForm::Present => true,
            VariableForm::Absent => false,
        }
    }
}

fn is_same_path(demanded: &str, value: &str) -> bool {
    let (demanded, value) = (words::path(demanded), words::path(value));
    demanded.is_ok() && demanded.ok() == value.ok()
}
