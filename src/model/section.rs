//! The fourteen sections of a contract and the two levels of a demand.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! sections {
    ($($letter:ident $title:literal,)*) => {
        /// A section of the contract, A to N.
        #[allow(missing_docs, reason = "the letters carry their title in `title`")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Section { $($letter,)* }

        impl Section {
            /// Every section in order.
            pub const ALL: &'static [Section] = &[$(Section::$letter,)*];

            /// The section's title.
            pub fn title(self) -> &'static str {
                match self { $(Section::$letter => $title,)* }
            }

            /// The section's letter.
            pub fn letter(self) -> &'static str {
                match self { $(Section::$letter => stringify!($letter),)* }
            }
        }
    };
}

sections! {
    A "filesystem layout",
    B "runtime",
    C "environment",
    D "systemd units",
    E "dependencies",
    F "safety",
    G "operations",
    H "audit",
    I "deployment checklist",
    J "least privilege",
    K "repeatability",
    L "forbidden",
    M "change log",
    N "signature",
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

impl FromStr for Section {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Section::ALL
            .iter()
            .copied()
            .find(|section| section.letter().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("{text:?} is not a section; sections are A to N"))
    }
}

/// How binding a demand is. Only `Must` moves the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Broken, it is a violation.
    Must,
    /// Broken, it is a warning.
    Should,
}
