//! The venv of a service exists.

use crate::rules::files::make_venv;
use crate::rules::prelude::*;

rule! {
    /// The venv of a service is missing.
    ///
    /// The directory that the contract names as the service's venv must exist. Links are followed; a link to
    /// nowhere is missing.
    ///
    /// The mend makes an empty venv; install the service's packages into it afterwards.
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
    why: "without its venv the service does not start",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(venv) = &view.service.venv else { return Ok(crate::rules::files::no_venv()) };
    let path = venv.value.as_str();
    let lookup = view.path(Need::Venvs, path)?;
    let finding = |message: String, observed: &str, clear: &str| {
        Finding::new(message, lookup.location(), venv.at.clone())
            .expected("a venv")
            .observed(observed)
            .mend(format!("{clear}{}", make_venv(path)))
    };
    Ok(match lookup.node()? {
        Some(step) if step.meta.kind == NodeKind::Directory => Outcome::Pass,
        Some(step) => {
            let aside = format!("mv {0} {0}.not-a-venv && ", quoted(path));
            finding(format!("{path} is no directory"), step.meta.kind.word(), &aside).into()
        }
        None => match lookup.links().last() {
            Some(link) => {
                let observed = format!("{} -> {}", link.path, link.target.as_deref().unwrap_or(""));
                finding(format!("{path} leads nowhere"), &observed, &format!("rm {} && ", quoted(&link.path)))
                    .into()
            }
            None => finding(format!("{path} does not exist"), "nothing", "").into(),
        },
    })
}
