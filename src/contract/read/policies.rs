//! Sections B, C and J, and the governed repository.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::places::{account, mode, path_value, place_named, relative};
use super::{Cx, Fields, unstated};
use crate::contract::{EnvPolicy, Identity, Place, RepositoryPolicy, RuntimePolicy, schema};
use crate::model::{Location, Stated};

/// Names of variables that hold secrets, where a contract does not say.
const SECRET_NAMES: [&str; 35] = [
    "*_SECRET",
    "*_TOKEN",
    "*_PASSWORD",
    "*_API_KEY",
    "*_PRIVATE_KEY",
    "*_CREDENTIALS",
    "SECRET_KEY",
    "*_SECRET_KEY",
    "SECRET_KEY_BASE",
    "*_ACCESS_KEY",
    "*_PASS",
    "*_PASSWD",
    "*_PASSPHRASE",
    "*DBPASS",
    "*DB_PASS",
    "PASSPHRASE",
    "PRIVATE_KEY",
    "CREDENTIALS",
    "*_PRIMARY_KEY",
    "*ENCRYPTION_KEY",
    "*SIGNING_KEY",
    "*MASTER_KEY",
    "*_AUTH_KEY",
    "*_ACCOUNT_KEY",
    "APP_KEY",
    "JWT_KEY",
    "*SENTRY_DSN",
    "SECRET",
    "TOKEN",
    "PASSWORD",
    "API_KEY",
    "*APIKEY",
    "PGPASSWORD",
    "MYSQL_PWD",
    "REDISCLI_AUTH",
];

/// Directories that a search for clones has no business in.
const CLONE_SKIP: [&str; 6] = ["node_modules", ".venv", "venv", "venvs", "containers", "docker"];

/// An identity that only errors know.
pub(super) fn nobody(at: &Location) -> Identity {
    Identity {
        user: unstated(String::new(), at),
        group: unstated(String::new(), at),
        forbidden_groups: unstated(Vec::new(), at),
        must_not_write: Vec::new(),
    }
}

/// `[identity]`. It comes before everything else, since placeholders name it.
pub(super) fn identity<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>) -> Identity {
    let mut identity = nobody(&cx.at(root.at));
    let Some(entry) = root.get("identity") else {
        cx.missing(
            root.at,
            "the contract has no `[identity]` table",
            "say who runs services: `[identity]`, `user = \"app\"`, `group = \"app\"`",
        );
        return identity;
    };
    let Some(fields) = cx.fields(&entry.node, entry.at, "", &schema::IDENTITY) else { return identity };
    if let Some(user) = fields.need(cx, "user", "\"app\"", account) {
        identity.user = user;
    }
    if let Some(group) = fields.need(cx, "group", "\"app\"", account) {
        identity.group = group;
    }
    cx.words.user = identity.user.value.clone();
    cx.words.group = identity.group.value.clone();
    identity.forbidden_groups = fields.texts(cx, "forbidden_groups");
    identity
}

/// The rest of `[identity]`, which may name the layout.
pub(super) fn must_not_write<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>) -> Vec<Stated<String>> {
    // Unknown keys of the table were said when it was read first, so it is opened without looking again.
    let Some(entry) = root.get("identity") else { return Vec::new() };
    let crate::contract::tree::Value::Table(table) = &entry.node.value else { return Vec::new() };
    let Some(paths) = table.get("must_not_write") else { return Vec::new() };
    let items = cx.items(&paths.node, "must_not_write");
    items.iter().filter_map(|item| path_value(cx, item, "must_not_write")).collect()
}

/// `[runtime]`
pub(super) fn runtime<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>) -> RuntimePolicy {
    let at = cx.at(root.at);
    let entry = root.get("runtime");
    let fields = entry.and_then(|entry| cx.fields(&entry.node, entry.at, "", &schema::RUNTIME));
    let Some(fields) = fields else {
        return RuntimePolicy {
            forbidden_programs: unstated(Vec::new(), &at),
            system_site_packages: unstated(false, &at),
            forbidden_shells: unstated(Vec::new(), &at),
        };
    };
    let at = cx.at(fields.at);
    RuntimePolicy {
        forbidden_programs: fields.texts(cx, "forbidden_programs"),
        system_site_packages: fields
            .opt(cx, "system_site_packages", Cx::boolean)
            .unwrap_or_else(|| unstated(false, &at)),
        forbidden_shells: fields.texts(cx, "forbidden_shells"),
    }
}

/// The policy of a contract without env files.
pub(super) fn no_env(at: &Location, group: Stated<String>) -> EnvPolicy {
    EnvPolicy {
        owner: unstated("root".to_owned(), at),
        group,
        mode: unstated(0o640, at),
        tolerated: Vec::new(),
        secret_names: unstated(SECRET_NAMES.iter().map(|name| (*name).to_owned()).collect(), at),
    }
}

/// `[env]` without its variables.
pub(super) fn env<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>, identity: &Identity) -> EnvPolicy {
    let entry = root.get("env");
    let fields = entry.and_then(|entry| cx.fields(&entry.node, entry.at, "", &schema::ENV));
    let at = cx.at(fields.map_or(root.at, |fields| fields.at));
    let mut env = no_env(&at, identity.group.clone());
    let Some(fields) = fields else { return env };
    cx.env_stated = true;
    if let Some(owner) = fields.need(cx, "owner", "\"root\"", account) {
        env.owner = owner;
    }
    if let Some(group) = fields.need(cx, "group", "\"{identity.group}\"", account) {
        env.group = group;
    }
    if let Some(mode) = fields.need(cx, "mode", "\"0640\"", mode) {
        env.mode = mode;
    }
    env.tolerated = fields.list(cx, "tolerated", mode);
    if fields.get("secret_names").is_some() {
        env.secret_names = fields.texts(cx, "secret_names");
    }
    env
}

/// `[repository]`
pub(super) fn repository<'a>(
    cx: &mut Cx<'a>,
    root: &Fields<'_, 'a>,
    layout: &BTreeMap<Arc<str>, Place>,
) -> Option<RepositoryPolicy> {
    let entry = root.get("repository")?;
    let fields = cx.fields(&entry.node, entry.at, "", &schema::REPOSITORY)?;
    let at = cx.at(fields.at);
    let named =
        fields.need(cx, "place", "\"repository\"", |cx, node, key| place_named(cx, node, key, layout));
    let place = named.and_then(|named| layout.get(named.value.as_str()));
    let clone_depth = fields.opt(cx, "clone_depth", Cx::count);
    let deepest = 16;
    if let Some(depth) = clone_depth.as_ref().filter(|depth| depth.value > deepest) {
        cx.error_at(&depth.at, format!("`clone_depth` is {}", depth.value), "sixteen levels are the most");
    }
    let remote = fields.opt(cx, "remote", Cx::text);
    let wrapper = fields.opt(cx, "wrapper", relative);
    let makefile = fields.opt(cx, "makefile", relative);
    let clone_roots = fields.list(cx, "clone_roots", path_value);
    let roots_at = fields.get("clone_roots").map_or_else(|| at.clone(), |entry| cx.at(entry.node.span));
    let skip = match fields.get("clone_skip") {
        Some(_) => fields.texts(cx, "clone_skip"),
        None => unstated(CLONE_SKIP.iter().map(|name| (*name).to_owned()).collect(), &at),
    };
    let must_not_hold = fields.list(cx, "must_not_hold", Cx::text);
    let place = place?;
    Some(RepositoryPolicy {
        place: place.name.clone(),
        path: place.path.clone(),
        remote,
        wrapper,
        makefile,
        clone_roots: Stated::new(clone_roots.into_iter().map(|root| root.value).collect(), roots_at),
        clone_depth: clone_depth
            .map_or_else(|| unstated(4, &at), |depth| Stated::new(depth.value.min(deepest) as u32, depth.at)),
        clone_skip: skip,
        must_not_hold,
    })
}
