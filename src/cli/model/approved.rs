//! A person's word without a terminal: a signature over exactly this transition, by a key that may approve the contract.

use std::path::Path;

use crate::contract::{Contract, Model};
use crate::ledger::Chain;
use crate::model::Observed;
use crate::rules::approval::{Signed, weigh_message, writable_by_others};
use crate::system::{System, Walker};

/// What signatures of activations are for (ssh-keygen(1), `-n`).
pub(super) const NAMESPACE: &str = "golden-model";

/// More than the signatures of all who ever approve one activation, in bytes.
const LARGEST: u64 = 256 << 10;

/// What is signed: which artefact of which model becomes what, on which host, under which contract and after which entry of
/// the ledger. So a signature counts once.
pub(super) fn message(
    (verb, digest): (&str, &str),
    model: &Model,
    contract: &Contract,
    chain: &Chain,
    host: &str,
) -> String {
    let (number, entry) = super::newest_entry(chain, &model.name);
    format!(
        "golden model {verb}\nmodel {}\nartefact sha256:{digest}\nhost {host}\ncontract sha256:{}\nafter entry {number} {entry}\n",
        model.name, contract.source.digest
    )
}

/// Who has signed; why it does not count, where it does not.
pub(super) fn by(
    file: &Path,
    message: String,
    contract: &Contract,
    system: &dyn System,
) -> Result<String, String> {
    let Some(demand) = &contract.approval else {
        return Err("the contract names no people who may approve; add [approval] with `signers`".to_owned());
    };
    let signers = &demand.signers.value;
    let lookup = Walker::new(system).lookup(signers);
    if let Some((step, why)) = writable_by_others(&lookup, None) {
        return Err(format!("{} {why}, so no signature counts", step.path));
    }
    let allowed = match lookup.real().map(|real| system.read(real, LARGEST)) {
        Some(Observed::Found(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Some(Observed::Unreadable(why)) => return Err(format!("{signers}: {why}")),
        _ => return Err(format!("{signers} does not exist, so no signature counts")),
    };
    let text = crate::system::state::read_regular(file, LARGEST)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let signed = Signed { namespace: NAMESPACE, message, beside: file.display().to_string() };
    let weighed = weigh_message(&signed, &String::from_utf8_lossy(&text), (&allowed, signers), system.now());
    let required = demand.required.value as usize;
    if weighed.people.len() >= required {
        let names = weighed.people.iter().map(|person| person.names.join(",")).collect::<Vec<String>>();
        return Ok(names.join(", "));
    }
    let refused: Vec<String> =
        weighed.refused.iter().map(|one| format!("{}: {}", one.who, one.why)).collect();
    let refused = if refused.is_empty() { String::new() } else { format!(" ({})", refused.join("; ")) };
    Err(format!("{} of {required} demanded signatures count{refused}", weighed.people.len()))
}
