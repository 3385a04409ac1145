//! `EnvironmentFile=` as systemd's service manager reads it, byte by byte.
//!
//! The format looks like shell and is not: nothing is expanded, `export` makes a line vanish, quotes may
//! run over many lines, and what does not fit is dropped without a word in any log a person looks at. So
//! this reader follows the states of the real one (`parse_env_file_internal` in systemd's `env-file.c`)
//! and keeps beside each variable what was dropped and what a person would misread.
//! See systemd.exec(5), `EnvironmentFile=`; behaviour measured on systemd 252.

use std::collections::BTreeMap;
use std::mem;

use serde::{Deserialize, Serialize};

use super::utf8;

/// The first systemd in which a comment that ends in a backslash no longer swallows the next line.
const COMMENT_CONTINUATION_GONE: u32 = 254;
/// systemd refuses to read a larger text file at all (`READ_FULL_BYTES_MAX`).
const FILE_MAX: usize = 64 * 1024 * 1024 - 2;
/// `sysconf(_SC_ARG_MAX)` under the usual 8 MiB stack limit: a longer assignment is dropped.
const ASSIGNMENT_MAX: usize = 2 * 1024 * 1024;
/// The kernel's `MAX_ARG_STRLEN`: a longer `NAME=value`, with its final NUL, fails `execve` with E2BIG.
const EXEC_STRING_MAX: usize = 128 * 1024;

/// What the service manager makes of one environment file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvFile {
    /// Valid assignments in the order they were read, repeated names included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    /// Text that has no effect although somebody wrote it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<Dropped>,
    /// Why the whole file is refused, so that the service does not start (or, with the `-` prefix, starts
    /// with nothing of this file). `variables` then hold only what stood before that place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fatal: Option<Fatal>,
    /// Text that has an effect, but likely not the one its author meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// One assignment that reaches the service, unless a later one of the same name replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// The name, valid for systemd (`[A-Za-z_][A-Za-z0-9_]*`).
    pub name: String,
    /// The value the process receives.
    pub value: String,
    /// The line on which the name stands, from 1.
    pub line: u32,
}

/// A line, or what followed one, that systemd silently leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The line it begins on, from 1.
    pub line: u32,
    /// The key, or the first word where there is none. Never a value: that may be a secret.
    pub text: String,
    /// Why it was left out.
    pub why: DropReason,
    /// The variable that it evidently means: `export NAME=value` with a plain value, or one after a byte order mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meant: Option<Variable>,
}

/// Why a line has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// `export A=1` is shell; systemd sees a variable with a blank in its name.
    Export,
    /// The name is empty, begins with a digit or holds another character than letters, digits and `_`.
    BadKey,
    /// There is no `=` in the line.
    NoEquals,
    /// A UTF-8 byte order mark became part of the first name.
    ByteOrderMark,
    /// The comment before it ends in a backslash, which continues it (systemd 253 and older).
    CommentContinuation,
    /// Longer than the kernel's limit for arguments and environment together.
    TooLong,
}

impl DropReason {
    /// The reason in words, to stand after "dropped: ".
    pub fn words(self) -> &'static str {
        match self {
            Self::Export => "`export` is shell, systemd knows only NAME=value",
            Self::BadKey => "not a valid variable name",
            Self::NoEquals => "no `=` in the line",
            Self::ByteOrderMark => "a UTF-8 byte order mark belongs to its name",
            Self::CommentContinuation => "the comment above ends in a backslash and swallows it",
            Self::TooLong => "longer than an environment may be",
        }
    }
}

/// Why the whole file is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fatal {
    /// The line of the offending assignment, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub why: FatalReason,
}

/// What makes systemd refuse a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FatalReason {
    /// A name or value is not UTF-8. (In a comment or a line without `=` nobody looks.)
    InvalidUtf8,
    /// A NUL byte, anywhere in the file, comments included.
    Nul,
    /// Larger than 64 MiB.
    TooLarge,
}

/// A place where the effect differs from what the text suggests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The line, from 1.
    pub line: u32,
    /// The variable concerned, empty where none is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What to know about it.
    pub kind: NoteKind,
}

/// Kinds of surprises in an environment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// A quote is never closed: the value holds the rest of the file.
    UnterminatedQuote,
    /// A quoted value holds a line break followed by what looks like an assignment.
    SwallowedAssignment,
    /// `A=1 # c`: the text after `#` is part of the value.
    CommentInValue,
    /// `"a" b`: the text after the closing quote is glued on, blanks dropped.
    TextAfterQuote,
    /// Quotes that do not open the value stay in it (`a"b"`).
    LiteralQuote,
    /// A backslash at the end of the line joined the next line to the value.
    JoinedLine,
    /// A backslash before another character vanished (`a\b` is `ab`).
    BackslashLost,
    /// A comment ends in a backslash: systemd 253 and older swallow the next line.
    CommentBackslash,
    /// Lines end in CR LF. systemd does not mind, but a backslash before CR LF does not continue.
    CarriageReturn,
    /// Too long for one string of an environment: the process cannot be executed (E2BIG).
    TooLongToExec,
}

impl EnvFile {
    /// The last assignment of `name`: the one that counts. None where the file as a whole is refused.
    pub fn get(&self, name: &str) -> Option<&Variable> {
        match self.fatal {
            Some(_) => None,
            None => self.variables.iter().rev().find(|variable| variable.name == name),
        }
    }

    /// What the process receives from this file, by name. Empty where the file as a whole is refused.
    pub fn effective(&self) -> BTreeMap<&str, &Variable> {
        match self.fatal {
            Some(_) => BTreeMap::new(),
            None => self.variables.iter().map(|variable| (variable.name.as_str(), variable)).collect(),
        }
    }

    /// Names assigned more than once, each with all its assignments in order.
    pub fn repeated(&self) -> Vec<(&str, Vec<&Variable>)> {
        let mut by_name: BTreeMap<&str, Vec<&Variable>> = BTreeMap::new();
        for variable in &self.variables {
            by_name.entry(&variable.name).or_default().push(variable);
        }
        by_name.into_iter().filter(|(_, all)| all.len() > 1).collect()
    }
}

/// Reads `bytes` as systemd `systemd_version` would.
pub fn parse(bytes: &[u8], systemd_version: u32) -> EnvFile {
    if bytes.len() > FILE_MAX {
        return EnvFile { fatal: Some(Fatal { line: 1, why: FatalReason::TooLarge }), ..EnvFile::default() };
    }
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        let line = 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count();
        let fatal = Fatal { line: u32::try_from(line).unwrap_or(u32::MAX), why: FatalReason::Nul };
        return EnvFile { fatal: Some(fatal), ..EnvFile::default() };
    }
    let mut reader = Reader { version: systemd_version, line: 1, ..Reader::default() };
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

/// A line that every reader takes for the same assignment: nothing but a name, and a value of one word without signs of a
/// shell's.
fn plain_assignment(line: &[u8], number: u32) -> Option<Variable> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once('=')?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,-".contains(c);
    let is_evident = is_valid_name(name) && value.chars().all(is_plain);
    is_evident.then(|| Variable { name: name.to_owned(), value: value.to_owned(), line: number })
}

/// True for a name that systemd lets into an environment (`env_name_is_valid`).
pub fn is_valid_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|first| !first.is_ascii_digit())
        && bytes.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

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

/// More lines has no assignment that golden changes.
const MOST_LINES: usize = 64;

/// Where in the file the assignment stands that gives a variable its value: its lines, without the end of the last one.
/// `None` where the file does not set it.
pub fn assignment(bytes: &[u8], name: &str) -> Option<std::ops::Range<usize>> {
    let read = parse(bytes, u32::MAX);
    let variable = read.variables.iter().rev().find(|variable| variable.name == name)?;
    let before = usize::try_from(variable.line).ok()?.checked_sub(1)?;
    let start: usize = bytes.split_inclusive(|byte| *byte == b'\n').take(before).map(<[u8]>::len).sum();
    // A value may go on for several lines; the fewest that give it are its own.
    let mut end = start;
    for line in bytes.get(start..)?.split_inclusive(|byte| *byte == b'\n').take(MOST_LINES) {
        end += line.len();
        let alone = parse(&bytes[start..end], u32::MAX).variables;
        if alone.len() == 1 && alone[0].name == name && alone[0].value == variable.value {
            let ends = usize::from(bytes[start..end].ends_with(b"\n"));
            return Some(start..end - ends);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, version: u32) -> Vec<(String, String, u32)> {
        parse(text.as_bytes(), version).variables.into_iter().map(|v| (v.name, v.value, v.line)).collect()
    }

    fn kinds(text: &str) -> Vec<NoteKind> {
        parse(text.as_bytes(), 257).notes.into_iter().map(|note| note.kind).collect()
    }

    fn drops(text: &str, version: u32) -> Vec<(u32, String, DropReason)> {
        parse(text.as_bytes(), version).dropped.into_iter().map(|d| (d.line, d.text, d.why)).collect()
    }

    #[test]
    fn lines_are_counted_over_quotes_and_continuations() {
        let text = "A='1\n2'\nB=x\\\ny\nC=3\r\nD=4\rE=5\n";
        let lines: Vec<u32> = values(text, 252).into_iter().map(|(_, _, line)| line).collect();
        assert_eq!(lines, [1, 3, 5, 6, 7]);
    }

    #[test]
    fn a_comment_with_a_backslash_swallows_a_line_before_254_only() {
        let text = "# c \\\nA=1\nB=2\n";
        assert_eq!(values(text, 253), [("B".into(), "2".into(), 3)]);
        assert_eq!(drops(text, 253), [(2, "A".into(), DropReason::CommentContinuation)]);
        assert_eq!(values(text, 254).len(), 2);
        assert_eq!(kinds(text), [NoteKind::CommentBackslash]);
    }

    #[test]
    fn what_a_dropped_line_evidently_means_is_kept() {
        let meant = |text: &str| {
            let dropped = parse(text.as_bytes(), 252).dropped.pop().unwrap();
            dropped.meant.map(|variable| format!("{}={}", variable.name, variable.value))
        };
        assert_eq!(meant("export PORT=8000\n").as_deref(), Some("PORT=8000"));
        assert_eq!(meant("export\tA = 'b c'\n").as_deref(), Some("A=b c"));
        assert_eq!(meant("\u{feff}A=1\n").as_deref(), Some("A=1"));
        for text in
            ["export A=1 B=2\n", "export A=$HOME/x\n", "export A=1 # one\n", "export A='x\n", "A-B=1\n"]
        {
            assert_eq!(meant(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_dropped_is_named_without_its_value() {
        let text = "export API=secret\n1A=2\nA-B=3\nfoo bar\n=1\nlonglonglonglonglonglonglonglong\n";
        let expected = [
            (1, "export API".to_owned(), DropReason::Export),
            (2, "1A".to_owned(), DropReason::BadKey),
            (3, "A-B".to_owned(), DropReason::BadKey),
            (4, "foo".to_owned(), DropReason::NoEquals),
            (5, "=1".to_owned(), DropReason::NoEquals),
            (6, "longlo…".to_owned(), DropReason::NoEquals),
        ];
        assert_eq!(drops(text, 257), expected);
    }

    #[test]
    fn a_byte_order_mark_costs_the_first_variable_but_not_a_comment() {
        assert_eq!(drops("\u{feff}A=1\n", 257), [(1, "A".into(), DropReason::ByteOrderMark)]);
        assert_eq!(drops("\u{feff}# a=b\nA=1\n", 257), []);
        assert_eq!(drops("\u{feff}\nA=1\n", 257), []);
    }

    #[test]
    fn notes_tell_what_is_misread() {
        assert_eq!(kinds("A=1 # c\n"), [NoteKind::CommentInValue]);
        assert_eq!(kinds("A=1#c\n"), []);
        assert_eq!(kinds("A=\"a\" # c\n"), [NoteKind::CommentInValue, NoteKind::TextAfterQuote]);
        assert_eq!(kinds("A=\"abc\nB=2\n"), [NoteKind::UnterminatedQuote, NoteKind::SwallowedAssignment]);
        assert_eq!(kinds("A=a\"b\"\n"), [NoteKind::LiteralQuote]);
        assert_eq!(kinds("A=a\\\nB=1\n"), [NoteKind::JoinedLine]);
        assert_eq!(kinds("A=C:\\dir\n"), [NoteKind::BackslashLost]);
        assert_eq!(kinds("A=1\r\nB=2\r\n"), [NoteKind::CarriageReturn]);
        assert_eq!(kinds(&format!("A={}\n", "x".repeat(131_072))), [NoteKind::TooLongToExec]);
    }

    #[test]
    fn a_refused_file_gives_nothing() {
        let file = parse(b"A=1\nB=\xff\n", 252);
        assert_eq!(file.fatal, Some(Fatal { line: 2, why: FatalReason::InvalidUtf8 }));
        assert!(file.effective().is_empty() && file.get("A").is_none());
        assert_eq!(parse(b"# \xff\nA=1\n", 252).fatal, None);
        assert_eq!(parse(b"A=1\n# \0\n", 252).fatal, Some(Fatal { line: 2, why: FatalReason::Nul }));
    }

    #[test]
    fn the_last_assignment_counts() {
        let file = parse(b"A=1\nB=2\nA=3\n", 252);
        assert_eq!(file.get("A").map(|v| v.value.as_str()), Some("3"));
        assert_eq!(file.repeated().len(), 1);
        assert_eq!(file.effective().len(), 2);
    }
}
