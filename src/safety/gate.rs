//! The gate: an audit of what models said.
//!
//! A threshold, a waiver and a verdict mean here what they mean everywhere, because the gate is the audit over facts
//! that only it gathers (`Need::Telemetry`). It adds two things: an exception does not stand for evidence, and no data
//! is not a pass.

use std::io::BufRead;

use super::board;
use crate::audit::{Selection, audit};
use crate::contract::Contract;
use crate::facts::gather::{nothing_seen, recorded, telemetry};
use crate::facts::{HostFacts, Needs};
use crate::model::board::Board;
use crate::model::{self, Observed, Report, Results, RuleResult, Said, Severity, Subject};
use crate::rules::{RULES, Rule};
use crate::system::System;

pub use crate::facts::gather::Asked;

/// Without these there is no evidence at all; an exception to them proves nothing.
const EVIDENCE: &[&str] = &[
    "model-stream-empty",
    "model-telemetry-missing",
    "model-telemetry-stale",
    "model-events-too-few",
    "model-event-malformed",
];

/// Rules that judge figures; a block by one of them is a look that counts when the gate is asked again.
const FIGURES: &[&str] = &[
    "model-actions-biased",
    "model-dead-zone",
    "model-confidence-collapsed",
    "model-confidence-constant",
    "model-confidence-narrow",
    "model-improvement-unproven",
];

/// What the gate says of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may pass.
    pub passed: bool,
    /// Why not, in words; empty where it passes.
    pub reasons: Vec<String>,
    /// The rules whose figures block it.
    pub figures: Vec<&'static str>,
    /// The id of its oldest judged event, empty without one.
    pub from: String,
    /// The id of its newest.
    pub to: String,
    /// How many of its events were judged.
    pub events: u64,
}

/// A look at the models with all that it gave.
pub struct Judged {
    /// What was asked.
    pub asked: Asked,
    /// What was seen.
    pub facts: HostFacts,
    /// What the rules say of it.
    pub report: Report,
    /// Whether the events come from a file.
    pub is_recorded: bool,
}

/// Reads the contract's stream of a running host and judges it.
pub fn judge(contract: &Contract, system: &dyn System, asked: Asked) -> Judged {
    let mut facts = nothing_seen(system, Needs::default());
    telemetry(system, contract, &asked, &mut facts);
    judged(contract, facts, asked, false)
}

/// Judges recorded events as of a moment, in seconds since the epoch.
pub fn judge_recorded(
    contract: &Contract,
    system: &dyn System,
    asked: Asked,
    (name, file): (&str, &mut dyn BufRead),
    at: Option<i64>,
) -> Judged {
    let mut facts = nothing_seen(system, Needs::default());
    facts.time = at.unwrap_or(facts.time);
    recorded(file, name, contract, &asked, &mut facts);
    judged(contract, facts, asked, true)
}

fn judged(contract: &Contract, facts: HostFacts, asked: Asked, is_recorded: bool) -> Judged {
    let of_models = RULES.iter().filter(|rule| rule.needs.has(crate::facts::Need::Telemetry));
    let rules = of_models.map(|rule: &&Rule| rule.info.id.to_owned()).collect();
    let selection = Selection { rules, ..Selection::default() };
    let report = audit(contract, &facts, &selection, is_recorded);
    Judged { asked, facts, report, is_recorded }
}

impl Judged {
    /// The models that were judged.
    pub fn models(&self) -> Vec<&str> {
        let telemetry = self.facts.telemetry.iter();
        telemetry.flat_map(|telemetry| telemetry.judged.iter().map(AsRef::as_ref)).collect()
    }

    /// Whether the gate is passed: by the model that was asked about, otherwise by every model; never without any.
    pub fn passed(&self) -> bool {
        match &self.asked.model {
            Some(model) => self.verdict(model).passed,
            None => {
                let models = self.models();
                !models.is_empty() && models.iter().all(|model| self.verdict(model).passed)
            }
        }
    }

    /// What the gate says of one model. The stream's own defects block every model.
    pub fn verdict(&self, model: &str) -> Verdict {
        let is_about = |result: &&RuleResult| {
            matches!(&result.subject, Subject::Host) || is_model(&result.subject, model)
        };
        let mut results = Results::default();
        self.report.results.iter().filter(is_about).cloned().for_each(|result| results.add(result));
        let blocks: Vec<&RuleResult> = results.iter().filter(|result| blocks(result)).collect();
        let mut verdict =
            Verdict { reasons: blocks.iter().map(|result| in_words(result)).collect(), ..Verdict::default() };
        verdict.figures =
            blocks.iter().map(|result| result.rule.id).filter(|id| FIGURES.contains(id)).collect();
        verdict.figures.dedup();
        if let Some(said) = self.said(model) {
            (verdict.from, verdict.to) = (said.oldest.to_string(), said.newest.to_string());
            verdict.events = said.count();
        }
        let report = Report { results, ..self.empty_report() };
        // The verdict is the report's; what is added is that no exception stands for evidence.
        verdict.passed =
            report.verdict() == model::Verdict::Compliant && verdict.reasons.is_empty() && verdict.events > 0;
        if !verdict.passed && verdict.reasons.is_empty() {
            verdict.reasons.push("there is no evidence".to_owned());
        }
        verdict
    }

    /// The figures beside their limits, for people.
    pub fn board(&self, contract: &Contract) -> Board {
        board::board(self, contract)
    }

    pub(super) fn said(&self, model: &str) -> Option<&crate::facts::telemetry::ModelEvents> {
        match &self.facts.telemetry.as_ref()?.events {
            Observed::Found(events) => events.models.get(model),
            _ => None,
        }
    }

    fn empty_report(&self) -> Report {
        Report {
            contract: self.report.contract.clone(),
            host: self.report.host.clone(),
            scope: self.report.scope,
            replayed: self.report.replayed,
            filters: self.report.filters.clone(),
            notes: Vec::new(),
            results: Results::default(),
        }
    }
}

pub(super) fn is_model(subject: &Subject, model: &str) -> bool {
    matches!(subject, Subject::Model(name) if **name == *model)
}

/// Whether a result blocks: a broken or undecided must, and missing evidence whatever exception covers it.
pub(super) fn blocks(result: &RuleResult) -> bool {
    let is_evidence = EVIDENCE.contains(&result.rule.id);
    match &result.said {
        Said::Fail(failure) => is_evidence || (result.severity == Severity::Must && failure.waiver.is_none()),
        Said::Undecided(_) => is_evidence || result.severity == Severity::Must,
        Said::Pass | Said::NotApplicable(_) => false,
    }
}

fn in_words(result: &RuleResult) -> String {
    match &result.said {
        Said::Fail(failure) => failure.finding.message.clone(),
        Said::Undecided(undecided) => undecided.why.clone(),
        Said::Pass | Said::NotApplicable(_) => String::new(),
    }
}
