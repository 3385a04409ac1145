//! Which settings a systemd version knows, from its own `--dump-configuration-items`.
//!
//! The tables are that output of systemd 252 and 257, committed as it is.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::version::{Around, MEASURED, OfEach, SystemdVersion};

/// A section or setting that some version knows. Names are shared: they point into the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(&'static str);

impl Name {
    /// The name's text.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        name(&text).ok_or_else(|| serde::de::Error::custom(format!("no systemd setting is called {text:?}")))
    }
}

/// What a version makes of a section and a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// A setting, under its modern section and name, with the type that systemd prints for it.
    Setting {
        /// The section it counts for.
        section: Name,
        /// Its modern name.
        key: Name,
        /// `BOOLEAN`, `SECONDS`, `UNIT [...]` …
        kind: &'static str,
    },
    /// A setting of another section of this unit type.
    WrongSection(Name),
    /// No setting of this version.
    Unknown,
    /// A setting of only one of the measured versions between which this one lies: it may know it or not.
    Unmeasured {
        /// The section it would count for.
        section: Name,
        /// Its name.
        key: Name,
        /// The measured versions, the older one first.
        between: (SystemdVersion, SystemdVersion),
    },
    /// No setting of the measured version that is nearest to this one, which lies beyond all of them: it may know it.
    Beyond {
        /// The oldest or the newest measured version.
        nearest: SystemdVersion,
    },
    /// The section is unknown to this unit type.
    UnknownSection,
    /// `X-…`: for others; passed over in silence.
    Private,
}

/// Settings that have moved or been renamed and that systemd still reads: old section and key, new ones.
const MOVED: &[(&str, &str, &str, &str)] = &[
    ("Unit", "StartLimitInterval", "Unit", "StartLimitIntervalSec"),
    ("Service", "StartLimitInterval", "Unit", "StartLimitIntervalSec"),
    ("Service", "StartLimitBurst", "Unit", "StartLimitBurst"),
    ("Service", "StartLimitAction", "Unit", "StartLimitAction"),
    ("Service", "FailureAction", "Unit", "FailureAction"),
    ("Service", "RebootArgument", "Unit", "RebootArgument"),
    ("Unit", "BindTo", "Unit", "BindsTo"),
    ("Unit", "PropagateReloadTo", "Unit", "PropagatesReloadTo"),
    ("Unit", "PropagateReloadFrom", "Unit", "ReloadPropagatedFrom"),
    ("Unit", "OnFailureIsolate", "Unit", "OnFailureJobMode"),
    ("Service", "ReadWriteDirectories", "Service", "ReadWritePaths"),
    ("Service", "ReadOnlyDirectories", "Service", "ReadOnlyPaths"),
    ("Service", "InaccessibleDirectories", "Service", "InaccessiblePaths"),
];

struct Table {
    version: SystemdVersion,
    text: &'static str,
    sections: OnceLock<Vec<Section>>,
}

/// Section, key and type, as they stand in the table.
type Place = (Name, Name, &'static str);

/// One section of a table. Most of a dozen are never asked for, so each is read when it is.
struct Section {
    name: Name,
    text: &'static str,
    keys: OnceLock<HashMap<&'static str, &'static str>>,
}

impl Section {
    fn read(&self) -> HashMap<&'static str, &'static str> {
        let mut keys = HashMap::with_capacity(self.text.lines().count());
        keys.extend(self.text.lines().filter_map(|line| line.split_once('=')));
        keys
    }

    fn place(&self, key: &str) -> Option<Place> {
        let (key, kind) = self.keys.get_or_init(|| self.read()).get_key_value(key)?;
        Some((self.name, Name(key), kind))
    }
}

static TABLES: OfEach<Table> = [
    Table::new(0, include_str!("known/systemd-247.txt")),
    Table::new(1, include_str!("known/systemd-252.txt")),
    Table::new(2, include_str!("known/systemd-254.txt")),
    Table::new(3, include_str!("known/systemd-257.txt")),
    Table::new(4, include_str!("known/systemd-262.txt")),
];

impl Table {
    const fn new(place: usize, text: &'static str) -> Self {
        Self { version: MEASURED[place], text, sections: OnceLock::new() }
    }

    fn sections(&self) -> &[Section] {
        self.sections.get_or_init(|| {
            let sections = self.text.split("\n[").filter_map(|section| section.split_once("]\n"));
            let section = |(name, text): (&'static str, &'static str)| Section {
                name: Name(name.strip_prefix('[').unwrap_or(name)),
                text,
                keys: OnceLock::new(),
            };
            sections.map(section).collect()
        })
    }

    fn place(&self, section: &str, key: &str) -> Option<Place> {
        self.sections().iter().find(|known| known.name.0 == section)?.place(key)
    }

    /// The shared text of a section's or a setting's name.
    fn name(&self, text: &str) -> Option<Name> {
        let sections = self.sections();
        let of_section = sections.iter().map(|section| section.name).find(|name| name.0 == text);
        of_section.or_else(|| sections.iter().find_map(|section| section.place(text).map(|(_, key, _)| key)))
    }
}

/// The section of a unit type that carries its own settings: `service` → `Service`.
fn own_section(unit_type: &str) -> Option<&'static str> {
    const SECTIONS: &[(&str, &str)] = &[
        ("service", "Service"),
        ("socket", "Socket"),
        ("mount", "Mount"),
        ("automount", "Automount"),
        ("swap", "Swap"),
        ("timer", "Timer"),
        ("path", "Path"),
        ("slice", "Slice"),
        ("scope", "Scope"),
    ];
    SECTIONS.iter().find(|(kind, _)| *kind == unit_type).map(|(_, section)| *section)
}

/// What `version` makes of an assignment in a unit of the type.
pub fn look(version: SystemdVersion, unit_type: &str, section: &str, key: &str) -> Known {
    if section.starts_with("X-") || key.starts_with("X-") {
        return Known::Private;
    }
    let sections = [Some("Unit"), own_section(unit_type), Some("Install")];
    let mut sections = sections.into_iter().flatten();
    if !sections.clone().any(|known| known == section) {
        return Known::UnknownSection;
    }
    let around = version.around(&TABLES);
    // Between two measured versions, what only one of them knows may have come or gone in either half.
    if let Around::Between(older, newer) = around
        && let (Some((section, key, _)), None) | (None, Some((section, key, _))) =
            (older.place(section, key), newer.place(section, key))
    {
        return Known::Unmeasured { section, key, between: (older.version, newer.version) };
    }
    let table = around.nearest();
    if let Some((section, key, kind)) = table.place(section, key) {
        let moved = MOVED.iter().find(|(from, old, ..)| *from == section.0 && *old == key.0);
        let target = moved.and_then(|(.., to, new)| table.place(to, new));
        let (section, key, kind) = target.unwrap_or((section, key, kind));
        return Known::Setting { section, key, kind };
    }
    match (sections.find_map(|other| table.place(other, key)), around) {
        (Some((other, ..)), _) => Known::WrongSection(other),
        (None, Around::Before(_) | Around::After(_)) => Known::Beyond { nearest: table.version },
        (None, Around::Measured(_) | Around::Between(..)) => Known::Unknown,
    }
}

/// The versions whose settings are known here, oldest first.
pub fn versions() -> impl Iterator<Item = SystemdVersion> + Clone {
    MEASURED.into_iter()
}

/// The shared name of a setting, if any version knows it.
pub fn name(text: &str) -> Option<Name> {
    TABLES.iter().rev().find_map(|table| table.name(text))
}

/// The type that systemd prints for a setting of any unit type, by the newest version.
pub fn kind(section: &str, key: &str) -> Option<&'static str> {
    TABLES.iter().rev().find_map(|table| table.place(section, key).map(|(.., kind)| kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V252: SystemdVersion = SystemdVersion(252);

    #[test]
    fn between_two_measured_versions_what_only_one_knows_is_not_decided() {
        let look_at = |version, key: &str| look(SystemdVersion(version), "service", "Service", key);
        assert!(matches!(look_at(253, "RestartSteps"), Known::Unmeasured { .. }));
        assert!(matches!(look_at(255, "RestartSteps"), Known::Setting { .. }));
        assert!(matches!(look_at(255, "CoredumpReceive"), Known::Unmeasured { .. }));
        assert!(matches!(look_at(260, "BlockIOWeight"), Known::Unmeasured { .. }), "gone in 262");
        assert!(matches!(look_at(255, "Restart"), Known::Setting { .. }));
        assert_eq!(look_at(255, "Usr"), Known::Unknown);
        assert_eq!(look(V252, "service", "Service", "RestartSteps"), Known::Unknown);
    }

    #[test]
    fn a_systemd_beyond_the_measured_ones_may_know_a_setting_that_they_do_not() {
        let newer = |key: &str| look(SystemdVersion(264), "service", "Service", key);
        assert_eq!(newer("FancyNewThing"), Known::Beyond { nearest: SystemdVersion::NEWEST });
        assert!(matches!(newer("Restart"), Known::Setting { .. }));
        assert!(matches!(newer("StartLimitIntervalSec"), Known::WrongSection(_)));
        let older = |key: &str| look(SystemdVersion(245), "service", "Service", key);
        assert_eq!(older("ExitType"), Known::Beyond { nearest: SystemdVersion::OLDEST });
        assert_eq!(look(SystemdVersion::NEWEST, "service", "Service", "FancyNewThing"), Known::Unknown);
    }

    #[test]
    fn settings_are_found_in_their_section_and_under_their_modern_name() {
        let Known::Setting { section, key, kind } = look(V252, "service", "Service", "StartLimitInterval")
        else {
            panic!("unknown")
        };
        assert_eq!((section.as_str(), key.as_str(), kind), ("Unit", "StartLimitIntervalSec", "SECONDS"));
        assert!(
            matches!(look(V252, "service", "Service", "StartLimitIntervalSec"), Known::WrongSection(name) if &*name == "Unit")
        );
        assert!(
            matches!(look(V252, "service", "Install", "User"), Known::WrongSection(name) if &*name == "Service")
        );
        assert_eq!(look(V252, "service", "Service", "Usr"), Known::Unknown);
        assert_eq!(look(V252, "service", "service", "User"), Known::UnknownSection);
        assert_eq!(look(V252, "service", "Timer", "OnCalendar"), Known::UnknownSection);
        assert_eq!(look(V252, "service", "Service", "X-Foo"), Known::Private);
    }

    #[test]
    fn versions_know_different_settings() {
        assert_eq!(look(V252, "service", "Service", "RestartSteps"), Known::Unknown);
        assert!(matches!(
            look(SystemdVersion(257), "service", "Service", "RestartSteps"),
            Known::Setting { .. }
        ));
        assert!(matches!(
            look(SystemdVersion(300), "service", "Service", "RestartSteps"),
            Known::Setting { .. }
        ));
    }
}
