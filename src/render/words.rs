//! Demands of a contract as words of a document.

use super::markdown::{code, codes};
use crate::contract::secrets::states_secret;
use crate::contract::{Contract, Form, Kind, Service, SettingDemand, VariableForm};
use crate::model::Severity;

/// `must` or `should`.
pub(super) fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Must => "must",
        Severity::Should => "should",
    }
}

/// A kind for people.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Python => "a program of a venv that runs all the time",
        Kind::Executable => "any other program that runs all the time",
        Kind::TimerJob => "a task that a timer starts",
        Kind::Job => "a task that a person starts",
        Kind::Draft => "not ready: it must not be enabled",
    }
}

/// Permission bits.
pub(super) fn mode(bits: u32) -> String {
    code(&format!("{bits:04o}"))
}

/// What a setting must be.
pub(super) fn setting(demand: &SettingDemand) -> String {
    let what = match &demand.form {
        Form::Equals(value) => code(value),
        Form::OneOf(values) => either(values),
        Form::Contains(words) => format!("contains {}", codes(words.iter().map(String::as_str))),
        Form::Absent => "not set".to_owned(),
        Form::Present => "set to anything".to_owned(),
    };
    if demand.default_counts { format!("{what}; systemd's default counts") } else { what }
}

/// What a variable must be.
pub(super) fn variable(contract: &Contract, name: &str, form: &VariableForm) -> String {
    match form {
        form if states_secret(contract, name, form) => {
            "the value of the contract, which is a secret".to_owned()
        }
        VariableForm::Equals(value) => code(value),
        VariableForm::OneOf(values) => either(values),
        VariableForm::Path { under: None } => "an absolute path".to_owned(),
        VariableForm::Path { under: Some(directory) } => format!("a path in {}", code(directory)),
        VariableForm::Integer { min, max: i64::MAX } => format!("a whole number, at least {min}"),
        VariableForm::Integer { min: i64::MIN, max } => format!("a whole number, at most {max}"),
        VariableForm::Integer { min, max } => format!("a whole number from {min} to {max}"),
        VariableForm::Present => "set, and not empty".to_owned(),
        VariableForm::Absent => "not set".to_owned(),
    }
}

/// `a`, `b` or `c`
fn either(values: &[String]) -> String {
    match values.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            format!("{} or {}", codes(rest.iter().map(String::as_str)), code(last))
        }
        _ => codes(values.iter().map(String::as_str)),
    }
}

/// Words for people about a service, or its name.
pub(super) fn title(service: &Service) -> &str {
    service.title.as_deref().unwrap_or(&service.name)
}

/// A fraction of one as people say it.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", (share * 10_000.0).round() / 100.0)
}

/// A span of seconds as people say it.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        hours if hours > 0 && hours % 3600 == 0 => format!("{} h", hours / 3600),
        minutes if minutes > 0 && minutes % 60 == 0 => format!("{} min", minutes / 60),
        seconds => format!("{seconds} s"),
    }
}

/// A size in bytes as people say it.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        mega if mega > 0 && mega % (1 << 20) == 0 => format!("{} MiB", mega >> 20),
        bytes => format!("{bytes} bytes"),
    }
}
