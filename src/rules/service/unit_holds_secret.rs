//! Secrets in the text of a unit.

use crate::contract::secrets::{Hiding, characters, is_secret};
use crate::rules::prelude::*;
use crate::systemd::environment::parse_environment;
use crate::syntax::secret_shape;

rule! {
    /// A unit states a secret in Environment=.
    ///
    /// Every user can read unit files, and what systemd has read from them: "environment variables are not
    /// suitable for passing secrets … to service processes", since they are "exposed to unprivileged clients
    /// via D-Bus IPC" (systemd.exec(5)); `systemctl show` prints them. A secret is a variable whose name
    /// matches one of the contract's patterns and whose value is not a placeholder or a path, or a value in the
    /// shape of a well-known token. A value that the contract itself states is not a secret of the host. The
    /// value is never shown, here or in a facts file.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/key.conf root:root 0644
    /// | [Service]
    /// | Environment=BROKER_API_SECRET=8f2b61c09d7e4a55
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/key.conf root:root 0644
    /// | [Service]
    /// | Environment="A=1" "CACHE=redis://:8f2b61c09d7e@10.0.0.1:6379/0"
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/key.conf root:root 0644
    /// | [Service]
    /// | Environment=BROKER_API_SECRET=changeme BROKER_TOKEN=/run/credentials/token
    /// ```
    id: "unit-holds-secret",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "every user of the host can read it",
    see: ["systemctl show -p Environment {unit}"],
    mend: "Move it into an env file that the contract declares with `secret = true`, or into a credential \
           (`LoadCredential=`). Then change the secret, because others may have read it.",
    man: ["systemd.exec(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let hiding = Hiding::of(view.contract);
    let as_is = |word: &str| Ok(word.to_owned());
    let mut findings = Vec::new();
    for setting in unit.assignments("Service", "Environment") {
        for item in parse_environment(setting.value(), &as_is).items {
            let (name, value) = (&item.name, &item.value);
            let by_name = is_secret(view.contract, name, value);
            if hiding.states(name) || !by_name && secret_shape::secret_shape(value).is_none() {
                continue;
            }
            let question = format!(
                "move {name} into an env file that the contract declares with secret = true, and rotate it"
            );
            findings.push(
                Finding::new(format!("states the secret {name}, which all users can read"), setting.at.clone(), view.service.unit.at.clone())
                    .key(name.as_str())
                    .expected("no secret in the unit")
                    .observed(format!("{name}= a value of {}", characters(value)))
                    .mend(Remedy::decide(question)),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}
