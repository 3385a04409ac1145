//! systemd's splitting of a value into words (`extract_first_word`), with quotes and C escapes.
//!
//! Exec lines, `Environment=` and the list settings share it; each asks for its own strictness. What is
//! laxer than systemd.syntax(7) says (quotes in mid-word) is laxer here too.

use thiserror::Error;

/// What a word list lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strictness {
    /// `\n`, `\x20`, `\u00e9` … are decoded; otherwise a backslash only protects the next character.
    pub c_escapes: bool,
    /// An unknown escape stays with its backslash instead of being an error.
    pub keep_unknown_escapes: bool,
    /// The end of the text closes an open quote and forgives a final backslash.
    pub lenient_end: bool,
}

impl Strictness {
    /// Exec lines: escapes decoded, unknown ones kept with a warning.
    pub const EXEC: Self = Self { c_escapes: true, keep_unknown_escapes: true, lenient_end: false };
    /// `Environment=` and `UnsetEnvironment=`: an unknown escape ends the line.
    pub const ENVIRONMENT: Self = Self { c_escapes: true, keep_unknown_escapes: false, lenient_end: false };
    /// `PassEnvironment=` and plain name lists.
    pub const PLAIN: Self = Self { c_escapes: false, keep_unknown_escapes: false, lenient_end: false };
    /// The value of a `$VAR` that is split into arguments.
    pub const VARIABLE: Self = Self { c_escapes: false, keep_unknown_escapes: false, lenient_end: true };
}

/// One word of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word without quotes and escapes. Bytes that are not UTF-8 (`\xff`) become U+FFFD.
    pub text: String,
    /// It held an escape systemd does not know (`\q`), which stayed with its backslash.
    pub unknown_escape: bool,
}

/// Why no further word can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WordError {
    /// A quote is not closed, or the text ends in a backslash inside quotes.
    #[error("unbalanced quotes")]
    UnbalancedQuotes,
    /// An escape that systemd does not know, where it insists on known ones.
    #[error("unknown escape sequence")]
    UnknownEscape,
}

/// True for the characters that separate words.
pub fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// A cursor over a value that yields its words.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    rest: &'a str,
    strictness: Strictness,
}

impl<'a> Words<'a> {
    /// Begins at the first word of `text`.
    pub fn new(text: &'a str, strictness: Strictness) -> Self {
        Self { rest: text.trim_start_matches(is_separator), strictness }
    }

    /// The text not read yet, without leading blanks.
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    /// Steps over `token` when it stands here as a word of its own, unquoted.
    pub fn skip_token(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(after) if after.is_empty() || after.starts_with(is_separator) => {
                self.rest = after.trim_start_matches(is_separator);
                true
            }
            _ => false,
        }
    }

    /// The next word, or None at the end. After an error the cursor is at the end.
    pub fn next_word(&mut self) -> Result<Option<Word>, WordError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut scan =
            Scan { text: self.rest, at: 0, out: Vec::new(), strictness: self.strictness, odd: false };
        match scan.word() {
            Ok(()) => {
                self.rest = scan.rest().trim_start_matches(is_separator);
                let text = String::from_utf8(scan.out)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
                Ok(Some(Word { text, unknown_escape: scan.odd }))
            }
            Err(error) => {
                self.rest = "";
                Err(error)
            }
        }
    }
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    out: Vec<u8>,
    strictness: Strictness,
    odd: bool,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn word(&mut self) -> Result<(), WordError> {
        let bytes = self.text.as_bytes();
        let mut quote = None;
        while let Some(&byte) = bytes.get(self.at) {
            self.at += 1;
            match (quote, byte) {
                (_, b'\\') => self.escape(quote.is_some())?,
                (Some(open), _) if byte == open => quote = None,
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, b' ' | b'\t' | b'\n' | b'\r') => return Ok(()),
                _ => self.out.push(byte),
            }
        }
        match quote {
            Some(_) if !self.strictness.lenient_end => Err(WordError::UnbalancedQuotes),
            _ => Ok(()),
        }
    }

    /// After a backslash.
    fn escape(&mut self, in_quotes: bool) -> Result<(), WordError> {
        let Some(next) = self.rest().chars().next() else {
            return self.final_backslash(in_quotes);
        };
        if !self.strictness.c_escapes {
            self.push_char(next);
            return Ok(());
        }
        if let Some((length, decoded)) = decode_escape(self.rest().as_bytes()) {
            self.out.extend(decoded.bytes());
            self.at += length;
        } else if self.strictness.keep_unknown_escapes {
            self.odd = true;
            self.out.push(b'\\');
            self.push_char(next);
        } else {
            return Err(WordError::UnknownEscape);
        }
        Ok(())
    }

    fn final_backslash(&mut self, in_quotes: bool) -> Result<(), WordError> {
        if self.strictness.lenient_end {
            Ok(())
        } else if self.strictness.keep_unknown_escapes && !in_quotes {
            self.odd = true;
            self.out.push(b'\\');
            Ok(())
        } else {
            Err(WordError::UnbalancedQuotes)
        }
    }

    fn push_char(&mut self, c: char) {
        self.out.extend(c.encode_utf8(&mut [0; 4]).bytes());
        self.at += c.len_utf8();
    }
}

/// What an escape stands for: one raw byte (`\xff`, `\377`) or a character.
enum Decoded {
    Byte(u8),
    Char(char),
}

impl Decoded {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Byte(byte) => vec![byte],
            Self::Char(c) => c.encode_utf8(&mut [0; 4]).as_bytes().to_vec(),
        }
    }
}

/// Decodes one escape after its backslash (`cunescape_one`): its length and what it stands for. NUL, code
/// points beyond Unicode and octal numbers above 255 are unknown escapes.
fn decode_escape(text: &[u8]) -> Option<(usize, Decoded)> {
    let simple = |byte| Some((1, Decoded::Byte(byte)));
    match text.first()? {
        b'a' => simple(0x07),
        b'b' => simple(0x08),
        b'f' => simple(0x0c),
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'v' => simple(0x0b),
        b's' => simple(b' '),
        &quoted @ (b'\\' | b'"' | b'\'') => simple(quoted),
        b'x' => Some((3, Decoded::Byte(nonzero_byte(digits(text.get(1..3)?, 16)?)?))),
        b'u' => Some((5, Decoded::Char(code_point(digits(text.get(1..5)?, 16)?)?))),
        b'U' => Some((9, Decoded::Char(code_point(digits(text.get(1..9)?, 16)?)?))),
        b'0'..=b'7' => Some((3, Decoded::Byte(nonzero_byte(digits(text.get(0..3)?, 8)?)?))),
        _ => None,
    }
}

fn digits(text: &[u8], radix: u32) -> Option<u32> {
    text.iter().try_fold(0u32, |sum, &byte| Some(sum.wrapping_mul(radix) + char::from(byte).to_digit(radix)?))
}

fn nonzero_byte(number: u32) -> Option<u8> {
    u8::try_from(number).ok().filter(|&byte| byte != 0)
}

fn code_point(number: u32) -> Option<char> {
    char::from_u32(number).filter(|&c| c != '\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, strictness: Strictness) -> Result<Vec<String>, WordError> {
        let mut words = Words::new(text, strictness);
        let mut all = Vec::new();
        while let Some(word) = words.next_word()? {
            all.push(word.text);
        }
        Ok(all)
    }

    #[test]
    fn quotes_and_escapes() {
        let exec = |text| split(text, Strictness::EXEC);
        assert_eq!(
            exec(r#" a  "b c"'d' x"y"z "" "#).as_deref(),
            Ok(&["a", "b cd", "xyz", ""].map(String::from)[..])
        );
        assert_eq!(exec(r"\x41\102\u00e9\s\'").as_deref(), Ok(&["ABé '".to_owned()][..]));
        assert_eq!(exec(r"bad\q \x00 \400 \uD800 end\").as_deref().map(<[_]>::len), Ok(5));
        assert_eq!(exec("'open"), Err(WordError::UnbalancedQuotes));
        assert_eq!(exec(r#""open\"#), Err(WordError::UnbalancedQuotes));
    }

    #[test]
    fn strictness_decides() {
        assert_eq!(split(r"a\q", Strictness::ENVIRONMENT), Err(WordError::UnknownEscape));
        assert_eq!(split(r"a\nb\é", Strictness::PLAIN).as_deref(), Ok(&["anbé".to_owned()][..]));
        assert_eq!(
            split(r#"a "b c\"#, Strictness::VARIABLE).as_deref(),
            Ok(&["a", "b c"].map(String::from)[..])
        );
    }
}
