//! What the contract says of models.

use super::*;

pub(super) fn models(all: &mut Vec<Duty>, safety: &Safety) {
    let Safety { telemetry, gate, scoreboard, rollback, reports, models, at } = safety;
    let mut of = of(all, "safety".to_owned(), at);
    of.exactly("models", models);
    of.exactly("reports", reports);
    let Telemetry { dependency, stream, field, inside, window, stale_after, actions, hold } = telemetry;
    for (what, value) in [("dependency", dependency), ("stream", stream), ("field", field), ("hold", hold)] {
        of.exactly(what, value);
    }
    of.each("inside", inside);
    of.number("window", window, Shape::Exactly(window.value.to_string()));
    of.number("stale_after", stale_after, Shape::AtMost(stale_after.value as f64));
    of.all("actions", actions);
    let Gate {
        min_events,
        max_action_share,
        max_hold_share,
        collapsed_below,
        constant_below,
        narrow_below,
        interval,
        repeated_error,
        drift_psi_above,
        drift_ks_above,
    } = gate;
    of.number("interval", interval, Shape::AtLeast(interval.value));
    let drift = [("drift_psi_above", drift_psi_above), ("drift_ks_above", drift_ks_above)];
    for (what, most) in drift.into_iter().chain([("repeated_error", repeated_error)]) {
        of.number(what, most, Shape::AtMost(most.value));
    }
    of.number("min_events", min_events, Shape::AtLeast(min_events.value as f64));
    for (what, most) in [("max_action_share", max_action_share), ("max_hold_share", max_hold_share)] {
        of.number(what, most, Shape::AtMost(most.value));
    }
    let least = [
        ("collapsed_below", collapsed_below),
        ("constant_below", constant_below),
        ("narrow_below", narrow_below),
    ];
    least.into_iter().for_each(|(what, least)| of.number(what, least, Shape::AtLeast(least.value)));
    let Scoreboard { agreement_min, agreement_max, hard_disagreement_below } = scoreboard;
    of.number("agreement_min", agreement_min, Shape::AtLeast(agreement_min.value));
    let Rollback { max_loss_per_hour, max_error_share } = rollback;
    let most = [
        ("agreement_max", agreement_max),
        ("hard_disagreement_below", hard_disagreement_below),
        ("max_loss_per_hour", max_loss_per_hour),
        ("max_error_share", max_error_share),
    ];
    most.into_iter().for_each(|(what, most)| of.number(what, most, Shape::AtMost(most.value)));
}

pub(super) fn model(all: &mut Vec<Duty>, model: &Model) {
    let Model {
        name,
        service,
        artefact,
        // It follows from the service.
        env_file: _,
        canary,
        active,
        share,
        digest_field,
        gate_within,
        runs_code,
        rolls_back,
        watch: Watch { window, loss, errors },
        at,
    } = model;
    let mut of = of(all, format!("model:{name}"), at);
    of.exactly("service", service);
    of.exactly("artefact", artefact);
    for (state, set) in [("canary", canary), ("active", active)] {
        for Assignment { name, value } in set {
            of.exactly(&format!("set.{state}.{name}"), value);
        }
    }
    of.maybe("share", share);
    of.maybe("digest_field", digest_field);
    of.number("gate_within", gate_within, Shape::AtMost(gate_within.value as f64));
    of.number("watch.window", window, Shape::Exactly(window.value.to_string()));
    for (what, source) in [("watch.loss", loss), ("watch.errors", errors)] {
        let Some(NumberSource { dependency, query: Query::Sql(asked) | Query::Key(asked), at }) = source
        else {
            continue;
        };
        let text = format!("{what} = {} {asked:?}", dependency.value);
        of.add(what, text.clone(), Shape::Exactly(text), at);
    }
    let allowed = |stated: &Option<Stated<bool>>| {
        f64::from(u8::from(stated.as_ref().is_some_and(|stated| stated.value)))
    };
    for (what, stated) in [("runs_code", runs_code), ("rolls_back", rolls_back)] {
        let at = stated.as_ref().map_or(at, |stated| &stated.at);
        let is_allowed = allowed(stated);
        of.add(what, format!("{what} = {}", is_allowed > 0.0), Shape::AtMost(is_allowed), at);
    }
}
