//! Waivers and the verdict: what an exception covers, until when, and what it never covers.

use golden::audit::{Selection, audit};
use golden::contract::Contract;
use golden::facts::Needs;
use golden::facts::gather::gather;
use golden::model::{Report, Said, Verdict};
use golden::report::human::{Style, render};
use golden::system::{MemorySystem, manifest};

const HOST: &str = include_str!("../../src/rules/tests/quantum.host");
const ROOT: &str =
    "file /etc/systemd/system/quantum-backend.service.d/x.conf root:root 0644\n| [Service]\n| User=root\n";
/// 2026-12-31T12:00:00Z
const NOON: i64 = 1_798_718_400;

fn waiver(rule: &str, subject: &str, expires: &str) -> String {
    format!(
        "[[waivers]]\nrule = \"{rule}\"\nsubject = \"{subject}\"\nreason = \"until the redesign\"\nowner = \"someone@the.team\"\nexpires = {expires}\n"
    )
}

fn judge(changes: &str, waivers: &str, now: i64) -> Report {
    let text = format!("schema = 1\nextends = \"quantum\"\n{waivers}");
    let contract =
        Contract::parse(&text, "/etc/golden/golden.toml", false, &|_| Err("nothing".into())).unwrap();
    let mut host = MemorySystem::from_manifest(HOST).unwrap();
    manifest::apply(&mut host, changes).unwrap();
    host.now = now;
    let selection = Selection {
        rules: vec!["unit-runs-as-root".into(), "process-user-wrong".into()],
        ..Selection::default()
    };
    let facts = gather(&host, &contract, Needs::all());
    audit(&contract, &facts, &selection, false)
}

/// An audit does not ask models, so an exception for one is no relic there.
#[test]
fn a_waiver_for_a_model_is_not_called_unused_by_an_audit() {
    let waivers = waiver("model-dead-zone", "model:momentum", "2026-12-31");
    let text = format!("schema = 1\nextends = \"quantum\"\n{waivers}");
    let contract =
        Contract::parse(&text, "/etc/golden/golden.toml", false, &|_| Err("nothing".into())).unwrap();
    let mut host = MemorySystem::from_manifest(HOST).unwrap();
    host.now = NOON;
    let selection = Selection::default();
    let facts = gather(&host, &contract, selection.needs(&contract));
    let report = audit(&contract, &facts, &selection, false);
    assert!(report.results.iter().all(|result| result.rule.id != "waiver-unused"));
}

#[test]
fn a_waiver_covers_until_the_end_of_its_day_and_no_longer() {
    assert_eq!(judge(ROOT, "", NOON).verdict(), Verdict::Violated);
    let waived = waiver("unit-runs-as-root", "service:backend", "2026-12-31");
    let report = judge(ROOT, &waived, NOON);
    assert_eq!((report.verdict(), report.verdict().code()), (Verdict::Compliant, 0));
    assert_eq!(report.summary().waived, 1);
    let last_second = judge(ROOT, &waived, NOON + 12 * 3600 - 1);
    assert_eq!(last_second.verdict(), Verdict::Compliant);
    let next_day = judge(ROOT, &waived, NOON + 12 * 3600);
    assert_eq!((next_day.verdict(), next_day.verdict().code()), (Verdict::Violated, 1));
    let text = render(&next_day, Style { color: false, verbose: false, quiet: false, width: 110 });
    assert!(text.contains("expired on 2026-12-31 (owner someone@the.team)"), "{text}");
    assert!(
        render(&report, Style { color: false, verbose: false, quiet: false, width: 110 })
            .contains("until 2026-12-31")
    );
}

#[test]
fn a_waiver_is_for_one_subject_and_one_rule() {
    let other = judge(ROOT, &waiver("unit-runs-as-root", "service:execution", "2026-12-31"), NOON);
    assert_eq!(other.verdict(), Verdict::Violated);
    let other = judge(ROOT, &waiver("process-user-wrong", "service:backend", "2026-12-31"), NOON);
    assert_eq!(other.verdict(), Verdict::Violated);
}

#[test]
fn an_unused_waiver_is_a_warning() {
    let report = judge("", &waiver("unit-runs-as-root", "service:backend", "2026-12-31"), NOON);
    assert_eq!((report.verdict(), report.summary().warn), (Verdict::Compliant, 1));
    assert!(report.results.iter().any(|result| result.rule.id == "waiver-unused"));
}

#[test]
fn a_waiver_never_covers_what_could_not_be_decided() {
    let unreadable = "unreadable /etc/systemd/system/quantum-backend.service permission denied\n";
    let report = judge(unreadable, &waiver("unit-runs-as-root", "service:backend", "2026-12-31"), NOON);
    assert_eq!((report.verdict(), report.verdict().code()), (Verdict::Undecided, 2));
    assert!(report.results.iter().any(|result| matches!(result.said, Said::Undecided(_))));
}

#[test]
fn a_violation_beside_something_undecided_is_a_violation() {
    let both = format!("{ROOT}no-bus the socket is not there\n");
    let report = judge(&both, "", NOON);
    assert!(report.summary().undecided > 0);
    assert_eq!(report.verdict().code(), 1);
    let alone = judge("no-bus the socket is not there\n", "", NOON);
    assert_eq!(alone.verdict().code(), 2);
}
