//! The example system on a booted machine, put there by the demo's own scripts.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a test runs programs and fails by a panic"
)]

use std::path::Path;
use std::process::{Command, Output};

use super::machine::{Bind, Machine};

/// A machine of this release with the example on it, booted; its services may still be starting.
pub fn boot(suite: &str) -> Machine {
    boot_with(suite, &[])
}

/// The same with files of this host.
pub fn boot_with(suite: &str, binds: &[Bind]) -> Machine {
    let image = text(&success(tool("image").arg(suite)).stdout);
    let mut machine = Machine::prepare(Path::new(image.trim()));
    success(tool("install").arg(env!("CARGO_BIN_EXE_golden")).env("GOLDEN_ROOT", machine.root()));
    machine.up(binds);
    machine
}

/// Waits until its four services run and trade.
pub fn wait(machine: &Machine) {
    success(tool("wait").arg(machine.name()));
}

fn tool(script: &str) -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/example").join(script))
}

fn success(command: &mut Command) -> Output {
    let output = command.output().expect("it can be run");
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    output
}

/// Bytes as a text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
