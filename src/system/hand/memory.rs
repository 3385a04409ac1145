//! A host in memory that is changed, for tests of plans: what lies where, what was run, and what programs answer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::{Call, Digested, Ended, Hand, Node, Refused, Rights, Way};
use crate::model::Observed;
use crate::model::answers::RedisQuestion;

/// Nodes by their path, and the calls that were made.
#[derive(Debug, Default)]
pub struct MemoryHand {
    nodes: RefCell<BTreeMap<String, Node>>,
    /// Paths that refuse to be changed, and why.
    pub refusing: BTreeMap<String, String>,
    /// Directories in which nothing can be written, since the disk is full.
    pub full: Vec<String>,
    /// Directories of users: what lies below is changed as them.
    pub users: BTreeMap<String, u32>,
    calls: RefCell<Vec<Vec<String>>>,
    /// Programs that end with a code, by their words.
    pub ends: BTreeMap<String, i32>,
    /// What programs say, by the end of their words.
    pub says: BTreeMap<String, String>,
}

impl MemoryHand {
    /// A host with these nodes.
    pub fn new(nodes: impl IntoIterator<Item = (String, Node)>) -> Self {
        Self { nodes: RefCell::new(nodes.into_iter().collect()), ..Self::default() }
    }

    /// Everything that lies there now.
    pub fn nodes(&self) -> BTreeMap<String, Node> {
        self.nodes.borrow().clone()
    }

    /// The words of every program that was run.
    pub fn calls(&self) -> Vec<String> {
        self.calls.borrow().iter().map(|words| words.join(" ")).collect()
    }

    /// Something else changes the host.
    pub fn set(&self, path: &str, node: Node) {
        self.nodes.borrow_mut().insert(path.to_owned(), node);
    }
}

impl Hand for MemoryHand {
    fn way(&self, path: &str) -> Result<Way, Refused> {
        if let Some(why) = self.refusing.get(path) {
            return Err(Refused::Unsafe(why.clone()));
        }
        let user = self.users.iter().find(|(directory, _)| path.starts_with(&format!("{directory}/")));
        Ok(Way { path: path.to_owned(), user: user.map(|(_, uid)| *uid) })
    }

    fn node(&self, path: &str) -> Result<Node, Refused> {
        self.way(path)?;
        Ok(self.nodes.borrow().get(path).cloned().unwrap_or(Node::Absent))
    }

    fn list(&self, path: &str) -> Result<Vec<String>, Refused> {
        let below = format!("{}/", path.trim_end_matches('/'));
        let nodes = self.nodes.borrow();
        let names = nodes.iter().filter(|(_, node)| **node != Node::Absent);
        let mut names: Vec<String> = names
            .filter_map(|(path, _)| Some(path.strip_prefix(&below)?.split('/').next()?.to_owned()))
            .collect();
        names.dedup();
        Ok(names)
    }

    fn put(&self, path: &str, was: &Node, now: &Node) -> Result<Node, Refused> {
        if !self.node(path)?.same(was) {
            return Err(Refused::Changed(path.to_owned()));
        }
        if !self.has_room(path) {
            return Err(Refused::Io(path.to_owned(), io::ErrorKind::StorageFull.into()));
        }
        let mut nodes = self.nodes.borrow_mut();
        match now {
            Node::Absent => nodes.remove(path),
            other => nodes.insert(path.to_owned(), other.clone()),
        };
        Ok(now.clone())
    }

    fn has_room(&self, path: &str) -> bool {
        !self.full.iter().any(|full| Path::new(path).starts_with(full))
    }

    fn sweep(&self, _path: &str) -> Result<(), Refused> {
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Refused> {
        let mut nodes = self.nodes.borrow_mut();
        match nodes.remove(from) {
            Some(node) => {
                nodes.insert(to.to_owned(), node);
                Ok(())
            }
            None => Err(Refused::Io(from.to_owned(), io::ErrorKind::NotFound.into())),
        }
    }

    fn copy_tree(&self, from: &str, to: &str, _place: &str, _but: &str) -> Result<(), Refused> {
        let below = format!("{from}/");
        let copies: Vec<(String, Node)> = self
            .nodes
            .borrow()
            .iter()
            .filter(|(path, _)| *path == from || path.starts_with(&below))
            .map(|(path, node)| {
                (format!("{to}{}", path.strip_prefix(from).unwrap_or_default()), node.clone())
            })
            .collect();
        self.nodes.borrow_mut().extend(copies);
        Ok(())
    }

    fn digest(&self, path: &str, head: usize) -> Result<Option<Digested>, Refused> {
        match self.node(path)? {
            Node::File { bytes, .. } => {
                let digest = crate::model::sha256(&bytes);
                Ok(Some(Digested { digest, head: bytes.into_iter().take(head).collect() }))
            }
            Node::Absent => Ok(None),
            other => Err(Refused::Unsafe(format!("{path} is {}", other.word()))),
        }
    }

    fn copy_file(&self, from: &str, to: &str, digest: &str) -> Result<(), Refused> {
        let known = self.digest(from, 0)?.map(|found| found.digest);
        let Node::File { bytes, .. } = self.node(from)? else {
            return Err(Refused::Io(from.to_owned(), io::ErrorKind::NotFound.into()));
        };
        if known.as_deref() != Some(digest) || self.node(to)? != Node::Absent {
            return Err(Refused::Changed(from.to_owned()));
        }
        self.set(to, Node::file(bytes, Rights { uid: 0, gid: 0, mode: 0o644 }));
        Ok(())
    }

    fn exchange(&self, one: &str, other: &str) -> Result<(), Refused> {
        let (first, second) = (self.node(one)?, self.node(other)?);
        self.set(one, second);
        self.set(other, first);
        Ok(())
    }

    fn discard(&self, path: &str) -> Result<(), Refused> {
        self.nodes.borrow_mut().remove(path);
        Ok(())
    }

    fn say_to_redis(&self, server: &RedisQuestion<'_>, words: &[&str]) -> Observed<String> {
        let all = ["redis", server.address].iter().chain(words).map(|word| (*word).to_owned()).collect();
        self.calls.borrow_mut().push(all);
        let words = words.join(" ");
        let said = self.says.iter().find(|(end, _)| words.ends_with(end.as_str()));
        Observed::Found(said.map_or_else(|| "OK".to_owned(), |(_, said)| said.clone()))
    }

    fn run(&self, call: &Call, _line: &mut dyn FnMut(&str)) -> io::Result<Ended> {
        self.calls.borrow_mut().push(call.words.clone());
        let words = call.words.join(" ");
        let code = self.ends.get(&words).copied().unwrap_or(0);
        let said = self.says.iter().find(|(end, _)| words.ends_with(end.as_str()));
        let said = said.map(|(_, said)| said.clone()).unwrap_or_default();
        Ok(Ended { code: Some(code), said, too_long: false })
    }
}
