//! Facts about the governed repository. Nothing of it was run to learn them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Observed;
use crate::syntax::makefile::Makefile;

/// What was seen of the repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RepositoryFacts {
    /// Its git metadata.
    pub git: Observed<GitFacts>,
    /// The nearest directory above it that is the top level of a work tree.
    pub work_tree_above: Option<Arc<str>>,
    /// Its Makefile.
    pub makefile: Observed<Makefile>,
    /// Shell scripts beside the wrapper and below.
    pub scripts: Search<ShellScript>,
    /// What cron runs, each crontab as a script.
    pub crontabs: Search<ShellScript>,
    /// Files that match a pattern of the contract's `must_not_hold`.
    pub unwanted: Search<Unwanted>,
    /// What belongs to another user than the repository does; absent when nobody searched.
    #[serde(default = "absent", skip_serializing_if = "is_absent")]
    pub foreign: Observed<Search<Foreign>>,
    /// Second clones; absent when nobody searched.
    pub clones: Observed<Search<WorkTree>>,
}

fn absent<T>() -> Observed<T> {
    Observed::Absent
}

fn is_absent<T>(observed: &Observed<T>) -> bool {
    matches!(observed, Observed::Absent)
}

/// A file or directory of git's, or one that git tracks, with another owner than the top level of the work tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    /// Its path.
    pub path: Arc<str>,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// What git's own files say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitFacts {
    /// The directory with git's files; not `.git` itself in a linked work tree.
    pub directory: Arc<str>,
    /// What a repository must have and this one lacks: HEAD, objects, refs.
    pub lacks: Vec<String>,
    /// The commit HEAD points at; absent in a repository without commits.
    pub head: Observed<String>,
    /// What its `config` says.
    pub config: Observed<GitConfig>,
}

/// The part of git's configuration that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitConfig {
    /// Remotes and their URLs.
    pub remotes: BTreeMap<String, String>,
    /// `core.bare`: there is no work tree.
    pub bare: bool,
    /// `core.worktree`: the work tree is elsewhere.
    pub work_tree: Option<String>,
    /// `core.sharedRepository`: several users write into it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
}

/// The outcome of a bounded search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search<T> {
    /// What was found.
    pub found: Vec<T>,
    /// What could not be searched, with the reason.
    pub unread: Vec<(Arc<str>, String)>,
    /// The same of the trees of strangers, who decide nothing.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub strange: Vec<(Arc<str>, String)>,
}

impl<T> Default for Search<T> {
    fn default() -> Self {
        Self { found: Vec::new(), unread: Vec::new(), strange: Vec::new() }
    }
}

/// A file that should not lie in the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unwanted {
    /// Its path relative to the repository.
    pub path: Arc<str>,
    /// True when git tracks it.
    pub tracked: bool,
    /// True when it lies there.
    pub there: bool,
}

/// A work tree elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkTree {
    /// Its directory.
    pub path: Arc<str>,
    /// URLs of its remotes; unreadable configurations are in [`Search::unread`].
    pub remotes: Vec<String>,
    /// It lies in a tree of a user who is neither root nor of the contract.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_strange: bool,
}

/// A shell script of the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellScript {
    /// Its absolute path.
    pub path: Arc<str>,
    /// The commands it runs.
    pub commands: Vec<ShellCommand>,
}

/// A command of a shell script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellCommand {
    /// Its line.
    pub line: u32,
    /// Program and arguments as far as they are plain words.
    pub words: Vec<String>,
}

/// A remote's URL in the one form that all ways of writing it share: `host/owner/name`.
pub fn same_remote_key(url: &str) -> String {
    let url = url.trim();
    let (scheme, rest) = url.split_once("://").map_or((false, url), |(_, rest)| (true, rest));
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) if scheme => (host, path),
        _ if scheme => (rest, ""),
        // scp's way of writing it, `user@host:path`; a slash before the colon makes it a path.
        _ => match rest.split_once(':') {
            Some((host, path)) if !host.contains('/') => (host, path),
            _ => ("", rest),
        },
    };
    let host = host.rsplit('@').next().unwrap_or(host);
    let host = if scheme { host.split(':').next().unwrap_or(host) } else { host };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_matches('/');
    format!("{}/{path}", host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_remote_has_one_key() {
        let same = [
            "https://github.com/a/b.git",
            "https://user:token@GitHub.com/a/b",
            "git@github.com:a/b.git",
            "ssh://git@github.com:22/a/b.git/",
        ];
        assert!(same.iter().all(|url| same_remote_key(url) == "github.com/a/b"));
        assert_ne!(same_remote_key("git@github.com:a/c"), "github.com/a/b");
        assert_eq!(same_remote_key("/srv/git/b.git"), "/srv/git/b");
    }
}
