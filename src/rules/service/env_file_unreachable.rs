//! Whether the contract's user can read the env files, every directory on the way included.

use crate::rules::env_files::{existing, none};
use crate::rules::files::octal;
use crate::rules::prelude::*;

rule! {
    /// The service's user cannot read its env file.
    ///
    /// systemd reads env files as root, so the service itself starts all the same. The wrapper runs ops
    /// jobs as the service's user, and so do people who look for a fault: they get no settings at all. What
    /// people then do is open the file to everybody, which is worse; the group is the right way.
    ///
    /// ```bad
    /// mode /etc/quantum/backend.env 0600
    /// ```
    /// ```bad
    /// mode /etc/quantum 0700
    /// ```
    /// ```good
    /// mode /etc/quantum/backend.env 0440
    /// ```
    id: "env-file-unreachable",
    section: C,
    severity: Must,
    needs: [EnvFiles, Accounts],
    why: "systemd reads it as root, but jobs run as the service's user and would get no settings",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let files = existing(view)?;
    if files.is_empty() {
        return Ok(none());
    }
    let user = &view.service.user.value;
    let Some(who) = view.credentials(user)? else {
        return Ok(Outcome::not_applicable("its user does not exist, which is another rule's word"));
    };
    let mut findings = Vec::new();
    for file in files {
        let path = &file.demand.path;
        let (blocked, mend) = if let Some(directory) = who.stopped_at(file.lookup) {
            (directory, format!("chmod a+x {}", quoted(&directory.path)))
        } else if !who.may(Access::Read, &file.node.meta) {
            let policy = &view.contract.env;
            let group = file.demand.group.as_ref().unwrap_or(&policy.group.value);
            (file.node, format!("chgrp {group} {0} && chmod g+r {0}", quoted(path)))
        } else {
            continue;
        };
        findings.push(
            Finding::new(
                format!("{user} cannot read its env file"),
                Location::file(blocked.path.clone()),
                view.contract.env.group.at.clone(),
            )
            .key(path.as_str())
            .expected(format!("{path} readable for {user}"))
            .observed(format!("{} {}", octal(blocked.meta.mode), blocked.path))
            .mend(mend),
        );
    }
    Ok(Outcome::from_findings(findings))
}
