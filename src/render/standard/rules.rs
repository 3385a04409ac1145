//! The rules of a section as a table: every rule of the registry stands in it once, with its level under this contract.

use crate::contract::{Contract, Waiver};
use crate::model::{RuleInfo, Section, Severity};
use crate::policy::WAIVER_UNUSED;
use crate::render::markdown::{Page, code};
use crate::render::words;
use crate::rules::{Check, RULES};

/// A rule, and how it is checked.
struct Row {
    info: &'static RuleInfo,
    looks_at: String,
    level: String,
}

/// The rules of a section; the worst first, then by name.
pub(super) fn table(page: &mut Page, contract: &Contract, section: Section) {
    let mut rows = of_section(contract, section);
    if rows.is_empty() {
        return;
    }
    rows.sort_by_key(|row| {
        (contract.severity_of(row.info).is_none(), contract.severity_of(row.info), row.info.id)
    });
    let rows: Vec<[String; 5]> = rows
        .into_iter()
        .map(|Row { info, looks_at, level }| {
            [code(info.id), level, info.summary().to_owned(), info.why.to_owned(), looks_at]
        })
        .collect();
    page.say("Judged by:");
    page.table(["Rule", "Level", "It is broken when", "Because", "How it is checked"], &rows);
}

fn of_section(contract: &Contract, section: Section) -> Vec<Row> {
    let judged = RULES.iter().map(|rule| Row {
        info: &rule.info,
        looks_at: rule.looks_at(),
        level: level(contract, &rule.info, &rule.check),
    });
    // The one rule that judges the audit itself stands outside of the registry.
    let of_audit = Row {
        info: &WAIVER_UNUSED,
        looks_at: "each waiver: the audit itself".to_owned(),
        level: plain(contract, &WAIVER_UNUSED),
    };
    judged.chain([of_audit]).filter(|row| row.info.section == section).collect()
}

/// The level of a rule under this contract, and where it is waived.
fn level(contract: &Contract, info: &RuleInfo, check: &Check) -> String {
    let is_off = contract.severity_of(info).is_none();
    let by_demand = match check {
        Check::Setting(_) | Check::Variable(_) => !is_off,
        _ => false,
    };
    let own = if by_demand { "as demanded".to_owned() } else { plain(contract, info) };
    let lowered = matches!(check, Check::Place(_))
        && contract.severity_of(info) == Some(Severity::Must)
        && contract.layout.values().any(|place| place.severity == Severity::Should);
    let places = if lowered { "; as its place says" } else { "" };
    let waived: Vec<String> =
        contract.waivers.iter().filter(|waiver| waiver.rule == info.id).map(waived).collect();
    format!("{own}{places}{}", waived.concat())
}

fn plain(contract: &Contract, info: &RuleInfo) -> String {
    match contract.severity_of(info) {
        None => "off, by this contract".to_owned(),
        Some(severity) if severity == info.severity => format!("**{}**", words::level(severity)),
        Some(severity) => format!("**{}**, by this contract", words::level(severity)),
    }
}

fn waived(waiver: &Waiver) -> String {
    let key = waiver.key.as_deref().map_or_else(String::new, |key| format!(" ({})", code(key)));
    format!("; waived for {}{key} until {}", code(&waiver.subject.to_string()), waiver.expires)
}
