//! How long ago a job last succeeded.

use crate::rules::prelude::*;
use crate::rules::triggers;

rule! {
    /// A job has not succeeded for longer than the contract allows (`succeeded_within`).
    ///
    /// systemd knows when the last run since the boot ended, and its result (org.freedesktop.systemd1(5),
    /// `ExecMainExitTimestamp`, `Result`). A job that runs now, or whose last run failed, has no answer here: the first is
    /// waited for, the second is reported by `unit-last-run-failed`. What it did before the boot is not known.
    ///
    /// ```bad
    /// now 1767100000
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// contract succeeded_within = "26h"
    /// file /etc/systemd/system/quantum-nightly.service root:root 0644
    /// | [Service]
    /// | Type=oneshot
    /// | ExecStart=/usr/bin/true
    /// unit quantum-nightly.service LoadState=loaded ActiveState=inactive SubState=dead Result=success Started=1766999990 Exited=1767000000
    /// ```
    /// ```bad
    /// now 1767100000
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// contract succeeded_within = "26h"
    /// file /etc/systemd/system/quantum-nightly.service root:root 0644
    /// | [Service]
    /// | Type=oneshot
    /// | ExecStart=/usr/bin/true
    /// unit quantum-nightly.service LoadState=loaded ActiveState=activating SubState=start Result=success Started=1766999990
    /// ```
    /// ```good
    /// now 1767090000
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// contract succeeded_within = "26h"
    /// file /etc/systemd/system/quantum-nightly.service root:root 0644
    /// | [Service]
    /// | Type=oneshot
    /// | RemainAfterExit=yes
    /// | ExecStart=/usr/bin/true
    /// unit quantum-nightly.service LoadState=loaded ActiveState=active SubState=exited Result=success Started=1766000000 Exited=1767000000
    /// ```
    /// ```good
    /// now 1767090000
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// contract succeeded_within = "26h"
    /// file /etc/systemd/system/quantum-nightly.service root:root 0644
    /// | [Service]
    /// | Type=oneshot
    /// | ExecStart=/usr/bin/true
    /// unit quantum-nightly.service LoadState=loaded ActiveState=inactive SubState=dead Result=success Started=1766999990 Exited=1767000000
    /// ```
    id: "unit-last-success-old",
    section: D,
    severity: Must,
    needs: [Units, Bus],
    cause: Process,
    why: "what it makes (a backup, a certificate, a report) is older than it may be, and systemd sees no failure",
    see: ["systemctl show --property ExecMainExitTimestamp,Result {unit}", "systemctl list-timers --all"],
    mend: "Find out why it did not run, then start it once.",
    man: ["systemctl(1)", "systemd.timer(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(within) = &view.service.succeeded_within else {
        return Ok(Outcome::not_applicable("the contract does not say how old its last success may be"));
    };
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let name = &view.service.unit.value;
    let state = view.state(name)?;
    let most = i64::try_from(within.value).unwrap_or(i64::MAX);
    let age = |since: i64| view.now().saturating_sub(since);
    // With RemainAfterExit= it stays active.
    let has_ended =
        matches!(state.active_state.as_str(), "inactive" | "failed") || state.sub_state == "exited";
    let (message, observed) = match state.result.as_str() {
        _ if !has_ended && (state.started == 0 || age(state.started) <= most) => {
            return Ok(Outcome::not_applicable("it runs now, and has no result yet"));
        }
        _ if !has_ended => {
            (format!("it has been running for {}", span(age(state.started))), format!("running since {}", moment(state.started)))
        }
        "success" if state.exited == 0 => return Err(not_known("it has not run since the boot")),
        "success" if age(state.exited) <= most => return Ok(Outcome::Pass),
        "success" => (format!("it last succeeded {} ago", span(age(state.exited))), moment(state.exited)),
        "exec-condition" => return Err(not_known("its ExecCondition= has passed the last run over")),
        _ => return Ok(Outcome::not_applicable("its last run failed (reported by unit-last-run-failed)")),
    };
    let quoted_name = quoted(name);
    let timers = triggers::timer(view)?.map(|(timer, _)| format!("systemctl list-timers --all {}", quoted(&timer.value)));
    let remedy = Remedy::decide("find out why it did not run, or did not end");
    let remedy = timers.into_iter().fold(remedy, |remedy, command| remedy.candidate("when it runs", command));
    let remedy = remedy
        .candidate("what it said", format!("journalctl -u {quoted_name} -n 50"))
        .candidate("once that is mended", format!("systemctl start {quoted_name}"));
    Ok(Finding::new(message, unit.location(), within.at.clone())
        .expected(format!("a success within {}", span(most)))
        .observed(observed)
        .mend(remedy)
        .into())
}

fn not_known(why: &str) -> Undecided {
    Undecided::new(format!("{why}, so systemd does not know when it last succeeded"))
        .or_run("systemctl list-timers --all")
}
