//! Services that run, asked where their health is to be seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Pad;
use crate::contract::{Contract, Health, Service};
use crate::model::Observed;
use crate::model::answers::{ServerAnswer, ServerQuestion, UnitState};
use crate::system::{Ask, System};

/// While something was started just now, so long is waited.
const PATIENCE: Duration = Duration::from_secs(5);

/// And asked again after so long.
const PAUSE: Duration = Duration::from_millis(100);

type Answers = Vec<Observed<ServerAnswer>>;

/// Asks them, each on a thread of its own: one that is stuck keeps no other waiting. What does not run is not asked, since a
/// connection may start it.
pub(super) fn gather(
    system: &dyn System,
    ask: &dyn Ask,
    contract: &Contract,
    pad: &Pad,
) -> BTreeMap<Arc<str>, Answers> {
    let running = |service: &Service| match &pad.units.get(service.unit.value.as_str())?.state {
        Observed::Found(state) if state.active_state == "active" => Some(state),
        _ => None,
    };
    let now = system.now();
    let all = contract.services.iter().filter_map(|service| Some((service, running(service)?)));
    // One that has run for long may stand before one that is just coming.
    let may_still_come = all.clone().any(|(service, state)| is_young(&service.health(), state, now));
    std::thread::scope(|scope| {
        let threads: Vec<_> = all
            .filter(|(service, _)| service.health.is_some())
            .map(|(service, _)| {
                let answers = move || answers(ask, &service.health(), may_still_come);
                (service.name.clone(), scope.spawn(answers))
            })
            .collect();
        let joined = threads.into_iter().map(|(name, thread)| {
            (name, thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        joined.collect()
    })
}

/// Whether it was started so short a time ago that it need not be healthy yet.
fn is_young(health: &Health, state: &UnitState, now: i64) -> bool {
    state.started > 0 && now.saturating_sub(state.started) < health.patience() as i64
}

fn answers(ask: &dyn Ask, health: &Health, may_still_come: bool) -> Answers {
    let end = Instant::now() + PATIENCE;
    loop {
        let answers: Answers = health
            .questions()
            .iter()
            .map(|(address, protocol, _)| {
                ask.server(&ServerQuestion { address, protocol, unit: None, caller: None })
            })
            .collect();
        let is_well = |answer: &Observed<ServerAnswer>| matches!(answer, Observed::Found(Ok(_)));
        if !may_still_come || answers.iter().all(is_well) || Instant::now() + PAUSE > end {
            return answers;
        }
        std::thread::sleep(PAUSE);
    }
}
