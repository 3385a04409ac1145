//! Whether a contract may change a host: where signatures are demanded, by the contract itself or by the one that is
//! installed, nothing is changed without them.
//!
//! Approvals are asked for here alone, so that `plan`, `apply`, `fix` and `deploy` refuse alike.

use crate::contract::{Approval, Contract, INSTALLED, Source};
use crate::model::report::Said;
use crate::model::{Observed, Report};
use crate::plan::Hindrance;
use crate::rules::approval::{weigh, writable_by_others};
use crate::system::{READ_LIMIT, System, Walker};

/// The rule that judges the signatures which a contract demands of itself.
const RULE: &str = "contract-not-approved";

/// Why a contract may not change this host; nothing where it may. `installed` is the contract that is in force until then:
/// what it demands, no contract that takes its place can drop, weaken or waive.
pub fn missing(
    system: &dyn System,
    report: &Report,
    contract: &Contract,
    installed: Option<&Contract>,
) -> Option<Hindrance> {
    let takes_its_place = &*contract.source.path != INSTALLED;
    let demanded = installed.and_then(|installed| installed.approval.as_ref()).filter(|_| takes_its_place);
    if let Some(Err(missing)) = demanded.map(|demand| by(system, demand, &contract.source)) {
        return Some(missing);
    }
    let demand = contract.approval.as_ref()?;
    let own = report.results.iter().find(|result| result.rule.id == RULE);
    let way_out = "golden contract verify   says who has signed; golden contract sign   signs".to_owned();
    match own.map(|result| &result.said) {
        Some(Said::Fail(failure)) if failure.waiver.is_none() => {
            let what = format!("{}: {}", failure.finding.message, failure.finding.location);
            Some(Hindrance { what, way_out })
        }
        Some(Said::Undecided(undecided)) => Some(Hindrance { what: undecided.why.clone(), way_out }),
        Some(_) => None,
        // A contract that has switched the rule off has not been approved by that.
        None => by(system, demand, &contract.source).err(),
    }
}

/// Whether a contract that lies in a file has the approvals that another one demands.
fn by(system: &dyn System, demand: &Approval, source: &Source) -> Result<(), Hindrance> {
    let path = source.signature_path();
    match system.read(&path, READ_LIMIT) {
        Observed::Found(bytes) => approved(system, demand, source, &String::from_utf8_lossy(&bytes)),
        Observed::Absent => approved(system, demand, source, ""),
        Observed::Unreadable(why) => {
            Err(Hindrance { what: format!("{path}: {why}"), way_out: "make it readable for root".to_owned() })
        }
    }
}

/// Whether as many people have signed a contract as a demand requires, by a file of signers that only root can write.
///
/// # Errors
/// How many approvals it has, and how it gets more.
pub fn approved(
    system: &dyn System,
    demand: &Approval,
    source: &Source,
    signatures: &str,
) -> Result<(), Hindrance> {
    let signers = demand.signers.value.as_str();
    let lookup = Walker::new(system).lookup(signers);
    if let Some((step, why)) = writable_by_others(&lookup, None) {
        let what = format!("{} {why}, so others than root decide who may approve", step.path);
        return Err(Hindrance { what, way_out: format!("read {signers}, then give it back to root") });
    }
    let Observed::Found(allowed) = system.read(signers, READ_LIMIT) else {
        let what = format!("{signers} cannot be read, so no signature counts");
        return Err(Hindrance { what, way_out: "name those who may in it, one line each".to_owned() });
    };
    let allowed = String::from_utf8_lossy(&allowed);
    let have = weigh(source, signatures, (&allowed, signers), system.now()).people.len();
    let required = demand.required.value as usize;
    match have >= required {
        true => Ok(()),
        false => Err(Hindrance {
            what: format!("the contract has {have} of {required} approvals"),
            way_out: "golden contract sign golden.toml, and keep golden.toml.sig beside it".to_owned(),
        }),
    }
}
