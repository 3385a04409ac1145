//! Env files are files, not links and not directories.

use crate::rules::env_files::{existing, none};
use crate::rules::prelude::*;

rule! {
    /// An env file is a link or not a regular file.
    ///
    /// A directory or a device cannot be an env file. Only the last part of the path is judged here: a link in
    /// a directory above it moves the file, but does not change its permissions.
    ///
    /// ```bad
    /// remove /etc/quantum/backend.env
    /// file /tmp/x.env qt:qt 0644
    /// | A=1
    /// link /etc/quantum/backend.env -> /tmp/x.env
    /// ```
    /// ```good
    /// mode /etc/quantum/backend.env 0400
    /// ```
    id: "env-file-not-regular",
    section: C,
    severity: Must,
    needs: [EnvFiles],
    cause: Unit,
    why: "a user who can change the link's target changes the service's settings",
    see: ["namei -l {env-file}"],
    mend: "Put the file itself at this path.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let files = existing(view)?;
    if files.is_empty() {
        return Ok(none());
    }
    let mut findings = Vec::new();
    for file in files {
        let path = &file.demand.path;
        let link = file.lookup.links().find(|link| link.path.rsplit('/').next() == path.rsplit('/').next());
        let (observed, remedy) = match link {
            Some(link) => {
                let target = link.target.as_deref().unwrap_or("");
                (format!("a link to {target}"), in_place_of_link(path, target))
            }
            None if file.node.meta.kind != NodeKind::File => (
                file.node.meta.kind.word().to_owned(),
                Remedy::decide(format!("put a file in the place of {path}")),
            ),
            None => continue,
        };
        findings.push(
            Finding::new("its env file is not a regular file", Location::file(path.as_str()), file.demand.at.clone())
                .key(path.as_str())
                .expected("a regular file")
                .observed(observed)
                .mend(remedy),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// The remedy: whose settings the target holds, a person decides.
fn in_place_of_link(path: &str, target: &str) -> Remedy {
    let copy = format!("cp --remove-destination -- \"$(readlink -f {0})\" {0}", quoted(path));
    Remedy::decide(format!("put a file in the place of the link {path}: who can change {target} decides what it says"))
        .candidate("a copy of the target, once you have read it", copy)
}
