//! `golden gate`: whether a model, or every model, may pass.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, ValueEnum};

use super::{CANNOT, Failure, Global, change, find, output};
use crate::contract::Contract;
use crate::model::board::Board;
use crate::model::sha256;
use crate::report::{Shown, board};
use crate::safety::gate::{self, Asked, Judged};
use crate::safety::publish::Shelf;
use crate::safety::record::{Occasion, record};
use crate::system::act::Act;
use crate::system::hand::DiskHand;
use crate::system::{DiskSystem, System};

/// Judge models by their latest answers.
#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 passed, 2 blocked, for any reason.")]
pub(super) struct GateArgs {
    #[command(flatten)]
    which: Which,
    /// How to write it.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Write no report into the repository.
    #[arg(long)]
    no_report: bool,
    /// Approve the present behaviour as the baseline for drift (root only).
    #[arg(long, conflicts_with = "from")]
    approve: bool,
}

/// Which events are judged.
#[derive(Args, Debug)]
pub(super) struct Which {
    /// Only this model; otherwise every model must pass.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Judge events that were recorded in this file (one JSON object a line, `-` for stdin) instead of the live stream.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Judge recorded events as of this time (RFC 3339) instead of now.
    #[arg(long, value_name = "TIME", requires = "from")]
    at: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person.
    Human,
    /// For a machine: golden.gate/1.
    Json,
}

/// Arguments of a gate that is a job.
#[derive(Parser, Debug)]
#[command(name = "gate", no_binary_name = true)]
struct AsJob {
    #[command(flatten)]
    args: GateArgs,
}

/// The gate as a job of the contract, with the job's own arguments.
pub(super) fn run_with(global: &Global, arguments: &[OsString]) -> Result<ExitCode, Failure> {
    match AsJob::try_parse_from(arguments) {
        Ok(job) => run(global, &job.args),
        Err(error) if !error.use_stderr() => output::print_and(&error.to_string(), ExitCode::SUCCESS),
        Err(error) => Err(Failure::listing(error.to_string().trim_end())),
    }
}

/// Judges, records, reports.
pub(super) fn run(global: &Global, args: &GateArgs) -> Result<ExitCode, Failure> {
    let contract = find::contract(global)?.contract;
    let is_root = rustix::process::geteuid().is_root();
    if args.approve && !is_root {
        return Err(Failure::new("only root approves a baseline: golden's ledger keeps it")
            .hint("sudo golden gate --approve"));
    }
    let judged = args.which.judge(&contract)?;
    let board = judged.board(&contract);
    let json = board::json(&board)
        .map_err(|error| Failure::new(format!("the report cannot be written: {error}")))?;
    // A look is recorded before it can be told to anybody.
    if is_root && !judged.is_recorded {
        let report = sha256(&json);
        let occasion = Occasion { who: change::caller(), report, approves: args.approve };
        record(&Act::live(), &contract, &judged, &board, &occasion).map_err(|error| {
            Failure::new(format!("blocked: the verdict cannot be recorded: {error}"))
                .hint("golden ledger verify")
        })?;
    }
    let written = match args.no_report || judged.is_recorded {
        true => Ok(Vec::new()),
        false => publish(&contract, &board, &json),
    };
    // A verdict whose report cannot be written is not told as a pass; why a model is blocked is told in any case.
    let written = match written {
        Err(failure) if board.passed => return Err(failure),
        written => written,
    };
    match args.format {
        Format::Human => output::print(board::gate(&board, output::style(global)))?,
        Format::Json => output::print(Shown::json(&json))?,
    }
    let written = written?;
    written.iter().for_each(|path| output::talk(&format!("report: {path}\n")));
    Ok(ExitCode::from(if board.passed { 0 } else { CANNOT }))
}

impl Which {
    /// The look that was asked for.
    pub(super) fn judge(&self, contract: &Contract) -> Result<Judged, Failure> {
        if contract.safety.is_none() {
            return Err(Failure::new("the contract has no [safety]: it guards no models")
                .hint("golden contract show"));
        }
        let system = DiskSystem::live().map_err(|error| Failure::new(format!("/: {error}")))?;
        let asked = match &self.model {
            Some(name) if self.from.is_none() => super::model::asked(contract, name, &system)?,
            model => Asked { model: model.as_deref().map(Into::into), ..Asked::default() },
        };
        let Some(path) = &self.from else { return Ok(gate::judge(contract, &system, asked)) };
        let cannot =
            |error: std::io::Error| Failure::new(format!("{} cannot be read: {error}", path.display()));
        let at = self.at.as_deref().map(|text| {
            let at: Result<jiff::Timestamp, _> = text.parse();
            at.map(jiff::Timestamp::as_second).map_err(|error| {
                Failure::new(format!("--at {text}: {error}")).hint("--at 2026-01-31T12:00:00Z")
            })
        });
        let at = at.transpose()?;
        let mut file: Box<dyn BufRead> = match path.as_os_str() == "-" {
            true => Box::new(std::io::stdin().lock()),
            false => Box::new(BufReader::new(File::open(path).map_err(cannot)?)),
        };
        let name = path.display().to_string();
        Ok(gate::judge_recorded(contract, &system, asked, (&name, &mut file), at))
    }
}

/// The reports of a verdict in the repository; the paths.
fn publish(contract: &Contract, board: &Board, json: &str) -> Result<Vec<String>, Failure> {
    let hand = DiskHand::live();
    let stem = format!("quality_gate_{}", board.at.replace(['-', ':'], ""));
    let written = Shelf::open(&hand, contract).and_then(|shelf| match shelf {
        Some(shelf) => shelf.add(&stem, &[("md", &board::markdown(board, "gate")), ("json", json)]),
        None => Ok(Vec::new()),
    });
    written.map_err(|why| {
        Failure::new(format!("no report was written, so nothing passes: {why}"))
            .hint("golden gate --no-report judges without one")
    })
}

/// The moment of a failure that has no facts.
pub(super) fn now() -> String {
    DiskSystem::live().map(|system| system.now()).map_or_else(
        |_| String::new(),
        |now| jiff::Timestamp::from_second(now).map(|at| at.to_string()).unwrap_or_default(),
    )
}
