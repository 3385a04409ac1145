//! What the job finds in its environment, and where each value comes from: the service's own as systemd would
//! give it, a few words of the caller's terminal, and what the contract demands of every job.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::Refusal;
use super::identity::Identity;
use crate::contract::secrets::is_hidden;
use crate::contract::{Contract, Service};
use crate::facts::HostFacts;
use crate::facts::environment::{self, Layer};
use crate::model::{Location, Observed};
use crate::syntax::hijack::hijacks;
use crate::systemd::effective::{EffectiveUnit, LoadState};
use crate::systemd::environment::parse_unset_environment;

/// What a service gets where nobody says otherwise (systemd.exec(5)).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

/// Words of the caller's terminal, which change how output looks and nothing else.
const OF_TERMINAL: &[&str] = &["TERM", "COLORTERM", "NO_COLOR", "LANG", "LANGUAGE"];

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The value.
    pub value: OsString,
    /// Where it comes from.
    pub origin: Origin,
    /// What it took the place of, nearest first.
    pub overrode: Vec<Origin>,
    /// True when nobody may see the value.
    pub secret: bool,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of an env file or of the unit.
    Written(Location),
    /// The user's account, as systemd gives it to a service.
    Account,
    /// systemd's default.
    Default,
    /// The caller's terminal.
    Terminal,
    /// The caller, by `--pass-env`.
    Passed,
    /// The wrapper, from this part of the contract.
    Wrapper(&'static str),
}

/// The variables of a job by name.
pub type Environment = BTreeMap<String, Given>;

/// What the environment is made from.
pub struct Sources<'a> {
    /// The contract.
    pub contract: &'a Contract,
    /// The service whose environment it is.
    pub service: &'a Service,
    /// What was seen of the host.
    pub facts: &'a HostFacts,
    /// Who the job runs as.
    pub identity: &'a Identity,
    /// The caller's own variables.
    pub caller: &'a [(OsString, OsString)],
    /// Names that the caller passes openly.
    pub pass: &'a [String],
}

/// Makes the environment.
pub fn make(sources: &Sources<'_>) -> Result<Environment, Refusal> {
    let mut made = Made { contract: sources.contract, all: Environment::new() };
    made.terminal(sources.caller);
    made.put("PATH", DEFAULT_PATH, Origin::Default);
    made.account(sources.identity);
    let unit = loaded(sources);
    if let Some(unit) = unit {
        made.unset(unit);
    }
    for (name, layers) in written(sources, unit)? {
        for layer in layers {
            made.put(&name, layer.value, Origin::Written(layer.at));
        }
    }
    made.passed(sources)?;
    made.wrapper(sources);
    Ok(made.all)
}

/// The service's unit, where systemd would load it.
fn loaded<'a>(sources: &Sources<'a>) -> Option<&'a EffectiveUnit> {
    match &sources.facts.units.get(sources.service.unit.value.as_str())?.effective {
        Observed::Found(unit) if matches!(unit.load, LoadState::Loaded) => Some(unit),
        _ => None,
    }
}

/// What env files and the unit set; of a service without a unit, the contract's env files.
fn written(
    sources: &Sources<'_>,
    unit: Option<&EffectiveUnit>,
) -> Result<BTreeMap<String, Vec<Layer>>, Refusal> {
    if let Some(unit) = unit {
        return environment::all(&sources.facts.env_files, unit)
            .map_err(|undecided| Refusal::new(undecided.why));
    }
    let mut all: BTreeMap<String, Vec<Layer>> = BTreeMap::new();
    for file in &sources.service.env_files {
        let seen = sources.facts.env_files.get(file.path.as_str());
        if file.optional && matches!(seen, Some(Observed::Absent)) {
            continue;
        }
        let Some(Observed::Found(content)) = seen else {
            return Err(Refusal::new(format!("{} could not be read", file.path)));
        };
        for variable in &content.read.variables {
            let at = Location::line(file.path.as_str(), variable.line);
            all.entry(variable.name.to_string())
                .or_default()
                .push(Layer { value: variable.value.to_string(), at });
        }
    }
    Ok(all)
}

struct Made<'a> {
    contract: &'a Contract,
    all: Environment,
}

impl Made<'_> {
    fn put(&mut self, name: &str, value: impl Into<OsString>, origin: Origin) {
        let value = value.into();
        let text = value.to_string_lossy();
        let path = if let Origin::Written(at) = &origin { at.path() } else { "" };
        let secret = is_hidden(self.contract, path, name, &text);
        let overrode = self.all.remove(name).map_or_else(Vec::new, |before| {
            let mut overrode = before.overrode;
            overrode.insert(0, before.origin);
            overrode
        });
        self.all.insert(name.to_owned(), Given { value, origin, overrode, secret });
    }

    fn terminal(&mut self, caller: &[(OsString, OsString)]) {
        for (name, value) in caller {
            // What no terminal needs and no env file can hold is not worth a refusal.
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
            if value.chars().any(char::is_control) {
                continue;
            }
            if OF_TERMINAL.contains(&name) || name.starts_with("LC_") {
                self.put(name, value, Origin::Terminal);
            }
        }
    }

    /// As systemd does for `User=`: a login shell that refuses logins and a home that is the root are left out.
    fn account(&mut self, identity: &Identity) {
        let account = &identity.account;
        self.put("USER", &account.name, Origin::Account);
        self.put("LOGNAME", &account.name, Origin::Account);
        if !matches!(account.home.as_str(), "" | "/") {
            self.put("HOME", &account.home, Origin::Account);
        }
        let refuses =
            ["nologin", "false", "true"].iter().any(|end| account.shell.rsplit('/').next() == Some(end));
        if !account.shell.is_empty() && !refuses {
            self.put("SHELL", &account.shell, Origin::Account);
        }
    }

    /// Env files and `Environment=` have seen their `UnsetEnvironment=` already.
    fn unset(&mut self, unit: &EffectiveUnit) {
        for setting in unit.assignments("Service", "UnsetEnvironment") {
            for removal in parse_unset_environment(setting.value(), &|text: &str| Ok(text.to_owned())).items {
                let same = |given: &Given| removal.value.as_deref().is_none_or(|value| given.value == *value);
                if self.all.get(&*removal.name).is_some_and(same) {
                    self.all.remove(&*removal.name);
                }
            }
        }
    }

    fn passed(&mut self, sources: &Sources<'_>) -> Result<(), Refusal> {
        for name in sources.pass {
            let refused = |why: String| Err(Refusal::new(format!("--pass-env {name}: {why}")));
            if !crate::syntax::env_file::is_valid_name(name) {
                return refused("that is not the name of a variable".to_owned());
            }
            if let Some(why) = hijacks(name) {
                return refused(why.to_owned());
            }
            if OF_WRAPPER.contains(&name.as_str()) {
                return refused("the wrapper itself sets it".to_owned());
            }
            if let Some(demand) = sources.service.variables.iter().find(|demand| *demand.name == **name) {
                return refused(format!("the contract decides on it ({})", demand.at));
            }
            let own = sources.caller.iter().find(|(other, _)| other == OsStr::new(name));
            match own {
                Some((_, value)) => self.put(name, value, Origin::Passed),
                None => return refused("it is not set here".to_owned()),
            }
        }
        Ok(())
    }

    fn wrapper(&mut self, sources: &Sources<'_>) {
        if let Some(repository) = &self.contract.repository {
            self.put("REPO_ROOT", &repository.path.value, Origin::Wrapper("[repository]"));
        }
        if let Some(data) = self.contract.layout.get("data") {
            self.put("DATA_DIR", &data.path.value, Origin::Wrapper("[layout.data]"));
        }
        let Some(venv) = &sources.service.venv else { return };
        let repository = self.contract.repository.as_ref().map(|repository| repository.path.value.clone());
        self.lead("PATH", Some(format!("{}/bin", venv.value)), "[venvs]");
        self.lead("PYTHONPATH", repository, "[repository]");
        self.put("PYTHONUNBUFFERED", "1", Origin::Wrapper("every job"));
    }

    /// Puts a directory before those that a variable holds already.
    fn lead(&mut self, name: &str, directory: Option<String>, part: &'static str) {
        let Some(directory) = directory else { return };
        let mut value = OsString::from(directory);
        if let Some(before) = self.all.get(name).filter(|before| !before.value.is_empty()) {
            value.push(":");
            value.push(&before.value);
        }
        self.put(name, value, Origin::Wrapper(part));
    }
}

/// What the wrapper sets.
const OF_WRAPPER: &[&str] =
    &["REPO_ROOT", "DATA_DIR", "PATH", "PYTHONPATH", "PYTHONUNBUFFERED", "USER", "LOGNAME", "HOME", "SHELL"];

impl Origin {
    /// As words.
    pub fn words(&self) -> String {
        match self {
            Origin::Written(at) => at.to_string(),
            Origin::Account => "the user's account".to_owned(),
            Origin::Default => "systemd's default".to_owned(),
            Origin::Terminal => "the caller's terminal".to_owned(),
            Origin::Passed => "the caller, --pass-env".to_owned(),
            Origin::Wrapper(part) => format!("the wrapper, {part}"),
        }
    }
}

/// One line a variable: its value, where it comes from and what it took the place of. Secrets are masked.
pub fn shown(environment: &Environment) -> String {
    let assignment = |name: &str, given: &Given| match given.secret {
        true => format!("{name}=(a secret)"),
        false => format!("{name}={}", escaped(&given.value)),
    };
    let width =
        environment.iter().map(|(name, given)| assignment(name, given).chars().count()).max().unwrap_or(0);
    let width = width.min(60);
    let mut text = String::new();
    for (name, given) in environment {
        let origin = given.origin.words();
        text.push_str(&format!("{:<width$}  {origin}", assignment(name, given)));
        if let Some(before) = given.overrode.first() {
            text.push_str(&format!(" (over {})", before.words()));
        }
        text.push('\n');
    }
    text
}

/// Without anything that a terminal would obey.
fn escaped(value: &OsStr) -> String {
    let text = value.to_string_lossy();
    match text.chars().any(char::is_control) {
        true => text.escape_debug().to_string(),
        false => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_of_secrets_holds_is_not_shown() {
        let text = "schema = 1\nextends = \"quantum\"\n[services.backend]\n\
            env_files = [{ path = \"/etc/quantum/backend.env\", secret = true }]\n";
        let contract =
            Contract::parse(text, "golden.toml", false, &|_: &str| Err("none".to_owned())).unwrap();
        let mut made = Made { contract: &contract, all: Environment::new() };
        let at = |path: &str| Origin::Written(Location::line(path, 1));
        made.put("ANYTHING", "q7", at("/etc/quantum/backend.env"));
        made.put("SOMETHING", "q8", at("/etc/other.env"));
        made.put("A_TOKEN", "q9", at("/etc/other.env"));
        let shown = shown(&made.all);
        assert!(shown.contains("ANYTHING=(a secret)") && shown.contains("A_TOKEN=(a secret)"), "{shown}");
        assert!(shown.contains("SOMETHING=q8") && !shown.contains("q7") && !shown.contains("q9"), "{shown}");
    }
}
