//! What systemd makes of units: the effective unit, values and defaults by version, command lines, environment, calendar.
//!
//! Nothing in here does IO or knows a contract. The text of unit files comes from [`crate::syntax`]; what a host holds
//! is handed in.

pub mod calendar;
pub mod command_line;
pub mod defaults;
pub mod effective;
pub mod environment;
pub mod known;
pub mod search;
pub mod specifier;
pub mod unit_name;
pub mod value;
pub mod version;
