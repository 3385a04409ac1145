//! What the sandbox of a unit lets a service see and write, as systemd.exec(5), "SANDBOXING", has it.

pub mod order;

use crate::facts::made::own_directories;
use crate::facts::start::{NAMESPACE_SETTINGS, TEMPORARY, lies_under, namespace_paths, simplified};
use crate::rules::prelude::*;
use order::Kind;

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
    let mut add = |setting, kind, key: &str, path: &str| {
        let mount = |effect: &Effect| Mount { path: path.to_owned(), effect: *effect, setting };
        all.extend(effects(kind, key).iter().map(mount));
    };
    for (setting, kind, paths) in order::protected(unit) {
        paths.iter().for_each(|path| add(setting, kind, &setting.key, path));
    }
    for path in namespace_paths(unit, NAMESPACE_SETTINGS) {
        if let Some(kind) = Kind::of(path.key) {
            add(path.setting, kind, path.key, &path.target);
        }
    }
    for own in own_directories(unit).into_iter().filter(|own| !own.is_roots) {
        let paths = [Some(own.path), own.link, own.private].into_iter().flatten();
        all.extend(paths.map(|path| Mount { path, effect: Effect::Writable, setting: own.setting }));
    }
    drop_unmade(&mut all);
    let real = |mount: &Mount<'a>| {
        let real = view.path(Need::Start, &mount.path).ok()?.real()?;
        (*real != *mount.path).then(|| Mount { path: real.to_owned(), ..mount.clone() })
    };
    let more: Vec<Mount> = all.iter().filter_map(real).collect();
    all.extend(more);
    all
}

/// Of several mounts at one path an empty one is not made beside one that names it to read or to write (see [`order`]).
fn drop_unmade(all: &mut Vec<Mount<'_>>) {
    let is_named = |mount: &Mount| matches!(&*mount.setting.key, "ReadOnlyPaths" | "ReadWritePaths");
    let named: Vec<String> =
        all.iter().filter(|mount| is_named(mount)).map(|mount| mount.path.clone()).collect();
    let is_unmade = |mount: &Mount| {
        mount.effect == Effect::Emptied && &*mount.setting.key != "PrivateTmp" && named.contains(&mount.path)
    };
    all.retain(|mount| !is_unmade(mount));
}

/// What a mount does to what lies below it. A private /tmp is empty, and can be written whatever `ProtectSystem=` says.
fn effects(kind: Kind, key: &str) -> &'static [Effect] {
    match kind {
        Kind::Inaccessible => &[Effect::Hidden],
        Kind::Empty => &[Effect::Emptied],
        Kind::PrivateTmp => &[Effect::Emptied, Effect::Writable],
        Kind::ReadOnly => &[Effect::ReadOnly],
        Kind::Bind if key == "BindReadOnlyPaths" => &[Effect::ReadOnly],
        Kind::Bind | Kind::ReadWrite | Kind::LeftAlone => &[Effect::Writable],
        Kind::Image | Kind::PrivateDevices | Kind::NoExec | Kind::Exec => &[],
    }
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

/// An empty file system of the sandbox that lies at a path itself.
#[derive(Clone, Debug)]
pub struct Empty {
    /// Where.
    pub path: String,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permission bits.
    pub mode: u32,
}

/// The empty file systems that the sandbox lays on the way to a path, and at the path itself; `None` where it lays none
/// there. The path is told by the name that the sandbox knows it by.
pub fn emptied_at(
    view: &View,
    unit: &EffectiveUnit,
    path: &str,
) -> Result<Option<(String, Vec<Empty>)>, Undecided> {
    let real = view.path(Need::Start, path)?.real().unwrap_or(path);
    let mounts = mounts(view, unit);
    let over = |path| hidden(unit, &mounts, path).filter(|mount| [path, real].contains(&&*mount.path));
    let Some(nearest) = over(path).or_else(|| over(real)).filter(|mount| mount.effect == Effect::Emptied)
    else {
        return Ok(None);
    };
    let on_the_way = mounts
        .iter()
        .filter(|mount| mount.effect == Effect::Emptied && lies_under(&nearest.path, &mount.path));
    let all: Result<Vec<Empty>, Undecided> = on_the_way.map(|mount| empty(view, unit, mount)).collect();
    Ok(Some((nearest.path.clone(), all?)))
}

/// Who owns what an empty file system is made with.
fn empty(view: &View, unit: &EffectiveUnit, mount: &Mount) -> Result<Empty, Undecided> {
    let mut empty = Empty { path: mount.path.clone(), uid: 0, gid: 0, mode: 0o755 };
    match (&*mount.setting.key, &*mount.path) {
        ("PrivateTmp", _) => empty.mode = 0o1777,
        // Measured on 247 to 262.
        ("ProtectHome", "/root") => {
            let version = view.systemd().known()?.copied().unwrap_or_default();
            let why =
                || Undecided::new(format!("it was not measured who may enter /root in systemd {version}"));
            empty.mode = if version.has(257).ok_or_else(why)? { 0o700 } else { 0o755 };
        }
        _ => {}
    }
    let words = unit.words("Service", "TemporaryFileSystem");
    let mut stated = words.iter().filter_map(|(word, _)| word.split_once(':'));
    let options = stated.rfind(|(path, _)| simplified(path) == empty.path);
    for option in options.map_or("", |(_, options)| options).split(',') {
        match option.split_once('=') {
            Some(("mode", mode)) => empty.mode = u32::from_str_radix(mode, 8).unwrap_or(empty.mode),
            Some(("uid", uid)) => empty.uid = uid.parse().unwrap_or(empty.uid),
            Some(("gid", gid)) => empty.gid = gid.parse().unwrap_or(empty.gid),
            _ => {}
        }
    }
    Ok(empty)
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
