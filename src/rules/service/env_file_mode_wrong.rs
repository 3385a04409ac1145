//! Modes of env files.

use crate::rules::env_files::{existing, may_hold_secrets, none, secrets};
use crate::rules::files::octal;
use crate::rules::prelude::*;
use crate::rules::remedy::set_mode;

rule! {
    /// An env file is open too wide.
    ///
    /// The contract's mode is an upper bound; a stricter one is right too. A further mode that the contract
    /// tolerates is accepted if the file holds no secret. Execute and set-id bits are always wrong.
    ///
    /// ```bad
    /// mode /etc/quantum/backend.env 0666
    /// ```
    /// ```bad
    /// mode /etc/quantum/backend.env 4640
    /// ```
    /// ```bad
    /// mode /etc/quantum/backend.env 0644
    /// replace /etc/quantum/backend.env
    /// + BROKER_API_SECRET=8f2b61c09d7e4a55
    /// ```
    /// ```good
    /// mode /etc/quantum/backend.env 0440
    /// ```
    /// ```good
    /// mode /etc/quantum/backend.env 0644
    /// ```
    id: "env-file-mode-wrong",
    section: C,
    severity: Must,
    needs: [EnvFiles],
    cause: Unit,
    why: "other users can read its secrets or change its settings",
    see: ["stat -c \"%U:%G %a %n\" {env-file}"],
    mend: "golden removes the extra bits.",
    man: ["chmod(1)", "stat(1)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let files = existing(view)?;
    if files.is_empty() {
        return Ok(none());
    }
    let policy = &view.contract.env;
    let mut findings = Vec::new();
    for file in files {
        let path = &file.demand.path;
        let bound = file.demand.mode.unwrap_or(policy.mode.value);
        let mode = file.node.meta.mode;
        if mode & !bound == 0 {
            continue;
        }
        let tolerated = policy.tolerated.iter().any(|allowed| mode & !allowed.value == 0);
        let mut observed = octal(mode);
        if tolerated && file.demand.mode.is_none() {
            let secret = match view.env_file(path)? {
                Some(content) => secrets(view, content).first().map(|variable| variable.name.clone()),
                None => None,
            };
            match (secret, may_hold_secrets(view, path)) {
                (None, false) => continue,
                (Some(name), _) => observed.push_str(&format!(", and {name} is a secret")),
                (None, true) => observed.push_str(", and the file is declared to hold secrets"),
            }
        }
        let at = if file.demand.mode.is_some() { &file.demand.at } else { &policy.mode.at };
        findings.push(
            Finding::new("its env file is open too wide", Location::file(path.as_str()), at.clone())
                .key(path.as_str())
                .expected(format!("at most {}", octal(bound)))
                .observed(observed)
                // Only narrower: what is stricter than the contract stays so.
                .mend(set_mode(view, file.lookup, mode & bound)),
        );
    }
    Ok(Outcome::from_findings(findings))
}
