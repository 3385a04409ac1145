//! What the host is called, for specifiers and conditions of units.

use super::{Pad, Worker};
use crate::facts::condition;
use crate::model::Observed;
use crate::system::{System, Walker};
use crate::systemd::effective::EffectiveUnit;
use crate::systemd::specifier::{self, Host as _, HostNames};

/// Its names; what cannot be known stays unknown.
pub(super) fn of<'a>(system: &'a (dyn System + 'a), walker: &Walker<'a, dyn System + 'a>) -> HostNames {
    let text = |path: &str| {
        let lookup = walker.lookup(path);
        match system.read(lookup.real()?, 4096) {
            Observed::Found(bytes) => Some(String::from_utf8_lossy(&bytes).trim().to_owned()),
            _ => None,
        }
    };
    let is_there = |path: &str| walker.lookup(path).real().is_some();
    let live = system.ask().is_some();
    let running = |path: &str| if live { text(path) } else { None };
    let host_name = match live {
        true => Some(system.host_name()),
        // "Empty lines and lines beginning with # are ignored" (hostname(5)).
        false => text("/etc/hostname").and_then(|text| {
            let mut lines = text.lines().map(str::trim);
            lines.find(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned)
        }),
    };
    let pretty = || {
        let info = text("/etc/machine-info")?;
        let value = info.lines().find_map(|line| line.strip_prefix("PRETTY_HOSTNAME="))?;
        Some(value.trim_matches(['"', '\'']).to_owned())
    };
    let of_root = || {
        let known = [("x86_64-linux-gnu", "x86-64"), ("aarch64-linux-gnu", "arm64")];
        let mut there = known.iter().filter(|(triplet, _)| is_there(&format!("/usr/lib/{triplet}")));
        // Libraries of both lie where programs are built for the other.
        there.next().filter(|_| there.next().is_none()).map(|(_, name)| *name)
    };
    let architecture = if live { specifier::architecture(std::env::consts::ARCH) } else { of_root() };
    HostNames {
        machine_id: text("/etc/machine-id").filter(|id| id.len() == 32),
        pretty_host_name: pretty().or_else(|| host_name.clone()),
        host_name,
        os_release: text("/etc/os-release").or_else(|| text("/usr/lib/os-release")),
        boot_id: running("/proc/sys/kernel/random/boot_id").map(|id| id.replace('-', "")),
        kernel: running("/proc/sys/kernel/osrelease"),
        architecture: architecture.map(str::to_owned),
    }
}

/// What the host is called, where a unit asks for it.
pub(super) fn asked_for(worker: &Worker<'_>, pad: &Pad) -> Option<condition::Names> {
    let asks = |unit: &EffectiveUnit| condition::all(unit).iter().any(|condition| condition.is_of_names());
    pad.loaded().any(asks).then(|| {
        let HostNames { machine_id, host_name, os_release, architecture, .. } = worker.names().clone();
        // systemd fills in the question marks of a name.
        let host_name = host_name.filter(|name| !name.contains('?'));
        condition::Names { host_name, os_release, architecture, has_machine_id: machine_id.is_some() }
    })
}
