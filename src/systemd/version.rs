//! The systemd version whose reading counts. Answers differ between versions.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A systemd version, for example 252.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SystemdVersion(pub u32);

/// The measured versions, oldest first. Every table by version has one entry for each, in this order.
pub const MEASURED: [SystemdVersion; 5] =
    [SystemdVersion(247), SystemdVersion(252), SystemdVersion(254), SystemdVersion(257), SystemdVersion(262)];

/// A thing of each measured version, in their order.
pub type OfEach<T> = [T; MEASURED.len()];

/// What was measured around a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around<T> {
    /// The version itself.
    Measured(T),
    /// It lies between an older and a newer one.
    Between(T, T),
    /// It is older than the oldest.
    Before(T),
    /// It is newer than the newest.
    After(T),
}

impl<T> Around<T> {
    /// What stands for the version where the measured ones agree: the version itself, or the nearest one that is not
    /// newer, or the oldest.
    pub fn nearest(self) -> T {
        match self {
            Self::Measured(here) | Self::Between(here, _) | Self::Before(here) | Self::After(here) => here,
        }
    }

    /// The same for something made of each.
    pub fn map<U>(self, make: impl Fn(T) -> U) -> Around<U> {
        match self {
            Self::Measured(here) => Around::Measured(make(here)),
            Self::Between(older, newer) => Around::Between(make(older), make(newer)),
            Self::Before(oldest) => Around::Before(make(oldest)),
            Self::After(newest) => Around::After(make(newest)),
        }
    }
}

impl SystemdVersion {
    /// The oldest measured version.
    pub const OLDEST: Self = MEASURED[0];
    /// The newest measured version; an unknown version is read as this one.
    pub const NEWEST: Self = MEASURED[MEASURED.len() - 1];

    /// Whether it is the newest measured one.
    pub fn is_newest(&self) -> bool {
        *self == Self::NEWEST
    }

    /// Whether this version does what `learned` does and the measured version before that does not; `None` between them.
    pub fn has(self, learned: u32) -> Option<bool> {
        let lacks = MEASURED.iter().rfind(|measured| measured.0 < learned);
        match (self.0 >= learned, lacks) {
            (true, _) => Some(true),
            (false, Some(lacks)) if self <= *lacks => Some(false),
            (false, _) => None,
        }
    }

    /// What was measured around this version.
    pub fn around<T>(self, tables: &OfEach<T>) -> Around<&T> {
        let newer = MEASURED.iter().position(|measured| self <= *measured);
        match newer.map(|at| (at, MEASURED[at] == self)) {
            Some((at, true)) => Around::Measured(&tables[at]),
            Some((0, false)) => Around::Before(&tables[0]),
            Some((at, false)) => Around::Between(&tables[at - 1], &tables[at]),
            None => Around::After(&tables[tables.len() - 1]),
        }
    }

    /// Reads `252`, `systemd 252 (252.39-1~deb12u2)` and `257.9-1`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("systemd").unwrap_or(text).trim_start();
        let digits = text.split(|c: char| !c.is_ascii_digit()).next().unwrap_or("");
        digits.parse().ok().map(Self)
    }
}

impl Default for SystemdVersion {
    fn default() -> Self {
        Self::NEWEST
    }
}

impl fmt::Display for SystemdVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_every_usual_text() {
        for text in ["252", "systemd 252 (252.39-1~deb12u2)", "252.39-1~deb12u2", " 252\n"] {
            assert_eq!(SystemdVersion::parse(text), Some(SystemdVersion(252)), "{text}");
        }
        assert_eq!(SystemdVersion::parse("shared"), None);
    }

    #[test]
    fn a_version_lies_at_between_or_beyond_the_measured_ones() {
        let around = |version| SystemdVersion(version).around(&MEASURED).map(|measured| measured.0);
        assert_eq!(around(239), Around::Before(247));
        assert_eq!(around(247), Around::Measured(247));
        assert_eq!(around(255), Around::Between(254, 257));
        assert_eq!(around(262), Around::Measured(262));
        assert_eq!(around(263), Around::After(262));
        assert!(MEASURED.is_sorted());
    }

    #[test]
    fn what_a_version_has_learned_is_open_between_the_measured_ones() {
        let has = |version| SystemdVersion(version).has(257);
        assert_eq!((has(254), has(255), has(257), has(300)), (Some(false), None, Some(true), Some(true)));
        assert_eq!(SystemdVersion(252).has(253), Some(false), "what is documented leaves no gap");
    }
}
