//! File systems that units mount (systemd.mount(5)), read from their files as far as they say where.

use std::collections::BTreeSet;

use super::{READ_LIMIT, System, Walker};
use crate::model::Observed;
use crate::systemd::search::UNIT_DIRECTORIES;
use crate::systemd::unit_name;

/// A mount unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountUnit {
    /// Where it mounts.
    pub place: String,
    /// Its file.
    pub path: String,
    /// `Type=`: ext4, tmpfs …; empty where it is left to mount(8).
    pub kind: String,
    /// `Options=`.
    pub options: String,
    /// A link below some unit's `*.wants` or its kin starts it, or the automount unit beside it.
    pub is_started: bool,
}

/// The mount units of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountUnits {
    /// Packages' included.
    pub units: Vec<MountUnit>,
    /// Places of units that are masked, so that no line of fstab(5) mounts anything there either.
    pub masked: Vec<String>,
    /// Why not all of them are known.
    pub unread: Option<String>,
}

/// Reads them; of two files with one name the one of the stronger directory counts.
pub fn units(system: &dyn System) -> MountUnits {
    let walker = Walker::new(system);
    let mut found = MountUnits::default();
    let (mut names, mut started) = (BTreeSet::new(), BTreeSet::new());
    for directory in UNIT_DIRECTORIES {
        let lookup = walker.lookup(directory);
        let Some(real) = lookup.real() else { continue };
        let there = match system.list(real) {
            Observed::Found(there) => there,
            Observed::Absent => continue,
            Observed::Unreadable(why) => {
                found.unread.get_or_insert(format!("{directory}: {why}"));
                continue;
            }
        };
        for name in there {
            if [".wants", ".requires", ".upholds"].iter().any(|suffix| name.ends_with(suffix)) {
                if let Observed::Found(links) = system.list(&format!("{real}/{name}")) {
                    started.extend(links.into_iter().filter_map(|link| stem(&link)));
                }
            } else if name.ends_with(".mount") && names.insert(name.clone()) {
                found.add(system, &walker, format!("{directory}/{name}"), &name);
            }
        }
    }
    for unit in &mut found.units {
        let name = unit.path.rsplit('/').next().and_then(stem);
        unit.is_started = name.is_some_and(|name| started.contains(&name));
    }
    found
}

/// The name of a mount or automount unit without its ending.
fn stem(name: &str) -> Option<String> {
    name.strip_suffix(".mount").or_else(|| name.strip_suffix(".automount")).map(str::to_owned)
}

impl MountUnits {
    fn add<'a>(
        &mut self,
        system: &'a (dyn System + 'a),
        walker: &Walker<'a, dyn System + 'a>,
        path: String,
        name: &str,
    ) {
        let link = walker.lookup_no_follow(&path);
        let target = link.node().ok().flatten().and_then(|node| node.target.clone());
        let lookup = walker.lookup(&path);
        let text = match lookup.real() {
            _ if target.as_deref() == Some("/dev/null") => String::new(),
            // A link out of the root mounts nothing.
            None => return,
            Some(real) => match system.read(real, READ_LIMIT) {
                Observed::Found(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Observed::Absent => return,
                Observed::Unreadable(why) => {
                    self.unread.get_or_insert(format!("{path}: {why}"));
                    return;
                }
            },
        };
        if text.is_empty() {
            // A mask of a package is weaker than what systemd-fstab-generator(8) makes.
            let name = name.strip_suffix(".mount").filter(|_| path.starts_with("/etc/"));
            self.masked.extend(name.map(|name| format!("/{}", unit_name::unescape(name))));
            return;
        }
        let value = |key: &str| {
            let mut values = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
            values.next_back().map(|value| value.trim().to_owned())
        };
        let kind = value("Type").unwrap_or_default();
        let options = value("Options").unwrap_or_default();
        let unit = |place| MountUnit { place, path, kind, options, is_started: false };
        self.units.extend(value("Where").map(unit));
    }
}
