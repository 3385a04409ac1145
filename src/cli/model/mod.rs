//! `golden model`: the lifecycle of the models of section F. What a transition is stands in `safety::models`; here a person
//! asks for one, sees what it does, and hears how it ended.

mod activate;
mod approved;
mod rollback;
mod shadow;
mod shown;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use super::change::{self, Host};
use super::{Failure, Global, output};
use crate::contract::{Contract, Model};
use crate::ledger::models::Lifecycle;
use crate::ledger::{self, Broken, Chain, LEDGER};
use crate::safety::models::moves::Ground;
use crate::system::System;

/// Refused, or undone.
const REFUSED: u8 = 1;

#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 done, 1 refused or undone, 2 cannot.\n\ncheckpoint → shadow → canary → active → archived. No program activates a model: canary and promote ask a person."
)]
pub(super) struct ModelArgs {
    #[command(subcommand)]
    verb: ModelVerb,
}

#[derive(Subcommand, Debug)]
enum ModelVerb {
    /// List the models and the state of each artefact, by the ledger.
    List,
    /// Show one model: its states, what lies on this host, and what its service is told.
    Show {
        /// Its name in the contract; optional if there is only one model.
        name: Option<String>,
    },
    /// Register an artefact that lies in shadow/ by its digest, so that the gate can judge it.
    Shadow(shadow::ShadowArgs),
    /// Activate the registered artefact on probation. Only a person can confirm this.
    Canary(activate::CanaryArgs),
    /// Make the canary the active artefact; the one before it is archived. Only a person can confirm this.
    Promote(activate::PromoteArgs),
    /// Undo the activation of the live artefact, and nothing else.
    Rollback(rollback::RollbackArgs),
    /// Watch whether a rollback is due: gate, loss, errors, the service, the audit. Runs until it is stopped.
    Watch(watch::WatchArgs),
    /// Show the history of a model, or the artefact that was live at a time.
    History(shown::HistoryArgs),
}

/// A verb of these as a job of the contract, with the job's own arguments.
#[derive(Parser, Debug)]
#[command(name = "model", no_binary_name = true)]
struct AsJob {
    #[command(flatten)]
    args: ModelArgs,
}

/// A transition that is a job of the contract. The only model need not be named.
pub(super) fn run_with(global: &Global, verb: &str, arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let mut words = vec![OsString::from(verb)];
    words.extend(arguments.iter().cloned());
    if arguments.first().is_none_or(|word| word.to_string_lossy().starts_with('-')) {
        let contract = obeyed(global)?;
        words.insert(1, model(&contract, None)?.name.to_string().into());
    }
    match AsJob::try_parse_from(words) {
        Ok(job) => run(global, &job.args),
        Err(error) if !error.use_stderr() => output::print_and(&error.to_string(), ExitCode::SUCCESS),
        Err(error) => Err(Failure::listing(error.to_string().trim_end())),
    }
}

/// Carries the verb out.
pub(super) fn run(global: &Global, args: &ModelArgs) -> Result<ExitCode, Failure> {
    match &args.verb {
        ModelVerb::List => shown::list(global),
        ModelVerb::Show { name } => shown::show(global, name.as_deref()),
        ModelVerb::Shadow(args) => shadow::shadow(global, args),
        ModelVerb::Canary(args) => activate::canary(global, args),
        ModelVerb::Promote(args) => activate::promote(global, args),
        ModelVerb::Rollback(args) => rollback::rollback(global, args),
        ModelVerb::Watch(args) => watch::run(global, args),
        ModelVerb::History(args) => shown::history(global, args),
    }
}

/// The model with a name, or the only one.
fn model<'c>(contract: &'c Contract, name: Option<&str>) -> Result<&'c Model, Failure> {
    let known = || contract.models.iter().map(|model| model.name.as_ref()).collect::<Vec<&str>>().join(", ");
    match (name, contract.models.as_slice()) {
        (_, []) => Err(Failure::new("the contract guards no models")
            .hint("add [models.NAME] to it; docs/contract-file.md says how")),
        (None, [one]) => Ok(one),
        (None, _) => Err(Failure::new("which model?").hint(format!("one of {}", known()))),
        (Some(name), _) => contract.model(name).ok_or_else(|| {
            Failure::new(format!("the contract has no model {name:?}")).hint(format!("one of {}", known()))
        }),
    }
}

/// The ledger of this host; an empty one where golden has changed nothing yet.
fn chain() -> Result<Chain, Failure> {
    match ledger::load(std::path::Path::new(LEDGER)) {
        // golden never leaves it empty: whoever emptied it took away what may be live.
        Ok(text) if text.is_empty() => {
            let why = "it is empty".to_owned();
            Ok(Chain { broken: Some(Broken { line: 1, why }), ..Chain::default() })
        }
        Ok(text) => Ok(ledger::read(&text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Chain::default()),
        Err(error) => {
            let failure = Failure::new(format!("{LEDGER}: {error}"));
            let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
            Err(if denied { failure.hint("sudo golden model …") } else { failure })
        }
    }
}

/// What the gate is asked of a model: events of the artefact in question alone. Who may not read the ledger asks of all.
pub(super) fn asked(
    contract: &Contract,
    name: &str,
    system: &dyn System,
) -> Result<crate::safety::Asked, Failure> {
    let lines = if rustix::process::geteuid().is_root() { chain()?.lines } else { Vec::new() };
    Ok(crate::safety::models::asked(contract, name, &lines, system))
}

/// A ledger that may be trusted for something new.
fn whole(chain: &Chain) -> Result<(), String> {
    match &chain.broken {
        None => Ok(()),
        Some(broken) => Err(format!(
            "the ledger is broken at line {} ({}), so nothing new is begun; see golden ledger verify",
            broken.line, broken.why
        )),
    }
}

/// What a transition is planned on.
fn ground<'a>(host: &'a Host, contract: &'a Contract, model: &'a Model) -> Ground<'a> {
    Ground { hand: &host.hand, contract, model, now: jiff::Timestamp::now() }
}

/// Says why nothing is done.
fn refused(why: &str) -> ExitCode {
    output::complain(crate::model::visible_lines(why).as_ref());
    ExitCode::from(REFUSED)
}

/// What a transition leaves in the journal of the service and of the host, shown and written.
fn said_in_journal(host: &Host, unit: &str, since: i64, line: &str) {
    use crate::system::hand::{Call, Hand as _};
    let call = Call::new(&["logger", "--tag", "golden", "--", line], 10);
    if host.hand.run(&call, &mut |_| {}).is_err() {
        output::complain("the journal could not be written to");
    }
    let since = format!("--since=@{since}");
    let words =
        ["journalctl", "--quiet", "--no-pager", "--output=short-iso", "--lines=20", &since, "--unit", unit];
    if let Ok(ended) = host.hand.run(&Call::new(&words, 60), &mut |_| {}) {
        output::talk(&format!("\njournal of {unit}\n"));
        ended.said.lines().for_each(|line| output::talk(&format!("  {}\n", crate::model::visible(line))));
    }
}

/// The number of the newest entry about a model.
fn newest_entry(chain: &Chain, model: &str) -> (u64, String) {
    let of = |line: &&ledger::Line| line.entry.facts.get("model").map(String::as_str) == Some(model);
    let found = chain.lines.iter().rev().find(of);
    found.map_or((0, String::new()), |line| (line.number, line.digest.clone()))
}

/// What the ledger says of a model.
fn life(chain: &Chain, model: &Model) -> Lifecycle {
    Lifecycle::of(&chain.lines, &model.name)
}

/// The contract of a verb that only looks.
fn looked(global: &Global) -> Result<Contract, Failure> {
    Ok(super::find::contract(global)?.contract)
}

/// The contract of a verb that changes the host.
fn obeyed(global: &Global) -> Result<Contract, Failure> {
    Ok(change::contract(global)?.contract)
}
