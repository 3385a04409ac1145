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

/// The number of entries, or the first line that is not as it was written and why.
pub fn verify(text: &str) -> Result<usize, (usize, String)> {
    let mut previous = FIRST.to_owned();
    let mut count = 0;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let mut entry: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| (number, format!("it is no entry: {error}")))?;
        let own = entry.remove("digest").and_then(|value| value.as_str().map(str::to_owned));
        let said = entry.get("previous").and_then(Value::as_str);
        if said != Some(previous.as_str()) {
            return Err((number, "it does not follow the entry before it".to_owned()));
        }
        if entry.get("number").and_then(Value::as_u64) != u64::try_from(number).ok() {
            return Err((number, "its number is not its place".to_owned()));
        }
        let digest = digest_of(&entry);
        if own.as_deref() != Some(digest.as_str()) {
            return Err((number, "it was changed".to_owned()));
        }
        previous = digest;
        count = number;
    }
    Ok(count)
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
        assert_eq!(verify(&text), Ok(4));
        let lines: Vec<&str> = text.lines().collect();
        let joined = |lines: &[&str]| lines.join("\n") + "\n";
        assert_eq!(verify(&text.replace("apply 1", "apply 7")).unwrap_err().0, 2);
        assert_eq!(verify(&joined(&[lines[0], lines[2], lines[3]])).unwrap_err().0, 2);
        assert_eq!(verify(&joined(&[lines[0], lines[2], lines[1]])).unwrap_err().0, 2);
        assert_eq!(verify("{}\n").unwrap_err().0, 1);
    }
}
