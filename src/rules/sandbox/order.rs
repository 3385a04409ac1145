//! The mounts of a unit's sandbox, made one after the other as systemd makes them, to know which paths it looks at and
//! where: `setup_namespace` in its sources, measured on 247 to 262.
//!
//! All mounts are sorted by their path and, at one path, by their kind; the first of those at one path is made. Below what
//! is inaccessible nothing is made, and a path is left out for which the nearest one above says the same. Then each is
//! made, and what it names must exist in what was made so far. A link on the way is followed first, and everything is
//! sorted again.

use std::cmp::Ordering;

use crate::facts::start::{
    HOMES, NAMESPACE_SETTINGS, NamespacePath, SYSTEM, TEMPORARY, lies_under, namespace_paths,
};
use crate::rules::at_start::AtStart;
use crate::rules::prelude::*;

/// What is made at a path, in the order in which it counts where there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing of it can be reached.
    Inaccessible,
    /// The content of an image.
    Image,
    /// What lies elsewhere on the host.
    Bind,
    /// A /tmp of the service's own.
    PrivateTmp,
    /// A /dev with the devices that every service may have.
    PrivateDevices,
    /// What is there, to be read.
    ReadOnly,
    /// What is there, to be written.
    ReadWrite,
    /// What is there, not to be executed.
    NoExec,
    /// What is there, to be executed.
    Exec,
    /// An empty file system.
    Empty,
    /// What `ProtectSystem=strict` leaves alone.
    LeftAlone,
}

impl Kind {
    /// Of a setting that names paths.
    pub fn of(key: &str) -> Option<Self> {
        Some(match key {
            "InaccessiblePaths" => Self::Inaccessible,
            "MountImages" => Self::Image,
            "BindPaths" | "BindReadOnlyPaths" => Self::Bind,
            "ReadOnlyPaths" => Self::ReadOnly,
            "ReadWritePaths" => Self::ReadWrite,
            "NoExecPaths" => Self::NoExec,
            "ExecPaths" => Self::Exec,
            "TemporaryFileSystem" => Self::Empty,
            _ => return None,
        })
    }

    /// Whether it takes its content from elsewhere, and makes the place where it is mounted.
    fn brings(self) -> bool {
        matches!(self, Self::Image | Self::Bind)
    }

    /// Whether it begins empty.
    fn empties(self) -> bool {
        matches!(self, Self::PrivateTmp | Self::PrivateDevices | Self::Empty)
    }

    /// Whether the nearer of two of this kind is left out.
    fn is_left_out_below_its_like(self) -> bool {
        matches!(self, Self::ReadOnly | Self::ReadWrite | Self::LeftAlone)
    }
}

/// A mount that is to be made.
#[derive(Clone, Debug)]
struct Entry<'a> {
    path: String,
    kind: Kind,
    /// The setting that asks for it.
    setting: &'a Setting,
    /// The path that a person named; what systemd protects by itself may be missing.
    named: Option<NamespacePath<'a>>,
    is_made: bool,
}

/// What systemd does not find.
#[derive(Clone, Debug)]
pub enum Lack<'a> {
    /// The host has nothing there.
    Absent,
    /// A mount of the sandbox lies over what the host has there: the setting that makes it.
    Hidden(&'a Setting),
    /// It cannot be what the setting needs, with or without a `-`: why.
    Unfit(String),
}

/// A path that ends the start.
pub struct Missing<'a> {
    /// The path, as it is named.
    pub path: NamespacePath<'a>,
    /// Why.
    pub lack: Lack<'a>,
}

/// The paths of a sandbox that systemd will look for in vain.
pub fn missing<'a>(
    view: &ServiceView,
    unit: &'a EffectiveUnit,
    start: &AtStart,
) -> Vec<Result<Missing<'a>, Undecided>> {
    let mut making = Making { view, start, entries: entries(unit), found: Vec::new() };
    // Images of extensions lie over the whole host, and are looked for there.
    for path in namespace_paths(unit, &["ExtensionImages", "ExtensionDirectories"]) {
        let wanted = if path.key == "ExtensionDirectories" { Source::Directory } else { Source::Image };
        let lack = making.source(&path.source, wanted);
        making.note(path, lack);
    }
    making.make_all();
    making.found
}

/// All mounts, as the settings name them.
fn entries(unit: &EffectiveUnit) -> Vec<Entry<'_>> {
    let mut all = Vec::new();
    for path in namespace_paths(unit, NAMESPACE_SETTINGS) {
        if let Some(kind) = Kind::of(path.key) {
            let (target, setting) = (path.target.clone(), path.setting);
            all.push(Entry { path: target, kind, setting, named: Some(path), is_made: false });
        }
    }
    for (setting, kind, paths) in protected(unit) {
        let entry = |path: &&str| Entry { path: (*path).into(), kind, setting, named: None, is_made: false };
        all.extend(paths.iter().map(entry));
    }
    all
}

/// What settings protect without naming it: the setting, what is made, and where.
pub fn protected(unit: &EffectiveUnit) -> Vec<(&Setting, Kind, &'static [&'static str])> {
    const STRICT: &[(Kind, &[&str])] =
        &[(Kind::ReadOnly, &["/"]), (Kind::LeftAlone, HOMES), (Kind::LeftAlone, &["/dev", "/proc", "/sys"])];
    const MODULES: &[(Kind, &[&str])] = &[(Kind::Inaccessible, &["/lib/modules", "/usr/lib/modules"])];
    let mut all = Vec::new();
    for key in PROTECTING {
        let Some((value, setting)) = unit.in_force(key) else { continue };
        let made: &[(Kind, &'static [&'static str])] = match (*key, value) {
            ("ProtectHome", "yes") => &[(Kind::Inaccessible, HOMES)],
            ("ProtectHome", "tmpfs") => &[(Kind::Empty, HOMES)],
            ("ProtectHome", "read-only") => &[(Kind::ReadOnly, HOMES)],
            ("ProtectSystem", "yes") => &[(Kind::ReadOnly, SYSTEM.split_at(3).0)],
            ("ProtectSystem", "full") => &[(Kind::ReadOnly, SYSTEM)],
            ("ProtectSystem", "strict") => STRICT,
            // "If the value is set to "connected" or "yes" … mounts private /tmp/ and /var/tmp/" (systemd.exec(5)).
            ("PrivateTmp", "yes" | "connected" | "disconnected") => &[(Kind::PrivateTmp, TEMPORARY)],
            ("PrivateDevices", "yes") => &[(Kind::PrivateDevices, &["/dev"])],
            ("ProtectKernelModules", "yes") => MODULES,
            ("ProtectKernelTunables", "yes") => &[(Kind::ReadOnly, &["/proc/sys", "/sys"])],
            ("ProtectControlGroups", "yes") => &[(Kind::ReadOnly, &["/sys/fs/cgroup"])],
            _ => &[],
        };
        all.extend(made.iter().map(|(kind, paths)| (setting, *kind, *paths)));
    }
    all
}

/// Settings that protect places of their own.
const PROTECTING: &[&str] = &[
    "ProtectHome",
    "ProtectSystem",
    "PrivateTmp",
    "PrivateDevices",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectControlGroups",
];

/// What `PrivateDevices=yes` has in its /dev: `mount_private_dev` in systemd's sources, measured on 247 to 262.
const PRIVATE_DEVICES: &[&str] = &[
    "core",
    "fd",
    "full",
    "hugepages",
    "log",
    "mqueue",
    "null",
    "ptmx",
    "pts",
    "random",
    "shm",
    "stderr",
    "stdin",
    "stdout",
    "tty",
    "urandom",
    "zero",
];

/// What a setting needs a path to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Anything.
    Any,
    /// A directory.
    Directory,
    /// A file or a device with a file system.
    Image,
    /// A network namespace, which is a file without content.
    Namespace,
}

/// Why a node cannot be what a setting needs; `None` where it may be.
pub fn unfit(node: &Step, wanted: Source) -> Option<&'static str> {
    let Meta { kind, size, .. } = node.meta;
    match wanted {
        Source::Directory if kind != NodeKind::Directory => Some("is not a directory"),
        Source::Image if kind == NodeKind::Directory => Some("is a directory, not an image"),
        // Those of processes are not looked into.
        Source::Namespace if lies_under(&node.path, "/proc") => None,
        Source::Namespace if kind != NodeKind::File || size > 0 => Some("is not a network namespace"),
        _ => None,
    }
}

/// What was made so far.
struct Making<'v, 'a> {
    view: &'v ServiceView<'v>,
    start: &'v AtStart<'v, 'v>,
    entries: Vec<Entry<'a>>,
    found: Vec<Result<Missing<'a>, Undecided>>,
}

impl<'a> Making<'_, 'a> {
    fn make_all(&mut self) {
        self.settle();
        while let Some(at) = self.entries.iter().position(|entry| !entry.is_made) {
            if let Some(path) = self.behind_link(&self.entries[at].path) {
                self.entries[at].path = path;
                self.settle();
                continue;
            }
            self.make(at);
        }
    }

    /// Sorts what is to be made and leaves out what systemd leaves out.
    fn settle(&mut self) {
        let entries = &mut self.entries;
        entries.sort_by(|a, b| by_component(&a.path, &b.path).then(a.kind.cmp(&b.kind)));
        entries.dedup_by(|later, first| later.path == first.path && !later.is_made && !first.is_made);
        let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
        let mut closed: Option<String> = None;
        for entry in entries.drain(..) {
            if closed.as_ref().is_some_and(|closed| lies_under(&entry.path, closed)) {
                continue;
            }
            closed = (entry.kind == Kind::Inaccessible).then(|| entry.path.clone()).or(closed);
            let above = || kept.iter().rev().find(|other| lies_under(&entry.path, &other.path));
            if entry.kind.is_left_out_below_its_like()
                && above().is_some_and(|above| above.kind == entry.kind)
            {
                continue;
            }
            kept.push(entry);
        }
        *entries = kept;
    }

    /// The path with the first link on its way followed, where the host's own files lie on the way.
    fn behind_link(&self, path: &str) -> Option<String> {
        // A link that every host has once it runs.
        if let Some(below) = path.strip_prefix("/var").filter(|below| lies_under(below, "/run")) {
            return Some(below.to_owned());
        }
        let next = self.view.path(Need::Start, path).ok()?.behind_first_link().filter(|next| next != path)?;
        self.cover(path).is_none().then_some(next)
    }

    /// The mount that decides what is at a path.
    fn cover(&self, path: &str) -> Option<&Entry<'a>> {
        let covers = |entry: &&Entry<'a>| {
            entry.is_made && (entry.kind.brings() || entry.kind.empties()) && lies_under(path, &entry.path)
        };
        self.entries.iter().filter(covers).max_by_key(|entry| entry.path.len())
    }

    /// What keeps a path of the host from being taken into the sandbox.
    fn source(&self, path: &str, wanted: Source) -> Result<Option<Lack<'a>>, Undecided> {
        let lookup = self.view.path(Need::Start, path)?;
        if lookup.is_circle() {
            return Ok(Some(Lack::Unfit("is a link that leads in a circle".to_owned())));
        }
        if let Some(file) = lookup.stopped_by_file() {
            return Ok(Some(Lack::Unfit(format!("lies below {}, which is not a directory", file.path))));
        }
        if !self.start.has_for_sandbox(path)? {
            return Ok(Some(Lack::Absent));
        }
        let node = match wanted {
            Source::Any => None,
            _ => lookup.node()?,
        };
        Ok(node.and_then(|node| unfit(node, wanted)).map(|what| Lack::Unfit(what.to_owned())))
    }

    /// What keeps systemd from finding a path now; `None` where it finds it.
    fn lack(&self, path: &str) -> Result<Option<Lack<'a>>, Undecided> {
        let Some(cover) = self.cover(path) else { return self.source(path, Source::Any) };
        let below = path[cover.path.len()..].trim_start_matches('/');
        // What is mounted has its place made, and all that leads there.
        let leads_on = |entry: &Entry| entry.is_made && entry.kind.brings() && lies_under(&entry.path, path);
        let is_device = || below.split('/').next().is_some_and(|name| PRIVATE_DEVICES.contains(&name));
        let is_brought = cover.kind == Kind::PrivateDevices && is_device();
        if below.is_empty() || is_brought || self.entries.iter().any(leads_on) {
            return Ok(None);
        }
        match (cover.kind, &cover.named) {
            (Kind::Bind, Some(bind)) => {
                let behind = format!("{}/{below}", bind.source.trim_end_matches('/'));
                Ok(self.source(&behind, Source::Any)?.map(|_| Lack::Hidden(cover.setting)))
            }
            (Kind::Image, _) => {
                Err(Undecided::new(format!("the image at {} was not looked into", cover.path)))
            }
            _ => Ok(Some(Lack::Hidden(cover.setting))),
        }
    }

    fn make(&mut self, at: usize) {
        let Entry { path, kind, named, .. } = self.entries[at].clone();
        let lack = match (kind, &named) {
            // The place of these is made.
            (Kind::Empty, _) | (_, None) => Ok(None),
            (Kind::Image, Some(named)) => self.source(&named.source, Source::Image),
            (Kind::Bind, Some(named)) => self.source(&named.source, Source::Any),
            _ => self.lack(&path),
        };
        // What may be missing and is covers nothing.
        if matches!(lack, Ok(Some(_))) && kind.brings() {
            self.entries.remove(at);
        } else {
            self.entries[at].is_made = true;
        }
        if let Some(named) = named {
            self.note(named, lack);
        }
    }

    /// A `-` before a path allows that nothing is there, and nothing else.
    fn note(&mut self, path: NamespacePath<'a>, lack: Result<Option<Lack<'a>>, Undecided>) {
        match lack {
            Ok(Some(Lack::Absent | Lack::Hidden(_))) if path.optional => {}
            Ok(Some(lack)) => self.found.push(Ok(Missing { path, lack })),
            Err(undecided) if !path.optional => self.found.push(Err(undecided)),
            _ => {}
        }
    }
}

/// Paths component by component, as systemd compares them: a directory comes before all that lies below it.
fn by_component(a: &str, b: &str) -> Ordering {
    a.split('/').filter(|part| !part.is_empty()).cmp(b.split('/').filter(|part| !part.is_empty()))
}
