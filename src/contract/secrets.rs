//! Which values are secrets, and which are shown to nobody: the one place that decides it for reports, facts,
//! differences, the journal and what is rendered.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Contract, DependencyKind, VariableForm};
use crate::syntax::glob;
use crate::syntax::secret_shape;
use crate::syntax::secret_text::{self, Kind};
use crate::syntax::stand_in;

/// Whether the contract's patterns call a name one of a secret. An option is asked for as the variable that it would be.
pub fn is_secret_name(contract: &Contract, name: &str) -> bool {
    let patterns = &contract.env.secret_names.value;
    let has = |name: &str| patterns.iter().any(|pattern| glob::matches_word(pattern, name));
    has(name)
        || name.starts_with('-') && has(&name.trim_start_matches('-').replace('-', "_").to_ascii_uppercase())
}

/// Whether a variable holds a real secret: its name matches a pattern of the contract and its value is no
/// placeholder and no path of a file that holds one (`GOOGLE_APPLICATION_CREDENTIALS=/etc/app/key.json`), or its value has the shape of a well-known token.
pub fn is_secret(contract: &Contract, name: &str, value: &str) -> bool {
    let is_value = !secret_shape::is_placeholder(value) && !secret_shape::is_path_of_secret(value);
    is_value && is_secret_name(contract, name) || secret_shape::secret_shape(value).is_some()
}

/// Whether a value is shown to nobody: a secret, what has the name of one by any custom, or what stands in a file that is
/// declared to hold secrets and whose value the contract does not state itself.
pub fn is_hidden(contract: &Contract, path: &str, name: &str, value: &str) -> bool {
    Hiding::of(contract).hides(path, name, value)
}

/// Whether a demand states values that are shown to nobody.
pub fn states_secret(contract: &Contract, name: &str, form: &VariableForm) -> bool {
    let is_one = |value: &String| is_hidden(contract, "", name, value);
    match form {
        VariableForm::Equals(value) => is_one(value),
        VariableForm::OneOf(values) => values.iter().any(is_one),
        _ => false,
    }
}

/// What a contract says of which values may be shown.
pub struct Hiding<'c> {
    contract: &'c Contract,
    /// Env files of the contract.
    files: BTreeSet<&'c str>,
    /// Those of them that are declared to hold secrets.
    secret: BTreeSet<&'c str>,
    /// Variables whose values the contract states itself.
    stated: BTreeSet<&'c str>,
}

impl<'c> Hiding<'c> {
    /// Of a contract.
    pub fn of(contract: &'c Contract) -> Self {
        let files = || contract.services.iter().flat_map(|service| &service.env_files);
        let secret = files().filter(|file| file.secret).map(|file| file.path.as_str()).collect();
        let demands = contract.services.iter().flat_map(|service| &service.variables);
        let says = |form: &VariableForm| !matches!(form, VariableForm::Present | VariableForm::Absent);
        let mut stated: BTreeSet<&str> =
            demands.filter(|demand| says(&demand.form)).map(|demand| demand.name.as_ref()).collect();
        for dependency in contract.dependencies.values() {
            if let DependencyKind::Redis { named_by: Some((host, port)), .. } = &dependency.kind {
                stated.extend([host.value.as_str(), port.value.as_str()]);
            }
        }
        Self { contract, files: files().map(|file| file.path.as_str()).collect(), secret, stated }
    }

    /// Whether the contract states the value of a variable.
    pub fn states(&self, name: &str) -> bool {
        self.stated.contains(name)
    }

    /// Whether a value that stands in a file is shown to nobody.
    pub fn hides(&self, path: &str, name: &str, value: &str) -> bool {
        let declared = !value.is_empty() && self.secret.contains(path) && !self.stated.contains(name);
        declared || is_secret(self.contract, name, value) || secret_shape::is_secret_by_name(name, value)
    }

    /// The kind of a text by the path of its file.
    fn kind(&self, path: &str) -> Kind {
        if self.files.contains(path) { Kind::Env } else { Kind::of(path) }
    }

    /// Where a text of a kind, of this file, holds what is shown to nobody.
    pub fn spans_as(&self, kind: Kind, path: &str, text: &str) -> Vec<Range<usize>> {
        secret_text::spans(kind, text, &|name, value| self.hides(path, name, value))
    }

    /// The same of the value of a setting of a unit.
    pub fn spans_of_setting(&self, key: &str, value: &str) -> Vec<Range<usize>> {
        secret_text::spans_of_setting(key, value, &|name, value| self.hides("", name, value))
    }

    /// The same of words that have been split, each by its index.
    pub fn spans_of_words(&self, words: &[&str]) -> Vec<(usize, Vec<Range<usize>>)> {
        secret_text::spans_of_words(words, &|name, value| self.hides("", name, value))
    }

    /// The same of a directive of a Redis and its arguments: the index of the word, and where in it.
    pub fn spans_of_directive(&self, line: &[String]) -> Vec<(usize, Range<usize>)> {
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        secret_text::spans_of_directive(&words, &|name, value| self.hides("", name, value))
    }

    /// The words of a directive with something else in place of its secrets.
    pub fn words_of_directive(&self, line: &[String], stand_in: &dyn Fn(&str) -> String) -> Vec<String> {
        let mut words = line.to_vec();
        // From the last one on, so that those before it stay where they are.
        for (index, span) in self.spans_of_directive(line).into_iter().rev() {
            let secret = stand_in(&words[index][span.clone()]);
            words[index].replace_range(span, &secret);
        }
        words
    }

    /// A file as everybody may see it: each line of a secret is one mark.
    pub fn shown(&self, path: &str, text: &str) -> String {
        let mark = |secret: &str| {
            let lines = secret.split_inclusive('\n').map(|line| match line.strip_suffix('\n') {
                Some("") => "\n",
                Some(_) => "(secret)\n",
                None => "(secret)",
            });
            lines.collect::<String>()
        };
        secret_text::replaced(text, &self.spans_as(self.kind(path), path, text), &mark)
    }
}

/// How many characters a value has, or had before it was hidden, for a person to know it again.
pub fn characters(value: &str) -> String {
    match stand_in::characters(value) {
        Some(count) => format!("{count} characters"),
        None => "unknown length".to_owned(),
    }
}
