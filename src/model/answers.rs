//! What the live host answers when it is asked: systemd over the bus, the kernel about a process and a
//! port, Redis and SQLite by their protocols. Plain data, so that it can be saved and replayed.

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
}

/// What `systemd` says of many units: name to state.
pub type UnitStates = BTreeMap<Arc<str>, UnitState>;
