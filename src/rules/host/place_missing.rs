//! The directories of the layout exist.

use crate::rules::files::{is_under, make_directory};
use crate::rules::prelude::*;

rule! {
    /// A place of the layout is missing.
    ///
    /// Every place of the contract's section A must exist, unless it is declared with `required = false`,
    /// and so must every directory that it must hold. Links are followed; a link to nowhere is missing, and
    /// a file where a directory must be is missing too.
    ///
    /// Make the directory with the demanded owner and mode, as the mend shows; restore its content from a
    /// backup where there was any.
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
    /// ```good
    /// move /opt/quantum/data/backups -> /srv/backups
    /// link /opt/quantum/data/backups -> ../../../srv/backups
    /// ```
    id: "place-missing",
    section: A,
    severity: Must,
    needs: [Places],
    why: "services write there, and what is missing is found out at the worst moment",
    check: Place(check),
}

fn check(view: &PlaceView) -> Ruling {
    let place = view.place;
    let mut findings = Vec::new();
    let lookup = view.path(Need::Places, &place.path.value)?;
    match lookup.node()? {
        None if !place.required => {
            return Ok(Outcome::not_applicable("the contract does not demand that it exists"));
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
        match lookup.node()? {
            None => findings.push(missing(view, lookup, held, &key)),
            Some(step) if step.meta.kind != NodeKind::Directory => {
                findings.push(no_directory(view, step, held, &key));
            }
            Some(_) => {}
        }
    }
    Ok(Outcome::from_findings(findings))
}

/// A place may be a file; one that holds something, or below which another place lies, may not.
fn must_be_directory(view: &PlaceView) -> bool {
    let place = view.place;
    let below = |other: &Place| other.name != place.name && is_under(&other.path.value, &place.path.value);
    let repository = view.contract.repository.as_ref().is_some_and(|policy| policy.place == place.name);
    repository || !place.holds.is_empty() || view.contract.layout.values().any(below)
}

fn missing(view: &PlaceView, lookup: &Lookup, demanded: &Stated<String>, key: &str) -> Finding {
    let path = lookup.asked.as_ref();
    let dangling = lookup.links().last();
    let observed = match dangling {
        Some(link) => format!("{} -> {}", link.path, link.target.as_deref().unwrap_or("")),
        None => "nothing".to_owned(),
    };
    let make = match dangling {
        Some(link) => format!("rm {} && {}", quoted(&link.path), make(view, path)),
        None => make(view, path),
    };
    let message =
        if dangling.is_some() { format!("{path} leads nowhere") } else { format!("{path} does not exist") };
    let location = dangling.map_or_else(|| lookup.location(), |link| Location::file(link.path.clone()));
    Finding::new(message, location, demanded.at.clone()).key(key).expected(path).observed(observed).mend(make)
}

fn no_directory(view: &PlaceView, step: &Step, demanded: &Stated<String>, key: &str) -> Finding {
    let path = step.path.as_ref();
    let aside = format!("mv {} {}", quoted(path), quoted(&format!("{path}.not-a-directory")));
    Finding::new(format!("{path} is no directory"), Location::file(step.path.clone()), demanded.at.clone())
        .key(key)
        .expected("a directory")
        .observed(step.meta.kind.word())
        .mend(format!("{aside} && {}", make(view, path)))
}

/// A repository is cloned; any other directory is made.
fn make(view: &PlaceView, path: &str) -> String {
    let policy = view.contract.repository.as_ref().filter(|policy| policy.path.value == path);
    match policy.and_then(|policy| policy.remote.as_ref()) {
        Some(remote) => {
            let owner = view.place.owner.as_ref().map_or(String::new(), |user| {
                format!("{} && runuser -u {} -- ", make_directory(view.place, path), quoted(&user.value))
            });
            format!("{owner}git clone {} {}", quoted(&remote.value), quoted(path))
        }
        None => make_directory(view.place, path),
    }
}
