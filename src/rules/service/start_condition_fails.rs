//! Conditions and assertions that the disk does not meet.

use crate::facts::condition::{self, Condition, directories_of};
use crate::facts::start::lies_under;
use crate::rules::at_start::AtStart;
use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;
use crate::syntax::glob;

rule! {
    /// A condition or an assertion of the unit is not met, so the unit does not start.
    ///
    /// A failed `Condition…=` ends the start without an error: systemd calls it a success and runs nothing. A
    /// failed `Assert…=` fails the job (systemd.unit(5), "CONDITIONS AND ASSERTS"). All of them must hold, and
    /// at least one of those with a `|`. An empty assignment resets them. golden judges what files and accounts
    /// decide; it leaves out conditions on the running host (`ConditionVirtualization=`, `ConditionMemory=`, a
    /// path below /run).
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/if.conf root:root 0644
    /// | [Unit]
    /// | ConditionPathExists=/opt/quantum/enabled
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/if.conf root:root 0644
    /// | [Unit]
    /// | AssertPathIsDirectory=!/opt/quantum/data
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/if.conf root:root 0644
    /// | [Unit]
    /// | ConditionPathExists=|/opt/quantum/one
    /// | ConditionDirectoryNotEmpty=|/opt/quantum/two
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/if.conf root:root 0644
    /// | [Unit]
    /// | ConditionPathExists=/nowhere
    /// | ConditionUser=
    /// | ConditionPathExists=|/opt/quantum/one
    /// | ConditionPathExists=|/opt/quantum/data
    /// | ConditionPathExists=!/opt/quantum/disabled
    /// | ConditionVirtualization=no
    /// | ConditionPathExists=/run/somewhere
    /// ```
    id: "start-condition-fails",
    section: D,
    severity: Must,
    needs: [Units, Accounts, Start],
    cause: Unit,
    why: "the service does not start, and systemd reports a failed condition as success",
    see: [
        "systemctl show -p ConditionResult,AssertResult {unit}",
        "systemd-analyze condition --unit={unit}",
    ],
    mend: "Create what the condition asks for, or remove the line.",
    man: ["systemd.unit(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let (start, all) = (view.start_of(unit), condition::all(unit));
    let mut findings = Vec::new();
    let mut unknown = None;
    for is_assert in [false, true] {
        let of_kind = all.iter().filter(|condition| condition.is_assert == is_assert);
        let mut triggers = Vec::new();
        for condition in of_kind {
            let answer = match met(view, &start, condition) {
                Ok(answer) => answer,
                Err(undecided) => {
                    unknown.get_or_insert(undecided);
                    Answer::OfTheHost
                }
            };
            match (condition.is_trigger, answer) {
                (true, answer) => triggers.push((condition, answer)),
                (false, Answer::No) => findings.push(finding(view, condition)),
                (false, _) => {}
            }
        }
        if let Some((first, _)) = triggers.first()
            && triggers.iter().all(|(_, answer)| *answer == Answer::No)
        {
            findings.push(finding(view, first));
        }
    }
    match unknown.filter(|_| findings.is_empty()) {
        Some(undecided) => Err(undecided),
        None => Ok(Outcome::from_findings(findings)),
    }
}

fn finding(view: &ServiceView, condition: &Condition<'_>) -> Finding {
    let setting = condition.setting;
    let what = match condition.is_assert {
        true => "cannot start: its assertion",
        false => "does not start, and systemd calls this a success: its condition",
    };
    Finding::new(
        format!("{what} {} is not met", written(setting)),
        setting.at.clone(),
        view.service.unit.at.clone(),
    )
    .key(written(setting))
    .expected("conditions that this host meets")
    .observed(written(setting))
    .mend(
        Remedy::decide(format!("create what {} asks for, or remove the condition", setting.at))
            .candidate("", by_hand(&setting.at)),
    )
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
        ["/run", "/var/run", "/dev", "/proc", "/sys", "/tmp", "/var/tmp"].iter().any(|place| lies_under(path, place))
    };
    let is_judged = condition.is_of_disk() && !condition.path().is_some_and(is_volatile);
    if !is_judged {
        return Ok(Answer::OfTheHost);
    }
    let Some(holds) = holds(view, start, condition)? else { return Ok(Answer::OfTheHost) };
    Ok(if holds != condition.is_negated { Answer::Yes } else { Answer::No })
}

/// The answer before a `!`; `None` where only the running host has one.
fn holds(
    view: &ServiceView,
    start: &AtStart,
    condition: &Condition<'_>,
) -> Result<Option<bool>, Undecided> {
    let argument = condition.argument;
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
    let Some(node) = lookup.node()? else { return Ok(Some(false)) };
    Ok(match condition.test {
        "PathExists" => Some(true),
        "PathIsDirectory" => Some(node.meta.kind == NodeKind::Directory),
        "FileNotEmpty" => Some(node.meta.kind == NodeKind::File && node.meta.size > 0),
        "FileIsExecutable" => Some(node.meta.kind == NodeKind::File && node.meta.mode & 0o111 != 0),
        _ => None,
    })
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

/// The manager of the system is root, whoever the service runs as.
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
