//! Variables that make the service's program load something else.

use crate::rules::prelude::*;
use crate::syntax::hijack::hijacks;

rule! {
    /// A service's environment makes its program load other code.
    ///
    /// `LD_PRELOAD`, `PYTHONHOME`, `BASH_ENV` and their kin change what runs without a change to any program.
    /// Judged is the effective environment: env files and `Environment=` (systemd.exec(5)). A service that
    /// needs one, for a library of its hardware for example, has a waiver that says so; without one, `golden run`
    /// starts no job in such an environment.
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
    why: "what runs is no longer what the unit says",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let mut findings = Vec::new();
    for (name, layers) in view.environment(unit)? {
        let (Some(why), Some(layer)) = (hijacks(&name), layers.last()) else { continue };
        let is_of_unit = unit.files().any(|file| *file == layer.at.path);
        let mend = match layer.at.line {
            Some(line) if !is_of_unit => {
                view.and_take_up(crate::rules::mend::delete_line(&layer.at.path, line.get()))
            }
            _ => format!("a person must take {name} out of {}", layer.at),
        };
        findings.push(
            Finding::new(format!("sets {name}: {why}"), layer.at.clone(), view.service.at.clone())
                .key(&*name)
                .expected(format!("no {name}"))
                .observed(format!("{name}={}", layer.value))
                .mend(mend),
        );
    }
    Ok(Outcome::from_findings(findings))
}
