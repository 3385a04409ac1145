//! The environment of a service, layer by layer: what systemd will give it, and where each value comes from.
//!
//! `EnvironmentFile=` beats `Environment=` whatever their order, a later file beats an earlier one, and
//! `UnsetEnvironment=` beats all (systemd.exec(5)).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Location, Observed, Undecided};
use crate::syntax::effective::EffectiveUnit;
use crate::syntax::env_file::EnvFile;
use crate::syntax::env_shell::ShellReading;
use crate::syntax::environment::{parse_environment, parse_unset_environment};

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
    let read = |setting: &crate::syntax::effective::Setting| {
        let path = setting.value();
        let bare = path.strip_prefix('-').unwrap_or(path);
        ReadFile { path: bare.to_owned(), optional: bare.len() < path.len(), at: setting.at.clone() }
    };
    unit.assignments("Service", "EnvironmentFile").map(read).collect()
}

/// Every value that one variable is given, the one that counts last. Empty when it is not set.
pub fn layers(env_files: &EnvFiles, unit: &EffectiveUnit, name: &str) -> Result<Vec<Layer>, Undecided> {
    let as_is = |text: &str| Ok(text.to_owned());
    let mut layers = Vec::new();
    for setting in unit.assignments("Service", "Environment") {
        for assignment in parse_environment(setting.value(), &as_is).items {
            if assignment.name == name {
                layers.push(Layer { value: assignment.value, at: setting.at.clone() });
            }
        }
    }
    for file in files_of(unit) {
        let observed = env_files.get(file.path.as_str());
        let observed =
            observed.ok_or_else(|| Undecided::new(format!("nobody has looked at {}", file.path)))?;
        let Some(content) = known(&file.path, observed)? else { continue };
        if content.read.fatal.is_some() {
            continue;
        }
        let same = content.read.variables.iter().filter(|variable| variable.name == name);
        layers.extend(same.map(|variable| Layer {
            value: variable.value.clone(),
            at: Location::line(file.path.as_str(), variable.line),
        }));
    }
    for setting in unit.assignments("Service", "UnsetEnvironment") {
        for removal in parse_unset_environment(setting.value(), &as_is).items {
            let counts = layers.last().map(|layer| layer.value.clone());
            if removal.name == name && (removal.value.is_none() || removal.value == counts) {
                layers.clear();
            }
        }
    }
    Ok(layers)
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
pub fn all(env_files: &EnvFiles, unit: &EffectiveUnit) -> Result<BTreeMap<String, Vec<Layer>>, Undecided> {
    let as_is = |text: &str| Ok(text.to_owned());
    let mut names = BTreeSet::new();
    for setting in unit.assignments("Service", "Environment") {
        names.extend(parse_environment(setting.value(), &as_is).items.into_iter().map(|item| item.name));
    }
    for file in files_of(unit) {
        if let Some(Observed::Found(content)) = env_files.get(file.path.as_str()) {
            names.extend(content.read.variables.iter().map(|variable| variable.name.to_string()));
        }
    }
    let mut all = BTreeMap::new();
    for name in names {
        let layers = layers(env_files, unit, &name)?;
        if !layers.is_empty() {
            all.insert(name, layers);
        }
    }
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
