//! What a person asks for, from the look before to the proof after: mends and deployments. The command line asks and
//! prints; what is judged is judged by the audit, and what is changed is changed by a plan.

pub mod approval;
pub mod deploy;
pub mod mend;
pub mod provision;
mod watch;

use std::collections::BTreeSet;

use crate::audit::{Selection, audit};
use crate::contract::Contract;
use crate::model::report::Said;
use crate::model::{Report, Severity};
use crate::system::System;

pub use watch::{Proof, Proven};

/// Judges a host by all rules. The pythons of these services' venvs are run, since a start is to be proven.
pub fn look(system: &dyn System, contract: &Contract, probed: &BTreeSet<&str>) -> Report {
    let selection = Selection::default();
    let mut facts = crate::facts::gather::gather(system, contract, selection.needs(contract));
    if !probed.is_empty() {
        crate::facts::gather::probe(system, contract, |name| probed.contains(name), &mut facts);
    }
    audit(contract, &facts, &selection, false)
}

/// What tells one result from another: rule, subject and key.
pub type Name = (&'static str, String, String);

/// Which results of a report passed. Where the contract demands two things of one setting, both must have.
pub fn passed(report: &Report) -> BTreeSet<Name> {
    let passed = report.results.iter().filter(|result| matches!(result.said, Said::Pass)).map(named);
    let failed = failed(report, true);
    passed.filter(|name| !failed.contains(name)).collect()
}

/// Which results of a report failed, waived ones not counted.
pub fn failed(report: &Report, warnings: bool) -> BTreeSet<Name> {
    let fails = |result: &&crate::model::RuleResult| {
        matches!(&result.said, Said::Fail(failure) if failure.waiver.is_none())
            && (warnings || result.severity == Severity::Must)
    };
    report.results.iter().filter(fails).map(named).collect()
}

fn named(result: &crate::model::RuleResult) -> Name {
    (result.rule.id, result.subject.to_string(), result.key_words().to_owned())
}
