//! HTTP: one GET, of whose answer the status line counts (RFC 9112, section 4). Redirections are not followed.

use std::io::{Read, Result, Write};

use super::{first_line, no};
use crate::model::answers::ServerAnswer;

/// No status line that golden reads is longer.
const LONGEST: usize = 512;

pub(super) fn talk(
    line: &mut (impl Read + Write),
    address: &str,
    get: &str,
    (first, last): (u16, u16),
) -> Result<ServerAnswer> {
    let host = if address.starts_with('/') { "localhost" } else { address };
    let agent = concat!("golden/", env!("CARGO_PKG_VERSION"));
    let request =
        format!("GET {get} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n");
    line.write_all(request.as_bytes())?;
    let said = first_line(line, LONGEST)?;
    let status = said.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse::<u16>().ok());
    Ok(match status {
        None => no("HTTP"),
        Some(status) if (first..=last).contains(&status) => Ok(said),
        // What stands behind the path may be a secret.
        Some(status) => Err(format!("answers GET {} with {status}", get.split('?').next().unwrap_or(get))),
    })
}
