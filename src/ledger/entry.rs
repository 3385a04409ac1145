//! What one entry of the ledger says.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What was done to the host, by whom and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, as RFC 3339 has it, in UTC.
    pub at: String,
    /// Who called.
    pub by: By,
    /// What kind of entry it is.
    pub event: Event,
    /// `apply`, `fix`, `deploy`, `undo` …
    pub verb: String,
    /// The plan's id, by which it is undone; empty where it belongs to no plan.
    pub plan: String,
    /// The plan's number, which orders plans whatever the clock says; 0 where there is none.
    pub plan_number: u64,
    /// The digest of the contract that was in force.
    pub contract: String,
    /// The titles of the steps.
    pub steps: Vec<String>,
    /// How it ended, in words.
    pub result: String,
    /// What could not be brought back, or stays on purpose.
    pub left: Vec<String>,
    /// Whatever else belongs to it, by name: the two commits of a deployment, the digest of a kept part.
    pub facts: BTreeMap<String, String>,
}

/// Who called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum By {
    /// As this golden writes it down.
    Who(Who),
    /// A name, as golden 0.1 wrote it down.
    Name(String),
}

/// The person behind a call. Only the login uid and the two user ids are the kernel's word; the name that sudo(8) gives
/// is a hint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The user who logged in (`/proc/self/loginuid`); none in a service or where no login set it.
    pub login_uid: Option<u32>,
    /// The account of that user, where `/etc/passwd` has it.
    pub login: Option<String>,
    /// `SUDO_USER`, which the caller could set to anything.
    pub sudo: Option<String>,
    /// The real user id.
    pub uid: u32,
    /// The effective user id.
    pub euid: u32,
}

impl Who {
    /// Who called this process. What the environment and `/etc/passwd` know is the command line's to add.
    pub fn of_this_process() -> Self {
        Self {
            login_uid: crate::system::state::login_uid(),
            login: None,
            sudo: None,
            uid: rustix::process::getuid().as_raw(),
            euid: rustix::process::geteuid().as_raw(),
        }
    }

    /// With the name that sudo(8) left in the environment; an empty one is none.
    #[must_use]
    pub fn with_sudo(mut self, name: Option<String>) -> Self {
        self.sudo = name.filter(|name| !name.is_empty());
        self
    }

    /// With the account of the user who logged in.
    #[must_use]
    pub fn with_login(mut self, name: Option<String>) -> Self {
        self.login = name.filter(|_| self.login_uid.is_some());
        self
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.login, self.login_uid) {
            (Some(name), _) => f.write_str(name)?,
            (None, Some(uid)) => write!(f, "login uid {uid}")?,
            (None, None) => write!(f, "uid {} (no login)", self.uid)?,
        }
        match &self.sudo {
            Some(sudo) if Some(sudo) != self.login.as_ref() => write!(f, " (sudo says {sudo})"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Who(who) => who.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What kind of entry it is.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Event {
            $($(#[$doc])* $name,)*
            /// One that this golden does not know.
            Other(String),
        }

        impl Event {
            /// The word that is written down.
            pub fn word(&self) -> &str {
                match self {
                    $(Self::$name => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<String> for Event {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$name,)*
                    _ => Self::Other(word),
                }
            }
        }
    };
}

events! {
    /// A plan was made and waits to be carried out.
    Planned = "planned",
    /// A plan was carried out.
    Applied = "applied",
    /// Another commit was brought to the host.
    Deployed = "deployed",
    /// A plan that was carried out was taken back.
    Undone = "undone",
    /// A plan that was interrupted was taken back by the next call.
    InterruptedUndone = "interrupted-undone",
    /// A step failed, and what went before it was taken back.
    FailedUndone = "failed-undone",
    /// What an ended plan should have restarted was restarted by a later call.
    MadeUp = "made-up-for",
    /// An artefact of a model was registered.
    Shadowed = "shadowed",
    /// A person let an artefact be obeyed on probation.
    Canaried = "canary",
    /// A person promoted a canary.
    Promoted = "promoted",
    /// What made an artefact live was taken back.
    RolledBack = "rolled-back",
    /// A model was judged by the gate.
    Gated = "gated",
    /// A person accepted a new head of the ledger.
    Repaired = "repaired",
}

impl Serialize for Event {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_said_in_words() {
        let who = |login_uid, login: Option<&str>, sudo: Option<&str>| {
            let login = login.map(str::to_owned);
            let who = Who { login_uid, ..Who::default() };
            who.with_login(login).with_sudo(sudo.map(str::to_owned)).to_string()
        };
        assert_eq!(who(Some(1000), Some("alice"), Some("alice")), "alice");
        assert_eq!(who(Some(1000), Some("alice"), Some("bob")), "alice (sudo says bob)");
        assert_eq!(who(Some(1000), None, None), "login uid 1000");
        assert_eq!(who(None, Some("alice"), Some("")), "uid 0 (no login)");
        assert_eq!(who(None, None, Some("bob")), "uid 0 (no login) (sudo says bob)");
    }
}
