//! Units that golden rendered and that the contract no longer names.

use std::collections::BTreeSet;

use super::plan_interrupted::{by_root, demand};
use crate::rules::prelude::*;
use crate::systemd::search::OWN_DIRECTORY;

/// How the names of units begin that are golden's own: the daily audit, and the watch over models.
const OWN: [&str; 2] = ["golden-audit-", "golden-model-watch-"];

rule! {
    /// A unit that golden rendered from this contract is still there, and the contract no longer names it.
    ///
    /// The first lines of a rendered unit say that golden wrote it, and from which contract. When a service is taken out of
    /// the contract, its unit goes on running until somebody stops it (systemd.unit(5)). Judged are the services and timers
    /// of /etc/systemd/system; a unit that somebody else wrote is never meant.
    ///
    /// The remedy stops and disables the unit, and removes its file; an undo brings all of it back.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-old.service root:root 0644
    /// | # Unit of old
    /// | # Written by `golden render` from the contract quantum 1.0.0; change that, not this file.
    /// | [Service]
    /// | ExecStart=/bin/true
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-old.service root:root 0644
    /// | [Service]
    /// | ExecStart=/bin/true
    /// ```
    /// ```good
    /// file /etc/systemd/system/other-old.service root:root 0644
    /// | # Written by `golden render` from the contract other 1.0.0; change that, not this file.
    /// | [Service]
    /// | ExecStart=/bin/true
    /// ```
    id: "unit-left-behind",
    section: K,
    severity: Must,
    needs: [State],
    cause: Host,
    why: "a service that was removed from the contract goes on running, and nothing judges it any more",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let units = view.state_of_golden()?.units.known().map_err(by_root)?;
    let Some(units) = units else {
        return Ok(Outcome::not_applicable("there are no unit files of this host's own"));
    };
    let known: BTreeSet<&str> = view
        .contract
        .services
        .iter()
        .flat_map(|service| service.timer.iter().chain([&service.unit]))
        .map(|unit| unit.value.as_str())
        .collect();
    let left = units.iter().filter(|unit| !known.contains(&***unit) && !OWN.iter().any(|own| unit.starts_with(own)));
    Ok(Outcome::from_findings(left.map(|unit| finding(view, unit)).collect()))
}

fn finding(view: &View, unit: &str) -> Finding {
    let path = format!("{OWN_DIRECTORY}/{unit}");
    let retire = Change::Unit { verb: Verb::Retire, unit: unit.to_owned() };
    let remove = Change::Remove { at: Spot::of_root(path.clone()) };
    Finding::new(format!("{unit} is no longer part of the contract"), Location::file(path), demand(view))
        .key(unit)
        .expected("no unit that the contract does not name")
        .observed("a unit that golden rendered")
        .mend(Remedy::changes([retire, remove, Change::Reload]))
}
