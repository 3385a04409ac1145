//! From text to a tree of values: parses a contract and everything it extends, and lays one over the other.
//!
//! The tree comes from toml's `DeTable`, read by hand and not by serde: every key keeps its span, all errors come at
//! once, an unknown key can name the one that was meant, and a finding can quote the line that demands it.

use std::cell::OnceCell;

use sha2::{Digest, Sha256};
use toml::de::DeTable;

use super::reader::Cx;
use super::text::{SourceText, Span};
use super::tree::{Table, Value, span};
use super::{Extended, builtin, schema};

/// How many contracts may stand in one line of inheritance.
const LAYERS: usize = 8;

/// Larger texts are no contracts.
const LARGEST: usize = 64 << 20;

/// Gives the text of a file, or why it cannot be read.
pub(super) type Load<'f> = dyn Fn(&str) -> Result<String, String> + 'f;

/// Holds the texts of the contracts that are extended, so that the tree can borrow from them.
#[derive(Default)]
pub(super) struct Shelf([OnceCell<String>; LAYERS]);

/// What the texts say: the merged tree, and the digest of all bytes in it.
pub(super) struct Document<'a> {
    /// The root table; `None` when nothing of it can be judged.
    pub root: Option<Table<'a>>,
    /// sha256 in hex, of the contract's bytes followed by those of each contract it extends, in order.
    pub digest: String,
    /// The files that are extended, in order.
    pub extended: Vec<Extended>,
    /// The files that the layout names as templates.
    pub templates: Vec<Extended>,
}

/// Reads a contract and what it extends. Errors of syntax and of inheritance go to `cx`.
pub(super) fn read<'a>(
    cx: &mut Cx<'a>,
    text: &'a str,
    path: &str,
    shelf: &'a Shelf,
    load: &Load<'_>,
) -> Document<'a> {
    let mut hash = Sha256::new();
    let mut layers = Vec::new();
    let mut readable = true;
    let mut extended = Vec::new();
    let mut next = Some((path.to_owned(), text));
    while let Some((path, text)) = next.take() {
        hash.update(text.as_bytes());
        let table = parse(cx, &path, text);
        readable &= is_readable(cx, &table);
        let room = shelf.0.get(layers.len()).filter(|_| layers.len() + 1 < LAYERS);
        next = inherited(cx, &table, &path, room, load);
        if let (Some((target, text)), Some(named)) = (&next, extends(&table))
            && target != builtin::PATH
        {
            extended.push(Extended { named: named.to_owned(), text: (*text).into() });
        }
        layers.push(table);
    }
    let mut merged = layers.pop();
    while let Some(over) = layers.pop() {
        merged = merged.map(|below| below.overlaid(over, &mut Vec::new()));
    }
    let templates = match &merged {
        Some(table) => templates(cx, table, path, load),
        None => Vec::new(),
    };
    for template in &templates {
        hash.update(template.text.as_bytes());
    }
    let digest = crate::model::hex(&hash.finalize());
    Document { root: merged.filter(|_| readable), digest, extended, templates }
}

/// Parses one text. What the parser can save of a broken one is still judged.
fn parse<'a>(cx: &mut Cx<'a>, path: &str, text: &'a str) -> Table<'a> {
    let file = cx.sources.len() as u32;
    if text.len() > LARGEST {
        cx.sources.push(SourceText::new(path.into(), ""));
        cx.partial = true;
        cx.error(
            Span::top(file),
            "the contract is larger than 64 MiB",
            "remove everything that is not part of the contract",
        );
        return Table::default();
    }
    cx.sources.push(SourceText::new(path.into(), text));
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        cx.partial |= !keeps_its_place(error.message());
        let at = error.span().map_or(span(file, text.len()..text.len()), |range| span(file, range));
        let (message, way_out) = syntax_error(error.message(), cx.source_of(at));
        cx.error(at, message, way_out);
        cx.unreadable.insert((at.file, at.start));
    }
    Table::from_toml(table.into_inner(), file)
}

/// True for errors after which the parser still knows every key: nothing is missing but one value.
fn keeps_its_place(message: &str) -> bool {
    message == "duplicate key" || message.starts_with("invalid date") || message.contains("leading zero")
}

/// The parser's words for an error, and a way out.
fn syntax_error(message: &str, offence: &str) -> (String, &'static str) {
    if message == "duplicate key" {
        let key = offence.lines().next().unwrap_or("");
        return (
            format!("the key `{key}` is already defined"),
            "keep one of the two, or give this one another name",
        );
    }
    let way_out = if message.starts_with("string values must be quoted") {
        "put the text between double quotes"
    } else if message.starts_with("cannot extend value") {
        "a value and a table cannot share a name; beside `[services.x.unit.Service]` write \
         `unit.name = \"…\"`, not `unit = \"…\"`"
    } else if message.starts_with("invalid date") {
        "write a day of the calendar as year-month-day, such as 2026-12-31"
    } else if message.contains("leading zero") || message.contains("zero-padded") {
        "write a mode as text, \"0640\", and a number without leading zeros"
    } else if message.contains("recursion") {
        "nest less deeply"
    } else {
        "a line is a [table], a key = value or a # comment; text stands in quotes, lists in [ ]"
    };
    (format!("this is not TOML: {message}"), way_out)
}

/// Judges `schema`: without it nobody knows how the rest is meant.
fn is_readable(cx: &mut Cx<'_>, table: &Table<'_>) -> bool {
    let file = cx.sources.len() as u32 - 1;
    let version = schema::VERSION;
    let Some(entry) = table.get("schema") else {
        let way_out = format!("write `schema = {version}` in the first line");
        cx.missing(Span::top(file), "the contract does not say which schema it follows", way_out);
        return true;
    };
    let known = format!("this golden reads schema {version}");
    match entry.node.value {
        Value::Integer(Some(number)) if number == version => true,
        Value::Integer(Some(number)) if number > version => {
            let message = format!("schema {number} is newer than this program; {known}");
            cx.error(entry.node.span, message, "install a newer golden");
            false
        }
        _ => {
            let message = format!("there is no such schema; {known}");
            cx.error(entry.node.span, message, format!("write `schema = {version}`"));
            true
        }
    }
}

/// What a contract extends, as it names it.
fn extends<'t>(table: &'t Table<'_>) -> Option<&'t str> {
    match &table.get("extends")?.node.value {
        Value::Text(named) => Some(named),
        _ => None,
    }
}

/// Finds and loads what a contract extends: its path and text.
fn inherited<'a>(
    cx: &mut Cx<'a>,
    table: &Table<'a>,
    path: &str,
    room: Option<&'a OnceCell<String>>,
    load: &Load<'_>,
) -> Option<(String, &'a str)> {
    let entry = table.get("extends")?;
    let at = entry.node.span;
    let built_in = builtin::NAME;
    let Value::Text(named) = &entry.node.value else {
        let way_out = format!("write `extends = \"{built_in}\"` or the path of a file");
        cx.partial = true;
        cx.error(at, format!("`extends` must be text, not {}", entry.node.value.sort()), way_out);
        return None;
    };
    let target = if named == built_in {
        builtin::PATH.to_owned()
    } else if named.contains('/') || named.ends_with(".toml") {
        beside(path, named)
    } else {
        let message = format!("there is no built-in contract {named:?}");
        cx.partial = true;
        cx.error(at, message, format!("the built-in one is \"{built_in}\"; a file ends in .toml"));
        return None;
    };
    let Some(room) = room.filter(|_| cx.sources.iter().all(|source| *source.path != *target)) else {
        cx.partial = true;
        let message = format!("{target} extends itself, or too many contracts stand in one line");
        cx.error(at, message, "break the circle; eight contracts are the most");
        return None;
    };
    if named == built_in {
        return Some((target, builtin::TEXT));
    }
    match load(&target) {
        Ok(text) => Some((target, room.get_or_init(|| text))),
        Err(why) => {
            cx.partial = true;
            cx.error(at, format!("{target} cannot be read: {why}"), "name a file that can be read");
            None
        }
    }
}

/// Loads the files that places name as their templates. Their names are relative to the contract that names them.
fn templates(cx: &mut Cx<'_>, root: &Table<'_>, contract: &str, load: &Load<'_>) -> Vec<Extended> {
    let mut found: Vec<Extended> = Vec::new();
    let Some(Value::Table(layout)) = root.get("layout").map(|entry| &entry.node.value) else { return found };
    for place in layout.in_order() {
        let Value::Table(place) = &place.node.value else { continue };
        let Some(node) = place.get("template").map(|entry| &entry.node) else { continue };
        let Value::Text(named) = &node.value else { continue };
        let is_inside = !named.is_empty() && named.split('/').all(|part| part != "..");
        if !is_inside {
            let way_out = "name a file beside the contract or below its directory";
            cx.error(node.span, format!("{named:?} is not a file beside the contract"), way_out);
            continue;
        }
        let by =
            cx.sources.get(node.span.file as usize).map_or_else(|| contract.into(), |by| by.path.clone());
        let path = beside(&by, named);
        match load(&path) {
            Ok(text) => {
                let directory = contract.rsplit_once('/').map_or("", |(directory, _)| directory);
                let below = |rest: &&str| directory.is_empty() || rest.starts_with('/');
                let inside = path.strip_prefix(directory).filter(below).filter(|_| !named.starts_with('/'));
                let named = inside.map_or(path.as_str(), |rest| rest.trim_start_matches('/')).to_owned();
                cx.templates.insert((node.span.file, node.span.start), text.clone());
                found.push(Extended { named, text: text.into() });
            }
            Err(why) => {
                let message = format!("{path} cannot be read: {why}");
                cx.error(node.span, message, "name a file that can be read");
            }
        }
    }
    found
}

/// A path that is relative to the directory of a contract.
fn beside(contract: &str, named: &str) -> String {
    match contract.rsplit_once('/') {
        Some((directory, _)) if !named.starts_with('/') => format!("{directory}/{named}"),
        _ => named.to_owned(),
    }
}
