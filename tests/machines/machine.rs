//! A really booted machine: the example is compliant there, every break of the catalogue is caught with its
//! rule, subject and place, every rewrite with the same meaning is not, and the printed mend commands mend. By default one
//! break of each rule is tried; `GOLDEN_CATALOGUE=all` tries all, `GOLDEN_CATALOGUE=words` breaks and rewrites whose names
//! hold the words.

pub mod catalogue;
pub mod demo;
use crate::support::machine;

use std::collections::BTreeSet;

use crate::support::sample::one_of_each;
use catalogue::{Break, Rewrite};
use demo::{Demo, Judged};

/// A service whose process is older than what was edited says so; that follows from every edit that nobody
/// takes up by a restart, and is what a break expects only where it is the point (`strict`).
const STALE: &[&str] = &["process-older-than-unit"];

/// Rules about what runs, as their ids begin.
const OF_RUNNING: &[&str] = &["process-", "service-not-answering"];

/// The host that is changed and put back, and the report on it, which is compliant.
fn compliant() -> (Demo, Judged) {
    let demo = Demo::boot();
    let baseline = demo.audit();
    assert_eq!(baseline.code, 0, "{}", demo.human());
    assert_eq!(baseline.undecided(), Vec::<String>::new());
    (demo, baseline)
}

/// What GOLDEN_CATALOGUE asks for: `all`, words that names hold, or nothing.
fn asked() -> String {
    std::env::var("GOLDEN_CATALOGUE").unwrap_or_default()
}

#[test]
fn every_break_is_caught_and_mended() {
    if machine::skipped() {
        return;
    }
    let asked = asked();
    let all = catalogue::breaks();
    assert!(all.len() >= 100);
    let expected: BTreeSet<String> = all.iter().map(|entry| entry.rule.clone()).collect();
    let rules = golden::rules::RULES.iter().map(|rule| rule.info.id.to_owned());
    catalogue::compare("broken-elsewhere.txt", &rules.filter(|rule| !expected.contains(rule)).collect());
    let breaks: Vec<Break> = match asked.as_str() {
        "all" => all,
        // What an undecided rule could not decide is that rule's kind.
        "" => one_of_each(all, |entry| match entry.rule.as_str() {
            "undecided" => format!("undecided {}", entry.subject),
            rule => rule.to_owned(),
        }),
        words => all.into_iter().filter(|entry| entry.name.contains(words)).collect(),
    };
    if breaks.is_empty() {
        assert!(
            catalogue::rewrites().iter().any(|rewrite| rewrite.name.contains(&asked)),
            "none is called so"
        );
        return;
    }
    let (demo, baseline) = compliant();
    baseline.assert_not_applicable_are_listed();
    demo.assert_data_flows();
    let (mut score, mut wrong) = (Score::default(), Vec::new());
    for entry in &breaks {
        let known = wrong.len();
        score.judge(&demo, &baseline, entry, &mut wrong);
        println!("break: {} {}", entry.section, entry.name);
        wrong[known..].iter().for_each(|why| println!("       WRONG {why}"));
    }
    println!(
        "mutations: caught {}/{}, mends: {} worked, {} rules leave it to a person",
        score.caught,
        breaks.len(),
        score.mended,
        score.for_a_person.len()
    );
    assert_eq!(demo.audit().failures(), baseline.failures(), "the machine was not put back");
    assert!(wrong.is_empty(), "{} wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
    match asked.as_str() {
        "all" => catalogue::compare("for-a-person.txt", &score.for_a_person),
        _ => catalogue::compare_part("for-a-person.txt", &score.for_a_person),
    }
}

#[test]
fn no_rewrite_is_noticed() {
    if machine::skipped() {
        return;
    }
    let asked = asked();
    let mut rewrites = catalogue::rewrites();
    let moved = rewrites.iter().filter(|rewrite| rewrite.moves).count();
    assert!(rewrites.len() >= 40 && moved >= 25);
    if asked != "all" {
        rewrites.retain(|rewrite| rewrite.name.contains(&asked));
    }
    if rewrites.is_empty() {
        assert!(catalogue::breaks().iter().any(|entry| entry.name.contains(&asked)), "none is called so");
        return;
    }
    let (demo, baseline) = compliant();
    let mut wrong = Vec::new();
    let silent = rewrites.iter().filter(|rewrite| is_silent(&demo, &baseline, rewrite, &mut wrong)).count();
    println!("rewrites: silent {silent}/{} ({moved} of all move a value)", rewrites.len());
    assert_eq!(demo.audit().failures(), baseline.failures(), "the machine was not put back");
    assert!(wrong.is_empty(), "{} wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
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
    let follows = |result: &String| {
        result.contains(&own) || died && OF_RUNNING.iter().any(|rule| result.starts_with(rule))
    };
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
