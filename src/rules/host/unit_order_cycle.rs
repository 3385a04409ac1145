//! Cycles in the order of start.

use std::collections::BTreeMap;

use crate::rules::prelude::*;

rule! {
    /// The units of the contract wait for each other in a circle.
    ///
    /// systemd breaks an ordering cycle by leaving out a job, and says so only in the journal (systemd.unit(5),
    /// `After=`). golden looks at `After=` and `Before=` of the contract's services, dependencies and timers.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/order.conf root:root 0644
    /// | [Unit]
    /// | After=quantum-rl-agent.service
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-rl-agent.service.d/order.conf root:root 0644
    /// | [Unit]
    /// | Before=quantum-backend.service
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/order.conf root:root 0644
    /// | [Unit]
    /// | Before=quantum-rl-agent.service
    /// ```
    id: "unit-order-cycle",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "at boot systemd drops one of these units to break the cycle",
    see: ["systemd-analyze verify default.target", "journalctl -b -g \"ordering cycle\""],
    mend: "Remove one of the lines. The order in the contract has no cycle.",
    man: ["systemd.unit(5)"],
    since: "0.1.0",
    check: Host(check),
}

/// Which unit starts after which, with the line that says so.
type Edges<'a> = BTreeMap<String, Vec<(String, &'a Setting)>>;

fn check(view: &View) -> Ruling {
    let edges = edges(view)?;
    let Some(cycle) = cycle(&edges) else { return Ok(Outcome::Pass) };
    let Some(setting) = offence(view, &cycle) else { return Ok(Outcome::Pass) };
    let mut names: Vec<&str> = cycle.iter().map(|(name, _)| name.as_str()).collect();
    names.extend(names.first().copied());
    let question = Remedy::decide("decide which unit starts first, and remove one of these lines");
    let mend = cycle.iter().fold(question, |remedy, (_, setting)| {
        remedy.candidate(format!("{} at {}", written(setting), setting.at), "")
    });
    let at = view
        .contract
        .services
        .iter()
        .find(|service| names.contains(&service.unit.value.as_str()))
        .map_or_else(|| view.contract.name.at.clone(), |service| service.unit.at.clone());
    Ok(Finding::new("units wait for each other in a circle", setting.at.clone(), at)
        .expected("an order with a beginning")
        .observed(names.join(" after "))
        .mend(mend)
        .into())
}

/// The line of a circle that the contract does not ask for; any line where it asks for all or for none.
fn offence<'a>(view: &View, cycle: &[(String, &'a Setting)]) -> Option<&'a Setting> {
    let next = cycle.iter().cycle().skip(1).map(|(name, _)| name);
    let demanded = |name: &str, other: &str| {
        let service = view.contract.services.iter().find(|service| service.unit.value == name);
        service.is_some_and(|service| service.after_units.iter().any(|unit| unit.value == other))
    };
    let undemanded = cycle.iter().zip(next).find(|((name, _), other)| !demanded(name, other));
    undemanded.map(|((_, setting), _)| *setting).or_else(|| cycle.last().map(|(_, setting)| *setting))
}

fn edges<'a>(view: &View<'a>) -> Result<Edges<'a>, Undecided> {
    let contract = view.contract;
    let services = contract.services.iter().map(|service| &service.unit);
    let dependencies = contract.dependencies.values().filter_map(|dependency| dependency.unit.as_ref());
    let timers = contract.services.iter().filter_map(|service| service.timer.as_ref());
    let mut canonical = BTreeMap::new();
    let mut units = Vec::new();
    for name in services.chain(dependencies).chain(timers) {
        let unit = view.effective(&name.value)?;
        canonical.insert(name.value.clone(), name.value.clone());
        canonical.extend(unit.names().map(|alias| (alias.to_owned(), name.value.clone())));
        units.push((name.value.clone(), unit));
    }
    let mut edges = Edges::new();
    for (name, unit) in units {
        for (other, setting) in unit.words("Unit", "After") {
            if let Some(other) = canonical.get(&other).filter(|other| **other != name) {
                edges.entry(name.clone()).or_default().push((other.clone(), setting));
            }
        }
        for (other, setting) in unit.words("Unit", "Before") {
            if let Some(other) = canonical.get(&other).filter(|other| **other != name) {
                edges.entry(other.clone()).or_default().push((name.clone(), setting));
            }
        }
    }
    Ok(edges)
}

/// A circle: each unit with the line that makes it wait for the next.
fn cycle<'a>(edges: &Edges<'a>) -> Option<Vec<(String, &'a Setting)>> {
    let mut done: Vec<&str> = Vec::new();
    for start in edges.keys() {
        // Depth first; the path holds each unit with the index of the edge that is tried next.
        let mut path: Vec<(&str, usize)> = vec![(start, 0)];
        while let Some((name, next)) = path.last_mut() {
            let name: &str = name;
            let edge = edges.get(name).and_then(|edges| edges.get(*next));
            *next += 1;
            let Some((other, _)) = edge else {
                done.push(name);
                path.pop();
                continue;
            };
            if let Some(at) = path.iter().position(|(seen, _)| seen == other) {
                let step = |(name, next): &(&str, usize)| {
                    let (_, setting) = edges.get(*name)?.get(*next - 1)?;
                    Some(((*name).to_owned(), *setting))
                };
                return path[at..].iter().map(step).collect();
            }
            if !done.contains(&other.as_str()) {
                path.push((other, 0));
            }
        }
    }
    None
}
