//! `Group=` against the contract.

use crate::rules::prelude::*;

rule! {
    /// A service runs with another group than the contract says, or names none.
    ///
    /// Compares `Group=` of the effective unit with the contract's group, by name or by number. Without it
    /// systemd takes the user's primary group (systemd.exec(5)), which an account change moves silently: the
    /// group must be stated.
    ///
    /// Name the contract's group.
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
    why: "the env files are readable for the contract's group, and for no other",
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
    let message = match stated {
        "" => "names no group".to_owned(),
        group => format!("runs with group {group}"),
    };
    let location = setting.map_or_else(|| unit.location(), |setting| setting.at.clone());
    Ok(Finding::new(message, location, demanded.at.clone())
        .expected(format!("Group={}", demanded.value))
        .observed(setting.map_or_else(|| "no Group=".to_owned(), written))
        .overrode(setting.map(overridden).unwrap_or_default())
        .mend(view.mend_setting(unit, setting, "Group", &demanded.value))
        .into())
}

/// A number stands for the group that has it.
fn same_number(view: &ServiceView, stated: &str, demanded: &str) -> Result<bool, Undecided> {
    let Ok(number) = stated.parse::<u32>() else { return Ok(false) };
    Ok(view.accounts()?.group(demanded).is_some_and(|group| group.gid == number))
}
