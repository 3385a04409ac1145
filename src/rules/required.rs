//! Whether the start of another unit fails, as far as files show it, so that what requires it and waits for it does not
//! start either (systemd.unit(5), `Requires=` and `After=`).

use std::collections::BTreeSet;

use super::conditions::{self, Unmet};
use super::earlier::is_made_by_none;
use super::prelude::*;
use super::reach::has_own_root;
use super::remedy::is_packaged;
use crate::facts::made::REQUIREMENTS;
use crate::facts::start::{behind_binds, commands, env_file_paths, program_paths};

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
    // A package brings what its units need.
    if unit.fragment.as_deref().is_none_or(is_packaged) || has_own_root(unit).is_err() {
        return Ok(None);
    }
    let why = match lacks(view, unit)? {
        Some(why) => why,
        None => return Ok(starts_nothing(view, unit)),
    };
    // A unit whose condition is not met does not fail: it is passed over.
    match conditions::unmet(view, unit) {
        Unmet { certain, .. } if certain.iter().any(|condition| !condition.is_assert) => Ok(None),
        Unmet { unknown: Some(unknown), .. } => Err(unknown),
        Unmet { .. } => Ok(Some(why)),
    }
}

/// What a socket would start, and the host does not have: systemd refuses to listen for nobody. An instance is looked for
/// when somebody connects.
fn starts_nothing(view: &ServiceView, unit: &EffectiveUnit) -> Option<String> {
    let (service, _) = unit.started().filter(|_| unit.name.kind() == "socket")?;
    let is_gone = |other: &EffectiveUnit| matches!(other.load, LoadState::NotFound | LoadState::Masked);
    let accepts = unit.scalar("Socket", "Accept").is_some_and(|setting| setting.value() == "yes");
    (!accepts && view.effective(&service).is_ok_and(is_gone))
        .then(|| format!("does not start: {service}, which it starts, does not exist or is masked"))
}

/// What a service lacks that systemd needs before it calls the service started.
fn lacks(view: &ServiceView, unit: &EffectiveUnit) -> Result<Option<String>, Undecided> {
    if unit.name.kind() != "service" || unit.load != LoadState::Loaded {
        return Ok(None);
    }
    let forgives = unit.words("Service", "SuccessExitStatus");
    if forgives.iter().any(|(word, _)| word == EXIT_EXEC) {
        return Ok(None);
    }
    let start = view.start_of(unit);
    // Of a user that a directory service knows, nothing is said.
    if view.runner(unit).ok().is_some_and(|runner| runner.is_none()) {
        return Ok(Some("does not start: its user or its group does not exist".to_owned()));
    }
    for path in env_file_paths(unit) {
        // Facts of an older golden do not hold it.
        if view.path(Need::Start, &path).is_ok() && !start.has(&path)? {
            view.is_on_disk_alone(&path)?;
            return Ok(Some(format!("does not start: {path} does not exist")));
        }
    }
    let waits = !matches!(unit.service_type(), "simple" | "idle");
    let keys: &[&'static str] =
        if waits { &["ExecStartPre", "ExecStart", "ExecStartPost"] } else { &["ExecStartPre"] };
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
        if let Some(condition) = commands(unit, &["ExecCondition"]).first() {
            let why = format!("{program} does not exist, which {} may pass over", condition.setting.at);
            return Err(Undecided::new(why));
        }
        for path in &paths {
            is_made_by_none(view, unit, &all[..at], path)?;
        }
        return Ok(Some(format!("does not start: {program} does not exist")));
    }
    Ok(None)
}
