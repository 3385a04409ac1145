//! golden's own record: the beginnings of the journals of its plans, and its ledger.

use std::sync::Arc;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{Pad, Worker};
use crate::facts::state::{
    AnchorFacts, LEDGER, LedgerDefect, LedgerFacts, OpenPlan, PLANS, SENT, STATE, Stands, StateFacts,
};
use crate::ledger::{self, Chain, anchor};
use crate::model::change::RENDERED;
use crate::model::{NodeKind, Observed, Step};
use crate::system::state::{self, Runner};
use crate::systemd::search::OWN_DIRECTORY;

/// A journal says how its plan stands before it lists the steps, so its beginning is enough.
const BEGINNING: u64 = 64 << 10;

/// What golden renders says so in its first lines.
const HEAD_OF_UNIT: u64 = 1 << 10;

/// More plans than any host carries out.
const MOST_PLANS: usize = 100_000;

/// Looks at both.
pub(super) fn gather(worker: &Worker<'_>, pad: &mut Pad) -> StateFacts {
    pad.look(worker, STATE);
    let (ledger, anchor, sent) = ledger_facts(worker);
    StateFacts { open_plans: open_plans(worker), ledger, anchor, sent, units: units(worker) }
}

/// Unit files that golden has rendered from this contract. Their first lines say so.
fn units(worker: &Worker<'_>) -> Observed<Vec<Arc<str>>> {
    let name = &worker.ground.contract.name.value;
    let mark = format!("{RENDERED} from the contract {name} ");
    let names = worker.list(&worker.walker.lookup(OWN_DIRECTORY));
    names.and_then(|names| {
        let mut found = Vec::new();
        let is_unit = |name: &&String| name.ends_with(".service") || name.ends_with(".timer");
        for name in names.iter().filter(is_unit) {
            let path = format!("{OWN_DIRECTORY}/{name}");
            match worker.beginning(&worker.walker.lookup_no_follow(&path), HEAD_OF_UNIT) {
                Observed::Found(text) => {
                    if String::from_utf8_lossy(&text).contains(&mark) {
                        found.push(name.as_str().into());
                    }
                }
                // A link is somebody else's unit, and so is a file that others may not read: golden's own are for all to read.
                Observed::Absent | Observed::Unreadable(_) => {}
            }
        }
        Observed::Found(found)
    })
}

fn open_plans(worker: &Worker<'_>) -> Observed<Vec<OpenPlan>> {
    let lookup = worker.walker.lookup(PLANS);
    let names = match (&lookup.end, lookup.real()) {
        (crate::model::End::Found, Some(real)) => worker.ground.system.list(real),
        (crate::model::End::Unreadable(at, why), _) => Observed::Unreadable(format!("{at}: {why}")),
        _ => Observed::Absent,
    };
    names.and_then(|names| {
        if names.len() > MOST_PLANS {
            return Observed::Unreadable(format!("{PLANS} holds more than {MOST_PLANS} plans"));
        }
        let mut open = Vec::new();
        for id in names {
            let path = format!("{PLANS}/{id}/journal.json");
            match worker.beginning(&worker.walker.lookup(&path), BEGINNING) {
                Observed::Found(text) => open.extend(stands(worker, id, &text)),
                // Killed before anything was begun.
                Observed::Absent => {}
                Observed::Unreadable(why) => return Observed::Unreadable(format!("{path}: {why}")),
            }
        }
        Observed::Found(open)
    })
}

/// How a plan stands by the beginning of its journal; `None` where it has ended.
fn stands(worker: &Worker<'_>, id: String, text: &[u8]) -> Option<OpenPlan> {
    let mut head = Head::default();
    // It ends where the steps begin, or where the text does.
    let read = serde_json::Deserializer::from_slice(text).deserialize_map(&mut head);
    let Head { verb, progress, runner } = head;
    let stands = match progress.as_deref() {
        Some("done" | "undone") => return None,
        Some("begun") if runner.is_some_and(|runner| lives(worker, &runner)) => Stands::Running,
        Some("begun") => Stands::Interrupted,
        Some(other) => Stands::Unknown(format!("its journal says {other:?}")),
        None => Stands::Unknown(read.err().map_or_else(
            || "its journal does not say how far it is".to_owned(),
            |error| format!("its journal cannot be read: {error}"),
        )),
    };
    Some(OpenPlan { id, verb: verb.unwrap_or_default(), stands })
}

/// Whether the process that carries a plan out runs on this host. On a disk alone nothing runs.
fn lives(worker: &Worker<'_>, runner: &Runner) -> bool {
    let system = worker.ground.system;
    if system.ask().is_none() {
        return false;
    }
    let read = |path: &str| match system.read(path, BEGINNING) {
        Observed::Found(bytes) => bytes,
        _ => Vec::new(),
    };
    let boot = read(state::BOOT);
    state::started(&read(&format!("/proc/{}/stat", runner.pid))) == Some(runner.started)
        && boot.trim_ascii() == runner.boot.as_bytes()
}

/// What a journal says before its steps.
#[derive(Default)]
struct Head {
    verb: Option<String>,
    progress: Option<String>,
    runner: Option<Runner>,
}

impl<'de> Visitor<'de> for &mut Head {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a journal")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "verb" => self.verb = Some(map.next_value()?),
                "progress" => self.progress = Some(map.next_value()?),
                "runner" => self.runner = Some(map.next_value()?),
                "steps" => return Err(serde::de::Error::custom("the steps come too early")),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The ledger, its heads in the file of the contract, and the last one that was taken outside.
fn ledger_facts(
    worker: &Worker<'_>,
) -> (Observed<LedgerFacts>, Observed<AnchorFacts>, Observed<AnchorFacts>) {
    let bytes = worker.read_up_to(&worker.walker.lookup(LEDGER), ledger::MOST + 1);
    let bytes = bytes.and_then(|bytes| match bytes.len() as u64 > ledger::MOST {
        true => Observed::Unreadable(format!("{LEDGER} holds more than {} MiB", ledger::MOST >> 20)),
        false => Observed::Found(bytes),
    });
    let chain = bytes.as_ref().map(|bytes| ledger::read(bytes));
    let facts = bytes.as_ref().and_then(|bytes| chain.as_ref().map(|chain| weighed(bytes, chain)));
    let contract = worker.ground.contract;
    let file = contract.anchor.as_ref().map(|path| path.value.as_str());
    let sent = contract.outside.as_ref().map(|_| SENT);
    let of = |path: Option<&str>| path.map_or(Observed::Absent, |path| anchor(worker, path, &chain));
    (facts, of(file), of(sent))
}

fn weighed(bytes: &[u8], chain: &Chain) -> LedgerFacts {
    let torn = chain.torn.is_some();
    match ledger::damage(bytes, chain) {
        None => LedgerFacts { entries: chain.lines.len() as u64, defect: None },
        Some(found) => LedgerFacts {
            entries: found.good,
            defect: Some(LedgerDefect { line: found.line, why: found.why, torn }),
        },
    }
}

/// What the heads that were left in a file say of the ledger; of one that does not hold they say nothing more.
fn anchor(worker: &Worker<'_>, path: &str, chain: &Observed<Chain>) -> Observed<AnchorFacts> {
    let empty = Chain::default();
    let chain = match chain {
        Observed::Found(chain) if chain.is_whole() => chain,
        Observed::Found(_) => return Observed::Absent,
        Observed::Absent => &empty,
        Observed::Unreadable(why) => return Observed::Unreadable(format!("the ledger: {why}")),
    };
    let lookup = worker.walker.lookup(path);
    let replaced = lookup.steps.iter().find(|step| may_be_replaced(step));
    let text = match worker.read_up_to(&lookup, anchor::LARGEST) {
        Observed::Found(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Observed::Absent => String::new(),
        Observed::Unreadable(why) => return Observed::Unreadable(format!("{path}: {why}")),
    };
    let left = anchor::anchors(&text);
    Observed::Found(AnchorFacts {
        entries: chain.lines.len() as u64,
        left: left.last().map_or(0, |anchor| anchor.number),
        defect: anchor::weigh(chain, &left).err(),
        replaced: replaced.map(|step| step.path.to_string()),
    })
}

/// Whether somebody beside root can write a file, or exchange what lies in a directory.
fn may_be_replaced(step: &Step) -> bool {
    const STICKY: u32 = 0o1000;
    let Step { meta, target, .. } = step;
    let is_open = meta.mode & 0o022 != 0 && target.is_none();
    meta.uid != 0 || is_open && !(meta.kind == NodeKind::Directory && meta.mode & STICKY != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        let mut head = Head::default();
        let _ = serde_json::Deserializer::from_slice(text.as_bytes()).deserialize_map(&mut head);
        head
    }

    #[test]
    fn the_beginning_of_a_journal_is_enough() {
        let text = r#"{"schema":"x","id":"a","verb":"fix","extra":[1,{"progress":"done"}],"runner":{"pid":7,"started":9,"boot":"b"},"progress":"begun","steps":[{"progress":"done"#;
        let read = head(text);
        assert_eq!((read.verb.as_deref(), read.progress.as_deref()), (Some("fix"), Some("begun")));
        assert_eq!(read.runner, Some(Runner { pid: 7, started: 9, boot: "b".to_owned() }));
        // What comes behind the steps is not looked for, and steps are no progress of the plan.
        assert_eq!(head(r#"{"steps":[{"progress":"done"}],"progress":"done"}"#).progress, None);
        for text in ["", "{", "[]", "null", r#"{"progress":7}"#, "\u{0}\u{0}"] {
            assert_eq!(head(text).progress, None, "{text:?}");
        }
    }
}
