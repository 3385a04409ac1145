//! File systems that units mount (systemd.mount(5)), read from their files as far as they say where.

use super::{READ_LIMIT, System, Walker};
use crate::model::Observed;
use crate::systemd::search::UNIT_DIRECTORIES;

/// A mount unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountUnit {
    /// Where it mounts.
    pub place: String,
    /// Its file.
    pub path: String,
}

/// The mount units of a host, packages' included, and why not all of them are known.
pub fn units(system: &dyn System) -> (Vec<MountUnit>, Option<String>) {
    let walker = Walker::new(system);
    let (mut found, mut unread) = (Vec::new(), None);
    for directory in UNIT_DIRECTORIES {
        let lookup = walker.lookup(directory);
        let Some(real) = lookup.real() else { continue };
        let names = match system.list(real) {
            Observed::Found(names) => names,
            Observed::Absent => continue,
            Observed::Unreadable(why) => {
                unread.get_or_insert(format!("{directory}: {why}"));
                continue;
            }
        };
        for name in names.iter().filter(|name| name.ends_with(".mount")) {
            let path = format!("{directory}/{name}");
            // A link out of the root, or to /dev/null, mounts nothing.
            let lookup = walker.lookup(&path);
            let Some(real) = lookup.real() else { continue };
            match system.read(real, READ_LIMIT) {
                Observed::Found(bytes) => {
                    let text = String::from_utf8_lossy(&bytes);
                    let place = text.lines().find_map(|line| line.trim().strip_prefix("Where="));
                    let place = place.map(|place| place.trim().to_owned());
                    found.extend(place.map(|place| MountUnit { place, path }));
                }
                Observed::Absent => {}
                Observed::Unreadable(_) if real == "/dev/null" => {}
                Observed::Unreadable(why) => {
                    unread.get_or_insert(format!("{path}: {why}"));
                }
            }
        }
    }
    (found, unread)
}
