//! The values of a TOML document, each with its place, and the merge of a contract into what it extends.

use std::borrow::Cow;
use std::cmp::Ordering;

use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use super::text::Span;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node<'a> {
    /// Where.
    pub span: Span,
    /// What.
    pub value: Value<'a>,
}

/// What TOML can say.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// `"text"`
    Text(Cow<'a, str>),
    /// `1`; `None` when it does not fit 64 bits.
    Integer(Option<i64>),
    /// `1.5`
    Float(f64),
    /// `true`
    Boolean(bool),
    /// `2026-01-10`
    Date(Datetime),
    /// `[…]`
    List(Vec<Node<'a>>),
    /// `{…}` or `[table]`
    Table(Table<'a>),
}

impl Value<'_> {
    /// What it is, for an error.
    pub(crate) fn sort(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a fraction",
            Value::Boolean(_) => "true or false",
            Value::Date(_) => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// The key.
    pub key: Cow<'a, str>,
    /// Where the key stands.
    pub at: Span,
    /// Its value.
    pub node: Node<'a>,
}

/// A table, sorted by key.
#[derive(Debug, Default)]
pub(super) struct Table<'a> {
    entries: Vec<Entry<'a>>,
}

impl<'a> Table<'a> {
    /// Takes over what the parser made.
    pub(crate) fn from_toml(table: DeTable<'a>, file: u32) -> Self {
        let entry = |(key, value): (toml::Spanned<Cow<'a, str>>, toml::Spanned<DeValue<'a>>)| {
            let at = span(file, key.span());
            Entry { key: key.into_inner(), at, node: Node::from_toml(value, file) }
        };
        // The parser's map is sorted by key already, but that depends on its features.
        let mut entries: Vec<Entry<'a>> = table.into_iter().map(entry).collect();
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        Self { entries }
    }

    /// The entry of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry<'a>> {
        let found = self.entries.binary_search_by(|entry| entry.key.as_ref().cmp(key)).ok()?;
        self.entries.get(found)
    }

    /// Every entry, sorted by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter()
    }

    /// Every entry in the order of the file; what is inherited comes first.
    pub(crate) fn in_order(&self) -> Vec<&Entry<'a>> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|entry| (std::cmp::Reverse(entry.at.file), entry.at.start));
        entries
    }

    /// This table with another laid over it: tables merge by key, everything else is replaced. A demand
    /// (see [`is_demand`]) is one thing that is said anew, never half of the old and half of the new.
    pub(crate) fn overlaid(self, over: Table<'a>, path: &mut Vec<String>) -> Table<'a> {
        let mut entries = Vec::with_capacity(self.entries.len() + over.entries.len());
        let mut below = self.entries.into_iter().peekable();
        let mut above = over.entries.into_iter().peekable();
        loop {
            let order = match (below.peek(), above.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.key.cmp(&b.key),
            };
            match order {
                Ordering::Less => entries.extend(below.next()),
                Ordering::Greater => entries.extend(above.next()),
                Ordering::Equal => {
                    let both = below.next().zip(above.next());
                    entries.extend(both.map(|(old, new)| old.overlaid(new, path)));
                }
            }
        }
        Table { entries }
    }
}

impl<'a> Entry<'a> {
    fn overlaid(self, over: Entry<'a>, path: &mut Vec<String>) -> Entry<'a> {
        path.push(self.key.to_string());
        let merged = match (self.node.value, over.node.value) {
            (Value::Table(old), Value::Table(new)) if !is_demand(path) => Entry {
                key: self.key,
                at: self.at,
                node: Node { span: self.node.span, value: Value::Table(old.overlaid(new, path)) },
            },
            (_, value) => Entry { key: over.key, at: over.at, node: Node { span: over.node.span, value } },
        };
        path.pop();
        merged
    }
}

/// True for the place of a demand on a setting or a variable: `{ equals = … }` laid over
/// `{ one_of = … }` must not give both.
fn is_demand(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["unit", section, _] => *section != "forbidden",
        ["kinds" | "services", _, "unit", _, _] => true,
        ["env", "variables", _] | ["kinds" | "services", _, "variables", _] => true,
        _ => false,
    }
}

impl<'a> Node<'a> {
    fn from_toml(value: toml::Spanned<DeValue<'a>>, file: u32) -> Self {
        let span = span(file, value.span());
        let value = match value.into_inner() {
            DeValue::String(text) => Value::Text(text),
            DeValue::Integer(number) => {
                Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => Value::Boolean(value),
            DeValue::Datetime(date) => Value::Date(date),
            DeValue::Array(items) => {
                Value::List(items.into_iter().map(|item| Node::from_toml(item, file)).collect())
            }
            DeValue::Table(table) => Value::Table(Table::from_toml(table, file)),
        };
        Node { span, value }
    }
}

/// Our span of a range of bytes; texts are smaller than 4 GiB (see `document`).
pub(super) fn span(file: u32, range: std::ops::Range<usize>) -> Span {
    Span { file, start: range.start as u32, end: range.end as u32 }
}
