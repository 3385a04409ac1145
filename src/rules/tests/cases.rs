//! What naive checks get wrong, each case against the whole audit.

use super::{judge, stage};
use crate::model::Said;

/// An entry of `cases.txt`.
struct Case {
    name: String,
    expected: Vec<String>,
    change: String,
}

fn cases() -> Vec<Case> {
    let entries = include_str!("cases.txt").split("\n: ").skip(1);
    let read = |entry: &str| {
        let (name, rest) = entry.split_once('\n').expect("a name has its own line");
        let is_expected =
            |line: &&str| *line == "passes" || line.starts_with("says ") || line.starts_with("undecided ");
        let expected: Vec<String> = rest.lines().take_while(is_expected).map(str::to_owned).collect();
        let change = rest.lines().skip(expected.len()).collect::<Vec<_>>().join("\n");
        Case { name: name.to_owned(), expected, change: change.trim_end().to_owned() + "\n" }
    };
    entries.map(read).collect()
}

/// Everything that is no pass, in the words of an entry.
fn said(case: &Case) -> Vec<String> {
    let (host, contract) = stage(&case.change).unwrap_or_else(|why| panic!("{}: {why}", case.name));
    let results = judge(&host, &contract, &[]);
    let words = results.iter().filter_map(|result| match &result.said {
        Said::Fail(failure) => Some(format!("says {} {}", result.rule.id, failure.finding.location)),
        Said::Undecided(_) => Some(format!("undecided {}", result.rule.id)),
        Said::Pass | Said::NotApplicable(_) => None,
    });
    words.collect()
}

#[test]
fn each_case_that_naive_checks_get_wrong_is_judged_right() {
    let mut wrong = Vec::new();
    let cases = cases();
    for case in &cases {
        let said = said(case);
        let right = match case.expected.as_slice() {
            [] => false,
            [passes] if passes == "passes" => said.is_empty(),
            // A path without a line stands for any line of it.
            all => all.iter().all(|expected| {
                said.iter().any(|said| said == expected || said.starts_with(&format!("{expected}:")))
            }),
        };
        if !right {
            wrong.push(format!("{}: expected {:?}, said {said:#?}", case.name, case.expected));
        }
    }
    assert!(cases.len() >= 40, "{} cases", cases.len());
    assert!(wrong.is_empty(), "{} wrong of {}\n\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
