//! A model that hardly ever acts.

use crate::rules::models::{finding, judged, keep_in_shadow, nothing_said, percent, safety};
use crate::rules::prelude::*;

rule! {
    /// A model does nothing in almost all of its events.
    ///
    /// The share of the action that `safety.telemetry.hold` names must not be above
    /// `safety.gate.max_hold_share`.
    ///
    /// ```bad
    /// stream quantum:stream:trade.intent 400 momentum=HOLD*9,BUY@0.30..0.95
    /// ```
    /// ```good
    /// stream quantum:stream:trade.intent 400 momentum=HOLD*4,BUY@0.30..0.95
    /// ```
    id: "model-dead-zone",
    section: F,
    severity: Must,
    needs: [Telemetry],
    cause: Host,
    why: "its events do not show what it does when it acts",
    see: ["golden scoreboard"],
    mend: "Do not promote the model. Check its thresholds.",
    man: ["redis-cli(1)"],
    since: "unreleased",
    check: Model(check),
}

fn check(view: &ModelView) -> Ruling {
    let (Some((gate, said)), Some(safety)) = (judged(view)?, safety(view)) else { return Ok(nothing_said()) };
    let (limit, hold) = (&gate.max_hold_share, safety.telemetry.hold.value.as_str());
    let count = said.said(hold);
    if said.share(count) <= limit.value {
        return Ok(Outcome::Pass);
    }
    let message = format!("does nothing in {} of its events", percent(said.share(count)));
    Ok(finding(view, message, limit)?
        .expected(format!("{hold} in at most {}", percent(limit.value)))
        .observed(format!("{hold} {count} of {}", said.count()))
        .mend(keep_in_shadow())
        .into())
}
