//! `BindsTo=` on what a service requires.

use crate::rules::prelude::*;

rule! {
    /// A service is not bound to a dependency that it requires.
    ///
    /// If the contract says that a service *requires* a dependency, its unit has `BindsTo=` on the dependency's
    /// unit, which stops the service when the dependency stops (systemd.unit(5)). An alias counts. Jobs are not
    /// bound. `unit-bound-not-restored` reports a bound service that stays down after a crash.
    ///
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - BindsTo=redis-server.service
    /// + Wants=redis-server.service
    /// ```
    /// ```good
    /// replace /etc/systemd/system/quantum-backend.service
    /// - BindsTo=redis-server.service
    /// file /etc/systemd/system/quantum-backend.service.d/bind.conf root:root 0644
    /// | [Unit]
    /// | BindsTo = redis-server.service
    /// ```
    /// ```good
    /// link /etc/systemd/system/redis.service -> /lib/systemd/system/redis-server.service
    /// replace /etc/systemd/system/quantum-backend.service
    /// - BindsTo=redis-server.service
    /// + BindsTo=redis.service
    /// ```
    id: "unit-not-bound",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "the service keeps running without a dependency that it needs",
    see: ["systemctl show -p BindsTo {unit}"],
    mend: "golden adds `BindsTo=`. Or remove the dependency from `requires`.",
    man: ["systemd.unit(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    if view.service.binds_to.is_empty() {
        return Ok(Outcome::not_applicable("the contract requires nothing that it could be bound to"));
    }
    let bound = unit.words("Unit", "BindsTo");
    let words: Vec<&str> = bound.iter().map(|(word, _)| word.as_str()).collect();
    let mut findings = Vec::new();
    for needed in &view.service.binds_to {
        let name = &needed.value;
        if view.names_unit(&words, name)? {
            continue;
        }
        let location = bound.last().map_or_else(|| unit.location(), |(_, setting)| setting.at.clone());
        let observed =
            if words.is_empty() { "no BindsTo=".to_owned() } else { format!("BindsTo={}", words.join(" ")) };
        findings.push(
            Finding::new(format!("is not bound to {name}"), location, needed.at.clone())
                .key(name.clone())
                .expected(format!("BindsTo={name}"))
                .observed(observed)
                .mend(view.add(unit, "Unit", "BindsTo", std::slice::from_ref(name))),
        );
    }
    Ok(Outcome::from_findings(findings))
}
