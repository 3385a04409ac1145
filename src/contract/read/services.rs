//! The services: layers of demands laid over each other, names resolved, placeholders filled.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

mod keys;

use super::demands::{Rule, UnitLayer, overlay, service_text, settings_of, unit_layer};
use super::ignored;
use super::places::{account, mode};
use super::variables::{variable_rules, variables_of};
use super::{Cx, Fields, name};
use crate::contract::placeholder::{Scope, ServiceWords, fill, is_per_service};
use crate::contract::tree::{Node, Value};
use crate::contract::{
    Activation, CommandDemand, Contract, Dependency, EnvFileDemand, Form, Health, Identity, Kind, Patterns,
    Port, Service, ServiceProvision, SettingDemand, VariableDemand, schema, words,
};
use crate::model::{Location, Severity, Stated};
pub(super) use keys::env_file;
use keys::{activation, clashes, command, health, path_of, ports, provision, succeeded_within, timer};

/// Every kind with its name in a contract.
pub(super) const KINDS: [(&str, Kind); 5] = [
    ("python", Kind::Python),
    ("executable", Kind::Executable),
    ("timer-job", Kind::TimerJob),
    ("job", Kind::Job),
    ("draft", Kind::Draft),
];

/// An env file whose path may name the service.
#[derive(Clone, Debug)]
pub(super) struct EnvFileTemplate {
    demand: EnvFileDemand,
    per_service: bool,
}

/// What services of one kind start with.
struct KindLayer {
    unit: UnitLayer,
    variables: Vec<Rule<VariableDemand>>,
}

/// A service as far as others need to know it.
struct Draft<'t, 'a> {
    fields: Fields<'t, 'a>,
    name: Arc<str>,
    title: Option<String>,
    kind: Stated<Kind>,
    unit: Stated<String>,
    own: Option<UnitLayer>,
}

impl Draft<'_, '_> {
    fn words(&self) -> ServiceWords<'_> {
        let title = self.title.as_deref().unwrap_or(&self.name);
        ServiceWords { service: &self.name, unit: &self.unit.value, title }
    }
}

/// `[services]` with what `[unit]`, `[env.variables]` and `[kinds]` say of them.
/// With them, for each kind, a service that says nothing of its own.
pub(super) fn services<'a>(
    cx: &mut Cx<'a>,
    root: &Fields<'_, 'a>,
    contract: &Contract,
) -> (Vec<Service>, Patterns) {
    let kinds = kind_layers(cx, root);
    let entries = root.get("services").map(|entry| cx.named(entry)).unwrap_or_default();
    let mut drafts = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = name(cx, entry);
        if let Some(fields) = cx.fields(&entry.node, entry.at, &entry.key, &schema::SERVICE) {
            drafts.push(draft(cx, fields, name, &kinds));
        }
    }
    let units: HashMap<&str, &str> =
        drafts.iter().map(|draft| (draft.name.as_ref(), draft.unit.value.as_str())).collect();
    let nothing: Arc<ServiceProvision> = Arc::default();
    let around = Around { contract, kinds: &kinds, units: &units, nothing: nothing.clone() };
    let services: Vec<Service> = drafts.iter().map(|draft| around.service(cx, draft)).collect();
    clashes(cx, &services);
    let identity = contract.identity.clone();
    let at = cx.at(root.at);
    let make = move || {
        let of = |(kind, layer)| (kind, pattern(kind, layer, &identity, &nothing, &at));
        kinds.into_iter().map(of).collect()
    };
    (services, Arc::new(LazyLock::new(Box::new(make))))
}

/// Of a contract that says nothing.
pub(super) fn no_patterns() -> Patterns {
    Arc::new(LazyLock::new(Box::new(BTreeMap::new)))
}

/// The layers of the contract and of each kind, merged.
fn kind_layers<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>) -> BTreeMap<Kind, KindLayer> {
    let base = root.get("unit").map(|entry| unit_layer(cx, entry, &schema::UNIT)).unwrap_or_default();
    let variables = root.get("env").and_then(|entry| match &entry.node.value {
        Value::Table(table) => table.get("variables"),
        _ => None,
    });
    let variables = variables.map(|entry| variable_rules(cx, entry)).unwrap_or_default();
    let mut layers: BTreeMap<Kind, KindLayer> = KINDS
        .iter()
        .map(|(_, kind)| (*kind, KindLayer { unit: base.clone(), variables: overlay(&variables, &[]) }))
        .collect();
    let Some(entry) = root.get("kinds") else { return layers };
    for entry in cx.named(entry) {
        let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == entry.key) else {
            let message = format!("there is no kind `{}`", entry.key);
            cx.unknown(entry.at, message, &entry.key, KINDS.iter().map(|(name, _)| *name));
            continue;
        };
        let Some(fields) = cx.fields(&entry.node, entry.at, &entry.key, &schema::KIND) else { continue };
        let unit = fields.get("unit").map(|entry| unit_layer(cx, entry, &schema::SECTIONS));
        let more = fields.get("variables").map(|entry| variable_rules(cx, entry));
        if let Some(layer) = layers.get_mut(kind) {
            layer.unit = layer.unit.overlaid(&unit.unwrap_or_default());
            layer.variables = overlay(&layer.variables, &more.unwrap_or_default());
        }
    }
    layers
}

/// First look at a service: name, kind, unit.
fn draft<'t, 'a>(
    cx: &mut Cx<'a>,
    fields: Fields<'t, 'a>,
    name: Arc<str>,
    kinds: &BTreeMap<Kind, KindLayer>,
) -> Draft<'t, 'a> {
    let at = cx.at(fields.at);
    let title = fields.opt(cx, "title", Cx::text).map(|title| title.value);
    let kind = fields.need(cx, "kind", "\"python\"", kind);
    let kind = kind.unwrap_or_else(|| Stated::new(Kind::Executable, at.clone()));
    let own = fields.get("unit").map(|entry| unit_layer(cx, entry, &schema::SECTIONS));
    let inherited = kinds.get(&kind.value).and_then(|layer| layer.unit.name.as_ref());
    let template = own.as_ref().and_then(|own| own.name.as_ref()).or(inherited);
    let text = template.map_or(UNIT_NAME, |stated| stated.value.as_str());
    // A name that holds itself stays unfilled, and is refused as the name of a unit.
    let words = ServiceWords { service: &name, unit: "{unit}", title: title.as_deref().unwrap_or(&name) };
    let unit = fill(text, &words).into_owned();
    let stated_at = template.map_or(at, |stated| stated.at.clone());
    if let Err((message, way_out)) = words::unit(&unit, Some("service")) {
        cx.error_at(&stated_at, message, way_out);
    }
    Draft { fields, name, title, kind, unit: Stated::new(unit, stated_at), own }
}

/// `kind = "python"`
fn kind<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<Kind>> {
    let text = cx.raw(node, key)?;
    let found = KINDS.iter().find(|(name, _)| *name == text);
    if found.is_none() {
        let message = format!("there is no kind {text:?}");
        cx.unknown(node.span, message, text, KINDS.iter().map(|(name, _)| *name));
    }
    found.map(|(_, kind)| Stated::new(*kind, cx.at(node.span)))
}

/// What a service is built from.
struct Around<'c> {
    contract: &'c Contract,
    kinds: &'c BTreeMap<Kind, KindLayer>,
    units: &'c HashMap<&'c str, &'c str>,
    /// Shared by the services that provision nothing of their own.
    nothing: Arc<ServiceProvision>,
}

/// How units are called where the contract says nothing.
const UNIT_NAME: &str = "{service}.service";

/// What stands for the name and the title in a service that is a pattern.
const NAME: &str = "<service>";
const TITLE: &str = "<title>";

/// What a service of a kind owes before it says anything of its own.
fn pattern(
    kind: Kind,
    layer: KindLayer,
    identity: &Identity,
    nothing: &Arc<ServiceProvision>,
    at: &Location,
) -> Service {
    let KindLayer { unit: layer, variables } = layer;
    let named = layer.name.as_ref().map_or(UNIT_NAME, |name| name.value.as_str());
    let words = ServiceWords { service: NAME, unit: "{unit}", title: TITLE };
    let unit = fill(named, &words).into_owned();
    let words = ServiceWords { unit: &unit, ..words };
    let settings = settings_of(&layer.settings, &words);
    let stem = unit.strip_suffix(".service").unwrap_or(&unit);
    let timer = (kind == Kind::TimerJob).then(|| Stated::new(format!("{stem}.timer"), at.clone()));
    Service {
        name: NAME.into(),
        title: Some(TITLE.to_owned()),
        kind: Stated::new(kind, at.clone()),
        unit: Stated::new(unit.clone(), at.clone()),
        timer,
        activation: None,
        succeeded_within: None,
        ports: None,
        user: filled(layer.user.as_ref().unwrap_or(&identity.user), &words),
        group: filled(layer.group.as_ref().unwrap_or(&identity.group), &words),
        group_stated: layer.group.is_some(),
        venv: None,
        command: None,
        provision: nothing.clone(),
        health: None,
        code: None,
        working_directory: working_directory(&settings),
        writes: Vec::new(),
        variables: variables_of(&variables, &words),
        after_units: Vec::new(),
        binds_to: Vec::new(),
        settings,
        env_files: env_files_of(layer.env_files.as_deref().unwrap_or_default(), &words),
        requires: Vec::new(),
        after: Vec::new(),
        at: at.clone(),
    }
}

impl Around<'_> {
    fn service<'a>(&self, cx: &mut Cx<'a>, draft: &Draft<'_, 'a>) -> Service {
        let fields = &draft.fields;
        let words = draft.words();
        let none = UnitLayer::default();
        let inherited = self.kinds.get(&draft.kind.value).map_or(&none, |layer| &layer.unit);
        let own = draft.own.as_ref();
        let requires = fields.list(cx, "requires", |cx, item, key| self.required(cx, item, key));
        let after = fields.list(cx, "after", |cx, item, key| self.earlier(cx, item, key));
        let env_files = self.env_files(cx, draft, inherited);
        let settings = self.settings(cx, draft, inherited);
        let account_of = |cx: &mut Cx<'a>, key, typed: fn(&UnitLayer) -> Option<&Stated<String>>, last| {
            let stated: &Stated<String> = match own.and_then(typed).or_else(|| typed(inherited)) {
                Some(typed) => typed,
                None => last,
            };
            fields.opt(cx, key, account).unwrap_or_else(|| filled(stated, &words))
        };
        let identity = &self.contract.identity;
        Service {
            name: draft.name.clone(),
            title: draft.title.clone(),
            kind: draft.kind.clone(),
            unit: draft.unit.clone(),
            timer: timer(cx, draft),
            activation: activation(cx, draft),
            succeeded_within: succeeded_within(cx, draft),
            ports: ports(cx, draft),
            user: account_of(cx, "user", |layer| layer.user.as_ref(), &identity.user),
            group: account_of(cx, "group", |layer| layer.group.as_ref(), &identity.group),
            group_stated: own.is_some_and(|own| own.group.is_some()) || inherited.group.is_some(),
            venv: self.venv(cx, draft),
            command: command(cx, draft, fields, "command"),
            health: health(cx, draft),
            code: fields.get("code").map(|_| fields.list(cx, "code", super::places::relative)),
            provision: provision(cx, draft, &self.nothing),
            working_directory: working_directory(&settings),
            writes: fields.list(cx, "writes", |cx, item, key| path_of(cx, item, key, &words)),
            variables: self.variables(cx, draft, &env_files),
            after_units: self.units_of(requires.iter().chain(&after)),
            binds_to: if draft.kind.value.runs() { self.units_of(requires.iter()) } else { Vec::new() },
            settings,
            env_files,
            requires,
            after,
            at: cx.at(fields.at),
        }
    }

    /// The name of a dependency.
    fn required<'a>(&self, cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<String>> {
        let named = cx.text(node, key)?;
        let known = &self.contract.dependencies;
        if !known.contains_key(named.value.as_str()) && !cx.partial {
            let message = format!("there is no dependency {:?}", named.value);
            cx.unknown(node.span, message, &named.value, known.keys().map(|name| name.as_ref()));
        }
        Some(named)
    }

    /// The name of a service, or of a dependency that is not required.
    fn earlier<'a>(&self, cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<String>> {
        let named = cx.text(node, key)?;
        let word = named.value.as_str();
        let dependencies = &self.contract.dependencies;
        match (self.units.contains_key(word), dependencies.contains_key(word)) {
            (true, true) => cx.error(
                node.span,
                format!("{word:?} is both a service and a dependency"),
                "give one of them another name",
            ),
            (false, false) if !cx.partial => {
                let message = format!("there is neither a service nor a dependency {word:?}");
                let known = self.units.keys().copied().chain(dependencies.keys().map(|name| name.as_ref()));
                cx.unknown(node.span, message, word, known);
            }
            _ => {}
        }
        Some(named)
    }

    /// The units behind names, each with the place of the name.
    fn units_of<'n>(&self, names: impl Iterator<Item = &'n Stated<String>>) -> Vec<Stated<String>> {
        let unit_of = |name: &str| match self.contract.dependencies.get(name) {
            Some(Dependency { unit, .. }) => unit.as_ref().map(|unit| unit.value.clone()),
            None => self.units.get(name).map(|unit| (*unit).to_owned()),
        };
        names.filter_map(|name| Some(Stated::new(unit_of(&name.value)?, name.at.clone()))).collect()
    }

    fn venv<'a>(&self, cx: &mut Cx<'a>, draft: &Draft<'_, 'a>) -> Option<Stated<String>> {
        let fields = &draft.fields;
        let Some(entry) = fields.get("venv") else {
            if draft.kind.value == Kind::Python {
                let message = format!("{} is a python service without a venv", draft.name);
                cx.missing(fields.at, message, "add `venv = \"…\"`, or make it `kind = \"executable\"`");
            }
            return None;
        };
        let named = cx.text(&entry.node, "venv")?;
        let known = &self.contract.venvs;
        let Some(venv) = known.get(named.value.as_str()) else {
            if !cx.partial {
                let message = format!("there is no venv {:?} in `[venvs]`", named.value);
                cx.unknown(entry.node.span, message, &named.value, known.keys().map(|name| name.as_ref()));
            }
            return None;
        };
        Some(Stated::new(venv.path.value.clone(), named.at))
    }

    fn env_files<'a>(
        &self,
        cx: &mut Cx<'a>,
        draft: &Draft<'_, 'a>,
        inherited: &UnitLayer,
    ) -> Vec<EnvFileDemand> {
        let words = draft.words();
        let own = draft.own.as_ref().and_then(|own| own.env_files.as_ref());
        let templates = match (draft.fields.get("env_files"), own.or(inherited.env_files.as_ref())) {
            (Some(_), _) => &draft.fields.list(cx, "env_files", |cx, item, _| env_file(cx, item)),
            (None, Some(templates)) => templates,
            (None, None) => return Vec::new(),
        };
        let files = env_files_of(templates, &words);
        let twice = |index: usize| files[..index].iter().any(|other| other.path == files[index].path);
        if let Some(index) = (1..files.len().min(64)).find(|index| twice(*index)) {
            let message = format!("{} is named twice by {}", files[index].path, draft.name);
            cx.error_at(&files[index].at, message, "name each env file once, in order");
        }
        files
    }

    /// Variables are demanded of services that have env files; others only owe what they say themselves.
    fn variables<'a>(
        &self,
        cx: &mut Cx<'a>,
        draft: &Draft<'_, 'a>,
        env_files: &[EnvFileDemand],
    ) -> Vec<Arc<VariableDemand>> {
        let own = draft.fields.get("variables").map(|entry| variable_rules(cx, entry)).unwrap_or_default();
        let inherited: &[Rule<VariableDemand>] = match self.kinds.get(&draft.kind.value) {
            Some(layer) if !env_files.is_empty() => &layer.variables,
            _ => &[],
        };
        match own.is_empty() {
            true => variables_of(inherited, &draft.words()),
            false => variables_of(&overlay(inherited, &own), &draft.words()),
        }
    }

    fn settings<'a>(
        &self,
        cx: &mut Cx<'a>,
        draft: &Draft<'_, 'a>,
        inherited: &UnitLayer,
    ) -> Vec<Arc<SettingDemand>> {
        let words = draft.words();
        let mut settings = match &draft.own {
            Some(own) if !own.settings.is_empty() => {
                settings_of(&overlay(&inherited.settings, &own.settings), &words)
            }
            _ => settings_of(&inherited.settings, &words),
        };
        let directory =
            draft.fields.opt(cx, "working_directory", |cx, node, key| path_of(cx, node, key, &words));
        if let Some(directory) = directory {
            settings.retain(|demand| !is_working_directory(demand));
            settings.push(Arc::new(SettingDemand {
                section: "Service".into(),
                key: "WorkingDirectory".into(),
                form: Form::Equals(directory.value),
                severity: Severity::Must,
                default_counts: false,
                since: None,
                at: directory.at,
            }));
        }
        settings
    }
}

/// Text with the words of a service filled in, where it stood.
fn filled(stated: &Stated<String>, words: &ServiceWords<'_>) -> Stated<String> {
    Stated::new(fill(&stated.value, words).into_owned(), stated.at.clone())
}

/// The env files of a service.
fn env_files_of(templates: &[EnvFileTemplate], words: &ServiceWords<'_>) -> Vec<EnvFileDemand> {
    let filled = |template: &EnvFileTemplate| {
        let mut demand = template.demand.clone();
        if template.per_service {
            demand.path = fill(&demand.path, words).into_owned();
        }
        demand
    };
    templates.iter().map(filled).collect()
}

fn is_working_directory(demand: &SettingDemand) -> bool {
    demand.section == "Service" && demand.key.as_ref() == "WorkingDirectory"
}

/// The working directory that the settings demand, where it is one.
fn working_directory(settings: &[Arc<SettingDemand>]) -> Option<Stated<String>> {
    let demand = settings.iter().find(|demand| is_working_directory(demand))?;
    match &demand.form {
        Form::Equals(path) => Some(Stated::new(path.clone(), demand.at.clone())),
        _ => None,
    }
}
