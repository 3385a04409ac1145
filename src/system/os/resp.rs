//! The replies of Redis (RESP2) as a stream of pieces, read through a buffer of a fixed size: a reply is never held, so a
//! value of any size can be passed over.

use std::io::{Error, ErrorKind, Read, Result};
use std::ops::Range;

/// What a reply, or a part of one, begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// An array of so many parts.
    Array(u64),
    /// A text of so many bytes, which follow.
    Bulk(u64),
    /// Nothing.
    Nil,
    /// A word of the server.
    Simple(String),
    /// An error of the server.
    Error(String),
}

/// Nothing but an error of the server has a longer line.
const LONGEST_LINE: usize = 512;

/// Reads replies.
pub(super) struct Replies<R> {
    from: R,
    buffer: Box<[u8]>,
    at: usize,
    end: usize,
}

impl<R: Read> Replies<R> {
    /// Reads from here on, through a buffer of so many bytes.
    pub(crate) fn new(from: R, room: usize) -> Self {
        Self { from, buffer: vec![0; room].into(), at: 0, end: 0 }
    }

    /// What is asked next goes out here.
    pub(crate) fn line(&mut self) -> &mut R {
        &mut self.from
    }

    fn fill(&mut self) -> Result<()> {
        (self.at, self.end) = (0, 0);
        self.end = loop {
            match self.from.read(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if self.end == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// What comes next.
    pub(crate) fn head(&mut self) -> Result<Head> {
        if let Some(line) = self.line_here() {
            return head(&self.buffer[line]);
        }
        let mut short = [0; LONGEST_LINE];
        let length = self.text_of_line(&mut short)?;
        head(&short[..length])
    }

    /// A line without its end, where all of it is in the buffer: nearly every line is.
    fn line_here(&mut self) -> Option<Range<usize>> {
        let (start, most) = (self.at, self.end.min(self.at + LONGEST_LINE));
        let end = start + self.buffer[start..most].iter().position(|byte| *byte == b'\n')?;
        self.at = end + 1;
        Some(start..end - usize::from(end > start && self.buffer[end - 1] == b'\r'))
    }

    /// A line without its end; what an error has beyond the room is dropped.
    fn text_of_line(&mut self, short: &mut [u8; LONGEST_LINE]) -> Result<usize> {
        let mut length = 0;
        loop {
            if self.at == self.end {
                self.fill()?;
            }
            let byte = self.buffer[self.at];
            self.at += 1;
            match byte {
                b'\n' => return Ok(length - usize::from(length > 0 && short[length - 1] == b'\r')),
                _ if length < LONGEST_LINE => {
                    short[length] = byte;
                    length += 1;
                }
                _ if short[0] == b'-' => {}
                _ => return Err(wrong("a line without end")),
            }
        }
    }

    /// Puts the bytes of a text behind those of `into`.
    pub(crate) fn take(&mut self, bytes: u64, into: &mut Vec<u8>) -> Result<()> {
        self.each_piece(bytes, |piece| into.extend_from_slice(piece))
    }

    /// Passes over the bytes of a text.
    pub(crate) fn skip(&mut self, bytes: u64) -> Result<()> {
        self.each_piece(bytes, |_| {})
    }

    fn each_piece(&mut self, bytes: u64, mut each: impl FnMut(&[u8])) -> Result<()> {
        let mut left = bytes;
        while left > 0 {
            if self.at == self.end {
                self.fill()?;
            }
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(self.end - self.at);
            each(&self.buffer[self.at..self.at + here]);
            self.at += here;
            left -= here as u64;
        }
        let rest = match self.line_here() {
            Some(line) => line.len(),
            None => self.text_of_line(&mut [0; LONGEST_LINE])?,
        };
        if rest == 0 { Ok(()) } else { Err(wrong("a text that does not end where it says")) }
    }
}

/// What a line says.
fn head(line: &[u8]) -> Result<Head> {
    let Some((kind, text)) = line.split_first() else { return Err(wrong("an empty line")) };
    let words = || String::from_utf8_lossy(text).into_owned();
    match kind {
        b'*' | b'$' if text == b"-1" => Ok(Head::Nil),
        b'*' => Ok(Head::Array(number(text)?)),
        b'$' => Ok(Head::Bulk(number(text)?)),
        b'+' => Ok(Head::Simple(words())),
        b'-' => Ok(Head::Error(words())),
        b':' => Ok(Head::Simple(words())),
        _ => Err(wrong("an unknown kind of reply")),
    }
}

fn number(text: &[u8]) -> Result<u64> {
    let add = |number: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    let found = text.iter().try_fold(0, add).filter(|_| !text.is_empty());
    found.ok_or_else(|| wrong("a length that is not a number"))
}

/// What comes is not Redis's protocol.
pub(super) fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("the reply holds {what}, which is not Redis's protocol"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(text: &str, room: usize) -> Replies<&[u8]> {
        Replies::new(text.as_bytes(), room)
    }

    #[test]
    fn pieces_come_whole_whatever_the_room() {
        for room in [1, 2, 7, 4096] {
            let mut replies = replies("*2\r\n$5\r\na\r\nbc\r\n$-1\r\n+OK\r\n-ERR no\r\n", room);
            assert_eq!(replies.head().unwrap(), Head::Array(2));
            assert_eq!(replies.head().unwrap(), Head::Bulk(5));
            let mut text = Vec::new();
            replies.take(5, &mut text).unwrap();
            assert_eq!(text, b"a\r\nbc");
            assert_eq!(replies.head().unwrap(), Head::Nil);
            assert_eq!(replies.head().unwrap(), Head::Simple("OK".into()));
            assert_eq!(replies.head().unwrap(), Head::Error("ERR no".into()));
            assert!(replies.head().is_err());
        }
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for text in ["", "\r\n", "*x\r\n", "$99999999999999999999\r\n", "$-2\r\n", "HTTP/1.1 400\r\n"] {
            assert!(replies(text, 64).head().is_err(), "{text:?}");
        }
        assert!(replies(&"+".repeat(9_999), 64).head().is_err());
        let mut short = replies("$3\r\nabcd\r\n", 64);
        assert_eq!(short.head().unwrap(), Head::Bulk(3));
        assert!(short.skip(3).is_err());
    }
}
