//! What the main process really executes.

use crate::facts::start::{base_name, commands, program_paths};
use crate::rules::prelude::*;
use crate::rules::processes::no_process;

rule! {
    /// The process of a service does not execute the program of its unit.
    ///
    /// Compares `/proc/PID/exe` of the main process with the program of `ExecStart=`, links resolved; for a
    /// script, with the interpreter of its `#!` line (execve(2)). ` (deleted)` means that the file was replaced
    /// after the start: an upgrade that has not taken effect. The program that a shell script executes in the
    /// end is not judged, nor is the main process of a forking service.
    ///
    /// ```bad
    /// process 1002 exe=/usr/bin/perl uid=1000 gid=1000 cwd=/home/qt/quantum_trader
    /// unit quantum-backend.service MainPID=1002
    /// ```
    /// ```good
    /// unit quantum-backend.service MainPID=0
    /// ```
    id: "process-executable-wrong",
    section: D,
    severity: Must,
    needs: [Units, Start, Bus, Processes],
    cause: Process,
    why: "the program that runs is not the one that was audited",
    see: ["systemctl show -p MainPID,ExecStart {unit}"],
    mend: "Correct the unit, then restart the service.",
    man: ["proc_pid_exe(5)", "execve(2)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let Some(process) = view.main_process(unit)? else { return Ok(no_process()) };
    let Some(executable) = process.executable.known()? else { return Ok(no_process()) };
    let demanded = view.service.command.as_ref().map_or(&view.service.unit.at, |command| &command.at);
    let finding = |message: String, expected: String| {
        Finding::new(message, unit.location(), demanded.clone())
            .expected(expected)
            .observed(format!("process {}: {executable}", process.pid))
            .mend(view.restarted())
    };
    if let Some(path) = executable.strip_suffix(" (deleted)") {
        let message = format!("executes a {path} that has been replaced");
        return Ok(finding(message, "the file that is there now".to_owned()).into());
    }
    if unit.scalar("Service", "Type").is_some_and(|kind| kind.value() == "forking") {
        return Ok(Outcome::not_applicable("a forking service chooses its main process"));
    }
    let Some(started) = commands(unit, &["ExecStart"]).pop() else {
        return Ok(Outcome::not_applicable("it has no ExecStart="));
    };
    let real = match executed(view, unit, &started.command.program)? {
        Executed::File(real) => real,
        Executed::Script => return Ok(Outcome::Pass),
        Executed::Nothing => {
            return Ok(Outcome::not_applicable("its program does not exist (reported by start-program-missing)"));
        }
    };
    if real == *executable {
        return Ok(Outcome::Pass);
    }
    Ok(finding(format!("executes {executable}"), real).into())
}

/// What executing a program ends in.
enum Executed {
    /// This file.
    File(String),
    /// A script of a shell, or one that finds its interpreter by PATH: it may become anything.
    Script,
    Nothing,
}

fn executed(view: &ServiceView, unit: &EffectiveUnit, program: &str) -> Result<Executed, Undecided> {
    let mut paths = program_paths(unit, program);
    // The kernel follows at most five interpreters.
    for _ in 0..5 {
        let mut found = None;
        for path in &paths {
            if view.path(Need::Start, path)?.node()?.is_some() {
                found = Some(path.clone());
                break;
            }
        }
        let Some(path) = found else { return Ok(Executed::Nothing) };
        match view.program(&path)? {
            Some(ProgramFacts::Script(shebang)) => {
                let name = base_name(&shebang.interpreter);
                if name == "env" || name.ends_with("sh") {
                    return Ok(Executed::Script);
                }
                paths = vec![shebang.interpreter.to_string()];
            }
            Some(_) => {
                let real = view.path(Need::Start, &path)?.real().map(str::to_owned);
                return Ok(real.map_or(Executed::Nothing, Executed::File));
            }
            None => return Ok(Executed::Nothing),
        }
    }
    Ok(Executed::Nothing)
}
