//! The timer of a timer job.

use crate::rules::prelude::*;

rule! {
    /// The timer of a job does not exist or drives something else.
    ///
    /// The contract names the timer that starts a job. It must be a unit that loads, and its `Unit=` (the
    /// service of the same name where it states none, systemd.timer(5)) must be the job's unit.
    ///
    /// Write the timer, or correct its `Unit=`.
    ///
    /// ```bad
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// ```
    /// ```bad
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnCalendar=daily
    /// | Unit=quantum-weekly.service
    /// ```
    /// ```good
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnCalendar=daily
    /// ```
    id: "timer-missing",
    section: D,
    severity: Must,
    needs: [Units],
    why: "the job never runs, and nothing says so",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(timer) = &view.service.timer else {
        return Ok(Outcome::not_applicable("no timer drives it"));
    };
    let name = &timer.value;
    let unit = view.effective(name)?;
    let (message, location, observed) = match &unit.load {
        LoadState::Loaded => {
            let own = format!("{}.service", name.trim_end_matches(".timer"));
            let setting = unit.scalar("Timer", "Unit").filter(|setting| !setting.value().is_empty());
            let driven = setting.map_or(own.as_str(), Setting::value);
            if view.names_unit(&[driven], &view.service.unit.value)? {
                return Ok(Outcome::Pass);
            }
            let location = setting.map_or_else(|| unit.location(), |setting| setting.at.clone());
            (format!("its timer {name} starts {driven}"), location, format!("Unit={driven}"))
        }
        LoadState::NotFound => {
            let path = format!("/etc/systemd/system/{name}");
            (format!("its timer {name} does not exist"), Location::file(path), "nothing".to_owned())
        }
        LoadState::Masked => (format!("its timer {name} is masked"), unit.location(), "a mask".to_owned()),
        LoadState::BadSetting(why, at) | LoadState::Error(why, at) => {
            (format!("systemd refuses its timer {name}: {why}"), at.clone(), why.clone())
        }
    };
    Ok(Finding::new(message, location, timer.at.clone())
        .expected(format!("{name} that starts {}", view.service.unit.value))
        .observed(observed)
        .mend("a person must decide when the job runs, and write the timer")
        .into())
}
