//! `Condition…=` and `Assert…=` of a unit, as a list of questions (systemd.unit(5), "CONDITIONS AND ASSERTS").

use super::start::simplified;
use crate::systemd::effective::{EffectiveUnit, Setting};

/// One condition or assertion.
#[derive(Clone, Debug)]
pub struct Condition<'a> {
    /// What is asked: `PathExists`, `User` …
    pub test: &'a str,
    /// It is an assertion: its failure is a failed start, not one that is ignored in silence.
    pub is_assert: bool,
    /// `|`: one of those with this mark is enough.
    pub is_trigger: bool,
    /// `!`: it holds where the answer is no.
    pub is_negated: bool,
    /// What it is asked about.
    pub argument: &'a str,
    /// The line.
    pub setting: &'a Setting,
}

/// The questions that are about one path.
const OF_PATHS: &[&str] = &[
    "PathExists",
    "PathExistsGlob",
    "PathIsDirectory",
    "PathIsSymbolicLink",
    "PathIsMountPoint",
    "PathIsReadWrite",
    "DirectoryNotEmpty",
    "FileNotEmpty",
    "FileIsExecutable",
];

/// The questions about accounts; the others are about the running host.
const OF_ACCOUNTS: &[&str] = &["User", "Group"];

/// Every condition and assertion whose kind a disk can answer.
pub fn all(unit: &EffectiveUnit) -> Vec<Condition<'_>> {
    let mut all = Vec::new();
    for setting in unit.settings.iter().filter(|setting| *setting.section == *"Unit") {
        let key = setting.key.as_str();
        let (test, is_assert) = match (key.strip_prefix("Condition"), key.strip_prefix("Assert")) {
            (Some(test), _) => (test, false),
            (None, Some(test)) => (test, true),
            (None, None) => continue,
        };
        // A trigger of another kind counts too: it may be the one that holds.
        let value = setting.value().trim();
        let (is_trigger, value) = mark(value, '|');
        let (is_negated, argument) = mark(value, '!');
        all.push(Condition { test, is_assert, is_trigger, is_negated, argument, setting });
    }
    all
}

fn mark(value: &str, mark: char) -> (bool, &str) {
    match value.strip_prefix(mark) {
        Some(rest) => (true, rest.trim_start()),
        None => (false, value),
    }
}

impl Condition<'_> {
    /// The path or pattern it is about.
    pub fn path(&self) -> Option<&str> {
        (OF_PATHS.contains(&self.test) && self.argument.starts_with('/')).then_some(self.argument)
    }

    /// Whether a disk can say anything about it.
    pub fn is_of_disk(&self) -> bool {
        self.path().is_some() || OF_ACCOUNTS.contains(&self.test)
    }
}

/// The directories that must be listed to know what a pattern matches: only of patterns in the last component.
pub fn directories_of(pattern: &str) -> Option<String> {
    let (directory, _) = pattern.rsplit_once('/')?;
    (!directory.contains(['*', '?', '['])).then(|| simplified(directory))
}
