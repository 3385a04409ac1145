//! Text as systemd takes it (`utf8_is_valid`): UTF-8 without the code points that Unicode reserves for no
//! character, such as U+FFFF.

/// The bytes as text.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, Vec<u8>> {
    match String::from_utf8(bytes) {
        Ok(text) if text.contains(is_noncharacter) => Err(text.into_bytes()),
        Ok(text) => Ok(text),
        Err(error) => Err(error.into_bytes()),
    }
}

fn is_noncharacter(c: char) -> bool {
    let point = u32::from(c);
    (0xfdd0..=0xfdef).contains(&point) || point & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn what_is_no_character_is_no_text() {
        assert!(text("ä\u{feff}\u{10fffd}".into()).is_ok());
        for bad in ["\u{ffff}", "a\u{fdd0}", "\u{1fffe}"] {
            assert!(text(bad.into()).is_err(), "{bad:?}");
        }
        assert!(text(vec![0xff]).is_err());
    }
}
