//! Whose git's files are, and what git tracks. Nothing is read; only owners are looked at.

use std::collections::BTreeSet;

use super::repository::Budget;
use super::{Worker, git};
use crate::facts::repository::{Foreign, GitFacts, Search};
use crate::model::{NodeKind, Observed};

/// More than these are not listed: one is enough to keep git from working.
const MOST: usize = 50;

/// What belongs to another user than the top level `tree` does; absent where it is no work tree.
pub(super) fn search(
    worker: &Worker<'_>,
    tree: &str,
    git: &Observed<GitFacts>,
    budget: &mut Budget,
) -> Observed<Search<Foreign>> {
    git.as_ref().and_then(|git| {
        worker.ground.system.node(tree).map(|(meta, _)| {
            let index = format!("{}/index", git.directory);
            let mut owners = Owners { worker, owner: meta.uid, index, search: Search::default(), budget };
            owners.below(&git.directory);
            owners.tracked(tree, git);
            owners.search
        })
    })
}

struct Owners<'w, 'a> {
    worker: &'w Worker<'a>,
    owner: u32,
    index: String,
    search: Search<Foreign>,
    budget: &'w mut Budget,
}

impl Owners<'_, '_> {
    /// Notes a path that is another user's; its kind where it is there.
    fn look(&mut self, path: &str) -> Option<NodeKind> {
        match self.worker.ground.system.node(path) {
            Observed::Found((meta, _)) => {
                // `git status` of root writes the index anew. Git replaces it, and needs to read it only.
                let is_harmless = path == self.index && meta.mode & 0o004 != 0;
                if meta.uid != self.owner && !is_harmless && self.search.found.len() < MOST {
                    self.search.found.push(Foreign { path: path.into(), uid: meta.uid, gid: meta.gid });
                }
                Some(meta.kind)
            }
            Observed::Absent => None,
            Observed::Unreadable(why) => {
                self.search.unread.push((path.into(), why));
                None
            }
        }
    }

    /// A directory of git's with everything below it; links are not followed.
    fn below(&mut self, top: &str) {
        self.look(top);
        let mut waiting = vec![top.to_owned()];
        while let Some(directory) = waiting.pop() {
            if let Err(why) = self.budget.directory() {
                return self.search.unread.push((directory.into(), why));
            }
            let names = match self.worker.ground.system.list(&directory) {
                Observed::Found(names) => names,
                Observed::Absent => continue,
                Observed::Unreadable(why) => {
                    self.search.unread.push((directory.into(), why));
                    continue;
                }
            };
            self.budget.entries(names.len());
            for name in names {
                let path = format!("{directory}/{name}");
                if self.look(&path) == Some(NodeKind::Directory) {
                    waiting.push(path);
                }
            }
        }
    }

    /// What git tracks, and the directories on the way, in which it replaces files.
    fn tracked(&mut self, tree: &str, git: &GitFacts) {
        let paths = match git::tracked(self.worker, git, |_| true) {
            Observed::Found(paths) => paths,
            Observed::Absent => return,
            // Whose the files are that it names is not known then.
            Observed::Unreadable(why) => return self.search.unread.push((self.index.as_str().into(), why)),
        };
        let mut directories: BTreeSet<&str> = BTreeSet::new();
        for path in &paths {
            let parents = path.match_indices('/').map(|(at, _)| &path[..at]);
            directories.extend(parents);
        }
        self.budget.entries(paths.len());
        for path in directories.into_iter().chain(paths.iter().map(String::as_str)) {
            self.look(&format!("{tree}/{path}"));
        }
    }
}
