//! Resolves a path the way the kernel would, but inside the root and with every component kept.
//!
//! A chroot's absolute links must stay in the chroot, and a finding must be able to name the directory
//! that keeps somebody out. So links are resolved here, one component at a time; the kernel is only asked
//! for single nodes. Directories are looked at once per walker: ten thousand services share theirs.
//!
//! A link that another user can change ends the look ([`untrusted`]). The content of a file is reached only through
//! links in directories that root alone can write, or through links that stay below what belongs to the same user.
//! After the walk a node is opened with RESOLVE_NO_SYMLINKS, so a link that is put in the way later ends the look too.
//! Programs are the exception: only their kind is noted, and the python of a venv is such a link.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::Look;
use crate::model::{End, Lookup, MOST_LINKS, NodeKind, Observed, Step};

/// Looks at paths and remembers the directories on the way.
pub struct Walker<'a, L: Look + ?Sized> {
    look: &'a L,
    directories: RefCell<HashMap<Arc<str>, Observed<Arc<Step>>>>,
    /// A file is looked at several times in a row, and then never again.
    last_file: RefCell<Option<Arc<Step>>>,
}

impl<'a, L: Look + ?Sized> Walker<'a, L> {
    /// A walker that remembers nothing yet.
    pub fn new(look: &'a L) -> Self {
        Self { look, directories: RefCell::default(), last_file: RefCell::default() }
    }

    /// The door it looks through.
    pub fn look(&self) -> &'a L {
        self.look
    }

    /// Walks to `path`, which must be absolute; `.` and empty components vanish, `..` goes up from where
    /// the links have led, as in path_resolution(7).
    pub fn lookup(&self, path: &str) -> Lookup {
        self.walk(path, true)
    }

    /// The same, but a link in the last component is the node itself.
    pub fn lookup_no_follow(&self, path: &str) -> Lookup {
        self.walk(path, false)
    }

    fn walk(&self, path: &str, follow_last: bool) -> Lookup {
        let asked: Arc<str> = path.into();
        let mut steps: Vec<Arc<Step>> = Vec::with_capacity(8);
        let mut rest: Vec<Cow<'_, str>> = components(path).rev().map(Cow::from).collect();
        let mut links = 0;
        // The directories from the root to where we stand.
        let mut standing = String::with_capacity(path.len());
        match self.remembered("/") {
            Observed::Found(root) => steps.push(root),
            Observed::Absent => return Lookup { asked, steps, end: End::Absent("/".into()) },
            Observed::Unreadable(why) => {
                return Lookup { asked, steps, end: End::Unreadable("/".into(), why) };
            }
        }
        while let Some(name) = rest.pop() {
            if name == ".." {
                standing.truncate(standing.rfind('/').unwrap_or(0));
                continue;
            }
            if let Some(step) = steps.last().filter(|step| step.meta.kind == NodeKind::File) {
                let end = End::Absent(format!("{}/{name}", step.path).into());
                return Lookup { asked, steps, end };
            }
            let parent = standing.len();
            standing.push('/');
            standing.push_str(&name);
            let step = match self.remembered(&standing) {
                Observed::Found(step) => step,
                Observed::Absent => return Lookup { asked, steps, end: End::Absent(standing.into()) },
                Observed::Unreadable(why) => {
                    return Lookup { asked, steps, end: End::Unreadable(standing.into(), why) };
                }
            };
            steps.push(step.clone());
            let Some(target) = step.target.as_deref().filter(|_| follow_last || !rest.is_empty()) else {
                continue;
            };
            links += 1;
            if links > MOST_LINKS {
                let why = "too many levels of symbolic links".to_owned();
                return Lookup { asked, steps, end: End::Unreadable(standing.into(), why) };
            }
            standing.truncate(if target.starts_with('/') { 0 } else { parent });
            rest.extend(components(target).rev().map(|part| Cow::from(part.to_owned())));
        }
        // A path that ends in `..` or in a link to `/` stands on a directory that is not the last step.
        let stands_on: &str = if standing.is_empty() { "/" } else { &standing };
        if steps.last().is_some_and(|step| step.path.as_ref() != stands_on)
            && let Observed::Found(step) = self.remembered(stands_on)
        {
            steps.push(step);
        }
        Lookup { asked, steps, end: End::Found }
    }

    fn remembered(&self, path: &str) -> Observed<Arc<Step>> {
        if let Some(step) = self.directories.borrow().get(path) {
            return step.clone();
        }
        if let Some(file) = self.last_file.borrow().as_ref().filter(|file| &*file.path == path) {
            return Observed::Found(file.clone());
        }
        let step =
            self.look.node(path).map(|(meta, target)| Arc::new(Step { path: path.into(), meta, target }));
        match &step {
            Observed::Found(file) if file.meta.kind == NodeKind::File => {
                self.last_file.replace(Some(file.clone()));
            }
            _ => {
                self.directories.borrow_mut().insert(path.into(), step.clone());
            }
        }
        step
    }
}

/// A link on the way that leads out of the directories of somebody else than root, and those directories. Whoever
/// owns them can make it lead anywhere, so what it leads to is not read. A link in a directory that only root can
/// write is root's word.
pub fn stray(lookup: &Lookup) -> Option<(&Step, Option<&Step>)> {
    let steps = &lookup.steps;
    let real = lookup.real()?;
    steps.iter().enumerate().find_map(|(at, link)| {
        let above = |step: &&Arc<Step>| {
            step.meta.kind == NodeKind::Directory
                && is_below(&link.path, &step.path)
                && link.path != step.path
        };
        if link.meta.kind != NodeKind::Link
            || steps[..at].iter().filter(above).all(|directory| is_for_root_alone(directory))
        {
            return None;
        }
        // What everybody can write belongs to nobody: a link there leads out wherever it leads.
        let own = steps[..at]
            .iter()
            .filter(above)
            .find(|directory| !is_for_root_alone(directory) && directory.meta.mode & 0o002 == 0);
        let is_inside = own.is_some_and(|own| is_below(real, &own.path));
        (!is_inside).then(|| (link.as_ref(), own.map(AsRef::as_ref)))
    })
}

/// Whether a file may be somebody else's secret under a second name: a hard link that was made where others than
/// root can write, to a file that its maker cannot read.
pub fn is_borrowed(lookup: &Lookup) -> bool {
    let Ok(Some(file)) = lookup.node() else { return false };
    let Some(directory) = lookup.directories().last() else { return false };
    file.meta.kind == NodeKind::File
        && file.meta.links > 1
        && file.meta.mode & 0o004 == 0
        && file.meta.uid != directory.meta.uid
        && !is_for_root_alone(directory)
}

/// Why the content behind a walk is not read; `None` where it may be.
pub fn untrusted(lookup: &Lookup) -> Option<String> {
    match stray(lookup) {
        Some((link, Some(own))) => Some(format!("{} is a link that leads out of {}", link.path, own.path)),
        Some((link, None)) => {
            Some(format!("{} is a link that leads out of a directory that all users can write", link.path))
        }
        None => is_borrowed(lookup)
            .then(|| format!("{} has a second hard link and belongs to another user", lookup.asked)),
    }
}

fn is_for_root_alone(directory: &Step) -> bool {
    directory.meta.uid == 0 && directory.meta.mode & 0o022 == 0
}

fn is_below(path: &str, directory: &str) -> bool {
    let rest = path.strip_prefix(directory.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn components(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::MemorySystem;

    fn why(manifest: &str, path: &str) -> Option<String> {
        let host = MemorySystem::from_manifest(manifest).unwrap();
        let lookup = Walker::new(&host as &dyn Look).lookup(path);
        assert!(lookup.real().is_some(), "{path} is a broken link");
        untrusted(&lookup)
    }

    const HOST: &str = "\
dir /home/qt 1000:1000 0750
dir /home/qt/app 1000:1000 0755
file /home/qt/app/real 1000:1000 0644
link /home/qt/app/inside -> real
link /home/qt/app/up -> ../other
file /home/qt/other 1000:1000 0644
link /home/qt/app/out -> /etc/shadow
link /home/qt/app/folder -> /etc
file /etc/shadow 0:0 0640
link /opt/app -> /opt/app-2
file /opt/app-2/run 0:0 0755
link /srv -> /home/qt/app
dir /tmp 0:0 1777
link /tmp/link -> /tmp/secret
file /tmp/secret 0:0 0600
";

    #[test]
    fn links_of_root_lead_anywhere_and_those_of_users_stay_below_what_is_theirs() {
        for path in
            ["/home/qt/app/real", "/home/qt/app/inside", "/home/qt/app/up", "/opt/app/run", "/srv/real"]
        {
            assert_eq!(why(HOST, path), None, "{path}");
        }
        for path in ["/home/qt/app/out", "/home/qt/app/folder/shadow", "/srv/out", "/tmp/link"] {
            assert!(why(HOST, path).is_some_and(|why| why.contains("leads out of")), "{path}");
        }
    }

    #[test]
    fn a_second_name_of_somebody_elses_secret_is_not_read() {
        let borrowed = "dir /home/qt 1000:1000 0750\nfile /home/qt/x 0:0 0600\nlinks /home/qt/x 2\n";
        assert!(why(borrowed, "/home/qt/x").is_some_and(|why| why.contains("hard link")));
        let own = "dir /home/qt 1000:1000 0750\nfile /home/qt/x 1000:1000 0600\nlinks /home/qt/x 2\n";
        assert_eq!(why(own, "/home/qt/x"), None);
    }
}
