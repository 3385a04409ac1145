//! One action that a model prefers to all others.

use crate::rules::models::{finding, judged, keep_in_shadow, nothing_said, percent};
use crate::rules::prelude::*;

rule! {
    /// A model chooses one action too often.
    ///
    /// The share of each action in the model's events, including doing nothing, must not be above
    /// `safety.gate.max_action_share`.
    ///
    /// ```bad
    /// stream quantum:stream:trade.intent 400 momentum=BUY*3,SELL@0.30..0.95
    /// ```
    /// ```good
    /// stream quantum:stream:trade.intent 400 momentum=BUY*7,SELL*2,HOLD@0.30..0.95
    /// ```
    id: "model-actions-biased",
    section: F,
    severity: Must,
    needs: [Telemetry],
    cause: Host,
    why: "a model that almost always gives the same answer loses money when the market turns",
    see: ["golden scoreboard"],
    mend: "Do not promote the model. Check its training data and its output layer.",
    man: ["redis-cli(1)"],
    since: "unreleased",
    check: Model(check),
}

fn check(view: &ModelView) -> Ruling {
    let Some((gate, said)) = judged(view)? else { return Ok(nothing_said()) };
    let limit = &gate.max_action_share;
    let mut findings = Vec::new();
    for (action, count) in said.actions.iter().filter(|(_, count)| said.share(*count) > limit.value) {
        let message = format!("says {action} in {} of its events", percent(said.share(*count)));
        findings.push(
            finding(view, message, limit)?
                .key(action.as_ref())
                .expected(format!("at most {} of one action", percent(limit.value)))
                .observed(format!("{action} {count} of {}", said.count()))
                .mend(keep_in_shadow()),
        );
    }
    Ok(Outcome::from_findings(findings))
}
