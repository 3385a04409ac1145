//! The environment of a service, layer by layer: what systemd will give it, and where each value comes from.
//!
//! `Environment=` beats what the manager hands to all services, `EnvironmentFile=` beats `Environment=` whatever their
//! order, a later file beats an earlier one, and `UnsetEnvironment=` beats all (systemd.exec(5)).

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::{Contract, secrets};
use crate::model::{Location, Observed, Undecided};
use crate::syntax::env_file::EnvFile;
use crate::syntax::env_shell::ShellReading;
use crate::syntax::glob::{matches_name, pattern};
use crate::syntax::stand_in::is_stand_in;
use crate::systemd::command_line::{Command, expand_arguments};
use crate::systemd::effective::EffectiveUnit;
use crate::systemd::environment::{parse_environment, parse_unset_environment};
use crate::systemd::version::SystemdVersion;

/// An env file as systemd reads it, and how a shell would.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnvFileFacts {
    /// systemd's reading.
    pub read: EnvFile,
    /// A shell's reading of each variable, in the same order.
    pub shell: Vec<ShellReading>,
}

/// Env files by path.
pub type EnvFiles = BTreeMap<Arc<str>, Observed<EnvFileFacts>>;

/// One value of a variable on its way through the layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The value.
    pub value: String,
    /// Where it is written.
    pub at: Location,
}

/// An env file that the unit reads: its path, and whether it may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFile {
    /// Absolute path.
    pub path: String,
    /// `EnvironmentFile=-…`.
    pub optional: bool,
    /// The assignment.
    pub at: Location,
}

/// The env files a unit reads, in order.
pub fn files_of(unit: &EffectiveUnit) -> Vec<ReadFile> {
    let read = |setting: &crate::systemd::effective::Setting| {
        let path = setting.value();
        let bare = path.strip_prefix('-').unwrap_or(path);
        ReadFile { path: bare.to_owned(), optional: bare.len() < path.len(), at: setting.at.clone() }
    };
    unit.assignments("Service", "EnvironmentFile").map(read).collect()
}

/// The files in the place of the patterns: "the argument of which may be a wildcard" (systemd.exec(5), `EnvironmentFile=`;
/// glob(7)), in the order of their names. What matches was looked at, so that it is among the known files.
pub fn matched_files(env_files: &EnvFiles, unit: &EffectiveUnit) -> Vec<ReadFile> {
    files_of(unit).into_iter().flat_map(|file| matched(env_files, file)).collect()
}

fn matched(env_files: &EnvFiles, file: ReadFile) -> Vec<ReadFile> {
    let readable = matches!(env_files.get(file.path.as_str()), Some(Observed::Absent));
    let Some((directory, pattern)) = pattern(&file.path).filter(|_| readable) else { return vec![file] };
    let is_it = |path: &&Arc<str>| {
        path.rsplit_once('/').is_some_and(|(above, name)| above == directory && matches_name(pattern, name))
    };
    // Paths below a directory stand beside each other: those of ten thousand services are not walked through for each.
    let below = format!("{directory}/");
    let near = env_files.range::<str, _>((Bound::Included(&*below), Bound::Unbounded));
    let near = near.take_while(|(path, _)| path.starts_with(&below));
    let there = near.filter(|(_, found)| !matches!(found, Observed::Absent)).map(|(path, _)| path);
    let paths = there.filter(is_it).filter(|path| ***path != *file.path);
    paths.map(|path| ReadFile { path: path.to_string(), ..file.clone() }).collect()
}

/// Every value that one variable is given, the one that counts last. Empty when it is not set.
pub fn layers(env_files: &EnvFiles, unit: &EffectiveUnit, name: &str) -> Result<Vec<Layer>, Undecided> {
    match known_layers(env_files, unit, name) {
        (layers, None) => Ok(layers),
        (_, Some(unread)) => Err(unread),
    }
}

/// The same of what is known, and the first thing that is not.
pub fn known_layers(
    env_files: &EnvFiles,
    unit: &EffectiveUnit,
    name: &str,
) -> (Vec<Layer>, Option<Undecided>) {
    let (mut all, unread) = collect(env_files, unit, |found| found == name);
    unset(unit, &mut all);
    (all.remove(name).unwrap_or_default(), unread)
}

/// The values of each variable, the one that counts last.
type Layers = BTreeMap<String, Vec<Layer>>;

/// The same where all is known.
fn collect_all(env_files: &EnvFiles, unit: &EffectiveUnit) -> Result<Layers, Undecided> {
    match collect(env_files, unit, |_| true) {
        (all, None) => Ok(all),
        (_, Some(unread)) => Err(unread),
    }
}

/// Collects the values of the variables that are wanted, in one pass over all that is written, and the first reason why not
/// all of it is known.
fn collect(
    env_files: &EnvFiles,
    unit: &EffectiveUnit,
    wanted: impl Fn(&str) -> bool,
) -> (Layers, Option<Undecided>) {
    let (mut all, mut unread) = (Layers::new(), None);
    let as_is = |text: &str| Ok(text.to_owned());
    for setting in unit.handed_down.iter().chain(unit.assignments("Service", "Environment")) {
        for assignment in parse_environment(setting.value(), &as_is).items {
            if wanted(&assignment.name) {
                let layer = Layer { value: assignment.value, at: setting.at.clone() };
                all.entry(assignment.name).or_default().push(layer);
            }
        }
    }
    for file in matched_files(env_files, unit) {
        let observed = env_files.get(file.path.as_str());
        let observed = observed.ok_or_else(|| Undecided::new(format!("{} was not looked at", file.path)));
        let content = match observed.and_then(|observed| known(&file.path, observed)) {
            Ok(content) => content.filter(|content| content.read.fatal.is_none()),
            Err(why) => {
                unread.get_or_insert(why);
                None
            }
        };
        let Some(content) = content else { continue };
        let path: Arc<str> = file.path.as_str().into();
        for variable in content.read.variables.iter().filter(|variable| wanted(&variable.name)) {
            let at = Location::line(path.clone(), variable.line);
            all.entry(variable.name.to_string())
                .or_default()
                .push(Layer { value: variable.value.clone(), at });
        }
    }
    (all, unread)
}

/// Takes away what `UnsetEnvironment=` names.
fn unset(unit: &EffectiveUnit, all: &mut BTreeMap<String, Vec<Layer>>) {
    let as_is = |text: &str| Ok(text.to_owned());
    for setting in unit.assignments("Service", "UnsetEnvironment") {
        for removal in parse_unset_environment(setting.value(), &as_is).items {
            let Some(layers) = all.get_mut(&removal.name) else { continue };
            let counts = layers.last().map(|layer| &layer.value);
            if removal.value.is_none() || removal.value.as_ref() == counts {
                layers.clear();
            }
        }
    }
}

/// The variables that the words of a unit's commands may name, each as in [`all`]. systemd 262 (measured; not 257) fills
/// them in before it takes away what `UnsetEnvironment=` names; of a version between, or an unknown one, such a variable is
/// `None`.
pub fn named_by_commands(
    env_files: &EnvFiles,
    unit: &EffectiveUnit,
    version: Option<SystemdVersion>,
) -> Result<BTreeMap<String, Option<Vec<Layer>>>, Undecided> {
    let before = collect_all(env_files, unit)?;
    let mut after = before.clone();
    unset(unit, &mut after);
    let layers = |(name, before): (String, Vec<Layer>)| {
        let is_kept = after.get(&name).is_some_and(|after| after.len() == before.len());
        let layers = match version.and_then(|version| version.has(262)) {
            _ if is_kept => Some(before),
            Some(true) => Some(before),
            Some(false) => Some(Vec::new()),
            None => None,
        };
        (name, layers)
    };
    Ok(before.into_iter().map(layers).collect())
}

/// A longer value is not filled in: a command may ask for it thousands of times.
const LONGEST_VALUE: usize = 4 << 10;

/// The arguments of a unit's commands as their programs get them, as far as files decide that.
pub struct Arguments<'a> {
    contract: &'a Contract,
    env_files: &'a EnvFiles,
    unit: &'a EffectiveUnit,
    version: Option<SystemdVersion>,
    /// Made when the first word asks for one.
    values: OnceCell<BTreeMap<String, Option<Vec<Layer>>>>,
}

impl<'a> Arguments<'a> {
    /// Of a unit that a version of systemd starts, where it is known.
    pub fn of(
        contract: &'a Contract,
        env_files: &'a EnvFiles,
        unit: &'a EffectiveUnit,
        version: Option<SystemdVersion>,
    ) -> Self {
        Self { contract, env_files, unit, version, values: OnceCell::new() }
    }

    /// The arguments after `argv[0]`. A word stays as it is written where it asks for a variable that nothing sets, or whose
    /// value is not known here or is a secret: what is made of arguments is shown, and kept in facts.
    pub fn words(&self, command: &Command) -> Vec<String> {
        let asks = |word: &String| word.contains('$') && !command.prefixes.no_expand;
        let words = command.words.iter();
        words
            .flat_map(|word| if asks(word) { self.expanded(command, word) } else { vec![word.clone()] })
            .collect()
    }

    fn expanded(&self, command: &Command, word: &str) -> Vec<String> {
        let alone = Command { words: vec![word.to_owned()], ..command.clone() };
        let is_open = Cell::new(false);
        let words = expand_arguments(&alone, &|name| {
            let value = self.value(name);
            is_open.set(is_open.get() || value.is_none());
            value
        });
        if is_open.get() { vec![word.to_owned()] } else { words }
    }

    fn value(&self, name: &str) -> Option<String> {
        let read = || named_by_commands(self.env_files, self.unit, self.version).unwrap_or_default();
        let last = self.values.get_or_init(read).get(name)?.as_ref()?.last()?;
        let is_told = !is_stand_in(&last.value)
            && last.value.len() <= LONGEST_VALUE
            && !secrets::is_hidden(self.contract, last.at.path(), name, &last.value);
        is_told.then(|| last.value.clone())
    }
}

/// The `host:port` that a unit's environment names in these two variables; `None` where one of them is not set.
pub fn named_address(
    env_files: &EnvFiles,
    unit: &EffectiveUnit,
    (host, port): (&str, &str),
) -> Result<Option<(String, Location)>, Undecided> {
    let last = |name: &str| Ok(layers(env_files, unit, name)?.pop().filter(|layer| !layer.value.is_empty()));
    let (Some(host), Some(port)) = (last(host)?, last(port)?) else { return Ok(None) };
    let is_v6 = host.value.contains(':') && !host.value.starts_with('[');
    let written = if is_v6 {
        format!("[{}]:{}", host.value, port.value)
    } else {
        format!("{}:{}", host.value, port.value)
    };
    Ok(Some((written, host.at)))
}

/// Every variable of a unit's environment with all values it is given, the one that counts last.
pub fn all(env_files: &EnvFiles, unit: &EffectiveUnit) -> Result<Layers, Undecided> {
    let mut all = collect_all(env_files, unit)?;
    unset(unit, &mut all);
    all.retain(|_, layers| !layers.is_empty());
    Ok(all)
}

/// An env file's content, or the command that would let it be read.
pub fn known<'a>(
    path: &str,
    observed: &'a Observed<EnvFileFacts>,
) -> Result<Option<&'a EnvFileFacts>, Undecided> {
    observed.known().map_err(|undecided| {
        Undecided::new(format!("{path} could not be read: {}", undecided.why)).or_run("sudo golden audit")
    })
}
