//! `golden deploy`: another commit on this host, when everything holds before, and only if everything holds after.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::plan::{Said, caller, hindered, take_host, troubled};
use super::{Failure, Global, find, output};
use crate::audit::{Selection, audit};
use crate::contract::{CheckItem, Contract, SeenTo};
use crate::model::report::Said as Outcome;
use crate::model::{Report, Section, Severity, Stated, Verdict};
use crate::plan::apply::{self, Order};
use crate::plan::deploy::{self, Deployment};
use crate::plan::{Failed, short};
use crate::report::human::{self, Style};
use crate::system::act::{Act, Call};
use crate::system::{DiskSystem, System};

/// What is deployed.
#[derive(Args, Debug)]
pub(super) struct DeployArgs {
    /// A branch of the remote, a tag, or a commit.
    #[arg(value_name = "REF")]
    reference: String,
    /// Change nothing on the host: audit, fetch, and show the checklist and the steps.
    #[arg(long)]
    check: bool,
    /// Where wheels lie, in place of the contract's `wheelhouse`.
    #[arg(long, value_name = "DIR")]
    wheelhouse: Option<String>,
}

/// Not deployed; the host is as before.
const NOT_DEPLOYED: u8 = 1;

/// Carries the verb out.
pub(super) fn run(global: &Global, args: &DeployArgs) -> Result<ExitCode, Failure> {
    let mut contract = find::contract(global)?.contract;
    if let Some(directory) = &args.wheelhouse {
        let at = crate::model::Location::file("--wheelhouse");
        contract.provision.wheelhouse = Some(Stated::new(directory.clone(), at));
    }
    let (act, mut said) = (Act::live(), Said::new(global));
    let alone = match take_host("deploy", &act, &mut said) {
        Ok(alone) => alone,
        Err(code) => return Ok(code),
    };
    let (report, system) = look(&contract)?;
    if report.verdict() != Verdict::Compliant {
        output::print(&human::render(&report, Style { quiet: true, ..output::style(global) }))?;
        output::complain("not deployed: the host is not compliant; golden fix mends what a machine can");
        return Ok(ExitCode::from(NOT_DEPLOYED));
    }
    let deployment = match deploy::plan(&act, &system, &contract, &args.reference) {
        Ok(deployment) => deployment,
        Err(all) => {
            output::complain(&format!("not deployed: {}", hindered(&all)));
            return Ok(ExitCode::from(NOT_DEPLOYED));
        }
    };
    let (from, to) = (&deployment.from.commit, &deployment.to.commit);
    output::print(&before(&contract, &deployment, &report))?;
    if deployment.plan.steps.is_empty() {
        return output::print_and("it is what runs; nothing to do\n", ExitCode::SUCCESS);
    }
    if args.check {
        let steps: String = deployment.plan.steps.iter().fold(String::new(), |mut text, step| {
            let _ = writeln!(text, "      {}", step.title());
            text
        });
        return output::print_and(&format!("\n{steps}\nNothing was changed.\n"), ExitCode::SUCCESS);
    }
    let ledger = [("repository", deployment.tree.path.as_str()), ("from", from), ("to", to)];
    let by = caller();
    let order = Order { verb: "deploy", contract: &contract.source.digest, by: &by, said: &ledger };
    let began = system.now();
    let mut proof = || prove(&act, &contract, began);
    match apply::apply(&act, &system, &deployment.plan, &order, &alone, &mut said, &mut proof) {
        Ok(applied) => output::print_and(&after(&contract, &deployment, &applied.id), ExitCode::SUCCESS),
        Err(trouble) => {
            troubled(&trouble);
            output::complain(&format!("not deployed: {} runs as before", short(from)));
            Ok(ExitCode::from(NOT_DEPLOYED))
        }
    }
}

fn look(contract: &Contract) -> Result<(Report, DiskSystem), Failure> {
    let system = DiskSystem::live()
        .map_err(|error| Failure::new(format!("this host cannot be looked at: {error}")))?;
    let selection = Selection::default();
    let facts = crate::facts::gather::gather(&system, contract, selection.needs(contract));
    Ok((audit(contract, &facts, &selection, false), system))
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
            None => ("–", "  (a person's word)"),
            Some(SeenTo::Ledger | SeenTo::Journal) => ("…", ""),
        };
        let _ = writeln!(text, "  {mark} I  {}{who}", item.text);
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

/// What must hold when all services are healthy again.
fn prove(act: &Act, contract: &Contract, began: i64) -> Result<(), Failed> {
    clean_start(act, contract, began)?;
    let (report, _) =
        look(contract).map_err(|failure| Failed { why: failure.to_string(), said: String::new() })?;
    match report.verdict() {
        Verdict::Compliant => Ok(()),
        _ => {
            let style = Style { color: false, verbose: false, quiet: true, width: 110 };
            Err(Failed {
                why: format!("the audit does not pass after it: {}", worst(&report)),
                said: human::render(&report, style),
            })
        }
    }
}

fn worst(report: &Report) -> String {
    let grave = |severity| {
        report.results.iter().find(|result| {
            result.severity == severity && matches!(&result.said, Outcome::Fail(of) if of.waiver.is_none())
        })
    };
    grave(Severity::Must).map_or_else(
        || "something is undecided".to_owned(),
        |result| format!("{} ({})", result.rule.id, result.subject),
    )
}

/// What the services have written to the journal as an error since the deployment began.
fn clean_start(act: &Act, contract: &Contract, began: i64) -> Result<(), Failed> {
    let mut words: Vec<String> = ["journalctl", "--quiet", "--no-pager", "--output=short", "--priority=err"]
        .map(str::to_owned)
        .to_vec();
    words.push(format!("--since=@{began}"));
    let units = contract.services.iter().filter(|service| service.kind.value.runs());
    words.extend(units.map(|service| format!("--unit={}", service.unit.value)));
    let call = Call { words, identity: None, environment: Vec::new(), limit: 60 };
    let ended = act.run(&call, &mut |_| {})?;
    match (ended.code, ended.said.trim()) {
        (Some(0), "") => Ok(()),
        (Some(0), said) => {
            Err(Failed { why: "the journal shows errors since the start".to_owned(), said: said.to_owned() })
        }
        _ => Err(Failed { why: "the journal cannot be read".to_owned(), said: ended.said }),
    }
}
