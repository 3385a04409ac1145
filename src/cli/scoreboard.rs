//! `golden scoreboard`: which models may go, for a person to see at a glance.

use std::ffi::OsString;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser};

use super::gate::{Which, now};
use super::{CANNOT, Failure, Global, find, output};
use crate::contract::Contract;
use crate::model::board::{Board, Word};
use crate::report::board;
use crate::safety::publish::Shelf;
use crate::system::hand::{DiskHand, Refused};

/// Show which models may be promoted.
#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 GO, 1 WAIT, 2 NO-GO or no scoreboard at all.")]
pub(super) struct ScoreboardArgs {
    #[command(flatten)]
    which: Which,
    /// Write no page into the repository.
    #[arg(long)]
    no_report: bool,
    /// Write the page to this file, too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Arguments of a scoreboard that is a job.
#[derive(Parser, Debug)]
#[command(name = "scoreboard", no_binary_name = true)]
struct AsJob {
    #[command(flatten)]
    args: ScoreboardArgs,
}

/// The scoreboard as a job of the contract, with the job's own arguments.
pub(super) fn run_with(global: &Global, arguments: &[OsString]) -> Result<ExitCode, Failure> {
    match AsJob::try_parse_from(arguments) {
        Ok(job) => run(global, &job.args),
        Err(error) if !error.use_stderr() => output::print_and(&error.to_string(), ExitCode::SUCCESS),
        Err(error) => Err(Failure::listing(error.to_string().trim_end())),
    }
}

/// Judges and shows. Where that fails, the pages say so: what stood there before is no scoreboard of today.
pub(super) fn run(global: &Global, args: &ScoreboardArgs) -> Result<ExitCode, Failure> {
    let contract = find::contract(global)?.contract;
    let shown = std::panic::catch_unwind(AssertUnwindSafe(|| show(global, args, &contract)));
    let shown = shown.unwrap_or_else(|_| Err(Failure::new("golden failed on a defect of its own")));
    if let Err(failure) = &shown
        && let Err(why) = replace_by_failure(args, &contract, &failure.to_string())
    {
        output::complain(&format!("{why}; pages of an earlier scoreboard may still stand there"));
    }
    if let Some(path) = &args.html {
        copy(path, &shown)?;
    }
    Ok(ExitCode::from(match shown?.word {
        Word::Go => 0,
        Word::Wait => 1,
        Word::NoGo => CANNOT,
    }))
}

/// Writes the page to a file that was named, of a failure, too. Nothing is done as root behind it: where a user could put
/// a link on the way, it is written as that user.
fn copy(path: &Path, shown: &Result<Board, Failure>) -> Result<(), Failure> {
    let page = match shown {
        Ok(board) => board::page(board),
        Err(failure) => board::failed_page(&now(), failure.to_string().lines().next().unwrap_or_default()),
    };
    let directory = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    super::owner::become_owner(directory)?;
    output::file(path, &page, 0o644)
}

fn show(global: &Global, args: &ScoreboardArgs, contract: &Contract) -> Result<Board, Failure> {
    let judged = args.which.judge(contract)?;
    let board = judged.board(contract);
    let page = board::page(&board);
    let written = match args.no_report || judged.is_recorded {
        true => Vec::new(),
        false => publish(contract, &board::markdown(&board, "scoreboard"), &page)
            .map_err(|why| Failure::new(format!("no scoreboard was written: {why}")))?,
    };
    output::print(board::scoreboard(&board, output::style(global)))?;
    written.iter().for_each(|path| output::talk(&format!("page: {path}\n")));
    Ok(board)
}

/// Replaces both pages; the paths.
fn publish(contract: &Contract, markdown: &str, page: &str) -> Result<Vec<String>, Refused> {
    let hand = DiskHand::live();
    let Some(shelf) = Shelf::open(&hand, contract)? else { return Ok(Vec::new()) };
    let page = shelf.replace("scoreboard_latest.html", page);
    let markdown = shelf.replace("scoreboard_latest.md", markdown);
    Ok(vec![markdown?, page?])
}

fn replace_by_failure(args: &ScoreboardArgs, contract: &Contract, why: &str) -> Result<(), Refused> {
    if args.no_report {
        return Ok(());
    }
    let (at, why) = (now(), why.lines().next().unwrap_or_default());
    publish(contract, &board::failed_markdown(&at, why), &board::failed_page(&at, why)).map(drop)
}
