//! Generators that systemd does not bring itself (systemd.generator(7)), and what those of well-known packages make.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::syntax::glob;

/// What a generator makes or starts, as patterns of names of units: read in its script, or in its manual page where it has
/// one (lvm2-activation-generator(8), netplan-generate(8)).
const KNOWN: &[(&str, &[&str])] = &[
    ("cloud-init-generator", &["cloud-init.target", "cloud-config.target"]),
    ("friendly-recovery", &["friendly-recovery.*"]),
    ("lvm2-activation-generator", &["lvm2-*"]),
    ("netplan", &["netplan-*", "systemd-networkd*", "NetworkManager*"]),
    ("nfs-server-generator", &["nfs-*"]),
    ("openvpn-generator", &["openvpn@*"]),
    ("postfix-instance-generator", &["postfix@*"]),
    ("postgresql-generator", &["postgresql@*"]),
    ("rpc-pipefs-generator", &["*.mount", "rpc_pipefs.target"]),
    ("selinux-autorelabel-generator.sh", &["selinux-autorelabel*"]),
    ("snapd-generator", &["*.mount"]),
    ("tor-generator", &["tor@*"]),
    ("zfs-mount-generator", &["*.mount", "zfs-*"]),
];

/// Those that systemd brings itself, up to 262. Another package may call its own systemd-… as well (systemd-cron does).
const OF_SYSTEMD: &[&str] = &[
    "systemd-bless-boot-generator",
    "systemd-cryptsetup-generator",
    "systemd-debug-generator",
    "systemd-factory-reset-generator",
    "systemd-fstab-generator",
    "systemd-getty-generator",
    "systemd-gpt-auto-generator",
    "systemd-hibernate-resume-generator",
    "systemd-import-generator",
    "systemd-integritysetup-generator",
    "systemd-rc-local-generator",
    "systemd-run-generator",
    "systemd-ssh-generator",
    "systemd-system-update-generator",
    "systemd-sysv-generator",
    "systemd-tpm2-generator",
    "systemd-veritysetup-generator",
];

/// Whether systemd brings a generator of this name itself.
pub fn is_of_systemd(name: &str) -> bool {
    OF_SYSTEMD.contains(&name)
}

/// Where packages put theirs: one elsewhere is somebody's own, whatever it is called.
const OF_PACKAGES: [&str; 2] = ["/usr/lib/systemd/system-generators/", "/lib/systemd/system-generators/"];

/// The generators of others that stand on a disk, by their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generators(pub Vec<Arc<str>>);

impl Generators {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first that may make or start a unit: one that is known to, or one of which nothing is known.
    pub fn of(&self, unit: &str) -> Option<&str> {
        self.0.iter().map(AsRef::as_ref).find(|path| may_make(path, unit))
    }
}

fn may_make(path: &str, unit: &str) -> bool {
    let name = OF_PACKAGES.iter().find_map(|directory| path.strip_prefix(directory));
    let known = KNOWN.iter().find(|(known, _)| Some(*known) == name);
    known.is_none_or(|(_, makes)| makes.iter().any(|pattern| glob::matches(pattern, unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_may_make_anything() {
        let all = |paths: &[&str]| Generators(paths.iter().map(|path| (*path).into()).collect());
        let known = all(&["/usr/lib/systemd/system-generators/openvpn-generator"]);
        assert_eq!(known.of("vpn.service"), None);
        assert!(known.of("openvpn@home.service").is_some());
        let own = all(&[
            "/usr/lib/systemd/system-generators/tor-generator",
            "/etc/systemd/system-generators/netplan",
        ]);
        assert_eq!(own.of("vpn.service"), Some("/etc/systemd/system-generators/netplan"));
        for (generator, makes) in KNOWN {
            let all = all(&[&format!("/lib/systemd/system-generators/{generator}")]);
            assert!(makes.iter().all(|pattern| all.of(&pattern.replace('*', "x")).is_some()), "{generator}");
            assert_eq!(all.of("app.service"), None, "{generator}");
        }
        assert_eq!(all(&[]).of("vpn.service"), None);
    }
}
