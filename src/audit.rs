//! The only loop over rules. Audit, preflight, checklist and the proof after a fix all pass through here.
//!
//! From sixty-four services on they are judged on all processors, section by section in the order of the report.

use std::sync::Arc;

use crate::contract::secrets::Hiding;
use crate::contract::{Contract, Service};
use crate::facts::secrets::Known;
use crate::facts::unjudged::Unjudged;
use crate::facts::view::{DependencyView, JobView, ModelView, PlaceView, ServiceView, View};
use crate::facts::{HostFacts, Need, Needs};
use crate::model::{
    ContractNote, Failure, Finding, MOST_FINDINGS, NEEDS_LIVE_HOST, NEEDS_PROBE, NEEDS_TELEMETRY, Outcome,
    Remedy, Report, Results, RuleResult, Ruling, Said, Scope, Section, Severity, Subject, Undecided,
};
use crate::policy;
use crate::rules::{Check, RULES, Rule};
use crate::syntax::secret_text::{Kind, replaced};
use crate::syntax::stand_in::{all as all_stand_ins, noticing_hidden};
use crate::systemd::effective::noticing_unread;

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
                && contract.severity_of(&rule.info).is_some()
        })
    }

    /// What the selected rules need to see, without what somebody has to ask for.
    pub fn needs(&self, contract: &Contract) -> Needs {
        self.rules(contract).fold(Needs::default(), |needs, rule| needs.and(rule.needs)).looked_at()
    }

    /// Whether a selected rule judges what is only known when something of the host is run.
    pub fn wants_probe(&self, contract: &Contract) -> bool {
        self.rules(contract).any(|rule| rule.needs.has(Need::Probes))
    }

    /// Whether a selected rule judges what models say.
    pub fn wants_telemetry(&self, contract: &Contract) -> bool {
        self.rules(contract).any(|rule| rule.needs.has(Need::Telemetry))
    }

    /// Whether no selected rule judges anything else.
    pub fn asks_only_for_probes(&self, contract: &Contract) -> bool {
        self.rules(contract).all(|rule| rule.needs.has(Need::Probes))
    }

    /// Whether no selected rule judges anything but models.
    pub fn asks_only_for_models(&self, contract: &Contract) -> bool {
        self.rules(contract).all(|rule| rule.needs.has(Need::Telemetry))
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

/// The first findings, the last of which says how many more there are.
fn counted(mut findings: Vec<Finding>) -> Vec<Finding> {
    let more = findings.len().saturating_sub(MOST_FINDINGS);
    if more > 0 {
        // What only warns never pushes aside what counts.
        findings.sort_by_key(|finding| finding.severity.is_some());
    }
    findings.truncate(MOST_FINDINGS);
    if let Some(last) = findings.last_mut().filter(|_| more > 0) {
        last.message = format!("{} (and {more} more like it)", last.message);
    }
    findings
}

/// Judges the facts of a host by a contract.
pub fn audit(contract: &Contract, facts: &HostFacts, selection: &Selection, replayed: bool) -> Report {
    let mut results = judge(contract, facts, selection, replayed);
    conceal(contract, facts, &mut results);
    policy::apply(contract, facts.time, selection, &mut results);
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

/// Takes secrets of the host out of all that is said. Rules do not show what they know for one; this catches what stands in
/// a text that they quote, such as a line of a unit.
fn conceal(contract: &Contract, facts: &HostFacts, results: &mut Results) {
    let speaks = |result: &&mut RuleResult| matches!(result.said, Said::Fail(_) | Said::Undecided(_));
    let mut speaking = results.iter_mut().filter(speaks).peekable();
    if speaking.peek().is_none() {
        return;
    }
    let known = Known::of(facts, contract);
    let hiding = Hiding::of(contract);
    let mark = |_: &str| "(a secret)".to_owned();
    // First by where it stands: a short one is hidden nowhere else.
    let hide = |text: &str| {
        let spans = hiding.spans_as(Kind::Other, "", text);
        let without = (!spans.is_empty()).then(|| replaced(text, &spans, &mark));
        let without = known.hidden(without.as_deref().unwrap_or(text), &mark).or(without);
        // What recorded facts say in place of a secret tells a person nothing more.
        let stand_ins: Vec<_> = all_stand_ins(without.as_deref().unwrap_or(text)).map(|(at, _)| at).collect();
        match stand_ins.is_empty() {
            true => without,
            false => Some(replaced(without.as_deref().unwrap_or(text), &stand_ins, &mark)),
        }
    };
    let conceal = |text: &mut String| {
        if let Some(other) = hide(text) {
            *text = other;
        }
    };
    for result in speaking {
        match &mut result.said {
            Said::Fail(failure) => {
                let finding = &mut failure.finding;
                conceal(&mut finding.message);
                finding.expected.iter_mut().chain(&mut finding.observed).for_each(conceal);
                finding.overrode.iter_mut().for_each(|(_, text)| conceal(text));
                match &mut finding.remedy {
                    Some(Remedy::Decide(decision)) => {
                        conceal(&mut decision.question);
                        decision.candidates.iter_mut().for_each(|candidate| {
                            conceal(&mut candidate.words);
                            conceal(&mut candidate.shell);
                        });
                    }
                    // What a person copies would show it, and without it the change is another one.
                    Some(remedy) if hide(&remedy.shell()).is_some() => {
                        let question = format!("correct {}, a line with a secret in it", finding.location);
                        finding.remedy = Some(Remedy::decide(question));
                    }
                    _ => {}
                }
            }
            Said::Undecided(undecided) => {
                conceal(&mut undecided.why);
                undecided.remedy.iter_mut().for_each(conceal);
            }
            Said::Pass | Said::NotApplicable(_) => {}
        }
    }
}

fn notes(facts: &HostFacts) -> Vec<String> {
    let mut notes = Vec::new();
    if let Err(why) = facts.systemd.known() {
        notes.push(format!(
            "the systemd version is unknown ({why}); files are read as the newest known one would"
        ));
    }
    notes.extend(facts.unjudged.iter().map(Unjudged::in_words));
    notes
}

/// Every outcome, section by section. Services are independent of each other, so they are judged on all
/// processors, in the order of their names.
fn judge(contract: &Contract, facts: &HostFacts, selection: &Selection, replayed: bool) -> Results {
    let start = || Loop { contract, facts, replayed, results: Vec::new() };
    let mut rules: Vec<(&'static Rule, Severity)> = selection
        .rules(contract)
        .filter_map(|rule| Some((rule, contract.severity_of(&rule.info)?)))
        .collect();
    rules.sort_by_key(|(rule, _)| (rule.info.section, rule.info.id));
    let rules = rules.as_slice();
    let mut services: Vec<&Service> =
        contract.services.iter().filter(|service| selection.has_service(&service.name)).collect();
    services.sort_by(|a, b| a.name.cmp(&b.name));

    let workers = crate::facts::workers(services.len());
    let chunk = services.len().div_ceil(workers).max(1);
    let mut of_host = start().of_host(rules);
    let mut parts = Vec::with_capacity(workers);
    if workers == 1 {
        parts.push(start().of_services(rules, &services));
    } else {
        std::thread::scope(|scope| {
            let judge = |part| move || start().of_services(rules, part);
            let handles: Vec<_> = services.chunks(chunk).map(|part| scope.spawn(judge(part))).collect();
            parts.extend(handles.into_iter().map(|handle| match handle.join() {
                Ok(part) => part,
                Err(panic) => std::panic::resume_unwind(panic),
            }));
        });
    }
    let mut all = Results::default();
    for section in 0..Section::ALL.len() {
        let (host, others) = std::mem::take(&mut of_host[section]).into_iter().partition(is_of_host);
        all.append(host);
        for part in &mut parts {
            all.append(std::mem::take(&mut part[section]));
        }
        all.append(others);
    }
    all
}

/// Services stand between the host and its jobs.
fn is_of_host(result: &RuleResult) -> bool {
    result.subject == Subject::Host
}

/// Results by section, in the order of [`Section::ALL`].
type BySection = Vec<Vec<RuleResult>>;

/// How often these rules speak of a service, unless one has more than one finding.
fn rulings(rules: &[&(&'static Rule, Severity)], service: &Service) -> usize {
    let of_rule = |rule: &Rule| match rule.check {
        Check::Service(_) => 1,
        Check::Setting(_) => service.settings.len(),
        Check::Variable(_) => service.variables.len(),
        Check::Host(_) | Check::Place(_) | Check::Dependency(_) | Check::Job(_) | Check::Model(_) => 0,
    };
    rules.iter().map(|(rule, _)| of_rule(rule)).sum()
}

struct Loop<'a> {
    contract: &'a Contract,
    facts: &'a HostFacts,
    /// The facts were recorded, without the secrets of the host.
    replayed: bool,
    results: Vec<RuleResult>,
}

/// Whose word is being taken down: everything of a result but what is said.
struct Slot {
    rule: &'static Rule,
    severity: Severity,
    subject: Subject,
    key: Option<Arc<str>>,
}

impl<'a> Loop<'a> {
    /// What is not about services.
    fn of_host(mut self, rules: &[(&'static Rule, Severity)]) -> BySection {
        let sections = Section::ALL.iter().map(|section| {
            for (rule, severity) in rules.iter().filter(|(rule, _)| rule.info.section == *section) {
                self.host_rule(rule, *severity);
            }
            self.results.sort_by(|a, b| a.order().cmp(&b.order()));
            std::mem::take(&mut self.results)
        });
        sections.collect()
    }

    /// What is about these services, one after the other in each section.
    fn of_services(mut self, rules: &[(&'static Rule, Severity)], services: &[&'a Service]) -> BySection {
        let sections = Section::ALL.iter().map(|section| {
            let rules: Vec<_> = rules.iter().filter(|(rule, _)| rule.info.section == *section).collect();
            self.results = Vec::with_capacity(services.iter().map(|service| rulings(&rules, service)).sum());
            for service in services {
                for (rule, severity) in &rules {
                    let first = self.results.len();
                    self.service_rule(rule, *severity, service);
                    self.results[first..].sort_by(|a, b| a.key.cmp(&b.key));
                }
            }
            std::mem::take(&mut self.results)
        });
        sections.collect()
    }

    /// Calls a check unless it needs a running host and there is none, or judges what nobody was asked to run. A check that looked at a value which
    /// is not known has decided nothing.
    fn ask(&self, rule: &Rule, check: impl FnOnce(View<'a>) -> Ruling) -> Ruling {
        if rule.needs.live() && self.facts.scope == Scope::Root {
            return Ok(Outcome::not_applicable(NEEDS_LIVE_HOST));
        }
        if rule.needs.has(Need::Probes) && !self.facts.gathered.has(Need::Probes) {
            return Ok(Outcome::not_applicable(NEEDS_PROBE));
        }
        if rule.needs.has(Need::Telemetry) && !self.facts.gathered.has(Need::Telemetry) {
            return Ok(Outcome::not_applicable(NEEDS_TELEMETRY));
        }
        let check = || noticing_unread(|| check(View::new(self.contract, self.facts, rule.needs)));
        match noticing_hidden(self.replayed, check) {
            ((Ok(_), Some(why)), _) => Err(Undecided::new(why)),
            ((Ok(_), None), Some(why)) => Err(Undecided::new(why).or_run("sudo golden audit")),
            ((ruling, _), _) => ruling,
        }
    }

    fn host_rule(&mut self, rule: &'static Rule, severity: Severity) {
        let contract = self.contract;
        let slot = |severity, subject, key| Slot { rule, severity, subject, key };
        match rule.check {
            Check::Host(check) => {
                let ruling = self.ask(rule, |view| check(&view));
                self.say(slot(severity, Subject::Host, None), ruling);
            }
            Check::Place(check) => {
                for place in contract.layout.values() {
                    let ruling = self.ask(rule, |view| check(&PlaceView::new(view, place)));
                    let severity = place.severity.max(severity);
                    self.say(slot(severity, Subject::Host, Some(place.name.clone())), ruling);
                }
            }
            Check::Dependency(check) => {
                for dependency in contract.dependencies.values() {
                    let ruling = self.ask(rule, |view| check(&DependencyView::new(view, dependency)));
                    self.say(slot(severity, Subject::Host, Some(dependency.name.clone())), ruling);
                }
            }
            Check::Job(check) => {
                for job in &contract.jobs {
                    let ruling = self.ask(rule, |view| check(&JobView::new(view, job)));
                    self.say(slot(severity, Subject::Job(job.name.clone()), None), ruling);
                }
            }
            Check::Model(check) => self.model_rule(rule, severity, check),
            Check::Service(_) | Check::Setting(_) | Check::Variable(_) => {}
        }
    }

    /// Each model that is judged; without telemetry there is none, and the host is told why.
    fn model_rule(&mut self, rule: &'static Rule, severity: Severity, check: fn(&ModelView) -> Ruling) {
        let slot = |subject| Slot { rule, severity, subject, key: None };
        let Some(telemetry) = &self.facts.telemetry else {
            return self.say(slot(Subject::Host), Ok(Outcome::not_applicable(NEEDS_TELEMETRY)));
        };
        for model in &telemetry.judged {
            let ruling = self.ask(rule, |view| check(&ModelView::new(view, model)));
            self.say(slot(Subject::Model(model.clone())), ruling);
        }
    }

    fn service_rule(&mut self, rule: &'static Rule, severity: Severity, service: &'a Service) {
        let slot =
            |severity, key| Slot { rule, severity, subject: Subject::Service(service.name.clone()), key };
        match rule.check {
            Check::Service(check) => {
                let ruling = self.ask(rule, |view| check(&ServiceView::new(view, service)));
                self.say(slot(severity, None), ruling);
            }
            Check::Setting(check) => {
                for demand in &service.settings {
                    let ruling = self.ask(rule, |view| check(&ServiceView::new(view, service), demand));
                    self.say(slot(demand.severity, Some(demand.key.clone())), ruling);
                }
            }
            Check::Variable(check) => {
                for demand in &service.variables {
                    let ruling = self.ask(rule, |view| check(&ServiceView::new(view, service), demand));
                    self.say(slot(demand.severity, Some(demand.name.clone())), ruling);
                }
            }
            Check::Host(_) | Check::Place(_) | Check::Dependency(_) | Check::Job(_) | Check::Model(_) => {}
        }
    }

    /// Takes down a ruling; a failure has one result per finding.
    fn say(&mut self, slot: Slot, ruling: Ruling) {
        let result = |key, said| RuleResult {
            rule: &slot.rule.info,
            severity: match &said {
                Said::Fail(failure) => {
                    failure.finding.severity.map_or(slot.severity, |most| most.max(slot.severity))
                }
                _ => slot.severity,
            },
            subject: slot.subject.clone(),
            key,
            said,
        };
        match ruling {
            Ok(Outcome::Pass) => self.results.push(result(slot.key, Said::Pass)),
            Ok(Outcome::NotApplicable(why)) => self.results.push(result(slot.key, Said::NotApplicable(why))),
            Ok(Outcome::Fail(findings)) => {
                self.results.extend(counted(findings).into_iter().map(|finding| {
                    let key = finding.key.as_deref().map(Arc::from).or_else(|| slot.key.clone());
                    result(key, Said::Fail(Box::new(Failure::new(finding))))
                }))
            }
            Err(undecided) => self.results.push(result(slot.key, Said::Undecided(Box::new(undecided)))),
        }
    }
}
