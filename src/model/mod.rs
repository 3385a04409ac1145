//! The plain words of the product: where something stands, what was observed, what a rule found, and
//! what follows from all of it. Data only; nothing here imports anything else of ours.

pub mod answers;
pub mod location;
pub mod looked;
pub mod observed;
pub mod outcome;
pub mod report;
pub mod results;
pub mod section;
pub mod subject;
pub mod verdict;

pub use location::{Location, Stated};
pub use looked::{Access, Credentials, End, Entry, Lookup, Meta, NodeKind, Step};
pub use observed::{Observed, Undecided};
pub use outcome::{Finding, FindingBuilder, Outcome, Ruling};
pub use report::{
    ContractNote, Failure, NEEDS_LIVE_HOST, NEEDS_PROBE, Report, RuleInfo, RuleResult, Said, Scope, Summary,
    WaiverNote,
};
pub use results::Results;
pub use section::{Section, Severity};
pub use subject::Subject;
pub use verdict::Verdict;
