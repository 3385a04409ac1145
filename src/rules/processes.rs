//! The processes of a service: the main one, once it is the service's own, and where they listen.

use super::prelude::*;
use crate::contract::Port;
use crate::facts::start::commands;
use crate::model::answers::{Process, UnitState};

/// The programs of systemd that become a service: between fork(2) and execve(2) a process has their executable, their user
/// and their environment.
const STARTERS: [&str; 2] = ["/lib/systemd/systemd", "/lib/systemd/systemd-executor"];

/// Said where there is no process to judge.
pub fn no_process() -> Outcome {
    Outcome::not_applicable("no process of it runs")
}

impl<'a> ServiceView<'a> {
    /// The main process of a unit; `None` where none runs, and undecided while it is being started.
    pub fn main_process(&self, unit: &EffectiveUnit) -> Result<Option<&'a Process>, Undecided> {
        let state = self.state(&self.service.unit.value)?;
        if state.main_pid == 0 {
            return Ok(None);
        }
        let Some(process) = self.process(state.main_pid)? else { return Ok(None) };
        let executable = process.executable.known().ok().flatten().map_or("", String::as_str);
        let executable = executable.strip_suffix(" (deleted)").unwrap_or(executable);
        let is_of = |program: &str| STARTERS.iter().any(|starter| program.ends_with(starter));
        // A manager of a user is such a program itself.
        let is_own = || commands(unit, &["ExecStart"]).iter().any(|started| is_of(&started.command.program));
        match is_of(executable) && !is_own() {
            true => {
                Err(Undecided::new(format!("process {} is being started", process.pid))
                    .or_run("golden audit"))
            }
            false => Ok(Some(process)),
        }
    }
}

/// Where a service listens, and where it should.
pub struct Listening<'v> {
    /// Its unit.
    pub unit: &'v EffectiveUnit,
    /// What systemd says of it.
    pub state: &'v UnitState,
    /// Where the contract has it listen.
    pub ports: &'v [Stated<Port>],
    /// Where its processes do, each place once.
    pub there: Vec<Port>,
}

/// Said where it is not looked at where a service listens.
pub fn no_ports(view: &ServiceView) -> Ruling {
    Ok(match (&view.service.ports, view.loaded()?) {
        (None, _) => Outcome::not_applicable("the contract does not say where it listens"),
        (Some(_), None) => unit_not_loaded(),
        (Some(_), Some(_)) => Outcome::not_applicable("it does not run"),
    })
}

/// Where a service listens that runs; `None` where it does not run, or the contract does not say.
pub fn listening<'v>(view: &'v ServiceView) -> Result<Option<Listening<'v>>, Undecided> {
    let (Some(ports), Some(unit)) = (&view.service.ports, view.loaded()?) else { return Ok(None) };
    let state = view.state(unit.name.as_str())?;
    if state.active_state != "active" {
        return Ok(None);
    }
    // The kernel is asked for the network that golden sees.
    let is_private = |setting: &&Setting| setting.value() == "yes";
    let own = unit.scalar("Service", "PrivateNetwork").filter(is_private);
    if let Some(own) = own.or_else(|| unit.scalar("Service", "NetworkNamespacePath")) {
        let why = format!("it has a network of its own ({}), which is not looked into", written(own));
        return Err(Undecided::new(why));
    }
    let there = Port::places(view.listening(&view.service.unit.value)?);
    Ok(Some(Listening { unit, state, ports, there }))
}
