//! `Group=` against the contract.

use crate::rules::prelude::*;

rule! {
    /// A service runs with a different group from the contract's.
    ///
    /// Compares the group with which systemd starts the service with the contract's, by name or by number:
    /// `Group=` of the effective unit. Without it systemd takes the primary group of `User=` (systemd.exec(5)).
    /// If the contract has `Group` under `[unit.Service]`, the unit must state it.
    ///
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - Group=qt
    /// ```
    /// ```bad
    /// file /run/systemd/system/quantum-backend.service.d/50-group.conf root:root 0644
    /// | [Service]
    /// | Group=root
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/50-group.conf root:root 0644
    /// | [Service]
    /// | Group=
    /// | Group=qt
    /// ```
    id: "unit-group-wrong",
    section: D,
    severity: Must,
    needs: [Units, Accounts],
    cause: Unit,
    why: "the service may be unable to read its env files, which belong to the contract's group",
    see: ["systemctl show -p User,Group {unit}"],
    mend: "golden sets the contract's group.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let demanded = &view.service.group;
    let setting = unit.deciding("Service", "Group");
    let stated = setting.map_or("", Setting::value);
    if stated == demanded.value || (!stated.is_empty() && same_number(view, stated, &demanded.value)?) {
        return Ok(Outcome::Pass);
    }
    if stated.is_empty() && unit.is_dynamic() {
        return Ok(match unit.dynamic_group() == Some(demanded.value.as_str()) {
            true => Outcome::Pass,
            false => Outcome::not_applicable("DynamicUser= creates its user and group (reported by unit-user-wrong)"),
        });
    }
    if stated.is_empty() && !view.service.group_stated {
        let Some(same) = is_primary(view, unit, &demanded.value)? else {
            return Ok(Outcome::not_applicable("its user does not exist (reported by account-missing)"));
        };
        if same {
            return Ok(Outcome::Pass);
        }
    }
    let message = match stated {
        "" if view.service.group_stated => "names no group".to_owned(),
        "" => format!("runs with the primary group of {}", view.runs_as(unit)),
        group => format!("runs with group {group}"),
    };
    let location = setting.map_or_else(|| unit.location(), |setting| setting.at.clone());
    Ok(Finding::new(message, location, demanded.at.clone())
        .expected(format!("Group={}", demanded.value))
        .observed(setting.map_or_else(|| "no Group=".to_owned(), written))
        .overrode(setting.map(overridden).unwrap_or_default())
        .mend(view.set(unit, setting, "Group", &demanded.value))
        .into())
}

/// Whether the group that systemd takes without `Group=` is the demanded one: the primary group of the user. `None`
/// where the host has no such user.
fn is_primary(view: &ServiceView, unit: &EffectiveUnit, demanded: &str) -> Result<Option<bool>, Undecided> {
    let user = unit.scalar("Service", "User").map(Setting::value).filter(|user| !user.is_empty());
    let accounts = view.accounts()?;
    let user = user.unwrap_or("root");
    let found = accounts.user(user).or_else(|| accounts.user_by_id(user.parse().ok()?));
    let group = accounts.group(demanded);
    Ok(found.map(|user| group.is_some_and(|group| group.gid == user.gid)))
}

/// A number stands for the group that has it.
fn same_number(view: &ServiceView, stated: &str, demanded: &str) -> Result<bool, Undecided> {
    let Ok(number) = stated.parse::<u32>() else { return Ok(false) };
    Ok(view.accounts()?.group(demanded).is_some_and(|group| group.gid == number))
}
