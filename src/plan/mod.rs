//! Plans.
pub mod snapshot;
