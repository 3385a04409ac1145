//! Demands on settings: the forms they take, and the layers they are written in. The contract's layer lies lowest, then that of a kind, then a service's own; a key said anew replaces
//! what lies below it.

use std::sync::Arc;

use super::places::level;
use super::services::{EnvFileTemplate, env_file};
use super::{Cx, Fields, ignored};
use crate::contract::placeholder::{Scope, ServiceWords, fill, is_per_service};
use crate::contract::tree::{Entry, Node, Value};
use crate::contract::{Form, Level, SettingDemand, schema, words};
use crate::model::{Severity, Stated};

/// A demand of a layer; without one the key is not demanded. What depends on the service is filled later.
#[derive(Clone, Debug)]
pub(super) struct Rule<D> {
    /// `Service.Restart`, or the name of a variable. One key may have several demands in a row.
    pub key: Arc<str>,
    /// The demand.
    pub demand: Option<Arc<D>>,
    /// True when the service has something to fill in.
    pub per_service: bool,
}

/// What one `unit` table says.
#[derive(Clone, Debug, Default)]
pub(super) struct UnitLayer {
    /// The unit's name, with placeholders.
    pub name: Option<Stated<String>>,
    /// Demands sorted by key.
    pub settings: Vec<Rule<SettingDemand>>,
    /// `User=`, which is judged by a rule of its own.
    pub user: Option<Stated<String>>,
    /// `Group=`, likewise.
    pub group: Option<Stated<String>>,
    /// `EnvironmentFile=`, likewise.
    pub env_files: Option<Vec<EnvFileTemplate>>,
}

impl UnitLayer {
    /// This layer with another over it.
    pub(crate) fn overlaid(&self, over: &UnitLayer) -> UnitLayer {
        UnitLayer {
            name: over.name.clone().or_else(|| self.name.clone()),
            settings: overlay(&self.settings, &over.settings),
            user: over.user.clone().or_else(|| self.user.clone()),
            group: over.group.clone().or_else(|| self.group.clone()),
            env_files: over.env_files.clone().or_else(|| self.env_files.clone()),
        }
    }
}

/// Sorted rules with others laid over them: all of a key or none.
pub(super) fn overlay<D>(below: &[Rule<D>], above: &[Rule<D>]) -> Vec<Rule<D>> {
    let copy = |rule: &Rule<D>| Rule {
        key: rule.key.clone(),
        demand: rule.demand.clone(),
        per_service: rule.per_service,
    };
    let mut merged = Vec::with_capacity(below.len() + above.len());
    let mut lower = below.iter().peekable();
    let mut upper = above.iter().peekable();
    while let Some(over) = upper.peek() {
        match lower.peek() {
            Some(under) if under.key < over.key => merged.extend(lower.next().map(copy)),
            Some(under) if under.key == over.key => {
                lower.next();
            }
            _ => {
                // Rules of the same key below are dropped even when this key goes on for several rules.
                let key = over.key.clone();
                while let Some(rule) = upper.next_if(|rule| rule.key == key) {
                    merged.push(copy(rule));
                }
            }
        }
    }
    merged.extend(lower.map(copy));
    merged
}

/// A `unit` table, or the bare name of a unit.
pub(super) fn unit_layer<'a>(cx: &mut Cx<'a>, entry: &Entry<'a>, keys: &'static schema::Keys) -> UnitLayer {
    let mut layer = UnitLayer::default();
    if let Value::Text(_) = entry.node.value {
        layer.name = service_text(cx, &entry.node, "unit");
        return layer;
    }
    let Some(fields) = cx.fields(&entry.node, entry.at, "", keys) else { return layer };
    layer.name = fields.opt(cx, "name", service_text);
    for section in ["Install", "Service", "Unit"] {
        let Some(entry) = fields.get(section) else { continue };
        let Value::Table(table) = &entry.node.value else {
            let message = format!("`{section}` must be a table, not {}", entry.node.value.sort());
            cx.error(entry.node.span, message, format!("write a header such as `[unit.{section}]`"));
            continue;
        };
        for setting in table.iter() {
            read_setting(cx, section, setting, &mut layer);
        }
    }
    layer
}

/// Text in which the words of a service are left for later.
pub(super) fn service_text<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<String>> {
    let raw = cx.raw(node, key)?;
    let value = cx.expand(raw, node.span, Scope::Service);
    Some(Stated::new(value, cx.at(node.span)))
}

/// One setting of a section; those with a place of their own go there.
fn read_setting<'a>(cx: &mut Cx<'a>, section: &str, entry: &Entry<'a>, layer: &mut UnitLayer) {
    let key = entry.key.as_ref();
    cx.checked(entry.at, words::setting(key));
    match (section, key) {
        ("Service", "User") => layer.user = plain(cx, entry),
        ("Service", "Group") => layer.group = plain(cx, entry),
        ("Service", "EnvironmentFile") => layer.env_files = Some(environment_files(cx, entry)),
        ("Service", "ExecStart") => cx.error(
            entry.at,
            "`ExecStart` is not demanded as a setting",
            "write `command = [\"program\", \"argument\"]` in the service",
        ),
        _ => setting_rules(cx, section, entry, &mut layer.settings),
    }
}

/// A setting that has a rule of its own: its value alone.
fn plain<'a>(cx: &mut Cx<'a>, entry: &Entry<'a>) -> Option<Stated<String>> {
    let node = match &entry.node.value {
        Value::Table(table) if table.iter().all(|entry| entry.key == "equals") => {
            table.get("equals").map_or(&entry.node, |entry| &entry.node)
        }
        _ => &entry.node,
    };
    service_text(cx, node, &entry.key)
}

/// `EnvironmentFile`: one file, a list of them, or `{ level = "off" }`.
fn environment_files<'a>(cx: &mut Cx<'a>, entry: &Entry<'a>) -> Vec<EnvFileTemplate> {
    match &entry.node.value {
        Value::List(items) => items.iter().filter_map(|item| env_file(cx, item)).collect(),
        Value::Table(table) if table.get("level").is_some() => match level_of(cx, &entry.node) {
            Some(Level::Off) => Vec::new(),
            _ => {
                let message = "`EnvironmentFile` is always a must";
                cx.error(entry.node.span, message, "leave out the level, or write \"off\"");
                Vec::new()
            }
        },
        _ => env_file(cx, &entry.node).into_iter().collect(),
    }
}

fn level_of<'a>(cx: &mut Cx<'a>, node: &Node<'a>) -> Option<Level> {
    let fields = cx.fields(node, node.span, "Service.EnvironmentFile", &schema::SETTING)?;
    fields.opt(cx, "level", level).map(|stated| stated.value)
}

/// The rules of one setting: a value, a form, or a list of forms.
fn setting_rules<'a>(
    cx: &mut Cx<'a>,
    section: &str,
    entry: &Entry<'a>,
    rules: &mut Vec<Rule<SettingDemand>>,
) {
    let key: Arc<str> = format!("{section}.{}", entry.key).into();
    let nodes: &[Node<'a>] = match &entry.node.value {
        Value::List(items) => items,
        _ => std::slice::from_ref(&entry.node),
    };
    for node in nodes {
        let Some(said) = setting_form(cx, node, &key) else { continue };
        without_effect(cx, section, entry, node, &said);
        let per_service = said.form.as_ref().is_some_and(|form| texts(form).any(is_per_service));
        let demand = said.form.map(|form| {
            Arc::new(SettingDemand {
                section: section.to_owned(),
                key: entry.key.as_ref().into(),
                form,
                severity: said.severity,
                default_counts: said.default_counts,
                since: said.since,
                at: cx.at(if nodes.len() > 1 { node.span } else { entry.at }),
            })
        });
        rules.push(Rule { key: key.clone(), demand, per_service });
    }
    if nodes.is_empty() {
        cx.error(entry.node.span, format!("`{key}` demands nothing"), "write a value, or remove it");
    }
}

/// What a form of a setting says; without a form it is not demanded.
struct Said {
    form: Option<Form>,
    severity: Severity,
    default_counts: bool,
    since: Option<u32>,
}

/// Files an error where every known systemd ignores what is demanded.
fn without_effect<'a>(cx: &mut Cx<'a>, section: &str, entry: &Entry<'a>, node: &Node<'a>, said: &Said) {
    let Some(form) = said.form.as_ref().filter(|form| **form != Form::Absent) else { return };
    let key = entry.key.as_ref();
    if words::setting(key).is_err() {
        return;
    }
    if said.since.is_none()
        && let Some((message, way_out)) = ignored::setting(section, key)
    {
        return cx.error(entry.at, message, way_out);
    }
    if let Some(message) = ignored::values(form).iter().find_map(|value| ignored::value(section, key, value))
    {
        cx.error(node.span, message, format!("write a value that systemd reads, or remove {key}"));
    }
}

fn setting_form<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Said> {
    let Value::Table(_) = node.value else {
        let form = Form::Equals(scalar(cx, node, key)?);
        return Some(Said { form: Some(form), severity: Severity::Must, default_counts: false, since: None });
    };
    let fields = cx.fields(node, node.span, key, &schema::SETTING)?;
    let severity = fields.opt(cx, "level", level).map(|stated| stated.value);
    let default_counts = fields.opt(cx, "presence", |cx, node, key| {
        cx.word(node, key, |text| match text {
            "stated" => Ok(false),
            "effective" => Ok(true),
            _ => Err((format!("{text:?} is not a presence"), "write \"stated\" or \"effective\"".into())),
        })
    });
    let since = fields.opt(cx, "since", Cx::count).and_then(|since| u32::try_from(since.value).ok());
    let form = one_form(cx, &fields, &["equals", "one_of", "contains", "absent", "present"], severity)?;
    let form = match form {
        Some("equals") => Some(Form::Equals(fields.opt(cx, "equals", scalar)?)),
        Some("one_of") => Some(Form::OneOf(some(cx, &fields, "one_of")?)),
        Some("contains") => Some(Form::Contains(some(cx, &fields, "contains")?)),
        Some("absent") => Some(truly(cx, &fields, "absent", Form::Absent)?),
        Some("present") => Some(truly(cx, &fields, "present", Form::Present)?),
        _ => None,
    };
    let severity = match severity {
        Some(Level::At(severity)) => severity,
        _ => Severity::Must,
    };
    Some(Said { form, severity, default_counts: default_counts.is_some_and(|stated| stated.value), since })
}

/// The one form that a demand has. `level = "off"` needs none and allows none.
pub(super) fn one_form<'a>(
    cx: &mut Cx<'a>,
    fields: &Fields<'_, 'a>,
    forms: &[&'static str],
    level: Option<Level>,
) -> Option<Option<&'static str>> {
    let mut there: Vec<&'static str> =
        forms.iter().copied().filter(|form| fields.get(form).is_some()).collect();
    there.sort_by_key(|form| fields.get(form).map(|entry| entry.at));
    match (there.as_slice(), level) {
        ([], Some(Level::Off)) => Some(None),
        ([form], level) if level != Some(Level::Off) => Some(Some(form)),
        // An unknown key was said already; most likely it is the form, misspelled.
        ([], _) if fields.has_unknown => None,
        ([], _) => {
            let way_out = format!("add one of {}, or `level = \"off\"`", forms.join(", "));
            cx.error(fields.at, "this demand does not say what is demanded", way_out);
            None
        }
        ([first, ..], Some(Level::Off)) => {
            let message = format!("`{first}` is demanded and switched off at once");
            cx.error(fields.at, message, "keep the form or the level");
            None
        }
        ([first, second, ..], _) => {
            let at = fields.get(second).map_or(fields.at, |entry| entry.at);
            let message = format!("both `{first}` and `{second}` are demanded of one key");
            cx.error(at, message, "keep one of them");
            None
        }
        // A single form with a level that is not off was taken by the second arm.
        ([_], _) => None,
    }
}

/// A value as text; numbers and truth are taken as they are written.
pub(super) fn scalar<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<String> {
    match &node.value {
        Value::Text(text) if text.is_empty() => Some(String::new()),
        Value::Text(_) => service_text(cx, node, key).map(|text| text.value),
        Value::Integer(Some(number)) => Some(number.to_string()),
        Value::Boolean(value) => Some(value.to_string()),
        Value::List(_) => {
            let message = format!("`{key}` must be one value, not a list");
            let way_out = format!("write `{key} = {{ one_of = […] }}` or `{{ contains = […] }}`");
            cx.error(node.span, message, way_out);
            None
        }
        _ => {
            cx.mismatch(node, key, "text, a whole number, true or false", "\"…\"");
            None
        }
    }
}

/// A list of values that holds at least one.
pub(super) fn some<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>, key: &str) -> Option<Vec<String>> {
    let entry = fields.get(key)?;
    let before = cx.errors.len();
    let values = fields.list(cx, key, scalar);
    if values.is_empty() && cx.errors.len() == before {
        cx.error(entry.node.span, format!("`{key}` is an empty list"), "name at least one value");
    }
    (!values.is_empty()).then_some(values)
}

/// A key that only makes sense as `true`.
pub(super) fn truly<'a, T>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>, key: &str, form: T) -> Option<T> {
    let stated = fields.opt(cx, key, Cx::boolean)?;
    if stated.value {
        return Some(form);
    }
    let at = fields.get(key).map_or(fields.at, |entry| entry.node.span);
    let opposite = if key == "absent" { "present" } else { "absent" };
    cx.error(at, format!("`{key} = false` demands nothing"), format!("write `{opposite} = true`"));
    None
}

/// The texts of a form.
fn texts(form: &Form) -> impl Iterator<Item = &str> {
    let texts: &[String] = match form {
        Form::Equals(text) => std::slice::from_ref(text),
        Form::OneOf(texts) | Form::Contains(texts) => texts,
        Form::Absent | Form::Present => &[],
    };
    texts.iter().map(String::as_str)
}

/// [`fill`] for each text.
pub(super) fn fill_all(texts: &[String], words: &ServiceWords<'_>) -> Vec<String> {
    texts.iter().map(|text| fill(text, words).into_owned()).collect()
}

/// The demands of a service on settings; those without words of the service are shared.
pub(super) fn settings_of(
    rules: &[Rule<SettingDemand>],
    words: &ServiceWords<'_>,
) -> Vec<Arc<SettingDemand>> {
    let filled = |demand: &SettingDemand| SettingDemand {
        form: match &demand.form {
            Form::Equals(text) => Form::Equals(fill(text, words).into_owned()),
            Form::OneOf(texts) => Form::OneOf(fill_all(texts, words)),
            Form::Contains(texts) => Form::Contains(fill_all(texts, words)),
            other => other.clone(),
        },
        ..demand.clone()
    };
    instances(rules, filled)
}

/// The demands of a service: those without words of the service are shared.
pub(super) fn instances<D>(rules: &[Rule<D>], filled: impl Fn(&D) -> D) -> Vec<Arc<D>> {
    let mut found = Vec::with_capacity(rules.len());
    for rule in rules {
        let Some(demand) = &rule.demand else { continue };
        found.push(if rule.per_service { Arc::new(filled(demand)) } else { demand.clone() });
    }
    found
}
