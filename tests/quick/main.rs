//! The tests that need no machine, in one program. `tools/ci/side-by-side` runs each file as a process of its own.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test fails by panicking, runs programs and looks at the world itself"
)]

#[allow(dead_code, reason = "the tests on machines use more of it")]
#[path = "../support/mod.rs"]
mod support;

mod approval;
mod architecture;
mod change_shell;
mod cli;
mod docs;
mod field;
mod fuzz_corpus;
mod gate_recorded;
mod linear;
mod makefile_against_make;
mod oracle_calendar;
mod oracle_drop_ins;
mod oracle_env;
mod oracle_start;
mod oracle_units;
mod replay;
mod secrets;
mod shell_reading;
mod statistics;
mod syntax_never_panics;
mod unjudged;
mod waivers;
