//! Waivers: dated exceptions with a reason and an owner. A tool without exceptions is turned off; an
//! exception without an end is no exception.

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

use crate::audit::Selection;
use crate::contract::{Contract, Waiver};
use crate::model::{
    Cause, Failure, Finding, Location, Remedy, Results, RuleInfo, RuleResult, Said, Section, Severity,
    Subject, WaiverNote,
};

/// The rule that unused waivers break. It judges the audit itself and so cannot be a file among the rules.
pub static WAIVER_UNUSED: RuleInfo = RuleInfo {
    id: "waiver-unused",
    section: Section::H,
    severity: Severity::Should,
    cause: Cause::Host,
    why: "an unused waiver hides the next defect of its kind",
    see: &["golden audit --verbose"],
    mend: "Remove the waiver, or correct its rule, subject or key.",
    man: &[],
    since: "0.1.0",
    doc: "A waiver covers nothing.\n\nIts defect is gone, or its rule, subject or key is misspelt.\n",
};

/// Puts each waiver on the findings it covers at `time` (seconds since the epoch) and reports those that
/// cover none. A waiver never covers what could not be decided.
pub fn apply(contract: &Contract, time: i64, selection: &Selection, results: &mut Results) {
    let today = day_of(time);
    let mut unused = Vec::new();
    for waiver in &contract.waivers {
        let (mut used, mut looked_at) = (false, true);
        for result in results.iter_mut().filter(|result| waiver.rule == result.rule.id) {
            let is_of_models = matches!(waiver.subject, Subject::Model(_));
            if waiver.subject != result.subject {
                // An audit that asks no model has one word for all of them.
                looked_at &= !(is_of_models && result.was_not_looked_at());
                continue;
            }
            looked_at &= !result.was_not_looked_at();
            let Said::Fail(failure) = &mut result.said else { continue };
            if waiver.key.is_some() && waiver.key.as_deref() != result.key.as_deref() {
                continue;
            }
            used = true;
            let holds = today.is_some_and(|today| today <= waiver.expires);
            *(if holds { &mut failure.waiver } else { &mut failure.expired }) = Some(note(waiver));
        }
        if !used && looked_at && judged(waiver, contract, selection) {
            unused.push(unused_waiver(waiver));
        }
    }
    unused.into_iter().for_each(|result| results.add(result));
}

/// The UTC day of a moment; `None` for a moment outside of all calendars, on which no waiver holds.
pub fn day_of(seconds: i64) -> Option<Date> {
    Some(Timestamp::from_second(seconds).ok()?.to_zoned(TimeZone::UTC).date())
}

/// A filtered audit must not call a waiver unused whose rule or subject it never looked at.
fn judged(waiver: &Waiver, contract: &Contract, selection: &Selection) -> bool {
    let subject = match &waiver.subject {
        Subject::Service(name) => selection.has_service(name),
        _ => selection.services.is_empty(),
    };
    subject && selection.rules(contract).any(|rule| rule.info.id == waiver.rule)
}

fn note(waiver: &Waiver) -> WaiverNote {
    WaiverNote {
        reason: waiver.reason.clone(),
        owner: waiver.owner.clone(),
        expires: waiver.expires.to_string(),
        at: waiver.at.clone(),
    }
}

fn unused_waiver(waiver: &Waiver) -> RuleResult {
    let key = waiver.key.as_deref().map_or(String::new(), |key| format!(" ({key})"));
    let finding = Finding::new(
        format!("the waiver of {} for {}{key} covers nothing", waiver.rule, waiver.subject),
        waiver.at.clone(),
        waiver.at.clone(),
    )
    .observed(format!("reason: {}; owner: {}; expires: {}", waiver.reason, waiver.owner, waiver.expires))
    .mend(remove(&waiver.at));
    RuleResult {
        rule: &WAIVER_UNUSED,
        severity: Severity::Should,
        subject: waiver.subject.clone(),
        key: Some(waiver.rule.as_str().into()),
        said: Said::Fail(Box::new(Failure::new(finding))),
    }
}

fn remove(at: &Location) -> Remedy {
    Remedy::decide(format!("remove the waiver at {at}"))
}
