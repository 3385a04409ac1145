//! Env files. Values of secrets are never written: their names are, as comments, so that a person sees what is due.

use std::collections::{BTreeMap, BTreeSet};

use super::{Artefact, Gap, HostFile, What, header, rendered};
use crate::contract::secrets::{is_hidden, is_secret_name};
use crate::contract::{Contract, EnvFileDemand, Service, VariableDemand, VariableForm};
use crate::model::Severity;
use crate::syntax::secret_shape;

/// What belongs into one file.
struct File<'c> {
    demand: &'c EnvFileDemand,
    /// Services that read it.
    readers: Vec<&'c Service>,
    /// Variable to its value.
    values: BTreeMap<String, String>,
    /// Variables that only a person can fill in.
    secrets: BTreeSet<String>,
}

/// Every env file of the contract, in the order in which services name them.
pub(super) fn artefacts(contract: &Contract, gaps: &mut Vec<Gap>) -> Vec<Artefact> {
    let mut files: Vec<File<'_>> = Vec::new();
    for service in rendered(contract) {
        for demand in &service.env_files {
            match files.iter_mut().find(|file| file.demand.path == demand.path) {
                Some(file) => file.readers.push(service),
                None => files.push(File {
                    demand,
                    readers: vec![service],
                    values: BTreeMap::new(),
                    secrets: BTreeSet::new(),
                }),
            }
        }
    }
    for service in rendered(contract).filter(|service| !service.env_files.is_empty()) {
        for (name, value) in values(contract, service, gaps) {
            let is_empty = value.as_ref().is_some_and(|value| secret_shape::is_placeholder(value));
            let is_secret = is_hidden(contract, "", &name, value.as_deref().unwrap_or("")) && !is_empty;
            let secret = value.is_none() || is_secret;
            let value = value.filter(|_| !is_secret);
            if !place(contract, service, &mut files, &name, value, secret) {
                gaps.push(no_secret_file(service, &name));
            }
        }
    }
    files.into_iter().map(|file| artefact(contract, file)).collect()
}

/// The variables of a service; `None` for what only a person can fill in.
fn values(contract: &Contract, service: &Service, gaps: &mut Vec<Gap>) -> BTreeMap<String, Option<String>> {
    let provision = &contract.provision;
    let mut values = BTreeMap::new();
    for name in provision.variables(service) {
        values.insert(name.to_string(), provision.variable(service, name));
    }
    for demand in &service.variables {
        let name = demand.name.as_ref();
        if let Some(value) = of_demand(demand, values.get(name).cloned().flatten()) {
            values.insert(name.to_owned(), Some(value));
        } else if demand.form == VariableForm::Absent {
            values.remove(name);
        } else if is_secret_name(contract, name) {
            values.insert(name.to_owned(), None);
        } else if demand.severity == Severity::Must {
            gaps.push(Gap {
                at: demand.at.clone(),
                message: format!("{name} of {} must be set, and nothing says to what", service.name),
                way_out: format!("add `{name} = \"…\"` to [provision.variables]"),
                files: holding(service),
                variable: Some((service.name.clone(), demand.name.clone())),
            });
        }
    }
    values
}

/// The value of a variable: the demanded one, or what the contract writes for it. Where a demand leaves a choice and
/// nothing is written, there is none: golden chooses no value.
fn of_demand(demand: &VariableDemand, own: Option<String>) -> Option<String> {
    match &demand.form {
        VariableForm::Equals(value) => Some(value.clone()),
        VariableForm::OneOf(values) => own.or_else(|| match values.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }),
        VariableForm::Integer { min, max } => own.or_else(|| (min == max).then(|| min.to_string())),
        VariableForm::Path { .. } | VariableForm::Present => own,
        VariableForm::Absent => None,
    }
}

/// A secret that no env file of its service may hold.
fn no_secret_file(service: &Service, name: &str) -> Gap {
    let demand = service.variables.iter().find(|demand| *demand.name == *name);
    Gap {
        at: demand.map_or(&service.at, |demand| &demand.at).clone(),
        message: format!("{name} of {} is a secret, and no env file of it may hold secrets", service.name),
        way_out: format!(
            "add `{{ path = \"/etc/…\", secret = true }}` to `env_files` of [services.{}]",
            service.name
        ),
        files: holding(service),
        variable: None,
    }
}

/// The files that hold the variables of a service: its env files, or else its unit.
fn holding(service: &Service) -> Vec<String> {
    match service.env_files.as_slice() {
        [] => vec![super::unit::on_host(&service.unit.value)],
        files => files.iter().map(|file| file.path.clone()).collect(),
    }
}

/// The `Environment=` lines of a service that has no env file: what is demanded of it, and what is written for it
/// alone. A unit can be read by everybody, so a secret has no place in it.
pub(super) fn environment(contract: &Contract, service: &Service, gaps: &mut Vec<Gap>) -> Vec<String> {
    if !service.env_files.is_empty() {
        return Vec::new();
    }
    let own = &service.provision.own.variables;
    let is_own =
        |name: &str| own.contains_key(name) || service.variables.iter().any(|demand| *demand.name == *name);
    let mut lines = Vec::new();
    for (name, value) in values(contract, service, gaps) {
        match value {
            _ if !is_own(&name) => {}
            Some(value) if !is_secret_name(contract, &name) && !is_hidden(contract, "", &name, &value) => {
                lines.push(assignment(&name, &value))
            }
            _ => gaps.push(no_secret_file(service, &name)),
        }
    }
    lines
}

/// One assignment as a word of `Environment=` (systemd.exec(5)), in which `%` begins a specifier and `$` means nothing.
fn assignment(name: &str, value: &str) -> String {
    let value = value.replace('%', "%%");
    if !value.contains(|c: char| c.is_whitespace() || "\"'\\".contains(c)) {
        return format!("{name}={value}");
    }
    format!("\"{name}={}\"", value.replace('\\', r"\\").replace('"', "\\\""))
}

/// Puts a variable into the first file in which every reader has the same value: what is common goes into the shared
/// file, what is a service's own into its own. A secret belongs into a secret file alone, and anything else only lies
/// in one where there is no other. False where no file can take it.
fn place(
    contract: &Contract,
    service: &Service,
    files: &mut [File<'_>],
    name: &str,
    value: Option<String>,
    secret: bool,
) -> bool {
    let agreed = |file: &File<'_>| {
        file.readers.iter().all(|reader| {
            let other = match contract.provision.variable(reader, name) {
                Some(own) => Some(own),
                None => {
                    let demand = reader.variables.iter().find(|demand| *demand.name == *name);
                    demand.and_then(|demand| of_demand(demand, None))
                }
            };
            reader.name == service.name || other == value
        })
    };
    let of_service = |file: &File<'_>| service.env_files.iter().any(|own| own.path == file.demand.path);
    let find = |secret: bool| {
        let fits = |file: &File<'_>| of_service(file) && file.demand.secret == secret;
        let mut fitting = files.iter().enumerate().filter(|(_, file)| fits(file));
        let index = fitting.clone().find(|(_, file)| agreed(file)).or_else(|| fitting.next_back());
        index.map(|(index, _)| index)
    };
    let index = find(secret).or_else(|| find(true));
    let Some(index) = index else { return false };
    match value {
        Some(value) => {
            files[index].values.insert(name.to_owned(), value);
        }
        None => {
            files[index].secrets.insert(name.to_owned());
        }
    }
    true
}

fn artefact(contract: &Contract, file: File<'_>) -> Artefact {
    let demand = file.demand;
    let readers: Vec<&str> = file.readers.iter().map(|service| service.name.as_ref()).collect();
    let what = format!("Environment of {}, read by systemd and never by a shell", readers.join(", "));
    let mut text = header(contract, &what);
    text.push_str("# Further variables may be added, and stay.");
    text.push_str(if demand.secret { "\n" } else { " No secrets here.\n" });
    for (name, value) in &file.values {
        text.push_str(&super::env_line(name, value));
        text.push('\n');
    }
    for name in &file.secrets {
        text.push_str(&format!("# {name}= is missing: write its value here\n"));
    }
    let name = demand.path.rsplit('/').next().unwrap_or(&demand.path);
    let policy = &contract.env;
    Artefact {
        what: What::Env,
        in_repository: Some(format!("{}/{name}.example", super::ENV_FILES)),
        on_host: Some(HostFile {
            path: demand.path.clone(),
            owner: demand.owner.clone().unwrap_or_else(|| policy.owner.value.clone()),
            group: demand.group.clone().unwrap_or_else(|| policy.group.value.clone()),
        }),
        mode: demand.mode.unwrap_or(policy.mode.value),
        content: text,
    }
}

/// A value as systemd and a shell both read it: bare where nothing in it means anything, else in single quotes; one
/// with a single quote in it in double quotes.
pub(super) fn written(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if value.chars().all(plain) {
        return value.to_owned();
    }
    if !value.contains('\'') {
        return format!("'{value}'");
    }
    let escape = |c: char| if "\"\\$`".contains(c) { format!("\\{c}") } else { c.to_string() };
    format!("\"{}\"", value.chars().map(escape).collect::<String>())
}
