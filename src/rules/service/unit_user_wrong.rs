//! `User=` against the contract, where it is not root.

use crate::rules::prelude::*;

rule! {
    /// A service does not run as the contract's user.
    ///
    /// Compares `User=` of the effective unit with the contract's user, by name or by number (systemd.exec(5)).
    /// A service that runs as root is reported by `unit-runs-as-root`.
    ///
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - User=qt
    /// + User=qtadmin
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-.service.d/10-user.conf root:root 0644
    /// | [Service]
    /// | User=nobody
    /// ```
    /// ```good
    /// replace /etc/systemd/system/quantum-backend.service
    /// - User=qt
    /// + User=nobody
    /// + User = qt
    /// ```
    /// ```good
    /// replace /etc/systemd/system/quantum-backend.service
    /// - User=qt
    /// + User=1000
    /// ```
    id: "unit-user-wrong",
    section: D,
    severity: Must,
    needs: [Units, Accounts],
    cause: Unit,
    why: "other services cannot read its files, and its permissions are not those of the contract",
    see: ["systemctl show -p User {unit}"],
    mend: "golden sets the contract's user. Or declare the other user for this service in the contract.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let demanded = &view.service.user;
    let setting = unit.scalar("Service", "User");
    let is_root = |name: &str| matches!(name, "root" | "0" | "");
    let Some(setting) = setting.filter(|setting| !is_root(setting.value())) else {
        return Ok(match is_root(&demanded.value) {
            _ if unit.is_dynamic() => dynamic(unit, demanded),
            true => Outcome::Pass,
            false => Outcome::not_applicable("it runs as root (reported by unit-runs-as-root)"),
        });
    };
    if setting.value() == demanded.value || same_number(view, setting.value(), &demanded.value)? {
        return Ok(Outcome::Pass);
    }
    Ok(Finding::new(format!("runs as {}", setting.value()), setting.at.clone(), demanded.at.clone())
        .expected(format!("User={}", demanded.value))
        .observed(written(setting))
        .overrode(overridden(setting))
        .mend(view.set(unit, Some(setting), "User", &demanded.value))
        .into())
}

/// The user that `DynamicUser=` makes is called after the unit.
fn dynamic(unit: &EffectiveUnit, demanded: &Stated<String>) -> Outcome {
    if unit.user_name() == Some(demanded.value.as_str()) {
        return Outcome::Pass;
    }
    let setting = unit.scalar("Service", "DynamicUser");
    let name = unit.user_name().unwrap_or("a user named by a hash");
    let at = setting.map_or_else(|| unit.location(), |setting| setting.at.clone());
    Finding::new(format!("runs as {name}, which DynamicUser= makes"), at, demanded.at.clone())
        .expected(format!("User={}", demanded.value))
        .observed(setting.map_or_else(String::new, written))
        .mend(Remedy::decide(format!(
            "declare the user {name} for this service, or name {} in its unit",
            demanded.value
        )))
        .into()
}

/// A number stands for the user that has it.
fn same_number(view: &ServiceView, stated: &str, demanded: &str) -> Result<bool, Undecided> {
    let Ok(number) = stated.parse::<u32>() else { return Ok(false) };
    Ok(view.accounts()?.user(demanded).is_some_and(|user| user.uid == number))
}
