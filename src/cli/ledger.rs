//! `golden ledger`: what was done to this host, and whether its record is whole.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Failure, Global, output, read_text};
use crate::plan::ledger::{self, Entry, LEDGER};

/// Arguments of `golden ledger`.
#[derive(Args, Debug)]
pub(super) struct LedgerArgs {
    /// Another ledger than this host's.
    #[arg(long, value_name = "FILE", default_value = LEDGER)]
    file: PathBuf,
    /// A digest that was noted elsewhere: the ledger must still hold its entry, so nothing up to there was taken away.
    #[arg(long, value_name = "DIGEST")]
    holds: Option<String>,
}

/// Carries the verb out.
pub(super) fn run(_global: &Global, args: &LedgerArgs) -> Result<ExitCode, Failure> {
    let path = args.file.display();
    let text = read_text(&args.file).map_err(|error| {
        let failure = Failure::new(format!("{path}: {error}"));
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => failure.hint("sudo golden ledger"),
            std::io::ErrorKind::NotFound => {
                failure.hint("golden has changed nothing here yet, or somebody has removed the record")
            }
            _ => failure,
        }
    })?;
    let (entries, broken) = ledger::read(&text);
    output::print(&entries.iter().map(line).collect::<String>())?;
    let last = match (broken, entries.last()) {
        (Some(broken), _) => {
            return refused(&format!("{path}:{}: {}: it is not as golden wrote it", broken.line, broken.why));
        }
        (None, None) => return refused(&format!("{path} is empty: golden never leaves it so")),
        (None, Some(last)) => last,
    };
    if let Some(noted) = &args.holds
        && !entries.iter().any(|entry| entry.digest == *noted)
    {
        return refused(&format!("{path} has no entry {noted}: it was cut off or written anew"));
    }
    let count = entries.len();
    let words = if count == 1 {
        "1 entry".to_owned()
    } else {
        format!("{count} entries, each follows the one before")
    };
    output::print_and(&format!("{words}; the last is {}\n", last.digest), ExitCode::SUCCESS)
}

fn refused(why: &str) -> Result<ExitCode, Failure> {
    output::complain(why);
    Ok(ExitCode::from(1))
}

fn line(entry: &Entry) -> String {
    let Entry { at, by, verb, plan, steps, result, .. } = entry;
    let at = at.get(..19).unwrap_or(at);
    let line = format!("{at}Z  {verb:<8} {steps:>4} steps  {result:<12} {by:<16} {plan}");
    // The name of a caller is the caller's word.
    line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).chain(['\n']).collect()
}
