//! What a rule may know of env files and of the variables that services get.

use std::collections::BTreeMap;

use super::{EffectiveUnit, EnvFileFacts, Location, Need, Undecided, View, not_looked_at};
use crate::facts::environment::{self, Layer, ReadFile};
use crate::facts::start::Loading;

impl<'a> View<'a> {
    /// An env file's content by its path; `None` when it does not exist.
    pub fn env_file(&self, path: &str) -> Result<Option<&'a EnvFileFacts>, Undecided> {
        let observed = self.facts(Need::EnvFiles)?.env_files.get(path).ok_or_else(|| not_looked_at(path))?;
        environment::known(path, observed)
    }

    /// The env files that a unit reads, in order: those that a pattern matches in its place.
    pub fn env_files_of(&self, unit: &EffectiveUnit) -> Result<Vec<ReadFile>, Undecided> {
        Ok(environment::matched_files(&self.facts(Need::EnvFiles)?.env_files, unit))
    }

    /// Every value that a variable is given in a unit's environment, the one that counts last.
    pub fn layers(&self, unit: &EffectiveUnit, name: &str) -> Result<Vec<Layer>, Undecided> {
        environment::layers(&self.facts(Need::EnvFiles)?.env_files, unit, name)
    }

    /// What the environment of a unit says about the libraries of its programs.
    pub fn loading(&self, unit: &EffectiveUnit) -> Result<Loading, Undecided> {
        let env_files = &self.facts(Need::EnvFiles)?.env_files;
        Loading::of(|name| environment::known_layers(env_files, unit, name))
    }

    /// The arguments of a unit's commands as their programs get them.
    pub fn arguments(&self, unit: &'a EffectiveUnit) -> Result<environment::Arguments<'a>, Undecided> {
        let version = self.systemd().known().ok().flatten().copied();
        let env_files = &self.facts(Need::EnvFiles)?.env_files;
        Ok(environment::Arguments::of(self.contract, env_files, unit, version))
    }

    /// Every variable of a unit's environment with all values it is given, the one that counts last.
    pub fn environment(&self, unit: &EffectiveUnit) -> Result<BTreeMap<String, Vec<Layer>>, Undecided> {
        environment::all(&self.facts(Need::EnvFiles)?.env_files, unit)
    }

    /// The variables that the words of a unit's commands may name; `None` for one of which that is not known.
    pub fn named_by_commands(
        &self,
        unit: &EffectiveUnit,
    ) -> Result<BTreeMap<String, Option<Vec<Layer>>>, Undecided> {
        let version = self.systemd().known().ok().flatten().copied();
        environment::named_by_commands(&self.facts(Need::EnvFiles)?.env_files, unit, version)
    }

    /// The `host:port` that a unit's environment names in two variables, and where.
    pub fn named_address(
        &self,
        unit: &EffectiveUnit,
        variables: (&str, &str),
    ) -> Result<Option<(String, Location)>, Undecided> {
        environment::named_address(&self.facts(Need::EnvFiles)?.env_files, unit, variables)
    }
}
