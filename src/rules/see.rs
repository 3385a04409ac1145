//! The commands that show a defect by hand. A rule writes them with words in braces for what differs from host to host;
//! here these words become values of a contract, or names in capitals where there is none.

use std::collections::BTreeMap;

use crate::contract::{Contract, Dependency, DependencyKind, Job, JobProgram, RepositoryPolicy, Service};
use crate::model::change::quoted;

/// Every word that may stand in braces, with what is shown where its value is not known.
pub const PLACEHOLDERS: [(&str, &str); 21] = [
    ("calendar", "EXPRESSION"),
    ("contract", "CONTRACT"),
    ("database", "DATABASE"),
    ("env-file", "ENV_FILE"),
    ("group", "GROUP"),
    ("host", "HOST"),
    ("makefile", "MAKEFILE"),
    ("models", "MODELS"),
    ("name", "NAME"),
    ("path", "PATH"),
    ("port", "PORT"),
    ("program", "PROGRAM"),
    ("repository", "REPOSITORY"),
    ("script", "SCRIPT"),
    ("stream", "STREAM"),
    ("timer", "TIMER"),
    ("unit", "UNIT"),
    ("user", "USER"),
    ("variable", "VARIABLE"),
    ("venv", "VENV"),
    ("wrapper", "WRAPPER"),
];

/// Values for the words in braces.
pub type Values = BTreeMap<&'static str, String>;

/// A command with its words in braces replaced.
pub fn filled(command: &str, values: &Values) -> String {
    PLACEHOLDERS.iter().fold(command.to_owned(), |text, (word, unknown)| {
        let value = values.get(word).map_or_else(|| (*unknown).to_owned(), |value| quoted(value));
        text.replace(&format!("{{{word}}}"), &value)
    })
}

/// The values for a service, place, dependency, job or model of the contract; `None` where it has none of this name.
pub fn values(contract: &Contract, name: &str) -> Option<Values> {
    let mut values = of_contract(contract);
    values.insert("name", name.to_owned());
    let service = contract.services.iter().find(|service| &*service.name == name);
    let job = contract.jobs.iter().find(|job| &*job.name == name);
    let place = contract.layout.get(name);
    let dependency = contract.dependencies.get(name);
    let is_model = contract.models.iter().any(|model| *model.name == *name);
    // One name may stand for a place and a service; what is said of the service is more.
    place.map(|place| values.insert("path", place.path.value.clone()));
    dependency.iter().for_each(|dependency| of_dependency(dependency, &mut values));
    job.iter().for_each(|job| of_job(contract, job, &mut values));
    service.iter().for_each(|service| of_service(service, &mut values));
    let is_known = is_model || place.is_some() || dependency.is_some() || job.is_some() || service.is_some();
    is_known.then_some(values)
}

/// What one contract has but once.
fn of_contract(contract: &Contract) -> Values {
    let mut values = Values::from([
        ("contract", contract.source.path.to_string()),
        ("user", contract.identity.user.value.clone()),
        ("group", contract.identity.group.value.clone()),
    ]);
    if let Some(repository) = &contract.repository {
        of_repository(repository, &mut values);
    }
    if let Some(place) = contract.model_place() {
        values.insert("models", place.path.value.clone());
    }
    // Most contracts have one server, and most commands about a server ask it.
    let is_redis = |dependency: &&Dependency| matches!(dependency.kind, DependencyKind::Redis { .. });
    if let Some(redis) = contract.dependencies.values().find(is_redis) {
        of_dependency(redis, &mut values);
        values.remove("unit");
    }
    if let Some(safety) = &contract.safety {
        values.insert("stream", safety.telemetry.stream.value.clone());
    }
    values
}

fn of_repository(repository: &RepositoryPolicy, values: &mut Values) {
    let root = &repository.path.value;
    let below = |file: &str| format!("{root}/{file}");
    values.insert("repository", root.clone());
    repository.wrapper.iter().for_each(|file| drop(values.insert("wrapper", below(&file.value))));
    repository.makefile.iter().for_each(|file| drop(values.insert("makefile", below(&file.value))));
}

fn of_service(service: &Service, values: &mut Values) {
    values.insert("unit", service.unit.value.clone());
    values.insert("user", service.user.value.clone());
    values.insert("group", service.group.value.clone());
    service.timer.iter().for_each(|timer| drop(values.insert("timer", timer.value.clone())));
    service.venv.iter().for_each(|venv| drop(values.insert("venv", venv.value.clone())));
    service.env_files.first().map(|file| values.insert("env-file", file.path.clone()));
}

fn of_job(contract: &Contract, job: &Job, values: &mut Values) {
    let service = contract.services.iter().find(|service| *service.name == *job.service.value);
    service.iter().for_each(|service| of_service(service, values));
    if let (JobProgram::Script(script), Some(repository)) = (&job.runs, &contract.repository) {
        values.insert("script", format!("{}/{}", repository.path.value, script.value));
    }
}

fn of_dependency(dependency: &Dependency, values: &mut Values) {
    dependency.unit.iter().for_each(|unit| drop(values.insert("unit", unit.value.clone())));
    match &dependency.kind {
        DependencyKind::Redis { address, .. } | DependencyKind::Server { address, .. } => {
            if let Some((host, port)) = address.value.rsplit_once(':') {
                values.insert("host", host.trim_matches(['[', ']']).to_owned());
                values.insert("port", port.to_owned());
            }
        }
        DependencyKind::Sqlite { path, .. } => {
            values.insert("database", path.value.clone());
        }
        DependencyKind::Unit => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{PLACEHOLDERS, filled, values};
    use crate::contract::Contract;
    use crate::policy::WAIVER_UNUSED;
    use crate::rules::RULES;

    /// Programs that only look, but for those of [`ONLY_LOOKS`], of which only some verbs do.
    const LOOKS: &[&str] = &[
        "cat",
        "diff",
        "file",
        "find",
        "findmnt",
        "getent",
        "grep",
        "head",
        "id",
        "journalctl",
        "ldd",
        "ls",
        "namei",
        "ps",
        "readlink",
        "sha256sum",
        "ss",
        "stat",
    ];

    /// How the commands of programs that can change something begin.
    const ONLY_LOOKS: &[&str] = &[
        "crontab -l ",
        "git -C {repository} ls-files",
        "git -C {repository} rev-parse ",
        "golden apply --list",
        "golden audit ",
        "golden contract verify",
        "golden ledger show",
        "golden ledger verify",
        "golden model history",
        "golden model list",
        "golden model show ",
        "golden run --print-env ",
        "golden scoreboard",
        "logrotate --debug ",
        "redis-cli -h {host} -p {port} CONFIG GET ",
        "redis-cli -h {host} -p {port} PING",
        "redis-cli -h {host} -p {port} XLEN ",
        "redis-cli -h {host} -p {port} XREVRANGE ",
        "runuser -u {user} -- ls -d ",
        "runuser -u {user} -- test -",
        "runuser -u {user} -- {venv}/bin/python -",
        "sqlite3 -readonly ",
        "sudo -l ",
        "systemctl cat ",
        "systemctl is-enabled ",
        "systemctl list-",
        "systemctl show ",
        "systemctl status ",
        "systemd-analyze calendar ",
        "systemd-analyze cat-config ",
        "systemd-analyze condition ",
        "systemd-analyze verify ",
    ];

    fn all() -> impl Iterator<Item = &'static crate::model::RuleInfo> {
        RULES.iter().map(|rule| &rule.info).chain([&WAIVER_UNUSED])
    }

    #[test]
    fn every_command_of_a_rule_is_one_that_only_looks() {
        for info in all() {
            for command in info.see {
                let program = command.split(' ').next().unwrap();
                let only_looks = ONLY_LOOKS.iter().any(|begin| command.starts_with(begin));
                assert!(LOOKS.contains(&program) || only_looks, "{}: {command}", info.id);
                // No line of shell: it is copied into a root shell as it stands.
                assert!(!command.contains([';', '|', '\n']) || command.contains(['"', '\'']), "{command}");
            }
        }
    }

    #[test]
    fn every_word_in_braces_is_known_and_used() {
        let commands: Vec<&str> = all().flat_map(|info| info.see.iter().copied()).collect();
        for command in &commands {
            let shown = filled(command, &super::Values::new());
            assert!(!shown.contains(['{', '}']), "{command}");
        }
        for (word, _) in PLACEHOLDERS {
            let marked = format!("{{{word}}}");
            assert!(commands.iter().any(|command| command.contains(&marked)), "no rule uses {marked}");
        }
    }

    #[test]
    fn the_values_of_a_service_are_those_of_its_contract() {
        let contract = Contract::built_in();
        let of = |name: &str, command: &str| filled(command, &values(&contract, name).unwrap());
        assert_eq!(of("backend", "systemctl status {unit}"), "systemctl status quantum-backend.service");
        assert_eq!(of("redis", "redis-cli -h {host} -p {port} PING"), "redis-cli -h 127.0.0.1 -p 6379 PING");
        assert_eq!(of("data", "stat {path}"), "stat /opt/quantum/data");
        assert_eq!(of("backend", "ls {path}"), "ls PATH");
        assert!(values(&contract, "no-such-name").is_none());
    }
}
