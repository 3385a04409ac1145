//! `After=` against what the contract says a service needs and follows.

use crate::rules::prelude::*;

rule! {
    /// A unit does not start after the units that it needs.
    ///
    /// `After=` of the effective unit must name the unit of every dependency that the service requires and of
    /// every service that it starts after (systemd.unit(5)); an alias counts. An empty `After=` resets nothing.
    /// `Wants=`, `Requires=` and `BindsTo=` start a unit, but do not order it.
    ///
    /// ```bad
    /// replace /etc/systemd/system/quantum-ai-engine.service
    /// - After=network-online.target redis-server.service quantum-backend.service
    /// + After=network-online.target redis-server.service
    /// ```
    /// ```good
    /// replace /etc/systemd/system/quantum-ai-engine.service
    /// - After=network-online.target redis-server.service quantum-backend.service
    /// + After=redis-server.service network-online.target
    /// file /etc/systemd/system/quantum-ai-engine.service.d/order.conf root:root 0644
    /// | [Unit]
    /// | After=quantum-backend.service
    /// | After=
    /// ```
    /// ```good
    /// link /etc/systemd/system/redis.service -> /lib/systemd/system/redis-server.service
    /// replace /etc/systemd/system/quantum-ai-engine.service
    /// - After=network-online.target redis-server.service quantum-backend.service
    /// + After=quantum-backend.service redis.service network-online.target
    /// ```
    id: "unit-order-missing",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "at boot it may start before its dependency, and fail",
    see: ["systemctl show -p After {unit}"],
    mend: "golden adds the unit to `After=`.",
    man: ["systemd.unit(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let after = unit.words("Unit", "After");
    let words: Vec<&str> = after.iter().map(|(word, _)| word.as_str()).collect();
    let mut findings = Vec::new();
    for needed in &view.service.after_units {
        let name = &needed.value;
        if view.names_unit(&words, name)? {
            continue;
        }
        let location = after.last().map_or_else(|| unit.location(), |(_, setting)| setting.at.clone());
        findings.push(
            Finding::new(format!("does not start after {name}"), location, needed.at.clone())
                .key(name.clone())
                .expected(format!("After= with {name}"))
                .observed(format!("After={}", words.join(" ")))
                .mend(view.add(unit, "Unit", "After", std::slice::from_ref(name))),
        );
    }
    Ok(Outcome::from_findings(findings))
}
