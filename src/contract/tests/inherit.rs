//! What a contract inherits, and what placeholders become.

use super::super::*;

/// The contract of a text that may extend `base`.
fn with_base(text: &str, base: &'static str) -> Result<Contract, Vec<ContractError>> {
    Contract::parse(text, "/etc/golden/golden.toml", false, &|path| match path {
        "/etc/golden/base.toml" => Ok(base.to_owned()),
        _ => Err(format!("{path}: no such file")),
    })
}

fn sound(text: &str, base: &'static str) -> Contract {
    with_base(text, base).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn setting<'s>(service: &'s Service, key: &str) -> &'s SettingDemand {
    service.settings.iter().find(|demand| *demand.key == *key).unwrap()
}

#[test]
fn tables_merge_and_lists_are_replaced() {
    let text = "\
schema = 1
extends = \"quantum\"
[contract]
name = \"ours\"
[identity]
forbidden_groups = [\"docker\"]
[layout.data]
mode = \"0750\"
[env.variables]
REDIS_HOST = \"localhost\"
LOG_LEVEL = { level = \"off\" }
[unit.Service]
Restart = { level = \"off\" }
StandardError = { one_of = [\"journal\", \"inherit\"] }
[services.rl-agent]
unit = \"quantum-rl-sizing.service\"
[services.market]
kind = \"python\"
venv = \"backend\"
requires = [\"redis\"]
after = [\"rl-agent\"]
";
    let contract = sound(text, "");
    assert_eq!(contract.name.value, "ours");
    assert_eq!(contract.version.at.to_string(), "quantum.toml (built in):14:11");
    assert_eq!(contract.identity.forbidden_groups.value, ["docker"]);
    assert_eq!(contract.identity.user.value, "qt");
    let data = &contract.layout["data"];
    assert_eq!(data.mode.as_ref().unwrap().at.to_string(), "/etc/golden/golden.toml:8:8");
    assert_eq!(data.owner.as_ref().unwrap().at.path(), "quantum.toml (built in)");
    let names: Vec<&str> = contract.services.iter().map(|service| service.name.as_ref()).collect();
    assert_eq!(names, ["backend", "ai-engine", "execution", "rl-agent", "market"]);
    let [.., agent, market] = contract.services.as_slice() else { panic!() };
    assert_eq!(agent.unit.value, "quantum-rl-sizing.service");
    assert_eq!(agent.title.as_deref(), Some("RL Agent"));
    assert_eq!(market.after_units[1].value, "quantum-rl-sizing.service");
    assert_eq!(setting(agent, "StandardError").form, Form::OneOf(vec!["journal".into(), "inherit".into()]));
    assert_eq!(setting(agent, "StandardError").at.to_string(), "/etc/golden/golden.toml:14:1");
    // A kind lies above the contract's own layer, so its Restart stays.
    assert_eq!(setting(agent, "Restart").form, Form::Equals("always".into()));
    assert!(agent.variables.iter().all(|demand| demand.name.as_ref() != "LOG_LEVEL"));
    assert!(!contract.source.built_in);
}

#[test]
fn the_digest_covers_what_is_inherited() {
    let text = "schema = 1\nextends = \"base.toml\"\n";
    let base =
        "schema = 1\n[contract]\nname = \"a\"\nversion = \"1\"\n[identity]\nuser = \"a\"\ngroup = \"a\"\n";
    let other =
        "schema = 1\n[contract]\nname = \"b\"\nversion = \"1\"\n[identity]\nuser = \"a\"\ngroup = \"a\"\n";
    let digest = |base: &'static str| sound(text, base).source.digest;
    assert_ne!(digest(base), digest(other));
    assert_eq!(digest(base).len(), 64);
    let alone = sound(base, "").source.digest;
    // printf '…' | sha256sum
    assert_eq!(alone, "8290db28e13288e57baf4f7627f7af306d70386a0c74bd026dace9f7d98fcfb0");
}

#[test]
fn errors_of_what_is_inherited_name_their_file() {
    let text = "schema = 1\nextends = \"base.toml\"\n[identity]\nuser = \"a\"\ngroup = 5\n";
    let errors = with_base(text, "schema = 1\n[contract]\nname = \"a\"\nvresion = \"1\"\n").unwrap_err();
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "/etc/golden/golden.toml:5:9: `group` must be text, not a whole number",
            "/etc/golden/base.toml:2:2: contract lacks `version`",
            "/etc/golden/base.toml:4:1: unknown key `vresion` in contract",
        ]
    );
}

#[test]
fn a_circle_of_contracts_ends() {
    let errors = with_base("schema = 1\nextends = \"base.toml\"\n", "schema = 1\nextends = \"base.toml\"\n");
    let errors = errors.unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "/etc/golden/base.toml:2:11: /etc/golden/base.toml extends itself, or too many contracts stand in one line"
    );
    let deep =
        |path: &str| Ok(format!("schema = 1\nextends = \"{}x.toml\"\n", path.trim_end_matches(".toml")));
    let errors = Contract::parse("schema = 1\nextends = \"x.toml\"\n", "a.toml", false, &deep).unwrap_err();
    assert!(errors.iter().any(|error| error.message.contains("too many contracts")), "{errors:?}");
}

#[test]
fn placeholders_are_expanded_and_nothing_else() {
    let text = "\
schema = 1
[contract]
name = \"shop\"
version = \"1\"
[identity]
user = \"app\"
group = \"www\"
[layout]
root = \"/srv\"
data = \"{layout.root}/data//x/\"
env = \"/etc/shop\"
[env]
owner = \"root\"
group = \"{identity.group}\"
mode = \"0640\"
[env.variables]
HOME_DIR = { under = \"{layout.data}/{service}\" }
MARK = \"%i ${service} {\\\"json\\\": 1} {unit}\"
[unit]
name = \"shop-{service}.service\"
[unit.Service]
User = \"u-{service}\"
SyslogIdentifier = \"{title}\"
EnvironmentFile = [\"{layout.env}/common.env\", { path = \"{layout.env}/{service}.env\", secret = true }]
[services.api]
title = \"The API\"
kind = \"executable\"
command = [\"{layout.root}/bin/{service}\", \"--unit={unit}\", \"\"]
writes = [\"{layout.data}/{service}\"]
[services.cron]
kind = \"timer-job\"
user = \"root\"
env_files = []
variables = { ONLY = \"mine\" }
";
    let contract = sound(text, "");
    assert_eq!(contract.layout["data"].path.value, "/srv/data/x");
    assert_eq!(contract.env.group.value, "www");
    let [api, cron] = contract.services.as_slice() else { panic!() };
    assert_eq!(api.user.value, "u-api");
    assert_eq!(api.user.at.to_string(), "/etc/golden/golden.toml:22:8");
    assert_eq!(api.command.as_ref().unwrap().words, ["/srv/bin/api", "--unit=shop-api.service", ""]);
    assert_eq!(api.writes[0].value, "/srv/data/x/api");
    let paths: Vec<_> = api.env_files.iter().map(|file| (file.path.as_str(), file.secret)).collect();
    assert_eq!(paths, [("/etc/shop/common.env", false), ("/etc/shop/api.env", true)]);
    assert_eq!(setting(api, "SyslogIdentifier").form, Form::Equals("The API".into()));
    assert_eq!(setting(cron, "SyslogIdentifier").form, Form::Equals("cron".into()));
    let form = |name: &str| &api.variables.iter().find(|demand| *demand.name == *name).unwrap().form;
    assert_eq!(*form("HOME_DIR"), VariableForm::Path { under: Some("/srv/data/x/api".into()) });
    assert_eq!(*form("MARK"), VariableForm::Equals("%i ${service} {\"json\": 1} shop-api.service".into()));
    assert_eq!(cron.timer.as_ref().unwrap().value, "shop-cron.timer");
    assert_eq!(cron.user.value, "root");
    let owed: Vec<&str> = cron.variables.iter().map(|demand| demand.name.as_ref()).collect();
    assert_eq!(owed, ["ONLY"], "without env files nothing is inherited");
}

#[test]
fn what_is_extended_lies_beside_an_installed_contract() {
    let parse = |named: &str, base: &str| {
        let text = format!("schema = 1\nextends = \"{named}\"\n");
        Contract::parse(&text, "/srv/team/golden.toml", false, &|path| match path {
            "/srv/team/parts/base.toml" | "/srv/base.toml" | "/srv/team/../base.toml" => Ok(base.to_owned()),
            "/srv/team/parts/deep/last.toml" => Ok("schema = 1\nextends = \"quantum\"\n".to_owned()),
            other => Err(format!("no {other} here")),
        })
        .unwrap()
        .source
    };
    let end = "schema = 1\nextends = \"quantum\"\n";
    let paths = |source: &crate::contract::Source| -> Vec<String> {
        source.files_beside("/etc/golden/golden.toml").unwrap().into_iter().map(|(path, _)| path).collect()
    };
    assert_eq!(paths(&parse("parts/base.toml", end)), ["/etc/golden/parts/base.toml"]);
    let chain = "schema = 1\nextends = \"deep/last.toml\"\n";
    assert_eq!(
        paths(&parse("parts/base.toml", chain)),
        ["/etc/golden/parts/base.toml", "/etc/golden/parts/deep/last.toml"]
    );
    assert!(paths(&parse("/srv/base.toml", end)).is_empty(), "it stays where it is");
    let out = parse("../base.toml", end).files_beside("/etc/golden/golden.toml").unwrap_err();
    assert!(out.why.starts_with("/srv/team/golden.toml extends ../base.toml"), "{}", out.why);
    assert!(paths(&parse("quantum", end)).is_empty());
}
