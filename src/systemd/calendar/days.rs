//! Days of the calendar, one after the other.

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) year: u64,
    pub(super) month: u64,
    pub(super) day: u64,
    /// 0 is Monday.
    pub(super) weekday: u8,
}

/// The last day of a month.
pub(super) fn last_of_month(year: u64, month: u64) -> u64 {
    let leaps = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leaps => 29,
        2 => 28,
        _ => 31,
    }
}

impl Day {
    /// The day of a moment from 1970 on, in seconds since the epoch.
    pub(super) fn at(seconds: i64) -> Option<Self> {
        let mut left = u64::try_from(seconds).ok()? / 86_400;
        // The calendar repeats itself after so many days.
        let (cycles, rest) = (left / 146_097, left % 146_097);
        // The epoch was a Thursday.
        let mut day = Day { year: 1970 + cycles * 400, month: 1, day: 1, weekday: ((left + 3) % 7) as u8 };
        left = rest;
        loop {
            let days = if last_of_month(day.year, 2) == 29 { 366 } else { 365 };
            if left < days {
                break;
            }
            left -= days;
            day.year += 1;
        }
        while left >= last_of_month(day.year, day.month) {
            left -= last_of_month(day.year, day.month);
            day.month += 1;
        }
        day.day += left;
        Some(day)
    }

    /// Goes to the next day.
    pub(super) fn advance(&mut self) {
        self.weekday = (self.weekday + 1) % 7;
        self.day += 1;
        if self.day > last_of_month(self.year, self.month) {
            self.day = 1;
            self.month += 1;
        }
        if self.month > 12 {
            self.month = 1;
            self.year += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_moments() {
        let at = |seconds| Day::at(seconds).map(|day| (day.year, day.month, day.day, day.weekday));
        assert_eq!(at(0), Some((1970, 1, 1, 3)));
        assert_eq!(at(951_782_400), Some((2000, 2, 29, 1)));
        assert_eq!(at(1_768_478_400), Some((2026, 1, 15, 3)));
        assert_eq!(at(-1), None);
        let mut day = Day { year: 2027, month: 12, day: 31, weekday: 4 };
        day.advance();
        assert_eq!(day, Day { year: 2028, month: 1, day: 1, weekday: 5 });
    }
}
