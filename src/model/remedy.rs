//! What is to be done about a finding: changes that golden can make, or a decision that only a person can take.
//!
//! A rule states its remedy beside its check, as changes from one closed vocabulary or as a decision with its
//! candidates. The shell that people copy is made from it (`model::change::shell`), and nothing reads that text back.
//! The mutation test runs the printed shell, so that it stays true.

use serde::{Deserialize, Serialize};

use super::change::Change;

/// The remedy of a finding. A rule states it as data; a person reads it as shell, golden carries it out itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Remedy {
    /// Changes in the order in which they are made.
    Do {
        /// At least one.
        changes: Vec<Change>,
    },
    /// A person must decide.
    Decide(Decision),
}

/// A question that golden cannot answer, with what could be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What must be decided or done, as an order: *choose a value for CPUQuota=*.
    pub question: String,
    /// What could be done, the likeliest first; may be empty.
    pub candidates: Vec<Candidate>,
}

/// One answer to the question of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// What it does, in words; empty where the shell says it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// The command that does it; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub shell: String,
}

impl Remedy {
    /// Changes that golden can make.
    pub fn changes(changes: impl IntoIterator<Item = Change>) -> Self {
        Remedy::Do { changes: changes.into_iter().collect() }
    }

    /// A question for a person, as an order: *choose a value for CPUQuota=*.
    pub fn decide(question: impl Into<String>) -> Self {
        Remedy::Decide(Decision { question: question.into(), candidates: Vec::new() })
    }

    /// Adds a command that a person may choose to run.
    #[must_use]
    pub fn candidate(mut self, words: impl Into<String>, shell: impl Into<String>) -> Self {
        if let Remedy::Decide(decision) = &mut self {
            decision.candidates.push(Candidate { words: words.into(), shell: shell.into() });
        }
        self
    }

    /// The changes, none where a person must decide.
    pub fn list(&self) -> &[Change] {
        match self {
            Remedy::Do { changes } => changes,
            Remedy::Decide(_) => &[],
        }
    }

    /// Whether a person must decide.
    pub fn is_a_persons(&self) -> bool {
        matches!(self, Remedy::Decide(_))
    }

    /// The shell that a person may copy; nothing runs it but a person.
    pub fn shell(&self) -> String {
        let lines: Vec<String> = self.list().iter().map(Change::shell).collect();
        lines.join(" && ")
    }

    /// One line for a person: the shell, or the question with its candidates.
    pub fn text(&self) -> String {
        let decision = match self {
            Remedy::Do { .. } => return self.shell(),
            Remedy::Decide(decision) => decision,
        };
        let candidates =
            decision.candidates.iter().map(|one| match (one.words.as_str(), one.shell.as_str()) {
                ("", shell) => shell.to_owned(),
                (words, "") => words.to_owned(),
                (words, shell) => format!("{words}: {shell}"),
            });
        let candidates: Vec<String> = candidates.collect();
        match candidates.is_empty() {
            true => decision.question.clone(),
            false => format!("{} — {}", decision.question, candidates.join("; or ")),
        }
    }
}

impl From<Change> for Remedy {
    fn from(change: Change) -> Self {
        Remedy::changes([change])
    }
}

impl From<Vec<Change>> for Remedy {
    fn from(changes: Vec<Change>) -> Self {
        Remedy::changes(changes)
    }
}
