//! `golden deploy`: another commit on this host, when everything holds before, and only if everything holds after.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::change::{self, Host, Said, caller, hindered, take_host, troubled};
use super::incoming::Incoming;
use super::plan::Wider;
use super::{Failure, Global, output};
use crate::contract::{CheckItem, Contract, SeenTo};
use crate::ledger::Event;
use crate::model::report::Said as Outcome;
use crate::model::{Report, Section, Stated, Verdict};
use crate::operate::{self, deploy::Deployed, provision};
use crate::plan::deploy::{self, Deployment, Wanted};
use crate::plan::{Order, apply, prepare, short};
use crate::report::human::{self, Style};
use crate::system::System;

/// Arguments of `golden deploy`.
#[derive(Args, Debug)]
pub(super) struct DeployArgs {
    /// A branch of the remote, a tag, or a commit.
    #[arg(value_name = "REF")]
    reference: String,
    /// Restart only this service of those whose code differs (repeatable); the others keep their old code.
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Keep the contract of this host, even if the commit has another one.
    #[arg(long)]
    without_contract: bool,
    /// Change nothing on the host: audit, fetch, and show the checklist and the steps.
    #[arg(long)]
    check: bool,
    /// The directory of wheels, instead of the contract's `wheelhouse`.
    #[arg(long, value_name = "DIR")]
    wheelhouse: Option<String>,
}

/// Not deployed; the host is as before.
const NOT_DEPLOYED: u8 = 1;

/// Carries the verb out.
pub(super) fn run(global: &Global, args: &DeployArgs) -> Result<ExitCode, Failure> {
    let mut contract = change::contract(global)?.contract;
    if let Some(directory) = &args.wheelhouse {
        let at = crate::model::Location::file("--wheelhouse");
        contract.provision.wheelhouse = Some(Stated::new(directory.clone(), at));
    }
    let (host, mut said) = (Host::live()?, Said::new(global));
    let alone = match take_host("deploy", &host, &mut said) {
        Ok(alone) => alone,
        Err(code) => return Ok(code),
    };
    let report = operate::look(&host.system, &contract, &std::collections::BTreeSet::new());
    if report.verdict() != Verdict::Compliant {
        output::print(human::render(&report, Style { quiet: true, ..output::style(global) }))?;
        output::complain("not deployed: the host is not compliant; golden fix mends what it can");
        return Ok(ExitCode::from(NOT_DEPLOYED));
    }
    let (host, contract) = (&host, &contract);
    let Prepared { deployment, incoming } = match prepared(args, host, contract) {
        Ok(prepared) => prepared,
        Err(why) => {
            output::complain(&format!("not deployed: {why}"));
            return Ok(ExitCode::from(NOT_DEPLOYED));
        }
    };
    let (from, to) = (&deployment.from.commit, &deployment.to.commit);
    output::print(&before(contract, &deployment, &report))?;
    if let Some(incoming) = &incoming {
        output::print(super::contract_diff::human(contract, &incoming.contract))?;
    }
    if deployment.plan.steps.is_empty() {
        return output::print_and("it is what runs; nothing to do\n", ExitCode::SUCCESS);
    }
    if args.check {
        let steps: String = deployment.plan.steps.iter().fold(String::new(), |mut text, step| {
            let _ = writeln!(text, "      {}", step.change.words());
            text
        });
        return output::print_and(&format!("\n{steps}\nNothing was changed.\n"), ExitCode::SUCCESS);
    }
    if let Some(incoming) = &incoming
        && let Err(why) = incoming.accepted(&host.system, contract)
    {
        output::complain(&format!("not deployed: {why}"));
        return Ok(ExitCode::from(NOT_DEPLOYED));
    }
    let contract = incoming.as_ref().map_or(contract, |incoming| &incoming.contract);
    let ledger = [("repository", deployment.tree.path.as_str()), ("from", from), ("to", to)];
    let by = caller();
    let order =
        Order { said: &ledger, done: Event::Deployed, ..Order::new("deploy", &contract.source.digest, &by) };
    let prepared = prepare(&host.hand, &host.system, contract, &deployment.plan).map_err(Failure::new)?;
    let began = host.system.now();
    let mut watch = Deployed { hand: &host.hand, system: &host.system, contract, began };
    match apply::apply(&host.tools(), &prepared, &order, &alone, &mut said, &mut watch) {
        Ok(applied) => output::print_and(&after(contract, &deployment, &applied.id), ExitCode::SUCCESS),
        Err(trouble) => {
            troubled(&trouble);
            output::complain(&format!("not deployed: {} runs as before", short(from)));
            Ok(ExitCode::from(NOT_DEPLOYED))
        }
    }
}

/// What is deployed, and the contract that comes with it.
struct Prepared {
    deployment: Deployment,
    incoming: Option<Incoming>,
}

/// Finds the commit and makes the plan. Where the commit brings another contract, the plan holds what that one wants of
/// this host, too.
fn prepared(args: &DeployArgs, host: &Host, contract: &Contract) -> Result<Prepared, Failure> {
    let mut deployment =
        deploy::find(&host.hand, &host.system, contract, &args.reference).map_err(|all| hindered(&all))?;
    let mut incoming = None;
    if !args.without_contract {
        incoming = Incoming::of(&host.hand, contract, &deployment)?;
    }
    if let (Some(incoming), true) = (&mut incoming, args.wheelhouse.is_some()) {
        incoming.contract.provision.wheelhouse.clone_from(&contract.provision.wheelhouse);
    }
    let contract = incoming.as_ref().map_or(contract, |incoming| &incoming.contract);
    super::audit::chosen(contract, &[], &args.service, &[])?;
    let elsewhere = operate::deploy::elsewhere(&host.system, contract);
    let wanted = Wanted { only: &args.service, elsewhere: &elsewhere };
    deployment.plan(&host.hand, &host.system, contract, wanted).map_err(|all| hindered(&all))?;
    if let Some(incoming) = &incoming {
        let ours = super::plan::known(&Wider::default(), &host.act, &super::render::of_installed())?;
        let more = provision::wanted(&host.system, contract, &ours).map_err(|all| hindered(&all))?;
        deployment.plan.steps.extend(incoming.steps().chain(more.plan.steps));
    }
    Ok(Prepared { deployment, incoming })
}

/// The checklist of section I as far as it is decided before anything is touched: what the audit has decided by
/// section, then what the contract names for this moment.
fn before(contract: &Contract, deployment: &Deployment, report: &Report) -> String {
    let Deployment { tree, from, to, .. } = deployment;
    let mut text = format!(
        "golden deploy · {} · {} → {} · host {}\n\n",
        tree.path,
        short(&from.commit),
        short(&to.commit),
        report.host
    );
    for section in Section::ALL {
        let of_section = report.results.iter().filter(|result| result.rule.section == *section);
        let passed = of_section.filter(|result| matches!(result.said, Outcome::Pass)).count();
        if passed > 0 {
            let _ = writeln!(text, "  ✓ {section}  {:<40} {passed:>5} passed", section.title());
        }
    }
    for item in items(contract) {
        let (mark, who) = match item.by {
            None => ("–", "  (a person checks this)"),
            Some(SeenTo::Ledger | SeenTo::Journal) => ("…", ""),
        };
        let _ = writeln!(text, "  {mark} I  {}{who}", item.text);
    }
    let units = |units: &[String]| units.join(", ");
    if !deployment.untouched.is_empty() {
        let _ = writeln!(
            text,
            "\n  keeps running, because its code is unchanged: {}",
            units(&deployment.untouched)
        );
    }
    if !deployment.older.is_empty() {
        let _ = writeln!(text, "\n  keeps running with its old code: {}", units(&deployment.older));
        let _ = writeln!(text, "  later: golden deploy REF --service NAME");
    }
    text
}

fn items(contract: &Contract) -> impl Iterator<Item = &CheckItem> {
    contract.checklist.iter().filter(|item| item.section == Section::I)
}

fn after(contract: &Contract, deployment: &Deployment, id: &str) -> String {
    let (from, to) = (short(&deployment.from.commit), short(&deployment.to.commit));
    let mut text = String::from("  ✓ the audit passes after it, too\n");
    for item in items(contract).filter(|item| item.by.is_some()) {
        let _ = writeln!(text, "  ✓ I  {}", item.text);
    }
    let _ = writeln!(text, "\n{to} is deployed in place of {from}. To go back: golden apply --undo {id}");
    text
}
