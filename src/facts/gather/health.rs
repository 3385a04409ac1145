//! Services that run, asked where their health is to be seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Pad, joined};
use crate::contract::{Contract, Health, Service};
use crate::model::answers::{Protocol, ServerAnswer, ServerQuestion};
use crate::model::{Location, Observed};
use crate::system::{Ask, System};

/// While something was started just now, so long is waited.
const PATIENCE: Duration = Duration::from_secs(5);

/// And asked again after so long.
const PAUSE: Duration = Duration::from_millis(100);

/// No more are asked at once.
const MOST_THREADS: usize = 32;

type Answers = Vec<Observed<ServerAnswer>>;

/// Asks them, on threads of their own, so that one that is stuck keeps few others waiting. What does not run is not asked, since a
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
    let may_still_come =
        all.clone().any(|(service, state)| service.health().may_still_come(state.started, now));
    let asked: Vec<&Service> =
        all.map(|(service, _)| service).filter(|service| service.health.is_some()).collect();
    let each = |service: &&Service| (service.name.clone(), answers(ask, &service.health(), may_still_come));
    std::thread::scope(|scope| {
        let parts = asked.chunks(asked.len().div_ceil(MOST_THREADS).max(1));
        let threads: Vec<_> =
            parts.map(|part| scope.spawn(move || part.iter().map(each).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(joined).collect()
    })
}

fn answers(ask: &dyn Ask, health: &Health, may_still_come: bool) -> Answers {
    let question = |(address, protocol, _): &(String, Protocol, &Location)| {
        ask.server(&ServerQuestion { address, protocol, unit: None, caller: None })
    };
    let is_well = |answer: &Observed<ServerAnswer>| matches!(answer, Observed::Found(Ok(_)));
    patiently(
        may_still_come,
        || health.questions().iter().map(question).collect(),
        |all: &Answers| all.iter().all(is_well),
    )
}

/// Asks again for a while where what is asked may still be coming and is not well.
pub(super) fn patiently<T>(may_still_come: bool, ask: impl Fn() -> T, is_well: impl Fn(&T) -> bool) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = ask();
        if !may_still_come || is_well(&found) || Instant::now() + PAUSE > end {
            return found;
        }
        std::thread::sleep(PAUSE);
    }
}
