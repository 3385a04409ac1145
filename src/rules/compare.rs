//! Values of settings compared as systemd reads them: `10`, `10s` and `10000ms` are one time span.

use crate::contract::{Form, SettingDemand};
use crate::syntax::effective::{EffectiveUnit, Setting};
use crate::syntax::known::Known;
use crate::syntax::version::SystemdVersion;
use crate::syntax::{known, value};

/// Whether a setting of a unit has the demanded value.
pub fn same(version: SystemdVersion, unit: &EffectiveUnit, setting: &Setting, demanded: &str) -> bool {
    let (section, key) = (setting.section.as_str(), setting.key.as_str());
    let kind = match known::look(version, unit.name.kind(), section, key) {
        Known::Setting { kind, .. } => kind,
        _ => "",
    };
    let reader = value::Reader { version, unit: &unit.name };
    let canonical = |text: &str| match reader.canonical(key, kind, text).map(|read| read.value) {
        Ok(Some(canonical)) => canonical,
        // Where a newer version knows more words than yes and no, those two are still a boolean.
        Ok(None) | Err(_) => match value::boolean(text) {
            Ok(yes) if text.chars().all(char::is_alphabetic) => if yes { "yes" } else { "no" }.to_owned(),
            _ => text.to_owned(),
        },
    };
    setting.value() == demanded
        || setting.raw() == demanded
        || canonical(setting.value()) == canonical(demanded)
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
