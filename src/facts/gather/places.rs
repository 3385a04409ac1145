//! The places of the layout, and the contract's own files.

use sha2::{Digest, Sha256};

use super::{Pad, Worker};
use crate::facts::Need;
use crate::model::Observed;

/// Looks at each place, at what it must hold, and at the file system it lies on.
pub(super) fn gather(worker: &Worker<'_>, pad: &mut Pad) {
    let contract = worker.ground.contract;
    for place in contract.layout.values() {
        let path = &place.path.value;
        pad.look(worker, path);
        for held in &place.holds {
            pad.look(worker, &format!("{path}/{}", held.value));
        }
        if let Some(real) = pad.paths.get(path.as_str()).and_then(|lookup| lookup.real()) {
            let file_system = worker.ground.system.file_system(real);
            pad.file_systems.insert(path.as_str().into(), file_system);
        } else {
            pad.file_systems.insert(path.as_str().into(), Observed::Absent);
        }
        if !place.holds.is_empty() {
            pad.list(worker, path);
        }
    }
    for path in &contract.identity.must_not_write {
        pad.look(worker, &path.value);
    }
}

/// sha256 of the repository's copy of the contract, where the contract in force is another file.
pub(super) fn contract_copy(worker: &Worker<'_>) -> Option<Observed<String>> {
    if !worker.needs(Need::Contract) {
        return None;
    }
    let repository = worker.ground.contract.repository.as_ref()?;
    let copy = format!("{}/golden.toml", repository.path.value);
    let bytes = worker.read(&worker.walker.lookup(&copy));
    Some(bytes.map(|bytes| Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()))
}
