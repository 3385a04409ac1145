//! What `golden audit` said on a machine, as tests ask for it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

pub use super::remedy;

use std::process::Output;

use serde_json::Value;

/// A report with its exit code.
pub struct Report {
    /// Exit code.
    pub code: i32,
    json: Value,
}

/// One result that is no pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Id of the rule.
    pub rule: String,
    /// `host`, `service:api`.
    pub subject: String,
    /// `/path` or `/path:line`.
    pub place: String,
    /// What is wrong, or why it could not be decided.
    pub message: String,
    /// What mends it: shell, or what a person must decide.
    pub remedy: String,
}

impl Said {
    /// Whether it is this rule's word on this subject at this place; a place without line means any line.
    pub fn is(&self, rule: &str, subject: &str, place: &str) -> bool {
        let there = self.place == place || self.place.starts_with(&format!("{place}:"));
        self.rule == rule && self.subject == subject && there
    }
}

impl Report {
    /// Of an audit with `--format json`.
    pub fn of(output: &Output) -> Self {
        let json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        Self { code: output.status.code().expect("an exit code"), json }
    }

    /// Failures that nothing waives.
    pub fn failures(&self) -> Vec<Said> {
        self.said(|result| result["outcome"] == "fail" && result["waiver"].is_null())
    }

    /// Failures under a waiver.
    pub fn waived(&self) -> Vec<Said> {
        self.said(|result| result["outcome"] == "fail" && !result["waiver"].is_null())
    }

    /// What could not be decided.
    pub fn undecided(&self) -> Vec<Said> {
        self.said(|result| result["outcome"] == "undecided")
    }

    /// The outcomes of a rule, one each subject and key.
    pub fn outcomes(&self, rule: &str) -> Vec<&str> {
        let of_rule = self.results().filter(|result| result["rule"] == rule);
        of_rule.map(|result| result["outcome"].as_str().unwrap_or("")).collect()
    }

    /// How many results passed.
    pub fn passes(&self) -> usize {
        self.results().filter(|result| result["outcome"] == "pass").count()
    }

    /// How many results about a subject passed.
    pub fn passes_of(&self, subject: &str) -> usize {
        self.results().filter(|result| result["outcome"] == "pass" && result["subject"] == subject).count()
    }

    /// Whether somebody said this.
    pub fn fails(&self, rule: &str, subject: &str, place: &str) -> bool {
        self.failures().iter().any(|said| said.is(rule, subject, place))
    }

    fn results(&self) -> impl Iterator<Item = &Value> {
        self.json["results"].as_array().expect("results").iter()
    }

    fn said(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Said> {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let said = |result: &Value| Said {
            rule: text(&result["rule"]),
            subject: text(&result["subject"]),
            place: place(&result["location"]),
            message: text(&result["message"]),
            remedy: remedy::text(&result["remedy"]),
        };
        self.results().filter(|result| wanted(result)).map(said).collect()
    }
}

fn place(location: &Value) -> String {
    let path = location["path"].as_str().unwrap_or("");
    location["line"].as_u64().map_or_else(|| path.to_owned(), |line| format!("{path}:{line}"))
}
