//! The work tree of a governed repository, moved from commit to commit by git as its owner, without hooks.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::program::Failed;
use crate::system::hand::{Call, Hand, Node, Refused, interrupted};

/// Seconds for what loads from a network.
const FETCHES: u64 = 900;
/// Seconds for what writes a work tree. Filters of the repository run meanwhile, which are its owner's programs: one that
/// never ends must not hold golden up.
const WRITES: u64 = 60;
/// Seconds for what looks at what is there.
const LOOKS: u64 = 20;
/// What git does beside what it is asked for is left out: hooks, a monitor, and cleaning up in the background.
const QUIET: [&str; 4] =
    ["core.hooksPath=/dev/null", "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false"];
/// Seconds until a git that another golden has left alone is done.
const LEFT_ALONE: u64 = 10;

/// A commit of a work tree.
pub use crate::model::change::Commit as Place;
pub use crate::model::change::WorkTree;
use crate::model::change::short;

/// A file as a commit has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// All of it.
    pub text: String,
    /// Its permission bits: 0644, or 0755 for a program.
    pub mode: u32,
}

/// What is needed to go back, whatever a half-done checkout has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitBefore {
    /// Whose.
    pub tree: WorkTree,
    /// From where the step went.
    pub place: Place,
    /// Where it went; not written down by golden 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Place>,
    /// Files that the step brings and that were not there.
    pub added: Vec<String>,
    /// Directories of those files that were not there, those above others first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<String>,
}

impl WorkTree {
    /// Runs git as the owner; what it says.
    pub fn git(&self, hand: &dyn Hand, words: &[&str]) -> Result<String, Failed> {
        let limit = match words.first() {
            Some(&"fetch") => FETCHES,
            Some(&"checkout") => WRITES,
            _ => LOOKS,
        };
        let shown = format!("git {}", words.join(" "));
        let own = QUIET.iter().flat_map(|setting| ["-c", setting]);
        let words = ["git", "-C", &self.path].into_iter().chain(own).chain(words.iter().copied());
        let call = Call {
            words: words.map(str::to_owned).collect(),
            identity: Some((self.uid, self.gid)),
            environment: [("HOME", self.home.as_str()), ("GIT_TERMINAL_PROMPT", "0")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            limit,
        };
        let ended = hand
            .run(&call, &mut |_| {})
            .map_err(|error| Failed { why: format!("{shown}: {error}"), said: String::new() })?;
        let why = match ended.code {
            Some(0) => return Ok(ended.said),
            None if interrupted() => format!("{shown} was ended, since golden was asked to end"),
            None if ended.too_long => format!("{shown} took longer than {limit} s and was ended"),
            _ => format!("{shown} did not succeed"),
        };
        Err(Failed { why, said: ended.said })
    }

    /// What is checked out now.
    pub fn here(&self, hand: &dyn Hand) -> Result<Place, Failed> {
        let commit = self.commit(hand, "HEAD")?;
        let branch = self.git(hand, &["symbolic-ref", "--quiet", "--short", "HEAD"]).ok();
        Ok(Place { branch: branch.map(|name| name.trim().to_owned()), commit })
    }

    /// The full hash that a name stands for.
    pub fn commit(&self, hand: &dyn Hand, name: &str) -> Result<String, Failed> {
        let name = format!("{name}^{{commit}}");
        let said = self.git(hand, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name])?;
        Ok(said.trim().to_owned())
    }

    /// Files with changes that nobody has committed; what git does not know is not asked for.
    pub fn changed(&self, hand: &dyn Hand) -> Result<Vec<String>, Failed> {
        let said = self.git(hand, &["status", "--porcelain", "--untracked-files=no"])?;
        Ok(said.lines().filter_map(|line| line.get(3..)).map(str::to_owned).collect())
    }

    /// Files that differ between two commits.
    pub fn differing(&self, hand: &dyn Hand, from: &Place, to: &Place) -> Result<Vec<String>, Failed> {
        let words = ["diff", "--name-only", "-z", "--no-renames", &from.commit, &to.commit, "--"];
        let said = self.git(hand, &words)?;
        Ok(said.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// The hash of a file's content in a commit; `None` where the commit has no such file.
    pub fn content(&self, hand: &dyn Hand, commit: &str, file: &str) -> Option<String> {
        let name = format!("{commit}:{file}");
        self.git(hand, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name]).ok()
    }

    /// A file as the last commit has it, without filters.
    pub fn committed(&self, hand: &dyn Hand, file: &str) -> Result<Committed, Failed> {
        let not = |why: &str| Failed { why: format!("{file} {why}"), said: String::new() };
        self.file(hand, "HEAD", file)?.ok_or_else(|| not("is in no commit"))
    }

    /// A file as a commit has it, without filters; `None` where the commit has no such file.
    ///
    /// # Errors
    /// It is a link, longer than what a program's talk is kept of, or no UTF-8: all of it counts, or nothing.
    pub fn file(&self, hand: &dyn Hand, commit: &str, file: &str) -> Result<Option<Committed>, Failed> {
        let not = |why: &str| Failed { why: format!("{file} {why} in {commit}"), said: String::new() };
        let listed = self.git(hand, &["ls-tree", "-l", "-z", commit, "--", file])?;
        // MODE SP TYPE SP ID SP SIZE TAB NAME NUL (git-ls-tree(1)).
        let Some((meta, name)) = listed.trim_end_matches('\0').split_once('\t') else { return Ok(None) };
        let [mode, "blob", id, size] = meta.split_whitespace().collect::<Vec<&str>>()[..] else {
            return Err(not("is not a file"));
        };
        let mode = match mode {
            "100644" => 0o644,
            "100755" => 0o755,
            _ => return Err(not("is a link")),
        };
        let text = self.git(hand, &["cat-file", "blob", id])?;
        // What is longer than a program's talk, or no text, a person brings back.
        let is_whole = size.parse() == Ok(text.len()) && !text.contains('\u{fffd}');
        match is_whole && name == file {
            true => Ok(Some(Committed { text, mode })),
            false => Err(not("is not a short text")),
        }
    }

    /// What must be known before another commit is checked out.
    pub fn before(&self, hand: &dyn Hand, to: &Place) -> Result<CommitBefore, Failed> {
        let place = self.here(hand)?;
        let (from, into) = (&place.commit, &to.commit);
        let said = self
            .git(hand, &["diff", "--name-only", "-z", "--no-renames", "--diff-filter=A", from, into, "--"])?;
        let absent = |name: &str| {
            matches!(hand.node(&format!("{}/{name}", self.path)), Ok(Node::Absent) | Err(Refused::Io(..)))
        };
        let added: Vec<&str> =
            said.split('\0').filter(|name| !name.is_empty()).filter(|name| absent(name)).collect();
        let above = added.iter().flat_map(|name| name.match_indices('/').map(|(at, _)| &name[..at]));
        let above: BTreeSet<&str> = above.collect();
        Ok(CommitBefore {
            tree: self.clone(),
            directories: above.into_iter().filter(|name| absent(name)).map(str::to_owned).collect(),
            added: added.into_iter().map(str::to_owned).collect(),
            to: Some(to.clone()),
            place,
        })
    }

    /// Checks a commit out; a branch that is checked out goes with it. What nobody has committed is never overwritten.
    pub fn go(&self, hand: &dyn Hand, to: &Place) -> Result<(), Failed> {
        self.check_out(hand, to, &[])?;
        match self.here(hand)? == *to {
            true => Ok(()),
            false => Err(Failed {
                why: format!("{} is not at {} afterwards", self.path, to.commit),
                said: String::new(),
            }),
        }
    }

    fn check_out(&self, hand: &dyn Hand, to: &Place, how: &[&str]) -> Result<(), Failed> {
        let where_to: Vec<&str> = match &to.branch {
            Some(branch) => vec!["-B", branch, &to.commit],
            None => vec!["--detach", &to.commit],
        };
        self.git(hand, &[&["checkout", "--quiet"][..], how, &where_to, &["--"]].concat()).map(drop)
    }
}

impl CommitBefore {
    /// Goes back. `since` somebody may have worked here, and then only what the step left is taken back; else what lies
    /// there is what the step has half done.
    ///
    /// A git that lost its golden may still be at work, and one that was killed has left its locks; one that filled the
    /// disk has left files that were not there, and needs their room to go back.
    pub fn bring_back(&self, hand: &dyn Hand, since: bool) -> Result<(), Failed> {
        self.is_as_left(hand, since)?;
        let how: &[&str] = if since { &[] } else { &["--force"] };
        let began = std::time::Instant::now();
        let mut made_room = since;
        loop {
            match self.tree.check_out(hand, &self.place, how) {
                Ok(()) => break,
                Err(_) if !made_room && !hand.has_room(&self.tree.path) => {
                    made_room = true;
                    self.added.iter().try_for_each(|name| self.remove(hand, name))?;
                }
                Err(failed) if !failed.said.contains(".lock") => return Err(failed),
                Err(_) if began.elapsed().as_secs() < LEFT_ALONE => {
                    std::thread::sleep(std::time::Duration::from_millis(500));
                }
                Err(failed) => {
                    self.remove_locks(hand)?;
                    self.tree.check_out(hand, &self.place, how).map_err(|_| failed)?;
                    break;
                }
            }
        }
        let known = self.tree.git(hand, &["ls-files", "-z"])?;
        let known: BTreeSet<&str> = known.split('\0').collect();
        let brought =
            |name: &&String| !known.contains(name.as_str()) && (!since || self.is_of_step(hand, name));
        for name in self.added.iter().filter(brought) {
            self.remove(hand, name)?;
        }
        // git leaves a directory that it has made where it was killed before the first file.
        self.directories.iter().rev().try_for_each(|name| self.remove_empty(hand, name))
    }

    /// Whether the work tree is where the step left it, or where it found it.
    fn is_as_left(&self, hand: &dyn Hand, since: bool) -> Result<(), Failed> {
        let Some(to) = &self.to else { return Ok(()) };
        let refused = |why: String| Err(Failed { why, said: String::new() });
        let here = self.tree.here(hand)?;
        let is_one = |place: &Place| here.commit == place.commit && (!since || here.branch == place.branch);
        if !is_one(&self.place) && !is_one(to) {
            return refused(format!("{} was checked out since", short(&here.commit)));
        }
        let changed = if since { self.tree.changed(hand)? } else { Vec::new() };
        match changed.first() {
            None => Ok(()),
            Some(first) => refused(format!("{first} was changed since and is not committed")),
        }
    }

    /// Whether a file that the step brought holds what it brought.
    fn is_of_step(&self, hand: &dyn Hand, name: &str) -> bool {
        let brought = self.to.as_ref().and_then(|to| self.tree.content(hand, &to.commit, name));
        brought.is_some() && self.tree.git(hand, &["hash-object", "--", name]).ok() == brought
    }

    /// Removes a directory of the work tree in which nothing is.
    fn remove_empty(&self, hand: &dyn Hand, name: &str) -> Result<(), Failed> {
        let path = format!("{}/{name}", self.tree.path);
        match hand.node(&path) {
            Ok(node @ Node::Directory { .. }) if hand.list(&path)?.is_empty() => {
                Ok(hand.put(&path, &node, &Node::Absent).map(drop)?)
            }
            _ => Ok(()),
        }
    }

    fn remove_locks(&self, hand: &dyn Hand) -> Result<(), Failed> {
        let branch = self.place.branch.iter().map(|branch| format!("refs/heads/{branch}.lock"));
        for lock in ["index.lock", "HEAD.lock"].into_iter().map(str::to_owned).chain(branch) {
            self.remove(hand, &format!(".git/{lock}"))?;
        }
        Ok(())
    }

    /// Removes a file of the work tree, as its owner: what lies behind a link that was put on the way is not touched.
    fn remove(&self, hand: &dyn Hand, name: &str) -> Result<(), Failed> {
        let path = format!("{}/{name}", self.tree.path);
        match hand.node(&path) {
            Ok(Node::Absent) | Err(Refused::Io(..)) => Ok(()),
            Ok(Node::Directory { .. }) => Ok(()),
            Ok(node) => Ok(hand.put(&path, &node, &Node::Absent).map(drop)?),
            Err(refused) => Err(refused.into()),
        }
    }
}
