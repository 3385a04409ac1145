//! The env files that the contract names for a service.

use crate::rules::env_files::write_it;
use crate::rules::prelude::*;

rule! {
    /// An env file of the contract does not exist.
    ///
    /// A service reads its settings from the files that the contract names, in their order. Without one of them
    /// it does not start, or lacks some settings (systemd.exec(5), `EnvironmentFile=`). A file that the
    /// contract calls `optional` may be absent.
    ///
    /// ```bad
    /// remove /etc/quantum/backend.env
    /// ```
    /// ```good
    /// contract [services.backend]
    /// contract env_files = [{ path = "/etc/quantum/backend.env", optional = true }]
    /// remove /etc/quantum/backend.env
    /// ```
    /// ```good
    /// mode /etc/quantum/backend.env 0440
    /// ```
    id: "env-file-missing",
    section: C,
    severity: Must,
    needs: [EnvFiles],
    cause: Unit,
    why: "the service does not start, or starts without its settings",
    see: ["stat {env-file}"],
    mend: "Write the file. The contract says which variables it must set; `golden apply` writes the values that \
           the contract states.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    if view.service.env_files.is_empty() {
        return Ok(Outcome::not_applicable("the contract gives it no env file"));
    }
    let mut findings = Vec::new();
    for file in view.service.env_files.iter().filter(|file| !file.optional) {
        if view.path(Need::EnvFiles, &file.path)?.node()?.is_none() {
            findings.push(
                Finding::new("its env file does not exist", Location::file(file.path.as_str()), file.at.clone())
                    .key(&*file.path)
                    .expected(&*file.path)
                    .observed("nothing")
                    .mend(write_it(view, &file.path)),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}
