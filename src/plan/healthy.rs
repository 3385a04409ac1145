//! Whether a service that was started is healthy: active and quiet for long enough, and answering where it should.

use std::time::{Duration, Instant};

use super::Awaited;
use super::program::{Failed, failed, journal_of};
use crate::contract::Health;
use crate::model::Observed;
use crate::model::answers::ServerQuestion;
use crate::system::hand::Hand;
use crate::system::{Ask, System};

/// Waits until a service has been active and quiet for long enough and answers where it should.
pub(super) fn healthy(hand: &dyn Hand, system: &dyn System, awaited: &Awaited) -> Result<(), Failed> {
    healthy_since(hand, system, awaited, Instant::now())
}

/// The same for one of several that were started together: their time runs together, too.
pub(super) fn healthy_since(
    hand: &dyn Hand,
    system: &dyn System,
    awaited: &Awaited,
    began: Instant,
) -> Result<(), Failed> {
    let Awaited { unit, health } = awaited;
    let ask = system.ask().ok_or_else(|| failed("there is no running systemd to ask"))?;
    let end = began + Duration::from_secs(health.patience());
    let mut since: Option<(Instant, u32)> = None;
    loop {
        let wrong = match state(ask, unit)? {
            State::Failed(why) => return Err(journal_of(hand, unit, why)),
            State::Active { restarts, started } => {
                let (began, before) = *since.get_or_insert((Instant::now(), restarts));
                if restarts != before {
                    let why = format!(
                        "{unit} was started and has died {} times since",
                        restarts - before.min(restarts)
                    );
                    return Err(journal_of(hand, unit, why));
                }
                let quiet = began.elapsed() >= Duration::from_secs(health.quiet())
                    || up_for(system, restarts, started) > health.quiet();
                match answers(ask, health) {
                    Ok(()) if quiet => return Ok(()),
                    Ok(()) => "it has not been up for long enough".to_owned(),
                    Err(why) => why,
                }
            }
            State::Otherwise(word) => {
                since = None;
                format!("it is {word}")
            }
        };
        if crate::system::hand::interrupted() {
            return Err(failed("it was interrupted"));
        }
        if Instant::now() > end {
            return Err(journal_of(
                hand,
                unit,
                format!("{unit} is not healthy after {} s: {wrong}", health.patience()),
            ));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// For how many seconds it has certainly been up: units that were started one after the other are not waited for one after
/// the other. 0 where systemd has started it again by itself, or a clock was set back.
fn up_for(system: &dyn System, restarts: u32, started: i64) -> u64 {
    match restarts == 0 && started > 0 {
        true => u64::try_from(system.now() - started).unwrap_or(0),
        false => 0,
    }
}

enum State {
    /// How often systemd has started it again by itself, and when its main process began, in seconds since the epoch.
    Active {
        restarts: u32,
        started: i64,
    },
    Failed(String),
    Otherwise(String),
}

fn state(ask: &dyn Ask, unit: &str) -> Result<State, Failed> {
    let states = match ask.units(&[unit]) {
        Observed::Found(states) => states,
        Observed::Absent => return Err(failed("systemd does not answer")),
        Observed::Unreadable(why) => return Err(failed(format!("systemd: {why}"))),
    };
    let Some(state) = states.get(unit) else { return Err(failed(format!("systemd knows no {unit}"))) };
    Ok(match state.active_state.as_str() {
        "active" => State::Active { restarts: state.restarts, started: state.started },
        // It has ended by itself, and systemd waits before it tries again (RestartSec=).
        "activating" if state.sub_state.starts_with("auto-restart") => {
            State::Failed(format!("{unit} ends as soon as it starts: {}", state.result))
        }
        "failed" => State::Failed(format!("{unit} has failed: {}", state.result)),
        _ => State::Otherwise(format!("{} ({})", state.active_state, state.sub_state)),
    })
}

/// Whether a service answers where it should.
pub(super) fn answers(ask: &dyn Ask, health: &Health) -> Result<(), String> {
    for (address, protocol, _) in health.questions() {
        match ask.server(&ServerQuestion { address: &address, protocol: &protocol, unit: None, caller: None })
        {
            Observed::Found(Ok(_)) => {}
            Observed::Found(Err(said)) => return Err(format!("{address} {said}")),
            Observed::Absent => return Err(format!("nothing listens on {address}")),
            Observed::Unreadable(why) => return Err(why),
        }
    }
    Ok(())
}
