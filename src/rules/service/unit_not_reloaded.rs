//! Files that systemd has not read again.

use crate::rules::prelude::*;

rule! {
    /// The unit was edited and systemd has not read it again.
    ///
    /// systemd keeps units in memory and compares the files' times with what it read
    /// (`NeedDaemonReload`, systemctl(1)). Until a reload, a restart uses the old text, and what the files
    /// say is not what the host does.
    ///
    /// Reload; process-older-than-unit says whether the service must be restarted too.
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
    why: "what was audited on disk is not what systemd would start",
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
