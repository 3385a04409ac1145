//! The root's own accounts: never the name service of the host that runs golden.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Worker;
use super::mask::is_masked;
use super::room::Room;
use crate::model::{End, Observed};
use crate::syntax::accounts::{self, Accounts};
use crate::syntax::sudoers::{self, Include, Sudoers};
use crate::syntax::sysusers;
use crate::system::walk::untrusted;
use crate::system::{READ_LIMIT, System, Walker};

/// `/etc/passwd` and `/etc/group`, and where `/etc/nsswitch.conf` looks beside them.
pub(super) fn accounts<'a>(
    system: &'a (dyn System + 'a),
    walker: &Walker<'a, dyn System + 'a>,
) -> Observed<Accounts> {
    let read = |path: &str| {
        let lookup = walker.lookup(path);
        match (&lookup.end, lookup.real()) {
            (End::Found, Some(real)) => system.read(real, READ_LIMIT),
            (End::Unreadable(_, why), _) => Observed::Unreadable(why.clone()),
            _ => Observed::Absent,
        }
    };
    let (passwd, group) = (read("/etc/passwd"), read("/etc/group"));
    // SUSE keeps its own below /usr.
    let sources = match read("/etc/nsswitch.conf") {
        Observed::Absent => read("/usr/etc/nsswitch.conf"),
        sources => sources,
    };
    match (passwd, group) {
        (Observed::Found(mut passwd), Observed::Found(mut group)) => {
            let elsewhere = match &sources {
                Observed::Found(text) => accounts::elsewhere(text),
                // Without the file glibc reads the two files.
                Observed::Absent => Vec::new(),
                Observed::Unreadable(why) => {
                    return Observed::Unreadable(format!("/etc/nsswitch.conf: {why}"));
                }
            };
            let elsewhere = match read_here(elsewhere, &mut passwd, &mut group, read) {
                Ok(elsewhere) => elsewhere,
                Err(why) => return Observed::Unreadable(why),
            };
            let mut accounts = accounts::parse(&passwd, &group);
            accounts.elsewhere = elsewhere;
            let asks_systemd = |text: &Vec<u8>| accounts::asks_systemd(text);
            if matches!(&sources, Observed::Found(text) if asks_systemd(text)) && has_records(system, walker)
            {
                accounts.elsewhere.push("userdb".to_owned());
            }
            match made_at_boot(system, walker, &mut accounts) {
                Ok(()) => Observed::Found(accounts),
                Err(why) => Observed::Unreadable(why),
            }
        }
        (Observed::Unreadable(why), _) => Observed::Unreadable(format!("/etc/passwd: {why}")),
        (_, Observed::Unreadable(why)) => Observed::Unreadable(format!("/etc/group: {why}")),
        _ => Observed::Absent,
    }
}

/// Takes out of the sources those that files of the disk answer: `compat` where no line sends it on (nsswitch.conf(5)), and
/// `altfiles`, whose tables of hosts with an ostree lie in /usr/lib and are added.
fn read_here(
    mut elsewhere: Vec<String>,
    passwd: &mut Vec<u8>,
    group: &mut Vec<u8>,
    read: impl Fn(&str) -> Observed<Vec<u8>>,
) -> Result<Vec<String>, String> {
    if !accounts::sends_on(passwd) && !accounts::sends_on(group) {
        elsewhere.retain(|source| source != "compat");
    }
    if elsewhere.iter().any(|source| source == "altfiles") {
        for (path, table) in [("/usr/lib/passwd", passwd), ("/usr/lib/group", group)] {
            match read(path) {
                Observed::Found(more) => {
                    table.push(b'\n');
                    table.extend(more);
                }
                Observed::Absent => {}
                Observed::Unreadable(why) => return Err(format!("{path}: {why}")),
            }
        }
        elsewhere.retain(|source| source != "altfiles");
    }
    Ok(elsewhere)
}

/// Directories of records of users and groups (nss-systemd(8), "CONFIGURATION IN DROP-IN JSON FILES").
const RECORDS: [&str; 5] =
    ["/etc/userdb", "/run/userdb", "/run/host/userdb", "/usr/local/lib/userdb", "/usr/lib/userdb"];

/// Whether systemd knows users or groups by records, which are not looked into.
fn has_records<'a>(system: &'a (dyn System + 'a), walker: &Walker<'a, dyn System + 'a>) -> bool {
    let is_record = |name: &String| name.ends_with(".user") || name.ends_with(".group");
    RECORDS.iter().any(|directory| match listed(system, walker, directory) {
        Ok(names) => names.iter().any(is_record),
        Err(_) => true,
    })
}

/// Adds the accounts that systemd-sysusers makes on a disk when it boots. Its unit has `ConditionNeedsUpdate=/etc`: it
/// runs where /etc/.updated is absent or older than /usr (systemd.unit(5)).
fn made_at_boot<'a>(
    system: &'a (dyn System + 'a),
    walker: &Walker<'a, dyn System + 'a>,
    accounts: &mut Accounts,
) -> Result<(), String> {
    const UNIT: &str = "/etc/systemd/system/systemd-sysusers.service";
    let modified = |path: &str| walker.lookup(path).node().ok().flatten().map(|node| node.meta.modified);
    let is_up_to_date = modified("/etc/.updated").is_some_and(|updated| modified("/usr") <= Some(updated));
    if system.ask().is_some() || is_up_to_date || is_masked(walker, UNIT) {
        return Ok(());
    }
    let mut files = BTreeMap::new();
    for directory in sysusers::DIRECTORIES {
        for name in listed(system, walker, directory)?.into_iter().filter(|name| name.ends_with(".conf")) {
            files.entry(name.clone()).or_insert(format!("{directory}/{name}"));
        }
    }
    for path in files.into_values() {
        if is_masked(walker, &path) {
            continue;
        }
        let lookup = walker.lookup(&path);
        let real = lookup.node().map_err(|undecided| undecided.why)?.map(|node| &*node.path);
        if let Some(why) = real.and_then(|_| untrusted(&lookup)) {
            return Err(why);
        }
        match real.map(|real| system.read(real, READ_LIMIT)) {
            Some(Observed::Found(bytes)) => sysusers::add(&String::from_utf8_lossy(&bytes), accounts),
            Some(Observed::Unreadable(why)) => return Err(format!("{path}: {why}")),
            Some(Observed::Absent) | None => {}
        }
    }
    Ok(())
}

/// The names in a directory.
fn listed<'a>(
    system: &'a (dyn System + 'a),
    walker: &Walker<'a, dyn System + 'a>,
    directory: &str,
) -> Result<Vec<String>, String> {
    let lookup = walker.lookup(directory);
    if let Some(why) = untrusted(&lookup) {
        return Err(why);
    }
    match lookup.node().map_err(|undecided| undecided.why)?.map(|node| system.list(&node.path)) {
        Some(Observed::Found(names)) => Ok(names),
        Some(Observed::Unreadable(why)) => Err(format!("{directory}: {why}")),
        Some(Observed::Absent) | None => Ok(Vec::new()),
    }
}

/// The file that sudo reads: the first that is there. SUSE keeps its own below /usr.
const SUDOERS: [&str; 2] = ["/etc/sudoers", "/usr/etc/sudoers"];

/// The file of [`SUDOERS`] and, in its order, the files it includes; sudo reads a directory's files by name and
/// passes over names with a dot or a final tilde (sudoers(5)).
pub(super) fn sudoers(worker: &Worker<'_>) -> Observed<Vec<(Arc<str>, Sudoers)>> {
    let mut files: Vec<(Arc<str>, Sudoers)> = Vec::new();
    let is_there = |path: &&str| !matches!(worker.walker.lookup(path).node(), Ok(None));
    let first = SUDOERS.into_iter().find(is_there);
    let mut waiting = vec![first.unwrap_or(SUDOERS[0]).to_owned()];
    let (mut seen, mut room) = (HashSet::new(), Room::of_the_host());
    // Without sudo nobody reads its directory; who installs it later finds there what was granted before.
    if first.is_none() {
        let usual = Include { line: 0, path: "/etc/sudoers.d".to_owned(), is_directory: true };
        match included_files(worker, "/etc/sudoers", &usual) {
            Ok(paths) => waiting.extend(paths.into_iter().rev()),
            Err(why) => return Observed::Unreadable(why),
        }
    }
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let bytes = match worker.read_within(&worker.walker.lookup(&path), &mut room) {
            Observed::Found(bytes) => bytes,
            Observed::Absent => continue,
            Observed::Unreadable(why) => return Observed::Unreadable(format!("{path}: {why}")),
        };
        let file = sudoers::parse(&String::from_utf8_lossy(&bytes));
        let mut included = Vec::new();
        for include in &file.includes {
            match room.file().and_then(|()| included_files(worker, &path, include)) {
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
    match worker.list(&worker.walker.lookup(&path)) {
        Observed::Found(names) => {
            let counts = |name: &&String| !name.contains('.') && !name.ends_with('~');
            Ok(names.iter().filter(counts).map(|name| format!("{path}/{name}")).collect())
        }
        Observed::Absent => Ok(Vec::new()),
        Observed::Unreadable(why) => Err(format!("{path}: {why}")),
    }
}
