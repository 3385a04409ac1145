//! What is remembered of a run: one structured entry in the journal when it starts, and one when it ends where
//! golden is there to see it. Written by journald's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;

use crate::syntax::secret_shape::{glob_matches, secret_shape};

const SOCKET: &str = "/run/systemd/journal/socket";

/// Longer values are cut: an argument list may be a megabyte, a datagram may not.
const LONGEST: usize = 4096;

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
        let mut entry = Vec::new();
        let priority = priority.to_string();
        for (name, value) in [
            ("MESSAGE", message),
            ("PRIORITY", &priority),
            ("SYSLOG_IDENTIFIER", "golden"),
            ("GOLDEN_JOB", &self.job),
            ("GOLDEN_SERVICE", &self.service),
            ("GOLDEN_COMMIT", &self.commit),
            ("GOLDEN_CALLER", &self.caller),
            ("GOLDEN_ARGUMENTS", &self.arguments),
            ("GOLDEN_CONTRACT", &self.contract),
            ("GOLDEN_RESULT", result),
        ] {
            field(&mut entry, name, value);
        }
        UnixDatagram::unbound()?.send_to(&entry, SOCKET).map(|_| ())
    }
}

/// One field in the form that may hold any byte: name, length, value.
fn field(entry: &mut Vec<u8>, name: &str, value: &str) {
    let cut = value.floor_char_boundary(LONGEST);
    let value = &value.as_bytes()[..cut];
    entry.extend_from_slice(name.as_bytes());
    entry.push(b'\n');
    entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    entry.extend_from_slice(value);
    entry.push(b'\n');
}

/// Arguments as one would type them, with what looks like a secret masked: the value after an option whose name
/// the contract's patterns call secret, and whatever has the shape of a known token.
pub fn arguments<'a>(words: impl Iterator<Item = &'a OsStr>, secret_names: &[String]) -> String {
    let is_secret = |name: &str| {
        let name = name.trim_start_matches('-').replace('-', "_").to_ascii_uppercase();
        secret_names.iter().any(|pattern| glob_matches(pattern, &name))
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
            _ => crate::rules::mend::quoted(&word),
        };
        masks = value.is_none() && name.starts_with('-') && is_secret(name);
        shown.push(word);
    }
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{arguments, field};

    #[test]
    fn no_secret_of_the_command_line_is_remembered() {
        let words =
            ["--epochs", "3", "--api-key", "hunter2", "--db-password=x y", "a b", "TOKEN=z"].map(OsStr::new);
        let names = ["*_PASSWORD", "API_KEY", "TOKEN"].map(str::to_owned);
        let shown = arguments(words.into_iter(), &names);
        assert_eq!(shown, "--epochs 3 --api-key (a secret) --db-password=(a secret) 'a b' TOKEN=(a secret)");
    }

    #[test]
    fn a_value_with_newlines_is_one_field() {
        let mut entry = Vec::new();
        field(&mut entry, "A", "x\nB=y");
        assert_eq!(entry, b"A\n\x05\0\0\0\0\0\0\0x\nB=y\n");
    }
}
