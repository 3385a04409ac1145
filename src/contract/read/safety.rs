//! `[safety]`: section F.

use super::places::{place_named, relative};
use super::{Cx, Fields};
use crate::contract::schema::Keys;
use crate::contract::{
    Contract, DependencyKind, Gate, Rollback, Safety, Scoreboard, Telemetry, schema, words,
};
use crate::model::Stated;

/// `[safety]`
pub(super) fn safety<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>, contract: &Contract) -> Option<Safety> {
    let entry = root.get("safety")?;
    let fields = cx.fields(&entry.node, entry.at, "", &schema::SAFETY)?;
    let models =
        fields.need(cx, "models", "\"models\"", |cx, node, key| place_named(cx, node, key, &contract.layout));
    let reports = fields.need(cx, "reports", "\"reports/safety\"", relative);
    let telemetry = table(cx, &fields, "telemetry", &schema::TELEMETRY);
    let telemetry = telemetry.and_then(|table| read_telemetry(cx, &table, contract));
    let gate = table(cx, &fields, "gate", &schema::GATE).and_then(|table| read_gate(cx, &table));
    let scoreboard = table(cx, &fields, "scoreboard", &schema::SCOREBOARD);
    let scoreboard = scoreboard.and_then(|table| read_scoreboard(cx, &table));
    let rollback = table(cx, &fields, "rollback", &schema::ROLLBACK);
    let rollback = rollback.and_then(|table| read_rollback(cx, &table));
    Some(Safety {
        telemetry: telemetry?,
        gate: gate?,
        scoreboard: scoreboard?,
        rollback: rollback?,
        reports: reports?,
        models: models?,
        at: cx.at(entry.at),
    })
}

/// A table of the section that must be there.
fn table<'t, 'a>(
    cx: &mut Cx<'a>,
    fields: &Fields<'t, 'a>,
    key: &str,
    keys: &'static Keys,
) -> Option<Fields<'t, 'a>> {
    fields.need(cx, key, "{ … }", |_, _, _| Some(()))?;
    let entry = fields.get(key)?;
    cx.fields(&entry.node, entry.at, "", keys)
}

fn read_telemetry<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>, contract: &Contract) -> Option<Telemetry> {
    let dependency = fields.need(cx, "dependency", "\"redis\"", |cx, node, key| {
        let named = cx.text(node, key)?;
        let found = contract.dependencies.get(named.value.as_str());
        if !found.is_some_and(|found| matches!(found.kind, DependencyKind::Redis { .. })) && !cx.partial {
            let redis = |(name, found): (&'_ std::sync::Arc<str>, &'_ crate::contract::Dependency)| {
                matches!(found.kind, DependencyKind::Redis { .. }).then(|| name.to_string())
            };
            let known: Vec<String> = contract.dependencies.iter().filter_map(redis).collect();
            let message = format!("there is no dependency {:?} of kind redis", named.value);
            cx.unknown(node.span, message, &named.value, known.iter().map(String::as_str));
        }
        Some(named)
    });
    let stream = fields.need(cx, "stream", "\"app:stream\"", Cx::text);
    let field = fields.need(cx, "field", "\"model_breakdown\"", Cx::text);
    let inside = fields.list(cx, "inside", Cx::text);
    let window = fields.need(cx, "window", "2000", Cx::count);
    let stale_after =
        fields.need(cx, "stale_after", "\"15min\"", |cx, node, key| cx.word(node, key, words::seconds));
    fields.need(cx, "actions", "[\"BUY\", \"SELL\", \"HOLD\"]", |_, _, _| Some(()));
    let actions = fields.texts(cx, "actions");
    let hold = fields.need(cx, "hold", "\"HOLD\"", Cx::text);
    if let Some(hold) = hold.as_ref().filter(|hold| !actions.value.contains(&hold.value)) {
        let message = format!("{:?} is not one of the `actions`", hold.value);
        cx.error_at(&hold.at, message, "name one of them");
    }
    Some(Telemetry {
        dependency: dependency?,
        stream: stream?,
        field: field?,
        inside,
        window: window?,
        stale_after: stale_after?,
        actions,
        hold: hold?,
    })
}

/// A share that must be stated.
fn share<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>, key: &str) -> Option<Stated<f64>> {
    fields.need(cx, key, "0.5", Cx::share)
}

/// A share that may be left out; then the usual one holds, and its place is the table's.
fn or_usual<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>, key: &str, usual: f64) -> Option<Stated<f64>> {
    match fields.get(key) {
        Some(_) => fields.opt(cx, key, Cx::share),
        None => Some(Stated::new(usual, cx.at(fields.at))),
    }
}

/// The same of a probability that is neither certain nor impossible.
fn inner_share<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>, key: &str, usual: f64) -> Option<Stated<f64>> {
    let found = or_usual(cx, fields, key, usual)?;
    if found.value <= 0.0 || found.value >= 1.0 {
        let message = format!("`{key}` is {}, not a probability between 0 and 1", found.value);
        cx.error_at(&found.at, message, format!("write such as `{key} = {usual}`"));
    }
    Some(found)
}

fn read_gate<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Option<Gate> {
    let min_events = fields.need(cx, "min_events", "200", Cx::count);
    let max_action_share = share(cx, fields, "max_action_share");
    let max_hold_share = share(cx, fields, "max_hold_share");
    let collapsed_below = share(cx, fields, "collapsed_below");
    let constant_below = share(cx, fields, "constant_below");
    let narrow_below = share(cx, fields, "narrow_below");
    let interval = inner_share(cx, fields, "interval", 0.95);
    let repeated_error = inner_share(cx, fields, "repeated_error", 0.05);
    let drift_psi_above = or_usual(cx, fields, "drift_psi_above", 0.25);
    let drift_ks_above = or_usual(cx, fields, "drift_ks_above", 0.20);
    Some(Gate {
        interval: interval?,
        repeated_error: repeated_error?,
        drift_psi_above: drift_psi_above?,
        drift_ks_above: drift_ks_above?,
        min_events: min_events?,
        max_action_share: max_action_share?,
        max_hold_share: max_hold_share?,
        collapsed_below: collapsed_below?,
        constant_below: constant_below?,
        narrow_below: narrow_below?,
    })
}

fn read_scoreboard<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Option<Scoreboard> {
    let agreement_min = share(cx, fields, "agreement_min");
    let agreement_max = share(cx, fields, "agreement_max");
    let hard_disagreement_below = share(cx, fields, "hard_disagreement_below");
    let (agreement_min, agreement_max) = (agreement_min?, agreement_max?);
    if agreement_min.value > agreement_max.value {
        cx.error_at(&agreement_min.at, "`agreement_min` lies above `agreement_max`", "swap them");
    }
    let hard_disagreement_below = hard_disagreement_below?;
    Some(Scoreboard { agreement_min, agreement_max, hard_disagreement_below })
}

fn read_rollback<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>) -> Option<Rollback> {
    let max_loss_per_hour = share(cx, fields, "max_loss_per_hour");
    let max_error_share = share(cx, fields, "max_error_share");
    Some(Rollback { max_loss_per_hour: max_loss_per_hour?, max_error_share: max_error_share? })
}
