//! What an audit says of whether a service starts.

#![allow(dead_code, reason = "each program of tests uses its own part of this")]

use golden::audit::{Selection, audit};
use golden::contract::Contract;
use golden::facts::gather::gather;
use golden::model::{Report, Said, Severity};
use golden::system::System;

/// Rules whose names begin so say why a service does not start.
const ABOUT_STARTS: [&str; 1] = ["start-"];

/// These say it, too.
const ALSO: [&str; 4] = ["unit-refused", "unit-missing", "unit-masked", "unit-variable-unset"];

/// Rules about what begins a start at boot.
const ABOUT_BOOTS: [&str; 4] = ["activation-", "timer-", "unit-not-enabled", "unit-not-reached"];

/// A contract with these tables of services, whose user is root.
pub fn contract(services: &str) -> Contract {
    let text = format!(
        "schema = 1\n[contract]\nname = \"starts\"\nversion = \"1.0.0\"\n[[changes]]\nversion = \"1.0.0\"\n\
         date = 2026-11-01\ntext = \"First version.\"\n[identity]\nuser = \"root\"\ngroup = \"root\"\n{services}"
    );
    let none = |_: &str| Err("nothing is extended".to_owned());
    Contract::parse(&text, "/etc/golden/golden.toml", false, &none)
        .unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// The audit of a host.
pub fn report(system: &dyn System, contract: &Contract) -> Report {
    let selection = Selection::default();
    let facts = gather(system, contract, selection.needs(contract));
    audit(contract, &facts, &selection, false)
}

/// What keeps a service from starting, and what is undecided about it. With `at_boot`, what keeps a boot from it as well.
pub fn said(report: &Report, service: &str, at_boot: bool) -> (Vec<String>, Vec<String>) {
    let (mut fails, mut undecided) = (Vec::new(), Vec::new());
    for result in report.results.iter().filter(|result| result.subject.label() == service) {
        let id = result.rule.id;
        let is_about = ABOUT_STARTS.iter().any(|start| id.starts_with(start))
            || ALSO.contains(&id)
            || at_boot && ABOUT_BOOTS.iter().any(|start| id.starts_with(start));
        match &result.said {
            _ if result.severity != Severity::Must || !is_about => {}
            Said::Fail(failure) => fails.push(format!("{id}: {}", failure.finding.message)),
            Said::Undecided(why) => undecided.push(format!("{id}: {}", why.why)),
            Said::Pass | Said::NotApplicable(_) => {}
        }
    }
    (fails, undecided)
}
