//! Every rule against its own manual page: each `bad` block must break it and each `good` block must not,
//! applied to a host that the built-in contract is content with. The same hosts are written to a directory
//! and looked at through the kernel, which must give the same report.
//!
//! A block is a manifest (see `system::manifest`). Its lines that begin with `contract ` are a contract that
//! extends the built-in one; it stands on the host as /etc/golden/golden.toml. A line `signed` puts a signature of
//! the tests' own key beside it; `gated MODEL blocked RULE` and `approved MODEL BUY=N,… LOW..HIGH` are entries of golden's
//! ledger (see `past`). The model that is asked about is `momentum`. A block marked `good na` must
//! make the rule not applicable, any other `good` block must let it pass for at least one subject.
#![expect(
    clippy::disallowed_methods,
    reason = "hosts are written to directories, and the rules' files are counted"
)]

mod alone;
mod cases;
mod disk;
mod hostile;
mod mend;
mod past;
mod processes;
mod remedies;
mod remedies_of_services;
mod rendered;
mod replayed;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use super::{RULES, Rule, service};
use crate::audit::{Selection, audit};
use crate::contract::{Contract, NAMESPACE, Source};
use crate::facts::gather::{Asked, gather, probe, telemetry};
use crate::facts::{HostFacts, Need};
use crate::model::{Remedy, RuleResult, Said};
use crate::system::{MemorySystem, System, manifest};

/// The host that the built-in contract is content with.
const HOST: &str = include_str!("tests/quantum.host");

/// The service of it whose files the hostile tests change.
const SERVICE: &str = "quantum-backend.service";

/// Where a contract of a block stands.
const INSTALLED: &str = "/etc/golden/golden.toml";

/// A block of a manual page.
struct Block {
    /// What stands after the fence: `bad`, `good`, `good na`.
    kind: String,
    text: String,
}

fn blocks(rule: &Rule) -> Vec<Block> {
    let mut all = Vec::new();
    let mut open: Option<Block> = None;
    for line in rule.info.doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        match (line.strip_prefix("```"), &mut open) {
            (Some(""), _) => all.extend(open.take()),
            (Some(kind), _) => open = Some(Block { kind: kind.to_owned(), text: String::new() }),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    all
}

/// The host and the contract that a block makes.
fn stage(block: &str) -> Result<(MemorySystem, Contract), String> {
    let (contract, changes): (Vec<&str>, Vec<&str>) =
        block.lines().filter(|line| !is_of_tests(line)).partition(|line| line.starts_with("contract "));
    let is_signed = block.lines().any(|line| line == "signed");
    let mut host = MemorySystem::from_manifest(HOST)?;
    past::write(&mut host, block)?;
    if contract.is_empty() {
        manifest::apply(&mut host, &changes.join("\n"))?;
        return Ok((host, Contract::built_in()));
    }
    let mut text = "schema = 1\nextends = \"quantum\"\n".to_owned();
    contract.iter().for_each(|line| text.extend([&line["contract ".len()..], "\n"]));
    let mut installed = format!("file {INSTALLED} root:root 0644\n");
    text.lines().for_each(|line| installed.extend(["| ", line, "\n"]));
    manifest::apply(&mut host, &installed)?;
    manifest::apply(&mut host, &changes.join("\n"))?;
    let none = |_: &str| Err("nothing else is extended".to_owned());
    let parsed = Contract::parse(&text, INSTALLED, false, &none).map_err(|errors| format!("{errors:#?}"))?;
    if is_signed {
        let mut beside = format!("file {} root:root 0644\n", parsed.source.signature_path());
        signed(&parsed.source, TESTER).lines().for_each(|line| beside.extend(["| ", line, "\n"]));
        manifest::apply(&mut host, &beside)?;
    }
    Ok((host, parsed))
}

/// Lines that are no manifest: a signature, and what golden's ledger holds.
fn is_of_tests(line: &&str) -> bool {
    *line == "signed" || ["gated ", "approved "].iter().any(|word| line.starts_with(word))
}

/// The key that signs contracts of blocks.
const TESTER: u8 = 7;

/// A key for tests alone.
pub(crate) fn key(seed: u8) -> ssh_key::PrivateKey {
    let pair = ssh_key::private::Ed25519Keypair::from_seed(&[seed; 32]);
    ssh_key::PrivateKey::new(ssh_key::private::KeypairData::from(pair), "").unwrap()
}

/// An armoured signature over a contract.
pub(crate) fn signed(source: &Source, seed: u8) -> String {
    let message = source.signed_message();
    let signature = key(seed).sign(NAMESPACE, ssh_key::HashAlg::Sha512, message.as_bytes()).unwrap();
    signature.to_pem(ssh_key::LineEnding::LF).unwrap()
}

fn judge(system: &dyn System, contract: &Contract, rules: &[&str]) -> Vec<RuleResult> {
    let (facts, selection) = look(system, contract, rules);
    audit(contract, &facts, &selection, false).results.into_iter().collect()
}

/// What these rules need to see.
fn look(system: &dyn System, contract: &Contract, rules: &[&str]) -> (HostFacts, Selection) {
    let selection =
        Selection { rules: rules.iter().map(|id| (*id).to_owned()).collect(), ..Selection::default() };
    let mut facts = gather(system, contract, selection.needs(contract));
    if selection.wants_probe(contract) {
        probe(system, contract, |_| true, &mut facts);
    }
    if selection.wants_telemetry(contract) {
        let asked = Asked { model: Some("momentum".into()), ..Asked::default() };
        telemetry(system, contract, &asked, &mut facts);
    }
    (facts, selection)
}

/// What a block's rule must say, against what it says.
fn complaint(rule: &Rule, block: &Block) -> Option<String> {
    let (host, contract) = match stage(&block.text) {
        Ok(stage) => stage,
        Err(why) => return Some(why),
    };
    let results = judge(&host, &contract, &[rule.info.id]);
    let of_rule = || results.iter().filter(|result| result.rule.id == rule.info.id);
    let fails = of_rule().filter(|result| matches!(result.said, Said::Fail(_))).count();
    let passes = of_rule().filter(|result| matches!(result.said, Said::Pass)).count();
    let undecided = of_rule().any(|result| matches!(result.said, Said::Undecided(_)));
    let right = match block.kind.as_str() {
        "bad" => fails > 0,
        "good" => fails == 0 && passes > 0,
        "good na" => fails == 0 && passes == 0,
        _ => return Some("a block is bad, good or good na".to_owned()),
    };
    let evidence = of_rule().find_map(without_evidence);
    match (right && !undecided, evidence) {
        (true, None) => None,
        (true, Some(lack)) => Some(lack),
        (false, _) => Some(of_rule().fold(String::new(), |mut text, result| {
            let _ = writeln!(text, "{} {}: {:?}", result.subject, result.key_words(), result.said);
            text
        })),
    }
}

/// A finding says what is demanded, what is there and how to mend it.
fn without_evidence(result: &RuleResult) -> Option<String> {
    let Said::Fail(failure) = &result.said else { return None };
    let finding = &failure.finding;
    let empty = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
    let remedy = finding.remedy.as_ref().map(Remedy::text);
    let lacks = finding.message.is_empty() || finding.message.ends_with('.') || empty(&remedy);
    let evidence = empty(&finding.expected) || empty(&finding.observed);
    (lacks || evidence).then(|| format!("a finding without its evidence: {finding:#?}"))
}

#[test]
fn each_block_of_each_rule_says_what_it_is_there_for() {
    let mut wrong = Vec::new();
    for rule in RULES {
        for block in blocks(rule) {
            if let Some(why) = complaint(rule, &block) {
                wrong.push(format!("{}, this {} block:\n{}\n{why}", rule.info.id, block.kind, block.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn each_rule_has_its_manual_page() {
    let mut lacking = Vec::new();
    for rule in RULES {
        let blocks = blocks(rule);
        let has = |kind: &str| blocks.iter().any(|block| block.kind == kind);
        let info = &rule.info;
        if info.summary().is_empty()
            || info.why.is_empty()
            || info.why.ends_with('.')
            || !has("bad")
            || !has("good")
        {
            lacking.push(info.id);
        }
    }
    assert!(lacking.is_empty(), "summary, why, bad or good block missing: {lacking:?}");
}

/// A page names real manual pages, says in sentences how the defect is mended, and since which version it is found.
#[test]
fn each_rule_says_how_it_is_mended_and_where_to_read_on() {
    let changelog = include_str!("../../CHANGELOG.md");
    let unreleased = changelog.split_once("## [0.1.0]").unwrap().0;
    let is_page = |page: &&&str| {
        page.strip_suffix(')').and_then(|page| page.split_once('(')).is_some_and(|(name, section)| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
            !name.is_empty() && name.chars().all(plain) && matches!(section, "1" | "2" | "5" | "7" | "8")
        })
    };
    for info in RULES.iter().map(|rule| &rule.info) {
        assert!(info.man.iter().all(|page| is_page(&page)), "{}: {:?}", info.id, info.man);
        assert!(info.mend.ends_with('.') && info.mend.len() > 15, "{}: {:?}", info.id, info.mend);
        let is_new = unreleased.contains(&format!("`{}`", info.id));
        match info.since {
            "unreleased" => assert!(is_new, "{}: CHANGELOG.md has no entry under Unreleased", info.id),
            version => assert!(changelog.contains(&format!("## [{version}]")), "{}: {version}", info.id),
        }
    }
}

#[test]
fn each_rule_file_is_in_the_list_under_its_own_name() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules");
    let mut files = BTreeSet::new();
    for folder in ["host", "service", "model", "repository"] {
        for entry in std::fs::read_dir(rules.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            let stem = name.strip_suffix(".rs").expect("only rules lie in the folders of rules");
            assert!(files.insert(stem.replace('_', "-")), "{stem} occurs twice");
        }
    }
    let ids: Vec<&str> = RULES.iter().map(|rule| rule.info.id).collect();
    let listed: BTreeSet<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    assert_eq!(listed.len(), ids.len(), "an id occurs twice");
    assert_eq!(listed, files, "left: the list, right: the files");
}

/// With the facts of all rules at hand, each rule still sees only what it declared.
#[test]
fn the_host_of_the_tests_is_compliant() {
    let (host, contract) = stage("").unwrap();
    let wrong: Vec<String> = judge(&host, &contract, &[])
        .iter()
        .filter(|result| matches!(result.said, Said::Fail(_) | Said::Undecided(_)))
        .map(|result| {
            format!("{} {} {}: {:?}", result.rule.id, result.subject, result.key_words(), result.said)
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A rule that does not declare what it needs would be undecided in its own blocks; this names it.
#[test]
fn no_rule_reaches_for_what_it_did_not_declare() {
    let mut wrong = BTreeSet::new();
    for rule in RULES {
        let hosts = blocks(rule).into_iter().map(|block| block.text).chain([String::new()]);
        for (host, contract) in hosts.map(|block| stage(&block).unwrap()) {
            for result in judge(&host, &contract, &[rule.info.id]) {
                if let Said::Undecided(undecided) = &result.said
                    && undecided.why.contains("did not declare")
                {
                    wrong.insert(format!("{}: {}", rule.info.id, undecided.why));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Nothing is run that nobody asked for; then a rule that would judge it has no word, and a waiver of it is no relic.
#[test]
fn without_being_asked_nothing_is_run() {
    let id = service::venv_does_not_run::RULE.info.id;
    let waiver = "\n[[waivers]]\nrule = \"venv-does-not-run\"\nsubject = \"service:backend\"\nreason = \"being made anew\"\n\
                  owner = \"someone@the.team\"\nexpires = 2099-12-31\n";
    let text = format!("schema = 1\nextends = \"quantum\"\n{waiver}");
    let contract = Contract::parse(&text, INSTALLED, false, &|_| Err(String::new())).unwrap();
    let (mut host, _) = stage("").unwrap();
    manifest::apply(&mut host, "python /opt/quantum/venvs/backend signal=11").unwrap();
    let said = |asked: bool| {
        let selection = Selection { rules: vec![id.to_owned()], ..Selection::default() };
        let mut facts = gather(&host, &contract, selection.needs(&contract));
        assert!(facts.pythons.is_empty() && !facts.gathered.has(Need::Probes));
        if asked {
            probe(&host, &contract, |name| name == "backend", &mut facts);
            assert_eq!(facts.pythons.len(), 1, "only what was asked about is run");
        }
        audit(&contract, &facts, &selection, false)
    };
    let silent = said(false).summary();
    assert_eq!((silent.not_applicable, silent.warn, silent.pass, silent.fail), (4, 0, 0, 0));
    let asked = said(true).summary();
    assert_eq!((asked.waived, asked.undecided), (1, 3));
}

/// The first law: what could not be read is neither right nor wrong.
#[test]
fn what_cannot_be_read_is_undecided() {
    let mut wrong = Vec::new();
    for (rule, closed) in [
        ("place-missing", "/opt/quantum/data"),
        ("place-owner-wrong", "/opt/quantum/data/backups"),
        ("place-mode-wrong", "/opt/quantum/data"),
        ("place-on-link", "/home/qt/quantum_trader"),
        ("place-misplaced", "/opt/quantum"),
        ("journal-not-persistent", "/etc/systemd/journald.conf.d"),
        ("journal-not-persistent", "/var/log/journal"),
        ("log-rotation-missing", "/etc/logrotate.d/quantum"),
        ("log-rotation-missing", "/etc/logrotate.d"),
        ("model-archive-misnamed", "/opt/quantum/ai_engine/models/archive"),
        ("venv-missing", "/opt/quantum/venvs/backend"),
        ("venv-is-link", "/opt/quantum/venvs/backend"),
        ("venv-config-invalid", "/opt/quantum/venvs/backend/pyvenv.cfg"),
        ("venv-sees-system-packages", "/opt/quantum/venvs/backend/pyvenv.cfg"),
        ("venv-python-broken", "/opt/quantum/venvs/backend/bin/python"),
        ("venv-python-broken", "/usr/lib64/ld-linux-x86-64.so.2"),
        ("venv-moved", "/opt/quantum/venvs/backend/bin/uvicorn"),
        ("repository-not-a-work-tree", "/home/qt/quantum_trader/.git"),
        ("repository-not-a-work-tree", "/home/qt/quantum_trader/.git/config"),
        ("repository-cloned-twice", "/opt/closed"),
        ("repository-holds-forbidden-file", "/home/qt/quantum_trader/src/closed"),
        ("repository-holds-forbidden-file", "/home/qt/quantum_trader/.git/index"),
        ("wrapper-missing", "/home/qt/quantum_trader/ops/run.sh"),
        ("wrapper-not-executable", "/home/qt/quantum_trader/ops/run.sh"),
        ("makefile-missing", "/home/qt/quantum_trader/Makefile"),
        ("makefile-target-missing", "/home/qt/quantum_trader/Makefile"),
        ("makefile-bypasses-wrapper", "/home/qt/quantum_trader/Makefile"),
        ("script-calls-system-python", "/home/qt/quantum_trader/ops/training"),
        ("job-script-missing", "/home/qt/quantum_trader/ops/training/train_patchtst.py"),
        ("plan-interrupted", "/var/lib/golden/plans"),
        ("plan-interrupted", "/var/lib/golden/plans/x/journal.json"),
        ("ledger-broken", "/var/lib/golden/ledger.jsonl"),
        ("venv-does-not-run", "/opt/quantum/venvs/backend/pyvenv.cfg"),
    ] {
        let (host, contract) = stage(&format!("unreadable {closed} permission denied")).unwrap();
        let results = judge(&host, &contract, &[rule]);
        let undecided = results.iter().any(|result| matches!(result.said, Said::Undecided(_)));
        let failed = results.iter().any(|result| matches!(result.said, Said::Fail(_)));
        if !undecided || failed {
            let said: Vec<_> = results.iter().map(|result| &result.said).collect();
            wrong.push(format!("{rule} with {closed}: {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same for the files that approve a contract, which only a contract with an approval has.
#[test]
fn an_approval_that_cannot_be_read_is_undecided() {
    let page = crate::rules::host::contract_not_approved::RULE.info.id;
    let good = blocks(Rule::find(page).unwrap()).into_iter().find(|block| block.kind == "good").unwrap().text;
    let huge = "x".repeat(300 << 10);
    for change in [
        "unreadable /etc/golden/golden.toml.sig permission denied".to_owned(),
        "unreadable /etc/golden/allowed_signers permission denied".to_owned(),
        "remove /etc/golden/golden.toml".to_owned(),
        format!("file /etc/golden/golden.toml.sig root:root 0644\n| {huge}"),
        "data /etc/golden/golden.toml.sig root:root 0644\n| \\xff\\xfe".to_owned(),
    ] {
        let (mut host, contract) = stage(&good).unwrap();
        manifest::apply(&mut host, &change).unwrap();
        let results = judge(&host, &contract, &[page]);
        let undecided = results.iter().all(|result| matches!(result.said, Said::Undecided(_)));
        assert!(!results.is_empty() && undecided, "{:.80}: {:?}", change, results[0].said);
    }
}
