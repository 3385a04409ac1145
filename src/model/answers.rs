//! What the live host answers when it is asked: systemd over the bus, the kernel about a process and a
//! port, Redis and SQLite by their protocols. Plain data, so that it can be saved and replayed.
//!
//! It lives here because `system` must not import `facts`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Observed;

/// What systemd says of a unit (org.freedesktop.systemd1(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnitState {
    /// `LoadState`: loaded, not-found, masked, bad-setting, error.
    pub load_state: String,
    /// `ActiveState`: active, inactive, failed, activating …
    pub active_state: String,
    /// `SubState`: running, dead, auto-restart …
    pub sub_state: String,
    /// `UnitFileState`: enabled, disabled, static, masked, alias …; empty when there is no file.
    pub unit_file_state: String,
    /// `NeedDaemonReload`.
    pub need_daemon_reload: bool,
    /// `FragmentPath`, empty when there is none.
    pub fragment_path: String,
    /// `DropInPaths`.
    pub drop_in_paths: Vec<String>,
    /// `MainPID`, 0 when there is none.
    pub main_pid: u32,
    /// `ExecMainStartTimestamp` in seconds since the epoch, 0 when it never ran.
    pub started: i64,
    /// `NRestarts`.
    pub restarts: u32,
    /// `Result`: success, exit-code, …
    pub result: String,
    /// `ExecMainExitTimestamp` in seconds since the epoch, 0 while it runs and when it never ran.
    #[serde(skip_serializing_if = "is_zero")]
    pub exited: i64,
    /// `ExecMainStatus`: the exit status of the last run, or the signal that ended it.
    #[serde(skip_serializing_if = "is_zero")]
    pub exit_status: i32,
    /// `ControlGroup`, empty while nothing runs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub control_group: String,
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

/// What the kernel says of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// The file it executes, `/proc/PID/exe`; ` (deleted)` stays in the text.
    pub executable: Observed<String>,
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Its working directory.
    pub working_directory: Observed<String>,
    /// Of the environment that it was started with, the variables that the contract demands; absent where nobody looked.
    #[serde(default = "nobody_looked")]
    pub variables: Observed<BTreeMap<Arc<str>, String>>,
}

/// Of a process in facts that were recorded before its environment was looked at.
fn nobody_looked() -> Observed<BTreeMap<Arc<str>, String>> {
    Observed::Absent
}

/// A listening TCP socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The address it is bound to.
    pub address: String,
    /// The port.
    pub port: u16,
    /// The socket's inode.
    pub inode: u64,
}

/// How Redis answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisAnswer {
    /// The reply to PING: `PONG` or the text of the error reply.
    pub ping: Result<String, String>,
    /// `CONFIG GET` of the asked parameters; unreadable where the command is forbidden.
    pub config: Observed<BTreeMap<String, String>>,
    /// `process_id` of `INFO server`.
    pub process_id: Observed<u32>,
    /// `config_file` of `INFO server`; empty text when it runs without one.
    pub config_file: Observed<String>,
}

/// What a server is to speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Anything: that it takes the connection is enough.
    Any,
    /// HTTP/1 (RFC 9112).
    Http {
        /// What is asked for, from the first `/` on.
        get: String,
        /// The first and the last status that count.
        statuses: (u16, u16),
    },
    /// The frontend/backend protocol 3.0 of PostgreSQL.
    Postgres {
        /// The role that must exist.
        role: Option<String>,
        /// The database that must exist.
        database: Option<String>,
    },
    /// The client/server protocol of MySQL and MariaDB, version 10.
    Mysql,
    /// AMQP 0-9-1, as RabbitMQ speaks it.
    Amqp,
    /// The text protocol of memcached.
    Memcached,
}

/// A server that is asked what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerQuestion<'a> {
    /// `host:port`, or the path of a Unix socket.
    pub address: &'a str,
    /// What it is to speak.
    pub protocol: &'a Protocol,
    /// On this host it must be a process of this unit.
    pub unit: Option<&'a str>,
    /// As whom a Unix socket is connected to, where root asks: peer authentication lets in who is called as the role is.
    pub caller: Option<Caller>,
}

/// An account by its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Its groups.
    pub groups: Vec<u32>,
}

/// What a server said that took the connection: what it is, or what it says in place of that.
pub type ServerAnswer = Result<String, String>;

/// A python that is to be run, and the account as which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonQuestion {
    /// Its path.
    pub program: String,
    /// The account's name.
    pub user: String,
    /// The account's home directory.
    pub home: String,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// All groups, the primary one first.
    pub groups: Vec<u32>,
    /// Names of top-level modules that it is to look for, without importing them.
    pub modules: Vec<String>,
    /// Directories in which it looks for them beside its own.
    pub roots: Vec<String>,
}

/// What became of a python that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonAnswer {
    /// How it ended.
    pub end: PythonEnd,
    /// What it said of itself; absent when it came to no word.
    pub said: Option<PythonSaid>,
    /// The last of what it wrote to its standard error.
    pub complaint: String,
}

/// How a python ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PythonEnd {
    /// By itself, with this exit code.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// It was ended after so many seconds.
    TimedOut(u64),
    /// The kernel does not execute it, and why.
    NotExecuted(String),
}

/// What a python says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonSaid {
    /// `3.11.2`.
    pub version: String,
    /// `sys.prefix`.
    pub prefix: String,
    /// `sys.executable`.
    pub executable: String,
    /// The user id it ran with.
    pub uid: u32,
    /// The group id it ran with.
    pub gid: u32,
    /// The supplementary groups it ran with.
    pub groups: Vec<u32>,
    /// Those of the modules that it does not find.
    pub missing: Vec<String>,
}

/// What SQLite keeps beside a database, by what comes behind its name (<https://www.sqlite.org/tempfiles.html>).
pub const BESIDE_SQLITE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What SQLite says of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqliteAnswer {
    /// The header is that of a database.
    pub header: bool,
    /// `PRAGMA quick_check`: its first line, `ok` when all is well; absent when the file is larger than
    /// the bound and was not checked.
    pub quick_check: Observed<String>,
}

/// A question to a Redis server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisQuestion<'a> {
    /// `host:port`.
    pub address: &'a str,
    /// Password, if it demands one.
    pub password: Option<&'a str>,
    /// Parameters for `CONFIG GET`.
    pub parameters: Option<&'a [&'a str]>,
    /// The unit of which the answering process must be, where it answers on this host.
    pub unit: Option<&'a str>,
    /// The contract itself names the address. To another host that only a service's environment names, no password
    /// is sent.
    pub is_stated: bool,
}

/// What `systemd` says of many units: name to state.
pub type UnitStates = BTreeMap<Arc<str>, UnitState>;

/// The id of an event of a Redis stream; written `milliseconds-sequence`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct StreamId {
    /// Milliseconds since the epoch, as the server's clock had it.
    pub ms: u64,
    /// Tells apart events of one millisecond.
    pub sequence: u64,
}

impl StreamId {
    /// The greatest id before this one.
    pub fn before(self) -> Option<Self> {
        match (self.ms, self.sequence) {
            (0, 0) => None,
            (ms, 0) => Some(Self { ms: ms - 1, sequence: u64::MAX }),
            (ms, sequence) => Some(Self { ms, sequence: sequence - 1 }),
        }
    }
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.sequence)
    }
}

impl std::str::FromStr for StreamId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        };
        let parts = text.split_once('-').and_then(|(ms, sequence)| Some((number(ms)?, number(sequence)?)));
        let (ms, sequence) = parts.ok_or_else(|| format!("{text:?} is not an id of a stream"))?;
        Ok(Self { ms, sequence })
    }
}

impl From<StreamId> for String {
    fn from(id: StreamId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for StreamId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// What is asked of a Redis stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamQuestion<'a> {
    /// The server; its parameters are not asked for.
    pub server: RedisQuestion<'a>,
    /// The stream's key.
    pub key: &'a str,
    /// The fields whose values are wanted.
    pub fields: &'a [&'a str],
    /// At most so many events, the newest.
    pub most: u64,
    /// No events before this moment, in milliseconds since the epoch.
    pub since: u64,
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEvent<'a> {
    /// Its id.
    pub id: StreamId,
    /// The values of the wanted fields, in the order of the question.
    pub values: &'a [Option<&'a [u8]>],
    /// Why the event cannot be taken as it is: a wanted field occurs twice, or it is larger than any event.
    pub defect: Option<String>,
}

/// An event with a larger value is ignored and named.
pub const MOST_STREAM_VALUE: u64 = 64 << 10;

/// An event with more than this in all its fields is ignored and named.
pub const MOST_STREAM_EVENT: u64 = 256 << 10;
