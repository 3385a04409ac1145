//! A verdict that hangs on the sample.

use crate::rules::models::{finding, judged, nothing_said, percent, safety};
use crate::rules::prelude::*;
use crate::statistics::{Interval, share_interval};

rule! {
    /// The interval of a figure includes its limit.
    ///
    /// Another sample of the same model could be judged differently. The intervals hold with the confidence
    /// `safety.gate.interval`: exact ones for shares (Clopper and Pearson), bootstrap ones for the standard
    /// deviation and for p90 - p10.
    ///
    /// ```bad
    /// stream quantum:stream:trade.intent 400 momentum=BUY*69,SELL*16,HOLD*15@0.30..0.95
    /// ```
    /// ```good
    /// stream quantum:stream:trade.intent 400 momentum=BUY,SELL,HOLD@0.30..0.95
    /// ```
    id: "model-verdict-uncertain",
    section: F,
    severity: Should,
    needs: [Telemetry],
    cause: Host,
    why: "the next sample may lead to the opposite verdict",
    see: ["golden scoreboard"],
    mend: "Wait for more events.",
    man: ["redis-cli(1)"],
    since: "unreleased",
    check: Model(check),
}

fn check(view: &ModelView) -> Ruling {
    let (Some((gate, said)), Some(safety)) = (judged(view)?, safety(view)) else { return Ok(nothing_said()) };
    let hold = safety.telemetry.hold.value.as_str();
    let mut open: Vec<(String, &Stated<f64>, String)> = Vec::new();
    for (action, count) in &said.actions {
        let interval = share_interval(*count, said.count(), gate.interval.value);
        let limits = [Some(&gate.max_action_share), (action.as_ref() == hold).then_some(&gate.max_hold_share)];
        for limit in limits.into_iter().flatten().filter(|limit| interval.has_inside(limit.value)) {
            let shown = format!("{} to {}", percent(interval.low), percent(interval.high));
            open.push((format!("the share of {action}"), limit, shown));
        }
    }
    let figures = [
        ("the deviation", said.deviation_interval, &gate.collapsed_below),
        ("the deviation", said.deviation_interval, &gate.constant_below),
        ("p90 - p10", said.spread_interval, &gate.narrow_below),
    ];
    for (what, (low, high), limit) in figures {
        if (Interval { low, high }).has_inside(limit.value) {
            open.push((what.to_owned(), limit, format!("{low:.4} to {high:.4}")));
        }
    }
    let mut findings = Vec::new();
    for (what, limit, interval) in open {
        findings.push(
            finding(view, format!("its verdict may change with the next sample: {what}"), limit)?
                .key(what)
                .expected(format!("a figure that is clear of {}", limit.value))
                .observed(interval)
                .mend(Remedy::decide("ask again when there are more events")),
        );
    }
    Ok(Outcome::from_findings(findings))
}
