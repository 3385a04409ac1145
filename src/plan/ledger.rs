//! The append-only record of what golden did to a host: one line of JSON an entry, each with the digest of the one
//! before it, so that a line that is changed, removed or moved breaks the chain behind it.
#![expect(clippy::disallowed_methods, reason = "the ledger is read and written here")]

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use serde_json::{Map, Value};

use super::build::digest;
use super::journal::STATE;
use crate::system::act::Act;

/// The digest that the first entry follows.
const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where it lies.
pub const LEDGER: &str = "/var/lib/golden/ledger.jsonl";

/// Adds an entry; when this returns, it is on the disk.
pub fn append(act: &Act, mut entry: Map<String, Value>) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(act.place(STATE))?;
    let place = act.place(LEDGER);
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&place)?;
    // Two that write at once would follow the same entry.
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
    let text = fs::read_to_string(&place)?;
    let last = text.lines().last().and_then(|line| serde_json::from_str::<Map<String, Value>>(line).ok());
    let previous = last.as_ref().and_then(|last| last.get("digest")?.as_str()).unwrap_or(FIRST).to_owned();
    entry.insert("number".to_owned(), Value::from(text.lines().count() + 1));
    entry.insert("previous".to_owned(), Value::from(previous));
    let digest = digest_of(&entry);
    entry.insert("digest".to_owned(), Value::from(digest));
    let mut line = if text.is_empty() || text.ends_with('\n') { String::new() } else { "\n".to_owned() };
    line.push_str(&Value::Object(entry).to_string());
    line.push('\n');
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

/// The digest of an entry without its own: of its JSON with sorted keys.
fn digest_of(entry: &Map<String, Value>) -> String {
    digest(Value::Object(entry.clone()).to_string().as_bytes())
}

/// An entry whose place in the chain holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, as RFC 3339 has it, in UTC.
    pub at: String,
    /// Who called.
    pub by: String,
    /// `apply`, `fix`, `deploy` …
    pub verb: String,
    /// The plan's id, by which it is undone.
    pub plan: String,
    /// How many steps it had.
    pub steps: usize,
    /// How it ended.
    pub result: String,
    /// sha256 of the entry, which holds the digest of the one before it.
    pub digest: String,
}

/// Where the chain breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// The entries up to the first that is not as it was written. A chain that was cut off at its end, or written anew from
/// its beginning, is whole: only somebody who knows a later digest can tell.
pub fn read(text: &str) -> (Vec<Entry>, Option<Broken>) {
    let mut entries: Vec<Entry> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let previous = entries.last().map_or(FIRST, |entry| entry.digest.as_str());
        match link(line, index + 1, previous) {
            Ok(entry) => entries.push(entry),
            Err(why) => return (entries, Some(Broken { line: index + 1, why })),
        }
    }
    (entries, None)
}

/// Reads the line with this number, which must follow an entry with this digest.
fn link(line: &str, number: usize, previous: &str) -> Result<Entry, String> {
    let mut entry: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("it is no entry: {error}"))?;
    let own = entry.remove("digest").and_then(|value| value.as_str().map(str::to_owned));
    if entry.get("previous").and_then(Value::as_str) != Some(previous) {
        return Err("it does not follow the entry before it".to_owned());
    }
    if entry.get("number").and_then(Value::as_u64) != u64::try_from(number).ok() {
        return Err("its number is not its place".to_owned());
    }
    let digest = digest_of(&entry);
    if own.as_deref() != Some(digest.as_str()) {
        return Err("it was changed".to_owned());
    }
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Entry {
        at: text("at"),
        by: text("by"),
        verb: text("verb"),
        plan: text("plan"),
        steps: entry.get("steps").and_then(Value::as_array).map_or(0, Vec::len),
        result: text("result"),
        digest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_to_the_ledger_is_found() {
        let home = tempfile::tempdir().unwrap();
        let act = Act::below(home.path());
        for number in 0..4 {
            let mut entry = Map::new();
            entry.insert("verb".into(), Value::from(format!("apply {number}")));
            append(&act, entry).unwrap();
        }
        let text = fs::read_to_string(act.place(LEDGER)).unwrap();
        let (entries, broken) = read(&text);
        assert_eq!((entries.len(), broken), (4, None));
        assert_eq!(entries[3].verb, "apply 3");
        let lines: Vec<&str> = text.lines().collect();
        let joined = |lines: &[&str]| lines.join("\n") + "\n";
        for (what, text, line) in [
            ("changed", text.replace("apply 1", "apply 7"), 2),
            ("removed", joined(&[lines[0], lines[2], lines[3]]), 2),
            ("moved", joined(&[lines[0], lines[2], lines[1]]), 2),
            ("the first removed", joined(&lines[1..]), 1),
            ("twice", joined(&[lines[0], lines[0]]), 2),
            ("no entry", "{}\n".to_owned(), 1),
            ("an empty line", joined(&[lines[0], "", lines[1]]), 2),
        ] {
            let (entries, broken) = read(&text);
            assert_eq!(broken.map(|broken| broken.line), Some(line), "{what}");
            assert_eq!(entries.len(), line - 1, "{what}");
        }
    }
}
