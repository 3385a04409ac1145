//! Whether what a service requires is checked before each start.

use crate::facts::start::{Started, base_name, commands};
use crate::facts::unit::OWN_PROGRAMS;
use crate::rules::prelude::*;
use crate::rules::remedy::is_preflight as is_check;

rule! {
    /// A service starts without its checks.
    ///
    /// `ExecStartPre=` runs `golden run --preflight-only` with the service's name, without the `-` that would
    /// ignore a failure (systemd.service(5)). The checks are those before an ops job: repository, venv, env
    /// file, Redis, database, directories.
    ///
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - ExecStartPre=/usr/bin/golden run --preflight-only backend
    /// ```
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - ExecStartPre=/usr/bin/golden run --preflight-only backend
    /// + ExecStartPre=-/usr/bin/golden run --preflight-only backend
    /// ```
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - ExecStartPre=/usr/bin/golden run --preflight-only backend
    /// + ExecStartPre=/usr/bin/golden run --preflight-only execution
    /// ```
    /// ```good
    /// replace /etc/systemd/system/quantum-backend.service
    /// - ExecStartPre=/usr/bin/golden run --preflight-only backend
    /// + ExecStartPre=/usr/bin/golden --quiet run --preflight-only backend
    /// ```
    id: "unit-without-preflight",
    section: E,
    severity: Should,
    needs: [Units],
    cause: Unit,
    why: "the service starts although a dependency or setting that it needs is broken",
    see: ["systemctl show -p ExecStartPre {unit}"],
    mend: "Add the line. It names its contract, so golden adds it only if the installed contract or the \
           built-in one is in force.",
    man: ["systemd.service(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let service = view.service;
    let Some(required) = service.requires.first().filter(|_| service.kind.value.runs()) else {
        return Ok(Outcome::not_applicable("it requires nothing that could be checked"));
    };
    if commands(unit, &["ExecStartPre"]).iter().any(|started| is_preflight(started, &service.name)) {
        return Ok(Outcome::Pass);
    }
    let mut program = None;
    for path in OWN_PROGRAMS {
        if program.is_none() && view.path(Need::Units, path)?.node()?.is_some() {
            program = Some(path);
        }
    }
    let mend = match program {
        Some(program) => remedy(view, unit, program),
        None => Remedy::decide("install golden where units find it").candidate("", "make install"),
    };
    Ok(Finding::new("starts without its checks", unit.location(), required.at.clone())
        .expected(format!("ExecStartPre=golden run --preflight-only {}", service.name))
        .observed(match unit.assignments("Service", "ExecStartPre").last() {
            Some(setting) => written(setting),
            None => "no ExecStartPre=".to_owned(),
        })
        .mend(mend)
        .into())
}

fn is_preflight(started: &Started, service: &str) -> bool {
    let words = &started.command.words;
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    base_name(&started.command.program) == "golden"
        && !started.command.prefixes.ignore_failure
        && has("run")
        && has("--preflight-only")
        && words.last().is_some_and(|last| last == service)
}

/// The line that checks what the service requires. A check that read another contract than the one that is in force
/// would keep a healthy service from starting, so the line names it.
fn remedy(view: &ServiceView, unit: &EffectiveUnit, program: &str) -> Remedy {
    let service = view.service;
    let source = &view.contract.source;
    let contract = match source.built_in {
        true => format!("builtin:{}", view.contract.name.value),
        false => INSTALLED.to_owned(),
    };
    let line = format!("{program} --quiet --contract {contract} run --preflight-only {}", service.name);
    let lines = commands(unit, &["ExecStartPre"]);
    // One that is for another service, or whose failure passes, is corrected where it stands in the list.
    let wrong = lines.iter().find(|started| is_check(&started.command));
    let remedy = match wrong {
        Some(wrong) => view.replace_one(unit, wrong.setting, Some(&line)),
        None => view.add(unit, "Service", "ExecStartPre", &[line]),
    };
    match source.built_in || *source.path == *INSTALLED {
        true => remedy,
        false => Remedy::decide(format!("decide which contract is checked before a start; {INSTALLED} is not in force"))
            .candidate("once it is", remedy.shell()),
    }
}
