//! The `#!` line of a script as the kernel reads it (execve(2), "Interpreter scripts"; `fs/binfmt_script.c`).
//!
//! The kernel looks at the first 256 bytes, takes one interpreter and at most one argument, and knows neither
//! quotes nor CR LF. A script that fails here is 203/EXEC for a service.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How much of a file the kernel looks at (`BINPRM_BUF_SIZE`). Give [`parse`] at least as much.
pub const LOOKED_AT: usize = 256;

/// A script's first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shebang {
    /// The interpreter as written, a CR at its end included: that is the name the kernel opens.
    pub interpreter: String,
    /// Everything after it as one argument, blanks inside kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
    /// The line is longer than the kernel looks at, so that the argument is cut off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// Why a file is no script that the kernel can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShebangFault {
    /// The file does not begin with `#!`.
    #[error("no #! line")]
    Missing,
    /// A UTF-8 byte order mark stands before it.
    #[error("a byte order mark before #!")]
    ByteOrderMark,
    /// Nothing stands after `#!`.
    #[error("no interpreter after #!")]
    NoInterpreter,
    /// The interpreter's name does not end within 256 bytes.
    #[error("an interpreter longer than the kernel reads")]
    TooLong,
}

/// What `/usr/bin/env` is asked to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvUse {
    /// The program it looks for in PATH. Without `-S` this is the whole argument, blanks included.
    pub program: String,
    /// `-S`: the argument is split into words.
    pub split: bool,
    /// Without `-S` the argument holds a blank, so that no such program exists (env exits with 127).
    pub broken: bool,
}

impl Shebang {
    /// The interpreter or its argument ends in a CR: the file has CR LF line ends, and "no such file" follows.
    pub fn has_carriage_return(&self) -> bool {
        self.argument.as_deref().unwrap_or(&self.interpreter).ends_with('\r')
    }

    /// The interpreter is looked up from the working directory of whoever starts the script.
    pub fn is_relative(&self) -> bool {
        !self.interpreter.starts_with('/')
    }

    /// What `env` would run, where the interpreter is `env` and is given a program.
    pub fn env_use(&self) -> Option<EnvUse> {
        if self.interpreter.rsplit('/').next() != Some("env") {
            return None;
        }
        let argument = self.argument.as_deref()?;
        let Some(rest) = split_string(argument) else {
            let broken = argument.contains([' ', '\t']);
            return Some(EnvUse { program: argument.to_owned(), split: false, broken });
        };
        let mut words = rest.split_ascii_whitespace();
        let program = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
        Some(EnvUse { program: program.to_owned(), split: true, broken: false })
    }
}

/// The text after `-S` or `--split-string` (other one-letter options may stand before the S: `-vS`).
fn split_string(argument: &str) -> Option<&str> {
    if let Some(rest) = argument.strip_prefix("--split-string") {
        return Some(rest.trim_start_matches('='));
    }
    let options = argument.strip_prefix('-')?;
    let before = options.find('S')?;
    options[..before].chars().all(|c| matches!(c, 'i' | 'v' | '0')).then(|| &options[before + 1..])
}

/// Reads the beginning of a file; more than [`LOOKED_AT`] bytes may be given.
pub fn parse(start: &[u8]) -> Result<Shebang, ShebangFault> {
    let looked_at = start.get(..LOOKED_AT).unwrap_or(start);
    let Some(after) = looked_at.strip_prefix(b"#!") else {
        let mark = start.starts_with(b"\xef\xbb\xbf#!");
        return Err(if mark { ShebangFault::ByteOrderMark } else { ShebangFault::Missing });
    };
    let end = after.iter().position(|&byte| byte == b'\n');
    let cut = end.is_none() && start.len() > LOOKED_AT;
    let line = &after[..end.unwrap_or(after.len())];
    // The kernel treats the line as a C string.
    let line = line.split(|&byte| byte == 0).next().unwrap_or_default();
    let line = trim(line);
    let blank = line.iter().position(|&byte| is_blank(byte));
    if line.is_empty() {
        return Err(ShebangFault::NoInterpreter);
    }
    if cut && blank.is_none() {
        return Err(ShebangFault::TooLong);
    }
    let (interpreter, argument) = line.split_at(blank.unwrap_or(line.len()));
    let argument = trim(argument);
    Ok(Shebang {
        interpreter: String::from_utf8_lossy(interpreter).into_owned(),
        argument: (!argument.is_empty()).then(|| String::from_utf8_lossy(argument).into_owned()),
        cut,
    })
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(mut line: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = line {
        if !is_blank(*first) {
            break;
        }
        line = rest;
    }
    while let [rest @ .., last] = line {
        if !is_blank(*last) {
            break;
        }
        line = rest;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Option<String>) {
        let shebang = parse(text.as_bytes()).expect(text);
        (shebang.interpreter, shebang.argument)
    }

    #[test]
    fn one_interpreter_and_one_argument() {
        assert_eq!(read("#!/bin/sh\n"), ("/bin/sh".into(), None));
        assert_eq!(read("#! \t/bin/sh  -e  -u \nx"), ("/bin/sh".into(), Some("-e  -u".into())));
        assert_eq!(read("#!/bin/sh"), ("/bin/sh".into(), None));
    }

    #[test]
    fn faults() {
        assert_eq!(parse(b"echo\n"), Err(ShebangFault::Missing));
        assert_eq!(parse(b""), Err(ShebangFault::Missing));
        assert_eq!(parse(b"#!  \n/bin/sh"), Err(ShebangFault::NoInterpreter));
        assert_eq!(parse("\u{feff}#!/bin/sh\n".as_bytes()), Err(ShebangFault::ByteOrderMark));
        let long = format!("#!/{}\n", "x".repeat(300));
        assert_eq!(parse(long.as_bytes()), Err(ShebangFault::TooLong));
        let long = format!("#!/bin/sh {}\n", "x".repeat(300));
        let shebang = parse(long.as_bytes()).expect("the interpreter is complete");
        assert!(shebang.cut && shebang.argument.is_some_and(|argument| argument.len() == 246));
    }

    #[test]
    fn carriage_returns_and_relative_paths() {
        assert!(parse(b"#!/bin/bash\r\n").expect("read").has_carriage_return());
        assert!(parse(b"#!/usr/bin/env python3\r\n").expect("read").has_carriage_return());
        assert!(parse(b"#!bin/sh\n").expect("read").is_relative());
    }

    #[test]
    fn env() {
        let using = |text: &[u8]| parse(text).expect("read").env_use();
        let expected = EnvUse { program: "python3".into(), split: false, broken: false };
        assert_eq!(using(b"#!/usr/bin/env python3\n"), Some(expected));
        assert!(using(b"#!/usr/bin/env python3 -u\n").expect("env").broken);
        for text in ["#!/usr/bin/env -S python3 -u\n", "#!/usr/bin/env -iS A=1 python3\n"] {
            let using = using(text.as_bytes()).expect("env");
            assert_eq!((using.program.as_str(), using.split, using.broken), ("python3", true, false));
        }
        assert_eq!(using(b"#!/usr/bin/python3 -S\n"), None);
    }
}
