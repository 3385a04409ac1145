//! A model that passes because it was asked about often enough.

use crate::facts::telemetry::ModelEvents;
use crate::rules::models::{finding, judged, nothing_said, percent, safety};
use crate::rules::prelude::*;
use crate::statistics::{deviation_lower, error_of_look, share_upper, spread_lower};

rule! {
    /// A model was blocked before, and its events do not prove that it is better now.
    ///
    /// A gate that is asked again and again passes a bad model by chance. So a model that the gate blocked
    /// because of its figures, as the ledger shows, passes later only if each figure is proven to be within its
    /// limit. The bounds of shares are those of Clopper and Pearson, those of p90 - p10 are order statistics,
    /// those of the standard deviation are Maurer and Pontil's. Look k after the block may err with 6 / (pi
    /// k)^2 of `safety.gate.repeated_error`, so all looks together err with no more than that. The count starts
    /// again when the model passes or its artefact changes.
    ///
    /// Only root's golden writes the ledger, so other users cannot make it forget a look. A verdict of another
    /// user is not recorded and approves nothing; there the rule is not applicable.
    ///
    /// ```bad
    /// gated momentum blocked model-actions-biased
    /// stream quantum:stream:trade.intent 400 momentum=BUY*69,SELL*16,HOLD*15@0.00..1.00
    /// ```
    /// ```good
    /// gated momentum blocked model-actions-biased
    /// stream quantum:stream:trade.intent 2000 momentum=BUY*60,SELL*20,HOLD*20@0.00..1.00
    /// ```
    /// ```good na
    /// stream quantum:stream:trade.intent 400 momentum=BUY*69,SELL*16,HOLD*15@0.00..1.00
    /// ```
    id: "model-improvement-unproven",
    section: F,
    severity: Must,
    needs: [Telemetry],
    cause: Host,
    why: "if a bad model is tried often enough, it passes once by chance",
    see: ["golden ledger show"],
    mend: "Wait for more events, or train the model again.",
    man: ["redis-cli(1)"],
    since: "unreleased",
    check: Model(check),
}

fn check(view: &ModelView) -> Ruling {
    let (Some((gate, said)), Some(safety)) = (judged(view)?, safety(view)) else { return Ok(nothing_said()) };
    let looks = view.past()?.map_or(0, |past| past.blocked);
    if looks == 0 {
        return Ok(Outcome::not_applicable("its figures have not blocked it since it passed last"));
    }
    let error = error_of_look(gate.repeated_error.value, looks);
    let mut findings = Vec::new();
    for unproven in unproven(gate, said, &safety.telemetry.hold.value, error) {
        let times = if looks == 1 { "once".to_owned() } else { format!("{looks} times") };
        let message = format!("was blocked {times}, and {} is not proven to be within its limit", unproven.what);
        findings.push(
            finding(view, message, &gate.repeated_error)?
                .key(unproven.what)
                .expected(unproven.expected)
                .observed(unproven.observed)
                .mend(Remedy::decide("wait for more events of the better model, or register its new artefact")),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// A figure that is within its limit in the sample alone.
struct Unproven {
    what: String,
    expected: String,
    observed: String,
}

/// Figures that break their limit outright have rules of their own.
fn unproven(gate: &Gate, said: &ModelEvents, hold: &str, error: f64) -> Vec<Unproven> {
    let mut all = Vec::new();
    for (action, count) in &said.actions {
        let limits = [Some(&gate.max_action_share), (action.as_ref() == hold).then_some(&gate.max_hold_share)];
        let limit = limits.into_iter().flatten().map(|limit| limit.value).fold(1.0, f64::min);
        let bound = share_upper(*count, said.count(), error);
        if said.share(*count) <= limit && bound > limit {
            all.push(Unproven {
                what: format!("the share of {action}"),
                expected: format!("at most {} with an error of {error:.5}", percent(limit)),
                observed: format!("up to {} by {} events", percent(bound), said.count()),
            });
        }
    }
    let least = gate.collapsed_below.value.max(gate.constant_below.value);
    let figures = [
        ("the deviation", said.deviation, deviation_lower(said.deviation, said.count(), error), least),
        ("p90 - p10", said.spread(), spread_lower(&said.confidences, error), gate.narrow_below.value),
    ];
    for (what, found, bound, limit) in figures {
        if found >= limit && bound < limit {
            all.push(Unproven {
                what: what.to_owned(),
                expected: format!("at least {limit} with an error of {error:.5}"),
                observed: format!("down to {bound:.4} by {} events", said.count()),
            });
        }
    }
    all
}
