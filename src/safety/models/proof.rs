//! Whether the ledger holds a verdict of the gate that counts for an artefact: one that root's golden computed, that is
//! fresh, and that speaks of this artefact and no other.

use crate::contract::Model;
use crate::ledger::models::{Registered, fact};
use crate::ledger::{By, Entry, Event, Line};

/// The result of one that passed.
const PASSED: &str = "passed";

/// The fact with the field of events and its value by which they were chosen.
const DIGEST: &str = "digest";

/// The fact with the time of the first event that was judged, in milliseconds since the epoch.
const SINCE: &str = "since";

/// Seconds by which an entry may seem to come from the future: both times are rounded.
const SLACK: i64 = 2;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The model.
    pub model: &'a Model,
    /// The artefact.
    pub registered: &'a Registered,
    /// When the service was started that runs now, in seconds since the epoch; `None` where it does not run.
    pub started: Option<i64>,
    /// Now, in seconds since the epoch.
    pub now: i64,
}

/// The number of the entry with the newest verdict on this artefact; why it does not count, where it does not.
pub fn verdict(lines: &[Line], asked: &Asked<'_>) -> Result<u64, String> {
    let Asked { model, registered, .. } = asked;
    let is_about_it = |line: &&Line| {
        let artefact = line.entry.facts.get(fact::ARTEFACT).map_or("", String::as_str);
        line.number > registered.entry
            && line.entry.event == Event::Gated
            && line.entry.facts.get(fact::MODEL).map(String::as_str) == Some(&*model.name)
            && (artefact.is_empty() || artefact == registered.artefact.digest)
    };
    let Some(line) = lines.iter().rev().find(is_about_it) else {
        return Err(format!(
            "the ledger holds no verdict of the gate on this artefact since it was registered (entry {})",
            registered.entry
        ));
    };
    let (number, entry) = (line.number, &line.entry);
    if !matches!(&entry.by, By::Who(who) if who.euid == 0) {
        return Err(format!("the verdict in entry {number} is not root's"));
    }
    if entry.result != PASSED {
        return Err(format!("the gate did not pass it in entry {number}: {}", entry.result));
    }
    fresh(number, entry, asked)?;
    match says_its_artefact(entry, asked) {
        true => Ok(number),
        false => of_this_start(number, entry, asked).map(|()| number),
    }
}

/// Only events whose own field names the artefact were judged.
fn says_its_artefact(entry: &Entry, asked: &Asked<'_>) -> bool {
    let digest = &asked.registered.artefact.digest;
    let field = asked.model.digest_field.as_ref().map(|field| format!("{}={digest}", field.value));
    let says = |name: &str, value: &str| entry.facts.get(name).is_some_and(|fact| fact == value);
    says(fact::ARTEFACT, digest) && field.is_some_and(|field| says(DIGEST, &field))
}

/// It is not older than the contract allows.
fn fresh(number: u64, entry: &Entry, asked: &Asked<'_>) -> Result<(), String> {
    let at = entry.at.parse::<jiff::Timestamp>();
    let at = at.map_err(|_| format!("entry {number} has no time: {:?}", entry.at))?.as_second();
    let (age, most) = (asked.now - at, asked.model.gate_within.value);
    if age < -SLACK {
        return Err(format!("the verdict in entry {number} comes from the future: a clock was set back"));
    }
    match u64::try_from(age).is_ok_and(|age| age > most) {
        true => Err(format!(
            "the verdict in entry {number} is {age} s old, and the contract allows {most} s ({})",
            asked.model.gate_within.at
        )),
        false => Ok(()),
    }
}

/// All that it judged happened since the service was started with this artefact.
fn of_this_start(number: u64, entry: &Entry, asked: &Asked<'_>) -> Result<(), String> {
    let service = &asked.model.service.value;
    let Some(started) = asked.started else {
        return Err(format!("{service} does not run, so nothing proves what its events came from"));
    };
    let registered = asked.registered.at.parse::<jiff::Timestamp>().map_or(i64::MAX, |at| at.as_second());
    if started < registered {
        return Err(format!(
            "{service} runs since before the artefact was registered, so its events may be another one's; \
             restart it, and let the gate judge what comes then"
        ));
    }
    let since = entry.facts.get(SINCE).and_then(|text| text.split('-').next()?.parse::<i64>().ok());
    match since.is_some_and(|since| since / 1000 >= started) {
        true => Ok(()),
        false => Err(format!(
            "the verdict in entry {number} judges events from before {service} was started with this artefact"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Contract;
    use crate::ledger::Who;
    use crate::ledger::models::{Artefact, tests::line};

    const REGISTERED: i64 = 1_795_946_400;

    fn time(seconds: i64) -> String {
        jiff::Timestamp::from_second(seconds).unwrap().to_string()
    }

    fn gated(artefact: &str, result: &str, at: i64, since: i64) -> Line {
        let facts = [
            (fact::MODEL, "patchtst"),
            (fact::ARTEFACT, artefact),
            ("at", &time(at)),
            (SINCE, &format!("{since}000")),
            (DIGEST, &format!("patchtst_digest={artefact}")),
        ];
        let mut line = line(7, Event::Gated, 0, &facts);
        line.entry.result = result.to_owned();
        line.entry.by = By::Who(Who::default());
        line
    }

    fn judged(line: Line, started: Option<i64>, now: i64) -> Result<u64, String> {
        let contract = Contract::built_in();
        let model = contract.model("patchtst").unwrap();
        let artefact = Artefact { digest: "A".into(), version: "1".into() };
        let registered = Registered { artefact, path: String::new(), at: time(REGISTERED), entry: 3 };
        verdict(&[line], &Asked { model, registered: &registered, started, now })
    }

    #[test]
    fn a_verdict_counts_for_its_artefact_while_it_is_fresh() {
        let (after, now) = (REGISTERED + 100, REGISTERED + 200);
        assert_eq!(judged(gated("A", "passed", after, 0), None, now), Ok(7));
        assert!(judged(gated("B", "passed", after, 0), None, now).unwrap_err().contains("no verdict"));
        assert!(judged(gated("A", "blocked: bias", after, 0), None, now).unwrap_err().contains("bias"));
        assert!(
            judged(gated("A", "passed", after, 0), None, after + 3601).unwrap_err().contains("3601 s old")
        );
        assert!(judged(gated("A", "passed", now + 60, 0), None, now).unwrap_err().contains("future"));
    }

    #[test]
    fn without_a_digest_only_events_of_this_start_count() {
        let (started, now) = (REGISTERED + 10, REGISTERED + 200);
        let of = |since| gated("", "passed", REGISTERED + 100, since);
        assert_eq!(judged(of(started), Some(started), now), Ok(7));
        assert!(judged(of(started - 60), Some(started), now).unwrap_err().contains("from before"));
        assert!(judged(of(started), Some(REGISTERED - 60), now).unwrap_err().contains("restart it"));
        assert!(judged(of(started), None, now).unwrap_err().contains("does not run"));
        // It was restarted since: the events that were judged are of the start before.
        assert!(judged(of(started), Some(started + 90), now).is_err());
    }

    #[test]
    fn only_roots_verdict_after_the_registration_counts() {
        let mut early = gated("A", "passed", REGISTERED + 100, 0);
        early.number = 2;
        assert!(judged(early, None, REGISTERED + 200).is_err());
        let mut forged = gated("A", "passed", REGISTERED + 100, 0);
        forged.entry.by = By::Who(Who { euid: 1000, ..Who::default() });
        assert!(judged(forged, None, REGISTERED + 200).unwrap_err().contains("root's"));
        let mut named = gated("A", "passed", REGISTERED + 100, 0);
        named.entry.by = By::Name("root".into());
        assert!(judged(named, None, REGISTERED + 200).is_err());
    }
}
