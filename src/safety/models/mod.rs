//! The lifecycle of models: checkpoint → shadow → canary → active → archived.
//!
//! | from | by | to |
//! |---|---|---|
//! | checkpoint | `golden model shadow` writes its digest down | shadow |
//! | shadow | `golden model canary`: the gate has passed it, the audit is clean, and a person says so | canary |
//! | canary | `golden model promote`: the same, asked anew | active; the one before it is archived |
//! | canary, active | another one takes its place, or `golden model rollback` | archived |
//! | archived | `golden model rollback` to the step that made it live | canary, active |
//!
//! [`crate::ledger::models`] is the state machine: which artefact is in which state by the ledger's entries alone. [`proof`] says
//! whether the ledger holds a verdict of the gate that counts. [`moves`] makes of a transition the changes of a plan and
//! the facts of its entry; the plan's executor carries it out.

mod asked;
pub mod moves;
pub mod proof;
pub mod watch;

pub use asked::{asked, started};
pub use moves::Move;
