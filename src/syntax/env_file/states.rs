//! The states of systemd's reader, and what is remembered for the notes.

use std::mem;

use super::{
    ASSIGNMENT_MAX, COMMENT_CONTINUATION_GONE, DropReason, Dropped, EXEC_STRING_MAX, EnvFile, Fatal,
    FatalReason, Note, NoteKind, Variable, is_valid_name, plain_assignment,
};
use crate::syntax::utf8;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    BeforeKey,
    Key,
    BeforeValue,
    Value,
    ValueEscape,
    SingleQuoted,
    DoubleQuoted,
    DoubleQuotedEscape,
    Comment,
    CommentEscape,
}

/// The states of systemd's reader, plus what we remember for the notes.
#[derive(Default)]
struct Reader {
    file: EnvFile,
    version: u32,
    state: State,
    line: u32,
    /// The line on which the current key began.
    key_line: u32,
    key: Vec<u8>,
    value: Vec<u8>,
    /// Length of `value` before the blanks it ends in, while it ends in unescaped ones.
    /// A blank stands before the text that begins next.
    blank_before: bool,
    blanks_from: Option<usize>,
    /// A quoted part of this value was closed.
    quoted: bool,
    /// Kinds found in the current assignment; turned into notes when it is complete.
    kinds: Vec<NoteKind>,
    /// Where the last line break inside quotes left `value`, to look for a swallowed assignment.
    quoted_line_start: Option<usize>,
    /// The key part of a line that a comment swallowed, while reading it.
    swallowed: Option<(u32, Vec<u8>)>,
    crlf_noted: bool,
}

/// Reads the bytes of a file in which no byte is NUL.
pub(super) fn read(bytes: &[u8], version: u32) -> EnvFile {
    let mut reader = Reader { version, line: 1, ..Reader::default() };
    let mut previous = 0;
    for &byte in bytes {
        match (previous, byte) {
            (b'\r', b'\n') => reader.saw_crlf(),
            // A lone CR ends a line for systemd as LF does.
            (b'\r', _) => reader.line = reader.line.saturating_add(1),
            _ => {}
        }
        reader.step(byte);
        if byte == b'\n' {
            reader.line = reader.line.saturating_add(1);
        }
        previous = byte;
        if reader.file.fatal.is_some() {
            return reader.file;
        }
    }
    reader.finish();
    reader.file
}

fn is_newline(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

impl Reader {
    fn step(&mut self, byte: u8) {
        match self.state {
            State::BeforeKey => self.before_key(byte),
            State::Key => self.in_key(byte),
            State::BeforeValue => self.before_value(byte),
            State::Value => self.in_value(byte),
            State::ValueEscape => self.value_escape(byte),
            State::SingleQuoted | State::DoubleQuoted => self.quoted(byte),
            State::DoubleQuotedEscape => self.double_quoted_escape(byte),
            State::Comment | State::CommentEscape => self.comment(byte),
        }
    }

    fn before_key(&mut self, byte: u8) {
        if matches!(byte, b'#' | b';') {
            self.state = State::Comment;
        } else if !is_blank(byte) {
            self.state = State::Key;
            self.key_line = self.line;
            self.key.clear();
            self.key.push(byte);
        }
    }

    fn in_key(&mut self, byte: u8) {
        if is_newline(byte) {
            self.drop_line_without_equals();
            self.state = State::BeforeKey;
        } else if byte == b'=' {
            self.state = State::BeforeValue;
            self.value.clear();
            self.blanks_from = None;
            self.quoted = false;
            self.quoted_line_start = None;
            self.kinds.clear();
        } else {
            self.key.push(byte);
        }
    }

    fn before_value(&mut self, byte: u8) {
        match byte {
            _ if is_newline(byte) => self.push(),
            b'\'' => self.state = State::SingleQuoted,
            b'"' => self.state = State::DoubleQuoted,
            b'\\' => self.begin_escape(),
            _ if is_blank(byte) => self.blank_before = true,
            _ => {
                self.state = State::Value;
                self.begin_bare_text(byte);
                self.value.push(byte);
            }
        }
    }

    /// Bare text begins, either at the start of a value or after a closing quote.
    fn begin_bare_text(&mut self, byte: u8) {
        if self.quoted {
            self.kinds.push(NoteKind::TextAfterQuote);
        }
        // `COLOR=#ff0000` is a value; a comment has a blank before it.
        if byte == b'#' && self.blank_before {
            self.kinds.push(NoteKind::CommentInValue);
        }
    }

    fn begin_escape(&mut self) {
        if self.quoted && self.state == State::BeforeValue {
            self.kinds.push(NoteKind::TextAfterQuote);
        }
        self.state = State::ValueEscape;
        self.blanks_from = None;
    }

    fn in_value(&mut self, byte: u8) {
        if is_newline(byte) {
            self.push();
        } else if byte == b'\\' {
            self.begin_escape();
        } else {
            match byte {
                b' ' | b'\t' => {
                    self.blanks_from.get_or_insert(self.value.len());
                }
                b'#' if self.blanks_from.is_some() => self.kinds.push(NoteKind::CommentInValue),
                b'\'' | b'"' => self.kinds.push(NoteKind::LiteralQuote),
                _ => {}
            }
            if !is_blank(byte) {
                self.blanks_from = None;
            }
            self.value.push(byte);
        }
    }

    fn value_escape(&mut self, byte: u8) {
        self.state = State::Value;
        if is_newline(byte) {
            // A CR is eaten as the line break, so that the LF after it ends the value.
            if byte == b'\n' {
                self.kinds.push(NoteKind::JoinedLine);
            }
        } else {
            if !matches!(byte, b'\\' | b'"' | b'\'' | b'$' | b'`' | b' ') {
                self.kinds.push(NoteKind::BackslashLost);
            }
            self.value.push(byte);
        }
    }

    fn quoted(&mut self, byte: u8) {
        let quote = if self.state == State::SingleQuoted { b'\'' } else { b'"' };
        if byte == quote {
            self.state = State::BeforeValue;
            self.quoted = true;
        } else if byte == b'\\' && quote == b'"' {
            self.state = State::DoubleQuotedEscape;
        } else {
            if byte == b'=' {
                self.look_for_swallowed_assignment();
            }
            self.value.push(byte);
            if byte == b'\n' {
                self.quoted_line_start = Some(self.value.len());
            }
        }
    }

    fn look_for_swallowed_assignment(&mut self) {
        let Some(start) = self.quoted_line_start.take() else { return };
        let name = self.value.get(start..).and_then(|text| std::str::from_utf8(text).ok());
        if name.is_some_and(|name| is_valid_name(name.trim())) {
            self.kinds.push(NoteKind::SwallowedAssignment);
        }
    }

    fn double_quoted_escape(&mut self, byte: u8) {
        self.state = State::DoubleQuoted;
        match byte {
            b'"' | b'\\' | b'`' | b'$' => self.value.push(byte),
            b'\n' => {}
            _ => self.value.extend([b'\\', byte]),
        }
    }

    fn comment(&mut self, byte: u8) {
        let escaped = mem::replace(&mut self.state, State::Comment) == State::CommentEscape;
        if !is_newline(byte) {
            if let Some((_, text)) = &mut self.swallowed {
                text.push(byte);
            }
            if byte == b'\\' && !escaped {
                self.state = State::CommentEscape;
            }
            return;
        }
        self.drop_swallowed_line();
        if escaped && byte == b'\n' {
            self.note(self.line, String::new(), NoteKind::CommentBackslash);
        }
        if escaped && self.version < COMMENT_CONTINUATION_GONE {
            self.swallowed = (byte == b'\n').then(|| (self.line.saturating_add(1), Vec::new()));
        } else {
            self.state = State::BeforeKey;
        }
    }

    fn drop_swallowed_line(&mut self) {
        let Some((line, raw)) = self.swallowed.take() else { return };
        let trimmed = raw.trim_ascii();
        if trimmed.is_empty() || matches!(trimmed.first(), Some(b'#' | b';')) {
            return;
        }
        let text = match trimmed.iter().position(|&byte| byte == b'=') {
            Some(at) => printable(trimmed[..at].trim_ascii()),
            None => first_word(trimmed),
        };
        let meant = plain_assignment(&raw, line);
        self.file.dropped.push(Dropped { line, text, why: DropReason::CommentContinuation, meant });
    }

    fn drop_line_without_equals(&mut self) {
        let why = match self.key.starts_with(b"\xef\xbb\xbf") {
            // A comment or a blank line after the mark loses nothing.
            true if matches!(self.key.get(3), None | Some(b'#' | b';')) => return,
            true => DropReason::ByteOrderMark,
            false => DropReason::NoEquals,
        };
        let text = first_word(&self.key);
        self.file.dropped.push(Dropped { line: self.key_line, text, why, meant: None });
    }

    /// An assignment is complete: systemd's `push`, then its `strv_env_clean`.
    fn push(&mut self) {
        if let (State::Value, Some(length)) = (self.state, self.blanks_from) {
            self.value.truncate(length);
        }
        self.state = State::BeforeKey;
        self.blank_before = false;
        let key = self.key.trim_ascii_end().to_vec();
        let (Ok(name), Ok(value)) = (utf8::text(key), utf8::text(mem::take(&mut self.value))) else {
            self.file.fatal = Some(Fatal { line: self.key_line, why: FatalReason::InvalidUtf8 });
            return;
        };
        let length = name.len() + 1 + value.len();
        if let Some(why) = reason_to_drop(&name, length) {
            let text = printable(name.trim_start_matches('\u{feff}').as_bytes());
            let lost_comment = why == DropReason::ByteOrderMark && text.starts_with(['#', ';']);
            if !lost_comment {
                let meant = self.meant(&name, value, why);
                self.file.dropped.push(Dropped { line: self.key_line, text, why, meant });
            }
            return;
        }
        if length + 1 > EXEC_STRING_MAX {
            self.kinds.push(NoteKind::TooLongToExec);
        }
        self.kinds.sort_unstable();
        self.kinds.dedup();
        for kind in mem::take(&mut self.kinds) {
            self.note(self.key_line, name.clone(), kind);
        }
        self.file.variables.push(Variable { name, value, line: self.key_line });
    }

    /// What a dropped assignment evidently means; nothing where a shell would read its value in another way.
    fn meant(&self, name: &str, value: String, why: DropReason) -> Option<Variable> {
        let name = match why {
            DropReason::Export => name.strip_prefix("export")?.trim_start_matches([' ', '\t']),
            DropReason::ByteOrderMark => name.trim_start_matches('\u{feff}'),
            _ => return None,
        };
        let is_plain = self.kinds.is_empty()
            && !value.contains(['$', '`', '\n', '\r'])
            && (self.quoted || !value.contains([' ', '\t', ';', '&', '|', '<', '>', '*', '?', '~', '(']));
        (is_plain && is_valid_name(name)).then(|| Variable {
            name: name.to_owned(),
            value,
            line: self.key_line,
        })
    }

    fn finish(&mut self) {
        match self.state {
            State::BeforeKey => {}
            State::Key => self.drop_line_without_equals(),
            State::Comment | State::CommentEscape => self.drop_swallowed_line(),
            State::SingleQuoted | State::DoubleQuoted | State::DoubleQuotedEscape => {
                self.kinds.push(NoteKind::UnterminatedQuote);
                self.push();
            }
            State::BeforeValue | State::Value | State::ValueEscape => self.push(),
        }
    }

    fn saw_crlf(&mut self) {
        if !mem::replace(&mut self.crlf_noted, true) {
            self.note(self.line, String::new(), NoteKind::CarriageReturn);
        }
    }

    fn note(&mut self, line: u32, name: String, kind: NoteKind) {
        self.file.notes.push(Note { line, name, kind });
    }
}

fn reason_to_drop(name: &str, length: usize) -> Option<DropReason> {
    if name.starts_with('\u{feff}') {
        Some(DropReason::ByteOrderMark)
    } else if name.strip_prefix("export").is_some_and(|rest| rest.starts_with([' ', '\t'])) {
        Some(DropReason::Export)
    } else if !is_valid_name(name) {
        Some(DropReason::BadKey)
    } else if length >= ASSIGNMENT_MAX {
        Some(DropReason::TooLong)
    } else {
        None
    }
}

/// A short, printable form of a key.
fn printable(bytes: &[u8]) -> String {
    const LONGEST: usize = 64;
    let text = String::from_utf8_lossy(bytes.get(..4 * LONGEST).unwrap_or(bytes));
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if short.len() < bytes.len() && text.chars().count() > LONGEST {
        short.push('…');
    }
    short
}

/// The first word of a line without `=`. It may be a piece of a key that was pasted over several lines, so
/// anything longer than a name is cut short.
fn first_word(bytes: &[u8]) -> String {
    const LONGEST: usize = 24;
    const SHOWN: usize = 6;
    let word = bytes.split(|&byte| is_blank(byte)).next().unwrap_or_default();
    let word = word.strip_prefix(b"\xef\xbb\xbf").unwrap_or(word);
    match word.get(..SHOWN) {
        Some(start) if word.len() > LONGEST => format!("{}…", printable(start)),
        _ => printable(word),
    }
}
