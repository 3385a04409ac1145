//! A model that answers otherwise than when it was approved.

use crate::rules::models::{finding, judged, keep_in_shadow, nothing_said};
use crate::rules::prelude::*;

rule! {
    /// A model has drifted from its approved baseline.
    ///
    /// The baseline is the distribution of the last verdict of the gate that a person approved: by a promotion
    /// that quotes its report, or by `golden gate --approve`. The ledger keeps it. A model has drifted if the
    /// population stability index of its actions, or of its confidences in ten bins, is above
    /// `safety.gate.drift_psi_above`, or if the Kolmogorov-Smirnov distance of its confidences (in fifty bins)
    /// is above `safety.gate.drift_ks_above`.
    ///
    /// The rule warns. `[rules] model-drifted = "must"` makes it block.
    ///
    /// ```bad
    /// approved momentum BUY=900,SELL=50,HOLD=50 0.30..0.95
    /// ```
    /// ```bad
    /// approved momentum BUY=333,SELL=333,HOLD=334 0.30..0.60
    /// ```
    /// ```good
    /// approved momentum BUY=333,SELL=333,HOLD=334 0.30..0.95
    /// ```
    /// ```good na
    /// stream quantum:stream:trade.intent 400 momentum=BUY,SELL,HOLD@0.30..0.95
    /// ```
    id: "model-drifted",
    section: F,
    severity: Should,
    needs: [Telemetry],
    cause: Host,
    why: "the model no longer behaves as it did when it was approved",
    see: ["golden scoreboard"],
    mend: "Find out what changed, the model or the market. Approve the new behaviour (`golden gate \
           --approve`) or roll back.",
    man: ["redis-cli(1)"],
    since: "unreleased",
    check: Model(check),
}

fn check(view: &ModelView) -> Ruling {
    let Some((gate, said)) = judged(view)? else { return Ok(nothing_said()) };
    let Some(baseline) = view.past()?.and_then(|past| past.baseline.as_ref()) else {
        return Ok(Outcome::not_applicable("no baseline is approved (golden gate --approve)"));
    };
    let drift = said.drift(baseline);
    let (psi, ks) = (&gate.drift_psi_above, &gate.drift_ks_above);
    let limit = match (drift.psi > psi.value, drift.ks > ks.value) {
        (false, false) => return Ok(Outcome::Pass),
        (true, _) => psi,
        (false, true) => ks,
    };
    Ok(finding(view, format!("has drifted from the baseline of {}", baseline.at), limit)?
        .expected(format!("a stability index of at most {}, a distance of at most {}", psi.value, ks.value))
        .observed(format!("index {:.3}, distance {:.3}", drift.psi, drift.ks))
        .mend(keep_in_shadow())
        .into())
}
