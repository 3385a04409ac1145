//! The venv of a service exists.

use crate::rules::files::made_anew;
use crate::rules::prelude::*;

rule! {
    /// The venv of a service does not exist.
    ///
    /// The directory that the contract names as the service's venv must exist. Links are followed; a link
    /// without a target counts as missing.
    ///
    /// ```bad
    /// remove /opt/quantum/venvs/execution
    /// ```
    /// ```bad
    /// remove /opt/quantum/venvs/execution
    /// link /opt/quantum/venvs/execution -> execution-2
    /// ```
    /// ```good
    /// mode /opt/quantum/venvs/execution 0750
    /// owner /opt/quantum/venvs/execution root:qt
    /// ```
    id: "venv-missing",
    section: B,
    severity: Must,
    needs: [Venvs],
    cause: Host,
    why: "the service cannot start",
    see: ["stat {venv}/bin/python"],
    mend: "Make the venv. `golden apply` does it if `[provision]` names its requirements.",
    man: ["python3(1)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(venv) = &view.service.venv else { return Ok(crate::rules::files::no_venv()) };
    let path = venv.value.as_str();
    let lookup = view.path(Need::Venvs, path)?;
    let finding = |message: String, observed: &str, question: String| {
        Finding::new(message, lookup.location(), venv.at.clone())
            .expected("a venv")
            .observed(observed)
            .mend(made_anew(view, Remedy::decide(question), path))
    };
    Ok(match lookup.node()? {
        Some(step) if step.meta.kind == NodeKind::Directory => Outcome::Pass,
        Some(step) => {
            let question = format!("move {path} away and make the venv");
            finding(format!("{path} is not a directory"), step.meta.kind.word(), question).into()
        }
        None => match lookup.links().last() {
            Some(link) => {
                let observed = format!("{} -> {}", link.path, link.target.as_deref().unwrap_or(""));
                let question = format!("restore the target of {}, or remove the link and make the venv", link.path);
                finding(format!("{path} is a broken link"), &observed, question).into()
            }
            None => finding(format!("{path} does not exist"), "nothing", format!("make the venv {path}")).into(),
        },
    })
}
