//! Facts about golden's own record: plans that did not end, and whether the ledger holds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Observed;

/// golden's directory.
pub const STATE: &str = "/var/lib/golden";

/// The directory of its plans.
pub const PLANS: &str = "/var/lib/golden/plans";

/// The ledger.
pub const LEDGER: &str = "/var/lib/golden/ledger.jsonl";

/// Where golden notes the last head that a command took outside.
pub const SENT: &str = "/var/lib/golden/sent-head";

/// What was seen of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateFacts {
    /// Plans that did not end; absent where golden has carried out none.
    pub open_plans: Observed<Vec<OpenPlan>>,
    /// The ledger; absent where golden has changed nothing.
    pub ledger: Observed<LedgerFacts>,
    /// What the anchor of the contract says of the ledger; absent where the contract names none.
    #[serde(default = "no_anchor")]
    pub anchor: Observed<AnchorFacts>,
    /// What golden noted of the heads that the contract's command took outside; absent where it names none.
    #[serde(default = "no_anchor")]
    pub sent: Observed<AnchorFacts>,
    /// Unit files in /etc/systemd/system that golden has rendered from this contract, by name.
    #[serde(default = "nobody_looked")]
    pub units: Observed<Vec<Arc<str>>>,
}

/// Of facts that were recorded before this was looked at.
fn nobody_looked() -> Observed<Vec<Arc<str>>> {
    Observed::Absent
}

/// Of facts that were recorded before this was looked at.
fn no_anchor() -> Observed<AnchorFacts> {
    Observed::Absent
}

/// The heads that were left in the file of the contract, beside a ledger that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorFacts {
    /// How many entries the ledger has.
    pub entries: u64,
    /// The number of the newest head that was left; 0 without any.
    pub left: u64,
    /// Why the ledger does not hold them all.
    pub defect: Option<String>,
    /// What on the way to the file, or the file itself, somebody beside root can change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<String>,
}

/// A plan that is not known to have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPlan {
    /// Its id.
    pub id: String,
    /// Which verb began it; empty where its journal does not say.
    pub verb: String,
    /// How it stands.
    pub stands: Stands,
}

/// How a plan stands that is not known to have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stands {
    /// The process that carries it out lives.
    Running,
    /// That process is gone, or the host does not run.
    Interrupted,
    /// Its journal cannot be understood, for this reason.
    Unknown(String),
}

/// The ledger, read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerFacts {
    /// How many entries hold.
    pub entries: u64,
    /// What is wrong behind them, and in which line.
    pub defect: Option<LedgerDefect>,
}

/// What is wrong with a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerDefect {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
    /// It is the last line, and was not written to its end.
    pub torn: bool,
}
