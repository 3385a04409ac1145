//! Whether the service runs, as systemd says.

use crate::rules::prelude::*;

rule! {
    /// A service does not run.
    ///
    /// Asks systemd for the unit's state: `active` is running (also while it reloads). For `failed` the finding
    /// shows the result that systemd gives, for `activating` the step: `auto-restart` is a service that dies
    /// and is started again and again (systemd(1), org.freedesktop.systemd1(5)).
    ///
    /// ```bad
    /// unit quantum-execution.service ActiveState=inactive SubState=dead MainPID=0
    /// ```
    /// ```bad
    /// unit quantum-execution.service ActiveState=activating SubState=auto-restart MainPID=0 Result=exit-code
    /// ```
    /// ```good
    /// unit quantum-execution.service ActiveState=reloading SubState=reload
    /// ```
    id: "unit-not-active",
    section: D,
    severity: Must,
    needs: [Units, Bus],
    cause: Process,
    why: "its work is not done",
    see: ["systemctl status {unit}", "journalctl -u {unit} -n 50"],
    mend: "golden starts a stopped service. If it has failed, read its journal first; golden starts it only \
           after it has mended the cause.",
    man: ["systemctl(1)", "journalctl(1)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    if !view.service.runs_by_itself() {
        return Ok(Outcome::not_applicable("it is not meant to run all the time"));
    }
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let name = &view.service.unit;
    let state = view.state(&name.value)?;
    let quoted = quoted(&name.value);
    let find_out =
        Remedy::decide("find out why it failed").candidate("", format!("journalctl -u {quoted} -n 50"));
    let (message, remedy) = match state.active_state.as_str() {
        "active" | "reloading" | "refreshing" => return Ok(Outcome::Pass),
        "failed" => (
            format!("has failed ({})", state.result),
            find_out.candidate(
                "once that is mended",
                format!("systemctl reset-failed {quoted} && systemctl start {quoted}"),
            ),
        ),
        "activating" if state.sub_state == "auto-restart" => (
            format!("dies and is started again and again ({})", state.result),
            find_out,
        ),
        "activating" | "deactivating" => (
            format!("is still {} ({})", state.active_state, state.sub_state),
            Remedy::decide("wait until it is up, or find out what it waits for")
                .candidate("", format!("systemctl status {quoted}")),
        ),
        "inactive" if !matches!(state.result.as_str(), "success" | "") => {
            (format!("does not run ({})", state.result), find_out)
        }
        "inactive" => ("does not run".to_owned(), view.verb(Verb::Start).into()),
        other => return Err(Undecided::new(format!("systemd gives {} the state {other:?}", name.value))),
    };
    Ok(Finding::new(message, unit.location(), name.at.clone())
        .expected("active")
        .observed(format!("{} ({})", state.active_state, state.sub_state))
        .mend(remedy)
        .into())
}
