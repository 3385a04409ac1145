//! `golden facts`, and where an audit's facts come from.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{Failure, Global, find, output};
use crate::contract::Contract;
use crate::facts::gather::{gather, probe};
use crate::facts::{HostFacts, Needs, SCHEMA};
use crate::report::Shown;
use crate::system::DiskSystem;

/// Arguments of `golden facts`.
#[derive(Args, Debug)]
pub(super) struct FactsArgs {
    /// Write to this file, readable by its owner alone, instead of stdout.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
}

/// The host that is looked at.
#[derive(Args, Debug)]
pub(super) struct Source {
    /// Look at the host below this directory (an image, a mounted disk) instead of the running one.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Also run the python of each venv as its service's user, and see whether it starts (root, or that user).
    #[arg(long, conflicts_with = "root")]
    probe: bool,
}

impl Source {
    /// Whether something of the host is to be run.
    pub(super) fn probes(&self) -> bool {
        self.probe
    }

    /// Looks, and runs what it is asked to of these services.
    pub(super) fn gather(
        &self,
        contract: &Contract,
        needs: Needs,
        selected: impl Fn(&str) -> bool,
    ) -> Result<HostFacts, Failure> {
        let system = match &self.root {
            Some(root) => DiskSystem::rooted(root)
                .map_err(|error| Failure::new(format!("--root {}: {error}", root.display())))?,
            None => {
                DiskSystem::live().map_err(|error| Failure::new(format!("/ cannot be opened: {error}")))?
            }
        };
        let mut facts = gather(&system, contract, needs);
        if self.probe {
            probe(&system, contract, selected, &mut facts);
        }
        Ok(facts)
    }
}

/// Writes all facts.
pub(super) fn run(global: &Global, args: &FactsArgs) -> Result<ExitCode, Failure> {
    let contract = find::contract(global)?.contract;
    let mut facts = args.source.gather(&contract, Needs::all(), |_| true)?;
    facts.hide_secrets(&contract);
    let mut text = serde_json::to_string(&facts)
        .map_err(|error| Failure::new(format!("the facts cannot be written: {error}")))?;
    text.push('\n');
    match &args.out {
        None => output::print(Shown::json(&text))?,
        Some(file) => output::file(file, &text, 0o600)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Facts of a file; half a file is an error, never a smaller host.
pub(super) fn read(file: &Path) -> Result<HostFacts, Failure> {
    let shown = file.display();
    let text = super::read_text(file).map_err(|error| Failure::new(format!("{shown}: {error}")))?;
    let schema: Schema = serde_json::from_str(&text).map_err(|error| {
        Failure::new(format!("{shown}:{}:{}: no facts: {error}", error.line(), error.column()))
            .hint("golden facts --out FILE   writes them again")
    })?;
    if schema.schema != SCHEMA {
        return Err(Failure::new(format!("{shown} holds {:?}, this golden reads {SCHEMA:?}", schema.schema)));
    }
    serde_json::from_str(&text).map_err(|error| {
        Failure::new(format!(
            "{shown}:{}:{}: facts that cannot be read: {error}",
            error.line(),
            error.column()
        ))
        .hint("golden facts --out FILE   writes them again")
    })
}

#[derive(serde::Deserialize)]
struct Schema {
    schema: String,
}
