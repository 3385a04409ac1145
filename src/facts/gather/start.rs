//! Everything systemd will need to start a unit, looked at before it needs it.

use super::{Pad, Worker, venvs};
use crate::contract::Service;
use crate::facts::ProgramFacts;
use crate::facts::start::{
    self, Code, EXEC_SETTINGS, NAMESPACE_SETTINGS, Roots, behind_binds, commands, given_code, program_paths,
    working_directory,
};
use crate::model::Observed;
use crate::syntax::effective::EffectiveUnit;
use crate::syntax::elf::Loader;

/// The header of a program and the first line of a script fit in this many bytes.
const HEAD: u64 = 4096;

/// The kernel follows no more interpreters of interpreters.
const INTERPRETERS: usize = 5;

/// Looks at what the start of a service's unit will touch.
pub(super) fn gather(worker: &Worker<'_>, service: &Service, pad: &mut Pad) {
    let Some(unit) = pad.units.get(service.unit.value.as_str()) else { return };
    let Observed::Found(unit) = &unit.effective else { return };
    let unit = unit.clone();
    for path in start::namespace_paths(&unit, NAMESPACE_SETTINGS) {
        pad.look(worker, &path.source);
    }
    let accounts = worker.ground.accounts.known().ok().flatten();
    let directory = working_directory(&unit, accounts).map(|directory| directory.path);
    if let Some(directory) = &directory {
        pad.look(worker, &behind_binds(&unit, directory));
    }
    for started in commands(&unit, EXEC_SETTINGS) {
        for path in program_paths(&started.command.program) {
            program(worker, &behind_binds(&unit, &path), pad);
        }
        if let Some(directory) = &directory {
            code(worker, &unit, &started.command.program, &started.command.words, directory, pad);
        }
    }
    for written in &service.writes {
        pad.look(worker, &behind_binds(&unit, &written.value));
    }
}

/// A program: its walk, what it is, and the interpreter or loader it needs in turn.
pub(super) fn program(worker: &Worker<'_>, path: &str, pad: &mut Pad) {
    let mut next = Some(path.to_owned());
    for _ in 0..=INTERPRETERS {
        let Some(path) = next.take() else { return };
        if pad.programs.contains_key(path.as_str()) || !path.starts_with('/') {
            return;
        }
        let head = match pad.look(worker, &path).real().map(str::to_owned) {
            Some(real) => worker.ground.system.read(&real, HEAD),
            None => worker.read(&pad.paths[path.as_str()]),
        };
        let facts = head.map(|bytes| venvs::classify(&bytes));
        next = match &facts {
            Observed::Found(ProgramFacts::Script(shebang)) => {
                for candidate in shebang.env_use().into_iter().flat_map(|env| program_paths(&env.program)) {
                    pad.look(worker, &candidate);
                }
                Some(shebang.interpreter.clone())
            }
            Observed::Found(ProgramFacts::Elf(elf)) => match &elf.loader {
                Loader::Path(loader) => Some(loader.clone()),
                Loader::None | Loader::Beyond => None,
            },
            _ => None,
        };
        pad.programs.insert(path.as_str().into(), facts);
    }
}

/// The script or module that an interpreter is given.
fn code(
    worker: &Worker<'_>,
    unit: &EffectiveUnit,
    program: &str,
    words: &[String],
    directory: &str,
    pad: &mut Pad,
) {
    let all = given_code(program, words);
    if all.is_empty() {
        return;
    }
    let roots = roots(worker, unit, program, directory, pad);
    for code in all {
        match code {
            Code::File(file) => {
                pad.look(worker, &behind_binds(unit, &start::from_directory(directory, &file)));
            }
            Code::Module { name, runs } => {
                for root in roots.all() {
                    let files = start::module_files(root, &name, runs);
                    for path in files.iter().chain(&start::top_of_module(root, &name)) {
                        pad.look(worker, &behind_binds(unit, path));
                    }
                }
            }
        }
    }
}

/// Where Python looks for modules, with the directories of installed packages listed.
fn roots(worker: &Worker<'_>, unit: &EffectiveUnit, program: &str, directory: &str, pad: &mut Pad) -> Roots {
    let env_files = unit.assignments("Service", "EnvironmentFile").filter_map(|setting| {
        match pad.env_files.get(setting.value().trim_start_matches('-')) {
            Some(Observed::Found(file)) => Some(&file.read),
            _ => None,
        }
    });
    let mut roots = Roots::stated(unit, env_files, directory);
    for library in start::libraries(program, pad.paths.get(program).and_then(|lookup| lookup.real())) {
        let names = match pad.list(worker, &library) {
            Observed::Found(names) => names,
            _ => Vec::new(),
        };
        roots.add_library(&library, &names);
    }
    for installed in &roots.installed {
        pad.list(worker, installed);
    }
    roots
}
