//! All outcomes of one audit, and the verdict that follows from them.
//!
//! A result has a `key` beside rule and subject (a setting, a variable, a place, a dependency), which a waiver can
//! narrow by too.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Finding, Results, Section, Severity, Subject, Undecided, Verdict};

/// How the facts were obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The running host was asked.
    Live,
    /// A root directory was read; nothing of a running host was asked.
    Root,
}

/// What kind of thing a rule finds broken. The order is that of causes: a finding of a later kind may only follow from
/// one of an earlier kind on the same subject, as a service without its user does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A user or group that other things belong to.
    Accounts,
    /// The host and what lies on it: places, venvs, the repository, dependencies.
    Host,
    /// A unit, the files that it names, and what its start needs.
    Unit,
    /// What the variables of a service say.
    Environment,
    /// What runs.
    Process,
}

/// What a reader needs to know of a rule.
#[derive(Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// Kebab-case, names the defect.
    pub id: &'static str,
    /// The section of the contract it guards.
    pub section: Section,
    /// How binding it is unless the contract says otherwise.
    pub severity: Severity,
    /// What kind of thing is broken, which says whose findings may only follow from it.
    pub cause: Cause,
    /// One sentence: the consequence of the defect.
    pub why: &'static str,
    /// Commands that show the defect by hand and change nothing. Words in braces stand for a value of the contract, such
    /// as `{unit}`; [`crate::rules::see`] fills them in.
    pub see: &'static [&'static str],
    /// What golden changes, and what is left to the reader.
    pub mend: &'static str,
    /// The manual pages that describe what is judged, such as `systemd.exec(5)`.
    pub man: &'static [&'static str],
    /// The version of golden that had the rule first, or `unreleased`.
    pub since: &'static str,
    /// Its manual page in Markdown; the first line is its summary.
    pub doc: &'static str,
}

impl RuleInfo {
    /// The first line of the manual page, without its full stop.
    pub fn summary(&self) -> &'static str {
        self.doc.trim_start().lines().next().unwrap_or("").trim().trim_end_matches('.')
    }
}

/// One rule's word on one subject. There are many of these: what a pass needs is kept small.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleResult {
    /// The rule.
    pub rule: &'static RuleInfo,
    /// How binding it is, after the contract's own word.
    pub severity: Severity,
    /// What was judged.
    pub subject: Subject,
    /// Which part of the subject: a setting, a variable, a place, a dependency.
    pub key: Option<Arc<str>>,
    /// What was said.
    pub said: Said,
}

impl RuleResult {
    /// The part of the subject that was judged, as words; empty for the whole.
    pub fn key_words(&self) -> &str {
        self.key.as_deref().unwrap_or("")
    }

    /// Whether only a running host could have answered.
    pub fn waits_for_live_host(&self) -> bool {
        matches!(&self.said, Said::NotApplicable(why) if why.as_ref() == NEEDS_LIVE_HOST)
    }

    /// Whether nobody looked: there was no running host, or nobody asked for what must be run.
    pub fn was_not_looked_at(&self) -> bool {
        matches!(&self.said, Said::NotApplicable(why) if [NEEDS_LIVE_HOST, NEEDS_PROBE, NEEDS_TELEMETRY].contains(&why.as_ref()))
    }

    /// The order of a report: by section, subject, rule and key.
    pub fn order(&self) -> (Section, &Subject, &'static str, Option<&str>) {
        (self.rule.section, &self.subject, self.rule.id, self.key.as_deref())
    }
}

/// Said of every rule that needs a running host when there is only a disk.
pub const NEEDS_LIVE_HOST: &str = "needs the live host";

/// Said of every rule that judges what is only known when it is run, when nobody asked for that.
pub const NEEDS_PROBE: &str = "no program of a service is run without --probe";

/// Said of every rule that judges models, when nobody has asked what they said.
pub const NEEDS_TELEMETRY: &str = "judged by golden gate";

/// What a rule said of a subject; a failure has one result per finding.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The demand is met.
    Pass,
    /// The demand is broken.
    Fail(Box<Failure>),
    /// The demand does not concern the subject, and why.
    NotApplicable(Cow<'static, str>),
    /// Nobody knows.
    Undecided(Box<Undecided>),
}

/// A broken demand and what the contract's waivers say of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The evidence.
    pub finding: Finding,
    /// The exception that covers it until its day is over.
    pub waiver: Option<WaiverNote>,
    /// An exception that would have covered it, had it not expired.
    pub expired: Option<WaiverNote>,
}

impl Failure {
    /// A failure that no waiver covers.
    pub fn new(finding: Finding) -> Self {
        Self { finding, waiver: None, expired: None }
    }
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
    /// Every outcome, passes too.
    pub results: Results,
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
                Said::Fail(failure) if failure.waiver.is_none() => return Verdict::Violated,
                Said::Undecided(_) => undecided = true,
                _ => {}
            }
        }
        if undecided { Verdict::Undecided } else { Verdict::Compliant }
    }

    /// Counts the results.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for result in self.results.iter() {
            let counter = match (&result.said, result.severity) {
                (Said::Pass, _) => &mut summary.pass,
                (Said::Fail(failure), _) if failure.waiver.is_some() => &mut summary.waived,
                (Said::Fail(_), Severity::Must) => &mut summary.fail,
                (Said::Fail(_), Severity::Should) => &mut summary.warn,
                (Said::NotApplicable(_), _) => &mut summary.not_applicable,
                (Said::Undecided(_), _) => &mut summary.undecided,
            };
            *counter += 1;
        }
        summary
    }
}
