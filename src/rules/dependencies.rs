//! What the rules about dependencies share.

use std::net::IpAddr;
use std::sync::Arc;

use super::prelude::*;
use crate::facts::DependencyFacts;
use crate::model::answers::{Listener, RedisAnswer};
use crate::syntax::redis_conf::{Directive, RedisConf, Refusal};
use crate::systemd::command_line;

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
    /// What its next start fails at.
    pub refusals: &'a [Refusal],
}

/// The dependency as a Redis; `None` when it is something else.
pub fn redis<'a>(view: &DependencyView<'a>, need: Need) -> Result<Option<RedisView<'a>>, Undecided> {
    let DependencyKind::Redis { address, append_only, loopback_only, .. } = &view.dependency.kind else {
        return Ok(None);
    };
    match view.dependency(need, &view.dependency.name)? {
        DependencyFacts::Redis { answer, listeners, sockets, config_file, written, refusals } => {
            Ok(Some(RedisView {
                address,
                append_only: append_only.as_ref(),
                loopback_only: loopback_only.as_ref(),
                answer,
                listeners,
                sockets,
                config_file,
                written,
                refusals,
            }))
        }
        _ => Err(Undecided::new(format!("the facts about {} are of another kind", view.dependency.name))),
    }
}

/// Said of every dependency that is no Redis.
pub fn no_redis() -> Outcome {
    Outcome::not_applicable("it is not a Redis server")
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

/// The change that gives a directive its value in the file from which the dependency's unit starts Redis; otherwise why
/// a person must do it. The server itself names its file, but anything can answer on its port: only a file of /etc that
/// the unit hands to Redis is changed.
pub fn directive(
    view: &DependencyView,
    redis: &RedisView,
    name: &str,
    value: &str,
) -> Result<Change, Remedy> {
    let path = place_of(redis, name).path().to_string();
    let by_hand = |why: String| {
        let question = format!("set {name} {value} in the configuration of Redis: {why}");
        Err(Remedy::decide(question).candidate("", format!("editor {}", quoted(&path))))
    };
    let Observed::Found(_) = redis.written else {
        return by_hand(format!("{} could not be read", redis.config_file));
    };
    let Some(unit) = &view.dependency.unit else {
        return by_hand("the contract names no unit for it".to_owned());
    };
    if !path.starts_with("/etc/") || path.contains("/../") {
        return by_hand(format!("{path} does not lie below /etc"));
    }
    let words = match view.effective(&unit.value) {
        Ok(effective) => words_of(effective),
        Err(why) => return by_hand(why.why),
    };
    if !words.iter().any(|word| *word == *redis.config_file.as_ref()) {
        return by_hand(format!("{} does not start with {}", unit.value, redis.config_file));
    }
    // An option on the command line counts for more than the file.
    if words
        .iter()
        .any(|word| word.strip_prefix("--").is_some_and(|option| option.eq_ignore_ascii_case(name)))
    {
        return by_hand(format!("ExecStart= of {} sets it, and that counts", unit.value));
    }
    Ok(Change::Directive { path, name: name.to_owned(), value: value.to_owned() })
}

/// The words of what a unit starts.
fn words_of(unit: &EffectiveUnit) -> Vec<String> {
    let commands = unit
        .assignments("Service", "ExecStart")
        .flat_map(|setting| command_line::parse(setting.value()).commands);
    commands.flat_map(|command| command.words).collect()
}

/// The change that restarts a Redis; otherwise why a person must do it. A server whose append-only file is switched
/// on in its file alone starts with an empty data set (redis.io, Persistence), so both must say the same.
pub fn restart(view: &DependencyView, redis: &RedisView) -> Result<Change, Remedy> {
    let unit = unit_name(view);
    let by_hand = |why: &str| {
        Err(Remedy::decide(format!("restart {unit} when it is safe: {why}"))
            .candidate("see what it says", format!("{} config get appendonly", redis_cli(view.dependency)))
            .candidate("", format!("systemctl restart {}", quoted(unit))))
    };
    if unit.is_empty() {
        return Err(Remedy::decide("restart Redis: the contract names no unit for it"));
    }
    let running = match redis.answer {
        // No server runs, so that no data is in memory alone.
        Observed::Absent => None,
        Observed::Found(answer) => match answer.config.as_ref() {
            Observed::Found(config) if config.contains_key("appendonly") => config.get("appendonly").cloned(),
            _ => return by_hand("it does not say whether it keeps an append-only file"),
        },
        Observed::Unreadable(_) => return by_hand("it does not answer"),
    };
    let written = match redis.written {
        Observed::Found(conf) if conf.appendonly() == Some(true) => "yes",
        Observed::Found(_) | Observed::Absent => "no",
        Observed::Unreadable(_) => return by_hand("its file could not be read"),
    };
    match running {
        Some(running) if running != written => {
            by_hand(&format!("it runs with appendonly {running}, and its file says {written}"))
        }
        _ => Ok(Change::Unit { verb: Verb::Restart, unit: unit.to_owned() }),
    }
}

/// redis-cli as a person calls it for this server.
pub fn redis_cli(dependency: &Dependency) -> String {
    let (address, has_password) = match &dependency.kind {
        DependencyKind::Redis { address, password, .. } => (address.value.as_str(), password.is_some()),
        _ => ("", false),
    };
    let words = crate::model::change::redis_cli(address);
    let ask = if has_password { " --askpass" } else { "" };
    let words: Vec<String> = words.into_iter().map(quoted).collect();
    format!("{}{ask}", words.join(" "))
}
