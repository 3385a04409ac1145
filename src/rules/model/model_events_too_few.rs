//! A sample that proves too little.

use crate::rules::models::{finding, judged, nothing_said};
use crate::rules::prelude::*;

rule! {
    /// A model has too few events.
    ///
    /// The events in which the model itself answered count, not those of the stream: there must be at least
    /// `safety.gate.min_events` among the newest of the window.
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
    why: "a few events look good by chance",
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
