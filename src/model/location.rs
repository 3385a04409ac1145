//! Where something stands: in a file, at an endpoint, in the user database.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A place that a person can go to. Written down, all of them have a `path`; what is no file says its `kind` as well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub enum Location {
    /// A file or a directory, there or missing.
    File {
        /// Its path.
        path: Arc<str>,
        /// The line, from 1; `None` for the file as a whole.
        line: Option<NonZeroU32>,
        /// The column in characters, from 1.
        column: Option<NonZeroU32>,
    },
    /// Where a server listens: `127.0.0.1:6379`, or the path of a socket.
    Endpoint(Arc<str>),
    /// A user of the host, by name.
    Account(Arc<str>),
}

impl Location {
    /// A file as a whole, or a path that should exist.
    pub fn file(path: impl Into<Arc<str>>) -> Self {
        Self::File { path: path.into(), line: None, column: None }
    }

    /// A line of a file; line 0 means the file as a whole.
    pub fn line(path: impl Into<Arc<str>>, line: u32) -> Self {
        Self::File { path: path.into(), line: NonZeroU32::new(line), column: None }
    }

    /// A column of a line of a file.
    pub fn column(path: impl Into<Arc<str>>, line: u32, column: u32) -> Self {
        Self::File { path: path.into(), line: NonZeroU32::new(line), column: NonZeroU32::new(column) }
    }

    /// A network endpoint, for example `127.0.0.1:6379`.
    pub fn endpoint(address: impl fmt::Display) -> Self {
        Self::Endpoint(address.to_string().into())
    }

    /// An account of the host's user database.
    pub fn account(name: impl fmt::Display) -> Self {
        Self::Account(name.to_string().into())
    }

    /// The path of a file; empty for what is no file, so that it equals no path.
    pub fn path(&self) -> &str {
        match self {
            Self::File { path, .. } => path,
            Self::Endpoint(_) | Self::Account(_) => "",
        }
    }

    /// The line in a file, from 1, where it is one.
    pub fn line_number(&self) -> Option<u32> {
        match self {
            Self::File { line, .. } => line.map(NonZeroU32::get),
            Self::Endpoint(_) | Self::Account(_) => None,
        }
    }

    /// The column in characters, from 1, where it is one of a file.
    pub fn column_number(&self) -> Option<u32> {
        match self {
            Self::File { column, .. } => column.map(NonZeroU32::get),
            Self::Endpoint(_) | Self::Account(_) => None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(address) => f.write_str(address),
            Self::Account(name) => write!(f, "user {name}"),
            Self::File { path, line, column } => {
                f.write_str(path)?;
                for number in [line, column].into_iter().flatten() {
                    write!(f, ":{number}")?;
                }
                Ok(())
            }
        }
    }
}

/// What reports and recorded facts hold of a place.
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(default, skip_serializing_if = "is_file")]
    kind: Kind,
    path: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<NonZeroU32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<NonZeroU32>,
}

#[derive(Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    #[default]
    File,
    Endpoint,
    Account,
}

fn is_file(kind: &Kind) -> bool {
    *kind == Kind::File
}

impl From<Location> for Written {
    fn from(place: Location) -> Self {
        let (line, column) = (None, None);
        match place {
            Location::File { path, line, column } => Self { kind: Kind::File, path, line, column },
            Location::Endpoint(path) => Self { kind: Kind::Endpoint, path, line, column },
            Location::Account(name) => {
                Self { kind: Kind::Account, path: format!("user {name}").into(), line, column }
            }
        }
    }
}

impl From<Written> for Location {
    fn from(Written { kind, path, line, column }: Written) -> Self {
        match kind {
            Kind::File => Self::File { path, line, column },
            Kind::Endpoint => Self::Endpoint(path),
            Kind::Account => Self::account(path.strip_prefix("user ").unwrap_or(&path)),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_with_its_kind_and_read_back() {
        for (place, written) in [
            (Location::column("/etc/x", 3, 7), r#"{"path":"/etc/x","line":3,"column":7}"#),
            (Location::endpoint("127.0.0.1:6379"), r#"{"kind":"endpoint","path":"127.0.0.1:6379"}"#),
            (Location::account("qt"), r#"{"kind":"account","path":"user qt"}"#),
        ] {
            assert_eq!(serde_json::to_string(&place).unwrap(), written);
            assert_eq!(serde_json::from_str::<Location>(written).unwrap(), place);
        }
    }
}
