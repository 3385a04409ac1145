//! `golden plan` and `golden apply`: what is missing or violated on this host, and making it right.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::change::{self, CHANGES, Confirm, Host, REFUSED, Said, caller, take_host, troubled};
use super::{Failure, Global, output};
use crate::contract::Contract;
use crate::model::{Location, Report, Stated};
use crate::operate::provision::{self, Provisioning};
use crate::operate::{self, Proof, Proven};
use crate::plan::apply::Alone;
use crate::plan::journal::{Kept, Progress};
use crate::plan::{Order, Ours, Prepared, apply, prepare};
use crate::render::Artefact;
use crate::system::act::Act;

/// What a plan holds beyond what is demanded.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Wider {
    /// Also changes that the contract does not demand, and warnings.
    #[arg(long)]
    optional: bool,
    /// Also replace files that golden renders but did not write.
    #[arg(long)]
    take_over: bool,
    /// The directory of wheels, instead of the contract's `wheelhouse`.
    #[arg(long, value_name = "DIR")]
    wheelhouse: Option<String>,
}

/// Arguments of `golden plan`.
#[derive(Args, Debug)]
pub(super) struct PlanArgs {
    /// Only the list of changes, without the differences of files.
    #[arg(long)]
    list: bool,
    /// Of a host whose disk is mounted at DIR, instead of this one.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    #[command(flatten)]
    wider: Wider,
}

/// Arguments of `golden apply`.
#[derive(Args, Debug)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    confirm: Confirm,
    /// Undo the newest plan, or the named one.
    #[arg(long, value_name = "PLAN", num_args = 0..=1, default_missing_value = "")]
    undo: Option<String>,
    /// Only undo an interrupted plan.
    #[arg(long)]
    recover: bool,
    #[command(flatten)]
    wider: Wider,
}

/// A plan with what it was made from.
struct Made {
    contract: Contract,
    host: Host,
    prepared: Prepared,
    report: Report,
    left: Vec<(String, String)>,
    /// Where the disk is mounted that it was made for; `None` for this host.
    root: Option<PathBuf>,
}

/// Makes the plan of a host: what is missing, and the remedies of what is violated.
fn make(global: &Global, wider: &Wider, root: Option<&Path>) -> Result<Made, Failure> {
    let mut found = change::contract(global)?;
    if let Some(directory) = &wider.wheelhouse {
        let at = Location::file("--wheelhouse");
        found.contract.provision.wheelhouse = Some(Stated::new(directory.clone(), at));
    }
    let contract = found.contract;
    let (host, installed) = match root {
        None => (Host::live()?, super::find::installed_contract()),
        // Whose signatures count there is that host's to say.
        Some(root) => (Host::rooted(root)?, None),
    };
    let rendered = if root.is_none() { super::render::of_installed() } else { Vec::new() };
    let ours = known(wider, &host.act, &rendered)?;
    let text = (!contract.source.built_in).then_some(found.text.as_str());
    let Provisioning { plan, report, left } =
        provision::plan(&host.system, &contract, text, installed.as_ref(), &ours)
            .map_err(|all| change::hindered(&all))?;
    let prepared = prepare(&host.hand, &host.system, &contract, &plan).map_err(Failure::new)?;
    Ok(Made { contract, host, prepared, report, left, root: root.map(Path::to_owned) })
}

/// What golden is known to have written on a host, whose installed contract renders these files.
pub(super) fn known(wider: &Wider, act: &Act, rendered: &[Artefact]) -> Result<Ours, Failure> {
    let mut ours = Ours::known(act, rendered)
        .map_err(|error| Failure::new(format!("golden's own record of this host: {error}")))?;
    ours.take_over = wider.take_over;
    ours.optional = wider.optional;
    Ok(ours)
}

/// `golden plan`
pub(super) fn plan(global: &Global, args: &PlanArgs) -> Result<ExitCode, Failure> {
    let confirm = Confirm { check: true, list: args.list, ..Confirm::default() };
    check(global, &make(global, &args.wider, args.root.as_deref())?, &confirm)
}

fn check(global: &Global, made: &Made, confirm: &Confirm) -> Result<ExitCode, Failure> {
    output::talk(change::left(&made.prepared, &made.left));
    if made.prepared.is_empty() {
        let host = made
            .root
            .as_ref()
            .map_or("this host".to_owned(), |root| format!("the host below {}", root.display()));
        return output::print_and(&format!("nothing to do on {host}\n"), ExitCode::SUCCESS);
    }
    output::print(change::shown(&made.contract, &made.prepared, confirm, output::style(global)))?;
    let end = change::counted(&made.prepared);
    let by = if made.root.is_some() { "`golden apply` on that host" } else { "`golden apply`" };
    output::print(&format!("\n{end}. Nothing was changed; {by} does it.\n"))?;
    Ok(ExitCode::from(CHANGES))
}

/// `golden apply --recover`: what an interrupted plan has done is undone already by whoever takes the host.
fn recover(host: &Host, alone: &Alone, said: &mut Said) -> Result<ExitCode, Failure> {
    let is_made_up = match change::make_up(host, alone, said) {
        Ok(is_made_up) => is_made_up,
        Err(code) => return Ok(code),
    };
    let plans = Kept::all(&host.act).map_err(|error| Failure::new(error.to_string()))?;
    let is_left = plans.iter().any(|kept| kept.journal.progress == Progress::Begun);
    match is_left || !is_made_up {
        true => Ok(ExitCode::from(REFUSED)),
        false => output::print_and("no interrupted plan is left\n", ExitCode::SUCCESS),
    }
}

/// `golden apply`
pub(super) fn apply(global: &Global, args: &ApplyArgs) -> Result<ExitCode, Failure> {
    if args.confirm.check {
        return check(global, &make(global, &args.wider, None)?, &args.confirm);
    }
    let mut said = Said::new(global);
    // To go back, no contract is needed: the one that is there may be the reason for it.
    let goes_back = args.undo.is_some() || args.recover;
    let contract = match goes_back {
        true => change::contract(global).ok().map(|found| found.contract),
        false => Some(change::contract(global)?.contract),
    };
    let host = Host::live()?;
    let alone = match take_host("apply", &host, &mut said) {
        Ok(alone) => alone,
        Err(code) => return Ok(code),
    };
    if args.recover {
        return recover(&host, &alone, &mut said);
    }
    let by = caller();
    if let Some(id) = &args.undo {
        let digest = contract.as_ref().map_or("", |contract| contract.source.digest.as_str());
        let order = Order::new("undo", digest, &by);
        let id = (!id.is_empty()).then_some(id.as_str());
        return match apply::undo_plan(&host.tools(), &order, id, &alone, &mut said) {
            Ok((id, left)) => {
                if !change::name_left(&left, "golden apply --undo") {
                    return Ok(ExitCode::from(REFUSED));
                }
                output::print_and(&format!("the plan {id} is undone\n"), ExitCode::SUCCESS)
            }
            Err(trouble) => Ok(troubled(&trouble)),
        };
    }
    let made = make(global, &args.wider, None)?;
    output::talk(change::left(&made.prepared, &made.left));
    if made.prepared.is_empty() {
        return output::print_and("nothing to do on this host\n", ExitCode::SUCCESS);
    }
    if !args.confirm.yes || !global.quiet {
        output::print(change::shown(&made.contract, &made.prepared, &args.confirm, output::style(global)))?;
        output::print(&format!("\n{}\n", change::counted(&made.prepared)))?;
    }
    if let Err(code) = change::confirmed(&made.prepared, &args.confirm, "apply") {
        return Ok(code);
    }
    if args.confirm.rehearsed
        && let Err(why) = super::rehearse::on_a_copy(global, &made.contract, &["apply", "--yes", "--quiet"])
    {
        output::complain(&format!("nothing was changed here: {why}"));
        return Ok(ExitCode::from(REFUSED));
    }
    let order = Order::new("apply", &made.contract.source.digest, &by);
    let proof = Proof::NoWorse(operate::passed(&made.report));
    let mut watch = Proven::new(&made.host.system, &made.contract, proof);
    match apply::apply(&made.host.tools(), &made.prepared, &order, &alone, &mut said, &mut watch) {
        Ok(applied) => {
            output::print(&change::taken(&applied))?;
            let left = watch.after.as_ref().map_or(0, |report| operate::failed(report, false).len());
            if left > 0 {
                let plural = if left == 1 { "violation is" } else { "violations are" };
                output::talk(&format!("{left} {plural} left: golden plan shows what can be done\n"));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(trouble) => Ok(troubled(&trouble)),
    }
}
