//! A copy of this very host that starts nothing but what the contract names.
//!
//! The host's own timers, daemons and start scripts would do the host's work a second time: send mail, take backups,
//! trade. So before the copy boots, every link that would start a unit is taken away, and every generator that would
//! make one is masked, but for what systemd itself needs and what the contract names. The host sees nothing of it: the
//! copy is an overlay.
//!
//! This is an allow-list because a list of what must not start would miss the next daemon.

use std::collections::BTreeSet;
use std::io;

use crate::contract::Contract;
use crate::model::{Entry, Observed};
use crate::render::Artefact;
use crate::system::act::{Act, Rights};
use crate::system::{DiskSystem, Look, Walker};
use crate::systemd::search::{GENERATOR_DIRECTORIES, UNIT_DIRECTORIES};

/// Where a link to /dev/null masks a generator of the same name. Only /run counts before it, which is empty in a copy.
const MASKS: &str = "/etc/systemd/system-generators";

/// Users whose own managers start with the host (loginctl(1)).
const LINGERING: &str = "/var/lib/systemd/linger";

/// What systemd-remount-fs.service reads.
const MOUNTS: &str = "/etc/fstab";

const ROOTS: Rights = Rights { uid: 0, gid: 0, mode: 0o644 };

/// The root of a copy that has not booted yet.
struct Copy<'a> {
    look: &'a DiskSystem,
    act: &'a Act,
    /// Units that the contract names or makes.
    own: BTreeSet<&'a str>,
}

/// Takes away everything that would start by itself and is none of the contract's. Says how many links that were.
pub fn still(act: &Act, contract: &Contract, artefacts: &[Artefact]) -> io::Result<usize> {
    let look = DiskSystem::rooted(&act.place("/"))?;
    let copy = Copy { look: &look, act, own: own_units(contract, artefacts) };
    let mut stilled = 0;
    for directory in UNIT_DIRECTORIES {
        stilled += copy.unlink(directory)?;
    }
    copy.mask_generators()?;
    act.remove(LINGERING)?;
    act.write(MOUNTS, b"", ROOTS)?;
    // Another machine than the host: its journal, its identity on the bus.
    act.write("/etc/machine-id", b"", Rights { mode: 0o444, ..ROOTS })?;
    act.make_way("/etc/systemd/system/default.target")?;
    act.link("/etc/systemd/system/default.target", "/usr/lib/systemd/system/multi-user.target", 0, 0)?;
    Ok(stilled)
}

fn own_units<'a>(contract: &'a Contract, artefacts: &'a [Artefact]) -> BTreeSet<&'a str> {
    let made = artefacts.iter().filter_map(|artefact| artefact.on_host.as_ref()?.path.rsplit('/').next());
    let timers = contract.services.iter().filter_map(|service| service.timer.as_ref());
    let dependencies = contract.dependencies.values().filter_map(|other| other.unit.as_ref());
    let services = contract.services.iter().map(|service| &service.unit);
    let named = services.chain(timers).chain(dependencies).map(|unit| unit.value.as_str());
    named.chain(made).collect()
}

impl Copy<'_> {
    /// What lies in a directory of the copy. One that cannot be read is an error: what starts there is not known.
    fn entries(&self, path: &str) -> io::Result<Vec<Entry>> {
        let walker = Walker::new(self.look);
        let lookup = walker.lookup(path);
        let Some(real) = lookup.node().map_err(|undecided| io::Error::other(undecided.why))? else {
            return Ok(Vec::new());
        };
        match self.look.entries(&real.path) {
            Observed::Found(entries) => Ok(entries),
            Observed::Absent => Ok(Vec::new()),
            Observed::Unreadable(why) => Err(io::Error::other(format!("{path}: {why}"))),
        }
    }

    /// Takes away the links below a unit directory that start units, and what is added to targets.
    fn unlink(&self, directory: &str) -> io::Result<usize> {
        let is_vendors = directory.starts_with("/usr/lib") || directory.starts_with("/lib");
        let mut taken = 0;
        for Entry { name, .. } in self.entries(directory)? {
            if name.ends_with(".target.d") {
                self.act.remove(&format!("{directory}/{name}"))?;
            }
            if ![".wants", ".requires", ".upholds"].iter().any(|end| name.ends_with(end)) {
                continue;
            }
            for Entry { name: unit, .. } in self.entries(&format!("{directory}/{name}"))? {
                if !(self.own.contains(unit.as_str()) || is_vendors && is_of_systemd(&unit)) {
                    self.act.remove(&format!("{directory}/{name}/{unit}"))?;
                    taken += 1;
                }
            }
        }
        Ok(taken)
    }

    /// Start scripts, tables of mounts, disks by their type, consoles, a way in by ssh: whatever a generator makes a unit of
    /// is none of the contract's. `/dev/null` in the directory that counts first hides a generator of the same name.
    fn mask_generators(&self) -> io::Result<()> {
        for directory in GENERATOR_DIRECTORIES {
            for Entry { name, .. } in self.entries(directory)? {
                let mask = format!("{MASKS}/{name}");
                self.act.make_way(&mask)?;
                self.act.link(&mask, "/dev/null", 0, 0)?;
            }
        }
        Ok(())
    }
}

/// What systemd needs of itself to be up: its own services and sockets, targets, slices, and file systems of the
/// kernel. No daemon and no console.
fn is_of_systemd(unit: &str) -> bool {
    const OTHERS: [&str; 4] =
        ["dbus.socket", "dbus.service", "kmod-static-nodes.service", "dev-mqueue.mount"];
    let ends = [".target", ".slice", ".mount", ".automount"];
    unit.starts_with("systemd-") || OTHERS.contains(&unit) || ends.iter().any(|end| unit.ends_with(end))
}
