//! The owners of the layout's directories.

use crate::rules::files::{demanded_owners, does_not_exist, owners, parts_that_exist};
use crate::rules::prelude::*;

rule! {
    /// A place of the layout belongs to somebody else.
    ///
    /// Compares owner and group of a place, and of the directories it must hold, with the contract. Names
    /// are those of the host's own `/etc/passwd` and `/etc/group`; a name that the host does not have owns
    /// nothing.
    ///
    /// ```bad
    /// owner /opt/quantum/data root:root
    /// ```
    /// ```bad
    /// owner /opt/quantum/data/redis_dumps root:qt
    /// ```
    /// ```good
    /// owner /opt/quantum/data/redis_dumps 1000:1000
    /// ```
    id: "place-owner-wrong",
    section: A,
    severity: Must,
    needs: [Places, Accounts],
    why: "the service cannot write what belongs to others, and others can change what it relies on",
    check: Place(check),
}

fn check(view: &PlaceView) -> Ruling {
    let place = view.place;
    let Some(demanded) = place.owner.as_ref().or(place.group.as_ref()) else {
        return Ok(Outcome::not_applicable("the contract names no owner"));
    };
    let accounts = view.accounts()?;
    let parts = parts_that_exist(view)?;
    if parts.is_empty() {
        return Ok(does_not_exist());
    }
    let owner = place.owner.as_ref().map(|owner| accounts.user(&owner.value).map(|user| user.uid));
    let group = place.group.as_ref().map(|group| accounts.group(&group.value).map(|group| group.gid));
    let mut findings = Vec::new();
    for (key, _, step) in parts {
        let owner_right = owner.is_none_or(|uid| uid == Some(step.meta.uid));
        let group_right = group.is_none_or(|gid| gid == Some(step.meta.gid));
        if owner_right && group_right {
            continue;
        }
        let wanted = demanded_owners(place);
        let at = if owner_right { place.group.as_ref().unwrap_or(demanded) } else { demanded };
        findings.push(
            Finding::new(
                format!("{} has another owner", step.path),
                Location::file(step.path.clone()),
                at.at.clone(),
            )
            .key(key)
            .expected(wanted.as_str())
            .observed(owners(accounts, step.meta.uid, step.meta.gid))
            .mend(format!("chown {} {}", quoted(&wanted), quoted(&step.path))),
        );
    }
    Ok(Outcome::from_findings(findings))
}
