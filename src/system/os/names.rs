//! Names of files as text. The kernel's names are bytes, ours are UTF-8: a byte that is none is written as a character
//! of the last private plane, and read back from it, so that no name is lost and each means one file.

use std::borrow::Cow;

/// The character for the byte 0; those from 0x80 on are used.
const FIRST: u32 = 0x10_ff00;

fn stands_for(c: char) -> Option<u8> {
    u8::try_from(u32::from(c).checked_sub(FIRST)?).ok().filter(|byte| *byte >= 0x80)
}

fn standing_for(byte: u8) -> Option<char> {
    char::from_u32(FIRST + u32::from(byte))
}

/// A name of the kernel's as text.
pub(super) fn text(name: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(name)
        && !text.chars().any(|c| stands_for(c).is_some())
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(name.len() * 4);
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match stands_for(c) {
                None => out.push(c),
                // A character that would be read as a byte is written byte by byte itself.
                Some(_) => out.extend(c.encode_utf8(&mut [0; 4]).bytes().filter_map(standing_for)),
            }
        }
        out.extend(chunk.invalid().iter().copied().filter_map(standing_for));
    }
    Cow::Owned(out)
}

/// The bytes that a text stands for.
pub(super) fn bytes(text: &str) -> Cow<'_, [u8]> {
    if !text.chars().any(|c| stands_for(c).is_some()) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match stands_for(c) {
            Some(byte) => out.push(byte),
            None => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_one_text_and_comes_back() {
        let names: [&[u8]; 7] = [
            b"a.conf",
            b"\xff.conf",
            "\u{10ffff}.conf".as_bytes(),
            "\u{fffd}".as_bytes(),
            b"\xc3",
            "ä".as_bytes(),
            b"\xf4\x8f\xbf",
        ];
        let texts: Vec<String> = names.iter().map(|name| text(name).into_owned()).collect();
        for (name, text) in names.iter().zip(&texts) {
            assert_eq!(&*bytes(text), *name);
            assert_eq!(texts.iter().filter(|other| *other == text).count(), 1, "{text:?}");
        }
        assert_eq!(text(b"a\xff"), "a\u{10ffff}");
    }
}
