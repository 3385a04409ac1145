//! No verdict depends on what else was looked at: each rule says the same alone and in a whole audit.

use super::{blocks, look, stage};
use crate::audit::{Selection, audit};
use crate::model::{RuleResult, Said};
use crate::rules::RULES;

fn word(result: &RuleResult) -> String {
    let said = match &result.said {
        Said::Pass => "pass".to_owned(),
        Said::NotApplicable(why) => format!("not applicable: {why}"),
        Said::Undecided(undecided) => format!("undecided: {}", undecided.why),
        Said::Fail(failure) => format!("{:?}", failure.finding),
    };
    format!("{} {:?}: {said}", result.subject, result.key)
}

#[test]
fn a_rule_alone_says_what_it_says_among_all() {
    let mut wrong = Vec::new();
    for rule in RULES {
        let id = rule.info.id;
        // Healthy hosts are tried so in the field.
        for block in blocks(rule).into_iter().filter(|block| block.kind == "bad") {
            let (host, contract) = stage(&block.text).unwrap();
            let said = |rules: &[&str]| -> Vec<String> {
                let (facts, _) = look(&host, &contract, rules);
                let rules = rules.iter().map(|id| (*id).to_owned()).collect();
                let report = audit(&contract, &facts, &Selection { rules, ..Selection::default() }, false);
                report.results.iter().filter(|result| result.rule.id == id).map(word).collect()
            };
            let (alone, all) = (said(&[id]), said(&[]));
            if alone != all {
                wrong
                    .push(format!("{id}, this block:\n{}\nalone {alone:#?}\namong all {all:#?}", block.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n\n{}", wrong.len(), wrong.join("\n"));
}
