//! The lines of the ledger as a chain: each holds the digest of the one before it, so that a line which is changed, removed
//! or moved breaks the chain behind it. Pure: text in, chain out.
//!
//! A line counts only in the spelling that golden writes. Lines of golden 0.1 (JSON with sorted keys) stay valid in the
//! same chain.

use std::collections::BTreeMap;

pub(super) use crate::model::sha256;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::entry::{By, Entry, Event};
use super::{canonical, known};

/// The digest that the first entry follows.
pub(super) const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The form of a line that this golden writes. Lines without the number are golden 0.1's.
const SCHEMA: u32 = 2;

/// An entry whose place in the chain holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its place, from 1.
    pub number: u64,
    /// What it says.
    pub entry: Entry,
    /// sha256 of the entry, which holds the digest of the one before it.
    pub digest: String,
}

/// Where the chain breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

/// What the ledger holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The entries up to the first that is not as it was written.
    pub lines: Vec<Line>,
    /// The first line that is not.
    pub broken: Option<Broken>,
    /// The number of the last line, where it was never finished: a kill, a power cut or a full disk cut it off.
    pub torn: Option<u64>,
    /// How many bytes the good entries take.
    pub good: usize,
    /// The number of lines, good or not.
    pub count: u64,
}

impl Chain {
    /// Every line is as it was written, and there is at least one.
    pub fn is_whole(&self) -> bool {
        self.broken.is_none() && self.torn.is_none() && !self.lines.is_empty()
    }

    /// The digest that the next entry follows.
    pub fn head(&self) -> &str {
        self.lines.last().map_or(FIRST, |line| line.digest.as_str())
    }

    /// The greatest number that a plan has.
    pub fn last_plan(&self) -> u64 {
        let plans = self.lines.iter().map(|line| line.entry.plan_number);
        // Golden 0.1 wrote no numbers of plans; there were never more plans than entries.
        plans.max().unwrap_or(0).max(self.lines.len() as u64)
    }
}

/// Where a walk over the lines has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The first line that is not as it was written.
    pub broken: Option<Broken>,
    /// The number of the last line, where it was never finished.
    pub torn: Option<u64>,
    /// How many bytes the good entries take.
    pub(super) good: usize,
    /// How many entries are good.
    pub(super) entries: u64,
    /// The number of lines, good or not.
    pub(super) count: u64,
    /// The digest that the next entry follows.
    pub(super) head: String,
    /// The greatest number of a plan in a good entry.
    pub(super) plan: u64,
}

impl Default for End {
    fn default() -> Self {
        let (broken, torn) = (None, None);
        Self { broken, torn, good: 0, entries: 0, count: 0, head: FIRST.to_owned(), plan: 0 }
    }
}

impl End {
    /// The greatest number that a plan has.
    pub(super) fn last_plan(&self) -> u64 {
        // Golden 0.1 wrote no numbers of plans; there were never more plans than entries.
        self.plan.max(self.entries)
    }
}

/// Reads the whole ledger. A chain that was cut off at its end, or written anew from its beginning, is whole: only
/// somebody who knows a later digest can tell.
pub fn read(text: &[u8]) -> Chain {
    let mut lines = Vec::new();
    let End { broken, torn, good, count, .. } = each(text, |line| lines.push(line));
    Chain { lines, broken, torn, good, count }
}

/// Hands on the good entries one by one; what this process has verified already is not verified again.
pub fn each(text: &[u8], mut each: impl FnMut(Line)) -> End {
    let verified = known::begins(text).map_or(0, |known| known.good);
    let end = walk(text, verified, End::default(), &mut each);
    known::keep(text, &end);
    end
}

/// Where the ledger ends, and whether it is whole up to there: what an entry that is added must know.
pub(super) fn end(text: &[u8]) -> End {
    let known = known::begins(text).unwrap_or_default();
    let end = walk(text, known.good, known, &mut |_| {});
    known::keep(text, &end);
    end
}

/// Goes over the lines from where `end` stands; those below `verified` need only be read.
fn walk(text: &[u8], verified: usize, mut end: End, each: &mut dyn FnMut(Line)) -> End {
    let mut at = end.good;
    while at < text.len() {
        let stop = text[at..].iter().position(|byte| *byte == b'\n').map(|length| at + length);
        let next = stop.map_or(text.len(), |stop| stop + 1);
        end.count += 1;
        if end.broken.is_none() {
            let is_last = next == text.len();
            match link(&text[at..stop.unwrap_or(next)], end.count, &end.head, next <= verified) {
                Ok(line) => {
                    end.head.clone_from(&line.digest);
                    end.plan = end.plan.max(line.entry.plan_number);
                    (end.good, end.entries) = (next, end.entries + 1);
                    each(line);
                }
                // A first line that was finished and is no entry was never golden's.
                Err(Wrong::NoEntry(_)) if is_last && (stop.is_none() || end.count > 1) => {
                    end.torn = Some(end.count);
                }
                Err(Wrong::NoEntry(why) | Wrong::Elsewhere(why)) => {
                    end.broken = Some(Broken { line: end.count, why });
                }
            }
        }
        at = next;
    }
    end
}

/// Why a line is no link of the chain.
enum Wrong {
    /// It cannot be read as an entry at all.
    NoEntry(String),
    /// It is an entry, but not the one that was written here.
    Elsewhere(String),
}

fn elsewhere(why: &str) -> Wrong {
    Wrong::Elsewhere(why.to_owned())
}

/// A line as this golden writes it. The entry's fields stand here one by one: serde would read a flattened entry into a map
/// first, and a long ledger is read whole at every change.
#[derive(Deserialize)]
struct Written {
    schema: u32,
    number: u64,
    previous: String,
    at: String,
    by: By,
    event: Event,
    verb: String,
    plan: String,
    plan_number: u64,
    contract: String,
    steps: Vec<String>,
    result: String,
    left: Vec<String>,
    facts: BTreeMap<String, String>,
    digest: String,
}

/// The same as it is spelt.
#[derive(Serialize)]
struct Spelt<'a> {
    schema: u32,
    number: u64,
    previous: &'a str,
    #[serde(flatten)]
    entry: &'a Entry,
    digest: &'a str,
}

/// Reads the line with this number, which must follow an entry with this digest. Of one that was verified before, the
/// spelling and the digest need no second look.
fn link(line: &[u8], number: u64, previous: &str, is_verified: bool) -> Result<Line, Wrong> {
    match serde_json::from_slice::<Written>(line) {
        Ok(written) if written.schema == SCHEMA => {
            in_place(Some(&written.previous), Some(written.number), (previous, number))?;
            new(line, written, is_verified)
        }
        _ => other(line, number, previous),
    }
}

/// What is no line of this golden: of golden 0.1, of a newer one, or of somebody else.
fn other(line: &[u8], number: u64, previous: &str) -> Result<Line, Wrong> {
    let entry: Map<String, Value> = serde_json::from_slice(line)
        .map_err(|error| Wrong::NoEntry(format!("it is not an entry: {error}")))?;
    let (follows, own) =
        (entry.get("previous").and_then(Value::as_str), entry.get("number").and_then(Value::as_u64));
    in_place(follows, own, (previous, number))?;
    match entry.get("schema") {
        None => old(entry, number),
        Some(schema) if schema.as_u64() == Some(SCHEMA.into()) => Err(elsewhere("it was changed")),
        Some(schema) => Err(elsewhere(&format!("a newer golden wrote it (schema {schema})"))),
    }
}

fn in_place(follows: Option<&str>, own: Option<u64>, (previous, number): (&str, u64)) -> Result<(), Wrong> {
    if follows != Some(previous) {
        return Err(elsewhere("it does not follow the entry before it"));
    }
    if own != Some(number) {
        return Err(elsewhere("its number is not its place"));
    }
    Ok(())
}

fn new(line: &[u8], written: Written, is_verified: bool) -> Result<Line, Wrong> {
    let Written { schema, number, previous, at, by, event, verb, plan, plan_number, contract, .. } = written;
    let Written { steps, result, left, facts, digest, .. } = written;
    let entry = Entry { at, by, event, verb, plan, plan_number, contract, steps, result, left, facts };
    if is_verified {
        return Ok(Line { number, entry, digest });
    }
    // Only the spelling that golden writes counts: no key twice, none that the digest does not cover.
    let spelt = Spelt { schema, number, previous: &previous, entry: &entry, digest: &digest };
    if !is_spelt(line, &spelt) || digest != sha256(canonical::bytes(number, &previous, &entry)) {
        return Err(elsewhere("it was changed"));
    }
    Ok(Line { number, entry, digest })
}

/// Whether a line is what this golden would write. The two are compared as it is written: no second text is made.
fn is_spelt(line: &[u8], spelt: &Spelt<'_>) -> bool {
    struct Rest<'a>(&'a [u8]);
    impl std::io::Write for Rest<'_> {
        fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.strip_prefix(piece).ok_or(std::io::ErrorKind::InvalidData)?;
            Ok(piece.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut rest = Rest(line);
    serde_json::to_writer(&mut rest, spelt).is_ok() && rest.0.is_empty()
}

/// A line of golden 0.1: its digest is that of its JSON with sorted keys.
fn old(mut entry: Map<String, Value>, number: u64) -> Result<Line, Wrong> {
    let own = entry.remove("digest").and_then(|value| value.as_str().map(str::to_owned));
    let digest = sha256(sorted(&entry).as_bytes());
    if own.as_deref() != Some(digest.as_str()) {
        return Err(elsewhere("it was changed"));
    }
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |key: &str| {
        let members = entry.get(key).and_then(Value::as_array).into_iter().flatten();
        members.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let known = ["at", "by", "verb", "plan", "contract", "steps", "result", "left", "number", "previous"];
    let other = |(key, value): (&String, &Value)| {
        let value = value.as_str().map(str::to_owned)?;
        (!known.contains(&key.as_str())).then(|| (key.clone(), value))
    };
    let (verb, result) = (text("verb"), text("result"));
    let event = match (verb.as_str(), result.as_str()) {
        ("deploy", "done") => Event::Deployed,
        (_, "done") => Event::Applied,
        (_, "undone") => Event::Undone,
        (_, "interrupted, undone") => Event::InterruptedUndone,
        (_, result) if result.starts_with("failed at") => Event::FailedUndone,
        (_, result) => Event::from(result.to_owned()),
    };
    let entry = Entry {
        at: text("at"),
        by: By::Name(text("by")),
        event,
        verb,
        plan: text("plan"),
        plan_number: 0,
        contract: text("contract"),
        steps: list("steps"),
        result,
        left: list("left"),
        facts: entry.iter().filter_map(other).collect(),
    };
    Ok(Line { number, entry, digest })
}

/// The JSON of golden 0.1, whose keys are sorted because its map is.
fn sorted(entry: &Map<String, Value>) -> String {
    Value::Object(entry.clone()).to_string()
}

/// The line of an entry at this place, with its newline, and its digest.
pub fn line(number: u64, previous: &str, entry: &Entry) -> std::io::Result<(String, String)> {
    let digest = sha256(canonical::bytes(number, previous, entry));
    let spelt = Spelt { schema: SCHEMA, number, previous, entry, digest: &digest };
    let mut text = serde_json::to_string(&spelt).map_err(std::io::Error::other)?;
    text.push('\n');
    Ok((text, digest))
}

/// What the last line says its digest is, whether or not that is true: the best that an entry behind a broken chain can
/// follow.
pub(super) fn claimed_head(text: &[u8]) -> String {
    let line = text.rsplit(|byte| *byte == b'\n').find(|line| !line.is_empty()).unwrap_or(b"");
    let entry: Option<Map<String, Value>> = serde_json::from_slice(line).ok();
    let claimed = entry.and_then(|entry| entry.get("digest")?.as_str().map(str::to_owned));
    claimed.unwrap_or_else(|| sha256(line))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A line as golden 0.1 wrote it.
    pub(in crate::ledger) fn old_line(number: u64, previous: &str, verb: &str) -> (String, String) {
        let text = format!(
            r#"{{"at":"2026-11-01T00:00:00Z","by":"alice","contract":"c","from":"a1","left":[],"number":{number},"plan":"p{number}","previous":"{previous}","result":"done","steps":["one","two"],"verb":"{verb}"}}"#
        );
        let digest = sha256(text.as_bytes());
        (format!("{},\"digest\":\"{digest}\"}}\n", text.strip_suffix('}').unwrap()), digest)
    }

    pub(in crate::ledger) fn entry(verb: &str) -> Entry {
        Entry {
            at: "2026-11-02T00:00:00Z".to_owned(),
            by: By::Name("bob".to_owned()),
            event: Event::Applied,
            verb: verb.to_owned(),
            plan: "p".to_owned(),
            plan_number: 7,
            contract: "c".to_owned(),
            steps: vec!["one".to_owned()],
            result: "done".to_owned(),
            left: Vec::new(),
            facts: [("from".to_owned(), "a1".to_owned())].into(),
        }
    }

    /// Two lines of golden 0.1 and two of this one.
    fn mixed() -> String {
        let mut text = String::new();
        let mut head = FIRST.to_owned();
        for number in 1..=4 {
            let verb = format!("verb{number}");
            let (line, digest) = match number {
                1 | 2 => old_line(number, &head, &verb),
                _ => line(number, &head, &entry(&verb)).unwrap(),
            };
            text.push_str(&line);
            head = digest;
        }
        text
    }

    #[test]
    fn a_chain_may_begin_with_old_lines() {
        let chain = read(mixed().as_bytes());
        assert!(chain.is_whole(), "{:?}", chain.broken);
        assert_eq!(chain.lines.len(), 4);
        let first = &chain.lines[0].entry;
        assert_eq!(
            (first.steps.len(), &first.event, first.facts["from"].as_str()),
            (2, &Event::Applied, "a1")
        );
        assert_eq!(first.by.to_string(), "alice");
        assert_eq!(chain.lines[3].entry, entry("verb4"));
        assert_eq!(chain.last_plan(), 7);
        assert_eq!(chain.good, mixed().len());
    }

    #[test]
    fn what_was_done_to_the_ledger_is_found() {
        let text = mixed();
        let lines: Vec<&str> = text.lines().collect();
        let joined = |lines: &[&str]| lines.join("\n") + "\n";
        let spaced = lines[2].replacen("\":", "\": ", 1);
        let twice = lines[2].replacen("\"verb\":", "\"verb\":\"x\",\"verb\":", 1);
        let added = lines[2].replacen("\"verb\":", "\"extra\":\"x\",\"verb\":", 1);
        for (what, text, line) in [
            ("an old one changed", text.replace("verb2", "verb7"), 2),
            ("a new one changed", text.replace("verb3", "verb7"), 3),
            ("who was changed", text.replace("bob", "eve"), 3),
            ("removed", joined(&[lines[0], lines[2], lines[3]]), 2),
            ("moved", joined(&[lines[0], lines[1], lines[3], lines[2]]), 3),
            ("the first removed", joined(&lines[1..]), 1),
            ("twice", joined(&[lines[0], lines[0]]), 2),
            ("no entry", "{}\n".to_owned(), 1),
            ("something else", "hello\n".to_owned(), 1),
            ("an empty line", joined(&[lines[0], "", lines[1]]), 2),
            ("other spelling", joined(&[lines[0], lines[1], &spaced]), 3),
            ("a key twice", joined(&[lines[0], lines[1], &twice]), 3),
            ("a key added", joined(&[lines[0], lines[1], &added]), 3),
            ("a newer schema", text.replace("\"schema\":2", "\"schema\":3"), 3),
        ] {
            let chain = read(text.as_bytes());
            assert_eq!(chain.broken.map(|broken| broken.line), Some(line), "{what}");
            assert_eq!(chain.lines.len() as u64, line - 1, "{what}");
        }
    }

    #[test]
    fn a_last_line_that_was_cut_off_is_torn_wherever_it_was_cut() {
        let text = mixed();
        let third = text.lines().take(3).map(|line| line.len() + 1).sum::<usize>();
        for cut in third + 1..text.len() - 1 {
            let chain = read(&text.as_bytes()[..cut]);
            assert_eq!((chain.torn, chain.broken, chain.good), (Some(4), None, third), "cut at {cut}");
        }
        // Without its newline alone it is whole.
        assert!(read(&text.as_bytes()[..text.len() - 1]).is_whole());
        let zeros = [&text.as_bytes()[..third], &[0; 300]].concat();
        assert_eq!(read(&zeros).torn, Some(4));
        assert_eq!(read(b"{\"at\"").torn, Some(1));
        let empty = read(b"");
        assert!(!empty.is_whole() && empty.broken.is_none() && empty.torn.is_none());
    }

    /// Bytes that look like a ledger now and then.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            Just(mixed().into_bytes()),
            Just(b"\n".to_vec()),
            Just(b"{\"schema\":2,\"number\":1,\"previous\":\"".to_vec()),
            Just([FIRST.as_bytes(), b"\"}\n"].concat()),
            Just(b"[[[[[[{\"digest\":{}}".to_vec()),
        ];
        proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in bytes()) {
            let chain = read(&bytes);
            prop_assert!(chain.good <= bytes.len());
            prop_assert!(chain.lines.len() as u64 <= chain.count);
            claimed_head(&bytes);
        }

        #[test]
        fn what_is_written_is_read_back(entry in super::canonical::tests::entry()) {
            let (text, digest) = line(1, FIRST, &entry).unwrap();
            let chain = read(text.as_bytes());
            prop_assert!(chain.is_whole());
            prop_assert_eq!(&chain.lines[0].entry, &entry);
            prop_assert_eq!(chain.head(), digest.as_str());
        }

        #[test]
        fn a_flipped_bit_is_seen(at in 0_usize..10_000, bit in 0_u8..8) {
            let mut text = mixed().into_bytes();
            let at = at % text.len();
            text[at] ^= 1 << bit;
            let chain = read(&text);
            prop_assert!(!chain.is_whole() || chain.lines.len() < 4, "byte {at}, bit {bit}");
        }
    }
}
