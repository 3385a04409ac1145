//! Programs where nothing may be executed.

use std::collections::BTreeSet;

use crate::facts::start::{START_SETTINGS, behind_binds, commands, lies_under, namespace_paths, program_paths};
use crate::rules::prelude::*;
use crate::rules::reach::has_own_root;
use crate::rules::remedy::by_hand;
use crate::syntax::command_line::Privileges;

rule! {
    /// A program of the start lies where nothing may be executed.
    ///
    /// On a file system that is mounted with `noexec` (mount(8)), and below `NoExecPaths=` where no nearer `ExecPaths=` opens it
    /// (systemd.exec(5)), no program runs, whatever its permission bits say: 203/EXEC. `ExecPaths=` opens a file system with
    /// `noexec`, too (measured on 252 and 257). On a disk that does not run, the options are those of fstab(5).
    ///
    /// Put the program elsewhere, or name it in `ExecPaths=`.
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
    why: "the next start fails with 203/EXEC although the program is there and may be executed",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    has_own_root(unit)?;
    let (mut findings, mut seen) = (Vec::<Finding>::new(), BTreeSet::new());
    for started in commands(unit, START_SETTINGS) {
        let command = &started.command;
        if command.prefixes.ignore_failure && started.key != "ExecStart" {
            continue;
        }
        let is_free = command.prefixes.privileges == Privileges::Full;
        // A unit may start one program thousands of times.
        if !seen.insert((command.program.clone(), is_free)) {
            continue;
        }
        let Some(path) = existing(view, unit, &command.program)? else { continue };
        let by_unit = if is_free { None } else { by_unit(view, unit, &path) };
        let fault = match by_unit {
            Some(Nearest::Exec) => None,
            Some(Nearest::NoExec(what, at)) => Some((what, at)),
            None => by_mount(view, &path),
        };
        let Some((what, at)) = fault else { continue };
        let question = format!("put {path} elsewhere, or see to {at}, which forbids to execute anything there");
        findings.push(
            Finding::new(
                format!("cannot start: {path} lies below {what}, where nothing may be executed"),
                at.clone(),
                view.service.unit.at.clone(),
            )
            .key(path.clone())
            .expected(format!("{path} may be executed"))
            .observed(what)
            .mend(Remedy::decide(question).candidate("", by_hand(&at))),
        );
    }
    findings.dedup_by(|a, b| a.key == b.key);
    Ok(Outcome::from_findings(findings))
}

/// The real path of a program that is there.
fn existing(view: &ServiceView, unit: &EffectiveUnit, program: &str) -> Result<Option<String>, Undecided> {
    for path in program_paths(unit, program) {
        let lookup = view.path(Need::Start, &behind_binds(unit, &path))?;
        if let Some(real) = lookup.real() {
            return Ok(Some(real.to_owned()));
        }
    }
    Ok(None)
}

/// What the nearest setting says of a program.
enum Nearest {
    /// `ExecPaths=`: it is mounted anew without `noexec`, whatever the file system below has.
    Exec,
    /// `NoExecPaths=`: the path, and the line.
    NoExec(String, Location),
}

/// Of `NoExecPaths=` and `ExecPaths=` the nearest decides.
fn by_unit(view: &ServiceView, unit: &EffectiveUnit, program: &str) -> Option<Nearest> {
    let real = |path: &str| {
        let lookup = view.path(Need::Start, path).ok();
        lookup.and_then(|lookup| lookup.real()).unwrap_or(path).to_owned()
    };
    let all = namespace_paths(unit, &["NoExecPaths", "ExecPaths"]).into_iter();
    let all = all.map(|path| (real(&path.source), path)).filter(|(real, _)| lies_under(program, real));
    let (real, nearest) = all.max_by_key(|(real, path)| (real.trim_end_matches('/').len(), path.key == "NoExecPaths"))?;
    Some(match nearest.key {
        "NoExecPaths" => Nearest::NoExec(real, nearest.setting.at.clone()),
        _ => Nearest::Exec,
    })
}

/// The line of fstab that forbids it, of the file system on which it lies.
fn by_mount(view: &ServiceView, program: &str) -> Option<(String, Location)> {
    let made = view.made()?;
    let below = made.mounts.iter().filter(|(mount, _)| lies_under(program, mount));
    let (nearest, at) = below.max_by_key(|(mount, _)| mount.len())?;
    made.noexec.contains(at).then(|| (nearest.to_string(), at.clone()))
}
