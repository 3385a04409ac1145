//! `golden.report/2`: one object with every result, for machines.

use serde::Serialize;

use crate::model::{
    Location, Remedy, Report, RuleResult, Said, Scope, Summary, Verdict, WaiverNote, visible_json,
};

/// The schema that the output names.
pub const SCHEMA: &str = "golden.report/2";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    golden: &'static str,
    verdict: Verdict,
    scope: &'static str,
    host: &'a str,
    contract: &'a crate::model::ContractNote,
    filters: &'a [String],
    notes: &'a [String],
    summary: Summary,
    results: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    rule: &'static str,
    section: crate::model::Section,
    severity: crate::model::Severity,
    subject: &'a crate::model::Subject,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    outcome: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'a Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    demanded_by: Option<&'a Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    overrode: &'a [(Location, String)],
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<RemedyNote<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<&'a WaiverNote>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_waiver: Option<&'a WaiverNote>,
}

/// A remedy with the shell that a person may copy.
#[derive(Serialize)]
struct RemedyNote<'a> {
    #[serde(flatten)]
    remedy: std::borrow::Cow<'a, Remedy>,
    #[serde(skip_serializing_if = "String::is_empty")]
    shell: String,
}

impl<'a> From<&'a Remedy> for RemedyNote<'a> {
    fn from(remedy: &'a Remedy) -> Self {
        Self { shell: remedy.shell(), remedy: std::borrow::Cow::Borrowed(remedy) }
    }
}

/// What to do about something that could not be decided.
fn to_decide(command: &str) -> RemedyNote<'static> {
    let remedy = Remedy::decide("let golden read it").candidate("", command);
    RemedyNote { remedy: std::borrow::Cow::Owned(remedy), shell: String::new() }
}

/// The report as JSON, with a final newline.
pub fn render(report: &Report) -> serde_json::Result<String> {
    let document = Document {
        schema: SCHEMA,
        golden: env!("CARGO_PKG_VERSION"),
        verdict: report.verdict(),
        scope: match (report.replayed, report.scope) {
            (true, _) => "facts",
            (false, Scope::Live) => "live",
            (false, Scope::Root) => "root",
        },
        host: &report.host,
        contract: &report.contract,
        filters: &report.filters,
        notes: &report.notes,
        summary: report.summary(),
        results: report.results.iter().map(row).collect(),
    };
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(visible_json(&text).into_owned())
}

fn row(result: &RuleResult) -> Row<'_> {
    let mut row = Row {
        rule: result.rule.id,
        section: result.rule.section,
        severity: result.severity,
        subject: &result.subject,
        key: result.key.as_deref(),
        outcome: "pass",
        message: "",
        location: None,
        demanded_by: None,
        expected: None,
        observed: None,
        overrode: &[],
        remedy: None,
        waiver: None,
        expired_waiver: None,
    };
    match &result.said {
        Said::Pass => {}
        Said::NotApplicable(why) => {
            row.outcome = "not-applicable";
            row.message = why;
        }
        Said::Undecided(undecided) => {
            row.outcome = "undecided";
            row.message = &undecided.why;
            row.remedy = undecided.remedy.as_deref().map(to_decide);
        }
        Said::Fail(failure) => {
            let finding = &failure.finding;
            row.outcome = "fail";
            row.message = &finding.message;
            row.location = Some(&finding.location);
            row.demanded_by = Some(&finding.demanded_by);
            row.expected = finding.expected.as_deref();
            row.observed = finding.observed.as_deref();
            row.overrode = &finding.overrode;
            row.remedy = finding.remedy.as_ref().map(RemedyNote::from);
            row.waiver = failure.waiver.as_ref();
            row.expired_waiver = failure.expired.as_ref();
        }
    }
    row
}
