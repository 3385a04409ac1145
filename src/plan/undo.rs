//! Taking back what a plan has begun: every work, last first, unless somebody has changed since what it left.
//!
//! An undo compares links and files, not words: `systemctl enable` may add links to an enabled unit, and gpasswd(1)
//! writes more files than it takes back. An undo that is killed is recorded as begun, and goes on.

use std::io;
use std::time::Instant;

use super::journal::{EditRecord, Kept, Record, UnitBefore};
use super::program::{Failed, systemctl, take_back};
use super::store::Store;
use super::{Left, Listener, Progress, Tools, healthy};
use crate::model::change::is_unit_file;
use crate::system::hand::{Hand, Node, Refused, heed_signals};
use crate::system::state::this_process;

/// Undoes every work that was begun, last first; what is left. Units go first, while their files are still there;
/// those that ran before come back last, when everything they need is as it was. An undo that is interrupted is written
/// down as begun, and goes on with the next call. What only the disk kept back stays to be undone: a plan that had ended
/// can be undone again, one that had not is interrupted still.
pub(super) fn undo(
    tools: &Tools<'_>,
    kept: &mut Kept,
    finished: bool,
    listener: &mut dyn Listener,
) -> Vec<Left> {
    heed_signals(false);
    let hand = tools.hand;
    let store = kept.store();
    let resumed = kept.journal.undoing.is_some();
    let (waited, mut is_any_back) = (kept.journal.waits, false);
    let units = units_before(&kept.journal.steps, resumed);
    let mut left: Vec<Left> = Vec::new();
    kept.journal.progress = Progress::Begun;
    kept.journal.runner = this_process();
    kept.journal.undoing = Some(finished);
    let _ = kept.save();
    if !waited {
        left.extend(stopped(hand, &units));
    }
    let mut reload = resumed;
    for index in (0..kept.journal.steps.len()).rev() {
        let record = &kept.journal.steps[index];
        if !matches!(record.progress, Progress::Begun | Progress::Done) {
            continue;
        }
        if record.changes_anything() {
            listener.undoes(&record.title);
        }
        let mut kept_back = restore(tools, &store, record, (finished, finished || waited));
        if holds_what_stays(record, &kept.journal.steps[index + 1..]) {
            kept_back.iter_mut().for_each(|left| left.again = true);
        }
        reload |= record.links.is_some() || record.edit.as_ref().is_some_and(|edit| is_unit_file(&edit.path));
        is_any_back |= kept_back.is_empty() && record.changes_anything();
        if !kept_back.iter().any(|left| left.again) {
            kept.journal.steps[index].progress = Progress::Undone;
        }
        left.extend(kept_back);
        let _ = kept.save();
    }
    if reload {
        left.extend(said(hand, systemctl(hand, &["daemon-reload"])));
    }
    // A try that brought nothing back is no reason to restart anything.
    if !waited || is_any_back {
        left.extend(started(hand, &units));
        left.extend(not_healthy_again(tools, &kept.journal.steps, &units).into_iter().map(Left::from));
    }
    kept.journal.waits = left.iter().any(|left| left.again);
    kept.journal.progress = match (kept.journal.waits, finished) {
        (false, _) => Progress::Undone,
        // That it was undone in part stays written down: units that were brought back too early are again.
        (true, true) => Progress::Done,
        (true, false) => Progress::Begun,
    };
    left.extend(kept.save().err().map(|error| Left { why: format!("the journal: {error}"), again: true }));
    heed_signals(true);
    left
}

/// Stops and disables what did not run, or was not enabled, before the plan; what is left.
fn stopped(hand: &dyn Hand, units: &[UnitBefore]) -> Vec<Left> {
    let mut left = Vec::new();
    for before in units {
        if !before.active {
            left.extend(said(hand, systemctl(hand, &["--quiet", "stop", "--", &before.unit])));
        }
        if !before.enabled {
            left.extend(said(hand, systemctl(hand, &["--quiet", "disable", "--", &before.unit])));
        }
    }
    left
}

/// Enables and restarts what was enabled, and ran, before the plan; what is left.
fn started(hand: &dyn Hand, units: &[UnitBefore]) -> Vec<Left> {
    let mut left = Vec::new();
    for before in units.iter().rev() {
        // One that is enabled still is left as it is: enabling it again would touch its links of old start scripts.
        let is_enabled = systemctl(hand, &["is-enabled", "--quiet", "--", &before.unit]).is_ok();
        if before.enabled && !is_enabled {
            left.extend(said(hand, systemctl(hand, &["--quiet", "enable", "--", &before.unit])));
        }
        if before.active {
            let up = systemctl(hand, &["--quiet", "restart", "--", &before.unit]);
            left.extend(up.err().map(|failed| {
                format!("{} ran before and does not run now: {}", before.unit, failed.why).into()
            }));
        }
    }
    left
}

/// Whether something below what a work made could not be brought back yet, so that this stays as well.
fn holds_what_stays(record: &Record, later: &[Record]) -> bool {
    let Some(edit) = &record.edit else { return false };
    later.iter().filter(|later| matches!(later.progress, Progress::Begun | Progress::Done)).any(|later| {
        later.edit.as_ref().is_some_and(|inner| {
            inner.path.strip_prefix(&edit.path).is_some_and(|rest| rest.starts_with('/'))
        })
    })
}

/// Which units are not what the plan would have waited for, now that what it restarted runs as before: what ran is waited
/// for, and so is what only answered.
fn not_healthy_again(tools: &Tools<'_>, steps: &[Record], units: &[UnitBefore]) -> Vec<String> {
    if units.iter().all(|before| !before.active) {
        return Vec::new();
    }
    let was_down = |unit: &str| units.iter().any(|before| before.unit == unit && !before.active);
    let awaited = steps.iter().filter_map(|record| record.awaits.as_ref());
    let mut left = Vec::new();
    let began = Instant::now();
    let mut asked: Vec<&str> = Vec::new();
    for awaited in awaited.filter(|awaited| !was_down(&awaited.unit)) {
        if asked.contains(&awaited.unit.as_str()) {
            continue;
        }
        asked.push(&awaited.unit);
        let healthy = healthy::healthy_since(tools.hand, tools.system, awaited, began);
        left.extend(healthy.err().map(|failed| format!("it is not as before: {}", failed.why)));
    }
    left
}

/// How each unit was before the first work that touched it; those touched last come first. Where an undo was interrupted,
/// nobody knows how far it came with units.
fn units_before(steps: &[Record], resumed: bool) -> Vec<UnitBefore> {
    let counts = |record: &&Record| match record.progress {
        Progress::Begun | Progress::Done => true,
        Progress::Undone => resumed,
        Progress::Waiting => false,
    };
    let begun = steps.iter().filter(counts);
    let mut units: Vec<UnitBefore> = Vec::new();
    for before in begun.flat_map(|record| &record.units) {
        if !units.iter().any(|known| known.unit == before.unit) {
            units.push(before.clone());
        }
    }
    units.reverse();
    units
}

/// Brings one work back; what is left. Given are whether its plan had ended, and whether somebody may have worked with what
/// it left since.
pub(super) fn restore(
    tools: &Tools<'_>,
    store: &Store,
    record: &Record,
    (finished, since): (bool, bool),
) -> Vec<Left> {
    if record.lasting && (finished || record.edit.is_none() && record.back.is_empty()) {
        return vec![format!("{}: what it made stays", record.title).into()];
    }
    let mut left: Vec<Left> = Vec::new();
    if let Some(edit) = &record.edit {
        let back = put_back(tools.hand, store, edit, record.progress == Progress::Begun);
        left.extend(back.err().map(|left| left.about(format!("{} stays as it is", edit.path))));
        if record.progress == Progress::Begun {
            let swept = tools.hand.sweep(&edit.path);
            left.extend(
                swept.err().map(|refused| Left::from(refused).about(format!("beside {}", edit.path))),
            );
        }
    }
    if let Some(links) = &record.links {
        let back = links.bring_back(tools.hand);
        let what = format!("links of {} stay as they are", links.unit);
        left.extend(back.err().map(|refused| Left::from(refused).about(what)));
    }
    match accounts_back(tools.hand, store, &record.accounts) {
        Ok(true) => {}
        // Where somebody has changed the files of accounts since, a program takes back what this work did.
        Ok(false) => left.extend(take_back(tools.hand, record, tools.system)),
        Err(kept_back) => left.push(kept_back),
    }
    left.extend(record.commit.iter().filter_map(|before| {
        let failed = before.bring_back(tools.hand, since).err()?;
        let (path, commit) = (&before.tree.path, &before.place.commit);
        let why = format!("{path} could not be brought back to {commit}: {} {}", failed.why, failed.said);
        Some(Left::of_program(tools.hand, path, why))
    }));
    left
}

/// Puts back what was at a path, unless somebody else has changed it since.
fn put_back(hand: &dyn Hand, store: &Store, edit: &EditRecord, half: bool) -> Result<(), Left> {
    let now = match hand.node(&edit.path) {
        Err(Refused::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => Node::Absent,
        other => other?,
    };
    if edit.before.is(&now) {
        return Ok(());
    }
    let ours = edit.after.is(&now) || half && (edit.after.is_half(&now) || edit.before.is_half(&now));
    if !ours {
        return Err("it was changed since".to_owned().into());
    }
    let before = store.node(&edit.before).map_err(|error| error.to_string())?;
    if before == Node::Absent && matches!(now, Node::Directory { .. }) && !hand.list(&edit.path)?.is_empty() {
        return Err("something lies in it".to_owned().into());
    }
    Ok(hand.put(&edit.path, &now, &before).map(drop)?)
}

/// Puts the files of accounts back whose programs leave more behind than they take back; false where somebody has changed
/// them since, or none were kept.
fn accounts_back(hand: &dyn Hand, store: &Store, files: &[EditRecord]) -> Result<bool, Left> {
    let are_ours = files.iter().all(|file| hand.node(&file.path).is_ok_and(|now| file.after.is(&now)));
    let is_done = files.iter().any(|file| file.before != file.after);
    if !is_done || !are_ours {
        return Ok(false);
    }
    for file in files {
        match put_back(hand, store, file, false) {
            Ok(()) => {}
            Err(left) if left.again => return Err(left.about(format!("{} stays as it is", file.path))),
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

/// What systemctl could not do. A unit that systemd does not know cannot be stopped, and need not: systemctl ends with 5
/// then (systemctl(1), *Exit status*).
fn said(hand: &dyn Hand, done: Result<String, Failed>) -> Option<Left> {
    let gone = |failed: &Failed| {
        failed.why.ends_with("ended with 5")
            || ["not loaded", "does not exist"].iter().any(|word| failed.said.contains(word))
    };
    let failed = done.err().filter(|failed| !gone(failed))?;
    Some(Left::of_program(hand, "/etc/systemd/system", failed.why))
}
