//! The field catalogue: hosts as people run them, healthy ones and broken ones, and what the audit says of each. A kind
//! of trouble is a file of `tests/field`; the host that every case changes is `tests/field/base.host`, its contract
//! `tests/field/base.toml`. `GOLDEN_FIELD=words,words` takes the cases whose kind or name holds any of them.
//!
//! What stands in a file before its first case holds for all of them. A case is a name, what must be said, and the
//! change:
//!
//! ```text
//! : a directory that systemd makes
//! silent                      nothing fails, nothing is undecided
//! fails RULE [TEXT]           a failed must, in whose words TEXT stands
//! warns RULE [TEXT]           the same of a should
//! undecided RULE [TEXT]       and why
//! says-not TEXT               stands in no word and in no remedy of anything that is said
//! mends-not TEXT              stands in no remedy that golden itself may carry out
//! contract LINE               is added to the contract, whose last table is that of the service `a`
//! contract- LINE              is removed from it
//! ```
//!
//! Every other line is of the manifest (`golden::system::manifest`). What is said must be expected: a rule that nobody
//! named makes the case wrong. And it must be said by recorded facts, and by each rule when it is asked alone.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use golden::audit::{Selection, audit};
use golden::contract::Contract;
use golden::facts::HostFacts;
use golden::facts::gather::gather;
use golden::model::{Remedy, Report, RuleResult, Said, Severity};
use golden::rules::RULES;
use golden::system::{DiskSystem, MemorySystem, System, manifest};

const HOST: &str = include_str!("../field/base.host");
const CONTRACT: &str = include_str!("../field/base.toml");

/// Fewer cases than this of a kind show an instance, not the kind.
const LEAST: usize = 8;

/// What a case wants said, and of what it wants no word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Silent,
    Said { how: String, rule: String, text: String },
    SaysNot(String),
    MendsNot(String),
}

/// One host.
#[derive(Clone, Debug, Default)]
struct Case {
    name: String,
    wanted: Vec<Wanted>,
    contract: Vec<(bool, String)>,
    changes: String,
}

impl Case {
    /// Takes one line of a file.
    fn line(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "silent" => self.wanted.push(Wanted::Silent),
            "fails" | "warns" | "undecided" => {
                let (rule, text) = rest.split_once(' ').unwrap_or((rest, ""));
                let said = Wanted::Said { how: word.into(), rule: rule.into(), text: text.trim().into() };
                self.wanted.push(said);
            }
            "says-not" => self.wanted.push(Wanted::SaysNot(rest.into())),
            "mends-not" => self.wanted.push(Wanted::MendsNot(rest.into())),
            "contract" => self.contract.push((true, rest.into())),
            "contract-" => self.contract.push((false, rest.into())),
            _ => {
                self.changes.push_str(line);
                self.changes.push('\n');
            }
        }
    }

    fn is_silent(&self) -> bool {
        self.wanted.contains(&Wanted::Silent)
    }

    fn contract(&self) -> Result<Contract, String> {
        let mut lines: Vec<&str> = CONTRACT.lines().collect();
        for (added, line) in &self.contract {
            match (added, lines.iter().position(|other| other == line)) {
                (true, _) => lines.push(line),
                (false, Some(at)) => drop(lines.remove(at)),
                (false, None) => return Err(format!("the contract has no line {line:?}")),
            }
        }
        let text = lines.join("\n") + "\n";
        let none = |_: &str| Err("nothing is extended".to_owned());
        Contract::parse(&text, "/etc/golden/golden.toml", false, &none)
            .map_err(|errors| format!("{errors:#?}"))
    }

    /// What a rule says otherwise when it is asked alone, of a host that was looked at for it alone.
    fn alone(&self, host: &MemorySystem, contract: &Contract, report: &Report) -> Vec<String> {
        let group = self.name.len() + self.changes.len();
        let speaks = |id: &str| {
            let mut of_rule = report.results.iter().filter(|result| result.rule.id == id);
            of_rule.any(|result| matches!(result.said, Said::Fail(_) | Said::Undecided(_)))
        };
        let asked = RULES.iter().enumerate().map(|(at, rule)| (at, rule.info.id));
        let asked = asked.filter(|(at, id)| (at + group).is_multiple_of(GROUPS) || speaks(id));
        let mut wrong = Vec::new();
        for (_, id) in asked {
            let selection = Selection { rules: vec![id.to_owned()], ..Selection::default() };
            let facts = gather(host, contract, selection.needs(contract));
            let alone = audit(contract, &facts, &selection, false);
            let words = |report: &Report| -> Vec<String> {
                report.results.iter().filter(|result| result.rule.id == id).map(word).collect()
            };
            let (all, alone) = (words(report), words(&alone));
            if all != alone {
                wrong.push(format!("{id} alone says\n    {alone:?}\n  in place of\n    {all:?}"));
            }
        }
        wrong
    }

    /// What is wrong with what is said of the host; nothing where it is right.
    fn complaint(&self) -> Result<(), String> {
        let contract = self.contract()?;
        let mut host = MemorySystem::from_manifest(HOST)?;
        manifest::apply(&mut host, &self.changes)?;
        let selection = Selection::default();
        let facts = gather(&host, &contract, selection.needs(&contract));
        let report = audit(&contract, &facts, &selection, false);
        let alone = self.alone(&host, &contract, &report);
        let replayed = replayed(&contract, facts, &selection, &report)?;
        let said: Vec<Word> = report.results.into_iter().filter_map(Word::of).collect();
        let mut wrong: Vec<String> = self.wanted.iter().filter_map(|wanted| lack(wanted, &said)).collect();
        let is_wanted = |word: &&Word| !self.wanted.iter().any(|wanted| word.is(wanted));
        wrong.extend(said.iter().filter(is_wanted).map(|word| format!("nobody wants: {word:?}")));
        wrong.extend(replayed);
        wrong.extend(alone);
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ")) }
    }
}

/// Rules in so many groups: each host tries one group besides the rules that speak, and all hosts together every rule.
const GROUPS: usize = 8;

/// What one result says.
fn word(result: &RuleResult) -> String {
    match &result.said {
        Said::Pass => "pass".to_owned(),
        Said::NotApplicable(why) => format!("not applicable: {why}"),
        Said::Undecided(undecided) => format!("undecided: {}", undecided.why),
        Said::Fail(failure) => format!("{:?}", failure.finding),
    }
}

/// What recorded facts say otherwise, but for what they hide: then they say nothing.
fn replayed(
    contract: &Contract,
    mut facts: HostFacts,
    selection: &Selection,
    report: &Report,
) -> Result<Vec<String>, String> {
    facts.hide_secrets(contract);
    let text = serde_json::to_string(&facts).map_err(|error| error.to_string())?;
    let facts: HostFacts = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let again = audit(contract, &facts, selection, true);
    let pairs = report.results.iter().map(Some).chain(std::iter::repeat(None));
    let pairs = pairs.zip(again.results.iter().map(Some).chain(std::iter::repeat(None)));
    let mut wrong = Vec::new();
    for (was, is) in pairs.take_while(|(was, is)| was.is_some() || is.is_some()) {
        let (Some(was), Some(is)) = (was, is) else {
            return Ok(vec!["a replay has more results, or fewer".into()]);
        };
        let hides = matches!(&is.said, Said::Undecided(undecided) if undecided.why.contains("facts hide"));
        if !hides && word(was) != word(is) {
            wrong.push(format!("a replay says\n    {}\n  in place of\n    {}", word(is), word(was)));
        }
    }
    Ok(wrong)
}

/// Why a wanted word is not there, or an unwanted one is.
fn lack(wanted: &Wanted, said: &[Word]) -> Option<String> {
    match wanted {
        Wanted::Silent => None,
        Wanted::Said { how, rule, text } => {
            (!said.iter().any(|word| word.is(wanted))).then(|| format!("nobody says: {how} {rule} {text}"))
        }
        Wanted::SaysNot(text) => {
            let speaks = said.iter().find(|word| word.text.contains(text) || word.mend.contains(text));
            speaks.map(|word| format!("says {text}: {word:?}"))
        }
        Wanted::MendsNot(text) => {
            let mends = said.iter().find(|word| word.is_mended && word.mend.contains(text));
            mends.map(|word| format!("mends {text}: {word:?}"))
        }
    }
}

/// What a rule says that is no pass.
#[derive(Debug)]
struct Word {
    how: &'static str,
    rule: &'static str,
    text: String,
    mend: String,
    is_mended: bool,
}

impl Word {
    fn of(result: RuleResult) -> Option<Self> {
        let rule = result.rule.id;
        match result.said {
            Said::Pass | Said::NotApplicable(_) => None,
            // What somebody has excepted is said as an exception.
            Said::Fail(failure) if failure.waiver.is_some() => None,
            Said::Undecided(undecided) => Some(Word {
                how: "undecided",
                rule,
                text: undecided.why,
                mend: undecided.remedy.unwrap_or_default(),
                is_mended: false,
            }),
            Said::Fail(failure) => {
                let finding = failure.finding;
                let mut text = format!("{} {} ", finding.message, finding.location);
                let more = [finding.expected, finding.observed];
                more.into_iter().flatten().for_each(|more| text.extend([more.as_str(), " "]));
                Some(Word {
                    how: if result.severity == Severity::Must { "fails" } else { "warns" },
                    rule,
                    text,
                    is_mended: finding.remedy.as_ref().is_some_and(|remedy| !remedy.is_a_persons()),
                    mend: finding.remedy.as_ref().map(Remedy::text).unwrap_or_default(),
                })
            }
        }
    }

    fn is(&self, wanted: &Wanted) -> bool {
        matches!(wanted, Wanted::Said { how, rule, text }
            if self.how == how && self.rule == rule && self.text.contains(text))
    }
}

/// The cases of each file, by the kind that the file is called after.
fn catalogue() -> BTreeMap<String, Vec<Case>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field");
    let mut kinds = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let kind = path.file_stem().unwrap().to_string_lossy().into_owned();
            kinds.insert(kind, read(&std::fs::read_to_string(&path).unwrap()));
        }
    }
    kinds
}

fn read(text: &str) -> Vec<Case> {
    let (mut common, mut cases) = (Case::default(), Vec::<Case>::new());
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        if let Some(name) = line.strip_prefix(": ") {
            cases.push(Case { name: name.to_owned(), ..common.clone() });
        } else {
            cases.last_mut().unwrap_or(&mut common).line(line);
        }
    }
    cases
}

#[test]
fn each_case_of_the_field_is_judged_right() {
    let words = std::env::var("GOLDEN_FIELD").unwrap_or_default();
    let (mut total, mut wrong, mut report) = (0, 0, String::new());
    for (kind, cases) in catalogue() {
        for case in cases {
            let title = format!("{kind}: {}", case.name);
            if !words.split(',').any(|word| title.contains(word)) {
                continue;
            }
            total += 1;
            if let Err(why) = case.complaint() {
                wrong += 1;
                let _ = writeln!(report, "{title}\n  {why}");
            }
        }
    }
    println!("field: {total} cases, {wrong} wrong");
    assert!(total > 0, "no case is called so");
    assert!(wrong == 0, "{wrong} wrong of {total}\n\n{report}");
}

/// The host of each family as a directory, as `--root` gets one: the disk says what the memory says.
#[test]
fn a_host_of_each_family_is_the_same_as_a_directory() {
    if crate::support::skip::without_root() {
        return;
    }
    let cases = catalogue().remove("family").unwrap();
    // Which file systems are mounted, no directory shows.
    for case in cases.iter().filter(|case| !case.changes.contains("file-system ")) {
        let contract = case.contract().unwrap();
        let mut host = MemorySystem::from_manifest(HOST).unwrap();
        manifest::apply(&mut host, &case.changes).unwrap();
        let directory = tempfile::tempdir().unwrap();
        crate::support::lay::lay(directory.path(), &host);
        let disk = DiskSystem::rooted(directory.path()).unwrap();
        host.now = disk.now();
        let selection = Selection::default();
        let words = |system: &dyn System| -> Vec<String> {
            let facts = gather(system, &contract, selection.needs(&contract));
            audit(&contract, &facts, &selection, false).results.iter().map(word).collect()
        };
        assert_eq!(words(&disk), words(&host), "{}", case.name);
    }
}

/// A kind that is shown by its faults alone says nothing about false alarms; a case says what it wants.
#[test]
fn each_kind_has_enough_cases_of_both_sorts() {
    let mut lacking = Vec::new();
    for (kind, cases) in catalogue() {
        let silent = cases.iter().filter(|case| case.is_silent()).count();
        if cases.len() < LEAST || silent * 2 < cases.len() {
            lacking.push(format!("{kind}: {} cases, {silent} silent", cases.len()));
        }
        for case in &cases {
            let says = case.wanted.iter().any(|wanted| matches!(wanted, Wanted::Said { .. }));
            if says == case.is_silent() {
                lacking.push(format!("{kind}: {} wants nothing, or both", case.name));
            }
        }
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}
