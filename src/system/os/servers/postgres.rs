//! PostgreSQL: what it says to a start of a session (*Frontend/Backend Protocol*, *Message Flow* and *Message Formats*).
//!
//! No password is sent. A server that asks for one, or lets golden in no further, does not say whether the role and the
//! database exist, so that is not known then. Which error it is stands in fields that no language changes.

use std::io::{Error, Read, Result, Write};

use super::{exactly, no};
use crate::model::answers::ServerAnswer;

/// Version 3.0.
const VERSION: u32 = 3 << 16;

/// Asks whether TLS is spoken: every server since 7.4 says S or N.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// No answer that golden reads is longer.
const MOST: usize = 8_192;

pub(super) fn talk(
    line: &mut (impl Read + Write),
    role: Option<&str>,
    database: Option<&str>,
) -> Result<ServerAnswer> {
    let Some(role) = role else { return speaks(line) };
    line.write_all(&start(role, database.unwrap_or(role)))?;
    let [kind, length @ ..]: [u8; 5] = exactly(line)?;
    let length = (u32::from_be_bytes(length) as usize).wrapping_sub(4);
    if !matches!(kind, b'R' | b'E' | b'v') || length > MOST {
        return Ok(no("PostgreSQL's protocol"));
    }
    let mut body = vec![0; length];
    line.read_exact(&mut body)?;
    match (kind, body.as_slice()) {
        // Trusted: what comes next tells whether the database is there.
        (b'R', [0, 0, 0, 0]) => session(line),
        (b'E', _) => refused(&body),
        _ => Err(hidden("it asks for a password")),
    }
}

/// Whether it is PostgreSQL at all.
fn speaks(line: &mut (impl Read + Write)) -> Result<ServerAnswer> {
    line.write_all(&SSL_REQUEST)?;
    Ok(match exactly(line)? {
        [b'S' | b'N'] => Ok(String::new()),
        _ => no("PostgreSQL's protocol"),
    })
}

/// The message that starts a session.
fn start(role: &str, database: &str) -> Vec<u8> {
    let mut body = VERSION.to_be_bytes().to_vec();
    for text in ["user", role, "database", database, "application_name", "golden"] {
        body.extend(text.bytes().filter(|byte| *byte != 0));
        body.push(0);
    }
    body.push(0);
    let mut message = (body.len() as u32 + 4).to_be_bytes().to_vec();
    message.append(&mut body);
    message
}

/// Reads on until the session is ready, or is not to be.
fn session(line: &mut (impl Read + Write)) -> Result<ServerAnswer> {
    for _ in 0..100 {
        let [kind, length @ ..]: [u8; 5] = exactly(line)?;
        let length = (u32::from_be_bytes(length) as usize).wrapping_sub(4);
        if length > MOST {
            return Ok(no("PostgreSQL's protocol"));
        }
        let mut body = vec![0; length];
        line.read_exact(&mut body)?;
        match kind {
            b'E' => return refused(&body),
            b'Z' => {
                // It is told that the session ends, so that its log holds no lost connection.
                line.write_all(&[b'X', 0, 0, 0, 4])?;
                return Ok(Ok(String::new()));
            }
            _ => {}
        }
    }
    Ok(no("PostgreSQL's protocol"))
}

/// Who may come in is another question than what is there (*PostgreSQL Error Codes*, class 28).
const NOT_FOR_US: &[&str] = &["28000", "28P01"];

/// The function of the server that looks for the role, and says 28000 as well where there is none or none that may log in.
const LOOKS_FOR_ROLE: &str = "InitializeSessionUserId";

/// What an error says: fields of one letter and a text each.
fn refused(body: &[u8]) -> Result<ServerAnswer> {
    let fields = body.split(|byte| *byte == 0).filter_map(|field| field.split_first());
    let field = |wanted: u8| {
        let found = fields.clone().find(|(kind, _)| **kind == wanted);
        found.map(|(_, text)| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
    };
    let (code, words, routine) = (field(b'C'), field(b'M'), field(b'R'));
    match NOT_FOR_US.contains(&code.as_str()) && routine != LOOKS_FOR_ROLE {
        true => Err(hidden(&words)),
        false => Ok(Err(format!("says: {words} ({code})"))),
    }
}

fn hidden(why: &str) -> Error {
    Error::other(format!("it answers, but not whether the role and the database exist: {why}"))
}
