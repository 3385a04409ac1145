//! What is remembered of a run: one structured entry in the journal when it starts, and one when it ends where
//! golden is there to see it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::contract::Contract;
use crate::contract::secrets::Hiding;
use crate::model::change::quoted;
use crate::model::visible;
use crate::syntax::secret_text::replaced;
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

/// Arguments as one would type them, without what is a secret.
pub fn arguments<'a>(words: impl Iterator<Item = &'a OsStr>, contract: &Contract) -> String {
    const MARK: &str = "(a secret)";
    let words: Vec<_> = words.map(|word| String::from_utf8_lossy(word.as_bytes())).collect();
    let mut shown: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let texts: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    for (index, spans) in Hiding::of(contract).spans_of_words(&texts) {
        shown[index] = visible(&replaced(texts[index], &spans, &|_| MARK.to_owned())).into_owned();
    }
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{Contract, arguments};

    #[test]
    fn no_secret_of_the_command_line_is_remembered() {
        let mut contract = Contract::built_in();
        contract.env.secret_names.value.push("PIN".to_owned());
        let shown = |words: &[&str]| arguments(words.iter().map(OsStr::new), &contract);
        let words =
            ["--epochs", "3", "--api-key", "hunter2", "--db-password=x y", "a b", "TOKEN=z", "--pin", "1"];
        assert_eq!(
            shown(&words),
            "--epochs 3 --api-key (a secret) --db-password=(a secret) 'a b' TOKEN=(a secret) --pin (a secret)"
        );
        let words = ["-H", "Authorization: Bearer q7", "-u", "bob:q7", "https://bob:q7@h/a", "code=4"];
        assert_eq!(
            shown(&words),
            "-H Authorization: Bearer (a secret) -u bob:(a secret) https://bob:(a secret)@h/a code=4"
        );
    }
}
