//! Time spans as systemd.time(7) reads and prints them.

/// A span in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

impl Span {
    /// No end.
    pub const INFINITY: Self = Self(u64::MAX);
}

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
/// 30.4375 days.
const MONTH: u64 = 2_629_800 * SECOND;
/// 365.25 days.
const YEAR: u64 = 31_557_600 * SECOND;

const UNITS: &[(&str, u64)] = &[
    ("seconds", SECOND),
    ("second", SECOND),
    ("sec", SECOND),
    ("s", SECOND),
    ("minutes", MINUTE),
    ("minute", MINUTE),
    ("min", MINUTE),
    ("months", MONTH),
    ("month", MONTH),
    ("M", MONTH),
    ("msec", 1_000),
    ("ms", 1_000),
    ("m", MINUTE),
    ("hours", HOUR),
    ("hour", HOUR),
    ("hr", HOUR),
    ("h", HOUR),
    ("days", DAY),
    ("day", DAY),
    ("d", DAY),
    ("weeks", WEEK),
    ("week", WEEK),
    ("w", WEEK),
    ("years", YEAR),
    ("year", YEAR),
    ("y", YEAR),
    ("usec", 1),
    ("us", 1),
    ("μs", 1),
    ("µs", 1),
];

/// Reads a span; a number without a unit is seconds. `None` for what systemd rejects.
pub fn parse(text: &str) -> Option<Span> {
    let mut rest = text.trim();
    if rest == "infinity" {
        return Some(Span::INFINITY);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        // The number is read by strtoll(3): it may have a plus, and nothing before its point.
        let unsigned = rest.strip_prefix('+').unwrap_or(rest);
        let (whole, after) = digits(unsigned).or_else(|| rest.starts_with('.').then_some(("0", rest)))?;
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after)?,
            None => ("", after),
        };
        let after = after.trim_start();
        // The longest unit that fits, as `msec` must not be read as `m`.
        let unit =
            UNITS.iter().filter(|(name, _)| after.starts_with(name)).max_by_key(|(name, _)| name.len());
        let (scale, after) = unit.map_or((SECOND, after), |(name, scale)| (*scale, &after[name.len()..]));
        total = total.checked_add(amount(whole, fraction, scale)?)?;
        rest = after.trim_start();
    }
    (total < u64::MAX).then_some(Span(total))
}

/// The leading digits; none are an error.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn amount(whole: &str, fraction: &str, scale: u64) -> Option<u64> {
    let mut amount = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let mut part = scale;
    for digit in fraction.bytes() {
        part /= 10;
        amount = amount.checked_add(u64::from(digit - b'0') * part)?;
    }
    Some(amount)
}

/// Prints a span as `systemctl show` does: `1min 30s`, `52.500ms`, `infinity`, `0`.
pub fn format(span: Span) -> String {
    const TABLE: &[(&str, u64)] = &[
        ("y", YEAR),
        ("month", MONTH),
        ("w", WEEK),
        ("d", DAY),
        ("h", HOUR),
        ("min", MINUTE),
        ("s", SECOND),
        ("ms", 1_000),
        ("us", 1),
    ];
    if span == Span::INFINITY {
        return "infinity".into();
    }
    if span.0 == 0 {
        return "0".into();
    }
    let mut left = span.0;
    let mut parts = Vec::new();
    for (name, unit) in TABLE {
        if left < *unit {
            continue;
        }
        let (count, rest) = (left / unit, left % unit);
        // Below a minute the rest is written as a decimal fraction.
        if left < MINUTE && rest > 0 {
            let width = usize::try_from(unit.ilog10()).unwrap_or(0);
            parts.push(format!("{count}.{rest:0width$}{name}"));
            break;
        }
        parts.push(format!("{count}{name}"));
        left = rest;
        if left == 0 {
            break;
        }
    }
    parts.join(" ")
}
