//! What golden's ledger holds on the host of a block.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::facts::telemetry::{BINS, Baseline};
use crate::ledger::{By, Entry, Event, line};
use crate::system::{MemorySystem, manifest};

/// Writes the entries that a block names, where it names any.
pub(super) fn write(host: &mut MemorySystem, block: &str) -> Result<(), String> {
    let mut text = String::new();
    let mut previous = "0".repeat(64);
    for (number, words) in (1..).zip(block.lines().filter_map(entry)) {
        let (written, digest) = line(number, &previous, &words).map_err(|error| error.to_string())?;
        text.extend(["| ", written.trim_end(), "\n"]);
        previous = digest;
    }
    match text.is_empty() {
        true => Ok(()),
        false => manifest::apply(host, &format!("file /var/lib/golden/ledger.jsonl root:root 0600\n{text}")),
    }
}

fn entry(line: &str) -> Option<Entry> {
    let words: Vec<&str> = line.split(' ').collect();
    let (result, facts): (String, Vec<(&str, String)>) = match words.as_slice() {
        ["gated", model, "blocked", figures] => {
            let facts = vec![("model", (*model).to_owned()), ("figures", (*figures).to_owned())];
            (format!("blocked: {figures}"), facts)
        }
        ["approved", model, actions, range] => {
            let distribution = baseline(actions, range)?.to_text();
            let facts = vec![
                ("model", (*model).to_owned()),
                ("distribution", distribution),
                ("approved", "yes".into()),
            ];
            ("passed".to_owned(), facts)
        }
        _ => return None,
    };
    Some(Entry {
        at: "2025-12-29T00:00:00Z".to_owned(),
        by: By::Name("root".to_owned()),
        event: Event::Gated,
        verb: "gate".to_owned(),
        plan: String::new(),
        plan_number: 0,
        contract: String::new(),
        steps: Vec::new(),
        result,
        left: Vec::new(),
        facts: facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>(),
    })
}

/// Counts of actions, and as many confidences spread evenly from low to high.
fn baseline(actions: &str, range: &str) -> Option<Baseline> {
    let action = |word: &str| {
        let (name, count) = word.split_once('=')?;
        Some((Arc::from(name), count.parse::<u64>().ok()?))
    };
    let actions = actions.split(',').map(action).collect::<Option<Vec<_>>>()?;
    let (low, high) = range.split_once("..")?;
    let (low, high): (f64, f64) = (low.parse().ok()?, high.parse().ok()?);
    let all: u64 = actions.iter().map(|(_, count)| count).sum();
    let values: Vec<f64> = (0..all).map(|at| low + (high - low) * (at as f64 + 0.5) / all as f64).collect();
    Some(Baseline { at: String::new(), actions, bins: crate::statistics::histogram(&values, BINS) })
}
