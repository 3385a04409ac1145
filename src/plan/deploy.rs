//! A deployment as a plan: another commit of the governed repository, the venvs whose locked requirements differ, every
//! service restarted in order and waited for.

use super::build::{Hindrance, STAMP, in_order};
use super::perform::Failed;
use super::work_tree::{Place, WorkTree};
use super::{Action, Plan, Step, UnitVerb};
use crate::contract::Contract;
use crate::model::Observed;
use crate::syntax::accounts;
use crate::system::act::Act;
use crate::system::{READ_LIMIT, System};

/// What is deployed, and in place of what.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// The repository.
    pub tree: WorkTree,
    /// What is checked out now.
    pub from: Place,
    /// What will be.
    pub to: Place,
    /// The steps; none where it is checked out already.
    pub plan: Plan,
}

fn hindrance(what: impl Into<String>, way_out: impl Into<String>) -> Vec<Hindrance> {
    vec![Hindrance { what: what.into(), way_out: way_out.into() }]
}

/// Fetches, finds what `reference` stands for (a branch of the remote, a tag, a commit), and says what must be done.
/// Nothing that runs is touched: a fetch only adds to what git has in store.
pub fn plan(
    act: &Act,
    system: &dyn System,
    contract: &Contract,
    reference: &str,
) -> Result<Deployment, Vec<Hindrance>> {
    let tree = work_tree(system, contract)?;
    let told = |failed: Failed| {
        let said = failed.said.trim();
        let said = if said.is_empty() { String::new() } else { format!("\n    {said}") };
        hindrance(format!("{}{said}", failed.why), format!("look at it: git -C {} status", tree.path))
    };
    let changed = tree.changed(act).map_err(told)?;
    if !changed.is_empty() {
        return Err(hindrance(
            format!("{} has changes that nobody has committed: {}", tree.path, changed.join(", ")),
            format!("look at them: git -C {} diff", tree.path),
        ));
    }
    if reference.starts_with('-') {
        return Err(hindrance(format!("{reference:?} is no name of a commit"), "golden deploy v1.2.0"));
    }
    tree.git(act, &["fetch", "--quiet", "--tags", "--prune", "origin"]).map_err(told)?;
    let from = tree.here(act).map_err(told)?;
    let names =
        [format!("refs/remotes/origin/{reference}"), format!("refs/tags/{reference}"), reference.to_owned()];
    let commit = names.iter().find_map(|name| tree.commit(act, name).ok()).ok_or_else(|| {
        let what = format!("the remote has neither a branch nor a tag nor a commit {reference:?}");
        hindrance(what, format!("git -C {} branch --remotes; git -C {0} tag", tree.path))
    })?;
    let to = Place { branch: from.branch.clone(), commit };
    let plan = match from == to {
        true => Plan::default(),
        false => Plan { steps: steps(act, system, contract, &tree, &from, &to)? },
    };
    Ok(Deployment { tree, from, to, plan })
}

/// The repository and its owner, as the contract has them.
fn work_tree(system: &dyn System, contract: &Contract) -> Result<WorkTree, Vec<Hindrance>> {
    let Some(policy) = &contract.repository else {
        return Err(hindrance("the contract has no repository to deploy from", "add [repository]"));
    };
    let owner = contract.layout.get(&policy.place).and_then(|place| place.owner.as_ref());
    let name = &owner.unwrap_or(&contract.identity.user).value;
    let read = |path| match system.read(path, READ_LIMIT) {
        Observed::Found(bytes) => bytes,
        _ => Vec::new(),
    };
    let accounts = accounts::parse(&read("/etc/passwd"), &read("/etc/group"));
    let user = accounts
        .user(name)
        .ok_or_else(|| hindrance(format!("there is no user {name}"), "golden plan says what is missing"))?;
    let path = policy.path.value.clone();
    Ok(WorkTree { path, uid: user.uid, gid: user.gid, home: user.home.clone() })
}

fn steps(
    act: &Act,
    system: &dyn System,
    contract: &Contract,
    tree: &WorkTree,
    from: &Place,
    to: &Place,
) -> Result<Vec<Step>, Vec<Hindrance>> {
    let mut steps = Vec::new();
    let mut add = |subject: &str, why: &str, action| {
        steps.push(Step { subject: subject.to_owned(), why: why.to_owned(), action });
    };
    add(
        "host",
        "it was asked for",
        Action::Checkout { tree: tree.clone(), from: from.clone(), to: to.clone() },
    );
    for venv in contract.venvs.values() {
        let Some(file) = contract.provision.requirements.get(&venv.name) else { continue };
        let (path, file) = (&venv.path.value, &file.value);
        let content = |place: &Place| tree.content(act, &place.commit, file);
        let Some(new) = content(to) else {
            return Err(hindrance(
                format!("{} has no {file}, which the venv {path} is made with", to.commit),
                "deploy a commit that has it, or change [provision.requirements]",
            ));
        };
        // A venv without a stamp is somebody else's, and so is what is in it.
        let is_ours = matches!(system.read(&format!("{path}/{STAMP}"), READ_LIMIT), Observed::Found(_));
        if content(from).as_ref() == Some(&new) {
            continue;
        }
        if !is_ours {
            return Err(hindrance(
                format!("{file} differs, and golden has not made the venv {path}"),
                format!("let golden make it: rm -r {path} && golden apply"),
            ));
        }
        let action = Action::Venv {
            path: path.clone(),
            interpreter: contract.provision.interpreter.value.clone(),
            requirements: format!("{}/{file}", tree.path),
            wheelhouse: contract.provision.wheelhouse.as_ref().map(|path| path.value.clone()),
            uv: contract.provision.uv.as_ref().map(|path| path.value.clone()),
        };
        add("host", "its locked requirements differ", action);
    }
    for service in in_order(&contract.services).into_iter().filter(|service| service.kind.value.runs()) {
        let unit = service.unit.value.clone();
        add(&unit, "its code differs", Action::Unit { verb: UnitVerb::Restart, unit: unit.clone() });
        let health = service.provision.health.clone();
        add(&unit, "it was started", Action::Healthy { unit: unit.clone(), health });
    }
    Ok(steps)
}
