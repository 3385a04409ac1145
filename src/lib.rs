//! `golden` holds services on systemd hosts against a written contract.
//!
//! One value flows through the house: a contract and the facts of a host meet in the rules, the rules
//! give outcomes, the policy applies waivers, and the report's verdict is the exit code. See
//! ARCHITECTURE.md for the map and for who may import whom.

pub mod adopt;
pub mod audit;
pub mod cli;
pub mod contract;
pub mod facts;
pub mod ledger;
pub mod model;
pub mod operate;
pub mod plan;
pub mod policy;
pub mod rehearse;
pub mod render;
pub mod report;
pub mod rules;
pub mod run;
pub mod safety;
pub mod statistics;
pub mod syntax;
pub mod system;
pub mod systemd;

/// How the tests of this library say that they are skipped; the programs in tests/ have the same file.
#[cfg(test)]
#[allow(unreachable_pub, reason = "the programs in tests/ reach it")]
#[path = "../tests/support/skip.rs"]
mod skip;
