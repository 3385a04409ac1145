//! Lines that systemd reads past.

use crate::rules::prelude::*;
use crate::rules::remedy::{by_hand, of_many};
use crate::systemd::known::{self, Known};
use crate::systemd::effective::{self, Ignored};
use crate::systemd::value;
use crate::systemd::version::SystemdVersion;

rule! {
    /// A line of the unit has no effect.
    ///
    /// systemd logs one warning and continues without the line: an unknown setting (`Usr=qt`), one in the wrong
    /// section, a value that it cannot read (`Restart=alwys`, `MemoryMax=16G # half`), an assignment before any
    /// section, a line without `=` (systemd.syntax(7)). A memory limit with a comment after it does not limit
    /// anything.
    ///
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - Restart=always
    /// + Restart=always
    /// + Usr=qt
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/memory.conf root:root 0644
    /// | [Service]
    /// | MemoryMax=16G # half of the host
    /// ```
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - Restart=always
    /// + Restart=alwys
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/limit.conf root:root 0644
    /// | StartLimitBurst=3
    /// | [Unit]
    /// | RestartSec=10
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/memory.conf root:root 0644
    /// | # half of the host
    /// | [Service]
    /// | X-Owner=team
    /// | MemoryMax=16G
    /// ```
    id: "unit-setting-ignored",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "the setting looks active but has no effect",
    see: ["systemd-analyze verify {unit}"],
    mend: "Correct the line, or delete it. golden writes it as it was evidently meant (without a comment \
           after the value, without quotes around it). If the value is invalid, golden writes the one that \
           the contract states or that is already in force, in a file of /etc that serves this unit alone. \
           golden empties a line in the wrong section if the right one holds the contract's value. It never \
           deletes other settings, because golden may not know them. Names that begin with `X-` are notes \
           and are left alone.",
    man: ["systemd.syntax(7)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let unit = view.effective(&view.service.unit.value)?;
    // A unit is often refused for the want of what stands in an ignored line.
    if !matches!(unit.load, LoadState::Loaded | LoadState::BadSetting(..)) {
        return Ok(unit_not_loaded());
    }
    let version = view.systemd().known()?.copied().unwrap_or_default();
    let remedy = |ignored: &Ignored| {
        let text = ignored.text.as_str();
        let edited = match ignored.why.split_once(" belongs in [") {
            // There the line stays without effect, whatever is removed from it.
            Some((_, section)) => is_settled(view, unit, section.trim_end_matches(']'), text)
                .then(|| view.empty_line(unit, &ignored.at))
                .flatten(),
            None => meant(version, unit, text)
                .or_else(|| stated(view, version, unit, text))
                .or_else(|| in_force(version, unit, text))
                .and_then(|text| view.edit_line(unit, &ignored.at, Some(&text))),
        };
        edited.unwrap_or_else(|| {
            Remedy::decide(format!("correct {}, or remove the line", ignored.at))
                .candidate("", by_hand(&ignored.at))
        })
    };
    let findings = unit.ignored.iter().enumerate().map(|(earlier, ignored)| {
        Finding::new(
            format!("systemd ignores {}: {}", ignored.text, ignored.why),
            ignored.at.clone(),
            view.service.unit.at.clone(),
        )
        .key(ignored.text.split('=').next().unwrap_or("").trim())
        .expected("lines that take effect")
        .observed(ignored.text.to_string())
        .mend(of_many(earlier, || remedy(ignored)))
    });
    let findings: Vec<Finding> = findings.collect();
    match unit.unmeasured.first().filter(|_| findings.is_empty()) {
        Some(Ignored { text, at, why }) => Err(Undecided::new(format!("{text} ({at}): {why}"))),
        None => Ok(Outcome::from_findings(findings)),
    }
}

/// The line as it was evidently meant: a value that systemd would take, with a comment behind it or quotes round it.
fn meant(version: SystemdVersion, unit: &EffectiveUnit, text: &str) -> Option<String> {
    let (key, rest) = text.split_once('=')?;
    let (key, rest) = (key.trim(), rest.trim());
    let commented = rest.split_once(" #").or_else(|| rest.split_once("\t#")).map(|(value, _)| value.trim());
    let quoted = || {
        let within = |quote: char| rest.strip_prefix(quote)?.strip_suffix(quote);
        within('"').or_else(|| within('\'')).filter(|value| !value.contains(['"', '\'', '\\']))
    };
    let value = commented.or_else(quoted)?;
    (!value.is_empty() && takes(version, unit, key, value) == Some(true)).then(|| format!("{key}={value}"))
}

/// The line with the value that the contract states, where what stands there is no value of a setting that systemd knows.
fn stated(view: &ServiceView, version: SystemdVersion, unit: &EffectiveUnit, text: &str) -> Option<String> {
    let (key, value) = text.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let demand = view.service.settings.iter().find(|demand| *demand.key == *key)?;
    let is_one_value = matches!(demand.form, Form::Equals(_) | Form::OneOf(_));
    let stated = view.stated_value(demand).filter(|_| is_one_value)?;
    let is_the_trouble = takes(version, unit, key, value) == Some(false);
    (is_the_trouble && takes(version, unit, key, &stated) == Some(true)).then(|| format!("{key}={stated}"))
}

/// The line with the value that another line gives the setting, where what stands there is no value.
fn in_force(version: SystemdVersion, unit: &EffectiveUnit, text: &str) -> Option<String> {
    let (key, value) = text.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let other = ["Unit", "Service", "Install"].iter().find_map(|section| unit.scalar(section, key))?;
    let is_one_value = !effective::is_list(&other.section, key) && !other.raw().contains(['\n', '\\']);
    let is_the_trouble = takes(version, unit, key, value) == Some(false);
    (is_one_value && is_the_trouble).then(|| format!("{key}={}", other.raw().trim()))
}

/// Whether the right section holds the value that the contract states for the setting of a misplaced line.
fn is_settled(view: &ServiceView, unit: &EffectiveUnit, section: &str, text: &str) -> bool {
    let key = text.split('=').next().unwrap_or("").trim();
    let mut demands = view.service.settings.iter();
    let demand = demands.find(|demand| *demand.key == *key && *demand.section == *section);
    let stated = demand.and_then(|demand| view.stated_value(demand));
    unit.scalar(section, key).is_some_and(|setting| stated.is_some_and(|stated| setting.raw().trim() == stated))
}

/// Whether systemd takes a value for a setting; nothing where it knows no such setting.
fn takes(version: SystemdVersion, unit: &EffectiveUnit, key: &str, value: &str) -> Option<bool> {
    let sections = ["Unit", "Service", "Install"];
    let kind = sections.iter().find_map(|section| match known::look(version, unit.name.kind(), section, key) {
        Known::Setting { kind, .. } => Some(kind),
        _ => None,
    })?;
    let read = value::Reader { version, unit: &unit.name }.canonical(key, kind, value);
    Some(read.is_ok_and(|read| read.passed_over.is_empty() && read.unmeasured.is_empty()))
}
