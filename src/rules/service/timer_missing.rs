//! The timer of a timer job.

use crate::rules::prelude::*;
use crate::rules::remedy::{by_hand, golden};

rule! {
    /// The timer of a job does not exist or starts another unit.
    ///
    /// The contract names the timer that starts a job. This unit must load, and its `Unit=` (by default the
    /// service of the same name, systemd.timer(5)) must be the job's unit.
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
    cause: Host,
    why: "the job never runs, without an error message",
    see: ["systemctl cat {timer}"],
    mend: "Write the timer, or correct its `Unit=`.",
    man: ["systemd.timer(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(timer) = &view.service.timer else {
        return Ok(Outcome::not_applicable("it has no timer"));
    };
    let name = &timer.value;
    let unit = view.effective(name)?;
    let (message, location, observed) = match &unit.load {
        LoadState::Loaded => {
            let Some((driven, setting)) = unit.started() else {
                return Err(Undecided::new(format!("{name} is not the name of a timer")));
            };
            if view.names_unit(&[driven.as_str()], &view.service.unit.value)? {
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
        .mend(remedy(view, unit, name))
        .into())
}

/// A timer that starts something else is somebody else's, and a mask is somebody's safety device.
fn remedy(view: &ServiceView, timer: &EffectiveUnit, name: &str) -> Remedy {
    let service = view.service;
    match &timer.load {
        LoadState::NotFound if service.provision.schedule.is_some() && !service.provision.kept_elsewhere => {
            Remedy::decide("have the timer written").candidate("", golden(view, "apply"))
        }
        LoadState::NotFound => Remedy::decide("decide when the job runs, and write the timer"),
        LoadState::Masked => Remedy::decide("decide whether the timer may run again: it is masked")
            .candidate("", format!("systemctl unmask {}", quoted(name))),
        LoadState::Loaded => {
            let change = Change::Setting {
                unit: name.to_owned(),
                section: "Timer".to_owned(),
                key: "Unit".to_owned(),
                values: vec![service.unit.value.clone()],
                how: How::Set,
                over: None,
            };
            Remedy::decide(format!("decide what starts the job: {name} starts something else"))
                .candidate("this timer", Remedy::changes([change, Change::Reload]).shell())
        }
        LoadState::BadSetting(_, at) | LoadState::Error(_, at) => {
            Remedy::decide(format!("correct {at}")).candidate("", by_hand(at))
        }
    }
}
