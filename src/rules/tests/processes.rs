//! What a process was started with: unknown where it cannot be seen, never shown where it is secret.

use super::{judge, stage};
use crate::audit::{Selection, audit};
use crate::facts::HostFacts;
use crate::facts::gather::gather;
use crate::model::{Remedy, RuleResult, Said};

const RULE: &str = "process-variable-wrong";

fn said(block: &str) -> Vec<RuleResult> {
    let (host, contract) = stage(block).unwrap();
    judge(&host, &contract, &[RULE])
}

#[test]
fn what_cannot_be_seen_of_a_process_is_undecided() {
    let results = said("environ-silent 1001 /proc/1001/environ: Permission denied");
    let undecided: Vec<_> =
        results.iter().filter(|result| matches!(result.said, Said::Undecided(_))).collect();
    assert_eq!(undecided.len(), 12, "each variable of the one service");
    assert!(undecided.iter().all(|result| result.subject.to_string() == "service:backend"));
    assert!(results.iter().all(|result| !matches!(result.said, Said::Fail(_))));
}

/// Between fork and exec the process is the manager's: its program, its user, its environment.
#[test]
fn a_process_that_is_being_started_is_judged_by_no_rule() {
    const RULES: [&str; 3] = ["process-variable-wrong", "process-user-wrong", "process-executable-wrong"];
    for starter in
        ["/usr/lib/systemd/systemd", "/lib/systemd/systemd-executor", "/usr/lib/systemd/systemd (deleted)"]
    {
        let block = format!(
            "process 1001 exe={} uid=0 gid=0\nenviron 1001\n| PATH=/bin\n",
            starter.replace(' ', "%")
        );
        let (mut host, contract) = stage(&block).unwrap();
        let process = host.answers.as_mut().and_then(|answers| answers.processes.get_mut(&1001)).unwrap();
        process.0.executable = crate::model::Observed::Found(starter.to_owned());
        let results = judge(&host, &contract, &RULES);
        let of_it = results.iter().filter(|result| result.subject.to_string() == "service:backend");
        let mut count = 0;
        for result in of_it.filter(|result| !matches!(result.said, Said::NotApplicable(_))) {
            assert!(matches!(result.said, Said::Undecided(_)), "{result:?}");
            count += 1;
        }
        assert!(count >= 3, "{count}");
    }
}

#[test]
fn a_restart_does_not_help_where_the_command_sets_the_variable() {
    let remedy = |block: &str| {
        let failed = said(block).into_iter().find_map(|result| match result.said {
            Said::Fail(failure) => failure.finding.remedy,
            _ => None,
        });
        failed.unwrap()
    };
    let old = "environ 1001\n| SHADOW_MODE=disabled\n";
    let shell = remedy(old).shell();
    assert!(shell.contains("restart -- quantum-backend.service"), "{shell}");
    let set = format!(
        "{old}file /etc/systemd/system/quantum-backend.service.d/x.conf root:root 0644\n| [Service]\n| ExecStart=\n\
         | ExecStart=/usr/bin/env SHADOW_MODE=disabled /opt/quantum/venvs/backend/bin/uvicorn x\n"
    );
    assert!(matches!(remedy(&set), Remedy::Decide(_)), "{set}");
}

#[test]
fn a_secret_of_a_process_is_neither_shown_nor_recorded() {
    let block = "contract [services.backend.variables]\ncontract TRADE_TOKEN = \"s3cret-right\"\n\
        contract AWS = { absent = true }\n\
        replace /etc/quantum/backend.env\n+ TRADE_TOKEN=s3cret-right\n\
        environ 1001\n| TRADE_TOKEN=s3cret-wrong\n| AWS=s3cret-other\n| HOME=/home/qt\n";
    let (host, contract) = stage(block).unwrap();
    let results = judge(&host, &contract, &[RULE]);
    let failed = results.iter().filter(|result| matches!(result.said, Said::Fail(_))).count();
    assert!(failed == 2 && !format!("{results:?}").contains("s3cret-wrong"), "{results:#?}");

    let selection = Selection { rules: vec![RULE.to_owned()], ..Selection::default() };
    let mut facts = gather(&host, &contract, selection.needs(&contract));
    facts.hide_secrets(&contract);
    let text = serde_json::to_string(&facts).unwrap();
    assert!(!text.contains("s3cret") && text.contains("\"LOG_LEVEL\":\"INFO\""), "{text}");
    assert!(!text.contains("/home/qt\",\"LOG"), "only what is demanded is recorded");
    let facts: HostFacts = serde_json::from_str(&text).unwrap();
    let report = audit(&contract, &facts, &selection, true);
    let token = report.results.iter().filter(|result| result.key.as_deref() == Some("TRADE_TOKEN"));
    let words: Vec<_> = token.filter(|result| result.subject.to_string() == "service:backend").collect();
    assert!(words.iter().all(|result| !matches!(result.said, Said::Fail(_) | Said::Pass)), "{words:#?}");
}

/// What the rule about health says of the one service that has any.
fn health(block: &str) -> Said {
    let (host, contract) = stage(block).unwrap();
    let mut results = judge(&host, &contract, &["service-not-answering"]).into_iter();
    results.find(|result| result.subject.to_string() == "service:backend").unwrap().said
}

#[test]
fn the_health_of_what_runs_is_asked_and_of_nothing_else() {
    let unwell = "server 127.0.0.1:8000 says answers GET /health with 503";
    assert!(matches!(health(unwell), Said::Fail(_)));
    let stopped = "unit quantum-backend.service LoadState=loaded ActiveState=inactive SubState=dead";
    for state in [stopped, "unit quantum-backend.service LoadState=loaded ActiveState=failed SubState=failed"]
    {
        assert!(matches!(health(&format!("{unwell}\n{state}")), Said::NotApplicable(_)), "{state}");
    }
    assert!(matches!(health("server 127.0.0.1:8000 silent timed out"), Said::Undecided(_)));
}

#[test]
fn facts_from_before_health_was_asked_say_nothing_of_it() {
    let (host, contract) = stage("").unwrap();
    let selection = Selection { rules: vec!["service-not-answering".to_owned()], ..Selection::default() };
    let mut facts = gather(&host, &contract, selection.needs(&contract));
    assert_eq!(facts.answers.len(), 1, "only one service has any");
    facts.answers.clear();
    let report = audit(&contract, &facts, &selection, true);
    let undecided = report.results.iter().filter(|result| matches!(result.said, Said::Undecided(_)));
    assert_eq!(undecided.count(), 1);
}

/// How a rule judged the backend.
fn of_backend(rule: &str, block: &str) -> String {
    let (host, contract) = stage(block).unwrap_or_else(|why| panic!("{block}: {why}"));
    let results = judge(&host, &contract, &[rule]);
    let of_it = results.into_iter().find(|result| result.subject.to_string() == "service:backend").unwrap();
    match of_it.said {
        Said::Fail(failure) => format!("fails: {}", failure.finding.message),
        Said::Undecided(why) => format!("undecided: {}", why.why),
        Said::Pass => "passes".to_owned(),
        Said::NotApplicable(why) => format!("not applicable: {why}"),
    }
}

#[test]
fn a_port_is_judged_by_what_is_seen_alone() {
    let says = |ports: &str, block: &str| {
        let block = format!(
            "contract [services.backend]\ncontract ports = {ports}\n\
             process 1002 exe=/opt/quantum/venvs/backend/bin/python uid=996 gid=996 cwd=/ sockets=77\n\
             unit quantum-backend.service MainPID=1002\n{block}"
        );
        ["port-not-listening", "port-not-declared"].map(|rule| of_backend(rule, &block))
    };
    let both = |said: [String; 2], begin: &str| {
        assert!(said.iter().all(|said| said.starts_with(begin)), "{begin}: {said:?}");
    };
    // As a socket for both families has it.
    both(says(r#"["127.0.0.1:80"]"#, "listen ::ffff:127.0.0.1 80 77"), "passes");
    both(says(r#"["80"]"#, "listen :: 80 77"), "passes");
    // Somebody else's socket.
    let [listening, declared] = says(r#"["80"]"#, "listen 0.0.0.0 80 1");
    assert_eq!(listening, "fails: it does not listen at *:80");
    assert_eq!(declared, "passes");
    let [listening, declared] = says(r#"["80"]"#, "listen 127.0.0.1 80 77");
    assert_eq!(listening, "fails: it does not listen at *:80; it listens at 127.0.0.1:80 alone");
    assert_eq!(declared, "passes");
    let [listening, declared] = says("[]", "listen 127.0.0.1 9229 77");
    assert_eq!(listening, "passes");
    assert_eq!(declared, "fails: it listens at 127.0.0.1:9229, which the contract does not name");
    let drop_in = |line: &str| {
        format!(
            "file /etc/systemd/system/quantum-backend.service.d/net.conf root:root 0644\n| [Service]\n| {line}\n"
        )
    };
    for own in ["PrivateNetwork=yes", "NetworkNamespacePath=/run/netns/x"] {
        both(says(r#"["80"]"#, &drop_in(own)), "undecided: it has a network of its own");
    }
    both(says(r#"["80"]"#, "unit quantum-backend.service ActiveState=inactive MainPID=0"), "not applicable");
}

#[test]
fn a_processor_is_missing_where_the_host_shows_others() {
    let says = |line: &str, files: &str| {
        of_backend(
            "start-processor-missing",
            &format!(
                "{files}\nfile /etc/systemd/system/quantum-backend.service.d/cpu.conf root:root 0644\n| [Service]\n| {line}\n"
            ),
        )
    };
    let two = "file /sys/devices/system/cpu/online root:root 0444\n| 0-1";
    let node = "file /sys/devices/system/node/online root:root 0444\n| 0";
    assert!(says("CPUAffinity=4-7", two).starts_with("fails: cannot start (215/CPUAFFINITY)"));
    assert_eq!(says("CPUAffinity=1 900", two), "passes");
    assert!(says("CPUAffinity=4-7", "").starts_with("undecided"), "no list is no proof");
    let unlisted = "file /sys/devices/system/cpu/online root:root 0444\n| many";
    assert!(says("CPUAffinity=4-7", unlisted).starts_with("undecided"));
    assert!(
        says("NUMAMask=1", &format!("{two}\n{node}")).starts_with("fails: cannot start (242/NUMA_POLICY)")
    );
    assert!(says("NUMAMask=1", two).starts_with("undecided"), "a kernel may know no nodes");
}
