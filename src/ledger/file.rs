//! The ledger's file: adding to it, and bringing it back in order.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::anchor::{self, Anchor};
use super::chain::{self, Broken, Chain, End};
use super::entry::{By, Entry, Event};
use super::{LEDGER, MOST, read};
use crate::system::act::Act;
use crate::system::state::{self, Folder, PRIVATE, STATE};

/// Its name in its directory.
const NAME: &str = "ledger.jsonl";

/// How long a call waits for another one that writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// As many parts are kept aside at most; more of them is not a host that repairs itself any further.
const MOST_PARTS: u32 = 1000;

/// Whether a broken chain is a reason to refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is added to a broken chain: for whatever begins something new.
    Strict,
    /// The entry is added all the same: for what ends, an undo or a rollback.
    EvenIfBroken,
}

/// An entry that is on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its place, from 1.
    pub number: u64,
    /// Its digest.
    pub digest: String,
    /// The file in which a torn last line was kept aside before.
    pub kept_aside: Option<String>,
}

/// The ledger as a change finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The file in which a torn last line was kept aside just now.
    pub kept_aside: Option<String>,
    /// Why the chain does not hold, in a sentence.
    pub broken: Option<String>,
    /// The greatest number of a plan that the ledger knows of.
    pub last_plan: u64,
}

/// What a repair would take out of the ledger. It is shown to a person and must still be the same when it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The number of the last good entry; 0 where there is none.
    pub good: u64,
    /// Its digest.
    pub head: String,
    /// The first line that is wrong.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
    /// How many lines are taken out.
    pub lines: u64,
    /// The digest of what is taken out.
    pub digest: String,
}

/// What a repair has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The file in which the part is kept; none where there was nothing to keep.
    pub kept_aside: Option<String>,
    /// The digest of the new last entry.
    pub digest: String,
}

/// The ledger, open and held by this process alone.
struct Held {
    folder: Folder,
    file: File,
    text: Vec<u8>,
    end: End,
}

impl Held {
    /// Opens it; `None` where there is none and none is to be made.
    fn open(act: &Act, make: bool) -> io::Result<Option<Self>> {
        let folder = match make {
            true => Some(Folder::make(act, STATE, PRIVATE)?),
            false => Folder::find(act, STATE)?,
        };
        let Some(folder) = folder else { return Ok(None) };
        let file = if make { Some(folder.file(NAME)?) } else { folder.find_file(NAME)? };
        let Some(file) = file else { return Ok(None) };
        // Two that write at once would follow the same entry.
        hold(&file)?;
        if file.metadata()?.len() > MOST {
            let why = format!(
                "{LEDGER} holds more than {} MiB; move it away, and golden begins a new one",
                MOST >> 20
            );
            return Err(io::Error::other(why));
        }
        let text = state::read_whole(&file, MOST).map_err(|error| about(&error))?;
        let end = chain::end(&text);
        Ok(Some(Self { folder, file, text, end }))
    }

    /// Writes at this place what comes to be the end of the file.
    fn write_at(&mut self, place: usize, line: &str) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(place as u64))?;
        self.file.write_all(line.as_bytes())?;
        self.file.sync_all()?;
        let end = place + line.len();
        if end < self.text.len() {
            self.file.set_len(end as u64)?;
            self.file.sync_all()?;
        }
        // The file's name is on the disk since the first entries; the second one makes up for a first that was killed here.
        match self.end.count < 2 {
            true => self.folder.sync(),
            false => Ok(()),
        }
    }

    /// Adds to the end. What a full disk lets through of a line is taken back at once.
    fn add(&mut self, line: &str) -> io::Result<()> {
        let place = self.text.len();
        let written = self.write_at(place, line);
        if written.is_err() {
            let _ = self.file.set_len(place as u64);
        }
        written
    }

    /// Keeps the bytes behind the good entries in a file beside the ledger; its name.
    fn keep_aside(&self, what: &str) -> io::Result<String> {
        for number in 1..=MOST_PARTS {
            let name = format!("{NAME}.{what}-{number}");
            let mut file = match self.folder.new_file(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            file.write_all(&self.text[self.end.good..])?;
            file.sync_all()?;
            self.folder.sync()?;
            return Ok(format!("{STATE}/{name}"));
        }
        Err(io::Error::other(format!("{LEDGER}: {MOST_PARTS} broken parts are kept already")))
    }

    /// Keeps a torn last line aside and cuts it; the file in which it is kept.
    fn cut_torn(&mut self) -> io::Result<Option<String>> {
        if self.end.torn.take().is_none() {
            return Ok(None);
        }
        let kept = self.keep_aside("torn")?;
        self.file.set_len(self.end.good as u64)?;
        self.file.sync_all()?;
        self.text.truncate(self.end.good);
        self.end.count -= 1;
        Ok(Some(kept))
    }
}

/// Takes the file's lock, and does not wait for ever.
fn hold(file: &File) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(io::Error::other(format!("{LEDGER}: another process holds it")));
            }
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn about(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{LEDGER}: {error}"))
}

/// Adds an entry; when this returns, it is on the disk. A torn last line is kept aside before, and the entry says so.
pub fn append(act: &Act, entry: &Entry, mode: Mode) -> io::Result<Appended> {
    let added = append_all(act, std::slice::from_ref(entry), mode)?;
    added.into_iter().next_back().ok_or_else(|| io::Error::other("nothing was added"))
}

/// Adds entries that belong together by one look at the chain and one write: after a crash, the first of them may be there
/// without the rest.
pub fn append_all(act: &Act, entries: &[Entry], mode: Mode) -> io::Result<Vec<Appended>> {
    // Without an entry there is nothing to begin a ledger with.
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let mut held = Held::open(act, true)?.ok_or_else(|| io::Error::other(format!("{LEDGER} is gone")))?;
    let kept_aside = held.cut_torn()?;
    let behind = held.end.broken.as_ref().map(|broken| broken.line.to_string());
    let mut previous = match &held.end.broken {
        None => held.end.head.clone(),
        Some(_) if mode == Mode::Strict => return Err(io::Error::other(in_words(&held.end.broken))),
        Some(_) => chain::claimed_head(&held.text),
    };
    // A whole last line that lacks its newline alone.
    let mut lines = match held.text.last() {
        Some(last) if *last != b'\n' => "\n".to_owned(),
        _ => String::new(),
    };
    let mut added = Vec::with_capacity(entries.len());
    for (number, entry) in (held.end.count + 1..).zip(entries) {
        let mut entry = entry.clone();
        if let Some(kept) = kept_aside.as_ref().filter(|_| added.is_empty()) {
            entry.facts.insert("torn-line-kept".to_owned(), kept.clone());
        }
        if let Some(line) = &behind {
            entry.facts.insert("behind-broken-line".to_owned(), line.clone());
        }
        let (line, digest) = chain::line(number, &previous, &entry)?;
        lines.push_str(&line);
        previous.clone_from(&digest);
        added.push(Appended { number, digest, kept_aside: kept_aside.clone() });
    }
    held.add(&lines)?;
    if let Some(Appended { number, digest, .. }) = added.last() {
        // The ledger is the record; a head that could not be left elsewhere is missed by the next audit.
        let _ = anchor::leave(act, &Anchor { number: *number, digest: digest.clone() });
    }
    Ok(added)
}

/// Prepares the ledger for a change: a torn last line is kept aside and cut. Whether the chain holds is for the caller to
/// weigh. A ledger that is not there yet is not made.
pub fn settle(act: &Act) -> io::Result<Settled> {
    let Some(mut held) = Held::open(act, false)? else { return Ok(Settled::default()) };
    let kept_aside = held.cut_torn()?;
    let broken = held.end.broken.is_some().then(|| in_words(&held.end.broken));
    Ok(Settled { kept_aside, broken, last_plan: held.end.last_plan() })
}

fn in_words(broken: &Option<Broken>) -> String {
    let (line, why) = broken.as_ref().map_or((0, ""), |broken| (broken.line, broken.why.as_str()));
    format!(
        "the ledger is broken at line {line} ({why}). See: golden ledger verify. Then: golden ledger repair"
    )
}

/// The bytes of a ledger, bounded; nothing that lies in its place can block.
pub fn load(path: &Path) -> io::Result<Vec<u8>> {
    state::read_regular(path, MOST)
}

/// What a repair of this ledger, which was read as this chain, would take out; `None` where it is whole.
pub fn damage(text: &[u8], chain: &Chain) -> Option<Damage> {
    if chain.is_whole() {
        return None;
    }
    let good = chain.lines.len() as u64;
    let (line, why) = match (&chain.broken, chain.torn) {
        (Some(broken), _) => (broken.line, broken.why.clone()),
        (None, Some(line)) => (line, "it is incomplete".to_owned()),
        (None, None) => (1, "the ledger is empty".to_owned()),
    };
    let digest = chain::sha256(&text[chain.good..]);
    Some(Damage { good, head: chain.head().to_owned(), line, why, lines: chain.count - good, digest })
}

/// Takes out what a person has agreed to take out, keeps it in a file beside the ledger, and writes down that it did.
pub fn repair(act: &Act, by: By, at: &str, agreed: &Damage) -> io::Result<Repaired> {
    let changed = || io::Error::other(format!("{LEDGER} has changed meanwhile; look at it again"));
    let mut held = Held::open(act, false)?.ok_or_else(changed)?;
    if damage(&held.text, &read(&held.text)).as_ref() != Some(agreed) {
        return Err(changed());
    }
    let kept_aside = match held.text.len() > held.end.good {
        true => Some(held.keep_aside(if held.end.torn.is_some() { "torn" } else { "broken" })?),
        false => None,
    };
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let mut facts = std::collections::BTreeMap::from([
        fact("good-number", agreed.good.to_string()),
        fact("good-digest", agreed.head.clone()),
        fact("kept-digest", agreed.digest.clone()),
        fact("kept-lines", agreed.lines.to_string()),
    ]);
    facts.extend(kept_aside.clone().map(|path| fact("kept-in", path)));
    let entry = Entry {
        at: at.to_owned(),
        by,
        event: Event::Repaired,
        verb: "ledger repair".to_owned(),
        plan: String::new(),
        plan_number: 0,
        contract: String::new(),
        steps: Vec::new(),
        result: format!("line {}: {}", agreed.line, agreed.why),
        left: Vec::new(),
        facts,
    };
    let (line, digest) = chain::line(agreed.good + 1, &agreed.head, &entry)?;
    let place = held.end.good;
    held.write_at(place, &line)?;
    let _ = anchor::leave(act, &Anchor { number: agreed.good + 1, digest: digest.clone() });
    Ok(Repaired { kept_aside, digest })
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { good, head, line, why, lines, digest } = self;
        writeln!(f, "The ledger is damaged at line {line}: {why}.")?;
        match good {
            0 => writeln!(f, "No entry before it is good.")?,
            1 => writeln!(f, "The entry before it is good; its digest is {head}.")?,
            _ => writeln!(f, "The {good} entries before it are good; the digest of the last is {head}.")?,
        }
        let count = match lines {
            0 => return writeln!(f, "A repair starts the ledger again with an entry that says so."),
            1 => "1 line".to_owned(),
            many => format!("{many} lines"),
        };
        writeln!(
            f,
            "A repair moves {count} from there to the end into a file beside the ledger (sha256 {digest})."
        )
    }
}

#[cfg(test)]
mod tests;
