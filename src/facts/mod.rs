//! What was observed on a host, as one value that can be saved, replayed and judged.
//!
//! Rules see it only through the views in [`view`]; `gather` fills it through the door to the world.

pub mod boot;
pub mod condition;
pub mod environment;
pub mod gather;
pub mod generators;
mod health;
pub mod leads;
pub mod logs;
pub mod made;
pub mod misfit;
pub mod models;
pub mod needs;
pub mod processors;
pub mod repository;
pub mod secrets;
pub mod start;
pub mod state;
pub mod telemetry;
pub mod unit;
pub mod unjudged;
pub mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::answers::{Listener, Process, PythonAnswer, RedisAnswer, ServerAnswer, SqliteAnswer};
use crate::model::{Location, Lookup, Observed, Scope};
use crate::syntax::accounts::Accounts;
use crate::syntax::redis_conf::{RedisConf, Refusal};
use crate::syntax::sudoers::Sudoers;
use crate::systemd::version::SystemdVersion;

pub use environment::EnvFileFacts;
pub use logs::LogFacts;
pub use needs::{Need, Needs};
pub use repository::RepositoryFacts;
pub use state::StateFacts;
pub use telemetry::TelemetryFacts;
pub use unit::{ProgramFacts, UnitFacts, VenvFacts, VenvScript};

/// Files of sudo by path, in the order in which sudo reads them.
pub type SudoersFiles = Vec<(Arc<str>, Sudoers)>;

/// Settings of the manager, each with the line that wins.
pub type ManagerSettings = BTreeMap<String, (String, Location)>;

/// The schema a facts file names.
pub const SCHEMA: &str = "golden.facts/1";

/// Below this number of services a second thread costs more than it saves.
const WORTH_A_THREAD: usize = 64;

/// How many threads so many services are worth.
pub fn workers(services: usize) -> usize {
    let most = services / WORTH_A_THREAD;
    // Asking how many processors there are is itself a look at a dozen files.
    if most < 2 { 1 } else { std::thread::available_parallelism().map_or(1, usize::from).min(most) }
}

/// Everything that was observed. Maps are by path or name; what is in none of them was not looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostFacts {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of golden that looked.
    pub golden: String,
    /// The host's name.
    pub host: String,
    /// Running host or a disk alone.
    pub scope: Scope,
    /// When, in seconds since the epoch.
    pub time: i64,
    /// Who looked: effective user id.
    pub caller: u32,
    /// What was looked at.
    pub gathered: Needs,
    /// The systemd version whose reading counts.
    pub systemd: Observed<SystemdVersion>,
    /// What `[Manager]` of system.conf(5) and its drop-ins states; absent when nobody looked, which is done where a
    /// demand counts systemd's own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<Observed<ManagerSettings>>,
    /// `/etc/passwd` and `/etc/group`.
    pub accounts: Observed<Accounts>,
    /// `/etc/sudoers` and the files it includes, by path.
    pub sudoers: Observed<SudoersFiles>,
    /// Walks by the path that was asked for.
    pub paths: BTreeMap<Arc<str>, Lookup>,
    /// Names in directories.
    pub listings: BTreeMap<Arc<str>, Observed<Vec<String>>>,
    /// File system types by path.
    pub file_systems: BTreeMap<Arc<str>, Observed<String>>,
    /// Whether a place is a mount point, by its path, for places that must be one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mount_points: BTreeMap<Arc<str>, Observed<bool>>,
    /// What stands in files of the layout, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<Arc<str>, Observed<FileFacts>>,
    /// What is made before services start; absent on a running host, and when nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<made::MadeFacts>,
    /// What decides about services too, and is not judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<unjudged::Unjudged>,
    /// Files and directories with an access control list, which may allow what their modes do not (acl(5)).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub access_lists: BTreeSet<Arc<str>>,
    /// Units by name.
    pub units: BTreeMap<Arc<str>, UnitFacts>,
    /// Settings that units do not state and the contract demands, as the running manager has them in force.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<Arc<str>, Values>,
    /// What the host is called, where a condition of a unit asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<condition::Names>,
    /// Where the processes of running services listen whose ports the contract states, by unit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub listening: BTreeMap<Arc<str>, Observed<Vec<Listener>>>,
    /// What processors the running host has, where a unit is bound to some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processors: Option<Observed<processors::Processors>>,
    /// What leads from the boot to units; absent when nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<boot::BootFacts>,
    /// Main processes by id.
    pub processes: BTreeMap<u32, Observed<Process>>,
    /// What running services say where their health is asked, by the service's name, in the order of the contract.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<Arc<str>, Vec<Observed<ServerAnswer>>>,
    /// Env files by path.
    pub env_files: BTreeMap<Arc<str>, Observed<EnvFileFacts>>,
    /// Programs and scripts by path.
    pub programs: BTreeMap<Arc<str>, Observed<ProgramFacts>>,
    /// The shared libraries that programs need and nobody would find, by the program's path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub libraries: BTreeMap<Arc<str>, Observed<Vec<MissingLibrary>>>,
    /// The `main` of package.json files, by their path, of directories that Node is given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mains: BTreeMap<Arc<str>, Observed<String>>,
    /// The texts of Python's path files (`*.pth`), by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub path_files: BTreeMap<Arc<str>, Observed<String>>,
    /// What does not fit the runtime that a service is started with, by its unit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub misfits: BTreeMap<Arc<str>, Observed<Vec<misfit::Misfit>>>,
    /// Venvs by path.
    pub venvs: BTreeMap<Arc<str>, Observed<VenvFacts>>,
    /// Dependencies by name.
    pub dependencies: BTreeMap<Arc<str>, DependencyFacts>,
    /// Redis servers that env files name, by `host:port`.
    #[serde(default)]
    pub named_servers: BTreeMap<Arc<str>, Observed<RedisAnswer>>,
    /// What the pythons of venvs said when they were run, by the service as whose user; only when it was asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pythons: BTreeMap<Arc<str>, Observed<PythonAnswer>>,
    /// The governed repository, where the contract has one.
    pub repository: Option<RepositoryFacts>,
    /// The journal and log rotation; absent when nobody looked.
    pub logs: Option<LogFacts>,
    /// Digests of the contract's own files; absent when nobody looked.
    pub contract_files: Option<ContractFiles>,
    /// What approves the contract; absent when nobody looked, and where no approval is demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalFacts>,
    /// golden's own record; absent when nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateFacts>,
    /// The models; absent when nobody looked, and where the contract guards none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<models::ModelFacts>,
    /// What models said; absent when nobody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<TelemetryFacts>,
}

/// Values of settings by the setting's key, as `systemctl show` prints them.
pub type Values = BTreeMap<Arc<str>, String>;

/// What was observed of something services rely on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a host has a handful of dependencies")]
pub enum DependencyFacts {
    /// A Redis server.
    Redis {
        /// Its answer; absent when the connection is refused, and on a disk alone.
        answer: Observed<RedisAnswer>,
        /// Who listens on its port.
        listeners: Observed<Vec<Listener>>,
        /// The sockets of its unit's main process.
        sockets: Observed<Vec<u64>>,
        /// The configuration file it was started with, or the usual one.
        config_file: Arc<str>,
        /// That file as written, includes in their place.
        written: Observed<RedisConf>,
        /// What the unit's next start of it fails at.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        refusals: Vec<Refusal>,
    },
    /// A database file.
    Sqlite(Observed<SqliteAnswer>),
    /// A server that is asked what it is; absent when nobody takes the connection.
    #[serde(alias = "tcp")]
    Server(Observed<Option<ServerAnswer>>),
    /// Only its unit is looked at.
    Unit,
}

/// A shared library that is in no directory that the loader looks in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingLibrary {
    /// Its name, or its path.
    pub name: String,
    /// The program or library that needs it.
    pub wanted_by: String,
}

/// What stands in a file of the layout. Its text may hold secrets and is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// sha256 in hex of its bytes.
    pub digest: String,
    /// The keys that lines begin with: `KEY` of `KEY = value`.
    pub keys: Vec<String>,
}

/// sha256 in hex of the contract's own files, as they lie on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractFiles {
    /// The file of the contract in force; absent for the built-in one.
    pub installed: Observed<String>,
    /// The file golden.toml of the governed repository.
    pub source: Observed<String>,
}

/// What approves the contract: texts as they were written. Who could write them is in the walks to their paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalFacts {
    /// The signatures that lie beside the contract.
    pub signatures: Observed<String>,
    /// The file of those who may approve.
    pub signers: Observed<String>,
}
