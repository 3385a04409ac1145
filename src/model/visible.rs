//! Text of strangers, made harmless for a terminal.
//!
//! Names of files, replies of servers, values of env files and words of contracts are bytes that somebody else chose.
//! On a terminal an escape sequence moves the cursor, a newline begins a line that looks like golden's own, and a bidi
//! control turns a sentence around. All of these are shown as escapes: `\x1b`, `\n`, `\u{202e}`.

use std::borrow::Cow;
use std::fmt::Write;

/// Characters that stand for the bytes 0x80 to 0xff in a name that is no UTF-8.
pub const RAW_BYTES: std::ops::RangeInclusive<char> = '\u{10ff80}'..='\u{10ffff}';

/// One value on one line: every character that steers a terminal, begins a line or cannot be seen is an escape.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, steers)
}

/// The same for a text of several lines: newlines and tabs stay.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| steers(c) && c != '\n' && c != '\t')
}

/// JSON with the same characters as `\u` escapes. Outside of strings JSON holds none of them but the blanks that
/// lay it out, so the value stays the same.
pub fn visible_json(json: &str) -> Cow<'_, str> {
    let steers = |c| steers(c) && !matches!(c, '\n' | '\r' | '\t');
    if !json.contains(steers) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match steers(c) {
            false => out.push(c),
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            }),
        }
    }
    Cow::Owned(out)
}

fn escaped(text: &str, steers: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        let _ = match c {
            c if !steers(c) => out.write_char(c),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            c if RAW_BYTES.contains(&c) => write!(out, "\\x{:02x}", u32::from(c) & 0xff),
            c if c.is_ascii() => write!(out, "\\x{:02x}", u32::from(c)),
            c => write!(out, "\\u{{{:x}}}", u32::from(c)),
        };
    }
    Cow::Owned(out)
}

/// Characters that a terminal obeys or that nobody sees.
fn steers(c: char) -> bool {
    matches!(
        c,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            // Soft hyphen, grapheme joiner, Arabic letter mark, fillers and other characters without a shape.
            | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180e}' | '\u{3164}' | '\u{ffa0}'
            // Zero width and marks of direction.
            | '\u{200b}'..='\u{200f}'
            // Separators of lines, embeddings and overrides of direction.
            | '\u{2028}'..='\u{202e}'
            // Joiners, invisible operators, isolates.
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Tags, and what is for private use of nobody who reads a report.
            | '\u{e0000}'..='\u{e0fff}'
            // Bytes of names that are no UTF-8 (`RAW_BYTES`).
            | '\u{10ff80}'..='\u{10ffff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_an_escape() {
        assert_eq!(visible("\x1b[2J\u{9b}1m\x7f\r\n\t"), "\\x1b[2J\\u{9b}1m\\x7f\\r\\n\\t");
        for c in
            "\u{202a}\u{202e}\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}\u{200b}\u{200d}\u{2060}\u{feff}\u{2028}"
                .chars()
        {
            assert_eq!(visible(&c.to_string()), format!("\\u{{{:x}}}", u32::from(c)));
        }
    }

    #[test]
    fn what_can_be_read_stays_as_it_is() {
        let plain = "naïve Größe 値 · ✓ \u{fffd} 'a b' \\x1b";
        assert!(matches!(visible(plain), Cow::Borrowed(_)));
        assert_eq!(visible_lines("a\n\tb\x1b"), "a\n\tb\\x1b");
    }

    #[test]
    fn json_keeps_its_value() {
        let value = serde_json::json!({ "a\u{202e}": "\u{9b}2J\x7f\u{e0041}\x1b\n" });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let shown = visible_json(&text);
        assert!(shown.chars().all(|c| c == '\n' || !steers(c)), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
