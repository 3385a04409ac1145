//! Groups and numbers that lead from a service's user to root.

use crate::rules::prelude::*;
use crate::syntax::accounts::{Group, User};

rule! {
    /// The user of a service has uid 0, or is in a group that leads to root.
    ///
    /// A member of `docker` can mount the host's root directory, a member of `disk` can write the disk, a
    /// member of `sudo` can run commands as root. Primary and supplementary groups count (group(5)); so does a
    /// second name for uid 0.
    ///
    /// ```bad
    /// replace /etc/group
    /// + docker:x:999:qt
    /// ```
    /// ```good
    /// replace /etc/group
    /// + docker:x:999:qtadmin
    /// ```
    /// ```bad
    /// file /etc/nsswitch.conf root:root 0644
    /// | passwd: sss files
    /// file /etc/passwd root:root 0644
    /// | root:x:0:0:root:/root:/bin/bash
    /// | nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
    /// getent passwd qt:x:1000:1000::/home/qt:/bin/bash
    /// getent initgroups qt 1000 4711
    /// getent group docker:x:4711:
    /// ```
    id: "account-may-become-root",
    section: J,
    severity: Must,
    needs: [Accounts],
    cause: Host,
    why: "an attacker who controls the service becomes root in one step",
    see: ["id {user}"],
    mend: "golden removes the user from a group that lists it. Choose another primary group yourself.",
    man: ["group(5)"],
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
    let mut findings = Vec::new();
    if found.uid == 0 {
        findings.push(
            Finding::new(format!("{} has uid 0", user.value), Location::line("/etc/passwd", found.line), user.at.clone())
                .key("uid")
                .expected("a uid of its own")
                .observed("uid 0")
                .mend(Remedy::decide(format!("give {} a uid of its own, and its files with it", user.value))),
        );
    }
    let forbidden = &view.contract.identity.forbidden_groups;
    for gid in accounts.group_ids_of(found) {
        let Some(group) = accounts.group_by_id(gid).filter(|group| forbidden.value.contains(&group.name)) else {
            continue;
        };
        findings.push(
            Finding::new(
                format!("{} is in the group {}", user.value, group.name),
                Location::line("/etc/group", group.line),
                forbidden.at.clone(),
            )
            .key(&*group.name)
            .expected(format!("not in {}", group.name))
            .observed(format!("a member of {}", group.name))
            .mend(leave(view, found, group)),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// The remedy that takes a user out of a group. Its primary group, and accounts that come from elsewhere, are a
/// person's.
fn leave(view: &ServiceView, user: &User, group: &Group) -> Remedy {
    let (name, from) = (&user.name, &group.name);
    if user.gid == group.gid {
        let usermod = format!("usermod -g {} {}", quoted(&view.service.group.value), quoted(name));
        return Remedy::decide(format!("give {name} another primary group than {from}"))
            .candidate("the group of the contract", usermod);
    }
    let change = Change::LeaveGroup { user: name.clone(), group: from.clone() };
    let is_local = view.accounts().is_ok_and(|accounts| accounts.elsewhere.is_empty());
    match is_local && group.members.contains(name) {
        true => change.into(),
        false => Remedy::decide(format!("remove {name} from the group {from} where its groups are kept")),
    }
}
