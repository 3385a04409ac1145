//! The command line: one file a verb. Data goes to stdout, talk to stderr, and the exit code comes from
//! the verdict alone.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line reads contracts and facts, and the environment"
)]

mod approval;
mod audit;
mod change;
mod contract;
mod contract_diff;
mod deploy;
mod error;
mod explain;
mod facts;
mod find;
mod fix;
mod gate;
mod incoming;
mod init;
mod later;
mod ledger;
mod model;
mod output;
mod owner;
mod person;
mod plan;
mod rehearse;
mod render;
mod run;
mod scoreboard;
mod service;

use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use later::Later;

pub use error::Failure;

/// "Cannot": a usage error, a bad contract, an unreadable world, a panic.
const CANNOT: u8 = 2;

/// More than the facts of ten thousand services, and more than any contract.
const MOST_TEXT: u64 = 512 << 20;
const MOST_CONTRACT: u64 = 16 << 20;

/// The text of a file that somebody named: a regular file, or a pipe that a shell has made.
fn read_text(path: &Path) -> std::io::Result<String> {
    read_up_to(path, MOST_TEXT)
}

/// The text of a contract.
fn read_contract(path: &Path) -> std::io::Result<String> {
    read_up_to(path, MOST_CONTRACT)
}

/// A text of at most so many bytes. A device has no end.
fn read_up_to(path: &Path, most: u64) -> std::io::Result<String> {
    // A named pipe that nobody writes to is read as empty; to wait for a writer would be to wait for ever.
    let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::empty())?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_fifo() {
        return Err(std::io::Error::other("it is neither a file nor a pipe"));
    }
    let mut text = String::new();
    file.take(most + 1).read_to_string(&mut text)?;
    if kind.is_fifo() && text.is_empty() {
        return Err(std::io::Error::other("it is a pipe without a writer"));
    }
    match text.len() as u64 > most {
        true => Err(std::io::Error::other(format!("it holds more than {} MiB", most >> 20))),
        false => Ok(text),
    }
}

/// Judge services on systemd hosts by a written contract.
#[derive(Parser, Debug)]
#[command(name = "golden", version, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes of `golden audit`: 0 compliant, 1 violations, 2 cannot audit (undecided, bad contract, usage)."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// Options that every verb takes.
#[derive(Args, Clone, Debug)]
struct Global {
    /// The contract; otherwise GOLDEN_CONTRACT, golden.toml from here upwards, /etc/golden/golden.toml,
    /// or the one built in.
    #[arg(long, global = true, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    color: Color,
    /// Show only what is wrong.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Show what is right, too.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Judge this host (or a disk, or recorded facts) by the contract.
    Audit(Later<audit::AuditArgs>),
    /// Show the manual page of a rule, or list all rules.
    Explain(Later<explain::ExplainArgs>),
    /// Record what an audit would look at, to judge it elsewhere.
    Facts(Later<facts::FactsArgs>),
    /// Run a script of the repository as a service would: checked, with its environment, as its user.
    Run(Later<run::RunArgs>),
    /// Run a job of the contract the same way.
    Job(Later<run::JobArgs>),
    /// Create a commented contract for your own system, and its files.
    Init(Later<init::InitArgs>),
    /// Add, list, show or remove services of the contract.
    #[command(subcommand)]
    Service(Later<service::ServiceVerb>),
    /// Write the files of the contract into the repository: units, env files, Makefile, wrapper …
    Render(Later<render::RenderArgs>),
    /// Show the changes that make this host compliant. Changes nothing.
    Plan(Later<plan::PlanArgs>),
    /// Make these changes: backed up, verified, undone if a step fails.
    Apply(Later<plan::ApplyArgs>),
    /// Mend the findings of an audit, if golden can: backed up, verified, undone if a step fails.
    Fix(Later<fix::FixArgs>),
    /// Deploy another commit to this host: audited before and after, undone if anything fails.
    Deploy(Later<deploy::DeployArgs>),
    /// Test the contract on a throwaway machine: it must become and stay compliant.
    Rehearse(Later<rehearse::RehearseArgs>),
    /// Judge models by their latest answers: 0 passed, 2 blocked.
    Gate(Later<gate::GateArgs>),
    /// Show which models may be promoted, on the terminal and as a page in the repository.
    Scoreboard(Later<scoreboard::ScoreboardArgs>),
    /// Show what golden changed on this host, and whether the record is whole.
    Ledger(Later<ledger::LedgerArgs>),
    /// Manage models: shadow, canary, active, rolled back.
    Model(Later<model::ModelArgs>),
    /// Check, show, sign or compare contracts.
    #[command(subcommand)]
    Contract(Later<contract::ContractVerb>),
}

/// Runs the command line. A panic is a plain message and the code of a failure: a tool that failed has not said yes.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| output::complain(&panic.to_string())));
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cannot = if run::is_meant(&arguments) { run::NOT_STARTED } else { CANNOT };
    std::panic::catch_unwind(|| carry_out(arguments, cannot)).unwrap_or_else(|_| {
        output::complain(
            "golden failed on a defect of its own; nothing was decided. Please report the lines above.",
        );
        ExitCode::from(cannot)
    })
}

/// Parses and carries out; `cannot` is the code of a failure.
fn carry_out(arguments: Vec<OsString>, cannot: u8) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // --help and --version are no errors: they go to stdout.
            let code = if error.use_stderr() { cannot } else { 0 };
            let said = error.render().to_string();
            match error.use_stderr() {
                true => output::talk(&said),
                false => drop(output::print(&said)),
            }
            return ExitCode::from(code);
        }
    };
    let done = match &cli.verb {
        Verb::Audit(Later(args)) => audit::run(&cli.global, args),
        Verb::Explain(Later(args)) => explain::run(&cli.global, args),
        Verb::Facts(Later(args)) => facts::run(&cli.global, args),
        Verb::Run(Later(args)) => run::run(&cli.global, args),
        Verb::Job(Later(args)) => run::job(&cli.global, args),
        Verb::Init(Later(args)) => init::run(&cli.global, args),
        Verb::Service(Later(verb)) => service::run(&cli.global, verb),
        Verb::Render(Later(args)) => render::run(&cli.global, args),
        Verb::Plan(Later(args)) => plan::plan(&cli.global, args),
        Verb::Apply(Later(args)) => plan::apply(&cli.global, args),
        Verb::Fix(Later(args)) => fix::fix(&cli.global, args),
        Verb::Deploy(Later(args)) => deploy::run(&cli.global, args),
        Verb::Rehearse(Later(args)) => rehearse::run(&cli.global, args),
        Verb::Gate(Later(args)) => gate::run(&cli.global, args),
        Verb::Scoreboard(Later(args)) => scoreboard::run(&cli.global, args),
        Verb::Ledger(Later(args)) => ledger::run(&cli.global, args),
        Verb::Model(Later(args)) => model::run(&cli.global, args),
        Verb::Contract(Later(verb)) => contract::run(&cli.global, verb),
    };
    done.unwrap_or_else(|failure| {
        output::complain(&failure.to_string());
        ExitCode::from(cannot)
    })
}
