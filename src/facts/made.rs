//! What is there when a unit starts although nobody has put it there: the directories that systemd makes for it
//! (systemd.exec(5), `RuntimeDirectory=` and its kin), and what systemd-tmpfiles makes at boot.
//!
//! A path that is made by something that golden did not read is *undecided*.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::generators::Generators;
use super::start::{lies_under, simplified};
use crate::model::{Location, Meta, NodeKind, Undecided};
use crate::syntax::glob;
use crate::systemd::effective::{EffectiveUnit, Setting};

/// What makes things on a disk before any service of it starts. Nothing of it is looked at on a running host, where what
/// will be made is there already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeFacts {
    /// What systemd-tmpfiles makes at boot.
    pub at_boot: Making,
    /// What systemd-tmpfiles gives to others of what is there, in the order in which it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Given>,
    /// Why not all lines of tmpfiles.d are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// Lines of tmpfiles.d that may make what begins with a path: where they stand, and what they depend on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsure: Vec<(Arc<str>, Location, String)>,
    /// What lies in /run on the disk although a boot begins with an empty one: something made it while the host ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_in_run: Vec<Arc<str>>,
    /// What fstab(5) says of other file systems.
    #[serde(flatten)]
    pub mounts: MountFacts,
    /// Generators of units that systemd does not bring itself.
    #[serde(default, skip_serializing_if = "Generators::is_empty")]
    pub generators: Generators,
    /// Names that scripts of /etc/init.d provide beside their own, with the scripts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub provided: BTreeMap<Arc<str>, Arc<str>>,
    /// A script of /etc/init.d, or their directory, that could not be read, so that it may provide any name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scripts_unread: Option<Arc<str>>,
}

/// Where other file systems are mounted beside the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountFacts {
    /// At boot, with the line that does it: what lies on them is not on this disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<(Arc<str>, Location)>,
    /// The same of those that wait for a unit that asks for them (`noauto`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_demand: Vec<(Arc<str>, Location)>,
    /// The lines that mount something on which nothing may be executed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noexec: Vec<Location>,
    /// The lines whose file system is mounted now, below the root that was looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub present: Vec<Location>,
    /// Why none of this is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mounts_unread: Option<String>,
}

impl MountFacts {
    /// The nearest file system that a boot mounts at or above a path.
    pub fn over(&self, path: &str) -> Option<(&str, &Location)> {
        let above = self.mounts.iter().filter(|(place, _)| lies_under(path, place));
        above.max_by_key(|(place, _)| place.len()).map(|(place, at)| (&**place, at))
    }

    /// The same where it is not mounted now, so that what lies there is not known.
    pub fn hides(&self, path: &str) -> Option<(&str, &Location)> {
        self.over(path).filter(|(_, at)| !self.present.contains(at))
    }

    /// What is known of it at all.
    pub fn known(&self) -> Result<&Self, Undecided> {
        match &self.mounts_unread {
            Some(why) => Err(Undecided::new(format!("it is not known what a boot mounts: {why}"))),
            None => Ok(self),
        }
    }
}

/// One thing that is made at boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtBoot {
    /// Its path.
    pub path: Arc<str>,
    /// What it is.
    pub kind: MadeKind,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
    /// What is written into it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size: u64,
    /// That is written even where there is a file already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
    /// The line that makes it.
    pub at: Location,
}

/// What a boot makes of the owner and the mode of something that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Its path, or a pattern for glob(3).
    pub path: Arc<str>,
    /// All below it, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tree: bool,
    /// Its owner, where that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its group, where that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// Its permission bits, where those change. Below a tree a bit to execute holds for directories and for what has one
    /// already (tmpfiles.d(5), `Z`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

impl Given {
    /// What becomes of a node at a path; links keep what they have.
    pub fn of(&self, path: &str, meta: Meta) -> Meta {
        let is_it = *self.path == *path
            || self.path.contains(['*', '?', '[']) && glob::matches(&self.path, path)
            || self.tree && lies_under(path, &self.path);
        if !is_it || meta.kind == NodeKind::Link {
            return meta;
        }
        let is_program = meta.kind == NodeKind::Directory || meta.mode & 0o111 != 0 || !self.tree;
        let mode = self.mode.map(|mode| if is_program { mode } else { mode & !0o111 });
        Meta {
            uid: self.uid.unwrap_or(meta.uid),
            gid: self.gid.unwrap_or(meta.gid),
            mode: mode.unwrap_or(meta.mode),
            ..meta
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(size: &u64) -> bool {
    *size == 0
}

/// Things that are made, by their paths; of two with one path the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<AtBoot>", into = "Vec<AtBoot>")]
pub struct Making(BTreeMap<Arc<str>, AtBoot>);

impl Making {
    /// Adds one more.
    pub fn add(&mut self, made: AtBoot) {
        self.0.entry(made.path.clone()).or_insert(made);
    }

    /// Adds what there is to add.
    pub fn extend(&mut self, all: impl IntoIterator<Item = AtBoot>) {
        all.into_iter().for_each(|made| self.add(made));
    }

    /// What is made at a path.
    pub fn at(&self, path: &str) -> Option<&AtBoot> {
        self.0.get(path)
    }

    /// What is made below a directory.
    pub fn below(&self, directory: &str) -> impl Iterator<Item = &AtBoot> {
        let from = format!("{}/", directory.trim_end_matches('/'));
        let all = self.0.range::<str, _>((Bound::Included(from.as_str()), Bound::Unbounded));
        all.map(|(_, made)| made).take_while(move |made| made.path.starts_with(&from))
    }

    /// Whether a path is there when all is made: itself, or as a directory above something.
    pub fn makes(&self, path: &str) -> bool {
        self.0.contains_key(path) || self.below(path).next().is_some()
    }
}

impl From<Vec<AtBoot>> for Making {
    fn from(all: Vec<AtBoot>) -> Self {
        let mut making = Self::default();
        all.into_iter().for_each(|made| making.add(made));
        making
    }
}

impl From<Making> for Vec<AtBoot> {
    fn from(making: Making) -> Self {
        making.0.into_values().collect()
    }
}

impl FromIterator<AtBoot> for Making {
    fn from_iter<I: IntoIterator<Item = AtBoot>>(all: I) -> Self {
        all.into_iter().collect::<Vec<AtBoot>>().into()
    }
}

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MadeKind {
    /// A directory.
    Directory,
    /// A file.
    File,
    /// A link, a FIFO, a device, or a copy of something.
    Other,
}

/// A directory that systemd makes for a unit each time it starts.
#[derive(Clone, Debug)]
pub struct OwnDirectory<'a> {
    /// Its path.
    pub path: String,
    /// A link to it that systemd makes, too.
    pub link: Option<String>,
    /// Where it really lies for a unit with a dynamic user, below a directory that nobody else may enter.
    pub private: Option<String>,
    /// It belongs to root, not to the user of the unit: a `ConfigurationDirectory=`.
    pub is_roots: bool,
    /// Permission bits.
    pub mode: u32,
    /// The line that says so.
    pub setting: &'a Setting,
}

/// The settings with the directory in which each makes its own, and the setting of their mode.
const DIRECTORIES: [(&str, &str, &str); 5] = [
    ("RuntimeDirectory", "/run", "RuntimeDirectoryMode"),
    ("StateDirectory", "/var/lib", "StateDirectoryMode"),
    ("CacheDirectory", "/var/cache", "CacheDirectoryMode"),
    ("LogsDirectory", "/var/log", "LogsDirectoryMode"),
    ("ConfigurationDirectory", "/etc", "ConfigurationDirectoryMode"),
];

/// Those of a dynamic user that lie below a directory `private` (systemd.exec(5), `DynamicUser=`).
const PRIVATE: [&str; 3] = ["StateDirectory", "CacheDirectory", "LogsDirectory"];

/// The directories that systemd makes for a unit.
pub fn own_directories(unit: &EffectiveUnit) -> Vec<OwnDirectory<'_>> {
    let mut all = Vec::new();
    for (key, below, mode) in DIRECTORIES {
        let stated = unit.scalar("Service", mode).and_then(|mode| u32::from_str_radix(mode.value(), 8).ok());
        for (word, setting) in unit.words("Service", key) {
            // Measured: 247 knows no link, and takes the colon for a part of the name.
            let links = unit.version.has(252) != Some(false);
            let mut parts = word.splitn(if links { 3 } else { 1 }, ':');
            let path = |part: &str| simplified(&format!("{below}/{part}"));
            let Some(name) = parts.next().filter(|name| !name.is_empty()) else { continue };
            let has_private = unit.is_dynamic() && PRIVATE.contains(&key);
            all.push(OwnDirectory {
                path: path(name),
                private: has_private.then(|| simplified(&format!("{below}/private/{name}"))),
                link: parts.next().filter(|link| !link.is_empty()).map(path),
                is_roots: key == "ConfigurationDirectory",
                mode: stated.unwrap_or(0o755),
                setting,
            });
        }
    }
    all
}

/// Whether what a unit makes below /run is gone again when it has run (systemd.exec(5), `RuntimeDirectoryPreserve=`).
pub fn leaves_nothing(unit: &EffectiveUnit) -> bool {
    let is =
        |key: &str, value: &str| unit.scalar("Service", key).is_some_and(|setting| setting.value() == value);
    unit.service_type() == "oneshot"
        && !is("RemainAfterExit", "yes")
        && !is("RuntimeDirectoryPreserve", "yes")
}

/// Settings that name units without which a unit does not start (systemd.unit(5)).
pub const REQUIREMENTS: &[&str] = &["Requires", "BindsTo", "Requisite"];

/// Where the package managers of the distributions keep what is installed: dpkg, rpm (three places), pacman.
pub const PACKAGE_LISTS: &[&str] = &[
    "/var/lib/dpkg/status",
    "/var/lib/rpm",
    "/usr/lib/sysimage/rpm",
    "/usr/share/rpm",
    "/var/lib/pacman/local",
];

/// The units that a unit pulls in and waits for, so that what they make is there before it starts.
pub fn before(unit: &EffectiveUnit) -> Vec<String> {
    let words =
        |key: &str| -> Vec<String> { unit.words("Unit", key).into_iter().map(|(word, _)| word).collect() };
    let after = words("After");
    let pulled = ["Requires", "BindsTo", "Wants", "Requisite"].into_iter().flat_map(words);
    let mut all: Vec<String> = pulled.filter(|name| after.contains(name)).collect();
    all.sort();
    all.dedup();
    all
}
