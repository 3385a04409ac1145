//! A stream that holds nothing to judge.

use crate::rules::models::{finding, look_at_producer, no_safety, safety};
use crate::rules::prelude::*;

rule! {
    /// The stream holds no answer of any model.
    ///
    /// The stream does not exist, has no events, or no event names a model. A stream that cannot be read (a key
    /// of another type, a Redis that is not the unit's own, no answer in time) is undecided, and blocks too.
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
    why: "without data the gate cannot judge a model",
    see: ["redis-cli -h {host} -p {port} XLEN {stream}"],
    mend: "Start the service that writes the stream, or correct the stream's name in the contract.",
    man: ["redis-cli(1)"],
    since: "unreleased",
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
