//! Whose git's files are, and what git tracks. Nothing is read; only owners are looked at.

use super::repository::Budget;
use super::{Worker, git};
use crate::facts::repository::{Foreign, GitFacts, Search};
use crate::model::{Meta, NodeKind, Observed};

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
            let directory = &git.directory;
            let mut owners = Owners { worker, owner: meta.uid, directory, search: Search::default(), budget };
            owners.below(&git.directory);
            owners.tracked(tree, git);
            owners.search
        })
    })
}

struct Owners<'w, 'a> {
    worker: &'w Worker<'a>,
    owner: u32,
    /// Git's own.
    directory: &'w str,
    search: Search<Foreign>,
    budget: &'w mut Budget,
}

impl Owners<'_, '_> {
    /// Notes a path that is another user's; its kind where it is there.
    fn look(&mut self, path: &str) -> Option<NodeKind> {
        match self.worker.ground.system.node(path) {
            Observed::Found((meta, _)) => {
                if meta.uid != self.owner && !self.is_only_read(path, &meta) && self.search.found.len() < MOST
                {
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

    /// Whether git, at work for the owner, only reads what this is, and can: measured with `git pull`. `git status` of root
    /// writes the index anew, and git replaces it. A reflog is written, so whose it is counts.
    fn is_only_read(&self, path: &str, meta: &Meta) -> bool {
        let Some(name) = path.strip_prefix(self.directory).and_then(|rest| rest.strip_prefix('/')) else {
            return false;
        };
        let read = if meta.kind == NodeKind::Directory { 0o005 } else { 0o004 };
        match name.split('/').next().unwrap_or(name) {
            "hooks" | "description" => true,
            "index" | "config" | "config.worktree" | "info" => meta.mode & read == read,
            _ => false,
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
                if let Err(why) = self.budget.path(&path) {
                    return self.search.unread.push((directory.into(), why));
                }
                if self.look(&path) == Some(NodeKind::Directory) {
                    waiting.push(path);
                }
            }
        }
    }

    /// What git tracks, and the directories on the way, in which it replaces files. Git goes by its index in the order
    /// of its paths, so each directory is looked at once, and nothing is kept but the way to the last path.
    fn tracked(&mut self, tree: &str, git: &GitFacts) {
        let mut way = Way::default();
        let read = git::tracked(self.worker, git, |path| {
            if !is_inside(path) {
                return Err(format!("{path:?} leads out of the work tree"));
            }
            for end in way.to(path) {
                self.budget.entry()?;
                let kind = self.look(&format!("{tree}/{}", &path[..end]));
                // Below a link, or what is gone, lies nothing of the work tree.
                if end < path.len() && kind != Some(NodeKind::Directory) {
                    way.ends_at(end);
                    break;
                }
            }
            Ok(())
        });
        // Whose the files are that the index names is not known then.
        if let Observed::Unreadable(why) = read {
            self.search.unread.push((self.directory.into(), why));
        }
    }
}

/// Whether a path stays below the top level and out of git's own files; git adds no other (`verify_path`).
fn is_inside(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.eq_ignore_ascii_case(".git"))
}

/// The directories on the way to the last path.
#[derive(Default)]
struct Way {
    /// Each with the slash behind it.
    directories: String,
    /// The last of them is no directory.
    is_cut: bool,
}

impl Way {
    /// Goes to the next path; how much of it is each directory that was not on the way yet, and then the path itself.
    /// Nothing where the way ends before it.
    fn to(&mut self, path: &str) -> Vec<usize> {
        let same = path.bytes().zip(self.directories.bytes()).take_while(|(one, other)| one == other).count();
        if self.is_cut && same == self.directories.len() {
            return Vec::new();
        }
        let known =
            self.directories.as_bytes()[..same].iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
        self.is_cut = false;
        self.directories.truncate(known);
        self.directories.push_str(&path[known..path.rfind('/').map_or(known, |at| at + 1)]);
        let new = path[known..].match_indices('/').map(|(at, _)| known + at);
        new.chain([path.len()]).collect()
    }

    /// What is there is no directory that can be gone into.
    fn ends_at(&mut self, end: usize) {
        self.directories.truncate(end + 1);
        self.is_cut = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_names_each_directory_once() {
        let mut way = Way::default();
        assert_eq!(way.to("a/b/c"), [1, 3, 5]);
        assert_eq!(way.to("a/b/d"), [5]);
        assert_eq!(way.to("a/bb/d"), [4, 6]);
        assert_eq!(way.to("e"), [1]);
        assert_eq!(way.to("a\u{fc}/x/y"), [3, 5, 7]);
        way.ends_at(5);
        assert!(way.to("a\u{fc}/x/z/w").is_empty());
        assert_eq!(way.to("a\u{f6}/x"), [3, 5]);
    }

    #[test]
    fn paths_stay_inside() {
        assert!(["a", "a/b..c", ".github/x", "a/.gitignore"].into_iter().all(is_inside));
        assert!(
            !["../x", "a/../../x", "/etc", "a//b", ".git/config", "a/.GIT/hooks/x", "."]
                .into_iter()
                .any(is_inside)
        );
    }
}
