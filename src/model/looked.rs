//! What a look at a path gave: every component on the way, with its kind, owner and mode, so that a rule
//! can say which directory keeps whom out and which link leads elsewhere.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Location, Undecided};

/// The kind of a file system node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link (only as a step on the way, never as the end).
    Link,
    /// A character or block device, a socket or a FIFO.
    Special,
}

impl NodeKind {
    /// The word for a sentence.
    pub fn word(self) -> &'static str {
        match self {
            NodeKind::File => "a regular file",
            NodeKind::Directory => "a directory",
            NodeKind::Link => "a symbolic link",
            NodeKind::Special => "a device, socket or FIFO",
        }
    }
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// Its kind, links not followed.
    pub kind: NodeKind,
    /// Where it points, for a link that can be read.
    pub target: Option<Arc<str>>,
}

/// Owner, permission and size of a node, as `lstat(2)` gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Its kind.
    pub kind: NodeKind,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The twelve permission bits.
    pub mode: u32,
    /// Bytes.
    pub size: u64,
    /// Seconds since the epoch of the last change of content.
    pub modified: i64,
    /// Number of hard links.
    pub links: u32,
}

/// One component on the way to a path, by its own link-free path inside the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its path with every link before it resolved.
    pub path: Arc<str>,
    /// What it is.
    pub meta: Meta,
    /// Where it points, for a link: the text of the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Arc<str>>,
}

/// How a walk ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The last step is the node.
    Found,
    /// This component does not exist.
    Absent(Arc<str>),
    /// This component cannot be looked at, and why.
    Unreadable(Arc<str>, String),
}

/// A walk from the root to a path, links followed inside the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// The path as it was asked for.
    pub asked: Arc<str>,
    /// Every component that exists, in the order of the walk, links included.
    pub steps: Vec<Arc<Step>>,
    /// How the walk ended.
    pub end: End,
}

/// The file system of what is made while a host runs (file-hierarchy(7)).
pub const RUN: &str = "/run";

/// What systemd has in [`RUN`].
pub const RUN_OF_SYSTEMD: &str = "/run/systemd";

/// The kernel follows no more links on the way to one file (path_resolution(7)).
pub const MOST_LINKS: usize = 40;

impl Lookup {
    /// Whether its links lead in a circle, or as good as that: whoever goes there comes nowhere.
    pub fn is_circle(&self) -> bool {
        matches!(self.end, End::Unreadable(..)) && self.links().count() > MOST_LINKS
    }

    /// What is no directory where the walk would have to go on.
    pub fn stopped_by_file(&self) -> Option<&Step> {
        let End::Absent(_) = self.end else { return None };
        self.steps
            .last()
            .map(Arc::as_ref)
            .filter(|step| !matches!(step.meta.kind, NodeKind::Directory | NodeKind::Link))
    }

    /// The node at the end, `None` when it certainly does not exist.
    pub fn node(&self) -> Result<Option<&Step>, Undecided> {
        match &self.end {
            End::Found => Ok(self.steps.last().map(Arc::as_ref)),
            End::Absent(_) => Ok(None),
            End::Unreadable(path, why) => {
                Err(Undecided::new(format!("{} could not be looked at: {path}: {why}", self.asked)))
            }
        }
    }

    /// The path with all links resolved, when the node exists.
    pub fn real(&self) -> Option<&str> {
        match self.end {
            End::Found => self.steps.last().map(|step| step.path.as_ref()),
            _ => None,
        }
    }

    /// The links on the way.
    pub fn links(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().map(Arc::as_ref).filter(|step| step.meta.kind == NodeKind::Link)
    }

    /// What the last component of the path itself is, before a link there is followed; `None` where the walk did not come
    /// to it.
    pub fn last_component(&self) -> Option<&Step> {
        let parts = |path: &str, is_asked: bool| -> Vec<(String, bool)> {
            let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
            parts.rev().map(|part| (part.to_owned(), is_asked)).collect()
        };
        let mut rest = parts(&self.asked, true);
        // The first step is the root; `..` is none.
        let mut steps = self.steps.iter().skip(1);
        while let Some((name, is_asked)) = rest.pop() {
            if name == ".." {
                continue;
            }
            let step = steps.next()?;
            if is_asked && !rest.iter().any(|(_, is_asked)| *is_asked) {
                return Some(step);
            }
            rest.extend(step.target.iter().flat_map(|target| parts(target, false)));
        }
        None
    }

    /// The path that is looked at once the first link on the way was followed, as systemd does one link at a time; `None`
    /// where there is no link on the way.
    pub fn behind_first_link(&self) -> Option<String> {
        let link = self.links().next()?;
        let rest =
            self.asked.strip_prefix(&*link.path).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        let directory = link.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let target = leads_to(directory, link.target.as_deref()?);
        Some(format!("{}{rest}", target.trim_end_matches('/')))
    }

    /// The directories that must be passed on the way; not the node itself.
    pub fn directories(&self) -> impl Iterator<Item = &Step> {
        let last = match self.end {
            End::Found => self.steps.len().saturating_sub(1),
            _ => self.steps.len(),
        };
        self.steps[..last].iter().map(Arc::as_ref).filter(|step| step.meta.kind == NodeKind::Directory)
    }

    /// The path that was asked for, as a location.
    pub fn location(&self) -> Location {
        Location::file(self.asked.clone())
    }
}

/// Somebody who wants to reach a path: a user with all of its groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// User id; 0 passes every permission check.
    pub uid: u32,
    /// Group ids, the primary one first.
    pub gids: Vec<u32>,
}

/// The three permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `r`
    Read = 4,
    /// `w`
    Write = 2,
    /// `x`: execute a file, pass a directory.
    Execute = 1,
}

impl Credentials {
    /// Whether the permission bits grant the access. Access control lists are not considered.
    pub fn may(&self, access: Access, meta: &Meta) -> bool {
        if self.uid == 0 {
            // Root needs one execute bit on a file, and nothing else.
            return access != Access::Execute || meta.kind == NodeKind::Directory || meta.mode & 0o111 != 0;
        }
        let shift = if self.uid == meta.uid {
            6
        } else if self.gids.contains(&meta.gid) {
            3
        } else {
            0
        };
        (meta.mode >> shift) & access as u32 != 0
    }

    /// The first directory on the way that cannot be passed.
    pub fn stopped_at<'a>(&self, lookup: &'a Lookup) -> Option<&'a Step> {
        lookup.directories().find(|step| !self.may(Access::Execute, &step.meta))
    }
}

/// The path that a link in a directory is written to lead to; links on the way are not followed.
pub fn leads_to(directory: &str, target: &str) -> String {
    let mut standing: Vec<&str> =
        if target.starts_with('/') { Vec::new() } else { directory.split('/').collect() };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                standing.pop();
            }
            part => standing.push(part),
        }
    }
    let parts: Vec<&str> = standing.into_iter().filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}
