//! Whether a service comes back after a boot: what golden says of a disk against what the booted machine does. The services of
//! `reboot/cases.txt` lie on one machine; each does or does not come back for a reason of its own. `make test` boots Debian 12 and
//! 13; `GOLDEN_REBOOT=all` boots every version of systemd that golden has tables for.

use crate::support::lay::lay;
use crate::support::machine::{self, Image, Machine, Suite};
use crate::support::starts;

use std::collections::BTreeMap;
use std::fmt::Write;

use golden::model::Report;
use golden::system::{DiskSystem, MemorySystem};

const CASES: &str = include_str!("reboot/cases.txt");

/// A service and what a boot was seen to do.
#[derive(Default)]
struct Case {
    name: String,
    /// What stands for ME.
    me: String,
    comes_back: bool,
    /// What a version does otherwise: a boot starts what it refuses to start by hand.
    otherwise: BTreeMap<u32, bool>,
    /// A version that does not know the line in question, and does the opposite.
    passed_over_by: Option<u32>,
    undecided: Option<String>,
    contract: String,
    asks: String,
    /// The manifest of its files.
    files: String,
}

/// The cases of the catalogue.
fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix(": ") {
            let me = format!("c{}", cases.len() + 1);
            let asks = format!("{me}.service");
            cases.push(Case { name: name.to_owned(), me, asks, ..Case::default() });
            continue;
        }
        let case = cases.last_mut().unwrap();
        let line = line.replace("ME", &case.me);
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match word.trim_end_matches(':') {
            "back" => case.comes_back = true,
            "gone" => case.comes_back = false,
            "undecided" => case.undecided = Some(rest.to_owned()),
            "contract" => case.contract.extend([rest, "\n"]),
            "asks" => case.asks = rest.to_owned(),
            "passed-over" => case.passed_over_by = Some(rest.parse().unwrap()),
            version if version.parse::<u32>().is_ok() => {
                case.otherwise.insert(version.parse().unwrap(), rest == "back");
            }
            _ => case.files.extend([line.as_str(), "\n"]),
        }
    }
    cases
}

impl Case {
    fn comes_back(&self, version: u32) -> bool {
        let known = self.comes_back != (self.passed_over_by == Some(version));
        self.otherwise.get(&version).copied().unwrap_or(known)
    }

    /// What is wrong with what was said, where a boot did `came_back`.
    fn complaint(&self, report: &Report, came_back: bool, version: u32) -> Option<String> {
        let (fails, undecided) = starts::said(report, &self.me, true);
        let seen = if came_back { "comes back" } else { "does not come back" };
        let wrong = if came_back != self.comes_back(version) {
            Some("the catalogue says otherwise")
        } else if let Some(text) = &self.undecided {
            let says = fails.is_empty() && undecided.iter().any(|why| why.contains(text));
            (!says).then_some("it should be undecided")
        } else if self.otherwise.contains_key(&version) {
            let says = fails.iter().any(|why| why.contains("a boot starts it nevertheless"));
            match came_back {
                true => (!says).then_some("golden does not say that only a boot starts it"),
                false => fails.is_empty().then_some("golden does not say that this version minds"),
            }
        } else if fails.is_empty() && !undecided.is_empty() {
            Some("nobody wants it undecided")
        } else {
            (fails.is_empty() != came_back).then_some("golden says otherwise")
        };
        wrong.map(|wrong| {
            format!("{version} {} ({}): {seen}, {wrong}: {fails:?} {undecided:?}", self.name, self.me)
        })
    }
}

/// The tables of the contract that name each case's service.
fn services(cases: &[Case]) -> String {
    let mut text = String::new();
    for Case { me, contract, .. } in cases {
        let kind = if contract.contains("timer =") {
            "kind = \"timer-job\""
        } else {
            "kind = \"executable\"\ncommand = [\"/usr/bin/sleep\", \"infinity\"]"
        };
        let _ = writeln!(text, "[services.{me}]\n{kind}\n{contract}");
    }
    text
}

/// What is wrong with what is said of a machine of `suite`.
fn complaints(suite: Suite, cases: &[Case]) -> Vec<String> {
    let mut machine = Machine::prepare(&machine::image(Image::Base, suite));
    for case in cases {
        let files =
            MemorySystem::from_manifest(&case.files).unwrap_or_else(|why| panic!("{}: {why}", case.name));
        lay(machine.root(), &files);
    }
    let system = DiskSystem::rooted(machine.root()).unwrap();
    let report = starts::report(&system, &starts::contract(&services(cases)));
    drop(system);
    machine.up(&[]);
    let version = suite.systemd();
    let came_back = |case: &Case| {
        let state = machine.ok(&["systemctl", "show", "--property=ActiveState", "--value", &case.asks]);
        state.trim() == "active"
    };
    let wrong: Vec<String> =
        cases.iter().filter_map(|case| case.complaint(&report, came_back(case), version)).collect();
    println!("reboot: {} services on systemd {version}, {} said wrongly", cases.len(), wrong.len());
    wrong
}

#[test]
fn a_service_comes_back_after_a_boot_where_the_files_say_so() {
    if machine::skipped() {
        return;
    }
    let cases = cases();
    assert!(cases.len() >= 40, "{}", cases.len());
    let backs = cases.iter().filter(|case| case.comes_back).count();
    assert!(backs >= 20 && cases.len() - backs >= 20, "{backs} of {} come back", cases.len());
    let wrong: Vec<String> =
        Suite::of("GOLDEN_REBOOT").iter().flat_map(|suite| complaints(*suite, &cases)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
