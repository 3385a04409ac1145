//! Why a verb could not be carried out, and the way out.

use std::fmt;

use crate::model::{visible, visible_lines};

/// An error for a person: what is wrong, where, and what to do.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// What is wrong, on one line whatever is quoted in it.
    pub fn new(message: impl AsRef<str>) -> Self {
        Self { message: visible(message.as_ref()).into_owned(), hint: None }
    }

    /// The same for a text of several lines, in which every value was made visible.
    pub fn listing(text: impl AsRef<str>) -> Self {
        Self { message: visible_lines(text.as_ref()).into_owned(), hint: None }
    }

    /// What is wrong alone, to stand within another message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hint = Some(visible(hint.as_ref()).into_owned());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  try: {hint}")?;
        }
        Ok(())
    }
}
