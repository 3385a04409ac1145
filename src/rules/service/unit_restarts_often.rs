//! Services that die and come back, unnoticed.

use crate::rules::prelude::*;

/// More restarts than this are no accident.
const MANY: u32 = 10;

rule! {
    /// systemd has restarted a service many times.
    ///
    /// `Restart=always` with `RestartSec=10` never reaches the default start limit of five starts in ten
    /// seconds: a service that dies at once is started without end, and is `active` most of the time. The rule
    /// warns when `NRestarts` is above 10. A start by hand resets the count (systemd.service(5)).
    ///
    /// ```bad
    /// unit quantum-execution.service NRestarts=30206
    /// ```
    /// ```good
    /// unit quantum-execution.service NRestarts=2
    /// ```
    id: "unit-restarts-often",
    section: D,
    severity: Should,
    needs: [Units, Bus],
    cause: Unit,
    why: "a service that crashes every minute still looks active",
    see: ["systemctl show -p NRestarts {unit}", "journalctl -u {unit} -n 50"],
    mend: "Find out why it dies. Set `StartLimitIntervalSec=` and `StartLimitBurst=` so that the restarts \
           end.",
    man: ["systemd.service(5)", "systemd.unit(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let name = &view.service.unit;
    let restarts = view.state(&name.value)?.restarts;
    if restarts <= MANY {
        return Ok(Outcome::Pass);
    }
    let quoted = quoted(&name.value);
    Ok(Finding::new(format!("has been restarted {restarts} times"), unit.location(), name.at.clone())
        .expected(format!("at most {MANY} restarts"))
        .observed(format!("NRestarts={restarts}"))
        .mend(
            Remedy::decide("find out why it ends")
                .candidate("", format!("journalctl -u {quoted} -n 100"))
                .candidate("then reset the count", format!("systemctl restart {quoted}")),
        )
        .into())
}
