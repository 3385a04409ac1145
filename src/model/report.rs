//! All outcomes of one audit, and the verdict that follows from them.

use serde::{Deserialize, Serialize};

use super::{Finding, Section, Severity, Subject, Verdict};

/// How the facts were obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The running host was asked.
    Live,
    /// A root directory was read; nothing of a running host was asked.
    Root,
}

/// One rule's word on one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleResult {
    /// The rule's id.
    pub rule: &'static str,
    /// The contract section it belongs to.
    pub section: Section,
    /// How binding it is, after the contract's own overrides.
    pub severity: Severity,
    /// What was judged.
    pub subject: Subject,
    /// What was said.
    pub said: Said,
}

/// What a rule said of a subject; a failure has one result per finding.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The demand is met.
    Pass,
    /// The demand is broken; a waiver may cover it.
    Fail {
        /// The evidence.
        finding: Box<Finding>,
        /// The exception that covers it until its day is over.
        waiver: Option<WaiverNote>,
        /// An exception that would have covered it, had it not expired.
        expired: Option<WaiverNote>,
    },
    /// The demand does not concern the subject, and why.
    NotApplicable(String),
    /// Nobody knows, and why, and what would tell.
    Undecided {
        /// What could not be learned.
        why: String,
        /// The command that would let it be learned.
        remedy: Option<String>,
    },
}

/// A waiver as a report shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaiverNote {
    /// Why the exception exists.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day (UTC) on which it holds, `YYYY-MM-DD`.
    pub expires: String,
    /// Where it is written.
    pub at: super::Location,
}

/// Counts of results. A failed *should* is a warning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Demands met.
    pub pass: usize,
    /// Broken musts.
    pub fail: usize,
    /// Broken shoulds.
    pub warn: usize,
    /// Broken, but covered by a waiver.
    pub waived: usize,
    /// Of no concern to the subject.
    pub not_applicable: usize,
    /// Not decided, must and should alike.
    pub undecided: usize,
}

/// Everything an audit says.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Which contract judged.
    pub contract: ContractNote,
    /// The host's name, as its facts give it.
    pub host: String,
    /// How the facts were obtained.
    pub scope: Scope,
    /// True when the facts come from a file.
    pub replayed: bool,
    /// What the caller narrowed the audit to, as words for the verdict line; empty when whole.
    pub filters: Vec<String>,
    /// Sentences a reader needs once: the not applicable of an offline audit, an unknown version.
    pub notes: Vec<String>,
    /// Every outcome, passes too, in section, subject, rule order.
    pub results: Vec<RuleResult>,
}

/// Which contract judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractNote {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// sha256 of the bytes of its file, in hex.
    pub digest: String,
    /// Its file, or `built-in`.
    pub source: String,
}

impl Report {
    /// The one place where a verdict is made.
    pub fn verdict(&self) -> Verdict {
        let mut undecided = self.results.is_empty();
        for result in self.results.iter().filter(|result| result.severity == Severity::Must) {
            match &result.said {
                Said::Fail { waiver: None, .. } => return Verdict::Violated,
                Said::Undecided { .. } => undecided = true,
                _ => {}
            }
        }
        if undecided { Verdict::Undecided } else { Verdict::Compliant }
    }

    /// Counts the results.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for result in &self.results {
            let counter = match (&result.said, result.severity) {
                (Said::Pass, _) => &mut summary.pass,
                (Said::Fail { waiver: Some(_), .. }, _) => &mut summary.waived,
                (Said::Fail { .. }, Severity::Must) => &mut summary.fail,
                (Said::Fail { .. }, Severity::Should) => &mut summary.warn,
                (Said::NotApplicable(_), _) => &mut summary.not_applicable,
                (Said::Undecided { .. }, _) => &mut summary.undecided,
            };
            *counter += 1;
        }
        summary
    }
}
