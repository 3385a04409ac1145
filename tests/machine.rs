//! A really booted machine: the example is compliant there, every break of the catalogue is caught with its
//! rule, subject and place, every rewrite with the same meaning is not, and the printed mend commands mend.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test fails by panicking, and looks at the world itself"
)]

#[path = "machine/catalogue.rs"]
mod catalogue;
#[path = "machine/demo.rs"]
mod demo;
#[path = "support/example.rs"]
mod example;
#[path = "support/machine.rs"]
mod machine;

use std::collections::BTreeSet;

use catalogue::{Break, Rewrite};
use demo::{Demo, Judged};

/// A service whose process is older than what was edited says so; that follows from every edit that nobody
/// takes up by a restart, and is what a break expects only where it is the point (`strict`).
const STALE: &[&str] = &["process-older-than-unit"];

#[test]
fn the_audit_on_a_booted_machine() {
    if let Err(why) = machine::machines_available() {
        println!("skipped: {why}");
        return;
    }
    let demo = Demo::boot();
    let baseline = demo.audit();
    assert_eq!(baseline.code, 0, "{}", demo.human());
    assert_eq!(baseline.undecided(), Vec::<String>::new());
    baseline.assert_not_applicable_are_listed();
    demo.assert_data_flows();

    let mut wrong = Vec::new();
    // GOLDEN_CATALOGUE=words runs the entries whose names hold them, for whoever writes new ones.
    let chosen = std::env::var("GOLDEN_CATALOGUE").unwrap_or_default();
    let mut breaks = catalogue::breaks();
    breaks.retain(|entry| entry.name.contains(&chosen));
    let mut score = Score::default();
    for entry in &breaks {
        let known = wrong.len();
        score.judge(&demo, &baseline, entry, &mut wrong);
        println!("break: {} {}", entry.section, entry.name);
        wrong[known..].iter().for_each(|why| println!("       WRONG {why}"));
    }
    let mut rewrites = catalogue::rewrites();
    rewrites.retain(|rewrite| rewrite.name.contains(&chosen));
    let silent = rewrites.iter().filter(|rewrite| is_silent(&demo, &baseline, rewrite, &mut wrong)).count();
    let moved = rewrites.iter().filter(|rewrite| rewrite.moves).count();

    println!(
        "mutations: caught {}/{}, rewrites: silent {silent}/{} ({moved} move a value), mends: {} worked, {} rules leave it to a person",
        score.caught,
        breaks.len(),
        rewrites.len(),
        score.mended,
        score.for_a_person.len()
    );
    let after = demo.audit();
    assert_eq!(after.failures(), baseline.failures(), "the machine was not put back");
    if !chosen.is_empty() {
        assert!(wrong.is_empty(), "{} wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
        return;
    }
    assert!(breaks.len() >= 100 && rewrites.len() >= 40 && moved >= 25);
    assert!(wrong.is_empty(), "{} wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
    catalogue::compare("for-a-person.txt", &score.for_a_person);
    let expected: BTreeSet<String> = breaks.iter().map(|entry| entry.rule.clone()).collect();
    let rules = golden::rules::RULES.iter().map(|rule| rule.info.id.to_owned());
    catalogue::compare("broken-elsewhere.txt", &rules.filter(|rule| !expected.contains(rule)).collect());
}

#[derive(Default)]
struct Score {
    caught: usize,
    mended: usize,
    /// Rules that left a break to a person.
    for_a_person: BTreeSet<String>,
}

impl Score {
    fn judge(&mut self, demo: &Demo, baseline: &Judged, entry: &Break, wrong: &mut Vec<String>) {
        demo.ensure_running();
        let snapshot = demo.snapshot(&entry.paths(), !entry.touched.is_empty());
        demo.change(&entry.shell, !entry.no_reload);
        let judged = demo.audit();
        let complaint = complaint(baseline, &judged, entry);
        match &complaint {
            None => self.caught += 1,
            Some(why) => wrong.push(format!("{} {}: {why}", entry.section, entry.name)),
        }
        let mut ran = entry.shell.clone();
        if complaint.is_none() && entry.rule != "undecided" {
            let finding = judged.finding(&entry.rule, &entry.subject, &entry.place);
            let remedy = &finding.remedy;
            if demo::remedy::is_a_persons(remedy) {
                self.for_a_person.insert(entry.rule.clone());
            } else {
                ran.push_str(remedy);
                let before_mend = demo.snapshot(&catalogue::paths_in(remedy), false);
                let left = || left_behind(baseline, &demo.audit(), entry).or_else(|| demo.plans_something());
                match demo.mend(&finding).or_else(left) {
                    None => self.mended += 1,
                    Some(why) => wrong
                        .push(format!("{} {}: {remedy:?} did not mend it: {why}", entry.section, entry.name)),
                }
                demo.restore(&before_mend, None);
            }
        }
        demo.restore(&snapshot, entry.undo.as_deref());
        demo.settle(&ran);
    }
}

/// Why a break does not count as caught.
fn complaint(baseline: &Judged, judged: &Judged, entry: &Break) -> Option<String> {
    let new = new_failures(baseline, judged);
    let expected = |rule: &str, subject: &str, place: &str| {
        rule == entry.rule && (entry.subject == "any" || subject == entry.subject) && place == entry.place
    };
    if entry.rule == "undecided" {
        // The rule stands where others name a subject, and the subject where they name a place.
        let said = judged.undecided();
        let is_it = |said: &String| said.starts_with(&format!("{} {}: ", entry.subject, entry.place));
        return (!said.iter().any(is_it) || judged.code != 2)
            .then(|| format!("exit {}, undecided: {said:#?}", judged.code));
    }
    if !new.iter().any(|(rule, subject, place)| expected(rule, subject, place)) {
        return Some(format!("{} {} {} was not said; new: {new:#?}", entry.rule, entry.subject, entry.place));
    }
    if judged.code != 1 && !judged.is_should(&entry.rule) {
        return Some(format!("exit {}", judged.code));
    }
    let allowed = |rule: &str| {
        rule == entry.rule
            || entry.also.iter().any(|also| also == rule)
            || (!entry.strict && STALE.contains(&rule))
    };
    let unrelated: Vec<_> = new.iter().filter(|(rule, ..)| !allowed(rule)).collect();
    if !unrelated.is_empty() {
        return Some(format!("said beside it: {unrelated:#?}"));
    }
    let undecided = judged.undecided();
    if !undecided.is_empty() && !allowed("undecided") {
        return Some(format!("undecided beside it: {undecided:#?}"));
    }
    let silenced = silenced_elsewhere(baseline, judged, entry);
    (!entry.hides && !silenced.is_empty()).then(|| format!("no longer judged: {silenced:#?}"))
}

/// What was judged before and is not any more: a break must not silence rules that have nothing to do with it.
fn silenced(baseline: &Judged, judged: &Judged) -> Vec<String> {
    let now = judged.judged();
    baseline.judged().into_iter().filter(|result| !now.contains(result)).collect()
}

/// The same, of other subjects than the break's own: a unit that does not load leaves much of its service open.
fn silenced_elsewhere(baseline: &Judged, judged: &Judged, entry: &Break) -> Vec<String> {
    let own = format!(" {} ", entry.subject);
    // Of what died of the break no process can be judged.
    let died = entry.also.iter().any(|also| also == "unit-not-active");
    let follows = |result: &String| result.contains(&own) || died && result.starts_with("process-");
    silenced(baseline, judged).into_iter().filter(|result| !follows(result)).collect()
}

/// What a mend leaves behind that is neither the break's nature nor an old process.
fn left_behind(baseline: &Judged, mended: &Judged, entry: &Break) -> Option<String> {
    let mut new = new_failures(baseline, mended);
    // What died of the break is started by whoever mends it.
    let died = |rule: &str| rule == "unit-not-active" || STALE.contains(&rule);
    new.retain(|(rule, ..)| *rule != entry.rule && !entry.also.contains(rule) && !died(rule));
    (!new.is_empty()).then(|| format!("it left behind: {new:#?}"))
}

/// What fails now and did not before; a finding that only moved with its line is the same finding.
fn new_failures(baseline: &Judged, judged: &Judged) -> Vec<demo::Failure> {
    let before = baseline.failures();
    let mut new = judged.failures();
    new.retain(|(rule, subject, _)| !before.iter().any(|(was, of, _)| was == rule && of == subject));
    new
}

fn is_silent(demo: &Demo, baseline: &Judged, rewrite: &Rewrite, wrong: &mut Vec<String>) -> bool {
    demo.ensure_running();
    let snapshot = demo.snapshot(&rewrite.paths(), false);
    demo.change(&rewrite.shell, true);
    let judged = demo.audit();
    let mut new = new_failures(baseline, &judged);
    new.retain(|(rule, ..)| !STALE.contains(&rule.as_str()));
    demo.restore(&snapshot, None);
    demo.settle(&rewrite.shell);
    let silenced = silenced(baseline, &judged);
    let silent = new.is_empty() && judged.undecided().is_empty() && silenced.is_empty();
    if !silent {
        let undecided = judged.undecided();
        wrong.push(format!(
            "false alarm, {}: {new:#?} {undecided:#?}, no longer judged: {silenced:#?}",
            rewrite.name
        ));
    }
    silent
}
