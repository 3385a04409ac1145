//! What a plan has done so far, on the disk before it is done: a crash at any point leaves enough to go back.
//!
//! Each plan has a directory of its own below [`STATE`]: `journal.json` and the store of what was there before. The
//! journal is replaced as a whole and synced before a step begins and after it ended.
#![expect(clippy::disallowed_methods, reason = "the journal is read and written here")]

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::snapshot::{Before, Store};
use crate::system::act::{Act, Rights};

/// Where golden keeps what it did.
pub const STATE: &str = "/var/lib/golden";

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

/// A step and what was before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What a person reads of it.
    pub title: String,
    /// How far it is.
    pub progress: Progress,
    /// Paths as they were.
    pub paths: Vec<(String, Before)>,
    /// Units as they were.
    pub units: Vec<UnitBefore>,
    /// The commit that was checked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<super::work_tree::CommitBefore>,
    /// What it makes is a person's once the plan has ended: a clone, a database, packages, accounts.
    pub lasting: bool,
}

/// One plan that is, or was, carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// `golden.journal/1`
    pub schema: String,
    /// Time and process, which is also the name of its directory.
    pub id: String,
    /// Which verb.
    pub verb: String,
    /// Digest of the contract.
    pub contract: String,
    /// How far the whole is.
    pub progress: Progress,
    /// Its steps.
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

const SCHEMA: &str = "golden.journal/1";

fn plans(act: &Act) -> PathBuf {
    act.place(STATE).join("plans")
}

impl Kept {
    /// A new journal; the state directory is made, for root alone.
    pub fn begin(act: &Act, id: &str, verb: &str, contract: &str, titles: Vec<Record>) -> io::Result<Self> {
        let directory = plans(act).join(id);
        DirBuilder::new().recursive(true).mode(0o700).create(directory.join("store"))?;
        let (schema, id, verb, contract) =
            (SCHEMA.to_owned(), id.to_owned(), verb.to_owned(), contract.to_owned());
        let path = format!("{STATE}/plans/{id}/journal.json");
        let journal = Journal { schema, id, verb, contract, progress: Progress::Begun, steps: titles };
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

    /// Journals in the order of their names, which is that of time.
    pub fn all(act: &Act) -> io::Result<Vec<Self>> {
        let mut names: Vec<String> = match fs::read_dir(plans(act)) {
            Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        names.sort();
        let mut all = Vec::new();
        for name in names {
            let path = format!("{STATE}/plans/{name}/journal.json");
            let text = match fs::read(act.place(&path)) {
                // Killed between making the directory and the first line: nothing was begun.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            let journal: Journal = serde_json::from_slice(&text)
                .map_err(|error| io::Error::other(format!("{path} is no journal of golden: {error}")))?;
            if journal.schema != SCHEMA {
                return Err(io::Error::other(format!("{path} is of another golden ({})", journal.schema)));
            }
            all.push(Self { journal, path, act: act.clone() });
        }
        Ok(all)
    }
}
