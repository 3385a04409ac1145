//! Whether dependencies come back after a boot.

use crate::rules::prelude::*;

rule! {
    /// The unit of a dependency is not enabled.
    ///
    /// Judged from the links that enable the unit, as `systemctl is-enabled` does. A unit without `[Install]`
    /// is static: other units start it.
    ///
    /// ```bad
    /// remove /etc/systemd/system/multi-user.target.wants/redis-server.service
    /// ```
    /// ```good
    /// modified /etc/redis/redis.conf 1
    /// ```
    id: "dependency-not-enabled",
    section: E,
    severity: Must,
    needs: [Units],
    cause: Host,
    why: "the dependency does not start at the next boot",
    see: ["systemctl is-enabled {unit}"],
    mend: "golden enables the unit.",
    man: ["systemctl(1)", "systemd.unit(5)"],
    since: "0.1.0",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let Some(name) = &view.dependency.unit else {
        return Ok(Outcome::not_applicable("the contract names no unit for it"));
    };
    let unit = view.effective(&name.value)?;
    if unit.load != LoadState::Loaded {
        return Ok(unit_not_loaded());
    }
    let links = view.enabled_by(&name.value)?;
    let installable = ["WantedBy", "RequiredBy"].iter().any(|key| unit.scalar("Install", key).is_some());
    if !links.is_empty() {
        return Ok(Outcome::Pass);
    }
    if !installable {
        return Ok(Outcome::not_applicable("it is static: another unit starts it"));
    }
    Ok(Finding::new(format!("{} is not enabled", name.value), unit.location(), name.at.clone())
        .expected("a link below a .wants or .requires directory")
        .observed("no link")
        .mend(match unit.location().path().starts_with("/run/") {
            // systemctl(1) enables no unit that goes away with the next boot.
            true => Remedy::decide(format!(
                "write a unit file that stays: {} is gone after the next boot",
                unit.location().path()
            )),
            false => Change::Unit { verb: Verb::Enable, unit: name.value.clone() }.into(),
        })
        .into())
}
