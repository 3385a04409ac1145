//! The difference between a host and its contract, as steps. Nothing is changed here.
//!
//! What the contract makes as a whole file (units, timers, sysusers and tmpfiles) is golden's, and any difference is a
//! step. An env file is a person's too: variables that are right stay as they are written, further ones are never
//! touched, only what is missing or wrong is set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Action, Plan, Step, UnitVerb, Write, redis};
use crate::contract::{Contract, Dependency, DependencyKind, Health, INSTALLED, Service};
use crate::model::answers::{UnitState, UnitStates};
use crate::model::{End, Lookup, NodeKind, Observed};
use crate::render::{Artefact, HostFile, What, env_line, rendered};
use crate::syntax::accounts::{self, Accounts};
use crate::syntax::env_file;
use crate::system::{READ_LIMIT, System, Walker};

/// In a venv that golden made: the digest of the requirements that are in it.
pub(super) const STAMP: &str = ".golden-requirements";

/// Where Debian keeps the configuration of its Redis.
const REDIS_CONF: &str = "/etc/redis/redis.conf";

/// Why there can be no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// What is in the way.
    pub what: String,
    /// What to do about it.
    pub way_out: String,
}

/// The steps that make a host what its contract says. `text` is the contract's own where it is not built in.
pub fn plan(
    system: &dyn System,
    contract: &Contract,
    artefacts: &[Artefact],
    text: Option<&str>,
) -> Result<Plan, Vec<Hindrance>> {
    let mut builder = Builder::new(system, contract);
    builder.packages();
    builder.contract_file(text);
    builder.host_files(artefacts);
    builder.repository();
    builder.venvs();
    builder.dependencies();
    builder.env_files(artefacts);
    builder.units(artefacts);
    builder.states();
    match builder.hindrances.is_empty() {
        true => Ok(Plan { steps: builder.steps }),
        false => Err(builder.hindrances),
    }
}

/// What is at a path now.
enum Now {
    Absent,
    File { text: String, owner: String, group: String, mode: u32 },
}

struct Builder<'a> {
    system: &'a (dyn System + 'a),
    contract: &'a Contract,
    walker: Walker<'a, dyn System + 'a>,
    accounts: Accounts,
    steps: Vec<Step>,
    hindrances: Vec<Hindrance>,
    /// Units whose file, environment or venv is changed.
    changed: BTreeSet<String>,
    /// A unit file is changed.
    reload: bool,
}

impl<'a> Builder<'a> {
    fn new(system: &'a (dyn System + 'a), contract: &'a Contract) -> Self {
        let read = |path| match system.read(path, READ_LIMIT) {
            Observed::Found(bytes) => bytes,
            _ => Vec::new(),
        };
        Self {
            system,
            contract,
            walker: Walker::new(system),
            accounts: accounts::parse(&read("/etc/passwd"), &read("/etc/group")),
            steps: Vec::new(),
            hindrances: Vec::new(),
            changed: BTreeSet::new(),
            reload: false,
        }
    }

    fn step(&mut self, subject: &str, why: impl Into<String>, action: Action) {
        self.steps.push(Step { subject: subject.to_owned(), why: why.into(), action });
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

    /// The file at a path itself; a link or anything else in its place is a person's decision.
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
            let what = match &step.target {
                Some(target) => format!("{path} is a link to {target}, where a file belongs"),
                None => format!("{path} is {}, where a file belongs", step.meta.kind.word()),
            };
            self.hindered(what, format!("look at it, and when it may go: rm -r {path}"));
            return None;
        }
        let user = self
            .accounts
            .user_by_id(step.meta.uid)
            .map_or_else(|| step.meta.uid.to_string(), |user| user.name.clone());
        let group = self
            .accounts
            .group_by_id(step.meta.gid)
            .map_or_else(|| step.meta.gid.to_string(), |group| group.name.clone());
        match self.system.read(&step.path, READ_LIMIT) {
            Observed::Found(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Some(Now::File { text, owner: user, group, mode: step.meta.mode }),
                Err(_) => {
                    self.hindered(format!("{path} is no text"), format!("look at it: file {path}"));
                    None
                }
            },
            Observed::Absent => Some(Now::Absent),
            Observed::Unreadable(why) => {
                self.hindered(format!("{path}: {why}"), "run it as root: sudo golden plan");
                None
            }
        }
    }

    /// A step where a file differs in content, owner or mode. `mode` is the most that is allowed when `at_most`.
    fn write(&mut self, subject: &str, file: &HostFile, mode: u32, at_most: bool, content: String) -> bool {
        let Some(now) = self.now(&file.path) else { return false };
        let (text, why, mode) = match now {
            Now::Absent => (None, "it is missing".to_owned(), mode),
            Now::File { text, owner, group, mode: has } => {
                let mode_fits = if at_most { has & !mode == 0 } else { has == mode };
                let owner_fits = owner == file.owner && group == file.group;
                let why = match (text == content, owner_fits, mode_fits) {
                    (true, true, true) => return false,
                    (false, ..) => "it differs from the contract".to_owned(),
                    _ => format!("it is {owner}:{group} {has:04o}"),
                };
                (Some(text), why, if mode_fits { has } else { mode })
            }
        };
        let HostFile { path, owner, group } = file.clone();
        self.step(subject, why, Action::Write(Write { path, content, now: text, owner, group, mode }));
        true
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
                    "/var/lib/dpkg/status cannot be read, so nobody knows which packages are installed",
                    "packages are installed by golden on Debian and its kin alone; take `packages` out of [provision]",
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
            self.step("host", "they are not installed", Action::Packages(missing));
        }
    }

    fn contract_file(&mut self, text: Option<&str>) {
        let contract = self.contract;
        let Some(text) = text.filter(|_| &*contract.source.path != INSTALLED) else { return };
        let extended = match contract.source.files_beside(INSTALLED) {
            Ok(files) => files,
            Err(named) => {
                let what =
                    format!("{} extends {named}, which leads out of its directory", contract.source.path);
                let way_out =
                    "lay it beside the contract, or name it by an absolute path where only root writes";
                return self.hindrances.push(Hindrance { what, way_out: way_out.to_owned() });
            }
        };
        // What is extended comes first: no contract ever lies there without it.
        for (path, text) in extended.into_iter().rev().chain([(INSTALLED.to_owned(), text)]) {
            let file = HostFile { path, owner: "root".to_owned(), group: "root".to_owned() };
            self.write("host", &file, 0o644, false, text.to_owned());
        }
    }

    fn host_files(&mut self, artefacts: &[Artefact]) {
        for artefact in artefacts.iter().filter(|artefact| artefact.what == What::Host) {
            let Some(file) = &artefact.on_host else { continue };
            let written = self.write("host", file, artefact.mode, false, artefact.content.clone());
            if file.path.starts_with("/etc/sysusers.d/") {
                self.accounts_of(&file.path, &artefact.content);
            } else if file.path.starts_with("/etc/tmpfiles.d/") {
                self.directories_of(&file.path, &artefact.content, written);
            }
        }
    }

    fn accounts_of(&mut self, file: &str, content: &str) {
        let missing: Vec<String> = content
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter_map(|(kind, rest)| {
                let name = rest.split(' ').next()?;
                let is_there = match kind {
                    "g" => self.accounts.group(name).is_some(),
                    "u" => self.accounts.user(name).is_some(),
                    _ => true,
                };
                (!is_there).then(|| name.to_owned())
            })
            .collect::<BTreeSet<String>>()
            .into_iter()
            .collect();
        if !missing.is_empty() {
            self.step(
                "host",
                format!("there is no {}", missing.join(", ")),
                Action::Accounts(file.to_owned()),
            );
        }
    }

    fn directories_of(&mut self, file: &str, content: &str, written: bool) {
        let mut paths = Vec::new();
        let mut wrong = Vec::new();
        for line in content.lines().filter(|line| line.starts_with("d ")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, path, mode, owner, group, ..] = words[..] else { continue };
            let path = path.replace("%%", "%");
            if !self.is_directory(&path, mode, owner, group) {
                wrong.push(path.clone());
            }
            paths.push(path);
        }
        if !wrong.is_empty() || written {
            let why = match wrong.as_slice() {
                [] => "the file is new".to_owned(),
                [first] => format!("{first} is missing or not as it should be"),
                [first, rest @ ..] => {
                    format!("{first} and {} more are missing or not as they should be", rest.len())
                }
            };
            self.step("host", why, Action::Directories { file: file.to_owned(), paths });
        }
    }

    fn is_directory(&mut self, path: &str, mode: &str, owner: &str, group: &str) -> bool {
        let Some(lookup) = self.lookup(path) else { return false };
        let Ok(Some(step)) = lookup.node() else { return false };
        let bits = u32::from_str_radix(mode, 8).unwrap_or(0);
        let owned = self.accounts.user_by_id(step.meta.uid).is_some_and(|user| user.name == owner)
            && self.accounts.group_by_id(step.meta.gid).is_some_and(|of| of.name == group);
        step.meta.kind == NodeKind::Directory && owned && step.meta.mode & 0o7777 & !bits == 0
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
        self.step(
            "host",
            "it is missing",
            Action::Clone { remote: remote.value.clone(), branch, path, user },
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
            let action = Action::Venv {
                path: path.clone(),
                interpreter: contract.provision.interpreter.value.clone(),
                requirements,
                wheelhouse: contract.provision.wheelhouse.as_ref().map(|path| path.value.clone()),
                uv: contract.provision.uv.as_ref().map(|path| path.value.clone()),
            };
            self.step("host", why, action);
        }
    }

    /// Why a venv that golden made must be made anew. One that somebody else made is theirs.
    fn stale(&mut self, path: &str, requirements: &str) -> Option<String> {
        let Observed::Found(stamp) = self.system.read(&format!("{path}/{STAMP}"), READ_LIMIT) else {
            return None;
        };
        let lookup = self.lookup(requirements)?;
        let Observed::Found(locked) = self.system.read(lookup.real()?, READ_LIMIT) else { return None };
        (String::from_utf8_lossy(&stamp).trim() != digest(&locked))
            .then(|| format!("{requirements} has changed"))
    }

    fn dependencies(&mut self) {
        let contract = self.contract;
        for dependency in contract.dependencies.values() {
            match &dependency.kind {
                DependencyKind::Redis { append_only: Some(wanted), .. } if wanted.value => {
                    self.redis(dependency)
                }
                DependencyKind::Sqlite { path, owner, .. } if !self.exists(&path.value) => {
                    let user = owner.as_ref().unwrap_or(&contract.identity.user).value.clone();
                    let path = path.value.clone();
                    self.step(&dependency.name, "it is missing", Action::Database { path, user });
                }
                _ => {}
            }
        }
    }

    fn redis(&mut self, dependency: &Dependency) {
        // Without the file the package is not there yet: its own comes with it.
        let text = match self.now(REDIS_CONF) {
            Some(Now::File { text, owner, group, mode }) => Some((text, owner, group, mode)),
            _ => None,
        };
        let Some((text, owner, group, mode)) = text else { return };
        if redis::value_of(&text, "appendonly").is_some_and(|words| words == ["yes"]) {
            return;
        }
        let content = redis::with(&text, "appendonly", "yes");
        let write = Write { path: REDIS_CONF.to_owned(), content, now: Some(text), owner, group, mode };
        self.step(&dependency.name, "it must survive a crash", Action::Write(write));
        self.changed.extend(dependency.unit.iter().map(|unit| unit.value.clone()));
    }

    fn env_files(&mut self, artefacts: &[Artefact]) {
        let contract = self.contract;
        for artefact in artefacts.iter().filter(|artefact| artefact.what == What::Env) {
            let Some(file) = &artefact.on_host else { continue };
            let readers: Vec<&Service> = rendered(contract)
                .filter(|service| service.env_files.iter().any(|own| own.path == file.path))
                .collect();
            let content = match self.now(&file.path) {
                Some(Now::File { text, .. }) => merged(&text, &artefact.content, &readers),
                Some(Now::Absent) => artefact.content.clone(),
                None => continue,
            };
            if self.write(&file.path, file, artefact.mode, true, content) {
                self.changed.extend(readers.iter().map(|service| service.unit.value.clone()));
            }
        }
    }

    fn units(&mut self, artefacts: &[Artefact]) {
        for artefact in artefacts.iter().filter(|one| matches!(one.what, What::Units | What::Audit)) {
            let Some(file) = &artefact.on_host else { continue };
            let name = file.path.rsplit('/').next().unwrap_or_default().to_owned();
            if self.write(&name, file, artefact.mode, false, artefact.content.clone()) {
                self.reload = true;
                self.changed.insert(name);
            }
        }
    }

    /// What of systemd's own state differs: loaded, enabled, active.
    fn states(&mut self) {
        let Some(ask) = self.system.ask() else { return };
        let wanted = self.wanted_units();
        let names: Vec<&str> = wanted.iter().map(|unit| unit.name.as_str()).collect();
        let states = match ask.units(&names) {
            Observed::Found(states) => states,
            Observed::Absent => {
                return self.hindered("systemd does not answer", "golden plans for hosts that run systemd");
            }
            Observed::Unreadable(why) => return self.hindered(format!("systemd: {why}"), "systemctl status"),
        };
        if self.reload || states.values().any(|state| state.need_daemon_reload) {
            self.step("host", "unit files have changed", Action::Reload);
        }
        for wanted in &wanted {
            let state = states.get(wanted.name.as_str());
            if state.is_some_and(|state| state.load_state == "masked") {
                self.hindered(
                    format!("{} is masked, which somebody has done on purpose", wanted.name),
                    format!("systemctl unmask {}", wanted.name),
                );
            } else if state.is_none_or(|state| matches!(&*state.unit_file_state, "" | "disabled")) {
                self.verb(&wanted.name, "it is not enabled", UnitVerb::Enable);
            }
        }
        self.activate(&wanted, &states);
    }

    /// Starts and restarts, in the order in which units need each other.
    fn activate(&mut self, wanted: &[Wanted], states: &UnitStates) {
        let mut stopped: BTreeSet<&str> = BTreeSet::new();
        for one in wanted {
            let state = states.get(one.name.as_str());
            let active = state.is_some_and(|state| state.active_state == "active");
            let pulled_down = one.bound_to.iter().any(|unit| stopped.contains(unit.as_str()));
            let restart = active && (self.changed.contains(&one.name) || self.is_stale(state));
            let (verb, why) = match (restart, !active || pulled_down) {
                (true, _) => (UnitVerb::Restart, "what it runs from has changed"),
                (false, true) => (
                    UnitVerb::Start,
                    if active { "what it is bound to restarts" } else { "it is not active" },
                ),
                (false, false) => continue,
            };
            stopped.insert(&one.name);
            self.verb(&one.name, why, verb);
            if let Some(health) = &one.health {
                let (unit, health) = (one.name.clone(), health.clone());
                self.step(&one.name, "it was started", Action::Healthy { unit, health });
            }
        }
    }

    fn is_stale(&self, state: Option<&UnitState>) -> bool {
        state.is_some_and(|state| state.need_daemon_reload)
    }

    fn verb(&mut self, unit: &str, why: &str, verb: UnitVerb) {
        self.step(unit, why, Action::Unit { verb, unit: unit.to_owned() });
    }

    /// The units that must be enabled and active: of dependencies, of services in their order, of timers.
    fn wanted_units(&self) -> Vec<Wanted> {
        let contract = self.contract;
        let plain = |name: &str| Wanted { name: name.to_owned(), bound_to: Vec::new(), health: None };
        let mut units: Vec<Wanted> = contract
            .dependencies
            .values()
            .filter_map(|dependency| Some(plain(&dependency.unit.as_ref()?.value)))
            .collect();
        for service in in_order(&contract.services) {
            if service.kind.value.runs() {
                units.push(Wanted {
                    name: service.unit.value.clone(),
                    bound_to: service.binds_to.iter().map(|unit| unit.value.clone()).collect(),
                    health: Some(service.provision.health.clone()),
                });
            }
            units.extend(service.timer.iter().map(|timer| plain(&timer.value)));
        }
        units.push(plain(&crate::render::audit_timer(contract)));
        units
    }
}

/// A unit that must be enabled and active.
struct Wanted {
    name: String,
    bound_to: Vec<String>,
    health: Option<Health>,
}

/// Services so that each comes after those it names in `after`; a contract has no circles.
pub(super) fn in_order(services: &[Service]) -> Vec<&Service> {
    fn visit<'s>(
        service: &'s Service,
        by_name: &BTreeMap<&str, &'s Service>,
        seen: &mut BTreeSet<Arc<str>>,
        order: &mut Vec<&'s Service>,
    ) {
        if !seen.insert(service.name.clone()) {
            return;
        }
        for earlier in service.after.iter().filter_map(|name| by_name.get(name.value.as_str())) {
            visit(earlier, by_name, seen, order);
        }
        order.push(service);
    }
    let by_name: BTreeMap<&str, &Service> =
        services.iter().map(|service| (service.name.as_ref(), service)).collect();
    let (mut seen, mut order) = (BTreeSet::new(), Vec::with_capacity(services.len()));
    for service in services {
        visit(service, &by_name, &mut seen, &mut order);
    }
    order
}

/// An env file with what is missing added and what is wrong set right; everything else stays as it is written.
fn merged(text: &str, rendered: &str, readers: &[&Service]) -> String {
    let now = env_file::parse(text.as_bytes(), u32::MAX);
    let wanted = env_file::parse(rendered.as_bytes(), u32::MAX);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for variable in &wanted.variables {
        let name = variable.name.as_str();
        let Some(found) = now.get(name) else {
            lines.push(env_line(name, &variable.value));
            continue;
        };
        let demands = readers
            .iter()
            .filter_map(|service| service.variables.iter().find(|demand| *demand.name == *name));
        let is_right = demands.clone().all(|demand| demand.form.accepts(&found.value));
        let at = usize::try_from(found.line).ok().and_then(|line| lines.get_mut(line.saturating_sub(1)));
        // A value over several lines is a person's to change; the audit names it.
        if let Some(line) =
            at.filter(|line| !is_right && line.trim_start().starts_with(name) && !line.ends_with('\\'))
        {
            *line = env_line(name, &variable.value);
        }
    }
    let mut merged = lines.join("\n");
    if text.is_empty() || text.ends_with('\n') || lines.len() > text.lines().count() {
        merged.push('\n');
    }
    merged
}

/// sha256 in hex.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_file_keeps_what_is_right_and_what_is_not_ours() {
        let contract = Contract::built_in();
        let service: Vec<&Service> = contract.services.iter().filter(|one| &*one.name == "backend").collect();
        let text = "# mine\nLOG_LEVEL=DEBUG\nREDIS_PORT=6380\nSTRIPE_API_KEY=x\n";
        let rendered = "LOG_LEVEL=INFO\nREDIS_PORT=6379\nSHADOW_MODE=enabled\n";
        let merged = merged(text, rendered, &service);
        assert_eq!(
            merged,
            "# mine\nLOG_LEVEL=DEBUG\nREDIS_PORT=6379\nSTRIPE_API_KEY=x\nSHADOW_MODE=enabled\n"
        );
    }

    #[test]
    fn services_come_after_what_they_wait_for() {
        let contract = Contract::built_in();
        let names: Vec<&str> =
            in_order(&contract.services).iter().map(|service| service.name.as_ref()).collect();
        assert_eq!(names, ["backend", "ai-engine", "execution", "rl-agent"]);
    }
}
