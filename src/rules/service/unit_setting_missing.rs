//! Settings that the contract demands and the unit does not state.

use crate::rules::compare::{may_be_empty, too_old, written_demand};
use crate::rules::defaults;
use crate::rules::prelude::*;

rule! {
    /// The unit does not state a setting that the contract demands.
    ///
    /// Looks for each setting of section D in the effective unit: the unit file and every drop-in, resets
    /// applied (systemd.unit(5)). A setting must be stated even if systemd's default is the same, because
    /// defaults change with versions and with `DefaultRestartSec=` and similar settings. With `presence =
    /// "effective"` the contract demands only the value in force: from the unit's other settings
    /// (`DynamicUser=`, `Type=oneshot`; systemd.exec(5), systemd.service(5)), from /etc/systemd/system.conf and
    /// its drop-ins (systemd-system.conf(5)), otherwise systemd's own default of that version, as `systemctl
    /// show` of a bare unit gave it. A default that depends on the host, or that was not measured for this
    /// version, is asked of the manager of a running host, and is undecided on a disk.
    ///
    /// An empty assignment, such as `CapabilityBoundingSet=`, meets a demand for an empty value. What
    /// `DynamicUser=yes` forces (`ProtectSystem=strict` and others) is in force without being stated.
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
    /// ```bad
    /// contract [services.backend.unit.Service]
    /// contract CapabilityBoundingSet = ""
    /// ```
    /// ```good
    /// contract [services.backend.unit.Service]
    /// contract CapabilityBoundingSet = ""
    /// contract NewSetting = { equals = "x", since = 300 }
    /// file /etc/systemd/system/quantum-backend.service.d/caps.conf root:root 0644
    /// | [Service]
    /// | CapabilityBoundingSet=
    /// ```
    /// ```bad
    /// contract [services.backend.unit.Service]
    /// contract ProtectClock = { equals = "yes", presence = "effective" }
    /// ```
    /// ```bad
    /// contract [services.backend.unit.Service]
    /// contract TasksMax = { equals = "100", presence = "effective" }
    /// value quantum-backend.service TasksMax 4915
    /// ```
    /// ```good
    /// contract [services.backend.unit.Service]
    /// contract TasksMax = { equals = "4915", presence = "effective" }
    /// value quantum-backend.service TasksMax 4915
    /// ```
    /// ```good
    /// contract [services.backend.unit.Service]
    /// contract ProtectClock = { equals = "no", presence = "effective" }
    /// contract KillSignal = { equals = "SIGTERM", presence = "effective" }
    /// contract TimeoutStopSec = { equals = "90", presence = "effective" }
    /// ```
    /// ```bad
    /// contract [services.backend.unit.Service]
    /// contract TimeoutStopSec = { equals = "90", presence = "effective" }
    /// file /etc/systemd/system.conf.d/stop.conf root:root 0644
    /// | [Manager]
    /// | DefaultTimeoutStopSec=20s
    /// ```
    id: "unit-setting-missing",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "the default may change with the next version of systemd",
    see: ["systemctl cat {unit}"],
    mend: "golden writes the value that the contract states. If the contract allows several values, choose \
           one.",
    man: ["systemd.unit(5)", "systemd-system.conf(5)"],
    since: "0.1.0",
    check: Setting(check),
}

fn check(view: &ServiceView, demand: &SettingDemand) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    if demand.form == Form::Absent {
        return Ok(Outcome::not_applicable("the contract demands its absence"));
    }
    if let Some(outcome) = too_old(view, demand)? {
        return Ok(outcome);
    }
    let reset = unit.deciding(&demand.section, &demand.key);
    let stated = reset.is_some_and(|setting| setting.value().is_empty() && may_be_empty(demand))
        || reset.is_some_and(|setting| !setting.value().is_empty())
        || unit.words(&demand.section, &demand.key).iter().any(|(word, _)| !word.is_empty());
    let implied = *demand.section == *"Service" && unit.implied(&demand.key).is_some();
    if stated || implied {
        return Ok(Outcome::Pass);
    }
    let default = match demand.default_counts {
        true => Some(defaults::of(view, unit, &demand.section, &demand.key)?),
        false => None,
    };
    if let Some(default) = &default
        && defaults::meets(view, unit, demand, default)?
    {
        return Ok(Outcome::Pass);
    }
    let location = reset.map_or_else(|| unit.location(), |setting| setting.at.clone());
    let remedy = match view.stated_value(demand) {
        Some(value) => view.set_in(unit, reset, &demand.section, &demand.key, &value),
        None => view.decide_value(demand),
    };
    let message = match &default {
        Some(default) => format!("does not state {}=, and {}", demand.key, default.from),
        None => format!("does not state {}=", demand.key),
    };
    let observed = match default {
        Some(default) if !default.value.is_empty() => format!("{}={}", demand.key, default.value),
        _ => reset.map_or_else(|| format!("no {}=", demand.key), written),
    };
    Ok(Finding::new(message, location, demand.at.clone())
        .expected(written_demand(demand))
        .observed(observed)
        .overrode(reset.map(overridden).unwrap_or_default())
        .mend(remedy)
        .into())
}
