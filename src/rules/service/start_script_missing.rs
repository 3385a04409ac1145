//! The script or module that an interpreter is given.

use crate::facts::start::{
    Code, Roots, START_SETTINGS, Started, behind_binds, commands, entry_files, from_directory, given_code,
    interpreter, kept, libraries, module_files, package_directories, path_files, paths_of_child, program_paths,
    top_of_module,
    working_directory,
};
use crate::rules::earlier;
use crate::rules::prelude::*;
use crate::rules::reach::{Obstacle, Runner, has_own_root, no_user, obstacle};
use crate::rules::remedy::by_hand;

rule! {
    /// The script or module of an interpreter is missing or cannot be read.
    ///
    /// The interpreter starts, does not find its script and ends: systemd sees exit status 1 or 2 and starts
    /// the service again. golden looks for what `python x.py`, `python -m a.b`, `uvicorn a.b:app`, `sh x.sh`,
    /// `node x.js`, `php x.php` and `java -jar x.jar` name, from the working directory, `PYTHONPATH` and the
    /// packages of the interpreter, as the user of the service. In a directory Python runs `__main__.py`, and
    /// Node the `main` of its package.json or its index. Node finds a package of `--import` and `--require` in
    /// a `node_modules` of the working directory or above it. Path files (`*.pth`) name further places for
    /// modules. golden also looks behind `env`, `nice`, `timeout` and similar programs, and into a shell with a
    /// single command. It does not replace a variable that holds a secret.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=/opt/quantum/venvs/backend/bin/python nowhere.py
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=/opt/quantum/venvs/backend/bin/python -m here.and.nowhere
    /// dir /home/qt/quantum_trader/here qt:qt 0755
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=/opt/quantum/venvs/backend/bin/python here.py
    /// file /home/qt/quantum_trader/here.py root:root 0600
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=/opt/quantum/venvs/backend/bin/python -u -m here.there --port 1
    /// file /home/qt/quantum_trader/here/there/__main__.py qt:qt 0644
    /// ```
    /// ```bad
    /// remove /home/qt/quantum_trader/src/backend/app.py
    /// ```
    id: "start-script-missing",
    section: D,
    severity: Must,
    needs: [Units, Accounts, EnvFiles, Start],
    cause: Unit,
    why: "the interpreter starts and ends at once, again and again",
    see: ["systemctl show -p ExecStart,WorkingDirectory {unit}", "journalctl -u {unit} -n 20"],
    mend: "Put the file there, or correct the line.",
    man: ["systemd.exec(5)", "python3(1)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    has_own_root(unit)?;
    let Some(user) = view.runner(unit)? else { return Ok(no_user()) };
    let Some(directory) = working_directory(unit, Some(view.accounts()?)) else { return Ok(no_user()) };
    let (arguments, mut findings) = (view.arguments(unit)?, Vec::new());
    let all = commands(unit, START_SETTINGS);
    for (at, started) in all.iter().enumerate() {
        if started.may_fail(unit) {
            continue;
        }
        let runner = user.clone().of(&started.command);
        let words = arguments.words(&started.command);
        for code in given_code(&started.command.program, &words) {
            let obstacle = match &code {
                Code::File(file) if is_certain(file) => {
                    let path = behind_binds(unit, &from_directory(&directory.path, file));
                    let interpreter = interpreter(&started.command.program, &words);
                    let obstacle = file_obstacle(view, &runner, &interpreter, &path)?;
                    earlier::unless_made(view, unit, (&all[..at], &path), obstacle)?
                }
                Code::Program(path) if is_certain(path) => {
                    program_obstacle(view, unit, &runner, (&all[..at], vec![path.clone()]))?
                }
                Code::Module { name, runs } if is_certain(name) => {
                    let command = (&*started.command.program, words.as_slice());
                    let Some(roots) = roots(view, unit, command, &directory.path)? else { continue };
                    module_obstacle(view, unit, &runner, &roots, name, *runs)?
                }
                Code::Named(name) if is_certain(name) => {
                    let path = view.layers(unit, "PATH")?.pop().map(|layer| layer.value);
                    let places = paths_of_child(unit, path.as_deref(), name);
                    program_obstacle(view, unit, &runner, (&all[..at], places))?
                }
                Code::Package(name) if is_certain(name) => package_obstacle(view, unit, &directory.path, name)?,
                Code::File(name)
                | Code::Module { name, .. }
                | Code::Package(name)
                | Code::Program(name)
                | Code::Named(name) => {
                    return Err(Undecided::new(format!(
                        "{name} depends on a variable ({})",
                        started.setting.at
                    )));
                }
            };
            findings.extend(obstacle.map(|obstacle| finding(view, started, &runner, &code, obstacle)));
        }
    }
    Ok(Outcome::from_findings(findings))
}

/// What keeps an interpreter from a file, or from what it runs where it is given a directory or a shorter name.
fn file_obstacle(
    view: &ServiceView,
    runner: &Runner,
    interpreter: &str,
    path: &str,
) -> Result<Option<Obstacle>, Undecided> {
    let lookup = view.path(Need::Start, path)?;
    let first = obstacle(view, runner, lookup, NodeKind::File, &[Access::Read])?;
    let is_file = lookup.node()?.is_some_and(|node| node.meta.kind == NodeKind::File);
    if first.is_none() || is_file {
        return Ok(first);
    }
    let main = view.main_of(&format!("{path}/package.json"))?;
    for file in entry_files(interpreter, path, main.map(String::as_str)) {
        // Facts of an older golden do not hold it.
        let Ok(lookup) = view.path(Need::Start, &file) else { continue };
        let is_file = lookup.node()?.is_some_and(|node| node.meta.kind == NodeKind::File);
        if is_file {
            return obstacle(view, runner, lookup, NodeKind::File, &[Access::Read]);
        }
    }
    Ok(first)
}

/// What keeps a program from being executed at each of the places where it may lie.
fn program_obstacle(
    view: &ServiceView,
    unit: &EffectiveUnit,
    runner: &Runner,
    (before, places): (&[Started], Vec<String>),
) -> Result<Option<Obstacle>, Undecided> {
    let mut first = None;
    for path in places {
        let lookup = view.path(Need::Start, &behind_binds(unit, &path))?;
        let found = obstacle(view, runner, lookup, NodeKind::File, &[Access::Execute])?;
        let Some(found) = earlier::unless_made(view, unit, (before, &path), found)? else { return Ok(None) };
        if first.as_ref().is_none_or(|first: &Obstacle| first.missing) {
            first = Some(found);
        }
    }
    Ok(first)
}

/// What keeps Node from a package: its directory is nowhere that Node looks. What it exports is its own matter.
fn package_obstacle(
    view: &ServiceView,
    unit: &EffectiveUnit,
    directory: &str,
    name: &str,
) -> Result<Option<Obstacle>, Undecided> {
    let places = package_directories(directory, name);
    for path in &places {
        if view.path(Need::Start, &behind_binds(unit, path))?.node()?.is_some() {
            return Ok(None);
        }
    }
    if let Some(layer) = view.layers(unit, "NODE_PATH")?.pop() {
        return Err(Undecided::new(format!("where package {name} lies depends on NODE_PATH ({})", layer.at)));
    }
    Ok(Some(Obstacle {
        what: "does not exist".to_owned(),
        at: Location::file(places.first().map_or(directory, String::as_str)),
        observed: "no package of that name is installed".to_owned(),
        mend: None,
        missing: true,
    }))
}

/// Words with a variable are only known at start.
fn is_certain(word: &str) -> bool {
    !word.contains('$')
}

fn finding(
    view: &ServiceView,
    started: &Started,
    runner: &Runner,
    code: &Code,
    obstacle: Obstacle,
) -> Finding {
    let name = match code {
        Code::File(file) | Code::Program(file) | Code::Named(file) => file.clone(),
        Code::Module { name, .. } => format!("module {name}"),
        Code::Package(name) => format!("package {name}"),
    };
    let demanded = view.service.command.as_ref().filter(|_| started.key == "ExecStart");
    let at = demanded.map_or(&view.service.unit.at, |command| &command.at);
    let remedy = obstacle.mend.unwrap_or_else(|| {
        Remedy::decide(format!("put {name} there, or correct {}", started.setting.at))
            .candidate("", by_hand(&started.setting.at))
    });
    let message = match obstacle.missing {
        true => format!("cannot start: {name} does not exist"),
        false => format!("cannot start: {name}: {} {}", obstacle.at, obstacle.what),
    };
    Finding::new(message, started.setting.at.clone(), at.clone())
        .key(name)
        .expected(format!("code that {} can read", runner.name))
        .observed(format!("{}: {}", obstacle.at, obstacle.observed))
        .mend(remedy)
}

/// Where this program's Python looks; `None` when the program is missing (reported by start-program-missing).
fn roots(
    view: &ServiceView,
    unit: &EffectiveUnit,
    (program, words): (&str, &[String]),
    directory: &str,
) -> Result<Option<Roots>, Undecided> {
    let last = |name: &str| -> Result<Option<String>, Undecided> {
        let last = view.layers(unit, name)?.pop().map(|layer| layer.value);
        Ok(last.filter(|value| !value.is_empty()))
    };
    let kept = kept(program, words, last("PYTHONSAFEPATH")?.is_some());
    let mut roots = Roots::stated(last("PYTHONPATH")?.as_deref(), directory, kept);
    for path in program_paths(unit, program) {
        let lookup = view.path(Need::Start, &behind_binds(unit, &path))?;
        if lookup.node()?.is_none() {
            continue;
        }
        for library in libraries(&path, lookup.real()) {
            if let Some(names) = view.listing(Need::Start, &library)? {
                roots.add_library(&library, names);
            }
        }
        for installed in roots.installed.clone() {
            let names = view.listing(Need::Start, &installed)?.map_or(&[][..], Vec::as_slice);
            for file in path_files(&installed, names) {
                match view.path_file(&file)? {
                    Some(text) => roots.add_path_file(&file, text),
                    // Facts of an older golden do not hold it.
                    None => drop(roots.open.get_or_insert(file)),
                }
            }
        }
        return Ok(Some(roots));
    }
    Ok(None)
}

/// Whether the first component of a module lies below `root`. What no longer matters is not asked for: facts of an older
/// golden do not hold it.
fn has_top(view: &ServiceView, unit: &EffectiveUnit, root: &str, name: &str) -> Result<bool, Undecided> {
    for top in top_of_module(root, name) {
        if view.path(Need::Start, &behind_binds(unit, &top))?.node()?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What keeps Python from a module. The first root that has its top package decides, as in Python.
fn module_obstacle(
    view: &ServiceView,
    unit: &EffectiveUnit,
    runner: &Runner,
    roots: &Roots,
    name: &str,
    runs: bool,
) -> Result<Option<Obstacle>, Undecided> {
    for root in roots.all() {
        if !has_top(view, unit, root, name)? {
            continue;
        }
        let mut missing = None;
        for file in module_files(root, name, runs) {
            let lookup = view.path(Need::Start, &behind_binds(unit, &file))?;
            match obstacle(view, runner, lookup, NodeKind::File, &[Access::Read])? {
                None => return Ok(None),
                Some(obstacle) if obstacle.missing => missing = missing.or(Some(obstacle)),
                Some(obstacle) => return Ok(Some(obstacle)),
            }
        }
        // A directory without __init__.py joins those of the same name in later roots (PEP 420).
        if missing.is_some() && !roots.stated.contains(root) {
            continue;
        }
        return Ok(missing);
    }
    // Such a path file brings a finder of its own.
    if let Some(file) = &roots.open {
        return Err(Undecided::new(format!("where module {name} lies depends on {file}, which runs code")));
    }
    let first = roots.all().next().map_or("/", |root| root.trim_end_matches('/'));
    Ok(Some(Obstacle {
        what: "does not exist".to_owned(),
        at: Location::file(format!("{first}/{}", name.replace('.', "/"))),
        observed: "nothing, and no package of that name is installed".to_owned(),
        mend: None,
        missing: true,
    }))
}
