//! What the verbs that change a host share: who may, what is shown, who confirmed it, and what is said of the end.

use std::cmp::Ordering;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::find::FoundContract;
use super::{Failure, Global, find, output, person};
use crate::contract::Contract;
use crate::ledger::{self, Who};
use crate::model::visible;
use crate::plan::apply::{self, Alone};
use crate::plan::journal::Kept;
use crate::plan::{Applied, Hindrance, Left, Listener, Prepared, Tools, Trouble};
use crate::report::human::Style;
use crate::report::{Paint, Shown};
use crate::system::DiskSystem;
use crate::system::act::Act;
use crate::system::hand::DiskHand;
use crate::system::state::STATE;

/// Refused or undone.
pub(super) const REFUSED: u8 = 1;
/// There would be changes.
pub(super) const CHANGES: u8 = 1;

/// How changes are confirmed.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Confirm {
    /// Change nothing: show what would be done.
    #[arg(long)]
    pub check: bool,
    /// Do not ask. Needed without a terminal.
    #[arg(long, short)]
    pub yes: bool,
    /// Apply exactly the plan with this digest, or nothing.
    #[arg(long, value_name = "DIGEST")]
    pub plan: Option<String>,
    /// Only the list of changes, without the differences of files.
    #[arg(long)]
    pub list: bool,
    /// Try all of it on a copy of this host first.
    #[arg(long)]
    pub rehearsed: bool,
}

/// The contract of a verb that changes a host: one that was named or installed, never merely the built-in one.
pub(super) fn contract(global: &Global) -> Result<FoundContract, Failure> {
    let found = find::contract(global)?;
    match found.contract.source.built_in && !find::names_built_in(global) {
        false => Ok(found),
        true => {
            let name = &found.contract.name.value;
            Err(Failure::new("there is no contract here, so nothing is changed").hint(format!(
                "golden init   writes one; --contract FILE names one; --contract builtin:{name} names the built-in one"
            )))
        }
    }
}

/// The host that is looked at and changed.
pub(super) struct Host {
    pub act: Act,
    pub hand: DiskHand,
    pub system: DiskSystem,
}

impl Host {
    /// The host this process runs on.
    pub(crate) fn live() -> Result<Self, Failure> {
        let system = DiskSystem::live()
            .map_err(|error| Failure::new(format!("this host cannot be looked at: {error}")))?;
        Ok(Self { act: Act::live(), hand: DiskHand::live(), system })
    }

    /// A disk that is mounted there. It is only looked at.
    pub(crate) fn rooted(root: &Path) -> Result<Self, Failure> {
        let system = DiskSystem::rooted(root)
            .map_err(|error| Failure::new(format!("--root {}: {error}", root.display())))?;
        Ok(Self { act: Act::below(root), hand: DiskHand::below(root), system })
    }

    /// What a plan is carried out with.
    pub(crate) fn tools(&self) -> Tools<'_> {
        Tools { act: &self.act, hand: &self.hand, system: &self.system }
    }
}

/// Says on stderr what is being done.
pub(super) struct Said {
    quiet: bool,
    verbose: bool,
    undone: usize,
}

/// How many undone changes are named without `--verbose`.
const MOST_UNDONE: usize = 6;

impl Said {
    /// As the options ask for it.
    pub(crate) fn new(global: &Global) -> Self {
        Self { quiet: global.quiet, verbose: global.verbose, undone: 0 }
    }
}

impl Listener for Said {
    fn begins(&mut self, number: usize, of: usize, title: &str) {
        if !self.quiet {
            output::talk(&format!("[{number}/{of}] {title}\n"));
        }
    }

    fn says(&mut self, line: &str) {
        if self.verbose {
            output::talk(&format!("        {line}\n"));
        }
    }

    fn undoes(&mut self, title: &str) {
        self.undone += 1;
        if self.quiet {
            return;
        }
        match self.undone.cmp(&(MOST_UNDONE + 1)) {
            Ordering::Equal if !self.verbose => {
                output::talk("undo    … and what went before (--verbose names it)\n")
            }
            Ordering::Greater if !self.verbose => {}
            _ => output::talk(&format!("undo    {title}\n")),
        }
    }

    fn skips(&mut self, unit: &str, why: &str) {
        output::talk(&format!("skipped {unit} is not started: {why}\n"));
    }

    fn gives_up(&mut self, title: &str, why: &str) {
        output::talk(&format!("left    {title}: {why}\n"));
    }
}

/// Who asked: the user who logged in, with the name that sudo(8) gives beside it as a hint.
pub(super) fn caller() -> Who {
    const MOST: u64 = 8 << 20;
    let who = Who::of_this_process().with_sudo(std::env::var("SUDO_USER").ok());
    let account = who.login_uid.and_then(|uid| {
        let passwd = crate::system::state::read_regular(std::path::Path::new("/etc/passwd"), MOST).ok()?;
        Some(crate::syntax::accounts::parse(&passwd, b"").user_by_id(uid)?.name.clone())
    });
    who.with_login(account)
}

/// Takes the host for this process alone, and brings an interrupted plan back first; a code where it cannot.
pub(super) fn take_host(verb: &str, host: &Host, said: &mut Said) -> Result<Alone, ExitCode> {
    if !rustix::process::geteuid().is_root() {
        let failure = Failure::new(format!("`golden {verb}` changes this host, which only root may"));
        output::complain(&failure.hint(format!("sudo golden {verb}")).to_string());
        return Err(ExitCode::from(REFUSED));
    }
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        listen_for(signal);
    }
    let alone = Alone::take(&host.act).map_err(|trouble| troubled(&trouble))?;
    name_defects(&host.act).map_err(|error| troubled(&Trouble::Refused(error.to_string())))?;
    let recovered = apply::recover(&host.tools(), &alone, said).map_err(|trouble| troubled(&trouble))?;
    for (id, left) in recovered.undone {
        let undone = if left.iter().any(|left| left.again) { "undone in part" } else { "undone" };
        output::complain(&format!("the plan {id} was interrupted; what it had done is {undone}"));
        name_left(&left, RECOVER);
    }
    for (plan, unit) in recovered.owed {
        let text = format!("the plan {plan} could not restart {unit}, which runs as before; try: {RECOVER}");
        output::complain(visible(&text).as_ref());
    }
    Ok(alone)
}

/// Restarts what ended plans should have restarted; whether all of it is done.
pub(super) fn make_up(host: &Host, alone: &Alone, said: &mut Said) -> Result<bool, ExitCode> {
    let paid = apply::make_up(&host.tools(), alone, said).map_err(|trouble| troubled(&trouble))?;
    for paid in &paid {
        let unit = &paid.unit;
        let became = match &paid.done {
            Ok(()) => format!("{unit} is restarted, as the plan {} should have", paid.plan),
            Err(failed) => format!("{unit} could not be restarted: {}", failed.why),
        };
        output::complain(visible(&became).as_ref());
    }
    Ok(paid.iter().all(|paid| paid.done.is_ok()))
}

/// Brings back what an interrupted plan has left.
pub(super) const RECOVER: &str = "golden apply --recover";

/// Says what is wrong with golden's own record: a torn or broken ledger, journals that cannot be read. None of it stops an
/// undo; what begins something new is refused where it begins.
fn name_defects(act: &Act) -> std::io::Result<()> {
    let complain = |text: &str| output::complain(visible(text).as_ref());
    match ledger::settle(act) {
        Ok(settled) => {
            if let Some(kept) = &settled.kept_aside {
                complain(&format!(
                    "the last line of the ledger was cut off (a kill or a full disk); it is kept in {kept}"
                ));
            }
            settled.broken.iter().for_each(|broken| complain(broken));
        }
        Err(error) => complain(&format!("the ledger cannot be used: {error}")),
    }
    for one in &Kept::survey(act)?.unusable {
        let (id, why) = (&one.id, &one.why);
        complain(&format!("the plan {id} in {STATE}/plans is left as it is: {why}"));
    }
    Ok(())
}

/// A signal ends what is being done, and it is undone at once.
#[expect(unsafe_code, reason = "signal-hook asks for it; the handler stores one flag")]
fn listen_for(signal: i32) {
    // SAFETY: the handler only stores an atomic flag, which is async-signal-safe.
    let registered = unsafe { signal_hook::low_level::register(signal, crate::system::hand::interrupt) };
    if let Err(error) = registered {
        output::complain(&format!("signal {signal} cannot be caught: {error}"));
    }
}

pub(super) fn hindered(all: &[Hindrance]) -> Failure {
    let lines: Vec<String> =
        all.iter().map(|one| format!("{}\n    {}", visible(&one.what), visible(&one.way_out))).collect();
    Failure::listing(format!("golden cannot make a plan\n  {}", lines.join("\n  ")))
}

/// The most lines of one file's difference that are shown without `--verbose`.
const MOST_LINES: usize = 60;

/// The same of a file that is new: the contract, a unit, a document. Its beginning says what it is.
const MOST_OF_NEW: usize = 14;

/// What will be done: differences of files first, then the list, so that the list is what is left on the screen.
pub(super) fn shown(contract: &Contract, prepared: &Prepared, confirm: &Confirm, style: Style) -> Shown {
    let mut text = Shown::new();
    if !confirm.list {
        prepared.works.iter().for_each(|work| difference(&mut text, &work.diff(contract), style));
        if !text.is_empty() {
            text.end_line();
        }
    }
    let titles = prepared.works.iter().map(|work| work.title.chars().count());
    let width = titles.max().unwrap_or(0).min(72);
    for (index, work) in prepared.works.iter().enumerate() {
        text.line(format_args!("{:>3}  {:<width$}  {}", index + 1, work.title, work.why.join(", ")));
    }
    text
}

/// What is left to a person, one line each.
pub(super) fn left(prepared: &Prepared, persons: &[(String, String)]) -> Shown {
    let mut text = Shown::new();
    for refusal in &prepared.refused {
        let (why, what) = (&refusal.step.why, refusal.step.change.words());
        text.line(format_args!("left    {why}: {what} — {}", refusal.why));
    }
    persons.iter().for_each(|(name, what)| text.line(format_args!("left    {name}: {what}")));
    text
}

/// The difference of one file, coloured by what its lines begin with.
fn difference(text: &mut Shown, diff: &str, style: Style) {
    let count = diff.lines().count();
    let usual = if diff.starts_with("--- /dev/null\n") { MOST_OF_NEW } else { MOST_LINES };
    // A cut that saves nothing hides something for nothing.
    let most = if style.verbose || count <= usual + 3 { count } else { usual };
    for line in diff.lines().take(most) {
        let paint = match line.chars().next() {
            Some('+') => Some(Paint::Green),
            Some('-') => Some(Paint::Red),
            Some('@') => Some(Paint::Dim),
            _ => None,
        };
        text.paint(line, paint.filter(|_| style.color));
        text.end_line();
    }
    if most < count {
        text.line(format_args!(" … {} more lines (--verbose shows them)", count - most));
    }
}

/// How many changes, and the digest by which they can be asked for.
pub(super) fn counted(prepared: &Prepared) -> String {
    let count = prepared.works.len();
    let plural = if count == 1 { "change" } else { "changes" };
    format!("{count} {plural}, plan {}", &prepared.digest()[..16])
}

/// Whether somebody wants this: by `--plan`, by `--yes`, or by an answer on the terminal. A code where not.
pub(super) fn confirmed(prepared: &Prepared, confirm: &Confirm, verb: &str) -> Result<(), ExitCode> {
    let digest = prepared.digest();
    if let Some(wanted) = &confirm.plan {
        return match wanted.len() >= 12 && digest.starts_with(wanted.as_str()) {
            true => Ok(()),
            false => {
                let now = &digest[..16];
                output::complain(&format!(
                    "this is not the plan {wanted}: it is {now} now, so nothing is done"
                ));
                Err(ExitCode::from(REFUSED))
            }
        };
    }
    if confirm.yes {
        return Ok(());
    }
    if !person::can_be_asked() {
        let failure = Failure::new("there is no terminal to ask on, so nothing is done");
        let now = &digest[..16];
        output::complain(
            &failure.hint(format!("golden {verb} --yes, or golden {verb} --plan {now}")).to_string(),
        );
        return Err(ExitCode::from(REFUSED));
    }
    match says_yes("Do this?") {
        true => Ok(()),
        false => {
            output::talk("Nothing was changed.\n");
            Err(ExitCode::from(REFUSED))
        }
    }
}

/// Whether a person at the terminal says yes.
pub(super) fn says_yes(question: &str) -> bool {
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

pub(super) fn taken(applied: &Applied) -> String {
    let plural = if applied.works == 1 { "change" } else { "changes" };
    format!("{} {plural} made. To take them back: golden apply --undo {}\n", applied.works, applied.id)
}

/// Names what an undo has left; false where the rest can be brought back later, by the command that is named.
pub(super) fn name_left(left: &[Left], later: &str) -> bool {
    for one in left {
        output::talk(&format!("left    {}\n", one.why));
    }
    let is_whole = !left.iter().any(|one| one.again);
    if !is_whole {
        output::complain(&format!(
            "there is no place to write; when there is, `{later}` brings the rest back"
        ));
    }
    is_whole
}

pub(super) fn troubled(trouble: &Trouble) -> ExitCode {
    match trouble {
        Trouble::Refused(why) => output::complain(why),
        Trouble::Undone { step, failed, left } => {
            if !failed.said.is_empty() {
                output::talk(&format!("{}\n", failed.said.trim_end()));
            }
            name_left(left, RECOVER);
            let end = match left.is_empty() {
                true => "the changes before it are undone",
                false => "the changes before it are undone, except what is listed above as left",
            };
            output::complain(&format!("could not {step}: {}\n  {end}", failed.why));
        }
    }
    ExitCode::from(REFUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(diff: &str, verbose: bool) -> Vec<String> {
        let mut text = Shown::new();
        difference(&mut text, diff, Style { color: false, verbose, quiet: false, width: 100 });
        text.to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_new_file_is_shown_by_its_beginning_and_a_change_as_far_as_it_goes() {
        let body: String = (0..40).map(|number| format!("+line {number}\n")).collect();
        let new = format!("--- /dev/null\n+++ /etc/x\n@@ -0,0 +1,40 @@\n{body}");
        let shown = lines(&new, false);
        assert_eq!(shown.len(), MOST_OF_NEW + 1);
        assert!(shown[MOST_OF_NEW].contains("29 more lines (--verbose shows them)"), "{shown:?}");
        assert_eq!(lines(&new, true).len(), 43);
        let changed = new.replace("--- /dev/null", "--- /etc/x");
        assert_eq!(lines(&changed, false).len(), 43);
        // A cut that would save nothing is not made.
        let short: String = new.lines().take(MOST_OF_NEW + 3).map(|line| format!("{line}\n")).collect();
        assert_eq!(lines(&short, false).len(), MOST_OF_NEW + 3);
    }
}
