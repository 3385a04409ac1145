//! A disk as systemd-tmpfiles leaves it at boot: without what it removes, with the links, copies and files that it makes
//! (tmpfiles.d(5)). Directories, owners and modes are not changed here: they are weighed where a start is judged.
//!
//! It stands before the door, so that every look follows such a link.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::{Layer, Look, System, Walker, too_long};
use crate::model::answers::SqliteAnswer;
use crate::model::{Entry, Meta, NodeKind, Observed, RUN, RUN_OF_SYSTEMD};
use crate::syntax::glob;
use crate::syntax::tmpfiles::{self, Does, Line};

/// What is at a path that the disk has otherwise.
enum Made {
    /// A link, and where it leads.
    Link(Arc<str>),
    /// What lies at another path.
    Copy(String),
    /// A file with this text, `None` where that depends on the host, and its permission bits.
    File(Option<String>, u32),
}

/// What is removed.
enum Gone {
    /// What matches; all below it, too.
    Tree(String),
    /// What matches, where it is no directory with something in it.
    Node(String),
    /// What lies in a directory.
    Inside(String),
    /// What lies in [`RUN`], which is empty at boot. Units are looked at where they are.
    Run,
}

/// Whether a path below [`RUN`] was left by the last run. Units, and what generators made, are looked at where they are: they
/// say what they are for, and that they are gone at the next boot.
pub fn is_left(path: &str) -> bool {
    let below = |directory: &str| path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/'));
    match (below(RUN), below(RUN_OF_SYSTEMD)) {
        (_, Some(rest)) => !["generator", "system", "transient"].iter().any(|units| rest.starts_with(units)),
        (Some(_), None) => path != RUN_OF_SYSTEMD,
        (None, None) => false,
    }
}

/// The disk with all of that.
pub struct Booted<'a> {
    system: &'a (dyn System + 'a),
    made: BTreeMap<String, Made>,
    gone: Vec<Gone>,
}

/// Where `L` and `C` take from what they do not name.
const FACTORY: &str = "/usr/share/factory";

/// What makes a path a pattern.
const WILD: [char; 3] = ['*', '?', '['];

const fn meta(kind: NodeKind, mode: u32) -> Meta {
    Meta { kind, uid: 0, gid: 0, mode, size: 0, modified: 0, links: 1 }
}

impl<'a> Booted<'a> {
    /// A disk and the lines that a boot obeys. What is removed is removed first.
    pub fn new<'l>(system: &'a (dyn System + 'a), lines: impl Iterator<Item = &'l Line> + Clone) -> Self {
        let mut booted = Self { system, made: BTreeMap::new(), gone: vec![Gone::Run] };
        for line in lines.clone().filter(|line| !line.is_prefix) {
            let path = line.path.clone();
            match line.does {
                Does::Remove { tree: true } => booted.gone.push(Gone::Tree(path)),
                Does::Remove { tree: false } => booted.gone.push(Gone::Node(path)),
                Does::EmptyDirectory => booted.gone.push(Gone::Inside(path)),
                _ => {}
            }
        }
        for line in lines.filter(|line| !line.is_prefix) {
            if let Some((path, made)) = booted.makes(line) {
                booted.made.insert(path, made);
            }
        }
        booted
    }

    /// What a line makes, and where: links on the way are followed.
    fn makes(&self, line: &Line) -> Option<(String, Made)> {
        let from = match line.argument.as_str() {
            "" => Some(format!("{FACTORY}{}", line.path)),
            text => tmpfiles::argument(text),
        };
        let walker = Walker::new(self as &dyn System);
        let made = match line.does {
            Does::Link { .. } => Made::Link(from?.into()),
            Does::Copy => Made::Copy(walker.lookup(&from?).real()?.to_owned()),
            Does::File => Made::File(tmpfiles::argument(&line.argument), line.mode.unwrap_or(0o644)),
            _ => return None,
        };
        let (above, name) = line.path.rsplit_once('/')?;
        let lookup = walker.lookup(if above.is_empty() { "/" } else { above });
        let above = lookup.real().unwrap_or(above).trim_end_matches('/');
        let path = format!("{above}/{name}");
        let is_there = !matches!(self.node(&path), Observed::Absent);
        let is_bare = matches!(self.list(&path), Observed::Found(names) if names.is_empty());
        let counts = match (line.does, &made) {
            // Measured on 257: what such a line asks for is looked for from the root, even where the link leads from beside it.
            (Does::Link { if_there: true }, Made::Link(target)) => {
                !is_there && walker.lookup(&format!("/{target}")).real().is_some()
            }
            (Does::Copy, _) => !is_there || is_bare,
            _ => !is_there || line.replaces,
        };
        counts.then_some((path, made))
    }

    fn is_gone(&self, path: &str) -> bool {
        // Most patterns are ruled out by what stands before their first wildcard.
        let is_near =
            |pattern: &str| path.starts_with(&pattern[..pattern.find(WILD).unwrap_or(pattern.len())]);
        let is_it = |pattern: &str, path: &str| {
            pattern == path || pattern.contains(WILD) && glob::matches(pattern, path)
        };
        let above = || path.match_indices('/').map(|(at, _)| &path[..at]);
        self.gone.iter().any(|gone| match gone {
            Gone::Tree(pattern) => {
                is_near(pattern) && (is_it(pattern, path) || above().any(|above| is_it(pattern, above)))
            }
            Gone::Inside(directory) => {
                path.strip_prefix(directory.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
            Gone::Run => is_left(path),
            Gone::Node(pattern) => {
                is_near(pattern)
                    && is_it(pattern, path)
                    && !matches!(self.system.list(path), Observed::Found(names) if !names.is_empty())
            }
        })
    }

    /// Where on the disk something lies; `None` where the disk has nothing of it.
    fn source(&self, path: &str) -> Option<String> {
        let mut at = path;
        while !at.is_empty() && !self.made.is_empty() {
            match self.made.get(at) {
                Some(Made::Copy(from)) => return Some(format!("{from}{}", &path[at.len()..])),
                Some(_) => return None,
                None => at = at.rsplit_once('/').map_or("", |(above, _)| above),
            }
        }
        (self.gone.is_empty() || !self.is_gone(path)).then(|| path.to_owned())
    }

    /// What a look at the disk gives.
    fn seen<T>(&self, path: &str, look: impl FnOnce(&str) -> Observed<T>) -> Observed<T> {
        self.source(path).map_or(Observed::Absent, |path| look(&path))
    }

    /// What is made below a directory.
    fn below(&self, directory: &str) -> impl Iterator<Item = (&str, &Made)> {
        let from = format!("{}/", directory.trim_end_matches('/'));
        let all = self.made.range::<str, _>((Bound::Included(from.as_str()), Bound::Unbounded));
        all.map_while(move |(path, made)| Some((path.strip_prefix(&from)?, made)))
    }

    /// What is seen of a directory; the directories above what is made are made, too.
    fn or_made<T>(&self, path: &str, seen: Observed<T>, made: impl FnOnce() -> T) -> Observed<T> {
        match seen {
            Observed::Absent if self.below(path).next().is_some() => Observed::Found(made()),
            seen => seen,
        }
    }

    /// The text of a file that is made.
    fn text(&self, path: &str) -> Option<Observed<&[u8]>> {
        match self.made.get(path)? {
            Made::File(Some(text), _) => Some(Observed::Found(text.as_bytes())),
            Made::File(None, _) => {
                Some(Observed::Unreadable("what tmpfiles.d writes into it depends on the host".into()))
            }
            _ => None,
        }
    }

    fn entry(name: &str, made: &Made) -> Entry {
        let (kind, target) = match made {
            _ if name.contains('/') => (NodeKind::Directory, None),
            Made::Link(target) => (NodeKind::Link, Some(target.clone())),
            Made::File(..) => (NodeKind::File, None),
            Made::Copy(_) => (NodeKind::Directory, None),
        };
        Entry { name: name.split('/').next().unwrap_or(name).to_owned(), kind, target }
    }
}

impl Look for Booted<'_> {
    fn node(&self, path: &str) -> Observed<(Meta, Option<Arc<str>>)> {
        match self.made.get(path) {
            Some(Made::Link(target)) => Observed::Found((meta(NodeKind::Link, 0o777), Some(target.clone()))),
            Some(Made::File(text, mode)) => {
                let size = text.as_ref().map_or(0, String::len) as u64;
                Observed::Found((Meta { size, ..meta(NodeKind::File, *mode) }, None))
            }
            _ => self.or_made(path, self.seen(path, |path| self.system.node(path)), || {
                (meta(NodeKind::Directory, 0o755), None)
            }),
        }
    }

    fn read(&self, path: &str, limit: u64) -> Observed<Vec<u8>> {
        match self.text(path) {
            Some(Observed::Found(text)) if text.len() as u64 > limit => too_long(limit),
            Some(text) => text.map(<[u8]>::to_vec),
            None => self.seen(path, |path| self.system.read(path, limit)),
        }
    }

    fn head(&self, path: &str, most: u64) -> Observed<Vec<u8>> {
        match self.text(path) {
            Some(text) => {
                text.map(|text| text[..text.len().min(usize::try_from(most).unwrap_or(usize::MAX))].to_vec())
            }
            None => self.seen(path, |path| self.system.head(path, most)),
        }
    }

    fn part(&self, path: &str, offset: u64, most: usize) -> Observed<Vec<u8>> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        match self.text(path) {
            Some(text) => text.map(|text| text.iter().skip(from).take(most).copied().collect()),
            None => self.seen(path, |path| self.system.part(path, offset, most)),
        }
    }

    fn digest(&self, path: &str, most: u64) -> Observed<String> {
        match self.text(path) {
            Some(_) => Observed::Unreadable("tmpfiles.d writes it at boot".into()),
            None => self.seen(path, |path| self.system.digest(path, most)),
        }
    }

    fn list(&self, path: &str) -> Observed<Vec<String>> {
        if self.made.is_empty() && self.gone.is_empty() {
            return self.system.list(path);
        }
        self.entries(path).map(|entries| entries.into_iter().map(|entry| entry.name).collect())
    }

    fn entries(&self, path: &str) -> Observed<Vec<Entry>> {
        let seen = self.seen(path, |path| self.system.entries(path));
        self.or_made(path, seen, Vec::new).map(|mut entries| {
            let above = path.trim_end_matches('/');
            if !self.gone.is_empty() && self.source(path).as_deref() == Some(path) {
                entries.retain(|entry| !self.is_gone(&format!("{above}/{}", entry.name)));
            }
            for (name, made) in self.below(path) {
                let made = Self::entry(name, made);
                entries.retain(|entry| entry.name != made.name || made.kind == NodeKind::Directory);
                if !entries.iter().any(|entry| entry.name == made.name) {
                    entries.push(made);
                }
            }
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            entries
        })
    }

    fn file_system(&self, path: &str) -> Observed<String> {
        self.seen(path, |path| self.system.file_system(path))
    }

    fn has_access_list(&self, path: &str) -> bool {
        self.source(path).is_some_and(|path| self.system.has_access_list(&path))
    }

    fn is_mount_point(&self, path: &str) -> Observed<bool> {
        self.seen(path, |path| self.system.is_mount_point(path))
    }

    fn sqlite(&self, path: &str, check_up_to: u64) -> Observed<SqliteAnswer> {
        self.seen(path, |path| self.system.sqlite(path, check_up_to))
    }
}

impl Layer for Booted<'_> {
    fn host(&self) -> &dyn System {
        self.system
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::MemorySystem;

    const HOST: &str = "\
file /srv/one/run 0:0 0755
file /srv/two/run 0:0 0755
link /srv/old -> one
file /var/cache/a/x 0:0 0644
file /usr/share/factory/etc/conf 0:0 0644
dir /etc 0:0 0755
";

    fn found(lines: &str, path: &str) -> Option<String> {
        let host = MemorySystem::from_manifest(HOST).unwrap();
        let lines = tmpfiles::parse(lines);
        let disk = Booted::new(&host, lines.iter());
        Walker::new(&disk as &dyn Look).lookup(path).real().map(str::to_owned)
    }

    #[test]
    fn links_and_copies_lead_to_what_is_there() {
        for (lines, path, real) in [
            ("L /srv/now - - - - one", "/srv/now/run", Some("/srv/one/run")),
            ("L /srv/old - - - - two", "/srv/old/run", Some("/srv/one/run")),
            ("L+ /srv/old - - - - two", "/srv/old/run", Some("/srv/two/run")),
            ("L? /srv/now - - - - /srv/one", "/srv/now/run", Some("/srv/one/run")),
            ("L? /srv/now - - - - one", "/srv/now", None),
            ("L? /srv/now - - - - /srv/three", "/srv/now", None),
            ("L /run/a/b - - - - /srv/one\nL /run/a/c - - - - b", "/run/a/c/run", Some("/srv/one/run")),
            ("C /srv/copy - - - - /srv/one", "/srv/copy/run", Some("/srv/copy/run")),
            ("C /etc/conf", "/etc/conf", Some("/etc/conf")),
            ("C /srv/copy - - - - /srv/three", "/srv/copy", None),
            ("f /etc/made - - - - A=1", "/etc/made", Some("/etc/made")),
        ] {
            assert_eq!(found(lines, path).as_deref(), real, "{lines}: {path}");
        }
    }

    #[test]
    fn what_is_removed_is_gone_before_anything_is_made() {
        for (lines, path) in [
            ("R /srv/one", "/srv/one/run"),
            ("R /srv/o*", "/srv/one"),
            ("r /srv/one/run", "/srv/one/run"),
            ("D /var/cache/a", "/var/cache/a/x"),
            ("R /srv/none\nR /srv/o?e", "/srv/one/run"),
        ] {
            assert_eq!(found(lines, path), None, "{lines}: {path}");
        }
        assert!(found("r /srv/one", "/srv/one").is_some(), "a directory with something in it stays");
        assert!(found("D /var/cache/a", "/var/cache/a").is_some());
        let again = "L /srv/old - - - - two\nr /srv/old";
        assert_eq!(found(again, "/srv/old/run").as_deref(), Some("/srv/two/run"));
    }

    #[test]
    fn lists_show_what_is_made() {
        let host = MemorySystem::from_manifest(HOST).unwrap();
        let lines = tmpfiles::parse("L /srv/a - - - - one\nR /srv/two\nf /srv/new/x\n");
        let disk = Booted::new(&host, lines.iter());
        assert_eq!(disk.list("/srv"), Observed::Found(["a", "new", "old", "one"].map(str::to_owned).into()));
        assert_eq!(disk.list("/srv/new"), Observed::Found(vec!["x".to_owned()]));
    }
}
