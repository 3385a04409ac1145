//! The root's own accounts: never the name service of the host that runs golden.

use std::sync::Arc;

use super::Worker;
use crate::model::{End, Observed};
use crate::syntax::accounts::{self, Accounts};
use crate::syntax::sudoers::{self, Include, Sudoers};
use crate::system::{READ_LIMIT, System, Walker};

/// `/etc/passwd` and `/etc/group`.
pub(super) fn accounts<'a>(
    system: &'a (dyn System + 'a),
    walker: &Walker<'a, dyn System + 'a>,
) -> Observed<Accounts> {
    let read = |path| {
        let lookup = walker.lookup(path);
        match (&lookup.end, lookup.real()) {
            (End::Found, Some(real)) => system.read(real, READ_LIMIT),
            (End::Unreadable(_, why), _) => Observed::Unreadable(why.clone()),
            _ => Observed::Absent,
        }
    };
    let (passwd, group) = (read("/etc/passwd"), read("/etc/group"));
    match (passwd, group) {
        (Observed::Found(passwd), Observed::Found(group)) => {
            Observed::Found(accounts::parse(&passwd, &group))
        }
        (Observed::Unreadable(why), _) => Observed::Unreadable(format!("/etc/passwd: {why}")),
        (_, Observed::Unreadable(why)) => Observed::Unreadable(format!("/etc/group: {why}")),
        _ => Observed::Absent,
    }
}

/// `/etc/sudoers` and, in its order, the files it includes; sudo reads a directory's files by name and
/// passes over names with a dot or a final tilde (sudoers(5)).
pub(super) fn sudoers(worker: &Worker<'_>) -> Observed<Vec<(Arc<str>, Sudoers)>> {
    let mut files: Vec<(Arc<str>, Sudoers)> = Vec::new();
    let mut waiting = vec!["/etc/sudoers".to_owned()];
    // Without sudo nobody reads its directory; who installs it later finds there what was granted before.
    if matches!(worker.walker.lookup("/etc/sudoers").node(), Ok(None)) {
        let usual = Include { line: 0, path: "/etc/sudoers.d".to_owned(), is_directory: true };
        match included_files(worker, "/etc/sudoers", &usual) {
            Ok(paths) => waiting.extend(paths.into_iter().rev()),
            Err(why) => return Observed::Unreadable(why),
        }
    }
    while let Some(path) = waiting.pop() {
        if files.iter().any(|(seen, _)| **seen == *path) {
            continue;
        }
        let bytes = match worker.read(&worker.walker.lookup(&path)) {
            Observed::Found(bytes) => bytes,
            Observed::Absent => continue,
            Observed::Unreadable(why) => return Observed::Unreadable(format!("{path}: {why}")),
        };
        let file = sudoers::parse(&String::from_utf8_lossy(&bytes));
        let mut included = Vec::new();
        for include in &file.includes {
            match included_files(worker, &path, include) {
                Ok(paths) => included.extend(paths),
                Err(why) => return Observed::Unreadable(why),
            }
        }
        waiting.extend(included.into_iter().rev());
        files.push((path.into(), file));
    }
    if files.is_empty() { Observed::Absent } else { Observed::Found(files) }
}

fn included_files(worker: &Worker<'_>, from: &str, include: &Include) -> Result<Vec<String>, String> {
    let named = include.path.replace("%h", &worker.ground.system.host_name());
    let path = match named.strip_prefix('/') {
        Some(_) => named,
        None => format!("{}/{named}", from.rsplit_once('/').map_or("", |(directory, _)| directory)),
    };
    if !include.is_directory {
        return Ok(vec![path]);
    }
    match worker.ground.system.list(&path) {
        Observed::Found(names) => {
            let counts = |name: &&String| !name.contains('.') && !name.ends_with('~');
            Ok(names.iter().filter(counts).map(|name| format!("{path}/{name}")).collect())
        }
        Observed::Absent => Ok(Vec::new()),
        Observed::Unreadable(why) => Err(format!("{path}: {why}")),
    }
}
