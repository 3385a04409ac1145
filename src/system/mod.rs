//! The one door to the world. Nothing else in the library opens a file, starts a process or a connection.
//!
//! It has two leaves for an audit: [`Look`] for what a disk shows, the same for a running host, a mounted
//! root and a host in memory; and [`Ask`] for what only a running host answers. (Changing a host is a third
//! leaf that belongs to plans alone.)
//!
//! A limit makes a look unreadable, never short: [`Look::read`] gives all of a file or says that it is too long, and
//! `head` is for the beginning of one. A directory has at most `MOST_NAMES` names. Readers of files that include others
//! have a `Room` for their sum, the libraries of a program a bound on objects, paths and time, and the searches in a
//! repository one `Budget` of directories, names, bytes and time. Trees of other users are searched last, within three
//! seconds, and what is not read there decides nothing.

pub mod act;
pub mod booted;
pub mod hand;
pub mod journald;
pub mod manifest;
pub mod memory;
pub mod mounts;
pub mod os;
pub mod partial;
pub mod state;
mod strays;
pub mod walk;

use std::sync::Arc;

use crate::model::answers::{
    Listener, Process, PythonAnswer, PythonQuestion, RedisAnswer, RedisQuestion, ServerAnswer,
    ServerQuestion, SqliteAnswer, StreamEvent, StreamQuestion, UnitStates,
};
use crate::model::{Entry, Meta, Observed, Scope};

pub use memory::MemorySystem;
pub use os::DiskSystem;
pub use walk::Walker;

/// The largest file that is read whole, in bytes: a table of accounts, a contract of ten thousand services.
pub const READ_LIMIT: u64 = 8 << 20;

/// The largest text of a person that is read: units, env files and scripts are a few KiB.
pub const TEXT_LIMIT: u64 = 1 << 20;

/// How many names of one directory are read, and how many bytes of names. Ten thousand units lie in one directory;
/// a directory with more than this was made to keep an audit busy.
pub const MOST_NAMES: usize = 100_000;
/// See [`MOST_NAMES`].
pub const MOST_NAME_BYTES: usize = 8 << 20;

/// Why a file that is longer than the limit is not judged: what stands behind the limit counts as much.
pub(crate) fn too_long<T>(limit: u64) -> Observed<T> {
    Observed::Unreadable(format!("it holds more than {limit} bytes"))
}

/// Why a directory is not judged that was not read to its end.
pub(crate) fn too_many<T>() -> Observed<T> {
    Observed::Unreadable(format!("it holds more than {MOST_NAMES} names"))
}

/// Looks at files. Every path is absolute, inside the root, and contains no link in any component but the
/// last: [`Walker`] resolves links.
pub trait Look: Sync {
    /// `lstat(2)`, and the link's text for a link.
    fn node(&self, path: &str) -> Observed<(Meta, Option<Arc<str>>)>;
    /// All bytes of a regular file; unreadable where it has more than `limit`.
    fn read(&self, path: &str, limit: u64) -> Observed<Vec<u8>> {
        self.head(path, limit.saturating_add(1)).and_then(|bytes| match bytes.len() as u64 > limit {
            true => too_long(limit),
            false => Observed::Found(bytes),
        })
    }
    /// The first bytes of a regular file, at most so many: for what stands at its start alone.
    fn head(&self, path: &str, most: u64) -> Observed<Vec<u8>>;
    /// Bytes of a regular file from an offset on, at most so many; fewer at its end.
    fn part(&self, path: &str, offset: u64, most: usize) -> Observed<Vec<u8>>;
    /// sha256 in hex of a regular file; unreadable where it has more than `most` bytes.
    fn digest(&self, path: &str, most: u64) -> Observed<String>;
    /// The names in a directory, sorted; unreadable where there are more than [`MOST_NAMES`].
    fn list(&self, path: &str) -> Observed<Vec<String>>;
    /// The same with the kind of each and the text of links, which are not followed.
    fn entries(&self, path: &str) -> Observed<Vec<Entry>>;
    /// The type of the file system a path lies on, as statfs(2) knows it: `tmpfs`, `ext4` …
    fn file_system(&self, path: &str) -> Observed<String>;
    /// Whether an access control list says more of a path than its mode (acl(5)); false where that cannot be seen.
    fn has_access_list(&self, path: &str) -> bool;
    /// Whether something is mounted at a path.
    fn is_mount_point(&self, path: &str) -> Observed<bool>;
    /// Opens the SQLite database at a path read-only and checks it when it has at most `check_up_to` bytes.
    fn sqlite(&self, path: &str, check_up_to: u64) -> Observed<SqliteAnswer>;
}

/// Asks a running host.
pub trait Ask: Sync {
    /// What systemd says of these units; a unit that it does not know has the load state `not-found`.
    fn units(&self, names: &[&str]) -> Observed<UnitStates>;
    /// What systemd has in force of settings, each given by unit, section and key, as `systemctl show` prints it; `None` where
    /// it shows no such setting, or not as one word.
    fn values(&self, asked: &[(&str, &str, &str)]) -> Observed<Vec<Option<String>>>;
    /// What the host's name service says of these names: the lines that getent(1) prints of those that are known.
    fn getent(&self, database: &str, names: &[&str]) -> Observed<String>;
    /// What the kernel says of a process, and of its environment these variables alone.
    fn process(&self, pid: u32, variables: &[&str]) -> Observed<Process>;
    /// The listening TCP sockets on a port, both families.
    fn listeners(&self, port: u16) -> Observed<Vec<Listener>>;
    /// The listening TCP sockets of the processes of a unit, both families.
    fn listening(&self, unit: &str) -> Observed<Vec<Listener>>;
    /// The inodes of the sockets a process holds.
    fn sockets(&self, pid: u32) -> Observed<Vec<u64>>;
    /// Asks a Redis server; absent when the connection is refused, unreadable when nothing answers.
    fn redis(&self, question: &RedisQuestion<'_>) -> Observed<RedisAnswer>;
    /// Reads a Redis stream from its newest event back, each event once and none kept; how many there were. Absent when
    /// the server has no such key; unreadable when it gives no answer, not all of them, or is not the one that should
    /// answer.
    fn stream(&self, question: &StreamQuestion<'_>, each: &mut dyn FnMut(&StreamEvent<'_>)) -> Observed<u64>;
    /// Asks a server what it is, by its own protocol; absent when nobody takes the connection, unreadable when nothing
    /// answers in time or another process does.
    fn server(&self, question: &ServerQuestion<'_>) -> Observed<ServerAnswer>;
    /// Runs these pythons, each as its account, and hears what each says of itself. No other program of a user's is run to
    /// look at a host, and these only when somebody asks for it in so many words.
    fn pythons(&self, questions: &[PythonQuestion]) -> Vec<Observed<PythonAnswer>>;
}

/// A host that can be looked at and, when it runs, asked.
pub trait System: Look {
    /// The live host's answers; `None` for a disk alone.
    fn ask(&self) -> Option<&dyn Ask>;
    /// The host's name.
    fn host_name(&self) -> String;
    /// Seconds since the epoch.
    fn now(&self) -> i64;
    /// Who is looking: effective user id.
    fn caller(&self) -> u32;

    /// Whether the host runs or is a disk alone.
    fn scope(&self) -> Scope {
        if self.ask().is_some() { Scope::Live } else { Scope::Root }
    }
}

/// A host of which some looks are answered otherwise. What it says of itself stays as it is.
pub trait Layer: Look {
    /// The host itself.
    fn host(&self) -> &dyn System;
}

impl<T: Layer> System for T {
    fn ask(&self) -> Option<&dyn Ask> {
        self.host().ask()
    }

    fn host_name(&self) -> String {
        self.host().host_name()
    }

    fn now(&self) -> i64 {
        self.host().now()
    }

    fn caller(&self) -> u32 {
        self.host().caller()
    }
}
