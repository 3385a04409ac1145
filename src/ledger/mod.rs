//! The append-only record of what golden did to a host: one line of JSON an entry, each with the digest of the one before
//! it.
//!
//! A line that a kill or a full disk cut off is kept aside, cut, and said. A chain that somebody broke stops new changes
//! until a person accepts a new head ([`repair`]); it never stops a rollback or an undo.

pub mod anchor;
mod canonical;
mod chain;
mod entry;
mod file;
mod known;
pub mod models;
pub mod outside;

pub use chain::{Broken, Chain, End, Line, each, line, read};
pub use entry::{By, Entry, Event, Who};
pub use file::{Appended, Damage, Mode, Repaired, Settled, append, append_all, damage, load, repair, settle};

/// Where it lies.
pub const LEDGER: &str = "/var/lib/golden/ledger.jsonl";

/// The longest ledger that is read, in bytes: some hundred thousand entries.
pub const MOST: u64 = 64 << 20;
