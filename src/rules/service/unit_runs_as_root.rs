//! `User=` of the effective unit, and what follows when nothing sets it.

use crate::rules::prelude::*;
use crate::systemd::command_line::{self, Privileges};

rule! {
    /// A service runs as root.
    ///
    /// Judges `User=` of the effective unit. systemd runs a system service as root unless `User=` names another
    /// user or `DynamicUser=yes` creates one. An empty assignment resets it to root, and `0` is root too
    /// (systemd.exec(5)). `ExecStart=` with the prefix `+` or `!` ignores `User=` (systemd.service(5));
    /// commands that only prepare the start may have it.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-ai-engine.service.d/override.conf root:root 0644
    /// | [Service]
    /// | User=root
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-ai-engine.service.d/override.conf root:root 0644
    /// | [Service]
    /// | User=
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-ai-engine.service.d/override.conf root:root 0644
    /// | [Service]
    /// | # User=root
    /// | User=root
    /// | User = qt
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-.service.d/10-root.conf root:root 0644
    /// | [Service]
    /// | User=root
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=-+/opt/quantum/venvs/backend/bin/uvicorn src.backend.app:app
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=+/bin/true
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/user.conf root:root 0644
    /// | [Service]
    /// | User=
    /// | DynamicUser=yes
    /// ```
    /// ```good
    /// link /etc/systemd/system/quantum-.service.d/10-root.conf -> /dev/null
    /// file /usr/lib/systemd/system/quantum-.service.d/10-root.conf root:root 0644
    /// | [Service]
    /// | User=root
    /// ```
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - [Install]
    /// + [Install]
    /// + User=qt
    /// - User=qt
    /// ```
    id: "unit-runs-as-root",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "an attacker who controls this service controls the host",
    see: ["systemctl show -p User,DynamicUser,ExecStart {unit}"],
    mend: "golden sets the contract's user. If a service really needs root, declare it with `user = \
           \"root\"` in the contract, or waive it with a reason, an owner and a last day.",
    man: ["systemd.exec(5)", "systemd.service(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let demanded = &view.service.user;
    if demanded.value == "root" {
        return Ok(Outcome::not_applicable("the contract lets it run as root"));
    }
    let setting = unit.deciding("Service", "User");
    match setting.map(Setting::value) {
        Some(user) if !matches!(user, "root" | "0" | "") => Ok(Outcome::from_findings(past_user(view, unit))),
        None | Some("") if unit.is_dynamic() => Ok(Outcome::from_findings(past_user(view, unit))),
        _ => {
            let location = setting.map_or_else(|| unit.location(), |setting| setting.at.clone());
            let mut finding = Finding::new("runs as root", location, demanded.at.clone())
                .expected(format!("User={}", demanded.value))
                .observed(setting.map_or_else(|| "no User=".to_owned(), written));
            if let Some(setting) = setting {
                finding = finding.overrode(overridden(setting));
            }
            Ok(finding.mend(view.set(unit, setting, "User", &demanded.value)).into())
        }
    }
}

/// Commands whose prefix takes no notice of `User=`.
fn past_user(view: &ServiceView, unit: &EffectiveUnit) -> Vec<Finding> {
    let is_as_root = |setting: &Setting| {
        let line = command_line::parse(setting.value());
        line.commands.iter().any(|command| {
            matches!(command.prefixes.privileges, Privileges::Full | Privileges::NoSetuid)
        })
    };
    let right = |setting: &Setting| {
        let rest = setting.raw().trim_start_matches(['@', '-', ':', '+', '!', '|']);
        let prefixes = setting.raw()[..setting.raw().len() - rest.len()].chars();
        let kept: String = prefixes.filter(|prefix| !matches!(prefix, '+' | '!')).collect();
        format!("{kept}{rest}")
    };
    let finding = |setting: &Setting| {
        Finding::new("runs as root: its prefix ignores User=", setting.at.clone(), view.service.user.at.clone())
            .key("ExecStart")
            .expected(format!("ExecStart={}", right(setting)))
            .observed(written(setting))
            .mend(view.replace_each(unit, "Service", "ExecStart", |setting| {
                Some(if is_as_root(setting) { right(setting) } else { setting.raw().to_owned() })
            }))
    };
    let starts = unit.assignments("Service", "ExecStart");
    starts.filter(|setting| is_as_root(setting)).map(finding).collect()
}
