//! A test that cannot have what it needs fails. `GOLDEN_SKIP=machines,root` asks for skips by the names of the needs;
//! a skipped test says so in a line that `tools/ci/side-by-side` counts.

#![allow(dead_code, reason = "each program of tests uses its own part of this")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::panic,
    reason = "a test reads what was asked for, says what it skips, and fails by a panic"
)]

/// Whether a test is skipped, because `why` it cannot have a need and `GOLDEN_SKIP` names the need.
pub fn skips(need: &str, why: &str) -> bool {
    let asked = std::env::var("GOLDEN_SKIP").unwrap_or_default();
    assert!(
        asked.split(',').any(|word| word == need),
        "{why}: this test needs {need}; GOLDEN_SKIP={need} skips such tests"
    );
    println!("skipped: {why}");
    true
}

/// Whether a test that needs root is skipped.
pub fn without_root() -> bool {
    !rustix::process::geteuid().is_root() && skips("root", "the caller is not root")
}
