//! Units that golden rendered and that the contract no longer names.

use std::collections::BTreeSet;

use super::plan_interrupted::{by_root, demand};
use crate::rules::prelude::*;
use crate::systemd::search::OWN_DIRECTORY;

/// How the names of units begin that are golden's own: the daily audit, and the watch over models.
const OWN: [&str; 2] = ["golden-audit-", "golden-model-watch-"];

rule! {
    /// A unit that golden rendered is still installed, but the contract no longer names its service.
    ///
    /// The first lines of a rendered unit say that golden wrote it, and from which contract. When a service is
    /// removed from the contract, its unit runs until it is stopped (systemd.unit(5)). golden looks at services
    /// and timers in /etc/systemd/system, and only at units that golden rendered from this contract.
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
    why: "a service that was removed from the contract still runs, and golden no longer judges it",
    see: ["grep -l \"golden\" /etc/systemd/system/*.service"],
    mend: "golden stops and disables the unit, and removes its file. An undo brings it back.",
    man: ["systemd.unit(5)"],
    since: "unreleased",
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
