//! The tests on booted machines, in one program. `tools/ci/side-by-side` runs each test as a process of its own, as many at
//! once as the host bears.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test fails by panicking, runs programs and looks at the world itself"
)]

#[path = "../support/mod.rs"]
mod support;

mod adopt;
mod attack;
mod copy_host;
mod demands;
mod deploy;
mod fixes;
mod gate;
mod harm;
mod live_cases;
mod machine;
mod models;
mod plan;
mod reboot;
mod rehearsal;
mod second_contract;
mod servers;
mod service;
mod starts;
mod wrapper;
mod zoo;
