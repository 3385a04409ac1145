//! Groups that the host does not have.

use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;

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
    cause: Accounts,
    why: "the next start fails with 216/GROUP",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let accounts = view.accounts()?;
    let demanded = &view.service.group;
    let main = unit.scalar("Service", "Group").map(|setting| (setting.value().to_owned(), setting));
    let more = unit.words("Service", "SupplementaryGroups");
    let dynamic = unit.is_dynamic();
    let mut findings = Vec::new();
    for (name, setting) in main.filter(|_| !dynamic).into_iter().chain(more) {
        let found = match name.parse() {
            Ok(gid) => accounts.group_by_id(gid),
            Err(_) => view.group(&name)?,
        };
        if found.is_some() {
            continue;
        }
        let remedy = if name == demanded.value && name.parse::<u32>().is_err() {
            Change::Account { user: None, group: name.clone(), home: None }.into()
        } else if *setting.key == *"Group" && name != demanded.value {
            view.set(unit, Some(setting), "Group", &demanded.value)
        } else {
            let question = format!("decide whether to make the group {name} or to take it out of {}", setting.at);
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
