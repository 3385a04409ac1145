//! The checks before a start.

use crate::facts::start::{base_name, commands};
use crate::rules::prelude::*;

rule! {
    /// A unit does not check its needs before it starts.
    ///
    /// Section E: dependencies, database, venv and env file are validated before a service starts, and any
    /// failure stops the start. A unit does this with
    /// `ExecStartPre=golden run --preflight-only SERVICE` without the `-` prefix, which would ignore the
    /// failure (systemd.service(5)).
    ///
    /// Add the line; units that `golden render` writes have it.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=
    /// | ExecStartPre=/usr/bin/golden run --preflight-only backend
    /// ```
    id: "unit-without-preflight",
    section: E,
    severity: Should,
    needs: [Units],
    why: "it starts into a host that cannot carry it, and fails later and worse",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let service = &view.service.name;
    let is_preflight = |words: &[String]| {
        words.first().is_some_and(|word| word == "run")
            && words.iter().any(|word| word == "--preflight-only")
            && words.iter().any(|word| word.as_str() == service.as_ref())
    };
    let checks = commands(unit, &["ExecStartPre", "ExecCondition"]);
    let preflight = checks.iter().find(|started| {
        base_name(&started.command.program) == "golden"
            && is_preflight(&started.command.words)
            && !started.command.prefixes.ignore_failure
    });
    if preflight.is_some() {
        return Ok(Outcome::Pass);
    }
    let line = format!("ExecStartPre=golden run --preflight-only {service}");
    let observed = match checks.first() {
        Some(first) => written(first.setting),
        None => "no ExecStartPre=".to_owned(),
    };
    Ok(Finding::new("does not check its needs before it starts", unit.location(), view.service.at.clone())
        .expected(line.clone())
        .observed(observed)
        .mend(view.mend_by_adding(unit, "Service", &[line]))
        .into())
}
