//! Facts about the governed repository.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Observed;
use crate::syntax::makefile::Makefile;

/// What was seen of the repository. Nothing of it was run to learn this.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RepositoryFacts {
    /// Its git metadata.
    pub git: Observed<GitFacts>,
    /// Its Makefile.
    pub makefile: Observed<Makefile>,
    /// Files below it that match a pattern of the contract's `must_not_hold`, by pattern.
    pub unwanted: Observed<Vec<Unwanted>>,
    /// Second clones that were found.
    pub clones: Observed<Clones>,
}

/// What git's own files say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GitFacts {
    /// The commit HEAD points at; absent in a repository without commits.
    pub head: Observed<String>,
    /// Remotes and their URLs.
    pub remotes: BTreeMap<String, String>,
    /// True when `.git` has what makes it a repository: HEAD, objects, refs.
    pub complete: bool,
    /// Tracked files that match a pattern of the contract, by path.
    pub tracked: Observed<Vec<Arc<str>>>,
}

/// A file that should not lie in the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unwanted {
    /// Its absolute path.
    pub path: Arc<str>,
    /// The pattern it matches.
    pub pattern: String,
    /// True when git tracks it.
    pub tracked: bool,
}

/// The outcome of a bounded search for second clones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clones {
    /// Work trees with the same remote.
    pub found: Vec<Arc<str>>,
    /// Directories that could not be searched.
    pub unread: Vec<Arc<str>>,
}
