//! The pythons of venvs, run as the users of their services. Nothing else of golden runs anything to look at a host:
//! this happens when somebody asked for it, and for the services that were asked for.
//!
//! `Need::Probes` is never among the needs of a rule (`Needs::looked_at`); it is added here for the selected services,
//! through one door (`system::os::python`). Without it the rule is *not applicable*, and a selection of that rule alone
//! is wrong usage, so that silence is not taken for an answer. Nothing of a venv runs as root: a service of root is not
//! probed.

use std::sync::Arc;

use crate::contract::{Contract, Service};
use crate::facts::start::{Code, Roots, behind_binds, commands, given_code, lies_under, working_directory};
use crate::facts::{HostFacts, Need, Needs, environment};
use crate::model::Observed;
use crate::model::answers::PythonQuestion;
use crate::syntax::accounts::Accounts;
use crate::system::System;
use crate::systemd::effective::{EffectiveUnit, LoadState};

/// Options that put another directory first in a server's search for modules: where it looks is not known.
const ELSEWHERE: &[&str] = &["--app-dir", "--chdir", "--pythonpath"];

/// Runs the python of each of these services' venvs and adds what it said to the facts.
pub fn probe(
    system: &dyn System,
    contract: &Contract,
    selected: impl Fn(&str) -> bool,
    facts: &mut HostFacts,
) {
    let Some(ask) = system.ask() else { return };
    let services = contract.services.iter().filter(|service| selected(&service.name));
    let (names, questions): (Vec<Arc<str>>, Vec<PythonQuestion>) =
        services.filter_map(|service| Some((service.name.clone(), question(facts, service)?))).unzip();
    facts.pythons = names.into_iter().zip(ask.pythons(&questions)).collect();
    facts.gathered = facts.gathered.and(Needs::of(&[Need::Probes]));
}

/// What is to be run; `None` for a venv that does not exist, a user whom the host does not have, and for root, as whom
/// nothing of a venv is run.
fn question(facts: &HostFacts, service: &Service) -> Option<PythonQuestion> {
    let venv = service.venv.as_ref()?.value.as_str();
    let Observed::Found(_) = facts.venvs.get(venv)? else { return None };
    let Observed::Found(accounts) = &facts.accounts else { return None };
    let user = accounts.user(&service.user.value).filter(|user| user.uid != 0)?;
    let (modules, roots) = modules(facts, accounts, service, venv);
    Some(PythonQuestion {
        program: format!("{venv}/bin/python"),
        user: user.name.clone(),
        home: user.home.clone(),
        uid: user.uid,
        gid: user.gid,
        groups: accounts.group_ids_of(user),
        modules,
        roots,
    })
}

/// The packages whose modules the start names, and the directories beside the venv's own where they may lie.
fn modules(
    facts: &HostFacts,
    accounts: &Accounts,
    service: &Service,
    venv: &str,
) -> (Vec<String>, Vec<String>) {
    let Some(Observed::Found(unit)) =
        facts.units.get(service.unit.value.as_str()).map(|unit| unit.effective.as_ref())
    else {
        return Default::default();
    };
    if !matches!(unit.load, LoadState::Loaded) {
        return Default::default();
    }
    let Some(directory) = working_directory(unit, Some(accounts)) else { return Default::default() };
    let Some(roots) = roots(facts, unit, &directory.path) else { return Default::default() };
    let bin = format!("{venv}/bin");
    let version = facts.systemd.known().ok().flatten().copied();
    let mut names: Vec<String> = Vec::new();
    let arguments = environment::Arguments::of(&facts.env_files, unit, version);
    for started in commands(unit, &["ExecStart"]) {
        let program = &started.command.program;
        let words = &arguments.words(&started.command);
        let elsewhere = |word: &String| ELSEWHERE.iter().any(|option| word.starts_with(option));
        if !lies_under(program, &bin) || words.iter().any(elsewhere) {
            continue;
        }
        for code in given_code(program, words) {
            let Code::Module { name, .. } = code else { continue };
            // Of `a.b.c` only `a` can be looked for without importing anything.
            let top = name.split('.').next().unwrap_or_default().to_owned();
            if is_name(&top) && !names.contains(&top) {
                names.push(top);
            }
        }
    }
    (names, roots)
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The working directory and `PYTHONPATH`, as the host has them; `None` where an env file could not be read.
fn roots(facts: &HostFacts, unit: &EffectiveUnit, directory: &str) -> Option<Vec<String>> {
    let layers = environment::layers(&facts.env_files, unit, "PYTHONPATH").ok()?;
    let roots = Roots::stated(layers.last().map(|layer| layer.value.as_str()), directory);
    Some(roots.stated.iter().map(|root| behind_binds(unit, root)).collect())
}
