//! `golden model list`, `show` and `history`: what the ledger says of the models, beside what lies on this host.

use std::process::ExitCode;

use clap::Args;

use super::{chain, ground, life, looked, model};
use crate::cli::change::Host;
use crate::cli::{CANNOT, Failure, Global, output};
use crate::contract::{Contract, Model};
use crate::ledger::models::{self as history, Lifecycle, Stretch, fact};
use crate::ledger::{Chain, Event, Line};
use crate::model::visible;
use crate::plan::short;
use crate::report::Shown;
use crate::syntax::env_file;
use crate::system::hand::{Hand as _, Node};

/// What is told of the past.
#[derive(Args, Debug)]
pub(super) struct HistoryArgs {
    /// The model's name; optional if there is only one model.
    name: Option<String>,
    /// Which artefact was live at this time (RFC 3339, such as 2026-11-29T12:00:00Z).
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
}

/// `golden model list`
pub(super) fn list(global: &Global) -> Result<ExitCode, Failure> {
    let (contract, chain) = (looked(global)?, chain()?);
    let mut text = Shown::new();
    for model in &contract.models {
        let artefacts = life(&chain, model).artefacts();
        if artefacts.is_empty() {
            text.line(format_args!("{:<20} no artefact is registered", model.name));
        }
        for (artefact, state) in artefacts {
            let (digest, state) = (short(&artefact.digest), state.word());
            text.line(format_args!("{:<20} {state:<9} {:<24} sha256 {digest}", model.name, artefact.version));
        }
    }
    let known = history::models(&chain.lines);
    for name in known.iter().filter(|name| contract.model(name).is_none()) {
        text.line(format_args!("{name:<20} is in the ledger, but the contract does not name it"));
    }
    if contract.models.is_empty() && known.is_empty() {
        text.line(format_args!("the contract guards no models"));
    }
    let code = answer(&chain);
    output::print_and(text, code)
}

/// A ledger that does not hold says less than it should, so what is shown of it is no answer; the exit code says so.
pub(super) fn answer(chain: &Chain) -> ExitCode {
    let Some(broken) = &chain.broken else { return ExitCode::SUCCESS };
    let (line, why) = (broken.line, visible(&broken.why).into_owned());
    output::complain(&format!(
        "the ledger is broken at line {line} ({why}); this is what the entries before it say"
    ));
    ExitCode::from(CANNOT)
}

/// `golden model show`
pub(super) fn show(global: &Global, name: Option<&str>) -> Result<ExitCode, Failure> {
    let (contract, chain) = (looked(global)?, chain()?);
    let model = model(&contract, name)?;
    let (host, life) = (Host::live()?, life(&chain, model));
    let mut text = Shown::new();
    text.line(format_args!("{} · service {} · {}", model.name, model.service.value, model.env_file));
    states(&mut text, &life);
    places(&mut text, &host, &contract, model, &life);
    variables(&mut text, &host, model);
    let code = answer(&chain);
    output::print_and(text, code)
}

fn states(text: &mut Shown, life: &Lifecycle) {
    for (artefact, state) in life.artefacts() {
        let (state, version) = (state.word(), &artefact.version);
        text.line(format_args!("  {state:<9} {version:<24} sha256 {}", artefact.digest));
    }
    if life.registered.is_empty() && life.steps.is_empty() {
        text.line(format_args!("  no artefact is registered: golden model shadow FILE"));
    }
}

/// What lies where, beside what the ledger says.
fn places(text: &mut Shown, host: &Host, contract: &Contract, model: &Model, life: &Lifecycle) {
    let ground = ground(host, contract, model);
    let slots = [(ground.active_path(), life.active()), (ground.canary_path(), life.canary())];
    for (path, known) in slots {
        let Ok(path) = path else { continue };
        let known = known.map(|step| step.artefact.digest.as_str());
        let said = match (host.hand.digest(&path, 0), known) {
            (Err(why), _) => format!("cannot be read: {why}"),
            (Ok(None), None) => "nothing, as the ledger says".to_owned(),
            (Ok(None), Some(_)) => "missing, though the ledger knows one".to_owned(),
            (Ok(Some(found)), Some(known)) if found.digest == known => "as the ledger says".to_owned(),
            (Ok(Some(found)), _) => format!("not what the ledger says: sha256 {}", found.digest),
        };
        text.line(format_args!("  {path}  {said}"));
    }
}

/// What the service is told now.
fn variables(text: &mut Shown, host: &Host, model: &Model) {
    let read = match host.hand.node(&model.env_file) {
        Ok(Node::File { bytes, .. }) => env_file::parse(&bytes, u32::MAX),
        Ok(other) => return text.line(format_args!("  {} is {}", model.env_file, other.word())),
        Err(why) => return text.line(format_args!("  {why}")),
    };
    let mut names: Vec<&str> = model.variables().collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        match read.get(name) {
            Some(variable) => text.line(format_args!("  {name}={}", variable.value)),
            None => text.line(format_args!("  {name} is not set")),
        }
    }
}

/// `golden model history`
pub(super) fn history(global: &Global, args: &HistoryArgs) -> Result<ExitCode, Failure> {
    let (contract, chain) = (looked(global)?, chain()?);
    let name = model(&contract, args.name.as_deref())?.name.clone();
    let code = answer(&chain);
    if let Some(at) = args.at {
        let found = history::live_at(&chain.lines, &name, at);
        if found.len() > 1 {
            output::talk(
                "the clock was set back, so that this time came more than once; the newest stands last\n",
            );
        }
        let mut text = Shown::new();
        found.iter().for_each(|stretch| live(&mut text, &name, stretch));
        return output::print_and(text, code);
    }
    let mut text = Shown::new();
    let of = |line: &&Line| line.entry.facts.get(fact::MODEL).map(String::as_str) == Some(&*name);
    chain.lines.iter().filter(of).for_each(|line| entry(&mut text, line));
    if text.is_empty() {
        text.line(format_args!("nothing was done to {name} yet"));
    }
    output::print_and(text, code)
}

fn live(text: &mut Shown, name: &str, stretch: &Stretch) {
    match &stretch.live {
        None => text.line(format_args!("no artefact of {name} that golden knows was live")),
        Some(step) => {
            let (artefact, state) = (&step.artefact, step.state.word());
            text.line(format_args!(
                "{name} {} was {state}: sha256 {} (entry {}, {})",
                artefact.version, artefact.digest, step.entry, step.by
            ));
        }
    }
}

fn entry(text: &mut Shown, line: &Line) {
    let fact = |name: &str| line.entry.facts.get(name).map_or("", String::as_str);
    let (at, event, by) = (&line.entry.at, line.entry.event.word(), line.entry.by.to_string());
    let digest = short(fact(fact::ARTEFACT));
    let rest = match &line.entry.event {
        Event::RolledBack if fact(fact::TO) == "0" => "to before the first".to_owned(),
        Event::RolledBack => format!("to entry {}", fact(fact::TO)),
        _ => line.entry.result.clone(),
    };
    let version = fact(fact::VERSION);
    text.line(format_args!(
        "{:>5}  {at}  {event:<12} {version:<24} {digest:<12}  {rest}  by {by}",
        line.number
    ));
}
