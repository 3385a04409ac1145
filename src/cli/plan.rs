//! `golden plan` and `golden apply`: what must be done to this host, and doing it.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::{Failure, Global, find, output};
use crate::audit::audit;
use crate::contract::Contract;
use crate::model::Report;
use crate::model::{Location, Stated};
use crate::plan::apply::{self, Alone, Listener, Order};
use crate::plan::{Applied, Hindrance, Plan, Trouble, fix};
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

/// What is mended.
#[derive(Args, Debug)]
pub(super) struct FixArgs {
    /// Only findings of this rule (repeatable).
    #[arg(long, value_name = "ID")]
    rule: Vec<String>,
    /// Only findings of this service (repeatable).
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Violations alone, no warnings.
    #[arg(long)]
    must: bool,
    /// Change nothing: show what would be done.
    #[arg(long)]
    check: bool,
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

pub(super) fn hindered(all: &[Hindrance]) -> Failure {
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
pub(super) struct Said {
    quiet: bool,
    verbose: bool,
}

impl Said {
    /// As the options ask for it.
    pub(super) fn new(global: &Global) -> Self {
        Self { quiet: global.quiet, verbose: global.verbose }
    }
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

/// Who asked: the person behind sudo(8), else the user of this process.
pub(super) fn caller() -> String {
    let by_sudo = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
    by_sudo.or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "root".to_owned())
}

/// Takes the host for this process alone, and brings an interrupted plan back first; a code where it cannot.
pub(super) fn take_host(verb: &str, act: &Act, said: &mut Said) -> Result<Alone, ExitCode> {
    if !rustix::process::geteuid().is_root() {
        let failure = Failure::new(format!("`golden {verb}` changes this host, which only root may"));
        output::complain(&failure.hint(format!("sudo golden {verb}")).to_string());
        return Err(ExitCode::from(REFUSED));
    }
    let alone = Alone::take(act).map_err(|trouble| troubled(&trouble))?;
    for id in apply::recover(act, &alone, said).map_err(|trouble| troubled(&trouble))? {
        output::complain(&format!("the plan {id} was interrupted; what it had done is undone"));
    }
    Ok(alone)
}

/// `golden apply`
pub(super) fn apply(global: &Global, args: &ApplyArgs) -> Result<ExitCode, Failure> {
    if args.check {
        return plan(global, &PlanArgs { list: false, wheelhouse: args.wheelhouse.clone() });
    }
    let (act, mut said) = (Act::live(), Said::new(global));
    let alone = match take_host("apply", &act, &mut said) {
        Ok(alone) => alone,
        Err(code) => return Ok(code),
    };
    let by = caller();
    if let Some(id) = &args.undo {
        return undo(global, (!id.is_empty()).then_some(id.as_str()), &act, &alone, &mut said);
    }
    let made = make(global, args.wheelhouse.as_ref())?;
    if made.plan.steps.is_empty() {
        return output::print_and(&shown(&made, false, output::style(global)), ExitCode::SUCCESS);
    }
    let order = Order { verb: "apply", contract: &made.contract.source.digest, by: &by, said: &[] };
    match apply::apply(&act, &made.system, &made.plan, &order, &alone, &mut said, &mut || Ok(())) {
        Ok(applied) => output::print_and(&taken(&applied), ExitCode::SUCCESS),
        Err(trouble) => Ok(troubled(&trouble)),
    }
}

fn taken(applied: &Applied) -> String {
    format!("{} steps taken. To take them back: golden apply --undo {}\n", applied.steps, applied.id)
}

fn undo(
    global: &Global,
    id: Option<&str>,
    act: &Act,
    alone: &Alone,
    said: &mut Said,
) -> Result<ExitCode, Failure> {
    let digest = find::contract(global)?.contract.source.digest;
    let order = Order { verb: "undo", contract: &digest, by: &caller(), said: &[] };
    match apply::undo_plan(act, &order, id, alone, said) {
        Ok((id, left)) => {
            name_left(&left);
            output::print_and(&format!("the plan {id} is undone\n"), ExitCode::SUCCESS)
        }
        Err(trouble) => Ok(troubled(&trouble)),
    }
}

/// `golden fix`
pub(super) fn fix(global: &Global, args: &FixArgs) -> Result<ExitCode, Failure> {
    let contract = find::contract(global)?.contract;
    let (act, mut said) = (Act::live(), Said::new(global));
    // Even a look waits until nobody changes the host.
    let alone = match args.check {
        true => None,
        false => match take_host("fix", &act, &mut said) {
            Ok(alone) => Some(alone),
            Err(code) => return Ok(code),
        },
    };
    let (report, _) = look(&contract, args)?;
    let fixes = fix::plan(&contract, &fix::findings(&report, !args.must), false);
    if fixes.plan.steps.is_empty() {
        name_persons(&fixes.left);
        let nothing =
            if fixes.left.is_empty() { "nothing to mend\n" } else { "nothing that a machine can mend\n" };
        return output::print_and(nothing, ExitCode::from(u8::from(!fixes.left.is_empty())));
    }
    match alone {
        Some(alone) => mend(&contract, args, &Hold { act, alone }, &mut said),
        None => {
            for step in &fixes.plan.steps {
                output::print(&format!("{}\n    {}\n", step.why, step.title()))?;
            }
            name_persons(&fixes.left);
            Ok(ExitCode::from(CHANGES))
        }
    }
}

/// The host, held by this process.
struct Hold {
    act: Act,
    alone: Alone,
}

/// Mends and looks again, as long as that helps: what hid behind a finding is told by the next look.
fn mend(contract: &Contract, args: &FixArgs, hold: &Hold, said: &mut Said) -> Result<ExitCode, Failure> {
    const PASSES: usize = 6;
    let order = Order { verb: "fix", contract: &contract.source.digest, by: &caller(), said: &[] };
    let mut before = Plan::default();
    for pass in 0..PASSES {
        let (report, system) = look(contract, args)?;
        let findings = fix::findings(&report, !args.must);
        let fixes = fix::plan(contract, &fix::causes(&findings), pass > 0);
        if fixes.plan.steps.is_empty() || fixes.plan == before {
            for result in &findings {
                output::talk(&format!("left    {} ({})\n", result.rule.id, result.subject));
            }
            return Ok(ExitCode::from(u8::from(!findings.is_empty())));
        }
        match apply::apply(&hold.act, &system, &fixes.plan, &order, &hold.alone, said, &mut || Ok(())) {
            Ok(applied) => output::print(&taken(&applied))?,
            Err(trouble) => return Ok(troubled(&trouble)),
        }
        before = fixes.plan;
    }
    output::complain("new findings came up each time; look at them: golden audit");
    Ok(ExitCode::from(REFUSED))
}

/// An audit of what is to be mended.
fn look(contract: &Contract, args: &FixArgs) -> Result<(Report, DiskSystem), Failure> {
    let system = DiskSystem::live()
        .map_err(|error| Failure::new(format!("this host cannot be looked at: {error}")))?;
    let selection = super::audit::chosen(contract, &[], &args.service, &args.rule)?;
    let facts = crate::facts::gather::gather(&system, contract, selection.needs(contract));
    Ok((audit(contract, &facts, &selection, false), system))
}

fn name_persons(left: &[(String, String)]) {
    for (name, what) in left {
        output::talk(&format!("left    {name}: {what}\n"));
    }
}

fn name_left(left: &[String]) {
    for one in left {
        output::talk(&format!("left    {one}\n"));
    }
}

pub(super) fn troubled(trouble: &Trouble) -> ExitCode {
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
    ExitCode::from(REFUSED)
}
