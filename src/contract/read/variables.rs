//! Demands on variables of the environment: their forms, and what a service makes of them.

use std::sync::Arc;

use super::demands::{Rule, fill_all, instances, one_form, scalar, service_text, some, truly};
use super::places::level;
use super::{Cx, Fields};
use crate::contract::placeholder::{ServiceWords, fill, is_per_service};
use crate::contract::tree::{Entry, Node, Value};
use crate::contract::{Level, VariableDemand, VariableForm, schema, words};
use crate::model::Severity;

/// A table of variables, sorted by name.
pub(super) fn variable_rules<'a>(cx: &mut Cx<'a>, entry: &Entry<'a>) -> Vec<Rule<VariableDemand>> {
    let Value::Table(table) = &entry.node.value else {
        let message = format!("`{}` must be a table, not {}", entry.key, entry.node.value.sort());
        cx.error(entry.node.span, message, "write `NAME = \"value\"` or `NAME = { one_of = […] }` in it");
        return Vec::new();
    };
    let mut rules = Vec::new();
    for entry in table.iter() {
        cx.checked(entry.at, words::variable(&entry.key));
        let Some((form, severity)) = variable_form(cx, &entry.node, &entry.key) else { continue };
        let per_service = match &form {
            Some(VariableForm::Equals(text)) => is_per_service(text),
            Some(VariableForm::OneOf(texts)) => texts.iter().any(|text| is_per_service(text)),
            Some(VariableForm::Path { under: Some(under) }) => is_per_service(under),
            _ => false,
        };
        let at = cx.at(entry.at);
        let name = entry.key.to_string();
        let demand = form.map(|form| Arc::new(VariableDemand { name: name.into(), form, severity, at }));
        rules.push(Rule { key: entry.key.as_ref().into(), demand, per_service });
    }
    rules
}

fn variable_form<'a>(
    cx: &mut Cx<'a>,
    node: &Node<'a>,
    key: &str,
) -> Option<(Option<VariableForm>, Severity)> {
    let Value::Table(_) = node.value else {
        return Some((Some(VariableForm::Equals(scalar(cx, node, key)?)), Severity::Must));
    };
    let fields = cx.fields(node, node.span, key, &schema::VARIABLE)?;
    let level = fields.opt(cx, "level", level).map(|stated| stated.value);
    let severity = match level {
        Some(Level::At(severity)) => severity,
        _ => Severity::Must,
    };
    if fields.get("min").is_some() || fields.get("max").is_some() {
        one_form(cx, &fields, &["equals", "one_of", "path", "under", "absent", "present", "min"], level)
            .filter(|_| fields.get("min").is_some());
        return Some((Some(range(cx, &fields)?), severity));
    }
    let form = one_form(cx, &fields, &["equals", "one_of", "path", "under", "absent", "present"], level)?;
    let form = match form {
        Some("equals") => VariableForm::Equals(fields.opt(cx, "equals", scalar)?),
        Some("one_of") => VariableForm::OneOf(some(cx, &fields, "one_of")?),
        Some("path") => fields.opt(cx, "path", absolute)?,
        Some("under") => VariableForm::Path { under: Some(fields.opt(cx, "under", under)?) },
        Some("absent") => truly(cx, &fields, "absent", VariableForm::Absent)?,
        Some("present") => truly(cx, &fields, "present", VariableForm::Present)?,
        _ => return Some((None, severity)),
    };
    Some((Some(form), severity))
}

/// `path = "absolute"`
fn absolute<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<VariableForm> {
    let way_out = "write `path = \"absolute\"`, or `under = \"/directory\"`";
    let checked = cx.word(node, key, |text| match text {
        "absolute" => Ok(()),
        _ => Err((format!("`path` can only be \"absolute\", not {text:?}"), way_out.into())),
    });
    checked.map(|_| VariableForm::Path { under: None })
}

fn under<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<String> {
    let text = service_text(cx, node, key)?;
    cx.checked(node.span, words::path(&text.value))
}

/// `min` and `max`, of which one may be left out.
fn range<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Option<VariableForm> {
    let number = |cx: &mut Cx<'a>, node: &Node<'a>, key: &str| match node.value {
        Value::Integer(Some(number)) => Some(number),
        _ => {
            cx.mismatch(node, key, "a whole number", "1");
            None
        }
    };
    let min = fields.opt(cx, "min", number).unwrap_or(i64::MIN);
    let max = fields.opt(cx, "max", number).unwrap_or(i64::MAX);
    if min > max {
        cx.error(fields.at, format!("no number is at least {min} and at most {max}"), "swap them");
        return None;
    }
    Some(VariableForm::Integer { min, max })
}

/// The demands of a service on variables, likewise.
pub(super) fn variables_of(
    rules: &[Rule<VariableDemand>],
    words: &ServiceWords<'_>,
) -> Vec<Arc<VariableDemand>> {
    let filled = |demand: &VariableDemand| VariableDemand {
        form: match &demand.form {
            VariableForm::Equals(text) => VariableForm::Equals(fill(text, words).into_owned()),
            VariableForm::OneOf(texts) => VariableForm::OneOf(fill_all(texts, words)),
            VariableForm::Path { under } => {
                VariableForm::Path { under: under.as_ref().map(|under| fill(under, words).into_owned()) }
            }
            other => other.clone(),
        },
        ..demand.clone()
    };
    instances(rules, filled)
}
