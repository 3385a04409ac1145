//! Where places really lie: not where their content gets lost, not inside the repository.

use crate::rules::files::{does_not_exist, is_under};
use crate::rules::prelude::*;

rule! {
    /// A place of the layout lies in a forbidden location.
    ///
    /// Judges the path with every link resolved. It must not lie below a directory that the contract excludes
    /// (`not_under`, for example /tmp), not on a file system that it excludes (`not_on`, for example tmpfs,
    /// which a reboot empties), and not inside the repository where the contract says `outside_repository`.
    ///
    /// ```bad
    /// move /opt/quantum/data -> /var/tmp/data
    /// link /opt/quantum/data -> /var/tmp/data
    /// ```
    /// ```bad
    /// file-system /opt/quantum/data tmpfs
    /// ```
    /// ```bad
    /// move /opt/quantum/data -> /home/qt/quantum_trader/data
    /// link /opt/quantum/data -> /home/qt/quantum_trader/data
    /// ```
    /// ```good
    /// file-system /opt/quantum/data xfs
    /// file-system /tmp tmpfs
    /// ```
    id: "place-misplaced",
    section: A,
    severity: Must,
    needs: [Places],
    cause: Host,
    why: "the files there are lost at the next reboot, clean-up or checkout",
    see: ["readlink -f {path}", "findmnt -T {path}"],
    mend: "Move it yourself. golden does not move the content of a place, and does not mount or unmount.",
    man: ["findmnt(8)", "readlink(1)"],
    since: "0.1.0",
    check: Place(check),
}

fn check(view: &PlaceView) -> Ruling {
    let place = view.place;
    if place.not_under.is_empty() && place.not_on.is_empty() && place.outside_repository.is_none() {
        return Ok(Outcome::not_applicable("the contract lets it lie anywhere"));
    }
    let lookup = view.path(Need::Places, &place.path.value)?;
    let Some(step) = lookup.node()? else { return Ok(does_not_exist()) };
    let real = step.path.as_ref();
    let mut findings = Vec::new();
    for excluded in &place.not_under {
        if is_under(real, &excluded.value) || is_under(&place.path.value, &excluded.value) {
            findings.push(elsewhere(place, lookup, real, &excluded.value, &excluded.at));
        }
    }
    if !place.not_on.is_empty()
        && let Some(name) = view.file_system(&place.path.value)?
        && let Some(excluded) = place.not_on.iter().find(|excluded| excluded.value == *name)
    {
        findings.push(on_file_system(place, real, name, &excluded.at));
    }
    if let (Some(at), Some(repository)) = (&place.outside_repository, &view.contract.repository) {
        let top = view.path(Need::Places, &repository.path.value)?;
        let tops = [Some(repository.path.value.as_str()), top.real()];
        if tops.into_iter().flatten().any(|top| is_under(real, top)) {
            findings.push(elsewhere(place, lookup, real, &repository.path.value, at));
        }
    }
    Ok(Outcome::from_findings(findings))
}

/// It lies below a directory that is excluded; a link led there, unless the contract itself names it.
fn elsewhere(place: &Place, lookup: &Lookup, real: &str, excluded: &str, at: &Location) -> Finding {
    let link = lookup.links().next();
    let location = link.map_or_else(|| lookup.location(), |link| Location::file(link.path.clone()));
    let mend = match link {
        Some(link) => Remedy::decide(format!("decide where the place {} lies: {excluded} is excluded", place.name))
            .candidate(
                "move it to where the link is, when the services are stopped",
                format!("rm -- {0} && mv -nT -- {1} {0}", quoted(&link.path), quoted(real)),
            ),
        None => Remedy::decide(format!(
            "choose another path for the place {} in the contract: {excluded} is excluded",
            place.name
        )),
    };
    Finding::new(format!("{} lies below {excluded}", place.path.value), location, at.clone())
        .expected(format!("a directory outside {excluded}"))
        .observed(real)
        .mend(mend)
}

fn on_file_system(place: &Place, real: &str, name: &str, at: &Location) -> Finding {
    Finding::new(format!("{} lies on {name}", place.path.value), Location::file(real), at.clone())
        .expected("a file system that survives a reboot")
        .observed(name)
        .mend(
            Remedy::decide(format!(
                "decide which file system the place {} lies on, and move its content there",
                place.name
            ))
            .candidate("see what is mounted there", format!("findmnt -T {}", quoted(real))),
        )
}
