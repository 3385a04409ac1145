//! Drafts that start by themselves.

use crate::rules::prelude::*;
use crate::rules::remedy::unlinked;

rule! {
    /// A draft is enabled.
    ///
    /// A service that the contract calls a draft must not start at boot. Any link below `*.wants` or
    /// `*.requires` that names its unit enables it (systemd.unit(5)).
    ///
    /// ```bad
    /// contract [services.sketch]
    /// contract kind = "draft"
    /// file /etc/systemd/system/quantum-sketch.service root:root 0644
    /// | [Service]
    /// | ExecStart=/bin/true
    /// link /etc/systemd/system/multi-user.target.wants/quantum-sketch.service -> ../quantum-sketch.service
    /// ```
    /// ```good
    /// contract [services.sketch]
    /// contract kind = "draft"
    /// file /etc/systemd/system/quantum-sketch.service root:root 0644
    /// | [Service]
    /// | ExecStart=/bin/true
    /// ```
    id: "draft-enabled",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Host,
    why: "an unfinished service starts at the next boot",
    see: ["systemctl is-enabled {unit}"],
    mend: "golden removes the links and does not stop the unit. If the service is ready, give it a kind \
           that runs.",
    man: ["systemd.unit(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    if view.service.kind.value != Kind::Draft {
        return Ok(Outcome::not_applicable("it is not a draft"));
    }
    let links = view.enabled_by(&view.service.unit.value)?;
    let Some(first) = links.first() else { return Ok(Outcome::Pass) };
    Ok(Finding::new("is a draft and enabled", Location::file(first.clone()), view.service.kind.at.clone())
        .expected("no link that starts it")
        .observed(links.join(", "))
        .mend(unlinked(links, Vec::new()))
        .into())
}
