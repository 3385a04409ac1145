//! What sudo grants the users of services.

use crate::rules::looks::Looks;
use crate::rules::prelude::*;
use crate::syntax::sudoers::{Rule, Sudoers};

rule! {
    /// The user of a service may run commands as root with sudo.
    ///
    /// Read from `/etc/sudoers` (on SUSE also `/usr/etc/sudoers`) and the files that it includes (sudoers(5)): rules
    /// for the user, for a group it is in, for an alias that holds it, for ALL, if they apply to this host. A rule
    /// for a netgroup or an address is undecided. Every command counts: golden cannot tell which ones are harmless.
    ///
    /// ```bad
    /// file /etc/sudoers root:root 0440
    /// | @includedir /etc/sudoers.d
    /// file /etc/sudoers.d/qt root:root 0440
    /// | qt ALL=(ALL) NOPASSWD: ALL
    /// ```
    /// ```good
    /// file /etc/sudoers root:root 0440
    /// | @includedir /etc/sudoers.d
    /// file /etc/sudoers.d/admin root:root 0440
    /// | qtadmin ALL=(ALL) ALL
    /// ```
    id: "account-may-sudo",
    section: J,
    severity: Must,
    needs: [Accounts, Sudo],
    cause: Host,
    why: "an attacker who controls the service becomes root in one step",
    see: ["sudo -l -U {user}"],
    mend: "Remove the line yourself, because other users may need it.",
    man: ["sudoers(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let user = &view.service.user;
    if user.value == "root" {
        return Ok(Outcome::not_applicable("the contract lets it run as root"));
    }
    let accounts = view.accounts()?;
    let Some(found) = view.user(&user.value)? else {
        return Ok(Outcome::not_applicable("its user does not exist (reported by account-missing)"));
    };
    let files = view.sudoers().map_err(|undecided| undecided.or_run("sudo golden audit"))?;
    let Some(files) = files else {
        return Ok(Outcome::Pass);
    };
    // Aliases hold across files, rules are judged file by file for their line.
    let mut aliases = Sudoers::default();
    for (_, file) in files {
        aliases.aliases.extend(file.aliases.iter().cloned());
    }
    let mut looks = Looks::default();
    for (path, file) in files {
        let with_aliases = Sudoers { rules: file.rules.clone(), ..aliases.clone() };
        for grant in with_aliases.grants_root(found, accounts, view.host_name()) {
            let at = Location::line(path.clone(), grant.rule.line);
            looks.add(match grant.depends_on {
                Some(on) => Err(Undecided::new(format!("whether {at} holds for {} depends on {on}", user.value))),
                None => Ok([finding(view, at, grant.rule)]),
            });
        }
    }
    looks.ruling()
}

fn finding(view: &ServiceView, at: Location, rule: &Rule) -> Finding {
    let user = &view.service.user.value;
    let mend = take_away(user, at.path(), rule);
    Finding::new(
        format!("{user} may run commands as root"),
        at.clone(),
        view.contract.identity.forbidden_groups.at.clone(),
    )
    .key(format!("{}:{}", at.path(), rule.text))
    .expected(format!("no rule of sudo for {user}"))
    .observed(&*rule.text)
    .mend(mend)
}

/// The remedy is a person's: a line may serve others, and a broken sudoers file locks everybody out.
fn take_away(user: &str, path: &str, rule: &Rule) -> Remedy {
    let edit = format!("visudo -f {}", quoted(path));
    let line = rule.line;
    match rule.users.as_slice() {
        [only] if only == user => {
            Remedy::decide(format!("remove line {line} of {path}, which applies to {user} alone")).candidate("", edit)
        }
        _ => Remedy::decide(format!("change line {line} of {path} so that it no longer applies to {user}; other users may need it"))
            .candidate("see its groups", format!("id {}", quoted(user)))
            .candidate("edit the line", edit),
    }
}
