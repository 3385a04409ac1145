//! `Condition…=` and `Assert…=` of a unit, as a list of questions (systemd.unit(5), "CONDITIONS AND ASSERTS").

use serde::{Deserialize, Serialize};

use super::start::simplified;
use crate::syntax::glob;
use crate::systemd::effective::{EffectiveUnit, Setting};
use crate::systemd::specifier::os_release;

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

/// The questions about accounts.
const OF_ACCOUNTS: &[&str] = &["User", "Group"];

/// The questions about what the host is called; the others are about the running host.
const OF_NAMES: &[&str] = &["Architecture", "FirstBoot", "Host", "OSRelease"];

/// What the host is called, as conditions ask for it; what is not known is left out. The ids of machine and boot are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// The text of os-release(5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_release: Option<String>,
    /// systemd's word for its architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// It has a machine id, so the next boot is not its first.
    pub has_machine_id: bool,
}

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

    /// Whether it is about what the host is called.
    pub fn is_of_names(&self) -> bool {
        OF_NAMES.contains(&self.test)
    }

    /// Whether the names meet it, before a `!`; `None` where they do not tell.
    pub fn holds_by(&self, names: &Names) -> Option<bool> {
        match self.test {
            "Architecture" if self.argument == "native" => Some(true),
            "Architecture" => {
                let is_known = ARCHITECTURES.contains(&self.argument);
                names.architecture.as_ref().filter(|_| is_known).map(|is| is == self.argument)
            }
            // A machine that was never booted has no id; of an empty one it is not known.
            "FirstBoot" if names.has_machine_id => match self.argument {
                "yes" | "true" | "1" | "on" => Some(false),
                "no" | "false" | "0" | "off" => Some(true),
                _ => None,
            },
            "Host" if !is_machine_id(self.argument) => {
                let name = names.host_name.as_ref()?.to_lowercase();
                Some(glob::matches_name(&self.argument.to_lowercase(), &name))
            }
            "OSRelease" => {
                let text = names.os_release.as_deref()?;
                self.argument.split_ascii_whitespace().try_fold(true, |all, word| {
                    let at = word.find(['=', '!', '<', '>', '$', '"', '\'', '\\'])?;
                    let (key, rest) = word.split_at(at);
                    let is = os_release(text, key);
                    let holds = match (rest.strip_prefix("!="), rest.strip_prefix('=')) {
                        (Some(value), _) => is != Some(value),
                        (None, Some(value)) if !value.starts_with('=') => is == Some(value),
                        // Versions are compared, and patterns, as systemd does.
                        _ => return None,
                    };
                    Some(all && holds)
                })
            }
            _ => None,
        }
    }

    /// Whether a disk can say anything about it.
    pub fn is_of_disk(&self) -> bool {
        self.path().is_some() || OF_ACCOUNTS.contains(&self.test) || self.is_of_names()
    }
}

/// Those of the architectures of systemd.unit(5) of which it is certain that a host is either one or not.
const ARCHITECTURES: &[&str] =
    &["x86-64", "arm64", "riscv64", "s390x", "ppc64-le", "ppc64", "loongarch64", "sparc64", "alpha", "m68k"];

/// A name of 32 hexadecimal digits is compared with the id of the machine.
fn is_machine_id(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The directories that must be listed to know what a pattern matches: only of patterns in the last component.
pub fn directories_of(pattern: &str) -> Option<String> {
    let (directory, _) = pattern.rsplit_once('/')?;
    (!directory.contains(['*', '?', '['])).then(|| simplified(directory))
}
