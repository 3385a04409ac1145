//! What starts a service in its stead: a timer, or a unit that activates it.

use crate::rules::prelude::*;

/// The timer that drives a service, where it loads.
pub fn timer<'v>(
    view: &'v ServiceView<'_>,
) -> Result<Option<(&'v Stated<String>, &'v EffectiveUnit)>, Undecided> {
    let Some(timer) = &view.service.timer else { return Ok(None) };
    let unit = view.effective(&timer.value)?;
    Ok(matches!(unit.load, LoadState::Loaded).then_some((timer, unit)))
}

/// Whether a timer is to fire again and again, and not once after a boot.
pub fn recurs(timer: &EffectiveUnit) -> bool {
    let from_itself =
        ["OnUnitActiveSec", "OnUnitInactiveSec"].iter().any(|key| timer.scalar("Timer", key).is_some());
    from_itself || timer.assignments("Timer", "OnCalendar").next().is_some()
}

/// Why a rule about a timer that loads does not apply.
pub fn no_timer(view: &ServiceView) -> Outcome {
    match view.service.timer {
        None => Outcome::not_applicable("it has no timer"),
        Some(_) => unit_not_loaded(),
    }
}

/// The units of a service that a boot starts, where they load: its own, and the timer or other unit that starts it.
pub fn with_trigger<'v>(view: &'v ServiceView<'_>) -> Result<Vec<&'v EffectiveUnit>, Undecided> {
    let timer = timer(view)?.map(|(_, unit)| unit);
    let trigger = timer.or(activator(view)?.map(|activator| activator.unit));
    Ok(view.loaded()?.into_iter().chain(trigger).collect())
}

/// A unit that activates a service, and loads.
pub struct Activator<'v> {
    /// How it does, as the contract says.
    pub way: &'v Stated<Activation>,
    /// Its name.
    pub name: String,
    /// What it says.
    pub unit: &'v EffectiveUnit,
}

/// The unit that activates a service, where it loads.
pub fn activator<'v>(view: &'v ServiceView<'_>) -> Result<Option<Activator<'v>>, Undecided> {
    let (Some(way), Some(name)) = (&view.service.activation, view.service.activated_by()) else {
        return Ok(None);
    };
    let unit = view.effective(&name)?;
    Ok(matches!(unit.load, LoadState::Loaded).then_some(Activator { way, name, unit }))
}

/// Why a rule about a unit that activates a service, and loads, does not apply.
pub fn no_activator(view: &ServiceView) -> Outcome {
    Outcome::not_applicable(match view.service.activated_by() {
        None => "no other unit starts it",
        Some(_) => "it does not load (reported by activation-not-enabled)",
    })
}
