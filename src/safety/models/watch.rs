//! Whether a rollback is due: what was seen of a live model, weighed against the limits of the contract. Pure; who looks
//! gives what was seen.

use crate::contract::{Model, Safety};
use crate::ledger::models::{Lifecycle, fact};
use crate::ledger::{Event, Line};
use crate::model::answers::UnitState;

/// What makes a rollback due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The gate blocks it.
    Gate,
    /// An hour loses too much.
    Loss,
    /// Too many operations fail.
    Errors,
    /// Its service does not run.
    Service,
    /// The audit fails.
    Audit,
}

impl Trigger {
    /// As it is printed.
    pub fn word(self) -> &'static str {
        match self {
            Trigger::Gate => "gate",
            Trigger::Loss => "loss",
            Trigger::Errors => "errors",
            Trigger::Service => "service",
            Trigger::Audit => "audit",
        }
    }
}

/// How one trigger stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Nothing is wrong.
    Fine(String),
    /// A rollback is due.
    Due(String),
    /// Nobody knows.
    Unknown(String),
    /// The contract names nothing that could be looked at.
    Unwatched(String),
}

/// The newest verdict of the gate since the live artefact became what it is.
pub fn gate(lines: &[Line], model: &Model, life: &Lifecycle) -> Stands {
    let Some(live) = life.live() else {
        return Stands::Unwatched("no artefact that golden activated is live".to_owned());
    };
    let is_about_it = |line: &&Line| {
        let facts = &line.entry.facts;
        let artefact = facts.get(fact::ARTEFACT).map_or("", String::as_str);
        line.number > live.entry
            && line.entry.event == Event::Gated
            && facts.get(fact::MODEL).map(String::as_str) == Some(&*model.name)
            && (artefact.is_empty() || artefact == live.artefact.digest)
    };
    match lines.iter().rev().find(is_about_it) {
        None => Stands::Unknown(format!(
            "no verdict since entry {}: golden gate --model {}",
            live.entry, model.name
        )),
        Some(line) if line.entry.result == "passed" => {
            Stands::Fine(format!("passed in entry {}", line.number))
        }
        Some(line) => Stands::Due(format!("entry {}: {}", line.number, line.entry.result)),
    }
}

/// A fraction that must not lie above a limit. NaN is no fraction.
pub fn share(seen: Result<Option<f64>, String>, most: f64, what: &str) -> Stands {
    let percent = |share: f64| format!("{:.2} %", share * 100.0);
    match seen {
        Err(why) => Stands::Unknown(why),
        Ok(None) => Stands::Unknown(format!("there is no number for {what}")),
        Ok(Some(share)) if !share.is_finite() => Stands::Unknown(format!("{share} is not a fraction")),
        Ok(Some(share)) if share > most => {
            Stands::Due(format!("{} {what}, and {} is the most", percent(share), percent(most)))
        }
        Ok(Some(share)) => Stands::Fine(format!("{} {what} of at most {}", percent(share), percent(most))),
    }
}

/// The service runs, and has not died since it was started.
pub fn service(state: Option<&UnitState>, unit: &str) -> Stands {
    let Some(state) = state else { return Stands::Unknown(format!("systemd knows no {unit}")) };
    match (state.active_state.as_str(), state.restarts) {
        ("active", 0) => Stands::Fine("active".to_owned()),
        ("active", times) => Stands::Due(format!("{unit} has died {times} times since it was started")),
        (other, _) => Stands::Due(format!("{unit} is {other} ({}): {}", state.sub_state, state.result)),
    }
}

/// The limits of a contract: what may be lost, and which share may fail.
pub fn limits(safety: &Safety) -> (f64, f64) {
    (safety.rollback.max_loss_per_hour.value, safety.rollback.max_error_share.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Contract;
    use crate::ledger::models::tests::line;

    #[test]
    fn a_share_above_the_limit_is_due_and_what_is_no_number_is_unknown() {
        assert!(matches!(share(Ok(Some(0.06)), 0.05, "lost"), Stands::Due(text) if text.contains("6.00 %")));
        assert!(matches!(share(Ok(Some(0.05)), 0.05, "lost"), Stands::Fine(_)));
        assert!(matches!(share(Ok(Some(-3.0)), 0.05, "lost"), Stands::Fine(_)));
        for seen in [Ok(None), Ok(Some(f64::NAN)), Ok(Some(f64::INFINITY)), Err("no answer".to_owned())] {
            assert!(matches!(share(seen, 0.05, "lost"), Stands::Unknown(_)));
        }
    }

    #[test]
    fn a_service_that_died_or_does_not_run_is_due() {
        let state = |active: &str, restarts| UnitState {
            active_state: active.to_owned(),
            restarts,
            ..UnitState::default()
        };
        assert!(matches!(service(Some(&state("active", 0)), "x"), Stands::Fine(_)));
        assert!(matches!(service(Some(&state("active", 2)), "x"), Stands::Due(_)));
        assert!(matches!(service(Some(&state("failed", 0)), "x"), Stands::Due(_)));
        assert!(matches!(service(None, "x"), Stands::Unknown(_)));
    }

    #[test]
    fn only_a_verdict_since_the_activation_counts() {
        let contract = Contract::built_in();
        let model = contract.model("patchtst").unwrap();
        let facts = [(fact::MODEL, "patchtst"), (fact::ARTEFACT, "A")];
        let gated = |number, result: &str| {
            let mut line = line(number, Event::Gated, 0, &facts);
            line.entry.result = result.to_owned();
            line
        };
        let stands = |lines: &[Line]| gate(lines, model, &Lifecycle::of(lines, "patchtst"));
        let canary = || line(2, Event::Canaried, 1, &facts);
        assert!(matches!(stands(&[gated(1, "passed")]), Stands::Unwatched(_)));
        assert!(matches!(stands(&[gated(1, "passed"), canary()]), Stands::Unknown(_)));
        assert!(matches!(stands(&[canary(), gated(3, "passed")]), Stands::Fine(_)));
        assert!(matches!(stands(&[canary(), gated(3, "passed"), gated(4, "blocked: bias")]), Stands::Due(_)));
    }
}
