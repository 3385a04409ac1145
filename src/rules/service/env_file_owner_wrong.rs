//! Owner and group of env files.

use crate::rules::env_files::{existing, none};
use crate::rules::files::owners;
use crate::rules::prelude::*;

rule! {
    /// An env file belongs to somebody else.
    ///
    /// The owner of an env file decides what a service is started with; its group is who may read it. Both
    /// are the contract's, or the file's own where the contract names them there.
    ///
    /// ```bad
    /// owner /etc/quantum/backend.env qt:qt
    /// ```
    /// ```bad
    /// owner /etc/quantum/backend.env root:root
    /// ```
    /// ```good
    /// mode /etc/quantum/backend.env 0440
    /// ```
    id: "env-file-owner-wrong",
    section: C,
    severity: Must,
    needs: [EnvFiles, Accounts],
    why: "whoever owns the file decides what the service is started with",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let files = existing(view)?;
    if files.is_empty() {
        return Ok(none());
    }
    let accounts = view.accounts()?;
    let policy = &view.contract.env;
    let mut findings = Vec::new();
    for file in files {
        let owner = file.demand.owner.as_ref().unwrap_or(&policy.owner.value);
        let group = file.demand.group.as_ref().unwrap_or(&policy.group.value);
        let meta = &file.node.meta;
        let user_is = accounts.user(owner).is_some_and(|user| user.uid == meta.uid);
        let group_is = accounts.group(group).is_some_and(|found| found.gid == meta.gid);
        if user_is && group_is {
            continue;
        }
        let broken = if user_is { &policy.group.at } else { &policy.owner.at };
        let demanded = if file.demand.owner.is_some() || file.demand.group.is_some() { &file.demand.at } else { broken };
        let path = &file.demand.path;
        findings.push(
            Finding::new("its env file belongs to somebody else", Location::file(path.as_str()), demanded.clone())
                .key(path.as_str())
                .expected(format!("{owner}:{group}"))
                .observed(owners(accounts, meta.uid, meta.gid))
                .mend(format!("chown {owner}:{group} {}", quoted(path))),
        );
    }
    Ok(Outcome::from_findings(findings))
}
