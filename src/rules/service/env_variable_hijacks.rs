//! Variables that make the service's program load something else.

use crate::facts::environment::Layer;
use crate::rules::env_files::{Place, keep};
use crate::rules::prelude::*;
use crate::rules::variables::shown;
use crate::syntax::hijack::hijacks;

rule! {
    /// A variable makes the service's program load other code.
    ///
    /// `LD_PRELOAD`, `PYTHONHOME`, `BASH_ENV` and similar variables change what runs without a change to any
    /// program. Judged is the effective environment: env files and `Environment=` (systemd.exec(5)). If a
    /// service needs one, for example for a library of its hardware, waive it. Without a waiver `golden run`
    /// starts no job in such an environment. A variable that the contract itself demands is right.
    ///
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// + LD_PRELOAD=/tmp/evil.so
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/python.conf root:root 0644
    /// | [Service]
    /// | Environment=PYTHONSTARTUP=/tmp/start.py
    /// ```
    /// ```good
    /// replace /etc/quantum/backend.env
    /// + LDAP_URL=ldap://localhost
    /// ```
    id: "env-variable-hijacks",
    section: C,
    severity: Should,
    needs: [EnvFiles, Fragments],
    cause: Environment,
    why: "the program runs code that the unit does not name",
    see: ["systemctl show -p Environment,EnvironmentFiles {unit}"],
    mend: "golden removes the line from an env file of the contract. If another file or the unit sets the \
           variable, remove it yourself.",
    man: ["ld.so(8)", "systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let mut findings = Vec::new();
    for (name, layers) in view.environment(unit)? {
        let (Some(why), Some(layer)) = (hijacks(&name), layers.last()) else { continue };
        if is_demanded(view, &name, &layer.value) {
            continue;
        }
        findings.push(
            Finding::new(format!("sets {name}: {why}"), layer.at.clone(), view.service.at.clone())
                .key(&*name)
                .expected(format!("no {name}"))
                .observed(format!("{name}={}", shown(view, layer.at.path(), &name, &layer.value)))
                .mend(take_out(view, unit, &name, layer)),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// What the contract itself demands is not its violation.
fn is_demanded(view: &ServiceView, name: &str, value: &str) -> bool {
    view.service.variables.iter().any(|demand| *demand.name == *name && demand.form.accepts(value))
}

/// The remedy: the line goes where it stands in an env file of the contract; else a person looks at it.
fn take_out(view: &ServiceView, unit: &EffectiveUnit, name: &str, layer: &Layer) -> Remedy {
    let place = Place { path: layer.at.path(), line: layer.at.line_number() };
    if !unit.files().any(|file| **file == *layer.at.path()) {
        return keep(view, place, name, None);
    }
    let unset = view.add(unit, "Service", "UnsetEnvironment", &[name.to_owned()]);
    Remedy::decide(format!("decide whether {name} is meant in {}", layer.at))
        .candidate("unset it for this service", unset.shell())
}
