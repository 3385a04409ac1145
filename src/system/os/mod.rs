//! The real world: a disk seen through one root directory, and the running host beside it.
#![expect(clippy::disallowed_methods, reason = "this is the door to the world")]

mod bus;
mod disk;
mod listeners;
mod live;
mod python;
mod redis;
mod sqlite;

pub use disk::DiskSystem;
pub use live::LiveHost;
pub use sqlite::empty_database;
