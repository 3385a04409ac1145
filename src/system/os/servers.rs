//! Servers that are asked what they are, each by the first words of its own protocol. Nothing is changed, nobody logs in, and
//! no password is told; one connection, a few bytes, a few seconds.
//!
//! A server that takes the connection and says something else than it should has answered. One that says nothing in time
//! has not: a packet filter, or its load, may be why.

use std::io::{Error, ErrorKind, Read, Result};
use std::time::Duration;

use super::line::Line;
use super::live::believed;
use super::owner;
use crate::model::Observed;
use crate::model::answers::{Protocol, ServerAnswer, ServerQuestion};

mod amqp;
mod http;
mod memcached;
mod mysql;
mod postgres;

/// For the whole conversation. A page of health may ask a database first; a connection is the kernel's to take.
const TIME_LIMIT: Duration = Duration::from_secs(5);
const TO_CONNECT: Duration = Duration::from_secs(2);

/// What TLS begins an alert with (RFC 8446, section 5.1): so a server answers that wants a handshake.
const TLS_ALERT: u8 = 21;

/// No first answer of a server is longer.
const ROOM: usize = 64 << 10;

/// Connects, finds out who answers, and hears what it is.
pub(super) fn ask(question: &ServerQuestion<'_>) -> Observed<ServerAnswer> {
    let address = question.address;
    let is_path = address.starts_with('/');
    let unreadable = |error: Error| Observed::Unreadable(format!("{address}: {error}"));
    let caller = question.caller.as_ref().filter(|_| is_path && rustix::process::geteuid().is_root());
    let limit = if *question.protocol == Protocol::Any { TO_CONNECT } else { TIME_LIMIT };
    let line = match caller {
        Some(caller) => Line::open_as(caller, address, limit, ROOM),
        None => Line::open(address, limit, ROOM),
    };
    let mut line = match line {
        Ok(line) => line,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Observed::Absent,
        Err(error) if is_path && error.kind() == ErrorKind::NotFound => return Observed::Absent,
        Err(error) => return unreadable(error),
    };
    match question.unit.map(|unit| owner(&line, unit)).transpose() {
        Ok(None) => {}
        Ok(Some((whose, unit))) => {
            if let Observed::Unreadable(why) = believed(&whose, address, unit) {
                return Observed::Unreadable(why);
            }
        }
        Err(error) => return unreadable(error),
    }
    let said = match question.protocol {
        Protocol::Any => Ok(Ok(String::new())),
        Protocol::Http { get, statuses } => http::talk(&mut line, address, get, *statuses),
        Protocol::Postgres { role, database } => {
            postgres::talk(&mut line, role.as_deref(), database.as_deref())
        }
        Protocol::Mysql => mysql::talk(&mut line),
        Protocol::Amqp => amqp::talk(&mut line),
        Protocol::Memcached => memcached::talk(&mut line),
    };
    match said {
        Ok(Err(_)) if line.first() == Some(TLS_ALERT) => {
            Observed::Unreadable(format!("{address} speaks TLS, and golden does not"))
        }
        Ok(said) => Observed::Found(said),
        Err(error) if is_end(error.kind()) => {
            Observed::Found(Err("closes the connection without an answer".to_owned()))
        }
        Err(error) => unreadable(error),
    }
}

fn is_end(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// Whose process takes the connection.
fn owner<'u>(line: &Line, unit: &'u str) -> Result<(owner::Owner, &'u str)> {
    let whose = match line.listener()? {
        Some((pid, path)) => owner::of_unix_listener((pid, &path), unit),
        None => owner::of_listener(line.ends()?, unit),
    };
    Ok((whose, unit))
}

/// So many bytes of the answer.
fn exactly<const BYTES: usize>(line: &mut impl Read) -> Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    line.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The first line of the answer without its end, at most so many bytes of it.
fn first_line(line: &mut impl Read, most: usize) -> Result<String> {
    let mut found = Vec::new();
    while found.len() < most {
        match exactly::<1>(line) {
            Ok([b'\n']) => break,
            Ok([byte]) => found.push(byte),
            // What was said before the end is what was said.
            Err(error) if is_end(error.kind()) && !found.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&found).trim_end_matches('\r').to_owned())
}

/// Said of a server whose answer is none of its protocol.
fn no(protocol: &str) -> ServerAnswer {
    Err(format!("does not speak {protocol}"))
}

#[cfg(test)]
mod tests;
