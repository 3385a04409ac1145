//! A deployment as a plan: another commit of the governed repository, the venvs whose locked requirements differ, the
//! services that run what differs restarted in order and waited for, and those that answered before asked again.
//!
//! What restarts is what runs code that differs: `services.X.code` says so. Without that key any difference counts,
//! unless nothing of the service leads into the repository (`facts::leads`). What answered before must answer after
//! (`Stage::Answers`), and is asked once more if everything is undone, since "runs as before" is said of more than the
//! restarted processes.

use std::collections::BTreeSet;

use super::build::{Hindrance, STAMP, in_order, venv_change};
use super::program::Failed;
use super::work_tree::{Place, WorkTree};
use super::{Awaited, Plan, Step, healthy};
use crate::contract::{Contract, Service};
use crate::model::Observed;
use crate::model::change::{Change, Verb};
use crate::system::hand::Hand;
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
    /// Files that differ between the two.
    pub differing: Vec<String>,
    /// The steps; none where it is checked out already.
    pub plan: Plan,
    /// Units whose code differs and that are not restarted, since others were named: they go on with the code they have
    /// loaded.
    pub older: Vec<String>,
    /// Units that run nothing that differs.
    pub untouched: Vec<String>,
}

fn hindrance(what: impl Into<String>, way_out: impl Into<String>) -> Vec<Hindrance> {
    vec![Hindrance { what: what.into(), way_out: way_out.into() }]
}

/// Which services run what a deployment brings.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Only these services are restarted; none named means all whose code differs.
    pub only: &'a [String],
    /// Services, by name, that run nothing of the repository.
    pub elsewhere: &'a BTreeSet<String>,
}

/// Fetches, and finds what `reference` stands for: a branch of the remote, a tag, a commit. Nothing that runs is touched: a
/// fetch only adds to what git has in store.
///
/// # Errors
/// What is in the way: no repository, changes that nobody has committed, no such commit.
pub fn find(
    hand: &dyn Hand,
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
    let changed = tree.changed(hand).map_err(told)?;
    if !changed.is_empty() {
        return Err(hindrance(
            format!("{} has uncommitted changes: {}", tree.path, changed.join(", ")),
            format!("look at them: git -C {} diff", tree.path),
        ));
    }
    if reference.starts_with('-') {
        return Err(hindrance(format!("{reference:?} is not the name of a commit"), "golden deploy v1.2.0"));
    }
    tree.git(hand, &["fetch", "--quiet", "--tags", "--prune", "origin"]).map_err(told)?;
    let from = tree.here(hand).map_err(told)?;
    let names =
        [format!("refs/remotes/origin/{reference}"), format!("refs/tags/{reference}"), reference.to_owned()];
    let commit = names.iter().find_map(|name| tree.commit(hand, name).ok()).ok_or_else(|| {
        let what = format!("the remote has neither a branch nor a tag nor a commit {reference:?}");
        hindrance(what, format!("git -C {} branch --remotes; git -C {0} tag", tree.path))
    })?;
    let to = Place { branch: from.branch.clone(), commit };
    let differing = tree.differing(hand, &from, &to).map_err(told)?;
    let (plan, older, untouched) = (Plan::default(), Vec::new(), Vec::new());
    Ok(Deployment { tree, from, to, differing, plan, older, untouched })
}

/// The repository and its owner, as the contract has them.
fn work_tree(system: &dyn System, contract: &Contract) -> Result<WorkTree, Vec<Hindrance>> {
    let Some(policy) = &contract.repository else {
        return Err(hindrance("the contract has no repository to deploy from", "add [repository]"));
    };
    let owner = contract.layout.get(&policy.place).and_then(|place| place.owner.as_ref());
    let name = &owner.unwrap_or(&contract.identity.user).value;
    let accounts = super::prepare::known_accounts(system)
        .map_err(|why| hindrance(why, "run it as root: sudo golden deploy"))?;
    let user = accounts
        .user(name)
        .ok_or_else(|| hindrance(format!("there is no user {name}"), "golden plan says what is missing"))?;
    let path = policy.path.value.clone();
    Ok(WorkTree { path, uid: user.uid, gid: user.gid, home: user.home.clone() })
}

impl Deployment {
    /// Makes the steps: the commit, the venvs that differ, and what runs the code that differs.
    ///
    /// # Errors
    /// What is in the way.
    pub fn plan(
        &mut self,
        hand: &dyn Hand,
        system: &dyn System,
        contract: &Contract,
        wanted: Wanted<'_>,
    ) -> Result<(), Vec<Hindrance>> {
        // What an earlier deployment has left running as it was is restarted by its name.
        let is_there = self.from == self.to;
        if is_there && wanted.only.is_empty() {
            return Ok(());
        }
        if !is_there {
            let (tree, from, to) = (self.tree.clone(), self.from.clone(), self.to.clone());
            self.plan.steps.push(Step::new("host", "it was asked for", Change::Checkout { tree, from, to }));
        }
        let venvs = self.venvs(hand, system, contract)?;
        let mut running: Vec<&Service> = Vec::new();
        for service in in_order(&contract.services).into_iter().filter(|service| service.runs_by_itself()) {
            let own_venv = service.venv.as_ref().is_some_and(|venv| venvs.contains(&venv.value));
            let is_named = wanted.only.iter().any(|name| **name == *service.name);
            let is_wanted = wanted.only.is_empty() || is_named;
            let why = match own_venv {
                true => Some("its locked requirements differ"),
                false if is_there => is_named.then_some("it was asked for"),
                false => runs_any(service, &self.differing, wanted.elsewhere).then_some("its code differs"),
            };
            let unit = service.unit.value.clone();
            match why {
                None => {
                    self.untouched.push(unit);
                    running.push(service);
                }
                Some(_) if !is_wanted && own_venv => {
                    let what = format!("{unit} runs in a venv whose locked requirements differ");
                    return Err(hindrance(what, format!("deploy it too: --service {}", service.name)));
                }
                Some(_) if !is_wanted => {
                    self.older.push(unit);
                    running.push(service);
                }
                Some(why) => {
                    let change = Change::Unit { verb: Verb::Restart, unit: unit.clone() };
                    let step = Step { health: Some(service.health()), ..Step::new(unit, why, change) };
                    self.plan.steps.push(step);
                }
            }
        }
        let answering = running.into_iter().filter(|service| answers_now(system, service));
        let awaited = answering
            .map(|service| Awaited { unit: service.unit.value.clone(), health: service.health() })
            .collect();
        if let Some(last) = self.plan.steps.last_mut() {
            last.answering = awaited;
        }
        Ok(())
    }

    /// The venvs whose locked requirements differ; their paths.
    fn venvs(
        &mut self,
        hand: &dyn Hand,
        system: &dyn System,
        contract: &Contract,
    ) -> Result<BTreeSet<String>, Vec<Hindrance>> {
        let mut made = BTreeSet::new();
        let Self { tree, from, to, plan, .. } = self;
        for venv in contract.venvs.values() {
            let Some(file) = contract.provision.requirements.get(&venv.name) else { continue };
            let (path, file) = (&venv.path.value, &file.value);
            let content = |place: &Place| tree.content(hand, &place.commit, file);
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
                    format!("let golden make it: mv {path} {path}.old && golden apply"),
                ));
            }
            let change = venv_change(contract, path, format!("{}/{file}", tree.path));
            plan.steps.push(Step::new("host", "its locked requirements differ", change));
            made.insert(path.clone());
        }
        Ok(made)
    }
}

/// Whether a service runs any of these files of the repository. Where the contract does not say what it runs, it may be
/// any of them, unless nothing of it leads into the repository.
fn runs_any(service: &Service, files: &[String], elsewhere: &BTreeSet<String>) -> bool {
    let Some(code) = &service.code else {
        return !files.is_empty() && !elsewhere.contains(&*service.name);
    };
    let is_below = |file: &String, path: &str| {
        file == path || file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
    };
    files.iter().any(|file| code.iter().any(|path| is_below(file, &path.value)))
}

/// Whether a service that is not restarted answers where the contract says.
fn answers_now(system: &dyn System, service: &Service) -> bool {
    let health = service.health();
    health.answers() && system.ask().is_some_and(|ask| healthy::answers(ask, &health).is_ok())
}
