//! Everything systemd will need to start a unit, looked at before it needs it.

use super::{Pad, Worker, libraries, misfits, venvs};
use crate::contract::Service;
use crate::facts::condition;
use crate::facts::environment;
use crate::facts::made::{REQUIREMENTS, own_directories};
use crate::facts::start::{
    self, Code, EXEC_SETTINGS, HOMES, Loading, NAMESPACE_SETTINGS, Roots, START_SETTINGS, SYSTEM, TEMPORARY,
    behind_binds, commands, env_file_paths, given_code, path_files, paths_of_child, program_paths,
    working_directory,
};
use crate::facts::unit::OF_THIS_MACHINE;
use crate::facts::{Need, ProgramFacts};
use crate::model::{MOST_LINKS, NodeKind, Observed};
use crate::syntax::elf::Loader;
use crate::systemd::effective::EffectiveUnit;

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
        pad.look(worker, &behind_binds(&unit, &path.target));
        each_link(worker, &path.target, pad);
    }
    for own in own_directories(&unit) {
        for path in own.private.iter().chain([&own.path]) {
            pad.look(worker, path);
        }
    }
    for setting in start::SANDBOX_PATHS.iter().filter_map(|key| unit.scalar("Service", key)) {
        if setting.value().starts_with('/') {
            pad.look(worker, setting.value());
        }
    }
    for path in HOMES.iter().chain(SYSTEM).chain(TEMPORARY).filter(|_| is_protected(&unit)) {
        each_link(worker, path, pad);
    }
    let streams = start::streams(&unit).into_iter().filter_map(|stream| Some(stream.end.path()?.to_owned()));
    let credentials = start::credentials(&unit).into_iter().map(|credential| credential.path);
    for path in streams.chain(credentials) {
        pad.look(worker, &path);
    }
    conditions(worker, &unit, pad);
    requirements(worker, &unit, pad);
    let accounts = worker.ground.accounts.known().ok().flatten();
    let directory = working_directory(&unit, accounts).map(|directory| directory.path);
    if let Some(directory) = &directory {
        pad.look(worker, &behind_binds(&unit, directory));
    }
    program(worker, OF_THIS_MACHINE, pad);
    let all = commands(&unit, EXEC_SETTINGS);
    let (contract, version) = (worker.ground.contract, Some(worker.ground.version));
    let arguments = environment::Arguments::of(contract, &pad.env_files, &unit, version);
    let given: Vec<Vec<String>> = all.iter().map(|started| arguments.words(&started.command)).collect();
    for (started, words) in all.iter().zip(&given) {
        for path in program_paths(&unit, &started.command.program) {
            let path = behind_binds(&unit, &path);
            program(worker, &path, pad);
            env_program(worker, &unit, path, pad);
        }
        if let Some(directory) = &directory {
            code(worker, &unit, &started.command.program, words, directory, pad);
        }
    }
    let misfits = misfits::of(worker, &unit, directory.as_deref(), pad);
    pad.misfits.insert(service.unit.value.as_str().into(), misfits);
    demanded_program(worker, service, &unit, pad);
    if worker.needs(Need::EnvFiles) {
        libraries_of(worker, &unit, pad);
    }
    for written in &service.writes {
        pad.look(worker, &behind_binds(&unit, &written.value));
    }
    below_own_links(worker, &unit, pad);
}

/// A path, and what it becomes when its links are followed one after the other.
fn each_link(worker: &Worker<'_>, path: &str, pad: &mut Pad) {
    let mut next = Some(
        path.strip_prefix("/var").filter(|rest| start::lies_under(rest, "/run")).unwrap_or(path).to_owned(),
    );
    for _ in 0..MOST_LINKS {
        let Some(path) = next else { return };
        next = pad.look(worker, &path).behind_first_link();
    }
}

/// Where the demanded program lies, and where one of its name does that the unit starts instead.
fn demanded_program(worker: &Worker<'_>, service: &Service, unit: &EffectiveUnit, pad: &mut Pad) {
    let Some(word) = service.command.as_ref().and_then(|command| command.words.first()) else { return };
    let wanted = service.program(word);
    for started in commands(unit, &["ExecStart"]) {
        let Some((one, other)) = start::written_differently(&started.command.program, &wanted) else {
            continue;
        };
        for path in [one, other, started.command.program.as_str(), wanted.as_str()] {
            pad.look(worker, path);
        }
    }
}

/// What the conditions of a unit ask about.
pub(super) fn conditions(worker: &Worker<'_>, unit: &EffectiveUnit, pad: &mut Pad) {
    for condition in condition::all(unit) {
        let Some(path) = condition.path() else { continue };
        match condition.test {
            "PathExistsGlob" => {
                if let Some(directory) = condition::directories_of(path) {
                    pad.list(worker, &directory);
                }
            }
            "DirectoryNotEmpty" => drop(pad.list(worker, path)),
            _ => drop(pad.look(worker, path)),
        }
    }
}

/// What a unit needs to start that others require.
pub(super) fn needed_by_required(worker: &Worker<'_>, unit: &EffectiveUnit, pad: &mut Pad) {
    let streams = start::streams(unit).into_iter().filter_map(|stream| Some(stream.end.path()?.to_owned()));
    for path in env_file_paths(unit).into_iter().chain(streams) {
        pad.look(worker, &path);
    }
    for started in commands(unit, START_SETTINGS) {
        for path in program_paths(unit, &started.command.program) {
            pad.look(worker, &behind_binds(unit, &path));
        }
    }
    for own in own_directories(unit) {
        pad.look(worker, &own.path);
    }
    below_own_links(worker, unit, pad);
}

/// Scripts of which a generator makes units that are required.
fn requirements(worker: &Worker<'_>, unit: &EffectiveUnit, pad: &mut Pad) {
    for key in REQUIREMENTS {
        for (name, _) in unit.words("Unit", key) {
            if let Some(name) = name.strip_suffix(".service") {
                pad.look(worker, &format!("/etc/init.d/{name}"));
            }
        }
    }
}

/// Whether a unit asks for a sandbox of known places.
fn is_protected(unit: &EffectiveUnit) -> bool {
    ["ProtectHome", "ProtectSystem", "PrivateTmp"].iter().any(|key| unit.in_force(key).is_some())
}

/// What is looked at below another name of a directory of the unit's own lies in that directory.
fn below_own_links(worker: &Worker<'_>, unit: &EffectiveUnit, pad: &mut Pad) {
    for own in own_directories(unit) {
        for name in [&own.link, &own.private].into_iter().flatten() {
            let rests = pad.paths.keys().filter_map(|path| path.strip_prefix(name.as_str()));
            let below: Vec<String> = rests.filter(|rest| rest.starts_with('/')).map(str::to_owned).collect();
            for rest in below {
                pad.look(worker, &format!("{}{rest}", own.path));
            }
        }
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
            Some(real) => worker.ground.system.head(&real, HEAD),
            None => worker.read(&pad.paths[path.as_str()]),
        };
        let facts = head.map(|bytes| venvs::classify(&bytes));
        next = match &facts {
            Observed::Found(ProgramFacts::Script(shebang)) => Some(shebang.interpreter.clone()),
            Observed::Found(ProgramFacts::Elf(elf)) => match &elf.loader {
                Loader::Path(loader) => Some(loader.clone()),
                Loader::None | Loader::Beyond => None,
            },
            _ => None,
        };
        pad.programs.insert(path.as_str().into(), facts);
    }
}

/// What `env` in the `#!` line of a script looks for, in the `PATH` of the service.
fn env_program(worker: &Worker<'_>, unit: &EffectiveUnit, mut path: String, pad: &mut Pad) {
    let Ok(mut layers) = environment::layers(&pad.env_files, unit, "PATH") else { return };
    let stated = layers.pop().map(|layer| layer.value);
    for _ in 0..=INTERPRETERS {
        let Some(Observed::Found(ProgramFacts::Script(shebang))) = pad.programs.get(path.as_str()) else {
            return;
        };
        let sought = shebang.env_use().map(|env| env.program);
        path = shebang.interpreter.clone();
        for candidate in sought.iter().flat_map(|name| paths_of_child(unit, stated.as_deref(), name)) {
            pad.look(worker, &candidate);
        }
    }
}

/// The shared libraries of the programs of a start.
fn libraries_of(worker: &Worker<'_>, unit: &EffectiveUnit, pad: &mut Pad) {
    let Ok(loading) = Loading::of(|name| environment::known_layers(&pad.env_files, unit, name)) else {
        return;
    };
    let stated = libraries::Stated {
        library_path: loading.library_path.as_deref(),
        preload: loading.preload.as_deref(),
    };
    let mut programs: Vec<String> =
        commands(unit, START_SETTINGS).into_iter().map(|started| started.command.program).collect();
    programs.sort_unstable();
    programs.dedup();
    for program in programs {
        for path in program_paths(unit, &program) {
            let path = behind_binds(unit, &path);
            let key = loading.key(&path);
            if !pad.libraries.contains_key(key.as_str()) {
                let binary = binary_of(&path, pad);
                let missing = binary.and_then(|path| libraries::missing(worker, &path, &stated, pad));
                if !matches!(missing, Observed::Absent) {
                    pad.libraries.insert(key.into(), missing);
                }
            }
        }
    }
}

/// The binary that runs where a program is started: itself, or the interpreter of the script. Absent where it is none.
fn binary_of(program: &str, pad: &Pad) -> Observed<String> {
    let mut path = program;
    for _ in 0..=INTERPRETERS {
        match pad.programs.get(path) {
            Some(Observed::Found(ProgramFacts::Elf(_))) => return Observed::Found(path.to_owned()),
            Some(Observed::Found(ProgramFacts::Script(shebang))) => path = &shebang.interpreter,
            Some(Observed::Unreadable(why)) => {
                return Observed::Unreadable(format!("{path} could not be read: {why}"));
            }
            _ => break,
        }
    }
    Observed::Absent
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
    let roots = roots(worker, unit, (program, words), directory, pad);
    for code in all {
        match code {
            Code::File(file) => {
                let path = behind_binds(unit, &start::from_directory(directory, &file));
                let is_file = matches!(pad.look(worker, &path).node(), Ok(Some(node)) if node.meta.kind == NodeKind::File);
                if !is_file {
                    entry(worker, &start::interpreter(program, words), &path, pad);
                }
            }
            Code::Program(path) => drop(pad.look(worker, &behind_binds(unit, &path))),
            Code::Named(name) => {
                let Ok(mut layers) = environment::layers(&pad.env_files, unit, "PATH") else { continue };
                let stated = layers.pop().map(|layer| layer.value);
                for path in paths_of_child(unit, stated.as_deref(), &name) {
                    pad.look(worker, &behind_binds(unit, &path));
                }
            }
            Code::Package(name) => {
                for path in start::package_directories(directory, &name) {
                    pad.look(worker, &behind_binds(unit, &path));
                }
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

/// What runs where an interpreter is given something else than a file.
fn entry(worker: &Worker<'_>, interpreter: &str, path: &str, pad: &mut Pad) {
    let package = format!("{path}/package.json");
    if matches!(interpreter, "node" | "nodejs") && !pad.mains.contains_key(package.as_str()) {
        let text = worker.read(pad.look(worker, &package));
        let main = text.and_then(|bytes| match serde_json::from_slice::<serde_json::Value>(&bytes) {
            Ok(package) => {
                package["main"].as_str().map_or(Observed::Absent, |main| Observed::Found(main.into()))
            }
            Err(error) => Observed::Unreadable(format!("{package}: {error}")),
        });
        pad.mains.insert(package.as_str().into(), main);
    }
    let main = match pad.mains.get(package.as_str()) {
        Some(Observed::Found(main)) => Some(main.clone()),
        _ => None,
    };
    for file in start::entry_files(interpreter, path, main.as_deref()) {
        pad.look(worker, &file);
    }
}

/// A path file has a few lines.
const PATH_FILE: u64 = 64 << 10;

/// Where Python looks for modules, with the directories of installed packages listed and their path files read.
fn roots(
    worker: &Worker<'_>,
    unit: &EffectiveUnit,
    (program, words): (&str, &[String]),
    directory: &str,
    pad: &mut Pad,
) -> Roots {
    // An env file that cannot be read is undecided for the rule that asks.
    let last = |pad: &Pad, name: &str| {
        let layers = environment::layers(&pad.env_files, unit, name).unwrap_or_default();
        layers.into_iter().next_back().map(|layer| layer.value).filter(|value| !value.is_empty())
    };
    let kept = start::kept(program, words, last(pad, "PYTHONSAFEPATH").is_some());
    let mut roots = Roots::stated(last(pad, "PYTHONPATH").as_deref(), directory, kept);
    for library in start::libraries(program, pad.paths.get(program).and_then(|lookup| lookup.real())) {
        let names = match pad.list(worker, &library) {
            Observed::Found(names) => names,
            _ => Vec::new(),
        };
        roots.add_library(&library, &names);
    }
    for installed in roots.installed.clone() {
        let Observed::Found(names) = pad.list(worker, &installed) else { continue };
        for file in path_files(&installed, &names) {
            if !pad.path_files.contains_key(file.as_str()) {
                let text = worker.beginning(pad.look(worker, &file), PATH_FILE);
                let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                pad.path_files.insert(file.as_str().into(), text);
            }
            if let Some(Observed::Found(text)) = pad.path_files.get(file.as_str()) {
                roots.add_path_file(&file, text);
            }
        }
    }
    roots
}
