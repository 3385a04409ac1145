//! What approves the contract: the signatures beside it and the file of those who may sign.

use super::{Pad, Worker};
use crate::facts::{ApprovalFacts, Need};
use crate::model::Observed;

/// Signatures are some hundred bytes each, and lines of signers too; a longer file is none of either.
const LARGEST: u64 = 256 << 10;

/// Reads both files, where the contract demands approval.
pub(super) fn gather(worker: &Worker<'_>, pad: &mut Pad) -> Option<ApprovalFacts> {
    let contract = worker.ground.contract;
    let demand = contract.approval.as_ref().filter(|_| worker.needs(Need::Contract))?;
    let mut text = |path: &str| {
        if !path.starts_with('/') {
            return Observed::Unreadable(format!("{path} is not an absolute path, so golden cannot find it"));
        }
        let lookup = pad.look(worker, path);
        match worker.read_up_to(lookup, LARGEST) {
            Observed::Found(bytes) => String::from_utf8(bytes)
                .map_or_else(|_| Observed::Unreadable(format!("{path} is not UTF-8")), Observed::Found),
            Observed::Absent => Observed::Absent,
            Observed::Unreadable(why) => Observed::Unreadable(format!("{path}: {why}")),
        }
    };
    let signers = text(&demand.signers.value);
    let signatures = text(&contract.source.signature_path());
    pad.look(worker, &contract.source.path);
    Some(ApprovalFacts { signatures, signers })
}
