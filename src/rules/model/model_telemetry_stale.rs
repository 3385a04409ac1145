//! Answers that are too old.

use crate::rules::models::{finding, judged, look_at_producer, nothing_said, safety};
use crate::rules::prelude::*;

rule! {
    /// The newest event of a model is too old.
    ///
    /// The id of an event holds the server's time. The newest event of this model must not be older than
    /// `safety.telemetry.stale_after`; other models' events do not count.
    ///
    /// ```bad
    /// stream quantum:stream:trade.intent 400 age=7776000 momentum=BUY,SELL,HOLD@0.30..0.95
    /// ```
    /// ```good
    /// stream quantum:stream:trade.intent 400 age=3599 momentum=BUY,SELL,HOLD@0.30..0.95
    /// ```
    id: "model-telemetry-stale",
    section: F,
    severity: Must,
    needs: [Telemetry],
    cause: Host,
    why: "old answers do not show how the model behaves now",
    see: ["redis-cli -h {host} -p {port} XREVRANGE {stream} + - COUNT 1"],
    mend: "Find out why the model no longer answers.",
    man: ["redis-cli(1)"],
    since: "unreleased",
    check: Model(check),
}

fn check(view: &ModelView) -> Ruling {
    let (Some((_, said)), Some(safety)) = (judged(view)?, safety(view)) else { return Ok(nothing_said()) };
    let limit = &safety.telemetry.stale_after;
    let now = u64::try_from(view.now()).unwrap_or(0);
    // The server's clock may be a little ahead; ids from the future are malformed.
    let age = now.saturating_sub(said.newest.ms / 1_000);
    if age <= limit.value {
        return Ok(Outcome::Pass);
    }
    Ok(finding(view, "has no recent event", limit)?
        .expected(format!("one of the last {} seconds", limit.value))
        .observed(format!("the newest, {}, is {age} seconds old", said.newest))
        .mend(look_at_producer())
        .into())
}
