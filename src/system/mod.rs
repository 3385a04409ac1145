//! The one door to the world. Nothing else in the library opens a file, starts a process or a connection.
//!
//! It has two leaves for an audit: [`Look`] for what a disk shows, the same for a running host, a mounted
//! root and a host in memory; and [`Ask`] for what only a running host answers. (Changing a host is a third
//! leaf that belongs to plans alone.)

pub mod act;
pub mod manifest;
pub mod memory;
pub mod os;
pub mod walk;

use std::sync::Arc;

use crate::model::answers::{
    Listener, Process, PythonAnswer, PythonQuestion, RedisAnswer, RedisQuestion, SqliteAnswer, UnitStates,
};
use crate::model::{Entry, Meta, Observed, Scope};

pub use memory::MemorySystem;
pub use os::DiskSystem;
pub use walk::Walker;

/// The largest file that is read whole, in bytes. Units and env files are a few KiB.
pub const READ_LIMIT: u64 = 8 << 20;

/// Looks at files. Every path is absolute, inside the root, and contains no link in any component but the
/// last: [`Walker`] resolves links.
pub trait Look: Sync {
    /// `lstat(2)`, and the link's text for a link.
    fn node(&self, path: &str) -> Observed<(Meta, Option<Arc<str>>)>;
    /// The bytes of a regular file, at most `limit` from its start.
    fn read(&self, path: &str, limit: u64) -> Observed<Vec<u8>>;
    /// The names in a directory, sorted.
    fn list(&self, path: &str) -> Observed<Vec<String>>;
    /// The same with the kind of each and the text of links, which are not followed.
    fn entries(&self, path: &str) -> Observed<Vec<Entry>>;
    /// The type of the file system a path lies on, as statfs(2) knows it: `tmpfs`, `ext4` …
    fn file_system(&self, path: &str) -> Observed<String>;
    /// Opens the SQLite database at a path read-only and checks it when it has at most `check_up_to` bytes.
    fn sqlite(&self, path: &str, check_up_to: u64) -> Observed<SqliteAnswer>;
}

/// Asks a running host.
pub trait Ask: Sync {
    /// What systemd says of these units; a unit that it does not know has the load state `not-found`.
    fn units(&self, names: &[&str]) -> Observed<UnitStates>;
    /// What the kernel says of a process.
    fn process(&self, pid: u32) -> Observed<Process>;
    /// The listening TCP sockets on a port, both families.
    fn listeners(&self, port: u16) -> Observed<Vec<Listener>>;
    /// The inodes of the sockets a process holds.
    fn sockets(&self, pid: u32) -> Observed<Vec<u64>>;
    /// Asks a Redis server; absent when the connection is refused, unreadable when nothing answers.
    fn redis(&self, question: &RedisQuestion<'_>) -> Observed<RedisAnswer>;
    /// Whether something accepts a TCP connection at `host:port`.
    fn tcp(&self, address: &str) -> Observed<()>;
    /// Runs these pythons, each as its account, and hears what each says of itself. The one exception from the rule
    /// that nothing is run to look at a host: it is made when somebody asks for it in so many words, and never else.
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
