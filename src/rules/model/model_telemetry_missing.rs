//! A model that says nothing.

use crate::rules::models::{finding, look_at_producer, no_safety, safety};
use crate::rules::prelude::*;

rule! {
    /// A model has no events in the stream.
    ///
    /// The model's name must occur in the answers of at least one event of the window, exactly as it was asked
    /// for.
    ///
    /// ```bad
    /// stream quantum:stream:trade.intent 400 reversion=BUY,SELL,HOLD@0.30..0.95
    /// ```
    /// ```bad
    /// stream-gone quantum:stream:trade.intent
    /// ```
    /// ```good
    /// stream quantum:stream:trade.intent 400 momentum=BUY,SELL,HOLD@0.30..0.95
    /// ```
    id: "model-telemetry-missing",
    section: F,
    severity: Must,
    needs: [Telemetry],
    cause: Host,
    why: "without events the gate cannot judge the model",
    see: ["redis-cli -h {host} -p {port} XREVRANGE {stream} + - COUNT 3"],
    mend: "Correct the name, or start the service that runs the model.",
    man: ["redis-cli(1)"],
    since: "unreleased",
    check: Model(check),
}

fn check(view: &ModelView) -> Ruling {
    let Some(safety) = safety(view) else { return Ok(no_safety()) };
    if view.said()?.is_some() {
        return Ok(Outcome::Pass);
    }
    let found = view.events()?.map_or(String::new(), |events| {
        events.models.keys().map(|name| name.as_ref()).collect::<Vec<_>>().join(", ")
    });
    let found = if found.is_empty() { "no model".to_owned() } else { format!("only {found}") };
    Ok(finding(view, "is not in the telemetry", &safety.telemetry.field)?
        .expected(format!("answers of {}", view.model))
        .observed(found)
        .mend(look_at_producer())
        .into())
}
