//! Root's verdicts in the ledger. What another user computes, or what was recorded, is never written there.
//!
//! The baseline of a drift is in the entry of the verdict that was approved: by a later entry that quotes its report,
//! or by `--approve`. A file beside the ledger would be one more thing to forge.

use std::collections::BTreeMap;
use std::io;

use super::gate::{Judged, Verdict};
use crate::contract::Contract;
use crate::ledger::{self, By, Entry, Event, Mode, Who};
use crate::model::board::{Board, Card};
use crate::system::act::Act;

/// What belongs to a record beside the verdict.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// Who called.
    pub who: Who,
    /// sha256 in hex of the JSON report.
    pub report: String,
    /// The distribution becomes the baseline of the model's drift, where it passes.
    pub approves: bool,
}

/// Writes one entry for each model that was judged.
pub fn record(
    act: &Act,
    contract: &Contract,
    judged: &Judged,
    board: &Board,
    occasion: &Occasion,
) -> io::Result<()> {
    let entry = |card: &Card| {
        let verdict = judged.verdict(&card.name);
        Entry {
            at: board.at.clone(),
            by: By::Who(occasion.who.clone()),
            event: Event::Gated,
            verb: "gate".to_owned(),
            plan: String::new(),
            plan_number: 0,
            contract: contract.source.digest.clone(),
            steps: Vec::new(),
            result: result(&verdict),
            left: Vec::new(),
            facts: facts(judged, &card.name, &card.distribution, &verdict, occasion),
        }
    };
    let entries: Vec<Entry> = board.models.iter().map(entry).collect();
    ledger::append_all(act, &entries, Mode::Strict).map(drop)
}

/// A ledger is no place for a forger's novel.
const LONGEST_RESULT: usize = 600;

fn result(verdict: &Verdict) -> String {
    if verdict.passed {
        return "passed".to_owned();
    }
    let mut text = format!("blocked: {}", verdict.reasons.join("; "));
    if text.len() > LONGEST_RESULT {
        let end = (0..=LONGEST_RESULT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

fn facts(
    judged: &Judged,
    model: &str,
    distribution: &str,
    verdict: &Verdict,
    occasion: &Occasion,
) -> BTreeMap<String, String> {
    let asked = &judged.asked;
    let is_asked = asked.model.as_deref() == Some(model);
    let artefact = asked.artefact.clone().filter(|_| is_asked).unwrap_or_default();
    let mut facts: BTreeMap<String, String> = [
        ("model", model.to_owned()),
        ("artefact", artefact),
        ("from", verdict.from.clone()),
        ("to", verdict.to.clone()),
        ("events", verdict.events.to_string()),
        ("report", occasion.report.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let mut add = |name: &str, value: String| facts.insert(name.to_owned(), value);
    if let Some(since) = asked.since {
        add("since", since.to_string());
    }
    if let Some((field, value)) = asked.digest.as_ref().filter(|_| is_asked) {
        add("digest", format!("{field}={value}"));
    }
    if !verdict.figures.is_empty() {
        add("figures", verdict.figures.join(","));
    }
    if verdict.passed {
        add("distribution", distribution.to_owned());
        if occasion.approves && (is_asked || asked.model.is_none()) {
            add("approved", "yes".to_owned());
        }
    }
    facts
}
