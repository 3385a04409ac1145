//! Programs where execution is forbidden.

use std::collections::BTreeSet;

use crate::facts::start::{
    NamespacePath, START_SETTINGS, behind_binds, commands, lies_under, namespace_paths, program_paths,
};
use crate::rules::looks::Looks;
use crate::rules::prelude::*;
use crate::rules::reach::has_own_root;
use crate::rules::remedy::by_hand;
use crate::syntax::elf::Loader;

rule! {
    /// A program of the start lies where execution is forbidden.
    ///
    /// On a file system that is mounted with `noexec` (mount(8)), and below `NoExecPaths=` without a nearer
    /// `ExecPaths=` (systemd.exec(5)), no program runs, whatever its permission bits are: 203/EXEC. The
    /// interpreter of a script and the loader of a binary must be executable too. `ExecPaths=` opens a file
    /// system with `noexec` too (measured on 252 and 257). On a disk that is not running, the options are those
    /// of fstab(5) and of the host's own mount units.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | NoExecPaths=/opt
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | NoExecPaths=/opt
    /// | ExecPaths=/opt/quantum/venvs
    /// ```
    id: "start-program-noexec",
    section: D,
    severity: Must,
    needs: [Units, Start],
    cause: Unit,
    why: "the next start fails with 203/EXEC although the program exists and is executable",
    see: ["findmnt -no OPTIONS -T {program}"],
    mend: "Move the program, or name it in `ExecPaths=`.",
    man: ["mount(8)", "systemd.exec(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    has_own_root(unit)?;
    let (mut looks, mut seen) = (Looks::default(), BTreeSet::new());
    for started in commands(unit, START_SETTINGS) {
        let command = &started.command;
        if started.may_fail(unit) {
            continue;
        }
        let is_free = started.is_free(unit);
        // A unit may start one program thousands of times.
        let mut next = Some(command.program.clone());
        while let Some(program) = next.filter(|program| seen.insert((program.clone(), is_free))) {
            looks.add(forbidden(view, unit, &program, is_free));
            next = started_first(view, unit, &program)?;
        }
    }
    looks.ruling()
}

/// What the kernel executes to start a program: the interpreter of a script, the loader of a binary.
fn started_first(view: &ServiceView, unit: &EffectiveUnit, program: &str) -> Result<Option<String>, Undecided> {
    for path in program_paths(unit, program) {
        // What was not looked at, or cannot be read, is reported by start-interpreter-broken.
        match view.program(&behind_binds(unit, &path)) {
            Ok(Some(ProgramFacts::Script(shebang))) => return Ok(Some(shebang.interpreter.clone())),
            Ok(Some(ProgramFacts::Elf(elf))) => {
                return Ok(match &elf.loader {
                    Loader::Path(loader) => Some(loader.clone()),
                    Loader::None | Loader::Beyond => None,
                });
            }
            _ => {}
        }
    }
    Ok(None)
}

/// What forbids to execute a program, where it is there; `is_free` of the unit's own sandbox.
fn forbidden(
    view: &ServiceView,
    unit: &EffectiveUnit,
    program: &str,
    is_free: bool,
) -> Result<Option<Finding>, Undecided> {
    let Some(path) = existing(view, unit, program)? else { return Ok(None) };
    let by_unit = if is_free { None } else { by_unit(view, unit, &path)? };
    let fault = match by_unit {
        Some(Nearest::Exec) => None,
        Some(Nearest::NoExec(what, at)) => Some((what, at)),
        None => by_mount(view, &path)?,
    };
    let Some((what, at)) = fault else { return Ok(None) };
    let question = format!("put {path} elsewhere, or change {at}, which forbids execution there");
    let finding = Finding::new(
        format!("cannot start: {path} lies below {what}, where execution is forbidden"),
        at.clone(),
        view.service.unit.at.clone(),
    );
    let finding = finding.key(path.clone()).expected(format!("{path} may be executed")).observed(what);
    Ok(Some(finding.mend(Remedy::decide(question).candidate("", by_hand(&at)))))
}

/// The real path of a program that is there. One on a file system that is not mounted now is wherever it is looked for:
/// nothing on that can be executed, whatever it holds.
fn existing(view: &ServiceView, unit: &EffectiveUnit, program: &str) -> Result<Option<String>, Undecided> {
    for path in program_paths(unit, program) {
        let lookup = view.path(Need::Start, &behind_binds(unit, &path))?;
        if let Ok(None) = lookup.node() {
            continue;
        }
        let forbidden = match lookup.real() {
            Some(real) => Some(real.to_owned()),
            None => by_mount(view, &lookup.asked)?.map(|_| lookup.asked.to_string()),
        };
        return match forbidden {
            Some(path) => Ok(Some(path)),
            None => lookup.node().map(|_| None),
        };
    }
    Ok(None)
}

/// What forbids it, and where that stands.
type Forbidden = Option<(String, Location)>;

/// What the nearest setting says of a program.
enum Nearest {
    /// `ExecPaths=`: it is mounted anew without `noexec`, whatever the file system below has.
    Exec,
    /// `NoExecPaths=`: the path, and the line.
    NoExec(String, Location),
}

/// Of `NoExecPaths=` and `ExecPaths=` the nearest decides.
fn by_unit(view: &ServiceView, unit: &EffectiveUnit, program: &str) -> Result<Option<Nearest>, Undecided> {
    let mut nearest: Option<(String, NamespacePath)> = None;
    for path in namespace_paths(unit, &["NoExecPaths", "ExecPaths"]) {
        let lookup = view.path(Need::Start, &path.source)?;
        // A link that cannot be followed may lead to the program.
        let real = lookup.node()?.map_or(path.source.as_str(), |node| &*node.path).to_owned();
        let rank = |real: &str, path: &NamespacePath| (real.trim_end_matches('/').len(), path.key == "NoExecPaths");
        let is_nearer = nearest.as_ref().is_none_or(|(other, of)| rank(&real, &path) >= rank(other, of));
        if lies_under(program, &real) && is_nearer {
            nearest = Some((real, path));
        }
    }
    Ok(nearest.map(|(real, path)| match path.key {
        "NoExecPaths" => Nearest::NoExec(real, path.setting.at.clone()),
        _ => Nearest::Exec,
    }))
}

/// The line of fstab that forbids it, of the file system on which it lies.
fn by_mount(view: &ServiceView, program: &str) -> Result<Forbidden, Undecided> {
    let Some(made) = view.made() else { return Ok(None) };
    let mounts = made.mounts.known()?;
    let over = mounts.over(program).filter(|(_, at)| mounts.noexec.contains(at));
    Ok(over.map(|(place, at)| (place.to_owned(), at.clone())))
}
