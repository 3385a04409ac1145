//! The checks before a job, one line a topic, with what to do under each that failed.

use std::fmt::Write;

use super::human::Style;
use crate::model::{Report, RuleResult, Said, Severity, Undecided};

/// The width of a topic's name.
const TOPIC: usize = 12;

/// One line a topic of `topics` (its name, what it is about, the rules that speak of it); with `quiet` only what
/// failed.
pub fn render(report: &Report, topics: &[(&str, String, &[&str])], style: Style) -> String {
    let mut text = String::new();
    for (name, about, rules) in topics {
        let of_topic: Vec<&RuleResult> =
            report.results.iter().filter(|result| rules.contains(&result.rule.id)).collect();
        let wrong: Vec<&RuleResult> = of_topic.iter().copied().filter(|result| is_wrong(result)).collect();
        for result in &wrong {
            complaint(&mut text, name, result, style);
        }
        let passed = of_topic.iter().any(|result| matches!(result.said, Said::Pass));
        if wrong.is_empty() && passed && !style.quiet {
            let _ = writeln!(text, "  {} {name:<TOPIC$} {about}", paint('✓', 32, style));
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

fn complaint(text: &mut String, topic: &str, result: &RuleResult, style: Style) {
    let weighs = result.severity == Severity::Must;
    let mut evidence = Vec::new();
    let (mark, message) = match &result.said {
        Said::Fail(failure) => {
            let finding = &failure.finding;
            let found = finding.observed.as_deref().unwrap_or_default();
            evidence.push(("found", format!("{found}   {}", finding.location)));
            evidence.extend(finding.remedy.clone().map(|mend| ("mend", mend)));
            let mark = if weighs { paint('✗', 31, style) } else { paint('!', 33, style) };
            (mark, finding.message.as_str())
        }
        Said::Undecided(undecided) => {
            let Undecided { why, remedy } = undecided.as_ref();
            evidence.extend(remedy.clone().map(|command| ("run", command)));
            (paint('?', 35, style), why.as_str())
        }
        Said::Pass | Said::NotApplicable(_) => return,
    };
    let _ = writeln!(text, "  {mark} {topic:<TOPIC$} {message}   {}", result.rule.id);
    for (label, line) in evidence {
        let _ = writeln!(text, "    {:<TOPIC$} {label:<5} {}", "", line.trim());
    }
}

fn paint(mark: char, color: u8, style: Style) -> String {
    if style.color { format!("\x1b[{color}m{mark}\x1b[0m") } else { mark.to_string() }
}
