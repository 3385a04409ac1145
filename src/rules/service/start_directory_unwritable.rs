//! The directories that a service must write, as the user that writes them.

use crate::facts::start::behind_binds;
use crate::rules::prelude::*;
use crate::rules::reach::{has_own_root, no_user, obstacle};
use crate::rules::remedy::{own_place, set_owner};

rule! {
    /// The service's user cannot write a directory that the service must write.
    ///
    /// The contract names the directories that a service writes. Each must exist, the user of the unit must be
    /// able to pass every directory on the way, and the permission bits must let that user create files in it
    /// (path_resolution(7)). What the sandbox forbids is reported by `start-sandbox-locks`. Access control
    /// lists are not looked at.
    ///
    /// ```bad
    /// owner /opt/quantum/data root:root
    /// ```
    /// ```bad
    /// mode /opt/quantum/data 0555
    /// ```
    /// ```bad
    /// remove /opt/quantum/data
    /// ```
    /// ```good
    /// mode /opt/quantum/data 0700
    /// ```
    id: "start-directory-unwritable",
    section: D,
    severity: Must,
    needs: [Units, Accounts, Start],
    cause: Unit,
    why: "the service starts, and its first write fails",
    see: ["runuser -u {user} -- test -w {path}", "namei -l {path}"],
    mend: "Create the directory, or give it to the user. golden itself changes the owner only of a place \
           whose owner the contract states.",
    man: ["path_resolution(7)", "systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    if view.service.writes.is_empty() {
        return Ok(Outcome::not_applicable("the contract names no directory that it writes"));
    }
    has_own_root(unit)?;
    let Some(runner) = view.runner(unit)? else { return Ok(no_user()) };
    let (user, group) = (&view.service.user.value, &view.service.group.value);
    let mut findings = Vec::new();
    let start = view.start_of(unit);
    for directory in &view.service.writes {
        let lookup = start.path(&behind_binds(unit, &directory.value))?;
        let lookup = &*lookup;
        let Some(obstacle) =
            obstacle(view, &runner, lookup, NodeKind::Directory, &[Access::Write, Access::Execute])?
        else {
            continue;
        };
        let remedy = match &obstacle.mend {
            Some(remedy) => remedy.clone(),
            None if obstacle.missing => view.make_directory(unit, lookup),
            None if is_given(view, lookup) => set_owner(view, lookup, Some(user), Some(group)),
            None => Remedy::decide(format!("decide who may write {}", obstacle.at)).candidate(
                "",
                format!("chown {}:{} {}", quoted(user), quoted(group), quoted(&directory.value)),
            ),
        };
        let message = match obstacle.at.path() == directory.value {
            true => format!("{} {}", directory.value, obstacle.what),
            false => format!("{}, on the way to {}, {}", obstacle.at, directory.value, obstacle.what),
        };
        findings.push(
            Finding::new(message, obstacle.at, directory.at.clone())
                .key(directory.value.clone())
                .expected(format!("a directory that {} can write", runner.name))
                .observed(obstacle.observed)
                .mend(remedy),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// Whether the contract states that a directory belongs to the user of the service.
fn is_given(view: &ServiceView, lookup: &Lookup) -> bool {
    let place = own_place(view, &lookup.asked).filter(|place| *place.path.value == *lookup.asked);
    let owner = place.and_then(|place| place.owner.as_ref());
    owner.is_some_and(|owner| owner.value == view.service.user.value) && lookup.real() == Some(&lookup.asked)
}
