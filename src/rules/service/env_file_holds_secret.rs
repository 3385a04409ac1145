//! Secrets in env files that are not declared to hold them.

use crate::contract::secrets::characters;
use crate::rules::env_files::{contents, demanded_at, may_hold_secrets, none};
use crate::rules::prelude::*;
use crate::syntax::env_file::Variable;
use crate::syntax::secret_shape;

rule! {
    /// An env file holds a secret, but the contract does not declare it as secret.
    ///
    /// A secret is a variable whose name matches one of the contract's patterns and whose value is not a
    /// placeholder, or a value in the shape of a well-known token. A secret belongs in a file of its own that
    /// the contract declares with `secret = true`. Its value is never shown, here or in a facts file.
    ///
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// + BROKER_API_SECRET=8f2b61c09d7e4a55
    /// ```
    /// ```good
    /// replace /etc/quantum/backend.env
    /// + BROKER_API_SECRET=changeme
    /// ```
    id: "env-file-holds-secret",
    section: C,
    severity: Must,
    needs: [EnvFiles, Units],
    cause: Unit,
    why: "env files are copied, backed up and shown, and the secret goes with them",
    see: ["grep -nioE \"^[A-Z_]*(KEY|TOKEN|SECRET|PASSWORD)[A-Z_]*=\" {env-file}"],
    mend: "Move the secret into a file that the contract declares with `secret = true`, and change it.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let files = contents(view)?;
    if files.is_empty() {
        return Ok(none());
    }
    let mut findings = Vec::new();
    for (path, content) in files {
        if may_hold_secrets(view, &path) {
            continue;
        }
        for variable in crate::rules::env_files::secrets(view, content) {
            findings.push(
                Finding::new(
                    format!("{} holds a secret", variable.name),
                    Location::line(path.as_str(), variable.line),
                    demanded_at(view, &path),
                )
                .key(&*variable.name)
                .expected("no secret in this file")
                .observed(observed(variable))
                .mend(Remedy::decide(format!(
                    "move {} into a file that the contract declares with secret = true, and rotate it",
                    variable.name
                ))),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}

fn observed(variable: &Variable) -> String {
    match secret_shape::secret_shape(&variable.value) {
        Some(shape) => format!("{}= {}, {}", variable.name, shape.words(), characters(&variable.value)),
        None => format!("{}= a value of {}", variable.name, characters(&variable.value)),
    }
}
