//! The systemd version whose reading counts. Answers differ between versions.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A systemd version, for example 252.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SystemdVersion(pub u32);

impl SystemdVersion {
    /// The newest version whose settings are known here; an unknown version is read as this one.
    pub const NEWEST: Self = Self(257);

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
}
