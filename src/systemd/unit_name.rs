//! Unit names: prefix, instance, type, and how systemd escapes paths in them (systemd.unit(5)).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The types of units.
const TYPES: &[&str] = &[
    "service",
    "socket",
    "target",
    "device",
    "mount",
    "automount",
    "swap",
    "timer",
    "path",
    "slice",
    "scope",
];

/// A valid unit name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitName(Arc<str>);

impl UnitName {
    /// Checks a name as systemd does: at most 255 bytes, a known type, a non-empty prefix of letters,
    /// digits and `:-_.\`, and at most one `@`.
    pub fn parse(name: &str) -> Result<Self, String> {
        let (stem, kind) = name.rsplit_once('.').ok_or_else(|| format!("{name:?} has no unit type"))?;
        if !TYPES.contains(&kind) {
            return Err(format!("{name:?} has no known unit type"));
        }
        if name.len() > 255 {
            return Err(format!("{name:?} is longer than 255 bytes"));
        }
        let prefix = stem.split('@').next().unwrap_or("");
        if prefix.is_empty() {
            return Err(format!("{name:?} has an empty prefix"));
        }
        let valid = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        match stem.chars().find(|c| !valid(*c)) {
            Some(c) => Err(format!("{name:?} holds {c:?}, which no unit name may")),
            None => Ok(Self(name.into())),
        }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `service`, `timer` …
    pub fn kind(&self) -> &str {
        self.0.rsplit_once('.').map_or("", |(_, kind)| kind)
    }

    /// The name without its type, `%N`.
    pub fn stem(&self) -> &str {
        self.0.rsplit_once('.').map_or(&self.0, |(stem, _)| stem)
    }

    /// The part before `@`, or the whole stem, `%p`.
    pub fn prefix(&self) -> &str {
        self.stem().split_once('@').map_or(self.stem(), |(prefix, _)| prefix)
    }

    /// The part after `@`, `%i`; `None` without one, empty for a template.
    pub fn instance(&self) -> Option<&str> {
        self.stem().split_once('@').map(|(_, instance)| instance)
    }

    /// The template of an instance: `a@.service` of `a@b.service`.
    pub fn template(&self) -> Option<UnitName> {
        match self.instance() {
            Some(instance) if !instance.is_empty() => {
                Some(Self(format!("{}@.{}", self.prefix(), self.kind()).into()))
            }
            _ => None,
        }
    }

    /// The instance of this template, where the name is a template.
    pub fn instantiate(&self, instance: &str) -> Option<UnitName> {
        match self.instance() {
            Some("") => Self::parse(&format!("{}@{instance}.{}", self.prefix(), self.kind())).ok(),
            _ => None,
        }
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for UnitName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name)
    }
}

impl From<UnitName> for String {
    fn from(name: UnitName) -> Self {
        name.0.to_string()
    }
}

/// Undoes systemd's escaping: `-` is `/`, `\xHH` a byte (systemd-escape(1)).
pub fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'-' => bytes.push(b'/'),
            b'\\' => match escaped_byte(rest) {
                Some(value) => {
                    bytes.push(value);
                    rest = &rest[3..];
                }
                None => bytes.push(b'\\'),
            },
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escaped_byte(rest: &[u8]) -> Option<u8> {
    let [b'x', high, low, ..] = rest else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_name() {
        let name = UnitName::parse("foo-bar@a-b\\x2dc.service").unwrap();
        assert_eq!((name.prefix(), name.instance(), name.kind()), ("foo-bar", Some("a-b\\x2dc"), "service"));
        assert_eq!(name.template().unwrap().as_str(), "foo-bar@.service");
        assert_eq!(unescape("a-b\\x2dc"), "a/b-c");
        for bad in ["x", "x.conf", ".service", "@a.service", "a b.service", "a/b.service", "ä.service"] {
            assert!(UnitName::parse(bad).is_err(), "{bad}");
        }
    }
}
