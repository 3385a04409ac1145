//! Reports: one file a format, each a pure function of the report. None of them can change the verdict.

pub mod human;
pub mod json;
pub mod preflight;
