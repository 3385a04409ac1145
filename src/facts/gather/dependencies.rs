//! Redis by its protocol, databases read-only, ports by a connection, and the files that configure them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Pad, Part, Worker};
use crate::contract::{Dependency, DependencyKind, Service};
use crate::facts::{DependencyFacts, Need, environment};
use crate::model::Observed;
use crate::model::answers::{Listener, RedisAnswer, RedisQuestion};
use crate::syntax::env_file;
use crate::syntax::redis_conf::{self, RedisConf};

/// What CONFIG GET is asked for.
const PARAMETERS: &[&str] = &["appendonly", "bind", "protected-mode", "port"];

/// Where Debian and most others keep it, when Redis itself does not say.
const USUAL_CONFIG: &str = "/etc/redis/redis.conf";

/// What each dependency's server answered, by the dependency's name.
pub(super) type Answers = BTreeMap<Arc<str>, Observed<RedisAnswer>>;

/// Asks the servers of the contract, which needs nothing that is known of a host already.
pub(super) fn ask(worker: &Worker<'_>) -> Answers {
    let dependencies = worker.ground.contract.dependencies.values();
    let answers = dependencies.filter_map(|dependency| match &dependency.kind {
        DependencyKind::Redis { address, password, .. } => {
            let password = password.as_ref().map(|(file, key)| (&*file.value, &*key.value));
            Some((dependency.name.clone(), ask_redis(worker, &address.value, password)))
        }
        _ => None,
    });
    answers.collect()
}

/// Looks at every dependency.
pub(super) fn gather(
    worker: &Worker<'_>,
    mut answers: Answers,
    pad: &mut Pad,
) -> BTreeMap<Arc<str>, DependencyFacts> {
    let wanted = [Need::Servers, Need::ServerFiles, Need::Databases].iter().any(|need| worker.needs(*need));
    if !wanted {
        return BTreeMap::new();
    }
    let dependencies = worker.ground.contract.dependencies.values();
    let looked = dependencies.map(|dependency| {
        let answer = answers.remove(&dependency.name).unwrap_or(Observed::Absent);
        (dependency.name.clone(), look(worker, dependency, answer, pad))
    });
    looked.collect()
}

fn look(
    worker: &Worker<'_>,
    dependency: &Dependency,
    answer: Observed<RedisAnswer>,
    pad: &mut Pad,
) -> DependencyFacts {
    match &dependency.kind {
        DependencyKind::Redis { address, .. } => {
            let (listeners, sockets) = port(worker, dependency, &address.value, pad);
            let config_file = config_file(&answer);
            let written = match worker.needs(Need::ServerFiles) {
                true => read_config(worker, &config_file, 0),
                false => Observed::Absent,
            };
            DependencyFacts::Redis { answer, listeners, sockets, config_file: config_file.into(), written }
        }
        DependencyKind::Sqlite { path, check_up_to, .. } => DependencyFacts::Sqlite(
            match (worker.needs(Need::Databases), pad.look(worker, &path.value).real().map(str::to_owned)) {
                (true, Some(real)) => worker.ground.system.sqlite(&real, *check_up_to),
                (true, None) => worker.read(&pad.paths[path.value.as_str()]).and_then(|_| Observed::Absent),
                (false, _) => Observed::Absent,
            },
        ),
        DependencyKind::Tcp { address } => DependencyFacts::Tcp(match worker.ground.system.ask() {
            Some(ask) if asks(worker) => ask.tcp(&address.value),
            _ => Observed::Absent,
        }),
        DependencyKind::Unit => DependencyFacts::Unit,
    }
}

/// Whether more is asked than that it answers: who it is, and how it is set.
fn is_thorough(worker: &Worker<'_>) -> bool {
    worker.needs(Need::ServerFiles) || worker.needs(Need::Bus)
}

/// A server that the environment of a service names, with the key of a file that holds its password.
pub(super) struct Named<'c> {
    address: String,
    password: Option<(&'c str, &'c str)>,
}

/// The servers that the environments of services name, but for those that are asked as the contract's own.
pub(super) fn named<'c>(worker: &Worker<'c>, parts: &[Part<'c>]) -> Vec<Named<'c>> {
    let mut all: Vec<Named<'c>> = Vec::new();
    if !worker.needs(Need::NamedServers) {
        return all;
    }
    for dependency in worker.ground.contract.dependencies.values() {
        let DependencyKind::Redis { address, password, named_by: Some((host, port)), .. } = &dependency.kind
        else {
            continue;
        };
        let is_asked = |found: &str| asks(worker) && found == address.value;
        let requires =
            |service: &Service| service.requires.iter().any(|name| *name.value == *dependency.name);
        let services = parts.iter().flat_map(|part| part.services.iter().map(|service| (service, &part.pad)));
        for (service, pad) in services.filter(|(service, _)| requires(service)) {
            let unit = pad.units.get(service.unit.value.as_str()).map(|unit| &unit.effective);
            let Some(Observed::Found(unit)) = unit else { continue };
            let found = environment::named_address(&pad.env_files, unit, (&host.value, &port.value));
            let Ok(Some((found, _))) = found else { continue };
            if !is_asked(&found) && all.iter().all(|named| named.address != found) {
                let password = password.as_ref().map(|(file, key)| (&*file.value, &*key.value));
                all.push(Named { address: found, password });
            }
        }
    }
    all
}

/// Asks them.
pub(super) fn ask_named(
    worker: &Worker<'_>,
    named: Vec<Named<'_>>,
) -> BTreeMap<Arc<str>, Observed<RedisAnswer>> {
    let Some(ask) = worker.ground.system.ask() else { return BTreeMap::new() };
    let answer = |Named { address, password }: Named<'_>| {
        let password = password.map(|(file, key)| secret(worker, file, key));
        let answer = match password.transpose() {
            Ok(password) => ask.redis(&RedisQuestion {
                address: &address,
                password: password.as_deref(),
                parameters: None,
            }),
            Err(why) => Observed::Unreadable(why),
        };
        (address.into(), answer)
    };
    named.into_iter().map(answer).collect()
}

/// What a configuration file says is of a running host second to what the server itself says.
pub(super) fn asks(worker: &Worker<'_>) -> bool {
    worker.needs(Need::Servers) || worker.needs(Need::ServerFiles)
}

fn ask_redis(worker: &Worker<'_>, address: &str, password: Option<(&str, &str)>) -> Observed<RedisAnswer> {
    let Some(ask) = worker.ground.system.ask().filter(|_| asks(worker)) else {
        return Observed::Absent;
    };
    let password = match password.map(|(file, key)| secret(worker, file, key)) {
        None => None,
        Some(Ok(password)) => Some(password),
        Some(Err(why)) => return Observed::Unreadable(why),
    };
    let parameters = is_thorough(worker).then_some(PARAMETERS);
    ask.redis(&RedisQuestion { address, password: password.as_deref(), parameters })
}

/// The password stays here: it is not a fact.
fn secret(worker: &Worker<'_>, file: &str, key: &str) -> Result<String, String> {
    match worker.read(&worker.walker.lookup(file)) {
        Observed::Found(bytes) => {
            let content = env_file::parse(&bytes, worker.ground.version.0);
            let value = content.get(key).map(|variable| variable.value.clone());
            value.ok_or_else(|| format!("{file} has no {key}, which holds the password of Redis"))
        }
        Observed::Absent => Err(format!("{file}, which holds the password of Redis, does not exist")),
        Observed::Unreadable(why) => Err(format!("{file}, which holds the password of Redis: {why}")),
    }
}

/// Who listens on the port, and the sockets of the process that should.
fn port(
    worker: &Worker<'_>,
    dependency: &Dependency,
    address: &str,
    pad: &Pad,
) -> (Observed<Vec<Listener>>, Observed<Vec<u64>>) {
    let Some(ask) = worker.ground.system.ask().filter(|_| is_thorough(worker)) else {
        return (Observed::Absent, Observed::Absent);
    };
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let listeners = match port {
        Some(port) => ask.listeners(port),
        None => Observed::Unreadable(format!("{address} has no port")),
    };
    let main = dependency.unit.as_ref().and_then(|unit| pad.units.get(unit.value.as_str()));
    let sockets = match main.map(|unit| &unit.state) {
        Some(Observed::Found(state)) if state.main_pid > 0 => ask.sockets(state.main_pid),
        Some(Observed::Unreadable(why)) => Observed::Unreadable(why.clone()),
        _ => Observed::Absent,
    };
    (listeners, sockets)
}

/// redis.conf, from where the server says it is.
fn config_file(answer: &Observed<RedisAnswer>) -> String {
    match answer {
        Observed::Found(RedisAnswer { config_file: Observed::Found(path), .. }) if !path.is_empty() => {
            path.clone()
        }
        _ => USUAL_CONFIG.to_owned(),
    }
}

/// Redis itself stops at this many nested includes.
const DEEPEST: u32 = 16;

fn read_config(worker: &Worker<'_>, path: &str, depth: u32) -> Observed<RedisConf> {
    let mut conf = match worker.read(&worker.walker.lookup(path)) {
        Observed::Found(bytes) => redis_conf::parse(&bytes),
        Observed::Absent => return Observed::Absent,
        Observed::Unreadable(why) => return Observed::Unreadable(format!("{path}: {why}")),
    };
    let includes: Vec<(usize, String)> = conf
        .includes()
        .filter_map(|(at, directive)| Some((at, directive.arguments.first()?.clone())))
        .collect();
    // From the last to the first, so that positions before it stay true.
    for (at, include) in includes.into_iter().rev() {
        if depth == DEEPEST {
            return Observed::Unreadable(format!("{path}: includes are nested too deeply"));
        }
        match read_config(worker, &include, depth + 1) {
            Observed::Found(included) => conf.splice(at, &include, included),
            Observed::Absent => {}
            Observed::Unreadable(why) => return Observed::Unreadable(why),
        }
    }
    Observed::Found(conf)
}
