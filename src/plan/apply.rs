//! Carrying a plan out: one at a time, each step kept, done, verified and written down; everything undone when one of
//! them fails; what a crash left behind undone by the next call.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use serde_json::{Map, Value, json};

use super::journal::{Kept, Record, UnitBefore};
use super::perform::{Failed, Hands, keep, perform, systemctl};
use super::snapshot::{Before, Store};
use super::{Plan, Progress, ledger};
use crate::system::System;
use crate::system::act::Act;

/// Where two that would change the host meet.
const LOCK: &str = "/run/golden/apply.lock";

/// Who does what under which contract, for the journal and the ledger.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// `apply`, `fix`, `deploy` …
    pub verb: &'a str,
    /// The digest of the contract.
    pub contract: &'a str,
    /// Who asked: the user behind sudo(8), else the caller.
    pub by: &'a str,
    /// What else the ledger says of it, as names and values.
    pub said: &'a [(&'a str, &'a str)],
}

/// A plan that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The name under which it can be undone.
    pub id: String,
    /// How many steps were taken.
    pub steps: usize,
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
        left: Vec<String>,
    },
}

/// Hears what is being done.
pub trait Listener {
    /// A step begins.
    fn begins(&mut self, number: usize, of: usize, title: &str);
    /// A line that a program says.
    fn says(&mut self, line: &str);
    /// Something is undone.
    fn undoes(&mut self, title: &str);
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
        act.make_way(LOCK).map_err(refused)?;
        let path = act.place(LOCK);
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = open.map_err(refused)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                Err(Trouble::Refused(format!("another golden is changing this host (it holds {LOCK})")))
            }
            Err(errno) => Err(refused(errno.into())),
        }
    }
}

/// Undoes what an interrupted plan has left; the titles of what was undone.
pub fn recover(act: &Act, _alone: &Alone, listener: &mut dyn Listener) -> Result<Vec<String>, Trouble> {
    let all = Kept::all(act).map_err(|error| Trouble::Refused(error.to_string()))?;
    let mut undone = Vec::new();
    for mut kept in all.into_iter().filter(|kept| kept.journal.progress == Progress::Begun) {
        undone.push(kept.journal.id.clone());
        let left = undo(act, &mut kept, false, listener);
        note(act, &kept, "interrupted, undone", &left)
            .map_err(|error| Trouble::Refused(error.to_string()))?;
    }
    Ok(undone)
}

/// What must hold when all steps are taken; where it does not, they are undone.
pub type Proof<'a> = dyn FnMut() -> Result<(), Failed> + 'a;

/// Carries a plan out.
pub fn apply(
    act: &Act,
    system: &dyn System,
    plan: &Plan,
    order: &Order<'_>,
    _alone: &Alone,
    listener: &mut dyn Listener,
    proof: &mut Proof<'_>,
) -> Result<Applied, Trouble> {
    let refused = |error: io::Error| Trouble::Refused(format!("nothing was begun: {error}"));
    let waiting = |title: String| Record {
        title,
        progress: Progress::Waiting,
        paths: Vec::new(),
        units: Vec::new(),
        commit: None,
        lasting: false,
    };
    let titles = plan.steps.iter().map(|step| waiting(step.title())).collect();
    let id = name_of_now(system.now());
    let mut kept = Kept::begin(act, &id, order.verb, order.contract, titles).map_err(refused)?;
    for (index, step) in plan.steps.iter().enumerate() {
        listener.begins(index + 1, plan.steps.len(), &step.title());
        let done = keep(act, &kept.store(), step).and_then(|record| {
            kept.journal.steps[index] = record;
            kept.save()?;
            perform(&mut Hands { act, system, talk: &mut |line| listener.says(line) }, step)?;
            kept.journal.steps[index].progress = Progress::Done;
            Ok(kept.save()?)
        });
        if let Err(failed) = done {
            return Err(give_up(act, &mut kept, order, (step.title(), failed), listener));
        }
    }
    if let Err(failed) = proof() {
        let step = "prove that all is well".to_owned();
        return Err(give_up(act, &mut kept, order, (step, failed), listener));
    }
    // The ledger first: after a crash between the two, the next call undoes it all and says so behind this entry.
    let ended = note_by(act, &kept, order, "done", &[]).and_then(|()| {
        kept.journal.progress = Progress::Done;
        kept.save()
    });
    ended.map_err(|error| {
        Trouble::Refused(format!("all steps were taken, but it could not be written down: {error}"))
    })?;
    Ok(Applied { id, steps: plan.steps.len() })
}

/// Undoes everything because a step has failed.
fn give_up(
    act: &Act,
    kept: &mut Kept,
    order: &Order<'_>,
    (step, failed): (String, Failed),
    listener: &mut dyn Listener,
) -> Trouble {
    let left = undo(act, kept, false, listener);
    let _ = note_by(act, kept, order, &format!("failed at: {step}; undone"), &left);
    Trouble::Undone { step, failed, left }
}

/// Brings back what the newest plan that is done (or the named one) has changed. What it made that people use since
/// (a clone, a database, packages, accounts) is left and named.
pub fn undo_plan(
    act: &Act,
    order: &Order<'_>,
    id: Option<&str>,
    _alone: &Alone,
    listener: &mut dyn Listener,
) -> Result<(String, Vec<String>), Trouble> {
    let all = Kept::all(act).map_err(|error| Trouble::Refused(error.to_string()))?;
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
    let left = undo(act, &mut kept, true, listener);
    let noted = note_by(act, &kept, order, "undone", &left);
    noted.map_err(|error| {
        Trouble::Refused(format!("it is undone, but that could not be written down: {error}"))
    })?;
    Ok((kept.journal.id, left))
}

/// Undoes every step that was begun, last first; what is left. Units go first, while their files are still there;
/// those that ran before come back last, when everything they need is as it was.
fn undo(act: &Act, kept: &mut Kept, finished: bool, listener: &mut dyn Listener) -> Vec<String> {
    let store = kept.store();
    let units = units_before(&kept.journal.steps);
    let mut left = Vec::new();
    for before in &units {
        if !before.active {
            left.extend(systemctl(act, &["--quiet", "stop", &before.unit]).filter_missing());
        }
        if !before.enabled {
            left.extend(systemctl(act, &["--quiet", "disable", &before.unit]).filter_missing());
        }
    }
    let mut reload = false;
    for index in (0..kept.journal.steps.len()).rev() {
        let record = &kept.journal.steps[index];
        if !matches!(record.progress, Progress::Begun | Progress::Done) {
            continue;
        }
        listener.undoes(&record.title);
        left.extend(restore(act, &store, record, finished));
        reload |= record.paths.iter().any(|(path, _)| path.contains("/systemd/"));
        kept.journal.steps[index].progress = Progress::Undone;
        let _ = kept.save();
    }
    if reload {
        left.extend(systemctl(act, &["daemon-reload"]).filter_missing());
    }
    for before in units.iter().rev() {
        if before.enabled {
            left.extend(systemctl(act, &["--quiet", "enable", &before.unit]).filter_missing());
        }
        if before.active {
            left.extend(systemctl(act, &["--quiet", "restart", &before.unit]).filter_missing());
        }
    }
    kept.journal.progress = Progress::Undone;
    left.extend(kept.save().err().map(|error| format!("the journal: {error}")));
    left
}

/// How each unit was before the first step that touched it; those touched last come first.
fn units_before(steps: &[Record]) -> Vec<UnitBefore> {
    let begun = steps.iter().filter(|record| matches!(record.progress, Progress::Begun | Progress::Done));
    let mut units: Vec<UnitBefore> = Vec::new();
    for before in begun.flat_map(|record| &record.units) {
        if !units.iter().any(|known| known.unit == before.unit) {
            units.push(before.clone());
        }
    }
    units.reverse();
    units
}

/// Brings the paths of one step back; what is left.
fn restore(act: &Act, store: &Store, record: &Record, finished: bool) -> Vec<String> {
    if record.lasting && (finished || record.paths.is_empty()) {
        return vec![format!("{}: what it made stays", record.title)];
    }
    let restored = |path: &str, before: &Before| {
        act.remove_leftover(path)?;
        store.restore(act, path, before)
    };
    let back = |(path, before): &(String, Before)| match restored(path, before) {
        Err(error) => Some(format!("{path} could not be brought back: {error}")),
        Ok(()) if *before == Before::NoDirectory && act.place(path).exists() => {
            Some(format!("{path} stays: something lies in it"))
        }
        Ok(()) => None,
    };
    let commit = record.commit.iter().filter_map(|before| {
        let failed = before.bring_back(act).err()?;
        Some(format!(
            "{} could not be brought back to {}: {} {}",
            before.tree.path, before.place.commit, failed.why, failed.said
        ))
    });
    record.paths.iter().rev().filter_map(back).chain(commit).collect()
}

/// What systemctl could not do, in words. A unit that is not there cannot be stopped, and need not.
trait FilterMissing {
    fn filter_missing(self) -> Option<String>;
}

impl FilterMissing for Result<String, Failed> {
    fn filter_missing(self) -> Option<String> {
        let gone =
            |failed: &Failed| ["not loaded", "does not exist"].iter().any(|word| failed.said.contains(word));
        self.err().filter(|failed| !gone(failed)).map(|failed| failed.why)
    }
}

fn note(act: &Act, kept: &Kept, result: &str, left: &[String]) -> io::Result<()> {
    let (verb, contract) = (kept.journal.verb.clone(), kept.journal.contract.clone());
    note_by(act, kept, &Order { verb: &verb, contract: &contract, by: "golden", said: &[] }, result, left)
}

fn note_by(act: &Act, kept: &Kept, order: &Order<'_>, result: &str, left: &[String]) -> io::Result<()> {
    let titles: Vec<&str> = kept.journal.steps.iter().map(|record| record.title.as_str()).collect();
    let entry = json!({
        "at": jiff::Timestamp::now().to_string(),
        "by": order.by,
        "verb": order.verb,
        "plan": kept.journal.id,
        "contract": order.contract,
        "steps": titles,
        "result": result,
        "left": left,
    });
    let mut entry: Map<String, Value> = match entry {
        Value::Object(entry) => entry,
        _ => Map::new(),
    };
    entry.extend(order.said.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
    ledger::append(act, entry)
}

/// A name that sorts by time and is nobody else's.
fn name_of_now(now: i64) -> String {
    let time = jiff::Timestamp::from_second(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let nanoseconds = jiff::Timestamp::now().subsec_nanosecond();
    format!("{}.{nanoseconds:09}-{}", time.strftime("%Y%m%dT%H%M%S"), std::process::id())
}
