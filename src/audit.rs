//! The only loop over rules. Audit, preflight, checklist and the proof after a fix all pass through here.

use std::sync::Arc;

use crate::contract::{Contract, Level, Service};
use crate::facts::view::{DependencyView, JobView, PlaceView, ServiceView, View};
use crate::facts::{HostFacts, Needs};
use crate::model::{
    ContractNote, Failure, NEEDS_LIVE_HOST, Outcome, Report, RuleResult, Ruling, Said, Scope, Section,
    Severity, Subject,
};
use crate::policy;
use crate::rules::{Check, RULES, Rule};

/// What to judge. Empty lists mean everything.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only rules of these sections.
    pub sections: Vec<Section>,
    /// Only these services, and rules about services.
    pub services: Vec<String>,
    /// Only these rules, by id.
    pub rules: Vec<String>,
}

impl Selection {
    /// The rules that are selected and that the contract has not switched off.
    pub fn rules<'a>(&'a self, contract: &'a Contract) -> impl Iterator<Item = &'static Rule> + 'a {
        RULES.iter().copied().filter(move |rule| {
            (self.sections.is_empty() || self.sections.contains(&rule.info.section))
                && (self.rules.is_empty() || self.rules.iter().any(|id| id == rule.info.id))
                && (self.services.is_empty() || rule.check.is_about_services())
                && severity(contract, rule).is_some()
        })
    }

    /// What the selected rules need to see.
    pub fn needs(&self, contract: &Contract) -> Needs {
        self.rules(contract).fold(Needs::default(), |needs, rule| needs.and(rule.needs))
    }

    /// Whether a service is selected.
    pub fn has_service(&self, name: &str) -> bool {
        self.services.is_empty() || self.services.iter().any(|selected| selected == name)
    }

    /// Words for the verdict line.
    pub fn words(&self) -> Vec<String> {
        let sections = self.sections.iter().map(|section| format!("section {section}"));
        let services = self.services.iter().map(|service| format!("service {service}"));
        let rules = self.rules.iter().map(|rule| format!("rule {rule}"));
        sections.chain(services).chain(rules).collect()
    }
}

/// The severity a contract gives a rule; `None` when it is switched off.
fn severity(contract: &Contract, rule: &Rule) -> Option<Severity> {
    match contract.severities.get(rule.info.id).map(|stated| stated.value) {
        None => Some(rule.info.severity),
        Some(Level::At(severity)) => Some(severity),
        Some(Level::Off) => None,
    }
}

/// Judges the facts of a host by a contract.
pub fn audit(contract: &Contract, facts: &HostFacts, selection: &Selection, replayed: bool) -> Report {
    let mut loop_ = Loop { contract, facts, results: Vec::new() };
    for rule in selection.rules(contract) {
        if let Some(severity) = severity(contract, rule) {
            loop_.rule(rule, severity, selection);
        }
    }
    let mut results = loop_.results;
    policy::apply(contract, facts.time, selection, &mut results);
    results.sort_by(|a, b| a.order().cmp(&b.order()));
    Report {
        contract: ContractNote {
            name: contract.name.value.clone(),
            version: contract.version.value.clone(),
            digest: contract.source.digest.clone(),
            source: contract.source.path.to_string(),
        },
        host: facts.host.clone(),
        scope: facts.scope,
        replayed,
        filters: selection.words(),
        notes: notes(facts),
        results,
    }
}

fn notes(facts: &HostFacts) -> Vec<String> {
    let mut notes = Vec::new();
    if let Err(why) = facts.systemd.known() {
        notes.push(format!(
            "the systemd version is unknown ({why}); files are read as the newest known one would"
        ));
    }
    notes
}

struct Loop<'a> {
    contract: &'a Contract,
    facts: &'a HostFacts,
    results: Vec<RuleResult>,
}

/// Whose word is being taken down: everything of a result but what is said.
struct Slot {
    rule: &'static Rule,
    severity: Severity,
    subject: Subject,
    key: Option<Arc<str>>,
}

impl Loop<'_> {
    fn rule(&mut self, rule: &'static Rule, severity: Severity, selection: &Selection) {
        let view = View::new(self.contract, self.facts, rule.needs);
        let contract = self.contract;
        let offline = rule.needs.live() && self.facts.scope == Scope::Root;
        let ask = |check: &dyn Fn() -> Ruling| {
            if offline { Ok(Outcome::not_applicable(NEEDS_LIVE_HOST)) } else { check() }
        };
        let slot = |severity, subject, key| Slot { rule, severity, subject, key };
        let services = contract.services.iter().filter(|service| selection.has_service(&service.name));
        let of = |service: &Service| Subject::Service(service.name.clone());
        match rule.check {
            Check::Host(check) => self.say(slot(severity, Subject::Host, None), ask(&|| check(&view))),
            Check::Place(check) => {
                for place in contract.layout.values() {
                    let ruling = ask(&|| check(&PlaceView::new(view, place)));
                    self.say(
                        slot(place.severity.max(severity), Subject::Host, Some(place.name.clone())),
                        ruling,
                    );
                }
            }
            Check::Dependency(check) => {
                for dependency in contract.dependencies.values() {
                    let ruling = ask(&|| check(&DependencyView::new(view, dependency)));
                    self.say(slot(severity, Subject::Host, Some(dependency.name.clone())), ruling);
                }
            }
            Check::Service(check) => {
                for service in services {
                    let ruling = ask(&|| check(&ServiceView::new(view, service)));
                    self.say(slot(severity, of(service), None), ruling);
                }
            }
            Check::Setting(check) => {
                for service in services {
                    for demand in &service.settings {
                        let ruling = ask(&|| check(&ServiceView::new(view, service), demand));
                        let key = Some(demand.key.as_str().into());
                        self.say(slot(demand.severity, of(service), key), ruling);
                    }
                }
            }
            Check::Variable(check) => {
                for service in services {
                    for demand in &service.variables {
                        let ruling = ask(&|| check(&ServiceView::new(view, service), demand));
                        let key = Some(demand.name.as_str().into());
                        self.say(slot(demand.severity, of(service), key), ruling);
                    }
                }
            }
            Check::Job(check) => {
                for job in &contract.jobs {
                    let ruling = ask(&|| check(&JobView::new(view, job)));
                    self.say(slot(severity, Subject::Job(job.name.clone()), None), ruling);
                }
            }
        }
    }

    /// Takes down a ruling; a failure has one result per finding.
    fn say(&mut self, slot: Slot, ruling: Ruling) {
        let result = |key, said| RuleResult {
            rule: &slot.rule.info,
            severity: slot.severity,
            subject: slot.subject.clone(),
            key,
            said,
        };
        match ruling {
            Ok(Outcome::Pass) => self.results.push(result(slot.key, Said::Pass)),
            Ok(Outcome::NotApplicable(why)) => self.results.push(result(slot.key, Said::NotApplicable(why))),
            Ok(Outcome::Fail(findings)) => self.results.extend(findings.into_iter().map(|finding| {
                let key = finding.key.as_deref().map(Arc::from).or_else(|| slot.key.clone());
                result(key, Said::Fail(Box::new(Failure::new(finding))))
            })),
            Err(undecided) => self.results.push(result(slot.key, Said::Undecided(Box::new(undecided)))),
        }
    }
}
