//! What systemd makes of a setting's text: the value it takes, written as `systemctl show` prints it, or the
//! reason why it drops the assignment.
//!
//! Two texts with one canonical form mean the same to systemd; that is how a rule compares `10`, `10s` and
//! `10000ms`. Kinds are the types of `systemd --dump-configuration-items`; the few settings that it calls
//! OTHER are told apart by their names.

mod number;
mod path;
mod time_span;

pub use number::{format_size, parse_size};
pub use path::normalize;
pub use time_span::{Span, format as format_span, parse as parse_span};

use super::version::SystemdVersion;

/// Why systemd drops an assignment, or refuses the unit because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mangled {
    /// Why, in words.
    pub why: String,
    /// True when the whole unit is refused, not just the assignment.
    pub refused: bool,
}

fn dropped<T>(why: impl Into<String>) -> Result<T, Mangled> {
    Err(Mangled { why: why.into(), refused: false })
}

fn refused<T>(why: impl Into<String>) -> Result<T, Mangled> {
    Err(Mangled { why: why.into(), refused: true })
}

/// The canonical form of a non-empty value. `None` where the text itself is the value.
pub fn canonical(
    version: SystemdVersion,
    key: &str,
    kind: &str,
    text: &str,
) -> Result<Option<String>, Mangled> {
    match key {
        "User" | "Group" => return account(text).map(|()| None),
        "SupplementaryGroups" => return text.split_ascii_whitespace().try_for_each(account).map(|()| None),
        "DynamicUser" => {
            return boolean(text)
                .map(|value| Some(yes_no(value)))
                .map_err(|mangled| Mangled { refused: true, ..mangled });
        }
        "RootDirectory" | "RootImage" | "RootVerity" => return path::root(text).map(Some),
        _ => {}
    }
    match kind {
        "BOOLEAN" => boolean(text).map(|value| Some(yes_no(value))),
        "SECONDS" => span(key, text).map(Some),
        "UNSIGNED" => number::unsigned(text).map(Some),
        "MODE" if key.contains("Mode") || key == "UMask" => file_mode(key, text),
        "SIGNAL" => number::signal(text).map(Some),
        "OOMSCOREADJUST" => number::within(text, -1000, 1000).map(Some),
        "NICE" => number::within(text, -20, 19).map(Some),
        "LIMIT" if key.starts_with("Limit") => number::limit(key, text).map(Some),
        "SERVICETYPE" => one_of(text, &service_types(version)).map(Some),
        "SERVICERESTART" => one_of(text, RESTARTS).map(Some),
        "KILLMODE" => one_of(text, &["control-group", "process", "mixed", "none"]).map(Some),
        "OUTPUT" => output(key, text).map(Some),
        "FILE" => path::environment_file(text).map(Some),
        "PATH" if !LISTS_OF_PATHS.contains(&key) => path::plain(text).map(Some),
        "CPUWEIGHT" | "WEIGHT" | "SHARES" => number::weight(kind, text).map(Some),
        "STATUS" => number::exit_statuses(text),
        _ => by_name(key, text),
    }
}

/// Settings that `--dump-configuration-items` calls PATH or OTHER but that hold several words.
const LISTS_OF_PATHS: &[&str] = &["ExecSearchPath"];

const RESTARTS: &[&str] =
    &["no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"];

fn by_name(key: &str, text: &str) -> Result<Option<String>, Mangled> {
    match key {
        "MemoryMax" | "MemoryHigh" | "MemorySwapMax" | "MemoryZSwapMax" | "MemoryLimit" => {
            number::memory(text, false).map(Some)
        }
        "MemoryMin" | "MemoryLow" | "DefaultMemoryMin" | "DefaultMemoryLow" => {
            number::memory(text, true).map(Some)
        }
        "TasksMax" => number::tasks(text).map(Some),
        "CPUQuota" => number::cpu_quota(text).map(Some),
        "TimeoutStopSec" | "TimeoutAbortSec" | "JobTimeoutSec" | "JobRunningTimeoutSec" => {
            span(key, text).map(Some)
        }
        "ProtectSystem" => boolean_or(text, &["full", "strict"]).map(Some),
        "ProtectHome" => boolean_or(text, &["read-only", "tmpfs"]).map(Some),
        "WorkingDirectory" => path::working_directory(text).map(Some),
        "RootImagePolicy" | "MountImagePolicy" | "ExtensionImagePolicy" => {
            let stands = |part: &str| matches!(part, "" | "*" | "-" | "~") || part.contains('=');
            match text.split(':').all(stands) {
                true => Ok(None),
                false => dropped(format!("{text:?} is no image policy")),
            }
        }
        "PIDFile" => path::pid_file(text).map(Some),
        "KeyringMode" => one_of(text, &["inherit", "private", "shared"]).map(Some),
        "ProtectProc" => one_of(text, &["noaccess", "invisible", "ptraceable", "default"]).map(Some),
        "ProcSubset" => one_of(text, &["all", "pid"]).map(Some),
        "OOMPolicy" => one_of(text, &["continue", "stop", "kill"]).map(Some),
        // Booleans that have learned further words since.
        "PrivateTmp" => boolean_or(text, &["disconnected"]).map(Some),
        "PrivateUsers" => boolean_or(text, &["self", "identity"]).map(Some),
        "ProtectControlGroups" => boolean_or(text, &["private", "strict"]).map(Some),
        "RuntimeDirectoryPreserve" => boolean_or(text, &["restart"]).map(Some),
        _ => Ok(None),
    }
}

/// `valid_user_group_name`, as laxly as systemd asks it: `a b` and `qt # c` pass, and fail when the service
/// is started.
fn account(name: &str) -> Result<(), Mangled> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = digits(name)
        && (name == "0" || !name.starts_with('0'))
        && name.parse().is_ok_and(|id: u32| id != u32::MAX && id != 0xffff);
    let is_bad = name.is_empty()
        || name.starts_with(' ')
        || name.ends_with(' ')
        || name.contains(|c: char| c.is_ascii_control() || matches!(c, ':' | '/'))
        || digits(name)
        || name.strip_prefix('-').is_some_and(digits)
        || matches!(name, "." | "..");
    match is_bad && !is_number {
        true => refused(format!("{name:?} is no name of a user or group")),
        false => Ok(()),
    }
}

fn yes_no(value: bool) -> String {
    if value { "yes".into() } else { "no".into() }
}

/// `parse_boolean`: any case of the usual words.
pub fn boolean(text: &str) -> Result<bool, Mangled> {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(&["1", "yes", "y", "true", "t", "on"]) {
        Ok(true)
    } else if is(&["0", "no", "n", "false", "f", "off"]) {
        Ok(false)
    } else {
        dropped(format!("{text:?} is no boolean"))
    }
}

fn boolean_or(text: &str, words: &[&str]) -> Result<String, Mangled> {
    match (words.contains(&text), boolean(text)) {
        (true, _) => Ok(text.to_owned()),
        (false, Ok(value)) => Ok(yes_no(value)),
        (false, Err(_)) => dropped(format!("{text:?} is neither a boolean nor one of {}", words.join(", "))),
    }
}

/// Enumerations are case-sensitive.
fn one_of(text: &str, words: &[&str]) -> Result<String, Mangled> {
    match words.contains(&text) {
        true => Ok(text.to_owned()),
        false => dropped(format!("{text:?} is none of {}", words.join(", "))),
    }
}

fn service_types(version: SystemdVersion) -> Vec<&'static str> {
    let mut types = vec!["simple", "forking", "oneshot", "dbus", "notify", "idle", "exec"];
    if version.0 >= 253 {
        types.push("notify-reload");
    }
    types
}

fn span(key: &str, text: &str) -> Result<String, Mangled> {
    // An infinite timeout has an old spelling (systemd.service(5)).
    let zero_is_infinite =
        matches!(key, "TimeoutStartSec" | "TimeoutStopSec" | "TimeoutSec" | "TimeoutAbortSec");
    match time_span::parse(text) {
        Some(Span(0)) if zero_is_infinite => Ok(time_span::format(Span::INFINITY)),
        Some(span) => Ok(time_span::format(span)),
        None => dropped(format!("{text:?} is no time span")),
    }
}

fn file_mode(key: &str, text: &str) -> Result<Option<String>, Mangled> {
    // OnFailureJobMode and kin are words, not permission bits.
    if key.ends_with("JobMode") {
        return Ok(None);
    }
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Some(format!("{mode:04o}")))
        }
        _ => dropped(format!("{text:?} is no octal mode")),
    }
}

fn output(key: &str, text: &str) -> Result<String, Mangled> {
    const WORDS: &[&str] = &["null", "tty", "kmsg", "journal", "socket", "kmsg+console", "journal+console"];
    let file = |kind: &str| text.strip_prefix(kind).map(|path| path.starts_with('/'));
    match text {
        "inherit" if key == "StandardOutput" => Ok("journal".into()),
        "inherit" => Ok("inherit".into()),
        "syslog" => Ok("journal".into()),
        "syslog+console" => Ok("journal+console".into()),
        "fd" => Ok("fd".into()),
        word if WORDS.contains(&word) => Ok(word.to_owned()),
        word if word.starts_with("fd:") => Ok(word.to_owned()),
        word => match [file("file:"), file("append:"), file("truncate:")].into_iter().flatten().next() {
            Some(true) => Ok(word.to_owned()),
            Some(false) => dropped(format!("the path in {word:?} is not absolute")),
            None => dropped(format!("{word:?} is no output")),
        },
    }
}

#[cfg(test)]
mod tests;
