//! The directories of the layout exist.

use std::borrow::Cow;

use crate::rules::at_start::{is_mounted_at, is_on_disk, made, makers};
use crate::rules::files::is_under;
use crate::rules::prelude::*;
use crate::rules::remedy::{gap, spot};

rule! {
    /// A place of the layout does not exist.
    ///
    /// Every place of section A of the contract must exist, unless it has `required = false`, and so must every
    /// directory that it must hold. Links are followed. A link to a missing target counts as missing, and so
    /// does a file where a directory must be. A directory that systemd makes for a service (`StateDirectory=`
    /// and similar) counts as present; so does, on a disk that is not running, one that tmpfiles.d(5) names. A
    /// place with `kind = "file"` must be a regular file.
    ///
    /// ```bad
    /// remove /opt/quantum/data/backups
    /// ```
    /// ```bad
    /// remove /opt/quantum/data/training_data
    /// link /opt/quantum/data/training_data -> /mnt/gone
    /// ```
    /// ```bad
    /// remove /opt/quantum/data/backups
    /// file /opt/quantum/data/backups qt:qt 0644
    /// ```
    /// ```bad
    /// move /opt/quantum/data -> /opt/quantum/data-2
    /// link /opt/quantum/data -> data-2
    /// remove /opt/quantum/data-2/backups
    /// ```
    /// ```bad
    /// contract [layout.settings]
    /// contract path = "/opt/quantum/settings.ini"
    /// contract kind = "file"
    /// dir /opt/quantum/settings.ini root:root 0755
    /// ```
    /// ```good
    /// move /opt/quantum/data/backups -> /srv/backups
    /// link /opt/quantum/data/backups -> ../../../srv/backups
    /// ```
    id: "place-missing",
    section: A,
    severity: Must,
    needs: [Places, Accounts, Fragments],
    cause: Host,
    why: "services that need it fail when they first use it",
    see: ["namei -l {path}"],
    mend: "golden creates the directory with the demanded owner and mode, behind a valid link too, and \
           clones a missing repository where the contract states its remote. If there was data, restore it \
           from a backup. Repair yourself: a link without a target, a file where a directory must be, and a \
           place in another user's directory.",
    man: ["namei(1)"],
    since: "0.1.0",
    check: Place(check),
}

fn check(view: &PlaceView) -> Ruling {
    let place = view.place;
    let mut findings = Vec::new();
    let lookup = view.path(Need::Places, &place.path.value)?;
    // A mount point is a directory; what is on it is not known.
    let is_certain = is_mounted_at(view, lookup) && !place.is_file();
    let walk = at_boot(view, lookup)?;
    let node = if is_certain { Ok(walk.steps.first().map(AsRef::as_ref)) } else { walk.node() };
    match node? {
        None if !place.required => {
            return Ok(Outcome::not_applicable("the contract does not demand that it exists"));
        }
        None if place.is_file() => return Ok(no_file(lookup, place, "nothing").into()),
        Some(step) if step.meta.kind != NodeKind::File && place.is_file() => {
            return Ok(no_file(lookup, place, step.meta.kind.word()).into());
        }
        None => return Ok(missing(view, lookup, &place.path, &place.name).into()),
        Some(step) if step.meta.kind != NodeKind::Directory && must_be_directory(view) => {
            return Ok(no_directory(view, step, &place.path, &place.name).into());
        }
        Some(_) => {}
    }
    for held in &place.holds {
        let lookup = view.path(Need::Places, &format!("{}/{}", place.path.value, held.value))?;
        let key = format!("{}/{}", place.name, held.value);
        match at_boot(view, lookup)?.node()? {
            None => findings.push(missing(view, lookup, held, &key)),
            Some(step) if step.meta.kind != NodeKind::Directory => {
                findings.push(no_directory(view, step, held, &key));
            }
            Some(_) => {}
        }
    }
    Ok(Outcome::from_findings(findings))
}

/// The walk as a boot leaves it: with what is made then, where that is needed and known.
fn at_boot<'l>(view: &PlaceView, lookup: &'l Lookup) -> Result<Cow<'l, Lookup>, Undecided> {
    if lookup.real().is_some() || is_mounted_at(view, lookup) {
        return Ok(Cow::Borrowed(lookup));
    }
    match made(view, lookup, &[&makers(view)?])? {
        Some(walk) if walk.real().is_some() => Ok(Cow::Owned(walk)),
        _ => {
            is_on_disk(view, lookup)?;
            Ok(Cow::Borrowed(lookup))
        }
    }
}

/// A place may be a file; one that holds something, or below which another place lies, may not.
fn must_be_directory(view: &PlaceView) -> bool {
    let place = view.place;
    let below = |other: &Place| other.name != place.name && is_under(&other.path.value, &place.path.value);
    let repository = view.contract.repository.as_ref().is_some_and(|policy| policy.place == place.name);
    let is_stated = place.kind.is_some() && !place.is_file();
    is_stated || repository || !place.holds.is_empty() || view.contract.layout.values().any(below)
}

fn no_file(lookup: &Lookup, place: &Place, observed: &str) -> Finding {
    let path = &place.path.value;
    let message = match observed {
        "nothing" => format!("{path} does not exist"),
        _ => format!("{path} is not a regular file"),
    };
    Finding::new(message, lookup.location(), place.path.at.clone())
        .key(&*place.name)
        .expected("a regular file")
        .observed(observed)
        .mend(Remedy::decide(format!("write the file {path}")))
}

fn missing(view: &PlaceView, lookup: &Lookup, demanded: &Stated<String>, key: &str) -> Finding {
    let asked = lookup.asked.as_ref();
    let gap = gap(lookup);
    let dangling = gap.as_ref().and_then(|gap| gap.link);
    let real = gap.as_ref().map_or(asked, |gap| gap.path.as_str());
    let target = |link: &Step| link.target.as_deref().unwrap_or("").to_owned();
    let (message, observed, location) = match dangling {
        Some(link) => (
            format!("{asked} is a broken link"),
            format!("{} -> {}", link.path, target(link)),
            Location::file(link.path.clone()),
        ),
        None if real != asked => (
            format!("{asked} does not exist"),
            format!("nothing at {real}, where the links on the way lead"),
            lookup.location(),
        ),
        None => (format!("{asked} does not exist"), "nothing".to_owned(), lookup.location()),
    };
    let remedy = match (dangling, &gap) {
        (Some(link), _) => {
            let make = directory(view.place, Spot::of_root(real)).shell();
            let replace = directory(view.place, Spot::of_root(link.path.as_ref())).shell();
            Remedy::decide(format!(
                "decide where {} should lead: its target {} does not exist",
                link.path,
                target(link)
            ))
            .candidate("make what it leads to", make)
            .candidate(
                "put a directory in the place of the link",
                format!("rm -- {} && {replace}", quoted(&link.path)),
            )
        }
        (None, Some(_)) => make(view, lookup, real),
        (None, None) => Remedy::decide(format!("make {asked} by hand: the way to it cannot be followed"))
            .candidate("", directory(view.place, Spot::of_root(asked)).shell()),
    };
    Finding::new(message, location, demanded.at.clone())
        .key(key)
        .expected(asked)
        .observed(observed)
        .mend(remedy)
}

fn no_directory(view: &PlaceView, step: &Step, demanded: &Stated<String>, key: &str) -> Finding {
    let path = step.path.as_ref();
    let aside = Change::Move { at: Spot::of_root(path), to: format!("{path}.not-a-directory") };
    let make = directory(view.place, Spot::of_root(path));
    Finding::new(format!("{path} is not a directory"), Location::file(step.path.clone()), demanded.at.clone())
        .key(key)
        .expected("a directory")
        .observed(step.meta.kind.word())
        .mend(
            Remedy::decide(format!("decide what happens to {path}, which is in the place of a directory"))
                .candidate("move it aside and make the directory", format!("{} && {}", aside.shell(), make.shell())),
        )
}

/// The directory that the contract demands; root's with 0755 as far as the contract is silent.
fn directory(place: &Place, at: Spot) -> Change {
    let name = |stated: &Option<Stated<String>>| {
        stated.as_ref().map_or_else(|| "root".to_owned(), |name| name.value.clone())
    };
    let mode = place.mode.as_ref().map_or(0o755, |mode| mode.value);
    Change::Directory { at, owner: name(&place.owner), group: name(&place.group), mode }
}

/// The remedy that makes what is missing: a repository is cloned, any other place is a directory.
fn make(view: &PlaceView, lookup: &Lookup, real: &str) -> Remedy {
    let place = view.place;
    let owner = place.owner.as_ref().map(|owner| owner.value.as_str());
    let by_hand = directory(place, Spot::of_root(real)).shell();
    if let Some(step) = lookup.steps.last().filter(|step| step.meta.kind == NodeKind::File) {
        return Remedy::decide(format!("move {} away: it is a file on the way to {real}", step.path));
    }
    let at = match spot(view, lookup) {
        Ok(Spot { user, .. }) => Spot { path: real.to_owned(), user },
        Err(remedy) => return remedy.candidate("once you have looked at it", by_hand),
    };
    if let Some(user) = at.user.as_deref().filter(|user| owner != Some(*user)) {
        return Remedy::decide(format!(
            "make {real} by hand: it lies in a directory of {user}, who can replace it at any moment"
        ))
        .candidate("", by_hand);
    }
    let Some(policy) = view.contract.repository.as_ref().filter(|policy| policy.path.value == *lookup.asked) else {
        return directory(place, at).into();
    };
    let (Some(remote), Some(user)) = (&policy.remote, owner) else {
        return Remedy::decide(format!("clone the repository to {real} as its owner: the contract does not say from where and for whom"));
    };
    let clone = Change::Clone {
        remote: remote.value.clone(),
        branch: view.contract.provision.branch.as_ref().map(|branch| branch.value.clone()),
        path: real.to_owned(),
        user: user.to_owned(),
    };
    // In root's directory only root can make the one that the owner clones into.
    match at.user {
        None => Remedy::changes([directory(place, at), clone]),
        Some(_) => clone.into(),
    }
}
