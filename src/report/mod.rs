//! Reports: one file a format, each a pure function of the report. None of them can change the verdict.

pub mod board;
pub mod human;
pub mod json;
pub mod preflight;
pub mod shown;

pub use crate::model::visible;
pub use shown::{Paint, Shown};
