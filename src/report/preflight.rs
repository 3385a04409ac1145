//! The checks before a job, one line a topic, with what to do under each that failed.

use std::fmt::Write;

use super::human::Style;
use super::shown::{Paint, Shown};
use crate::model::{Report, RuleResult, Said, Severity, Undecided};

/// The width of a topic's name.
const TOPIC: usize = 12;

/// One line a topic of `topics` (its name, what it is about, the rules that speak of it); with `quiet` only what
/// failed.
pub fn render(report: &Report, topics: &[(&str, String, &[&str])], style: Style) -> Shown {
    let mut text = Shown::new();
    for (name, about, rules) in topics {
        let of_topic: Vec<&RuleResult> =
            report.results.iter().filter(|result| rules.contains(&result.rule.id)).collect();
        let wrong: Vec<&RuleResult> = of_topic.iter().copied().filter(|result| is_wrong(result)).collect();
        for result in &wrong {
            complaint(&mut text, name, result, style);
        }
        let passed = of_topic.iter().any(|result| matches!(result.said, Said::Pass));
        if wrong.is_empty() && passed && !style.quiet {
            mark(&mut text, '✓', Paint::Green, style);
            let _ = write!(text, " {name:<TOPIC$} {about}");
            text.end_line();
        }
    }
    text
}

fn is_wrong(result: &RuleResult) -> bool {
    match &result.said {
        Said::Fail(failure) => failure.waiver.is_none(),
        Said::Undecided(_) => true,
        Said::Pass | Said::NotApplicable(_) => false,
    }
}

fn complaint(text: &mut Shown, topic: &str, result: &RuleResult, style: Style) {
    let weighs = result.severity == Severity::Must;
    let mut evidence = Vec::new();
    let ((sign, paint), message) = match &result.said {
        Said::Fail(failure) => {
            let finding = &failure.finding;
            let found = finding.observed.as_deref().unwrap_or_default();
            evidence.push(("found", format!("{found}   {}", finding.location)));
            evidence.extend(finding.remedy.as_ref().map(|remedy| ("mend", remedy.text())));
            let sign = if weighs { ('✗', Paint::Red) } else { ('!', Paint::Yellow) };
            (sign, finding.message.as_str())
        }
        Said::Undecided(undecided) => {
            let Undecided { why, remedy } = undecided.as_ref();
            evidence.extend(remedy.clone().map(|command| ("run", command)));
            (('?', Paint::Magenta), why.as_str())
        }
        Said::Pass | Said::NotApplicable(_) => return,
    };
    mark(text, sign, paint, style);
    let _ = write!(text, " {topic:<TOPIC$} {message}   {}", result.rule.id);
    text.end_line();
    for (label, line) in evidence {
        let _ = write!(text, "    {:<TOPIC$} {label:<5} {}", "", line.trim());
        text.end_line();
    }
}

fn mark(text: &mut Shown, sign: char, paint: Paint, style: Style) {
    text.blanks(2);
    text.paint(&sign.to_string(), style.color.then_some(paint));
}
