//! `EnvironmentFile=` as systemd's service manager reads it, byte by byte.
//!
//! The format looks like shell and is not: nothing is expanded, `export` makes a line vanish, quotes may
//! run over many lines, and what does not fit is dropped without a word in any log a person looks at. So
//! this reader follows the states of the real one (`parse_env_file_internal` in systemd's `env-file.c`)
//! and keeps beside each variable what was dropped and what a person would misread.
//! See systemd.exec(5), `EnvironmentFile=`; behaviour measured on systemd 252.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod states;

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
    states::read(bytes, systemd_version)
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
mod tests;
