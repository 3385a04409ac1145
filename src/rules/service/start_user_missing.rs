//! `User=` that no account has.

use crate::rules::mend::quoted;
use crate::rules::prelude::*;

rule! {
    /// The user of a unit does not exist.
    ///
    /// systemd takes any text for `User=` and fails when it starts the service, with status 217/USER
    /// (systemd.exec(5), "PROCESS EXIT CODES"). Looks in the host's own `/etc/passwd`; `DynamicUser=yes`
    /// makes its user by itself.
    ///
    /// Make the user (sysusers.d(5)), or name one that exists.
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
    why: "the next start fails with 217/USER",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let Some(setting) = unit.scalar("Service", "User") else { return Ok(Outcome::Pass) };
    let name = setting.value();
    let accounts = view.accounts()?;
    let found = match name.parse() {
        Ok(uid) => accounts.user_by_id(uid),
        Err(_) => accounts.user(name),
    };
    let dynamic = unit.scalar("Service", "DynamicUser").is_some_and(|setting| setting.value() == "yes");
    if found.is_some() || dynamic {
        return Ok(Outcome::Pass);
    }
    let demanded = &view.service.user;
    let remedy = match name == demanded.value {
        true => view.and_take_up(format!("echo {} | systemd-sysusers -", quoted(&format!("u {name} -")))),
        false => view.mend_setting(unit, Some(setting), "User", &demanded.value),
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
