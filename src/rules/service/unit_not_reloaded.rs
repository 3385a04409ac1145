//! Files that systemd has not read again.

use crate::rules::prelude::*;

rule! {
    /// The unit was edited, but systemd has not read it again.
    ///
    /// systemd keeps units in memory and compares the files' times with what it read (`NeedDaemonReload`,
    /// systemctl(1)). Until a reload, a restart uses the old text.
    ///
    /// ```bad
    /// unit quantum-backend.service NeedDaemonReload=yes
    /// ```
    /// ```good
    /// unit quantum-backend.service NeedDaemonReload=no
    /// ```
    id: "unit-not-reloaded",
    section: D,
    severity: Must,
    needs: [Units, Bus],
    cause: Unit,
    why: "systemd would start something else than the files on disk say",
    see: ["systemctl show -p NeedDaemonReload {unit}"],
    mend: "golden reloads systemd. `process-older-than-unit` says whether the service must be restarted \
           too.",
    man: ["systemctl(1)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let name = &view.service.unit;
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    if !view.state(&name.value)?.need_daemon_reload {
        return Ok(Outcome::Pass);
    }
    Ok(Finding::new("was edited, and systemd has not read it again", unit.location(), name.at.clone())
        .expected("the unit on disk is the one that is loaded")
        .observed("NeedDaemonReload=yes")
        .mend(Change::Reload)
        .into())
}
