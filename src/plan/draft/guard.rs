//! What no change may touch, whatever a rule says.

use std::collections::BTreeSet;

use super::{EnvFiles, No};
use crate::model::Observed;
use crate::syntax::fstab;
use crate::syntax::glob;
use crate::system::hand::{Call, Hand};
use crate::system::mounts;
use crate::system::{READ_LIMIT, System, Walker};
use crate::systemd::search::UNIT_DIRECTORIES;

/// Directories that every host has: their owners and modes are nobody's to change, and they never go.
const EVERY_HOSTS: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/lib/private",
    "/var/cache/private",
    "/var/log/private",
    "/var/log",
    "/var/spool",
    "/var/tmp",
    "/etc/systemd",
    "/etc/systemd/system",
    "/etc/default",
    "/etc/ssl",
    "/etc/ssl/private",
    "/var/home",
];

/// Directories below which packages and the kernel keep what is theirs.
const PACKAGES: &[&str] =
    &["/usr", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/proc", "/sys", "/dev", "/nix", "/gnu"];

fn person(why: impl Into<String>) -> No {
    No::Person(why.into())
}

fn is_below(path: &str, directory: &str) -> bool {
    path == directory || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// A path that is not one of the directories of every host, and written plainly.
pub(super) fn ordinary(path: &str) -> Result<(), No> {
    let plain = path.starts_with('/') && !path.split('/').skip(1).any(|part| matches!(part, "" | "." | ".."));
    if !plain {
        return Err(person(format!("{path:?} is not a plain absolute path")));
    }
    if EVERY_HOSTS.contains(&path) || is_below(path, "/var/lib/private") {
        return Err(person(format!("{path} may not be changed by the contract")));
    }
    below_packages(path)
}

/// Nothing below /usr and its kin is changed.
pub(super) fn below_packages(path: &str) -> Result<(), No> {
    match PACKAGES.iter().find(|directory| is_below(path, directory)) {
        Some(directory) => {
            Err(person(format!("{path} lies below {directory}, where packages keep what is theirs")))
        }
        None => Ok(()),
    }
}

/// Where file systems belong that are not mounted.
#[derive(Debug, Default)]
pub(super) struct Unmounted {
    points: Vec<String>,
    /// Why not all of them are known.
    unread: Option<String>,
}

/// The mount points that the contract, fstab(5) or a mount unit names and at which nothing is mounted, or nobody can tell.
pub(super) fn unmounted<'a>(system: &dyn System, demanded: impl Iterator<Item = &'a str>) -> Unmounted {
    let mounts::MountUnits { units, mut unread, .. } = mounts::units(system);
    let mut points: BTreeSet<String> = demanded.map(str::to_owned).collect();
    points.extend(units.into_iter().map(|unit| unit.place));
    match system.read(&real(system, "/etc/fstab"), READ_LIMIT) {
        Observed::Found(bytes) => {
            let table = fstab::parse(&String::from_utf8_lossy(&bytes));
            points.extend(table.into_iter().map(|mount| mount.place));
        }
        Observed::Absent => {}
        Observed::Unreadable(why) => unread = Some(format!("/etc/fstab: {why}")),
    }
    let is_meant = |point: &String| point.starts_with('/') && point != "/";
    let is_mounted = |point: &String| {
        let real = real(system, point.trim_end_matches('/'));
        matches!(system.is_mount_point(&real), Observed::Found(true))
    };
    let points = points.into_iter().filter(|point| is_meant(point) && !is_mounted(point)).collect();
    Unmounted { points, unread }
}

/// Nothing is changed at or below a mount point where nothing is mounted. Where these are not known, only what lies in
/// /etc, which is part of the root (file-hierarchy(7)), is changed.
pub(super) fn mounted(path: &str, unmounted: &Unmounted) -> Result<(), No> {
    if let Some(why) = unmounted.unread.as_ref().filter(|_| !is_below(path, "/etc")) {
        return Err(person(format!("it is not known what is mounted where: {why}")));
    }
    match unmounted.points.iter().find(|point| is_below(path, point.trim_end_matches('/'))) {
        Some(point) => Err(person(format!("a file system belongs at {point}, and none is mounted there"))),
        None => Ok(()),
    }
}

/// Configuration lies below /etc.
pub(super) fn in_etc(path: &str) -> Result<(), No> {
    ordinary(path)?;
    match is_below(path, "/etc") {
        true => Ok(()),
        false => Err(person(format!("{path} does not lie below /etc"))),
    }
}

/// A name that a unit can have, and no template: what is written for a template serves every instance.
pub(super) fn unit_name(unit: &str) -> Result<(), No> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let known = ["service", "timer", "socket", "target", "path", "mount", "slice"];
    let kind = unit.rsplit_once('.').map(|(_, kind)| kind);
    if unit.is_empty()
        || unit.len() > 255
        || !unit.chars().all(plain)
        || !kind.is_some_and(|kind| known.contains(&kind))
    {
        return Err(person(format!("{unit:?} is not the name of a unit")));
    }
    match unit.contains("@.") {
        true => Err(person(format!("{unit} is a template, which serves every instance"))),
        false => Ok(()),
    }
}

/// A line of a unit is edited only in a file of /etc that serves this unit alone and that no package owns.
pub(super) fn unit_line(system: &dyn System, hand: &dyn Hand, unit: &str, path: &str) -> Result<(), No> {
    unit_name(unit)?;
    let own = [format!("/etc/systemd/system/{unit}"), format!("/etc/systemd/system/{unit}.d/")];
    if path != own[0] && !path.starts_with(&own[1]) {
        return Err(person(format!("{path} is not a file of {unit} alone")));
    }
    match package_of(system, hand, path)? {
        Some(package) => Err(person(format!("{path} belongs to the package {package}"))),
        None => Ok(()),
    }
}

/// The package that owns a file of /etc; `None` where none does.
fn package_of(system: &dyn System, hand: &dyn Hand, path: &str) -> Result<Option<String>, No> {
    const DPKG: &str = "/var/lib/dpkg/info";
    let unreadable = |what: &str, why: &str| {
        person(format!("{what} cannot be read ({why}), so the owner of {path} is unknown"))
    };
    match system.list(DPKG) {
        Observed::Found(names) => {
            for name in names.iter().filter(|name| name.ends_with(".conffiles")) {
                match system.read(&format!("{DPKG}/{name}"), READ_LIMIT) {
                    Observed::Found(bytes)
                        if String::from_utf8_lossy(&bytes).lines().any(|line| line.trim() == path) =>
                    {
                        return Ok(name.strip_suffix(".conffiles").map(str::to_owned));
                    }
                    Observed::Unreadable(why) => return Err(unreadable(name, &why)),
                    _ => {}
                }
            }
            return Ok(None);
        }
        Observed::Unreadable(why) => return Err(unreadable(DPKG, &why)),
        Observed::Absent => {}
    }
    for (program, ask, none) in OTHER_PACKAGERS {
        if !matches!(system.node(program), Observed::Found(_)) {
            continue;
        }
        // It would answer for the host that it runs on.
        if system.ask().is_none() {
            return Err(unreadable(program, "a disk is looked at, and no program of it is run"));
        }
        let ended = hand
            .run(&Call::new(&[program, ask, path], 30), &mut |_| {})
            .map_err(|error| person(format!("{program}: {error}")))?;
        return match ended.code {
            Some(0) => Ok(Some(ended.said.trim().to_owned())),
            // It ends like that with a database that it cannot read, too.
            Some(1) if ended.said.contains(none) => Ok(None),
            _ => Err(unreadable(program, ended.said.trim())),
        };
    }
    Ok(None)
}

/// Programs that know whose a file is where there is no dpkg, how they are asked, and what they say where it is no
/// package's: rpm(8) 4.18, pacman(8).
const OTHER_PACKAGERS: [(&str, &str, &str); 2] =
    [("/usr/bin/rpm", "-qf", "is not owned by any package"), ("/usr/bin/pacman", "-Qoq", "No package owns")];

/// An env file changes only where one unit reads it, or where golden wrote it.
pub(super) fn env_file(system: &dyn System, path: &str, known: &EnvFiles) -> Result<(), No> {
    if known.ours.contains(path) {
        return Ok(());
    }
    let mut readers = readers(system, path)?;
    readers.extend(known.readers.get(path).into_iter().flatten().cloned());
    match readers.len() {
        0 | 1 => Ok(()),
        _ => {
            let names: Vec<String> = readers.into_iter().collect();
            Err(person(format!("{path} is read by {}, and golden did not write it", names.join(", "))))
        }
    }
}

/// Units whose files name an env file. A drop-in of a type or a prefix counts as a reader of its own.
fn readers(system: &dyn System, path: &str) -> Result<BTreeSet<String>, No> {
    let mut found = BTreeSet::new();
    let file = EnvFile::of(system, path);
    for directory in UNIT_DIRECTORIES {
        for entry in list(system, directory)? {
            let place = format!("{directory}/{entry}");
            match entry.strip_suffix(".d") {
                Some(unit) => {
                    for name in list(system, &place)? {
                        found.extend(file.readers(&format!("{place}/{name}"), unit));
                    }
                }
                None => found.extend(file.readers(&place, &entry)),
            }
        }
    }
    Ok(found)
}

fn list(system: &dyn System, directory: &str) -> Result<Vec<String>, No> {
    match system.list(directory) {
        Observed::Found(names) => Ok(names),
        Observed::Absent => Ok(Vec::new()),
        // A file or a link among directories has no entries.
        Observed::Unreadable(_) => Ok(Vec::new()),
    }
}

/// An env file, as units may name it.
struct EnvFile<'a> {
    system: &'a dyn System,
    path: &'a str,
    /// Where it really lies.
    real: String,
}

impl<'a> EnvFile<'a> {
    fn of(system: &'a dyn System, path: &'a str) -> Self {
        Self { system, path, real: real(system, path) }
    }

    /// The units that read it by this unit file or drop-in of `unit`.
    fn readers(&self, file: &str, unit: &str) -> Vec<String> {
        let Observed::Found(bytes) = self.system.read(file, READ_LIMIT) else { return Vec::new() };
        let text = String::from_utf8_lossy(&bytes).replace("\\\n", " ");
        let values = text.lines().filter_map(|line| {
            let rest = line.trim_start().strip_prefix("EnvironmentFile")?;
            rest.trim_start().strip_prefix('=').map(str::trim)
        });
        values.filter_map(|value| self.reader(value, unit)).collect()
    }

    /// The unit that reads it by a value of `EnvironmentFile=`: a path, perhaps with `-` before it, in quotes, with
    /// specifiers, or a pattern (systemd.exec(5)).
    fn reader(&self, value: &str, unit: &str) -> Option<String> {
        let value = value.trim_matches(['"', '\'']).trim_start_matches('-').trim();
        if let Some(instance) = self.instance(value, unit) {
            return Some(unit.replacen('@', &format!("@{instance}"), 1));
        }
        let pattern = pattern(value);
        let is_it = match pattern.contains(['*', '?', '[']) {
            true => glob::matches(&pattern, self.path) || glob::matches(&pattern, &self.real),
            false => pattern == self.path || real(self.system, &pattern) == self.real,
        };
        is_it.then(|| unit.to_owned())
    }

    /// The instance of a template that reads it, where `%i` alone tells one from the other.
    fn instance(&self, value: &str, unit: &str) -> Option<&'a str> {
        let (before, after) = value.split_once("%i").or_else(|| value.split_once("%I"))?;
        if !unit.contains("@.") || before.contains('%') || after.contains('%') {
            return None;
        }
        let instance = self.path.strip_prefix(before)?.strip_suffix(after)?;
        (!instance.is_empty() && !instance.contains('/')).then_some(instance)
    }
}

/// Where a path leads, links followed; itself where it leads nowhere.
fn real(system: &dyn System, path: &str) -> String {
    Walker::new(system).lookup(path).real().unwrap_or(path).to_owned()
}

/// A value with its specifiers replaced: directories of the system manager by their paths, all that depends on the unit
/// or the host by a star.
fn pattern(value: &str) -> String {
    let mut text = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('%') | None => text.push('%'),
            Some('E') => text.push_str("/etc"),
            Some('t') => text.push_str("/run"),
            Some('S') => text.push_str("/var/lib"),
            Some('C') => text.push_str("/var/cache"),
            Some('L') => text.push_str("/var/log"),
            Some('h') => text.push_str("/root"),
            Some(_) => text.push('*'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_host_has_is_not_the_contracts() {
        for path in [
            "/",
            "/root",
            "/var/lib/private",
            "/var/lib/private/x",
            "/usr/bin/x",
            "/etc/../root",
            "relative",
            "/a//b",
            "/etc/ssl/private",
        ] {
            assert!(ordinary(path).is_err(), "{path}");
        }
        for path in ["/etc/quantum", "/opt/quantum/data", "/root/x", "/home/qt/repo", "/usrlocal"] {
            assert_eq!(ordinary(path), Ok(()), "{path}");
        }
        assert!(in_etc("/opt/x").is_err());
    }

    #[test]
    fn a_template_serves_every_instance() {
        assert!(
            unit_name("w@.service").is_err() && unit_name("../x.service").is_err() && unit_name("x").is_err()
        );
        assert_eq!(unit_name("w@q1.service"), Ok(()));
        assert_eq!(unit_name("dev-sda\\x2d1.mount"), Ok(()));
    }

    #[test]
    fn where_a_disk_is_not_mounted_nothing_is_changed() {
        let system = crate::system::MemorySystem::from_manifest(
            "file /etc/fstab root:root 0644\n| # UUID=1 /old ext4\n| UUID=1 / ext4\n| UUID=2 /srv/my\\040data ext4\n\
             | UUID=3 /srv/up ext4\n| UUID=4 none swap\n\
             file /etc/systemd/system/srv-nas.mount root:root 0644\n| [Mount]\n| Where=/srv/nas\n\
             file /usr/local/lib/systemd/system/srv-far.mount root:root 0644\n| [Mount]\n| Where=/srv/far\n\
             dir /srv/up root:root 0755\nfile-system /srv/up ext4\n",
        )
        .unwrap();
        let points = unmounted(&system, ["/srv/asked"].into_iter());
        assert_eq!(points.points, ["/srv/asked", "/srv/far", "/srv/my data", "/srv/nas"]);
        assert!(mounted("/srv/nas/app", &points).is_err() && mounted("/srv/nas", &points).is_err());
        assert!(mounted("/srv/nas-2", &points).is_ok() && mounted("/srv/up", &points).is_ok());
        let unread = "unreadable /etc/fstab no permission\n";
        let system = crate::system::MemorySystem::from_manifest(unread).unwrap();
        let points = unmounted(&system, std::iter::empty());
        assert!(mounted("/srv/any", &points).is_err() && mounted("/etc/app", &points).is_ok());
    }

    #[test]
    fn an_env_file_is_read_by_whatever_way_a_unit_names_it() {
        let text = |value: &str| format!("[Service]\nEnvironmentFile={value}\n");
        let names = |values: &[(&str, &str)]| {
            let mut manifest =
                "file /etc/app/a.env root:root 0640\n| A=1\nlink /etc/other -> /etc/app\n".to_owned();
            for (file, value) in values {
                manifest.push_str(&format!("file /etc/systemd/system/{file} root:root 0644\n"));
                text(value).lines().for_each(|line| manifest.push_str(&format!("| {line}\n")));
            }
            let system = crate::system::MemorySystem::from_manifest(&manifest).unwrap();
            readers(&system, "/etc/app/a.env").unwrap().into_iter().collect::<Vec<String>>()
        };
        for value in [
            "/etc/app/a.env",
            "-/etc/app/*.env",
            "\"/etc/app/a.env\"",
            "%E/app/a.env",
            "/etc/other/a.env",
            "/etc/%p/a.env",
        ] {
            assert_eq!(names(&[("x.service", value)]), ["x.service"], "{value}");
        }
        for value in ["/etc/app/b.env", "/etc/app/b*.env", "%t/app/a.env", "/etc/a.env"] {
            assert!(names(&[("x.service", value)]).is_empty(), "{value}");
        }
        assert_eq!(names(&[("w@.service", "/etc/app/%i.env")]), ["w@a.service"]);
        assert_eq!(names(&[("w@.service", "/etc/app/a.env")]), ["w@.service"]);
        assert_eq!(names(&[("service.d/x.conf", "-/etc/app/a.env")]), ["service"]);
    }

    #[test]
    fn a_packager_that_does_not_know_is_not_one_that_says_no() {
        use crate::system::MemorySystem;
        use crate::system::hand::MemoryHand;
        let files = "file /usr/bin/rpm root:root 0755\n";
        let running = format!("{files}unit a.service LoadState=loaded\n");
        let system = MemorySystem::from_manifest(&running).unwrap();
        let path = "/etc/systemd/system/a.service";
        let asked = |code: i32, said: &str| {
            let mut hand = MemoryHand::default();
            hand.ends.insert(format!("/usr/bin/rpm -qf {path}"), code);
            hand.says.insert(path.to_owned(), said.to_owned());
            unit_line(&system, &hand, "a.service", path).map_err(|no| format!("{no:?}"))
        };
        assert_eq!(asked(1, "file /etc/systemd/system/a.service is not owned by any package\n"), Ok(()));
        assert!(asked(0, "a-1-1.noarch\n").unwrap_err().contains("belongs to the package a-1-1.noarch"));
        let broken = asked(1, "error: cannot open Packages database in /var/lib/rpm\n").unwrap_err();
        assert!(broken.contains("cannot open Packages database"), "{broken}");
        // A program of this host would answer for this host.
        let disk = MemorySystem::from_manifest(files).unwrap();
        let unasked = unit_line(&disk, &MemoryHand::default(), "a.service", path);
        assert!(format!("{unasked:?}").contains("no program of it is run"), "{unasked:?}");
    }
}
