//! Settings that the contract demands and the unit does not state.

use crate::rules::compare::{meeting, written_demand};
use crate::rules::prelude::*;

rule! {
    /// A setting that the contract demands is not stated in the unit.
    ///
    /// Looks for each setting of section D in the effective unit: the fragment and every drop-in, resets
    /// applied (systemd.unit(5)). A setting must be stated even where systemd's default is the same, because
    /// defaults move with versions and with `DefaultRestartUSec=` and its kin; the contract may except a
    /// setting with `presence = "effective"`.
    ///
    /// State the setting.
    ///
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - Restart=always
    /// ```
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - SyslogIdentifier=quantum-backend
    /// + #SyslogIdentifier=quantum-backend
    /// ```
    /// ```good
    /// replace /etc/systemd/system/quantum-backend.service
    /// - Restart=always
    /// file /etc/systemd/system/quantum-backend.service.d/restart.conf root:root 0644
    /// | [Service]
    /// | Restart=always
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service root:root 0644
    /// | # [Unit]
    /// | # Description=Quantum Trading System - Backend
    /// | # [Install]
    /// | # WantedBy=multi-user.target
    /// | [Service]
    /// | # Restart=always
    /// | # RestartSec=10
    /// | ExecStart=/opt/quantum/venvs/backend/bin/uvicorn src.backend.app:app
    /// ```
    id: "unit-setting-missing",
    section: D,
    severity: Must,
    needs: [Units],
    why: "what is not written down changes with the next version of systemd",
    check: Setting(check),
}

fn check(view: &ServiceView, demand: &SettingDemand) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    if demand.form == Form::Absent {
        return Ok(Outcome::not_applicable("the contract demands its absence"));
    }
    let reset = unit.deciding(&demand.section, &demand.key);
    let stated = reset.is_some_and(|setting| !setting.value().is_empty())
        || unit.words(&demand.section, &demand.key).iter().any(|(word, _)| !word.is_empty());
    if stated || demand.default_counts {
        return Ok(Outcome::Pass);
    }
    let location = reset.map_or_else(|| unit.location(), |setting| setting.at.clone());
    let remedy = match meeting(demand) {
        Some(value) => view.mend_in(unit, reset, &demand.section, &demand.key, &value),
        None => format!("a person must decide what {}= should say", demand.key),
    };
    Ok(Finding::new(format!("does not state {}=", demand.key), location, demand.at.clone())
        .expected(written_demand(demand))
        .observed(reset.map_or_else(|| format!("no {}=", demand.key), written))
        .overrode(reset.map(overridden).unwrap_or_default())
        .mend(remedy)
        .into())
}
