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

/// Nor are there more messages before a session is ready.
const MOST_MESSAGES: usize = 100;

/// Authentication, key, error, notice, parameter, protocol version, ready.
const BEFORE_READY: &[u8] = b"RKENSvZ";

pub(super) fn talk(
    line: &mut (impl Read + Write),
    role: Option<&str>,
    database: Option<&str>,
) -> Result<ServerAnswer> {
    let Some(role) = role else { return speaks(line) };
    // Without a database the server takes the one that is called as the role is.
    line.write_all(&start(role, database.unwrap_or(role)))?;
    for _ in 0..MOST_MESSAGES {
        let Some((kind, body)) = message(line)? else { return Ok(no("PostgreSQL's protocol")) };
        match (kind, body.as_slice()) {
            (b'E', _) => return refused(&body, database.is_some()),
            (b'R', [0, 0, 0, 0]) => {}
            (b'R', _) => return Err(hidden("it asks for a password")),
            (b'Z', _) => {
                // It is told that the session ends, so that its log holds no lost connection.
                line.write_all(&[b'X', 0, 0, 0, 4])?;
                return Ok(Ok(String::new()));
            }
            _ => {}
        }
    }
    Ok(no("PostgreSQL's protocol"))
}

/// A message: its kind and what is in it; `None` for what begins none that a server sends before a session is ready.
fn message(line: &mut impl Read) -> Result<Option<(u8, Vec<u8>)>> {
    let [kind, length @ ..]: [u8; 5] = exactly(line)?;
    let length = (u32::from_be_bytes(length) as usize).wrapping_sub(4);
    if !BEFORE_READY.contains(&kind) || length > MOST {
        return Ok(None);
    }
    let mut body = vec![0; length];
    line.read_exact(&mut body)?;
    Ok(Some((kind, body)))
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

/// Who may come in is another question than what is there (*PostgreSQL Error Codes*, class 28).
const NOT_FOR_US: &[&str] = &["28000", "28P01"];

/// What is said of the database alone, when the role has been let in: there is none, or it may not be used.
const OF_DATABASE: &[&str] = &["3D000", "42501"];

/// The function of the server that looks for the role, and says 28000 as well where there is none or none that may log in.
const LOOKS_FOR_ROLE: &str = "InitializeSessionUserId";

/// What an error says: fields of one letter and a text each. A database that nobody named may be missing.
fn refused(body: &[u8], is_database_named: bool) -> Result<ServerAnswer> {
    let fields = body.split(|byte| *byte == 0).filter_map(|field| field.split_first());
    let field = |wanted: u8| {
        let found = fields.clone().find(|(kind, _)| **kind == wanted);
        found.map(|(_, text)| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
    };
    let (code, words, routine) = (field(b'C'), field(b'M'), field(b'R'));
    if OF_DATABASE.contains(&code.as_str()) && !is_database_named {
        return Ok(Ok("it has the role".to_owned()));
    }
    match NOT_FOR_US.contains(&code.as_str()) && routine != LOOKS_FOR_ROLE {
        true => Err(hidden(&words)),
        false => Ok(Err(format!("says: {words} ({code})"))),
    }
}

fn hidden(why: &str) -> Error {
    Error::other(format!("it answers, but not whether the role and the database exist: {why}"))
}
