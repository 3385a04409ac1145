//! Values of settings compared as systemd reads them: `10`, `10s` and `10000ms` are one time span.

use crate::contract::{Form, SettingDemand};
use crate::facts::view::ServiceView;
use crate::model::{Outcome, Undecided};
use crate::syntax::stand_in;
use crate::systemd::effective::{EffectiveUnit, Setting};
use crate::systemd::known::Known;
use crate::systemd::version::SystemdVersion;
use crate::systemd::{known, value};

/// Whether a setting of a unit has the demanded value.
pub fn same(version: SystemdVersion, unit: &EffectiveUnit, setting: &Setting, demanded: &str) -> bool {
    let name = (setting.section.as_str(), setting.key.as_str());
    stand_in::compared(setting.raw());
    setting.raw() == demanded || same_text(version, unit, name, setting.value(), demanded)
}

/// Whether two texts are one value of a setting of a unit.
pub fn same_text(
    version: SystemdVersion,
    unit: &EffectiveUnit,
    (section, key): (&str, &str),
    held: &str,
    demanded: &str,
) -> bool {
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
    held == demanded || canonical(held) == canonical(demanded)
}

/// Whether an empty assignment meets a demand: `CapabilityBoundingSet=` takes every capability away.
pub fn may_be_empty(demand: &SettingDemand) -> bool {
    match &demand.form {
        Form::Equals(value) => value.is_empty(),
        Form::OneOf(values) => values.iter().any(String::is_empty),
        Form::Contains(_) | Form::Absent | Form::Present => false,
    }
}

/// Why a demand does not concern a host whose systemd does not know the setting yet.
pub fn too_old(view: &ServiceView, demand: &SettingDemand) -> Result<Option<Outcome>, Undecided> {
    let Some(since) = demand.since else { return Ok(None) };
    let Some(version) = view.systemd().known()? else {
        return Err(Undecided::new(format!(
            "{}= is demanded since systemd {since}, and which one runs is unknown",
            demand.key
        )));
    };
    Ok((version.0 < since)
        .then(|| Outcome::not_applicable(format!("{}= is demanded since systemd {since}", demand.key))))
}

/// The words a list must hold and does not.
pub fn missing_words<'a>(held: &[String], demanded: &'a [String]) -> Vec<&'a str> {
    let missing: Vec<&str> =
        demanded.iter().filter(|word| !held.contains(word)).map(String::as_str).collect();
    if !missing.is_empty() {
        held.iter().for_each(|word| stand_in::compared(word));
    }
    missing
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
