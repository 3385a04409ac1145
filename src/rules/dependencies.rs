//! What the rules about dependencies share.

use std::net::IpAddr;
use std::sync::Arc;

use super::prelude::*;
use crate::facts::DependencyFacts;
use crate::model::answers::{Listener, RedisAnswer};
use crate::syntax::redis_conf::{Directive, RedisConf};

/// A Redis of the contract with what was observed of it.
pub struct RedisView<'a> {
    /// `host:port` of the contract.
    pub address: &'a Stated<String>,
    /// The contract's word on the append-only file.
    pub append_only: Option<&'a Stated<bool>>,
    /// The contract's word on where it may listen.
    pub loopback_only: Option<&'a Stated<bool>>,
    /// What it answered.
    pub answer: &'a Observed<RedisAnswer>,
    /// Who listens on its port.
    pub listeners: &'a Observed<Vec<Listener>>,
    /// The sockets of its unit's main process.
    pub sockets: &'a Observed<Vec<u64>>,
    /// Its configuration file.
    pub config_file: &'a Arc<str>,
    /// What stands in that file.
    pub written: &'a Observed<RedisConf>,
}

/// The dependency as a Redis; `None` when it is something else.
pub fn redis<'a>(view: &DependencyView<'a>, need: Need) -> Result<Option<RedisView<'a>>, Undecided> {
    let DependencyKind::Redis { address, append_only, loopback_only, .. } = &view.dependency.kind else {
        return Ok(None);
    };
    match view.dependency(need, &view.dependency.name)? {
        DependencyFacts::Redis { answer, listeners, sockets, config_file, written } => Ok(Some(RedisView {
            address,
            append_only: append_only.as_ref(),
            loopback_only: loopback_only.as_ref(),
            answer,
            listeners,
            sockets,
            config_file,
            written,
        })),
        _ => Err(Undecided::new(format!("the facts about {} are of another kind", view.dependency.name))),
    }
}

/// Said of every dependency that is no Redis.
pub fn no_redis() -> Outcome {
    Outcome::not_applicable("it is no Redis")
}

/// Whether an address can be reached from this host alone.
pub fn is_loopback(address: &str) -> bool {
    let bare = address.trim_start_matches('-').trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) => v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()),
        Ok(IpAddr::V4(v4)) => v4.is_loopback(),
        Err(_) => bare == "localhost",
    }
}

/// The unit of a dependency, for the commands that mend it.
pub fn unit_name<'a>(view: &DependencyView<'a>) -> &'a str {
    view.dependency.unit.as_ref().map_or("", |unit| unit.value.as_str())
}

/// Where a directive stands that counts, or its file.
pub fn place_of(redis: &RedisView, name: &str) -> Location {
    let directive = redis.written.known().ok().flatten().and_then(|conf| conf.last(name).cloned());
    match directive {
        Some(Directive { line, included_from: Some(path), .. }) => Location::line(&*path, line),
        Some(Directive { line, .. }) => Location::line(redis.config_file.clone(), line),
        None => Location::file(redis.config_file.clone()),
    }
}

/// The command that gives a directive of redis.conf a value, and lets the server take it up.
pub fn mend_directive(view: &DependencyView, redis: &RedisView, name: &str, value: &str) -> String {
    let file = quoted(&place_of(redis, name).path);
    let edit = match redis.written.as_ref() {
        Observed::Found(conf) if conf.last(name).is_some() => {
            format!(r"sed -i -E 's/^[[:blank:]]*{name}[[:blank:]].*/{name} {value}/I' {file}")
        }
        _ => format!(r"printf '%s\n' '{name} {value}' >> {file}"),
    };
    format!("{edit} && systemctl restart {}", quoted(unit_name(view)))
}
