//! Everything systemd will need to start a unit, looked at before it needs it.

use super::{Pad, Worker, venvs};
use crate::contract::Service;
use crate::facts::ProgramFacts;
use crate::model::Observed;
use crate::syntax::command_line;
use crate::syntax::effective::EffectiveUnit;
use crate::syntax::elf::{Elf, Loader};

/// The header of a program and the first line of a script fit in this many bytes.
const HEAD: u64 = 4096;

/// Settings whose values are paths that a start needs, or that shape what the service sees.
const PATH_SETTINGS: &[&str] = &[
    "WorkingDirectory",
    "RootDirectory",
    "ReadWritePaths",
    "ReadOnlyPaths",
    "InaccessiblePaths",
    "ExecPaths",
    "NoExecPaths",
    "BindPaths",
    "BindReadOnlyPaths",
    "TemporaryFileSystem",
];

/// The lines that start something.
pub const EXEC_SETTINGS: &[&str] =
    &["ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"];

/// Looks at what the start of a service's unit will touch.
pub(super) fn gather(worker: &Worker<'_>, service: &Service, pad: &mut Pad) {
    let Some(unit) = pad.units.get(service.unit.value.as_str()) else { return };
    let Observed::Found(unit) = &unit.effective else { return };
    let unit = unit.clone();
    for setting in PATH_SETTINGS {
        for (word, _) in unit.words("Service", setting) {
            // Modifiers of systemd.exec(5): `-` optional, `+` inside the root directory; binds name `from:to`.
            let path = word.trim_start_matches(['-', '+']).split(':').next().unwrap_or("");
            if path.starts_with('/') {
                pad.look(worker, path);
            }
        }
    }
    for setting in EXEC_SETTINGS {
        for line in unit.assignments("Service", setting) {
            for command in command_line::parse(line.value()).commands {
                program(worker, &command.program, pad);
                arguments(worker, &unit, &command, pad);
            }
        }
    }
    for written in &service.writes {
        pad.look(worker, &written.value);
    }
}

/// A program: its walk, what it is, and the interpreter or loader it needs in turn.
pub(super) fn program(worker: &Worker<'_>, path: &str, pad: &mut Pad) {
    if pad.programs.contains_key(path) || !path.starts_with('/') {
        return;
    }
    let head = match pad.look(worker, path).real().map(str::to_owned) {
        Some(real) => worker.ground.system.read(&real, HEAD),
        None => worker.read(&pad.paths[path]),
    };
    let facts = head.map(|bytes| venvs::classify(&bytes));
    let next = match &facts {
        Observed::Found(ProgramFacts::Script(shebang)) => Some(shebang.interpreter.clone()),
        Observed::Found(ProgramFacts::Elf(Elf { loader: Loader::Path(path), .. })) => Some(path.clone()),
        _ => None,
    };
    pad.programs.insert(path.into(), facts);
    if let Some(next) = next {
        program(worker, &next, pad);
    }
}

/// A script or module that an interpreter is given: `python x.py`, `python -m a.b`, `uvicorn a.b:app`.
fn arguments(worker: &Worker<'_>, unit: &EffectiveUnit, command: &command_line::Command, pad: &mut Pad) {
    let directory = unit.scalar("Service", "WorkingDirectory").map_or("/", |setting| setting.value());
    for candidate in crate::facts::unit::started_files(command, directory.trim_start_matches('-')) {
        pad.look(worker, &candidate);
    }
}
