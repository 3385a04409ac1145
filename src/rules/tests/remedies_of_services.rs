//! What golden would do about findings of env files, venvs, accounts and Redis' names: the smallest change that the
//! contract or the host's own files state, else a question. Each case is a block, the rule, and how its remedy begins.

use super::{RULES, blocks, judge, stage};
use crate::model::{Change, Said};

/// The remedies of a rule on the host of a block, as text.
fn remedies(block: &str, rule: &str) -> Vec<String> {
    let (host, contract) = stage(block).unwrap();
    let results = judge(&host, &contract, &[rule]);
    let text = |result: &crate::model::RuleResult| match &result.said {
        Said::Fail(failure) => failure.finding.remedy.as_ref().map(crate::model::Remedy::text),
        _ => None,
    };
    results.iter().filter_map(text).collect()
}

const TWO_FILES: &str = "\
contract [services.backend]
contract env_files = [\"/etc/quantum/common.env\", \"/etc/quantum/backend.env\"]
replace /etc/systemd/system/quantum-backend.service
- EnvironmentFile=/etc/quantum/backend.env
+ EnvironmentFile=/etc/quantum/common.env
+ EnvironmentFile=/etc/quantum/backend.env
file /etc/quantum/common.env root:qt 0640
| REDIS_DB=3
";

#[test]
fn values_are_written_only_where_something_states_them() {
    let line = |change: &str| format!("replace /etc/quantum/backend.env\n{change}");
    let set = |line: u32, text: &str| {
        format!(r"sed -i '{line}{{:a;/\\$/{{N;ba}};s|.*|{text}|}}' /etc/quantum/backend.env")
    };
    let choice = "contract [services.backend]\ncontract variables = { MODE = { one_of = [\"a\", \"b\"] }, N = { min = 1, max = 9 } }\n";
    let shared = "contract [services.execution]\ncontract env_files = [\"/etc/quantum/backend.env\"]\n";
    let no_file =
        "contract [services.backend]\ncontract env_files = []\ncontract variables = { MODE = \"a b\" }\n";
    let cases: Vec<(String, &str, String)> = vec![
        // What a dropped line means is kept, and both rules say the same.
        (line("- REDIS_DB=0\n+ export REDIS_DB=7"), "env-line-ignored", set(9, "REDIS_DB=7")),
        (line("- REDIS_DB=0\n+ export REDIS_DB=7"), "env-variable-missing", set(9, "REDIS_DB=7")),
        (line("+ export LOG_LEVEL=DEBUG"), "env-line-ignored", "decide whether line 13".into()),
        (line("+ export LD_PRELOAD=/x.so"), "env-line-ignored", "decide whether line 13".into()),
        (line("+ export MY_TOKEN=hunter2hunter2"), "env-line-ignored", "decide whether line 13".into()),
        // A comment behind a value.
        (line("- LOG_LEVEL=INFO\n+ LOG_LEVEL=DEBUG # x"), "env-value-mangled", set(5, "LOG_LEVEL=DEBUG")),
        (line("- LOG_LEVEL=INFO\n+ LOG_LEVEL=DEBUG # x"), "env-variable-wrong", set(5, "LOG_LEVEL=DEBUG")),
        (line("- LOG_LEVEL=INFO\n+ LOG_LEVEL=DEBUG # x"), "env-value-ambiguous", "mend line 5".into()),
        // Equal lines.
        (
            line("+ LOG_LEVEL=INFO"),
            "env-variable-duplicated",
            r"sed -i '5{:a;/\\$/{N;ba};s/[^\n]*//g}'".into(),
        ),
        // An earlier file counts before what [provision] has; a choice is a person's.
        (
            format!("{TWO_FILES}{}", line("- REDIS_DB=0\n+ REDIS_DB=99")),
            "env-variable-wrong",
            set(9, "REDIS_DB=3"),
        ),
        (line("- LOG_LEVEL=INFO\n+ LOG_LEVEL=LOUD"), "env-variable-wrong", set(5, "LOG_LEVEL=INFO")),
        (choice.into(), "env-variable-missing", "choose a value for MODE".into()),
        (choice.into(), "env-variable-missing", "choose a number from 1 to 9 for N".into()),
        (
            no_file.into(),
            "env-variable-missing",
            "mkdir -p /etc/systemd/system/quantum-backend.service.d".into(),
        ),
        // Another reader of the file, and a file in which a line would not count.
        (
            format!("{shared}{}", line("- SERVICE_NAME=backend")),
            "env-variable-missing",
            "decide about SERVICE_NAME".into(),
        ),
        (
            line("- LOG_LEVEL=INFO\n+ A=\"x"),
            "env-variable-missing",
            "correct LOG_LEVEL in /etc/quantum/backend.env, but first close".into(),
        ),
        // Two rules that speak of one file do not undo each other.
        ("mode /etc/quantum/ai-engine.env 0602".into(), "env-file-unreachable", "narrow".into()),
    ];
    for (block, rule, expected) in cases {
        let found = remedies(&block, rule);
        assert!(
            found.iter().any(|text| text.starts_with(&expected)),
            "{rule}\n{block}\n{expected}\n{found:#?}"
        );
    }
}

#[test]
fn a_venv_is_linked_again_only_to_the_same_version() {
    let gone = "remove /opt/quantum/venvs/backend/bin/python\n\
        link /opt/quantum/venvs/backend/bin/python -> /opt/gone/python3.11\n";
    let link = "ln -sfn -- /usr/bin/python3.11 /opt/quantum/venvs/backend/bin/python";
    assert_eq!(remedies(gone, "venv-python-broken"), [link]);
    let newer = format!("{gone}move /usr/bin/python3.11 -> /usr/bin/python3.13\n");
    assert!(remedies(&newer, "venv-python-broken").iter().all(|text| text.starts_with("restore ")));
}

#[test]
fn no_secret_is_shown_or_opened() {
    let secret = "contract [services.backend]\n\
        contract env_files = [{ path = \"/etc/quantum/backend.env\", secret = true }]\n";
    let block = format!(
        "{secret}replace /etc/quantum/backend.env\n+ KEY_MATERIAL=hunter2$hunter2\n+ hunter2 hunter2\n"
    );
    let (host, contract) = stage(&block).unwrap();
    let rules: Vec<&str> =
        RULES.iter().map(|rule| rule.info.id).filter(|id| id.starts_with("env-")).collect();
    let said = format!("{:?}", judge(&host, &contract, &rules));
    assert!(said.contains("KEY_MATERIAL") && !said.contains("hunter2"), "{said}");
    // Where a job of the contract runs, its user must read the file.
    let closed = format!("{}mode /etc/quantum/ai-engine.env 0600", secret.replace("backend", "ai-engine"));
    assert!(remedies(&closed, "env-file-unreachable")[0].starts_with("decide whether qt may read"));
    let roots = format!("{secret}owner /etc/quantum/backend.env root:root");
    assert!(remedies(&roots, "env-file-owner-wrong")[0].starts_with("decide whether qt may read"));
}

#[test]
fn no_account_is_made_where_the_host_asks_elsewhere() {
    let block = "file /etc/nsswitch.conf root:root 0644\n| passwd: files sss\n\
        replace /etc/passwd\n- qt:x:1000:1000::/home/qt:/bin/bash\n";
    let (host, contract) = stage(block).unwrap();
    let results = judge(&host, &contract, &["account-missing"]);
    assert!(!results.is_empty() && results.iter().all(|result| matches!(result.said, Said::Undecided(_))));
}

#[test]
fn no_change_touches_sudoers_or_what_packages_own() {
    for rule in RULES
        .iter()
        .filter(|rule| ["account-", "venv-", "env-"].iter().any(|of| rule.info.id.starts_with(of)))
    {
        for block in blocks(rule).into_iter().filter(|block| block.kind == "bad") {
            let (host, contract) = stage(&block.text).unwrap();
            for result in judge(&host, &contract, &[rule.info.id]) {
                let Said::Fail(failure) = &result.said else { continue };
                let changes = failure.finding.remedy.as_ref().map_or(&[][..], |remedy| remedy.list());
                for path in changes.iter().flat_map(Change::touches) {
                    assert!(!path.starts_with("/usr/") && !path.starts_with("/etc/sudoers"), "{path}");
                }
            }
        }
    }
}
