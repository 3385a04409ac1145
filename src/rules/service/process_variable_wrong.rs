//! Variables that are written right, and that the running process has otherwise.

use crate::facts::start::commands;
use crate::rules::prelude::*;
use crate::rules::processes::no_process;
use crate::rules::variables::{shown, written_demand};

rule! {
    /// A running service has another value of a variable than the contract demands.
    ///
    /// The files of the service set the right value; otherwise `env-variable-wrong` or `env-variable-missing`
    /// reports it. The main process has another value, or none. systemd sets the environment only when it
    /// starts a process (systemd.exec(5)). So the value can come from an older version of a file, from a
    /// drop-in that was removed, or from a program such as env(1) in front of the service.
    ///
    /// Judged is `/proc/PID/environ` of the main process: its environment at the start (proc_pid_environ(5)). A
    /// later change inside the program is not visible. If the program has overwritten this memory, for example
    /// with a title for ps(1), the rule is undecided. Only root and the service's own user may read it.
    ///
    /// ```bad
    /// environ 1002
    /// | AUTO_ACTIVATION=enabled
    /// ```
    /// ```bad
    /// environ 1002
    /// | SHADOW_MODE
    /// ```
    /// ```bad
    /// environ 1001
    /// | REDIS_PORT=
    /// ```
    /// ```good
    /// environ 1001
    /// | REDIS_DB=7
    /// | MORE=1
    /// ```
    /// ```good
    /// replace /etc/quantum/backend.env
    /// - AUTO_ACTIVATION=disabled
    /// + AUTO_ACTIVATION=enabled
    /// environ 1001 /etc/quantum/backend.env
    /// ```
    /// ```good
    /// unit quantum-backend.service MainPID=0
    /// environ 1001
    /// | AUTO_ACTIVATION=enabled
    /// ```
    id: "process-variable-wrong",
    section: C,
    severity: Must,
    needs: [EnvFiles, Fragments, Bus, Processes],
    cause: Process,
    why: "the service still behaves as the old value says",
    see: ["systemctl show -p MainPID {unit}", "golden run --print-env {name}"],
    mend: "golden restarts the service. If its own command sets the variable, decide it yourself.",
    man: ["proc_pid_environ(5)", "systemd.exec(5)"],
    since: "unreleased",
    check: Variable(check),
}

fn check(view: &ServiceView, demand: &VariableDemand) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let Some(process) = view.main_process(unit)? else { return Ok(no_process()) };
    let layers = view.layers(unit, &demand.name)?;
    let written = layers.last();
    if !is_met(demand, written.map(|layer| layer.value.as_str())) {
        return Ok(Outcome::not_applicable("its files already say otherwise (see env-variable-wrong)"));
    }
    let unknown = |why: &str| Undecided::new(why).or_run("sudo golden audit");
    let variables = process.variables.known().map_err(|undecided| unknown(&undecided.why))?;
    let variables = variables.ok_or_else(|| unknown("the environment of its process was not looked at"))?;
    let found = variables.get(&demand.name).map(String::as_str);
    if is_met(demand, found) {
        return Ok(Outcome::Pass);
    }
    let (name, pid) = (&demand.name, process.pid);
    let at = written.map_or_else(|| unit.location(), |layer| layer.at.clone());
    let value = |value| format!("{name}={}", shown(view, at.path(), name, value));
    let observed = found.map_or_else(|| format!("no {name}"), value);
    let message = match found {
        Some("") | None => format!("process {pid} runs without {name}"),
        Some(_) => format!("process {pid} runs with another value of {name}"),
    };
    Ok(Finding::new(message, at.clone(), demand.at.clone())
        .expected(written_demand(view.contract, demand))
        .observed(observed)
        .mend(by_command(unit, name).unwrap_or_else(|| view.restarted()))
        .into())
}

/// Whether a value, or none, is what is demanded. An empty value is none, as for the rules about what is written.
fn is_met(demand: &VariableDemand, value: Option<&str>) -> bool {
    match (&demand.form, value.filter(|value| !value.is_empty())) {
        (VariableForm::Absent, found) => found.is_none(),
        (form, found) => found.is_some_and(|value| form.accepts(value)),
    }
}

/// The question where the service's own command sets the variable: a restart would set it again.
fn by_command(unit: &EffectiveUnit, name: &str) -> Option<Remedy> {
    let sets = |word: &String| word.split_once('=').is_some_and(|(left, _)| left == name);
    let started = commands(unit, &["ExecStart"]);
    let setter = started.iter().find(|started| started.command.words.iter().any(sets))?;
    Some(Remedy::decide(format!("remove {name} from the command at {}, and restart the service", setter.setting.at)))
}
