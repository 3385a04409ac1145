//! Units without which a service does not start.

use std::collections::BTreeSet;

use crate::facts::boot::{OF_SYSTEMD, Reached};
use crate::facts::condition::{self, Condition};
use crate::facts::made::REQUIREMENTS;
use crate::rules::conditions::{self, Unmet};
use crate::rules::looks::Looks;
use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;
use crate::rules::required::{fails, waits_for};
use crate::rules::triggers;
use crate::systemd::unit_name::{self, UnitName};

rule! {
    /// A unit requires another unit that does not exist or is masked.
    ///
    /// `Requires=`, `BindsTo=` and `Requisite=` are part of the start. If systemd cannot load the other unit,
    /// it refuses to start this one: "Unit X not found" (systemd.unit(5); measured on 247 to 262). Up to 252 a
    /// boot starts it nevertheless. The same holds for what the other unit requires in turn, and for the timer
    /// or the socket that starts the service. A required unit does not run if its assertion is not met, and
    /// with `BindsTo=` also if its condition is not met. If this unit waits for it (`After=`) and no package
    /// brought it, it must start: its programs, its env files and its user exist, and those of what it requires and waits
    /// for in turn. A unit of `Requisite=` is not started with this one,
    /// so the boot must have started it. `Wants=` never prevents a start. Slices are made when they are named,
    /// mounts by fstab(5) and other generators. On a disk that is not running, a device is undecided; so is
    /// the name of a script in /etc/init.d, or one that it provides (`Provides:`), and a missing unit that the
    /// generator of a package may make (systemd.generator(7)).
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/needs.conf root:root 0644
    /// | [Unit]
    /// | Requires=postgresql-17.service
    /// ```
    /// ```bad
    /// link /etc/systemd/system/other.service -> /dev/null
    /// file /etc/systemd/system/quantum-backend.service.d/needs.conf root:root 0644
    /// | [Unit]
    /// | BindsTo=other.service
    /// ```
    /// ```good
    /// file /etc/systemd/system/other@.service root:root 0644
    /// | [Service]
    /// | ExecStart=/usr/bin/true
    /// file /etc/systemd/system/quantum-backend.service.d/needs.conf root:root 0644
    /// | [Unit]
    /// | Requires=other@a.service quantum.slice -.mount
    /// | Wants=nowhere.service
    /// ```
    id: "start-requirement-missing",
    section: D,
    severity: Must,
    needs: [Units, Accounts, Start],
    cause: Unit,
    why: "systemd refuses to start the service",
    see: ["systemctl show -p Requires,BindsTo,Requisite {unit}"],
    mend: "Install the missing unit, correct its name, or write `Wants=`.",
    man: ["systemd.unit(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    if view.loaded()?.is_none() {
        return Ok(unit_not_loaded());
    }
    let mut looks = Looks::default();
    for unit in triggers::with_trigger(view)? {
        look_at(view, unit, &mut looks);
    }
    looks.ruling()
}

fn look_at(view: &ServiceView, unit: &EffectiveUnit, looks: &mut Looks) {
    for key in REQUIREMENTS {
        for (name, setting) in unit.words("Unit", key) {
            let lack = lack_of_all(view, &name).and_then(|lack| match lack {
                None if ends_before(view, unit, key, &name)? => {
                    Ok(Some("has ended when it starts (Type=oneshot)".to_owned()))
                }
                None if *key == "Requisite" => not_started(view, &name),
                None => refuses(view, unit, key, &name),
                lack if *key == "BindsTo" => Ok(lack),
                lack => Ok(lack.map(|lack| format!("{lack}{}", at_boot(view)))),
            });
            looks.add(lack.map(|what| what.map(|what| finding(view, (key, &name, setting), &what))));
        }
    }
}

/// What an older systemd does at boot. Measured with such units on each version: up to 252 a target that wants the service
/// starts it although its requirement cannot be loaded, and `systemctl start` refuses it; from 254 on neither starts it.
fn at_boot(view: &ServiceView) -> &'static str {
    const LAST: u32 = 252;
    let version = view.systemd().known().ok().flatten();
    match version.is_some_and(|version| version.0 <= LAST) {
        true => "; a boot starts it nevertheless",
        false => "",
    }
}

fn finding(view: &ServiceView, (key, name, setting): (&str, &str, &Setting), what: &str) -> Finding {
    let question =
        format!("install the package that has {name}, correct its name, or write Wants= if the service does not need it");
    Finding::new(
        format!("cannot start: {name}, which it requires, {what}"),
        setting.at.clone(),
        view.service.unit.at.clone(),
    )
    .key(format!("{key}={name}"))
    .expected(format!("a unit {name}"))
    .observed(written(setting))
    .mend(Remedy::decide(question).candidate("", by_hand(&setting.at)))
}

/// Whether a unit is bound to one that has ended when it starts: "the unit bound to strictly has to be in active state for
/// this unit to also be in active state" when `After=` stands beside `BindsTo=` (systemd.unit(5)), and a oneshot service is
/// inactive when it has run, unless `RemainAfterExit=yes` (systemd.service(5)).
fn ends_before(view: &ServiceView, unit: &EffectiveUnit, key: &str, name: &str) -> Result<bool, Undecided> {
    if key != "BindsTo" || !name.ends_with(".service") {
        return Ok(false);
    }
    let other = view.effective(name)?;
    if !waits_for(unit, other) {
        return Ok(false);
    }
    let is = |key: &str, value: &str| other.scalar("Service", key).is_some_and(|setting| setting.value() == value);
    // Whether its conditions are met or not, it is not active.
    let loads = matches!(other.load, LoadState::Loaded);
    Ok(loads && other.service_type() == "oneshot" && !is("RemainAfterExit", "yes"))
}

/// Why a unit of this name cannot be started with another, or none of those that it requires in turn: systemd adds all of
/// them to the start or refuses it.
fn lack_of_all(view: &ServiceView, name: &str) -> Result<Option<String>, Undecided> {
    if let Some(lack) = lack(view, name)? {
        return Ok(Some(lack.to_owned()));
    }
    let (mut seen, mut waiting) = (BTreeSet::from([name.to_owned()]), vec![name.to_owned()]);
    let mut unknown = None;
    while let Some(by) = waiting.pop() {
        // What is no unit of a file requires nothing that a file says.
        let Ok(unit) = view.effective(&by) else { continue };
        for (other, _) in REQUIREMENTS.iter().flat_map(|key| unit.words("Unit", key)) {
            if !seen.insert(other.clone()) {
                continue;
            }
            match lack(view, &other) {
                Ok(None) => waiting.push(other),
                Ok(Some(lack)) => return Ok(Some(format!("cannot start: {by} requires {other}, which {lack}"))),
                Err(undecided) => drop(unknown.get_or_insert(undecided)),
            }
        }
    }
    unknown.map_or(Ok(None), Err)
}

/// A condition or assertion because of which a required unit does not run: measured on 252 and 257, a failed assertion
/// takes the unit that requires it along, and a failed condition the one that is bound to it and ordered after it.
fn refuses(view: &ServiceView, unit: &EffectiveUnit, key: &str, name: &str) -> Result<Option<String>, Undecided> {
    let Ok(other) = view.effective(name) else { return Ok(None) };
    let is_after = waits_for(unit, other);
    let is_bound = key == "BindsTo" && is_after;
    let counts = |condition: &Condition<'_>| condition.is_assert || is_bound;
    if condition::all(other).iter().any(counts) {
        let Unmet { certain, unknown } = conditions::unmet(view, other);
        match (certain.iter().find(|condition| counts(condition)), unknown) {
            (Some(condition), _) => {
                return Ok(Some(format!("does not run: {} is not met", written(condition.setting))));
            }
            (None, Some(unknown)) => return Err(unknown),
            (None, None) => {}
        }
    }
    if is_after { fails(view, other) } else { Ok(None) }
}

/// Whether nothing has started a unit that is required to run already (systemd.unit(5), `Requisite=`).
fn not_started(view: &ServiceView, name: &str) -> Result<Option<String>, Undecided> {
    match view.at_boot(name)? {
        Reached::Yes => Ok(None),
        Reached::Unpulled => Ok(Some("nothing starts at boot (Requisite= does not start it)".to_owned())),
        Reached::No(_, why, _) => Ok(Some(format!("does not come up at boot: {why}"))),
        Reached::Unknown(why) => Err(Undecided::new(why)),
    }
}

/// Why a unit of this name cannot be started with another; `None` where it is there or made when it is needed.
fn lack(view: &ServiceView, name: &str) -> Result<Option<&'static str>, Undecided> {
    let Ok(parsed) = UnitName::parse(name) else { return Ok(None) };
    if parsed.kind() == "device" {
        return match view.is_disk() {
            true => Err(Undecided::new(format!("whether a host that boots from this disk has {name} is not on it"))),
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
