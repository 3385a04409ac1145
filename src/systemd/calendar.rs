//! Calendar expressions as systemd reads them (systemd.time(7), *Calendar Events*), and when one elapses next. Held
//! against `systemd-analyze calendar` of 252 and 257 (tests/oracle, `tools/measure-calendar`).

mod days;

use days::{Day, last_of_month};

/// What an expression stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// A bit for each day of the week, Monday's the lowest; none set is every day.
    weekdays: u8,
    year: Chain,
    month: Chain,
    day: Chain,
    /// Days count from the end of the month.
    from_end: bool,
    hour: Chain,
    minute: Chain,
    /// In microseconds.
    second: Chain,
    /// The time zone that it names; `None` for UTC and for the host's own.
    pub zone: Option<String>,
}

/// Values of one part: `*` where there is none.
type Chain = Vec<Component>;

/// `start`, `start..stop`, `start/repeat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Component {
    start: u64,
    stop: Option<u64>,
    repeat: u64,
}

/// A value that is no calendar expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// The database of time zones that systemd asks.
pub const ZONE_DIRECTORY: &str = "/usr/share/zoneinfo";

const SECOND: u64 = 1_000_000;

const SHORTHANDS: &[(&str, &str)] = &[
    ("minutely", "*-*-* *:*:00"),
    ("hourly", "*-*-* *:00:00"),
    ("daily", "*-*-* 00:00:00"),
    ("weekly", "Mon *-*-* 00:00:00"),
    ("monthly", "*-*-01 00:00:00"),
    ("annually", "*-01-01 00:00:00"),
    ("yearly", "*-01-01 00:00:00"),
    ("anually", "*-01-01 00:00:00"),
    ("quarterly", "*-01,04,07,10-01 00:00:00"),
    ("biannually", "*-01,07-01 00:00:00"),
    ("bi-annually", "*-01,07-01 00:00:00"),
    ("semiannually", "*-01,07-01 00:00:00"),
    ("semi-annually", "*-01,07-01 00:00:00"),
];

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Names of time zones of the IANA database. A host may lack the older ones.
const ZONES: &str = include_str!("zones.txt");

/// Whether a word is the name of a time zone that some host has.
pub fn is_zone(name: &str) -> bool {
    ZONES.lines().any(|zone| zone == name)
}

/// Reads an expression. A word in its end that is a name for a time zone (`CEST`) counts as one: only the host knows
/// whether it is.
pub fn parse(text: &str) -> Result<Calendar, Invalid> {
    let (text, zone) = without_zone(text);
    if text.is_empty() {
        return Err(Invalid);
    }
    let shorthand = SHORTHANDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    let text = shorthand.map_or(text, |(_, long)| long);
    let mut calendar = Calendar {
        weekdays: 0,
        year: Chain::new(),
        month: Chain::new(),
        day: Chain::new(),
        from_end: false,
        hour: Chain::new(),
        minute: Chain::new(),
        second: Chain::new(),
        zone,
    };
    if let Some(epoch) = text.strip_prefix('@') {
        return calendar.at_epoch(epoch);
    }
    let rest = calendar.read_weekdays(text)?;
    let rest = calendar.read_date(rest)?;
    calendar.read_time(rest)?;
    calendar.end_ranges_at_a_repetition();
    calendar.fix_years();
    if calendar.is_valid() { Ok(calendar) } else { Err(Invalid) }
}

/// The expression without `UTC` or the name of a time zone behind it.
fn without_zone(text: &str) -> (&str, Option<String>) {
    let Some((rest, word)) = text.rsplit_once(' ') else { return (text, None) };
    if word.eq_ignore_ascii_case("UTC") {
        return (rest, None);
    }
    let is_abbreviation = (3..=5).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_uppercase());
    match is_abbreviation && !word.is_empty() && !is_weekday(word) || is_zone(word) {
        true => (rest, Some(word.to_owned())),
        false => (text, None),
    }
}

fn is_weekday(word: &str) -> bool {
    WEEKDAYS.iter().any(|day| day.eq_ignore_ascii_case(word) || day[..3].eq_ignore_ascii_case(word))
}

impl Calendar {
    fn at_epoch(mut self, text: &str) -> Result<Self, Invalid> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds: i64 = text.parse().ok().filter(|_| digits).ok_or(Invalid)?;
        let day = Day::at(seconds).filter(|day| day.year <= LAST_YEAR).ok_or(Invalid)?;
        let of_day = seconds.rem_euclid(86_400).unsigned_abs();
        let one = |value: u64| vec![Component { start: value, stop: None, repeat: 0 }];
        (self.year, self.month, self.day) = (one(day.year), one(day.month), one(day.day));
        self.hour = one(of_day / 3600);
        self.minute = one(of_day / 60 % 60);
        self.second = one(of_day % 60 * SECOND);
        Ok(self)
    }

    /// `parse_weekdays`: what stands behind them.
    fn read_weekdays<'t>(&mut self, text: &'t str) -> Result<&'t str, Invalid> {
        let mut rest = text;
        let mut range_from: Option<usize> = None;
        let mut first = true;
        loop {
            if !first && (rest.is_empty() || rest.starts_with(' ')) {
                return Ok(rest);
            }
            let Some((day, length)) = weekday(rest) else {
                return if first { Ok(rest) } else { Err(Invalid) };
            };
            rest = &rest[length..];
            if !matches!(rest.bytes().next(), None | Some(b'-' | b'.' | b',' | b' ')) {
                return Err(Invalid);
            }
            let from = range_from.unwrap_or(day);
            if from > day {
                return Err(Invalid);
            }
            (from..=day).for_each(|day| self.weekdays |= 1 << day);
            match rest.bytes().next() {
                None => return Ok(rest),
                Some(b' ') => return Ok(rest.trim_start_matches(' ')),
                Some(b',') => {
                    range_from = None;
                    rest = &rest[1..];
                }
                // `-` is an old spelling of `..`.
                _ => {
                    let behind = rest.strip_prefix("..").or_else(|| rest.strip_prefix('-')).ok_or(Invalid)?;
                    if range_from.replace(day).is_some() {
                        return Err(Invalid);
                    }
                    rest = behind;
                }
            }
            if rest.is_empty() || rest.starts_with(' ') {
                return if range_from.is_none() { Ok(rest.trim_start_matches(' ')) } else { Err(Invalid) };
            }
            first = false;
        }
    }

    /// `parse_date`: what stands behind it.
    fn read_date<'t>(&mut self, text: &'t str) -> Result<&'t str, Invalid> {
        if text.is_empty() {
            return Ok(text);
        }
        let (first, rest) = chain(text, false)?;
        // Then it was a time.
        if rest.is_empty() || rest.starts_with(':') {
            return Ok(text);
        }
        let rest = self.separator(rest)?;
        let (second, rest) = chain(rest, false)?;
        if rest.is_empty() || rest.starts_with(' ') {
            (self.month, self.day) = (first, second);
            return Ok(rest.trim_start_matches(' '));
        }
        if self.from_end {
            return Err(Invalid);
        }
        let rest = self.separator(rest)?;
        let (third, rest) = chain(rest, false)?;
        if !rest.is_empty() && !rest.starts_with(' ') {
            return Err(Invalid);
        }
        (self.year, self.month, self.day) = (first, second, third);
        Ok(rest.trim_start_matches(' '))
    }

    fn separator<'t>(&mut self, text: &'t str) -> Result<&'t str, Invalid> {
        if let Some(rest) = text.strip_prefix('~') {
            self.from_end = true;
            return Ok(rest);
        }
        text.strip_prefix('-').ok_or(Invalid)
    }

    /// `parse_calendar_time`.
    fn read_time(&mut self, text: &str) -> Result<(), Invalid> {
        let zero = || vec![Component { start: 0, stop: None, repeat: 0 }];
        (self.hour, self.minute, self.second) = (zero(), zero(), zero());
        if text.is_empty() {
            return Ok(());
        }
        let (hour, rest) = chain(text, false)?;
        let (minute, rest) = chain(rest.strip_prefix(':').ok_or(Invalid)?, false)?;
        (self.hour, self.minute) = (hour, minute);
        if rest.is_empty() {
            return Ok(());
        }
        let (second, rest) = chain(rest.strip_prefix(':').ok_or(Invalid)?, true)?;
        self.second = second;
        if rest.is_empty() { Ok(()) } else { Err(Invalid) }
    }

    fn parts(&mut self) -> [&mut Chain; 6] {
        [&mut self.year, &mut self.month, &mut self.day, &mut self.hour, &mut self.minute, &mut self.second]
    }

    /// `normalize_chain`: a range ends where its repetition meets it.
    fn end_ranges_at_a_repetition(&mut self) {
        for component in self.parts().into_iter().flatten() {
            if let Some(stop) = component.stop.filter(|stop| *stop > component.start)
                && component.repeat > 0
            {
                component.stop = Some(stop - (stop - component.start) % component.repeat);
            }
            if component.stop == Some(component.start) {
                (component.stop, component.repeat) = (None, 0);
            }
        }
    }

    /// `fix_year`: two digits are a year of 1970 to 2069.
    fn fix_years(&mut self) {
        let fixed = |year: u64| match year {
            0..=69 => year + 2000,
            70..=99 => year + 1900,
            year => year,
        };
        for component in &mut self.year {
            component.start = fixed(component.start);
            component.stop = component.stop.map(fixed);
        }
    }

    /// `calendar_spec_valid`.
    fn is_valid(&self) -> bool {
        let within =
            |chain: &Chain, from, to| chain.iter().all(|component| component.is_valid(from, to, false));
        within(&self.year, FIRST_YEAR, LAST_YEAR)
            && within(&self.month, 1, 12)
            && self
                .day
                .iter()
                .all(|component| component.is_valid(1, LAST_DAY[usize::from(self.from_end)], self.from_end))
            && within(&self.hour, 0, 23)
            && within(&self.minute, 0, 59)
            && within(&self.second, 0, 60 * SECOND - 1)
    }

    /// When it elapses next after a moment, in seconds since the epoch and read as if its zone were UTC; `None` when
    /// it never does.
    pub fn next(&self, after: i64) -> Option<i64> {
        let mut day = Day::at(after)?;
        let mut of_day = after.rem_euclid(86_400).unsigned_abs() * SECOND;
        let mut begins = after.div_euclid(86_400);
        while day.year <= LAST_YEAR {
            if self.is_on(&day)
                && let Some(time) = self.time_after(of_day)
            {
                return Some(begins * 86_400 + i64::try_from(time / SECOND).ok()?);
            }
            day.advance();
            begins += 1;
            // At midnight itself, too.
            of_day = 0;
            if self.is_on(&day)
                && let Some(time) = self.time_from(0)
            {
                return Some(begins * 86_400 + i64::try_from(time / SECOND).ok()?);
            }
        }
        None
    }

    fn is_on(&self, day: &Day) -> bool {
        let last = last_of_month(day.year, day.month);
        let date = if self.from_end { last + 1 - day.day } else { day.day };
        let has = |chain: &Chain, value| chain.is_empty() || chain.iter().any(|part| part.has(value, false));
        let has_date = self.day.is_empty() || self.day.iter().any(|part| part.has(date, self.from_end));
        has(&self.year, day.year)
            && has(&self.month, day.month)
            && has_date
            && (self.weekdays == 0 || self.weekdays & 1 << day.weekday != 0)
    }

    /// The first time of a day after a microsecond of it.
    fn time_after(&self, of_day: u64) -> Option<u64> {
        self.time_from(of_day + 1)
    }

    fn time_from(&self, of_day: u64) -> Option<u64> {
        for hour in (of_day / (3600 * SECOND)..24).filter(|hour| has(&self.hour, *hour)) {
            for minute in (0..60).filter(|minute| has(&self.minute, *minute)) {
                let begins = (hour * 3600 + minute * 60) * SECOND;
                if begins + 60 * SECOND <= of_day {
                    continue;
                }
                let least = of_day.saturating_sub(begins);
                let second = match self.second.is_empty() {
                    true => Some(least.div_ceil(SECOND) * SECOND),
                    false => self.second.iter().filter_map(|part| part.from(least)).min(),
                };
                if let Some(second) = second.filter(|second| *second < 60 * SECOND) {
                    return Some(begins + second);
                }
            }
        }
        None
    }
}

const FIRST_YEAR: u64 = 1970;
const LAST_YEAR: u64 = 2199;
/// The last day of a month, and how many days before its end one may count.
const LAST_DAY: [u64; 2] = [31, 28];

fn has(chain: &Chain, value: u64) -> bool {
    chain.is_empty() || chain.iter().any(|part| part.has(value, false))
}

impl Component {
    /// `chain_valid`.
    fn is_valid(&self, from: u64, to: u64, from_end: bool) -> bool {
        if self.start < from || self.start > to {
            return false;
        }
        match self.stop {
            Some(stop) => stop >= from && stop <= to && self.start + self.repeat <= stop,
            None if self.repeat == 0 => true,
            None if self.repeat > to - from => false,
            None if from_end => self.start >= self.repeat + from,
            None => self.start + self.repeat <= to,
        }
    }

    /// Whether it stands for a value. Counted from the end of a month, a repetition goes to smaller numbers.
    fn has(&self, value: u64, from_end: bool) -> bool {
        if value == self.start {
            return true;
        }
        let (low, high) = match (self.stop, from_end) {
            (Some(stop), _) => (self.start, stop),
            (None, true) => (0, self.start),
            (None, false) => (self.start, u64::MAX),
        };
        self.repeat > 0
            && value >= low
            && value <= high
            && value.abs_diff(self.start).is_multiple_of(self.repeat)
    }

    /// Its first value that is no smaller.
    fn from(&self, least: u64) -> Option<u64> {
        if least <= self.start {
            return Some(self.start);
        }
        let steps = (least - self.start).div_ceil(if self.repeat == 0 { return None } else { self.repeat });
        let value = self.start + steps * self.repeat;
        self.stop.is_none_or(|stop| value <= stop).then_some(value)
    }
}

/// A weekday at the start of a text, and how long its name is.
fn weekday(text: &str) -> Option<(usize, usize)> {
    let begins = |name: &str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    WEEKDAYS.iter().enumerate().find_map(|(at, name)| {
        let length = if begins(name) { Some(name.len()) } else { begins(&name[..3]).then_some(3) };
        length.map(|length| (at, length))
    })
}

/// `parse_chain`: values with commas between them, or `*`.
fn chain(text: &str, seconds: bool) -> Result<(Chain, &str), Invalid> {
    if let Some(rest) = text.strip_prefix('*') {
        // Every whole second.
        let whole = || vec![Component { start: 0, stop: None, repeat: SECOND }];
        return Ok((if seconds { whole() } else { Chain::new() }, rest));
    }
    let mut all = Chain::new();
    let mut rest = text;
    // systemd stops at so many.
    while all.len() <= 240 {
        let (start, after) = decimal(rest, seconds)?;
        let mut component = Component { start, stop: None, repeat: 0 };
        rest = after;
        if let Some(after) = rest.strip_prefix("..") {
            let (stop, after) = decimal(after, seconds)?;
            component.stop = Some(stop);
            component.repeat = if seconds { SECOND } else { 1 };
            rest = after;
        }
        if let Some(after) = rest.strip_prefix('/') {
            let (repeat, after) = decimal(after, seconds)?;
            if repeat == 0 {
                return Err(Invalid);
            }
            component.repeat = repeat;
            rest = after;
        }
        all.push(component);
        match rest.bytes().next() {
            Some(b',') => rest = &rest[1..],
            None | Some(b' ' | b'-' | b'~' | b':') => return Ok((all, rest)),
            _ => return Err(Invalid),
        }
    }
    Err(Invalid)
}

/// `parse_component_decimal`: a number; of seconds with a fraction, in microseconds.
fn decimal(text: &str, seconds: bool) -> Result<(u64, &str), Invalid> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, mut rest) = text.split_at(digits(text));
    let mut value: u64 = number.parse().map_err(|_| Invalid)?;
    if seconds {
        value = value.checked_mul(SECOND).ok_or(Invalid)?;
        if let Some(fraction) = rest.strip_prefix('.').filter(|fraction| !fraction.starts_with('.')) {
            let length = digits(fraction);
            if length == 0 {
                return Err(Invalid);
            }
            value += micros(&fraction[..length]);
            rest = &fraction[length..];
        }
    }
    if value > i32::MAX as u64 { Err(Invalid) } else { Ok((value, rest)) }
}

/// A fraction of a second, rounded to microseconds.
fn micros(fraction: &str) -> u64 {
    let digit = |at: usize| fraction.as_bytes().get(at).map_or(0, |byte| u64::from(byte - b'0'));
    let whole = (0..6).fold(0, |value, at| value * 10 + digit(at));
    whole + u64::from(digit(6) >= 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_any_kind_are_refused_and_nothing_worse() {
        for text in ["", " ", "@", "~", "-", "..", "Mon..", "ä", "Moä", "*-*-* ä:0", "1,,2:0", "/2:0"] {
            assert_eq!(parse(text), Err(Invalid), "{text:?}");
        }
    }

    #[test]
    fn a_zone_is_a_name_of_the_database_or_an_abbreviation() {
        assert_eq!(parse("04:00 Europe/Berlin").map(|read| read.zone), Ok(Some("Europe/Berlin".to_owned())));
        assert_eq!(parse("04:00 UTC").map(|read| read.zone), Ok(None));
        assert_eq!(parse("04:00 CEST").map(|read| read.zone), Ok(Some("CEST".to_owned())));
        assert_eq!(parse("04:00 Europe/Nowhere"), Err(Invalid));
        assert_eq!(parse("04:00 Mon"), Err(Invalid));
    }
}
