//! `[provision]` and `[services.NAME.provision]`: what golden writes where a demand leaves a choice.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::demands::{scalar, service_text};
use super::places::{path_value, relative};
use super::{Cx, Fields, ignored, name};
use crate::contract::provision::{Health, Provision, ServiceProvision, Written};
use crate::contract::tree::{Entry, Node, Value};
use crate::contract::{Venv, schema, words};
use crate::model::Stated;

/// `[provision]`
pub(super) fn provision<'a>(
    cx: &mut Cx<'a>,
    root: &Fields<'_, 'a>,
    venvs: &BTreeMap<Arc<str>, Venv>,
) -> Provision {
    let mut provision = Provision::nothing(&cx.at(root.at));
    let Some(entry) = root.get("provision") else { return provision };
    let Some(fields) = cx.fields(&entry.node, entry.at, "", &schema::PROVISION) else { return provision };
    provision.packages = fields.list(cx, "packages", |cx, item, key| cx.word(item, key, words::package));
    provision.rehearse = fields.list(cx, "rehearse", Cx::text);
    provision.home = fields.opt(cx, "home", path_value);
    if let Some(golden) = fields.opt(cx, "golden", path_value) {
        provision.golden = golden;
    }
    if let Some(interpreter) = fields.opt(cx, "interpreter", path_value) {
        provision.interpreter = interpreter;
    }
    provision.wheelhouse = fields.opt(cx, "wheelhouse", path_value);
    provision.uv = fields.opt(cx, "uv", path_value);
    provision.branch = fields.opt(cx, "branch", Cx::text);
    if let Some(audit) = fields.opt(cx, "audit", Cx::text) {
        provision.audit = audit;
    }
    if let Some(entry) = fields.get("requirements") {
        provision.requirements = requirements(cx, entry, venvs);
    }
    provision.shared = written(cx, &fields);
    provision
}

/// Locked requirements by the name of a venv.
fn requirements<'a>(
    cx: &mut Cx<'a>,
    entry: &Entry<'a>,
    venvs: &BTreeMap<Arc<str>, Venv>,
) -> BTreeMap<Arc<str>, Stated<String>> {
    let mut found = BTreeMap::new();
    for entry in cx.named(entry) {
        let venv = name(cx, entry);
        if !venvs.contains_key(&venv) && !cx.partial {
            let message = format!("there is no venv {venv:?} in `[venvs]`");
            cx.unknown(entry.at, message, &venv, venvs.keys().map(|name| name.as_ref()));
        }
        if let Some(file) = relative(cx, &entry.node, &entry.key) {
            found.insert(venv, file);
        }
    }
    found
}

/// `variables` and `unit` of a table.
fn written<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Written {
    let mut written = Written::default();
    if let Some(entry) = fields.get("variables") {
        for entry in cx.named(entry) {
            cx.checked(entry.at, words::variable(&entry.key));
            if let Some(value) = scalar(cx, &entry.node, &entry.key) {
                let at = cx.at(entry.at);
                written.variables.insert(entry.key.as_ref().into(), Stated::new(value, at));
            }
        }
    }
    let Some(entry) = fields.get("unit") else { return written };
    let Some(unit) = cx.fields(&entry.node, entry.at, "", &schema::WRITTEN) else { return written };
    for section in ["Install", "Service", "Unit"] {
        let Some(entry) = unit.get(section) else { continue };
        for entry in cx.named(entry) {
            cx.checked(entry.at, words::setting(&entry.key));
            if let Some(value) = scalar(cx, &entry.node, &entry.key) {
                without_effect(cx, section, entry, &value);
                let at = cx.at(entry.at);
                let key = (section.into(), entry.key.as_ref().into());
                written.settings.insert(key, Stated::new(value, at));
            }
        }
    }
    written
}

/// Files an error where every known systemd ignores what is written.
fn without_effect<'a>(cx: &mut Cx<'a>, section: &str, entry: &Entry<'a>, value: &str) {
    if words::setting(&entry.key).is_err() {
        return;
    }
    if let Some(key) = ignored::own_key(section, &entry.key) {
        let message =
            format!("{}= is decided by a key of its own, and is never written from here", entry.key);
        cx.error(entry.at, message, format!("write {key}"));
    } else if let Some((message, way_out)) = ignored::setting(section, &entry.key) {
        cx.error(entry.at, message, way_out);
    } else if let Some(message) = ignored::value(section, &entry.key, value) {
        cx.error(entry.node.span, message, "write a value that systemd reads");
    }
}

/// The table of a service, apart from `start`, which is read like a command.
pub(super) fn of_service<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> ServiceProvision {
    ServiceProvision {
        kept_elsewhere: fields.opt(cx, "rendered", Cx::boolean).is_some_and(|stated| !stated.value),
        start: None,
        schedule: fields.opt(cx, "schedule", service_text),
        own: written(cx, fields),
    }
}

/// `health` of a service.
pub(super) fn health<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Option<Health> {
    health_of(cx, fields.get("health")?)
}

/// The same of an entry.
pub(super) fn health_of<'a>(cx: &mut Cx<'a>, entry: &Entry<'a>) -> Option<Health> {
    let fields = cx.fields(&entry.node, entry.at, "", &schema::HEALTH)?;
    Some(Health {
        active_for: fields.opt(cx, "active_for", |cx, node, key| cx.word(node, key, words::seconds)),
        within: fields.opt(cx, "within", |cx, node, key| cx.word(node, key, words::seconds)),
        tcp: fields.opt(cx, "tcp", |cx, node, key| cx.word(node, key, words::address)),
        http: fields.opt(cx, "http", http),
    })
}

/// An address that golden itself can ask: plain http, of this host.
fn http<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<String>> {
    let Value::Text(text) = &node.value else {
        cx.mismatch(node, key, "text", "\"http://127.0.0.1:8000/health\"");
        return None;
    };
    let authority = text.strip_prefix("http://").and_then(|rest| rest.split('/').next());
    if authority.and_then(|authority| words::address(authority).ok()).is_none() {
        let message = format!("{text:?} is not an address that can be asked here");
        cx.error(node.span, message, "write such as \"http://127.0.0.1:8000/health\", with its port");
        return None;
    }
    cx.text(node, key)
}
