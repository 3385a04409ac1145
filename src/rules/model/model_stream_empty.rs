//! A stream that holds nothing to judge.

use crate::rules::models::{finding, look_at_producer, no_safety, safety};
use crate::rules::prelude::*;

rule! {
    /// The stream holds no answer of any model.
    ///
    /// It does not exist, has no events, or no event names a model. What cannot be read at all (a key of another type, a
    /// Redis that is not the unit's own, no answer in time) is undecided, and blocks as well.
    ///
    /// ```bad
    /// stream-gone quantum:stream:trade.intent
    /// ```
    /// ```bad
    /// stream quantum:stream:trade.intent 0
    /// ```
    /// ```good
    /// stream quantum:stream:trade.intent 1 momentum=BUY@0.30..0.95
    /// ```
    id: "model-stream-empty",
    section: F,
    severity: Must,
    needs: [Telemetry],
    cause: Host,
    why: "no data is no proof",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(safety) = safety(view) else { return Ok(no_safety()) };
    let stream = &safety.telemetry.stream;
    let observed = match view.events()? {
        None => "there is no such stream".to_owned(),
        Some(events) if events.count == 0 => "no events".to_owned(),
        Some(events) if events.models.is_empty() => format!("{} events that name no model", events.count),
        Some(_) => return Ok(Outcome::Pass),
    };
    Ok(finding(view, "the telemetry holds nothing to judge", stream)?
        .expected("events that name a model")
        .observed(observed)
        .mend(look_at_producer())
        .into())
}
