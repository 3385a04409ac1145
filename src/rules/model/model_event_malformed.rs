//! Events that cannot be taken for what they should be.

use crate::rules::dependencies::redis_cli;
use crate::rules::models::{look_at_producer, no_safety, safety, source};
use crate::rules::prelude::*;

rule! {
    /// An event of the window is malformed.
    ///
    /// The event has no answers; an answer is not a number, lies outside 0 to 1, or has another type; an action
    /// is unknown; a name occurs twice; the id is from the future; or it is larger than an event can be. Such
    /// an event does not count as evidence. It blocks every model, because its writer may have written the
    /// other events too. The finding names it by its id.
    ///
    /// ```bad
    /// event quantum:stream:trade.intent 7
    /// | model_breakdown {"momentum":{"action":"BUY","confidence":NaN}}
    /// ```
    /// ```bad
    /// event quantum:stream:trade.intent 7
    /// | model_breakdown {"momentum":{"action":"buy","confidence":0.5}}
    /// ```
    /// ```bad
    /// event quantum:stream:trade.intent 7
    /// | note hello
    /// ```
    /// ```bad
    /// event quantum:stream:trade.intent -7200
    /// | model_breakdown {"momentum":{"action":"BUY","confidence":0.5}}
    /// ```
    /// ```good
    /// event quantum:stream:trade.intent 7
    /// | model_breakdown {"momentum":{"action":"BUY","confidence":0.5}}
    /// ```
    /// ```good
    /// event quantum:stream:trade.intent 7
    /// | event_type trade.intent
    /// | payload {"symbol":"X","model_breakdown":{"momentum":{"action":"BUY","confidence":0.5}}}
    /// ```
    id: "model-event-malformed",
    section: F,
    severity: Must,
    needs: [Telemetry],
    cause: Host,
    why: "a malformed event proves nothing, and a forged one looks like this",
    see: ["redis-cli -h {host} -p {port} XREVRANGE {stream} + - COUNT 3"],
    mend: "Find the program that wrote the event. Let the window pass, or remove the event from the stream.",
    man: ["redis-cli(1)"],
    since: "unreleased",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(safety) = safety(view) else { return Ok(no_safety()) };
    let Some(events) = view.events()? else { return Ok(Outcome::not_applicable("there are no events")) };
    let telemetry = &safety.telemetry;
    let more = events.malformed_count.saturating_sub(events.malformed.len() as u64);
    let last = events.malformed.len().saturating_sub(1);
    let dependency = view.contract.dependencies.get(telemetry.dependency.value.as_str());
    let cli = dependency.map_or_else(|| "redis-cli".to_owned(), redis_cli);
    let mut findings = Vec::new();
    for (at, event) in events.malformed.iter().enumerate() {
        let others = if more > 0 && at == last { format!(" (and {more} more)") } else { String::new() };
        let look = look_at_producer();
        let look = match event.id.contains('-') {
            true => look.candidate(
                "look at the event",
                format!(
                    "{cli} XRANGE {} {} {}",
                    quoted(&telemetry.stream.value),
                    quoted(&event.id),
                    quoted(&event.id)
                ),
            ),
            false => look,
        };
        findings.push(
            Finding::new(
                format!("event {} is malformed: {}{others}", event.id, event.why),
                source(view)?,
                telemetry.field.at.clone(),
            )
            .key(event.id.as_str())
            .expected(format!("each model's action ({}) and confidence", telemetry.actions.value.join(", ")))
            .observed(event.why.as_str())
            .mend(look),
        );
    }
    Ok(Outcome::from_findings(findings))
}
