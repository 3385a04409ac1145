//! Env files: those the contract names and those the unit really reads, with everything on the way to them.

use std::sync::Arc;

use super::room::Room;
use super::{Pad, Worker};
use crate::contract::Service;
use crate::facts::{EnvFileFacts, Need};
use crate::model::{NodeKind, Observed};
use crate::syntax::{env_file, env_shell, glob};

/// More files than one pattern is meant to match, and more names than a directory of them has.
const MOST_MATCHED: usize = 128;
const MOST_NAMES: usize = 10_000;

/// Looks at the env files of a service.
pub(super) fn gather(worker: &Worker<'_>, service: &Service, pad: &mut Pad) {
    if !worker.needs(Need::EnvFiles) {
        return;
    }
    let mut room = Room::of_a_service();
    for file in &service.env_files {
        look(worker, &file.path, &mut room, pad);
    }
    for path in read_by_unit(service, pad) {
        match glob::pattern(&path) {
            Some(pattern) => look_at_matching(worker, &path, pattern, &mut room, pad),
            None => look(worker, &path, &mut room, pad),
        }
    }
}

/// The paths of `EnvironmentFile=` in the effective unit, without the `-` of an optional one.
fn read_by_unit(service: &Service, pad: &Pad) -> Vec<Arc<str>> {
    let Some(unit) = pad.units.get(service.unit.value.as_str()) else { return Vec::new() };
    let Observed::Found(unit) = &unit.effective else { return Vec::new() };
    let files = unit.assignments("Service", "EnvironmentFile");
    files.map(|setting| setting.value().trim_start_matches('-').into()).collect()
}

/// The files that a pattern matches. The pattern itself is no file, unless what it matches cannot be known.
fn look_at_matching(
    worker: &Worker<'_>,
    path: &str,
    (directory, pattern): (&str, &str),
    room: &mut Room,
    pad: &mut Pad,
) {
    let listing = match directory.contains(['*', '?', '[']) {
        true => Observed::Unreadable("a pattern over directories, which is not looked into".to_owned()),
        false => pad.list(worker, directory),
    };
    let known = match listing {
        Observed::Found(names) if names.len() > MOST_NAMES => {
            Observed::Unreadable(format!("{directory} holds more than {MOST_NAMES} names"))
        }
        Observed::Found(names) => {
            let mut matching = names.iter().filter(|name| glob::matches_name(pattern, name));
            let all: Vec<&String> = matching.by_ref().take(MOST_MATCHED).collect();
            match matching.next() {
                Some(_) => Observed::Unreadable(format!("it matches more than {MOST_MATCHED} files")),
                None => {
                    all.iter().for_each(|name| look(worker, &format!("{directory}/{name}"), room, pad));
                    Observed::Absent
                }
            }
        }
        Observed::Absent => Observed::Absent,
        Observed::Unreadable(why) => Observed::Unreadable(why),
    };
    pad.env_files.insert(path.into(), known);
}

fn look(worker: &Worker<'_>, path: &str, room: &mut Room, pad: &mut Pad) {
    if pad.env_files.contains_key(path) || !path.starts_with('/') {
        return;
    }
    let lookup = pad.look(worker, path);
    // It has none either, and a disk does not show it.
    if path == "/dev/null" {
        pad.env_files.insert(path.into(), Observed::Absent);
        return;
    }
    // A directory has no lines; whether the unit starts without them is start-env-file-missing's to say.
    if matches!(lookup.node(), Ok(Some(node)) if node.meta.kind == NodeKind::Directory) {
        pad.env_files.insert(path.into(), Observed::Absent);
        return;
    }
    let content = worker.read_within(lookup, room).map(|bytes| {
        let read = env_file::parse(&bytes, worker.ground.version.0);
        let shell = env_shell::shell_readings(&bytes, &read);
        EnvFileFacts { read, shell }
    });
    let content = match content {
        Observed::Absent if worker.ground.system.ask().is_none() && path.starts_with("/run/") => {
            Observed::Unreadable("what lies in /run is made while the host runs".to_owned())
        }
        content => content,
    };
    pad.env_files.insert(path.into(), content);
}
