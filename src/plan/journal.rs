//! What a plan has done so far, on the disk before it is done: a crash at any point leaves enough to go back.
//!
//! Each plan has a directory of its own below [`STATE`]: `journal.json` and the store of what was there before. The
//! journal is replaced as a whole and synced before a step begins and after it ended.
//!
//! The journal is written before the ledger, so the last line of the ledger is true. Accounts, packages, clones and
//! databases that a finished plan made are left by an undo, and named: they may be in use.
//!
//! Plans are ordered by their number, one more than the greatest in journals and ledger, because a clock can be set
//! back. A journal that cannot be read is named and left; the others stay usable. A plan names the process that carries
//! it out (id, time of start, boot), so an audit can tell a plan that is running, such as the one whose proof this
//! audit is, from one that was interrupted, without a lock.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::store::{Kept as Node, Store};
use crate::ledger;
use crate::system::act::{Act, Rights};
pub use crate::system::state::STATE;
use crate::system::state::{self, Folder, PRIVATE, Runner};

/// The longest journal that is read, in bytes. Those that keep a whole venv have some.
const MOST: u64 = 256 << 20;

/// Its name in the directory of its plan.
const NAME: &str = "journal.json";

/// How far something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Not begun.
    Waiting,
    /// Begun and not known to have ended.
    Begun,
    /// Done and verified.
    Done,
    /// Brought back.
    Undone,
}

/// A unit before a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitBefore {
    /// Its name.
    pub unit: String,
    /// `systemctl is-enabled` said so.
    pub enabled: bool,
    /// `systemctl is-active` said so.
    pub active: bool,
}

/// A work and what was before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What a person reads of it.
    pub title: String,
    /// How far it is.
    pub progress: Progress,
    /// The path that it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<EditRecord>,
    /// Units as they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<UnitBefore>,
    /// The main process that a restart is to end, in a plan that is not taken back where the restart fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Runner>,
    /// The unit that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits: Option<super::Awaited>,
    /// The links of a unit that is enabled or disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<super::links::LinksBefore>,
    /// The files of accounts that a program writes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<EditRecord>,
    /// The commit that was checked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<super::work_tree::CommitBefore>,
    /// The words of the program that takes it back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<String>,
    /// A setting of a running server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<super::program::Setting>,
    /// A venv that was put in the place of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venv: Option<super::program::VenvBefore>,
    /// An artefact that came or went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artefact: Option<super::program::ArtefactBefore>,
    /// What it makes is a person's once the plan has ended: a clone, a database, packages, accounts.
    pub lasting: bool,
}

impl Record {
    /// Whether there is something to take back.
    pub fn changes_anything(&self) -> bool {
        let Self { edit, units, commit, back, server, venv, artefact, lasting, .. } = self;
        edit.is_some()
            || !units.is_empty()
            || commit.is_some()
            || !back.is_empty()
            || server.is_some()
            || venv.is_some()
            || artefact.is_some()
            || *lasting
    }

    /// Nothing is known of it yet but what it is called.
    pub fn waiting(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            progress: Progress::Waiting,
            edit: None,
            units: Vec::new(),
            ends: None,
            awaits: None,
            links: None,
            accounts: Vec::new(),
            commit: None,
            back: Vec::new(),
            server: None,
            venv: None,
            artefact: None,
            lasting: false,
        }
    }
}

/// A path before and after a work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditRecord {
    /// The path.
    pub path: String,
    /// What was there.
    pub before: Node,
    /// What the plan leaves there: an undo touches nothing that somebody has changed since.
    pub after: Node,
    /// All of it is the plan's own text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
}

/// One plan that is, or was, carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// `golden.journal/2`
    pub schema: String,
    /// Time and process, which is also the name of its directory.
    pub id: String,
    /// Which verb.
    pub verb: String,
    /// Digest of the contract.
    pub contract: String,
    /// Its place among all plans, from 1: whatever the clock says, a later plan has a greater one. 0 in those of golden
    /// 0.1, which are older than all others.
    #[serde(default)]
    pub number: u64,
    /// Who carries it out. A plan that is begun while this process lives is not interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<Runner>,
    /// How far the whole is.
    pub progress: Progress,
    /// An undo of it has begun: true where the plan had ended before. What such a plan made for people stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoing: Option<bool>,
    /// An undo ended and left what only the disk kept back. Until the next one, somebody may have worked with what is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
    /// Its steps. They stay behind everything else: an audit reads the beginning of a journal alone.
    pub steps: Vec<Record>,
}

/// A journal with its place.
#[derive(Debug)]
pub struct Kept {
    /// What is written down.
    pub journal: Journal,
    path: String,
    act: Act,
}

const SCHEMA: &str = "golden.journal/2";

/// A plan whose journal cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The name of its directory.
    pub id: String,
    /// Why, in a sentence.
    pub why: String,
}

/// All plans that this host knows of.
#[derive(Debug, Default)]
pub struct Plans {
    /// Those whose journals can be used, in the order in which they were made.
    pub kept: Vec<Kept>,
    /// The others. They stay where they are, and keep nobody from the rest.
    pub unusable: Vec<Unusable>,
}

impl Kept {
    /// A new journal, behind all others; the state directory is made, for root alone. A ledger that does not hold is a
    /// reason not to begin, unless it is for going back. Given are the verb and the digest of the contract.
    pub fn begin(
        act: &Act,
        id: &str,
        (verb, contract): (&str, &str),
        titles: Vec<Record>,
        mode: ledger::Mode,
    ) -> io::Result<Self> {
        let settled = ledger::settle(act)?;
        if let Some(broken) = settled.broken.filter(|_| mode == ledger::Mode::Strict) {
            return Err(io::Error::other(broken));
        }
        let Plans { kept, unusable } = Self::survey(act)?;
        let before = kept.iter().map(|kept| kept.journal.number).max().unwrap_or(0);
        // Nobody knows the numbers of those that cannot be read.
        let number = before.max(settled.last_plan) + unusable.len() as u64 + 1;
        let plans = Folder::make(act, STATE, PRIVATE)?.make_inside("plans")?;
        plans.make_new(id)?.make_inside("store")?;
        plans.sync()?;
        let (schema, id, verb, contract) =
            (SCHEMA.to_owned(), id.to_owned(), verb.to_owned(), contract.to_owned());
        let path = format!("{STATE}/plans/{id}/{NAME}");
        let (runner, progress) = (state::this_process(), Progress::Begun);
        let journal = Journal {
            schema,
            id,
            verb,
            contract,
            number,
            runner,
            progress,
            undoing: None,
            waits: false,
            steps: titles,
        };
        let kept = Self { journal, path, act: act.clone() };
        kept.save()?;
        Ok(kept)
    }

    /// Writes it down; when this returns, it is on the disk.
    pub fn save(&self) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(&self.journal).map_err(io::Error::other)?;
        let own = Rights {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            mode: 0o600,
        };
        self.act.write(&self.path, &text, own)
    }

    /// Where the bytes of files lie.
    pub fn store(&self) -> Store {
        let place = self.act.place(&self.path);
        Store::at(place.parent().unwrap_or(Path::new("/")).join("store"))
    }

    /// It began, did not end, and the process that carried it out is gone.
    pub fn is_interrupted(&self) -> bool {
        let Journal { progress, runner, .. } = &self.journal;
        *progress == Progress::Begun && !runner.as_ref().is_some_and(Runner::lives)
    }

    /// The journals that can be used, in the order in which their plans were made.
    pub fn all(act: &Act) -> io::Result<Vec<Self>> {
        Ok(Self::survey(act)?.kept)
    }

    /// All plans, those whose journals cannot be used included.
    pub fn survey(act: &Act) -> io::Result<Plans> {
        let mut found = Plans::default();
        let folder = Folder::find(act, STATE)?.map(|state| state.find_inside("plans"));
        let Some(folder) = folder.transpose()?.flatten() else { return Ok(found) };
        for id in folder.names()? {
            let path = format!("{STATE}/plans/{id}/{NAME}");
            match read(&folder, &id) {
                Ok(Some(journal)) => found.kept.push(Self { journal, path, act: act.clone() }),
                // Killed between making the directory and the first line: nothing was begun.
                Ok(None) => {}
                Err(error) => found.unusable.push(Unusable { id, why: error.to_string() }),
            }
        }
        // Names begin with the time, which orders the plans of golden 0.1.
        found.kept.sort_by(|a, b| (a.journal.number, &a.journal.id).cmp(&(b.journal.number, &b.journal.id)));
        Ok(found)
    }
}

/// The journal of the plan with this name; `None` where nothing was begun.
fn read(plans: &Folder, id: &str) -> io::Result<Option<Journal>> {
    let Some(folder) = plans.find_inside(id)? else { return Ok(None) };
    let Some(file) = folder.find_file(NAME)? else { return Ok(None) };
    let text = state::read_whole(&file, MOST)?;
    let journal: Journal = serde_json::from_slice(&text)
        .map_err(|error| io::Error::other(format!("its journal cannot be read: {error}")))?;
    match (journal.schema.as_str(), journal.id == id) {
        (SCHEMA, true) => Ok(Some(journal)),
        (SCHEMA, false) => Err(io::Error::other("its journal belongs to another plan")),
        (schema, _) => Err(io::Error::other(format!("another golden wrote its journal ({schema:?})"))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "journals are broken by hand")]

    use std::fs;

    use super::*;

    fn ids(plans: &Plans) -> Vec<&str> {
        plans.kept.iter().map(|kept| kept.journal.id.as_str()).collect()
    }

    #[test]
    fn plans_are_ordered_by_number_and_not_by_the_clock() {
        let home = tempfile::tempdir().unwrap();
        let act = Act::below(home.path());
        assert!(Kept::survey(&act).unwrap().kept.is_empty());
        let begin =
            |id: &str| Kept::begin(&act, id, ("apply", "c"), Vec::new(), ledger::Mode::Strict).unwrap();
        for (id, number) in [("20261101", 1), ("20251101", 2), ("20261001", 3)] {
            assert_eq!(begin(id).journal.number, number);
        }
        // One without a number.
        let old = act.place(&format!("{STATE}/plans/20991231"));
        fs::create_dir(&old).unwrap();
        let text = r#"{"schema":"golden.journal/2","id":"20991231","verb":"fix","contract":"c","progress":"done","steps":[]}"#;
        fs::write(old.join(NAME), text).unwrap();
        let plans = Kept::survey(&act).unwrap();
        assert_eq!(ids(&plans), ["20991231", "20261101", "20251101", "20261001"]);
        assert!(plans.kept[1].journal.runner.is_some());
        assert!(!plans.kept[1].is_interrupted(), "this process lives");
        let mut killed = begin("20260901");
        killed.journal.runner = None;
        assert!(killed.is_interrupted());

        // The ledger remembers numbers of plans that are gone.
        fs::remove_dir_all(act.place(&format!("{STATE}/plans"))).unwrap();
        let entry = ledger::Entry {
            at: String::new(),
            by: ledger::By::Name(String::new()),
            event: ledger::Event::Applied,
            verb: String::new(),
            plan: String::new(),
            plan_number: 41,
            contract: String::new(),
            steps: Vec::new(),
            result: String::new(),
            left: Vec::new(),
            facts: std::collections::BTreeMap::new(),
        };
        ledger::append(&act, &entry, ledger::Mode::Strict).unwrap();
        assert_eq!(begin("20200101").journal.number, 42);

        let place = act.place(ledger::LEDGER);
        let broken = fs::read_to_string(&place).unwrap().replace("41", "40");
        fs::write(&place, broken).unwrap();
        let refused = Kept::begin(&act, "20300101", ("apply", "c"), Vec::new(), ledger::Mode::Strict)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("golden ledger repair"), "{refused}");
    }

    #[test]
    fn a_journal_that_cannot_be_read_keeps_nobody_from_the_others() {
        let home = tempfile::tempdir().unwrap();
        let act = Act::below(home.path());
        for id in ["a", "b", "c", "d"] {
            Kept::begin(&act, id, ("apply", "c"), Vec::new(), ledger::Mode::Strict).unwrap();
        }
        let place = |id: &str| act.place(&format!("{STATE}/plans/{id}/{NAME}"));
        fs::write(place("a"), "{").unwrap();
        fs::write(place("b"), fs::read_to_string(place("b")).unwrap().replace("journal/2", "journal/9"))
            .unwrap();
        fs::remove_file(place("d")).unwrap();
        let plans = Kept::survey(&act).unwrap();
        assert_eq!(ids(&plans), ["c"]);
        let named: Vec<&str> = plans.unusable.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(named, ["a", "b"]);
        assert!(plans.unusable[1].why.contains("another golden"), "{:?}", plans.unusable);
        assert_eq!(
            Kept::begin(&act, "e", ("apply", "c"), Vec::new(), ledger::Mode::Strict).unwrap().journal.number,
            6
        );
        assert!(
            Kept::begin(&act, "e", ("apply", "c"), Vec::new(), ledger::Mode::Strict).is_err(),
            "a plan's name is its own"
        );
    }
}
