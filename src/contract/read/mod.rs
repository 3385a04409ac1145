//! Makes the parts of the contract out of the tree. What is wrong goes to the errors; what is missing is
//! filled with something harmless, so that the rest can still be judged. The result is only used when
//! there were no errors.

mod approval;
mod demands;
mod dependencies;
mod forbidden;
mod ignored;
mod jobs;
mod models;
mod places;
mod policies;
mod provision;
mod safety;
mod services;
mod variables;
mod waivers;

use std::sync::Arc;

pub(super) use ignored::reads_alike;

use super::reader::{Cx, Fields};
use super::schema;
use super::text::Span;
use super::tree::{Node, Table, Value};
use super::{Change, CheckItem, Contract, SeenTo, Source};
use crate::model::{Location, Section, Stated};

/// Reads the whole contract.
pub(super) fn contract<'a>(cx: &mut Cx<'a>, root: Table<'a>, source: Source) -> Contract {
    let top = Span::top(0);
    let node = Node { span: top, value: Value::Table(root) };
    let Some(root) = cx.fields(&node, top, "", &schema::ROOT) else {
        return empty(cx, source);
    };
    let root = &root;
    let mut contract = empty(cx, source);
    head(cx, root, &mut contract);
    contract.identity = policies::identity(cx, root);
    contract.layout = places::layout(cx, root);
    contract.identity.must_not_write = policies::must_not_write(cx, root);
    contract.approval = approval::approval(cx, root);
    (contract.anchor, contract.outside) = approval::ledger(cx, root);
    contract.changes = tables(cx, root, "changes", &schema::CHANGE, change);
    contract.runtime = policies::runtime(cx, root);
    contract.venvs = places::venvs(cx, root);
    contract.env = policies::env(cx, root, &contract.identity);
    contract.repository = policies::repository(cx, root, &contract.layout);
    contract.forbidden = forbidden::forbidden(cx, root);
    contract.dependencies = dependencies::dependencies(cx, root);
    contract.provision = provision::provision(cx, root, &contract.venvs);
    (contract.services, contract.patterns) = services::services(cx, root, &contract);
    contract.jobs = jobs::jobs(cx, root, &contract);
    contract.safety = safety::safety(cx, root, &contract);
    contract.models = models::models(cx, root, &contract);
    contract.checklist = tables(cx, root, "checklist", &schema::CHECK, check_item);
    contract.severities = waivers::severities(cx, root);
    contract.waivers = waivers::waivers(cx, root, &contract);
    contract
}

/// A contract that says nothing; only ever seen together with errors.
pub(super) fn empty(cx: &Cx<'_>, source: Source) -> Contract {
    let at = cx.at(Span::top(0));
    let none = || Stated::new(String::new(), at.clone());
    let words = || Stated::new(Vec::new(), at.clone());
    Contract {
        source,
        name: none(),
        version: none(),
        effective: None,
        next_review: None,
        authority: None,
        approval: None,
        anchor: None,
        outside: None,
        changes: Vec::new(),
        layout: Default::default(),
        identity: policies::nobody(&at),
        env: policies::no_env(&at, none()),
        runtime: super::RuntimePolicy {
            forbidden_programs: words(),
            system_site_packages: Stated::new(false, at.clone()),
            forbidden_shells: words(),
        },
        repository: None,
        venvs: Default::default(),
        forbidden: Vec::new(),
        dependencies: Default::default(),
        provision: super::Provision::nothing(&at),
        services: Vec::new(),
        patterns: services::no_patterns(),
        jobs: Vec::new(),
        waivers: Vec::new(),
        safety: None,
        models: Vec::new(),
        checklist: Vec::new(),
        severities: Default::default(),
    }
}

/// `[contract]`
fn head<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>, contract: &mut Contract) {
    let Some(entry) = root.get("contract") else {
        return cx.missing(
            root.at,
            "the contract has no `[contract]` table",
            "begin with `[contract]`, `name = \"…\"` and `version = \"1.0.0\"`",
        );
    };
    let Some(fields) = cx.fields(&entry.node, entry.at, "", &schema::CONTRACT) else { return };
    if let Some(name) = fields.need(cx, "name", "\"shop\"", Cx::text) {
        contract.name = name;
    }
    if let Some(version) = fields.need(cx, "version", "\"1.0.0\"", Cx::text) {
        contract.version = version;
    }
    contract.effective = fields.opt(cx, "effective", Cx::date);
    contract.next_review = fields.opt(cx, "next_review", Cx::date);
    contract.authority = fields.opt(cx, "authority", Cx::text);
}

/// Every table of a list of tables, `[[key]]`.
fn tables<'t, 'a, T>(
    cx: &mut Cx<'a>,
    root: &Fields<'t, 'a>,
    key: &'static str,
    keys: &'static schema::Keys,
    mut read: impl FnMut(&mut Cx<'a>, &Fields<'t, 'a>) -> Option<T>,
) -> Vec<T> {
    let Some(entry) = root.get(key) else { return Vec::new() };
    let Value::List(items) = &entry.node.value else {
        let message = format!("`{key}` must be a list of tables, not {}", entry.node.value.sort());
        cx.error(entry.node.span, message, format!("begin each with a header `[[{key}]]`"));
        return Vec::new();
    };
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        if let Some(fields) = cx.fields(item, item.span, "", keys) {
            found.extend(read(cx, &fields));
        }
    }
    found
}

/// An entry of `[[changes]]`.
fn change<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Option<Change> {
    let version = fields.need(cx, "version", "\"1.0.0\"", Cx::text);
    let date = fields.need(cx, "date", "2026-01-10", Cx::date);
    let text = fields.need(cx, "text", "\"what changed\"", Cx::prose);
    let at = cx.at(fields.at);
    Some(Change { version: version?.value, date: date?.value, text: text?.value, at })
}

/// An entry of `[[checklist]]`.
fn check_item<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Option<CheckItem> {
    let section = fields.need(cx, "section", "\"I\"", |cx, node, key| {
        cx.word(node, key, |text| {
            text.parse::<Section>()
                .map_err(|_| (format!("{text:?} is not a section"), "sections are A to N".into()))
        })
    });
    let text = fields.need(cx, "text", "\"what a person checks\"", Cx::prose);
    let by = fields.opt(cx, "by", |cx, node, key| {
        cx.word(node, key, |text| match text {
            "ledger" => Ok(SeenTo::Ledger),
            "journal" => Ok(SeenTo::Journal),
            _ => Err((
                format!("{text:?} is not a known way to check it"),
                "\"ledger\" or \"journal\"; without it, a person checks it".into(),
            )),
        })
    });
    let at = cx.at(fields.at);
    Some(CheckItem { section: section?.value, text: text?.value, by: by.map(|by| by.value), at })
}

/// The name of a table that the contract gives, checked.
fn name<'a>(cx: &mut Cx<'a>, entry: &super::tree::Entry<'a>) -> Arc<str> {
    cx.checked(entry.at, super::words::name(&entry.key));
    Arc::from(entry.key.as_ref())
}

/// A value with the place of the contract's first line, for what is not stated.
fn unstated<T>(value: T, at: &Location) -> Stated<T> {
    Stated::new(value, at.clone())
}
