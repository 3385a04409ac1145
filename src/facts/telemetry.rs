//! What models said of late: the events of the contract's stream, counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Observed;
use crate::model::answers::StreamId;
use crate::statistics;

/// What was observed of the models. Only who asks for it gathers it: see [`super::Needs::looked_at`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TelemetryFacts {
    /// Where the events come from: `127.0.0.1:6379 STREAM`, or a file.
    pub source: Arc<str>,
    /// The models that are judged: all that were found, and the one that was asked about.
    pub judged: Vec<Arc<str>>,
    /// The events; absent when there is no such stream.
    pub events: Observed<Events>,
    /// What golden's ledger says of earlier looks, by model; absent where none count: recorded events, another caller
    /// than root, a host without a ledger.
    pub past: Observed<BTreeMap<Arc<str>, Past>>,
}

/// The newest events of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Events {
    /// How many were read.
    pub count: u64,
    /// The newest id; none without events.
    pub newest: Option<StreamId>,
    /// The oldest id.
    pub oldest: Option<StreamId>,
    /// How many could not be taken.
    pub malformed_count: u64,
    /// The first of them, newest first.
    pub malformed: Vec<Malformed>,
    /// What each model said.
    pub models: BTreeMap<Arc<str>, ModelEvents>,
    /// How the models agreed, newest first; an event with one model has no entry.
    pub votes: Vec<Votes>,
}

/// An event that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Malformed {
    /// Its id, or the line of a file: `line 7`.
    pub id: String,
    /// Why.
    pub why: String,
}

/// What one model said in all events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelEvents {
    /// The id of its newest event.
    pub newest: StreamId,
    /// The id of its oldest event.
    pub oldest: StreamId,
    /// How often it said each action of the contract, in the contract's order.
    pub actions: Vec<(Arc<str>, u64)>,
    /// Its confidences, 0 to 1, sorted.
    pub confidences: Vec<f64>,
    /// Their population standard deviation.
    pub deviation: f64,
    /// Their 10th percentile.
    pub p10: f64,
    /// Their 90th percentile.
    pub p90: f64,
    /// A bootstrap interval of the deviation, as sure as the contract wants it.
    pub deviation_interval: (f64, f64),
    /// The same of p90 - p10.
    pub spread_interval: (f64, f64),
}

/// The votes of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Votes {
    /// Milliseconds since the epoch.
    pub at: u64,
    /// Votes for the action with the most.
    pub largest: u8,
    /// All votes.
    pub all: u8,
    /// Two models said opposite things: different actions, neither of which means doing nothing.
    pub opposed: bool,
}

/// Earlier looks at a model, as the ledger has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Looks since the last pass, or since its artefact changed, that its figures blocked.
    pub blocked: u64,
    /// The latest verdicts, oldest first.
    pub verdicts: Vec<PastVerdict>,
    /// The distribution that was approved last.
    pub baseline: Option<Baseline>,
}

/// A verdict of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastVerdict {
    /// When, RFC 3339.
    pub at: String,
    /// Whether it passed.
    pub passed: bool,
    /// How it ended, in words.
    pub words: String,
}

/// Bins of the confidence in a baseline.
pub const BINS: usize = 50;

/// A distribution that was approved: counts of actions, and of confidences in [`BINS`] equal bins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// When it was judged, RFC 3339.
    pub at: String,
    /// How often each action was said.
    pub actions: Vec<(Arc<str>, u64)>,
    /// How many confidences lie in each bin.
    pub bins: Vec<u64>,
}

/// How far a model is from its baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// The greater population stability index of actions and confidences.
    pub psi: f64,
    /// The Kolmogorov-Smirnov distance of the confidences, in [`BINS`] bins.
    pub ks: f64,
}

impl Events {
    /// The mean agreement of the events in which at least two models voted: largest vote / votes.
    pub fn agreement(&self) -> Option<f64> {
        let shares = self.votes.iter().map(|votes| f64::from(votes.largest) / f64::from(votes.all));
        (!self.votes.is_empty()).then(|| shares.sum::<f64>() / self.votes.len() as f64)
    }

    /// The share of those events in which models said opposite things.
    pub fn opposed(&self) -> Option<f64> {
        let opposed = self.votes.iter().filter(|votes| votes.opposed).count();
        (!self.votes.is_empty()).then(|| opposed as f64 / self.votes.len() as f64)
    }
}

impl ModelEvents {
    /// Of these counts and confidences, at least one; intervals are as sure as `level`.
    pub fn new(
        (newest, oldest): (StreamId, StreamId),
        actions: Vec<(Arc<str>, u64)>,
        mut confidences: Vec<f64>,
        level: f64,
    ) -> Self {
        confidences.sort_unstable_by(f64::total_cmp);
        let ends = |interval: statistics::Interval| (interval.low, interval.high);
        let deviation_interval = ends(statistics::deviation_interval(&confidences, level));
        let spread_interval = ends(statistics::spread_interval(&confidences, level));
        let deviation = statistics::deviation(&confidences);
        let p10 = statistics::quantile(&confidences, 0.1);
        let p90 = statistics::quantile(&confidences, 0.9);
        Self {
            newest,
            oldest,
            actions,
            confidences,
            deviation,
            p10,
            p90,
            deviation_interval,
            spread_interval,
        }
    }

    /// How many events it answered.
    pub fn count(&self) -> u64 {
        self.confidences.len() as u64
    }

    /// How often it said an action.
    pub fn said(&self, action: &str) -> u64 {
        self.actions.iter().find(|(name, _)| name.as_ref() == action).map_or(0, |(_, count)| *count)
    }

    /// The action it said most often, the first of equals.
    pub fn favourite(&self) -> (&str, u64) {
        let most = self.actions.iter().rev().max_by_key(|(_, count)| *count);
        most.map_or(("", 0), |(name, count)| (name, *count))
    }

    /// The share of so many of its events.
    pub fn share(&self, count: u64) -> f64 {
        count as f64 / self.count() as f64
    }

    /// p90 - p10 of its confidence.
    pub fn spread(&self) -> f64 {
        self.p90 - self.p10
    }

    /// How its confidences and actions are spread, to be compared with later.
    pub fn baseline(&self, at: &str) -> Baseline {
        let bins = statistics::histogram(&self.confidences, BINS);
        Baseline { at: at.to_owned(), actions: self.actions.clone(), bins }
    }

    /// How far it is from a baseline.
    pub fn drift(&self, before: &Baseline) -> Drift {
        let now = self.baseline("");
        // Ten bins, as the index is usually taken; an action that one side lacks counts as none.
        let tenths =
            |bins: &[u64]| bins.chunks(BINS / 10).map(|part| part.iter().sum()).collect::<Vec<u64>>();
        let said = |action: &str| {
            before.actions.iter().find(|(name, _)| name.as_ref() == action).map_or(0, |(_, count)| *count)
        };
        let actions: (Vec<u64>, Vec<u64>) =
            now.actions.iter().map(|(name, count)| (*count, said(name))).unzip();
        let of_actions = statistics::population_stability(&actions.0, &actions.1);
        let of_confidences = statistics::population_stability(&tenths(&now.bins), &tenths(&before.bins));
        let ks = statistics::kolmogorov_smirnov_binned(&now.bins, &before.bins);
        Drift { psi: of_actions.max(of_confidences), ks }
    }
}

impl Baseline {
    /// As one line of a ledger entry: `BUY=5 SELL=3 | 0 0 8 …`.
    pub fn to_text(&self) -> String {
        let actions: Vec<String> =
            self.actions.iter().map(|(name, count)| format!("{name}={count}")).collect();
        let bins: Vec<String> = self.bins.iter().map(u64::to_string).collect();
        format!("{} | {}", actions.join(" "), bins.join(" "))
    }

    /// Reads such a line; none where it is no such line.
    pub fn from_text(at: &str, text: &str) -> Option<Self> {
        let (actions, bins) = text.split_once(" | ")?;
        let action = |word: &str| {
            let (name, count) = word.rsplit_once('=')?;
            Some((Arc::from(name), count.parse().ok()?))
        };
        let actions = actions.split(' ').map(action).collect::<Option<Vec<_>>>()?;
        let bins = bins.split(' ').map(|bin| bin.parse().ok()).collect::<Option<Vec<u64>>>()?;
        let is_usable = bins.len() == BINS && bins.iter().any(|count| *count > 0);
        is_usable.then(|| Self { at: at.to_owned(), actions, bins })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_comes_back_as_it_was_written() {
        let actions = vec![("BUY".into(), 3), ("HOLD".into(), 1)];
        let id = StreamId::default();
        let model = ModelEvents::new((id, id), actions, vec![0.9, 0.1, 0.5, 1.0], 0.95);
        let baseline = model.baseline("2026-01-01T00:00:00Z");
        assert_eq!(Baseline::from_text("2026-01-01T00:00:00Z", &baseline.to_text()), Some(baseline.clone()));
        let same = model.drift(&baseline);
        assert!(same.psi.abs() < 1e-12 && same.ks == 0.0);
        for text in ["", "BUY=1", "BUY=1 | 1 2 3", "BUY | 1", "BUY=x | 0"] {
            assert_eq!(Baseline::from_text("", text), None, "{text}");
        }
        assert_eq!(model.favourite(), ("BUY", 3));
    }
}
