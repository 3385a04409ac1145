//! `golden ledger`: what was done to this host, and whether its record is whole.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{CANNOT, Failure, Global, change, find, output};
use crate::contract::Contract;
use crate::ledger::anchor::{self, Anchor};
use crate::ledger::outside;
use crate::ledger::{self, By, Chain, LEDGER, Line};
use crate::model::visible;
use crate::plan::apply::Alone;
use crate::plan::journal::Kept;
use crate::system::act::Act;
use crate::system::hand::{Call, DiskHand, Hand as _};
use crate::system::state;

/// Show what golden changed on this host, check that the record is whole, or repair it.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 the ledger is whole, 1 it is broken (repair: it was not repaired), 2 it cannot be read."
)]
pub(super) struct LedgerArgs {
    #[command(subcommand)]
    verb: Option<LedgerVerb>,
    /// A ledger other than this host's.
    #[arg(long, global = true, value_name = "FILE", default_value = LEDGER)]
    file: PathBuf,
    /// A digest that you noted elsewhere: the ledger must still hold its entry, so no earlier entry was removed.
    #[arg(long, visible_alias = "against", global = true, value_name = "DIGEST")]
    holds: Option<String>,
}

#[derive(Subcommand, Debug)]
enum LedgerVerb {
    /// List what was done to this host (the default).
    Show,
    /// Only check that the ledger is whole; names the first broken line. Compares it with the heads in the journal, in the file of
    /// the contract, and outside (`[ledger] recall`), and says which of them it could read.
    Verify,
    /// Write the head again into the journal, the file of the contract (`[ledger] anchor`), and outside (`send`).
    Anchor,
    /// Accept the whole part of a broken ledger; the broken part is moved into a file beside it.
    Repair {
        /// Do not ask. Read `golden ledger verify` first.
        #[arg(long)]
        yes: bool,
    },
}

/// Broken, refused.
const BROKEN: u8 = 1;

/// Carries the verb out.
pub(super) fn run(global: &Global, args: &LedgerArgs) -> Result<ExitCode, Failure> {
    match args.verb {
        None | Some(LedgerVerb::Show) => show(args),
        Some(LedgerVerb::Verify) => verify(global, args),
        Some(LedgerVerb::Anchor) => leave(global, args),
        Some(LedgerVerb::Repair { yes }) => repair(args, yes),
    }
}

fn load(path: &Path) -> Result<Vec<u8>, Failure> {
    ledger::load(path).map_err(|error| {
        let failure = Failure::new(format!("{}: {error}", path.display()));
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => failure.hint("sudo golden ledger"),
            std::io::ErrorKind::NotFound => {
                failure.hint("golden has changed nothing here yet, or the record was removed")
            }
            _ => failure,
        }
    })
}

fn show(args: &LedgerArgs) -> Result<ExitCode, Failure> {
    let chain = ledger::read(&load(&args.file)?);
    output::print(&chain.lines.iter().map(line).collect::<String>())?;
    name_interrupted(args);
    match weigh(args, &chain) {
        Ok(words) => output::print_and(&words, ExitCode::SUCCESS),
        Err(why) => {
            output::complain(visible(&why).as_ref());
            Ok(ExitCode::from(BROKEN))
        }
    }
}

/// `golden ledger verify`: the chain, and the heads that were left elsewhere.
fn verify(global: &Global, args: &LedgerArgs) -> Result<ExitCode, Failure> {
    let chain = ledger::read(&load(&args.file)?);
    let words = match weigh(args, &chain) {
        Ok(words) => words,
        Err(why) => {
            output::complain(visible(&why).as_ref());
            return Ok(ExitCode::from(BROKEN));
        }
    };
    if args.file == Path::new(LEDGER) {
        match compared(global, &chain)? {
            Compared::Same => {}
            Compared::Unknown => return Ok(ExitCode::from(CANNOT)),
            Compared::Other => {
                output::complain("the ledger is not the one whose heads golden left elsewhere");
                return Ok(ExitCode::from(BROKEN));
            }
        }
    }
    output::print_and(&words, ExitCode::SUCCESS)
}

/// What the heads that were left elsewhere say of this host's ledger, the worst last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Compared {
    /// They are its own, up to the last.
    Same,
    /// The place that the contract names could not be read.
    Unknown,
    /// They are not.
    Other,
}

/// Compares this host's ledger with the heads that were left, and says which of them it saw. The journal forgets, so that
/// what it does not hold says nothing; the place that the contract names must hold the last head (`ledger-not-anchored`).
fn compared(global: &Global, chain: &Chain) -> Result<Compared, Failure> {
    let mut all = Compared::Same;
    let last = chain.lines.last().map_or(0, |line| line.number);
    let contract = find::contract(global).map(|found| found.contract);
    let contract = contract.map_err(|failure| format!("the contract cannot be read: {failure}"));
    let (file, outside) = (contract.as_ref().map_err(Clone::clone), contract.as_ref().map_err(Clone::clone));
    let places = [
        ("the journal", in_journal(), false),
        ("the anchor", file.and_then(in_file), true),
        ("outside", outside.and_then(in_outside), true),
    ];
    for (place, seen, must) in places {
        let seen = seen.map(|seen| seen.map(|text| anchor::weigh(chain, &anchor::anchors(&text))));
        let (words, one) = match seen {
            Ok(None) if place == "outside" => continue,
            Ok(None) => ("the contract names none ([ledger] anchor)".to_owned(), Compared::Same),
            Ok(Some(Err(why))) => (why, Compared::Other),
            Ok(Some(Ok(newest))) => {
                let left = newest.map_or(0, |newest| newest.number);
                let words = match left {
                    0 => "holds no head".to_owned(),
                    left => format!("holds heads up to entry {left}, and the ledger has them all"),
                };
                (words, if must && left < last { Compared::Other } else { Compared::Same })
            }
            Err(why) if must => (format!("not compared: {why}"), Compared::Unknown),
            Err(why) => (format!("not compared: {why}"), Compared::Same),
        };
        all = all.max(one);
        output::print(&format!("{place}: {}\n", visible(&words)))?;
    }
    Ok(all)
}

/// Heads that root's golden has left in the journal, oldest first.
fn in_journal() -> Result<Option<String>, String> {
    let id = format!("MESSAGE_ID={}", anchor::MESSAGE_ID);
    let words = ["journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=20000", "_UID=0", &id];
    let mut text = String::new();
    let mut line = |line: &str| text.extend([line, "\n"]);
    let ended = DiskHand::live().run(&Call::new(&words, 60), &mut line).map_err(|error| error.to_string())?;
    match ended.code {
        Some(0) => Ok(Some(text)),
        // Nothing matches (journalctl(1)).
        Some(1) if text.is_empty() => Ok(Some(text)),
        _ => Err(ended.said.trim().to_owned()),
    }
}

/// What stands in the file of the contract, where it names one.
fn in_file(contract: &Contract) -> Result<Option<String>, String> {
    let Some(path) = &contract.anchor else { return Ok(None) };
    let bytes = state::read_regular(Path::new(&path.value), anchor::LARGEST);
    match bytes {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) => Err(format!("{}: {error}", path.value)),
    }
}

/// What the command of the contract says lies outside, where it names one.
fn in_outside(contract: &Contract) -> Result<Option<String>, String> {
    match contract.outside {
        Some(_) => outside::recall().map(Some).map_err(|error| error.to_string()),
        None => Ok(None),
    }
}

/// `golden ledger anchor`
fn leave(global: &Global, args: &LedgerArgs) -> Result<ExitCode, Failure> {
    if args.file != Path::new(LEDGER) || args.holds.is_some() {
        return Err(Failure::new(
            "only the head of this host's own ledger is left, without --file and --holds",
        ));
    }
    find::contract(global)?;
    let chain = ledger::read(&load(&args.file)?);
    let Some(last) = chain.lines.last().filter(|_| chain.is_whole()) else {
        output::complain("the ledger is damaged\n  try: golden ledger verify");
        return Ok(ExitCode::from(BROKEN));
    };
    let head = Anchor { number: last.number, digest: last.digest.clone() };
    anchor::leave(&Act::live(), &head).map_err(|error| Failure::new(error.to_string()))?;
    output::print_and(&format!("{}\n", head.line()), ExitCode::SUCCESS)
}

/// That the ledger is whole, in words, or what is wrong with it.
fn weigh(args: &LedgerArgs, chain: &Chain) -> Result<String, String> {
    let path = args.file.display();
    if let Some(broken) = &chain.broken {
        return Err(format!("{path}:{}: {}: it is not as golden wrote it", broken.line, broken.why));
    }
    if let Some(torn) = chain.torn {
        return Err(format!(
            "{path}:{torn}: it is incomplete (golden was killed, or the disk was full); the next change sets it aside, and so does golden ledger repair"
        ));
    }
    let Some(last) = chain.lines.last() else {
        return Err(format!("{path} is empty: golden never leaves it so"));
    };
    if let Some(noted) = &args.holds
        && !chain.lines.iter().any(|line| line.digest == *noted)
    {
        return Err(format!("{path} has no entry {noted}: it was cut off or rewritten"));
    }
    let count = chain.lines.len();
    let words = if count == 1 {
        "1 entry".to_owned()
    } else {
        format!("{count} entries, each follows the one before")
    };
    Ok(format!("{words}; the last is {}\n", last.digest))
}

/// Says which plans began and did not end. Only for this host's own ledger.
fn name_interrupted(args: &LedgerArgs) {
    if args.file != Path::new(LEDGER) {
        return;
    }
    let Ok(plans) = Kept::survey(&Act::live()) else { return };
    for kept in plans.kept.iter().filter(|kept| kept.is_interrupted()) {
        let (id, verb) = (&kept.journal.id, &kept.journal.verb);
        let text = format!(
            "the plan {id} ({verb}) was interrupted: it began and did not end. The next change takes it back; \
             golden apply --recover does so now"
        );
        output::complain(visible(&text).as_ref());
    }
}

fn line(line: &Line) -> String {
    let entry = &line.entry;
    let at = entry.at.get(..19).unwrap_or(&entry.at);
    let (steps, by) = (entry.steps.len(), entry.by.to_string());
    let mut text =
        format!("{at}Z  {:<8} {steps:>4} steps  {:<12} {by:<16} {}", entry.verb, entry.result, entry.plan);
    if entry.event == ledger::Event::Gated {
        let model = entry.facts.get("model").map_or("", String::as_str);
        text = format!("{at}Z  {:<8} {model:<23} {by:<16} {}", entry.verb, entry.result);
    }
    if entry.event == ledger::Event::Repaired {
        text = format!("{at}Z  {}  {by}  {}", entry.verb, entry.result);
        for (name, value) in &entry.facts {
            let _ = write!(text, "  {name}={value}");
        }
    }
    // The name of a caller is the caller's word.
    visible(&text).into_owned() + "\n"
}

/// `golden ledger repair`
fn repair(args: &LedgerArgs, yes: bool) -> Result<ExitCode, Failure> {
    if args.file != Path::new(LEDGER) {
        return Err(Failure::new("only this host's own ledger can be repaired, without --file"));
    }
    if args.holds.is_some() {
        return Err(Failure::new("--holds checks a ledger; it says nothing about a repair")
            .hint("golden ledger verify --holds DIGEST"));
    }
    let refused = |why: &str| {
        output::complain(why);
        Ok(ExitCode::from(BROKEN))
    };
    if !rustix::process::geteuid().is_root() {
        return refused(
            "`golden ledger repair` changes this host's record, which only root may\n  try: sudo golden ledger repair",
        );
    }
    let text = load(&args.file)?;
    let Some(damage) = ledger::damage(&text, &ledger::read(&text)) else {
        return output::print_and("the ledger is whole; there is nothing to repair\n", ExitCode::SUCCESS);
    };
    output::print(
        &damage.to_string().lines().map(|line| visible(line).into_owned() + "\n").collect::<String>(),
    )?;
    if !yes && !std::io::stdin().is_terminal() {
        return refused(
            "nothing was repaired: there is no terminal to ask on\n  try: golden ledger repair --yes",
        );
    }
    if !yes && !agrees() {
        return refused("nothing was repaired");
    }
    let act = Act::live();
    let alone = match Alone::take(&act) {
        Ok(alone) => alone,
        Err(trouble) => return Ok(change::troubled(&trouble)),
    };
    let at = jiff::Timestamp::now().to_string();
    let repaired = ledger::repair(&act, By::Who(change::caller()), &at, &damage)
        .map_err(|error| Failure::new(error.to_string()))?;
    drop(alone);
    let kept = repaired.kept_aside.map(|path| format!("the removed part is kept in {path}\n"));
    let kept = kept.unwrap_or_default();
    output::print_and(
        &format!("{kept}the ledger is whole again; its last entry is {}\n", repaired.digest),
        ExitCode::SUCCESS,
    )
}

/// Asks on the terminal.
fn agrees() -> bool {
    output::talk("Accept what is left as the ledger of this host? Type yes: ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok() && answer.trim() == "yes"
}
