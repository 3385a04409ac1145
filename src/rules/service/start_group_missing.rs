//! Groups that the host does not have.

use crate::rules::mend::quoted;
use crate::rules::prelude::*;

rule! {
    /// A group of a unit does not exist.
    ///
    /// `Group=` and `SupplementaryGroups=` are looked up when the service starts; a name that
    /// `/etc/group` does not have ends the start with status 216/GROUP (systemd.exec(5)).
    ///
    /// Make the group (sysusers.d(5)), or name one that exists.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/group.conf root:root 0644
    /// | [Service]
    /// | Group=traders
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/group.conf root:root 0644
    /// | [Service]
    /// | SupplementaryGroups=qt traders
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/group.conf root:root 0644
    /// | [Service]
    /// | Group=0
    /// ```
    id: "start-group-missing",
    section: D,
    severity: Must,
    needs: [Units, Accounts],
    why: "the next start fails with 216/GROUP",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let accounts = view.accounts()?;
    let demanded = &view.service.group;
    let main = unit.scalar("Service", "Group").map(|setting| (setting.value().to_owned(), setting));
    let more = unit.words("Service", "SupplementaryGroups");
    let dynamic = unit.scalar("Service", "DynamicUser").is_some_and(|setting| setting.value() == "yes");
    let mut findings = Vec::new();
    for (name, setting) in main.filter(|_| !dynamic).into_iter().chain(more) {
        let found = match name.parse() {
            Ok(gid) => accounts.group_by_id(gid),
            Err(_) => accounts.group(&name),
        };
        if found.is_some() {
            continue;
        }
        let remedy = if name == demanded.value {
            view.and_take_up(format!("echo {} | systemd-sysusers -", quoted(&format!("g {name} -"))))
        } else if *setting.key == *"Group" {
            view.mend_setting(unit, Some(setting), "Group", &demanded.value)
        } else {
            format!("a person must decide whether {name} is to be made or taken out of {}", setting.at)
        };
        findings.push(
            Finding::new(
                format!("cannot start: there is no group {name:?}"),
                setting.at.clone(),
                demanded.at.clone(),
            )
            .key(name)
            .expected("groups that exist")
            .observed(written(setting))
            .overrode(overridden(setting))
            .mend(remedy),
        );
    }
    Ok(Outcome::from_findings(findings))
}
