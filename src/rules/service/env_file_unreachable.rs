//! Whether the contract's user can read the env files, every directory on the way included.

use crate::rules::env_files::{EnvFileView, existing, holds_secrets, none};
use crate::rules::files::octal;
use crate::rules::prelude::*;
use crate::rules::remedy::{set_mode, set_owner};

rule! {
    /// The service's user cannot read its env file.
    ///
    /// systemd reads env files as root, so the service itself still starts. The wrapper runs the jobs of the
    /// contract as the service's user, and a job cannot get the settings of a file that this user cannot read.
    /// For a service without jobs, env files may be readable by root alone.
    ///
    /// ```bad
    /// mode /etc/quantum/ai-engine.env 0600
    /// ```
    /// ```bad
    /// mode /etc/quantum 0700
    /// ```
    /// ```good
    /// mode /etc/quantum/ai-engine.env 0440
    /// ```
    id: "env-file-unreachable",
    section: C,
    severity: Must,
    needs: [EnvFiles, Accounts],
    cause: Unit,
    why: "jobs run as the service's user and get no settings",
    see: ["runuser -u {user} -- test -r {env-file}", "namei -l {env-file}"],
    mend: "golden opens a file without secrets to the contract's group. Decide about secrets and \
           directories yourself.",
    man: ["systemd.exec(5)", "path_resolution(7)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let name = &view.service.name;
    if !view.contract.jobs.iter().any(|job| *job.service.value == **name) {
        return Ok(Outcome::not_applicable("no job of the contract runs in this service"));
    }
    let files = existing(view)?;
    if files.is_empty() {
        return Ok(none());
    }
    let user = &view.service.user.value;
    let Some(who) = view.credentials(user)? else {
        return Ok(Outcome::not_applicable("its user does not exist (reported by account-missing)"));
    };
    let mut findings = Vec::new();
    for file in files {
        let path = &file.demand.path;
        let (blocked, remedy) = if let Some(directory) = who.stopped_at(file.lookup) {
            let open = Change::Mode { at: Spot::of_root(&*directory.path), mode: directory.meta.mode | 0o011 };
            let question = format!("decide how {user} can pass {}", directory.path);
            (directory, Remedy::decide(question).candidate("for all accounts", open.shell()))
        } else if !who.may(Access::Read, &file.node.meta) {
            (file.node, for_the_group(view, &file, &who)?)
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
            .mend(remedy),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// The remedy that lets the group of the contract read a file without secrets; a secret is never opened wider.
fn for_the_group(view: &ServiceView, file: &EnvFileView, who: &Credentials) -> Result<Remedy, Undecided> {
    let policy = &view.contract.env;
    let path = &file.demand.path;
    let group = file.demand.group.as_ref().unwrap_or(&policy.group.value);
    let user = &view.service.user.value;
    let found = view.group(group)?;
    let helps = found.is_some_and(|found| who.gids.contains(&found.gid));
    let bound = file.demand.mode.unwrap_or(policy.mode.value);
    if file.node.meta.mode & !bound != 0 {
        return Ok(Remedy::decide(format!("narrow {path} first (reported by env-file-mode-wrong)")));
    }
    if holds_secrets(view, path) || !helps || bound & 0o040 == 0 {
        return Ok(Remedy::decide(format!("decide whether {user} may read {path}: its jobs cannot run without")));
    }
    let is_its_group = found.is_some_and(|found| found.gid == file.node.meta.gid);
    let mut changes = Vec::new();
    if !is_its_group {
        match set_owner(view, file.lookup, None, Some(group)) {
            Remedy::Do { changes: all } => changes.extend(all),
            person => return Ok(person),
        }
    }
    if file.node.meta.mode & 0o040 == 0 {
        match set_mode(view, file.lookup, file.node.meta.mode | 0o040) {
            Remedy::Do { changes: all } => changes.extend(all),
            person => return Ok(person),
        }
    }
    // It is the owner's own bits that keep it out.
    match changes.is_empty() {
        true => Ok(Remedy::decide(format!("decide which bits let {user} read {path}"))),
        false => Ok(Remedy::changes(changes)),
    }
}
