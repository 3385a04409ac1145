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
    let name = path.rsplit('/').next().unwrap_or(path);
    let known = KNOWN.iter().find(|(known, _)| *known == name);
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
        let own = all(&["/etc/systemd/system-generators/ours", "/x/openvpn-generator"]);
        assert_eq!(own.of("vpn.service"), Some("/etc/systemd/system-generators/ours"));
        assert_eq!(all(&[]).of("vpn.service"), None);
    }
}
