//! `[unit.forbidden]`: what no unit may say.

use super::{Cx, Fields, name};
use crate::contract::tree::{Node, Value};
use crate::contract::{Forbidden, schema, words};

/// `[unit.forbidden]`: each entry names settings and the words they must not have.
pub(super) fn forbidden<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>) -> Vec<Forbidden> {
    let unit = root.get("unit").and_then(|entry| match &entry.node.value {
        Value::Table(table) => table.get("forbidden"),
        _ => None,
    });
    let Some(entry) = unit else { return Vec::new() };
    let mut found = Vec::new();
    for entry in cx.named(entry) {
        let name = name(cx, entry);
        let Some(fields) = cx.fields(&entry.node, entry.at, &entry.key, &schema::FORBIDDEN) else { continue };
        let settings = fields.need(cx, "settings", "[\"Unit.After\"]", |cx, node, key| {
            let items = cx.items(node, key);
            Some(items.iter().filter_map(|item| section_and_key(cx, item, key)).collect::<Vec<_>>())
        });
        let words = fields.texts(cx, "words").value;
        if words.is_empty() {
            let message = format!("`{name}` forbids nothing");
            cx.missing(entry.at, message, "add `words = [\"…\"]`");
        }
        let why = fields.need(cx, "why", "\"what goes wrong otherwise\"", Cx::prose);
        let at = cx.at(entry.at);
        for (section, key) in settings.unwrap_or_default() {
            found.push(Forbidden {
                section,
                key,
                words: words.clone(),
                name: name.clone(),
                why: why.as_ref().map(|why| why.value.clone()).unwrap_or_default(),
                at: at.clone(),
            });
        }
    }
    found
}

/// `Unit.After`
fn section_and_key<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<(String, String)> {
    let way_out = "write the section, a dot and the setting, such as \"Unit.After\"";
    let stated = cx.word(node, key, |text| match text.split_once('.') {
        Some((section @ ("Unit" | "Service" | "Install"), setting)) => {
            words::setting(setting).map(|setting| (section.to_owned(), setting))
        }
        _ => Err((format!("{text:?} is not a setting of a section"), way_out.into())),
    });
    stated.map(|stated| stated.value)
}
