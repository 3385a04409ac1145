//! What is in force of a setting that a unit does not state: what its other settings imply, what the host's
//! administrator set for all units (systemd-system.conf(5)), or systemd's own default.

use super::compare::written_demand;
use crate::contract::{Form, SettingDemand};
use crate::facts::view::ServiceView;
use crate::model::Undecided;
use crate::systemd::effective::{EffectiveUnit, Setting};
use crate::systemd::known::{self, Known};
use crate::systemd::version::SystemdVersion;
use crate::systemd::{defaults, value};

/// A default and who says so, in words: `systemd 257 has PrivateTmp=no by default`.
pub struct Default {
    /// The value as `systemctl show` prints it; empty where the setting has none.
    pub value: String,
    /// Where it comes from.
    pub from: String,
}

/// What is in force of a setting of a unit that does not state it. What files do not decide, the manager of a running host
/// knows.
pub fn of(view: &ServiceView, unit: &EffectiveUnit, section: &str, key: &str) -> Result<Default, Undecided> {
    let undecided = match of_files(view, unit, section, key) {
        Err(undecided) => undecided,
        decided => return decided,
    };
    let value = view.manager_has(&view.service.unit.value, key)?.ok_or(undecided)?;
    Ok(Default { value: value.clone(), from: format!("systemd has {key}={value} in force") })
}

/// The same, by the unit's other settings, system.conf and the defaults of this version.
fn of_files(
    view: &ServiceView,
    unit: &EffectiveUnit,
    section: &str,
    key: &str,
) -> Result<Default, Undecided> {
    let version = view.systemd().known()?.copied();
    let version = version.ok_or_else(|| Undecided::new("which systemd reads the unit is unknown"))?;
    if let Some(implied) = implied(unit, key) {
        let implied = implied.map_err(Undecided::new)?;
        return Ok(Default { value: implied.value, from: implied.from });
    }
    if let Some(manager) = manager_key(section, key)
        && let Some((text, at)) = view.manager_setting(&manager)?
    {
        if !manager.starts_with("Default") {
            let why = format!("{at} sets {manager}={text} for all units, which changes what {key}= means");
            return Err(Undecided::new(why));
        }
        // What systemd does not take leaves an earlier value in force.
        let value = canonical(version, unit, section, key, text).ok_or_else(|| {
            Undecided::new(format!("it is not known whether systemd takes {manager}={text} ({at})"))
        })?;
        return Ok(Default { value, from: format!("{at} sets {manager}={text}") });
    }
    let value = defaults::of(version, section, key).map_err(Undecided::new)?.to_owned();
    let from = match value.is_empty() {
        true => format!("systemd {version} sets no {key}= by itself"),
        false => format!("systemd {version} has {key}={value} by default"),
    };
    Ok(Default { value, from })
}

/// Whether a default is what is demanded.
pub fn meets(
    view: &ServiceView,
    unit: &EffectiveUnit,
    demand: &SettingDemand,
    default: &Default,
) -> Result<bool, Undecided> {
    let version = view.systemd().known()?.copied().unwrap_or_default();
    let same = |demanded: &String| same(version, unit, demand, &default.value, demanded);
    Ok(match &demand.form {
        Form::Equals(demanded) => same(demanded)?,
        Form::OneOf(all) => {
            let judged: Vec<Result<bool, Undecided>> = all.iter().map(same).collect();
            match judged.iter().any(|one| matches!(one, Ok(true))) {
                true => true,
                false => judged.into_iter().collect::<Result<Vec<_>, _>>()?.contains(&true),
            }
        }
        Form::Contains(words) => {
            let kind = known::kind(&demand.section, &demand.key).unwrap_or_default();
            let (held, _) = value::split(&demand.key, kind, &default.value);
            super::compare::missing_words(&held, words).is_empty()
        }
        Form::Present => !default.value.is_empty(),
        Form::Absent => true,
    })
}

/// Defaults with a second spelling, which systemctl shows as another value: a watchdog is off with 0 (`timestamp_is_set`
/// takes neither 0 nor infinity for a time), and a quota without a period is one of 100ms ("The default setting is 100ms",
/// systemd.resource-control(5)). Timeouts that take 0 for infinity are read so in the first place.
const TWINS: &[(&str, &str, &str)] =
    &[("WatchdogSec", "infinity", "0"), ("CPUQuotaPeriodSec", "infinity", "100ms")];

/// Whether a default and a demanded value are one to systemd.
fn same(
    version: SystemdVersion,
    unit: &EffectiveUnit,
    demand: &SettingDemand,
    default: &str,
    demanded: &str,
) -> Result<bool, Undecided> {
    let (section, key) = (demand.section.as_str(), &*demand.key);
    // Root is who runs what names no user, and `/` where it runs (systemd.exec(5)).
    let nameless = match key {
        "User" | "Group" => default.is_empty() && matches!(demanded, "root" | "0"),
        "WorkingDirectory" | "RootDirectory" => default.is_empty() && demanded == "/",
        _ => false,
    };
    if default == demanded || nameless {
        return Ok(true);
    }
    let read = canonical(version, unit, section, key, demanded);
    if TWINS.iter().any(|(of, shown, twin)| {
        *of == key && *shown == default && read.as_deref().unwrap_or(demanded) == *twin
    }) {
        return Ok(true);
    }
    match (read, canonical(version, unit, section, key, default)) {
        (Some(read), default_read) => Ok(read == default || Some(read) == default_read),
        // Where words stand beside yes and no, those two are still a boolean.
        (None, _) if let (Ok(one), Ok(other)) = (value::boolean(default), value::boolean(demanded)) => {
            Ok(one == other)
        }
        // A setting without a value has no other spelling.
        (None, _) if default.is_empty() || demanded.is_empty() => Ok(false),
        (None, _) => Err(Undecided::new(format!(
            "it was not measured whether {} is what systemd has by default ({default})",
            written_demand(demand)
        ))),
    }
}

/// A value as `systemctl show` prints it, where that is known.
fn canonical(
    version: SystemdVersion,
    unit: &EffectiveUnit,
    section: &str,
    key: &str,
    text: &str,
) -> Option<String> {
    let kind = match known::look(version, unit.name.kind(), section, key) {
        Known::Setting { kind, .. } => kind,
        _ => return None,
    };
    value::Reader { version, unit: &unit.name }.canonical(key, kind, text).ok()?.value
}

/// The setting of system.conf(5) that moves the default of a unit's setting.
fn manager_key(section: &str, key: &str) -> Option<String> {
    const OF_UNITS: &[&str] = &[
        "TimeoutStartSec",
        "TimeoutStopSec",
        "TimeoutAbortSec",
        "RestartSec",
        "CPUAccounting",
        "BlockIOAccounting",
        "IOAccounting",
        "IPAccounting",
        "MemoryAccounting",
        "TasksAccounting",
        "TasksMax",
        "MemoryPressureWatch",
        "MemoryPressureThresholdSec",
        "StandardOutput",
        "StandardError",
        "OOMPolicy",
        "OOMScoreAdjust",
        "SmackProcessLabel",
        "Environment",
    ];
    // What the manager does to itself, its children inherit.
    const OF_ALL: &[&str] = &[
        "NoNewPrivileges",
        "SystemCallArchitectures",
        "CapabilityBoundingSet",
        "TimerSlackNSec",
        "CPUAffinity",
        "NUMAPolicy",
        "NUMAMask",
    ];
    match (section, key) {
        ("Unit", "StartLimitIntervalSec" | "StartLimitBurst") => Some(format!("Default{key}")),
        ("Timer", "AccuracySec") => Some("DefaultTimerAccuracySec".to_owned()),
        ("Socket", "TimeoutSec") => Some("DefaultTimeoutStartSec".to_owned()),
        _ if OF_ALL.contains(&key) => Some(key.to_owned()),
        _ if OF_UNITS.contains(&key) || key.starts_with("Limit") => Some(format!("Default{key}")),
        _ => None,
    }
}

/// Settings that imply `NoNewPrivileges=yes` of a process without CAP_SYS_ADMIN (systemd.exec(5), NoNewPrivileges=).
const OF_NO_NEW_PRIVILEGES: &[&str] = &[
    "DynamicUser",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "PrivateDevices",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "SystemCallArchitectures",
    "SystemCallFilter",
    "SystemCallLog",
];

/// A unit without `Type=`, `BusName=` and `ExecStart=` is a oneshot (systemd.service(5), `Type=`).
fn without_start(unit: &EffectiveUnit, key: &str) -> Option<Result<Default, String>> {
    let value = if key == "Type" { "oneshot" } else { "infinity" };
    let from = format!("without ExecStart= systemd takes {key}= as {value}");
    let is_oneshot = unit.scalar("Service", "Type").is_none() && unit.service_type() == "oneshot";
    is_oneshot.then(|| Ok(Default { value: value.to_owned(), from }))
}

/// What other settings of the same unit make of one that it does not state: the value, or why nobody knows.
fn implied(unit: &EffectiveUnit, key: &str) -> Option<Result<Default, String>> {
    let stated = |key: &str| unit.scalar("Service", key).filter(|setting| !setting.value().is_empty());
    let is_on = |key: &&str| stated(key).is_some_and(|setting| setting.value() != "no");
    let by = |value: &str, setting: &Setting| {
        let from = format!("{}={} makes {key}= {value}", setting.key, setting.value());
        Some(Ok(Default { value: value.to_owned(), from }))
    };
    let as_well = |other: &str| stated(other).and_then(|setting| by(setting.value(), setting));
    let of = |keys: &[&'static str], value: &str| {
        keys.iter().find(|key| is_on(key)).and_then(|key| by(value, stated(key)?))
    };
    let is = |other: &str, values: &[&str]| stated(other).filter(|setting| values.contains(&setting.value()));
    if let Some((value, setting)) = unit.implied(key) {
        return by(value, setting);
    }
    match key {
        "NotifyAccess" => is("Type", &["notify", "notify-reload"])
            .or_else(|| stated("WatchdogSec"))
            .and_then(|setting| by("main", setting)),
        "Type" if stated("BusName").is_some() => of(&["BusName"], "dbus"),
        "Type" => without_start(unit, key),
        "TimeoutStartSec" => as_well("TimeoutSec")
            .or_else(|| is("Type", &["oneshot"]).and_then(|setting| by("infinity", setting)))
            .or_else(|| without_start(unit, key)),
        "TimeoutStopSec" => as_well("TimeoutSec"),
        "TimeoutAbortSec" => as_well("TimeoutStopSec").or_else(|| as_well("TimeoutSec")),
        "RestartKillSignal" => as_well("KillSignal"),
        "OOMPolicy" => of(&["Delegate"], "continue"),
        "DevicePolicy" => of(&["PrivateDevices", "ProtectClock"], "closed"),
        "MountAPIVFS" => of(&["RootDirectory", "RootImage"], "yes"),
        "StandardOutput" | "StandardError"
            if stated("StandardInput").is_some_and(|setting| setting.value() != "null") =>
        {
            Some(Err(format!("StandardInput= changes what {key}= is by default")))
        }
        "SyslogIdentifier" => Some(Err("it is the name of the program that is started".to_owned())),
        "Slice" if unit.name.instance().is_some() => {
            Some(Err("an instance has a slice of its template's name".to_owned()))
        }
        "Group" if unit.scalar("Service", "User").is_some() => {
            Some(Err("it is the primary group of the user".to_owned()))
        }
        "User" if unit.is_dynamic() => Some(Err("DynamicUser= makes a user of the unit's name".to_owned())),
        "NoNewPrivileges"
            if stated("User").is_some_and(|setting| !matches!(setting.value(), "root" | "0")) =>
        {
            let holds_more = stated("AmbientCapabilities").is_some();
            match OF_NO_NEW_PRIVILEGES.iter().any(is_on) && holds_more {
                true => Some(Err("AmbientCapabilities= may keep other settings from implying it".to_owned())),
                false => of(OF_NO_NEW_PRIVILEGES, "yes"),
            }
        }
        _ => None,
    }
}
