//! Places whose way must hold no symbolic link.

use crate::rules::files::{does_not_exist, parent};
use crate::rules::prelude::*;

rule! {
    /// A place of the layout is reached through a symbolic link.
    ///
    /// Where the contract says `no_links`, no part of the path may be a symbolic link: a link leads every
    /// program that trusts the path to another directory.
    ///
    /// ```bad
    /// move /home/qt/quantum_trader -> /srv/trader
    /// link /home/qt/quantum_trader -> /srv/trader
    /// ```
    /// ```bad
    /// move /home/qt -> /srv/qt
    /// link /home/qt -> ../srv/qt
    /// ```
    /// ```good
    /// link /srv/trader -> /home/qt/quantum_trader
    /// ```
    id: "place-on-link",
    section: A,
    severity: Must,
    needs: [Places],
    cause: Host,
    why: "the owner of the link decides which files all services read",
    see: ["namei -l {path}"],
    mend: "Replace the link yourself. Services may be reading and writing there now.",
    man: ["namei(1)", "path_resolution(7)"],
    since: "0.1.0",
    check: Place(check),
}

fn check(view: &PlaceView) -> Ruling {
    let place = view.place;
    let Some(demand) = &place.no_links else {
        return Ok(Outcome::not_applicable("the contract allows links"));
    };
    let lookup = view.path(Need::Places, &place.path.value)?;
    if lookup.node()?.is_none() {
        return Ok(does_not_exist());
    }
    let finding = |link: &Step| {
        let target = link.target.as_deref().unwrap_or("");
        let real = match target.starts_with('/') {
            true => target.to_owned(),
            false => format!("{}/{target}", parent(&link.path).trim_end_matches('/')),
        };
        Finding::new(
            format!("{} is reached through a symbolic link", place.path.value),
            Location::file(link.path.clone()),
            demand.clone(),
        )
        .expected("a directory")
        .observed(format!("{} -> {target}", link.path))
        .mend(
            Remedy::decide(format!("decide which path the place {} has: the link's or its target's", place.name))
                .candidate("change the path in the contract, if the target is the right one", "")
                .candidate(
                    "move what it leads to into its place, when the services are stopped",
                    format!("rm -- {0} && mv -nT -- {1} {0}", quoted(&link.path), quoted(&real)),
                ),
        )
    };
    Ok(Outcome::from_findings(lookup.links().map(finding).collect()))
}
