//! One sentence about what this file judges.

use crate::rules::prelude::*;

rule! {
    /// A service is niced below zero.
    ///
    /// What is judged, with the man page it comes from: systemd.exec(5), `Nice=`.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/x.conf root:root 0644
    /// | [Service]
    /// | Nice=-5
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/x.conf root:root 0644
    /// | [Service]
    /// | Nice=5
    /// ```
    id: "unit-niced-below-zero",
    section: D,
    severity: Should,
    needs: [Units],
    why: "one busy service starves all others",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let Some(nice) = unit.scalar("Service", "Nice") else { return Ok(Outcome::Pass) };
    if !nice.value().starts_with('-') {
        return Ok(Outcome::Pass);
    }
    Ok(Finding::new("is niced below zero", nice.at.clone(), view.service.at.clone())
        .expected("Nice=0 or more")
        .observed(written(nice))
        .overrode(overridden(nice))
        .mend(view.mend_setting(unit, Some(nice), "Nice", "0"))
        .into())
}
