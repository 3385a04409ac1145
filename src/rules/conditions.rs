//! What a disk says of the conditions and assertions of a unit (systemd.unit(5), "CONDITIONS AND ASSERTS").

use super::at_start::AtStart;
use super::prelude::*;
use crate::facts::condition::{self, Condition, directories_of};
use crate::facts::start::lies_under;
use crate::syntax::glob;

/// The conditions and assertions that are not met.
pub struct Unmet<'u> {
    /// Those that certainly are not.
    pub certain: Vec<Condition<'u>>,
    /// Why others may not be.
    pub unknown: Option<Undecided>,
}

/// Judges all conditions of a unit: each must hold, and of those with a `|` one, among the conditions and among the
/// assertions.
pub fn unmet<'u>(view: &ServiceView, unit: &'u EffectiveUnit) -> Unmet<'u> {
    let start = view.start_of(unit);
    let mut unmet = Unmet { certain: Vec::new(), unknown: None };
    let (asserts, conditions): (Vec<_>, Vec<_>) =
        condition::all(unit).into_iter().partition(|condition| condition.is_assert);
    for of_kind in [conditions, asserts] {
        let mut triggers = Vec::new();
        for condition in of_kind {
            let answer = met(view, &start, &condition).unwrap_or_else(|undecided| {
                unmet.unknown.get_or_insert(undecided);
                Answer::OfTheHost
            });
            match (condition.is_trigger, answer) {
                (true, answer) => triggers.push((condition, answer)),
                (false, Answer::No) => unmet.certain.push(condition),
                (false, _) => {}
            }
        }
        if triggers.iter().all(|(_, answer)| *answer == Answer::No) {
            unmet.certain.extend(triggers.into_iter().next().map(|(first, _)| first));
        }
    }
    unmet
}

/// What the disk says of a condition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    /// The running host decides.
    OfTheHost,
}

/// Whether a condition holds.
fn met(view: &ServiceView, start: &AtStart, condition: &Condition<'_>) -> Result<Answer, Undecided> {
    let is_volatile = |path: &str| {
        ["/run", "/var/run", "/dev", "/proc", "/sys", "/tmp", "/var/tmp"]
            .iter()
            .any(|place| lies_under(path, place))
    };
    let is_judged = condition.is_of_disk() && !condition.path().is_some_and(is_volatile);
    if !is_judged {
        return Ok(Answer::OfTheHost);
    }
    let Some(holds) = holds(view, start, condition)? else { return Ok(Answer::OfTheHost) };
    Ok(if holds != condition.is_negated { Answer::Yes } else { Answer::No })
}

/// The answer before a `!`; `None` where only the running host has one.
fn holds(view: &ServiceView, start: &AtStart, condition: &Condition<'_>) -> Result<Option<bool>, Undecided> {
    let argument = condition.argument;
    if condition.is_of_names() {
        return Ok(view.names()?.and_then(|names| condition.holds_by(names)));
    }
    let Some(path) = condition.path() else { return account(view, condition.test, argument) };
    if condition.test == "PathExistsGlob" {
        let Some(directory) = directories_of(path) else { return Ok(None) };
        let pattern = path.rsplit('/').next().unwrap_or(path);
        return holds_name(start, &directory, |name| glob::matches_name(pattern, name)).map(Some);
    }
    if condition.test == "DirectoryNotEmpty" {
        return holds_name(start, path, |_| true).map(Some);
    }
    if matches!(condition.test, "PathExists" | "PathIsDirectory") && start.is_mount_point(path)? {
        return Ok(Some(true));
    }
    let lookup = start.before(path)?;
    if condition.test == "PathIsSymbolicLink" {
        if let Some(last) = lookup.last_component() {
            return Ok(Some(last.meta.kind == NodeKind::Link));
        }
        return lookup.node().map(|_| Some(false));
    }
    let Some(node) = lookup.node()? else {
        return match condition.test {
            // Measured: what is absent is not read-only for 247.
            "PathIsReadWrite" => version_has(view, 252, condition).map(|learned| Some(!learned)),
            _ => Ok(Some(false)),
        };
    };
    Ok(match condition.test {
        "PathExists" => Some(true),
        "PathIsDirectory" => Some(node.meta.kind == NodeKind::Directory),
        "FileNotEmpty" => Some(node.meta.kind == NodeKind::File && node.meta.size > 0),
        "FileIsExecutable" => Some(node.meta.kind == NodeKind::File && node.meta.mode & 0o111 != 0),
        _ => None,
    })
}

/// Whether the host's systemd reads a condition as the measured one does that learned it.
fn version_has(view: &ServiceView, learned: u32, condition: &Condition<'_>) -> Result<bool, Undecided> {
    let version = view.systemd().known()?.copied().unwrap_or_default();
    let why = || format!("it was not measured how systemd {version} judges {}", written(condition.setting));
    version.has(learned).ok_or_else(|| Undecided::new(why()))
}

/// Whether a directory has a name that is meant.
fn holds_name(start: &AtStart, directory: &str, is_meant: impl Fn(&str) -> bool) -> Result<bool, Undecided> {
    let Some(names) = start.names(directory)? else { return Ok(false) };
    let is_there = names.iter().any(|name| is_meant(name));
    if !is_there {
        start.holds_no_more(directory)?;
    }
    Ok(is_there)
}

/// The manager of the system is root, whatever user the service runs as.
fn account(view: &ServiceView, test: &str, name: &str) -> Result<Option<bool>, Undecided> {
    if matches!(name, "root" | "0" | "@system") {
        return Ok(Some(true));
    }
    if test == "User" {
        return Ok(Some(false));
    }
    let root = view.credentials("root")?;
    let gid = match name.parse() {
        Ok(gid) => Some(gid),
        Err(_) => view.group(name)?.map(|group| group.gid),
    };
    Ok(Some(root.is_some_and(|root| gid.is_some_and(|gid| root.gids.contains(&gid)))))
}
