//! The last run of what is started for one task.

use crate::rules::prelude::*;

rule! {
    /// The last run of a job failed.
    ///
    /// A service that a timer, a socket, a path or a name on D-Bus starts does not run all the time, so it is judged by its
    /// last run. systemd keeps the result until the next run, until `systemctl reset-failed` or until the boot ends
    /// (systemctl(1), org.freedesktop.systemd1(5), `Result`). What runs now has no result yet.
    ///
    /// ```bad
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.service root:root 0644
    /// | [Service]
    /// | Type=oneshot
    /// | ExecStart=/usr/bin/true
    /// unit quantum-nightly.service LoadState=loaded ActiveState=failed SubState=failed Result=exit-code ExecMainStatus=3 Exited=1767000000
    /// ```
    /// ```good
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.service root:root 0644
    /// | [Service]
    /// | Type=oneshot
    /// | ExecStart=/usr/bin/true
    /// unit quantum-nightly.service LoadState=loaded ActiveState=inactive SubState=dead Result=success Exited=1767000000
    /// ```
    id: "unit-last-run-failed",
    section: D,
    severity: Must,
    needs: [Units, Bus],
    cause: Process,
    why: "its work was not done, and is not tried again before its next turn",
    see: ["systemctl status {unit}", "journalctl -u {unit} -n 50"],
    mend: "Read its journal and mend the cause, then start it once more.",
    man: ["systemctl(1)", "journalctl(1)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    if view.service.runs_by_itself() {
        return Ok(Outcome::not_applicable("it is meant to run all the time"));
    }
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let name = &view.service.unit;
    let state = view.state(&name.value)?;
    let has_ended = matches!(state.active_state.as_str(), "inactive" | "failed");
    // `ExecCondition=` that passes a run over is no failure of it.
    if !has_ended || matches!(state.result.as_str(), "success" | "exec-condition" | "") {
        return Ok(Outcome::Pass);
    }
    let status = match (state.result.as_str(), state.exit_status) {
        ("exit-code", status) if status > 0 => format!("exit status {status}"),
        ("signal" | "core-dump", signal) if signal > 0 => format!("signal {signal}"),
        // A line before failed, or systemd ended it.
        (result, _) => result.to_owned(),
    };
    let when = if state.exited > 0 { format!(" at {}", moment(state.exited)) } else { String::new() };
    let quoted = quoted(&name.value);
    let remedy = Remedy::decide("find out why it failed")
        .candidate("", format!("journalctl -u {quoted} -n 50"))
        .candidate("once that is mended", format!("systemctl start {quoted}"));
    Ok(Finding::new(format!("its last run failed ({status})"), unit.location(), name.at.clone())
        .expected("a last run that succeeded")
        .observed(format!("{} ({}){when}", state.active_state, state.result))
        .mend(remedy)
        .into())
}
