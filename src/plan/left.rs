//! What an undo has not brought back.

use std::fmt;
use std::io;

use rustix::io::Errno;

use crate::system::hand::{Hand, Refused};

/// What an undo has not brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What, and why.
    pub why: String,
    /// Only the disk kept it back, so the same undo brings it back when there is a place to write.
    pub again: bool,
}

impl Left {
    /// A program that works at a path could not bring it back. Its words are not read for the reason: what runs in a
    /// user's directory may say what the user likes.
    pub(super) fn of_program(hand: &dyn Hand, path: &str, why: String) -> Self {
        Self { why, again: !hand.has_room(path) }
    }

    /// The same, with what it is about.
    pub(super) fn about(self, what: impl fmt::Display) -> Self {
        Self { why: format!("{what}: {}", self.why), ..self }
    }
}

impl From<String> for Left {
    fn from(why: String) -> Self {
        Self { why, again: false }
    }
}

impl From<Refused> for Left {
    fn from(refused: Refused) -> Self {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let again = matches!(&refused, Refused::Io(_, error)
            if matches!(error.kind(), QuotaExceeded | ReadOnlyFilesystem | StorageFull)
                || error.raw_os_error() == Some(Errno::IO.raw_os_error()));
        Self { why: refused.to_string(), again }
    }
}
