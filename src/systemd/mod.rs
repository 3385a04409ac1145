//! What systemd makes of units: the effective unit, values and defaults by version, command lines, environment, calendar.
//!
//! Nothing in here does IO or knows a contract. The text of unit files comes from [`crate::syntax`]; what a host holds
//! is handed in.
//!
//! What this room claims of systemd is measured: `tests/oracle/` holds what a booted systemd made of nasty units and
//! env files (`tools/measure-oracle`, `tools/measure-calendar`, `tools/measure-defaults` ask one again), and
//! `tests/machines/zoo.rs` compares every unit of a Debian full of daemons.

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
