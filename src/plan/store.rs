//! What was at a path before a plan, and what the plan left there: kept so that it can be brought back, and so that
//! what somebody else did since is known.
#![expect(clippy::disallowed_methods, reason = "the store of backups is read and written here")]

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::sha256;
use crate::system::hand::{Attributes, Node, Rights};

/// A node without its bytes, which lie in the store under their digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Nothing was there.
    Absent,
    /// A regular file.
    File {
        /// sha256 of its bytes.
        digest: String,
        /// Whose it was.
        rights: Rights,
        /// Its extended attributes.
        attributes: Attributes,
        /// When it was last changed.
        modified: Option<(i64, i64)>,
    },
    /// A symbolic link.
    Link {
        /// Where it led.
        target: String,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
    },
    /// A directory.
    Directory {
        /// Whose it was.
        rights: Rights,
        /// Its extended attributes.
        attributes: Attributes,
    },
}

/// The bytes of files by their digest, in a directory that only root may enter.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// The store in a directory that exists.
    pub fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn keep_bytes(&self, bytes: &[u8]) -> io::Result<String> {
        let digest = sha256(bytes);
        let place = self.directory.join(&digest);
        if !place.exists() {
            let beside = self.directory.join(format!("{digest}.part"));
            let _ = fs::remove_file(&beside);
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            io::Write::write_all(&mut file, bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &place)?;
        }
        Ok(digest)
    }

    /// Keeps a node.
    pub fn keep(&self, node: &Node) -> io::Result<Kept> {
        Ok(match node {
            Node::File { bytes, .. } => {
                self.keep_bytes(bytes)?;
                note(node)
            }
            _ => note(node),
        })
    }

    /// The node that was kept; an error where its bytes are not what they were.
    pub fn node(&self, kept: &Kept) -> io::Result<Node> {
        Ok(match kept {
            Kept::Absent => Node::Absent,
            Kept::File { digest: name, rights, attributes, modified } => {
                let bytes = fs::read(self.directory.join(name))?;
                if sha256(&bytes) != *name {
                    return Err(io::Error::other(format!("the kept bytes {name} are not what they were")));
                }
                Node::File { bytes, rights: *rights, attributes: attributes.clone(), modified: *modified }
            }
            Kept::Link { target, uid, gid } => Node::Link { target: target.clone(), uid: *uid, gid: *gid },
            Kept::Directory { rights, attributes } => {
                Node::Directory { rights: *rights, attributes: attributes.clone() }
            }
        })
    }
}

/// A node as it is written down, without keeping its bytes.
pub(crate) fn note(node: &Node) -> Kept {
    match node {
        Node::Absent => Kept::Absent,
        Node::File { bytes, rights, attributes, modified } => Kept::File {
            digest: sha256(bytes),
            rights: *rights,
            attributes: attributes.clone(),
            modified: *modified,
        },
        Node::Link { target, uid, gid } => Kept::Link { target: target.clone(), uid: *uid, gid: *gid },
        Node::Directory { rights, attributes } => {
            Kept::Directory { rights: *rights, attributes: attributes.clone() }
        }
    }
}

impl Kept {
    /// Whether a node is what was written down, but for the time of its last change.
    pub fn is(&self, node: &Node) -> bool {
        match (self, note(node)) {
            (
                Kept::File { digest, rights, attributes, .. },
                Kept::File { digest: other, rights: of, attributes: with, .. },
            ) => *digest == other && *rights == of && *attributes == with,
            (kept, other) => *kept == other,
        }
    }

    /// Whether a node is of the same kind with the same content, whoever owns it: half of a change that was interrupted.
    pub fn is_half(&self, node: &Node) -> bool {
        match (self, note(node)) {
            (Kept::File { digest, .. }, Kept::File { digest: other, .. }) => *digest == other,
            (Kept::Directory { .. }, Kept::Directory { .. }) => true,
            (kept, other) => *kept == other,
        }
    }
}
