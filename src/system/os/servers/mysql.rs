//! MySQL and MariaDB: the greeting that they send by themselves (*Client/Server Protocol*, *Protocol::HandshakeV10*).

use std::io::{Read, Result};

use super::{exactly, no};
use crate::model::answers::ServerAnswer;

/// A greeting and an error have some hundred bytes.
const MOST: usize = 4_096;

const GREETING: u8 = 10;
const ERROR: u8 = 0xff;

pub(super) fn talk(line: &mut impl Read) -> Result<ServerAnswer> {
    let [low, middle, high, sequence] = exactly(line)?;
    let length = u32::from_le_bytes([low, middle, high, 0]) as usize;
    if sequence != 0 || length == 0 || length > MOST {
        return Ok(no("MySQL's protocol"));
    }
    let mut packet = vec![0; length];
    line.read_exact(&mut packet)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(match packet.split_first() {
        Some((&GREETING, rest)) => Ok(text(rest.split(|byte| *byte == 0).next().unwrap_or_default())),
        // A number of two bytes, and words: too many connections, a host that is blocked.
        Some((&ERROR, rest)) => Err(format!("says: {}", text(rest.get(2..).unwrap_or_default()))),
        _ => no("MySQL's protocol"),
    })
}
