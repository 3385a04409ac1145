//! A confidence that is one number.

use crate::rules::models::{finding, judged, keep_in_shadow, nothing_said};
use crate::rules::prelude::*;

rule! {
    /// The confidence of a model is constant.
    ///
    /// The confidence is constant if its population standard deviation is below `safety.gate.constant_below`,
    /// or if its 10th and its 90th percentile are equal (`numpy.percentile`, linear interpolation).
    ///
    /// ```bad
    /// stream quantum:stream:trade.intent 400 momentum=BUY,SELL,HOLD@0.70..0.70
    /// ```
    /// ```good
    /// stream quantum:stream:trade.intent 400 momentum=BUY,SELL,HOLD@0.50..0.60
    /// ```
    id: "model-confidence-constant",
    section: F,
    severity: Must,
    needs: [Telemetry],
    cause: Host,
    why: "a constant measures nothing: the model or its reader is broken",
    see: ["golden scoreboard"],
    mend: "Do not promote the model. Check that it loads its weights and that its confidence reaches the \
           stream.",
    man: ["redis-cli(1)"],
    since: "unreleased",
    check: Model(check),
}

fn check(view: &ModelView) -> Ruling {
    let Some((gate, said)) = judged(view)? else { return Ok(nothing_said()) };
    let limit = &gate.constant_below;
    if said.deviation >= limit.value && said.p10 < said.p90 {
        return Ok(Outcome::Pass);
    }
    Ok(finding(view, "has a constant confidence", limit)?
        .expected(format!("a standard deviation of at least {}, and p10 below p90", limit.value))
        .observed(format!("{:.4}, p10 {:.4}, p90 {:.4}", said.deviation, said.p10, said.p90))
        .mend(keep_in_shadow())
        .into())
}
