//! What the sandbox of a unit lets a service see and write, as systemd.exec(5), "SANDBOXING", has it.

use crate::facts::start::{lies_under, namespace_paths};
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

/// Every mount of a unit's sandbox.
pub fn mounts(unit: &EffectiveUnit) -> Vec<Mount<'_>> {
    let mut all = Vec::new();
    let mut add = |setting, effect, paths: &[&str]| {
        all.extend(paths.iter().map(|path| Mount { path: (*path).to_owned(), effect, setting }));
    };
    const HOMES: &[&str] = &["/home", "/root", "/run/user"];
    if let Some(setting) = unit.scalar("Service", "ProtectHome") {
        match setting.value() {
            "yes" => add(setting, Effect::Hidden, HOMES),
            "tmpfs" => add(setting, Effect::Emptied, HOMES),
            "read-only" => add(setting, Effect::ReadOnly, HOMES),
            _ => {}
        }
    }
    if let Some(setting) = unit.scalar("Service", "ProtectSystem") {
        match setting.value() {
            "yes" => add(setting, Effect::ReadOnly, &["/usr", "/boot", "/efi"]),
            "full" => add(setting, Effect::ReadOnly, &["/usr", "/boot", "/efi", "/etc"]),
            "strict" => {
                add(setting, Effect::ReadOnly, &["/"]);
                // ProtectHome= decides about these.
                add(setting, Effect::Writable, &["/home", "/root", "/run/user", "/dev", "/proc", "/sys"]);
            }
            _ => {}
        }
    }
    if let Some(setting) = unit.scalar("Service", "PrivateTmp").filter(|setting| setting.value() == "yes") {
        add(setting, Effect::Emptied, &["/tmp", "/var/tmp"]);
    }
    named(unit, &mut all);
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
    let made = [
        ("StateDirectory", "/var/lib"),
        ("CacheDirectory", "/var/cache"),
        ("LogsDirectory", "/var/log"),
        ("RuntimeDirectory", "/run"),
    ];
    for (key, below) in made {
        for (word, setting) in unit.words("Service", key) {
            let name = word.split(':').next().unwrap_or(&word);
            all.push(Mount { path: format!("{below}/{name}"), effect: Effect::Writable, setting });
        }
    }
}

/// The mount that hides a path from the service.
pub fn hidden<'m, 'a>(unit: &EffectiveUnit, mounts: &'m [Mount<'a>], path: &str) -> Option<&'m Mount<'a>> {
    let over =
        |effect| mounts.iter().filter(move |mount| mount.effect == effect && lies_under(path, &mount.path));
    if let Some(mount) = over(Effect::Hidden).next() {
        return Some(mount);
    }
    let emptied = over(Effect::Emptied).max_by_key(|mount| mount.path.len())?;
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
