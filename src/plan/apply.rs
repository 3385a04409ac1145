//! Carrying a plan out: one at a time, each work kept, done, verified and written down; everything undone when one of
//! them fails; what a crash left behind undone by the next call.

use std::fs::File;
use std::io;

use super::journal::{EditRecord, Kept, Record};
use super::links::Links;
use super::prepare::known_accounts;
use super::program::{Failed, Hands, failed, keep, perform};
use super::store::{Store, note as written};
use super::undo::{restore, undo};
use super::{Left, Paid, Prepared, Progress, What, Work, healthy, owed};
use crate::ledger::{self, By, Entry, Event, Mode, Who};
use crate::model::change::{Change, Verb};
use crate::system::System;
use crate::system::act::Act;
use crate::system::hand::{Hand, Node, interrupted};
use crate::system::state::{Folder, PASSABLE, RUN};

/// Where two that would change the host meet.
const LOCK: &str = "/run/golden/apply.lock";

/// What a plan is carried out with.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// golden's own files: journal, store and ledger.
    pub act: &'a Act,
    /// What changes the host.
    pub hand: &'a dyn Hand,
    /// What looks at it.
    pub system: &'a dyn System,
}

/// Who does what under which contract, for the journal and the ledger.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// `apply`, `fix`, `deploy` …
    pub verb: &'a str,
    /// The digest of the contract.
    pub contract: &'a str,
    /// Who asked.
    pub by: &'a Who,
    /// What else the ledger says of it, as names and values.
    pub said: &'a [(&'a str, &'a str)],
    /// What the ledger calls it when it is done.
    pub done: Event,
}

impl<'a> Order<'a> {
    /// A plan that is simply applied.
    pub fn new(verb: &'a str, contract: &'a str, by: &'a Who) -> Self {
        Self { verb, contract, by, said: &[], done: Event::Applied }
    }

    /// Whether it takes back what a person let happen.
    fn goes_back(&self) -> bool {
        self.done == Event::RolledBack
    }

    /// Whether a broken ledger is a reason not to begin: never for what goes back.
    fn mode(&self) -> Mode {
        if self.goes_back() { Mode::EvenIfBroken } else { Mode::Strict }
    }
}

/// A plan that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The name under which it can be undone.
    pub id: String,
    /// How much was done.
    pub works: usize,
    /// Units that were not started, and why.
    pub skipped: Vec<(String, String)>,
    /// Units that were to be restarted and go on as before; the next call tries again.
    pub owed: Vec<String>,
}

/// A plan that was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing was begun.
    Refused(String),
    /// A step failed and what went before it was undone.
    Undone {
        /// The step.
        step: String,
        /// What went wrong.
        failed: Failed,
        /// What could not be brought back, and what is left on purpose.
        left: Vec<Left>,
    },
}

/// Hears what is being done.
pub trait Listener {
    /// A work begins.
    fn begins(&mut self, number: usize, of: usize, title: &str);
    /// A line that a program says.
    fn says(&mut self, line: &str);
    /// Something is undone.
    fn undoes(&mut self, title: &str);
    /// A unit is not started, and why.
    fn skips(&mut self, unit: &str, why: &str);
    /// Something that was tried did not succeed, and why; the rest goes on.
    fn gives_up(&mut self, title: &str, why: &str);
}

/// Decides what no single work can: whether a unit may start, and whether all is well in the end.
pub trait Watch {
    /// Whether the next start of a unit is proven; the reason where it is not.
    fn may_start(&mut self, unit: &str) -> Result<(), String>;
    /// What must hold when everything is done; where it does not, everything is undone. Given are the units that were
    /// not started.
    fn proof(&mut self, skipped: &[(String, String)]) -> Result<(), Failed>;
}

/// The lock of everything that changes a host.
#[derive(Debug)]
pub struct Alone {
    _file: File,
}

impl Alone {
    /// Takes it, or says who has it.
    pub fn take(act: &Act) -> Result<Self, Trouble> {
        let refused = |error: io::Error| Trouble::Refused(format!("{LOCK}: {error}"));
        let folder = Folder::make(act, RUN, PASSABLE).map_err(refused)?;
        let file = folder.file("apply.lock").map_err(refused)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                Err(Trouble::Refused(format!("another golden is changing this host (it holds {LOCK})")))
            }
            Err(errno) => Err(refused(errno.into())),
        }
    }
}

/// What earlier plans have left behind.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Interrupted plans, which are undone, and what of each could not be brought back.
    pub undone: Vec<(String, Vec<Left>)>,
    /// Plans that ended and units that they should have restarted, which run as before; [`make_up`] restarts them.
    pub owed: Vec<(String, String)>,
}

/// Undoes what interrupted plans have left.
pub fn recover(tools: &Tools<'_>, _alone: &Alone, listener: &mut dyn Listener) -> Result<Recovered, Trouble> {
    let all = Kept::all(tools.act).map_err(|error| Trouble::Refused(error.to_string()))?;
    let mut found = Recovered::default();
    for mut kept in all {
        if kept.journal.progress == Progress::Done {
            let id = &kept.journal.id;
            found.owed.extend(owed::of(&kept).into_iter().map(|unit| (id.clone(), unit)));
        }
        if kept.journal.progress != Progress::Begun {
            continue;
        }
        let finished = kept.journal.undoing.unwrap_or(false);
        let left = undo(tools, &mut kept, finished, listener);
        note(tools.act, &kept, (Event::InterruptedUndone, "interrupted, undone"), &left)
            .map_err(|error| Trouble::Refused(error.to_string()))?;
        found.undone.push((kept.journal.id, left));
    }
    Ok(found)
}

/// Restarts what ended plans should have restarted and did not.
pub fn make_up(tools: &Tools<'_>, _alone: &Alone, listener: &mut dyn Listener) -> Result<Vec<Paid>, Trouble> {
    let refused = |error: io::Error| Trouble::Refused(error.to_string());
    let mut all = Vec::new();
    for mut kept in Kept::all(tools.act).map_err(refused)? {
        if kept.journal.progress != Progress::Done {
            continue;
        }
        let paid = owed::pay(tools, &mut kept, listener).map_err(refused)?;
        if paid.iter().any(|paid| paid.done.is_ok()) {
            note(tools.act, &kept, (Event::MadeUp, "restarted what it had left"), &[]).map_err(refused)?;
        }
        all.extend(paid);
    }
    Ok(all)
}

/// Carries a plan out.
pub fn apply(
    tools: &Tools<'_>,
    prepared: &Prepared,
    order: &Order<'_>,
    _alone: &Alone,
    listener: &mut dyn Listener,
    watch: &mut dyn Watch,
) -> Result<Applied, Trouble> {
    let refused = |error: io::Error| Trouble::Refused(format!("nothing was begun: {error}"));
    let titles = prepared.works.iter().map(waiting).collect();
    let id = name_of_now(tools.system.now());
    let mut kept =
        Kept::begin(tools.act, &id, (order.verb, order.contract), titles, order.mode()).map_err(refused)?;
    let mut skipped: Vec<(String, String)> = Vec::new();
    let mut works = 0;
    for (index, work) in prepared.works.iter().enumerate() {
        let unit = unit_of(work);
        if unit.is_some_and(|unit| skipped.iter().any(|(other, _)| other == unit)) {
            continue;
        }
        if let Some(unit) = work.starts()
            && let Err(why) = may_start(watch, unit, &work.along)
        {
            listener.skips(unit, &why);
            skipped.push((unit.to_owned(), why));
            continue;
        }
        listener.begins(index + 1, prepared.works.len(), &work.title);
        let done = one(tools, &mut kept, (index, work), order, listener);
        works += usize::from(done.is_ok());
        let done = match done {
            Err(failed) if work.tried && !interrupted() => {
                listener.gives_up(&work.title, &failed.why);
                let back = set_aside(tools, &mut kept, index, work);
                skipped.extend(unit.map(|unit| (unit.to_owned(), failed.why.clone())));
                // What cannot be brought back is no longer one work's trouble.
                back.map_err(|left| Failed { why: format!("{}; {left}", failed.why), ..failed })
            }
            done => done,
        };
        if let Err(failed) = done {
            return Err(give_up(tools, &mut kept, order, (work.title.clone(), failed), listener));
        }
    }
    if let Err(failed) = watch.proof(&skipped) {
        let step = "prove that all is well".to_owned();
        return Err(give_up(tools, &mut kept, order, (step, failed), listener));
    }
    // The ledger first: after a crash between the two, the next call undoes it all and says so behind this entry.
    let ended = note_by(tools.act, &kept, order, (order.done.clone(), "done"), &[]).and_then(|()| {
        kept.journal.progress = Progress::Done;
        kept.save()
    });
    ended.map_err(|error| {
        Trouble::Refused(format!("everything was done, but it could not be written down: {error}"))
    })?;
    Ok(Applied { owed: owed::of(&kept), id, works, skipped })
}

/// Brings back what a work that was only tried has begun. A unit that was down stays as systemd has it now: who undoes the
/// plan stops it.
fn set_aside(tools: &Tools<'_>, kept: &mut Kept, index: usize, work: &Work) -> Result<(), String> {
    if !matches!(work.what, What::Edit(_)) {
        return Ok(());
    }
    let store = kept.store();
    let left = restore(tools, &store, &kept.journal.steps[index], (false, false));
    kept.journal.steps[index].progress = Progress::Undone;
    kept.save().map_err(|error| error.to_string())?;
    // In a user's directory that user decides what is there.
    match &work.what {
        What::Edit(edit) if edit.user.is_none() && !left.is_empty() => {
            Err(left.into_iter().map(|left| left.why).collect::<Vec<String>>().join("; "))
        }
        _ => Ok(()),
    }
}

/// Whether a unit may start, and all that systemd restarts along with it.
fn may_start(watch: &mut dyn Watch, unit: &str, along: &[String]) -> Result<(), String> {
    watch.may_start(unit)?;
    along.iter().try_for_each(|other| {
        watch.may_start(other).map_err(|why| format!("{other} restarts along with it: {why}"))
    })
}

/// The unit whose process a work starts or waits for.
fn unit_of(work: &Work) -> Option<&str> {
    match &work.what {
        What::Healthy(awaited) => Some(&awaited.unit),
        _ => work.starts(),
    }
}

/// A work that waits for its turn. What a unit must be to be healthy is known from the start: an undo asks for it, too.
fn waiting(work: &Work) -> Record {
    let awaits = match &work.what {
        What::Healthy(awaited) => Some(awaited.clone()),
        _ => None,
    };
    Record { awaits, ..Record::waiting(&work.title) }
}

/// One work: kept, written down, done, looked at, written down.
fn one(
    tools: &Tools<'_>,
    kept: &mut Kept,
    (index, work): (usize, &Work),
    order: &Order<'_>,
    listener: &mut dyn Listener,
) -> Result<(), Failed> {
    if interrupted() {
        return Err(failed("it was interrupted"));
    }
    let mut record = Record { progress: Progress::Begun, ..Record::waiting(&work.title) };
    match &work.what {
        What::Edit(edit) => {
            let now = resolved(tools.system, edit)?;
            let store = kept.store();
            let (before, after) = (store.keep(&edit.was)?, written(&now));
            record.lasting = edit.path.ends_with(".db") && edit.was == Node::Absent;
            record.edit = Some(EditRecord { path: edit.path.clone(), before, after, whole: edit.whole });
            kept.journal.steps[index] = record;
            kept.save()?;
            let left = tools.hand.put(&edit.path, &edit.was, &now)?;
            if let Some(edit) = kept.journal.steps[index].edit.as_mut() {
                edit.after = written(&left);
            }
        }
        What::Program(change) => {
            keep(tools.hand, change, &kept.journal.id, &mut record)?;
            if let Change::Unit { verb: Verb::Restart, unit } = change
                && order.goes_back()
            {
                record.ends = owed::main_process(tools.system, unit);
            }
            if matches!(change, Change::LeaveGroup { .. }) {
                record.accounts = account_files(tools.hand, &kept.store())?;
            }
            kept.journal.steps[index] = record.clone();
            kept.save()?;
            let mut hands =
                Hands { hand: tools.hand, system: tools.system, talk: &mut |line| listener.says(line) };
            perform(&mut hands, change, &record)?;
            if let Some(links) = kept.journal.steps[index].links.as_mut() {
                links.after = Some(Links::of(tools.hand, &links.unit)?);
            }
            for file in &mut kept.journal.steps[index].accounts {
                file.after = written(&tools.hand.node(&file.path)?);
            }
        }
        What::Healthy(awaited) => {
            kept.journal.steps[index].progress = Progress::Begun;
            kept.save()?;
            healthy::healthy(tools.hand, tools.system, awaited)?;
        }
    }
    kept.journal.steps[index].progress = Progress::Done;
    Ok(kept.save()?)
}

/// What gpasswd(1) writes: the groups, and what they were before.
const GROUPS: [&str; 4] = ["/etc/group", "/etc/gshadow", "/etc/group-", "/etc/gshadow-"];

/// The files of groups as they are.
fn account_files(hand: &dyn Hand, store: &Store) -> Result<Vec<EditRecord>, Failed> {
    let keep = |path: &str| -> Result<EditRecord, Failed> {
        let before = store.keep(&hand.node(path)?)?;
        Ok(EditRecord { path: path.to_owned(), after: before.clone(), before, whole: false })
    };
    GROUPS.into_iter().map(keep).collect()
}

/// What an edit makes, with the numbers of accounts that were made by this plan.
fn resolved(system: &dyn System, edit: &super::draft::Edit) -> Result<Node, Failed> {
    let mut now = edit.now.clone();
    let Some((owner, group)) = &edit.names else { return Ok(now) };
    let accounts = known_accounts(system).map_err(failed)?;
    let missing = |name: &str| failed(format!("there is no {name} on this host"));
    let uid = accounts.user(owner).ok_or_else(|| missing(owner))?.uid;
    let gid = accounts.group(group).ok_or_else(|| missing(group))?.gid;
    if let Node::File { rights, .. } | Node::Directory { rights, .. } = &mut now {
        (rights.uid, rights.gid) = (uid, gid);
    }
    Ok(now)
}

/// Undoes everything because a work has failed.
fn give_up(
    tools: &Tools<'_>,
    kept: &mut Kept,
    order: &Order<'_>,
    (step, failed): (String, Failed),
    listener: &mut dyn Listener,
) -> Trouble {
    let left = undo(tools, kept, false, listener);
    let _ =
        note_by(tools.act, kept, order, (Event::FailedUndone, &format!("failed at: {step}; undone")), &left);
    Trouble::Undone { step, failed, left }
}

/// Brings back what the newest plan that is done (or the named one) has changed. What it made that people use since
/// (a clone, a database, packages, accounts) is left and named.
pub fn undo_plan(
    tools: &Tools<'_>,
    order: &Order<'_>,
    id: Option<&str>,
    _alone: &Alone,
    listener: &mut dyn Listener,
) -> Result<(String, Vec<Left>), Trouble> {
    let all = Kept::all(tools.act).map_err(|error| Trouble::Refused(error.to_string()))?;
    let mut done = all.into_iter().filter(|kept| kept.journal.progress == Progress::Done);
    let found = match id {
        None => done.next_back(),
        Some(id) => {
            let rest: Vec<Kept> = done.skip_while(|kept| kept.journal.id != id).collect();
            if let [_, later, ..] = rest.as_slice() {
                let why = format!("{} came after it; undo that first", later.journal.id);
                return Err(Trouble::Refused(why));
            }
            rest.into_iter().next()
        }
    };
    let mut kept =
        found.ok_or_else(|| Trouble::Refused("there is no plan that could be undone".to_owned()))?;
    let left = undo(tools, &mut kept, true, listener);
    let noted = note_by(tools.act, &kept, order, (Event::Undone, "undone"), &left);
    noted.map_err(|error| {
        Trouble::Refused(format!("it is undone, but that could not be written down: {error}"))
    })?;
    Ok((kept.journal.id, left))
}

/// What kind of end it is, and in words.
type End<'a> = (Event, &'a str);

fn note(act: &Act, kept: &Kept, end: End<'_>, left: &[Left]) -> io::Result<()> {
    let (verb, contract) = (kept.journal.verb.clone(), kept.journal.contract.clone());
    let by = Who::of_this_process();
    note_by(act, kept, &Order::new(&verb, &contract, &by), end, left)
}

/// Writes down how a plan ended. [`Kept::begin`] has refused a ledger that does not hold; one that was broken since keeps
/// no end from being written down.
fn note_by(act: &Act, kept: &Kept, order: &Order<'_>, end: End<'_>, left: &[Left]) -> io::Result<()> {
    let (event, result) = end;
    let said = order.said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let entry = Entry {
        at: jiff::Timestamp::now().to_string(),
        by: By::Who(order.by.clone()),
        event,
        verb: order.verb.to_owned(),
        plan: kept.journal.id.clone(),
        plan_number: kept.journal.number,
        contract: order.contract.to_owned(),
        steps: kept.journal.steps.iter().map(|record| record.title.clone()).collect(),
        result: result.to_owned(),
        left: left.iter().map(|left| left.why.clone()).collect(),
        facts: said.collect(),
    };
    ledger::append(act, &entry, Mode::EvenIfBroken).map(|_| ())
}

/// A name that sorts by time and is nobody else's.
fn name_of_now(now: i64) -> String {
    let time = jiff::Timestamp::from_second(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let nanoseconds = jiff::Timestamp::now().subsec_nanosecond();
    format!("{}.{nanoseconds:09}-{}", time.strftime("%Y%m%dT%H%M%S"), std::process::id())
}

/// A watch that lets everything pass.
#[derive(Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn may_start(&mut self, _unit: &str) -> Result<(), String> {
        Ok(())
    }

    fn proof(&mut self, _skipped: &[(String, String)]) -> Result<(), Failed> {
        Ok(())
    }
}
