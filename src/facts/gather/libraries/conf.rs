//! Where the loader looks for libraries by the configuration of the system: ld.so.conf(5).

use std::collections::BTreeSet;

use crate::facts::gather::Worker;
use crate::facts::gather::room::Room;
use crate::facts::start::simplified;
use crate::model::Observed;
use crate::syntax::glob;

/// ld.so.conf(5) includes itself no deeper; and no more directories.
const DEEPEST_INCLUDE: usize = 4;
const MOST_DIRECTORIES: usize = 1000;

/// Its directories, and why some of them are not known.
pub(super) fn directories(worker: &Worker<'_>) -> (Vec<String>, Option<String>) {
    let (seen, directories) = (BTreeSet::new(), Vec::new());
    let mut conf = Conf { worker, seen, directories, room: Room::of_the_host(), unread: None };
    conf.read("/etc/ld.so.conf", 0);
    (conf.directories, conf.unread)
}

/// The directories of ld.so.conf and of what it includes.
struct Conf<'w, 'a> {
    worker: &'w Worker<'a>,
    seen: BTreeSet<String>,
    directories: Vec<String>,
    room: Room,
    /// Why some of it is not known.
    unread: Option<String>,
}

impl Conf<'_, '_> {
    fn read(&mut self, path: &str, depth: usize) {
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        if depth > DEEPEST_INCLUDE {
            self.unread = Some(format!("{path} is included after too many others"));
            return;
        }
        let bytes = match self.worker.read_within(&self.worker.walker.lookup(path), &mut self.room) {
            Observed::Found(bytes) => bytes,
            Observed::Absent => return,
            Observed::Unreadable(why) => return self.unread = Some(format!("{path}: {why}")),
        };
        for line in String::from_utf8_lossy(&bytes).lines() {
            let line = line.split('#').next().unwrap_or("").trim();
            match line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t'])) {
                Some(patterns) => {
                    patterns.split_ascii_whitespace().for_each(|pattern| self.include(pattern, depth));
                }
                None if line.starts_with('/') && self.directories.len() == MOST_DIRECTORIES => {
                    return self.unread = Some(format!("{path}: more than {MOST_DIRECTORIES} directories"));
                }
                None if line.starts_with('/') => {
                    self.directories.push(simplified(line.split('=').next().unwrap_or(line)));
                }
                None => {}
            }
        }
    }

    fn include(&mut self, pattern: &str, depth: usize) {
        let pattern = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/{pattern}") };
        let (directory, name) = pattern.rsplit_once('/').unwrap_or(("", &pattern));
        match self.worker.list(&self.worker.walker.lookup(directory)) {
            Observed::Found(names) => {
                for found in names.iter().filter(|found| glob::matches_name(name, found)) {
                    self.read(&format!("{directory}/{found}"), depth + 1);
                }
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => self.unread = Some(format!("{directory}: {why}")),
        }
    }
}
