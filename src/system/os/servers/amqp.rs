//! RabbitMQ: the server's `connection.start` (AMQP 0-9-1, sections 2.2.4 and 4.2.3).

use std::io::{Read, Result, Write};

use super::{exactly, no};
use crate::model::answers::ServerAnswer;

const METHOD: u8 = 1;

/// Class `connection`, method `start`.
const START: [u8; 4] = [0, 10, 0, 10];

pub(super) fn talk(line: &mut (impl Read + Write)) -> Result<ServerAnswer> {
    line.write_all(b"AMQP\0\0\x09\x01")?;
    let [kind, ..] = exactly::<7>(line)?;
    // One that speaks another version answers with the header of that, and ends.
    if kind == b'A' {
        return Ok(Err("speaks another version of AMQP than 0-9-1".to_owned()));
    }
    if kind != METHOD {
        return Ok(no("AMQP"));
    }
    let method: [u8; 4] = exactly(line)?;
    let [major, minor] = exactly(line)?;
    Ok(if method == START { Ok(format!("AMQP {major}-{minor}")) } else { no("AMQP") })
}
