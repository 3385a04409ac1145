//! Configuration files of systemd's own daemons: a main file and drop-ins over four directories
//! (systemd-system.conf(5), journald.conf(5), *Configuration Directories and Precedence*).

use std::collections::BTreeMap;

use super::{Pad, Worker};
use crate::facts::ManagerSettings;
use crate::model::{Location, Observed};
use crate::syntax::unit_file;

/// Where such a file is looked for, the first wins.
const DIRECTORIES: &[&str] = &["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];

/// The last assignment of each setting of a section. An empty one takes a setting back.
pub(super) fn settings(
    worker: &Worker<'_>,
    pad: &mut Pad,
    name: &str,
    section: &str,
) -> Observed<ManagerSettings> {
    assignments(worker, pad, name, section).map(|all| {
        let mut settings = ManagerSettings::new();
        for (key, value, at) in all {
            match value.is_empty() {
                true => drop(settings.remove(&key)),
                false => drop(settings.insert(key, (value, at))),
            }
        }
        settings
    })
}

/// An assignment: setting, value and place.
pub(super) type Assignment = (String, String, Location);

/// Every assignment of a section, in the order in which systemd reads them.
pub(super) fn assignments(
    worker: &Worker<'_>,
    pad: &mut Pad,
    name: &str,
    section: &str,
) -> Observed<Vec<Assignment>> {
    let files = match files(worker, pad, name) {
        Ok(files) => files,
        Err(why) => return Observed::Unreadable(why),
    };
    let mut all = Vec::new();
    for path in files {
        match worker.read(pad.look(worker, &path)) {
            Observed::Found(bytes) => {
                // systemd reads them with the reader of its units.
                let read = unit_file::parse(&path.as_str().into(), &bytes);
                for entry in read.entries.into_iter().filter(|entry| *entry.section == *section) {
                    let at = Location::line(path.as_str(), entry.line);
                    all.push((entry.key, entry.value, at));
                }
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => return Observed::Unreadable(format!("{path}: {why}")),
        }
    }
    Observed::Found(all)
}

/// The main file and the drop-ins that count, in the order in which they are read.
fn files(worker: &Worker<'_>, pad: &mut Pad, name: &str) -> Result<Vec<String>, String> {
    let mut files: Vec<String> = Vec::new();
    for directory in DIRECTORIES {
        let path = format!("{directory}/{name}");
        if !matches!(worker.read(pad.look(worker, &path)), Observed::Absent) {
            files.push(path);
            break;
        }
    }
    // A drop-in hides those of its name in later directories; all are read in the order of their names.
    let mut drop_ins: BTreeMap<String, String> = BTreeMap::new();
    for directory in DIRECTORIES {
        let directory = format!("{directory}/{name}.d");
        match pad.list(worker, &directory) {
            Observed::Found(names) => {
                for name in names.into_iter().filter(|name| name.ends_with(".conf")) {
                    let path = format!("{directory}/{name}");
                    drop_ins.entry(name).or_insert(path);
                }
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => return Err(format!("{directory}: {why}")),
        }
    }
    files.extend(drop_ins.into_values());
    Ok(files)
}
