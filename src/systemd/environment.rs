//! `Environment=`, `PassEnvironment=` and `UnsetEnvironment=` (systemd.exec(5), "ENVIRONMENT").
//!
//! Each is a list of words; bad items are left out one by one, with a warning that nobody reads. A word that
//! cannot be split at all ends the line there.

use serde::{Deserialize, Serialize};

use super::command_line::Specifiers;
use crate::syntax::env_file::is_valid_name;
use crate::syntax::words::{Strictness, Word, WordError, Words};

/// The longest `NAME=value` (`sysconf(_SC_ARG_MAX)` under the usual stack limit).
const ASSIGNMENT_MAX: usize = 2 * 1024 * 1024;

/// What one line of such a setting says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<T> {
    /// Valid items in order.
    pub items: Vec<T>,
    /// Items that systemd leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<DroppedItem>,
    /// The value is empty: it clears what earlier lines said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resets: bool,
}

/// One assignment of `Environment=`. A later one of the same name wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Name of the variable.
    pub name: String,
    /// Its value, specifiers expanded; `$` has no meaning in it.
    pub value: String,
}

/// One item of `UnsetEnvironment=`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Name of the variable.
    pub name: String,
    /// The variable goes only if it has this value; None removes it whatever its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// An item without effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedItem {
    /// The item up to its `=`: a value may be a secret. Empty where the line could not be split.
    pub text: String,
    /// Why it was left out.
    pub why: ItemFault,
}

/// Why an item is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemFault {
    /// No `=` where an assignment must stand.
    NoEquals,
    /// The name is empty, begins with a digit or holds another character than letters, digits and `_`.
    BadName,
    /// Longer than an environment may be.
    TooLong,
    /// A specifier that systemd does not know; holds what the expansion said.
    Specifier(String),
    /// A quote is not closed: this item and the rest of the line are ignored.
    UnbalancedQuotes,
    /// An unknown escape (`\q`): this item and the rest of the line are ignored.
    UnknownEscape,
}

impl ItemFault {
    /// In words.
    pub fn words(&self) -> &str {
        match self {
            ItemFault::NoEquals => "it has no =",
            ItemFault::BadName => "that is not the name of a variable",
            ItemFault::TooLong => "it is longer than an environment may be",
            ItemFault::Specifier(why) => why,
            ItemFault::UnbalancedQuotes => "a quote is not closed: it and the rest of the line are ignored",
            ItemFault::UnknownEscape => "an unknown escape: it and the rest of the line are ignored",
        }
    }
}

/// Reads one `Environment=` value.
pub fn parse_environment(value: &str, specifiers: Specifiers<'_>) -> List<Assignment> {
    parse_list(value, Strictness::ENVIRONMENT, specifiers, |item| {
        let (name, value) = item.split_once('=').ok_or(ItemFault::NoEquals)?;
        let assignment = Assignment { name: valid_name(name)?, value: value.to_owned() };
        if item.len() < ASSIGNMENT_MAX { Ok(assignment) } else { Err(ItemFault::TooLong) }
    })
}

/// Reads one `PassEnvironment=` value: names taken over from the manager's own environment.
pub fn parse_pass_environment(value: &str, specifiers: Specifiers<'_>) -> List<String> {
    parse_list(value, Strictness::PLAIN, specifiers, valid_name)
}

/// Reads one `UnsetEnvironment=` value, which beats every other source of variables.
pub fn parse_unset_environment(value: &str, specifiers: Specifiers<'_>) -> List<Removal> {
    parse_list(value, Strictness::ENVIRONMENT, specifiers, |item| match item.split_once('=') {
        Some((name, value)) => Ok(Removal { name: valid_name(name)?, value: Some(value.to_owned()) }),
        None => Ok(Removal { name: valid_name(item)?, value: None }),
    })
}

fn valid_name(name: &str) -> Result<String, ItemFault> {
    if is_valid_name(name) { Ok(name.to_owned()) } else { Err(ItemFault::BadName) }
}

fn parse_list<T>(
    value: &str,
    strictness: Strictness,
    specifiers: Specifiers<'_>,
    read: impl Fn(&str) -> Result<T, ItemFault>,
) -> List<T> {
    let mut words = Words::new(value, strictness);
    let mut list = List { items: Vec::new(), dropped: Vec::new(), resets: words.rest().is_empty() };
    loop {
        let (text, item) = match words.next_word() {
            Ok(None) => return list,
            Ok(Some(Word { text, .. })) => {
                let item = specifiers(&text).map_err(ItemFault::Specifier).and_then(|item| read(&item));
                (text, item)
            }
            Err(error) => (String::new(), Err(error.into())),
        };
        match item {
            Ok(item) => list.items.push(item),
            Err(why) => {
                let text = text.split('=').next().unwrap_or_default().to_owned();
                list.dropped.push(DroppedItem { text, why });
            }
        }
    }
}

impl From<WordError> for ItemFault {
    fn from(error: WordError) -> Self {
        match error {
            WordError::UnbalancedQuotes => Self::UnbalancedQuotes,
            WordError::UnknownEscape => Self::UnknownEscape,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(word: &str) -> Result<String, String> {
        if word.contains("%Z") { Err("unknown specifier".into()) } else { Ok(word.replace("%p", "unit")) }
    }

    fn pairs(value: &str) -> Vec<(String, String)> {
        parse_environment(value, &plain).items.into_iter().map(|a| (a.name, a.value)).collect()
    }

    #[test]
    fn several_assignments_with_quotes_and_escapes() {
        let expected =
            [("A", "one two"), ("B", "3"), ("C", "x y"), ("D", "aAb"), ("E", "a  b"), ("F", "$A unit")];
        let expected: Vec<_> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(pairs(r#"'A=one two' B=3 "C=x y" D=a\x41b E="a  b" "F=$A %p""#), expected);
    }

    #[test]
    fn bad_items_go_one_by_one_but_bad_syntax_ends_the_line() {
        let list = parse_environment(r#"A=1 C "bad name=3" -x=4 S=%Z B=2 X=a\q D=4"#, &plain);
        assert_eq!(list.items.len(), 2);
        let dropped: Vec<_> = list.dropped.iter().map(|item| item.text.as_str()).collect();
        assert_eq!(dropped, ["C", "bad name", "-x", "S", ""]);
        assert_eq!(list.dropped.last().map(|item| &item.why), Some(&ItemFault::UnknownEscape));
        assert!(parse_environment("", &plain).resets);
    }

    #[test]
    fn names_to_pass_and_to_unset() {
        assert_eq!(parse_pass_environment("A 'B' 1C", &plain).items, ["A", "B"]);
        let removals = parse_unset_environment("A B=2 3=3 D-E", &plain);
        assert_eq!(removals.items.len(), 2);
        assert_eq!(removals.items[1].value.as_deref(), Some("2"));
        assert_eq!(removals.dropped.len(), 2);
    }
}
