//! Resolves a path the way the kernel would, but inside the root and with every component kept.
//!
//! A chroot's absolute links must stay in the chroot, and a finding must be able to name the directory
//! that keeps somebody out. So links are resolved here, one component at a time; the kernel is only asked
//! for single nodes. Directories are looked at once per walker: ten thousand services share theirs.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::Look;
use crate::model::{End, Lookup, NodeKind, Observed, Step};

/// The kernel's own bound, path_resolution(7).
const MAX_LINKS: usize = 40;

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
            if links > MAX_LINKS {
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

fn components(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}
