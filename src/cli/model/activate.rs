//! `golden model canary` and `golden model promote`: a person lets an artefact be obeyed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{approved, ground, life, model, obeyed, refused, said_in_journal, whole};
use crate::cli::change::{self, Confirm, Host, Said, caller, take_host, troubled};
use crate::cli::{Failure, Global, output, person};
use crate::contract::{Contract, Model};
use crate::ledger::Chain;
use crate::ledger::models::{Lifecycle, Registered};
use crate::model::{Report, Verdict};
use crate::operate::{self, Proof, Proven};
use crate::plan::apply::Alone;
use crate::plan::{Order, apply, prepare, short};
use crate::report::human::{self, Style};
use crate::safety::models::moves::Move;
use crate::safety::models::proof::{self, Asked};
use crate::system::System as _;

/// Whose word it is.
#[derive(Args, Clone, Debug)]
pub(super) struct Word {
    /// Change nothing: show what would be done, and whether it is allowed.
    #[arg(long)]
    check: bool,
    /// Where there is no terminal: a file with SSH signatures over the message, by keys that may approve the contract.
    #[arg(long, value_name = "FILE")]
    approval: Option<PathBuf>,
    /// Print what is to be signed: ssh-keygen -Y sign -n golden-model -f KEY.
    #[arg(long, conflicts_with_all = ["check", "approval"])]
    message: bool,
    /// Never enough here: a person types the model's name.
    #[arg(long, short, hide = true)]
    yes: bool,
}

/// What becomes a canary.
#[derive(Args, Debug)]
pub(super) struct CanaryArgs {
    /// The model's name in the contract.
    name: String,
    /// Its share of the traffic, from 0 to 1, if the contract names a variable for it.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    share: Option<String>,
    #[command(flatten)]
    word: Word,
}

/// What is promoted.
#[derive(Args, Debug)]
pub(super) struct PromoteArgs {
    /// The model's name in the contract.
    name: String,
    #[command(flatten)]
    word: Word,
}

/// A share as it is written into the env file.
fn share(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match text.parse::<f64>() {
        Ok(share) if plain && share > 0.0 && share <= 1.0 => Ok(text.to_owned()),
        _ => Err("write a fraction such as 0.1".to_owned()),
    }
}

/// `golden model canary`
pub(super) fn canary(global: &Global, args: &CanaryArgs) -> Result<ExitCode, Failure> {
    let share = args.share.as_deref();
    activate(global, "canary", &args.name, &args.word, |asked| {
        let ground = ground(asked.host, asked.contract, asked.model);
        ground.canary(asked.life, asked.registered, share)
    })
}

/// `golden model promote`
pub(super) fn promote(global: &Global, args: &PromoteArgs) -> Result<ExitCode, Failure> {
    activate(global, "promote", &args.name, &args.word, |asked| {
        ground(asked.host, asked.contract, asked.model).promote(asked.life)
    })
}

/// What a transition is planned of.
struct Planned<'a> {
    host: &'a Host,
    contract: &'a Contract,
    model: &'a Model,
    life: &'a Lifecycle,
    registered: &'a Registered,
}

/// From what is asked for to what is done. Every refusal comes before anything is touched.
fn activate(
    global: &Global,
    verb: &str,
    name: &str,
    word: &Word,
    plan: impl FnOnce(&Planned<'_>) -> Result<Move, String>,
) -> Result<ExitCode, Failure> {
    let contract = obeyed(global)?;
    let model = model(&contract, Some(name))?;
    if let Err(why) = may_ask(verb, name, word) {
        return Ok(refused(&why));
    }
    let (host, mut said) = (Host::live()?, Said::new(global));
    let alone = match take_host(&format!("model {verb}"), &host, &mut said) {
        Ok(alone) => alone,
        Err(code) => return Ok(code),
    };
    let chain = super::chain()?;
    let life = life(&chain, model);
    let registered = match whole(&chain).and_then(|()| candidate(verb, &life, model)) {
        Ok(registered) => registered,
        Err(why) => return Ok(refused(&why)),
    };
    if word.message {
        let system = host.system.host_name();
        let digest = registered.artefact.digest.as_str();
        return output::print_and(
            &approved::message((verb, digest), model, &contract, &chain, &system),
            ExitCode::SUCCESS,
        );
    }
    let gate = match passed_the_gate(&host, &contract, model, &chain, registered) {
        Ok(entry) => entry,
        Err(why) => {
            let name = &model.name;
            return Ok(refused(&format!(
                "{name} does not become {}: {why}\n  try: golden gate --model {name}",
                becomes(verb)
            )));
        }
    };
    let report = operate::look(&host.system, &contract, &BTreeSet::new());
    if report.verdict() != Verdict::Compliant {
        output::print(human::render(&report, Style { quiet: true, ..output::style(global) }))?;
        return Ok(refused(&format!("{name} does not become {}: the audit is not clean", becomes(verb))));
    }
    let planned = Planned { host: &host, contract: &contract, model, life: &life, registered };
    let transition = match plan(&planned) {
        Ok(transition) => transition,
        Err(why) => return Ok(refused(&why)),
    };
    let asked = Transition {
        global,
        verb,
        word,
        contract: &contract,
        model,
        chain: &chain,
        host: &host,
        registered,
        gate,
    };
    asked.carry_out(transition, &report, &alone, &mut said)
}

fn becomes(verb: &str) -> &'static str {
    if verb == "canary" { "a canary" } else { "active" }
}

/// Whether this call can be a person's at all.
fn may_ask(verb: &str, name: &str, word: &Word) -> Result<(), String> {
    if word.check || word.message {
        return Ok(());
    }
    let no = |why: &str| Err(format!("a program may not activate a model: {why}"));
    if let Some(why) = person::program() {
        return no(&format!("{why}\n  try: golden model {verb} {name}   on a terminal"));
    }
    if word.yes {
        return no(&format!("--yes is not enough\n  try: golden model {verb} {name}   and type its name"));
    }
    match word.approval.is_some() || person::can_be_asked() {
        true => Ok(()),
        false => no(&format!(
            "there is no terminal to ask on\n  \
             try: golden model {verb} {name} --message   and have it signed, then --approval FILE"
        )),
    }
}

/// The artefact that a transition is about.
fn candidate<'l>(verb: &str, life: &'l Lifecycle, model: &Model) -> Result<&'l Registered, String> {
    let name = &model.name;
    if verb == "canary" {
        let way_out = format!("golden model shadow FILE --model {name}");
        return life.shadow().ok_or_else(|| format!("no artefact of {name} is in shadow\n  try: {way_out}"));
    }
    let step =
        life.canary().ok_or_else(|| format!("{name} has no canary\n  try: golden model canary {name}"))?;
    let registered = life.registered.iter().rev().find(|one| one.artefact == step.artefact);
    registered.ok_or_else(|| format!("the ledger does not say where the canary of {name} came from"))
}

/// The entry with the verdict that counts.
fn passed_the_gate(
    host: &Host,
    contract: &Contract,
    model: &Model,
    chain: &Chain,
    registered: &Registered,
) -> Result<u64, String> {
    let started = crate::safety::models::started(contract, model, &host.system)?;
    proof::verdict(&chain.lines, &Asked { model, registered, started, now: host.system.now() })
}

/// A transition that may be made, if a person says so.
struct Transition<'a> {
    global: &'a Global,
    verb: &'a str,
    word: &'a Word,
    contract: &'a Contract,
    model: &'a Model,
    chain: &'a Chain,
    host: &'a Host,
    registered: &'a Registered,
    gate: u64,
}

impl Transition<'_> {
    fn carry_out(
        &self,
        transition: Move,
        report: &Report,
        alone: &Alone,
        said: &mut Said,
    ) -> Result<ExitCode, Failure> {
        let Self { contract, host, model, .. } = *self;
        let prepared = prepare(&host.hand, &host.system, contract, &transition.plan).map_err(Failure::new)?;
        if let Some(refusal) = prepared.refused.first() {
            return Ok(refused(&format!("{}: {}", refusal.step.change.words(), refusal.why)));
        }
        let artefact = &self.registered.artefact;
        output::print(&format!(
            "{} · {} {} · sha256 {} · gate passed in entry {}\n\n",
            model.name,
            artefact.version,
            becomes(self.verb),
            short(&artefact.digest),
            self.gate
        ))?;
        output::print(change::shown(contract, &prepared, &Confirm::default(), output::style(self.global)))?;
        output::print(&format!("\n{}\n", change::counted(&prepared)))?;
        if self.word.check {
            return output::print_and("Nothing was changed.\n", ExitCode::from(super::REFUSED));
        }
        let whose = match self.persons_word() {
            Ok(whose) => whose,
            Err(why) => return Ok(refused(&why)),
        };
        let mut facts = transition.facts;
        facts.push(("gate".to_owned(), self.gate.to_string()));
        facts.push(("confirmed".to_owned(), whose));
        let facts: Vec<(&str, &str)> =
            facts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (by, verb, began) = (caller(), format!("model {}", self.verb), host.system.now());
        let order =
            Order { said: &facts, done: transition.event, ..Order::new(&verb, &contract.source.digest, &by) };
        let proof = Proof::NoWorse(operate::passed(report));
        let mut watch = Proven::new(&host.system, contract, proof);
        match apply::apply(&host.tools(), &prepared, &order, alone, said, &mut watch) {
            Ok(applied) if applied.skipped.is_empty() => {
                let unit = ground(host, contract, model).service().map_err(Failure::new)?.unit.value.clone();
                let line = format!(
                    "model {} {} is {} (plan {})",
                    model.name,
                    artefact.version,
                    becomes(self.verb),
                    applied.id
                );
                said_in_journal(host, &unit, began, &line);
                output::print_and(
                    &format!("\n{line}\nTo take it back: golden model rollback {}\n", model.name),
                    ExitCode::SUCCESS,
                )
            }
            Ok(applied) => Ok(self.take_back(&applied, alone, said)),
            Err(trouble) => {
                let code = troubled(&trouble);
                output::complain(&format!("{} does not become {}", model.name, becomes(self.verb)));
                Ok(code)
            }
        }
    }

    /// What was changed is taken back where the service could not be started with it.
    fn take_back(&self, applied: &crate::plan::Applied, alone: &Alone, said: &mut Said) -> ExitCode {
        for (unit, why) in &applied.skipped {
            output::complain(&format!("{unit} was not restarted: {why}"));
        }
        let by = caller();
        let order = Order::new("undo", &self.contract.source.digest, &by);
        match apply::undo_plan(&self.host.tools(), &order, Some(&applied.id), alone, said) {
            Ok((_, left)) => drop(change::name_left(&left, "golden apply --undo")),
            Err(trouble) => drop(troubled(&trouble)),
        }
        refused(&format!(
            "{} does not become {}; what was changed is undone",
            self.model.name,
            becomes(self.verb)
        ))
    }

    /// Whose word it is: a name typed on a terminal, or signatures.
    fn persons_word(&self) -> Result<String, String> {
        let name = &*self.model.name;
        if let Some(file) = &self.word.approval {
            let digest = self.registered.artefact.digest.as_str();
            let host = self.host.system.host_name();
            let message =
                approved::message((self.verb, digest), self.model, self.contract, self.chain, &host);
            return approved::by(file, message, self.contract, &self.host.system)
                .map(|names| format!("signed by {names}"))
                .map_err(|why| format!("nothing was changed: {why}"));
        }
        let what = format!("{name} becomes {}, and its service restarts.", becomes(self.verb));
        match person::types(name, &what) {
            true => Ok("typed on a terminal".to_owned()),
            false => Err("nothing was changed: that is not the model's name".to_owned()),
        }
    }
}
