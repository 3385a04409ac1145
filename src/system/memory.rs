//! A host in memory, built from a manifest: what makes a test of a rule a matter of microseconds.
//!
//! It obeys the same traits as the real world, so a test can also write the same manifest to a directory
//! and demand the same report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Ask, Look, System};
use crate::model::answers::{
    Listener, Process, PythonAnswer, PythonQuestion, RedisAnswer, RedisQuestion, ServerAnswer,
    ServerQuestion, SqliteAnswer, StreamEvent, StreamId, StreamQuestion, UnitState, UnitStates,
};
use crate::model::{Entry, Meta, NodeKind, Observed};

/// A node of the host in memory.
#[derive(Clone, Debug)]
pub enum MemoryNode {
    /// A directory.
    Directory,
    /// A regular file and its content.
    File(Arc<[u8]>),
    /// A symbolic link and its text.
    Link(Arc<str>),
    /// A look at it fails with this reason.
    Unreadable(String),
}

/// A node with its owner and mode.
#[derive(Clone, Debug)]
pub struct Owned {
    /// The node.
    pub node: MemoryNode,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
    /// Seconds since the epoch.
    pub modified: i64,
    /// Number of hard links.
    pub links: u32,
}

/// A host in memory.
#[derive(Clone, Debug, Default)]
pub struct MemorySystem {
    /// Every node by its path; parents exist.
    pub nodes: BTreeMap<String, Owned>,
    /// What a running host answers; `None` makes it a disk alone.
    pub answers: Option<Answers>,
    /// File system types by path prefix; everything else is `ext4`.
    pub file_systems: BTreeMap<String, String>,
    /// Nodes that can be looked at and whose content cannot be read, with the reason, by path.
    pub closed: BTreeMap<String, String>,
    /// Nodes that have an access control list.
    pub access_lists: BTreeSet<String>,
    /// What SQLite says, by path.
    pub sqlite: BTreeMap<String, String>,
    /// Seconds since the epoch.
    pub now: i64,
    /// Effective user id of the one who looks.
    pub caller: u32,
}

/// The events of a stream with their fields, by id.
pub type MemoryStream = BTreeMap<StreamId, Vec<(String, Vec<u8>)>>;

/// What a running host in memory answers.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Set when systemd cannot be asked.
    pub no_bus: Option<String>,
    /// systemd's word on units.
    pub units: UnitStates,
    /// The lines of each database of the name service; absent where nobody said.
    pub names: BTreeMap<String, String>,
    /// Settings in force, by unit and key.
    pub values: BTreeMap<(String, String), String>,
    /// Processes with the sockets they hold.
    pub processes: BTreeMap<u32, (Process, Vec<u64>)>,
    /// Listening sockets.
    pub listeners: Vec<Listener>,
    /// Redis servers by address.
    pub redis: BTreeMap<String, Observed<RedisAnswer>>,
    /// Other servers by address.
    pub servers: BTreeMap<String, Observed<ServerAnswer>>,
    /// Streams of the Redis servers by key.
    pub streams: BTreeMap<String, Observed<MemoryStream>>,
    /// What becomes of a python that is run, by its path.
    pub pythons: BTreeMap<String, Observed<PythonAnswer>>,
}

impl MemorySystem {
    fn below<'a>(&'a self, path: &str) -> impl Iterator<Item = &'a str> {
        let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        self.nodes
            .range(prefix.clone()..)
            .map(|(name, _)| name.as_str())
            .map_while(move |name| name.strip_prefix(&prefix))
    }
}

impl Look for MemorySystem {
    fn node(&self, path: &str) -> Observed<(Meta, Option<Arc<str>>)> {
        let Some(owned) = self.nodes.get(path) else { return Observed::Absent };
        let (kind, size, target) = match &owned.node {
            MemoryNode::Directory => (NodeKind::Directory, 4096, None),
            MemoryNode::File(bytes) => (NodeKind::File, bytes.len() as u64, None),
            MemoryNode::Link(target) => (NodeKind::Link, target.len() as u64, Some(target.clone())),
            MemoryNode::Unreadable(why) => return Observed::Unreadable(why.clone()),
        };
        let mode = if kind == NodeKind::Link { 0o777 } else { owned.mode };
        let meta = Meta {
            kind,
            uid: owned.uid,
            gid: owned.gid,
            mode,
            size,
            modified: owned.modified,
            links: owned.links,
        };
        Observed::Found((meta, target))
    }

    fn head(&self, path: &str, limit: u64) -> Observed<Vec<u8>> {
        if let Some(why) = self.closed.get(path) {
            return Observed::Unreadable(why.clone());
        }
        match self.nodes.get(path).map(|owned| &owned.node) {
            None => Observed::Absent,
            Some(MemoryNode::File(bytes)) => {
                let end = bytes.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
                Observed::Found(bytes[..end].to_vec())
            }
            Some(MemoryNode::Unreadable(why)) => Observed::Unreadable(why.clone()),
            Some(MemoryNode::Directory) => Observed::Unreadable("it is a directory".into()),
            Some(MemoryNode::Link(_)) => Observed::Unreadable("it is a symbolic link".into()),
        }
    }

    fn part(&self, path: &str, offset: u64, most: usize) -> Observed<Vec<u8>> {
        self.head(path, u64::MAX).map(|bytes| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            bytes[start..start.saturating_add(most).min(bytes.len())].to_vec()
        })
    }

    fn digest(&self, path: &str, most: u64) -> Observed<String> {
        self.read(path, most).and_then(|bytes| Observed::Found(crate::model::sha256(bytes)))
    }

    fn list(&self, path: &str) -> Observed<Vec<String>> {
        if let Some(why) = self.closed.get(path) {
            return Observed::Unreadable(why.clone());
        }
        match self.nodes.get(path).map(|owned| &owned.node) {
            Some(MemoryNode::Directory) => Observed::Found(
                self.below(path).filter(|name| !name.contains('/')).map(str::to_owned).collect(),
            ),
            Some(MemoryNode::Unreadable(why)) => Observed::Unreadable(why.clone()),
            _ => Observed::Absent,
        }
    }

    fn entries(&self, path: &str) -> Observed<Vec<Entry>> {
        let at = path.trim_end_matches('/');
        let entry = |name: String| {
            let (kind, target) = match self.nodes.get(&format!("{at}/{name}")).map(|owned| &owned.node) {
                Some(MemoryNode::File(_)) => (NodeKind::File, None),
                Some(MemoryNode::Link(target)) => (NodeKind::Link, Some(target.clone())),
                _ => (NodeKind::Directory, None),
            };
            Entry { name, kind, target }
        };
        self.list(path).map(|names| names.into_iter().map(entry).collect())
    }

    fn file_system(&self, path: &str) -> Observed<String> {
        let on = self.file_systems.iter().rfind(|(prefix, _)| path.starts_with(prefix.as_str()));
        Observed::Found(on.map_or("ext4", |(_, name)| name).to_owned())
    }

    fn has_access_list(&self, path: &str) -> bool {
        self.access_lists.contains(path)
    }

    fn is_mount_point(&self, path: &str) -> Observed<bool> {
        Observed::Found(self.file_systems.contains_key(path))
    }

    fn sqlite(&self, path: &str, check_up_to: u64) -> Observed<SqliteAnswer> {
        self.head(path, READ_HEADER).map(|bytes| {
            let header = bytes.starts_with(b"SQLite format 3\0");
            let size = self.node(path).map(|(meta, _)| meta.size);
            let quick_check = match (header, size) {
                (false, _) => Observed::Absent,
                (true, Observed::Found(size)) if size > check_up_to => Observed::Absent,
                (true, _) => Observed::Found(self.sqlite.get(path).cloned().unwrap_or_else(|| "ok".into())),
            };
            SqliteAnswer { header, quick_check }
        })
    }
}

const READ_HEADER: u64 = 16;

impl Ask for Answers {
    fn units(&self, names: &[&str]) -> Observed<UnitStates> {
        if let Some(why) = &self.no_bus {
            return Observed::Unreadable(why.clone());
        }
        let unknown = || UnitState {
            load_state: "not-found".into(),
            active_state: "inactive".into(),
            sub_state: "dead".into(),
            result: "success".into(),
            ..UnitState::default()
        };
        let state = |name: &&str| (Arc::from(*name), self.units.get(*name).cloned().unwrap_or_else(unknown));
        Observed::Found(names.iter().map(state).collect())
    }

    fn values(&self, asked: &[(&str, &str, &str)]) -> Observed<Vec<Option<String>>> {
        if let Some(why) = &self.no_bus {
            return Observed::Unreadable(why.clone());
        }
        let value =
            |(unit, _, key): &(&str, &str, &str)| self.values.get(&((*unit).into(), (*key).into())).cloned();
        Observed::Found(asked.iter().map(value).collect())
    }

    fn getent(&self, database: &str, names: &[&str]) -> Observed<String> {
        let Some(lines) = self.names.get(database) else {
            return Observed::Unreadable("the manifest does not say what the name service knows".to_owned());
        };
        // A group is known by its number, too.
        let is_asked = |line: &&str| {
            let mut fields = line.split([':', ' ']);
            let (name, number) = (fields.next(), fields.nth(1).filter(|_| database == "group"));
            names.iter().any(|asked| name == Some(asked) || number == Some(asked))
        };
        Observed::Found(lines.lines().filter(is_asked).map(|line| format!("{line}\n")).collect())
    }

    fn process(&self, pid: u32, variables: &[&str]) -> Observed<Process> {
        let Some((process, _)) = self.processes.get(&pid) else { return Observed::Absent };
        let mut process = process.clone();
        if let Observed::Found(all) = &mut process.variables {
            all.retain(|name, _| variables.contains(&name.as_ref()));
        }
        Observed::Found(process)
    }

    fn listeners(&self, port: u16) -> Observed<Vec<Listener>> {
        Observed::Found(self.listeners.iter().filter(|listener| listener.port == port).cloned().collect())
    }

    fn listening(&self, unit: &str) -> Observed<Vec<Listener>> {
        let main = self.units.get(unit).map(|state| state.main_pid);
        let held = main.and_then(|pid| self.processes.get(&pid)).map(|(_, sockets)| sockets.as_slice());
        let is_its = |listener: &&Listener| held.is_some_and(|held| held.contains(&listener.inode));
        Observed::Found(self.listeners.iter().filter(is_its).cloned().collect())
    }

    fn sockets(&self, pid: u32) -> Observed<Vec<u64>> {
        self.processes.get(&pid).map_or(Observed::Absent, |(_, sockets)| Observed::Found(sockets.clone()))
    }

    fn redis(&self, question: &RedisQuestion<'_>) -> Observed<RedisAnswer> {
        // As every resolver knows.
        let address = question.address.replace("localhost:", "127.0.0.1:");
        self.redis.get(&address).cloned().unwrap_or(Observed::Absent)
    }

    fn stream(&self, question: &StreamQuestion<'_>, each: &mut dyn FnMut(&StreamEvent<'_>)) -> Observed<u64> {
        let events = match self.streams.get(question.key) {
            None => return Observed::Absent,
            Some(Observed::Found(events)) => events,
            Some(Observed::Absent) => return Observed::Absent,
            Some(Observed::Unreadable(why)) => return Observed::Unreadable(why.clone()),
        };
        let most = usize::try_from(question.most).unwrap_or(usize::MAX);
        let newest = events.iter().rev().take_while(|(id, _)| id.ms >= question.since).take(most);
        let mut given = 0;
        for (id, fields) in newest {
            let named = |name: &&str| fields.iter().filter(|(field, _)| field == name).collect::<Vec<_>>();
            let found: Vec<_> = question.fields.iter().map(named).collect();
            let twice = found.iter().zip(question.fields).find(|(found, _)| found.len() > 1);
            let defect = twice.map(|(_, name)| format!("{name} occurs twice"));
            let values: Vec<Option<&[u8]>> =
                found.iter().map(|found| found.first().map(|(_, value)| value.as_slice())).collect();
            each(&StreamEvent { id: *id, values: &values, defect });
            given += 1;
        }
        Observed::Found(given)
    }

    fn server(&self, question: &ServerQuestion<'_>) -> Observed<ServerAnswer> {
        if let Some(answer) = self.servers.get(question.address) {
            return answer.clone();
        }
        let port = question.address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        match self.listeners.iter().any(|listener| Some(listener.port) == port) {
            true => Observed::Found(Ok(String::new())),
            false => Observed::Absent,
        }
    }

    fn pythons(&self, questions: &[PythonQuestion]) -> Vec<Observed<PythonAnswer>> {
        questions.iter().map(|question| python(self, question)).collect()
    }
}

/// What a python of the host in memory answers; it says nothing of modules that nobody asked about.
fn python(answers: &Answers, question: &PythonQuestion) -> Observed<PythonAnswer> {
    let unknown =
        || Observed::Unreadable(format!("the manifest does not say what {} does", question.program));
    answers.pythons.get(&question.program).cloned().unwrap_or_else(unknown).map(|mut answer| {
        if let Some(said) = &mut answer.said {
            said.missing.retain(|name| question.modules.contains(name));
            if said.groups.is_empty() {
                (said.uid, said.gid, said.groups) = (question.uid, question.gid, question.groups.clone());
            }
        }
        answer
    })
}

impl System for MemorySystem {
    fn ask(&self) -> Option<&dyn Ask> {
        self.answers.as_ref().map(|answers| answers as &dyn Ask)
    }

    fn host_name(&self) -> String {
        match self.read("/etc/hostname", 256) {
            Observed::Found(name) => String::from_utf8_lossy(&name).trim().to_owned(),
            _ => "memory".into(),
        }
    }

    fn now(&self) -> i64 {
        self.now
    }

    fn caller(&self) -> u32 {
        self.caller
    }
}
