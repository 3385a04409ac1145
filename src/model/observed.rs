//! What a look at the world gave. There is no `bool` and no `Option` for it, because both would let a
//! failed look pass for an answer (the first law: unknown is never yes).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of looking for something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed<T> {
    /// It is there.
    Found(T),
    /// It is certainly not there.
    Absent,
    /// The look itself failed; the text says why and, where known, how to look better.
    Unreadable(String),
}

impl<T> Observed<T> {
    /// The value, `None` when certainly absent, or the reason why nobody knows.
    pub fn known(&self) -> Result<Option<&T>, Undecided> {
        match self {
            Self::Found(value) => Ok(Some(value)),
            Self::Absent => Ok(None),
            Self::Unreadable(why) => Err(Undecided::new(why.clone())),
        }
    }

    /// The same observation of a part of the value.
    pub fn map<U>(self, part: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Found(value) => Observed::Found(part(value)),
            Self::Absent => Observed::Absent,
            Self::Unreadable(why) => Observed::Unreadable(why),
        }
    }

    /// Goes on looking from what was found.
    pub fn and_then<U>(self, next: impl FnOnce(T) -> Observed<U>) -> Observed<U> {
        match self {
            Self::Found(value) => next(value),
            Self::Absent => Observed::Absent,
            Self::Unreadable(why) => Observed::Unreadable(why),
        }
    }

    /// Borrows the value.
    pub fn as_ref(&self) -> Observed<&T> {
        match self {
            Self::Found(value) => Observed::Found(value),
            Self::Absent => Observed::Absent,
            Self::Unreadable(why) => Observed::Unreadable(why.clone()),
        }
    }
}

/// Why a rule could not decide. It travels with `?` from the fact that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undecided {
    /// What could not be learned and why, in one sentence.
    pub why: String,
    /// The command that would let it be learned, where there is one.
    pub remedy: Option<String>,
}

impl Undecided {
    /// An undecided ruling with its reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: None }
    }

    /// Adds the command that would decide it.
    pub fn or_run(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Undecided {}
