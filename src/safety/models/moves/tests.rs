//! Transitions on a host in memory: what is planned, byte for byte, and what stays.

use std::collections::BTreeMap;

use super::*;
use crate::ledger::models::{Artefact, Change as Text};
use crate::system::hand::{MemoryHand, Rights};

const ENV: &str = "# mine\nA=1\nPATCHTST_SHADOW_ONLY='true'\nSECRET=old\n";
const PLACE: &str = "/opt/quantum/ai_engine/models";
const ROOT: Rights = Rights { uid: 0, gid: 0, mode: 0o644 };

fn sha256(text: &str) -> String {
    crate::model::sha256(text)
}

/// A host with these files beside the env file.
fn host(files: &[(&str, &str)]) -> MemoryHand {
    let file = |(path, text): &(&str, &str)| (format!("{PLACE}/{path}"), Node::file(*text, ROOT));
    let env = ("/etc/quantum/ai-engine.env".to_owned(), Node::file(ENV, ROOT));
    MemoryHand::new(files.iter().map(file).chain([env]))
}

fn text(hand: &MemoryHand, path: &str) -> String {
    match hand.node(path).unwrap() {
        Node::File { bytes, .. } => String::from_utf8(bytes).unwrap(),
        other => other.word().to_owned(),
    }
}

fn artefact(text: &str) -> Artefact {
    Artefact { digest: sha256(text), version: format!("v-{text}") }
}

fn registered(text: &str) -> Registered {
    Registered { artefact: artefact(text), path: format!("{PLACE}/shadow/p"), at: String::new(), entry: 1 }
}

fn past(state: State, text: &str, entry: u64, replaced: Option<&str>, changes: &[Text]) -> Past {
    Past {
        state,
        artefact: artefact(text),
        entry,
        plan: String::new(),
        at: String::new(),
        by: String::new(),
        replaced: replaced.map(sha256),
        file: String::new(),
        changes: changes.to_vec(),
    }
}

fn with_ground<T>(hand: &MemoryHand, work: impl FnOnce(&Ground<'_>) -> T) -> T {
    let contract = Contract::built_in();
    let model = contract.model("patchtst").unwrap();
    let now = "2026-11-29T12:00:00Z".parse().unwrap();
    work(&Ground { hand, contract: &contract, model, now })
}

/// The changes of a plan in words.
fn words(made: &Move) -> Vec<String> {
    made.plan.steps.iter().map(|step| step.change.words()).collect()
}

fn facts(made: &Move) -> BTreeMap<&str, &str> {
    made.facts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[test]
fn a_canary_changes_what_differs_and_remembers_what_was() {
    let hand = host(&[("shadow/p", "B"), ("active/patchtst.json", "old")]);
    with_ground(&hand, |ground| {
        let made = ground.canary(&Lifecycle::default(), &registered("B"), None).unwrap();
        let said = words(&made);
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(
            said[0].starts_with(&format!("copy {PLACE}/shadow/p to {PLACE}/active/canary-patchtst.json"))
        );
        assert_eq!(said[3], "restart quantum-ai-engine.service");
        let facts = facts(&made);
        assert_eq!(facts["was.PATCHTST_SHADOW_ONLY"], "PATCHTST_SHADOW_ONLY='true'", "text for text");
        assert_eq!(facts["now.PATCHTST_SHADOW_ONLY"], "PATCHTST_SHADOW_ONLY=false");
        assert!(!facts.contains_key("was.PATCHTST_MODEL_PATH"), "it was not set");
        assert!(made.plan.steps[3].health.as_ref().unwrap().quiet() >= QUIET);
        assert!(ground.canary(&Lifecycle::default(), &registered("C"), None).is_err(), "it was swapped");
        assert!(
            ground.canary(&Lifecycle::default(), &registered("B"), Some("0.1")).is_err(),
            "no share here"
        );
    });
}

#[test]
fn a_switch_that_the_file_does_not_have_is_refused() {
    let hand = host(&[("shadow/p", "B")]);
    let env = "/etc/quantum/ai-engine.env";
    for text in ["A=1\n", "# PATCHTST_SHADOW_ONLY=true\n", "XPATCHTST_SHADOW_ONLY=true\n", ""] {
        hand.set(env, Node::file(text, ROOT));
        with_ground(&hand, |ground| {
            let said = ground.canary(&Lifecycle::default(), &registered("B"), None).unwrap_err();
            assert!(said.contains("does not set PATCHTST_SHADOW_ONLY"), "{said}");
        });
    }
}

#[test]
fn a_promotion_archives_what_it_replaces() {
    let hand = host(&[("active/canary-patchtst.json", "B"), ("active/patchtst.json", "old")]);
    let life = Lifecycle { steps: vec![past(State::Canary, "B", 2, None, &[])], ..Lifecycle::default() };
    with_ground(&hand, |ground| {
        let made = ground.promote(&life).unwrap();
        let archived = format!("{PLACE}/archive/20261129T120000.000Z_patchtst_unregistered-0.json");
        let facts = facts(&made);
        assert_eq!(facts[format!("kept.{}", sha256("old")).as_str()], archived);
        assert_eq!(facts["replaced"], sha256("old"));
        let last = words(&made).pop().unwrap();
        assert!(last.starts_with(&format!("move {PLACE}/active/canary-patchtst.json")), "{last}");
        // Something else lies where the canary was put.
        hand.set(&format!("{PLACE}/active/canary-patchtst.json"), Node::file("X", ROOT));
        assert!(ground.promote(&life).unwrap_err().contains("is not the artefact that the ledger says"));
    });
}

#[test]
fn a_rollback_restores_what_the_activation_changed_and_names_the_rest() {
    let was = Text {
        name: "PATCHTST_SHADOW_ONLY".into(),
        was: Some("PATCHTST_SHADOW_ONLY=earlier".into()),
        now: Some("PATCHTST_SHADOW_ONLY='true'".into()),
    };
    let other = Text { name: "A".into(), was: Some("A=0".into()), now: Some("A=7".into()) };
    let steps = vec![
        past(State::Canary, "B", 2, None, std::slice::from_ref(&was)),
        past(State::Active, "B", 3, Some("old"), std::slice::from_ref(&other)),
    ];
    let kept = vec![(sha256("old"), format!("{PLACE}/archive/1_patchtst_v1.json"))];
    let life = Lifecycle { steps, kept, ..Lifecycle::default() };
    let hand = host(&[("active/patchtst.json", "B"), ("archive/1_patchtst_v1.json", "old")]);
    with_ground(&hand, |ground| {
        let made = ground.rollback(&life, life.before_live()).unwrap();
        let said = words(&made);
        assert!(
            said[0].contains("archive/1_patchtst_v1.json to") && said[0].contains("what is there becomes"),
            "{said:?}"
        );
        assert_eq!(said[1], "set PATCHTST_SHADOW_ONLY in /etc/quantum/ai-engine.env");
        assert_eq!(said.len(), 3, "A was changed by somebody else: {said:?}");
        assert!(made.left[0].starts_with("A in /etc/quantum/ai-engine.env was changed since"));
        assert!(made.plan.steps[2].tried, "a service that does not come up brings no bad model back");
        assert_eq!(facts(&made)["to"], "0");
        // The backup is gone.
        hand.set(&format!("{PLACE}/archive/1_patchtst_v1.json"), Node::Absent);
        assert!(ground.rollback(&life, 0).unwrap_err().contains("no backup"));
    });
    assert_eq!(text(&hand, "/etc/quantum/ai-engine.env"), ENV, "nothing is changed by a plan");
}
