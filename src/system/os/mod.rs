//! The real world: a disk seen through one root directory, and the running host beside it.
#![expect(clippy::disallowed_methods, reason = "this is the door to the world")]

mod bus;
mod child;
mod disk;
mod environ;
mod getent;
mod line;
mod listeners;
mod live;
mod names;
mod owner;
mod python;
mod redis;
mod resp;
mod servers;
mod sqlite;
mod stream;

pub use disk::DiskSystem;
pub use live::LiveHost;
pub use redis::redis_says;
pub use sqlite::{empty_database, sqlite_number};
