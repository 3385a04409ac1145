//! One unit file or drop-in: text to assignments with their lines, by the grammar of systemd.syntax(7) as a
//! live systemd 252 and 257 applies it.

use std::sync::Arc;

use super::utf8;

/// A unit file or drop-in as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFile {
    /// Its path, for locations.
    pub path: Arc<str>,
    /// Section headers in order, each with its line. Whether systemd takes any name for one depends on its version
    /// ([`has_unsafe_characters`]).
    pub headers: Vec<(Arc<str>, u32)>,
    /// Assignments in order.
    pub entries: Vec<Entry>,
    /// What systemd ignores with a warning.
    pub notes: Vec<Note>,
    /// What makes systemd give up on the file.
    pub fatal: Option<Note>,
    /// True for a file of zero bytes, which masks a unit.
    pub empty: bool,
}

/// One assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The section it stands in.
    pub section: Arc<str>,
    /// The setting.
    pub key: String,
    /// The value, continuation lines joined and blanks trimmed.
    pub value: String,
    /// The line it begins on, from 1.
    pub line: u32,
}

/// A line that is not what its writer meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The line, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub kind: NoteKind,
    /// The line's text.
    pub text: String,
}

/// What can be wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// A line without `=`.
    NoAssignment,
    /// An assignment before the first section.
    OutsideSection,
    /// `[Service`, `[Service] # x`, or quotes and backslashes in the name: the file is refused.
    BrokenHeader,
    /// Bytes that are not UTF-8: the file is refused.
    NotUtf8,
    /// A line of 1 MiB: the file is refused.
    LineTooLong,
    /// `=value`.
    NoKey,
}

impl NoteKind {
    /// What systemd does about it.
    pub fn words(self) -> &'static str {
        match self {
            NoteKind::NoAssignment => "a line without = is ignored",
            NoteKind::OutsideSection => "an assignment before the first section is ignored",
            NoteKind::BrokenHeader => "a broken section header: the rest of the file is not read",
            NoteKind::NotUtf8 => "it is not UTF-8: the rest of the file is not read",
            NoteKind::LineTooLong => "the line is as long as 1 MiB: the rest of the file is not read",
            NoteKind::NoKey => "an assignment without a key is ignored",
        }
    }
}

/// Whether a section's name holds a control character, a quote or a backslash.
pub fn has_unsafe_characters(section: &str) -> bool {
    section.contains(|c: char| c.is_ascii_control() || matches!(c, '"' | '\'' | '\\'))
}

/// systemd's bound for one line: it takes less than this.
const LONGEST_LINE: usize = 1 << 20;

/// What systemd trims. A no-break space or a form feed is part of the value.
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// Reads a unit file. Never fails: what systemd refuses is in `fatal`, with all that came before it.
pub fn parse(path: &Arc<str>, bytes: &[u8]) -> UnitFile {
    let mut reader = Reader {
        file: UnitFile {
            path: path.clone(),
            headers: Vec::new(),
            entries: Vec::new(),
            notes: Vec::new(),
            fatal: None,
            empty: bytes.is_empty(),
        },
        section: None,
        pending: None,
        mark_seen: false,
    };
    let mut rest = bytes;
    let mut number = 1_u32;
    while !rest.is_empty() {
        let (line, after) = first_line(rest);
        let read = &rest[..rest.len() - after.len()];
        if reader.physical_line(number, line).is_err() {
            return reader.file;
        }
        let newlines = read.iter().filter(|byte| **byte == b'\n').count();
        number = number.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
        rest = after;
    }
    let _ = reader.finish_pending();
    reader.file
}

/// The first line and what follows it. A line ends at a line feed, a carriage return or a NUL, or at several
/// different ones of them in a row; a NUL ends the row.
fn first_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r' | 0);
    let end = bytes.iter().position(is_end).unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at(end);
    let mut ends = 0;
    for byte in rest.iter().take(3) {
        let row = &rest[..ends];
        if !is_end(byte) || row.contains(byte) || row.contains(&0) {
            break;
        }
        ends += 1;
    }
    (line, &rest[ends..])
}

/// The file is given up.
struct GivenUp;

struct Reader {
    file: UnitFile,
    section: Option<Arc<str>>,
    /// A logical line that ended in a backslash so far, and the line it began on.
    pending: Option<(u32, Vec<u8>)>,
    /// The byte order mark has been passed over; a second one is text.
    mark_seen: bool,
}

impl Reader {
    fn physical_line(&mut self, number: u32, mut line: &[u8]) -> Result<(), GivenUp> {
        if line.len() >= LONGEST_LINE {
            return self.give_up(number, NoteKind::LineTooLong, "");
        }
        // A comment is dropped as a line, inside a continuation too; its own backslash means nothing, and
        // neither do bytes that are not UTF-8.
        let first = line.iter().find(|byte| !BLANKS.contains(&char::from(**byte)));
        if matches!(first, Some(b'#' | b';')) {
            return Ok(());
        }
        if !self.mark_seen
            && let Some(rest) = line.strip_prefix(b"\xef\xbb\xbf")
        {
            self.mark_seen = true;
            line = rest;
        }
        let (text, continued) = continuation(line);
        match &mut self.pending {
            Some((_, pending)) => {
                if pending.len() + line.len() > LONGEST_LINE {
                    return self.give_up(number, NoteKind::LineTooLong, "");
                }
                pending.extend_from_slice(text);
            }
            None => self.pending = Some((number, text.to_owned())),
        }
        if continued {
            // The backslash and the newline become one blank.
            if let Some((_, pending)) = &mut self.pending {
                pending.push(b' ');
            }
            return Ok(());
        }
        self.finish_pending()
    }

    fn finish_pending(&mut self) -> Result<(), GivenUp> {
        let Some((number, bytes)) = self.pending.take() else { return Ok(()) };
        match utf8::text(bytes) {
            Ok(line) => self.logical_line(number, line.trim_matches(BLANKS)),
            Err(bytes) => self.give_up(number, NoteKind::NotUtf8, &String::from_utf8_lossy(&bytes)),
        }
    }

    fn logical_line(&mut self, number: u32, line: &str) -> Result<(), GivenUp> {
        if line.is_empty() {
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix('[') {
            return match rest.strip_suffix(']') {
                Some(name) => {
                    let name: Arc<str> = name.into();
                    self.file.headers.push((name.clone(), number));
                    self.section = Some(name);
                    Ok(())
                }
                None => self.give_up(number, NoteKind::BrokenHeader, line),
            };
        }
        let Some((key, value)) = line.split_once('=') else {
            self.note(number, NoteKind::NoAssignment, line);
            return Ok(());
        };
        let key = key.trim_end_matches(BLANKS);
        match &self.section {
            None => self.note(number, NoteKind::OutsideSection, line),
            Some(_) if key.is_empty() => self.note(number, NoteKind::NoKey, line),
            Some(section) => self.file.entries.push(Entry {
                section: section.clone(),
                key: key.to_owned(),
                value: value.trim_start_matches(BLANKS).to_owned(),
                line: number,
            }),
        }
        Ok(())
    }

    fn note(&mut self, line: u32, kind: NoteKind, text: &str) {
        self.file.notes.push(Note { line, kind, text: shortened(text) });
    }

    fn give_up(&mut self, line: u32, kind: NoteKind, text: &str) -> Result<(), GivenUp> {
        self.file.fatal = Some(Note { line, kind, text: shortened(text) });
        Err(GivenUp)
    }
}

/// The line without its continuation backslash, and whether it had one: an odd number of backslashes ends it.
fn continuation(line: &[u8]) -> (&[u8], bool) {
    let backslashes = line.iter().rev().take_while(|byte| **byte == b'\\').count();
    match line.strip_suffix(b"\\") {
        Some(rest) if backslashes % 2 == 1 => (rest, true),
        _ => (line, false),
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> UnitFile {
        parse(&"x.service".into(), text.as_bytes())
    }

    fn values(text: &str) -> Vec<(String, String, u32)> {
        read(text).entries.into_iter().map(|entry| (entry.key, entry.value, entry.line)).collect()
    }

    #[test]
    fn continuation_lines_join_with_one_blank_and_keep_the_first_line_number() {
        assert_eq!(
            values("[S]\nA=x a \\\n b\nB=2\n"),
            [("A".into(), "x a   b".into(), 2), ("B".into(), "2".into(), 4)]
        );
        assert_eq!(values("[S]\nA=a \\\n # c\n ; c\n b\n"), [("A".into(), "a   b".into(), 2)]);
        assert_eq!(values("[S]\nA=end \\"), [("A".into(), "end".into(), 2)]);
        assert_eq!(values("[S]\n# c \\\nA=1\n"), [("A".into(), "1".into(), 3)]);
        assert_eq!(values("[S]\r\nA=1 \\\r\n 2\r\n"), [("A".into(), "1   2".into(), 2)]);
    }

    #[test]
    fn broken_headers_and_bytes_give_the_file_up() {
        for (text, line) in [("[S] # x\nA=1\n", 1), ("A=1\n[S\n", 2)] {
            let file = read(text);
            assert_eq!(file.fatal.map(|note| note.line), Some(line), "{text}");
        }
        let file = parse(&"x".into(), b"[S]\nA=\xff\nB=1\n");
        assert_eq!(file.fatal.map(|note| (note.line, note.kind)), Some((2, NoteKind::NotUtf8)));
        assert!(file.entries.is_empty());
    }

    #[test]
    fn only_what_systemd_reads_must_be_utf8() {
        let file = parse(&"x".into(), b"# \xff\n[S]\nA=a \\\n; \xff\n b\n");
        assert_eq!((file.fatal, file.entries[0].value.as_str()), (None, "a   b"));
        for text in [&b"[X-Other]\nA=\xff\n"[..], b"junk \xff\n", b"A=\xef\xbf\xbf\n"] {
            assert!(parse(&"x".into(), text).fatal.is_some(), "{text:?}");
        }
        assert!(["a\"b", "a\\b", "a\u{1}b"].iter().all(|name| has_unsafe_characters(name)));
        assert!(!has_unsafe_characters("X-a b"));
    }

    #[test]
    fn lines_end_at_carriage_returns_and_nul_too() {
        assert_eq!(
            values("[S]\rA=1\0B=2\r\r\nC=3\n\rD=\u{a0}4\u{c}\n"),
            [
                ("A".into(), "1".into(), 1),
                ("B".into(), "2".into(), 1),
                ("C".into(), "3".into(), 2),
                ("D".into(), "\u{a0}4\u{c}".into(), 3)
            ]
        );
        assert_eq!(values("[S]\nA=a \\\r b\n"), [("A".into(), "a   b".into(), 2)]);
        assert_eq!(values("[S]\nA=a \\\n\nB=b\n").len(), 2);
    }

    #[test]
    fn a_byte_order_mark_hides_a_comment_sign() {
        assert_eq!(values("\u{feff}# c \\\n[S]\nA=1\n"), []);
        assert_eq!(values("# c\n\u{feff}[S]\nA=1\n").len(), 1);
    }

    #[test]
    fn what_is_passed_over_is_noted() {
        let file = read("A=1\n[S]\nfoo bar\n=x\nB = 2\n");
        let kinds: Vec<_> = file.notes.iter().map(|note| (note.line, note.kind)).collect();
        assert_eq!(kinds, [(1, NoteKind::OutsideSection), (3, NoteKind::NoAssignment), (4, NoteKind::NoKey)]);
        assert_eq!(file.entries[0].value, "2");
    }

    #[test]
    fn a_byte_order_mark_is_fine_and_zero_bytes_are_a_mask() {
        assert_eq!(values("\u{feff}[S]\nA=1\n").len(), 1);
        assert!(read("").empty);
        assert!(!read("#\n").empty);
    }
}
