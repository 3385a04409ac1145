//! A sample that proves too little.

use crate::rules::models::{finding, judged, nothing_said};
use crate::rules::prelude::*;

rule! {
    /// A model has too few events.
    ///
    /// Counts the events in which this model answered, not those of the stream. The newest events of the window
    /// must hold at least `safety.gate.min_events` of them.
    ///
    /// ```bad
    /// stream quantum:stream:trade.intent 199 momentum=BUY,SELL,HOLD@0.30..0.95
    /// ```
    /// ```good
    /// stream quantum:stream:trade.intent 200 momentum=BUY,SELL,HOLD@0.30..0.95
    /// ```
    id: "model-events-too-few",
    section: F,
    severity: Must,
    needs: [Telemetry],
    cause: Host,
    why: "a few events can look good by chance",
    see: ["redis-cli -h {host} -p {port} XLEN {stream}"],
    mend: "Wait until the model has answered more often.",
    man: ["redis-cli(1)"],
    since: "unreleased",
    check: Model(check),
}

fn check(view: &ModelView) -> Ruling {
    let Some((gate, said)) = judged(view)? else { return Ok(nothing_said()) };
    let limit = &gate.min_events;
    if said.count() >= limit.value {
        return Ok(Outcome::Pass);
    }
    Ok(finding(view, "has too few events", limit)?
        .expected(format!("at least {}", limit.value))
        .observed(format!("{}, from {} to {}", said.count(), said.oldest, said.newest))
        .mend(Remedy::decide("wait until the model has answered more often, and ask again"))
        .into())
}
