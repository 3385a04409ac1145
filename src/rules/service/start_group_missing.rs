//! Groups that the host does not have.

use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;

rule! {
    /// A group of a unit does not exist.
    ///
    /// systemd looks up `Group=` and `SupplementaryGroups=` when the service starts. If `/etc/group` does not
    /// have the name, the start ends with status 216/GROUP (systemd.exec(5)).
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
    cause: Accounts,
    why: "the next start fails with 216/GROUP",
    see: ["systemctl show -p Group,SupplementaryGroups {unit}", "getent group {group}"],
    mend: "Create the group (sysusers.d(5)), or name one that exists.",
    man: ["systemd.exec(5)", "group(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let demanded = &view.service.group;
    let main = unit.scalar("Service", "Group").map(|setting| (setting.value().to_owned(), setting));
    let more = unit.words("Service", "SupplementaryGroups");
    let dynamic = unit.is_dynamic();
    let mut findings = Vec::new();
    for (name, setting) in main.filter(|_| !dynamic).into_iter().chain(more) {
        if view.group_or_id(&name)?.is_some() {
            continue;
        }
        let remedy = if name == demanded.value && name.parse::<u32>().is_err() {
            Change::Account { user: None, group: name.clone(), home: None }.into()
        } else if *setting.key == *"Group" && name != demanded.value {
            view.set(unit, Some(setting), "Group", &demanded.value)
        } else {
            let question = format!("decide whether to make the group {name} or to remove it from {}", setting.at);
            Remedy::decide(question).candidate("", by_hand(&setting.at))
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
