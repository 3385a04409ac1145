//! What systemd would ignore of a demand. A unit that says it as the contract does would still not do what the contract
//! wants, so such a demand is an error of the contract. An error needs every systemd whose reading is known here to agree.

use crate::contract::Form;
use crate::systemd::effective::stays;
use crate::systemd::known::{self, Known};
use crate::systemd::specifier::{SpecifierError, Specifiers};
use crate::systemd::unit_name::UnitName;
use crate::systemd::value::Reader;
use crate::systemd::version::SystemdVersion;

/// Any service: what is asked here does not depend on its name.
const UNIT: &str = "a.service";

/// Why every known systemd ignores a setting, with the way out.
pub(super) fn setting(section: &str, key: &str) -> Option<(String, String)> {
    let mut seen = known::versions().map(|version| known::look(version, "service", section, key));
    if !seen.clone().all(|known| matches!(known, Known::Unknown | Known::WrongSection(_))) {
        return None;
    }
    let belongs = seen.find_map(|known| match known {
        Known::WrongSection(section) => Some(section),
        _ => None,
    });
    let newest = SystemdVersion::NEWEST;
    Some(match belongs {
        Some(right) => (
            format!("systemd ignores {key}= in [{section}]: it belongs in [{}]", right.as_str()),
            format!("write it in [unit.{}]", right.as_str()),
        ),
        None => (
            format!("systemd ignores {key}=: no systemd up to {newest} knows it in [{section}]"),
            format!("correct the name; for a newer systemd add `since = {}` or more", newest.0 + 1),
        ),
    })
}

/// Why every known systemd ignores a value of a setting.
pub(super) fn value(section: &str, key: &str, text: &str) -> Option<String> {
    // What is filled in later cannot be read yet.
    if text.contains(['%', '{']) {
        return None;
    }
    let unit = UnitName::parse(UNIT).ok()?;
    let mut why = None;
    for version in known::versions() {
        let Known::Setting { key, kind, .. } = known::look(version, "service", section, key) else {
            return None;
        };
        why = Some(match text.is_empty() {
            true if stays(&key, kind) => "an empty value does not change this setting".to_owned(),
            true => return None,
            false => match (Reader { version, unit: &unit }).canonical(&key, kind, text) {
                Ok(reading) => reading.passed_over.into_iter().next()?,
                Err(mangled) => mangled.why,
            },
        });
    }
    why.map(|why| format!("systemd ignores {key}={text}: {why}"))
}

/// The values that a demand names.
pub(super) fn values(form: &Form) -> &[String] {
    match form {
        Form::Equals(value) => std::slice::from_ref(value),
        Form::OneOf(values) => values,
        // Each word stands in a line of systemd's own as well as alone.
        Form::Contains(words) => words,
        Form::Absent | Form::Present => &[],
    }
}

/// The first specifier of a word that no known systemd has.
pub(super) fn unknown_specifier(word: &str) -> Option<String> {
    let unit = UnitName::parse(UNIT).ok()?;
    let mut unknown = None;
    for version in known::versions() {
        match Specifiers::new(&unit, None, None, version).expand(word) {
            Err(SpecifierError::Unknown(letter)) => unknown = Some(format!("%{letter}")),
            _ => return None,
        }
    }
    unknown
}

/// Whether every known systemd reads two values of a setting as the same.
pub(in crate::contract) fn reads_alike(section: &str, key: &str, one: &str, other: &str) -> bool {
    let Ok(unit) = UnitName::parse(UNIT) else { return false };
    let canonical = |version, text: &str| match known::look(version, "service", section, key) {
        Known::Setting { key, kind, .. } => {
            Reader { version, unit: &unit }.canonical(&key, kind, text).ok().and_then(|reading| reading.value)
        }
        _ => None,
    };
    let alike = |version| {
        let one = canonical(version, one);
        one.is_some() && one == canonical(version, other)
    };
    one == other || known::versions().all(alike)
}

/// Settings that have a key of their own in the contract, which decides them.
pub(super) fn own_key(section: &str, key: &str) -> Option<&'static str> {
    match (section, key) {
        ("Service", "ExecStart") => Some("`start` in `[services.NAME.provision]`"),
        ("Service", "User") => Some("`user`"),
        ("Service", "Group") => Some("`group`"),
        ("Service", "EnvironmentFile") => Some("`env_files`"),
        _ => None,
    }
}
