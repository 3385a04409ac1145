//! Units without which a service does not start.

use std::collections::BTreeSet;

use crate::facts::boot::Reached;
use crate::facts::condition::{self, Condition};
use crate::facts::made::REQUIREMENTS;
use crate::rules::conditions::{self, Unmet};
use crate::rules::looks::Looks;
use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;
use crate::rules::required::{fails, lack, waits_for};
use crate::rules::triggers;

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
