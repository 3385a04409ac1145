//! What single words of a contract must look like: paths, names, accounts, units, modes, addresses.
//! Each function gives the value as we keep it, or what is wrong with it and the way out.

/// What is wrong, and the way out.
pub(super) type Wrong = (String, String);

fn wrong<T>(message: impl Into<String>, way_out: impl Into<String>) -> Result<T, Wrong> {
    Err((message.into(), way_out.into()))
}

/// An absolute path without `.`, `..`, doubled or trailing slashes.
pub(super) fn path(text: &str) -> Result<String, Wrong> {
    if !text.starts_with('/') {
        return wrong(
            format!("{text:?} is not an absolute path"),
            "write the absolute path, from / on, or begin with {layout.NAME}",
        );
    }
    if text.split('/').any(|part| part == "..") {
        return wrong(format!("{text:?} climbs with `..`"), "write the path it leads to");
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    Ok(format!("/{}", parts.join("/")))
}

/// A path below some directory: relative, never upwards.
pub(super) fn relative(text: &str) -> Result<String, Wrong> {
    if text.starts_with('/') {
        return wrong(
            format!("{text:?} is absolute; this path is relative"),
            "leave out the directory it lies in",
        );
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() || parts.contains(&"..") {
        return wrong(format!("{text:?} leads out of its directory"), "name something below it");
    }
    Ok(parts.join("/"))
}

/// Whether a text holds no line break and no other control character.
pub(super) fn is_one_line(text: &str) -> bool {
    !text.contains(|c: char| c.is_control())
}

/// A name that the contract gives to one of its own things.
pub(super) fn name(text: &str) -> Result<String, Wrong> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && text.len() <= 128 && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    wrong(
        format!("{text:?} cannot be a name"),
        "use letters, digits, `-`, `_` and `.`, beginning with a letter or digit",
    )
}

/// A user or group of the host.
pub(super) fn account(text: &str) -> Result<String, Wrong> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let body = text.strip_suffix('$').unwrap_or(text);
    if begins && text.len() <= 32 && body.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    wrong(
        format!("{text:?} is not the name of a user or group"),
        "write the account's name, such as \"www-data\"",
    )
}

/// A package of Debian (deb-control(5)).
pub(super) fn package(text: &str) -> Result<String, Wrong> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    if text.len() >= 2 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    wrong(format!("{text:?} is not the name of a package"), "write such as \"redis-server\"")
}

/// A variable of an environment.
pub(super) fn variable(text: &str) -> Result<String, Wrong> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    wrong(
        format!("{text:?} is not the name of a variable; systemd ignores such a line"),
        "use letters, digits and `_`, not beginning with a digit",
    )
}

/// A key of a configuration file: what stands before `=`.
pub(super) fn file_key(text: &str) -> Result<String, Wrong> {
    let is_key = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    match is_key && !text.is_empty() {
        true => Ok(text.to_owned()),
        false => Err((
            format!("{text:?} is not a key of a file"),
            "write what stands before the `=`: letters, digits, `_`, `.` and `-`".into(),
        )),
    }
}

/// A setting of a unit, such as `RestartSec`.
pub(super) fn setting(text: &str) -> Result<String, Wrong> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    wrong(format!("{text:?} is not the name of a setting"), "write it as systemd does, such as RestartSec")
}

/// Suffixes of units.
const SUFFIXES: [&str; 11] = [
    "service",
    "socket",
    "target",
    "timer",
    "path",
    "mount",
    "automount",
    "swap",
    "slice",
    "scope",
    "device",
];

/// The name of a unit; with a suffix only that sort.
pub(super) fn unit(text: &str, only: Option<&str>) -> Result<String, Wrong> {
    let example = format!("write a name such as \"app.{}\"", only.unwrap_or("service"));
    let Some((stem, suffix)) = text.rsplit_once('.').filter(|(_, suffix)| SUFFIXES.contains(suffix)) else {
        return wrong(format!("{text:?} is not a unit: it has no suffix that systemd knows"), example);
    };
    if only.is_some_and(|only| only != suffix) {
        return wrong(format!("{text:?} is a {suffix} unit"), example);
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":_.\\-@".contains(&byte);
    let well_formed = !stem.is_empty() && !stem.starts_with('@') && stem.matches('@').count() <= 1;
    if !well_formed || text.len() > 255 || !stem.bytes().all(allowed) {
        return wrong(
            format!("{text:?} cannot be the name of a unit"),
            "use letters, digits and `:-_.\\`, with at most one `@`, up to 255 characters",
        );
    }
    if stem.ends_with('@') {
        return wrong(
            format!("{text:?} is a template, which never runs itself"),
            format!("name an instance of it, such as \"{stem}main.{suffix}\""),
        );
    }
    Ok(text.to_owned())
}

/// Permission bits as text: `"0640"`.
pub(super) fn mode(text: &str) -> Result<u32, Wrong> {
    let octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    match u32::from_str_radix(text, 8) {
        Ok(mode) if octal => Ok(mode),
        _ => wrong(format!("{text:?} is not a mode"), "write three or four octal digits, such as \"0640\""),
    }
}

/// `host:port`, the host in brackets when it is an IPv6 address.
pub(super) fn address(text: &str) -> Result<String, Wrong> {
    let parts = text.rsplit_once(':');
    let sound = parts.is_some_and(|(host, port)| {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host_sound = match bare {
            Some(inner) => inner.contains(':'),
            None => !host.is_empty() && !host.contains([':', '/', ' ', '[', ']']),
        };
        host_sound && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if sound {
        return Ok(text.to_owned());
    }
    wrong(
        format!("{text:?} is not an address"),
        "write host:port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"",
    )
}

/// The path of a Unix socket, as long as one can be (unix(7)).
pub(super) fn socket(text: &str) -> Result<String, Wrong> {
    const LONGEST: usize = 107;
    match path(text) {
        Ok(path) if path.len() > LONGEST => wrong(
            format!("{text:?} is too long"),
            format!("a Unix socket's path has at most {LONGEST} bytes"),
        ),
        other => other,
    }
}

/// Where a server takes connections: `host:port`, or the path of a Unix socket.
pub(super) fn endpoint(text: &str) -> Result<String, Wrong> {
    if text.starts_with('/') { socket(text) } else { address(text) }
}

/// What an HTTP server is asked for: the origin form of RFC 9112, section 3.2.1.
pub(super) fn target(text: &str) -> Result<String, Wrong> {
    if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    wrong(format!("{text:?} cannot be asked for"), "begin with /, without blanks, such as \"/health\"")
}

/// True for an address of this host itself.
pub(super) fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A span of time in seconds: `90s`, `15min`, `2h`, `1h 30min`, `1d`.
pub(super) fn seconds(text: &str) -> Result<u64, Wrong> {
    let mut total: Option<u64> = Some(0);
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, tail) = tail.split_at(letters);
        let factor = match unit {
            "s" | "sec" => Some(1),
            "min" => Some(60),
            "h" => Some(3600),
            "d" => Some(86400),
            _ => None,
        };
        let part =
            number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
        total = total.zip(part).and_then(|(total, part)| total.checked_add(part));
        rest = tail.trim_start();
        if total.is_none() {
            break;
        }
    }
    match total.filter(|total| *total > 0) {
        Some(total) => Ok(total),
        None => {
            wrong(format!("{text:?} is not a span of time"), "write such as \"90s\", \"15min\", \"1h 30min\"")
        }
    }
}

/// True when `path` is `directory` or lies below it. Both are normalised.
pub(crate) fn lies_under(path: &str, directory: &str) -> bool {
    let directory = directory.trim_end_matches('/');
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(path("/a//b/./c/"), Ok("/a/b/c".into()));
        assert!(path("a").is_err() && path("/a/../b").is_err());
        assert_eq!(relative("a/./b"), Ok("a/b".into()));
        assert!(relative("/a").is_err() && relative("../a").is_err() && relative(".").is_err());
        assert_eq!(mode("0640"), Ok(0o640));
        assert!(mode("0888").is_err() && mode("+640").is_err() && mode("rw").is_err());
        assert!(unit("a@b.service", Some("service")).is_ok());
        assert!(
            unit("a b.service", None).is_err() && unit("a", None).is_err() && unit(".service", None).is_err()
        );
        assert!(unit("a.timer", Some("service")).is_err());
        assert!(address("[::1]:6379").is_ok() && address("::1:6379").is_err() && address("h:0").is_err());
        assert_eq!(seconds("1h 30min"), Ok(5400));
        assert!(seconds("5").is_err() && seconds("").is_err() && seconds("99999999999999999999d").is_err());
        assert!(is_loopback("[::1]:1") && is_loopback("127.0.0.9:1") && !is_loopback("0.0.0.0:1"));
        assert!(lies_under("/a/b", "/a") && lies_under("/a", "/a") && !lies_under("/ab", "/a"));
    }
}
