//! Owner and group of env files.

use crate::rules::env_files::{EnvFileView, existing, holds_secrets, none};
use crate::rules::files::owners;
use crate::rules::prelude::*;
use crate::rules::remedy::set_owner;

rule! {
    /// An env file belongs to the wrong user or group.
    ///
    /// The owner of an env file controls the service's settings; its group may read them. Both must be the
    /// contract's, or the file's own where the contract names them for this file.
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
    cause: Unit,
    why: "the file's owner can change the settings that the service starts with",
    see: ["stat -c \"%U:%G %a %n\" {env-file}"],
    mend: "golden changes owner and group. If that would open a secret to another account, decide it \
           yourself.",
    man: ["stat(1)", "chown(1)"],
    since: "0.1.0",
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
        let user_is = view.user(owner)?.is_some_and(|user| user.uid == meta.uid);
        let group_is = view.group(group)?.is_some_and(|found| found.gid == meta.gid);
        if user_is && group_is {
            continue;
        }
        let broken = if user_is { &policy.group.at } else { &policy.owner.at };
        let demanded = if file.demand.owner.is_some() || file.demand.group.is_some() { &file.demand.at } else { broken };
        let path = &file.demand.path;
        findings.push(
            Finding::new("its env file has the wrong owner or group", Location::file(path.as_str()), demanded.clone())
                .key(path.as_str())
                .expected(format!("{owner}:{group}"))
                .observed(owners(accounts, meta.uid, meta.gid))
                .mend(give_away(view, &file, (!user_is).then_some(owner), (!group_is).then_some(group))),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// The remedy that gives a file its owner and group. Whether another account may read a secret, a person decides.
fn give_away(view: &ServiceView, file: &EnvFileView, owner: Option<&String>, group: Option<&String>) -> Remedy {
    let Meta { mode, .. } = file.node.meta;
    let path = &file.demand.path;
    let opens = |name: Option<&String>, bits: u32| name.is_some_and(|name| name != "root") && mode & bits != 0;
    let remedy = set_owner(view, file.lookup, owner.map(String::as_str), group.map(String::as_str));
    match remedy {
        Remedy::Do { .. } if holds_secrets(view, path) && (opens(owner, 0o400) || opens(group, 0o040)) => {
            let who = owner.filter(|_| opens(owner, 0o400)).or(group).map_or("", String::as_str);
            Remedy::decide(format!("decide whether {who} may read the secrets of {path}"))
                .candidate("as the contract says", remedy.shell())
        }
        remedy => remedy,
    }
}
