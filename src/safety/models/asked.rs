//! What the gate is asked of a model whose lifecycle golden guards: events of the artefact in question, and of no other.

use crate::contract::{Contract, Model};
use crate::ledger::Line;
use crate::ledger::models::Lifecycle;
use crate::model::Observed;
use crate::safety::Asked;
use crate::system::System;

/// The digest of the artefact that is to be judged: the newest that was registered, else the one that is live.
fn artefact(life: &Lifecycle) -> Option<&str> {
    let shadow = life.shadow().map(|shadow| shadow.artefact.digest.as_str());
    shadow.or_else(|| life.live().map(|step| step.artefact.digest.as_str()))
}

/// When the service of a model was started, in seconds since the epoch; `None` where it does not run.
pub fn started(contract: &Contract, model: &Model, system: &dyn System) -> Result<Option<i64>, String> {
    let service = contract.services.iter().find(|service| *service.name == *model.service.value);
    let unit =
        service.map(|service| service.unit.value.as_str()).ok_or("the contract has no such service")?;
    let ask = system.ask().ok_or("there is no running systemd to ask")?;
    match ask.units(&[unit]) {
        Observed::Found(states) => Ok(states
            .get(unit)
            .filter(|state| state.active_state == "active" && state.started > 0)
            .map(|state| state.started)),
        Observed::Absent => Ok(None),
        Observed::Unreadable(why) => Err(format!("systemd: {why}")),
    }
}

/// The question for a model: by the digest in its events where they hold one, else by the start of its service.
pub fn asked(contract: &Contract, name: &str, lines: &[Line], system: &dyn System) -> Asked {
    let asked = Asked { model: Some(name.into()), ..Asked::default() };
    let Some(model) = contract.model(name) else { return asked };
    let life = Lifecycle::of(lines, name);
    let Some(digest) = artefact(&life) else { return asked };
    match &model.digest_field {
        Some(field) => Asked {
            artefact: Some(digest.into()),
            digest: Some((field.value.as_str().into(), digest.into())),
            ..asked
        },
        None => {
            let started = started(contract, model, system).ok().flatten();
            Asked {
                since: started.and_then(|seconds| u64::try_from(seconds).ok()).map(|seconds| seconds * 1000),
                ..asked
            }
        }
    }
}
