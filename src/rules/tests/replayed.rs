//! Facts that were recorded give the judgement of the host they were recorded on, secrets or not; where a rule needs what
//! they hide, it says so.

use std::collections::BTreeSet;

use super::{blocks, look, stage};
use crate::audit::audit;
use crate::facts::HostFacts;
use crate::model::{RuleResult, Said};
use crate::rules::RULES;

/// What is said, without the words.
fn kind(result: &RuleResult) -> String {
    let outcome = match &result.said {
        Said::Pass => "pass",
        Said::NotApplicable(_) => "not applicable",
        Said::Undecided(undecided) if undecided.why.contains("facts hide") => "hidden",
        Said::Undecided(_) => "undecided",
        Said::Fail(_) => "fail",
    };
    format!("{} {:?}: {outcome}", result.subject, result.key)
}

fn results(
    contract: &crate::contract::Contract,
    facts: &HostFacts,
    rule: &str,
    replayed: bool,
) -> Vec<String> {
    let selection = crate::audit::Selection { rules: vec![rule.to_owned()], ..Default::default() };
    let results = audit(contract, facts, &selection, replayed).results;
    results.iter().filter(|result| result.rule.id == rule).map(kind).collect()
}

#[test]
fn a_replay_judges_as_the_audit_did() {
    let (mut wrong, mut hidden) = (Vec::new(), BTreeSet::new());
    for rule in RULES {
        let id = rule.info.id;
        for block in blocks(rule) {
            let (host, contract) = stage(&block.text).unwrap();
            let (mut facts, _) = look(&host, &contract, &[id]);
            let was = results(&contract, &facts, id, false);
            facts.hide_secrets(&contract);
            let facts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
            let is = results(&contract, &facts, id, true);
            let differs = |(was, is): &(&String, &String)| was != is && !is.ends_with(": hidden");
            if was.len() != is.len() || was.iter().zip(&is).any(|pair| differs(&pair)) {
                wrong.push(format!("{id}, this block:\n{}\n{was:#?}\n{is:#?}", block.text));
            }
            hidden.extend(is.iter().any(|is| is.ends_with(": hidden")).then_some(id));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n\n{}", wrong.len(), wrong.join("\n"));
    // Over-hiding would add to these.
    let of_values = ["env-variable-wrong", "process-variable-wrong"];
    assert!(hidden.iter().all(|id| of_values.contains(id)), "{hidden:?}");
}

#[test]
fn a_port_of_facts_from_before_other_servers_were_known_is_read() {
    use crate::facts::DependencyFacts;
    use crate::model::Observed;
    for (text, found) in [
        (r#"{"tcp":{"found":null}}"#, Observed::Found(None)),
        (r#"{"tcp":"absent"}"#, Observed::Absent),
        (r#"{"server":{"found":{"Ok":"AMQP 0-9"}}}"#, Observed::Found(Some(Ok("AMQP 0-9".to_owned())))),
    ] {
        let facts: DependencyFacts = serde_json::from_str(text).unwrap();
        assert!(matches!(&facts, DependencyFacts::Server(answer) if *answer == found), "{text}: {facts:?}");
    }
}
