//! What the ledger says of the models. Entries in the order of the ledger count, whatever the clock said.
//!
//! The state of a model is a fold over the ledger: no file says which artefact is live, so none can be wrong. Steps
//! form a stack; a rollback cuts it, and an undone plan never happened. Rules compare files, links and backups with it.
//! *Live at a time* is the same fold over fewer entries.

use std::collections::BTreeSet;

use super::{Event, Line};

/// How far an artefact has come. One that golden does not know is a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is registered, and runs beside the others without being obeyed.
    Shadow,
    /// It is obeyed, on probation.
    Canary,
    /// It is obeyed.
    Active,
    /// It was obeyed, and is kept.
    Archived,
}

impl State {
    /// As it is printed.
    pub fn word(self) -> &'static str {
        match self {
            State::Shadow => "shadow",
            State::Canary => "canary",
            State::Active => "active",
            State::Archived => "archived",
        }
    }
}

/// An artefact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Artefact {
    /// sha256 in hex of its bytes.
    pub digest: String,
    /// Its version, as it was registered.
    pub version: String,
}

/// An artefact that was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// What was registered.
    pub artefact: Artefact,
    /// Where it lay.
    pub path: String,
    /// When, as the entry says it.
    pub at: String,
    /// The number of the entry.
    pub entry: u64,
}

/// A variable that a step has changed: its texts in the env file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The variable.
    pub name: String,
    /// The text before; `None` where it was not set.
    pub was: Option<String>,
    /// The text since.
    pub now: Option<String>,
}

/// A canary or a promotion that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// [`State::Canary`] or [`State::Active`].
    pub state: State,
    /// What became it.
    pub artefact: Artefact,
    /// The number of the entry.
    pub entry: u64,
    /// The id of its plan.
    pub plan: String,
    /// When, as the entry says it.
    pub at: String,
    /// Who did it, in words.
    pub by: String,
    /// The digest of what lay in the active place before, where a promotion put something else there.
    pub replaced: Option<String>,
    /// The env file that was changed.
    pub file: String,
    /// What was changed in it.
    pub changes: Vec<Change>,
}

/// Everything that the ledger knows of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// What was registered, oldest first.
    pub registered: Vec<Registered>,
    /// The steps that count now, each on the one before it.
    pub steps: Vec<Step>,
    /// Where bytes were kept, by their digest; newest first.
    pub kept: Vec<(String, String)>,
}

/// The names of facts in entries of the ledger.
pub mod fact {
    /// The model.
    pub const MODEL: &str = "model";
    /// The digest of the artefact.
    pub const ARTEFACT: &str = "artefact";
    /// Its version.
    pub const VERSION: &str = "version";
    /// Where it lay.
    pub const PATH: &str = "path";
    /// The env file.
    pub const FILE: &str = "file";
    /// What the name of a fact begins with that says where an artefact is kept; its digest follows.
    pub const KEPT: &str = "kept.";
    /// The digest of what lay in the active place before a promotion, where something did.
    pub const REPLACED: &str = "replaced";
    /// The entry with the step that is the newest again; 0 where none is.
    pub const TO: &str = "to";
    /// What the name of a fact with the text before begins with.
    pub const WAS: &str = "was.";
    /// What the name of a fact with the text since begins with.
    pub const NOW: &str = "now.";
}

impl Lifecycle {
    /// What these entries say of a model.
    pub fn of(lines: &[Line], model: &str) -> Self {
        let undone = undone(lines);
        let mut all = Self::default();
        for line in lines {
            let entry = &line.entry;
            let is_undone = entry.plan_number != 0 && undone.contains(&entry.plan_number);
            if entry.facts.get(fact::MODEL).map(String::as_str) != Some(model) || is_undone {
                continue;
            }
            match entry.event {
                Event::Shadowed => all.registered.push(registered(line)),
                Event::Canaried => all.steps.push(step(line, State::Canary)),
                Event::Promoted => all.steps.push(step(line, State::Active)),
                Event::RolledBack => {
                    let to = text(line, fact::TO).parse::<u64>().unwrap_or(0);
                    all.steps.retain(|step| step.entry <= to);
                }
                _ => continue,
            }
            for (name, path) in &entry.facts {
                let digest = name.strip_prefix(fact::KEPT);
                all.kept.splice(0..0, digest.map(|digest| (digest.to_owned(), path.clone())));
            }
        }
        all
    }

    /// The artefact that is on probation.
    pub fn canary(&self) -> Option<&Step> {
        self.steps.last().filter(|step| step.state == State::Canary)
    }

    /// The artefact that was promoted last.
    pub fn active(&self) -> Option<&Step> {
        self.steps.iter().rev().find(|step| step.state == State::Active)
    }

    /// The step that made the one live that is obeyed now.
    pub fn live(&self) -> Option<&Step> {
        self.steps.last()
    }

    /// The newest artefact that was registered, unless it has come further since.
    pub fn shadow(&self) -> Option<&Registered> {
        let newest = self.registered.last()?;
        let is_live =
            |step: &Step| step.artefact.digest == newest.artefact.digest && step.entry > newest.entry;
        (!self.steps.iter().any(is_live)).then_some(newest)
    }

    /// How many steps are left when the live artefact is taken back: all steps of the one before it.
    pub fn before_live(&self) -> usize {
        let Some(live) = self.live() else { return 0 };
        let same = self.steps.iter().rev().take_while(|step| step.artefact == live.artefact).count();
        self.steps.len() - same
    }

    /// The same with only the first steps.
    #[must_use]
    pub fn back_to(&self, steps: usize) -> Self {
        let steps = self.steps.iter().take(steps).cloned().collect();
        Self { steps, ..self.clone() }
    }

    /// Every artefact with its state; the one that came furthest first.
    pub fn artefacts(&self) -> Vec<(Artefact, State)> {
        let mut all: Vec<(Artefact, State)> = Vec::new();
        let mut add = |artefact: &Artefact, state| {
            if !all.iter().any(|(known, _)| known.digest == artefact.digest) {
                all.push((artefact.clone(), state));
            }
        };
        self.active().iter().for_each(|step| add(&step.artefact, State::Active));
        self.canary().iter().for_each(|step| add(&step.artefact, State::Canary));
        self.shadow().iter().for_each(|shadow| add(&shadow.artefact, State::Shadow));
        let was_live = |digest: &str| {
            self.steps.iter().any(|step| step.artefact.digest == digest)
                || self.kept.iter().any(|(kept, _)| kept == digest)
        };
        for one in self.registered.iter().rev() {
            let state = if was_live(&one.artefact.digest) { State::Archived } else { State::Shadow };
            add(&one.artefact, state);
        }
        all
    }

    /// The version of an artefact that was registered.
    pub fn version_of(&self, digest: &str) -> Option<&str> {
        let known = self.registered.iter().rev().find(|one| one.artefact.digest == digest);
        known.map(|one| one.artefact.version.as_str())
    }
}

/// The names of all models of which the ledger knows.
pub fn models(lines: &[Line]) -> BTreeSet<String> {
    let of = |line: &Line| match line.entry.event {
        Event::Shadowed | Event::Canaried | Event::Promoted | Event::RolledBack => {
            line.entry.facts.get(fact::MODEL).cloned()
        }
        _ => None,
    };
    lines.iter().filter_map(of).collect()
}

/// A stretch of time in which nothing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The entry with which it begins; `None` for the time before the first.
    pub entry: Option<u64>,
    /// The step that was live.
    pub live: Option<Step>,
}

/// Which step of a model was live at a time (RFC 3339, in UTC). More than one stretch is given where the clock was set back,
/// so that the time came twice; the last is the newest.
pub fn live_at(lines: &[Line], model: &str, at: jiff::Timestamp) -> Vec<Stretch> {
    let time = |line: &Line| line.entry.at.parse::<jiff::Timestamp>().ok();
    let lines: Vec<Line> = lines.iter().filter(|line| counts(line, model)).cloned().collect();
    let mut stretches: Vec<(Option<jiff::Timestamp>, Stretch)> =
        vec![(None, Stretch { entry: None, live: None })];
    for end in 1..=lines.len() {
        let live = Lifecycle::of(&lines[..end], model).live().cloned();
        let last = &lines[end - 1];
        if stretches.last().is_some_and(|(_, stretch)| stretch.live != live) {
            stretches.push((time(last), Stretch { entry: Some(last.number), live }));
        }
    }
    let begins = |index: usize| stretches.get(index).and_then(|(begin, _)| *begin);
    let holds = |index: &usize| {
        let (begin, end) = (begins(*index), begins(index + 1));
        let after = begin.is_none_or(|begin| begin <= at);
        // One that ends before it began lasted until somebody set the clock back: nobody knows how long.
        let set_back = begin.zip(end).is_some_and(|(begin, end)| end < begin);
        after && (set_back || end.is_none_or(|end| at < end))
    };
    let found: Vec<usize> = (0..stretches.len()).filter(holds).collect();
    found.into_iter().map(|index| stretches[index].1.clone()).collect()
}

fn is_undoing(line: &Line) -> bool {
    matches!(line.entry.event, Event::Undone | Event::InterruptedUndone | Event::FailedUndone)
}

/// Whether an entry can change which artefact of a model is live.
fn counts(line: &Line, model: &str) -> bool {
    line.entry.facts.get(fact::MODEL).map(String::as_str) == Some(model) || is_undoing(line)
}

/// The numbers of plans that were taken back.
fn undone(lines: &[Line]) -> BTreeSet<u64> {
    lines.iter().filter(|line| is_undoing(line)).map(|line| line.entry.plan_number).collect()
}

fn text(line: &Line, name: &str) -> String {
    line.entry.facts.get(name).cloned().unwrap_or_default()
}

fn artefact(line: &Line) -> Artefact {
    Artefact { digest: text(line, fact::ARTEFACT), version: text(line, fact::VERSION) }
}

fn registered(line: &Line) -> Registered {
    let (artefact, path) = (artefact(line), text(line, fact::PATH));
    Registered { artefact, path, at: line.entry.at.clone(), entry: line.number }
}

fn step(line: &Line, state: State) -> Step {
    let facts = &line.entry.facts;
    let texts = |prefix: &str| -> Vec<(String, String)> {
        let all = facts.iter().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, value)));
        all.map(|(name, value)| (name.to_owned(), value.clone())).collect()
    };
    let (was, now) = (texts(fact::WAS), texts(fact::NOW));
    let names: BTreeSet<&String> = was.iter().chain(&now).map(|(name, _)| name).collect();
    let of = |texts: &[(String, String)], name: &str| {
        texts.iter().find(|(other, _)| other == name).map(|(_, text)| text.clone())
    };
    let changes =
        names.into_iter().map(|name| Change { name: name.clone(), was: of(&was, name), now: of(&now, name) });
    Step {
        state,
        artefact: artefact(line),
        entry: line.number,
        plan: line.entry.plan.clone(),
        at: line.entry.at.clone(),
        by: line.entry.by.to_string(),
        replaced: facts.get(fact::REPLACED).cloned(),
        file: text(line, fact::FILE),
        changes: changes.collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ledger::{By, Entry};

    /// An entry of a ledger: event, plan, time and facts of the model `m`.
    pub(crate) fn line(number: u64, event: Event, plan: u64, facts: &[(&str, &str)]) -> Line {
        let mut all: std::collections::BTreeMap<String, String> =
            facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let at = all.remove("at").unwrap_or_else(|| format!("2026-11-29T10:{number:02}:00Z"));
        all.entry(fact::MODEL.into()).or_insert_with(|| "m".into());
        let entry = Entry {
            at,
            by: By::Name("alice".into()),
            event,
            verb: "model".into(),
            plan: format!("p{plan}"),
            plan_number: plan,
            contract: String::new(),
            steps: Vec::new(),
            result: "done".into(),
            left: Vec::new(),
            facts: all,
        };
        Line { number, entry, digest: String::new() }
    }

    fn story(words: &str) -> Vec<Line> {
        let mut lines = Vec::new();
        for (index, word) in words.split_whitespace().enumerate() {
            let number = index as u64 + 1;
            let (verb, rest) = word.split_at(1);
            let facts = [(fact::ARTEFACT, rest), (fact::VERSION, rest)];
            lines.push(match verb {
                "s" => line(number, Event::Shadowed, 0, &facts),
                "c" => line(number, Event::Canaried, number, &facts),
                "p" => line(number, Event::Promoted, number, &facts),
                "r" => line(number, Event::RolledBack, number, &[(fact::TO, rest)]),
                "u" => line(number, Event::Undone, rest.parse().unwrap(), &[(fact::MODEL, "")]),
                _ => line(number, Event::Applied, number, &[(fact::MODEL, "")]),
            });
        }
        lines
    }

    fn stands(words: &str) -> String {
        let life = Lifecycle::of(&story(words), "m");
        let digest = |step: Option<&Step>| step.map_or("-".to_owned(), |step| step.artefact.digest.clone());
        let shadow = life.shadow().map_or("-", |shadow| shadow.artefact.digest.as_str());
        format!("{shadow} {} {}", digest(life.canary()), digest(life.active()))
    }

    #[test]
    fn the_state_follows_from_the_entries() {
        for (words, expected) in [
            ("", "- - -"),
            ("sA", "A - -"),
            ("sA cA", "- A -"),
            ("sA cA pA", "- - A"),
            ("sA cA pA sB", "B - A"),
            ("sA cA pA sB cB", "- B A"),
            ("sA cA pA sB cB pB", "- - B"),
            ("sA cA pA sB cB pB r3", "B - A"),
            ("sA cA pA sB cB pB r3 r0", "B - -"),
            ("sA cA u2", "A - -"),
            ("sA cA pA sB cB pB r3 u7", "- - B"),
            ("sA cA sB cB r2", "B A -"),
            // Registered anew, it is judged anew.
            ("sA cA pA sA", "A - A"),
        ] {
            assert_eq!(stands(words), expected, "{words}");
        }
    }

    #[test]
    fn one_step_back_takes_back_all_of_the_live_one() {
        let before = |words: &str| Lifecycle::of(&story(words), "m").before_live();
        assert_eq!(before("sA cA pA sB cB pB"), 2);
        assert_eq!(before("sA cA pA"), 0);
        assert_eq!(before("sA cA pA sB cB"), 2);
        assert_eq!(before("sA cA sB cB"), 1);
        assert_eq!(before(""), 0);
    }

    #[test]
    fn every_artefact_has_one_state() {
        let life = Lifecycle::of(&story("sA cA pA sB cB pB sC"), "m");
        let all: Vec<String> =
            life.artefacts().iter().map(|(one, state)| format!("{} {}", one.digest, state.word())).collect();
        assert_eq!(all, ["B active", "C shadow", "A archived"]);
    }

    #[test]
    fn which_one_was_live_at_a_time() {
        let lines = story("sA cA pA sB cB r3");
        let at = |text: &str| {
            let found = live_at(&lines, "m", text.parse().unwrap());
            let live = |stretch: &Stretch| {
                stretch
                    .live
                    .as_ref()
                    .map_or("-".to_owned(), |step| format!("{} {}", step.artefact.digest, step.state.word()))
            };
            found.iter().map(live).collect::<Vec<String>>()
        };
        assert_eq!(at("2026-11-29T10:01:30Z"), ["-"]);
        assert_eq!(at("2026-11-29T10:02:00Z"), ["A canary"]);
        assert_eq!(at("2026-11-29T10:04:59Z"), ["A active"]);
        assert_eq!(at("2026-11-29T10:05:30Z"), ["B canary"]);
        assert_eq!(at("2030-01-01T00:00:00Z"), ["A active"]);
    }

    #[test]
    fn where_the_clock_was_set_back_a_time_came_twice() {
        let facts = |digest: &'static str, at: &'static str| [(fact::ARTEFACT, digest), ("at", at)];
        let lines = [
            line(1, Event::Canaried, 1, &facts("A", "2026-11-29T12:00:00Z")),
            line(2, Event::Canaried, 2, &facts("B", "2026-11-29T09:00:00Z")),
        ];
        let at = |text: &str| live_at(&lines, "m", text.parse().unwrap()).len();
        assert_eq!(at("2026-11-29T08:00:00Z"), 1);
        assert_eq!(at("2026-11-29T10:00:00Z"), 2, "before the first, and since the second");
        assert_eq!(
            Lifecycle::of(&lines, "m").live().unwrap().artefact.digest,
            "B",
            "the ledger's order counts"
        );
    }
}
