//! Findings made into a plan: the changes that their remedies name, causes before what follows from them.
//!
//! The order of causes is `RuleInfo::cause`: accounts, host, units, environment, processes. What a pass reveals is
//! asked again; under `--yes` it waits for the next call.

use std::collections::BTreeSet;

use crate::contract::{Contract, Service};
use crate::model::change::{Change, Verb};
use crate::model::report::{RuleResult, Said};
use crate::model::{Cause, How, Remedy, Report, Severity, Subject};
use crate::plan::{Plan, Step};
use crate::rules::says_whether_it_starts;

/// What can be mended now, and what a person must.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mends {
    /// The changes.
    pub plan: Plan,
    /// Findings that a person must decide: rule and subject, and what to do.
    pub left: Vec<(String, String)>,
    /// How many findings wait until these are mended.
    pub later: usize,
}

/// The findings of a report that count: not waived, and warnings where they are wanted.
pub fn findings(report: &Report, warnings: bool) -> Vec<&RuleResult> {
    let counts = |result: &&RuleResult| {
        let failed = matches!(&result.said, Said::Fail(failure) if failure.waiver.is_none());
        failed && (warnings || result.severity == Severity::Must)
    };
    report.results.iter().filter(counts).collect()
}

/// How a finding is named in a plan.
pub fn name(result: &RuleResult) -> String {
    format!("{} ({})", result.rule.id, result.subject)
}

fn remedy(result: &RuleResult) -> Option<&Remedy> {
    match &result.said {
        Said::Fail(failure) => failure.finding.remedy.as_ref(),
        _ => None,
    }
}

/// The plan that mends findings, causes first: what may only follow from another finding is judged again when that is
/// mended.
pub fn plan(contract: &Contract, report: &Report, findings: &[&RuleResult]) -> Mends {
    let mut mends = Mends::default();
    let causes = causes(findings);
    mends.later = findings.len() - causes.len();
    let mut lines = BTreeSet::new();
    let mut sorted = causes.clone();
    sorted.sort_by_key(|result| result.severity != Severity::Must);
    for result in sorted {
        let Said::Fail(failure) = &result.said else { continue };
        let changes = match &failure.finding.remedy {
            Some(Remedy::Do { changes }) => changes,
            Some(decide) => {
                mends.left.push((name(result), decide.text()));
                continue;
            }
            None => continue,
        };
        // Of several findings about one line the gravest is mended; the next look tells what is left.
        let place = &failure.finding.location;
        if place.line_number().is_some_and(|line| !lines.insert((place.path(), line)))
            && !shares(&mends.plan, changes)
        {
            mends.later += 1;
            continue;
        }
        // Two findings may each want a list as a whole; the second is judged again when the first is mended.
        if changes.iter().any(|change| lists_otherwise(&mends.plan, change)) {
            mends.later += 1;
            continue;
        }
        for change in changes {
            let subject = result.subject.to_string();
            let health = health(contract, change);
            mends.plan.steps.push(Step { health, ..Step::new(subject, name(result), change.clone()) });
        }
    }
    start_what_died(contract, findings, &mut mends.plan);
    leave_what_would_not_start(contract, report, &mut mends);
    mends
}

/// A service that a person must mend before it can start is not restarted for nothing, and a reload that came with the
/// restart alone serves nothing. Where something of it changes, that may be what it takes to start: the start is proven when
/// the files are changed.
fn leave_what_would_not_start(contract: &Contract, report: &Report, mends: &mut Mends) {
    for service in &contract.services {
        let subject = Subject::Service(service.name.clone());
        let holds_up = |result: &&RuleResult| {
            result.subject == subject
                && result.severity == Severity::Must
                && says_whether_it_starts(result.rule.id)
                && matches!(&result.said, Said::Fail(failure) if failure.waiver.is_none())
                && remedy(result).is_some_and(Remedy::is_a_persons)
        };
        let Some(obstacle) = report.results.iter().find(holds_up) else { continue };
        let starts = |step: &Step| matches!(&step.change, Change::Unit { verb: Verb::Start | Verb::Restart, unit } if *unit == service.unit.value);
        let steps = &mut mends.plan.steps;
        let changes = |why: &str| {
            steps.iter().any(|step| step.why == why && step.change != Change::Reload && !starts(step))
        };
        let whys: BTreeSet<String> =
            steps.iter().filter(|step| starts(step)).map(|step| step.why.clone()).collect();
        let idle: BTreeSet<String> = whys.into_iter().filter(|why| !changes(why)).collect();
        if idle.is_empty() {
            continue;
        }
        steps.retain(|step| !(idle.contains(&step.why) && (starts(step) || step.change == Change::Reload)));
        let what = format!("it is not restarted, since it would not start; first mend {}", name(obstacle));
        mends.left.push((service.unit.value.clone(), what));
    }
}

/// Whether a plan holds one of these changes of files already.
fn shares(plan: &Plan, changes: &[Change]) -> bool {
    let is_of_files = |change: &&Change| !matches!(change, Change::Reload | Change::Unit { .. });
    changes.iter().filter(is_of_files).all(|change| plan.steps.iter().any(|step| step.change == *change))
}

/// Whether a plan gives a list of a unit other values than a change does.
fn lists_otherwise(plan: &Plan, change: &Change) -> bool {
    let Change::Setting { unit, section, key, values, how: How::Replace, .. } = change else { return false };
    plan.steps.iter().any(|step| match &step.change {
        Change::Setting { unit: of, section: within, key: other, values: others, .. } => {
            (of, within, other) == (unit, section, key) && others != values
        }
        _ => false,
    })
}

/// When a unit of the contract that is started counts as healthy.
fn health(contract: &Contract, change: &Change) -> Option<crate::contract::Health> {
    let Change::Unit { verb: Verb::Start | Verb::Restart, unit } = change else { return None };
    let service = contract.services.iter().find(|service| service.unit.value == *unit);
    service.map(crate::contract::Service::health)
}

/// A service that is down for want of what is mended here starts with it; the start is proven first.
fn start_what_died(contract: &Contract, findings: &[&RuleResult], plan: &mut Plan) {
    if plan.steps.is_empty() {
        return;
    }
    let down = |service: &&Service| {
        let subject = Subject::Service(service.name.clone());
        findings.iter().any(|one| one.rule.id == "unit-not-active" && one.subject == subject)
    };
    for service in contract.services.iter().filter(|service| service.runs_by_itself()).filter(down) {
        let unit = service.unit.value.clone();
        let change = Change::Unit { verb: Verb::Restart, unit: unit.clone() };
        if plan.steps.iter().any(|step| step.change == change) {
            continue;
        }
        let why = "it is down, and what it may need is mended".to_owned();
        let health = Some(service.health());
        let step = Step::new(format!("service:{}", service.name), why, change);
        plan.steps.push(Step { health, tried: true, ..step });
    }
}

/// The findings of a subject that may be causes of its others.
fn causes<'r>(findings: &[&'r RuleResult]) -> Vec<&'r RuleResult> {
    let accounts: Vec<&RuleResult> =
        findings.iter().filter(|one| one.rule.cause == Cause::Accounts && is_typed(one)).copied().collect();
    if !accounts.is_empty() {
        return accounts;
    }
    // What only a person can decide holds nothing up.
    let first = |subject: &Subject| {
        let of = findings.iter().filter(|one| one.subject == *subject && is_typed(one));
        of.map(|one| one.rule.cause).min()
    };
    let counts = |one: &&&RuleResult| {
        first(&one.subject).is_none_or(|first| one.rule.cause == first) || !is_typed(one)
    };
    findings.iter().filter(counts).copied().collect()
}

fn is_typed(result: &RuleResult) -> bool {
    remedy(result).is_some_and(|remedy| !remedy.is_a_persons())
}
