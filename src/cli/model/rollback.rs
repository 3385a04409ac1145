//! `golden model rollback`: what made the live artefact live is taken back.

use std::process::ExitCode;

use clap::Args;

use super::{ground, life, model, obeyed, refused, said_in_journal};
use crate::cli::change::{self, Confirm, Host, RECOVER, Said, caller, take_host, troubled};
use crate::cli::{Failure, Global, output};
use crate::ledger::models::{Lifecycle, Step};
use crate::model::visible;
use crate::plan::apply::Unwatched;
use crate::plan::{Applied, Order, apply, prepare, short};
use crate::system::System as _;

/// What is taken back.
#[derive(Args, Debug)]
pub(super) struct RollbackArgs {
    /// The model's name in the contract; optional if there is only one model.
    name: Option<String>,
    /// Back to the step of this entry of the ledger (`golden model history` lists them); 0 is before the first.
    #[arg(long, value_name = "ENTRY")]
    to: Option<u64>,
    #[command(flatten)]
    confirm: Confirm,
}

/// How many steps are to be left.
fn target(life: &Lifecycle, to: Option<u64>) -> Result<usize, String> {
    if life.steps.is_empty() {
        return Err("nothing to take back: the ledger knows of no activation that counts".to_owned());
    }
    match to {
        None => Ok(life.before_live()),
        Some(0) => Ok(0),
        Some(entry) => match life.steps.iter().position(|step| step.entry == entry) {
            Some(at) if at + 1 < life.steps.len() => Ok(at + 1),
            Some(_) => Err(format!("entry {entry} is the step that counts now")),
            None => Err(format!(
                "entry {entry} is not a step that can come back; these are: {}",
                life.steps.iter().map(|step| step.entry.to_string()).collect::<Vec<String>>().join(", ")
            )),
        },
    }
}

/// Takes it back, as somebody asks for it.
pub(super) fn rollback(global: &Global, args: &RollbackArgs) -> Result<ExitCode, Failure> {
    roll(global, args.name.as_deref(), args.to, &args.confirm)
}

/// Takes it back.
pub(super) fn roll(
    global: &Global,
    name: Option<&str>,
    to: Option<u64>,
    confirm: &Confirm,
) -> Result<ExitCode, Failure> {
    let contract = obeyed(global)?;
    let model = model(&contract, name)?;
    let (host, mut said) = (Host::live()?, Said::new(global));
    let alone = match take_host("model rollback", &host, &mut said) {
        Ok(alone) => alone,
        Err(code) => return Ok(code),
    };
    let chain = super::chain()?;
    let life = life(&chain, model);
    let ground = ground(&host, &contract, model);
    let planned = target(&life, to).and_then(|steps| Ok((steps, ground.rollback(&life, steps)?)));
    let (steps, back) = match planned {
        Ok(planned) => planned,
        Err(why) => return Ok(refused(&why)),
    };
    let prepared = prepare(&host.hand, &host.system, &contract, &back.plan).map_err(Failure::new)?;
    output::print(&two_lines(&life, &life.back_to(steps), &model.name))?;
    output::print(change::shown(&contract, &prepared, confirm, output::style(global)))?;
    output::print(&format!("\n{}\n", change::counted(&prepared)))?;
    for left in &back.left {
        output::talk(&format!("left    {}\n", visible(left)));
    }
    output::talk(change::left(&prepared, &[]));
    if confirm.check {
        return output::print_and("Nothing was changed.\n", ExitCode::from(super::REFUSED));
    }
    if let Err(code) = change::confirmed(&prepared, confirm, "model rollback") {
        return Ok(code);
    }
    let facts: Vec<(&str, &str)> =
        back.facts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (by, began) = (caller(), host.system.now());
    let order = Order {
        said: &facts,
        done: back.event.clone(),
        ..Order::new("model rollback", &contract.source.digest, &by)
    };
    match apply::apply(&host.tools(), &prepared, &order, &alone, &mut said, &mut Unwatched) {
        Ok(applied) => {
            let unit = ground.service().map_err(Failure::new)?.unit.value.clone();
            let now = named(life.back_to(steps).live());
            let line = format!("model {} is rolled back to {now} (plan {})", model.name, applied.id);
            said_in_journal(&host, &unit, began, &line);
            output::print(&format!("\n{line}\nVerify: golden audit && golden model show {}\n", model.name))?;
            Ok(ended(&applied))
        }
        Err(trouble) => Ok(troubled(&trouble)),
    }
}

/// What a person reads where the service is not as it should be.
fn ended(applied: &Applied) -> ExitCode {
    match applied.skipped.first() {
        None => ExitCode::SUCCESS,
        Some((unit, why)) if applied.owed.contains(unit) => {
            refused(&format!("it is rolled back, but {unit} still runs as before: {why}; try: {RECOVER}"))
        }
        Some((unit, why)) => refused(&format!("it is rolled back, but {unit} is not healthy: {why}")),
    }
}

/// What is live now and what will be.
fn two_lines(now: &Lifecycle, then: &Lifecycle, name: &str) -> String {
    format!("{name}\n- {}\n+ {}\n\n", named(now.live()), named(then.live()))
}

/// A step in words.
fn named(step: Option<&Step>) -> String {
    step.map_or("no artefact of golden".to_owned(), |step| {
        let (artefact, state) = (&step.artefact, step.state.word());
        format!("{} {state} (sha256 {}, entry {})", artefact.version, short(&artefact.digest), step.entry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::models::{Artefact, State};

    fn step(entry: u64, digest: &str, state: State) -> Step {
        Step {
            state,
            artefact: Artefact { digest: digest.into(), version: "1".into() },
            entry,
            plan: String::new(),
            at: String::new(),
            by: String::new(),
            replaced: None,
            file: String::new(),
            changes: Vec::new(),
        }
    }

    #[test]
    fn only_a_step_that_counts_can_come_back() {
        let steps =
            vec![step(2, "A", State::Canary), step(3, "A", State::Active), step(5, "B", State::Canary)];
        let life = Lifecycle { steps, ..Lifecycle::default() };
        assert_eq!(target(&life, None), Ok(2));
        assert_eq!(target(&life, Some(2)), Ok(1));
        assert_eq!(target(&life, Some(0)), Ok(0));
        assert!(target(&life, Some(5)).is_err() && target(&life, Some(4)).is_err());
        assert!(target(&Lifecycle::default(), None).is_err());
    }
}
