//! The places of the layout, and the contract's own files.

use super::{Pad, Worker};
use crate::facts::{ContractFiles, FileFacts, Need};
use crate::model::{End, Lookup, Observed};
use crate::system::READ_LIMIT;

/// Looks at each place, at what it must hold, and at the file system it lies on.
pub(super) fn gather(worker: &Worker<'_>, pad: &mut Pad) {
    let contract = worker.ground.contract;
    for place in contract.layout.values() {
        let path = &place.path.value;
        pad.look(worker, path);
        for held in &place.holds {
            pad.look(worker, &format!("{path}/{}", held.value));
        }
        if place.content.is_some() {
            let facts = content(worker, path);
            pad.files.insert(path.as_str().into(), facts);
        }
        let file_system = match pad.look(worker, path).node() {
            Ok(Some(node)) => worker.ground.system.file_system(&node.path),
            Ok(None) => Observed::Absent,
            Err(undecided) => Observed::Unreadable(undecided.why),
        };
        pad.file_systems.insert(path.as_str().into(), file_system);
    }
    if let Some(place) = contract.model_place() {
        for held in &place.holds {
            pad.list(worker, &format!("{}/{}", place.path.value, held.value));
        }
    }
    for path in &contract.identity.must_not_write {
        pad.look(worker, &path.value);
    }
}

/// Which of the places that must be mount points are.
pub(super) fn mounts(worker: &Worker<'_>, pad: &mut Pad) {
    let contract = worker.ground.contract;
    for place in contract.layout.values().filter(|place| place.mounted.is_some()) {
        let path = place.path.value.as_str();
        let lookup = worker.walker.lookup(path);
        let is_one = match (&lookup.end, lookup.real()) {
            (End::Found, Some(real)) => worker.ground.system.is_mount_point(real),
            (End::Unreadable(at, why), _) => Observed::Unreadable(format!("{at}: {why}")),
            _ => Observed::Absent,
        };
        pad.mount_points.insert(path.into(), is_one);
    }
}

/// What stands in a file, without its text.
fn content(worker: &Worker<'_>, path: &str) -> Observed<FileFacts> {
    let lookup = worker.walker.lookup(path);
    let size = lookup.node().ok().flatten().map_or(0, |step| step.meta.size);
    if size > READ_LIMIT {
        return Observed::Unreadable(format!("{path} is larger than {READ_LIMIT} bytes"));
    }
    worker.read(&lookup).map(|bytes| FileFacts {
        digest: crate::model::sha256(&bytes),
        keys: String::from_utf8_lossy(&bytes).lines().filter_map(key_of).collect(),
    })
}

/// The key that a line of a configuration file sets.
fn key_of(line: &str) -> Option<String> {
    let (key, _) = line.split_once('=')?;
    let key = key.trim();
    let is_key = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    (is_key && !key.is_empty()).then(|| key.to_owned())
}

/// The contract in force and the repository's copy of it, where there can be one.
pub(super) fn contract_files(worker: &Worker<'_>) -> Option<ContractFiles> {
    if !worker.needs(Need::Contract) {
        return None;
    }
    let contract = worker.ground.contract;
    let repository = contract.repository.as_ref()?;
    let digest = |lookup: &Lookup| {
        let bytes = worker.read_up_to(lookup, READ_LIMIT);
        bytes.map(|bytes| crate::model::sha256(&bytes))
    };
    let in_force = (!contract.source.built_in).then(|| worker.walker.lookup(&contract.source.path));
    let installed = in_force.as_ref().map_or(Observed::Absent, &digest);
    let source = worker.walker.lookup(&format!("{}/golden.toml", repository.path.value));
    // A link to the contract in force is the contract in force; a link to any other place is not followed.
    let is_same = source.real().is_some() && in_force.is_some_and(|lookup| lookup.real() == source.real());
    let source = if is_same { installed.clone() } else { digest(&source) };
    Some(ContractFiles { installed, source })
}
