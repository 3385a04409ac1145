//! A disk of whose file systems not all are there: what lies on the others is unreadable, and never absent.
//!
//! It stands before the door, so that every look is answered alike, whoever makes it. What is found below such a place is
//! taken for what it is: a tree that is put together in one directory (an image that is being built) holds all of it.
//!
//! The mounts are those of fstab(5) that are not mounted below the root. An empty mount point is unreadable too. A
//! `noauto` line counts only if a unit asks for it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::{Layer, Look, System};
use crate::model::answers::SqliteAnswer;
use crate::model::{Entry, Meta, NodeKind, Observed};

/// A place at which a boot mounts something that is not mounted now.
struct Place {
    /// Why nothing of it is known.
    why: String,
    /// An empty directory, or none: a mount point, of which not even the owner is known.
    is_bare: bool,
}

/// The disk with those places.
pub struct Partial<'a> {
    system: &'a (dyn System + 'a),
    places: BTreeMap<String, Place>,
    /// Why it is not known where such places are.
    unread: Option<String>,
}

/// What must be on the disk before any other file system is mounted, and what the kernel mounts.
const OF_THE_ROOT: [&str; 10] =
    ["/etc", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/run", "/dev", "/proc", "/sys"];

/// A directory that systemd makes on the way to a mount point.
const MADE: Meta =
    Meta { kind: NodeKind::Directory, uid: 0, gid: 0, mode: 0o755, size: 0, modified: 0, links: 1 };

impl<'a> Partial<'a> {
    /// `places` with the reason that is said of each, by their real paths.
    pub fn new(system: &'a (dyn System + 'a), places: Vec<(String, String)>, unread: Option<String>) -> Self {
        let place = |(path, why): (String, String)| {
            let is_bare = !matches!(system.list(&path), Observed::Found(names) if !names.is_empty());
            (path, Place { why, is_bare })
        };
        Self { system, places: places.into_iter().map(place).collect(), unread }
    }

    /// The nearest place at or above a path.
    fn over(&self, path: &str) -> Option<&Place> {
        let mut at = path;
        while !self.places.is_empty() && !at.is_empty() {
            if let Some(place) = self.places.get(at) {
                return Some(place);
            }
            at = at.rsplit_once('/').map_or("", |(above, _)| above);
        }
        None
    }

    /// What is seen of a path, or what a boot makes there: the directories above a place.
    fn or_made<T>(&self, path: &str, seen: Observed<T>, made: impl FnOnce() -> T) -> Observed<T> {
        let above = format!("{path}/");
        let mut places = self.places.range::<str, _>((Bound::Included(above.as_str()), Bound::Unbounded));
        let is_above = |(place, _): (&String, &Place)| place.starts_with(&above);
        match seen {
            Observed::Absent if places.next().is_some_and(is_above) => Observed::Found(made()),
            seen => seen,
        }
    }

    /// What a look at a path gives here.
    fn seen<T>(&self, path: &str, look: impl FnOnce() -> Observed<T>) -> Observed<T> {
        let over = self.over(path);
        if let Some(Place { why, is_bare: true }) = over {
            return Observed::Unreadable(why.clone());
        }
        let may_be_elsewhere = || {
            let top = path.match_indices('/').nth(1).map_or(path, |(at, _)| &path[..at]);
            self.unread.as_ref().filter(|_| !OF_THE_ROOT.contains(&top))
        };
        match look() {
            Observed::Absent => match over.map(|place| &place.why).or_else(may_be_elsewhere) {
                Some(why) => Observed::Unreadable(why.clone()),
                None => Observed::Absent,
            },
            seen => seen,
        }
    }
}

impl Look for Partial<'_> {
    fn node(&self, path: &str) -> Observed<(Meta, Option<Arc<str>>)> {
        self.seen(path, || self.or_made(path, self.system.node(path), || (MADE, None)))
    }

    fn read(&self, path: &str, limit: u64) -> Observed<Vec<u8>> {
        self.seen(path, || self.system.read(path, limit))
    }

    fn head(&self, path: &str, most: u64) -> Observed<Vec<u8>> {
        self.seen(path, || self.system.head(path, most))
    }

    fn part(&self, path: &str, offset: u64, most: usize) -> Observed<Vec<u8>> {
        self.seen(path, || self.system.part(path, offset, most))
    }

    fn digest(&self, path: &str, most: u64) -> Observed<String> {
        self.seen(path, || self.system.digest(path, most))
    }

    fn list(&self, path: &str) -> Observed<Vec<String>> {
        self.seen(path, || self.or_made(path, self.system.list(path), Vec::new))
    }

    fn entries(&self, path: &str) -> Observed<Vec<Entry>> {
        self.seen(path, || self.or_made(path, self.system.entries(path), Vec::new))
    }

    fn file_system(&self, path: &str) -> Observed<String> {
        self.seen(path, || self.system.file_system(path))
    }

    fn has_access_list(&self, path: &str) -> bool {
        self.system.has_access_list(path)
    }

    fn is_mount_point(&self, path: &str) -> Observed<bool> {
        self.seen(path, || self.system.is_mount_point(path))
    }

    fn sqlite(&self, path: &str, check_up_to: u64) -> Observed<SqliteAnswer> {
        self.seen(path, || self.system.sqlite(path, check_up_to))
    }
}

impl Layer for Partial<'_> {
    fn host(&self) -> &dyn System {
        self.system
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::MemorySystem;

    const HOST: &str = "\
dir /srv/data 0:0 0755
file /srv/tree/app/run 0:0 0755
file /etc/passwd 0:0 0644
";

    fn word<T>(observed: Observed<T>) -> &'static str {
        match observed {
            Observed::Found(_) => "found",
            Observed::Absent => "absent",
            Observed::Unreadable(_) => "unreadable",
        }
    }

    #[test]
    fn what_lies_on_another_file_system_is_never_absent() {
        let host = MemorySystem::from_manifest(HOST).unwrap();
        let places = ["/srv/data", "/srv/tree", "/data", "/mnt/disk"]
            .map(|place| (place.to_owned(), "elsewhere".to_owned()));
        let disk = Partial::new(&host, places.into(), None);
        for (path, is) in [
            ("/srv/data", "unreadable"),
            ("/srv/data/a", "unreadable"),
            ("/data", "unreadable"),
            ("/srv/database", "absent"),
            ("/mnt", "found"),
            ("/mnt/dis", "absent"),
            ("/mnt/disk", "unreadable"),
            ("/srv", "found"),
            ("/srv/tree/app/run", "found"),
            ("/srv/tree/app/gone", "unreadable"),
        ] {
            assert_eq!(word(disk.node(path)), is, "{path}");
        }
        assert_eq!(word(disk.list("/srv/data")), "unreadable");
    }

    #[test]
    fn without_a_table_of_file_systems_only_the_root_has_to_be_there() {
        let host = MemorySystem::from_manifest(HOST).unwrap();
        let disk = Partial::new(&host, Vec::new(), Some("no table".to_owned()));
        for (path, is) in [
            ("/etc/gone", "absent"),
            ("/usr", "absent"),
            ("/etc/passwd", "found"),
            ("/srv/gone", "unreadable"),
            ("/data", "unreadable"),
        ] {
            assert_eq!(word(disk.node(path)), is, "{path}");
        }
    }
}
