//! The root's own accounts: never the name service of the host that runs golden.

use super::Worker;
use crate::model::{End, Observed};
use crate::syntax::accounts::{Accounts, Sudoers};
use crate::system::{READ_LIMIT, System, Walker};

/// `/etc/passwd` and `/etc/group`.
pub(super) fn accounts(system: &dyn System) -> Observed<Accounts> {
    let passwd = read(system, "/etc/passwd");
    let group = read(system, "/etc/group");
    match (passwd, group) {
        (Observed::Found(passwd), Observed::Found(group)) => Observed::Found(Accounts::parse(&passwd, &group)),
        (Observed::Unreadable(why), _) => Observed::Unreadable(format!("/etc/passwd: {why}")),
        (_, Observed::Unreadable(why)) => Observed::Unreadable(format!("/etc/group: {why}")),
        _ => Observed::Absent,
    }
}

fn read(system: &dyn System, path: &str) -> Observed<Vec<u8>> {
    let lookup = Walker::new(system).lookup(path);
    match (&lookup.end, lookup.real()) {
        (End::Found, Some(real)) => system.read(real, READ_LIMIT),
        (End::Unreadable(_, why), _) => Observed::Unreadable(why.clone()),
        _ => Observed::Absent,
    }
}

/// `/etc/sudoers` and, in its order, the files it includes; sudo reads a directory's files by name and
/// passes over names with a dot or a final tilde (sudoers(5)).
pub(super) fn sudoers(worker: &Worker<'_>) -> Observed<Sudoers> {
    let mut sudoers = Sudoers::default();
    let mut waiting = vec!["/etc/sudoers".to_owned()];
    let mut seen = Vec::new();
    while let Some(path) = waiting.pop() {
        if seen.contains(&path) {
            continue;
        }
        let bytes = match worker.read(&worker.walker.lookup(&path)) {
            Observed::Found(bytes) => bytes,
            Observed::Absent => continue,
            Observed::Unreadable(why) => return Observed::Unreadable(format!("{path}: {why}")),
        };
        let includes = sudoers.add(&path, &bytes);
        seen.push(path);
        let mut included = Vec::new();
        for include in includes {
            match include {
                crate::syntax::accounts::Include::File(file) => included.push(file),
                crate::syntax::accounts::Include::Directory(directory) => {
                    match worker.ground.system.list(&directory) {
                        Observed::Found(names) => included.extend(
                            names
                                .iter()
                                .filter(|name| !name.contains('.') && !name.ends_with('~'))
                                .map(|name| format!("{directory}/{name}")),
                        ),
                        Observed::Absent => {}
                        Observed::Unreadable(why) => return Observed::Unreadable(format!("{directory}: {why}")),
                    }
                }
            }
        }
        waiting.extend(included.into_iter().rev());
    }
    if seen.is_empty() { Observed::Absent } else { Observed::Found(sudoers) }
}
