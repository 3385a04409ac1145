//! What systemd makes of a setting's text: the value it takes, written as `systemctl show` prints it, or the
//! reason why it drops the assignment.
//!
//! Two texts with one canonical form mean the same to systemd; that is how a rule compares `10`, `10s` and
//! `10000ms`. Kinds are the types of `systemd --dump-configuration-items`; the few settings that it calls
//! OTHER are told apart by their names.

mod address;
mod enumeration;
mod list;
mod number;
mod path;
mod shape;
mod syscall;
mod time_span;

pub use list::{is_unquoted, split};
pub use number::{format_size, parse_size};
pub use path::normalize;
pub use time_span::{Span, format as format_span, parse as parse_span};

use super::calendar;
use super::unit_name::UnitName;
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

/// What systemd makes of a value that it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The canonical form. `None` where the text itself is the value.
    pub value: Option<String>,
    /// Words of a list that are dropped while the others count, each with the reason.
    pub passed_over: Vec<String>,
    /// Words that count or not: no version like this one was measured.
    pub unmeasured: Vec<String>,
}

impl Reading {
    fn plain(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<String> for Reading {
    fn from(value: String) -> Self {
        Self { value: Some(value), ..Self::default() }
    }
}

/// For whom values are read: the words of some settings depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The systemd that reads.
    pub version: SystemdVersion,
    /// The unit whose setting it is.
    pub unit: &'a UnitName,
}

impl Reader<'_> {
    /// The canonical form of a non-empty value of a setting of a kind.
    pub fn canonical(&self, key: &str, kind: &str, text: &str) -> Result<Reading, Mangled> {
        match kind {
            "UNIT [...]" => list::units(self.unit, key, kind, text),
            "PATH [...]" => list::paths(key, kind, text),
            "URL" => list::documentation(key, kind, text),
            "BOUNDINGSET" => list::capabilities(text),
            "FAMILIES" => list::address_families(self.version, text),
            "NAMESPACES" => namespaces(self.version, text),
            "STATUS" => number::exit_statuses(text),
            "SYSCALLS" => syscall::filter(self.version, text),
            "ARCHS" => syscall::architectures(self.version, text),
            "FILESYSTEMS" => syscall::file_systems(text),
            "ERRNO" => syscall::error_number(text),
            _ => match key {
                "PassEnvironment" => list::variables(key, kind, text),
                "RuntimeDirectory"
                | "StateDirectory"
                | "CacheDirectory"
                | "LogsDirectory"
                | "ConfigurationDirectory" => list::directories(self.version, key, kind, text),
                "ProtectHostname" if text.contains(':') => protect_hostname(self.version, text),
                // A priority that its policy does not have, and a filter that adds to the default.
                "CPUSchedulingPriority" | "CoredumpFilter" if self.version.has(252) != Some(true) => {
                    Ok(Reading {
                        unmeasured: vec![format!(
                            "what systemd {} makes of it was not measured",
                            self.version
                        )],
                        ..Reading::default()
                    })
                }
                _ => {
                    if let Some(why) = enumeration::unmeasured(self.version, key, kind, text) {
                        return Ok(Reading { unmeasured: vec![why], ..Reading::default() });
                    }
                    let value = single(self.version, key, kind, text)?;
                    Ok(Reading { value, ..Reading::default() })
                }
            },
        }
    }
}

/// A setting with one value.
fn single(version: SystemdVersion, key: &str, kind: &str, text: &str) -> Result<Option<String>, Mangled> {
    match key {
        "User" | "Group" => return account(text).map(|()| None),
        "SupplementaryGroups" => return text.split_ascii_whitespace().try_for_each(account).map(|()| None),
        "DynamicUser" => {
            let value = boolean(text).map_err(|mangled| Mangled { refused: true, ..mangled })?;
            return Ok(Some(yes_no(value)));
        }
        "RootDirectory" | "RootImage" | "RootVerity" => return path::root(text).map(Some),
        _ => {}
    }
    if let Some(value) = enumeration::read(version, key, kind, text) {
        return value.map(Some);
    }
    match kind {
        "BOOLEAN" => boolean(text).map(|value| Some(yes_no(value))),
        "SECONDS" => span(key, text).map(Some),
        "UNSIGNED" => number::unsigned(text).map(Some),
        "MODE" if key.contains("Mode") || key == "UMask" => file_mode(text).map(Some),
        "SIGNAL" => number::signal(text).map(Some),
        "OOMSCOREADJUST" => number::within(text, -1000, 1000).map(Some),
        "NICE" => number::within(text, -20, 19).map(Some),
        "IOPRIORITY" => number::within(text, 0, 7).map(Some),
        "CPUSCHEDPRIO" => number::within(text, 1, 99).map(Some),
        "NANOSECONDS" => nanoseconds(text).map(Some),
        "LIMIT" if key.starts_with("Limit") => number::limit(key, text).map(Some),
        "TIMER" if key == "OnCalendar" => match calendar::parse(text) {
            Ok(_) => Ok(None),
            Err(calendar::Invalid) => {
                dropped(format!("{text:?} is not a calendar expression (systemd.time(7))"))
            }
        },
        "TIMER" => span(key, text).map(Some),
        "SOCKET [...]" if matches!(key, "ListenStream" | "ListenDatagram" | "ListenSequentialPacket") => {
            address::listen(text).map(|()| None)
        }
        "OUTPUT" => output(version, text).map(Some),
        "INPUT" => input(text).map(Some),
        "FILE" => path::environment_file(text).map(Some),
        "PATH" if key != "ExecSearchPath" => path::plain(text).map(Some),
        "CPUWEIGHT" | "WEIGHT" | "SHARES" => number::weight(kind, text).map(Some),
        "SLICE" => match UnitName::parse(text).is_ok_and(|name| name.kind() == "slice") {
            true => Ok(None),
            false => dropped(format!("{text:?} is not the name of a slice")),
        },
        _ => by_name(version, key, text),
    }
}

/// Settings that systemd calls OTHER or by the name of many.
fn by_name(version: SystemdVersion, key: &str, text: &str) -> Result<Option<String>, Mangled> {
    match key {
        "MemoryMax" | "MemoryHigh" | "MemoryLimit" | "StartupMemoryMax" | "StartupMemoryHigh" => {
            number::memory(text, false, version).map(Some)
        }
        "MemorySwapMax"
        | "MemoryZSwapMax"
        | "MemoryMin"
        | "MemoryLow"
        | "DefaultMemoryMin"
        | "DefaultMemoryLow"
        | "DefaultStartupMemoryLow"
        | "StartupMemoryLow"
        | "StartupMemorySwapMax"
        | "StartupMemoryZSwapMax" => number::memory(text, true, version).map(Some),
        "TasksMax" => number::tasks(text, version).map(Some),
        "CPUQuota" => number::cpu_quota(text, version).map(Some),
        "CPUQuotaPeriodSec"
        | "ManagedOOMMemoryPressureDurationSec"
        | "TimeoutStopSec"
        | "TimeoutAbortSec"
        | "JobTimeoutSec"
        | "JobRunningTimeoutSec" => span(key, text).map(Some),
        "WorkingDirectory" => path::working_directory(text).map(Some),
        "RootImagePolicy" | "MountImagePolicy" | "ExtensionImagePolicy" => {
            let stands = |part: &str| matches!(part, "" | "*" | "-" | "~") || part.contains('=');
            match text.split(':').all(stands) {
                true => Ok(None),
                false => dropped(format!("{text:?} is not an image policy")),
            }
        }
        "PIDFile" => path::pid_file(text).map(Some),
        "BusName" => match is_bus_name(text) {
            true => Ok(None),
            false => dropped(format!("{text:?} is not a bus name")),
        },
        _ => shape::check(key, text).map(|()| None),
    }
}

/// `sd_bus_service_name_is_valid`, of a well-known name: parts of letters, digits, `_` and `-`, two at least,
/// none of which begins with a digit.
fn is_bus_name(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(|c: char| c.is_ascii_digit())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    text.len() <= 255 && text.contains('.') && text.split('.').all(is_part)
}

/// `RestrictNamespaces=`: a boolean, or kinds of namespaces after a `~` that inverts them.
fn namespaces(version: SystemdVersion, text: &str) -> Result<Reading, Mangled> {
    const KINDS: &[&str] = &["cgroup", "ipc", "net", "mnt", "pid", "user", "uts"];
    let is_kind = |word: &&str| KINDS.contains(word) || *word == "time" && version.has(252) != Some(false);
    if let Ok(value) = boolean(text) {
        return Ok(Reading::from(yes_no(value)));
    }
    let list = text.strip_prefix('~').unwrap_or(text);
    match list.split_ascii_whitespace().find(|word| !is_kind(word)) {
        Some(word) => dropped(format!("{word:?} is not a kind of namespace")),
        None => Ok(Reading::default()),
    }
}

/// `ProtectHostname=` with the name that the service gets, behind a colon.
fn protect_hostname(version: SystemdVersion, text: &str) -> Result<Reading, Mangled> {
    let (word, host) = text.split_once(':').unwrap_or((text, ""));
    let is_good = !host.is_empty() && (word == "private" || matches!(boolean(word), Ok(true)));
    match version.has(262) {
        Some(true) if is_good => Ok(Reading::default()),
        None => Ok(Reading {
            unmeasured: vec![format!("whether systemd {version} takes {text:?} was not measured")],
            ..Reading::default()
        }),
        _ => dropped(format!("{text:?} is not a boolean")),
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
        true => refused(format!("{name:?} is not the name of a user or group")),
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
        dropped(format!("{text:?} is not a boolean"))
    }
}

fn span(key: &str, text: &str) -> Result<String, Mangled> {
    // An infinite timeout has an old spelling (systemd.service(5)).
    let zero_is_infinite = matches!(
        key,
        "TimeoutStartSec" | "TimeoutStopSec" | "TimeoutSec" | "TimeoutAbortSec" | "JobTimeoutSec"
    );
    match time_span::parse(text) {
        Some(Span(0)) if zero_is_infinite => Ok(time_span::format(Span::INFINITY)),
        Some(span) => Ok(time_span::format(span)),
        None => dropped(format!("{text:?} is not a time span")),
    }
}

/// A number without a unit is nanoseconds.
fn nanoseconds(text: &str) -> Result<String, Mangled> {
    let number = text.strip_suffix("nsec").or_else(|| text.strip_suffix("ns")).unwrap_or(text).trim_end();
    let count = match number.parse::<u64>() {
        Ok(count) => Some(count),
        Err(_) => time_span::parse(text).and_then(|span| span.0.checked_mul(1000)),
    };
    match count {
        Some(count) => Ok(count.to_string()),
        None => dropped(format!("{text:?} is not a time span")),
    }
}

fn file_mode(text: &str) -> Result<String, Mangled> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(format!("{mode:04o}"))
        }
        _ => dropped(format!("{text:?} is not an octal mode")),
    }
}

fn input(text: &str) -> Result<String, Mangled> {
    const WORDS: &[&str] = &["null", "tty", "tty-force", "tty-fail", "socket", "fd", "data"];
    let is_file = text.strip_prefix("file:").is_some_and(|path| path.starts_with('/'));
    match WORDS.contains(&text) || text.starts_with("fd:") || is_file {
        true => Ok(text.to_owned()),
        false => dropped(format!("{text:?} is not an input")),
    }
}

fn output(version: SystemdVersion, text: &str) -> Result<String, Mangled> {
    const WORDS: &[&str] = &["null", "tty", "kmsg", "journal", "socket", "kmsg+console", "journal+console"];
    let file = |kind: &str| text.strip_prefix(kind).map(|path| path.starts_with('/'));
    match text {
        "inherit" => Ok("inherit".into()),
        "syslog" => Ok("journal".into()),
        "syslog+console" => Ok("journal+console".into()),
        "fd" => Ok("fd".into()),
        word if WORDS.contains(&word) => Ok(word.to_owned()),
        word if word.starts_with("fd:") => Ok(word.to_owned()),
        word if word.starts_with("truncate:") && version.has(252) == Some(false) => {
            dropped(format!("{word:?} is not an output before systemd 252"))
        }
        word => match [file("file:"), file("append:"), file("truncate:")].into_iter().flatten().next() {
            Some(true) => Ok(word.to_owned()),
            Some(false) => dropped(format!("the path in {word:?} is not absolute")),
            None => dropped(format!("{word:?} is not an output")),
        },
    }
}

#[cfg(test)]
mod tests;
