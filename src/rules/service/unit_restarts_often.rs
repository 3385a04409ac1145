//! Services that die and come back, unnoticed.

use crate::rules::prelude::*;

/// More restarts than this are no accident.
const MANY: u32 = 10;

rule! {
    /// systemd has restarted a service many times.
    ///
    /// `Restart=always` with `RestartSec=10` never reaches the default start limit of five starts in ten
    /// seconds: a service that dies at once is started for ever, and is `active` most of the time. Warns
    /// when `NRestarts` is above 10; the count begins anew with a start by hand (systemd.service(5)).
    ///
    /// Find out why it dies; set `StartLimitIntervalSec=` and `StartLimitBurst=` so that a storm ends.
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
    why: "a service that dies every minute looks alive at every look",
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
                .candidate("then begin the count anew", format!("systemctl restart {quoted}")),
        )
        .into())
}
