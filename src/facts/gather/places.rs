//! The places of the layout, and the contract's own files.

use sha2::{Digest, Sha256};

use super::{Pad, Worker};
use crate::facts::{ContractFiles, Need};
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

/// The contract in force and the repository's copy of it, where there can be one.
pub(super) fn contract_files(worker: &Worker<'_>) -> Option<ContractFiles> {
    if !worker.needs(Need::Contract) {
        return None;
    }
    let contract = worker.ground.contract;
    let repository = contract.repository.as_ref()?;
    let digest = |path: &str| {
        let bytes = worker.read(&worker.walker.lookup(path));
        bytes.map(|bytes| Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    };
    Some(ContractFiles {
        installed: if contract.source.built_in { Observed::Absent } else { digest(&contract.source.path) },
        source: digest(&format!("{}/golden.toml", repository.path.value)),
    })
}
