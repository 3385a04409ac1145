//! The owners of the layout's directories.

use crate::rules::files::{demanded_owners, does_not_exist, owners, parts_that_exist};
use crate::rules::prelude::*;
use crate::rules::remedy::set_owner;

rule! {
    /// A place of the layout belongs to the wrong user or group.
    ///
    /// Compares owner and group of a place, and of the directories that it must hold, with the contract. Names
    /// are those of the host's own `/etc/passwd` and `/etc/group`. A name that the host does not have owns no
    /// file.
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
    cause: Host,
    why: "the service cannot write its own files, or another user can change them",
    see: ["stat -c \"%U:%G %a %n\" {path}"],
    mend: "golden changes the owner where only root can replace the directory. Inside another user's \
           directory, change it yourself.",
    man: ["stat(1)", "chown(1)"],
    since: "0.1.0",
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
    let owner = match &place.owner {
        Some(owner) => Some(view.user(&owner.value)?.map(|user| user.uid)),
        None => None,
    };
    let group = match &place.group {
        Some(group) => Some(view.group(&group.value)?.map(|group| group.gid)),
        None => None,
    };
    let mut findings = Vec::new();
    for (key, lookup, step) in parts {
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
            .mend(mend(view, lookup, owner_right, group_right)),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// The remedy that changes what is wrong of owner and group, and nothing else.
fn mend(view: &PlaceView, lookup: &Lookup, owner_right: bool, group_right: bool) -> Remedy {
    let place = view.place;
    let owner = place.owner.as_ref().filter(|_| !owner_right).map(|owner| owner.value.as_str());
    let group = place.group.as_ref().filter(|_| !group_right).map(|group| group.value.as_str());
    let remedy = set_owner(view, lookup, owner, group);
    let has_candidate = matches!(&remedy, Remedy::Decide(decision) if !decision.candidates.is_empty());
    if !remedy.is_a_persons() || has_candidate {
        return remedy;
    }
    let path = lookup.real().unwrap_or(&lookup.asked);
    let shell = format!("chown --no-dereference {} {}", quoted(&demanded_owners(place)), quoted(path));
    remedy.candidate("once you have looked at it", shell)
}
