//! Heads of the ledger that were left elsewhere. A chain cannot tell that entries were taken away from its end, or that all of
//! it was rewritten; who kept a later head can. golden leaves each head in the host's journal, which is often sent to
//! another host, in the file that the contract names, and where its command takes it ([`super::outside`]). Root of this host
//! can forge what lies here, and a line that has left it not.
//!
//! `golden ledger verify` asks journald for the heads that root wrote; the audit, which runs nothing, reads the file and the
//! note of what was sent. Heads are compared in the order in which they were written, so a repair excuses what it removed and
//! nothing after it.

use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;

use super::chain::Chain;
use super::entry::Event;
use super::outside;
use crate::system::act::Act;
use crate::system::hand::{DiskHand, Hand as _};
use crate::system::journald;
use crate::system::state::Folder;

/// What journal entries with a head are found by (systemd.journal-fields(7), `MESSAGE_ID=`).
pub const MESSAGE_ID: &str = "6e1d3a86c0f04b3c9d3d5a6a5f1b9e27";

/// What a line with a head begins with.
const MARK: &str = "golden ledger: entry ";

/// The largest file of heads that is read, in bytes.
pub const LARGEST: u64 = 8 << 20;

/// A head that was left somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The number of the entry.
    pub number: u64,
    /// Its digest.
    pub digest: String,
}

impl Anchor {
    /// As a line of a journal or a file.
    pub fn line(&self) -> String {
        format!("{MARK}{} sha256 {}", self.number, self.digest)
    }

    /// Reads such a line; `None` where it is something else.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix(MARK)?.split_ascii_whitespace();
        let (number, kind, digest) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        (kind == "sha256" && is_digest).then(|| Self { number, digest: digest.to_owned() })
    }
}

/// The heads in a text, oldest first; other lines are passed over.
pub fn anchors(text: &str) -> Vec<Anchor> {
    text.lines().filter_map(Anchor::read).collect()
}

/// Whether a whole chain holds every head that was left, oldest first; the newest of them, or why not. What a repair took out
/// was left before the repair's own head, and is excused by that.
pub fn weigh(chain: &Chain, anchors: &[Anchor]) -> Result<Option<Anchor>, String> {
    let mut repaired = u64::MAX;
    for anchor in anchors.iter().rev().filter(|anchor| anchor.number > 0) {
        if anchor.number >= repaired {
            continue;
        }
        let line = usize::try_from(anchor.number - 1).ok().and_then(|at| chain.lines.get(at));
        let Anchor { number, digest } = anchor;
        match line {
            None => {
                let last = chain.lines.len();
                return Err(format!(
                    "entry {number} was {digest}, and the ledger ends with entry {last}: what followed was taken away"
                ));
            }
            Some(line) if line.digest != *digest => {
                return Err(format!(
                    "entry {number} was {digest}, and is another one in the ledger: it was rewritten"
                ));
            }
            Some(line) if line.entry.event == Event::Repaired => repaired = *number,
            Some(_) => {}
        }
    }
    Ok(anchors.last().cloned())
}

/// The file in which heads are left beside the journal, by the contract in force; set once, before anything is written.
static FILE: OnceLock<String> = OnceLock::new();

/// Lets every head that this process writes be left in a file too.
pub fn anchor_in(path: &str) {
    // A process obeys one contract.
    let _ = FILE.set(path.to_owned());
}

/// Leaves a head of this host's ledger in the journal, in the file of the contract, and where its command takes it. The ledger is the record: where its
/// head could not be left, the next audit says so.
pub fn leave(act: &Act, anchor: &Anchor) -> io::Result<()> {
    if !act.is_live() {
        return Ok(());
    }
    let line = anchor.line();
    let to_journal = journald::send(&[
        ("MESSAGE", &line),
        ("PRIORITY", "5"),
        ("SYSLOG_IDENTIFIER", "golden"),
        ("MESSAGE_ID", MESSAGE_ID),
    ]);
    let to_journal = to_journal.map_err(|error| io::Error::other(format!("the journal: {error}")));
    let to_file = FILE.get().map_or(Ok(()), |path| {
        append(act, path, &line).map_err(|error| io::Error::other(format!("{path}: {error}")))
    });
    let outside = outside::send(act, anchor).map_err(|error| io::Error::other(format!("outside: {error}")));
    to_file.and(to_journal).and(outside)
}

/// Adds a line to a file of heads that only root can replace. It may be one to which the kernel lets nobody but add
/// (chattr(1)).
fn append(act: &Act, path: &str, line: &str) -> io::Result<()> {
    let way = DiskHand::live().way(path).map_err(|refused| io::Error::other(refused.to_string()))?;
    if let Some(user) = way.user {
        return Err(io::Error::other(format!("uid {user} can replace it")));
    }
    let (directory, name) = way.path.rsplit_once('/').unwrap_or(("/", path));
    let folder = Folder::find(act, if directory.is_empty() { "/" } else { directory })?;
    let folder = folder.ok_or_else(|| io::Error::other(format!("{directory} does not exist")))?;
    let mut file = folder.file_to_add(name)?;
    let mut start = [0; MARK.len()];
    let length = file.metadata()?.len();
    if length > 0 && (file.read_at(&mut start, 0)? < start.len() || start != *MARK.as_bytes()) {
        return Err(io::Error::other("it is not a file of heads: it does not begin with one"));
    }
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    // A line that a kill or a full disk cut off would take this one with it.
    let end = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(end.as_bytes())?;
    file.write_all(format!("{line} {}\n", jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ")).as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::chain::{self, tests::entry};
    use super::*;

    fn chain(events: &[Event]) -> Chain {
        let (mut text, mut previous) = (String::new(), chain::FIRST.to_owned());
        for (number, event) in (1..).zip(events) {
            let mut entry = entry("apply");
            entry.event = event.clone();
            let (line, digest) = chain::line(number, &previous, &entry).unwrap();
            text.push_str(&line);
            previous = digest;
        }
        let chain = chain::read(text.as_bytes());
        assert!(chain.is_whole(), "{chain:?}");
        chain
    }

    fn heads(chain: &Chain) -> Vec<Anchor> {
        let head = |line: &chain::Line| Anchor { number: line.number, digest: line.digest.clone() };
        chain.lines.iter().map(head).collect()
    }

    #[test]
    fn a_line_is_read_as_it_is_written() {
        let anchor = Anchor { number: 7, digest: "0f".repeat(32) };
        let line = anchor.line();
        assert_eq!(Anchor::read(&format!("{line} 2026-01-01T00:00:00Z host")), Some(anchor.clone()));
        assert_eq!(anchors(&format!("x\n{line}\n\n{line}")), [anchor.clone(), anchor]);
        for text in ["", "golden ledger: entry", "golden ledger: entry x sha256 00", &line[..90], &line[1..]]
        {
            assert_eq!(Anchor::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_chain_that_was_cut_or_written_anew_is_known_by_its_heads() {
        let whole = chain(&[Event::Applied, Event::Gated, Event::Applied]);
        let left = heads(&whole);
        assert_eq!(weigh(&whole, &left), Ok(left.last().cloned()));
        // Not every head was left: killed between the ledger and the journal.
        assert_eq!(weigh(&whole, &left[..2]), Ok(Some(left[1].clone())));
        assert_eq!(weigh(&whole, &[]), Ok(None));
        let cut = chain(&[Event::Applied, Event::Gated]);
        assert!(weigh(&cut, &left).is_err_and(|why| why.contains("ends with entry 2")));
        assert!(weigh(&Chain::default(), &left).is_err_and(|why| why.contains("ends with entry 0")));
        let anew = chain(&[Event::Applied, Event::Applied, Event::Applied, Event::Applied]);
        assert!(weigh(&anew, &left).is_err_and(|why| why.contains("rewritten")));
    }

    #[test]
    fn a_repair_excuses_what_it_took_out_and_nothing_after_it() {
        let old = heads(&chain(&[Event::Applied, Event::Gated, Event::Gated, Event::Gated]));
        let repaired = chain(&[Event::Applied, Event::Repaired, Event::Applied]);
        let new = heads(&repaired);
        let all = |new: &[Anchor]| old.iter().chain(new).cloned().collect::<Vec<_>>();
        assert!(weigh(&repaired, &all(&new[1..])).is_ok());
        assert!(weigh(&repaired, &old).is_err(), "nobody saw the repair");
        let cut = chain(&[Event::Applied, Event::Repaired]);
        assert!(weigh(&cut, &all(&new[1..])).is_err(), "cut behind it");
        let wrong = Anchor { number: 1, digest: "00".repeat(32) };
        assert!(weigh(&repaired, &[&[wrong], &new[1..]].concat()).is_err(), "what a repair left alone");
    }
}
