//! Lays every figure beside its limit. What holds is the rules' word, looked up in their results.

use super::gate::{Judged, blocks, is_model};
use crate::contract::{Contract, Safety};
use crate::facts::telemetry::{Events, ModelEvents, Past};
use crate::model::board::{
    ActionShare, Board, Card, Ensemble, EventsRead, Figure, FigureInterval, Reason, SCHEMA, Unit, Verdicts,
    Word,
};
use crate::model::{Observed, RuleResult, Said, Subject};
use crate::statistics::{histogram, share_interval};

/// Bins of the confidence that people see.
const SHOWN_BINS: usize = 20;

/// Points of the agreement over time.
const STRETCHES: usize = 60;

/// The board of a look.
pub(super) fn board(judged: &Judged, contract: &Contract) -> Board {
    let facts = &judged.facts;
    let events = facts.telemetry.as_ref().and_then(|telemetry| telemetry.events.known().ok().flatten());
    let ensemble = contract.safety.as_ref().map(|safety| ensemble(safety, events)).unwrap_or_default();
    let models: Vec<Card> = match &contract.safety {
        Some(safety) => {
            judged.models().into_iter().map(|name| card(judged, safety, name, &ensemble)).collect()
        }
        None => Vec::new(),
    };
    let of_host = |result: &&RuleResult| result.subject == Subject::Host;
    let reasons = judged.report.results.iter().filter(of_host).filter(|result| blocks(result)).map(reason);
    Board {
        schema: SCHEMA,
        golden: env!("CARGO_PKG_VERSION"),
        at: moment(facts.time),
        host: facts.host.clone(),
        contract: judged.report.contract.clone(),
        source: facts.telemetry.as_ref().map(|telemetry| telemetry.source.to_string()).unwrap_or_default(),
        recorded: judged.is_recorded,
        passed: judged.passed(),
        asked: judged.asked.model.as_deref().map(str::to_owned),
        since: judged.asked.since,
        events: read(contract, events),
        word: models.iter().map(|card| card.word).max().unwrap_or(Word::NoGo),
        ensemble,
        reasons: reasons.collect(),
        models,
        notes: notes(judged),
    }
}

/// Seconds since the epoch as RFC 3339 has them.
pub(super) fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map(|at| at.to_string()).unwrap_or_default()
}

fn notes(judged: &Judged) -> Vec<String> {
    let mut notes = Vec::new();
    if judged.is_recorded {
        notes.push("recorded events: the verdict is written nowhere and approves nothing".to_owned());
    } else if judged.facts.caller != 0 {
        notes.push(
            "not root: the verdict is not recorded and approves nothing; for that: sudo golden gate"
                .to_owned(),
        );
    }
    notes
}

fn read(contract: &Contract, events: Option<&Events>) -> EventsRead {
    let window = contract.safety.as_ref().map_or(0, |safety| safety.telemetry.window.value);
    let id = |id: Option<crate::model::answers::StreamId>| id.map(|id| id.to_string()).unwrap_or_default();
    events.map_or(EventsRead { window, ..EventsRead::default() }, |events| EventsRead {
        count: events.count,
        window,
        malformed: events.malformed_count,
        newest: id(events.newest),
        oldest: id(events.oldest),
    })
}

fn ensemble(safety: &Safety, events: Option<&Events>) -> Ensemble {
    let limits = &safety.scoreboard;
    Ensemble {
        votes: events.map_or(0, |events| events.votes.len() as u64),
        agreement: events.and_then(Events::agreement),
        agreement_limits: (limits.agreement_min.value, limits.agreement_max.value),
        opposed: events.and_then(Events::opposed),
        opposed_below: limits.hard_disagreement_below.value,
        over_time: events.map(over_time).unwrap_or_default(),
    }
}

/// The mean agreement of equally many events each, oldest first.
fn over_time(events: &Events) -> Vec<(u64, f64)> {
    let size = events.votes.len().div_ceil(STRETCHES).max(1);
    let stretch = |votes: &[crate::facts::telemetry::Votes]| {
        let sum: f64 = votes.iter().map(|one| f64::from(one.largest) / f64::from(one.all)).sum();
        (votes[0].at, sum / votes.len() as f64)
    };
    let mut all: Vec<(u64, f64)> = events.votes.chunks(size).map(stretch).collect();
    all.reverse();
    all
}

fn card(judged: &Judged, safety: &Safety, name: &str, ensemble: &Ensemble) -> Card {
    let results: Vec<&RuleResult> =
        judged.report.results.iter().filter(|result| is_model(&result.subject, name)).collect();
    let verdict = judged.verdict(name);
    let said = judged.said(name);
    let past = judged.facts.telemetry.as_ref().and_then(|telemetry| match &telemetry.past {
        Observed::Found(past) => past.get(name),
        _ => None,
    });
    let warns = |result: &&&RuleResult| !blocks(result) && matches!(result.said, Said::Fail(_));
    Card {
        name: name.to_owned(),
        passed: verdict.passed,
        word: match (verdict.passed, ensemble.lets_go()) {
            (false, _) => Word::NoGo,
            (true, false) => Word::Wait,
            (true, true) => Word::Go,
        },
        events: verdict.events,
        newest: verdict.to.clone(),
        figures: figures(judged, safety, said, &results, past),
        actions: said.map(|said| actions(safety, said)).unwrap_or_default(),
        confidences: said.map(|said| histogram(&said.confidences, SHOWN_BINS)).unwrap_or_default(),
        reasons: results.iter().filter(|result| blocks(result)).map(|result| reason(result)).collect(),
        warnings: results.iter().filter(warns).map(|result| reason(result)).collect(),
        history: past.map(history).unwrap_or_default(),
        distribution: said.map(|said| said.baseline("").to_text()).unwrap_or_default(),
    }
}

fn history(past: &Past) -> Vec<Verdicts> {
    let one = |verdict: &crate::facts::telemetry::PastVerdict| Verdicts {
        at: verdict.at.clone(),
        passed: verdict.passed,
        words: verdict.words.clone(),
    };
    past.verdicts.iter().map(one).collect()
}

/// What a rule said, as people read it.
fn reason(result: &RuleResult) -> Reason {
    let mut reason = Reason {
        rule: result.rule.id.to_owned(),
        message: String::new(),
        expected: String::new(),
        observed: String::new(),
        demanded_by: String::new(),
        waived_until: None,
    };
    match &result.said {
        Said::Fail(failure) => {
            let finding = &failure.finding;
            reason.message = finding.message.clone();
            reason.expected = finding.expected.clone().unwrap_or_default();
            reason.observed = finding.observed.clone().unwrap_or_default();
            reason.demanded_by = finding.demanded_by.to_string();
            reason.waived_until = failure.waiver.as_ref().map(|waiver| waiver.expires.clone());
        }
        Said::Undecided(undecided) => reason.message = undecided.why.clone(),
        Said::Pass | Said::NotApplicable(_) => {}
    }
    reason
}

fn actions(safety: &Safety, said: &ModelEvents) -> Vec<ActionShare> {
    let gate = &safety.gate;
    let share = |(action, count): &(std::sync::Arc<str>, u64)| ActionShare {
        action: action.to_string(),
        count: *count,
        share: said.share(*count),
        limit: match **action == *safety.telemetry.hold.value {
            true => gate.max_action_share.value.min(gate.max_hold_share.value),
            false => gate.max_action_share.value,
        },
    };
    said.actions.iter().map(share).collect()
}

/// Looks up what rules say of a model.
struct Words<'a>(&'a [&'a RuleResult]);

impl Words<'_> {
    /// Whether these rules hold; `key` narrows to one of their findings.
    fn holds(&self, rules: &[&str], key: Option<&str>) -> Option<bool> {
        let of_rules = || self.0.iter().filter(|result| rules.contains(&result.rule.id));
        let fails = |result: &&&RuleResult| {
            matches!(result.said, Said::Fail(_) | Said::Undecided(_))
                && key.is_none_or(|key| result.key.as_deref().is_none_or(|found| found == key))
        };
        if of_rules().any(|result| fails(&result)) {
            return Some(false);
        }
        of_rules().any(|result| !matches!(result.said, Said::NotApplicable(_))).then_some(true)
    }
}

fn figures(
    judged: &Judged,
    safety: &Safety,
    said: Option<&ModelEvents>,
    results: &[&RuleResult],
    past: Option<&Past>,
) -> Vec<Figure> {
    let (gate, words) = (&safety.gate, Words(results));
    let level = gate.interval.value;
    let mut all = vec![Figure {
        name: "events".to_owned(),
        value: Some(said.map_or(0, ModelEvents::count) as f64),
        unit: Unit::Count,
        interval: None,
        limit: format!("at least {}", gate.min_events.value),
        holds: words.holds(&["model-events-too-few", "model-telemetry-missing"], None),
    }];
    let Some(said) = said else { return all };
    all.push(Figure {
        name: "newest event".to_owned(),
        value: Some(judged.facts.time as f64 - said.newest.ms as f64 / 1_000.0).map(|age| age.max(0.0)),
        unit: Unit::Seconds,
        interval: None,
        limit: format!("at most {} s old", safety.telemetry.stale_after.value),
        holds: words.holds(&["model-telemetry-stale"], None),
    });
    for share in actions(safety, said) {
        let interval = share_interval(share.count, said.count(), level);
        let is_hold = share.action == safety.telemetry.hold.value;
        let dead = if is_hold { words.holds(&["model-dead-zone"], None) } else { None };
        let biased = words.holds(&["model-actions-biased"], Some(&share.action));
        all.push(Figure {
            name: share.action.clone(),
            value: Some(share.share),
            unit: Unit::Share,
            interval: Some(FigureInterval { low: interval.low, high: interval.high, level, method: "exact" }),
            limit: format!("at most {}", Unit::Share.written(share.limit)),
            holds: if dead == Some(false) { dead } else { biased },
        });
    }
    all.extend(of_confidence(safety, said, &words));
    all.extend(past.and_then(|past| drift(safety, said, past, &words)).into_iter().flatten());
    all
}

fn of_confidence(safety: &Safety, said: &ModelEvents, words: &Words<'_>) -> Vec<Figure> {
    let gate = &safety.gate;
    let figure = |name: &str, value: f64, (low, high), limit: f64, rules: &[&str]| Figure {
        name: name.to_owned(),
        value: Some(value),
        unit: Unit::Plain,
        interval: Some(FigureInterval { low, high, level: gate.interval.value, method: "bootstrap" }),
        limit: format!("at least {limit}"),
        holds: words.holds(rules, None),
    };
    vec![
        figure(
            "deviation",
            said.deviation,
            said.deviation_interval,
            gate.collapsed_below.value.max(gate.constant_below.value),
            &["model-confidence-collapsed", "model-confidence-constant"],
        ),
        figure(
            "p90 - p10",
            said.spread(),
            said.spread_interval,
            gate.narrow_below.value,
            &["model-confidence-narrow"],
        ),
    ]
}

fn drift(safety: &Safety, said: &ModelEvents, past: &Past, words: &Words<'_>) -> Option<[Figure; 2]> {
    let drift = said.drift(past.baseline.as_ref()?);
    let holds = words.holds(&["model-drifted"], None);
    let figure = |name: &str, value: f64, limit: f64| Figure {
        name: name.to_owned(),
        value: Some(value),
        unit: Unit::Plain,
        interval: None,
        limit: format!("at most {limit}"),
        holds: if value > limit { Some(false) } else { holds.map(|_| true) },
    };
    Some([
        figure("drift (PSI)", drift.psi, safety.gate.drift_psi_above.value),
        figure("drift (KS)", drift.ks, safety.gate.drift_ks_above.value),
    ])
}
