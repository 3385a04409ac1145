//! JSON texts beyond what a parser into maps tells: a key that an object has twice, of which one value would be lost.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The first key that an object of a text has twice, however deep; `None` for a text that is no JSON, too.
pub fn twin(text: &[u8]) -> Option<String> {
    let error = serde_json::from_slice::<Single>(text).err().filter(serde_json::Error::is_data)?;
    error.to_string().split(MARK).nth(1).map(str::to_owned)
}

/// Stands around the key in the error, and in no key of an error of the parser's own.
const MARK: char = '\u{0}';

/// A value without twins.
struct Single;

impl<'de> Deserialize<'de> for Single {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Single)
    }
}

impl<'de> Visitor<'de> for Single {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self, A::Error> {
        while values.next_element::<Single>()?.is_some() {}
        Ok(Self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Self, A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = pairs.next_key::<String>()? {
            pairs.next_value::<Single>()?;
            if let Some(twin) = seen.replace(key) {
                return Err(A::Error::custom(format!("{MARK}{twin}{MARK}")));
            }
        }
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_occurs_twice_is_found_however_deep() {
        let found = |text: &str| twin(text.as_bytes());
        assert_eq!(found(r#"{"a": 1, "b": [{"c": 1, "d": {}, "c": 2}]}"#).as_deref(), Some("c"));
        assert_eq!(found(r#"{"a": 1, "a": 1}"#).as_deref(), Some("a"));
        assert_eq!(found(r#"{"a": 1.5, "b": [null, true, -1, "a"], "c": {"a": 1}}"#), None);
        assert_eq!(found(r#"{"a": 1, "a""#), None);
    }
}
