//! A confidence without sure and unsure.

use crate::rules::models::{finding, judged, keep_in_shadow, nothing_said};
use crate::rules::prelude::*;

rule! {
    /// The confidence of a model stays in a narrow band.
    ///
    /// The distance from its 10th to its 90th percentile (`numpy.percentile`, linear interpolation) must not be
    /// below `safety.gate.narrow_below`.
    ///
    /// ```bad
    /// stream quantum:stream:trade.intent 400 momentum=BUY,SELL,HOLD@0.50..0.62
    /// ```
    /// ```good
    /// stream quantum:stream:trade.intent 400 momentum=BUY,SELL,HOLD@0.40..0.60
    /// ```
    id: "model-confidence-narrow",
    section: F,
    severity: Must,
    needs: [Telemetry],
    cause: Host,
    why: "its confidence does not separate good answers from guesses",
    see: ["golden scoreboard"],
    mend: "Do not promote the model. Check its calibration.",
    man: ["redis-cli(1)"],
    since: "unreleased",
    check: Model(check),
}

fn check(view: &ModelView) -> Ruling {
    let Some((gate, said)) = judged(view)? else { return Ok(nothing_said()) };
    let limit = &gate.narrow_below;
    if said.spread() >= limit.value {
        return Ok(Outcome::Pass);
    }
    Ok(finding(view, "has a confidence in a narrow band", limit)?
        .expected(format!("p90 - p10 of at least {}", limit.value))
        .observed(format!("{:.4} (p10 {:.4}, p90 {:.4})", said.spread(), said.p10, said.p90))
        .mend(keep_in_shadow())
        .into())
}
