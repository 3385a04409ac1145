//! Secrets never leave the host in a facts file: each is replaced by a salted digest, so that two equal
//! secrets of one file can still be seen to be equal and nobody can look one up.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use sha2::{Digest, Sha256};

use super::{DependencyFacts, EnvFileFacts, HostFacts, RepositoryFacts};
use crate::contract::Contract;
use crate::contract::secrets::Hiding;
use crate::model::Observed;
use crate::syntax::env_file::Variable;
use crate::syntax::env_shell::ShellReading;
use crate::syntax::redis_conf::RedisConf;
use crate::syntax::secret_shape;

/// What a hidden value starts with.
pub const HIDDEN: &str = "hidden:";

impl HostFacts {
    /// Hides every value that the contract's patterns or its own shape call a secret, and what stands in files that
    /// are declared to hold secrets.
    pub fn hide_secrets(&mut self, contract: &Contract) {
        let salt = Sha256::new().chain_update(self.host.as_bytes()).chain_update(self.time.to_le_bytes());
        let hiding = Hiding::of(contract);
        let hides = |path: &str, variable: &Variable| hiding.hides(path, &variable.name, &variable.value);
        let known = Known::of(self, contract);
        for (path, file) in &mut self.env_files {
            let Observed::Found(file) = file else { continue };
            for (index, variable) in file.read.variables.iter_mut().enumerate() {
                if !hides(path, variable) {
                    continue;
                }
                if let Some(ShellReading::Differs { shell }) = file.shell.get_mut(index) {
                    *shell = hidden(&salt, shell);
                }
                variable.value = hidden(&salt, &variable.value);
            }
            for meant in file.read.dropped.iter_mut().filter_map(|dropped| dropped.meant.as_mut()) {
                if hides(path, meant) {
                    meant.value = hidden(&salt, &meant.value);
                }
            }
        }
        for process in self.processes.values_mut() {
            let Observed::Found(process) = process else { continue };
            let Observed::Found(variables) = &mut process.variables else { continue };
            for (name, value) in variables {
                // Only what the contract states itself is known to be for everybody.
                if hiding.hides("", name, value) || !hiding.states(name) && !value.is_empty() {
                    *value = hidden(&salt, value);
                }
            }
        }
        self.hide_in_texts(&|text: &str| known.hidden(text, &|value| hidden(&salt, value)));
        for answer in self.pythons.values_mut() {
            let Observed::Found(answer) = answer else { continue };
            let words: Vec<&str> = answer.complaint.split_whitespace().collect();
            let secrets = words.into_iter().filter(|word| secret_shape::secret_shape(word).is_some());
            let secrets: Vec<String> = secrets.map(str::to_owned).collect();
            for secret in secrets {
                answer.complaint = answer.complaint.replace(&secret, &hidden(&salt, &secret));
            }
        }
    }

    /// Hides what stands within the texts of units, servers and the repository.
    fn hide_in_texts(&mut self, hide: &dyn Fn(&str) -> Option<String>) {
        for unit in self.units.values_mut() {
            if let Observed::Found(effective) = &mut unit.effective {
                Arc::make_mut(effective).rewrite(hide);
            }
        }
        for dependency in self.dependencies.values_mut() {
            if let DependencyFacts::Redis { written: Observed::Found(conf), .. } = dependency {
                let arguments = conf.directives.iter_mut().flat_map(|directive| &mut directive.arguments);
                rewrite(arguments, hide);
            }
        }
        if let Some(repository) = &mut self.repository {
            if let Observed::Found(git) = &mut repository.git
                && let Observed::Found(config) = &mut git.config
            {
                rewrite(config.remotes.values_mut(), hide);
            }
            if let Observed::Found(makefile) = &mut repository.makefile {
                let lines = makefile.rules.iter_mut().flat_map(|rule| &mut rule.recipe);
                rewrite(
                    lines.flat_map(|line| std::iter::once(&mut line.text).chain(&mut line.expanded)),
                    hide,
                );
                rewrite(makefile.assignments.iter_mut().map(|assignment| &mut assignment.text), hide);
            }
            for script in repository.scripts.found.iter_mut().chain(&mut repository.crontabs.found) {
                rewrite(script.commands.iter_mut().flat_map(|command| &mut command.words), hide);
            }
        }
    }
}

/// Gives texts another wording where there is one.
fn rewrite<'t>(texts: impl Iterator<Item = &'t mut String>, wording: &dyn Fn(&str) -> Option<String>) {
    for text in texts {
        if let Some(other) = wording(text) {
            *text = other;
        }
    }
}

/// The secrets that stand in facts, as they are written there.
pub struct Known {
    /// Any of them, the longest first, so that none is cut by a part of it; `None` where there is none.
    any: Option<Regex>,
}

/// Room for what searches for as many secrets as an env file may hold.
const ROOM: usize = 1 << 28;

/// A shorter value is a word like others: only its name tells that it is a secret, and where that stands it is hidden.
const SHORTEST: usize = 5;

impl Known {
    /// Of facts, by what a contract says.
    pub fn of(facts: &HostFacts, contract: &Contract) -> Self {
        let mut search = Search { hiding: Hiding::of(contract), values: BTreeSet::new() };
        for (path, file) in &facts.env_files {
            if let Observed::Found(file) = file {
                search.env_file(path, file);
            }
        }
        for unit in facts.units.values() {
            let Observed::Found(unit) = &unit.effective else { continue };
            for (path, text) in unit.texts() {
                search.line(path, &text);
            }
        }
        for dependency in facts.dependencies.values() {
            if let DependencyFacts::Redis { written: Observed::Found(conf), .. } = dependency {
                search.redis(conf);
            }
        }
        if let Some(repository) = &facts.repository {
            search.repository(repository);
        }
        let mut values: Vec<String> = search.values.iter().map(|value| regex::escape(value)).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let any = RegexBuilder::new(&values.join("|")).size_limit(ROOM).build();
        // More than there is room for: then no text is shown at all.
        Self { any: (!values.is_empty()).then(|| any.or_else(|_| Regex::new("(?s).+")).ok()).flatten() }
    }

    /// A text without them; `None` where it holds none.
    pub fn hidden(&self, text: &str, stand_in: &dyn Fn(&str) -> String) -> Option<String> {
        let any = self.any.as_ref()?;
        match any.replace_all(text, |found: &regex::Captures<'_>| stand_in(&found[0])) {
            Cow::Borrowed(_) => None,
            Cow::Owned(other) => Some(other),
        }
    }
}

/// Collects them.
struct Search<'c> {
    hiding: Hiding<'c>,
    values: BTreeSet<String>,
}

impl Search<'_> {
    fn add(&mut self, value: &str) {
        let is_word = value.len() < 8 && value.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_number = value.len() < 8 && value.bytes().all(|byte| byte.is_ascii_digit());
        if value.len() >= SHORTEST && !is_word && !is_number {
            self.values.insert(value.to_owned());
        }
    }

    /// A line of a unit.
    fn line(&mut self, path: &str, text: &str) {
        for value in self.hiding.hidden_of(path, text) {
            self.add(value);
        }
    }

    fn words(&mut self, text: &str) {
        secret_shape::secret_words(text).into_iter().for_each(|word| self.add(word));
    }

    fn env_file(&mut self, path: &str, file: &EnvFileFacts) {
        let meant = file.read.dropped.iter().filter_map(|dropped| dropped.meant.as_ref());
        for variable in file.read.variables.iter().chain(meant) {
            if self.hiding.hides(path, &variable.name, &variable.value) {
                self.add(&variable.value);
                // A line of it may be quoted alone.
                let lines = variable.value.lines().filter(|line| line.len() < variable.value.len());
                lines.for_each(|line| self.add(line));
            }
        }
        for (variable, shell) in file.read.variables.iter().zip(&file.shell) {
            if let ShellReading::Differs { shell } = shell
                && self.hiding.hides(path, &variable.name, &variable.value)
            {
                self.add(shell);
            }
        }
    }

    fn redis(&mut self, conf: &RedisConf) {
        let takes = |name: &str| matches!(name, "requirepass" | "masterauth" | "user" | "tls-key-file-pass");
        for directive in conf.directives.iter().filter(|directive| takes(&directive.name)) {
            directive.arguments.iter().for_each(|word| self.add(word.trim_start_matches(['>', '#'])));
        }
    }

    fn repository(&mut self, repository: &RepositoryFacts) {
        if let Observed::Found(git) = &repository.git
            && let Observed::Found(config) = &git.config
        {
            config.remotes.values().for_each(|url| self.words(url));
        }
        if let Observed::Found(makefile) = &repository.makefile {
            for assignment in &makefile.assignments {
                if self.hiding.hides("", &assignment.name, &assignment.text) {
                    self.add(&assignment.text);
                }
            }
            let lines = makefile.rules.iter().flat_map(|rule| &rule.recipe);
            let texts = lines.flat_map(|line| std::iter::once(&line.text).chain(&line.expanded));
            texts.for_each(|text| self.words(text));
        }
        for script in repository.scripts.found.iter().chain(&repository.crontabs.found) {
            script.commands.iter().for_each(|command| self.words(&command.words.join(" ")));
        }
    }
}

fn hidden(salt: &Sha256, value: &str) -> String {
    let digest = salt.clone().chain_update(value.as_bytes()).finalize();
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{HIDDEN}{hex}")
}
