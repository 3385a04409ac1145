//! Groups and numbers that lead from a service's user to root.

use crate::rules::prelude::*;

rule! {
    /// The user of a service is root by number, or in a group that leads to root.
    ///
    /// Whoever is in `docker` mounts the host's root, whoever is in `disk` writes it, whoever is in `sudo`
    /// asks for it. Primary and supplementary groups count (group(5)); so does a second name for uid 0.
    ///
    /// ```bad
    /// replace /etc/group
    /// + docker:x:999:qt
    /// ```
    /// ```good
    /// replace /etc/group
    /// + docker:x:999:qtadmin
    /// ```
    id: "account-may-become-root",
    section: J,
    severity: Must,
    needs: [Accounts],
    why: "whoever takes over the service becomes root in one step",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let user = &view.service.user;
    if user.value == "root" {
        return Ok(Outcome::not_applicable("the contract lets it run as root"));
    }
    let accounts = view.accounts()?;
    let Some(found) = accounts.user(&user.value) else {
        return Ok(Outcome::not_applicable("its user does not exist, which is another rule's word"));
    };
    let mut findings = Vec::new();
    if found.uid == 0 {
        findings.push(
            Finding::new(format!("{} is root by number", user.value), Location::line("/etc/passwd", found.line), user.at.clone())
                .key("uid")
                .expected("a uid of its own")
                .observed("uid 0")
                .mend(format!("a person must give {} a uid of its own", user.value)),
        );
    }
    let forbidden = &view.contract.identity.forbidden_groups;
    for gid in accounts.group_ids_of(found) {
        let Some(group) = accounts.group_by_id(gid).filter(|group| forbidden.value.contains(&group.name)) else {
            continue;
        };
        let mend = match gid == found.gid {
            true => format!("usermod -g {} {}", quoted(&view.service.group.value), quoted(&user.value)),
            false => format!("gpasswd -d {} {}", quoted(&user.value), quoted(&group.name)),
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
            .mend(mend),
        );
    }
    Ok(Outcome::from_findings(findings))
}
