//! Timer jobs that also start at boot.

use crate::rules::prelude::*;
use crate::rules::remedy::unlinked;

rule! {
    /// A job that a timer starts is enabled by itself.
    ///
    /// A oneshot service with a timer must not have `WantedBy=` or a link below `*.wants`. Otherwise it also
    /// runs at every boot (systemd.timer(5)). Enable the timer instead.
    ///
    /// ```bad
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.service root:root 0644
    /// | [Service]
    /// | Type=oneshot
    /// | ExecStart=/bin/true
    /// | [Install]
    /// | WantedBy=multi-user.target
    /// ```
    /// ```good
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.service root:root 0644
    /// | [Service]
    /// | Type=oneshot
    /// | ExecStart=/bin/true
    /// ```
    id: "job-enabled",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Host,
    why: "the job runs at every boot in addition to its timer",
    see: ["systemctl is-enabled {unit}"],
    mend: "golden removes the links, and resets `WantedBy=` in its own drop-in.",
    man: ["systemd.timer(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    if view.service.kind.value != Kind::TimerJob {
        return Ok(Outcome::not_applicable("it has no timer"));
    }
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let links = view.enabled_by(&view.service.unit.value)?;
    let keys = ["WantedBy", "RequiredBy", "UpheldBy"];
    let stated = keys.iter().find_map(|key| unit.assignments("Install", key).last());
    if links.is_empty() && stated.is_none() {
        return Ok(Outcome::Pass);
    }
    let says = |key: &&&str| unit.assignments("Install", key).next().is_some();
    let resets = keys.iter().filter(says).flat_map(|key| {
        let all: Vec<Change> = view.replace_list(unit, None, "Install", key, &[]).list().to_vec();
        all.into_iter().filter(|change| *change != Change::Reload)
    });
    let remedy = unlinked(links, resets.collect());
    let location = stated.map_or_else(|| Location::file(links[0].clone()), |setting| setting.at.clone());
    let observed = stated.map_or_else(|| links.join(", "), written);
    Ok(Finding::new("has a timer but is enabled itself", location, view.service.kind.at.clone())
        .expected("no WantedBy= and no link")
        .observed(observed)
        .mend(remedy)
        .into())
}
