//! Whether a timer waits, as systemd says.

use crate::rules::prelude::*;
use crate::rules::triggers;

rule! {
    /// The timer of a job is not active, or waits for nothing any more.
    ///
    /// An enabled timer that was never started, or that was stopped, triggers nothing until the next boot.
    /// golden asks systemd for its state: `active` (waiting or running) is right (systemd.timer(5)). A timer that is
    /// to fire again and again and is `elapsed` has no next time: its `OnUnitActiveSec=` counts from a run that systemd
    /// knows nothing of, or its last date has passed.
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
    /// ```bad
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnUnitActiveSec=1h
    /// unit quantum-nightly.timer LoadState=loaded ActiveState=active SubState=elapsed
    /// unit quantum-nightly.service LoadState=loaded ActiveState=inactive SubState=dead
    /// ```
    /// ```good
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnUnitInactiveSec=1h
    /// unit quantum-nightly.timer LoadState=loaded ActiveState=active SubState=elapsed
    /// unit quantum-nightly.service LoadState=loaded ActiveState=activating SubState=start
    /// ```
    /// ```good
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnBootSec=5min
    /// unit quantum-nightly.timer LoadState=loaded ActiveState=active SubState=elapsed
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
    // Once after a boot is all that some timers are for.
    // A job that runs begins the time of OnUnitInactiveSec= when it ends.
    let is_over = state.sub_state == "elapsed"
        && triggers::recurs(unit)
        && matches!(view.state(&view.service.unit.value)?.active_state.as_str(), "inactive" | "failed");
    let name = quoted(&timer.value);
    let (message, expected, remedy) = match (state.active_state.as_str(), is_over) {
        ("active", false) => return Ok(Outcome::Pass),
        ("active", true) => (
            format!("its timer {} has no next time", timer.value),
            "a timer that waits",
            Remedy::decide("start the job once, so that its time is counted; where all its dates have passed, correct them")
                .candidate("", format!("systemctl start {}", quoted(&view.service.unit.value)))
                .candidate("what it waits for", format!("systemctl list-timers --all {name}")),
        ),
        (is, _) => (
            format!("its timer {} does not run", timer.value),
            "active",
            match is {
                "inactive" => Remedy::from(Change::Unit { verb: Verb::Start, unit: timer.value.clone() }),
                _ => Remedy::decide("find out why it does not run")
                    .candidate("", format!("journalctl -u {name} -n 50"))
                    .candidate("then start it", format!("systemctl restart {name}")),
            },
        ),
    };
    Ok(Finding::new(message, unit.location(), timer.at.clone())
        .expected(expected)
        .observed(format!("{} ({})", state.active_state, state.sub_state))
        .mend(remedy)
        .into())
}
