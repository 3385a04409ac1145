//! What one unit becomes in a contract.

use std::collections::{BTreeMap, BTreeSet};

use super::Named;
use crate::contract::secrets::Hiding;
use crate::contract::{Activation, means_itself};
use crate::facts::environment::{ReadFile, matched_files};
use crate::facts::{HostFacts, environment};
use crate::model::{Meta, NodeKind};
use crate::syntax::accounts::Accounts;
use crate::syntax::command_line::{self, Command};
use crate::syntax::effective::{EffectiveUnit, Setting, is_list};
use crate::syntax::environment::parse_environment;
use crate::syntax::known::{self, Known};
use crate::syntax::value::Reader;
use crate::system::{Look, Walker};

/// A service as the contract will have it.
#[derive(Clone, Debug, Default)]
pub(super) struct Service {
    pub name: String,
    pub unit: String,
    pub title: Option<String>,
    pub kind: &'static str,
    pub activation: Option<&'static str>,
    pub user: String,
    pub group: String,
    pub venv: Option<String>,
    /// Program and arguments; empty where several commands, or one under another name, are started.
    pub command: Vec<String>,
    pub env_files: Vec<EnvFile>,
    pub working_directory: Option<String>,
    /// Section, setting and what is demanded of it.
    pub settings: Vec<(String, String, Demand)>,
    pub variables: BTreeMap<String, Demand>,
    /// Directories that it works in or may write to.
    pub places: Vec<Place>,
    pub writes: Vec<String>,
}

/// What is demanded of a setting or a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// This text.
    Equals(String),
    /// A list with at least these words.
    Contains(Vec<String>),
    /// Any text.
    Present,
}

/// Who owns something, and what is permitted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owned {
    pub owner: String,
    pub group: String,
    pub mode: u32,
}

/// An env file with what is special about it.
#[derive(Clone, Debug)]
pub(super) struct EnvFile {
    pub path: String,
    pub optional: bool,
    /// Unknown of a file that is not there.
    pub owned: Option<Owned>,
    pub secret: bool,
    pub overrides: Vec<String>,
}

/// A directory that is there.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub path: String,
    pub owned: Owned,
}

/// Settings that have a key of their own in the contract, that are words for people, or that hold what is nobody's business.
const OF_THEIR_OWN: &[&str] = &[
    "Description",
    "Documentation",
    "User",
    "Group",
    "EnvironmentFile",
    "Environment",
    "WorkingDirectory",
    "SetCredential",
    "SetCredentialEncrypted",
    "StandardInputText",
    "StandardInputData",
    "SourcePath",
];

/// Directories that are everybody's: of them nothing is demanded.
const COMMON: &[&str] = &[
    "/",
    "/etc",
    "/home",
    "/opt",
    "/root",
    "/run",
    "/srv",
    "/tmp",
    "/usr",
    "/var",
    "/var/lib",
    "/var/log",
    "/var/cache",
    "/var/tmp",
    "/dev",
    "/dev/shm",
    "/proc",
    "/sys",
];

/// What a unit becomes, or why nothing can be demanded of it.
pub(super) fn service<L: Look + ?Sized>(
    facts: &HostFacts,
    walker: &Walker<'_, L>,
    hiding: &Hiding<'_>,
    named: &Named,
    unit: &EffectiveUnit,
) -> Result<Service, String> {
    let accounts = facts.accounts.known().map_err(|undecided| undecided.why)?;
    let accounts = accounts.ok_or("/etc/passwd is not there")?;
    let look = Here { walker, accounts, hiding };
    let (user, group) = identity(accounts, unit)?;
    let command = command(hiding, unit);
    let program = command.as_ref().map(|command| command.program.as_str());
    let venv = program.and_then(|program| look.venv(program));
    let is_enabled = facts
        .units
        .get(unit.name.as_str())
        .is_some_and(|seen| matches!(seen.enabled_by.known(), Ok(Some(links)) if !links.is_empty()));
    let trigger = named.triggers.first().filter(|_| !is_enabled).copied();
    let is_oneshot = unit.scalar("Service", "Type").is_some_and(|setting| setting.value() == "oneshot");
    let (kind, activation) = match trigger {
        Some(Activation::Timer) if is_oneshot => ("timer-job", None),
        _ if !is_enabled && trigger.is_none() && is_oneshot => ("job", None),
        _ => (if venv.is_some() { "python" } else { "executable" }, trigger.map(word)),
    };
    let env_files = env_files(facts, &look, unit);
    let directory = unit.scalar("Service", "WorkingDirectory").map(Setting::value);
    // One that may be missing (`-/path`) and the user's home (`~`) are left to the unit.
    let directory = directory.filter(|path| path.starts_with('/') && means_itself(path));
    let writes: Vec<String> = written(unit);
    let places = directory.iter().copied().chain(writes.iter().map(String::as_str));
    let places = places.filter_map(|path| look.place(path)).collect();
    Ok(Service {
        name: named.name.clone(),
        unit: unit.name.as_str().to_owned(),
        title: unit
            .scalar("Unit", "Description")
            .map(|setting| setting.value().to_owned())
            .filter(|text| may_be_written(hiding, "Description", text)),
        kind,
        activation,
        user,
        group,
        venv,
        command: command.map(|command| words(&command)).unwrap_or_default(),
        variables: variables(facts, hiding, unit),
        env_files,
        working_directory: directory.map(str::to_owned),
        settings: settings(hiding, unit),
        places,
        writes,
    })
}

fn word(activation: Activation) -> &'static str {
    Activation::ALL.iter().find(|(_, other)| *other == activation).map_or("", |(word, _)| word)
}

/// User and group of the processes, by name.
fn identity(accounts: &Accounts, unit: &EffectiveUnit) -> Result<(String, String), String> {
    let user = unit.user_name().ok_or("systemd makes up the name of its user")?;
    let by_id = user.parse().ok().and_then(|uid| accounts.user_by_id(uid));
    let known = accounts.user(user).or(by_id);
    let name = known.map_or(user, |user| user.name.as_str()).to_owned();
    if unit.is_dynamic() {
        let group = unit.dynamic_group().unwrap_or(&name).to_owned();
        return Ok((name, group));
    }
    let stated = unit.scalar("Service", "Group").map(Setting::value).filter(|group| !group.is_empty());
    let group = match stated {
        Some(group) => {
            let by_id = group.parse().ok().and_then(|gid| accounts.group_by_id(gid));
            by_id.map_or(group, |group| group.name.as_str()).to_owned()
        }
        None => {
            let primary = known.and_then(|user| accounts.group_by_id(user.gid));
            primary.map_or_else(|| name.clone(), |group| group.name.clone())
        }
    };
    Ok((name, group))
}

/// The one command that it starts, specifiers as they are written.
fn command(hiding: &Hiding<'_>, unit: &EffectiveUnit) -> Option<Command> {
    let mut lines =
        unit.assignments("Service", "ExecStart").map(|setting| command_line::parse(setting.raw()));
    let (line, more) = (lines.next().filter(|line| line.error.is_none())?, lines.next());
    let mut commands = line.commands.into_iter();
    let (command, others) = (commands.next()?, commands.next());
    // A secret of a command line is not written down a second time.
    let words = words(&command);
    let texts: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_open = hiding.spans_of_words(&texts).is_empty() && texts.iter().all(|word| means_itself(word));
    // What a bare name leads to is the search path's to say.
    let is_plain = command.program.starts_with('/')
        && is_open
        && !command.prefixes.argv0_override
        && !command.prefixes.no_expand;
    (more.is_none() && others.is_none() && is_plain).then_some(command)
}

fn words(command: &Command) -> Vec<String> {
    std::iter::once(command.program.clone()).chain(command.words.iter().cloned()).collect()
}

/// Whether a text may stand in a contract as it is: it is no secret, and means itself there.
fn may_be_written(hiding: &Hiding<'_>, key: &str, text: &str) -> bool {
    hiding.spans_of_setting(key, text).is_empty() && means_itself(text)
}

/// What the unit's own files state, and what links say is somebody's choice to start it.
fn settings(hiding: &Hiding<'_>, unit: &EffectiveUnit) -> Vec<(String, String, Demand)> {
    let mut found: Vec<(String, String, Demand)> = Vec::new();
    for setting in &unit.settings {
        let (section, key): (&str, &str) = (&setting.section, &setting.key);
        let is_known = found.iter().any(|(of, name, _)| of == section && name == key);
        let is_own = OF_THEIR_OWN.contains(&key) || key.starts_with("Exec") || key.starts_with("X-");
        let is_link = unit.files().all(|file| **file != *setting.at.path());
        if is_known || is_own || is_link {
            continue;
        }
        if let Some(demand) = demand(hiding, unit, section, setting) {
            found.push((section.to_owned(), key.to_owned(), demand));
        }
    }
    found
}

fn demand(hiding: &Hiding<'_>, unit: &EffectiveUnit, section: &str, setting: &Setting) -> Option<Demand> {
    let key: &str = &setting.key;
    // A condition holds of a place, now; several of them are one question.
    if key.starts_with("Condition") || key.starts_with("Assert") {
        return None;
    }
    // An empty value that counts is one: `CapabilityBoundingSet=` leaves none.
    if setting.raw().is_empty() {
        return Some(Demand::Equals(String::new()));
    }
    if !may_be_written(hiding, key, setting.raw()) {
        return Some(Demand::Present);
    }
    if !is_list(section, key) {
        return Some(Demand::Equals(setting.raw().to_owned()));
    }
    let words = unit.words(section, key).into_iter().map(|(word, _)| word);
    let words: BTreeSet<String> = words.filter(|word| stands_alone(unit, section, key, word)).collect();
    (!words.is_empty()).then(|| Demand::Contains(words.into_iter().collect()))
}

/// Whether a word of a list is a value of its own, and no half of one: `char-rtc r` is one device with its rights.
fn stands_alone(unit: &EffectiveUnit, section: &str, key: &str, word: &str) -> bool {
    known::versions().all(|version| match known::look(version, "service", section, key) {
        Known::Setting { key, kind, .. } => {
            let read = Reader { version, unit: &unit.name }.canonical(&key, kind, word);
            read.is_ok_and(|reading| reading.passed_over.is_empty())
        }
        _ => false,
    })
}

/// Variables that the process gets: those of `Environment=` with their value unless it may be a secret, those of env files
/// as such.
fn variables(facts: &HostFacts, hiding: &Hiding<'_>, unit: &EffectiveUnit) -> BTreeMap<String, Demand> {
    let mut found = BTreeMap::new();
    for setting in unit.assignments("Service", "Environment") {
        for assignment in parse_environment(setting.value(), &|word| Ok(word.to_owned())).items {
            let is_open = !hiding.hides(setting.at.path(), &assignment.name, &assignment.value)
                && means_itself(&assignment.value);
            let demand = if is_open { Demand::Equals(assignment.value) } else { Demand::Present };
            found.insert(assignment.name, demand);
        }
    }
    if let Ok(all) = environment::all(&facts.env_files, unit) {
        let of_files =
            all.into_iter().filter_map(|(name, layers)| Some((name, layers.into_iter().next_back()?)));
        for (name, layer) in of_files {
            if layer.value.is_empty() {
                found.remove(&name);
            } else if !found.contains_key(&name) || unit.files().all(|file| **file != *layer.at.path()) {
                found.insert(name, Demand::Present);
            }
        }
    }
    found
}

fn env_files<L: Look + ?Sized>(facts: &HostFacts, look: &Here<'_, L>, unit: &EffectiveUnit) -> Vec<EnvFile> {
    let mut before: BTreeSet<String> = BTreeSet::new();
    let mut files = Vec::new();
    for ReadFile { path, optional, .. } in matched_files(&facts.env_files, unit) {
        let read = facts.env_files.get(path.as_str()).and_then(|file| file.known().ok().flatten());
        let variables = || read.into_iter().flat_map(|file| &file.read.variables);
        let overrides: BTreeSet<String> =
            variables().map(|one| one.name.clone()).filter(|name| before.contains(name)).collect();
        let secret = variables().any(|one| look.hiding.hides(&path, &one.name, &one.value));
        before.extend(variables().map(|one| one.name.clone()));
        let owned = look.owned(&path).map(|(owned, _)| owned);
        files.push(EnvFile { path, optional, owned, secret, overrides: overrides.into_iter().collect() });
    }
    files
}

/// Where its sandbox lets it write, by the unit's own word.
fn written(unit: &EffectiveUnit) -> Vec<String> {
    let words = unit.words("Service", "ReadWritePaths").into_iter();
    let paths = words
        .map(|(word, _)| word)
        .filter(|word| word.starts_with('/') && !word.contains('%') && means_itself(word));
    let mut paths: Vec<String> = paths.filter(|path| !COMMON.contains(&path.as_str())).collect();
    paths.dedup();
    paths
}

/// Looks at what lies at paths.
struct Here<'a, L: Look + ?Sized> {
    walker: &'a Walker<'a, L>,
    accounts: &'a Accounts,
    hiding: &'a Hiding<'a>,
}

impl<L: Look + ?Sized> Here<'_, L> {
    fn owned(&self, path: &str) -> Option<(Owned, NodeKind)> {
        let lookup = self.walker.lookup(path);
        let Meta { uid, gid, mode, kind, .. } = lookup.node().ok().flatten()?.meta;
        let owner = self.accounts.user_by_id(uid)?.name.clone();
        let group = self.accounts.group_by_id(gid)?.name.clone();
        Some((Owned { owner, group, mode }, kind))
    }

    fn place(&self, path: &str) -> Option<Place> {
        let (owned, kind) = self.owned(path).filter(|_| !COMMON.contains(&path))?;
        (kind == NodeKind::Directory).then(|| Place { path: path.to_owned(), owned })
    }

    /// The venv of a program in its `bin/`.
    fn venv(&self, program: &str) -> Option<String> {
        let (directory, _) = program.rsplit_once("/bin/")?;
        let config = self.walker.lookup(&format!("{directory}/pyvenv.cfg"));
        matches!(config.node(), Ok(Some(_))).then(|| directory.to_owned())
    }
}
