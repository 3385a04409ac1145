//! Section F: what guards the models that trade, score or decide.
//!
//! `gate` lets the audit judge what models said; it has no check of its own. `board` lays the figures beside their limits for
//! people, `record` writes root's verdicts into the ledger, `publish` writes the reports into the repository. `models` is
//! the lifecycle: which verdict counts, and what a transition changes.

mod board;
pub mod gate;
pub mod models;
pub mod publish;
pub mod record;

pub use gate::{Asked, Judged, Verdict};
