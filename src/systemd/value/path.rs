//! Paths as unit settings hold them.

use super::{Mangled, dropped, refused};

/// `path_simplify`: without doubled slashes, `.` components and a final slash.
pub fn normalize(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    match (path.starts_with('/'), parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".into(),
        (false, false) => parts.join("/"),
    }
}

pub(super) fn goes_up(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

/// One absolute path without `..`; a leading `-` or `+` is kept.
pub(super) fn plain(text: &str) -> Result<String, Mangled> {
    let path = text.trim_start_matches(['-', '+']);
    let modifiers = &text[..text.len() - path.len()];
    if !path.starts_with('/') {
        return dropped(format!("{text:?} is not an absolute path"));
    }
    if goes_up(path) {
        return dropped(format!("{text:?} goes up by .."));
    }
    Ok(format!("{modifiers}{}", normalize(path)))
}

/// `EnvironmentFile=`: a relative or quoted path is dropped, and the service starts without it.
pub(super) fn environment_file(text: &str) -> Result<String, Mangled> {
    let (optional, path) = text.strip_prefix('-').map_or(("", text), |path| ("-", path));
    match (path.starts_with('/'), goes_up(path)) {
        (true, false) => Ok(format!("{optional}{}", normalize(path))),
        (true, true) => dropped(format!("{path:?} goes up by ..: the service starts without it")),
        (false, _) => dropped(format!("{path:?} is not an absolute path: the service starts without it")),
    }
}

/// `WorkingDirectory=`: `~`, or an absolute path; everything else makes systemd refuse the unit, or drop the
/// line when it begins with `-`.
pub(super) fn working_directory(text: &str) -> Result<String, Mangled> {
    let (optional, path) = text.strip_prefix('-').map_or(("", text), |path| ("-", path));
    if path == "~" {
        return Ok(format!("{optional}~"));
    }
    let why = match (path.starts_with('/'), goes_up(path)) {
        (true, false) => return Ok(format!("{optional}{}", normalize(path))),
        (false, _) => format!("{text:?} is not an absolute path"),
        (true, true) => format!("{text:?} goes up by .."),
    };
    if optional.is_empty() { refused(why) } else { dropped(why) }
}

/// `RootDirectory=` and `RootImage=`: what is no absolute path makes systemd refuse the unit.
pub(super) fn root(text: &str) -> Result<String, Mangled> {
    match text.starts_with('/') && !goes_up(text) {
        true => Ok(normalize(text)),
        false => refused(format!("{text:?} is not an absolute path without ..")),
    }
}

/// A relative `PIDFile=` lies below `/run`; with `..` systemd gives the unit up.
pub(super) fn pid_file(text: &str) -> Result<String, Mangled> {
    if goes_up(text) {
        return refused(format!("{text:?} goes up by .."));
    }
    let path = if text.starts_with('/') { normalize(text) } else { normalize(&format!("/run/{text}")) };
    Ok(path.strip_prefix("/var/run/").map_or(path.clone(), |rest| format!("/run/{rest}")))
}
