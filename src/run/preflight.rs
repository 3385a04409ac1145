//! Whether everything that a call touches is as the contract says: the audit's own loop and rules, over a contract
//! with one service. A check that could not be decided is no pass.
//!
//! So a check before a job and the same check in an audit cannot differ, and a waiver holds for both. Where only a
//! preflight weighs differently (a missing database is a warning, a hijacking variable is not), the narrowed contract
//! has another severity. The needs are fine enough that it looks at little: `Fragments` without the links to units,
//! `Repository` without its files.
//!
//! A preflight looks twice if it must. The first look asks the one Redis that the environment names. Only if that look
//! is not a plain yes, a second one gathers everything that tells which side is wrong. The first look alone decides
//! what passes, so it needs a pass of the rule that asked, not only the absence of a failure.

use crate::audit::{Selection, audit};
use crate::contract::{Contract, Dependency, DependencyKind, JobProgram};
use crate::facts::gather::gather;
use crate::facts::{HostFacts, Need};
use crate::model::{Report, RuleResult, Said, Verdict};
use crate::system::System;

/// A check as a person knows it: its name, what it is about on this host, and the rules that speak of it.
pub type Topic = (&'static str, String, &'static [&'static str]);

const TOPICS: &[(&str, &[&str])] = &[
    ("user", &["account-missing", "account-may-become-root"]),
    ("repository", &["repository-not-a-work-tree"]),
    ("venv", &["venv-missing", "venv-config-invalid"]),
    ("python", &["venv-python-broken", "venv-open"]),
    ("unit", &["unit-missing", "unit-masked", "unit-refused"]),
    (
        "env file",
        &[
            "env-file-missing",
            "env-file-not-regular",
            "env-file-owner-wrong",
            "env-file-mode-wrong",
            "env-file-unreachable",
            "env-file-in-repository",
            "start-env-file-missing",
        ],
    ),
    ("variables", &["env-variable-missing", "env-variable-wrong", "env-variable-hijacks"]),
    ("script", &["job-script-missing", "job-script-open"]),
    ("server", &[OWN_REDIS, NAMED_REDIS, DEPENDENCY_SERVER, DEPENDENCY_UNIT]),
    ("database", &["database-missing", "database-invalid"]),
    ("directories", &["place-missing", "place-misplaced", "place-owner-wrong", "place-mode-wrong", UNPLACED]),
];

/// Asked only where a dependency is nothing but a unit: it takes a connection to systemd.
const DEPENDENCY_UNIT: &str = "dependency-not-active";

/// Asked only where a dependency is another server than Redis: it asks every server of the contract.
const DEPENDENCY_SERVER: &str = "dependency-not-answering";

/// Asked only where a service writes a directory that is no place of the layout: it takes a look at all that the
/// unit's start needs.
const UNPLACED: &str = "start-directory-unwritable";

/// Asked at once only where the environment need not name a server: a job uses the one that is named. It is asked when
/// that one does not answer, because it tells which of the two is wrong.
const OWN_REDIS: &str = "redis-not-answering";

/// The one that the environment names.
const NAMED_REDIS: &str = "redis-named-not-answering";

/// What was found, by topic.
pub struct Preflight {
    /// The outcomes.
    pub report: Report,
    /// What was looked at.
    pub facts: HostFacts,
    /// How to tell them.
    pub topics: Vec<Topic>,
}

/// Looks at the host and judges it by a narrowed contract. Where that is not compliant, or no environment names the Redis
/// that the contract has, it looks again, at all there is to know.
pub fn check(system: &dyn System, contract: &Contract) -> Preflight {
    let look = |is_thorough| {
        let selection = selection(contract, is_thorough);
        let facts = gather(system, contract, selection.needs(contract));
        (audit(contract, &facts, &selection, false), facts)
    };
    let (mut report, mut facts) = look(false);
    let has_asked = |result: &RuleResult| result.rule.id == NAMED_REDIS && matches!(result.said, Said::Pass);
    if report.verdict() != Verdict::Compliant
        || names_its_redis(contract) && !report.results.iter().any(has_asked)
    {
        (report, facts) = look(true);
    }
    let topics = TOPICS.iter().map(|(name, rules)| (*name, about(contract, &facts, name), *rules)).collect();
    Preflight { report, facts, topics }
}

fn selection(contract: &Contract, is_thorough: bool) -> Selection {
    let has = |is: fn(&DependencyKind) -> bool| contract.dependencies.values().any(|other| is(&other.kind));
    let has_unit = has(|kind| matches!(kind, DependencyKind::Unit));
    let has_server = has(|kind| matches!(kind, DependencyKind::Server { .. }));
    let is_placed = |path: &str| contract.layout.values().any(|place| place.path.value == path);
    let mut written = contract.services.iter().flat_map(|service| &service.writes);
    let has_unplaced = written.any(|path| !is_placed(&path.value));
    let rules = TOPICS.iter().flat_map(|(_, rules)| *rules);
    let rules = rules.filter(|rule| match **rule {
        DEPENDENCY_UNIT => has_unit,
        DEPENDENCY_SERVER => has_server,
        UNPLACED => has_unplaced,
        OWN_REDIS => is_thorough || !names_its_redis(contract),
        _ => true,
    });
    Selection { rules: rules.map(|rule| (*rule).to_owned()).collect(), ..Selection::default() }
}

/// Whether the contract has one Redis and says where services find its address.
fn names_its_redis(contract: &Contract) -> bool {
    let named_by = |dependency: &Dependency| match &dependency.kind {
        DependencyKind::Redis { named_by, .. } => Some(named_by.is_some()),
        _ => None,
    };
    let all: Vec<bool> = contract.dependencies.values().filter_map(named_by).collect();
    all == [true]
}

/// What a topic is about: as the contract names it, and servers as they were asked.
fn about(contract: &Contract, facts: &HostFacts, topic: &str) -> String {
    let Some(service) = contract.services.first() else { return String::new() };
    let venv =
        |rest: &str| service.venv.as_ref().map(|venv| format!("{}{rest}", venv.value)).unwrap_or_default();
    let asks_named_alone = facts.gathered.has(Need::NamedServers) && !facts.gathered.has(Need::Servers);
    let server = |dependency: &Dependency| match &dependency.kind {
        DependencyKind::Redis { .. } if asks_named_alone => None,
        DependencyKind::Redis { address, .. } | DependencyKind::Server { address, .. } => {
            Some(address.value.clone())
        }
        DependencyKind::Unit => dependency.unit.as_ref().map(|unit| unit.value.clone()),
        DependencyKind::Sqlite { .. } => None,
    };
    let database = |dependency: &Dependency| match &dependency.kind {
        DependencyKind::Sqlite { path, .. } => Some(path.value.clone()),
        _ => None,
    };
    let dependencies = contract.dependencies.values();
    let all: Vec<String> = match topic {
        "user" => vec![service.user.value.clone()],
        "repository" => contract.repository.iter().map(|repository| repository.path.value.clone()).collect(),
        "venv" => vec![venv("")],
        "python" => vec![venv("/bin/python")],
        "unit" => vec![service.unit.value.clone()],
        "env file" => service.env_files.iter().map(|file| file.path.clone()).collect(),
        "variables" => vec![format!("{} demanded", service.variables.len())],
        "script" => contract
            .jobs
            .iter()
            .filter_map(|job| match &job.runs {
                JobProgram::Script(script) => Some(script.value.clone()),
                JobProgram::BuiltIn(_) => None,
            })
            .collect(),
        "server" => {
            let named = facts.named_servers.keys().map(|address| address.to_string());
            dependencies.filter_map(server).chain(named).collect()
        }
        "database" => dependencies.filter_map(database).collect(),
        "directories" => service.writes.iter().map(|written| written.value.clone()).collect(),
        _ => Vec::new(),
    };
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{OWN_REDIS, selection};
    use crate::contract::Contract;
    use crate::facts::Need;
    use crate::rules::Rule;
    use crate::run::call;

    #[test]
    fn the_contracts_own_redis_is_asked_for_when_something_is_wrong() {
        let contract = Contract::built_in();
        let call = call::nothing(&contract, OsStr::new("ai-engine")).unwrap();
        let narrow = call.narrowed(contract).unwrap();
        let (quick, thorough) = (selection(&narrow, false), selection(&narrow, true));
        let needs = quick.needs(&narrow);
        assert!(needs.has(Need::NamedServers) && !needs.has(Need::Servers));
        assert!(!quick.rules.iter().any(|rule| rule == OWN_REDIS));
        assert!(thorough.rules.iter().any(|rule| rule == OWN_REDIS));
        assert!(thorough.needs(&narrow).has(Need::Servers));
    }

    #[test]
    fn every_rule_of_the_preflight_exists_and_stands_in_one_topic() {
        let mut seen = std::collections::HashSet::new();
        for rule in super::TOPICS.iter().flat_map(|(_, rules)| *rules) {
            assert!(Rule::find(rule).is_some(), "{rule}");
            assert!(seen.insert(rule), "{rule}");
        }
    }
}
