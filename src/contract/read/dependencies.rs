//! Section E: what services rely on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::places::{account, path_value};
use super::{Cx, Fields, name};
use crate::contract::tree::{Entry, Node};
use crate::contract::words::Wrong;
use crate::contract::{Dependency, DependencyKind, schema, words};
use crate::model::Stated;
use crate::model::answers::Protocol;

/// Up to which size a database is read through, where the contract does not say: 256 MiB.
const CHECK_UP_TO: u64 = 256 << 20;

/// Statuses that count as an answer where the contract names none: whatever is no error (RFC 9110, section 15).
const ANSWERED: (u16, u16) = (200, 399);

/// `[dependencies]`
pub(super) fn dependencies<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>) -> BTreeMap<Arc<str>, Dependency> {
    let Some(entry) = root.get("dependencies") else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for entry in cx.named(entry) {
        let name = name(cx, entry);
        if let Some(dependency) = dependency(cx, entry, name.clone()) {
            found.insert(name, dependency);
        }
    }
    found
}

fn dependency<'a>(cx: &mut Cx<'a>, entry: &Entry<'a>, name: Arc<str>) -> Option<Dependency> {
    let fields = cx.fields(&entry.node, entry.at, &entry.key, &schema::DEPENDENCY)?;
    let kind_name = fields.need(cx, "kind", "\"redis\"", Cx::raw)?;
    let known = schema::DEPENDENCY_KINDS.iter().copied();
    if !known.clone().any(|kind| kind == kind_name) {
        let at = fields.get("kind").map_or(entry.at, |entry| entry.node.span);
        cx.unknown(at, format!("{kind_name:?} is not a kind of dependency"), kind_name, known);
        return None;
    }
    refuse_foreign_keys(cx, &fields, kind_name);
    let unit = fields.opt(cx, "unit", |cx, node, key| cx.word(node, key, |text| words::unit(text, None)));
    let kind = match kind_name {
        "redis" => redis(cx, &fields),
        "sqlite" => sqlite(cx, &fields),
        "unit" => {
            fields.need(cx, "unit", "\"app.service\"", |_, _, _| Some(()))?;
            Some(DependencyKind::Unit)
        }
        _ => server(cx, &fields, kind_name),
    };
    Some(Dependency { name, kind: kind?, unit, at: cx.at(entry.at) })
}

/// Refuses keys that only other kinds have.
fn refuse_foreign_keys<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>, kind: &str) {
    for (key, kinds) in schema::DEPENDENCY_KEYS {
        if let (Some(entry), false) = (fields.get(key), kinds.contains(&kind)) {
            let message = format!("`{key}` means nothing for a dependency of kind {kind}");
            cx.error(entry.at, message, format!("remove it; it belongs to kind {}", kinds.join(", ")));
        }
    }
}

fn redis<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Option<DependencyKind> {
    let address = tcp_address(cx, fields);
    let append_only = fields.opt(cx, "append_only", Cx::boolean);
    let loopback_only = fields.opt(cx, "loopback_only", Cx::boolean);
    let password = fields.opt(cx, "password", password);
    let named_by = fields.opt(cx, "named_by", named_by);
    let address = address?;
    if loopback_only.as_ref().is_some_and(|only| only.value) && !words::is_loopback(&address.value) {
        let message =
            format!("{} is not an address of this host, yet `loopback_only` is true", address.value);
        let span = fields.get("address").map_or(fields.at, |entry| entry.node.span);
        cx.error(span, message, "write \"127.0.0.1:…\", or `loopback_only = false`");
    }
    Some(DependencyKind::Redis { address, append_only, loopback_only, password, named_by })
}

/// What a word must look like.
type Check = fn(&str) -> Result<String, Wrong>;

/// A server that is asked what it is.
fn server<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>, kind: &str) -> Option<DependencyKind> {
    let (example, address): (_, Check) = match kind {
        "tcp" => ("\"127.0.0.1:8080\"", words::address),
        "unix" => ("\"/run/app/app.sock\"", words::socket),
        _ => ("\"127.0.0.1:5432\" or \"/run/postgresql/.s.PGSQL.5432\"", words::endpoint),
    };
    let address = fields.need(cx, "address", example, |cx, node, key| cx.word(node, key, address));
    let protocol = match kind {
        "http" => {
            let get = fields.opt(cx, "get", |cx, node, key| cx.word(node, key, words::target));
            let status = fields.opt(cx, "status", status);
            let statuses = status.map_or(ANSWERED, |status| (status, status));
            Protocol::Http { get: get.map_or_else(|| "/".to_owned(), |get| get.value), statuses }
        }
        "postgres" => {
            let role = fields.opt(cx, "role", Cx::text).map(|role| role.value);
            let database = fields.opt(cx, "database", Cx::text).map(|database| database.value);
            if let (Some(entry), None) = (fields.get("database"), &role) {
                cx.error(entry.at, "`database` needs a `role`", "name the role that uses the database");
            }
            Protocol::Postgres { role, database }
        }
        "mysql" => Protocol::Mysql,
        "rabbitmq" => Protocol::Amqp,
        "memcached" => Protocol::Memcached,
        _ => Protocol::Any,
    };
    Some(DependencyKind::Server { address: address?, protocol })
}

/// A status code of HTTP (RFC 9110, section 15).
fn status<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<u16> {
    let number = cx.count(node, key)?;
    let status = u16::try_from(number.value).ok().filter(|status| (100..=599).contains(status));
    if status.is_none() {
        cx.error(
            node.span,
            format!("{} is not a status of HTTP", number.value),
            "write a number from 100 to 599",
        );
    }
    status
}

/// `password = { file = "…", key = "…" }`
fn password<'a>(cx: &mut Cx<'a>, node: &Node<'a>, _: &str) -> Option<(Stated<String>, Stated<String>)> {
    let fields = cx.fields(node, node.span, "", &schema::PASSWORD)?;
    let file = fields.need(cx, "file", "\"/etc/app/secrets.env\"", path_value);
    let key =
        fields.need(cx, "key", "\"REDIS_PASSWORD\"", |cx, node, key| cx.word(node, key, words::variable));
    Some((file?, key?))
}

/// `named_by = { host = "…", port = "…" }`
fn named_by<'a>(cx: &mut Cx<'a>, node: &Node<'a>, _: &str) -> Option<(Stated<String>, Stated<String>)> {
    let fields = cx.fields(node, node.span, "", &schema::NAMED_BY)?;
    let mut variable =
        |key, example| fields.need(cx, key, example, |cx, node, key| cx.word(node, key, words::variable));
    let host = variable("host", "\"REDIS_HOST\"");
    let port = variable("port", "\"REDIS_PORT\"");
    Some((host?, port?))
}

fn sqlite<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Option<DependencyKind> {
    let path = fields.need(cx, "path", "\"{layout.data}/app.db\"", path_value);
    let owner = fields.opt(cx, "owner", account);
    let check_up_to = fields.opt(cx, "check_up_to", Cx::count).map_or(CHECK_UP_TO, |stated| stated.value);
    Some(DependencyKind::Sqlite { path: path?, owner, check_up_to })
}

fn tcp_address<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Option<Stated<String>> {
    fields.need(cx, "address", "\"127.0.0.1:8080\"", |cx, node, key| cx.word(node, key, words::address))
}
