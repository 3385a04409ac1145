//! Timer jobs that also start at boot.

use crate::rules::mend::quoted;
use crate::rules::prelude::*;

rule! {
    /// A job that a timer drives is enabled by itself.
    ///
    /// A oneshot service with a timer must have no `WantedBy=` and no link below `*.wants`: otherwise it
    /// also runs at every boot (systemd.timer(5)). The timer is what is enabled.
    ///
    /// Take the `[Install]` section and the links away.
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
    why: "it runs at every boot, whatever its timer says",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    if view.service.kind.value != Kind::TimerJob {
        return Ok(Outcome::not_applicable("no timer drives it"));
    }
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let links = view.enabled_by(&view.service.unit.value)?;
    let keys = ["WantedBy", "RequiredBy", "UpheldBy"];
    let stated = keys.iter().find_map(|key| unit.assignments("Install", key).last());
    if links.is_empty() && stated.is_none() {
        return Ok(Outcome::Pass);
    }
    let all: Vec<String> = links.iter().map(|link| quoted(link)).collect();
    let mut steps = Vec::new();
    if !all.is_empty() {
        steps.push(format!("rm -f {}", all.join(" ")));
    }
    if let Some(setting) = stated {
        match setting.at.line {
            Some(line) => steps.push(crate::rules::mend::delete_line(&setting.at.path, line.get())),
            None => return Err(Undecided::new("the line of the setting is not known")),
        }
    }
    let location = stated.map_or_else(|| Location::file(links[0].clone()), |setting| setting.at.clone());
    let observed = stated.map_or_else(|| links.join(", "), written);
    Ok(Finding::new("is driven by a timer and enabled by itself", location, view.service.kind.at.clone())
        .expected("no WantedBy= and no link")
        .observed(observed)
        .mend(format!("{} && systemctl daemon-reload", steps.join(" && ")))
        .into())
}
