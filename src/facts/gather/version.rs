//! The version of the systemd whose reading counts. Its shared library carries the version in its name, and is the same
//! package as the manager itself; asking the manager would need a running one.

use std::collections::BTreeSet;

use crate::model::Observed;
use crate::system::{System, Walker};
use crate::systemd::version::SystemdVersion;

/// Where the library lies: Debian before 12, Arch and SUSE have `lib`, Fedora and its kin `lib64`. Debian's multiarch
/// directories have the name of an architecture on the way.
const DIRECTORIES: [&str; 4] = ["/usr/lib/systemd", "/usr/lib64/systemd", "/lib/systemd", "/lib64/systemd"];

/// Directories in which those of architectures lie: `/usr/lib/x86_64-linux-gnu`.
const MULTIARCH: [&str; 2] = ["/usr/lib", "/lib"];

/// The manager itself, which names its library.
const MANAGERS: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

/// The manager of no distribution is larger.
const LARGEST: u64 = 8 << 20;

const PREFIX: &str = "libsystemd-shared-";

/// The version of the systemd that this root would boot.
pub(super) fn version<'a>(
    system: &'a (dyn System + 'a),
    walker: &Walker<'a, dyn System + 'a>,
) -> Observed<SystemdVersion> {
    let mut trouble = None;
    let mut found = BTreeSet::new();
    for directory in directories(system, walker) {
        let Some(real) = walker.lookup(&directory).real().map(str::to_owned) else { continue };
        match system.list(&real) {
            Observed::Found(names) => found.extend(names.iter().filter_map(|name| of_library(name))),
            Observed::Unreadable(why) => trouble = Some(why),
            Observed::Absent => {}
        }
    }
    // An update may leave an older library behind, and a downgrade a newer one: the manager names its own.
    let named = (found.len() > 1).then(|| named_by_manager(system, walker)).flatten();
    match named.filter(|named| found.contains(named)).or(found.last().copied()) {
        Some(version) => Observed::Found(version),
        None => {
            Observed::Unreadable(trouble.unwrap_or_else(|| {
                "no libsystemd-shared in /usr/lib/systemd or a similar directory".to_owned()
            }))
        }
    }
}

fn directories<'a>(system: &'a (dyn System + 'a), walker: &Walker<'a, dyn System + 'a>) -> Vec<String> {
    let mut all: Vec<String> = DIRECTORIES.iter().map(|path| (*path).to_owned()).collect();
    for above in MULTIARCH {
        let Some(real) = walker.lookup(above).real().map(str::to_owned) else { continue };
        let Observed::Found(names) = system.list(&real) else { continue };
        let of_architectures = names.iter().filter(|name| name.contains("-linux-"));
        all.extend(of_architectures.map(|name| format!("{above}/{name}/systemd")));
    }
    all
}

/// `libsystemd-shared-257.7-1.fc42.so`
fn of_library(name: &str) -> Option<SystemdVersion> {
    SystemdVersion::parse(name.strip_prefix(PREFIX)?.strip_suffix(".so")?)
}

/// The version of the library that the manager is linked with, whose name stands in it as it is.
fn named_by_manager<'a>(
    system: &'a (dyn System + 'a),
    walker: &Walker<'a, dyn System + 'a>,
) -> Option<SystemdVersion> {
    MANAGERS.iter().find_map(|manager| {
        let real = walker.lookup(manager).real()?.to_owned();
        let Observed::Found(bytes) = system.read(&real, LARGEST) else { return None };
        let at = bytes.windows(PREFIX.len()).position(|part| part == PREFIX.as_bytes())?;
        let name = bytes[at..].split(|byte| *byte == 0).next().unwrap_or(&[]);
        of_library(&String::from_utf8_lossy(name[..name.len().min(256)].trim_ascii()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_distribution_writes_the_version_into_the_name() {
        for (name, version) in [
            ("libsystemd-shared-257.7-1.fc42.so", 257),
            ("libsystemd-shared-252.39.so", 252),
            ("libsystemd-shared-252.so", 252),
            ("libsystemd-shared-249.11-0ubuntu3.so", 249),
            ("libsystemd-shared-256~rc1.so", 256),
        ] {
            assert_eq!(of_library(name), Some(SystemdVersion(version)), "{name}");
        }
        for name in ["libsystemd-shared-.so", "libsystemd-core-257.so", "libsystemd-shared-257.so.debug"] {
            assert_eq!(of_library(name), None, "{name}");
        }
    }
}
