//! Conditions and assertions that the disk does not meet.

use crate::facts::condition::Condition;
use crate::rules::conditions;
use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;
use crate::rules::triggers;

rule! {
    /// A condition or an assertion of the unit, or of the timer or socket that starts it, is not met, so the unit does not start.
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
    if view.loaded()?.is_none() {
        return Ok(unit_not_loaded());
    }
    let (mut findings, mut unknown) = (Vec::new(), None);
    for unit in triggers::with_trigger(view)? {
        let unmet = conditions::unmet(view, unit);
        findings.extend(unmet.certain.iter().map(|condition| finding(view, condition)));
        unknown = unknown.or(unmet.unknown);
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
