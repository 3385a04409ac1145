//! A confidence that says nothing, because it is always about the same.

use crate::rules::models::{finding, judged, keep_in_shadow, nothing_said};
use crate::rules::prelude::*;

rule! {
    /// The confidence of a model hardly varies.
    ///
    /// The population standard deviation of its confidences (`numpy.std`) must not be below
    /// `safety.gate.collapsed_below`.
    ///
    /// ```bad
    /// stream quantum:stream:trade.intent 400 momentum=BUY,SELL,HOLD@0.50..0.60
    /// ```
    /// ```good
    /// stream quantum:stream:trade.intent 400 momentum=BUY,SELL,HOLD@0.40..0.60
    /// ```
    id: "model-confidence-collapsed",
    section: F,
    severity: Must,
    needs: [Telemetry],
    cause: Host,
    why: "position sizes that use this confidence are meaningless",
    see: ["golden scoreboard"],
    mend: "Do not promote the model. Check its calibration.",
    man: ["redis-cli(1)"],
    since: "unreleased",
    check: Model(check),
}

fn check(view: &ModelView) -> Ruling {
    let Some((gate, said)) = judged(view)? else { return Ok(nothing_said()) };
    let limit = &gate.collapsed_below;
    if said.deviation >= limit.value {
        return Ok(Outcome::Pass);
    }
    Ok(finding(view, "has a confidence that hardly varies", limit)?
        .expected(format!("a standard deviation of at least {}", limit.value))
        .observed(format!("{:.4}", said.deviation))
        .mend(keep_in_shadow())
        .into())
}
