//! The hand that changes a host: it holds what lies at a path by descriptors, follows no name that somebody else can
//! change, and puts one thing in the place of another whole or not at all. Plans alone use it.
//!
//! A walk begins where only root can write. There it follows links of root's, component by component. Where a directory
//! of another user begins, no link is followed any more and everything is done with that user's rights alone. Where more
//! than one could replace a name, nothing is done ([`Refused`]): a person must.
//!
//! A file that changes hands becomes a new inode, since its old owner may still hold it open.

mod artefact;
mod attributes;
mod copy;
mod disk;
mod held;
mod memory;
mod program;
mod user;

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use crate::model::Observed;
use crate::model::answers::RedisQuestion;

pub use disk::DiskHand;
pub use memory::MemoryHand;
pub use program::{Call, Ended, heed_signals, interrupt, interrupted};

/// Owner and group by number, and permission bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rights {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// Extended attributes by name: access control lists, labels, capabilities (xattr(7)).
pub type Attributes = BTreeMap<String, Vec<u8>>;

/// What lies at a path, itself: a link at the end is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Nothing.
    Absent,
    /// A regular file with one name.
    File {
        /// All of it.
        bytes: Vec<u8>,
        /// Whose it is.
        rights: Rights,
        /// Its extended attributes.
        attributes: Attributes,
        /// Seconds and nanoseconds of the last change of contents; `None` lets it be the moment of the change.
        modified: Option<(i64, i64)>,
    },
    /// A symbolic link.
    Link {
        /// Where it leads.
        target: String,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
    },
    /// A directory; what is in it is not part of this.
    Directory {
        /// Whose it is.
        rights: Rights,
        /// Its extended attributes.
        attributes: Attributes,
    },
}

impl Node {
    /// Whether both are the same but for the time of the last change.
    pub fn same(&self, other: &Node) -> bool {
        match (self, other) {
            (
                Node::File { bytes, rights, attributes, .. },
                Node::File { bytes: others, rights: of, attributes: with, .. },
            ) => bytes == others && rights == of && attributes == with,
            _ => self == other,
        }
    }

    /// A new file without extended attributes.
    pub fn file(bytes: impl Into<Vec<u8>>, rights: Rights) -> Self {
        Node::File { bytes: bytes.into(), rights, attributes: Attributes::new(), modified: None }
    }

    /// What it is, for a sentence.
    pub fn word(&self) -> &'static str {
        match self {
            Node::Absent => "nothing",
            Node::File { .. } => "a file",
            Node::Link { .. } => "a link",
            Node::Directory { .. } => "a directory",
        }
    }

    /// Owner, group and mode, where it has them.
    pub fn rights(&self) -> Option<Rights> {
        match self {
            Node::File { rights, .. } | Node::Directory { rights, .. } => Some(*rights),
            _ => None,
        }
    }
}

/// Why the hand did nothing.
#[derive(Debug)]
pub enum Refused {
    /// Somebody else than root and the owner could replace a name on the way, or what is there is nothing golden touches.
    Unsafe(String),
    /// It is not what it was when the change was shown.
    Changed(String),
    /// The kernel refused.
    Io(String, io::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Unsafe(why) => f.write_str(why),
            Refused::Changed(path) => {
                write!(f, "{path} has changed since the plan was made; look at a new plan")
            }
            Refused::Io(path, error) => write!(f, "{path}: {error}"),
        }
    }
}

impl std::error::Error for Refused {}

/// Where a path really is, and whose names lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The path with root's links on the way resolved.
    pub path: String,
    /// The user in whose directory it lies, as whom it is changed; `None` where only root can replace a name.
    pub user: Option<u32>,
}

/// A file of any size, by what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digested {
    /// sha256 in hex of its bytes.
    pub digest: String,
    /// Its first bytes.
    pub head: Vec<u8>,
}

/// Changes a host. [`DiskHand`] changes a real one, [`MemoryHand`] one in memory.
pub trait Hand {
    /// Where a path really is; its end need not exist, the directory that holds it must be known.
    fn way(&self, path: &str) -> Result<Way, Refused>;
    /// What lies at a path.
    fn node(&self, path: &str) -> Result<Node, Refused>;
    /// The names in a directory, sorted; none where there is no directory.
    fn list(&self, path: &str) -> Result<Vec<String>, Refused>;
    /// Whether something can be written in the directory at a path: its file system is not read-only, and has room left.
    fn has_room(&self, path: &str) -> bool;
    /// Puts `now` where `was` is, and gives back what is there afterwards. A directory that goes must be empty.
    fn put(&self, path: &str, was: &Node, now: &Node) -> Result<Node, Refused>;
    /// Removes what an interrupted [`Hand::put`] left beside a path.
    fn sweep(&self, path: &str) -> Result<(), Refused>;
    /// Gives a thing another name in the same kind of place, where nothing is.
    fn rename(&self, from: &str, to: &str) -> Result<(), Refused>;
    /// Copies a tree into new files of root's: bytes, links and whether a file may be executed, nothing else. What is
    /// neither a file with one name, a link nor a directory ends it, and so does a link that leaves the tree for what
    /// somebody else can replace, unless it leads to `but`. `place` is where the copy will lie in the end.
    fn copy_tree(&self, from: &str, to: &str, place: &str, but: &str) -> Result<(), Refused>;
    /// The digest of a regular file of any size with one name, and as many of its first bytes as are asked for; `None` where
    /// nothing is.
    fn digest(&self, path: &str, head: usize) -> Result<Option<Digested>, Refused>;
    /// Copies a regular file, which may lie in a user's directory, into a new file of root's in the place of nothing. It is
    /// read once; what was read must have this sha256.
    fn copy_file(&self, from: &str, to: &str, digest: &str) -> Result<(), Refused>;
    /// Two files in directories of root's change places, at once.
    fn exchange(&self, one: &str, other: &str) -> Result<(), Refused>;
    /// A file in a directory of root's goes, whatever its size; nothing where there is none.
    fn discard(&self, path: &str) -> Result<(), Refused>;
    /// Says one command to a Redis; only where the one that should answer does. What it says; absent where that is nothing.
    fn say_to_redis(&self, server: &RedisQuestion<'_>, words: &[&str]) -> Observed<String>;
    /// Runs a program to its end. `line` hears each line that it says, while it says it.
    fn run(&self, call: &Call, line: &mut dyn FnMut(&str)) -> io::Result<Ended>;
}
