//! What a rule judges.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The thing a rule judges; written `host`, `service:<name>`, `job:<name>`, `file:<path>` or
/// `model:<name>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Subject {
    /// The host as a whole, its layout and its dependencies.
    Host,
    /// A service of the contract.
    Service(Arc<str>),
    /// A job of the contract.
    Job(Arc<str>),
    /// A file, for example of the governed repository.
    File(Arc<str>),
    /// A model, as the telemetry names it.
    Model(Arc<str>),
}

impl Subject {
    /// The bare name a person reads in a line of the report.
    pub fn label(&self) -> &str {
        match self {
            Subject::Host => "host",
            Subject::Service(name) | Subject::Job(name) | Subject::File(name) | Subject::Model(name) => name,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Host => f.write_str("host"),
            Subject::Service(name) => write!(f, "service:{name}"),
            Subject::Job(name) => write!(f, "job:{name}"),
            Subject::File(path) => write!(f, "file:{path}"),
            Subject::Model(name) => write!(f, "model:{name}"),
        }
    }
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "host" => Ok(Subject::Host),
            Some(("service", name)) if !name.is_empty() => Ok(Subject::Service(name.into())),
            Some(("job", name)) if !name.is_empty() => Ok(Subject::Job(name.into())),
            Some(("file", path)) if path.starts_with('/') => Ok(Subject::File(path.into())),
            Some(("model", name)) if !name.is_empty() => Ok(Subject::Model(name.into())),
            _ => Err(format!(
                "{text:?} is not a subject; write host, service:NAME, job:NAME, model:NAME or file:/PATH"
            )),
        }
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl TryFrom<String> for Subject {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
