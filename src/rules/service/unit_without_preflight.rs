//! Whether what a service requires is checked before each start.

use crate::facts::start::{Started, base_name, commands};
use crate::facts::unit::OWN_PROGRAMS;
use crate::rules::prelude::*;

rule! {
    /// A service starts without its checks.
    ///
    /// What a service requires is validated before it starts: `ExecStartPre=` runs `golden run --preflight-only` with
    /// the service's name, without the `-` that would let a failure pass (systemd.service(5)). The checks are those
    /// before an ops job: repository, venv, env file, Redis, database, directories.
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
    why: "the service starts into a world in which it cannot work",
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
        Some(program) => {
            let line = format!("ExecStartPre={program} --quiet run --preflight-only {}", service.name);
            view.mend_by_adding(unit, "Service", &[line])
        }
        None => "a person must install golden where units find it: make install".to_owned(),
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
