//! What is looked at while a plan is carried out: whether a unit may start, and whether all is well in the end.
//!
//! A start is proven: when all files are changed, the host is judged again, the probe of the venv included, and a unit
//! whose will-it-start rules fail is not started. If a check fails in the end that passed before, everything is undone.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Name, failed, look};
use crate::contract::{Contract, Service};
use crate::model::report::Said;
use crate::model::{Report, Severity, Subject};
use crate::plan::{Failed, Watch};
use crate::rules::says_whether_it_starts;
use crate::system::System;

/// How long a server that was restarted may need until it answers.
const SETTLES: Duration = Duration::from_secs(15);

/// What must hold in the end.
#[derive(Clone, Debug)]
pub enum Proof {
    /// Nothing fails that passed in the look before.
    NoWorse(BTreeSet<Name>),
    /// Nothing at all.
    Nothing,
}

/// Proves each start before it is made, and in the end that nothing is worse than before.
pub struct Proven<'a> {
    system: &'a dyn System,
    contract: &'a Contract,
    proof: Proof,
    /// The look after all files were changed; made when the first unit is about to start.
    between: Option<Report>,
    /// The last look.
    pub after: Option<Report>,
}

impl<'a> Proven<'a> {
    /// Watches over a plan.
    pub fn new(system: &'a dyn System, contract: &'a Contract, proof: Proof) -> Self {
        Self { system, contract, proof, between: None, after: None }
    }

    /// The services that start when a unit does: its own, and those that are bound to it.
    fn services_of(&self, unit: &str) -> Vec<&'a Service> {
        let is_of = |service: &&Service| {
            service.unit.value == unit || service.binds_to.iter().any(|other| other.value == unit)
        };
        self.contract.services.iter().filter(is_of).collect()
    }

    fn between(&mut self) -> &Report {
        let (system, contract) = (self.system, self.contract);
        self.between.get_or_insert_with(|| {
            let probed = contract.services.iter().map(|service| service.name.as_ref()).collect();
            look(system, contract, &probed)
        })
    }
}

/// The first finding that says a service will not start, or that nobody knows.
fn obstacle(report: &Report, service: &Service) -> Option<String> {
    let subject = Subject::Service(service.name.clone());
    report.results.iter().find_map(|result| {
        let counts = result.subject == subject
            && result.severity == Severity::Must
            && says_whether_it_starts(result.rule.id);
        match &result.said {
            Said::Fail(failure) if counts && failure.waiver.is_none() => {
                Some(format!("{} ({}): {}", result.rule.id, service.name, failure.finding.message))
            }
            // What nobody knows is no proof.
            Said::Undecided(undecided) if counts => {
                Some(format!("{} ({}), undecided: {}", result.rule.id, service.name, undecided.why))
            }
            _ => None,
        }
    })
}

impl Watch for Proven<'_> {
    fn may_start(&mut self, unit: &str) -> Result<(), String> {
        let services = self.services_of(unit);
        if services.is_empty() {
            return Ok(());
        }
        let report = self.between();
        match services.iter().find_map(|service| obstacle(report, service)) {
            None => Ok(()),
            Some(what) => Err(format!("it would not start; first mend {what}")),
        }
    }

    fn proof(&mut self, skipped: &[(String, String)]) -> Result<(), Failed> {
        let Proof::NoWorse(before) = &self.proof else { return Ok(()) };
        let unstarted: BTreeSet<String> = skipped
            .iter()
            .flat_map(|(unit, _)| self.services_of(unit))
            .map(|service| Subject::Service(service.name.clone()).to_string())
            .collect();
        let began = Instant::now();
        loop {
            let report = look(self.system, self.contract, &BTreeSet::new());
            // Nor was one restarted that would not start.
            let would_not =
                self.contract.services.iter().filter(|service| obstacle(&report, service).is_some());
            let would_not = would_not.map(|service| Subject::Service(service.name.clone()).to_string());
            let unstarted: BTreeSet<String> = unstarted.iter().cloned().chain(would_not).collect();
            let worse: Vec<Name> = failed(&report, true)
                .into_iter()
                .filter(|(rule, subject, key)| {
                    // What passes as a whole has no key; a finding of it has.
                    let whole = (*rule, subject.clone(), String::new());
                    before.contains(&(*rule, subject.clone(), key.clone())) || before.contains(&whole)
                })
                // A service that was not restarted runs with what it had: that is said, and no harm.
                .filter(|(rule, subject, _)| !(unstarted.contains(subject) && rule.starts_with("process-")))
                .collect();
            let Some((rule, subject, key)) = worse.first() else {
                self.after = Some(report);
                return Ok(());
            };
            if began.elapsed() > SETTLES || crate::system::hand::interrupted() {
                let key = if key.is_empty() { String::new() } else { format!(" {key}") };
                let why = format!("{rule} ({subject}{key}) passed before and fails now");
                return Err(Failed { why, said: String::new() });
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}
