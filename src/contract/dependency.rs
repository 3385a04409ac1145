//! Section E: what services rely on.

use std::sync::Arc;

use crate::model::answers::Protocol;
use crate::model::{Location, Stated};

/// Section E: something services rely on.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: DependencyKind,
    /// The systemd unit that provides it.
    pub unit: Option<Stated<String>>,
    /// Where it is written.
    pub at: Location,
}

/// The kinds of dependency.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a contract has a handful of them")]
pub enum DependencyKind {
    /// A Redis server.
    Redis {
        /// `host:port`.
        address: Stated<String>,
        /// It must persist with an append-only file.
        append_only: Option<Stated<bool>>,
        /// It must listen on loopback only.
        loopback_only: Option<Stated<bool>>,
        /// Env file and key of its password.
        password: Option<(Stated<String>, Stated<String>)>,
        /// The variables in which services find its host and its port.
        named_by: Option<(Stated<String>, Stated<String>)>,
    },
    /// An SQLite database file.
    Sqlite {
        /// Its path.
        path: Stated<String>,
        /// Demanded owner.
        owner: Option<Stated<String>>,
        /// Largest file in bytes on which `quick_check` is run.
        check_up_to: u64,
    },
    /// A server that must say what it is.
    Server {
        /// `host:port`, or the path of a Unix socket.
        address: Stated<String>,
        /// What it must speak.
        protocol: Protocol,
    },
    /// A unit that must be active.
    Unit,
}

impl DependencyKind {
    /// The word of the contract for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Redis { .. } => "redis",
            Self::Sqlite { .. } => "sqlite",
            Self::Unit => "unit",
            Self::Server { address, protocol: Protocol::Any } if address.value.starts_with('/') => "unix",
            Self::Server { protocol, .. } => match protocol {
                Protocol::Any => "tcp",
                Protocol::Http { .. } => "http",
                Protocol::Postgres { .. } => "postgres",
                Protocol::Mysql => "mysql",
                Protocol::Amqp => "rabbitmq",
                Protocol::Memcached => "memcached",
            },
        }
    }
}
