//! The verdict and its exit code. Nobody else decides either (the fifth law).

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// What all outcomes together say of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every *must* that was judged is met or waived, and none was left undecided.
    Compliant,
    /// At least one *must* is broken and not waived.
    Violated,
    /// No *must* is broken, but at least one could not be decided.
    Undecided,
}

impl Verdict {
    /// Its word in a sentence, as reports for machines have it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Compliant => "compliant",
            Verdict::Violated => "violated",
            Verdict::Undecided => "undecided",
        }
    }

    /// The seed's exit codes: 0 compliant, 1 violations, 2 cannot audit.
    pub fn code(self) -> u8 {
        match self {
            Verdict::Compliant => 0,
            Verdict::Violated => 1,
            Verdict::Undecided => 2,
        }
    }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        ExitCode::from(verdict.code())
    }
}
