//! What a program needs in turn: the interpreter of a script, the loader of a binary.

use crate::facts::start::{START_SETTINGS, behind_binds, commands, paths_of_child, program_paths};
use crate::facts::unit::OF_THIS_MACHINE;
use crate::rules::looks::Looks;
use crate::rules::prelude::*;
use crate::rules::reach::{Runner, has_own_root, no_user, obstacle};
use crate::syntax::elf::{Loader, Machine};
use crate::syntax::shebang::Shebang;

rule! {
    /// The interpreter or loader of a program that the start needs cannot run.
    ///
    /// The kernel reads the interpreter from the first 256 bytes of a script (execve(2)). A line that ends in
    /// CR LF names an interpreter with a CR in its name; a relative path is looked up in the working directory;
    /// a venv that was moved names a Python that is gone. A binary for another machine, one whose loader is
    /// missing, and a file that is neither script nor binary fail too: 203/EXEC. The NAME of `#!/usr/bin/env
    /// NAME` is searched in the `PATH` of the unit and its env files, otherwise in `ExecSearchPath=` or
    /// systemd's own path.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=/opt/quantum/check.sh
    /// data /opt/quantum/check.sh root:root 0755
    /// | #!/bin/sh\r\ntrue\r\n
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=/opt/quantum/check
    /// file /opt/quantum/check root:root 0755
    /// | #!/opt/old/venv/bin/python
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=/opt/quantum/check
    /// file /opt/quantum/check root:root 0755
    /// | true
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=/opt/quantum/check
    /// file /opt/quantum/check root:root 0755
    /// | #! /opt/quantum/venvs/backend/bin/python -u
    /// ```
    id: "start-interpreter-broken",
    section: D,
    severity: Must,
    needs: [Units, Accounts, EnvFiles, Start],
    cause: Unit,
    why: "the next start fails with 203/EXEC although the program exists",
    see: ["head -n 1 {program}", "file -L {program}"],
    mend: "Correct the first line (`sed -i 's/\\r$//'` for CR LF), or make the venv again at its present \
           path.",
    man: ["execve(2)", "systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

/// The kernel follows no more interpreters of interpreters.
const INTERPRETERS: usize = 5;

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    has_own_root(unit)?;
    let Some(user) = view.runner(unit)? else { return Ok(no_user()) };
    let mut looks = Looks::default();
    for started in commands(unit, START_SETTINGS) {
        if started.may_fail(unit) {
            continue;
        }
        let runner = user.clone().of(&started.command);
        let program = existing(view, unit, &started.command.program);
        let fault = program.and_then(|program| match program {
            Some(program) => fault(view, unit, &runner, &program),
            None => Ok(None),
        });
        looks.add(fault.map(|fault| fault.map(|fault| finding(view, &started.command.program, fault))));
    }
    looks.ruling()
}

fn finding(view: &ServiceView, program: &str, fault: Fault) -> Finding {
        let remedy = fault.mend.unwrap_or_else(|| {
            Remedy::decide(format!("decide how {} runs; make a venv again at its present path", fault.of))
        });
    Finding::new(
        format!("cannot start: {}", fault.why),
        Location::file(fault.of.as_str()),
        view.service.unit.at.clone(),
    )
    .key(program)
    .expected("a program that this machine can execute")
    .observed(fault.observed)
    .mend(remedy)
}

/// The path of a program that is there; one that is not is another rule's word.
fn existing(view: &ServiceView, unit: &EffectiveUnit, program: &str) -> Result<Option<String>, Undecided> {
    for path in program_paths(unit, program) {
        let path = behind_binds(unit, &path);
        if view.path(Need::Start, &path)?.node()?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

struct Fault {
    /// The file that is at fault.
    of: String,
    why: String,
    observed: String,
    mend: Option<Remedy>,
}

/// Why executing a program ends in 203, down the chain of interpreters.
fn fault(
    view: &ServiceView,
    unit: &EffectiveUnit,
    runner: &Runner,
    program: &str,
) -> Result<Option<Fault>, Undecided> {
    let mut path = program.to_owned();
    for _ in 0..INTERPRETERS {
        let is_binary = matches!(view.program(&path)?, Some(ProgramFacts::Elf(_)));
        let next = match view.program(&path)? {
            None => return Ok(None),
            Some(ProgramFacts::Script(shebang)) => {
                if let Some(fault) = script_fault(view, unit, &path, shebang)? {
                    return Ok(Some(fault));
                }
                shebang.interpreter.clone()
            }
            Some(ProgramFacts::Elf(elf)) => {
                if !elf.runs_on(architecture(view)) {
                    let why = format!("{path} is a program for another machine");
                    return Ok(Some(Fault {
                        of: path,
                        why,
                        observed: format!("{:?}", elf.machine),
                        mend: None,
                    }));
                }
                match &elf.loader {
                    Loader::Path(loader) => loader.clone(),
                    Loader::None | Loader::Beyond => return Ok(None),
                }
            }
            Some(ProgramFacts::Broken(fault)) => {
                let why = format!("{path} cannot be executed: {fault}");
                return Ok(Some(Fault { of: path, why, observed: fault.clone(), mend: None }));
            }
            Some(ProgramFacts::Empty) => {
                let why = format!("{path} is empty");
                return Ok(Some(Fault { of: path, why, observed: "0 bytes".to_owned(), mend: None }));
            }
            Some(ProgramFacts::Other) => {
                let why = format!("{path} is neither a script with a #! line nor a binary");
                return Ok(Some(Fault { of: path, why, observed: "no #! line".to_owned(), mend: None }));
            }
        };
        let lookup = view.path(Need::Start, &next)?;
        if let Some(obstacle) = obstacle(view, runner, lookup, NodeKind::File, &[Access::Execute])? {
            let why = format!("{path} needs {next}, which {}", obstacle.what);
            return Ok(Some(Fault { of: path, why, observed: obstacle.observed, mend: obstacle.mend }));
        }
        // A loader is a program that needs nothing in turn.
        if is_binary {
            return Ok(None);
        }
        path = next;
    }
    let why = format!("{program} has interpreters of interpreters without end");
    Ok(Some(Fault { of: program.to_owned(), why, observed: path, mend: None }))
}

/// The machine of the host: that of its shell, since a disk may be of another one than this.
fn architecture(view: &ServiceView) -> &'static str {
    let Ok(Some(ProgramFacts::Elf(shell))) = view.program(OF_THIS_MACHINE) else { return std::env::consts::ARCH };
    match shell.machine {
        Machine::X86_64 => "x86_64",
        Machine::Aarch64 => "aarch64",
        Machine::X86 => "x86",
        Machine::Arm => "arm",
        Machine::Riscv => "riscv64",
        Machine::Other(_) => std::env::consts::ARCH,
    }
}

/// What is wrong with a `#!` line itself.
fn script_fault(
    view: &ServiceView,
    unit: &EffectiveUnit,
    path: &str,
    shebang: &Shebang,
) -> Result<Option<Fault>, Undecided> {
    let line = match &shebang.argument {
        Some(argument) => format!("#!{} {argument}", shebang.interpreter),
        None => format!("#!{}", shebang.interpreter),
    };
    let fault = |why: String, mend| {
        Some(Fault { of: path.to_owned(), why, observed: line.escape_debug().to_string(), mend })
    };
    if shebang.has_carriage_return() {
        let mend = Remedy::decide(format!("remove the carriage returns from {path}"))
            .candidate("once you have looked at it", format!(r"sed -i 's/\r$//' {}", quoted(path)));
        return Ok(fault(format!("the #! line of {path} ends in CR LF"), Some(mend)));
    }
    if shebang.is_relative() {
        return Ok(fault(format!("the #! line of {path} names a relative interpreter"), None));
    }
    let Some(env) = shebang.env_use() else { return Ok(None) };
    if env.broken {
        return Ok(fault(
            format!("the #! line of {path} makes env look for a program named {:?}", env.program),
            None,
        ));
    }
    // env(1) looks in the PATH that the service is given.
    let stated = view.layers(unit, "PATH")?.pop().map(|layer| layer.value);
    for candidate in paths_of_child(unit, stated.as_deref(), &env.program) {
        if view.path(Need::Start, &candidate)?.node()?.is_some() {
            return Ok(None);
        }
    }
    Ok(fault(
        format!(
            "the #! line of {path} makes env look for {}, which is in no directory of {} PATH",
            env.program,
            if stated.is_some() { "its" } else { "systemd's" }
        ),
        None,
    ))
}
