//! The models: digests of what lies in `active/` and in the archive, beside what the ledger says.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Pad, Worker, content};
use crate::contract::Model;
use crate::facts::models::{Backup, Judged, Known, ModelFacts, Placed};
use crate::facts::state::LEDGER;
use crate::ledger::models::{Lifecycle, Step, fact};
use crate::ledger::{self, Event, Line};
use crate::model::Observed;

/// Larger artefacts are not read through, in bytes.
const MOST: u64 = 64 << 30;

/// Looks at all models of the contract; `None` where it guards none.
pub(super) fn gather(worker: &Worker<'_>, pad: &mut Pad) -> Option<ModelFacts> {
    let contract = worker.ground.contract;
    let place = contract.model_place().filter(|_| !contract.models.is_empty())?;
    let directory = format!("{}/active", place.path.value);
    let names = pad.list(worker, &directory);
    let active = names.and_then(|names| {
        let file = |name: String| {
            let found = digest(worker, &format!("{directory}/{name}"));
            (Arc::from(name), found)
        };
        Observed::Found(names.into_iter().map(file).collect())
    });
    Some(ModelFacts { active, known: known(worker) })
}

/// The sha256 of a file; a link is none.
fn digest(worker: &Worker<'_>, path: &str) -> Observed<String> {
    let lookup = worker.walker.lookup_no_follow(path);
    content(&lookup).and_then(|real| worker.ground.system.digest(real, MOST))
}

fn known(worker: &Worker<'_>) -> Observed<BTreeMap<Arc<str>, Known>> {
    let bytes = match worker.read_up_to(&worker.walker.lookup(LEDGER), ledger::MOST) {
        Observed::Found(bytes) => bytes,
        // golden has changed nothing here.
        Observed::Absent => Vec::new(),
        Observed::Unreadable(why) => return Observed::Unreadable(why),
    };
    let lines = ledger::read(&bytes).lines;
    let of = |model: &Model| (model.name.clone(), one(worker, &lines, model));
    Observed::Found(worker.ground.contract.models.iter().map(of).collect())
}

fn one(worker: &Worker<'_>, lines: &[Line], model: &Model) -> Known {
    let life = Lifecycle::of(lines, &model.name);
    let placed = |step: &Step| Placed {
        digest: step.artefact.digest.clone(),
        version: step.artefact.version.clone(),
        entry: step.entry,
    };
    let backup = |digest: &str| {
        let path = life.kept.iter().find(|(kept, _)| kept == digest).map(|(_, path)| path.clone());
        let path = path.unwrap_or_default();
        let found = if path.is_empty() { Observed::Absent } else { self::digest(worker, &path) };
        Backup { digest: digest.to_owned(), path, found }
    };
    Known {
        active: life.active().map(placed),
        canary: life.canary().map(placed),
        backups: needed(&life).into_iter().map(backup).collect(),
        gate: life.canary().and_then(|step| gate(lines, model, &step.artefact.digest)),
    }
}

/// The digests of what a rollback brings back and that lies in no place of its own.
fn needed(life: &Lifecycle) -> Vec<&str> {
    let here: Vec<&str> = [life.active(), life.canary()]
        .into_iter()
        .flatten()
        .map(|step| step.artefact.digest.as_str())
        .collect();
    let mut all: Vec<&str> = Vec::new();
    let before = life
        .steps
        .iter()
        .flat_map(|step| step.replaced.as_deref().into_iter().chain([step.artefact.digest.as_str()]));
    for digest in before {
        if !here.contains(&digest) && !all.contains(&digest) {
            all.push(digest);
        }
    }
    all
}

/// The newest verdict on an artefact.
fn gate(lines: &[Line], model: &Model, digest: &str) -> Option<Judged> {
    let is_about_it = |line: &&Line| {
        let artefact = line.entry.facts.get(fact::ARTEFACT).map_or("", String::as_str);
        line.entry.event == Event::Gated
            && line.entry.facts.get(fact::MODEL).map(String::as_str) == Some(&*model.name)
            && (artefact.is_empty() || artefact == digest)
    };
    let line = lines.iter().rev().find(is_about_it)?;
    let at = line.entry.at.parse::<jiff::Timestamp>().ok()?.as_second();
    Some(Judged { entry: line.number, at, result: line.entry.result.clone() })
}
