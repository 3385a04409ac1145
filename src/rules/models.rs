//! What the rules about models share.

use crate::contract::{Gate, Safety};
use crate::facts::telemetry::ModelEvents;
use crate::facts::view::{ModelView, View};
use crate::model::{Finding, FindingBuilder, Location, Outcome, Remedy, Stated, Undecided};

/// A contract without `[safety]` guards no models.
pub fn no_safety() -> Outcome {
    Outcome::not_applicable("the contract guards no models")
}

/// There is nothing to judge, which another rule says.
pub fn nothing_said() -> Outcome {
    Outcome::not_applicable("the model has no events (see model-telemetry-missing)")
}

/// Section F of the contract.
pub fn safety<'a>(view: &View<'a>) -> Option<&'a Safety> {
    view.contract.safety.as_ref()
}

/// The limits, and what the model said; `None` where there is nothing to judge.
pub fn judged<'a>(view: &ModelView<'a>) -> Result<Option<(&'a Gate, &'a ModelEvents)>, Undecided> {
    let said = view.said()?;
    Ok(safety(view).zip(said).map(|(safety, said)| (&safety.gate, said)))
}

/// Where the events come from.
pub fn source(view: &View<'_>) -> Result<Location, Undecided> {
    Ok(Location::endpoint(&view.telemetry()?.source))
}

/// A finding about a model's answers, against a limit of the contract.
pub fn finding<T>(
    view: &View<'_>,
    message: impl Into<String>,
    limit: &Stated<T>,
) -> Result<FindingBuilder, Undecided> {
    Ok(Finding::new(message, source(view)?, limit.at.clone()))
}

/// What is to be done about a model that is not as it should be.
pub fn keep_in_shadow() -> Remedy {
    Remedy::decide("find out why and train the model again; until it passes it stays in shadow")
        .candidate("look at how it answers", "golden scoreboard")
}

/// What is to be done where nothing is proven.
pub fn look_at_producer() -> Remedy {
    Remedy::decide("find out why the producer of the events does not write what the contract wants")
}

/// A share as percent.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
