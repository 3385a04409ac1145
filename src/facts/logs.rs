//! Facts about where logs go: the journal's storage and the rotation of log files.

use serde::{Deserialize, Serialize};

use crate::model::{Location, Observed};

/// The place of the layout that holds log files beside the journal, where a contract has one.
pub const PLACE: &str = "logs";

/// What was seen of the journal and of logrotate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogFacts {
    /// `Storage=` of journald.conf(5) after its drop-ins; absent when nothing sets it.
    pub storage: Observed<(String, Location)>,
    /// Patterns of log files that logrotate(8) takes care of; absent when it is not configured at all.
    pub rotated: Observed<Vec<(String, Location)>>,
}
