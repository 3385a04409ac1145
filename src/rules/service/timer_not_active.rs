//! Whether a timer waits, as systemd says.

use crate::rules::prelude::*;
use crate::rules::triggers;

rule! {
    /// The timer of a job is not active.
    ///
    /// An enabled timer that was never started, or that was stopped, triggers nothing until the next boot.
    /// golden asks systemd for its state: `active` (waiting or running) is right (systemd.timer(5)).
    ///
    /// ```bad
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnCalendar=daily
    /// unit quantum-nightly.timer LoadState=loaded ActiveState=inactive SubState=dead
    /// ```
    /// ```good
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnCalendar=daily
    /// unit quantum-nightly.timer LoadState=loaded ActiveState=active SubState=waiting
    /// ```
    id: "timer-not-active",
    section: D,
    severity: Must,
    needs: [Units, Bus],
    cause: Host,
    why: "the job does not run, although all files are right",
    see: ["systemctl list-timers --all {timer}"],
    mend: "golden starts the timer.",
    man: ["systemd.timer(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some((timer, unit)) = triggers::timer(view)? else { return Ok(triggers::no_timer(view)) };
    let state = view.state(&timer.value)?;
    if state.active_state == "active" {
        return Ok(Outcome::Pass);
    }
    Ok(Finding::new(format!("its timer {} does not run", timer.value), unit.location(), timer.at.clone())
        .expected("active")
        .observed(format!("{} ({})", state.active_state, state.sub_state))
        .mend(match state.active_state.as_str() {
            "inactive" => Remedy::from(Change::Unit { verb: Verb::Start, unit: timer.value.clone() }),
            _ => Remedy::decide("find out why it does not run")
                .candidate("", format!("journalctl -u {} -n 50", quoted(&timer.value)))
                .candidate("then start it", format!("systemctl restart {}", quoted(&timer.value))),
        })
        .into())
}
