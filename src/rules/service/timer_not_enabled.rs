//! The links that start a timer at boot.

use crate::rules::prelude::*;
use crate::rules::triggers;

rule! {
    /// The timer of a job is not enabled.
    ///
    /// A timer runs only after it was started. At boot a link starts it, usually below `timers.target.wants`
    /// (systemd.timer(5)). Links in `/run` are gone after a boot.
    ///
    /// ```bad
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnCalendar=daily
    /// | [Install]
    /// | WantedBy=timers.target
    /// ```
    /// ```good
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnCalendar=daily
    /// link /etc/systemd/system/timers.target.wants/quantum-nightly.timer -> ../quantum-nightly.timer
    /// ```
    id: "timer-not-enabled",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Host,
    why: "after the next boot the job does not run",
    see: ["systemctl is-enabled {timer}"],
    mend: "golden enables a timer that has `WantedBy=`. Otherwise decide what starts it at boot.",
    man: ["systemd.timer(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some((timer, unit)) = triggers::timer(view)? else { return Ok(triggers::no_timer(view)) };
    let links = view.enabled_by(&timer.value)?;
    if links.iter().any(|link| !link.starts_with("/run/")) {
        return Ok(Outcome::Pass);
    }
    let name = quoted(&timer.value);
    let stated = !unit.words("Install", "WantedBy").is_empty();
    let remedy = match stated {
        true => Remedy::from(Change::Unit { verb: Verb::Enable, unit: timer.value.clone() }),
        false => Remedy::decide(format!("decide what starts {name} at boot"))
            .candidate("the usual target", format!("systemctl add-wants timers.target {name}")),
    };
    let place = format!("/etc/systemd/system/timers.target.wants/{}", timer.value);
    Ok(Finding::new(
        format!("its timer {} is not enabled", timer.value),
        Location::file(place),
        timer.at.clone(),
    )
    .expected("a link in timers.target.wants")
    .observed(if links.is_empty() { "no link".to_owned() } else { links.join(", ") })
    .mend(remedy)
    .into())
}
