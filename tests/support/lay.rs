//! A host in memory as real files.

#![allow(dead_code, reason = "each program of tests uses its own part of this")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test writes what it is about"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::Path;

use golden::system::MemorySystem;
use golden::system::memory::MemoryNode;

/// Puts its files below a directory; owners need root. A directory that is there already is kept as it is.
pub fn lay(root: &Path, host: &MemorySystem) {
    for (path, owned) in &host.nodes {
        let place = root.join(path.trim_start_matches('/'));
        match &owned.node {
            MemoryNode::Directory if place.is_dir() => continue,
            MemoryNode::Directory => fs::create_dir_all(&place).unwrap(),
            MemoryNode::File(content) => fs::write(&place, content).unwrap(),
            MemoryNode::Link(target) => symlink(&**target, &place).unwrap(),
            MemoryNode::Unreadable(why) => panic!("{path}: root reads all, also where {why}"),
        }
        lchown(&place, Some(owned.uid), Some(owned.gid)).unwrap();
        if !matches!(owned.node, MemoryNode::Link(_)) {
            fs::set_permissions(&place, Permissions::from_mode(owned.mode)).unwrap();
        }
    }
}
