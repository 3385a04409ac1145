//! `User=` that no account has.

use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;

rule! {
    /// The user of a unit does not exist.
    ///
    /// systemd accepts any text for `User=` and fails when it starts the service, with status 217/USER
    /// (systemd.exec(5), "PROCESS EXIT CODES"). golden looks in the host's own `/etc/passwd`. `DynamicUser=yes`
    /// creates its user itself.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/user.conf root:root 0644
    /// | [Service]
    /// | User=qt # the usual
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/user.conf root:root 0644
    /// | [Service]
    /// | User=4711
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/user.conf root:root 0644
    /// | [Service]
    /// | User=0
    /// ```
    id: "start-user-missing",
    section: D,
    severity: Must,
    needs: [Units, Accounts],
    cause: Accounts,
    why: "the next start fails with 217/USER",
    see: ["systemctl show -p User,DynamicUser {unit}", "getent passwd {user}"],
    mend: "Create the user (sysusers.d(5)), or name one that exists.",
    man: ["systemd.exec(5)", "passwd(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let Some(setting) = unit.scalar("Service", "User") else { return Ok(Outcome::Pass) };
    let name = setting.value();
    if view.user_or_id(name)?.is_some() {
        return Ok(Outcome::Pass);
    }
    if unit.is_dynamic() {
        return taken(view, setting);
    }
    let demanded = &view.service.user;
    let home = view.contract.provision.home.as_ref().map(|home| home.value.clone());
    let home = home.filter(|_| demanded.value == view.contract.identity.user.value);
    let remedy = match (name == demanded.value, name.parse::<u32>()) {
        (false, _) => view.set(unit, Some(setting), "User", &demanded.value),
        (true, Err(_)) => {
            let (user, group) = (Some(name.to_owned()), view.service.group.value.clone());
            Change::Account { user, group, home }.into()
        }
        (true, Ok(_)) => Remedy::decide(format!("make a user with the number {name}, or name another one"))
            .candidate("", by_hand(&setting.at)),
    };
    Ok(Finding::new(
        format!("cannot start: there is no user {name:?}"),
        setting.at.clone(),
        demanded.at.clone(),
    )
    .expected(format!("User={}", demanded.value))
    .observed(written(setting))
    .overrode(overridden(setting))
    .mend(remedy)
    .into())
}

/// systemd makes a dynamic user only of a name that no group alone has (measured on 247 to 262).
fn taken(view: &ServiceView, setting: &Setting) -> Ruling {
    let name = setting.value();
    if view.group_or_id(name)?.is_none() {
        return Ok(Outcome::Pass);
    }
    let what = format!("cannot start: there is a group {name:?} without a user, so no dynamic user can have the name");
    let question = format!("remove the group {name}, make a user of the name, or name another one at {}", setting.at);
    Ok(Finding::new(what, setting.at.clone(), view.service.user.at.clone())
        .expected("a name that nothing else has")
        .observed(format!("a group {name}"))
        .mend(Remedy::decide(question).candidate("", by_hand(&setting.at)))
        .into())
}
