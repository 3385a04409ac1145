//! The plain words of the product: where something stands, what was observed, what a rule found, and
//! what follows from all of it. Data only; nothing here imports anything else of ours.

pub mod answers;
pub mod board;
pub mod change;
pub mod digest;
pub mod location;
pub mod looked;
pub mod observed;
pub mod outcome;
pub mod remedy;
pub mod report;
pub mod results;
pub mod section;
pub mod subject;
pub mod verdict;
pub mod visible;

pub use change::{Change, How, Spot, Stage, Verb};
pub use digest::{hex, sha256};
pub use location::{Location, Stated};
pub use looked::{
    Access, Credentials, End, Entry, Lookup, MOST_LINKS, Meta, NodeKind, RUN, RUN_OF_SYSTEMD, Step, leads_to,
};
pub use observed::{Observed, Undecided};
pub use outcome::{Finding, FindingBuilder, MOST_FINDINGS, Outcome, Ruling};
pub use remedy::{Candidate, Decision, Remedy};
pub use report::{
    Cause, ContractNote, Failure, NEEDS_LIVE_HOST, NEEDS_PROBE, NEEDS_TELEMETRY, Report, RuleInfo,
    RuleResult, Said, Scope, Summary, WaiverNote,
};
pub use results::Results;
pub use section::{Section, Severity};
pub use subject::Subject;
pub use verdict::Verdict;
pub use visible::{RAW_BYTES, visible, visible_json, visible_lines};
