//! Sizes, counts, percentages, limits, signals and exit statuses.

use std::collections::BTreeSet;

use super::time_span::{self, Span};
use super::{Mangled, Reading, dropped};
use crate::systemd::version::SystemdVersion;

const INFINITY: &str = "infinity";

/// Reads a size with the suffixes B K M G T P E to the base 1024, each at most once and falling: `1M512K`.
pub fn parse_size(text: &str) -> Option<u64> {
    const SUFFIXES: &[(char, u32)] =
        &[('E', 60), ('P', 50), ('T', 40), ('G', 30), ('M', 20), ('K', 10), ('B', 0)];
    let mut rest = text.trim();
    let mut total: u64 = 0;
    let mut allowed = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (whole, after) = rest.split_at(end);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())),
            None => ("", after),
        };
        let whole: u64 = whole.parse().ok()?;
        let after = after.trim_start();
        let found =
            SUFFIXES.iter().enumerate().skip(allowed).find(|(_, (suffix, _))| after.starts_with(*suffix));
        let (shift, after) = match found {
            Some((at, (_, shift))) => {
                allowed = at + 1;
                (*shift, &after[1..])
            }
            None if after.is_empty() => (0, after),
            None => return None,
        };
        total = total.checked_add(whole.checked_mul(1 << shift)?)?.checked_add(part(fraction, shift)?)?;
        rest = after.trim_start();
    }
    Some(total)
}

/// A decimal fraction of a power of two, rounded down.
fn part(fraction: &str, shift: u32) -> Option<u64> {
    let digits = &fraction[..fraction.len().min(18)];
    if digits.is_empty() {
        return Some(0);
    }
    let numerator = u128::from(digits.parse::<u64>().ok()?) << shift;
    u64::try_from(numerator / 10_u128.pow(u32::try_from(digits.len()).ok()?)).ok()
}

/// A size as `systemctl show` prints it.
pub fn format_size(bytes: u64) -> String {
    if bytes == u64::MAX { INFINITY.into() } else { bytes.to_string() }
}

/// A percentage in hundredths of a percent: `5.25%`, `52‰`, `525‱`.
fn permyriad(text: &str, version: SystemdVersion) -> Option<u64> {
    // systemd 247 counts in thousandths.
    let finest = if version.has(252) == Some(false) { 10 } else { 1 };
    let (number, scale) = if let Some(number) = text.strip_suffix('%') {
        (number, 100)
    } else if let Some(number) = text.strip_suffix('‰') {
        (number, 10)
    } else {
        (text.strip_suffix('‱')?, 1)
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let most = match scale / finest {
        100 => 2,
        10 => 1,
        _ => 0,
    };
    if scale < finest {
        return None;
    }
    if !digits(whole) || (number.contains('.') && (!digits(fraction) || fraction.len() > most)) {
        return None;
    }
    let mut value = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let mut part = scale;
    for digit in fraction.bytes() {
        part /= 10;
        value += u64::from(digit - b'0') * part;
    }
    Some(value)
}

pub(super) fn memory(text: &str, zero: bool, version: SystemdVersion) -> Result<String, Mangled> {
    if text == INFINITY {
        return Ok(INFINITY.into());
    }
    if let Some(share) = permyriad(text, version) {
        return match share {
            0 if !zero => dropped(format!("{text:?} is not a limit: systemd takes it as none")),
            0..=10_000 => Ok(format!("{}%", share as f64 / 100.0)),
            _ => dropped(format!("{text:?} is more than all: systemd takes it as no limit")),
        };
    }
    match parse_size(text) {
        Some(bytes) if bytes > 0 || zero => Ok(format_size(bytes)),
        _ => dropped(format!(
            "{text:?} is not a size (suffixes are K M G T P E): systemd takes it as no limit"
        )),
    }
}

pub(super) fn tasks(text: &str, version: SystemdVersion) -> Result<String, Mangled> {
    if text == INFINITY {
        return Ok(INFINITY.into());
    }
    match (permyriad(text, version), decimal(text)) {
        (Some(share @ 1..=10_000), _) => Ok(format!("{}%", share as f64 / 100.0)),
        (None, Some(count)) if count > 0 => Ok(count.to_string()),
        _ => dropped(format!("{text:?} is not a number of tasks")),
    }
}

pub(super) fn cpu_quota(text: &str, version: SystemdVersion) -> Result<String, Mangled> {
    // systemd counts hundredths of a percent in an int; 247 counts tenths.
    let most = i32::MAX as u64 * if version.has(252) == Some(false) { 10 } else { 1 };
    match permyriad(text, version) {
        Some(share) if share > 0 && share <= most => Ok(time_span::format(Span(share.saturating_mul(100)))),
        _ => dropped(format!("{text:?} is not a percentage above zero: systemd takes it as no quota")),
    }
}

/// `safe_atou`: decimal, `0x` hexadecimal, `0` octal, `0b` binary, `0o` octal.
fn decimal(text: &str) -> Option<u64> {
    let text = text.trim_start().strip_prefix('+').unwrap_or(text);
    let based =
        |prefix: &str, base| text.strip_prefix(prefix).map(|rest| u64::from_str_radix(rest, base).ok());
    let digits = |rest: &str, base| {
        (!rest.is_empty() && !rest.starts_with(['+', '-']))
            .then(|| u64::from_str_radix(rest, base).ok())
            .flatten()
    };
    based("0x", 16).or_else(|| based("0b", 2)).or_else(|| based("0o", 8)).unwrap_or_else(|| {
        match text.strip_prefix('0') {
            Some(rest) if !rest.is_empty() => digits(rest, 8),
            _ => digits(text, 10),
        }
    })
}

pub(super) fn unsigned(text: &str) -> Result<String, Mangled> {
    match decimal(text).filter(|number| *number <= u64::from(u32::MAX)) {
        Some(number) => Ok(number.to_string()),
        None => dropped(format!("{text:?} is not a number")),
    }
}

pub(super) fn within(text: &str, least: i64, most: i64) -> Result<String, Mangled> {
    let (sign, magnitude) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let number = decimal(magnitude).and_then(|number| i64::try_from(number).ok());
    match number.map(|number| sign * number) {
        Some(number) if (least..=most).contains(&number) => Ok(number.to_string()),
        Some(_) => dropped(format!("{text} is not between {least} and {most}")),
        None => dropped(format!("{text:?} is not a number")),
    }
}

pub(super) fn weight(kind: &str, text: &str) -> Result<String, Mangled> {
    let (least, most) = if kind == "SHARES" { (2, 262_144) } else { (1, 10_000) };
    match decimal(text) {
        Some(number) if (least..=most).contains(&number) => Ok(number.to_string()),
        None if text == "idle" && kind == "CPUWEIGHT" => Ok("idle".into()),
        _ => dropped(format!("{text:?} is not a weight between {least} and {most}")),
    }
}

/// `LimitNOFILE=1024:4096`; byte limits take sizes, LimitCPU seconds, the others plain numbers.
pub(super) fn limit(key: &str, text: &str) -> Result<String, Mangled> {
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    match (one_limit(key, soft), one_limit(key, hard)) {
        (Some(soft), Some(hard)) if soft > hard => {
            dropped(format!("{text:?} is a soft limit above the hard one"))
        }
        (Some(soft), Some(hard)) if soft == hard => Ok(format_size(hard)),
        (Some(soft), Some(hard)) => Ok(format!("{}:{}", format_size(soft), format_size(hard))),
        _ => dropped(format!("{text:?} is not a limit")),
    }
}

fn one_limit(key: &str, text: &str) -> Option<u64> {
    if text.is_empty() || text.contains(char::is_whitespace) && text.trim() != text {
        return None;
    }
    if text == INFINITY {
        return Some(u64::MAX);
    }
    match key {
        "LimitFSIZE" | "LimitDATA" | "LimitSTACK" | "LimitCORE" | "LimitRSS" | "LimitAS" | "LimitMEMLOCK"
        | "LimitMSGQUEUE" => parse_size(text),
        "LimitCPU" => time_span::parse(text).map(|span| span.0.div_ceil(1_000_000)),
        // A number without a unit is microseconds.
        "LimitRTTIME" => decimal(text).or_else(|| time_span::parse(text).map(|span| span.0)),
        "LimitNICE" if text.starts_with(['+', '-']) => {
            let nice = text.parse::<i64>().ok().filter(|nice| (-20..=19).contains(nice))?;
            u64::try_from(20 - nice).ok()
        }
        _ => decimal(text),
    }
}

const SIGNALS: &[&str] = &[
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

fn signal_number(text: &str) -> Option<usize> {
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let by_name = SIGNALS.iter().position(|signal| *signal == name).map(|at| at + 1);
    let by_number = || text.parse().ok().filter(|number| (1..=LAST_SIGNAL).contains(number));
    by_name.or_else(|| real_time_signal(name)).or_else(by_number)
}

/// Real-time signals as glibc leaves them to programs: `RTMIN+3`, `RTMAX-1`.
const FIRST_REAL_TIME: usize = 34;
const LAST_SIGNAL: usize = 64;

fn real_time_signal(name: &str) -> Option<usize> {
    let (from, offset) = match name.strip_prefix("RTMIN") {
        Some("") => (FIRST_REAL_TIME, 0),
        Some(rest) => (FIRST_REAL_TIME, rest.strip_prefix('+')?.parse().ok()?),
        None => match name.strip_prefix("RTMAX")? {
            "" => (LAST_SIGNAL, 0),
            rest => (LAST_SIGNAL, -rest.strip_prefix('-')?.parse::<isize>().ok()?),
        },
    };
    let number = from.checked_add_signed(offset)?;
    (FIRST_REAL_TIME..=LAST_SIGNAL).contains(&number).then_some(number)
}

pub(super) fn signal(text: &str) -> Result<String, Mangled> {
    match signal_number(text) {
        Some(number) => Ok(number.to_string()),
        None => dropped(format!("{text:?} is not a signal")),
    }
}

/// The names of exit statuses (systemd.exec(5)) that a unit may use for a number.
const STATUSES: &[(&str, u8)] = &[
    ("SUCCESS", 0),
    ("FAILURE", 1),
    ("INVALIDARGUMENT", 2),
    ("NOTIMPLEMENTED", 3),
    ("NOPERMISSION", 4),
    ("NOTINSTALLED", 5),
    ("NOTCONFIGURED", 6),
    ("NOTRUNNING", 7),
    ("USAGE", 64),
    ("DATAERR", 65),
    ("NOINPUT", 66),
    ("NOUSER", 67),
    ("NOHOST", 68),
    ("UNAVAILABLE", 69),
    ("SOFTWARE", 70),
    ("OSERR", 71),
    ("OSFILE", 72),
    ("CANTCREAT", 73),
    ("IOERR", 74),
    ("TEMPFAIL", 75),
    ("PROTOCOL", 76),
    ("NOPERM", 77),
    ("CONFIG", 78),
    ("CHDIR", 200),
    ("NICE", 201),
    ("FDS", 202),
    ("EXEC", 203),
    ("MEMORY", 204),
    ("LIMITS", 205),
    ("OOM_ADJUST", 206),
    ("SIGNAL_MASK", 207),
    ("STDIN", 208),
    ("STDOUT", 209),
    ("CHROOT", 210),
    ("IOPRIO", 211),
    ("TIMERSLACK", 212),
    ("SECUREBITS", 213),
    ("SETSCHEDULER", 214),
    ("CPUAFFINITY", 215),
    ("GROUP", 216),
    ("USER", 217),
    ("CAPABILITIES", 218),
    ("CGROUP", 219),
    ("SETSID", 220),
    ("CONFIRM", 221),
    ("STDERR", 222),
    ("PAM", 224),
    ("NETWORK", 225),
    ("NAMESPACE", 226),
    ("NO_NEW_PRIVILEGES", 227),
    ("SECCOMP", 228),
    ("SELINUX_CONTEXT", 229),
    ("PERSONALITY", 230),
    ("APPARMOR", 231),
    ("ADDRESS_FAMILIES", 232),
    ("RUNTIME_DIRECTORY", 233),
    ("CHOWN", 235),
    ("SMACK_PROCESS_LABEL", 236),
    ("KEYRING", 237),
    ("STATE_DIRECTORY", 238),
    ("CACHE_DIRECTORY", 239),
    ("LOGS_DIRECTORY", 240),
    ("CONFIGURATION_DIRECTORY", 241),
    ("NUMA_POLICY", 242),
    ("CREDENTIALS", 243),
    ("BPF", 244),
    ("KSM", 245),
    ("MEMORY_THP", 246),
    ("EXCEPTION", 255),
];

/// Exit statuses and signals: numbers first, then signals, both rising, as `systemctl show` prints them.
pub(super) fn exit_statuses(text: &str) -> Result<Reading, Mangled> {
    let mut numbers = BTreeSet::new();
    let mut signals = BTreeSet::new();
    let mut passed_over = Vec::new();
    for word in text.split_whitespace() {
        let named = STATUSES.iter().find(|(name, _)| *name == word).map(|(_, number)| *number);
        if let Some(number) = named.or_else(|| word.parse::<u8>().ok()) {
            numbers.insert(number);
        } else if let Some(number) = signal_number(word).filter(|number| *number <= SIGNALS.len()) {
            signals.insert(number);
        } else {
            passed_over.push(format!("{word:?} is neither an exit status nor a signal"));
        }
    }
    if numbers.is_empty() && signals.is_empty() {
        return dropped(passed_over.join("; "));
    }
    let numbers = numbers.iter().map(u8::to_string);
    let signals = signals.iter().map(|number| SIGNALS[number - 1].to_owned());
    Ok(Reading {
        value: Some(numbers.chain(signals).collect::<Vec<_>>().join(" ")),
        passed_over,
        ..Reading::default()
    })
}
