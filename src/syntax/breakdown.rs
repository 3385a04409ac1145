//! What models said in one event: JSON from a model's name to its action and its confidence.
//!
//! Nothing is taken that is not exactly that: no number beyond 0..=1, no unknown action, no name twice. The reader holds one
//! event and nests as deep as serde_json does (128 levels).

mod passed;

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use passed::Passed;

/// No model has a longer name, in bytes.
const LONGEST_NAME: usize = 128;

/// No event has the answers of more models.
pub const MOST_MODELS: usize = 64;

/// What is wanted of the answers.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The actions there are.
    pub actions: &'a [String],
    /// A key of an answer whose text is wanted as well.
    pub mark: Option<&'a str>,
}

/// What one model said.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<'j> {
    /// The model's name.
    pub model: Cow<'j, str>,
    /// Which of the actions.
    pub action: usize,
    /// From 0 to 1.
    pub confidence: f64,
    /// The text under the key that was wanted.
    pub mark: Option<Cow<'j, str>>,
}

/// Reads the answers; at least one, or why there is none.
pub fn read<'j>(json: &'j [u8], wanted: Wanted<'_>, into: &mut Vec<Answer<'j>>) -> Result<(), String> {
    let mut reader = serde_json::Deserializer::from_str(text(json)?);
    let read = Answers { wanted, into }.deserialize(&mut reader).and_then(|()| reader.end());
    read.map_err(|error| plain(&error, json))?;
    match into.is_empty() {
        true => Err("it names no model".to_owned()),
        false => Ok(()),
    }
}

/// Reads the same from the field `field` of a JSON object, where it is an object itself or a text that holds one. `held`
/// is room for such a text. False where the object has no such field.
pub fn read_inside<'j>(
    json: &'j [u8],
    field: &str,
    held: &'j mut String,
    wanted: Wanted<'_>,
    into: &mut Vec<Answer<'j>>,
) -> Result<bool, String> {
    let mut found = Inside::Nothing;
    let mut reader = serde_json::Deserializer::from_str(text(json)?);
    let outer = Outer { field, wanted, into: &mut *into, found: &mut found };
    let read = outer.deserialize(&mut reader).and_then(|()| reader.end());
    read.map_err(|error| plain(&error, json))?;
    match found {
        Inside::Nothing => Ok(false),
        Inside::Text(text) => {
            *held = text;
            self::read(held.as_bytes(), wanted, into).map(|()| true)
        }
        Inside::Answers if into.is_empty() => Err("it names no model".to_owned()),
        Inside::Answers => Ok(true),
    }
}

/// JSON is UTF-8 (RFC 8259, section 8.1). It is looked at once, not at every text in it.
fn text(json: &[u8]) -> Result<&str, String> {
    let wrong = |error: std::str::Utf8Error| format!("it is not UTF-8 behind byte {}", error.valid_up_to());
    std::str::from_utf8(json).map_err(wrong)
}

/// An error without its place in the line, and what Python writes where JSON has no number.
fn plain(error: &serde_json::Error, json: &[u8]) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let at = error.column().saturating_sub(1);
    let around = json.get(at.saturating_sub(1)..).unwrap_or_default();
    let words = ["NaN", "Infinity"];
    // The reader stops at the first byte that is no JSON, or just behind it.
    let stops_at = |word: &str| {
        around.starts_with(word.as_bytes())
            || around.get(1..).is_some_and(|rest| rest.starts_with(word.as_bytes()))
    };
    match words.into_iter().find(|word| text.ends_with("expected value") && stops_at(word)) {
        Some(word) => {
            format!("{}{word} is not a number", text.strip_suffix("expected value").unwrap_or_default())
        }
        None => text.to_owned(),
    }
}

/// A key, borrowed where it holds no escapes.
struct Key<'j>(Cow<'j, str>);

impl<'j> serde::Deserialize<'j> for Key<'j> {
    fn deserialize<D: Deserializer<'j>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_str(Text("a key")).map(Key)
    }
}

/// A text, and what it is for.
struct Text(&'static str);

impl<'j> Visitor<'j> for Text {
    type Value = Cow<'j, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'j str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl<'j> DeserializeSeed<'j> for Text {
    type Value = Cow<'j, str>;

    fn deserialize<D: Deserializer<'j>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

/// The answers of all models.
struct Answers<'w, 'i, 'j> {
    wanted: Wanted<'w>,
    into: &'i mut Vec<Answer<'j>>,
}

impl<'j> DeserializeSeed<'j> for Answers<'_, '_, 'j> {
    type Value = ();

    fn deserialize<D: Deserializer<'j>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'j> Visitor<'j> for Answers<'_, '_, 'j> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an answer for each model")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(model)) = map.next_key()? {
            if self.into.iter().any(|answer| answer.model == model) {
                return Err(A::Error::custom(format!("{model:?} occurs twice")));
            }
            let is_name =
                !model.is_empty() && model.len() <= LONGEST_NAME && !model.chars().any(char::is_control);
            if !is_name || self.into.len() == MOST_MODELS {
                let why = if is_name { "it names more than 64 models" } else { "a model has no usable name" };
                return Err(A::Error::custom(why));
            }
            let one = One { wanted: self.wanted };
            // serde_json takes the place of an error out of its text again.
            let said =
                map.next_value_seed(one).map_err(|error| A::Error::custom(format!("{model}: {error}")))?;
            self.into.push(Answer { model, action: said.0, confidence: said.1, mark: said.2 });
        }
        Ok(())
    }
}

/// The answer of one model.
struct One<'w> {
    wanted: Wanted<'w>,
}

impl<'j> DeserializeSeed<'j> for One<'_> {
    type Value = (usize, f64, Option<Cow<'j, str>>);

    fn deserialize<D: Deserializer<'j>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'j> Visitor<'j> for One<'_> {
    type Value = (usize, f64, Option<Cow<'j, str>>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with action and confidence")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut action, mut confidence, mut mark) = (None, None, None);
        while let Some(Key(key)) = map.next_key()? {
            let twice = match key.as_ref() {
                "action" => {
                    let text = map.next_value_seed(Text("an action"))?;
                    let known = self.wanted.actions.iter().position(|known| *known == text);
                    let known = known.ok_or_else(|| A::Error::custom(format!("unknown action {text:?}")))?;
                    action.replace(known).is_some()
                }
                "confidence" => confidence.replace(map.next_value_seed(Confidence)?).is_some(),
                other if Some(other) == self.wanted.mark => {
                    mark.replace(map.next_value_seed(Text("a text"))?).is_some()
                }
                _ => {
                    map.next_value_seed(Passed)?;
                    false
                }
            };
            if twice {
                return Err(A::Error::custom(format!("{key:?} occurs twice")));
            }
        }
        let action = action.ok_or_else(|| A::Error::custom("it has no action"))?;
        let confidence = confidence.ok_or_else(|| A::Error::custom("it has no confidence"))?;
        Ok((action, confidence, mark))
    }
}

/// A number from 0 to 1.
struct Confidence;

impl<'j> DeserializeSeed<'j> for Confidence {
    type Value = f64;

    fn deserialize<D: Deserializer<'j>>(self, reader: D) -> Result<f64, D::Error> {
        reader.deserialize_any(self)
    }
}

impl Visitor<'_> for Confidence {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a confidence from 0 to 1")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<f64, E> {
        match (0.0..=1.0).contains(&number) {
            // A negative nought is nought.
            true => Ok(number.abs()),
            false => Err(E::custom(format!("confidence is {number}, not from 0 to 1"))),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<f64, E> {
        match number {
            0 => Ok(0.0),
            1 => Ok(1.0),
            _ => Err(E::custom(format!("confidence is {number}, not from 0 to 1"))),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<f64, E> {
        Err(E::custom(format!("confidence is {number}, not from 0 to 1")))
    }
}

/// What was found in the object around.
enum Inside {
    Nothing,
    Answers,
    Text(String),
}

/// An object one of whose fields holds the answers.
struct Outer<'w, 'i, 'j> {
    field: &'w str,
    wanted: Wanted<'w>,
    into: &'i mut Vec<Answer<'j>>,
    found: &'i mut Inside,
}

impl<'j> DeserializeSeed<'j> for Outer<'_, '_, 'j> {
    type Value = ();

    fn deserialize<D: Deserializer<'j>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'j> Visitor<'j> for Outer<'_, '_, 'j> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            if key != self.field {
                map.next_value_seed(Passed)?;
                continue;
            }
            if !matches!(self.found, Inside::Nothing) {
                return Err(A::Error::custom(format!("{key:?} occurs twice")));
            }
            *self.found =
                map.next_value_seed(Held(Answers { wanted: self.wanted, into: &mut *self.into }))?;
        }
        Ok(())
    }
}

/// The answers as an object, or as a text that holds one.
struct Held<'w, 'i, 'j>(Answers<'w, 'i, 'j>);

impl<'j> DeserializeSeed<'j> for Held<'_, '_, 'j> {
    type Value = Inside;

    fn deserialize<D: Deserializer<'j>>(self, reader: D) -> Result<Inside, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'j> Visitor<'j> for Held<'_, '_, 'j> {
    type Value = Inside;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_map<A: MapAccess<'j>>(self, map: A) -> Result<Inside, A::Error> {
        self.0.visit_map(map).map(|()| Inside::Answers)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Inside, E> {
        Ok(Inside::Text(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actions() -> Vec<String> {
        ["BUY", "SELL", "HOLD"].map(str::to_owned).to_vec()
    }

    fn said(json: &str) -> Result<Vec<(String, usize, f64)>, String> {
        let (actions, mut answers) = (actions(), Vec::new());
        read(json.as_bytes(), Wanted { actions: &actions, mark: None }, &mut answers)?;
        Ok(answers.into_iter().map(|one| (one.model.into_owned(), one.action, one.confidence)).collect())
    }

    #[test]
    fn what_is_within_bounds_is_taken() {
        let json = r#"{"a":{"action":"BUY","confidence":0.5,"note":[1,{"x":null}]},"b\u0061":{"confidence":1,"action":"HOLD"}}"#;
        let expected = vec![("a".to_owned(), 0, 0.5), ("ba".to_owned(), 2, 1.0)];
        assert_eq!(said(json).unwrap(), expected);
    }

    #[test]
    fn nothing_else_is() {
        let one = |value: &str| format!(r#"{{"m":{value}}}"#);
        let sure = |value: &str| one(&format!(r#"{{"action":"BUY","confidence":{value}}}"#));
        let does = |value: &str| one(&format!(r#"{{"action":{value},"confidence":0.5}}"#));
        for (json, why) in [
            (sure("NaN"), "NaN is not a number"),
            (sure("Infinity"), "Infinity is not a number"),
            (sure("-Infinity"), "m: invalid number"),
            (sure("1e6"), "m: confidence is 1000000, not from 0 to 1"),
            (sure("-1e6"), "not from 0 to 1"),
            (sure("1e999"), "number out of range"),
            (sure("true"), "m: invalid type: boolean `true`, expected a confidence from 0 to 1"),
            (sure("\"0.5\""), "expected a confidence"),
            (sure("null"), "expected a confidence"),
            (sure("[0.5]"), "expected a confidence"),
            (sure("1.0000001"), "not from 0 to 1"),
            (sure("2"), "not from 0 to 1"),
            (sure("-1"), "not from 0 to 1"),
            (does("\"buy\""), "m: unknown action \"buy\""),
            (does("\"\""), "unknown action"),
            (does("null"), "expected an action"),
            (does("7"), "expected an action"),
            (one("[]"), "m: invalid type: sequence, expected an object with action and confidence"),
            (one("null"), "expected an object"),
            (one("{}"), "m: it has no action"),
            (one(r#"{"action":"BUY"}"#), "m: it has no confidence"),
            (one(r#"{"action":"BUY","action":"SELL","confidence":0.5}"#), "\"action\" occurs twice"),
            (one(r#"{"action":"BUY","confidence":0.1,"confidence":0.5}"#), "\"confidence\" occurs twice"),
            ("{}".into(), "it names no model"),
            ("[]".into(), "expected an object"),
            ("null".into(), "expected an object"),
            (String::new(), "EOF"),
            ("{\"m\":".into(), "EOF"),
            (sure("0.5") + "x", "trailing characters"),
            (r#"{"":{"action":"BUY","confidence":0.5}}"#.into(), "no usable name"),
            (r#"{"a\nb":{"action":"BUY","confidence":0.5}}"#.into(), "no usable name"),
            (one(&"[".repeat(100_000)), "expected an object"),
            (one(&format!(r#"{{"x":{}"#, "[".repeat(100_000))), "recursion limit"),
        ] {
            let error = said(&json).expect_err(&json);
            assert!(error.contains(why), "{json:.120}: {error}");
        }
        let twice = r#"{"m":{"action":"BUY","confidence":0.5},"m":{"action":"SELL","confidence":0.5}}"#;
        assert_eq!(said(twice).unwrap_err(), "\"m\" occurs twice");
    }

    #[test]
    fn the_field_of_a_payload_is_an_object_or_a_text() {
        let actions = actions();
        let wanted = Wanted { actions: &actions, mark: Some("digest") };
        let inside = |json: &str| {
            let (mut held, mut answers) = (String::new(), Vec::new());
            let found = read_inside(json.as_bytes(), "b", &mut held, wanted, &mut answers)?;
            let marks: Vec<Option<String>> =
                answers.iter().map(|one| one.mark.as_ref().map(|mark| mark.to_string())).collect();
            Ok::<_, String>((found, marks))
        };
        let object = r#"{"x":1,"b":{"m":{"action":"BUY","confidence":0.5,"digest":"abc"}}}"#;
        assert_eq!(inside(object), Ok((true, vec![Some("abc".to_owned())])));
        let text = r#"{"b":"{\"m\":{\"action\":\"BUY\",\"confidence\":0.5}}"}"#;
        assert_eq!(inside(text), Ok((true, vec![None])));
        assert_eq!(inside("{\"x\":1}"), Ok((false, vec![])));
        for json in [r#"{"b":{}}"#, r#"{"b":"{}"}"#, r#"{"b":null}"#, r#"{"b":{},"b":{}}"#, "7", "{"] {
            assert!(inside(json).is_err(), "{json}");
        }
    }
}
