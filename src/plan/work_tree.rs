//! The work tree of a governed repository, moved from commit to commit by git as its owner, without hooks.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::perform::Failed;
use crate::system::act::{Act, Call};

/// Seconds for what loads from a network.
const LONG: u64 = 1800;
/// Seconds until a git that another golden has left alone is done.
const LEFT_ALONE: u64 = 10;

/// Where it lies and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkTree {
    /// Its top.
    pub path: String,
    /// Its owner.
    pub uid: u32,
    /// The owner's group.
    pub gid: u32,
    /// The owner's home.
    pub home: String,
}

/// A commit that is, or was, checked out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The branch that points to it; `None` where HEAD is detached.
    pub branch: Option<String>,
    /// Its full hash.
    pub commit: String,
}

/// What is needed to go back, whatever a half-done checkout has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitBefore {
    /// Whose.
    pub tree: WorkTree,
    /// From where the step went.
    pub place: Place,
    /// Files that the step brings and that were not there.
    pub added: Vec<String>,
}

impl WorkTree {
    /// Runs git as the owner; what it says.
    pub fn git(&self, act: &Act, words: &[&str]) -> Result<String, Failed> {
        let own = ["-C", &self.path, "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"];
        let words = std::iter::once("git").chain(own).chain(words.iter().copied());
        let call = Call {
            words: words.map(str::to_owned).collect(),
            identity: Some((self.uid, self.gid)),
            environment: [("HOME", self.home.as_str()), ("GIT_TERMINAL_PROMPT", "0")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            limit: LONG,
        };
        let shown = || format!("git {}", call.words[6..].join(" "));
        let ended = act
            .run(&call, &mut |_| {})
            .map_err(|error| Failed { why: format!("{}: {error}", shown()), said: String::new() })?;
        match ended.code {
            Some(0) => Ok(ended.said),
            _ => Err(Failed { why: format!("{} did not succeed", shown()), said: ended.said }),
        }
    }

    /// What is checked out now.
    pub fn here(&self, act: &Act) -> Result<Place, Failed> {
        let commit = self.commit(act, "HEAD")?;
        let branch = self.git(act, &["symbolic-ref", "--quiet", "--short", "HEAD"]).ok();
        Ok(Place { branch: branch.map(|name| name.trim().to_owned()), commit })
    }

    /// The full hash that a name stands for.
    pub fn commit(&self, act: &Act, name: &str) -> Result<String, Failed> {
        let name = format!("{name}^{{commit}}");
        let said = self.git(act, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name])?;
        Ok(said.trim().to_owned())
    }

    /// Files with changes that nobody has committed; what git does not know is not asked for.
    pub fn changed(&self, act: &Act) -> Result<Vec<String>, Failed> {
        let said = self.git(act, &["status", "--porcelain", "--untracked-files=no"])?;
        Ok(said.lines().filter_map(|line| line.get(3..)).map(str::to_owned).collect())
    }

    /// The hash of a file's content in a commit; `None` where the commit has no such file.
    pub fn content(&self, act: &Act, commit: &str, file: &str) -> Option<String> {
        let name = format!("{commit}:{file}");
        self.git(act, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name]).ok()
    }

    /// What must be known before another commit is checked out.
    pub fn before(&self, act: &Act, to: &str) -> Result<CommitBefore, Failed> {
        let place = self.here(act)?;
        let said = self.git(
            act,
            &["diff", "--name-only", "-z", "--no-renames", "--diff-filter=A", &place.commit, to, "--"],
        )?;
        let absent = |name: &&str| !act.place(&format!("{}/{name}", self.path)).exists();
        let added = said.split('\0').filter(|name| !name.is_empty()).filter(absent).map(str::to_owned);
        Ok(CommitBefore { tree: self.clone(), added: added.collect(), place })
    }

    /// Checks a commit out; a branch that is checked out goes with it. What nobody has committed is never overwritten.
    pub fn go(&self, act: &Act, to: &Place) -> Result<(), Failed> {
        self.check_out(act, to, &[])?;
        match self.here(act)? == *to {
            true => Ok(()),
            false => Err(Failed {
                why: format!("{} is not at {} afterwards", self.path, to.commit),
                said: String::new(),
            }),
        }
    }

    fn check_out(&self, act: &Act, to: &Place, how: &[&str]) -> Result<(), Failed> {
        let where_to: Vec<&str> = match &to.branch {
            Some(branch) => vec!["-B", branch, &to.commit],
            None => vec!["--detach", &to.commit],
        };
        self.git(act, &[&["checkout", "--quiet"][..], how, &where_to, &["--"]].concat()).map(drop)
    }
}

impl CommitBefore {
    /// Goes back. A git that lost its golden may still be at work, and one that was killed has left its locks.
    pub fn bring_back(&self, act: &Act) -> Result<(), Failed> {
        let began = std::time::Instant::now();
        loop {
            match self.tree.check_out(act, &self.place, &["--force"]) {
                Ok(()) => break,
                Err(failed) if !failed.said.contains(".lock") => return Err(failed),
                Err(_) if began.elapsed().as_secs() < LEFT_ALONE => {
                    std::thread::sleep(std::time::Duration::from_millis(500));
                }
                Err(failed) => {
                    self.remove_locks(act)?;
                    return self.tree.check_out(act, &self.place, &["--force"]).map_err(|_| failed);
                }
            }
        }
        let known = self.tree.git(act, &["ls-files", "-z"])?;
        let known: BTreeSet<&str> = known.split('\0').collect();
        for name in self.added.iter().filter(|name| !known.contains(name.as_str())) {
            act.remove(&format!("{}/{name}", self.tree.path))?;
        }
        Ok(())
    }

    fn remove_locks(&self, act: &Act) -> Result<(), Failed> {
        let branch = self.place.branch.iter().map(|branch| format!("refs/heads/{branch}.lock"));
        for lock in ["index.lock", "HEAD.lock"].into_iter().map(str::to_owned).chain(branch) {
            act.remove(&format!("{}/.git/{lock}", self.tree.path))?;
        }
        Ok(())
    }
}
