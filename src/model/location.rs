//! Where something stands: a line of a file, a file as a whole, an endpoint or an account.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A place a person can go to. `path` is a file path, an endpoint (`127.0.0.1:6379`), an account
/// (`user qt`) or a path that should exist; line and column count from 1 and exist for files only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// File path, endpoint or account.
    pub path: Arc<str>,
    /// Line in the file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<NonZeroU32>,
    /// Column in characters, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<NonZeroU32>,
}

impl Location {
    /// A file as a whole, or a path that should exist.
    pub fn file(path: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), line: None, column: None }
    }

    /// A line of a file; line 0 means the file as a whole.
    pub fn line(path: impl Into<Arc<str>>, line: u32) -> Self {
        Self { path: path.into(), line: NonZeroU32::new(line), column: None }
    }

    /// A column of a line of a file.
    pub fn column(path: impl Into<Arc<str>>, line: u32, column: u32) -> Self {
        Self { path: path.into(), line: NonZeroU32::new(line), column: NonZeroU32::new(column) }
    }

    /// A network endpoint, for example `127.0.0.1:6379`.
    pub fn endpoint(address: impl fmt::Display) -> Self {
        Self::file(address.to_string())
    }

    /// An account of the host's user database.
    pub fn account(name: impl fmt::Display) -> Self {
        Self::file(format!("user {name}"))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        Ok(())
    }
}

/// A value together with the place that states it, so that a finding can show the offence and the
/// line that demands it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated<T> {
    /// The value itself.
    pub value: T,
    /// Where it was written.
    pub at: Location,
}

impl<T> Stated<T> {
    /// A value stated at `at`.
    pub fn new(value: T, at: Location) -> Self {
        Self { value, at }
    }
}
