//! What every host has once it runs, because the kernel or systemd makes it.

use std::sync::LazyLock;

use crate::facts::made::{AtBoot, MadeKind, Making};
use crate::model::Location;

/// Directories that systemd itself mounts or makes, with their permission bits.
const OF_THE_SYSTEM: &[(&str, u32)] = &[
    ("/dev", 0o755),
    ("/dev/fd", 0o500),
    ("/dev/shm", 0o1777),
    ("/proc", 0o555),
    ("/proc/irq", 0o555),
    ("/proc/sys", 0o555),
    ("/run", 0o755),
    ("/run/lock", 0o1777),
    ("/run/log", 0o755),
    ("/run/log/journal", 0o755),
    ("/run/mount", 0o755),
    ("/run/systemd", 0o755),
    ("/run/systemd/journal", 0o755),
    ("/run/user", 0o755),
    ("/sys", 0o555),
    ("/sys/class", 0o755),
    ("/sys/devices", 0o755),
    ("/sys/fs/cgroup", 0o755),
    ("/sys/kernel", 0o755),
    ("/tmp", 0o1777),
];

/// Devices of every host, the network of its first process, and the sockets of systemd and its journal.
pub(super) const DEVICES: &[&str] = &[
    "/dev/full",
    "/dev/log",
    "/dev/null",
    "/dev/stderr",
    "/dev/stdin",
    "/dev/stdout",
    "/dev/random",
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
    "/dev/ptmx",
    "/proc/1/ns/net",
    "/proc/self/ns/net",
    "/run/systemd/journal/dev-log",
    "/run/systemd/journal/socket",
    "/run/systemd/journal/stdout",
    "/run/systemd/notify",
    "/run/systemd/private",
];

/// Directories whose content is made anew at every boot, by whoever runs there.
pub(super) const VOLATILE: &[&str] = &["/run", "/dev", "/proc", "/sys", "/tmp"];

/// What systemd makes and mounts itself.
pub(super) static SYSTEM: LazyLock<Making> = LazyLock::new(|| {
    let made = |path: &str, kind, mode| AtBoot {
        path: path.into(),
        kind,
        uid: 0,
        gid: 0,
        mode,
        size: 0,
        replaces: false,
        at: Location::file(path),
    };
    let directories = OF_THE_SYSTEM.iter().map(|(path, mode)| made(path, MadeKind::Directory, *mode));
    directories.chain(DEVICES.iter().map(|path| made(path, MadeKind::Other, 0o666))).collect()
});
