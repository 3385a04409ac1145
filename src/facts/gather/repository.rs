//! The governed repository, read without running git: a repository's own configuration can run programs.

use super::{Pad, Worker};
use crate::facts::RepositoryFacts;

/// Looks at the repository of the contract.
pub(super) fn gather(_worker: &Worker<'_>, _pad: &mut Pad) -> Option<RepositoryFacts> {
    None
}
