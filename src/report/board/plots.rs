//! The plots of the page as SVG: each a function of numbers, in the colours of the page's style sheet.

use std::fmt::Write as _;

use crate::model::board::{ActionShare, Ensemble, Verdicts};

/// The confidences as bars from 0 to 1.
pub(super) fn histogram(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let width = 300.0 / counts.len().max(1) as f64;
    let mut out = String::from(
        "<svg viewBox=\"0 0 320 118\" class=\"plot\" role=\"img\" aria-label=\"histogram of the confidence\">\
         <line x1=\"10\" y1=\"96\" x2=\"310\" y2=\"96\" class=\"axis\"/>",
    );
    for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (84.0 * *count as f64 / most).max(1.5);
        let _ = write!(
            out,
            "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{height:.2}\" rx=\"1.5\" class=\"bar\"><title>{:.2} – {:.2}: {count}</title></rect>",
            10.0 + width * at as f64 + 0.8,
            96.0 - height,
            (width - 1.6).max(1.0),
            at as f64 / counts.len() as f64,
            (at + 1) as f64 / counts.len() as f64
        );
    }
    for (x, label) in [(10, "0"), (85, "0.25"), (160, "0.5"), (235, "0.75"), (310, "1")] {
        let _ = write!(out, "<text x=\"{x}\" y=\"111\" class=\"tick\">{label}</text>");
    }
    out + "</svg>"
}

/// Each action's share as a bar with a mark at its limit. `name` makes the text of an action safe.
pub(super) fn shares(actions: &[ActionShare], name: impl Fn(&str) -> String) -> String {
    let height = 26 * actions.len() + 16;
    let mut out = format!(
        "<svg viewBox=\"0 0 320 {height}\" class=\"plot\" role=\"img\" aria-label=\"shares of the actions against their limits\">"
    );
    let x = |share: f64| 62.0 + 204.0 * share.clamp(0.0, 1.0);
    for (at, action) in actions.iter().enumerate() {
        let top = 26 * at + 6;
        let class = if action.share > action.limit { "bar over" } else { "bar" };
        let label: String = action.action.chars().take(8).collect();
        let _ = write!(
            out,
            "<text x=\"54\" y=\"{}\" class=\"name\">{}</text>\
             <rect x=\"62\" y=\"{top}\" width=\"204\" height=\"15\" rx=\"3\" class=\"ground\"/>\
             <rect x=\"62\" y=\"{top}\" width=\"{:.2}\" height=\"15\" rx=\"3\" class=\"{class}\"><title>{} of all events</title></rect>\
             <line x1=\"{limit:.2}\" y1=\"{}\" x2=\"{limit:.2}\" y2=\"{}\" class=\"limit\"/>\
             <text x=\"316\" y=\"{}\" class=\"figure\">{:.1} %</text>",
            top + 12,
            name(&label),
            x(action.share) - 62.0,
            action.count,
            top - 3,
            top + 18,
            top + 12,
            action.share * 100.0,
            limit = x(action.limit),
        );
    }
    out + "</svg>"
}

/// The mean agreement over time in the band that it should keep.
pub(super) fn agreement(ensemble: &Ensemble) -> String {
    let points = &ensemble.over_time;
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return "<p class=\"none\">No event holds the answers of two models.</p>".to_owned();
    };
    let y = |share: f64| 10.0 + 120.0 * (1.0 - share.clamp(0.0, 1.0));
    let span = last.0.saturating_sub(first.0).max(1) as f64;
    let x = |at: u64| 62.0 + 628.0 * at.saturating_sub(first.0) as f64 / span;
    let (least, most) = ensemble.agreement_limits;
    let mut out = format!(
        "<svg viewBox=\"0 0 700 158\" class=\"plot wide\" role=\"img\" aria-label=\"agreement over time\">\
         <rect x=\"62\" y=\"{:.2}\" width=\"628\" height=\"{:.2}\" class=\"band\"/>",
        y(most),
        y(least) - y(most)
    );
    for share in [0.0, least, most, 1.0] {
        let _ = write!(
            out,
            "<line x1=\"62\" y1=\"{y:.2}\" x2=\"690\" y2=\"{y:.2}\" class=\"grid\"/><text x=\"56\" y=\"{:.2}\" class=\"name\">{:.0} %</text>",
            y(share) + 4.0,
            share * 100.0,
            y = y(share)
        );
    }
    let line: Vec<String> =
        points.iter().map(|(at, share)| format!("{:.1},{:.1}", x(*at), y(*share))).collect();
    let _ = write!(out, "<polyline points=\"{}\" class=\"line\"/>", line.join(" "));
    if let Some(last) = line.last().and_then(|point| point.split_once(',')) {
        let _ = write!(out, "<circle cx=\"{}\" cy=\"{}\" r=\"3.5\" class=\"dot\"/>", last.0, last.1);
    }
    let _ = write!(
        out,
        "<text x=\"62\" y=\"151\" class=\"tick start\">{}</text><text x=\"690\" y=\"151\" class=\"tick end\">{}</text>",
        moment(first.0),
        moment(last.0)
    );
    out + "</svg>"
}

/// Milliseconds since the epoch as day and time in UTC, by civil-from-days (Hinnant).
fn moment(ms: u64) -> String {
    let (days, seconds) = (i64::try_from(ms / 86_400_000).unwrap_or(0) + 719_468, ms / 1_000 % 86_400);
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let part = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * part + 2) / 5 + 1, if part < 10 { part + 3 } else { part - 9 });
    let year = year + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Earlier verdicts as a row of marks, oldest first. `text` makes words safe.
pub(super) fn history(verdicts: &[Verdicts], text: impl Fn(&str) -> String) -> String {
    let mut out = String::from("<div class=\"history\">");
    for verdict in verdicts {
        let class = if verdict.passed { "passed" } else { "blocked" };
        let _ = write!(
            out,
            "<i class=\"{class}\" title=\"{}: {}\"></i>",
            text(&verdict.at),
            text(&verdict.words)
        );
    }
    out + "</div>"
}

#[cfg(test)]
mod tests {
    #[test]
    fn moments_are_civil() {
        assert_eq!(super::moment(0), "1970-01-01 00:00:00");
        assert_eq!(super::moment(1_767_225_599_000), "2025-12-31 23:59:59");
        assert_eq!(super::moment(1_709_164_800_000), "2024-02-29 00:00:00");
    }
}
