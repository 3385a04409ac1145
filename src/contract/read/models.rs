//! `[models]`: the models of section F, each with the service that loads it.

use std::sync::Arc;

use super::{Cx, Fields, name};
use crate::contract::models::{
    ARTEFACT, Assignment, GATE_WITHIN, Model, Query, Source as NumberSource, WINDOW, Watch,
};
use crate::contract::tree::{Entry, Node, Value};
use crate::contract::{Contract, DependencyKind, Service, schema, words};
use crate::model::Stated;

/// `[models]`
pub(super) fn models<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>, contract: &Contract) -> Vec<Model> {
    let Some(entry) = root.get("models") else { return Vec::new() };
    if contract.safety.is_none() {
        let message =
            "there are models, but no `[safety]` says where they lie and what the gate asks of them";
        cx.missing(entry.at, message, "add `[safety]`; golden contract show --text has an example");
    }
    let entries = cx.named(entry);
    let mut models: Vec<Model> = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = name(cx, entry);
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let message = format!("{name:?} cannot be told from a time in the archive");
            cx.error(entry.at, message, "let the name of a model begin with a letter");
        }
        models.extend(model(cx, entry, name, contract));
    }
    refuse_doubles(cx, &models);
    models
}

fn model<'a>(cx: &mut Cx<'a>, entry: &Entry<'a>, name: Arc<str>, contract: &Contract) -> Option<Model> {
    let fields = cx.fields(&entry.node, entry.at, &entry.key, &schema::MODEL)?;
    let service = fields.need(cx, "service", "\"ai-engine\"", |cx, node, key| {
        let named = cx.text(node, key)?;
        let known = || contract.services.iter().map(|service| service.name.as_ref());
        if !known().any(|other| other == named.value) && !cx.partial {
            let message = format!("there is no service {:?}", named.value);
            cx.unknown(node.span, message, &named.value, known());
        }
        Some(named)
    });
    let artefact =
        fields.need(cx, "artefact", "\"model.onnx\"", |cx, node, key| artefact(cx, node, key, contract));
    let share = fields.opt(cx, "share", |cx, node, key| cx.word(node, key, words::variable));
    let digest_field = fields.opt(cx, "digest_field", Cx::text);
    let gate_within = fields.opt(cx, "gate_within", |cx, node, key| cx.word(node, key, words::seconds));
    let runs_code = fields.opt(cx, "runs_code", Cx::boolean);
    let rolls_back = fields.opt(cx, "rolls_back", Cx::boolean);
    let watch = watch(cx, &fields, contract);
    fields.need(cx, "set", "{ canary = { MODEL_PATH = \"{artefact}\" } }", |_, _, _| Some(()));
    let set =
        fields.get("set").and_then(|entry| cx.fields(&entry.node, entry.at, &name, &schema::MODEL_SET))?;
    set.need(cx, "canary", "{ MODEL_PATH = \"{artefact}\" }", |_, _, _| Some(()));
    let canary = assignments(cx, &set, "canary", contract);
    let active = assignments(cx, &set, "active", contract);
    let service = service?;
    let env_file = own_env_file(cx, &fields, &service, contract)?;
    Some(Model {
        name,
        artefact: artefact?,
        env_file,
        canary,
        active,
        share,
        digest_field,
        gate_within: gate_within.unwrap_or_else(|| super::unstated(GATE_WITHIN, &service.at)),
        runs_code,
        rolls_back,
        watch,
        at: cx.at(entry.at),
        service,
    })
}

/// `[models.NAME.watch]`
fn watch<'a>(cx: &mut Cx<'a>, model: &Fields<'_, 'a>, contract: &Contract) -> Watch {
    let usual = super::unstated(WINDOW, &cx.at(model.at));
    let nothing = Watch { window: usual.clone(), loss: None, errors: None };
    let Some(entry) = model.get("watch") else { return nothing };
    let Some(fields) = cx.fields(&entry.node, entry.at, model.name, &schema::MODEL_WATCH) else {
        return nothing;
    };
    let window = fields.opt(cx, "window", |cx, node, key| cx.word(node, key, words::seconds));
    let loss = fields.get("loss").and_then(|entry| source(cx, entry, contract));
    let errors = fields.get("errors").and_then(|entry| source(cx, entry, contract));
    Watch { window: window.unwrap_or(usual), loss, errors }
}

/// Where a number comes from: a SELECT of an SQLite database, or a key of a Redis.
fn source<'a>(cx: &mut Cx<'a>, entry: &Entry<'a>, contract: &Contract) -> Option<NumberSource> {
    let fields = cx.fields(&entry.node, entry.at, "", &schema::NUMBER)?;
    let (sql, key) = (fields.opt(cx, "sql", Cx::prose), fields.opt(cx, "key", Cx::text));
    let query = match (sql, key) {
        (Some(sql), None) => Query::Sql(sql.value),
        (None, Some(key)) => Query::Key(key.value),
        _ => {
            let message = format!("`{}` needs either `sql` or `key`", entry.key);
            cx.missing(entry.at, message, "write { dependency = \"database\", sql = \"SELECT …\" }");
            return None;
        }
    };
    let dependency = fields.need(cx, "dependency", "\"database\"", |cx, node, key| {
        let named = cx.text(node, key)?;
        let fits = |kind: &DependencyKind| match query {
            Query::Sql(_) => matches!(kind, DependencyKind::Sqlite { .. }),
            Query::Key(_) => matches!(kind, DependencyKind::Redis { .. }),
        };
        let known =
            || contract.dependencies.values().filter(|one| fits(&one.kind)).map(|one| one.name.as_ref());
        if !known().any(|name| name == named.value) && !cx.partial {
            let message = format!("there is no dependency {:?} that can be asked this", named.value);
            let names: Vec<&str> = known().collect();
            cx.unknown(node.span, message, &named.value, names.iter().copied());
        }
        Some(named)
    });
    Some(NumberSource { dependency: dependency?, query, at: cx.at(entry.at) })
}

/// The name of an artefact in `active/`: written alone, or as a path in there.
fn artefact<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str, contract: &Contract) -> Option<Stated<String>> {
    let written = cx.text(node, key)?;
    let place = contract.model_place().map(|place| format!("{}/active/", place.path.value));
    let within = place.as_deref().and_then(|place| written.value.strip_prefix(place));
    let file = within.or_else(|| written.value.strip_prefix("active/")).unwrap_or(&written.value);
    let is_name = words::name(file).is_ok() && !file.starts_with(CANARY) && file.len() <= 100;
    if !is_name {
        let known = place.unwrap_or_else(|| "active/".to_owned());
        let message = format!("{:?} is not a file of {known}", written.value);
        cx.error(node.span, message, "write the name of the file alone, such as \"model.onnx\"");
        return None;
    }
    Some(Stated::new(file.to_owned(), written.at))
}

/// What the name of a canary's artefact begins with.
const CANARY: &str = "canary-";

/// `set.canary` and `set.active`: variables with their values.
fn assignments<'a>(cx: &mut Cx<'a>, set: &Fields<'_, 'a>, key: &str, contract: &Contract) -> Vec<Assignment> {
    let Some(entry) = set.get(key) else { return Vec::new() };
    let Value::Table(table) = &entry.node.value else {
        cx.mismatch(&entry.node, key, "a table of variables", "{ MODEL_PATH = \"{artefact}\" }");
        return Vec::new();
    };
    let mut all = Vec::new();
    for entry in table.in_order() {
        let name = cx.checked(entry.at, words::variable(&entry.key));
        if crate::contract::secrets::is_secret_name(contract, &entry.key) {
            let message =
                format!("`{}` holds a secret, and the ledger writes down what activation sets", entry.key);
            cx.error(entry.at, message, "let a variable that is not a secret activate the model");
            continue;
        }
        let value = value(cx, &entry.node, &entry.key);
        all.extend(name.zip(value).map(|(name, value)| Assignment { name, value }));
    }
    all
}

/// A value, in which `{artefact}` stays.
fn value<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<String>> {
    use crate::contract::placeholder::Scope;
    let raw = cx.raw(node, key)?;
    let pieces: Vec<String> =
        raw.split(ARTEFACT).map(|piece| cx.expand(piece, node.span, Scope::Contract)).collect();
    Some(Stated::new(pieces.join(ARTEFACT), cx.at(node.span)))
}

/// The last env file that belongs to this service alone. A variable in a file of several would change them all.
fn own_env_file(
    cx: &mut Cx<'_>,
    fields: &Fields<'_, '_>,
    service: &Stated<String>,
    contract: &Contract,
) -> Option<String> {
    let found = contract.services.iter().find(|other| *other.name == *service.value)?;
    let is_read_by = |other: &Service, path: &str| other.env_files.iter().any(|file| file.path == path);
    let is_own = |path: &str| {
        let mut others = contract.services.iter().filter(|other| other.name != found.name);
        !others.any(|other| is_read_by(other, path))
    };
    let own = found.env_files.iter().rev().find(|file| is_own(&file.path));
    if own.is_none() {
        let shared: Vec<&str> = found.env_files.iter().map(|file| file.path.as_str()).collect();
        let message = match shared.is_empty() {
            true => format!("{} has no env file, so nothing can activate {}", found.name, fields.name),
            false => format!(
                "every env file of {} is read by other services, too: {}",
                found.name,
                shared.join(", ")
            ),
        };
        let way_out = format!("give {} an env file of its own: env_files = [\"….env\"]", found.name);
        cx.error(fields.get("set").map_or(fields.at, |set| set.at), message, way_out);
    }
    own.map(|file| file.path.clone())
}

/// Two models cannot be one file, nor be activated by one variable of one file.
fn refuse_doubles(cx: &mut Cx<'_>, models: &[Model]) {
    for (index, model) in models.iter().enumerate() {
        for other in &models[..index] {
            if other.artefact.value == model.artefact.value {
                let message = format!("the models {} and {} are one file in active/", other.name, model.name);
                cx.error_at(&model.artefact.at, message, "give each a file of its own");
            }
            let twice = model.variables().find(|name| other.variables().any(|of| of == *name));
            if let Some(twice) = twice.filter(|_| other.env_file == model.env_file) {
                let message = format!("{twice} activates both {} and {}", other.name, model.name);
                cx.error_at(&model.at, message, "give each variables of its own");
            }
        }
    }
}
