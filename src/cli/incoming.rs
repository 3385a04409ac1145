//! The contract that a commit brings: read as it will be installed, shown by the duties that change, and installed only
//! when those who may approve have signed it, or when a person has read it on a terminal.

use std::path::Path;

use super::{Failure, change, find, person};
use crate::contract::{Contract, INSTALLED};
use crate::model::change::{Change, Spot};
use crate::operate::approval::approved;
use crate::plan::deploy::Deployment;
use crate::plan::{Failed, Step};
use crate::system::System;
use crate::system::hand::Hand;

/// Where a repository keeps the source of its contract.
const SOURCE: &str = "golden.toml";

/// A contract that is to be installed with a commit.
#[derive(Debug)]
pub(super) struct Incoming {
    /// The contract, as it will lie where it is installed.
    pub contract: Contract,
    text: String,
    signatures: Option<String>,
}

impl Incoming {
    /// The contract that a deployment brings; none where the contract in force is not an installed one, or where the
    /// commit leaves it as it is.
    pub(crate) fn of(
        hand: &dyn Hand,
        in_force: &Contract,
        deployment: &Deployment,
    ) -> Result<Option<Self>, Failure> {
        let is_installed = &*in_force.source.path == INSTALLED;
        if !is_installed || !deployment.differing.iter().any(|file| file == SOURCE) {
            return Ok(None);
        }
        let read = |file: &str| {
            let told = |failed: Failed| Failure::new(format!("{}\n{}", failed.why, failed.said));
            let committed = deployment.tree.file(hand, &deployment.to.commit, file).map_err(told);
            committed.map(|committed| committed.map(|file| file.text))
        };
        let Some(text) = read(SOURCE)? else { return Ok(None) };
        let contract = find::parse(&text, Path::new(INSTALLED))?;
        if contract.source.digest == in_force.source.digest {
            return Ok(None);
        }
        let signatures = read(&format!("{SOURCE}.sig"))?;
        Ok(Some(Self { contract, text, signatures }))
    }

    /// Takes somebody's word for it, after what changes was shown: signatures where the contract in force demands them,
    /// otherwise an answer on the terminal. The reason where nobody gave it.
    pub(crate) fn accepted(&self, system: &dyn System, in_force: &Contract) -> Result<(), Failure> {
        match &in_force.approval {
            Some(demand) => {
                let signatures = self.signatures.as_deref().unwrap_or("");
                approved(system, demand, &self.contract.source, signatures)
                    .map_err(|missing| Failure::new(missing.what).hint(missing.way_out))
            }
            None => asked(),
        }
    }

    /// The steps that install it.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        let signatures = self.signatures.as_ref().map(|text| (format!("{INSTALLED}.sig"), text));
        std::iter::once((INSTALLED.to_owned(), &self.text)).chain(signatures).map(|(path, text)| {
            let root = || "root".to_owned();
            let change = Change::File {
                at: Spot::of_root(path),
                content: text.clone(),
                owner: root(),
                group: root(),
                mode: 0o644,
            };
            Step::new("host", "the commit brings it", change)
        })
    }
}

/// A person's word on the terminal; nothing stands in for it.
fn asked() -> Result<(), Failure> {
    if !person::can_be_asked() {
        return Err(Failure::new("the commit brings another contract, and there is no terminal to ask on").hint(
            "deploy it from a terminal, demand signatures in the contract ([approval]), or deploy the code alone: \
             --without-contract",
        ));
    }
    match change::says_yes("Judge this host by this contract from now on?") {
        true => Ok(()),
        false => Err(Failure::new("nothing was changed")),
    }
}
