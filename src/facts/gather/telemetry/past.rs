//! What golden's ledger says of earlier looks at models. Only root's golden writes it, so nobody else can forget a look.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Asked;
use crate::facts::state::LEDGER;
use crate::facts::telemetry::{Baseline, Past, PastVerdict};
use crate::ledger::{self, Entry, Event};
use crate::model::Observed;
use crate::system::System;

/// So many verdicts are kept for a model.
const MOST_VERDICTS: usize = 60;

/// Reads the whole ledger; a broken one says nothing certain.
pub(super) fn past(system: &dyn System, asked: &Asked) -> Observed<BTreeMap<Arc<str>, Past>> {
    let text = match system.read(LEDGER, ledger::MOST) {
        Observed::Found(text) => text,
        Observed::Absent => return Observed::Absent,
        Observed::Unreadable(why) => return Observed::Unreadable(format!("{LEDGER}: {why}")),
    };
    let mut reading = Reading::default();
    let end = ledger::each(&text, |line| reading.take(&line.entry));
    if let Some(broken) = &end.broken {
        let why = format!("{LEDGER}:{}: {}: earlier looks are not known", broken.line, broken.why);
        return Observed::Unreadable(why);
    }
    if let (Some(model), Some(artefact)) = (&asked.model, &asked.artefact) {
        reading.is_about(model, artefact);
    }
    Observed::Found(reading.models)
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    models: BTreeMap<Arc<str>, Past>,
    /// The artefact that each model was judged with last, where that is known.
    artefacts: BTreeMap<Arc<str>, String>,
    /// Distributions that passed and wait for somebody to approve them, by model and the digest of their report.
    passed: BTreeMap<(Arc<str>, String), Baseline>,
}

fn fact<'e>(entry: &'e Entry, name: &str) -> &'e str {
    entry.facts.get(name).map(String::as_str).unwrap_or_default()
}

impl Reading {
    fn take(&mut self, entry: &Entry) {
        match entry.event {
            Event::Gated => self.verdict(entry),
            // What came of a verdict names its model and quotes its report.
            _ => self.approval(entry),
        }
    }

    fn approval(&mut self, entry: &Entry) {
        let model: Arc<str> = fact(entry, "model").into();
        for quoted in entry.facts.values() {
            if let Some(baseline) = self.passed.get(&(model.clone(), quoted.clone())) {
                self.models.entry(model.clone()).or_default().baseline = Some(baseline.clone());
            }
        }
    }

    fn verdict(&mut self, entry: &Entry) {
        let model: Arc<str> = fact(entry, "model").into();
        let artefact = fact(entry, "artefact");
        if !artefact.is_empty() {
            self.is_about(&model, artefact);
        }
        let past = self.models.entry(model.clone()).or_default();
        let passed = entry.result == "passed";
        match (passed, fact(entry, "figures").is_empty()) {
            (true, _) => past.blocked = 0,
            (false, false) => past.blocked += 1,
            // Missing or malformed events say nothing of the model's figures.
            (false, true) => {}
        }
        past.verdicts.push(PastVerdict { at: entry.at.clone(), passed, words: entry.result.clone() });
        if past.verdicts.len() > MOST_VERDICTS {
            past.verdicts.remove(0);
        }
        let baseline = Baseline::from_text(&entry.at, fact(entry, "distribution"));
        let Some(baseline) = baseline.filter(|_| passed) else { return };
        if fact(entry, "approved") == "yes" {
            past.baseline = Some(baseline.clone());
        }
        self.passed.insert((model, fact(entry, "report").to_owned()), baseline);
    }

    /// From here on a model is another artefact: earlier blocks were not about it.
    fn is_about(&mut self, model: &Arc<str>, artefact: &str) {
        let known = self.artefacts.entry(model.clone()).or_default();
        if known != artefact {
            let was_known = !known.is_empty();
            *known = artefact.to_owned();
            if let Some(past) = self.models.get_mut(model).filter(|_| was_known) {
                past.blocked = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::telemetry::BINS;
    use crate::ledger::By;

    fn entry(event: Event, result: &str, facts: &[(&str, &str)]) -> Entry {
        Entry {
            at: "2026-01-01T00:00:00Z".to_owned(),
            by: By::Name("root".to_owned()),
            event,
            verb: "gate".to_owned(),
            plan: String::new(),
            plan_number: 0,
            contract: String::new(),
            steps: Vec::new(),
            result: result.to_owned(),
            left: Vec::new(),
            facts: facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    fn gated(result: &str, more: &[(&str, &str)]) -> Entry {
        entry(Event::Gated, result, &[&[("model", "m")], more].concat())
    }

    fn read(entries: &[Entry]) -> Past {
        let mut reading = Reading::default();
        entries.iter().for_each(|entry| reading.take(entry));
        reading.models.remove("m").unwrap_or_default()
    }

    #[test]
    fn only_blocks_by_figures_since_the_last_pass_count() {
        let by_figure = || gated("blocked: x", &[("figures", "model-dead-zone")]);
        let by_stream = || gated("blocked: y", &[]);
        assert_eq!(read(&[by_figure(), by_stream(), by_figure()]).blocked, 2);
        assert_eq!(read(&[by_figure(), gated("passed", &[]), by_figure()]).blocked, 1);
        assert_eq!(read(&[by_figure(), gated("passed", &[])]).blocked, 0);
        let of = |artefact| gated("blocked: x", &[("figures", "f"), ("artefact", artefact)]);
        assert_eq!(read(&[of("a"), of("a"), of("b")]).blocked, 1);
        assert_eq!(read(&[of("a"), by_figure(), of("a")]).blocked, 3);
    }

    #[test]
    fn a_baseline_is_what_somebody_approved() {
        let text =
            Baseline { at: String::new(), actions: vec![("BUY".into(), 1)], bins: vec![1; BINS] }.to_text();
        let passed = || gated("passed", &[("report", "d1"), ("distribution", &text)]);
        let quotes =
            |model| entry(Event::Other("promoted".into()), "done", &[("model", model), ("gate", "d1")]);
        assert!(read(&[passed()]).baseline.is_none());
        assert!(read(&[passed(), quotes("other")]).baseline.is_none());
        assert!(read(&[passed(), quotes("m")]).baseline.is_some());
        let by_hand = gated("passed", &[("report", "d2"), ("distribution", &text), ("approved", "yes")]);
        assert!(read(&[by_hand]).baseline.is_some());
        let blocked = gated("blocked: x", &[("report", "d1"), ("distribution", &text), ("approved", "yes")]);
        assert!(read(&[blocked, quotes("m")]).baseline.is_none());
    }
}
