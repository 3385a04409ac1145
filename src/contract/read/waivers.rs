//! Dated exceptions, and the levels that a contract gives to rules.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;

use super::places::level;
use super::{Cx, Fields, tables};
use crate::contract::tree::Node;
use crate::contract::{Contract, Level, Waiver, schema};
use crate::model::{Stated, Subject};

/// An exception that ends later than this year is none.
const LAST_YEAR: i16 = 2099;

/// `[rules]`: rule id to level. Whether the rules exist is asked by `check`, which knows them.
pub(super) fn severities<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>) -> BTreeMap<String, Stated<Level>> {
    let Some(entry) = root.get("rules") else { return BTreeMap::new() };
    let mut levels = BTreeMap::new();
    for entry in cx.named(entry) {
        if let Some(level) = level(cx, &entry.node, &entry.key) {
            levels.insert(entry.key.to_string(), level);
        }
    }
    levels
}

/// `[[waivers]]`
pub(super) fn waivers<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>, contract: &Contract) -> Vec<Waiver> {
    let names = Names {
        services: contract.services.iter().map(|service| service.name.as_ref()).collect(),
        jobs: contract.jobs.iter().map(|job| job.name.as_ref()).collect(),
        from: contract.effective.as_ref().map(|stated| stated.value),
    };
    let waivers = tables(cx, root, "waivers", &schema::WAIVER, |cx, fields| waiver(cx, fields, &names));
    let mut seen = HashMap::new();
    for waiver in &waivers {
        let identity = (&waiver.rule, &waiver.subject, &waiver.key);
        if let Some(other) = seen.insert(identity, &waiver.at) {
            let message = format!("{} of {} is waived twice, first at {other}", waiver.rule, waiver.subject);
            cx.error_at(&waiver.at, message, "keep one of the two");
        }
    }
    waivers
}

/// What a waiver is held against.
struct Names<'c> {
    services: std::collections::HashSet<&'c str>,
    jobs: std::collections::HashSet<&'c str>,
    from: Option<Date>,
}

fn waiver<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>, names: &Names<'_>) -> Option<Waiver> {
    let rule = fields.need(cx, "rule", "\"unit-runs-as-root\"", Cx::text);
    let subject =
        fields.need(cx, "subject", "\"service:api\"", |cx, node, key| subject(cx, node, key, names));
    let key = fields.opt(cx, "setting", Cx::text).map(|stated| stated.value);
    let reason = fields.need(cx, "reason", "\"why this must be so for now\"", Cx::prose);
    let owner = fields.need(cx, "owner", "\"who answers for it\"", Cx::text);
    let expires = fields.need(cx, "expires", "2026-12-31", |cx, node, key| expiry(cx, node, key, names));
    Some(Waiver {
        rule: rule?.value,
        subject: subject?,
        key,
        reason: reason?.value,
        owner: owner?.value,
        expires: expires?,
        at: cx.at(fields.at),
    })
}

/// An exact subject that the contract knows.
fn subject<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str, names: &Names<'_>) -> Option<Subject> {
    let way_out =
        "write \"host\", \"service:NAME\", \"job:NAME\" or \"file:/PATH\"; patterns are not allowed";
    let stated = cx.word(node, key, |text| {
        text.parse::<Subject>().map_err(|_| (format!("{text:?} is not a subject"), way_out.to_owned()))
    })?;
    let (sort, name, known) = match &stated.value {
        Subject::Service(name) => ("service", name.clone(), &names.services),
        Subject::Job(name) => ("job", name.clone(), &names.jobs),
        Subject::Host | Subject::File(_) | Subject::Model(_) => return Some(stated.value),
    };
    if !known.contains(name.as_ref()) && !cx.partial {
        let message = format!("there is no {sort} {name:?} to waive anything for");
        cx.unknown(node.span, message, &name, known.iter().copied());
    }
    Some(stated.value)
}

/// The last day of a waiver. Whether it is past is the audit's question, which has a clock.
fn expiry<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str, names: &Names<'_>) -> Option<Date> {
    let day = cx.date(node, key)?.value;
    if day.year() > LAST_YEAR {
        let message = format!("a waiver until {day} is too long for an exception");
        cx.error(node.span, message, "name a day when the reason will have ended");
    } else if let Some(from) = names.from.filter(|from| day < *from) {
        let message = format!("the waiver ends on {day}, before the contract takes effect on {from}");
        cx.error(node.span, message, "name a later day, or remove the waiver");
    }
    Some(day)
}
