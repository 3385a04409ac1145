//! What is forbidden under a contract, beside what is right instead. Each line leads to the rule that finds it.

use std::collections::BTreeMap;

use super::example;
use super::markdown::{code, codes};
use crate::contract::{Contract, DependencyKind, VariableForm};
use crate::model::{RuleInfo, Section};
use crate::rules::{host, repository, service};

/// A line of section L.
pub(super) struct Never {
    /// The section whose demand it breaks.
    pub section: Section,
    /// What nobody does.
    pub what: String,
    /// What is done in its place.
    pub instead: String,
    /// The rule that finds it; a person where it is `None`.
    pub rule: Option<&'static RuleInfo>,
}

impl Never {
    fn judged(
        rule: &'static crate::rules::Rule,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Self {
        let rule = &rule.info;
        Never { section: rule.section, what: what.into(), instead: instead.into(), rule: Some(rule) }
    }
}

/// Everything that is forbidden, by section. What the contract has switched off is not.
pub(super) fn all(contract: &Contract) -> Vec<Never> {
    let mut all = Vec::new();
    programs(contract, &mut all);
    units(contract, &mut all);
    files(contract, &mut all);
    work(contract, &mut all);
    accounts(contract, &mut all);
    all.retain(|never| never.rule.is_none_or(|rule| contract.severity_of(rule).is_some()));
    all.sort_by_key(|never| never.section);
    all
}

fn words(list: &[String]) -> String {
    codes(list.iter().map(String::as_str))
}

fn programs(contract: &Contract, all: &mut Vec<Never>) {
    let runtime = &contract.runtime;
    if !runtime.forbidden_programs.value.is_empty() {
        let venv = match contract.venvs.values().next() {
            Some(venv) => format!(
                "the program of the service's own venv, such as {}",
                code(&format!("{}/bin/python", venv.path.value))
            ),
            None => "a program of the service's own".to_owned(),
        };
        let what = format!("a unit that runs {}", words(&runtime.forbidden_programs.value));
        all.push(Never::judged(&service::unit_uses_system_python::RULE, what, venv));
    }
    if !runtime.forbidden_shells.value.is_empty() {
        let what = "a shell with `-c` in `ExecStart=`";
        let instead = "the program itself, with its arguments";
        all.push(Never::judged(&service::unit_runs_shell::RULE, what, instead));
    }
}

fn units(contract: &Contract, all: &mut Vec<Never>) {
    let identity = &contract.identity;
    if identity.user.value != "root" {
        let what = "`User=root`, or no `User=`";
        let instead = code(&format!("User={}", identity.user.value));
        all.push(Never::judged(&service::unit_runs_as_root::RULE, what, instead));
    }
    all.push(Never::judged(
        &service::unit_sets_path::RULE,
        "`Environment=PATH=…`",
        "the absolute path of each program",
    ));
    let usual = contract.patterns.get(&example::usual_kind(contract));
    if let Some(directory) = usual.and_then(|pattern| pattern.working_directory.as_ref()) {
        let what = "`cd … &&` in a command, or no `WorkingDirectory=`";
        let instead = code(&format!("WorkingDirectory={}", directory.value));
        all.push(Never::judged(&service::unit_setting_missing::RULE, what, instead));
    }
    let mut by_name: BTreeMap<&str, (Vec<String>, &str)> = BTreeMap::new();
    for forbidden in &contract.forbidden {
        let (found, _) = by_name.entry(&forbidden.name).or_insert_with(|| (Vec::new(), &forbidden.why));
        for word in forbidden.words.iter().filter(|word| !found.contains(word)).cloned().collect::<Vec<_>>() {
            found.push(word);
        }
    }
    for (found, why) in by_name.values() {
        let what = format!("{} in a unit", words(found));
        let instead = format!("nothing: {}", super::markdown::prose(why));
        all.push(Never::judged(&service::unit_word_forbidden::RULE, what, instead));
    }
}

fn files(contract: &Contract, all: &mut Vec<Never>) {
    let file = contract.services.iter().find_map(|service| service.env_files.first());
    if let (Some(policy), Some(file)) = (&contract.repository, file) {
        if !policy.must_not_hold.is_empty() {
            let held: Vec<String> = policy.must_not_hold.iter().map(|glob| glob.value.clone()).collect();
            let what = format!("{} in the repository", words(&held));
            let instead = format!("settings in env files such as {}, logs in the journal", code(&file.path));
            all.push(Never::judged(&repository::repository_holds_forbidden_file::RULE, what, instead));
        }
        let what = format!("`EnvironmentFile=` below {}", code(&policy.path.value));
        let instead = code(&format!("EnvironmentFile={}", file.path));
        all.push(Never::judged(&service::env_file_in_repository::RULE, what, instead));
    }
    if contract.repository.is_some() {
        let instead = "the one working copy of section A";
        all.push(Never::judged(
            &repository::repository_cloned_twice::RULE,
            "a second clone on the host",
            instead,
        ));
    }
    if let Some(file) = file {
        let what = "a secret in an env file that is not declared to hold any";
        let instead = "an env file with `secret = true` in the contract";
        all.push(Never::judged(&service::env_file_holds_secret::RULE, what, instead));
        all.push(Never {
            section: Section::C,
            what: code(&format!("source {}", file.path)),
            instead: "`golden run`: a shell and systemd read the file differently".to_owned(),
            rule: None,
        });
    }
    let variable = contract.services.iter().flat_map(|service| &service.variables).find_map(|demand| {
        match &demand.form {
            VariableForm::Equals(value) if value.starts_with('/') => Some((&demand.name, value)),
            _ => None,
        }
    });
    if let Some((name, value)) = variable {
        all.push(Never {
            section: Section::C,
            what: format!("{} in the code", code(value)),
            instead: format!("the variable {}", code(name)),
            rule: None,
        });
    }
}

fn work(contract: &Contract, all: &mut Vec<Never>) {
    let wrapper = contract.repository.as_ref().and_then(|policy| policy.wrapper.as_ref());
    if let (Some(wrapper), Some(service)) = (wrapper, contract.services.first()) {
        let through = format!("{} {} SCRIPT", wrapper.value, service.name);
        let what = "a recipe of the Makefile that calls a program of a venv itself";
        all.push(Never::judged(&repository::makefile_bypasses_wrapper::RULE, what, code(&through)));
        let what = "a script of the repository in a crontab";
        let instead = "a job of the contract, and a timer";
        all.push(Never::judged(&repository::cron_bypasses_wrapper::RULE, what, instead));
    }
    for dependency in contract.dependencies.values() {
        let DependencyKind::Redis { address, loopback_only, .. } = &dependency.kind else { continue };
        let unit = dependency.unit.as_ref().map_or("its unit", |unit| unit.value.as_str());
        let what = format!("a container, or anything but {}, at {}", code(unit), code(&address.value));
        all.push(Never::judged(&host::redis_foreign_listener::RULE, what, code(unit)));
        if loopback_only.as_ref().is_some_and(|only| only.value) {
            let what = format!("{} on an address of the network", code(unit));
            all.push(Never::judged(&host::redis_exposed::RULE, what, "loopback alone"));
        }
    }
    if contract.safety.is_some() {
        all.push(Never {
            section: Section::F,
            what: "a program that activates a model, even one that has passed the gate".to_owned(),
            instead: "a person, after the gate and a backup".to_owned(),
            rule: None,
        });
    }
}

fn accounts(contract: &Contract, all: &mut Vec<Never>) {
    let identity = &contract.identity;
    if !identity.forbidden_groups.value.is_empty() {
        let what = format!("the user of a service in one of {}", words(&identity.forbidden_groups.value));
        let instead = "no way to become root: a service that needs root is designed wrong";
        all.push(Never::judged(&service::account_may_become_root::RULE, what, instead));
    }
    let instead = "units, which only root writes";
    all.push(Never::judged(&service::account_may_sudo::RULE, "`sudo` for the user of a service", instead));
}
