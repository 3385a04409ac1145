//! What the sandbox of a unit lets a service see and write, as systemd.exec(5), "SANDBOXING", has it.

use crate::facts::made::own_directories;
use crate::facts::start::{HOMES, NamespacePath, SYSTEM, TEMPORARY, lies_under, namespace_paths};
use crate::rules::prelude::*;

/// What a setting does to a path and all that lies below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing of it can be reached, whatever is mounted below.
    Hidden,
    /// An empty file system lies over it; binds below show again.
    Emptied,
    /// It can be read.
    ReadOnly,
    /// It can be written, as far as permissions go.
    Writable,
}

/// One setting's effect on one path.
#[derive(Clone, Debug)]
pub struct Mount<'a> {
    /// The path as the service names it.
    pub path: String,
    /// What happens to it.
    pub effect: Effect,
    /// The setting that does it.
    pub setting: &'a Setting,
}

/// Every mount of a unit's sandbox, under the path that the unit names and under the one that it really has: systemd
/// follows links before it mounts, so that `ProtectHome=` hides /var/home where /home leads there.
pub fn mounts<'a>(view: &View, unit: &'a EffectiveUnit) -> Vec<Mount<'a>> {
    let mut all = Vec::new();
    let mut add = |setting, effect, paths: &[&str]| {
        all.extend(paths.iter().map(|path| Mount { path: (*path).to_owned(), effect, setting }));
    };
    match unit.in_force("ProtectHome") {
        Some(("yes", setting)) => add(setting, Effect::Hidden, HOMES),
        Some(("tmpfs", setting)) => add(setting, Effect::Emptied, HOMES),
        Some(("read-only", setting)) => add(setting, Effect::ReadOnly, HOMES),
        _ => {}
    }
    match unit.in_force("ProtectSystem") {
        Some(("yes", setting)) => add(setting, Effect::ReadOnly, &SYSTEM[..3]),
        Some(("full", setting)) => add(setting, Effect::ReadOnly, SYSTEM),
        Some(("strict", setting)) => {
            add(setting, Effect::ReadOnly, &["/"]);
            // ProtectHome= decides about these.
            add(setting, Effect::Writable, HOMES);
            add(setting, Effect::Writable, &["/dev", "/proc", "/sys"]);
        }
        _ => {}
    }
    // "If the value is set to "connected" or "yes" … mounts private /tmp/ and /var/tmp/" (systemd.exec(5)).
    if let Some(("yes" | "connected" | "disconnected", setting)) = unit.in_force("PrivateTmp") {
        add(setting, Effect::Emptied, TEMPORARY);
        // What is private can be written, whatever ProtectSystem= says.
        add(setting, Effect::Writable, TEMPORARY);
    }
    named(unit, &mut all);
    let real = |mount: &Mount<'a>| {
        let real = view.path(Need::Start, &mount.path).ok()?.real()?;
        (*real != *mount.path).then(|| Mount { path: real.to_owned(), ..mount.clone() })
    };
    let more: Vec<Mount> = all.iter().filter_map(real).collect();
    all.extend(more);
    all
}

/// Mounts that a setting names by their path.
fn named<'a>(unit: &'a EffectiveUnit, all: &mut Vec<Mount<'a>>) {
    let kinds: [(&[&'static str], Effect); 4] = [
        (&["InaccessiblePaths"], Effect::Hidden),
        (&["TemporaryFileSystem"], Effect::Emptied),
        (&["ReadOnlyPaths", "BindReadOnlyPaths"], Effect::ReadOnly),
        (&["ReadWritePaths", "BindPaths"], Effect::Writable),
    ];
    for (keys, effect) in kinds {
        let paths = namespace_paths(unit, keys).into_iter();
        all.extend(paths.map(|path| Mount { path: path.target, effect, setting: path.setting }));
    }
    for own in own_directories(unit).into_iter().filter(|own| !own.is_roots) {
        let private = own.path.rsplit_once('/').filter(|_| unit.is_dynamic());
        let private = private.map(|(above, name)| format!("{above}/private/{name}"));
        let paths = [Some(own.path), own.link, private].into_iter().flatten();
        all.extend(paths.map(|path| Mount { path, effect: Effect::Writable, setting: own.setting }));
    }
}

/// Whether systemd never looks at a path of the sandbox, so that it may be missing: below what is inaccessible nothing is
/// mounted, and of two settings that do the same to a path and to one above it the nearer is left out (`ReadOnlyPaths=`
/// below what `ProtectSystem=` protects). Measured on 247 to 262.
pub fn is_passed_over(mounts: &[Mount<'_>], path: &NamespacePath<'_>) -> bool {
    let own = match path.key {
        "ReadOnlyPaths" => Some(Effect::ReadOnly),
        "ReadWritePaths" => Some(Effect::Writable),
        _ => None,
    };
    let above =
        || mounts.iter().filter(|mount| mount.path != path.target && lies_under(&path.target, &mount.path));
    if above().any(|mount| mount.effect == Effect::Hidden) {
        return true;
    }
    // The directories of the unit itself are mounted apart, and what ProtectSystem=strict leaves alone is a kind of its own.
    let counts = |mount: &&Mount| {
        let key = &*mount.setting.key;
        !key.ends_with("Directory") && (mount.effect != Effect::Writable || key != "PrivateTmp")
    };
    let strictness = |effect: Effect| match effect {
        Effect::Hidden => 3,
        Effect::Emptied => 2,
        Effect::ReadOnly => 1,
        Effect::Writable => 0,
    };
    let depth = |mount: &Mount| mount.path.trim_end_matches('/').len();
    let nearest = above().filter(counts).max_by_key(|mount| (depth(mount), strictness(mount.effect)));
    let is_alike = |mount: &Mount| {
        let is_stated = mount.effect == Effect::ReadOnly || &*mount.setting.key == "ReadWritePaths";
        own == Some(mount.effect) && is_stated
    };
    // Of two at the same path the stricter is made.
    let stricter = |mount: &Mount| {
        mount.path == path.target && own.is_some_and(|own| strictness(mount.effect) > strictness(own))
    };
    nearest.is_some_and(is_alike) || mounts.iter().filter(counts).any(stricter)
}

/// The mount that hides a path from the service.
pub fn hidden<'m, 'a>(unit: &EffectiveUnit, mounts: &'m [Mount<'a>], path: &str) -> Option<&'m Mount<'a>> {
    let over =
        |effect| mounts.iter().filter(move |mount| mount.effect == effect && lies_under(path, &mount.path));
    if let Some(mount) = over(Effect::Hidden).next() {
        return Some(mount);
    }
    // A private /tmp is there itself, and the service's own.
    let is_private = |mount: &&Mount| mount.path == path && TEMPORARY.contains(&path);
    let emptied =
        over(Effect::Emptied).filter(|mount| !is_private(mount)).max_by_key(|mount| mount.path.len())?;
    let bound = namespace_paths(unit, &["BindPaths", "BindReadOnlyPaths"])
        .iter()
        .any(|bind| lies_under(path, &bind.target) && lies_under(&bind.target, &emptied.path));
    (!bound).then_some(emptied)
}

/// The mount that keeps the service from writing below a path: the nearest one decides, and of two for the
/// same path the stricter.
pub fn locked<'m, 'a>(mounts: &'m [Mount<'a>], path: &str) -> Option<&'m Mount<'a>> {
    let concerned = |mount: &&Mount| {
        matches!(mount.effect, Effect::ReadOnly | Effect::Writable) && lies_under(path, &mount.path)
    };
    // A path that ProtectSystem=strict leaves alone is still ProtectHome='s to lock: both name it.
    let nearest = mounts
        .iter()
        .filter(concerned)
        .max_by_key(|mount| (mount.path.trim_end_matches('/').len(), mount.effect == Effect::ReadOnly))?;
    (nearest.effect == Effect::ReadOnly).then_some(nearest)
}
