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

fn goes_up(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

/// One absolute path without `..`; a leading `-` or `+` is kept.
pub(super) fn plain(text: &str) -> Result<String, Mangled> {
    let path = text.trim_start_matches(['-', '+']);
    let modifiers = &text[..text.len() - path.len()];
    if !path.starts_with('/') {
        return dropped(format!("{text:?} is no absolute path"));
    }
    if goes_up(path) {
        return dropped(format!("{text:?} goes up by .."));
    }
    Ok(format!("{modifiers}{}", normalize(path)))
}

/// `EnvironmentFile=`: a relative or quoted path is dropped, and the service starts without it.
pub(super) fn environment_file(text: &str) -> Result<String, Mangled> {
    let (optional, path) = text.strip_prefix('-').map_or(("", text), |path| ("-", path));
    match path.starts_with('/') {
        true => Ok(format!("{optional}{}", normalize(path))),
        false => dropped(format!("{path:?} is no absolute path: the service starts without it")),
    }
}

/// `WorkingDirectory=`: `~`, or an absolute path; everything else makes systemd refuse the unit.
pub(super) fn working_directory(text: &str) -> Result<String, Mangled> {
    let (optional, path) = text.strip_prefix('-').map_or(("", text), |path| ("-", path));
    if path == "~" {
        return Ok(format!("{optional}~"));
    }
    if !path.starts_with('/') {
        return refused(format!("{text:?} is no absolute path"));
    }
    if goes_up(path) {
        return refused(format!("{text:?} goes up by .."));
    }
    Ok(format!("{optional}{}", normalize(path)))
}

/// A relative `PIDFile=` lies below `/run`.
pub(super) fn pid_file(text: &str) -> String {
    let path = if text.starts_with('/') { normalize(text) } else { normalize(&format!("/run/{text}")) };
    path.strip_prefix("/var/run/").map_or(path.clone(), |rest| format!("/run/{rest}"))
}
