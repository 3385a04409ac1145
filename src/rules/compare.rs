//! Values of settings compared as systemd reads them: `10`, `10s` and `10000ms` are one time span.

use crate::contract::{Form, SettingDemand};
use crate::facts::start::simplified;
use crate::syntax::value;

/// Whether a stated value is the demanded one.
pub fn same(key: &str, stated: &str, demanded: &str) -> bool {
    stated == demanded || canonical(key, stated) == canonical(key, demanded)
}

/// A value in the one form that all its spellings share.
fn canonical(key: &str, text: &str) -> String {
    let text = text.trim();
    let read = match key {
        _ if key.ends_with("Sec") => value::time_span(text).map(|span| format!("{span:?}")),
        "StartLimitInterval" => value::time_span(text).map(|span| format!("{span:?}")),
        _ if key.starts_with("Memory") && !key.ends_with("Accounting") => {
            value::size(text).map(|size| format!("{size:?}"))
        }
        "WorkingDirectory" | "RootDirectory" | "PIDFile" => Some(match text.strip_prefix('-') {
            Some(path) if path.starts_with('/') => format!("-{}", simplified(path)),
            None if text.starts_with('/') => simplified(text),
            _ => text.to_owned(),
        }),
        // `syslog` is an old word for the journal; systemd 252 reads it so.
        "StandardOutput" | "StandardError" if text.starts_with("syslog") => Some(text.replacen("syslog", "journal", 1)),
        _ if is_boolean(key) => value::boolean(text).map(|yes| yes.to_string()),
        _ => None,
    };
    read.unwrap_or_else(|| text.to_owned())
}

/// Settings that are a boolean, or a boolean beside other words.
fn is_boolean(key: &str) -> bool {
    let prefixes = ["Private", "Protect", "Restrict", "No", "Lock", "Refuse", "Dynamic"];
    key.ends_with("Accounting")
        || prefixes.iter().any(|prefix| key.starts_with(prefix))
        || matches!(key, "RemainAfterExit" | "DefaultDependencies" | "MemoryDenyWriteExecute" | "SendSIGKILL")
        || matches!(key, "SendSIGHUP" | "GuessMainPID" | "StopWhenUnneeded" | "Persistent" | "WakeSystem")
}

/// The words a list must hold and does not.
pub fn missing_words<'a>(held: &[String], demanded: &'a [String]) -> Vec<&'a str> {
    demanded.iter().filter(|word| !held.contains(word)).map(String::as_str).collect()
}

/// A demand as one would write it.
pub fn written_demand(demand: &SettingDemand) -> String {
    let key = &demand.key;
    match &demand.form {
        Form::Equals(value) => format!("{key}={value}"),
        Form::OneOf(values) => format!("{key}= one of {}", values.join(", ")),
        Form::Contains(words) => format!("{key}= with {}", words.join(" ")),
        Form::Absent => format!("no {key}="),
        Form::Present => format!("{key}= something"),
    }
}

/// The first value that meets a demand, for the command that mends.
pub fn meeting(demand: &SettingDemand) -> Option<String> {
    match &demand.form {
        Form::Equals(value) => Some(value.clone()),
        Form::OneOf(values) => values.first().cloned(),
        Form::Contains(words) => Some(words.join(" ")),
        Form::Absent | Form::Present => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_value_are_one_value() {
        assert!(same("RestartSec", "10", "10000ms") && same("RestartSec", "1min 30s", "90"));
        assert!(!same("RestartSec", "10", "10min"));
        assert!(same("NoNewPrivileges", "yes", "true") && same("ProtectSystem", "on", "true"));
        assert!(same("ProtectSystem", "full", "full") && !same("ProtectSystem", "full", "strict"));
        assert!(same("MemoryMax", "1G", "1024M"));
        assert!(same("WorkingDirectory", "/a//b/", "/a/b") && !same("WorkingDirectory", "-/a/b", "/a/b"));
        assert!(!same("Restart", "Always", "always"));
    }
}
