//! Env files: those the contract names and those the unit really reads, with everything on the way to them.

use std::sync::Arc;

use super::{Pad, Worker};
use crate::contract::Service;
use crate::facts::{EnvFileFacts, Need};
use crate::model::Observed;
use crate::syntax::{env_file, env_shell};

/// Looks at the env files of a service.
pub(super) fn gather(worker: &Worker<'_>, service: &Service, pad: &mut Pad) {
    if !worker.needs(Need::EnvFiles) {
        return;
    }
    for file in &service.env_files {
        look(worker, &file.path, pad);
    }
    for path in read_by_unit(service, pad) {
        look(worker, &path, pad);
    }
}

/// The paths of `EnvironmentFile=` in the effective unit, without the `-` of an optional one.
fn read_by_unit(service: &Service, pad: &Pad) -> Vec<Arc<str>> {
    let Some(unit) = pad.units.get(service.unit.value.as_str()) else { return Vec::new() };
    let Observed::Found(unit) = &unit.effective else { return Vec::new() };
    let files = unit.assignments("Service", "EnvironmentFile");
    files.map(|setting| setting.value().trim_start_matches('-').into()).collect()
}

fn look(worker: &Worker<'_>, path: &str, pad: &mut Pad) {
    if pad.env_files.contains_key(path) || !path.starts_with('/') {
        return;
    }
    let lookup = pad.look(worker, path);
    let content = worker.read(lookup).map(|bytes| {
        let read = env_file::parse(&bytes, worker.ground.version.0);
        let shell = env_shell::shell_readings(&bytes, &read);
        EnvFileFacts { read, shell }
    });
    pad.env_files.insert(path.into(), content);
}
