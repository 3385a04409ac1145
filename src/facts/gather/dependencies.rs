//! Servers by their protocols, databases read-only, and the files that configure them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Ground, Pad, Part, Worker, redis_start};
use crate::contract::{Contract, Dependency, DependencyKind, Service};
use crate::facts::{DependencyFacts, Need, environment};
use crate::model::Observed;
use crate::model::answers::{
    BESIDE_SQLITE, Caller, Listener, Protocol, RedisAnswer, RedisQuestion, ServerQuestion,
};
use crate::syntax::env_file;
use crate::system::System;

/// What CONFIG GET is asked for.
const PARAMETERS: &[&str] = &["appendonly", "bind", "protected-mode", "port"];

/// What each dependency's server answered, by the dependency's name.
pub(super) type Answers = BTreeMap<Arc<str>, Observed<RedisAnswer>>;

/// Asks the servers of the contract, which needs nothing that is known of a host already.
pub(super) fn ask(worker: &Worker<'_>) -> Answers {
    if !asks(worker) {
        return Answers::new();
    }
    let parameters = is_thorough(worker).then_some(PARAMETERS);
    let dependencies = worker.ground.contract.dependencies.values();
    let answers = dependencies.filter_map(|dependency| match &dependency.kind {
        DependencyKind::Redis { address, password, .. } => {
            let password = password.as_ref().map(|(file, key)| (&*file.value, &*key.value));
            Some((
                dependency.name.clone(),
                ask_redis(worker, dependency, &address.value, password, parameters),
            ))
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
            let written = match worker.needs(Need::ServerFiles) {
                true => redis_start::written(worker, dependency, &answer, pad),
                false => redis_start::not_read(&answer),
            };
            DependencyFacts::Redis {
                answer,
                listeners,
                sockets,
                config_file: written.file.into(),
                written: written.conf,
                refusals: written.refusals,
            }
        }
        DependencyKind::Sqlite { path, check_up_to, .. } => {
            let real = pad.look(worker, &path.value).real().unwrap_or(&path.value).to_owned();
            for beside in BESIDE_SQLITE {
                pad.look(worker, &format!("{real}{beside}"));
            }
            DependencyFacts::Sqlite(
                match (worker.needs(Need::Databases), super::content(pad.look(worker, &path.value))) {
                    (true, Observed::Found(real)) => worker.ground.system.sqlite(real, *check_up_to),
                    (true, Observed::Unreadable(why)) => Observed::Unreadable(why),
                    (true, Observed::Absent) | (false, _) => Observed::Absent,
                },
            )
        }
        DependencyKind::Server { address, protocol } => {
            let (unit, caller) = (unit_of(dependency), caller(worker, protocol));
            let question = ServerQuestion { address: &address.value, protocol, unit, caller };
            DependencyFacts::Server(match worker.ground.system.ask() {
                Some(ask) if asks(worker) => ask.server(&question).map(Some),
                _ => Observed::Absent,
            })
        }
        DependencyKind::Unit => DependencyFacts::Unit,
    }
}

/// The account that is called as the role is.
fn caller(worker: &Worker<'_>, protocol: &Protocol) -> Option<Caller> {
    let Protocol::Postgres { role: Some(role), .. } = protocol else { return None };
    let Observed::Found(accounts) = worker.ground.accounts else { return None };
    let user = accounts.user(role)?;
    Some(Caller { uid: user.uid, gid: user.gid, groups: accounts.group_ids_of(user) })
}

fn unit_of(dependency: &Dependency) -> Option<&str> {
    dependency.unit.as_ref().map(|unit| unit.value.as_str())
}

/// Whether more is asked than that it answers: who it is, and how it is set.
fn is_thorough(worker: &Worker<'_>) -> bool {
    worker.needs(Need::ServerFiles) || worker.needs(Need::Bus)
}

/// A server that the environment of a service names, with the key of a file that holds its password.
pub(super) struct Named<'c> {
    address: String,
    password: Option<(&'c str, &'c str)>,
    unit: Option<&'c str>,
    is_stated: bool,
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
        let is_asked = |found: &str| worker.needs(Need::Servers) && found == address.value;
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
                let is_stated = found == address.value;
                all.push(Named { address: found, password, unit: unit_of(dependency), is_stated });
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
    let answer = |Named { address, password, unit, is_stated }: Named<'_>| {
        let password = password.map(|(file, key)| secret(worker, file, key));
        let answer = match password.transpose() {
            Ok(password) => ask.redis(&RedisQuestion {
                address: &address,
                password: password.as_deref(),
                parameters: None,
                unit,
                is_stated,
            }),
            Err(why) => Observed::Unreadable(why),
        };
        (address.into(), answer)
    };
    named.into_iter().map(answer).collect()
}

/// What a configuration file says is of a running host second to what the server itself says.
fn asks(worker: &Worker<'_>) -> bool {
    worker.needs(Need::Servers) || worker.needs(Need::ServerFiles)
}

/// Asks the server of a dependency; `password` is a file and the key in it.
fn ask_redis(
    worker: &Worker<'_>,
    dependency: &Dependency,
    address: &str,
    password: Option<(&str, &str)>,
    parameters: Option<&'static [&'static str]>,
) -> Observed<RedisAnswer> {
    let Some(ask) = worker.ground.system.ask() else { return Observed::Absent };
    let password = match password.map(|(file, key)| secret(worker, file, key)).transpose() {
        Ok(password) => password,
        Err(why) => return Observed::Unreadable(why),
    };
    let (password, unit) = (password.as_deref(), unit_of(dependency));
    ask.redis(&RedisQuestion { address, password, parameters, unit, is_stated: true })
}

/// The password of a Redis of the contract, for who asks that server something else than an audit does.
pub fn redis_password(
    system: &dyn System,
    contract: &Contract,
    file: &str,
    key: &str,
) -> Result<String, String> {
    let accounts = Observed::Absent;
    let ground = Ground::bare(system, contract, &accounts);
    secret(&Worker::new(&ground), file, key)
}

/// The password stays here: it is not a fact.
pub(super) fn secret(worker: &Worker<'_>, file: &str, key: &str) -> Result<String, String> {
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
