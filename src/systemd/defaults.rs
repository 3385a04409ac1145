//! What systemd has for a setting that a unit does not state, as a booted systemd answered for a bare unit
//! (`tools/measure-defaults`, one table a version).
//!
//! What depends on the host, its kernel or its limits stands in no table: nobody knows it from a disk.
//!
//! The table takes in nothing that system.conf or the unit's other settings move; `rules::defaults` adds them. For a
//! version between the tables or above them, a default on which they differ, or that they do not have, is undecided.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::version::{Around, MEASURED, OfEach, SystemdVersion};

struct Table {
    version: SystemdVersion,
    text: &'static str,
    values: OnceLock<HashMap<(&'static str, &'static str), &'static str>>,
}

static TABLES: OfEach<Table> = [
    Table::new(0, include_str!("defaults/systemd-247.txt")),
    Table::new(1, include_str!("defaults/systemd-252.txt")),
    Table::new(2, include_str!("defaults/systemd-254.txt")),
    Table::new(3, include_str!("defaults/systemd-257.txt")),
    Table::new(4, include_str!("defaults/systemd-262.txt")),
];

impl Table {
    const fn new(place: usize, text: &'static str) -> Self {
        Self { version: MEASURED[place], text, values: OnceLock::new() }
    }

    fn get(&self, section: &str, key: &str) -> Option<&'static str> {
        let read = || {
            let mut section = "";
            let mut values = HashMap::new();
            for line in self.text.lines() {
                if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                    section = name;
                } else if let Some((key, value)) = line.split_once('=') {
                    values.insert((section, key), value);
                }
            }
            values
        };
        self.values.get_or_init(read).get(&(section, key)).copied()
    }
}

/// The default of a setting, written as `systemctl show` prints it, or why it is not known. An empty text is a
/// setting that has no value.
pub fn of(version: SystemdVersion, section: &str, key: &str) -> Result<&'static str, String> {
    if section == "Install" {
        return Ok("");
    }
    let (older, newer) = match version.around(&TABLES) {
        Around::Measured(here) => (here, here),
        Around::Between(older, newer) => (older, newer),
        Around::Before(_) | Around::After(_) => {
            return Err(format!("it was not measured what systemd {version} has for {key}= by default"));
        }
    };
    match (older.get(section, key), newer.get(section, key)) {
        (Some(one), Some(other)) if one == other => Ok(one),
        (None, None) => {
            Err(format!("what systemd has for {key}= by default depends on the host or on other units"))
        }
        _ => Err(format!(
            "systemd {} and {} differ in the default of {key}=, and {version} lies between them",
            older.version, newer.version
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systemd::known;

    #[test]
    fn each_version_has_at_least_sixty_settings_and_all_of_them_are_known() {
        for table in &TABLES {
            for (section, unit_type, least) in [
                ("Unit", "service", 20),
                ("Service", "service", 60),
                ("Socket", "socket", 30),
                ("Timer", "timer", 6),
            ] {
                let mut inside =
                    table.text.lines().skip_while(|line| *line != format!("[{section}]")).skip(1);
                let keys: Vec<&str> = inside
                    .by_ref()
                    .take_while(|line| !line.starts_with('['))
                    .filter_map(|line| Some(line.split_once('=')?.0))
                    .collect();
                assert!(keys.len() >= least, "{section}: {}", keys.len());
                for key in keys {
                    let known = known::look(table.version, unit_type, section, key);
                    assert!(matches!(known, known::Known::Setting { .. }), "{section} {key}: {known:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_measured_is_not_known() {
        let v = SystemdVersion;
        assert_eq!(of(v(252), "Service", "PrivateTmp"), Ok("no"));
        assert_eq!(of(v(255), "Service", "PrivateTmp"), Ok("no"));
        assert_eq!(of(v(257), "Service", "RestartMode"), Ok("normal"));
        assert_eq!(of(v(257), "Timer", "AccuracySec"), Ok("1min"));
        assert_eq!(of(v(255), "Service", "RestartMode"), Ok("normal"));
        assert!(of(v(253), "Service", "RestartMode").is_err(), "only one of the tables knows it");
        assert!(of(v(252), "Service", "RestartMode").is_err());
        assert!(of(v(246), "Service", "PrivateTmp").is_err());
        assert!(of(v(300), "Service", "PrivateTmp").is_err());
        assert!(of(v(257), "Service", "TasksMax").is_err(), "as many as the host allows");
        assert!(of(v(257), "Unit", "After").is_err(), "systemd adds its own");
    }
}
