//! Takes typed values out of the tree. Every reader either gives the value with its place or files an
//! error and gives nothing, so that one pass finds all errors.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;

use super::error::ContractError;
use super::placeholder::{Scope, Words};
use super::schema::Keys;
use super::suggest::nearest;
use super::text::{SourceText, Span};
use super::tree::{Entry, Node, Table, Value};
use super::words::{self, Wrong};
use crate::model::{Location, Stated};

/// After so many errors nobody reads suggestions, and looking for them costs time.
const SUGGESTIONS: usize = 100;

/// What reading a contract needs at hand: the texts, the errors so far, and what placeholders stand for.
#[derive(Default)]
pub(super) struct Cx<'a> {
    /// The contract's text and those it extends.
    pub sources: Vec<SourceText<'a>>,
    /// Every error so far.
    pub errors: Vec<ContractError>,
    /// File and offset of values that are no TOML, of which that was said already.
    pub unreadable: HashSet<(u32, u32)>,
    /// A text was broken, so that what seems to be missing may only be unread.
    pub partial: bool,
    /// What placeholders stand for.
    pub words: Words,
    /// The contract says what env files must be.
    pub env_stated: bool,
    /// The texts of `template` files, by file and offset of the value that names them.
    pub templates: HashMap<(u32, u32), String>,
}

impl<'a> Cx<'a> {
    /// The location of a span.
    pub(crate) fn at(&self, span: Span) -> Location {
        match self.sources.get(span.file as usize) {
            Some(source) => source.locate(span.start),
            None => Location::file(""),
        }
    }

    /// The text of a span.
    pub(crate) fn source_of(&self, span: Span) -> &'a str {
        let source = self.sources.get(span.file as usize);
        source.and_then(|source| source.text.get(span.start as usize..span.end as usize)).unwrap_or("")
    }

    /// Files an error.
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>, way_out: impl Into<String>) {
        if self.unreadable.contains(&(span.file, span.start)) {
            return;
        }
        let width = self.sources.get(span.file as usize).map_or(1, |source| source.width(span));
        let (message, way_out) = (message.into(), way_out.into());
        self.errors.push(ContractError { at: self.at(span), message, way_out, width });
    }

    /// Files an error about something that is not there; not when it may only be unread.
    pub(crate) fn missing(&mut self, span: Span, message: impl Into<String>, way_out: impl Into<String>) {
        if !self.partial {
            self.error(span, message, way_out);
        }
    }

    /// Files an error about a place that is known by its location only.
    pub(crate) fn error_at(&mut self, at: &Location, message: impl Into<String>, way_out: impl Into<String>) {
        if !self.partial {
            let (message, way_out) = (message.into(), way_out.into());
            self.errors.push(ContractError { at: at.clone(), message, way_out, width: 1 });
        }
    }

    /// Looks for what was meant, unless there are errors without end.
    pub(crate) fn suggest<'c>(&self, look: impl FnOnce() -> Option<&'c str>) -> Option<&'c str> {
        if self.errors.len() < SUGGESTIONS { look() } else { None }
    }

    /// An error for a word that is none of those known.
    pub(crate) fn unknown<'c>(
        &mut self,
        span: Span,
        message: String,
        word: &str,
        known: impl Iterator<Item = &'c str> + Clone,
    ) {
        let way_out = match self.suggest(|| nearest(word, known.clone())) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                let mut first: Vec<&str> = known.take(31).collect();
                if first.len() > 30 {
                    first.truncate(30);
                    first.push("…");
                }
                if first.is_empty() {
                    "there are none".into()
                } else {
                    format!("known: {}", first.join(", "))
                }
            }
        };
        self.error(span, message, way_out);
    }

    /// A value of another type than wanted.
    pub(crate) fn mismatch(&mut self, node: &Node<'_>, key: &str, wanted: &str, example: &str) {
        let message = format!("`{key}` must be {wanted}, not {}", node.value.sort());
        self.error(node.span, message, format!("write such as `{key} = {example}`"));
    }

    /// Keeps a checked word or files what is wrong with it.
    pub(crate) fn checked<T>(&mut self, span: Span, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|(message, way_out)| self.error(span, message, way_out)).ok()
    }

    /// Opens a table and refuses keys that the format does not know.
    pub(crate) fn fields<'t>(
        &mut self,
        node: &'t Node<'a>,
        at: Span,
        name: &'t str,
        keys: &'static Keys,
    ) -> Option<Fields<'t, 'a>> {
        let Value::Table(table) = &node.value else {
            let title = title(keys, name);
            let message = format!("{title} must be a table, not {}", node.value.sort());
            let first = keys.keys.first().unwrap_or(&"key");
            self.error(node.span, message, format!("write `{{ {first} = … }}` or a header `[{title}]`"));
            return None;
        };
        let mut has_unknown = false;
        for entry in table.iter().filter(|entry| !keys.keys.contains(&entry.key.as_ref())) {
            has_unknown = true;
            let message = format!("unknown key `{}` in {}", entry.key, title(keys, name));
            self.unknown(entry.at, message, &entry.key, keys.keys.iter().copied());
        }
        Some(Fields { table, at, name, keys, has_unknown })
    }

    /// The entries of a table of names that the contract gives, in order.
    pub(crate) fn named<'t>(&mut self, entry: &'t Entry<'a>) -> Vec<&'t Entry<'a>> {
        let Value::Table(table) = &entry.node.value else {
            let message = format!("`{}` must be a table, not {}", entry.key, entry.node.value.sort());
            self.error(entry.node.span, message, format!("write a header such as `[{}.name]`", entry.key));
            return Vec::new();
        };
        table.in_order()
    }

    /// The items of a list.
    pub(crate) fn items<'t>(&mut self, node: &'t Node<'a>, key: &str) -> &'t [Node<'a>] {
        match &node.value {
            Value::List(items) => items,
            _ => {
                self.mismatch(node, key, "a list", "[…]");
                &[]
            }
        }
    }

    /// The bare text of a node: not empty, one line.
    pub(crate) fn raw<'t>(&mut self, node: &'t Node<'a>, key: &str) -> Option<&'t str> {
        let Value::Text(text) = &node.value else {
            self.mismatch(node, key, "text", "\"…\"");
            return None;
        };
        if text.trim().is_empty() {
            self.error(node.span, format!("`{key}` is empty"), "write a value, or leave the key out");
            return None;
        }
        if !words::is_one_line(text) {
            let message = format!("`{key}` holds a line break or another control character");
            self.error(node.span, message, "write it in one line");
            return None;
        }
        Some(text)
    }

    /// Text with placeholders of the contract.
    pub(crate) fn text(&mut self, node: &Node<'a>, key: &str) -> Option<Stated<String>> {
        let raw = self.raw(node, key)?;
        let value = self.expand(raw, node.span, Scope::Contract);
        Some(Stated::new(value, self.at(node.span)))
    }

    /// Text for people, of any number of lines, as it stands.
    pub(crate) fn prose(&mut self, node: &Node<'a>, key: &str) -> Option<Stated<String>> {
        match &node.value {
            Value::Text(text) if !text.trim().is_empty() => {
                Some(Stated::new(text.trim().to_owned(), self.at(node.span)))
            }
            _ => self.raw(node, key).map(|text| Stated::new(text.to_owned(), self.at(node.span))),
        }
    }

    /// Text that one of the functions in `words` accepts.
    pub(crate) fn word<T>(
        &mut self,
        node: &Node<'a>,
        key: &str,
        check: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<Stated<T>> {
        let text = self.text(node, key)?;
        let value = self.checked(node.span, check(&text.value))?;
        Some(Stated::new(value, text.at))
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, node: &Node<'a>, key: &str) -> Option<Stated<bool>> {
        match node.value {
            Value::Boolean(value) => Some(Stated::new(value, self.at(node.span))),
            _ => {
                self.mismatch(node, key, "true or false, without quotes", "true");
                None
            }
        }
    }

    /// A whole number that is not negative.
    pub(crate) fn count(&mut self, node: &Node<'a>, key: &str) -> Option<Stated<u64>> {
        let Value::Integer(number) = node.value else {
            self.mismatch(node, key, "a whole number", "10");
            return None;
        };
        match number.and_then(|number| u64::try_from(number).ok()) {
            Some(number) => Some(Stated::new(number, self.at(node.span))),
            None => {
                self.error(node.span, format!("`{key}` is out of range"), "write a number from 0 on");
                None
            }
        }
    }

    /// A fraction from 0 to 1.
    pub(crate) fn share(&mut self, node: &Node<'a>, key: &str) -> Option<Stated<f64>> {
        let number = match node.value {
            Value::Float(number) => number,
            Value::Integer(Some(number)) => number as f64,
            _ => {
                self.mismatch(node, key, "a fraction from 0 to 1", "0.7");
                return None;
            }
        };
        if !(0.0..=1.0).contains(&number) {
            let message = format!("`{key}` is {number}, not a fraction from 0 to 1");
            self.error(node.span, message, "write 70 percent as 0.70");
            return None;
        }
        Some(Stated::new(number, self.at(node.span)))
    }

    /// A day.
    pub(crate) fn date(&mut self, node: &Node<'a>, key: &str) -> Option<Stated<Date>> {
        let Value::Date(written) = &node.value else {
            self.mismatch(node, key, "a date without quotes", "2026-12-31");
            return None;
        };
        let day = match (written.date, written.time) {
            (Some(date), None) => Date::new(date.year as i16, date.month as i8, date.day as i8).ok(),
            _ => None,
        };
        match day {
            Some(day) => Some(Stated::new(day, self.at(node.span))),
            None => {
                let message = format!("`{key}` is not a day of the calendar");
                self.error(node.span, message, "write year-month-day without a time, such as 2026-12-31");
                None
            }
        }
    }
}

/// A table as an error names it.
fn title(keys: &Keys, name: &str) -> String {
    if name.is_empty() { keys.table.to_owned() } else { keys.table.replacen('*', name, 1) }
}

/// An opened table.
#[derive(Clone, Copy)]
pub(super) struct Fields<'t, 'a> {
    table: &'t Table<'a>,
    /// Where the table begins.
    pub at: Span,
    /// The name that the contract gives to it.
    pub name: &'t str,
    /// It has keys that the format does not know.
    pub has_unknown: bool,
    keys: &'static Keys,
}

impl<'t, 'a> Fields<'t, 'a> {
    /// The entry of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'t Entry<'a>> {
        debug_assert!(self.keys.keys.contains(&key), "{key} is missing in the schema of {}", self.keys.table);
        self.table.get(key)
    }

    /// Reads a key that may be left out.
    pub(crate) fn opt<T>(
        &self,
        cx: &mut Cx<'a>,
        key: &str,
        read: impl FnOnce(&mut Cx<'a>, &'t Node<'a>, &str) -> Option<T>,
    ) -> Option<T> {
        self.get(key).and_then(|entry| read(cx, &entry.node, key))
    }

    /// Reads a key that must be there; `example` is a value one could write.
    pub(crate) fn need<T>(
        &self,
        cx: &mut Cx<'a>,
        key: &str,
        example: &str,
        read: impl FnOnce(&mut Cx<'a>, &'t Node<'a>, &str) -> Option<T>,
    ) -> Option<T> {
        if self.get(key).is_none() {
            let message = format!("{} lacks `{key}`", title(self.keys, self.name));
            cx.missing(self.at, message, format!("add such as `{key} = {example}`"));
        }
        self.opt(cx, key, read)
    }

    /// Reads a list; without the key it is empty.
    pub(crate) fn list<T>(
        &self,
        cx: &mut Cx<'a>,
        key: &str,
        mut read: impl FnMut(&mut Cx<'a>, &'t Node<'a>, &str) -> Option<T>,
    ) -> Vec<T> {
        let Some(entry) = self.get(key) else { return Vec::new() };
        cx.items(&entry.node, key).iter().filter_map(|item| read(cx, item, key)).collect()
    }

    /// Reads a list of texts as one value with one place; without the key it is empty and the table's.
    pub(crate) fn texts(&self, cx: &mut Cx<'a>, key: &str) -> Stated<Vec<String>> {
        let at = self.get(key).map_or(self.at, |entry| entry.node.span);
        let at = cx.at(at);
        let texts = self.list(cx, key, |cx, item, key| cx.text(item, key).map(|text| text.value));
        Stated::new(texts, at)
    }
}
