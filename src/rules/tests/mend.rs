//! The changes of findings as the shell that is printed for people, run on the host of the block, after which the rule
//! must be content. The host's directories lie over those of this machine in a mount namespace of their own; what
//! systemctl would do is left out, so changes of a unit's state are not tried here, and neither is what a person decides.

use std::fs::{create_dir_all, write as write_file};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::disk::write;
use super::{RULES, blocks, judge, stage};
use crate::model::{Change, How, Remedy, Said, Subject, Verb};
use crate::system::DiskSystem;

/// Directories of this machine over which the host's are laid.
const MOUNTED: &[&str] = &["/etc", "/opt", "/home", "/run"];

fn run(root: &Path, command: &str) -> Result<(), String> {
    let mounts: String = MOUNTED
        .iter()
        .filter(|path| root.join(&path[1..]).exists())
        .map(|path| format!("mount --bind {}{path} {path} && ", root.display()))
        .collect();
    let script = format!("{mounts}export PATH={}/stub:$PATH && {command}", root.display());
    let output =
        Command::new("unshare").args(["-m", "sh", "-c", &script]).output().map_err(|why| why.to_string())?;
    output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Changes of files, below what is mounted. An account is made in the files of the machine that the test runs on.
fn is_tried(remedy: &Remedy) -> bool {
    let changes_a_file = |change: &Change| !change.touches().is_empty();
    let is_account = |change: &Change| matches!(change, Change::Account { .. } | Change::LeaveGroup { .. });
    let changes_a_link = |change: &Change| {
        matches!(change, Change::Unit { verb: Verb::Enable | Verb::Disable | Verb::Mask | Verb::Unmask, .. })
    };
    let changes = remedy.list();
    changes.iter().any(changes_a_file) && !changes.iter().any(|one| is_account(one) || changes_a_link(one))
}

#[test]
fn mend_commands_mend() {
    if crate::skip::without_root() {
        return;
    }
    let wanted = |id: &str| id.starts_with("unit-") || id.starts_with("start-");
    let mut wrong = Vec::new();
    let mut tried = 0;
    for rule in RULES.iter().filter(|rule| wanted(rule.info.id)) {
        for block in blocks(rule).into_iter().filter(|block| block.kind == "bad") {
            let (host, contract) = stage(&block.text).unwrap();
            let directory = tempfile::tempdir().unwrap();
            write(&host, directory.path(), b"").unwrap();
            let stub = directory.path().join("stub");
            create_dir_all(&stub).unwrap();
            // The users of the host have no sessions on this machine; what is done as one of them is done all the same.
            for (name, text) in
                [("systemctl", "#!/bin/sh\n"), ("runuser", "#!/bin/sh\nshift 3\nexec \"$@\"\n")]
            {
                write_file(stub.join(name), text).unwrap();
                std::fs::set_permissions(stub.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            let judged = || {
                let disk = DiskSystem::rooted(directory.path()).unwrap();
                judge(&disk, &contract, &[rule.info.id])
            };
            let mut left = 0;
            for result in judged() {
                let Said::Fail(failure) = &result.said else { continue };
                let Some(remedy) = failure.finding.remedy.as_ref().filter(|remedy| is_tried(remedy)) else {
                    left += 1;
                    continue;
                };
                let command = remedy.shell();
                tried += 1;
                if let Err(why) = run(directory.path(), &command) {
                    wrong.push(format!("{}: {command}\n{why}", rule.info.id));
                }
            }
            let still: Vec<_> =
                judged().into_iter().filter(|result| matches!(result.said, Said::Fail(_))).collect();
            if still.len() > left {
                let said = still.iter().filter_map(|result| match &result.said {
                    Said::Fail(failure) => Some((&failure.finding.message, failure.finding.remedy.as_ref())),
                    _ => None,
                });
                let said: Vec<String> = said
                    .map(|(message, remedy)| {
                        format!("{message}: {}", remedy.map_or(String::new(), Remedy::text))
                    })
                    .collect();
                wrong.push(format!("{}:\n{}{}", rule.info.id, block.text, said.join("\n")));
            }
        }
    }
    assert!(tried > 30, "{tried}");
    assert!(wrong.is_empty(), "{} of {tried} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// What is to be done about what a rule finds of the backend on a host.
fn remedy(rule: &str, block: &str) -> Remedy {
    let (host, contract) = stage(block).unwrap();
    let results = judge(&host, &contract, &[rule]);
    let backend = Subject::Service("backend".into());
    let of_backend = results.into_iter().filter(|result| result.subject == backend);
    let failures = of_backend.filter_map(|result| match result.said {
        Said::Fail(failure) => failure.finding.remedy,
        _ => None,
    });
    let remedies: Vec<Remedy> = failures.collect();
    assert_eq!(remedies.len(), 1, "{rule}: {remedies:#?}");
    remedies.into_iter().next().unwrap()
}

/// A drop-in of the backend with these lines.
fn drop_in(lines: &[&str]) -> String {
    let mut text = "file /etc/systemd/system/quantum-backend.service.d/a.conf root:root 0644\n".to_owned();
    lines.iter().for_each(|line| text.extend(["| ", line, "\n"]));
    text
}

/// The values that a remedy gives to a setting.
fn values(remedy: &Remedy, wanted: &str) -> Vec<String> {
    let set = |change: &Change| match change {
        Change::Setting { key, values, .. } if key == wanted => Some(values.clone()),
        _ => None,
    };
    remedy.list().iter().find_map(set).unwrap_or_else(|| panic!("{remedy:#?}"))
}

#[test]
fn further_arguments_of_a_command_stay() {
    let contract = "contract [services.backend]\ncontract command = [\"uvicorn\", \"src.backend.app:app\"]\n";
    let runs = |line: &str| {
        let unit = drop_in(&["[Service]", "ExecStart=", &format!("ExecStart={line}")]);
        remedy("unit-exec-wrong", &format!("{contract}{unit}"))
    };
    let right = "/opt/quantum/venvs/backend/bin/uvicorn src.backend.app:app";
    for (present, wanted) in [
        ("/opt/y/bin/uvicorn src.backend.app:app --workers 8", format!("{right} --workers 8")),
        ("/opt/y/bin/uvicorn src.old:app %j \"a b\" ${X}", format!("{right} %j \"a b\" ${{X}}")),
        ("/opt/y/bin/uvicorn", right.to_owned()),
        ("/usr/bin/true", right.to_owned()),
    ] {
        assert_eq!(values(&runs(present), "ExecStart"), [wanted]);
    }
    // Whose arguments these are, nobody can tell.
    for present in ["/usr/bin/other src.backend.app:app -c 8", "/opt/y/bin/uvicorn --workers 8 src.old:app"] {
        assert!(runs(present).is_a_persons(), "{present}");
    }
}

#[test]
fn findings_about_one_list_bring_one_remedy() {
    let pre = "ExecStartPre=-/usr/bin/python3";
    let block =
        drop_in(&["[Service]", &format!("{pre} -c 1"), "ExecStartPre=/bin/true", &format!("{pre} -c 2")]);
    let (host, contract) = stage(&block).unwrap();
    let mut remedies = Vec::new();
    for result in judge(&host, &contract, &["unit-exec-outside-venv", "unit-uses-system-python"]) {
        if let Said::Fail(failure) = result.said {
            remedies.extend(failure.finding.remedy);
        }
    }
    assert!(remedies.len() > 1 && remedies.iter().all(|remedy| *remedy == remedies[0]), "{remedies:#?}");
    let own = "-/opt/quantum/venvs/backend/bin/python3";
    assert_eq!(
        values(&remedies[0], "ExecStartPre")[1..],
        [format!("{own} -c 1"), "/bin/true".into(), format!("{own} -c 2")]
    );
}

#[test]
fn what_only_systemd_reads_needs_no_restart() {
    let restarts = |remedy: &Remedy| {
        remedy.list().iter().any(|change| matches!(change, Change::Unit { verb: Verb::Restart, .. }))
    };
    let settings = |lines: &[&str]| remedy("unit-setting-wrong", &drop_in(lines));
    assert!(!restarts(&settings(&["[Service]", "RestartSec=10min"])));
    assert!(restarts(&settings(&["[Service]", "StandardError=null"])));
    assert!(restarts(&remedy("unit-user-wrong", &drop_in(&["[Service]", "User=nobody"]))));
}

#[test]
fn a_list_that_systemd_resets_is_replaced_after_the_drop_in_that_spoils_it() {
    let spoilt = "file /etc/systemd/system/quantum-backend.service.d/zzz-late.conf root:root 0644\n| [Service]\n\
                  | EnvironmentFile=/etc/other.env\n";
    let remedy = remedy("unit-env-file-wrong", spoilt);
    let [Change::Setting { how, over, .. }, ..] = remedy.list() else { panic!("{remedy:#?}") };
    assert_eq!((*how, over.as_deref()), (How::Replace, Some("zzz-late.conf")));
    assert!(remedy.shell().contains("/zzzz-golden.conf"), "{}", remedy.shell());
}

#[test]
fn golden_opens_what_the_contract_names_and_nothing_on_the_way() {
    let opens = |change: &str| {
        !remedy(
            "start-script-missing",
            &format!(
                "{}{change}",
                drop_in(&[
                    "[Service]",
                    "ExecStart=",
                    "ExecStart=/opt/quantum/venvs/backend/bin/python /home/qt/quantum_trader/here.py",
                ])
            ),
        )
        .is_a_persons()
    };
    assert!(opens("file /home/qt/quantum_trader/here.py qt:qt 0644\nmode /home/qt/quantum_trader 0600\n"));
    assert!(!opens("file /home/qt/quantum_trader/here.py qt:qt 0644\nmode /home/qt 0600\n"));
    assert!(!opens("file /home/qt/quantum_trader/here.py root:root 0600\n"), "it may hold a secret");
}

#[test]
fn a_setting_that_golden_does_not_know_is_never_deleted() {
    for line in ["Usr=qt", "TimeoutStopSec=many # c", "NoSuchThing=5 # c"] {
        assert!(remedy("unit-setting-ignored", &drop_in(&["[Service]", line])).is_a_persons(), "{line}");
    }
    // In the wrong section a line goes where the right one holds what the contract states.
    assert!(remedy("unit-setting-ignored", &drop_in(&["[Unit]", "TimeoutStopSec=5"])).is_a_persons());
    let settled = remedy("unit-setting-ignored", &drop_in(&["[Unit]", "RestartSec=5 # c"]));
    assert!(matches!(settled.list().first(), Some(Change::UnitLine { text: None, .. })), "{settled:#?}");
    for (line, is_meant) in [
        ("RestartSec=5 # c", "RestartSec=5"),
        // The contract states a value where this is none.
        ("RestartSec=many # c", "RestartSec=10"),
        ("EnvironmentFile=\"/etc/quantum/backend.env\"", "EnvironmentFile=/etc/quantum/backend.env"),
    ] {
        let meant = remedy("unit-setting-ignored", &drop_in(&["[Service]", line]));
        let [Change::UnitLine { line: 2, text: Some(text), .. }, ..] = meant.list() else {
            panic!("{meant:#?}")
        };
        assert_eq!(text, is_meant);
    }
    // A line that holds for other units too is a person's.
    let of_a_type =
        "file /etc/systemd/system/service.d/a.conf root:root 0644\n| [Service]\n| RestartSec=5 # c\n";
    let (host, contract) = stage(of_a_type).unwrap();
    for result in judge(&host, &contract, &["unit-setting-ignored"]) {
        if let Said::Fail(failure) = result.said {
            assert!(failure.finding.remedy.unwrap().is_a_persons());
        }
    }
}
