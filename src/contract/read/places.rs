//! Section A and the venvs of section B: where things lie.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Cx, Fields, name};
use crate::contract::placeholder::{Scope, places_in};
use crate::contract::suggest::nearest;
use crate::contract::tree::{Entry, Node, Value};
use crate::contract::{Content, Level, Place, PlaceKind, Venv, schema, words};
use crate::model::{Location, Severity, Stated};

/// How many places may refer to each other in a row.
const ROUNDS: usize = 8;

/// A path longer than this is none for the kernel.
const LONGEST: usize = 4096;

/// `[layout]`. Paths are resolved first, since every other value may name them.
pub(super) fn layout<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>) -> BTreeMap<Arc<str>, Place> {
    let Some(entry) = root.get("layout") else { return BTreeMap::new() };
    let entries = cx.named(entry);
    resolve(cx, &entries);
    let mut places = BTreeMap::new();
    for entry in entries {
        let name = name(cx, entry);
        if let Some(place) = place(cx, entry, name.clone()) {
            places.insert(name, place);
        }
    }
    places
}

/// The node with a place's path: the place itself, or its key `path`.
fn path_node<'t, 'a>(entry: &'t Entry<'a>) -> Option<&'t Node<'a>> {
    match &entry.node.value {
        Value::Table(table) => table.get("path").map(|entry| &entry.node),
        Value::Text(_) => Some(&entry.node),
        _ => None,
    }
}

/// Resolves the paths of all places, those first that name no other.
fn resolve<'a>(cx: &mut Cx<'a>, entries: &[&Entry<'a>]) {
    let mut waiting = Vec::new();
    for entry in entries {
        match path_node(entry).and_then(|node| Some((node, cx.raw(node, "path")?))) {
            Some((node, raw)) => waiting.push((entry.key.as_ref(), node, raw)),
            None => {
                cx.words.places.insert(entry.key.to_string(), None);
            }
        }
    }
    let names: std::collections::HashSet<&str> = waiting.iter().map(|(name, ..)| *name).collect();
    for _ in 0..ROUNDS {
        let known = &cx.words.places;
        let is_ready = |raw: &str| {
            places_in(raw).iter().all(|place| known.contains_key(*place) || !names.contains(place))
        };
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(.., raw)| is_ready(raw));
        waiting = rest;
        for (name, node, raw) in ready {
            resolve_one(cx, name, node, raw, &names);
        }
    }
    for (name, node, _) in waiting {
        let message = format!("the path of `{name}` leads in a circle or through too many other places");
        cx.error(node.span, message, "write its path without naming other places");
        cx.words.places.insert(name.to_owned(), None);
    }
}

fn resolve_one<'a>(
    cx: &mut Cx<'a>,
    name: &str,
    node: &Node<'a>,
    raw: &str,
    names: &std::collections::HashSet<&str>,
) {
    let unknown = places_in(raw).into_iter().find(|place| !names.contains(place));
    let unknown = unknown.filter(|place| !cx.words.places.contains_key(*place));
    if let Some(place) = unknown {
        let known = || nearest(place, names.iter().copied());
        let way_out = match cx.suggest(known) {
            Some(meant) => format!("did you mean `{{layout.{meant}}}`?"),
            None => "name a place of `[layout]`".into(),
        };
        cx.error(node.span, format!("unknown placeholder `{{layout.{place}}}`"), way_out);
        cx.words.places.insert(name.to_owned(), None);
        return;
    }
    let path = cx.text(node, "path").and_then(|text| {
        let path = cx.checked(node.span, words::path(&text.value))?;
        if path.len() > LONGEST {
            cx.error(node.span, format!("the path of `{name}` is too long"), "4096 bytes are the most");
            return None;
        }
        Some(path)
    });
    cx.words.places.insert(name.to_owned(), path);
}

/// One place: `name = "/path"` or `name = { path = "/path", … }`.
fn place<'a>(cx: &mut Cx<'a>, entry: &Entry<'a>, name: Arc<str>) -> Option<Place> {
    let resolved = cx.words.places.get(name.as_ref()).cloned().flatten();
    let path_at = path_node(entry).map_or(entry.at, |node| node.span);
    let path = resolved.map(|path| Stated::new(path, cx.at(path_at)));
    let at = cx.at(entry.at);
    match entry.node.value {
        Value::Text(_) => return Some(bare_place(name, path?, at)),
        Value::Table(_) => {}
        _ => {
            cx.mismatch(&entry.node, &entry.key, "a path or a table", "\"/srv/data\"");
            return None;
        }
    }
    let fields = cx.fields(&entry.node, entry.at, &entry.key, &schema::PLACE)?;
    fields.need(cx, "path", "\"/srv/data\"", |_, _, _| Some(()));
    let place = Place {
        owner: fields.opt(cx, "owner", account),
        group: fields.opt(cx, "group", account),
        mode: fields.opt(cx, "mode", mode),
        holds: fields.list(cx, "holds", relative),
        not_under: fields.list(cx, "not_under", path_value),
        not_on: fields.list(cx, "not_on", Cx::text),
        no_links: flag(cx, &fields, "no_links"),
        outside_repository: flag(cx, &fields, "outside_repository"),
        required: fields.opt(cx, "required", Cx::boolean).is_none_or(|stated| stated.value),
        severity: severity(cx, &fields),
        kind: fields.opt(cx, "kind", kind),
        mounted: flag(cx, &fields, "mounted"),
        ..bare_place(name, path?, at)
    };
    let content = content(cx, &fields);
    file_or_directory(cx, &fields, &place, content.as_ref());
    Some(Place { content, ..place })
}

/// A place of which only the path is known.
fn bare_place(name: Arc<str>, path: Stated<String>, at: Location) -> Place {
    Place {
        name,
        path,
        owner: None,
        group: None,
        mode: None,
        holds: Vec::new(),
        not_under: Vec::new(),
        not_on: Vec::new(),
        no_links: None,
        outside_repository: None,
        required: true,
        kind: None,
        content: None,
        mounted: None,
        severity: Severity::Must,
        at,
    }
}

/// `"file"` or `"directory"`
fn kind<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<PlaceKind>> {
    cx.word(node, key, |text| match text {
        "file" => Ok(PlaceKind::File),
        "directory" => Ok(PlaceKind::Directory),
        _ => Err((format!("{text:?} is not a kind of place"), "write \"file\" or \"directory\"".into())),
    })
}

/// What stands in a file: one of `content`, `template` and `keys`.
fn content<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Option<Content> {
    let mut said = ["content", "template", "keys"].into_iter().filter_map(|key| fields.get(key));
    let first = said.next()?;
    if let Some(second) = said.next() {
        let message = format!("both `{}` and `{}` say what stands in the file", first.key, second.key);
        cx.error(second.at, message, "keep one of them");
        return None;
    }
    if first.key == "keys" {
        let keys = fields.list(cx, "keys", |cx, item, key| cx.word(item, key, words::file_key));
        if keys.is_empty() {
            cx.error(first.node.span, "`keys` names no key", "name at least one, or remove it");
        }
        return Some(Content::Keys(keys));
    }
    let Value::Text(text) = &first.node.value else {
        cx.mismatch(&first.node, &first.key, "text", "\"…\"");
        return None;
    };
    let at = cx.at(first.node.span);
    let span = first.node.span;
    let text = match first.key.as_ref() {
        "template" => cx.templates.get(&(span.file, span.start)).cloned().unwrap_or_default(),
        _ => text.to_string(),
    };
    Some(Content::Text(Stated::new(cx.expand(&text, span, Scope::Contract), at)))
}

/// What only a file or only a directory can have.
fn file_or_directory<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>, place: &Place, content: Option<&Content>) {
    let mut refuse = |keys: &[&str], of: &str, way_out: &str| {
        for entry in keys.iter().filter_map(|key| fields.get(key)) {
            cx.error(entry.at, format!("`{}` belongs to a {of}", entry.key), way_out);
        }
    };
    if place.is_file() {
        refuse(&["holds", "mounted"], "directory", "remove it, or remove `kind = \"file\"`");
    } else if content.is_some() {
        refuse(&["content", "template", "keys"], "file", "add `kind = \"file\"`");
    }
}

/// The place of a key that is `true`.
fn flag<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>, key: &str) -> Option<Location> {
    fields.opt(cx, key, Cx::boolean).filter(|stated| stated.value).map(|stated| stated.at)
}

/// `level`, where *off* makes no sense.
fn severity<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Severity {
    match fields.opt(cx, "level", level).map(|stated| stated.value) {
        Some(Level::Off) => {
            let at = fields.get("level").map_or(fields.at, |entry| entry.node.span);
            cx.error(at, "a place cannot be off", "write `required = false`, or remove the place");
            Severity::Must
        }
        Some(Level::At(severity)) => severity,
        None => Severity::Must,
    }
}

/// `must`, `should` or `off`.
pub(super) fn level<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<Level>> {
    cx.word(node, key, |text| match text {
        "must" => Ok(Level::At(Severity::Must)),
        "should" => Ok(Level::At(Severity::Should)),
        "off" => Ok(Level::Off),
        _ => Err((format!("{text:?} is not a level"), "levels are \"must\", \"should\" and \"off\"".into())),
    })
}

/// A user or group.
pub(super) fn account<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<String>> {
    cx.word(node, key, words::account)
}

/// An absolute path.
pub(super) fn path_value<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<String>> {
    cx.word(node, key, words::path)
}

/// A path below a directory.
pub(super) fn relative<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<String>> {
    cx.word(node, key, words::relative)
}

/// The name of a place.
pub(super) fn place_named<'a>(
    cx: &mut Cx<'a>,
    node: &Node<'a>,
    key: &str,
    layout: &BTreeMap<Arc<str>, Place>,
) -> Option<Stated<String>> {
    let named = cx.text(node, key)?;
    cx.words.used.insert(named.value.clone());
    if !layout.contains_key(named.value.as_str()) && !cx.partial {
        let message = format!("there is no place {:?} in `[layout]`", named.value);
        cx.unknown(node.span, message, &named.value, layout.keys().map(|name| name.as_ref()));
    }
    Some(named)
}

/// Permission bits. A number is refused: 640 without quotes is not 0640.
pub(super) fn mode<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<u32>> {
    if let Value::Integer(_) = node.value {
        let message = format!("`{key}` must be text in octal digits, not a whole number");
        cx.error(node.span, message, format!("write such as `{key} = \"0640\"`"));
        return None;
    }
    cx.word(node, key, words::mode)
}

/// `[venvs]`: names and directories.
pub(super) fn venvs<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>) -> BTreeMap<Arc<str>, Venv> {
    let Some(entry) = root.get("venvs") else { return BTreeMap::new() };
    let mut venvs = BTreeMap::new();
    for entry in cx.named(entry) {
        let name = name(cx, entry);
        if let Some(path) = path_value(cx, &entry.node, &entry.key) {
            venvs.insert(name.clone(), Venv { name, path, at: cx.at(entry.at) });
        }
    }
    venvs
}
