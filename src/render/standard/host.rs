//! Sections A, B, C, E and J: places, venvs, env files and variables, dependencies, accounts.

use std::collections::BTreeMap;

use super::layers::{Layers, layers};
use crate::contract::secrets::is_hidden;
use crate::contract::{
    Content, Contract, Dependency, DependencyKind, Place, Service, VariableDemand, VariableForm,
};
use crate::model::answers::Protocol;
use crate::model::{Severity, Stated};
use crate::render::markdown::{Page, code, codes};
use crate::render::{example, rendered, words};

fn texts(all: &[Stated<String>]) -> String {
    codes(all.iter().map(|one| one.value.as_str()))
}

fn names<'s>(services: impl IntoIterator<Item = &'s Service>) -> String {
    codes(services.into_iter().map(|service| service.name.as_ref()))
}

/// Section A.
pub(super) fn layout(page: &mut Page, contract: &Contract) {
    if contract.layout.is_empty() {
        page.say("The contract names no places.");
    }
    let rows: Vec<[String; 6]> = contract.layout.values().map(|place| self::place(contract, place)).collect();
    page.table(["Place", "Path", "Owner", "Mode at most", "Holds", "Further"], &rows);
    match &contract.repository {
        None => page.say("The contract governs no repository."),
        Some(policy) => {
            let remote = policy
                .remote
                .as_ref()
                .map_or_else(String::new, |remote| format!(" of {}", code(&remote.value)));
            let branch = contract.provision.branch.as_ref();
            let branch = branch
                .map_or_else(String::new, |branch| format!(", made of the branch {}", code(&branch.value)));
            page.say(&format!(
                "The one working copy{remote} is {}, the top level of a git work tree{branch}.{}{}",
                code(&policy.path.value),
                match policy.must_not_hold.is_empty() {
                    true => String::new(),
                    false => format!(" Nothing in it is called {}.", texts(&policy.must_not_hold)),
                },
                match policy.clone_roots.value.is_empty() {
                    true => String::new(),
                    false => format!(
                        " There is no second clone, which is looked for below {}, {} deep{}.",
                        codes(policy.clone_roots.value.iter().map(String::as_str)),
                        match policy.clone_depth.value {
                            1 => "one directory".to_owned(),
                            depth => format!("{depth} directories"),
                        },
                        match policy.clone_skip.value.is_empty() {
                            true => String::new(),
                            false => format!(
                                ", not in {}",
                                codes(policy.clone_skip.value.iter().map(String::as_str))
                            ),
                        }
                    ),
                },
            ));
        }
    }
}

fn place(contract: &Contract, place: &Place) -> [String; 6] {
    let owner = match (&place.owner, &place.group) {
        (Some(owner), Some(group)) => code(&format!("{}:{}", owner.value, group.value)),
        (Some(owner), None) => code(&owner.value),
        (None, Some(group)) => format!("group {}", code(&group.value)),
        (None, None) => String::new(),
    };
    let mut further = Vec::new();
    if contract.model_place().is_some_and(|models| models.name == place.name) {
        further.push("the models of section F".to_owned());
    }
    if place.no_links.is_some() {
        further.push("no part of the path is a link".to_owned());
    }
    if place.outside_repository.is_some() {
        further.push("outside the repository".to_owned());
    }
    if !place.not_under.is_empty() {
        further.push(format!("not below {}", texts(&place.not_under)));
    }
    if !place.not_on.is_empty() {
        further.push(format!("not on {}", texts(&place.not_on)));
    }
    if !place.required {
        further.push("may be missing".to_owned());
    }
    if place.is_file() {
        further.push(match &place.content {
            None => "a file".to_owned(),
            Some(Content::Text(_)) => "a file with the contract's text".to_owned(),
            Some(Content::Keys(keys)) => format!("a file that sets {}", texts(keys)),
        });
    }
    if place.mounted.is_some() {
        further.push("a mount point".to_owned());
    }
    if place.severity == Severity::Should {
        further.push("should".to_owned());
    }
    [
        place.name.to_string(),
        code(&place.path.value),
        owner,
        place.mode.as_ref().map_or_else(String::new, |mode| words::mode(mode.value)),
        texts(&place.holds),
        further.join("; "),
    ]
}

/// Section B.
pub(super) fn runtime(page: &mut Page, contract: &Contract) {
    let rows: Vec<[String; 4]> = contract
        .venvs
        .values()
        .map(|venv| {
            let of =
                |service: &&Service| service.venv.as_ref().is_some_and(|own| own.value == venv.path.value);
            let requirements = contract.provision.requirements.get(&venv.name);
            [
                code(&venv.name),
                code(&venv.path.value),
                names(contract.services.iter().filter(of)),
                requirements.map_or_else(String::new, |file| code(&file.value)),
            ]
        })
        .collect();
    let runtime = &contract.runtime;
    if rows.is_empty() {
        page.say("No service of this contract has a venv.");
    } else {
        page.table(["Venv", "Directory", "Services", "Locked requirements"], &rows);
        let sees = if runtime.system_site_packages.value { "true" } else { "false" };
        page.say(&format!(
            "Each is a directory of its own, made with {}, with {} in its `pyvenv.cfg`. The service and its jobs run in this venv.",
            code(&contract.provision.interpreter.value),
            code(&format!("include-system-site-packages = {sees}")),
        ));
    }
    let list = |all: &[String]| codes(all.iter().map(String::as_str));
    if !runtime.forbidden_programs.value.is_empty() {
        page.say(&format!(
            "No unit, job, recipe or ops script calls {}.",
            list(&runtime.forbidden_programs.value)
        ));
    }
    if !runtime.forbidden_shells.value.is_empty() {
        page.say(&format!("No unit runs text through {}.", list(&runtime.forbidden_shells.value)));
    }
}

/// Section C.
pub(super) fn environment(page: &mut Page, contract: &Contract) {
    env_files(page, contract);
    let Layers { common, kinds, services } = layers::<VariableDemand>(contract);
    if common.is_empty() && kinds.is_empty() && services.is_empty() {
        page.say("No variable is demanded.");
    }
    let pattern = contract.patterns.get(&example::usual_kind(contract));
    let row = |whose: String, demand: &VariableDemand, of: Option<&Service>| {
        let choice = match demand.form {
            VariableForm::Equals(_) | VariableForm::Absent => None,
            _ => of.and_then(|of| contract.provision.variable(of, &demand.name)),
        };
        let choice = choice.filter(|value| !is_hidden(contract, "", &demand.name, value));
        [
            whose,
            code(&demand.name),
            words::variable(contract, &demand.name, &demand.form),
            words::level(demand.severity).to_owned(),
            choice.map_or_else(String::new, |value| code(&value)),
        ]
    };
    let all = common.iter().map(|demand| row(String::new(), demand, pattern));
    let of_kinds = kinds.iter().map(|(demand, kinds)| {
        let whose = codes(kinds.iter().map(|kind| kind.word()));
        row(format!("kind {whose}"), demand, kinds.first().and_then(|kind| contract.patterns.get(kind)))
    });
    let of_services =
        services.iter().map(|(service, demand)| row(code(&service.name), demand, Some(service)));
    let rows: Vec<[String; 5]> = all.chain(of_kinds).collect();
    if !rows.is_empty() {
        page.say("The environment of every service with env files:");
        page.table(["Of", "Variable", "Demanded", "Level", "golden writes"], &rows);
    }
    let rows: Vec<[String; 5]> = of_services.collect();
    if !rows.is_empty() {
        page.say("Single services; each demand replaces the one above for the same variable:");
        page.table(["Service", "Variable", "Demanded", "Level", "golden writes"], &rows);
    }
    written_beside(page, contract);
}

fn env_files(page: &mut Page, contract: &Contract) {
    let policy = &contract.env;
    let mut files: BTreeMap<&str, (Vec<&Service>, [String; 3])> = BTreeMap::new();
    for service in &contract.services {
        for file in &service.env_files {
            let owner = file.owner.as_ref().unwrap_or(&policy.owner.value);
            let group = file.group.as_ref().unwrap_or(&policy.group.value);
            let further = [
                code(&format!("{owner}:{group}")),
                words::mode(file.mode.unwrap_or(policy.mode.value)),
                match (file.secret, file.optional) {
                    (true, true) => "may hold secrets, may be absent".to_owned(),
                    (true, false) => "may hold secrets".to_owned(),
                    (false, true) => "may be absent".to_owned(),
                    (false, false) => String::new(),
                },
            ];
            files.entry(&file.path).or_insert_with(|| (Vec::new(), further)).0.push(service);
        }
    }
    if files.is_empty() {
        return page.say("No service of this contract has an env file.");
    }
    let rows: Vec<[String; 5]> = files
        .into_iter()
        .map(|(path, (services, [owner, mode, secrets]))| [code(path), names(services), owner, mode, secrets])
        .collect();
    page.table(["Env file", "Read by", "Owner", "Mode at most", "Secrets"], &rows);
    let tolerated: Vec<String> = policy.tolerated.iter().map(|mode| words::mode(mode.value)).collect();
    let tolerated = match tolerated.is_empty() {
        true => String::new(),
        false => format!(" {} passes where nothing in the file is secret.", tolerated.join(", ")),
    };
    let optional =
        match contract.services.iter().flat_map(|service| &service.env_files).any(|file| file.optional) {
            true => "",
            false => " None is optional.",
        };
    page.say(&format!(
        "An env file is a regular file outside the repository. systemd reads it, never a shell.{optional}{tolerated} Secrets are variables called {}, and values in the shape of a known token; they belong only in files that are declared to hold them.",
        codes(policy.secret_names.value.iter().map(String::as_str))
    ));
}

/// Variables that golden writes although nothing demands them.
fn written_beside(page: &mut Page, contract: &Contract) {
    let mut beside: Vec<[String; 3]> = Vec::new();
    for service in rendered(contract).filter(|service| !service.env_files.is_empty()) {
        for name in contract.provision.variables(service) {
            let is_demanded = service.variables.iter().any(|demand| demand.name == *name);
            if let (false, Some(value)) = (is_demanded, contract.provision.variable(service, name)) {
                beside.push([code(&service.name), code(name), code(&value)]);
            }
        }
    }
    if !beside.is_empty() {
        page.say("Written by golden, but not demanded:");
        page.table(["Service", "Variable", "golden writes"], &beside);
    }
}

/// Section E.
pub(super) fn dependencies(page: &mut Page, contract: &Contract) {
    if contract.dependencies.is_empty() {
        return page.say("The services of this contract have no declared dependencies. These rules apply as soon as they have one.");
    }
    let rows: Vec<[String; 6]> = contract
        .dependencies
        .values()
        .map(|dependency| {
            let (kind, at, demanded) = dependency_words(dependency);
            let requires =
                |service: &&Service| service.requires.iter().any(|one| one.value == *dependency.name);
            [
                code(&dependency.name),
                kind.to_owned(),
                dependency.unit.as_ref().map_or_else(String::new, |unit| code(&unit.value)),
                at,
                demanded,
                names(contract.services.iter().filter(requires)),
            ]
        })
        .collect();
    page.table(["Dependency", "Kind", "Unit", "Where", "Demanded", "Required by"], &rows);
    page.say("Every unit that is named is installed, enabled and active, and every server answers.");
    if contract.services.iter().any(|service| service.kind.value.runs() && !service.requires.is_empty()) {
        page.say(&format!(
            "Before each start, {} in its unit checks what a service requires. A check that fails or is undecided stops the start.",
            code(&format!(
                "ExecStartPre={} --quiet --contract {} run --preflight-only <service>",
                contract.provision.golden.value,
                crate::render::named(contract)
            ))
        ));
    }
}

fn dependency_words(dependency: &Dependency) -> (&'static str, String, String) {
    match &dependency.kind {
        DependencyKind::Redis { address, append_only, loopback_only, password, named_by } => {
            let is = |stated: &Option<Stated<bool>>| stated.as_ref().is_some_and(|stated| stated.value);
            let mut demanded = vec![match &dependency.unit {
                Some(unit) => format!("the process of {} listens there", code(&unit.value)),
                None => "it listens there".to_owned(),
            }];
            if is(loopback_only) {
                demanded.push("on loopback alone".to_owned());
            }
            if is(append_only) {
                demanded.push("it keeps an append-only file".to_owned());
            }
            if let Some((host, port)) = named_by {
                demanded.push(format!("services find it by {} and {}", code(&host.value), code(&port.value)));
            }
            if let Some((file, key)) = password {
                demanded.push(format!("its password is {} in {}", code(&key.value), code(&file.value)));
            }
            ("Redis", code(&address.value), demanded.join("; "))
        }
        DependencyKind::Sqlite { path, owner, check_up_to } => {
            let owner = owner
                .as_ref()
                .map_or_else(String::new, |owner| format!("; it belongs to {}", code(&owner.value)));
            let demanded =
                format!("a valid database, read through up to {}{owner}", words::size(*check_up_to));
            ("SQLite", code(&path.value), demanded)
        }
        DependencyKind::Server { address, protocol } => {
            let (what, demanded) = server_words(protocol);
            (what, code(&address.value), demanded)
        }
        DependencyKind::Unit => ("unit", String::new(), String::new()),
    }
}

/// What a server is, and what it must do.
fn server_words(protocol: &Protocol) -> (&'static str, String) {
    let has = |what: &str, name: &Option<String>| {
        name.as_ref().map(|name| format!("it has the {what} {}", code(name)))
    };
    let greets = || "it says what it is".to_owned();
    match protocol {
        Protocol::Any => ("server", "it accepts connections".to_owned()),
        Protocol::Http { get, statuses: (first, last) } if first == last => {
            ("HTTP", format!("{} answers {first}", code(get)))
        }
        Protocol::Http { get, statuses: (first, last) } => {
            ("HTTP", format!("{} answers {first} to {last}", code(get)))
        }
        Protocol::Postgres { role, database } => {
            let demanded: Vec<String> =
                has("role", role).into_iter().chain(has("database", database)).collect();
            ("PostgreSQL", if demanded.is_empty() { greets() } else { demanded.join("; ") })
        }
        Protocol::Mysql => ("MySQL", greets()),
        Protocol::Amqp => ("RabbitMQ", greets()),
        Protocol::Memcached => ("memcached", greets()),
    }
}

/// Section J.
pub(super) fn accounts(page: &mut Page, contract: &Contract) {
    let mut users: BTreeMap<(&str, &str), Vec<&Service>> = BTreeMap::new();
    let identity = &contract.identity;
    users.entry((&identity.user.value, &identity.group.value)).or_default();
    for service in &contract.services {
        users.entry((&service.user.value, &service.group.value)).or_default().push(service);
    }
    let rows: Vec<[String; 3]> =
        users.into_iter().map(|((user, group), of)| [code(user), code(group), names(of)]).collect();
    page.table(["User", "Group", "Runs"], &rows);
    if rows.iter().any(|[user, ..]| user == "`root`") {
        page.say(
            "Only the services in the table run as root, and an attacker who controls one of them controls the host. The other services have no way to become root.",
        );
    } else {
        page.say("No service runs as root, and no service has a way to become root. A service that needs root is designed wrong.");
    }
    let groups = &identity.forbidden_groups.value;
    if !groups.is_empty() {
        page.say(&format!("No user of a service is in {}.", codes(groups.iter().map(String::as_str))));
    }
    if !identity.must_not_write.is_empty() {
        page.say(&format!("They cannot write {}, or files in these paths.", texts(&identity.must_not_write)));
    }
    let writers: Vec<[String; 2]> = contract
        .services
        .iter()
        .filter(|service| !service.writes.is_empty())
        .map(|service| [code(&service.name), texts(&service.writes)])
        .collect();
    if !writers.is_empty() {
        page.say("Directories that services must be able to write:");
        page.table(["Service", "Directories"], &writers);
    }
}
