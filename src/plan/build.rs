//! What golden makes where the contract demands it and it is missing, as steps. Nothing is changed here.
//!
//! What is there belongs to whoever made it: a unit, an env file or a directory that golden did not write is never
//! rewritten; what it violates is the matter of findings and their remedies. golden's own files that nobody has edited
//! follow the contract. Where nothing that is demanded is missing and golden has made nothing here, there is no step: on
//! a compliant host a plan is empty.

mod units;

use std::collections::{BTreeMap, BTreeSet};

use super::{Plan, Step};
use crate::contract::{Contract, DependencyKind, INSTALLED, LeadsOut};
use crate::model::change::{Change, Spot, is_unit_file};
use crate::model::{End, Lookup, NodeKind, Observed, sha256};
use crate::render::{Artefact, HostFile, MARK, What};
use crate::syntax::accounts::Accounts;
use crate::system::{READ_LIMIT, System, Walker};

pub(super) use units::in_order;
pub(crate) use units::places_of;

/// In a venv that golden made: the digest of the requirements that are in it.
pub(super) const STAMP: &str = ".golden-requirements";

/// Why golden cannot make a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// What is in the way.
    pub what: String,
    /// What to do about it.
    pub way_out: String,
}

/// What golden is known to have written: digests of contents by path.
#[derive(Clone, Debug, Default)]
pub struct Ours {
    written: BTreeMap<String, BTreeSet<String>>,
    /// Files that somebody else wrote are taken over.
    pub take_over: bool,
    /// What golden would like beyond what is demanded is made, too.
    pub optional: bool,
}

impl Ours {
    /// What the journals of this host's plans say, and what the installed contract renders.
    pub fn known(act: &crate::system::act::Act, installed: &[Artefact]) -> std::io::Result<Self> {
        let mut ours = Self::default();
        for kept in super::journal::Kept::all(act)? {
            kept.journal
                .steps
                .iter()
                .filter_map(|record| record.edit.as_ref())
                .for_each(|edit| ours.learn(edit));
        }
        for artefact in installed {
            if let Some(file) = &artefact.on_host {
                ours.add(&file.path, &artefact.content);
            }
        }
        Ok(ours)
    }

    /// What a plan wrote as a whole is golden's, and so is what it changed of that later. A file of somebody else's in
    /// which it changed a line stays theirs.
    fn learn(&mut self, edit: &super::journal::EditRecord) {
        use super::store::Kept;
        let Kept::File { digest, .. } = &edit.after else { return };
        let known = self.written.entry(edit.path.clone()).or_default();
        let was_ours = match &edit.before {
            Kept::Absent => true,
            Kept::File { digest, .. } => known.contains(digest),
            _ => false,
        };
        if edit.whole || was_ours {
            known.insert(digest.clone());
        }
    }

    /// A text that golden writes at a path.
    fn add(&mut self, path: &str, text: &str) {
        self.written.entry(path.to_owned()).or_default().insert(sha256(text));
    }

    /// Whether golden wrote this content to that path.
    fn wrote(&self, path: &str, content: &str) -> bool {
        self.written.get(path).is_some_and(|digests| digests.contains(&sha256(content)))
    }
}

const WHOLE: &str = "run it as root, on a whole host or with --root on the disk of one";

/// The steps that make what is demanded and missing. `text` is the contract's own where it is not built in.
pub fn plan(
    system: &dyn System,
    contract: &Contract,
    artefacts: &[Artefact],
    text: Option<&str>,
    ours: &Ours,
) -> Result<Plan, Vec<Hindrance>> {
    let mut builder = match super::prepare::known_accounts(system) {
        Ok(accounts) => Builder::new(system, contract, accounts, ours),
        Err(what) => return Err(vec![Hindrance { what, way_out: WHOLE.to_owned() }]),
    };
    builder.repository();
    builder.venvs();
    builder.databases();
    builder.env_files(artefacts);
    builder.units(artefacts);
    builder.directories(false);
    builder.accounts(artefacts);
    // A place or an env file of somebody's host needs nothing else.
    let alone = |change: &Change| match change {
        Change::File { at, .. } => !is_unit_file(&at.path),
        Change::Directory { .. } | Change::Reload | Change::Unit { .. } => true,
        _ => false,
    };
    let makes = builder.steps.iter().any(|step| !alone(&step.change));
    if makes || builder.provisioned(artefacts) || ours.optional {
        builder.packages();
        builder.contract_file(text);
        builder.host_files(artefacts);
        builder.directories(true);
    }
    builder.states();
    match builder.hindrances.is_empty() {
        true => Ok(Plan { steps: builder.steps }),
        false => Err(builder.hindrances),
    }
}

/// What is at a path now.
enum Now {
    Absent,
    File(String),
    Other,
}

struct Builder<'a> {
    system: &'a (dyn System + 'a),
    contract: &'a Contract,
    walker: Walker<'a, dyn System + 'a>,
    accounts: Accounts,
    ours: &'a Ours,
    steps: Vec<Step>,
    hindrances: Vec<Hindrance>,
    /// Units whose file, environment or venv is changed.
    changed: BTreeSet<String>,
    /// A unit file is changed.
    reload: bool,
    /// Units whose file is made.
    made: BTreeSet<String>,
}

impl<'a> Builder<'a> {
    fn new(
        system: &'a (dyn System + 'a),
        contract: &'a Contract,
        accounts: Accounts,
        ours: &'a Ours,
    ) -> Self {
        Self {
            system,
            contract,
            walker: Walker::new(system),
            accounts,
            ours,
            steps: Vec::new(),
            hindrances: Vec::new(),
            changed: BTreeSet::new(),
            reload: false,
            made: BTreeSet::new(),
        }
    }

    fn step(&mut self, subject: &str, why: impl Into<String>, change: Change) {
        self.steps.push(Step::new(subject, why, change));
    }

    fn hindered(&mut self, what: impl Into<String>, way_out: impl Into<String>) {
        let hindrance = Hindrance { what: what.into(), way_out: way_out.into() };
        if !self.hindrances.contains(&hindrance) {
            self.hindrances.push(hindrance);
        }
    }

    /// Whether something is there; an unreadable place is a hindrance.
    fn lookup(&mut self, path: &str) -> Option<Lookup> {
        let lookup = self.walker.lookup(path);
        if let End::Unreadable(at, why) = &lookup.end {
            self.hindered(format!("{at}: {why}"), "run it as root: sudo golden plan");
            return None;
        }
        Some(lookup)
    }

    fn exists(&mut self, path: &str) -> bool {
        self.lookup(path).is_some_and(|lookup| lookup.real().is_some())
    }

    /// What is at a path itself. A link in the place of a file is somebody's decision, and stays.
    fn now(&mut self, path: &str) -> Option<Now> {
        let lookup = self.walker.lookup_no_follow(path);
        if let End::Unreadable(at, why) = &lookup.end {
            self.hindered(format!("{at}: {why}"), "run it as root: sudo golden plan");
            return None;
        }
        let step = match lookup.node() {
            Ok(Some(step)) => step,
            _ => return Some(Now::Absent),
        };
        if step.meta.kind != NodeKind::File {
            return Some(Now::Other);
        }
        match self.system.read(&step.path, READ_LIMIT) {
            Observed::Found(bytes) => Some(String::from_utf8(bytes).map_or(Now::Other, Now::File)),
            Observed::Absent => Some(Now::Absent),
            Observed::Unreadable(why) => {
                self.hindered(format!("{path}: {why}"), "run it as root: sudo golden plan");
                None
            }
        }
    }

    /// A step where a file is missing, or is golden's and nobody has edited it and the contract now says otherwise.
    fn write(&mut self, subject: &str, file: &HostFile, mode: u32, content: &str) -> bool {
        let Some(now) = self.now(&file.path) else { return false };
        let why = match now {
            Now::Absent => "it is missing",
            Now::File(text) if text == content || says_the_same(&text, content) => return false,
            Now::File(text) if self.ours.wrote(&file.path, &text) => "the contract has changed",
            Now::File(_) if self.ours.take_over => "it is taken over",
            Now::File(_) | Now::Other => return false,
        };
        let HostFile { path, owner, group } = file.clone();
        let (at, content) = (Spot::of_root(path), content.to_owned());
        self.step(subject, why, Change::File { at, content, owner, group, mode });
        true
    }

    /// What golden wrote for root belongs to root and is nobody else's to write: whoever may change it, changes what root
    /// does. A mode that is tighter than golden's stays.
    fn give_back(&mut self, subject: &str, file: &HostFile, artefact: &Artefact) {
        let Some(Now::File(text)) = self.now(&file.path) else { return };
        let lookup = self.walker.lookup_no_follow(&file.path);
        let Ok(Some(step)) = lookup.node() else { return };
        let (uid, now, open) = (step.meta.uid, step.meta.mode & 0o7777, 0o022 & !artefact.mode);
        let is_ours = text.contains(MARK) && (text == artefact.content || self.ours.wrote(&file.path, &text));
        let at = Spot::of_root(file.path.clone());
        if is_ours && uid != 0 && file.owner == "root" {
            let (owner, group) = (Some("root".to_owned()), None);
            self.step(subject, "it belongs to another user", Change::Owner { at: at.clone(), owner, group });
        }
        if is_ours && now & open != 0 {
            self.step(subject, "others may write it", Change::Mode { at, mode: now & !open });
        }
    }

    /// Whether golden has provisioned this host: one of its own files of the host is there.
    fn provisioned(&self, artefacts: &[Artefact]) -> bool {
        let own = artefacts.iter().filter(|one| matches!(one.what, What::Host | What::Audit));
        own.filter_map(|artefact| artefact.on_host.as_ref()).any(|file| {
            matches!(self.system.read(&file.path, READ_LIMIT),
                Observed::Found(bytes) if String::from_utf8_lossy(&bytes).contains(MARK))
        })
    }

    fn packages(&mut self) {
        let wanted = &self.contract.provision.packages;
        if wanted.is_empty() {
            return;
        }
        let status = match self.system.read("/var/lib/dpkg/status", u64::MAX) {
            Observed::Found(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            _ => {
                return self.hindered(
                    "/var/lib/dpkg/status cannot be read, so golden does not know which packages are installed",
                    "golden installs packages only on Debian and its derivatives; remove `packages` from [provision]",
                );
            }
        };
        let installed: BTreeSet<&str> = status
            .split("\n\n")
            .filter(|entry| entry.lines().any(|line| line == "Status: install ok installed"))
            .filter_map(|entry| entry.lines().find_map(|line| line.strip_prefix("Package: ")))
            .collect();
        let missing: Vec<String> = wanted
            .iter()
            .map(|name| name.value.clone())
            .filter(|name| !installed.contains(name.as_str()))
            .collect();
        if !missing.is_empty() {
            self.step("host", "they are not installed", Change::Packages { names: missing });
        }
    }

    fn contract_file(&mut self, text: Option<&str>) {
        let contract = self.contract;
        let Some(text) = text.filter(|_| &*contract.source.path != INSTALLED) else { return };
        let extended = match contract.source.files_beside(INSTALLED) {
            Ok(files) => files,
            Err(LeadsOut { why, way_out }) => return self.hindered(why, way_out),
        };
        // What is extended comes first: no contract ever lies there without it.
        for (path, text) in extended.into_iter().rev().chain([(INSTALLED.to_owned(), text)]) {
            let file = HostFile { path, owner: "root".to_owned(), group: "root".to_owned() };
            self.write("host", &file, 0o644, text);
        }
    }

    fn host_files(&mut self, artefacts: &[Artefact]) {
        for artefact in artefacts.iter().filter(|artefact| artefact.what == What::Host) {
            let Some(file) = &artefact.on_host else { continue };
            if !self.write("host", file, artefact.mode, &artefact.content) {
                self.give_back("host", file, artefact);
            }
        }
        for artefact in artefacts.iter().filter(|artefact| artefact.what == What::Audit) {
            self.unit_file(artefact);
        }
    }

    /// Accounts that the contract names and that are missing, as the rendered sysusers.d file has them.
    fn accounts(&mut self, artefacts: &[Artefact]) {
        let home = self.contract.provision.home.as_ref().map(|home| home.value.clone());
        for line in lines_of(artefacts, "/etc/sysusers.d/") {
            let mut words = line.split_whitespace();
            let (Some(kind), Some(name), Some(id)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            let (name, missing) = match kind {
                "g" => (name, self.accounts.group(name).is_none()),
                "u" => (name, self.accounts.user(name).is_none()),
                _ => continue,
            };
            if !missing {
                continue;
            }
            let user = (kind == "u").then(|| name.to_owned());
            let group = id.strip_prefix("-:").unwrap_or(name).to_owned();
            let is_main = user.as_deref() == Some(self.contract.identity.user.value.as_str());
            let home = home.clone().filter(|_| is_main);
            self.step("host", format!("there is no {name}"), Change::Account { user, group, home });
        }
    }

    /// Directories that the contract names and that are missing: those of the disk, or those of /run, which are made at
    /// every boot and which only a host needs on which golden makes more.
    fn directories(&mut self, of_run: bool) {
        // What the journal does is a rule's matter.
        const OTHERS: [&str; 1] = ["/var/log/journal"];
        for (path, directory) in crate::render::directories(self.contract) {
            let is_there = |lookup: Lookup| lookup.node().map_or(true, |node| node.is_some());
            let is_meant = path.starts_with("/run/") == of_run && !OTHERS.contains(&path.as_str());
            if !is_meant || self.lookup(&path).is_none_or(is_there) {
                continue;
            }
            let plain = |stated: &Option<String>, usual: &str| -> String {
                stated.as_deref().map_or(usual, |stated| stated.trim_start_matches(':')).to_owned()
            };
            let mode = u32::from_str_radix(&plain(&directory.mode, "0755"), 8).unwrap_or(0o755);
            let (owner, group) = (plain(&directory.owner, "root"), plain(&directory.group, "root"));
            self.step(
                "host",
                "it is missing",
                Change::Directory { at: Spot::of_root(path), owner, group, mode },
            );
        }
    }

    fn repository(&mut self) {
        let Some(policy) = &self.contract.repository else { return };
        let path = policy.path.value.clone();
        if self.exists(&path) {
            return;
        }
        let Some(remote) = &policy.remote else {
            return self.hindered(
                format!("{path} is missing, and the contract names no remote to clone it from"),
                "add `remote = \"…\"` to [repository], or clone it by hand",
            );
        };
        let owner = self.contract.layout.get(&policy.place).and_then(|place| place.owner.as_ref());
        let user = owner.unwrap_or(&self.contract.identity.user).value.clone();
        let branch = self.contract.provision.branch.as_ref().map(|branch| branch.value.clone());
        let place = self.contract.layout.get(&policy.place);
        let group = place
            .and_then(|place| place.group.as_ref())
            .unwrap_or(&self.contract.identity.group)
            .value
            .clone();
        let mode = place.and_then(|place| place.mode.as_ref()).map_or(0o755, |mode| mode.value);
        let in_home = self
            .contract
            .provision
            .home
            .as_ref()
            .is_some_and(|home| path.starts_with(&format!("{}/", home.value)));
        let at =
            if in_home { Spot::of_user(path.clone(), user.clone()) } else { Spot::of_root(path.clone()) };
        self.step("host", "it is missing", Change::Directory { at, owner: user.clone(), group, mode });
        self.step(
            "host",
            "it is missing",
            Change::Clone { remote: remote.value.clone(), branch, path, user },
        );
    }

    fn venvs(&mut self) {
        let contract = self.contract;
        for venv in contract.venvs.values() {
            let path = &venv.path.value;
            let Some(file) = contract.provision.requirements.get(&venv.name) else { continue };
            let requirements = match &contract.repository {
                Some(policy) => format!("{}/{}", policy.path.value, file.value),
                None => continue,
            };
            let why = match self.exists(&format!("{path}/bin/python")) {
                false => "it is missing".to_owned(),
                true => match self.stale(path, &requirements) {
                    Some(why) => why,
                    None => continue,
                },
            };
            let readers = contract
                .services
                .iter()
                .filter(|service| service.venv.as_ref().is_some_and(|of| of.value == *path));
            self.changed.extend(readers.map(|service| service.unit.value.clone()));
            self.step("host", why, venv_change(contract, path, requirements));
        }
    }

    /// Why a venv that golden made must be made anew. One that somebody else made is theirs.
    fn stale(&mut self, path: &str, requirements: &str) -> Option<String> {
        let Observed::Found(stamp) = self.system.read(&format!("{path}/{STAMP}"), READ_LIMIT) else {
            return None;
        };
        let lookup = self.lookup(requirements)?;
        let Observed::Found(locked) = self.system.read(lookup.real()?, READ_LIMIT) else { return None };
        (String::from_utf8_lossy(&stamp).trim() != sha256(&locked))
            .then(|| format!("{requirements} has changed"))
    }

    fn databases(&mut self) {
        let contract = self.contract;
        for dependency in contract.dependencies.values() {
            let DependencyKind::Sqlite { path, owner, .. } = &dependency.kind else { continue };
            if !self.exists(&path.value) {
                let owner = owner.as_ref().unwrap_or(&contract.identity.user).value.clone();
                let at = Spot::of_root(path.value.clone());
                self.step(&dependency.name, "it is missing", Change::Database { at, owner });
            }
        }
    }

    fn env_files(&mut self, artefacts: &[Artefact]) {
        let contract = self.contract;
        for artefact in artefacts.iter().filter(|artefact| artefact.what == What::Env) {
            let Some(file) = &artefact.on_host else { continue };
            if self.write(&file.path, file, artefact.mode, &artefact.content) {
                let readers = contract
                    .services
                    .iter()
                    .filter(|service| service.env_files.iter().any(|own| own.path == file.path));
                self.changed.extend(readers.map(|service| service.unit.value.clone()));
            }
        }
    }
}

/// The lines of the rendered files of a directory.
fn lines_of<'f>(artefacts: &'f [Artefact], directory: &'f str) -> impl Iterator<Item = &'f str> {
    let of = move |artefact: &&Artefact| {
        artefact.on_host.as_ref().is_some_and(|file| file.path.starts_with(directory))
    };
    artefacts.iter().filter(of).flat_map(|artefact| artefact.content.lines())
}

/// Whether two texts differ in comments and empty lines alone, which have no effect in any file that golden renders.
fn says_the_same(one: &str, other: &str) -> bool {
    fn lines(text: &str) -> impl Iterator<Item = &str> {
        text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
    }
    lines(one).eq(lines(other))
}

/// A venv with the tools that a contract names.
pub(super) fn venv_change(contract: &Contract, path: &str, requirements: String) -> Change {
    let provision = &contract.provision;
    Change::Venv {
        path: path.to_owned(),
        interpreter: provision.interpreter.value.clone(),
        requirements,
        wheelhouse: provision.wheelhouse.as_ref().map(|path| path.value.clone()),
        uv: provision.uv.as_ref().map(|path| path.value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::journal::EditRecord;
    use crate::plan::store::note;
    use crate::system::hand::{Node, Rights};

    #[test]
    fn a_file_in_which_golden_changed_a_line_stays_whose_it_was() {
        let file = |text: &str| note(&Node::file(text, Rights { uid: 0, gid: 0, mode: 0o640 }));
        let edit = |before, after, whole| EditRecord { path: "/etc/x.env".to_owned(), before, after, whole };
        let mut ours = Ours::default();
        ours.learn(&edit(file("# theirs\nA=1\n"), file("# theirs\nA=2\n"), false));
        assert!(!ours.wrote("/etc/x.env", "# theirs\nA=2\n"));
        ours.learn(&edit(note(&Node::Absent), file("A=1\n"), true));
        ours.learn(&edit(file("A=1\n"), file("A=2\n"), false));
        assert!(ours.wrote("/etc/x.env", "A=1\n") && ours.wrote("/etc/x.env", "A=2\n"));
        ours.learn(&edit(file("# theirs\n"), file("A=3\n"), true));
        assert!(ours.wrote("/etc/x.env", "A=3\n"), "taken over");
        assert!(!ours.wrote("/etc/y.env", "A=3\n"));
    }
}
