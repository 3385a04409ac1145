//! Where the services of a running host listen.

use std::collections::BTreeMap;

use crate::contract::Port;
use crate::model::Observed;
use crate::system::System;

/// The ports that the kernel gives to whoever asks for any (ip(7)): what listens there does so at another one next time.
const FLEETING: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// By unit, of those that run and listen. Where two processes share a port, as with a socket that both were given, it is
/// nobody's, and nothing is said of either.
pub(super) fn of(system: &dyn System, units: &[&str]) -> BTreeMap<String, Vec<String>> {
    let Some(ask) = system.ask() else { return BTreeMap::new() };
    let Observed::Found(states) = ask.units(units) else { return BTreeMap::new() };
    let fleeting = fleeting(system);
    let mut found: Vec<(&str, Vec<Port>)> = Vec::new();
    for unit in
        units.iter().filter(|unit| states.get(**unit).is_some_and(|state| state.active_state == "active"))
    {
        let Observed::Found(listeners) = ask.listening(unit) else { continue };
        let all = Port::places(&listeners);
        // What every address covers need not be said of one.
        let mut ports = all.clone();
        ports.retain(|port| !all.iter().any(|other| other != port && other.covers(port)));
        ports.sort_by_key(|port| (port.number, port.to_string()));
        if !ports.iter().any(|port| (fleeting.0..=fleeting.1).contains(&port.number)) {
            found.push((unit, ports));
        }
    }
    let clashes = |one: &Port, other: &Port| one.covers(other) || other.covers(one);
    let is_shared = |unit: &str, ports: &[Port]| {
        let others = found.iter().filter(|(other, _)| *other != unit).flat_map(|(_, ports)| ports);
        others.into_iter().any(|other| ports.iter().any(|port| clashes(port, other)))
    };
    let own = found.iter().filter(|(unit, ports)| !ports.is_empty() && !is_shared(unit, ports));
    own.map(|(unit, ports)| ((*unit).to_owned(), ports.iter().map(Port::to_string).collect())).collect()
}

fn fleeting(system: &dyn System) -> (u16, u16) {
    let read = || {
        let Observed::Found(bytes) = system.read(FLEETING, 256) else { return None };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut numbers = text.split_ascii_whitespace().map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    // What Linux has where nobody changed it.
    read().unwrap_or((32_768, 60_999))
}
