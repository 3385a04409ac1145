//! `golden plan` and `golden apply`: what must be done to this host, and doing it.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::{Failure, Global, find, output};
use crate::contract::Contract;
use crate::model::{Location, Stated};
use crate::plan::apply::{self, Alone, Listener, Order};
use crate::plan::{Hindrance, Plan, Trouble};
use crate::report::human::Style;
use crate::system::DiskSystem;
use crate::system::act::Act;

/// How the plan is shown.
#[derive(Args, Debug)]
pub(super) struct PlanArgs {
    /// Only the list of steps, without the differences of files.
    #[arg(long)]
    list: bool,
    /// Where wheels lie, in place of the contract's `wheelhouse`.
    #[arg(long, value_name = "DIR")]
    wheelhouse: Option<String>,
}

/// What is applied.
#[derive(Args, Debug)]
pub(super) struct ApplyArgs {
    /// Change nothing: as `golden plan`.
    #[arg(long)]
    check: bool,
    /// Bring back what the newest plan (or the named one) has changed.
    #[arg(long, value_name = "PLAN", num_args = 0..=1, default_missing_value = "")]
    undo: Option<String>,
    /// Where wheels lie, in place of the contract's `wheelhouse`.
    #[arg(long, value_name = "DIR")]
    wheelhouse: Option<String>,
}

/// Refused or undone.
const REFUSED: u8 = 1;
/// There would be changes.
const CHANGES: u8 = 1;

/// A plan with what it was made from.
struct Made {
    contract: Contract,
    plan: Plan,
    system: DiskSystem,
}

/// Makes the plan of this host.
fn make(global: &Global, wheelhouse: Option<&String>) -> Result<Made, Failure> {
    let mut found = find::contract(global)?;
    if let Some(directory) = wheelhouse {
        let at = Location::file("--wheelhouse");
        found.contract.provision.wheelhouse = Some(Stated::new(directory.clone(), at));
    }
    let artefacts = super::render::rendered(&found.contract)?;
    let system = DiskSystem::live()
        .map_err(|error| Failure::new(format!("this host cannot be looked at: {error}")))?;
    let text = (!found.contract.source.built_in).then_some(found.text.as_str());
    let plan = crate::plan::plan(&system, &found.contract, &artefacts, text).map_err(|all| hindered(&all))?;
    Ok(Made { contract: found.contract, plan, system })
}

fn hindered(all: &[Hindrance]) -> Failure {
    let lines: Vec<String> = all.iter().map(|one| format!("{}\n    {}", one.what, one.way_out)).collect();
    Failure::new(format!("there can be no plan\n  {}", lines.join("\n  ")))
}

/// `golden plan`
pub(super) fn plan(global: &Global, args: &PlanArgs) -> Result<ExitCode, Failure> {
    let made = make(global, args.wheelhouse.as_ref())?;
    output::print(&shown(&made, !args.list, output::style(global)))?;
    Ok(ExitCode::from(if made.plan.steps.is_empty() { 0 } else { CHANGES }))
}

/// Differences of files first, then the list of steps, so that the list is what is left on the screen.
fn shown(made: &Made, differences: bool, style: Style) -> String {
    let mut text = String::new();
    if made.plan.steps.is_empty() {
        return "this host is as its contract says; nothing to do\n".to_owned();
    }
    if differences {
        let secret = &made.contract.env.secret_names.value;
        for step in &made.plan.steps {
            text.push_str(&colored(&step.diff(secret), style));
        }
        text.push('\n');
    }
    let width = made.plan.steps.iter().map(|step| step.title().chars().count()).max().unwrap_or(0).min(64);
    for (index, step) in made.plan.steps.iter().enumerate() {
        let _ = writeln!(text, "{:>3}  {:<width$}  {}", index + 1, step.title(), step.why);
    }
    let _ =
        writeln!(text, "\n{} steps. Nothing was changed; `golden apply` takes them.", made.plan.steps.len());
    text
}

fn colored(diff: &str, style: Style) -> String {
    if !style.color {
        return diff.to_owned();
    }
    let color = |line: &str| match line.chars().next() {
        Some('+') => format!("\x1b[32m{line}\x1b[0m\n"),
        Some('-') => format!("\x1b[31m{line}\x1b[0m\n"),
        Some('@') => format!("\x1b[2m{line}\x1b[0m\n"),
        _ => format!("{line}\n"),
    };
    diff.lines().map(color).collect()
}

/// Says on stderr what is being done.
struct Said {
    quiet: bool,
    verbose: bool,
}

impl Listener for Said {
    fn begins(&mut self, number: usize, of: usize, title: &str) {
        if !self.quiet {
            output::talk(&format!("[{number}/{of}] {title}\n"));
        }
    }

    fn says(&mut self, line: &str) {
        if self.verbose {
            output::talk(&format!("        {line}\n"));
        }
    }

    fn undoes(&mut self, title: &str) {
        output::talk(&format!("undo    {title}\n"));
    }
}

/// Only root changes a host.
fn as_root(verb: &str) -> Result<(), Failure> {
    match rustix::process::geteuid().is_root() {
        true => Ok(()),
        false => Err(Failure::new(format!("`golden {verb}` changes this host, which only root may"))
            .hint(format!("sudo golden {verb}"))),
    }
}

/// Who asked: the person behind sudo(8), else the user of this process.
fn caller() -> String {
    let by_sudo = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
    by_sudo.or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "root".to_owned())
}

/// `golden apply`
pub(super) fn apply(global: &Global, args: &ApplyArgs) -> Result<ExitCode, Failure> {
    if args.check {
        return plan(global, &PlanArgs { list: false, wheelhouse: args.wheelhouse.clone() });
    }
    as_root("apply")?;
    let act = Act::live();
    let alone = match Alone::take(&act) {
        Ok(alone) => alone,
        Err(trouble) => return troubled(&trouble),
    };
    let mut said = Said { quiet: global.quiet, verbose: global.verbose };
    match apply::recover(&act, &alone, &mut said) {
        Ok(undone) => {
            for id in undone {
                output::complain(&format!("the plan {id} was interrupted; what it had done is undone"));
            }
        }
        Err(trouble) => return troubled(&trouble),
    }
    let by = caller();
    if let Some(id) = &args.undo {
        let digest = find::contract(global)?.contract.source.digest;
        let order = Order { verb: "undo", contract: &digest, by: &by };
        let id = (!id.is_empty()).then_some(id.as_str());
        return match apply::undo_plan(&act, &order, id, &alone, &mut said) {
            Ok((id, left)) => {
                name_left(&left);
                output::print_and(&format!("the plan {id} is undone\n"), ExitCode::SUCCESS)
            }
            Err(trouble) => troubled(&trouble),
        };
    }
    let made = make(global, args.wheelhouse.as_ref())?;
    if made.plan.steps.is_empty() {
        return output::print_and(&shown(&made, false, output::style(global)), ExitCode::SUCCESS);
    }
    let order = Order { verb: "apply", contract: &made.contract.source.digest, by: &by };
    match apply::apply(&act, &made.system, &made.plan, &order, &alone, &mut said) {
        Ok(applied) => output::print_and(
            &format!(
                "{} steps taken. To take them back: golden apply --undo {}\n",
                applied.steps, applied.id
            ),
            ExitCode::SUCCESS,
        ),
        Err(trouble) => troubled(&trouble),
    }
}

fn name_left(left: &[String]) {
    for one in left {
        output::talk(&format!("left    {one}\n"));
    }
}

fn troubled(trouble: &Trouble) -> Result<ExitCode, Failure> {
    match trouble {
        Trouble::Refused(why) => output::complain(why),
        Trouble::Undone { step, failed, left } => {
            if !failed.said.is_empty() {
                output::talk(&format!("{}\n", failed.said.trim_end()));
            }
            name_left(left);
            output::complain(&format!("could not {step}: {}\n  what went before it is undone", failed.why));
        }
    }
    Ok(ExitCode::from(REFUSED))
}
