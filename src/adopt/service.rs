//! What one unit becomes in a contract.

use std::collections::{BTreeMap, BTreeSet};

use super::Named;
use crate::contract::secrets::Hiding;
use crate::contract::{Activation, means_itself};
use crate::facts::environment::{Layer, ReadFile, files_of};
use crate::facts::{HostFacts, environment};
use crate::model::{Meta, NodeKind, Step};
use crate::syntax::accounts::{Accounts, Group, User};
use crate::syntax::glob;
use crate::system::{Look, Walker};
use crate::systemd::command_line::{self, Command};
use crate::systemd::effective::{EffectiveUnit, LoadState, Setting, is_list};
use crate::systemd::known::{self, Known};
use crate::systemd::value::Reader;

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
    /// Where it listens on the host that runs.
    pub ports: Vec<String>,
    /// What is demanded of settings, by section.
    pub settings: Vec<(String, Vec<(String, Demand)>)>,
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
    let look = Here { facts, walker, accounts, hiding };
    let files: Vec<bool> = unit.files().map(|file| look.is_public(file)).collect::<Result<_, _>>()?;
    let wording = Wording { hiding, is_public: files.into_iter().all(|is_public| is_public) };
    let (user, group) = identity(accounts, unit)?;
    let command = command(&wording, unit);
    let program = command.as_ref().map(|command| command.program.as_str());
    let venv = program.map(|program| look.venv(program)).transpose()?.flatten();
    let links = facts.units.get(unit.name.as_str()).map(|seen| seen.enabled_by.known()).transpose();
    let links = links.map_err(|undecided| undecided.why)?.flatten();
    let is_enabled = links.is_some_and(|links| !links.is_empty());
    let trigger = match named.trigger {
        Some(trigger) if starts(facts, unit, trigger)? => Some(trigger).filter(|_| !is_enabled),
        Some(trigger) if named.by_trigger => {
            return Err(format!("the {} of its name does not start it: name what it starts", trigger.word()));
        }
        _ => None,
    };
    let is_oneshot = unit.service_type() == "oneshot";
    let (kind, activation) = match trigger {
        Some(Activation::Timer) if is_oneshot => ("timer-job", None),
        _ if !is_enabled && trigger.is_none() && is_oneshot => ("job", None),
        _ => (if venv.is_some() { "python" } else { "executable" }, trigger.map(Activation::word)),
    };
    let env_files = env_files(facts, &look, unit)?;
    let directory = unit.scalar("Service", "WorkingDirectory").map(Setting::value);
    // One that may be missing (`-/path`) and the user's home (`~`) are left to the unit.
    let directory = directory.filter(|path| path.starts_with('/') && means_itself(path));
    let writes: Vec<String> = written(unit);
    let places = directory.iter().copied().chain(writes.iter().map(String::as_str));
    let places = places.filter_map(|path| look.place(path).transpose()).collect::<Result<_, _>>()?;
    Ok(Service {
        name: named.name.clone(),
        unit: unit.name.as_str().to_owned(),
        title: title(&wording, unit),
        kind,
        activation,
        user,
        group,
        venv,
        command: command.map(|command| words(&command)).unwrap_or_default(),
        variables: variables(facts, &look, &wording, unit)?,
        env_files,
        working_directory: directory.map(str::to_owned),
        settings: settings(&wording, unit),
        places,
        writes,
        ..Service::default()
    })
}

fn title(wording: &Wording<'_>, unit: &EffectiveUnit) -> Option<String> {
    let text = unit.scalar("Unit", "Description").map(Setting::value);
    text.filter(|text| wording.may_hold("Description", text)).map(str::to_owned)
}

/// Whether a unit of the same name is one that systemd would load, and starts this one.
fn starts(facts: &HostFacts, unit: &EffectiveUnit, trigger: Activation) -> Result<bool, String> {
    let name = format!("{}.{}", unit.name.stem(), trigger.word());
    let seen = facts.units.get(name.as_str()).map(|seen| seen.effective.known()).transpose();
    let seen = seen.map_err(|undecided| format!("{name}: {undecided}"))?.flatten();
    let starts_it = |trigger: &EffectiveUnit| {
        trigger.started().is_some_and(|(started, _)| unit.names().any(|own| own == started))
    };
    Ok(seen.is_some_and(|trigger| matches!(trigger.load, LoadState::Loaded) && starts_it(trigger)))
}

/// User and group of the processes, by name.
fn identity(accounts: &Accounts, unit: &EffectiveUnit) -> Result<(String, String), String> {
    let user = unit.user_name().ok_or("systemd makes up the name of its user")?;
    let by_id = user.parse().ok().and_then(|uid| accounts.user_by_id(uid));
    let known = accounts.user(user).or(by_id);
    let name = known.map_or(user, |user| user.name.as_str()).to_owned();
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("its user {name} has no name, and a contract names accounts"));
    }
    if unit.is_dynamic() {
        let group = unit.dynamic_group().unwrap_or(&name).to_owned();
        return Ok((name, group));
    }
    let stated = unit.scalar("Service", "Group").map(Setting::value).filter(|group| !group.is_empty());
    let group = match stated {
        Some(group) => {
            let by_id = group.parse().ok().and_then(|gid| accounts.group_by_id(gid));
            let name = by_id.map_or(group, |group| group.name.as_str()).to_owned();
            if name.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(format!("its group {name} has no name, and a contract names accounts"));
            }
            name
        }
        None => {
            let primary = known.and_then(|user| accounts.group_by_id(user.gid));
            primary.map_or_else(|| name.clone(), |group| group.name.clone())
        }
    };
    Ok((name, group))
}

/// The one command that it starts, specifiers as they are written.
fn command(words_of: &Wording<'_>, unit: &EffectiveUnit) -> Option<Command> {
    let mut lines =
        unit.assignments("Service", "ExecStart").map(|setting| command_line::parse(setting.raw()));
    let (line, more) = (lines.next().filter(|line| line.error.is_none())?, lines.next());
    let mut commands = line.commands.into_iter();
    let (command, others) = (commands.next()?, commands.next());
    // What a bare name leads to is the search path's to say.
    let is_plain = command.program.starts_with('/')
        && words_of.may_hold_words(&words(&command))
        && !command.prefixes.argv0_override
        && !command.prefixes.no_expand;
    (more.is_none() && others.is_none() && is_plain).then_some(command)
}

fn words(command: &Command) -> Vec<String> {
    std::iter::once(command.program.clone()).chain(command.words.iter().cloned()).collect()
}

/// What of a unit may be written down a second time, for whoever reads the contract.
struct Wording<'a> {
    hiding: &'a Hiding<'a>,
    /// Whether everybody may read all of the unit's files.
    is_public: bool,
}

impl Wording<'_> {
    /// The value of a setting: no secret, and one that means itself in a contract.
    fn may_hold(&self, key: &str, text: &str) -> bool {
        self.is_public && self.hiding.spans_of_setting(key, text).is_empty() && means_itself(text)
    }

    /// The words of a command.
    fn may_hold_words(&self, words: &[String]) -> bool {
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        let hides = !self.hiding.spans_of_words(&texts).is_empty();
        self.is_public && !hides && texts.iter().all(|word| means_itself(word))
    }

    /// The value of a variable, which the whole line gives away where another one of it is a secret.
    fn may_hold_variable(&self, unit: &EffectiveUnit, name: &str, layer: &Layer) -> bool {
        let mut lines = unit.assignments("Service", "Environment").filter(|setting| setting.at == layer.at);
        let is_of_unit = lines
            .next()
            .is_some_and(|line| self.hiding.spans_of_setting("Environment", line.raw()).is_empty());
        let pair = format!("{name}={}", layer.value);
        self.is_public
            && is_of_unit
            && !self.hiding.hides(layer.at.path(), name, &layer.value)
            && self.hiding.spans_of_words(&[&pair, &layer.value]).is_empty()
            && self.hiding.spans_of_words(&layer.value.split_whitespace().collect::<Vec<_>>()).is_empty()
            && means_itself(&layer.value)
    }
}

/// What the unit's own files state; links beside it say that somebody starts it, which its kind demands already.
fn settings(wording: &Wording<'_>, unit: &EffectiveUnit) -> Vec<(String, Vec<(String, Demand)>)> {
    let mut found: Vec<(String, Vec<(String, Demand)>)> = Vec::new();
    // An empty assignment sets most settings back, which demands nothing; this one leaves no capability.
    let emptied = unit.resets.iter().filter(|reset| &*reset.key == "CapabilityBoundingSet");
    for setting in unit.settings.iter().chain(emptied) {
        let (section, key): (&str, &str) = (&setting.section, &setting.key);
        let place = found.iter().position(|(of, _)| of == section).unwrap_or(found.len());
        let is_known = found.get(place).is_some_and(|(_, all)| all.iter().any(|(name, _)| name == key));
        let is_own = OF_THEIR_OWN.contains(&key) || key.starts_with("Exec") || key.starts_with("X-");
        let is_link = unit.files().all(|file| **file != *setting.at.path());
        if is_known || is_own || is_link {
            continue;
        }
        let Some(demand) = demand(wording, unit, section, setting) else { continue };
        if place == found.len() {
            found.push((section.to_owned(), Vec::new()));
        }
        found[place].1.push((key.to_owned(), demand));
    }
    found
}

fn demand(wording: &Wording<'_>, unit: &EffectiveUnit, section: &str, setting: &Setting) -> Option<Demand> {
    let key: &str = &setting.key;
    // A condition holds of a place, now; several of them are one question.
    if key.starts_with("Condition") || key.starts_with("Assert") {
        return None;
    }
    if setting.raw().is_empty() {
        return Some(Demand::Equals(String::new()));
    }
    if !wording.may_hold(key, setting.raw()) {
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

/// Variables that the process gets: those of the unit with their value where that may be written down, those of env files as
/// such. One that is empty is left open. The lines of a key that nobody quoted are variables with names of their own: of a
/// file that not everybody may read only what has a name by custom is told.
fn variables(
    facts: &HostFacts,
    look: &Here<'_, impl Look + ?Sized>,
    wording: &Wording<'_>,
    unit: &EffectiveUnit,
) -> Result<BTreeMap<String, Demand>, String> {
    let all = environment::all(&facts.env_files, unit).map_err(|undecided| undecided.why)?;
    let mut found = BTreeMap::new();
    for (name, mut layers) in all {
        let Some(layer) = layers.pop().filter(|layer| !layer.value.is_empty()) else { continue };
        let is_custom =
            name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        if wording.may_hold_variable(unit, &name, &layer) {
            found.insert(name, Demand::Equals(layer.value));
        } else if is_custom || look.is_public(layer.at.path())? {
            found.insert(name, Demand::Present);
        }
    }
    Ok(found)
}

fn env_files<L: Look + ?Sized>(
    facts: &HostFacts,
    look: &Here<'_, L>,
    unit: &EffectiveUnit,
) -> Result<Vec<EnvFile>, String> {
    let mut files: Vec<(EnvFile, BTreeSet<&str>)> = Vec::new();
    for ReadFile { path, optional, .. } in files_of(unit) {
        if glob::pattern(&path).is_some() {
            return Err(format!("EnvironmentFile={path} is a pattern, which a contract cannot name"));
        }
        let read = facts.env_files.get(path.as_str()).map(|file| file.known()).transpose();
        let read = read.map_err(|undecided| format!("{path}: {undecided}"))?.flatten();
        let variables = || read.into_iter().flat_map(|file| &file.read.variables);
        // A file that is read twice counts where it is read last.
        files.retain(|(other, _)| other.path != path);
        let names: BTreeSet<&str> = variables().map(|one| one.name.as_str()).collect();
        let is_named_before = |name: &&&str| files.iter().any(|(_, before)| before.contains(*name));
        let overrides = names.iter().filter(is_named_before).map(|name| (*name).to_owned()).collect();
        let secret = variables().any(|one| look.hiding.hides(&path, &one.name, &one.value));
        let owned = look.owned(&path)?.map(|(owned, _)| owned);
        files.push((EnvFile { path, optional, owned, secret, overrides }, names));
    }
    Ok(files.into_iter().map(|(file, _)| file).collect())
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
    facts: &'a HostFacts,
    walker: &'a Walker<'a, L>,
    accounts: &'a Accounts,
    hiding: &'a Hiding<'a>,
}

impl<L: Look + ?Sized> Here<'_, L> {
    /// What lies there, as the audit will see it: below a file system that is not mounted nothing is known.
    fn node(&self, path: &str) -> Result<Option<Step>, String> {
        let seen = self.facts.paths.get(path).cloned();
        let lookup = seen.unwrap_or_else(|| self.walker.lookup(path));
        lookup.node().map(Option::<&Step>::cloned).map_err(|undecided| undecided.why)
    }

    /// Whether everybody may read a file.
    fn is_public(&self, path: &str) -> Result<bool, String> {
        Ok(self.node(path)?.is_some_and(|node| node.meta.mode & 0o004 != 0))
    }

    /// Whose it is; `None` of what is not there, and of what belongs to a number without a name.
    fn owned(&self, path: &str) -> Result<Option<(Owned, NodeKind)>, String> {
        let Some(node) = self.node(path)? else { return Ok(None) };
        let Meta { uid, gid, mode, kind, .. } = node.meta;
        let (user, group) = (self.accounts.user_by_id(uid), self.accounts.group_by_id(gid));
        let owned = |(user, group): (&User, &Group)| {
            (Owned { owner: user.name.clone(), group: group.name.clone(), mode }, kind)
        };
        Ok(user.zip(group).map(owned))
    }

    fn place(&self, path: &str) -> Result<Option<Place>, String> {
        let owned =
            self.owned(path)?.filter(|(_, kind)| *kind == NodeKind::Directory && !COMMON.contains(&path));
        Ok(owned.map(|(owned, _)| Place { path: path.to_owned(), owned }))
    }

    /// The venv of a program in its `bin/`.
    fn venv(&self, program: &str) -> Result<Option<String>, String> {
        let Some((directory, _)) = program.rsplit_once("/bin/") else { return Ok(None) };
        Ok(self.node(&format!("{directory}/pyvenv.cfg"))?.map(|_| directory.to_owned()))
    }
}
