//! The contract that is part of the program: the one room that knows its words.

/// The name by which contracts extend the built-in one.
pub(super) const NAME: &str = "quantum";

/// How locations name the built-in contract.
pub(super) const PATH: &str = "quantum.toml (built in)";

/// The text of the built-in contract.
pub(super) const TEXT: &str = include_str!("quantum.toml");

/// A contract to begin with; words between `@` stand for what it is about.
pub(super) const STARTER: &str = include_str!("starter.toml");
