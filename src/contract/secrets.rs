//! Which values are secrets, and which are shown to nobody: the one place that decides it for reports, facts,
//! differences and logs.

use std::collections::BTreeSet;

use super::{Contract, DependencyKind, VariableForm};
use crate::syntax::environment::parse_environment;
use crate::syntax::secret_shape;

/// Whether a variable holds a real secret: its name matches a pattern of the contract and its value is no
/// placeholder and no path of a file that holds one (`GOOGLE_APPLICATION_CREDENTIALS=/etc/app/key.json`), or its value has the shape of a well-known token.
pub fn is_secret(contract: &Contract, name: &str, value: &str) -> bool {
    let named =
        contract.env.secret_names.value.iter().any(|pattern| secret_shape::glob_matches(pattern, name));
    (named && !secret_shape::is_placeholder(value) && !secret_shape::is_path_of_secret(value))
        || secret_shape::secret_shape(value).is_some()
}

/// Whether a value is shown to nobody: a secret, what has the name of one by any custom, or what stands in a file that is
/// declared to hold secrets and whose value the contract does not state itself.
pub fn is_hidden(contract: &Contract, path: &str, name: &str, value: &str) -> bool {
    Hiding::of(contract).hides(path, name, value)
}

/// What a contract says of which values may be shown.
pub struct Hiding<'c> {
    contract: &'c Contract,
    /// Files that are declared to hold secrets.
    files: BTreeSet<&'c str>,
    /// Variables whose values the contract states itself.
    stated: BTreeSet<&'c str>,
}

impl<'c> Hiding<'c> {
    /// Of a contract.
    pub fn of(contract: &'c Contract) -> Self {
        let files = contract.services.iter().flat_map(|service| &service.env_files);
        let files = files.filter(|file| file.secret).map(|file| file.path.as_str()).collect();
        let demands = contract.services.iter().flat_map(|service| &service.variables);
        let says = |form: &VariableForm| !matches!(form, VariableForm::Present | VariableForm::Absent);
        let mut stated: BTreeSet<&str> =
            demands.filter(|demand| says(&demand.form)).map(|demand| demand.name.as_ref()).collect();
        for dependency in contract.dependencies.values() {
            if let DependencyKind::Redis { named_by: Some((host, port)), .. } = &dependency.kind {
                stated.extend([host.value.as_str(), port.value.as_str()]);
            }
        }
        Self { contract, files, stated }
    }

    /// Whether the contract states the value of a variable.
    pub fn states(&self, name: &str) -> bool {
        self.stated.contains(name)
    }

    /// Whether a value that stands in a file is shown to nobody.
    pub fn hides(&self, path: &str, name: &str, value: &str) -> bool {
        let declared = !value.is_empty() && self.files.contains(path) && !self.stated.contains(name);
        declared || is_secret(self.contract, name, value) || secret_shape::is_secret_by_name(name, value)
    }

    /// What of one line of a file is shown to nobody: of a variable its value, of other text every word that is a secret.
    pub fn hidden_of<'t>(&self, path: &str, line: &'t str) -> Vec<&'t str> {
        let line = line.trim();
        let mut hidden = secret_shape::secret_words(line);
        let bare = line.strip_prefix("export ").unwrap_or(line);
        if let Some((name, value)) = bare.split_once('=') {
            let (name, value) = (name.trim(), value.trim().trim_matches(['"', '\'']));
            match self.hides(path, name, value) && !value.is_empty() {
                true => hidden.push(value),
                // `Environment=`, and every misspelling of it.
                false => hidden.extend(self.hidden_of_environment(path, value)),
            }
        }
        hidden
    }

    /// The same of the text of an `Environment=`, each value as it is written there.
    fn hidden_of_environment<'t>(&self, path: &str, text: &'t str) -> Vec<&'t str> {
        let as_is = |word: &str| Ok(word.to_owned());
        // What is no variable to systemd, such as `2FA_SECRET=`, is a secret all the same.
        let words = text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
        let named = words.filter_map(|word| word.split_once('='));
        let secret = |(name, value): &(&str, &str)| !value.is_empty() && self.hides(path, name, value);
        let mut hidden: Vec<&str> = named.filter(secret).map(|(_, value)| value).collect();
        for item in parse_environment(text, &as_is).items {
            if self.hides(path, &item.name, &item.value) {
                // With quotes or escapes in it, all of the text goes.
                let written = text.find(item.value.as_str()).map(|at| &text[at..at + item.value.len()]);
                hidden.push(written.unwrap_or(text));
            }
        }
        hidden
    }
}
