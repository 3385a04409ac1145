//! `golden service`: services written into a contract or taken out of it, listed, and shown as they are on this host.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::find::FoundContract;
use super::{Failure, Global, find, output, render};
use crate::contract::edit::{self, NewService};
use crate::contract::secrets::Hiding;
use crate::contract::{Contract, Kind, Service};
use crate::facts::gather::gather;
use crate::facts::{HostFacts, Need, Needs, UnitFacts};
use crate::model::Observed;
use crate::model::answers::UnitState;
use crate::report::Shown;
use crate::system::DiskSystem;
use crate::system::act::{Act, Rights};
use crate::systemd::command_line;
use crate::systemd::effective::{EffectiveUnit, LoadState, Setting};

/// The verbs about services.
#[derive(Subcommand, Debug)]
pub(super) enum ServiceVerb {
    /// Add a service to the contract (comments and order stay), and show the next steps.
    Add(Box<AddArgs>),
    /// List the services of the contract and their state on this host.
    List,
    /// Show the effective unit of a service, with the file and line of each value.
    Show {
        /// Its name in the contract.
        name: String,
    },
    /// Remove a service from the contract, and show what is left of it on this host.
    Remove {
        /// Its name in the contract.
        name: String,
        /// Change nothing: show the difference.
        #[arg(long)]
        check: bool,
    },
}

/// What sort of program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Runtime {
    /// A program of a venv, running all the time.
    Python,
    /// Any other program, running all the time.
    Executable,
    /// A task that ends, started by a timer.
    Timer,
}

/// A service to be written.
#[derive(Args, Debug)]
pub(super) struct AddArgs {
    /// Its name in the contract; the unit's name is made from it.
    name: String,
    /// What its unit starts, as ExecStart= takes it: an absolute path, or a program of its venv.
    #[arg(long, value_name = "COMMAND")]
    exec: String,
    /// The kind of program; by default python for a program of a venv.
    #[arg(long, value_enum)]
    runtime: Option<Runtime>,
    /// Its title in documents.
    #[arg(long)]
    title: Option<String>,
    /// Dependencies of the contract without which it must not run (repeatable, or with commas).
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    requires: Vec<String>,
    /// Services that it starts after (repeatable, or with commas).
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    after: Vec<String>,
    /// Directories that it must be able to write, such as {layout.data} (repeatable).
    #[arg(long, value_name = "DIR")]
    writes: Vec<String>,
    /// Its user, if it differs from the contract's.
    #[arg(long)]
    user: Option<String>,
    /// Its venv, by name; by default its own for python.
    #[arg(long)]
    venv: Option<String>,
    /// A variable of its env file (repeatable).
    #[arg(long = "set", value_name = "NAME=VALUE")]
    variables: Vec<String>,
    /// When its timer starts it, as OnCalendar= takes it.
    #[arg(long, value_name = "CALENDAR")]
    schedule: Option<String>,
    /// What answers when it is healthy: http://HOST:PORT/PATH or HOST:PORT.
    #[arg(long, value_name = "ADDRESS")]
    health: Option<String>,
    /// Change nothing: show the difference.
    #[arg(long)]
    check: bool,
}

/// Carries the verb out.
pub(super) fn run(global: &Global, verb: &ServiceVerb) -> Result<ExitCode, Failure> {
    match verb {
        ServiceVerb::Add(args) => add(global, args),
        ServiceVerb::List => list(global),
        ServiceVerb::Show { name } => show(global, name),
        ServiceVerb::Remove { name, check } => remove(global, name, *check),
    }
}

/// The contract that may be edited: one in a file.
fn editable(global: &Global) -> Result<FoundContract, Failure> {
    let found = find::contract(global)?;
    match found.contract.source.built_in {
        true => Err(Failure::new("the contract in force is built in, and cannot be changed")
            .hint("golden init   makes a contract of your own")),
        false => Ok(found),
    }
}

fn add(global: &Global, args: &AddArgs) -> Result<ExitCode, Failure> {
    let found = editable(global)?;
    let new = new_service(args)?;
    let text = edit::add_service(&found.text, &found.contract, &new).map_err(Failure::new)?;
    let contract = change(global, &found, &text, args.check)?;
    if args.check {
        return Ok(ExitCode::SUCCESS);
    }
    let at = contract.services.iter().find(|service| *service.name == *new.name).map(|service| &service.at);
    if let Some(at) = at {
        output::print(&format!("{} is written at {at}\n", new.name))?;
    }
    what_next(&contract)
}

fn new_service(args: &AddArgs) -> Result<NewService, Failure> {
    let command = command(&args.exec)?;
    let in_venv = !command[0].starts_with('/');
    let runtime = args.runtime.unwrap_or(if in_venv { Runtime::Python } else { Runtime::Executable });
    if in_venv && runtime != Runtime::Python && args.venv.is_none() {
        return Err(Failure::new(format!("{:?} is not an absolute path", command[0]))
            .hint("name the program by its absolute path, or a venv that it lies in: --venv NAME"));
    }
    if (runtime == Runtime::Timer) != args.schedule.is_some() {
        return Err(Failure::new("a timer needs a schedule, and only a timer has one")
            .hint("--runtime timer --schedule daily"));
    }
    let variable = |text: &String| {
        let parted = text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        parted.ok_or_else(|| Failure::new(format!("{text:?} sets nothing")).hint("--set PORT=8080"))
    };
    Ok(NewService {
        name: args.name.clone(),
        kind: match runtime {
            Runtime::Python => Kind::Python.word(),
            Runtime::Executable => Kind::Executable.word(),
            Runtime::Timer => Kind::TimerJob.word(),
        }
        .to_owned(),
        title: args.title.clone(),
        command,
        user: args.user.clone(),
        venv: match runtime {
            Runtime::Python => Some(args.venv.clone().unwrap_or_else(|| args.name.clone())),
            _ => args.venv.clone(),
        },
        requires: args.requires.clone(),
        after: args.after.clone(),
        writes: args.writes.clone(),
        variables: args.variables.iter().map(variable).collect::<Result<_, _>>()?,
        schedule: args.schedule.clone(),
        health: args.health.clone(),
    })
}

/// The words of one command without prefixes.
fn command(text: &str) -> Result<Vec<String>, Failure> {
    let line = command_line::parse(text);
    let wrong = |why: String| {
        Failure::new(format!("--exec {text:?}: {why}"))
            .hint("one program with its arguments: --exec \"/usr/bin/api --port 8080\"")
    };
    if let Some(error) = &line.error {
        return Err(wrong(error.why.to_string()));
    }
    match line.commands.as_slice() {
        [one] if one.prefixes == command_line::Prefixes::default() => {
            Ok(std::iter::once(one.argv0.clone()).chain(one.words.iter().cloned()).collect())
        }
        [_] => Err(wrong("the characters before the program are a unit's, not the contract's".to_owned())),
        all => Err(wrong(format!("it holds {} commands", all.len()))),
    }
}

/// Reads the new text and writes it in place of the old one; with `check` it shows the difference alone.
fn change(_global: &Global, found: &FoundContract, text: &str, check: bool) -> Result<Contract, Failure> {
    let path = Path::new(&*found.contract.source.path);
    let contract = find::parse(text, path)?;
    if check {
        let shown = found.contract.source.path.as_ref();
        let hiding = Hiding::of(&contract);
        let (old, new) = (hiding.shown(shown, &found.text), hiding.shown(shown, text));
        let diff = similar::TextDiff::from_lines(&old, &new);
        output::print(&diff.unified_diff().header(shown, shown).to_string())?;
        return Ok(contract);
    }
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    // Somebody may have edited it since it was read.
    if super::read_text(path).map_err(failed)? != found.text {
        return Err(
            Failure::new(format!("{} has changed while this ran", path.display())).hint("call it again")
        );
    }
    let real = path.canonicalize().map_err(failed)?;
    let meta = std::fs::metadata(&real).map_err(failed)?;
    let shown = real.to_str().ok_or_else(|| Failure::new(format!("{} is not text", real.display())))?;
    let rights = Rights { uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & 0o7777 };
    Act::live().write(shown, text.as_bytes(), rights).map_err(failed)?;
    Ok(contract)
}

/// What is to be done after the contract has changed.
fn what_next(contract: &Contract) -> Result<ExitCode, Failure> {
    match render::stale(contract) {
        Ok(stale) => {
            for file in stale {
                output::print(&format!("   golden render   {file}\n"))?;
            }
        }
        Err(why) => output::talk(&format!("{why}\n")),
    }
    output::print("   golden plan     what this host lacks for it; golden apply does it\n")?;
    Ok(ExitCode::SUCCESS)
}

fn remove(global: &Global, name: &str, check: bool) -> Result<ExitCode, Failure> {
    let found = editable(global)?;
    let service = service(&found.contract, name)?;
    let text = edit::remove_service(&found.text, &found.contract, name).map_err(Failure::new)?;
    let contract = change(global, &found, &text, check)?;
    if check {
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&format!("{name} is removed from {}\n", found.contract.source.path))?;
    let unit = &service.unit.value;
    let facts = look(&found.contract, &[Need::Units, Need::Bus])?;
    let left = facts.units.get(unit.as_str()).and_then(|unit| unit.effective.known().ok().flatten().cloned());
    let files: Vec<String> = left.iter().flat_map(|unit| unit.files()).map(ToString::to_string).collect();
    if !files.is_empty() {
        let timer = service.timer.as_ref().map_or(String::new(), |timer| format!("{} ", timer.value));
        output::print(&format!(
            "its unit is still on this host:\n   systemctl disable --now {timer}{unit}\n"
        ))?;
        output::print(&format!("   rm {}\n   systemctl daemon-reload\n", files.join(" ")))?;
    }
    for file in service.env_files.iter().map(|file| file.path.as_str()) {
        if facts_has(file) {
            output::print(&format!("   rm {file}   when its content is not needed any more\n"))?;
        }
    }
    what_next(&contract)
}

fn facts_has(path: &str) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

fn service<'c>(contract: &'c Contract, name: &str) -> Result<&'c Service, Failure> {
    contract.services.iter().find(|service| *service.name == *name).ok_or_else(|| {
        let known: Vec<&str> = contract.services.iter().map(|service| service.name.as_ref()).collect();
        Failure::new(format!("the contract has no service {name:?}")).hint(known.join(", "))
    })
}

fn look(contract: &Contract, needs: &[Need]) -> Result<HostFacts, Failure> {
    let system = DiskSystem::live()
        .map_err(|error| Failure::new(format!("this host cannot be looked at: {error}")))?;
    Ok(gather(&system, contract, Needs::of(needs)))
}

fn list(global: &Global) -> Result<ExitCode, Failure> {
    let contract = find::contract(global)?.contract;
    let facts = look(&contract, &[Need::Units, Need::Bus])?;
    let rows: Vec<[String; 5]> = contract
        .services
        .iter()
        .map(|service| {
            let state = facts.units.get(service.unit.value.as_str()).map(|unit| &unit.state);
            [
                service.name.to_string(),
                service.kind.value.word().to_owned(),
                service.unit.value.clone(),
                service.user.value.clone(),
                state.map_or_else(|| "unknown".to_owned(), state_words),
            ]
        })
        .collect();
    let head = ["service", "kind", "unit", "user", "on this host"].map(str::to_owned);
    let width = |column: usize| {
        rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2), width(3)];
    let mut text = Shown::new();
    for row in std::iter::once(&head).chain(&rows) {
        let [a, b, c, d] = widths;
        text.line(format_args!("{:<a$}  {:<b$}  {:<c$}  {:<d$}  {}", row[0], row[1], row[2], row[3], row[4]));
    }
    output::print_and(&text, ExitCode::SUCCESS)
}

fn state_words(state: &Observed<UnitState>) -> String {
    match state {
        Observed::Found(state) if state.load_state == "not-found" => "no unit".to_owned(),
        Observed::Found(state) => {
            let stale = if state.need_daemon_reload { ", edited and not reloaded" } else { "" };
            let enabled =
                if state.unit_file_state.is_empty() { "no unit file" } else { &state.unit_file_state };
            format!("{} ({}), {enabled}{stale}", state.active_state, state.sub_state)
        }
        Observed::Absent => "no unit".to_owned(),
        Observed::Unreadable(_) => "unknown: systemd does not answer".to_owned(),
    }
}

fn show(global: &Global, name: &str) -> Result<ExitCode, Failure> {
    let contract = find::contract(global)?.contract;
    let service = service(&contract, name)?;
    let mut facts = look(&contract, &[Need::Units, Need::Bus])?;
    facts.hide_secrets(&contract);
    let mut text = Shown::new();
    text.line(format_args!(
        "{name} · {} · {} · {}",
        service.title.as_deref().unwrap_or_else(|| service.kind.value.word()),
        service.unit.value,
        service.at
    ));
    let unit = facts.units.get(service.unit.value.as_str());
    let unknown = |why: String| Failure::new(format!("{} cannot be read: {why}", service.unit.value));
    let unit = unit.ok_or_else(|| unknown("it was not looked at".to_owned()))?;
    text.line(format_args!("{}", state_words(&unit.state)));
    text.end_line();
    match &unit.effective {
        Observed::Found(effective) => text.append(&effective_words(effective, unit)),
        Observed::Absent => {
            text.line(format_args!("it has no unit file; golden plan says what would make one"))
        }
        Observed::Unreadable(why) => return Err(unknown(why.clone()).hint("sudo golden service show")),
    }
    text.end_line();
    text.line(format_args!("its environment: golden run --print-env {name}"));
    output::print_and(&text, ExitCode::SUCCESS)
}

/// Every setting that counts, where it stands and what it overrode; then what does not count.
fn effective_words(effective: &EffectiveUnit, unit: &UnitFacts) -> Shown {
    let mut text = Shown::new();
    match &effective.load {
        LoadState::Loaded => {}
        LoadState::Masked => text.line(format_args!("it is masked")),
        LoadState::NotFound => {
            return "it has no unit file; golden plan says what would make one\n".into();
        }
        other => {
            text.line(format_args!("systemd does not load it: {other:?}"));
        }
    }
    for file in effective.files() {
        text.line(format_args!("{file}"));
    }
    let written = |setting: &Setting| format!("{}={}", setting.key, setting.raw());
    let width = effective.settings.iter().map(|one| written(one).chars().count()).max().unwrap_or(0).min(60);
    let mut section = None;
    for setting in &effective.settings {
        if section != Some(&setting.section) {
            text.end_line();
            text.line(format_args!("[{}]", setting.section));
            section = Some(&setting.section);
        }
        text.line(format_args!("{:<width$}  {}", written(setting), setting.at));
        for (at, value) in &setting.overrode {
            text.line(format_args!("{:<width$}  {at}", format!("  overrides {}={value}", setting.key)));
        }
    }
    if !effective.ignored.is_empty() {
        text.end_line();
        text.line(format_args!("without effect"));
    }
    for ignored in &effective.ignored {
        text.line(format_args!("{:<width$}  {}: {}", ignored.text, ignored.at, ignored.why));
    }
    if let Observed::Found(links) = &unit.enabled_by
        && !links.is_empty()
    {
        text.end_line();
        text.line(format_args!("enabled by"));
        for link in links {
            text.line(format_args!("{link}"));
        }
    }
    text
}
