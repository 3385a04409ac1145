//! What is remembered of a run: one structured entry in the journal when it starts, and one when it ends where
//! golden is there to see it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::model::visible;
use crate::syntax::secret_shape::{glob_matches, is_secret_by_name, secret_shape};
use crate::system::journald;

/// What every entry of a run holds.
#[derive(Clone, Debug)]
pub struct Run {
    /// The job's name, or its script.
    pub job: String,
    /// The service.
    pub service: String,
    /// The commit of the repository; `unknown` where it could not be read.
    pub commit: String,
    /// Who called.
    pub caller: String,
    /// The arguments, without secrets.
    pub arguments: String,
    /// sha256 of the contract.
    pub contract: String,
}

impl Run {
    /// Writes an entry. A host without a journal is no reason to refuse a job; the error is for a warning.
    pub fn write(&self, message: &str, priority: u8, result: &str) -> std::io::Result<()> {
        let priority = priority.to_string();
        journald::send(&[
            ("MESSAGE", visible(message).as_ref()),
            ("PRIORITY", &priority),
            ("SYSLOG_IDENTIFIER", "golden"),
            ("GOLDEN_JOB", &self.job),
            ("GOLDEN_SERVICE", &self.service),
            ("GOLDEN_COMMIT", &self.commit),
            ("GOLDEN_CALLER", &self.caller),
            ("GOLDEN_ARGUMENTS", &self.arguments),
            ("GOLDEN_CONTRACT", &self.contract),
            ("GOLDEN_RESULT", result),
        ])
    }
}

/// Arguments as one would type them, with what looks like a secret masked: the value after an option whose name
/// the contract's patterns call secret, and whatever has the shape of a known token.
pub fn arguments<'a>(words: impl Iterator<Item = &'a OsStr>, secret_names: &[String]) -> String {
    let is_secret = |name: &str| {
        let name = name.trim_start_matches('-').replace('-', "_").to_ascii_uppercase();
        secret_names.iter().any(|pattern| glob_matches(pattern, &name)) || is_secret_by_name(&name, "value")
    };
    let mut shown = Vec::new();
    let mut masks = false;
    for word in words {
        let word = String::from_utf8_lossy(word.as_bytes());
        let (name, value) =
            word.split_once('=').map_or((word.as_ref(), None), |(name, value)| (name, Some(value)));
        let word = match value {
            _ if masks || secret_shape(&word).is_some() => "(a secret)".to_owned(),
            Some(_) if is_secret(name) => format!("{name}=(a secret)"),
            _ => crate::model::change::quoted(&word),
        };
        masks = value.is_none() && name.starts_with('-') && is_secret(name);
        shown.push(word);
    }
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::arguments;

    #[test]
    fn no_secret_of_the_command_line_is_remembered() {
        let words =
            ["--epochs", "3", "--api-key", "hunter2", "--db-password=x y", "a b", "TOKEN=z"].map(OsStr::new);
        let names = ["*_PASSWORD", "API_KEY", "TOKEN"].map(str::to_owned);
        let shown = arguments(words.into_iter(), &names);
        assert_eq!(shown, "--epochs 3 --api-key (a secret) --db-password=(a secret) 'a b' TOKEN=(a secret)");
    }
}
