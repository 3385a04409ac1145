//! What brings a bound service back after its dependency crashed.

use crate::facts::start::base_name;
use crate::rules::prelude::*;

rule! {
    /// A bound service does not restart after its dependency crashes.
    ///
    /// `BindsTo=` stops a service when its dependency dies. The dependency restarts and the service does not,
    /// even with `Restart=always` (measured on systemd 252). A link below `<dependency>.wants`
    /// (`WantedBy=<dependency>` and `systemctl enable`) starts it again together with the dependency.
    ///
    /// ```bad
    /// remove /etc/systemd/system/redis-server.service.wants/quantum-backend.service
    /// ```
    /// ```good
    /// dir /etc/systemd/system/redis-server.service.requires root:root 0755
    /// move /etc/systemd/system/redis-server.service.wants/quantum-backend.service -> /etc/systemd/system/redis-server.service.requires/quantum-backend.service
    /// ```
    id: "unit-bound-not-restored",
    section: D,
    severity: Should,
    needs: [Units],
    cause: Unit,
    why: "one crash of the dependency stops the service until a person starts it",
    see: ["systemctl show -p BindsTo,WantedBy {unit}"],
    mend: "golden adds `WantedBy=` and enables the unit again.",
    man: ["systemd.unit(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let bound = unit.words("Unit", "BindsTo");
    let links = view.enabled_by(&view.service.unit.value)?;
    let mut findings = Vec::new();
    for needed in &view.service.binds_to {
        let name = &needed.value;
        let Some((_, setting)) = bound.iter().find(|(word, _)| word == name) else { continue };
        let starts = |link: &str| {
            let directory = link.rsplit('/').nth(1).unwrap_or("");
            [".wants", ".requires", ".upholds"]
                .iter()
                .any(|kind| directory.strip_suffix(kind) == Some(name.as_str()))
        };
        if links.iter().any(|link| starts(link)) {
            continue;
        }
        let stated = unit.words("Install", "WantedBy").iter().any(|(word, _)| word == name);
        let remedy = match stated {
            true => view.verb(Verb::Enable).into(),
            false => view.install(unit, "WantedBy", name),
        };
        findings.push(
            Finding::new(
                format!("does not restart after {name} crashes"),
                setting.at.clone(),
                needed.at.clone(),
            )
            .key(name.clone())
            .expected(format!("a link to {} in {name}.wants", base_name(&view.service.unit.value)))
            .observed("no such link")
            .mend(remedy),
        );
    }
    Ok(Outcome::from_findings(findings))
}
