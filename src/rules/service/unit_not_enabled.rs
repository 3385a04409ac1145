//! The links that start a service at boot.

use crate::facts::boot::Reached;
use crate::rules::prelude::*;

rule! {
    /// A service is not enabled.
    ///
    /// Links below `<target>.wants` or `<target>.requires` in `/etc/systemd/system` or a package's directory
    /// count. `WantedBy=` alone only says where `systemctl enable` would make one (systemd.unit(5)). A link in
    /// `/run` is gone after a reboot. Every target that the contract demands in `WantedBy=` must have a link.
    ///
    /// ```bad
    /// remove /etc/systemd/system/multi-user.target.wants/quantum-execution.service
    /// ```
    /// ```bad
    /// dir /run/systemd/system/multi-user.target.wants root:root 0755
    /// move /etc/systemd/system/multi-user.target.wants/quantum-execution.service -> /run/systemd/system/multi-user.target.wants/quantum-execution.service
    /// ```
    /// ```good
    /// dir /etc/systemd/system/multi-user.target.requires root:root 0755
    /// move /etc/systemd/system/multi-user.target.wants/quantum-execution.service -> /etc/systemd/system/multi-user.target.requires/quantum-execution.service
    /// ```
    /// ```bad
    /// remove /etc/systemd/system/multi-user.target.wants/quantum-execution.service
    /// link /etc/systemd/system/graphical.target.wants/quantum-execution.service -> ../quantum-execution.service
    /// ```
    /// ```good
    /// contract [services.execution]
    /// contract activation = "bus"
    /// remove /etc/systemd/system/multi-user.target.wants/quantum-execution.service
    /// ```
    id: "unit-not-enabled",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "the service does not start at the next boot",
    see: ["systemctl is-enabled {unit}"],
    mend: "golden enables the unit. If the unit has no `WantedBy=`, golden states it in its own drop-in. \
           For a unit of the distribution, choose the target yourself.",
    man: ["systemd.unit(5)", "systemctl(1)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    if !view.service.runs_by_itself() {
        return Ok(Outcome::not_applicable("it is not meant to start at boot by itself"));
    }
    let name = &view.service.unit;
    let links = view.enabled_by(&name.value)?;
    let lasting: Vec<&str> =
        links.iter().map(AsRef::as_ref).filter(|link| !link.starts_with("/run/")).collect();
    let targets = demanded_targets(view.service);
    let has = |target: &str| lasting.iter().any(|link| starts_with(link, target));
    let lacking = targets.iter().find(|target| !has(target));
    // What another unit starts needs no link of its own.
    if targets.is_empty() && lasting.is_empty() && links.is_empty() && view.at_boot(&name.value)? == Reached::Yes {
        return Ok(Outcome::Pass);
    }
    if lacking.is_none() && !(targets.is_empty() && lasting.is_empty()) {
        return Ok(Outcome::Pass);
    }
    let target = lacking.copied().unwrap_or("multi-user.target");
    let stated = unit
        .words("Install", "WantedBy")
        .iter()
        .chain(&unit.words("Install", "RequiredBy"))
        .any(|(word, _)| word == target);
    let remedy = match stated {
        true => view.verb(Verb::Enable).into(),
        false => view.install(unit, "WantedBy", target),
    };
    let message = match links.iter().any(|link| link.starts_with("/run/")) {
        true => "is enabled until the next boot only",
        false => "is not enabled",
    };
    let observed = if links.is_empty() { "no link".to_owned() } else { links.join(", ") };
    Ok(Finding::new(
        message,
        Location::file(format!("/etc/systemd/system/{target}.wants/{}", name.value)),
        name.at.clone(),
    )
    .expected(format!("a link in {target}.wants"))
    .observed(observed)
    .mend(remedy)
    .into())
}

fn demanded_targets(service: &Service) -> Vec<&str> {
    let wanted =
        service.settings.iter().filter(|demand| demand.section == "Install" && demand.key.as_ref() == "WantedBy");
    wanted
        .flat_map(|demand| match &demand.form {
            Form::Equals(target) => vec![target.as_str()],
            Form::Contains(targets) => targets.iter().map(String::as_str).collect(),
            Form::OneOf(_) | Form::Absent | Form::Present => Vec::new(),
        })
        .collect()
}

fn starts_with(link: &str, target: &str) -> bool {
    let directory = link.rsplit('/').nth(1).unwrap_or("");
    [".wants", ".requires", ".upholds"].iter().any(|kind| directory.strip_suffix(kind) == Some(target))
}
