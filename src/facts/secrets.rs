//! Secrets never leave the host in a facts file: each is replaced by a salted digest ([`stand_in`]), so that two equal
//! secrets of one file can still be seen to be equal. The salt is written nowhere, so nobody can try out guesses.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use sha2::{Digest, Sha256};

use super::{DependencyFacts, EnvFileFacts, HostFacts, RepositoryFacts};
use crate::contract::Contract;
use crate::contract::secrets::Hiding;
use crate::model::Observed;
use crate::syntax::env_file::{DropReason, Variable};
use crate::syntax::env_shell::ShellReading;
use crate::syntax::makefile::Makefile;
use crate::syntax::redis_conf::RedisConf;
use crate::syntax::secret_shape::{is_path_of_secret, secret_shape, shape_spans};
use crate::syntax::secret_text::{Kind, replaced};
use crate::syntax::stand_in;
use crate::systemd::effective::EffectiveUnit;

impl HostFacts {
    /// Hides every value that the contract's patterns, its name or its own shape call a secret, and what stands in files that
    /// are declared to hold secrets; and wherever else in the facts one of them stands.
    pub fn hide_secrets(&mut self, contract: &Contract) {
        let salt = salt();
        let hide = |secret: &str| hidden(&salt, secret);
        let hiding = Hiding::of(contract);
        let known = Known::of(self, contract);
        self.hide_variables(&hiding, &hide);
        self.hide_in_texts(&hiding, &hide);
        let Ok(mut all) = serde_json::to_value(&*self) else { return };
        rewrite_all(&mut all, &|text| known.hidden(text, &hide));
        // Facts that could not be read again would be half a host.
        if let Ok(all) = serde_json::from_value(all) {
            *self = all;
        }
    }

    /// Hides the values of env files and processes.
    fn hide_variables(&mut self, hiding: &Hiding<'_>, hide: &dyn Fn(&str) -> String) {
        let hides = |path: &str, variable: &Variable| hiding.hides(path, &variable.name, &variable.value);
        for (path, file) in &mut self.env_files {
            let Observed::Found(file) = file else { continue };
            for (index, variable) in file.read.variables.iter_mut().enumerate() {
                let is_all = hides(path, variable);
                let wording = |text: &str| match is_all {
                    true => hide(text),
                    false => replaced(text, &hiding.spans_as(Kind::Other, path, text), hide),
                };
                match file.shell.get_mut(index) {
                    Some(ShellReading::Differs { shell }) => *shell = wording(shell),
                    // The reason may quote the line.
                    Some(ShellReading::Breaks { why }) if is_all => {
                        *why = "it cannot read the line".to_owned()
                    }
                    _ => {}
                }
                variable.value = wording(&variable.value);
            }
            // The first word of a line that is no assignment can be the rest of a secret.
            let is_secret = hiding.hides(path, "", "?");
            for dropped in file.read.dropped.iter_mut().filter(|dropped| is_secret && dropped.meant.is_none())
            {
                if !matches!(dropped.why, DropReason::Export) {
                    dropped.text = hide(&dropped.text);
                }
            }
            for meant in file.read.dropped.iter_mut().filter_map(|dropped| dropped.meant.as_mut()) {
                if hides(path, meant) {
                    meant.value = hide(&meant.value);
                }
            }
        }
        for process in self.processes.values_mut() {
            let Observed::Found(process) = process else { continue };
            let Observed::Found(variables) = &mut process.variables else { continue };
            for (name, value) in variables {
                // Only what the contract states itself is known to be for everybody.
                if hiding.hides("", name, value) || !hiding.states(name) && !value.is_empty() {
                    *value = hide(value);
                }
            }
        }
    }

    /// Hides what stands within the texts of units, servers and the repository.
    fn hide_in_texts(&mut self, hiding: &Hiding<'_>, hide: &dyn Fn(&str) -> String) {
        let without =
            |text: &str, spans: Vec<Range<usize>>| (!spans.is_empty()).then(|| replaced(text, &spans, hide));
        let other = |text: &str| without(text, hiding.spans_as(Kind::Other, "", text));
        for unit in self.units.values_mut() {
            if let Observed::Found(effective) = &mut unit.effective {
                Arc::make_mut(effective).rewrite(&|key, text| match key {
                    Some(key) => without(text, hiding.spans_of_setting(key, text)),
                    None => without(text, hiding.spans_as(Kind::Unit, "", text)),
                });
            }
        }
        for dependency in self.dependencies.values_mut() {
            if let DependencyFacts::Redis { written: Observed::Found(conf), .. } = dependency {
                for directive in &mut conf.directives {
                    let line = [vec![directive.name.clone()], directive.arguments.clone()].concat();
                    let words = hiding.words_of_directive(&line, hide);
                    directive.arguments = words.into_iter().skip(1).collect();
                }
            }
        }
        if let Some(Observed::Found(makefile)) = self.repository.as_mut().map(|all| &mut all.makefile) {
            hide_in_makefile(makefile, hiding, hide, &other);
        }
        if let Some(repository) = &mut self.repository {
            for script in repository.scripts.found.iter_mut().chain(&mut repository.crontabs.found) {
                for command in &mut script.commands {
                    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
                    for (index, spans) in hiding.spans_of_words(&words) {
                        command.words[index] = replaced(&command.words[index], &spans, hide);
                    }
                }
            }
        }
        for answer in self.pythons.values_mut() {
            if let Observed::Found(answer) = answer {
                rewrite(std::iter::once(&mut answer.complaint), &other);
            }
        }
    }
}

/// Hides what stands in a Makefile. Of what make has put in place of a variable only its value is left to know it by,
/// however short that is.
fn hide_in_makefile(
    makefile: &mut Makefile,
    hiding: &Hiding<'_>,
    hide: &dyn Fn(&str) -> String,
    other: &dyn Fn(&str) -> Option<String>,
) {
    let mut values = Vec::new();
    for stated in &mut makefile.assignments {
        match hiding.hides("", &stated.name, &stated.text) {
            true => {
                let value = std::mem::take(&mut stated.text);
                stated.text = hide(&value);
                values.push(value);
            }
            false => rewrite(std::iter::once(&mut stated.text), other),
        }
    }
    let known = Known::any_of(values.iter().filter(|value| !value.is_empty()));
    for line in makefile.rules.iter_mut().flat_map(|rule| &mut rule.recipe) {
        if line.text.contains('$') {
            rewrite(line.expanded.iter_mut(), &|text| known.hidden(text, hide));
        }
        rewrite(std::iter::once(&mut line.text).chain(&mut line.expanded), other);
    }
    rewrite(makefile.shell_functions.iter_mut().map(|function| &mut function.text), other);
}

/// Gives texts another wording where there is one.
fn rewrite<'t>(texts: impl Iterator<Item = &'t mut String>, wording: &dyn Fn(&str) -> Option<String>) {
    for text in texts {
        if let Some(other) = wording(text) {
            *text = other;
        }
    }
}

/// The same for every text of a value.
fn rewrite_all(value: &mut serde_json::Value, wording: &dyn Fn(&str) -> Option<String>) {
    use serde_json::Value;
    match value {
        Value::String(text) => rewrite(std::iter::once(text), wording),
        Value::Array(values) => values.iter_mut().for_each(|value| rewrite_all(value, wording)),
        Value::Object(values) => values.values_mut().for_each(|value| rewrite_all(value, wording)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The secrets that stand in facts, as they are written there.
pub struct Known {
    /// Any of them, the longest first, so that none is cut by a part of it; `None` where there is none.
    any: Option<Regex>,
}

/// Room for what searches for as many secrets as an env file may hold.
const ROOM: usize = 1 << 28;

/// A shorter value is a word like others: it is hidden where it stands as a secret, and nowhere else.
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
            if let Observed::Found(unit) = &unit.effective {
                search.unit(unit);
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
        let mut values = search.values;
        if !values.is_empty() {
            let public = public_words(facts);
            values.retain(|value| !public.contains(value.as_str()));
        }
        Self::any_of(values.iter())
    }

    /// Any of these values.
    fn any_of<'v>(values: impl Iterator<Item = &'v String>) -> Self {
        let mut values: Vec<String> = values.map(|value| regex::escape(value)).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let any = RegexBuilder::new(&values.join("|")).size_limit(ROOM).build();
        // More than there is room for: then no text is shown at all.
        Self { any: (!values.is_empty()).then(|| any.or_else(|_| Regex::new("(?s).+")).ok()).flatten() }
    }

    /// A text without them, and without what is a secret by its shape; `None` where it holds none.
    pub fn hidden(&self, text: &str, stand_in: &dyn Fn(&str) -> String) -> Option<String> {
        let mut spans = shape_spans(text);
        if let Some(any) = &self.any {
            let found = any.find_iter(text).map(|found| found.range());
            spans.extend(found.filter(|span| stands_alone(text, span)));
        }
        if spans.is_empty() {
            return None;
        }
        spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
        let mut end = 0;
        spans.retain(|span| {
            let is_apart = span.start >= end;
            end = end.max(span.end);
            is_apart
        });
        Some(replaced(text, &spans, stand_in))
    }
}

/// Whether a value is no part of a longer word: `web` in `webserver` is another word.
fn stands_alone(text: &str, span: &Range<usize>) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = text.as_bytes();
    let inner = &bytes[span.clone()];
    let before = span.start.checked_sub(1).and_then(|at| bytes.get(at));
    !(is_word(inner.first()) && is_word(before) || is_word(inner.last()) && is_word(bytes.get(span.end)))
}

/// Words that the host says everywhere, and that are no secret although somebody made a password of one: components of
/// paths, names of units and accounts.
fn public_words(facts: &HostFacts) -> HashSet<&str> {
    let keys = facts.paths.keys().chain(facts.programs.keys()).chain(facts.units.keys());
    let keys = keys.chain(facts.env_files.keys()).chain(facts.venvs.keys()).map(|key| &**key);
    let mut words: HashSet<&str> =
        keys.flat_map(|key| key.split('/').chain(key.split(['/', '.', '@']))).collect();
    words.extend(facts.units.keys().map(|key| &**key));
    words.insert(&facts.host);
    if let Observed::Found(accounts) = &facts.accounts {
        words.extend(accounts.users.iter().map(|user| &*user.name));
        words.extend(accounts.groups.iter().map(|group| &*group.name));
    }
    words
}

/// Collects them.
struct Search<'c> {
    hiding: Hiding<'c>,
    values: BTreeSet<String>,
}

impl Search<'_> {
    fn add(&mut self, value: &str) {
        let value = value.trim();
        let is_word = value.len() < 8 && value.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_number = value.len() < 8 && value.bytes().all(|byte| byte.is_ascii_digit());
        if value.len() >= SHORTEST && !is_word && !is_number && !is_path_of_secret(value) {
            self.values.insert(value.to_owned());
        }
    }

    fn spans(&mut self, text: &str, spans: &[Range<usize>]) {
        for span in spans {
            self.add(&text[span.clone()]);
        }
    }

    /// A text of a script or a Makefile.
    fn words(&mut self, text: &str) {
        let spans = self.hiding.spans_as(Kind::Other, "", text);
        self.spans(text, &spans);
    }

    fn unit(&mut self, unit: &EffectiveUnit) {
        unit.texts(&mut |key, text| {
            let spans = match key {
                Some(key) => self.hiding.spans_of_setting(key, text),
                None => self.hiding.spans_as(Kind::Unit, "", text),
            };
            self.spans(text, &spans);
        });
    }

    fn env_file(&mut self, path: &str, file: &EnvFileFacts) {
        let meant = file.read.dropped.iter().filter_map(|dropped| dropped.meant.as_ref());
        for variable in file.read.variables.iter().chain(meant) {
            let (name, value) = (&variable.name, &variable.value);
            // The password of a URL is one elsewhere, too.
            self.words(value);
            if !self.hiding.hides(path, name, value) {
                continue;
            }
            // What a file that may hold secrets says beside them can be the name of a host.
            if self.hiding.hides("", name, value) || looks_random(value) {
                self.add(value);
                // A line of it may be quoted alone.
                let lines = value.lines().filter(|line| line.len() < value.len());
                lines.for_each(|line| self.add(line));
            }
        }
        for (variable, shell) in file.read.variables.iter().zip(&file.shell) {
            if let ShellReading::Differs { shell } = shell
                && self.hiding.hides("", &variable.name, &variable.value)
            {
                self.add(shell);
            }
        }
    }

    fn redis(&mut self, conf: &RedisConf) {
        for directive in &conf.directives {
            let line = [vec![directive.name.clone()], directive.arguments.clone()].concat();
            for (word, span) in self.hiding.spans_of_directive(&line) {
                self.add(&line[word][span]);
            }
        }
    }

    fn repository(&mut self, repository: &RepositoryFacts) {
        if let Observed::Found(makefile) = &repository.makefile {
            self.makefile(makefile);
        }
        for script in repository.scripts.found.iter().chain(&repository.crontabs.found) {
            for command in &script.commands {
                let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
                for (index, spans) in self.hiding.spans_of_words(&words) {
                    self.spans(words[index], &spans);
                }
            }
        }
    }

    fn makefile(&mut self, makefile: &Makefile) {
        for assignment in &makefile.assignments {
            match self.hiding.hides("", &assignment.name, &assignment.text) {
                true => self.add(&assignment.text),
                false => self.words(&assignment.text),
            }
        }
        let lines = makefile.rules.iter().flat_map(|rule| &rule.recipe);
        let texts = lines.flat_map(|line| std::iter::once(&line.text).chain(&line.expanded));
        texts
            .chain(makefile.shell_functions.iter().map(|function| &function.text))
            .for_each(|text| self.words(text));
    }
}

/// Whether a value can be nothing but a secret: it has letters and digits, and is no name of a host and no address.
fn looks_random(value: &str) -> bool {
    let has = |is: fn(&u8) -> bool| value.as_bytes().iter().any(is);
    let is_host = value
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:".contains(&byte))
        && value.contains('.');
    value.len() >= 12
        && has(u8::is_ascii_alphabetic)
        && has(u8::is_ascii_digit)
        && !is_host
        && !value.contains("://")
        && !value.contains(char::is_whitespace)
}

/// What no two recordings share.
fn salt() -> Sha256 {
    (0u64..4)
        .fold(Sha256::new(), |salt, part| salt.chain_update(RandomState::new().hash_one(part).to_le_bytes()))
}

fn hidden(salt: &Sha256, value: &str) -> String {
    if stand_in::is_stand_in(value) {
        return value.to_owned();
    }
    let digest = salt.clone().chain_update(value.as_bytes()).finalize();
    stand_in::written(&digest, value, secret_shape(value))
}
