//! The report a person reads: one aligned line a check, grouped by section, quiet where all is well, and
//! under each failure where it is, what is demanded, why it matters and the command that mends it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::shown::{Paint, Shown};
use crate::model::{
    ContractNote, Failure, Report, RuleResult, Said, Scope, Section, Severity, Summary, Undecided, Verdict,
    WaiverNote, visible,
};

/// How to write.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// With colour codes.
    pub color: bool,
    /// With passes and what does not apply.
    pub verbose: bool,
    /// Only failures and the verdict.
    pub quiet: bool,
    /// Columns of the screen.
    pub width: usize,
}

/// Where the evidence under a failure begins, and the width of its labels.
const INDENT: usize = 9;
const LABEL: usize = 10;

/// The whole report as text.
pub fn render(report: &Report, style: Style) -> Shown {
    let mut page = Page { out: Shown::new(), style, subjects: subject_width(report, style.verbose) };
    if !style.quiet {
        page.header(report);
    }
    for &section in Section::ALL {
        page.section(section, report.results.of_section(section));
    }
    if !style.quiet {
        for note in &report.notes {
            let _ = write!(page.out, "note: {note}");
            page.out.end_line();
        }
    }
    page.footer(report);
    page.out
}

/// The widest name of a subject that has a line, within reason.
fn subject_width(report: &Report, verbose: bool) -> usize {
    let shown = report.results.iter().filter(|result| verbose || matters(result));
    shown.map(|result| visible(name(result)).chars().count()).max().unwrap_or(0).clamp(8, 28)
}

/// The name in front of a line: the subject, or for the host the part of it.
fn name(result: &RuleResult) -> &str {
    match (&result.subject, result.key.as_deref()) {
        (crate::model::Subject::Host, Some(key)) => key,
        (subject, _) => subject.label(),
    }
}

fn matters(result: &RuleResult) -> bool {
    matches!(result.said, Said::Fail(_) | Said::Undecided(_))
}

struct Page {
    out: Shown,
    style: Style,
    subjects: usize,
}

impl Page {
    fn header(&mut self, report: &Report) {
        let ContractNote { name, version, digest, source } = &report.contract;
        let digest = digest.get(..12).unwrap_or(digest);
        let what = match (report.replayed, report.scope) {
            (true, _) => "recorded facts of",
            (false, Scope::Live) => "host",
            (false, Scope::Root) => "root of",
        };
        let host = &report.host;
        let line =
            format!("golden audit · {what} {host} · contract {name} {version} ({source}, sha256 {digest}…)");
        self.paint(&line, Paint::Bold);
        self.out.end_line();
        self.out.end_line();
    }

    fn section<'r>(&mut self, section: Section, results: impl Iterator<Item = &'r RuleResult>) {
        let verbose = self.style.verbose;
        let shown: Vec<&RuleResult> = results.filter(|result| verbose || matters(result)).collect();
        if shown.is_empty() {
            return;
        }
        self.paint(&format!("{section}  {}", section.title()), Paint::Bold);
        self.out.end_line();
        for result in &shown {
            match &result.said {
                Said::Fail(failure) => self.failure(result, failure),
                Said::Pass if verbose => {
                    self.line('✓', Paint::Green, name(result), result.key_words(), result.rule.id)
                }
                Said::NotApplicable(why) if verbose => {
                    self.line('-', Paint::Dim, name(result), why, result.rule.id);
                }
                _ => {}
            }
        }
        self.undecided(&shown);
        self.out.end_line();
    }

    /// What could not be decided, one line a reason: a caller without rights would otherwise read the same
    /// sentence fifty times.
    fn undecided(&mut self, results: &[&RuleResult]) {
        let mut reasons: BTreeMap<(&str, Option<&str>), Vec<&RuleResult>> = BTreeMap::new();
        for result in results {
            if let Said::Undecided(undecided) = &result.said {
                let Undecided { why, remedy } = undecided.as_ref();
                reasons.entry((why, remedy.as_deref())).or_default().push(result);
            }
        }
        for ((why, remedy), rows) in reasons {
            let (who, rules) = match rows.as_slice() {
                [row] => (name(row).to_owned(), row.rule.id.to_owned()),
                rows => (format!("{} checks", rows.len()), abbreviated(rows)),
            };
            self.line('?', Paint::Magenta, &who, why, &rules);
            if let Some(remedy) = remedy {
                self.evidence("run", remedy, "");
            }
        }
    }

    fn failure(&mut self, result: &RuleResult, failure: &Failure) {
        let finding = &failure.finding;
        let (mark, paint) = match (&failure.waiver, result.severity) {
            (Some(_), _) => ('~', Paint::Cyan),
            (None, Severity::Must) => ('✗', Paint::Red),
            (None, Severity::Should) => ('!', Paint::Yellow),
        };
        self.line(mark, paint, name(result), &finding.message, result.rule.id);
        if let Some(WaiverNote { reason, owner, expires, at }) = &failure.waiver {
            self.evidence("waived", &format!("until {expires} by {owner}: {reason}"), &at.to_string());
            return;
        }
        if let Some(WaiverNote { owner, expires, at, .. }) = &failure.expired {
            self.evidence("waiver", &format!("expired on {expires} (owner {owner})"), &at.to_string());
        }
        let place = finding.location.to_string();
        match &finding.observed {
            Some(observed) => self.evidence("found", observed, &place),
            None => self.evidence("where", &place, ""),
        }
        for (at, text) in &finding.overrode {
            self.evidence("overrides", text, &at.to_string());
        }
        let expected = finding.expected.as_deref().unwrap_or(result.rule.summary());
        let label = if finding.expected.is_some() { "demanded" } else { "forbidden" };
        self.evidence(label, expected, &finding.demanded_by.to_string());
        self.evidence("why", result.rule.why, "");
        if let Some(remedy) = &finding.remedy {
            self.evidence("mend", &remedy.text(), "");
        }
    }

    /// One line of a check: mark, subject, message, and the rule's id at the right edge.
    fn line(&mut self, mark: char, paint: Paint, who: &str, message: &str, rule: &str) {
        let left = format!("{:<width$}  {}", visible(who), visible(message), width = self.subjects);
        let space = self.style.width.saturating_sub(5 + left.chars().count() + rule.chars().count()).max(2);
        self.out.blanks(3);
        self.paint(&mark.to_string(), paint);
        self.out.blanks(1);
        self.out.push(&left);
        self.out.blanks(space);
        self.paint(rule, Paint::Dim);
        self.out.end_line();
    }

    /// One line of evidence: label, text, and its place where it has one.
    fn evidence(&mut self, label: &str, text: &str, place: &str) {
        self.out.blanks(INDENT);
        self.paint(&format!("{label:<LABEL$}"), Paint::Dim);
        self.out.blanks(1);
        self.out.push(text);
        if !place.is_empty() {
            self.out.blanks(3);
            self.paint(place, Paint::Dim);
        }
        self.out.end_line();
    }

    fn footer(&mut self, report: &Report) {
        let summary = report.summary();
        self.out.push(&counts(report, &summary));
        self.out.end_line();
        let (text, paint) = verdict_line(report);
        self.paint(&text, paint);
        self.out.end_line();
    }

    fn paint(&mut self, text: &str, paint: Paint) {
        self.out.paint(text, self.style.color.then_some(paint));
    }
}

fn abbreviated(rows: &[&RuleResult]) -> String {
    let mut ids: Vec<&str> = rows.iter().map(|row| row.rule.id).collect();
    ids.dedup();
    match ids.as_slice() {
        [only] => (*only).to_owned(),
        [first, ..] => format!("{first} and {} more rules", ids.len() - 1),
        [] => String::new(),
    }
}

fn counts(report: &Report, summary: &Summary) -> String {
    let mut parts = vec![format!("{} passed", summary.pass), format!("{} failed", summary.fail)];
    if summary.warn > 0 {
        parts.push(plural(summary.warn, "warning"));
    }
    if summary.waived > 0 {
        parts.push(format!("{} waived ({})", summary.waived, first_expiry(report)));
    }
    if summary.not_applicable > 0 {
        parts.push(format!("{} not applicable", summary.not_applicable));
    }
    if summary.undecided > 0 {
        parts.push(format!("{} undecided", summary.undecided));
    }
    parts.join(" · ")
}

fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn first_expiry(report: &Report) -> String {
    let expiries = report.results.iter().filter_map(|result| match &result.said {
        Said::Fail(failure) => failure.waiver.as_ref().map(|waiver| waiver.expires.as_str()),
        _ => None,
    });
    let mut expiries: Vec<&str> = expiries.collect();
    expiries.sort_unstable();
    expiries.dedup();
    match expiries.as_slice() {
        [only] => format!("until {only}"),
        [first, ..] => format!("the first until {first}"),
        [] => String::new(),
    }
}

fn verdict_line(report: &Report) -> (String, Paint) {
    let only = match report.filters.as_slice() {
        [] => String::new(),
        filters => format!(" for {} only", filters.join(", ")),
    };
    let is_looked_at = |result: &RuleResult| !matches!(result.said, Said::NotApplicable(_));
    match (report.verdict(), report.scope) {
        (Verdict::Compliant, _) if !report.results.iter().any(is_looked_at) => {
            (format!("NOTHING TO JUDGE{only}: no check applies to this host."), Paint::Magenta)
        }
        (Verdict::Compliant, Scope::Live) => (format!("COMPLIANT{only}."), Paint::Green),
        (Verdict::Compliant, Scope::Root) => {
            let live = report.results.iter().filter(|result| result.waits_for_live_host()).count();
            (format!("COMPLIANT OFFLINE{only} ({} the live host).", need(live)), Paint::Green)
        }
        (Verdict::Violated, _) => (format!("VIOLATED{only}. Do not deploy."), Paint::Red),
        (Verdict::Undecided, _) => {
            (format!("UNDECIDED{only}. What could not be read is not compliant."), Paint::Magenta)
        }
    }
}

fn need(checks: usize) -> String {
    if checks == 1 { "1 check needs".into() } else { format!("{checks} checks need") }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Failure, Finding, Location, Remedy, Results, Subject};
    use crate::report::{json, preflight};

    /// A clone's name, a reply of Redis, a reason of a waiver: whatever a stranger may choose.
    const HOSTILE: &str =
        "x\n\x1b[2J\x1b[32mCOMPLIANT.\x1b[0m\r\u{9b}2K\u{202e}\u{2066}\u{200f}\u{200b}\x7f\x07y";

    fn hostile_report() -> Report {
        let text = || HOSTILE.to_owned();
        let place = || Location::line(HOSTILE, 3);
        let finding = || {
            Finding::new(text(), place(), place())
                .key(text())
                .expected(text())
                .observed(text())
                .overrode([(place(), text())])
                .mend(Remedy::decide(text()).candidate(text(), text()))
        };
        let note = || WaiverNote { reason: text(), owner: text(), expires: text(), at: place() };
        let said = [
            Said::Fail(Box::new(Failure { finding: finding(), waiver: None, expired: Some(note()) })),
            Said::Fail(Box::new(Failure { finding: finding(), waiver: Some(note()), expired: None })),
            Said::Undecided(Box::new(Undecided::new(HOSTILE).or_run(HOSTILE))),
            Said::NotApplicable(text().into()),
            Said::Pass,
        ];
        let subjects = [Subject::Host, Subject::Service(HOSTILE.into()), Subject::Job(HOSTILE.into())];
        let mut results = Results::default();
        for rule in crate::rules::RULES.iter().take(2) {
            let of = |subject: &Subject, said: &Said| RuleResult {
                rule: &rule.info,
                severity: Severity::Must,
                subject: subject.clone(),
                key: Some(Arc::from(HOSTILE)),
                said: said.clone(),
            };
            for subject in &subjects {
                results.append(said.iter().map(|said| of(subject, said)).collect());
            }
        }
        Report {
            contract: ContractNote { name: text(), version: text(), digest: text(), source: text() },
            host: text(),
            scope: Scope::Live,
            replayed: false,
            filters: vec![text()],
            notes: vec![text()],
            results,
        }
    }

    /// Without golden's own colours there is nothing left that a terminal obeys or that hides.
    fn assert_harmless(shown: &Shown) {
        let own = ["0", "1", "2", "31", "32", "33", "35", "36"].map(|code| format!("\x1b[{code}m"));
        let bare = own.iter().fold(shown.as_str().to_owned(), |text, code| text.replace(code, ""));
        for line in bare.lines() {
            assert_eq!(visible(line), line);
            assert!(!line.trim_start().starts_with("COMPLIANT"), "{line}");
        }
        assert!(bare.contains("\\x1b[32mCOMPLIANT.\\x1b[0m") && bare.contains("\\u{202e}"));
    }

    #[test]
    fn where_nothing_was_looked_at_nothing_is_called_compliant() {
        let mut report = hostile_report();
        let rule = &crate::rules::RULES[0].info;
        let one =
            |said| RuleResult { rule, severity: Severity::Must, subject: Subject::Host, key: None, said };
        let last = |report: &Report| {
            let style = Style { color: false, verbose: false, quiet: false, width: 100 };
            render(report, style).as_str().lines().last().unwrap().to_owned()
        };
        for (said, verdict) in [
            (vec![], "UNDECIDED"),
            (vec![one(Said::NotApplicable("no such thing".into()))], "NOTHING TO JUDGE"),
        ] {
            report.results = Results::default();
            report.results.append(said);
            assert!(last(&report).starts_with(verdict), "{}", last(&report));
        }
        report.results.append(vec![one(Said::Pass)]);
        assert!(last(&report).starts_with("COMPLIANT"), "{}", last(&report));
    }

    #[test]
    fn nothing_in_a_report_reaches_the_terminal_as_it_is() {
        let report = hostile_report();
        for (color, verbose, quiet) in [(true, true, false), (false, false, true), (true, false, false)] {
            let style = Style { color, verbose, quiet, width: 110 };
            let shown = render(&report, style);
            assert_harmless(&shown);
            // One line a thing: what stands in a value adds none.
            let lines = shown.as_str().lines().count();
            assert_eq!(lines, render(&report, Style { color: false, ..style }).as_str().lines().count());
        }
        let id = crate::rules::RULES[0].info.id;
        let topics = [("topic", HOSTILE.to_owned(), &[id][..]), (HOSTILE, HOSTILE.to_owned(), &[id][..])];
        let style = Style { color: true, verbose: true, quiet: false, width: 110 };
        assert_harmless(&preflight::render(&report, &topics, style));
    }

    #[test]
    fn json_says_the_same_and_steers_nothing() {
        let report = hostile_report();
        let text = json::render(&report).unwrap();
        assert!(text.lines().all(|line| visible(line) == line));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["host"], HOSTILE);
        assert_eq!(value["results"][0]["message"], HOSTILE);
        assert_eq!(crate::model::visible_json(&text), text);
    }
}
