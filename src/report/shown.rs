//! Text that a terminal may be given. It is the only thing that the command line prints, and it cannot be made of a
//! value without the value's controls becoming escapes: colours and ends of lines are golden's own alone.
//!
//! `write!` into a [`Shown`] escapes newlines too, so only golden can end a line. A plain string passes as whole lines;
//! the values in it are made visible one by one. Only `cli/output.rs` may name stdout and stderr (`clippy.toml`).

use std::fmt;

use crate::model::{visible, visible_json, visible_lines};

/// Colours and weights, by their number in an escape sequence.
#[derive(Clone, Copy, Debug)]
pub enum Paint {
    /// Headings.
    Bold = 1,
    /// What matters less.
    Dim = 2,
    /// Violations.
    Red = 31,
    /// Passes.
    Green = 32,
    /// Warnings.
    Yellow = 33,
    /// What is undecided.
    Magenta = 35,
    /// What is waived.
    Cyan = 36,
}

/// Text that steers a terminal only as golden means it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// JSON: the characters that a terminal obeys are `\u` escapes in its strings.
    pub fn json(text: &str) -> Self {
        Self(visible_json(text).into_owned())
    }

    /// Adds text to the line. A newline in it is an escape, too: see [`end_line`](Self::end_line).
    pub fn push(&mut self, text: &str) {
        self.0.push_str(&visible(text));
    }

    /// Adds text in a colour, where colours are wanted.
    pub fn paint(&mut self, text: &str, paint: Option<Paint>) {
        match paint {
            None => self.push(text),
            Some(paint) => {
                self.0.push_str(&format!("\x1b[{}m", paint as u8));
                self.push(text);
                self.0.push_str("\x1b[0m");
            }
        }
    }

    /// Adds so many blanks.
    pub fn blanks(&mut self, count: usize) {
        self.0.extend(std::iter::repeat_n(' ', count));
    }

    /// Ends the line.
    pub fn end_line(&mut self) {
        self.0.push('\n');
    }

    /// Adds a whole line.
    pub fn line(&mut self, line: fmt::Arguments<'_>) {
        let _ = fmt::Write::write_fmt(self, line);
        self.end_line();
    }

    /// Adds a text that was made [`Shown`] elsewhere.
    pub fn append(&mut self, other: &Shown) {
        self.0.push_str(&other.0);
    }

    /// What is printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `write!` adds to the line; a newline in the format or in a value becomes an escape.
impl fmt::Write for Shown {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

impl std::ops::Deref for Shown {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text of whole lines. Values in it that somebody else chose were made [`visible`] one by one, so that they
/// bring no lines of their own.
impl From<&str> for Shown {
    fn from(text: &str) -> Self {
        Self(visible_lines(text).into_owned())
    }
}

impl From<&String> for Shown {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&Shown> for Shown {
    fn from(shown: &Shown) -> Self {
        shown.clone()
    }
}

impl From<Shown> for String {
    fn from(shown: Shown) -> Self {
        shown.0
    }
}
