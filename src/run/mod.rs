//! The wrapper: an ops job runs under the contract or not at all.
//!
//! One call flows through these rooms in this order: what was asked for ([`call`]), who it runs as
//! ([`identity`]), whether everything is as the contract says ([`preflight`], the audit's own rules over a
//! contract of one service), what it will find in its environment ([`environment`]), that it runs once
//! ([`lock`]), what is remembered of it ([`journal`]), and the start itself ([`process`], or [`as_unit`] for a
//! transient unit). Whatever fails on the way starts nothing.
//!
//! The wrapper keeps a small system-call module of its own: it changes what the process *is*, which no other
//! part of the program may.

pub mod as_unit;
pub mod call;
pub mod environment;
pub mod identity;
pub mod journal;
pub mod lock;
pub mod preflight;
pub mod process;

/// Why nothing was started, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong, where.
    pub why: String,
    /// What to do about it.
    pub way_out: Option<String>,
}

impl Refusal {
    /// A refusal with its reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), way_out: None }
    }

    /// The way out of it.
    #[must_use]
    pub fn way_out(mut self, way_out: impl Into<String>) -> Self {
        self.way_out = Some(way_out.into());
        self
    }
}
