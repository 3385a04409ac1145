//! The unit file that is not there.

use crate::rules::prelude::*;
use crate::rules::remedy::golden;

rule! {
    /// The unit of a service does not exist.
    ///
    /// systemd looks for a unit in its directories in a fixed order (systemd.unit(5)). A link without a target
    /// counts as missing. A draft does not need a unit.
    ///
    /// ```bad
    /// remove /etc/systemd/system/quantum-backend.service
    /// ```
    /// ```bad
    /// remove /etc/systemd/system/quantum-backend.service
    /// link /etc/systemd/system/quantum-backend.service -> /opt/units/quantum-backend.service
    /// ```
    /// ```good
    /// file /opt/units/quantum-backend.service.md root:root 0644
    /// | no unit
    /// ```
    id: "unit-missing",
    section: D,
    severity: Must,
    needs: [Fragments],
    cause: Unit,
    why: "the service never starts",
    see: ["systemctl cat {unit}"],
    mend: "Write the unit as the contract demands it, or remove the service from the contract.",
    man: ["systemd.unit(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let name = &view.service.unit;
    if view.service.kind.value == Kind::Draft {
        return Ok(Outcome::not_applicable("a draft need not have a unit"));
    }
    if !matches!(view.effective(&name.value)?.load, LoadState::NotFound) {
        return Ok(Outcome::Pass);
    }
    let path = format!("/etc/systemd/system/{}", name.value);
    let lookup = view.path(Need::Fragments, &path)?;
    let link = lookup.links().last().filter(|link| link.path.as_ref() == path);
    let message = match link {
        Some(_) => "its unit is a broken link",
        None => "has no unit",
    };
    let target = link.and_then(|link| link.target.as_deref());
    let observed = target.map_or_else(|| "nothing".to_owned(), |target| format!("{path} -> {target}"));
    Ok(Finding::new(message, Location::file(path.as_str()), name.at.clone())
        .expected(path)
        .observed(observed)
        .mend(remedy(view))
        .into())
}

/// Where the contract says what the unit holds, golden writes it.
fn remedy(view: &ServiceView) -> Remedy {
    let service = view.service;
    let starts = service.provision.start.is_some() || service.command.is_some();
    match starts && !service.provision.kept_elsewhere {
        true => Remedy::decide(format!("have the unit written, or remove {} from the contract", service.name))
            .candidate("", golden(view, "apply")),
        false => Remedy::decide(format!("write the unit, or remove {} from the contract", service.name)),
    }
}
