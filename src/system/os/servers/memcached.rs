//! memcached: its version, by the text protocol (protocol.txt of memcached, *Version*).

use std::io::{Error, Read, Result, Write};

use super::{first_line, is_end, no};
use crate::model::answers::ServerAnswer;

const LONGEST: usize = 256;

pub(super) fn talk(line: &mut (impl Read + Write)) -> Result<ServerAnswer> {
    line.write_all(b"version\r\n")?;
    let said = first_line(line, LONGEST).map_err(|error| match is_end(error.kind()) {
        // Started with `-S` or `-B binary` it hangs up on words.
        true => Error::other("it hangs up on the text protocol, and golden does not speak the binary one"),
        false => error,
    })?;
    // One that wants a password first (`-Y`) is memcached all the same.
    let is_it = said.starts_with("VERSION ") || said == "CLIENT_ERROR unauthenticated";
    Ok(if is_it { Ok(said) } else { no("memcached's protocol") })
}
