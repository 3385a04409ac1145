//! What a rule says of a subject, and the evidence it must bring when it says *fail*.
//!
//! A check returns `Result<Outcome, Undecided>`, so that `?` carries a fact that could not be read out of the check,
//! and no arm of a match has to pass it on.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Location, Remedy, Severity, Undecided};

/// More findings of one rule about one subject tell nobody more; a user could make a hundred thousand of them.
pub const MOST_FINDINGS: usize = 100;

/// What a check returns: an outcome, or the unread fact that kept it from one.
pub type Ruling = Result<Outcome, Undecided>;

/// The four outcomes of a rule are these three and [`Undecided`].
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The demand is met.
    Pass,
    /// The demand is broken, in at least one place.
    Fail(Vec<Finding>),
    /// The demand does not concern this subject; the text says why.
    NotApplicable(Cow<'static, str>),
}

impl Outcome {
    /// Fails when there is something to report, passes otherwise.
    pub fn from_findings(findings: Vec<Finding>) -> Self {
        if findings.is_empty() { Outcome::Pass } else { Outcome::Fail(findings) }
    }

    /// Not applicable, with its reason.
    pub fn not_applicable(why: impl Into<Cow<'static, str>>) -> Self {
        Outcome::NotApplicable(why.into())
    }
}

impl From<Finding> for Outcome {
    fn from(finding: Finding) -> Self {
        Outcome::Fail(vec![finding])
    }
}

/// A broken demand with its evidence. It cannot be built without the place of the offence and the
/// contract line that demands otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong, in one short sentence without a full stop.
    pub message: String,
    /// The place of the offence.
    pub location: Location,
    /// The contract line that is broken.
    pub demanded_by: Location,
    /// Tells apart findings of one rule on one subject: a setting, a variable, a directory.
    pub key: Option<String>,
    /// What the contract demands, as one would write it.
    pub expected: Option<String>,
    /// What is there, as it is written.
    pub observed: Option<String>,
    /// What the offending value overrode: place and text, nearest first.
    pub overrode: Vec<(Location, String)>,
    /// What is to be done about it.
    pub remedy: Option<Remedy>,
    /// How binding it is at most, where that is less than its rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

impl Finding {
    /// Starts a finding: what is wrong, where, and which line of the contract demands otherwise.
    #[expect(
        clippy::new_ret_no_self,
        reason = "a finding is complete only when its builder is asked how to mend it"
    )]
    pub fn new(message: impl Into<String>, location: Location, demanded_by: Location) -> FindingBuilder {
        FindingBuilder(Finding {
            message: message.into(),
            location,
            demanded_by,
            key: None,
            expected: None,
            observed: None,
            overrode: Vec::new(),
            remedy: None,
            severity: None,
        })
    }
}

/// Adds the rest of the evidence to a finding.
#[must_use]
#[derive(Clone, Debug)]
pub struct FindingBuilder(Finding);

impl FindingBuilder {
    /// See [`Finding::key`].
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.0.key = Some(key.into());
        self
    }

    /// See [`Finding::expected`].
    pub fn expected(mut self, text: impl Into<String>) -> Self {
        self.0.expected = Some(text.into());
        self
    }

    /// See [`Finding::observed`].
    pub fn observed(mut self, text: impl Into<String>) -> Self {
        self.0.observed = Some(text.into());
        self
    }

    /// See [`Finding::overrode`].
    pub fn overrode(mut self, places: impl IntoIterator<Item = (Location, String)>) -> Self {
        self.0.overrode.extend(places);
        self
    }

    /// It never moves the verdict, whatever its rule says: a stranger has brought it about.
    pub fn only_warns(mut self) -> Self {
        self.0.severity = Some(Severity::Should);
        self
    }

    /// A finding without a way out is half a finding: what golden can change, or what a person must decide.
    pub fn mend(mut self, remedy: impl Into<Remedy>) -> Finding {
        self.0.remedy = Some(remedy.into());
        self.0
    }
}
