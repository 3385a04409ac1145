//! Env files are files, not links and not directories.

use crate::rules::env_files::{existing, none};
use crate::rules::prelude::*;

rule! {
    /// An env file is a link, or no file at all.
    ///
    /// Whoever can change the target of a link changes the service's settings; a directory or a device is
    /// no env file. Only the file itself is judged here: a link in a directory above it moves the file, not
    /// its rights.
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
    why: "whoever can change the link's target changes the service's settings",
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
        let (observed, mend) = match link {
            Some(link) => {
                let target = link.target.as_deref().unwrap_or("");
                let copy = format!("cp --remove-destination \"$(readlink -f {0})\" {0}", quoted(path));
                (format!("a link to {target}"), format!("{copy} && {}", rights(view, path)))
            }
            None if file.node.meta.kind != NodeKind::File => {
                (file.node.meta.kind.word().to_owned(), format!("a person must put a file in the place of {path}"))
            }
            None => continue,
        };
        findings.push(
            Finding::new("its env file is no regular file", Location::file(path.as_str()), file.demand.at.clone())
                .key(path.as_str())
                .expected("a regular file")
                .observed(observed)
                .mend(mend),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// The command that gives a file the owner, group and mode of the contract.
fn rights(view: &ServiceView, path: &str) -> String {
    let env = &view.contract.env;
    let owners = format!("{}:{}", env.owner.value, env.group.value);
    let take_up = view.take_up();
    format!("chown {owners} {0} && chmod {1:04o} {0} && {take_up}", quoted(path), env.mode.value)
}
