//! Whether another unit is there to be started, and whether its start fails, as far as files show it: then what requires it
//! and waits for it does not start either (systemd.unit(5), `Requires=` and `After=`).

use std::collections::BTreeSet;

use super::conditions::{self, Unmet};
use super::earlier::is_made_by_none;
use super::prelude::*;
use super::reach::has_own_root;
use super::remedy::is_packaged;
use super::streams;
use crate::facts::boot::OF_SYSTEMD;
use crate::facts::made::{PACKAGE_LISTS, REQUIREMENTS};
use crate::facts::start::{behind_binds, commands, env_file_paths, program_paths, streams as streams_of};
use crate::systemd::unit_name::{self, UnitName};

/// The status with which a program ends that is not there (systemd.exec(5), "EXIT_EXEC").
const EXIT_EXEC: &str = "203";

/// Why a required unit fails when it is started, or one that it requires and waits for in turn.
pub fn fails(view: &ServiceView, unit: &EffectiveUnit) -> Result<Option<String>, Undecided> {
    fails_unless_seen(view, unit, &mut BTreeSet::new())
}

fn fails_unless_seen(
    view: &ServiceView,
    unit: &EffectiveUnit,
    seen: &mut BTreeSet<String>,
) -> Result<Option<String>, Undecided> {
    if !seen.insert(unit.name.as_str().to_owned()) {
        return Ok(None);
    }
    if let Some(why) = itself(view, unit)? {
        return Ok(Some(why));
    }
    for (name, _) in REQUIREMENTS.iter().flat_map(|key| unit.words("Unit", key)) {
        let Ok(other) = view.effective(&name) else { continue };
        if waits_for(unit, other)
            && let Some(why) = fails_unless_seen(view, other, seen)?
        {
            return Ok(Some(format!("needs {name}, which {why}")));
        }
    }
    Ok(None)
}

/// Whether a unit starts only when another one is up. A target waits for all that it pulls in (systemd.target(5)).
pub fn waits_for(unit: &EffectiveUnit, other: &EffectiveUnit) -> bool {
    let names = |unit: &EffectiveUnit, key: &str, of: &EffectiveUnit| {
        unit.words("Unit", key).iter().any(|(word, _)| of.names().any(|name| name == word))
    };
    let is_plain = |unit: &EffectiveUnit| {
        let stated = unit.scalar("Unit", "DefaultDependencies");
        stated.is_none_or(|setting| setting.value() == "yes")
    };
    let is_target = unit.name.kind() == "target" && is_plain(unit) && !names(other, "After", unit);
    // basic.target waits for sockets and paths, and services wait for it (systemd.special(7)).
    let is_of_basic = matches!(other.name.kind(), "socket" | "path") && is_plain(other);
    is_target
        || is_of_basic && unit.name.kind() == "service" && is_plain(unit)
        || names(unit, "After", other)
        || names(other, "Before", unit)
}

/// Why a unit does not come up by itself.
fn itself(view: &ServiceView, unit: &EffectiveUnit) -> Result<Option<String>, Undecided> {
    let is_given = match unit.fragment.as_deref() {
        None => true,
        Some(path) => is_packaged(path) && !is_whole(view)?,
    };
    if is_given || has_own_root(unit).is_err() {
        return Ok(None);
    }
    let why = match (unit.name.kind(), &unit.load) {
        ("service", LoadState::Loaded) => lacks(view, unit)?,
        ("socket", LoadState::Loaded) => starts_nothing(view, unit)?,
        _ => None,
    };
    let Some(why) = why else { return Ok(None) };
    // A unit whose condition is not met does not fail: it is passed over.
    match conditions::unmet(view, unit) {
        Unmet { certain, .. } if certain.iter().any(|condition| !condition.is_assert) => Ok(None),
        Unmet { unknown: Some(unknown), .. } => Err(unknown),
        Unmet { .. } => Ok(Some(why)),
    }
}

/// Whether what packages bring is there to be seen: on a running host, and on a disk with the list of its packages. A
/// directory with a few units of packages is looked at as well, and what they need is taken to be installed.
fn is_whole(view: &ServiceView) -> Result<bool, Undecided> {
    if !view.is_disk() {
        return Ok(true);
    }
    for path in PACKAGE_LISTS {
        // Facts of an older golden do not hold it.
        if let Ok(lookup) = view.path(Need::Start, path)
            && lookup.node()?.is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a socket would start, where it cannot be started: systemd refuses to listen for nobody. An instance is looked for
/// when somebody connects.
fn starts_nothing(view: &ServiceView, unit: &EffectiveUnit) -> Result<Option<String>, Undecided> {
    let accepts = unit.scalar("Socket", "Accept").is_some_and(|setting| setting.value() == "yes");
    let Some((service, _)) = unit.started().filter(|_| !accepts) else { return Ok(None) };
    // Facts of an older golden do not hold it.
    if view.effective(&service).is_err() {
        return Ok(None);
    }
    Ok(lack(view, &service)?.map(|lack| format!("does not start: {service}, which it starts, {lack}")))
}

/// The user or group of a unit that the host certainly does not have.
fn missing_account(view: &ServiceView, unit: &EffectiveUnit) -> Result<Option<String>, Undecided> {
    let stated = |key: &str| unit.scalar("Service", key).map(Setting::value).filter(|_| !unit.is_dynamic());
    if let Some(name) = stated("User")
        && view.user_or_id(name)?.is_none()
    {
        return Ok(Some(format!("its user {name}")));
    }
    if let Some(name) = stated("Group")
        && view.group_or_id(name)?.is_none()
    {
        return Ok(Some(format!("its group {name}")));
    }
    Ok(None)
}

/// What a service lacks that systemd needs before it calls the service started.
fn lacks(view: &ServiceView, unit: &EffectiveUnit) -> Result<Option<String>, Undecided> {
    let forgives = unit.words("Service", "SuccessExitStatus");
    if forgives.iter().any(|(word, _)| word == EXIT_EXEC) {
        return Ok(None);
    }
    let start = view.start_of(unit);
    for path in env_file_paths(unit) {
        // Facts of an older golden do not hold it.
        if view.path(Need::Start, &path).is_ok() && !start.has(&path)? {
            view.is_on_disk_alone(&path)?;
            is_made_by_none(view, unit, &[], &path)?;
            return Ok(Some(format!("does not start: {path} does not exist")));
        }
    }
    let asks =
        commands(unit, &["ExecCondition"]).into_iter().any(|asked| !asked.command.prefixes.ignore_failure);
    if let Some(account) = missing_account(view, unit)? {
        let why = format!("does not start: {account} does not exist");
        return if asks { passed_over(view, why) } else { Ok(Some(why)) };
    }
    let waits = !matches!(unit.service_type(), "simple" | "idle");
    if let Some(fault) = stream_fault(view, unit, waits)? {
        let why = format!("does not start: {fault}");
        return if asks { passed_over(view, why) } else { Ok(Some(why)) };
    }
    let keys: &[&'static str] = match waits {
        true => &["ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost"],
        false => &["ExecCondition", "ExecStartPre"],
    };
    let all = commands(unit, keys);
    for (at, started) in all.iter().enumerate() {
        let program = &started.command.program;
        let paths: Vec<String> =
            program_paths(unit, program).iter().map(|path| behind_binds(unit, path)).collect();
        let is_known = |path: &String| view.path(Need::Start, path).is_ok();
        if started.command.prefixes.ignore_failure || !paths.iter().all(is_known) {
            continue;
        }
        let mut there = paths.iter().map(|path| start.has(path));
        if there.try_fold(false, |any, there| there.map(|there| any || there))? {
            continue;
        }
        for path in &paths {
            is_made_by_none(view, unit, &all[..at], path)?;
        }
        let why = format!("does not start: {program} does not exist");
        if started.key == "ExecCondition" {
            return passed_over(view, why);
        }
        if let Some(condition) = all.iter().find(|started| started.key == "ExecCondition") {
            let why = format!("{program} does not exist, which {} may pass over", condition.setting.at);
            return Err(Undecided::new(why));
        }
        return Ok(Some(why));
    }
    Ok(None)
}

/// What keeps the streams of a service from being connected, where systemd does not call it started then: it waits for the
/// program, or it fails before there is a process. That it does up to 254 where no socket unit hands over a descriptor; later
/// the process ends at once (measured on 247 to 262).
fn stream_fault(view: &ServiceView, unit: &EffectiveUnit, waits: bool) -> Result<Option<String>, Undecided> {
    let version = view.systemd().known()?.copied();
    for stream in streams_of(unit) {
        // Facts of an older golden do not hold it.
        if stream.end.path().is_some_and(|path| !waits || view.path(Need::Start, path).is_err()) {
            continue;
        }
        let Some(fault) = streams::fault(view, unit, &stream)? else { continue };
        return match version.and_then(|version| version.has(257)) {
            Some(true) if stream.end.path().is_none() => Ok(None),
            None if stream.end.path().is_none() => Err(Undecided::new(format!(
                "{}, of which it was not measured whether this systemd minds",
                fault.what
            ))),
            _ => Ok(Some(fault.what)),
        };
    }
    Ok(None)
}

/// Where the program of `ExecCondition=` itself does not come to run, it ends with a status below 255, and the unit is passed
/// over like one whose condition is not met. systemd 247 then ends what requires the unit; 252 and later start it (measured
/// up to 262).
fn passed_over(view: &ServiceView, why: String) -> Result<Option<String>, Undecided> {
    let version = view.systemd().known()?.copied();
    match version.and_then(|version| version.has(252)) {
        Some(false) => Ok(Some(why)),
        Some(true) => Ok(None),
        None => {
            Err(Undecided::new(format!("it {why}, of which it was not measured whether this systemd minds")))
        }
    }
}

/// Why a unit of this name cannot be started with another; `None` where it is there or made when it is needed.
pub fn lack(view: &ServiceView, name: &str) -> Result<Option<&'static str>, Undecided> {
    let Ok(parsed) = UnitName::parse(name) else { return Ok(None) };
    if parsed.kind() == "device" {
        return match view.is_disk() {
            true => Err(Undecided::new(format!(
                "whether a host that boots from this disk has {name} is not on it"
            ))),
            // systemd waits for it, and the host that runs has it or not.
            false => Ok(None),
        };
    }
    let is_made = parsed.kind() == "slice" || name == "-.mount" || name == "init.scope";
    if is_made || is_of_fstab(view, name)? {
        return Ok(None);
    }
    match view.effective(name)?.load {
        LoadState::Loaded => return Ok(None),
        LoadState::Masked => return Ok(Some("is masked")),
        LoadState::BadSetting(..) | LoadState::Error(..) => return Ok(Some("is refused by systemd")),
        LoadState::NotFound if is_special(name) => return Ok(None),
        LoadState::NotFound => {}
    }
    match maker(view, name, parsed.kind())? {
        Some(maker) => {
            let why = format!("{name} has no file here; {maker} may make it when the host boots");
            Err(Undecided::new(why))
        }
        None => Ok(Some("does not exist")),
    }
}

/// What makes units of this name when the host boots. On a running host they are there.
fn maker(view: &ServiceView, name: &str, kind: &str) -> Result<Option<String>, Undecided> {
    let Some(made) = view.made() else { return Ok(None) };
    let stem = name.trim_end_matches(".service");
    Ok(match kind {
        "mount" | "automount" | "swap" => Some("a generator".to_owned()),
        "service" if name.starts_with("systemd-") => Some("a generator".to_owned()),
        "service" if is_script(view, stem)? => Some(format!("/etc/init.d/{stem}")),
        "service" if made.provided.contains_key(stem) => {
            made.provided.get(stem).map(|script| format!("{script}, which provides {stem},"))
        }
        "service" if made.scripts_unread.is_some() => made.scripts_unread.as_ref().map(ToString::to_string),
        _ => made.generators.of(name).map(str::to_owned),
    })
}

/// Whether a unit is of systemd's own package: a disk without its file shows a part of a host.
fn is_special(name: &str) -> bool {
    SPECIAL.contains(&name) || OF_SYSTEMD.iter().any(|(unit, by)| *unit == name || *by == name)
}

/// Beside those that a boot goes through, [`OF_SYSTEMD`] (systemd.special(7)).
const SPECIAL: &[&str] = &[
    "bluetooth.target",
    "boot-complete.target",
    "cryptsetup-pre.target",
    "ctrl-alt-del.target",
    "default.target",
    "emergency.target",
    "exit.target",
    "final.target",
    "first-boot-complete.target",
    "getty-pre.target",
    "halt.target",
    "hibernate.target",
    "hybrid-sleep.target",
    "integritysetup.target",
    "kexec.target",
    "local-fs-pre.target",
    "network-online.target",
    "network-pre.target",
    "network.target",
    "nss-lookup.target",
    "nss-user-lookup.target",
    "poweroff.target",
    "printer.target",
    "reboot.target",
    "remote-cryptsetup.target",
    "remote-fs-pre.target",
    "rescue.target",
    "rpcbind.target",
    "shutdown.target",
    "sigpwr.target",
    "sleep.target",
    "smartcard.target",
    "sound.target",
    "soft-reboot.target",
    "suspend-then-hibernate.target",
    "suspend.target",
    "system-update.target",
    "systemd-journald.socket",
    "time-set.target",
    "time-sync.target",
    "umount.target",
    "usb-gadget.target",
    "veritysetup.target",
];

/// Whether fstab(5) has a line for a mount unit: `srv-data.mount` is /srv/data (systemd.unit(5), "STRING ESCAPING"). One
/// with `noauto` is mounted when it is required.
fn is_of_fstab(view: &ServiceView, name: &str) -> Result<bool, Undecided> {
    let Some((made, escaped)) = view.made().zip(name.strip_suffix(".mount")) else { return Ok(false) };
    let path = unit_name::unescape(escaped);
    let mounts = made.mounts.known()?;
    let mut all = mounts.mounts.iter().chain(&mounts.on_demand);
    Ok(all.any(|(mount, _)| mount.trim_start_matches('/') == path))
}

/// Whether a script in /etc/init.d has this name, of which systemd-sysv-generator(8) makes a service.
fn is_script(view: &ServiceView, stem: &str) -> Result<bool, Undecided> {
    Ok(view.path(Need::Start, &format!("/etc/init.d/{stem}"))?.node()?.is_some())
}
