//! `golden contract`: `check` and `show` are here, the other verbs in files of their own.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::{Failure, Global, approval, contract_diff, find, output};
use crate::contract::Contract;
use crate::model::visible;
use crate::report::Shown;

/// The verbs about the contract itself.
#[derive(Subcommand, Debug)]
pub(super) enum ContractVerb {
    /// Show all errors of a contract, each with its line and a correction.
    Check {
        /// The contract; otherwise the one in force.
        file: Option<PathBuf>,
    },
    /// Show which contract is in force and what it demands.
    Show {
        /// Show its text instead.
        #[arg(long)]
        text: bool,
    },
    /// Approve a contract: an SSH signature over its digest, beside it. ssh-keygen verifies it, too.
    Sign(approval::SignArgs),
    /// Show who has approved a contract: 0 approved, 1 not approved, 2 undecided.
    Verify(approval::VerifyArgs),
    /// Show which demands change from one contract to another: 0 none, 1 some, 2 bad contract.
    Diff(contract_diff::DiffArgs),
}

/// Carries the verb out.
pub(super) fn run(global: &Global, verb: &ContractVerb) -> Result<ExitCode, Failure> {
    match verb {
        ContractVerb::Check { file } => {
            let found = match file {
                Some(file) => find::read(file)?,
                None => find::contract(global)?,
            };
            let contract = &found.contract;
            for doubt in contract.doubts() {
                output::complain(&format!("warning: {doubt}\n  = help: {}", doubt.way_out));
            }
            let text = format!(
                "{}: no errors. {} {}, {} services, {} jobs, {} waivers.\n",
                visible(&contract.source.path),
                visible(&contract.name.value),
                visible(&contract.version.value),
                contract.services.len(),
                contract.jobs.len(),
                contract.waivers.len()
            );
            output::print_and(&text, ExitCode::SUCCESS)
        }
        ContractVerb::Show { text } => {
            let found = find::contract(global)?;
            let shown = if *text { Shown::from(&found.text) } else { summary(&found.contract) };
            output::print_and(&shown, ExitCode::SUCCESS)
        }
        ContractVerb::Sign(args) => approval::sign(global, args),
        ContractVerb::Verify(args) => approval::verify(global, args),
        ContractVerb::Diff(args) => contract_diff::run(args),
    }
}

fn summary(contract: &Contract) -> Shown {
    let mut text = Shown::new();
    text.line(format_args!("contract    {} {}", contract.name.value, contract.version.value));
    text.line(format_args!("source      {}", contract.source.path));
    text.line(format_args!("sha256      {}", contract.source.digest));
    if let Some(review) = &contract.next_review {
        text.line(format_args!("review by   {}", review.value));
    }
    if let Some(approval) = &contract.approval {
        let (required, signers) = (approval.required.value, &approval.signers.value);
        text.line(format_args!("approval    {required} of those in {signers}"));
    }
    text.end_line();
    text.line(format_args!("places"));
    for place in contract.layout.values() {
        text.line(format_args!("   {:<14} {:<36} {}", place.name, place.path.value, place.path.at));
    }
    text.end_line();
    text.line(format_args!("services"));
    for service in &contract.services {
        text.line(format_args!(
            "   {:<20} {:<12} {:<36} user {:<10} {}",
            service.name,
            service.kind.value.word(),
            service.unit.value,
            service.user.value,
            service.at
        ));
    }
    text.end_line();
    text.line(format_args!("dependencies"));
    for dependency in contract.dependencies.values() {
        let unit = dependency.unit.as_ref().map_or("", |unit| unit.value.as_str());
        text.line(format_args!("   {:<20} {:<36} {}", dependency.name, unit, dependency.at));
    }
    if !contract.waivers.is_empty() {
        text.end_line();
        text.line(format_args!("waivers"));
    }
    for waiver in &contract.waivers {
        let key = waiver.key.as_deref().map_or(String::new(), |key| format!(" ({key})"));
        text.line(format_args!(
            "   {} {}{key} until {} by {}: {}",
            waiver.rule, waiver.subject, waiver.expires, waiver.owner, waiver.reason
        ));
    }
    text
}
