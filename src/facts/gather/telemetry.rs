//! The events of the contract's stream, counted in one pass: no event is kept.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;

use super::dependencies::secret;
use super::{Ground, Worker, joined};
use crate::contract::{Contract, DependencyKind, Safety};
use crate::facts::telemetry::{Events, Malformed, ModelEvents, Past, TelemetryFacts, Votes};
use crate::facts::{HostFacts, Need, Needs};
use crate::model::Observed;
use crate::model::answers::{RedisQuestion, StreamEvent, StreamId, StreamQuestion};
use crate::syntax::breakdown::{self, Answer, Wanted};
use crate::system::{System, Walker};

mod past;
mod recorded;

/// So many malformed events are named.
const MOST_NAMED: usize = 20;

/// So many different models are counted.
const MOST_MODELS: usize = 64;

/// The figures of the models are taken on so many threads. To ask how many processors there are would take longer than a
/// thread too many.
const THREADS: usize = 2;

/// A clock may be so much ahead, in milliseconds.
const AHEAD: u64 = 60_000;

/// Which events are judged.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// A model that is judged whether it was found or not.
    pub model: Option<Arc<str>>,
    /// Only events since this moment, in milliseconds since the epoch.
    pub since: Option<u64>,
    /// Of that model only answers whose field has this value: a field of the event or of the model's answer.
    pub digest: Option<(String, String)>,
    /// sha256 of the model's artefact: looks at another one do not count.
    pub artefact: Option<String>,
}

/// Reads the stream of a running host.
pub fn telemetry(system: &dyn System, contract: &Contract, asked: &Asked, facts: &mut HostFacts) {
    let Some(safety) = &contract.safety else { return };
    let found = Observed::Absent;
    let ground = Ground {
        system,
        contract,
        needs: Needs::default(),
        version: Default::default(),
        index: Default::default(),
        accounts: &found,
    };
    let worker = Worker { ground: &ground, walker: Walker::new(system) };
    // A long ledger is read while the server makes its reply ready.
    let ((source, events), past) = std::thread::scope(|scope| {
        let past = (facts.caller == 0).then(|| scope.spawn(|| past::past(system, asked)));
        let seen = live(&worker, safety, asked, facts.time);
        (seen, past.map_or(Observed::Absent, joined))
    });
    take(facts, asked, source, events, past);
}

/// Reads recorded events from a file that was named.
pub fn recorded(
    file: &mut dyn BufRead,
    name: &str,
    contract: &Contract,
    asked: &Asked,
    facts: &mut HostFacts,
) {
    let Some(safety) = &contract.safety else { return };
    let events = recorded::read(file, safety, asked, facts.time);
    take(facts, asked, name.into(), events, Observed::Absent);
}

fn take(
    facts: &mut HostFacts,
    asked: &Asked,
    source: Arc<str>,
    events: Observed<Events>,
    past: Observed<BTreeMap<Arc<str>, Past>>,
) {
    let mut judged: Vec<Arc<str>> = match &events {
        Observed::Found(events) => events.models.keys().cloned().collect(),
        _ => Vec::new(),
    };
    judged.extend(asked.model.clone());
    judged.sort();
    judged.dedup();
    facts.telemetry = Some(TelemetryFacts { source, judged, events, past });
    facts.gathered = facts.gathered.and(Needs::of(&[Need::Telemetry]));
}

fn live(worker: &Worker<'_>, safety: &Safety, asked: &Asked, now: i64) -> (Arc<str>, Observed<Events>) {
    let telemetry = &safety.telemetry;
    let dependency = worker.ground.contract.dependencies.get(telemetry.dependency.value.as_str());
    let Some((dependency, DependencyKind::Redis { address, password, .. })) =
        dependency.map(|dependency| (dependency, &dependency.kind))
    else {
        let why = format!("{} is not a Redis server of the contract", telemetry.dependency.value);
        return (telemetry.stream.value.as_str().into(), Observed::Unreadable(why));
    };
    let source = Arc::from(format!("{} {}", address.value, telemetry.stream.value));
    let Some(ask) = worker.ground.system.ask() else {
        return (source, Observed::Unreadable("a disk alone has no stream".to_owned()));
    };
    let password =
        match password.as_ref().map(|(file, key)| secret(worker, &file.value, &key.value)).transpose() {
            Ok(password) => password,
            Err(why) => return (source, Observed::Unreadable(why)),
        };
    let mut count = Count::new(safety, asked, now);
    let fields = count.fields();
    let question = StreamQuestion {
        server: RedisQuestion {
            address: &address.value,
            password: password.as_deref(),
            parameters: None,
            unit: dependency.unit.as_ref().map(|unit| unit.value.as_str()),
            is_stated: true,
        },
        key: &telemetry.stream.value,
        fields: &fields,
        most: telemetry.window.value,
        since: asked.since.unwrap_or(0),
    };
    let answer = ask.stream(&question, &mut |event| count.event(event));
    (source, answer.map(|_| count.events()))
}

/// What one model has said so far.
struct Counted {
    name: Arc<str>,
    newest: StreamId,
    oldest: StreamId,
    actions: Vec<u64>,
    confidences: Vec<f64>,
}

/// Counts events, newest first.
struct Count<'a> {
    safety: &'a Safety,
    asked: &'a Asked,
    /// Ids after this moment are from the future.
    latest: u64,
    events: Events,
    models: Vec<Counted>,
}

impl<'a> Count<'a> {
    fn new(safety: &'a Safety, asked: &'a Asked, now: i64) -> Self {
        let latest = u64::try_from(now).unwrap_or(0).saturating_mul(1_000).saturating_add(AHEAD);
        Self { safety, asked, latest, events: Events::default(), models: Vec::new() }
    }

    /// The fields of an event that are read: the answers, what may hold them, and the mark of the artefact.
    fn fields(&self) -> Vec<&'a str> {
        let telemetry = &self.safety.telemetry;
        let inside = telemetry.inside.iter().map(|field| field.value.as_str());
        let mark = self.asked.digest.iter().map(|(field, _)| field.as_str());
        std::iter::once(telemetry.field.value.as_str()).chain(inside).chain(mark).collect()
    }

    fn wanted(&self) -> Wanted<'a> {
        let mark = self.asked.digest.as_ref().map(|(field, _)| field.as_str());
        Wanted { actions: &self.safety.telemetry.actions.value, mark }
    }

    /// Takes an event with the values of [`Self::fields`].
    fn event(&mut self, event: &StreamEvent<'_>) {
        self.events.count += 1;
        self.events.newest = self.events.newest.or(Some(event.id));
        self.events.oldest = Some(event.id);
        let mut held = String::new();
        let mut answers = Vec::new();
        let read = match &event.defect {
            Some(why) => Err(why.clone()),
            None if event.id.ms > self.latest => Err("its id is from the future".to_owned()),
            None => self.answers(event.values, &mut held, &mut answers),
        };
        let (_, value) = self.asked.digest.as_ref().map_or(("", ""), |(field, value)| (field, value));
        let is_marked = self.asked.digest.is_some()
            && event.values.last().copied().flatten().is_some_and(|mark| mark == value.as_bytes());
        if let Err(why) = read.and_then(|()| self.take(event.id, &answers, is_marked)) {
            self.malformed(event.id.to_string(), why);
        }
    }

    fn malformed(&mut self, id: String, why: String) {
        self.events.malformed_count += 1;
        if self.events.malformed.len() < MOST_NAMED {
            self.events.malformed.push(Malformed { id, why });
        }
    }

    /// The answers of an event, from the field itself or from the one field that holds it.
    fn answers<'j>(
        &self,
        values: &[Option<&'j [u8]>],
        held: &'j mut String,
        into: &mut Vec<Answer<'j>>,
    ) -> Result<(), String> {
        let telemetry = &self.safety.telemetry;
        let field = telemetry.field.value.as_str();
        let about = |why: String| format!("{field}: {why}");
        let inside = telemetry.inside.iter().zip(values.iter().skip(1));
        let mut there = inside.filter_map(|(name, value)| Some((name.value.as_str(), (*value)?)));
        if let Some(value) = values.first().copied().flatten() {
            breakdown::read(value, self.wanted(), into).map_err(about)?;
            return there.try_for_each(|(name, value)| self.says_the_same(name, value, into));
        }
        match (there.next(), there.next()) {
            (Some(_), Some((name, _))) => Err(format!("{name} and another field may hold {field}")),
            (Some((name, value)), None) => {
                match breakdown::read_inside(value, field, held, self.wanted(), into) {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(format!("it has no {field}, and {name} holds none")),
                    Err(why) => Err(format!("{name}: {why}")),
                }
            }
            (None, _) => Err(format!("it has no {field}")),
        }
    }

    /// An event may hold its answers in both places only where they are the same: which of them its readers obey is not known.
    fn says_the_same(&self, name: &str, value: &[u8], answers: &[Answer<'_>]) -> Result<(), String> {
        // Only an object can hold answers; any other text is the producer's own business.
        if value.trim_ascii_start().first() != Some(&b'{') {
            return Ok(());
        }
        let field = self.safety.telemetry.field.value.as_str();
        let (mut held, mut others) = (String::new(), Vec::new());
        let holds = breakdown::read_inside(value, field, &mut held, self.wanted(), &mut others);
        match holds.map_err(|why| format!("{name}: {why}"))? {
            true if others.len() == answers.len() && others.iter().all(|other| answers.contains(other)) => {
                Ok(())
            }
            true => Err(format!("{field} and {name} hold different answers")),
            false => Ok(()),
        }
    }

    /// Counts the answers of an event.
    fn take(&mut self, id: StreamId, answers: &[Answer<'_>], is_marked: bool) -> Result<(), String> {
        let fresh = |answer: &&Answer<'_>| self.models.iter().all(|known| *known.name != *answer.model);
        if self.models.len() + answers.iter().filter(fresh).count() > MOST_MODELS {
            return Err(format!("the events name more than {MOST_MODELS} models"));
        }
        let actions = self.safety.telemetry.actions.value.len();
        for answer in answers {
            if !self.counts(answer, is_marked) {
                continue;
            }
            let at = self.models.iter().position(|known| *known.name == *answer.model);
            let at = at.unwrap_or_else(|| {
                self.models.push(Counted {
                    name: answer.model.as_ref().into(),
                    newest: id,
                    oldest: id,
                    actions: vec![0; actions],
                    confidences: Vec::new(),
                });
                self.models.len() - 1
            });
            let model = &mut self.models[at];
            model.oldest = id;
            model.actions[answer.action] += 1;
            model.confidences.push(answer.confidence);
        }
        self.vote(id, answers);
        Ok(())
    }

    /// Whether an answer is about the artefact that was asked about.
    fn counts(&self, answer: &Answer<'_>, is_marked: bool) -> bool {
        match (&self.asked.digest, &self.asked.model) {
            (Some((_, value)), Some(model)) if **model == *answer.model => {
                is_marked || answer.mark.as_deref() == Some(value)
            }
            _ => true,
        }
    }

    fn vote(&mut self, id: StreamId, answers: &[Answer<'_>]) {
        if answers.len() < 2 {
            return;
        }
        let telemetry = &self.safety.telemetry;
        let votes = |action: usize| answers.iter().filter(|answer| answer.action == action).count();
        let counts: Vec<usize> = (0..telemetry.actions.value.len()).map(votes).collect();
        let acts = counts.iter().zip(&telemetry.actions.value);
        let acts = acts.filter(|(count, action)| **count > 0 && **action != telemetry.hold.value).count();
        let small = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
        self.events.votes.push(Votes {
            at: id.ms,
            largest: small(counts.iter().copied().max().unwrap_or(0)),
            all: small(answers.len()),
            opposed: acts > 1,
        });
    }

    /// All that was counted.
    fn events(mut self) -> Events {
        let names: Vec<Arc<str>> =
            self.safety.telemetry.actions.value.iter().map(|name| name.as_str().into()).collect();
        let level = self.safety.gate.interval.value;
        let figures = |model: &mut Counted| {
            let actions = names.iter().cloned().zip(std::mem::take(&mut model.actions)).collect();
            let range = (model.newest, model.oldest);
            let events = ModelEvents::new(range, actions, std::mem::take(&mut model.confidences), level);
            (model.name.clone(), events)
        };
        // Intervals and sorting take longer than most of what else is done with the events.
        let count = self.models.len();
        let size = count.div_ceil(THREADS).max(1);
        let all = &|models: &mut [Counted]| models.iter_mut().map(figures).collect::<Vec<_>>();
        let (here, elsewhere) = self.models.split_at_mut(size.min(count));
        self.events.models = std::thread::scope(|scope| {
            let beside: Vec<_> =
                elsewhere.chunks_mut(size).map(|models| scope.spawn(move || all(models))).collect();
            let mut found: BTreeMap<_, _> = all(here).into_iter().collect();
            beside.into_iter().for_each(|part| found.extend(joined(part)));
            found
        });
        self.events
    }
}
