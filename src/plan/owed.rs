//! A restart that a plan which ended still owes.
//!
//! A rollback is not undone where its service cannot be restarted: that would bring back what it took away. If the
//! process that it was to end lives on, as when systemctl(1) was killed or systemd did not answer, the service still
//! works with what was rolled back. Every call that changes the host says so, and `golden apply --recover` restarts it:
//! nobody else, since what a person has changed of the unit meanwhile is not proven here. The process tells, by its id,
//! its start and the boot: whoever restarted the service meanwhile has paid.

use std::io;

use super::journal::{Kept, Record};
use super::program::{Failed, restart};
use super::{Awaited, Listener, Progress, Tools, healthy};
use crate::model::Observed;
use crate::system::System;
use crate::system::state::Runner;

/// A restart that was owed.
#[derive(Debug)]
pub struct Paid {
    /// The plan that owed it.
    pub plan: String,
    /// The unit.
    pub unit: String,
    /// Whether it is healthy now; why not.
    pub done: Result<(), Failed>,
}

/// The main process of a unit.
pub(super) fn main_process(system: &dyn System, unit: &str) -> Option<Runner> {
    let Observed::Found(states) = system.ask()?.units(&[unit]) else { return None };
    Runner::with_id(states.get(unit)?.main_pid)
}

impl Record {
    /// The unit that this work of an ended plan should have restarted and did not.
    fn owes(&self) -> Option<&str> {
        let lives = self.ends.as_ref().is_some_and(Runner::lives);
        let unit = self.units.first().map(|before| before.unit.as_str());
        unit.filter(|_| self.progress == Progress::Begun && lives)
    }
}

/// The units that an ended plan should have restarted and did not.
pub(super) fn of(kept: &Kept) -> Vec<String> {
    kept.journal.steps.iter().filter_map(Record::owes).map(str::to_owned).collect()
}

/// Makes up for the restarts that a plan owes, and waits for each unit as the plan would have.
pub(super) fn pay(tools: &Tools<'_>, kept: &mut Kept, listener: &mut dyn Listener) -> io::Result<Vec<Paid>> {
    let mut all = Vec::new();
    for index in 0..kept.journal.steps.len() {
        let Some(unit) = kept.journal.steps[index].owes().map(str::to_owned) else { continue };
        listener.says(&kept.journal.steps[index].title);
        let awaited = kept.journal.steps.iter().filter_map(|record| record.awaits.as_ref());
        let awaited = awaited.clone().find(|awaited| awaited.unit == unit);
        let done = restarted(tools, &unit, awaited);
        if done.is_ok() {
            kept.journal.steps[index].progress = Progress::Done;
            kept.save()?;
        }
        all.push(Paid { plan: kept.journal.id.clone(), unit, done });
    }
    Ok(all)
}

fn restarted(tools: &Tools<'_>, unit: &str, awaited: Option<&Awaited>) -> Result<(), Failed> {
    restart(tools.hand, unit)?;
    awaited.map_or(Ok(()), |awaited| healthy::healthy(tools.hand, tools.system, awaited))
}
