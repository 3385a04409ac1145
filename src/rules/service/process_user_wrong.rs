//! Who the main process really is.

use crate::rules::prelude::*;
use crate::rules::processes::no_process;

rule! {
    /// The process of a service does not run as the contract's user.
    ///
    /// Compares the effective user and group of the main process (`/proc/PID/status`) with the accounts of the
    /// contract. They differ if the unit was edited without a restart, or if the program changes its identity
    /// itself.
    ///
    /// ```bad
    /// process 1002 exe=/usr/bin/python3.11 uid=0 gid=0 cwd=/home/qt/quantum_trader
    /// unit quantum-backend.service MainPID=1002
    /// ```
    /// ```good
    /// file /etc/passwd.bak root:root 0644
    /// | nobody:x:1:1::/:/bin/sh
    /// ```
    id: "process-user-wrong",
    section: D,
    severity: Must,
    needs: [Units, Accounts, Bus, Processes],
    cause: Process,
    why: "the process has other permissions than the unit gives it",
    see: ["systemctl show -p MainPID,User,Group {unit}", "ps -o user,group,args -U {user}"],
    mend: "Correct the unit, then restart the service.",
    man: ["proc_pid_status(5)", "ps(1)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let Some(process) = view.main_process(unit)? else { return Ok(no_process()) };
    let accounts = view.accounts()?;
    // What the unit itself says otherwise is the word of the rules about units, and of their waivers.
    if let Some(runner) = view.runner(unit)?
        && says_otherwise(view, unit)
        && runner.credentials.uid == process.uid
        && runner.credentials.gids.contains(&process.gid)
    {
        return Ok(Outcome::not_applicable("the unit says so (reported by unit-user-wrong or unit-group-wrong)"));
    }
    let (user, group) = (&view.service.user, &view.service.group);
    let user_is_right = accounts.user(&user.value).is_some_and(|user| user.uid == process.uid);
    let group_is_right = accounts.group(&group.value).is_some_and(|group| group.gid == process.gid);
    if user_is_right && group_is_right {
        return Ok(Outcome::Pass);
    }
    let user_name =
        accounts.user_by_id(process.uid).map_or_else(|| process.uid.to_string(), |user| user.name.clone());
    let group_name =
        accounts.group_by_id(process.gid).map_or_else(|| process.gid.to_string(), |group| group.name.clone());
    let (message, at) = match user_is_right {
        false => (format!("process {} runs as {user_name}", process.pid), &user.at),
        true => (format!("process {} runs with group {group_name}", process.pid), &group.at),
    };
    Ok(Finding::new(message, unit.location(), at.clone())
        .expected(format!("{}:{}", user.value, group.value))
        .observed(format!("{user_name}:{group_name}"))
        .mend(view.restarted())
        .into())
}

/// Whether the unit's own user or group is another than the contract's.
fn says_otherwise(view: &ServiceView, unit: &EffectiveUnit) -> bool {
    let stated = |key: &str| unit.scalar("Service", key).map_or("root", Setting::value);
    let group = unit.scalar("Service", "Group").map(Setting::value);
    stated("User") != view.service.user.value || group.is_some_and(|group| group != view.service.group.value)
}
