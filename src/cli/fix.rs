//! `golden fix`: the remedies of findings, shown, confirmed, made and proven.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;

use super::change::{self, CHANGES, Confirm, Host, REFUSED, Said, caller, take_host, troubled};
use super::{Failure, Global, output};
use crate::audit::Selection;
use crate::contract::Contract;
use crate::model::report::RuleResult;
use crate::model::{Report, Severity, Subject};
use crate::operate::{self, Proof, Proven, mend};
use crate::plan::apply::Alone;
use crate::plan::{Order, Prepared, apply, prepare};

/// Arguments of `golden fix`.
#[derive(Args, Debug)]
pub(super) struct FixArgs {
    /// Only findings of this rule (repeatable).
    #[arg(long, value_name = "ID")]
    rule: Vec<String>,
    /// Only findings of this service (repeatable).
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Only violations, no warnings.
    #[arg(long)]
    must: bool,
    #[command(flatten)]
    confirm: Confirm,
}

/// One look at the host, with what can be mended.
struct Look {
    report: Report,
    /// How many of the chosen findings are violations.
    violations: usize,
    mends: mend::Mends,
    prepared: Prepared,
}

/// How many times a person at a terminal is asked about what a mend has revealed.
const PASSES: usize = 8;

/// Carries the verb out.
pub(super) fn fix(global: &Global, args: &FixArgs) -> Result<ExitCode, Failure> {
    let contract = change::contract(global)?.contract;
    let selection = super::audit::chosen(&contract, &[], &args.service, &args.rule)?;
    let host = Host::live()?;
    let mut said = Said::new(global);
    if args.confirm.check {
        let look = look(&host, &contract, &selection, args)?;
        output::talk(change::left(&look.prepared, &look.mends.left));
        if look.prepared.is_empty() {
            return nothing(&look);
        }
        output::print(change::shown(&contract, &look.prepared, &args.confirm, output::style(global)))?;
        output::print(&format!(
            "\n{}. Nothing was changed; `golden fix` does it.\n",
            change::counted(&look.prepared)
        ))?;
        return Ok(ExitCode::from(CHANGES));
    }
    // Even a look waits until nobody changes the host.
    let alone = match take_host("fix", &host, &mut said) {
        Ok(alone) => alone,
        Err(code) => return Ok(code),
    };
    let mut before: Option<String> = None;
    for pass in 0..PASSES {
        let look = look(&host, &contract, &selection, args)?;
        let digest = look.prepared.digest();
        if look.prepared.is_empty() || before.as_ref() == Some(&digest) {
            output::talk(change::left(&look.prepared, &look.mends.left));
            return nothing(&look);
        }
        // What a later pass adds is asked anew; whoever said yes has not seen it.
        if pass > 0 && (args.confirm.yes || args.confirm.plan.is_some()) {
            output::talk(change::left(&look.prepared, &look.mends.left));
            output::talk(&format!("{} found: run golden fix again\n", change::counted(&look.prepared)));
            return Ok(ExitCode::from(REFUSED));
        }
        if let Some(code) = once(global, args, &contract, &host, &alone, &look, &mut said)? {
            return Ok(code);
        }
        before = Some(digest);
    }
    output::complain("new findings came up each time; look at them: golden audit");
    Ok(ExitCode::from(REFUSED))
}

/// Nothing can be mended; whether that is because nothing is wrong.
fn nothing(look: &Look) -> Result<ExitCode, Failure> {
    let left = look.mends.left.len() + look.prepared.refused.len();
    let words = if left == 0 { "nothing to mend\n" } else { "nothing that golden can mend\n" };
    output::print_and(words, ExitCode::from(u8::from(look.violations > 0)))
}

/// Shows, asks, does and proves; a code where that is the end.
fn once(
    global: &Global,
    args: &FixArgs,
    contract: &Contract,
    host: &Host,
    alone: &Alone,
    look: &Look,
    said: &mut Said,
) -> Result<Option<ExitCode>, Failure> {
    let confirm = &args.confirm;
    output::talk(change::left(&look.prepared, &look.mends.left));
    output::print(change::shown(contract, &look.prepared, confirm, output::style(global)))?;
    output::print(&format!("\n{}\n", change::counted(&look.prepared)))?;
    if let Err(code) = change::confirmed(&look.prepared, confirm, "fix") {
        return Ok(Some(code));
    }
    if confirm.rehearsed {
        let mut words = vec!["fix", "--yes", "--list"];
        words.extend(args.rule.iter().flat_map(|rule| ["--rule", rule.as_str()]));
        words.extend(args.service.iter().flat_map(|name| ["--service", name.as_str()]));
        words.extend(args.must.then_some("--must"));
        if let Err(why) = super::rehearse::on_a_copy(global, contract, &words) {
            output::complain(&format!("nothing was changed here: {why}"));
            return Ok(Some(ExitCode::from(REFUSED)));
        }
    }
    let by = caller();
    let order = Order::new("fix", &contract.source.digest, &by);
    let proof = Proof::NoWorse(operate::passed(&look.report));
    let mut watch = Proven::new(&host.system, contract, proof);
    match apply::apply(&host.tools(), &look.prepared, &order, alone, said, &mut watch) {
        Ok(applied) => {
            output::print(&change::taken(&applied))?;
            Ok(None)
        }
        Err(trouble) => Ok(Some(troubled(&trouble))),
    }
}

fn look(host: &Host, contract: &Contract, selection: &Selection, args: &FixArgs) -> Result<Look, Failure> {
    let report = operate::look(&host.system, contract, &BTreeSet::new());
    if let Some(missing) = operate::approval::missing(&host.system, &report, contract, None) {
        return Err(change::hindered(&[missing]));
    }
    let chosen: Vec<&RuleResult> = mend::findings(&report, !args.must)
        .into_iter()
        .filter(|result| is_chosen(selection, result))
        .collect();
    let violations = chosen.iter().filter(|result| result.severity == Severity::Must).count();
    let mends = mend::plan(contract, &report, &chosen);
    let prepared = prepare(&host.hand, &host.system, contract, &mends.plan).map_err(Failure::new)?;
    Ok(Look { mends, prepared, report, violations })
}

fn is_chosen(selection: &Selection, result: &RuleResult) -> bool {
    let of_rule = selection.rules.is_empty() || selection.rules.iter().any(|id| id == result.rule.id);
    let of_service = match &result.subject {
        Subject::Service(name) => selection.has_service(name),
        _ => selection.services.is_empty(),
    };
    of_rule && of_service
}
