//! What a host lacks of a contract and what it violates, as one plan: `golden plan` shows it, `golden apply` carries it
//! out, and a deployment that brings another contract holds it as well.
//!
//! A demand that leaves a choice is a gap, never a value: not the least of a range, and not the first of a list. A
//! value that an existing env file sets fills it.

use std::collections::BTreeSet;

use super::{look, mend};
use crate::contract::{Contract, INSTALLED, Service};
use crate::facts::gather::gather;
use crate::facts::view::View;
use crate::facts::{Need, Needs};
use crate::model::change::{Change, Spot};
use crate::model::{Observed, Report, Subject};
use crate::plan::{Hindrance, Ours, Plan, Step};
use crate::render::Gap;
use crate::system::{READ_LIMIT, System};

/// A plan with what it was made from.
#[derive(Debug)]
pub struct Provisioning {
    /// The steps.
    pub plan: Plan,
    /// The look at the host before it.
    pub report: Report,
    /// What a person must do: what it is about, and what to do.
    pub left: Vec<(String, String)>,
}

/// Makes the plan of a host: what is missing, and the remedies of what is violated. `text` is the contract's own, where it
/// is to be installed in place of `installed`.
///
/// # Errors
/// What makes a plan impossible; approvals that are missing are the first of it.
pub fn plan(
    system: &dyn System,
    contract: &Contract,
    text: Option<&str>,
    installed: Option<&Contract>,
    ours: &Ours,
) -> Result<Provisioning, Vec<Hindrance>> {
    let report = look(system, contract, &BTreeSet::new());
    if let Some(missing) = super::approval::missing(system, &report, contract, installed) {
        return Err(vec![missing]);
    }
    let mut made = make(system, contract, text, ours, report)?;
    made.plan.steps.extend(signatures(system, contract, &made.plan));
    Ok(made)
}

/// The same for a contract that comes with a commit, and that somebody else installs and weighs.
///
/// # Errors
/// What makes a plan impossible.
pub fn wanted(system: &dyn System, contract: &Contract, ours: &Ours) -> Result<Provisioning, Vec<Hindrance>> {
    make(system, contract, None, ours, look(system, contract, &BTreeSet::new()))
}

fn make(
    system: &dyn System,
    contract: &Contract,
    text: Option<&str>,
    ours: &Ours,
    report: Report,
) -> Result<Provisioning, Vec<Hindrance>> {
    let needs = Needs::of(&[Need::Units, Need::EnvFiles]);
    let facts = gather(system, contract, needs);
    let view = View::new(contract, &facts, needs);
    let (artefacts, gaps) = crate::render::decided(contract, &|gap| is_set_already(&view, contract, gap));
    let mut plan = crate::plan::plan(system, contract, &artefacts, text, ours)?;
    let mends = mend::plan(contract, &report, &mend::findings(&report, ours.optional));
    let made = made_for(&plan, contract);
    plan.steps.extend(mends.plan.steps.into_iter().filter(|step| !made.contains(&step.subject)));
    let mut left = mends.left;
    for gap in gaps {
        if let Some(missing) = gap.files.iter().find(|path| !is_there(system, path)) {
            let what = format!("{} ({}): {}", gap.message, gap.at, gap.way_out);
            left.push((format!("{missing} is missing"), what));
        }
    }
    Ok(Provisioning { plan, report, left })
}

/// The signatures of a contract that is installed go with it.
fn signatures(system: &dyn System, contract: &Contract, plan: &Plan) -> Option<Step> {
    let installs =
        plan.steps.iter().any(|step| matches!(&step.change, Change::File { at, .. } if at.path == INSTALLED));
    let beside = contract.source.signature_path();
    let Observed::Found(text) = system.read(&beside, READ_LIMIT) else { return None };
    let content = String::from_utf8(text).ok().filter(|_| installs)?;
    let (at, owner) = (Spot::of_root(format!("{INSTALLED}.sig")), "root".to_owned());
    let change = Change::File { at, content, group: owner.clone(), owner, mode: 0o644 };
    Some(Step::new("host", "they approve the contract", change))
}

/// Whether an env file of the service that is there sets the variable: what somebody set counts, and is written once.
fn is_set_already(view: &View<'_>, contract: &Contract, gap: &Gap) -> bool {
    let Some((of, name)) = &gap.variable else { return false };
    let sets = |path: &str| {
        let read = view.env_file(path).ok().flatten().map(|file| &file.read);
        read.is_some_and(|read| read.variables.iter().any(|variable| *variable.name == **name))
    };
    let mut of_it = contract.services.iter().filter(|service| service.name == *of);
    of_it.any(|service| service.env_files.iter().any(|file| sets(&file.path)))
}

/// Whether something is at a path; for a unit, anywhere where systemd looks for it.
fn is_there(system: &dyn System, path: &str) -> bool {
    let found = |path: &str| !matches!(system.node(path), Observed::Absent);
    let elsewhere = path
        .strip_prefix("/etc/systemd/system/")
        .is_some_and(|name| crate::plan::build::places_of(name).any(|place| found(&place)));
    elsewhere || found(path)
}

/// Services whose unit, env file or venv is made anyway: what is wrong with them is looked at after that.
fn made_for(plan: &Plan, contract: &Contract) -> BTreeSet<String> {
    let touched: BTreeSet<String> = plan.steps.iter().flat_map(|step| step.change.touches()).collect();
    let of = |service: &&Service| {
        let own = [format!("/etc/systemd/system/{}", service.unit.value)];
        let files = service.env_files.iter().map(|file| file.path.clone());
        let venv = service.venv.iter().map(|venv| venv.value.clone());
        own.into_iter().chain(files).chain(venv).any(|path| touched.contains(&path))
    };
    contract
        .services
        .iter()
        .filter(of)
        .map(|service| Subject::Service(service.name.clone()).to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::MemorySystem;

    const HOST: &str = "\
file /etc/passwd root:root 0644
| root:x:0:0:root:/root:/bin/bash
| app:x:1000:1000::/srv/app:/bin/sh
file /etc/group root:root 0644
| root:x:0:
| app:x:1000:
";

    const CONTRACT: &str = r#"
schema = 1
[contract]
name = "app"
version = "1"
[identity]
user = "app"
group = "app"
[env]
owner = "root"
group = "app"
mode = "0640"
[env.variables]
PORT = { min = 1, max = 65535 }
LEVEL = { one_of = ["debug", "info"] }
[services.app]
kind = "executable"
command = ["/usr/bin/app"]
env_files = ["/etc/default/app", "/etc/app/app.env"]
"#;

    /// The env file that is written on this host, and what is left to a person.
    fn written(host: &str) -> (Option<String>, Vec<String>) {
        let contract =
            Contract::parse(CONTRACT, "golden.toml", false, &|_| Err(String::new())).expect("it is sound");
        let system = MemorySystem::from_manifest(&format!("{HOST}{host}")).expect("it is a host");
        let made = wanted(&system, &contract, &Ours::default()).unwrap();
        let content = made.plan.steps.iter().find_map(|step| match &step.change {
            Change::File { at, content, .. } if at.path == "/etc/app/app.env" => Some(content.clone()),
            _ => None,
        });
        (content, made.left.into_iter().map(|(what, how)| format!("{what}: {how}")).collect())
    }

    #[test]
    fn no_value_is_chosen_and_what_an_earlier_file_sets_counts() {
        let (content, left) = written("");
        assert_eq!(content, None);
        assert!(left.iter().any(|one| one.contains("PORT of app must be set")), "{left:?}");
        let earlier = "file /etc/default/app root:root 0644\n| PORT=6379\n";
        let (content, left) = written(earlier);
        assert_eq!(content, None, "LEVEL is open still");
        assert!(left.iter().any(|one| one.contains("LEVEL of app must be set")), "{left:?}");
        let (content, left) = written(&format!("{earlier}| LEVEL=debug\n"));
        let content = content.expect("nothing is open");
        assert!(!content.contains("PORT=") && !content.contains("LEVEL="), "{content}");
        assert!(!left.iter().any(|one| one.contains("must be set")), "{left:?}");
    }
}
