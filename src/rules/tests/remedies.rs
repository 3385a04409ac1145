//! What is to be done about findings of the host and of the repository: what golden changes itself, word by word, and
//! what it leaves to a person.

use super::{judge, stage};
use crate::model::{Change, Remedy, Said};

/// The remedies of a rule on the host that a block makes.
fn remedies(rule: &str, block: &str) -> Vec<Remedy> {
    let (host, contract) = stage(block).unwrap();
    // Whose port it is, is seen only where systemd is asked, as in an audit of all rules.
    let results = judge(&host, &contract, &[rule, "redis-foreign-listener"]);
    let results = results.into_iter().filter(|result| result.rule.id == rule);
    let findings = results.filter_map(|result| match result.said {
        Said::Fail(failure) => failure.finding.remedy.clone(),
        _ => None,
    });
    findings.collect()
}

/// The one remedy.
fn remedy(rule: &str, block: &str) -> Remedy {
    let all = remedies(rule, block);
    assert_eq!(all.len(), 1, "{rule}: {all:#?}");
    all.into_iter().next().unwrap()
}

#[test]
fn golden_makes_the_smallest_change() {
    const DATA: &str = "/opt/quantum/data";
    const REPOSITORY: &str = "/home/qt/quantum_trader";
    const CONF: &str = "/etc/redis/redis.conf";
    let makefile = |change: &str| format!("replace {REPOSITORY}/Makefile\n{change}");
    let recipe =
        |now: &str| makefile(&format!("- \t$(RUN) ai-engine ops/training/train_patchtst.py\n+ \t{now}"));
    let cases: Vec<(&str, String, &str)> = vec![
        // A restart would start Redis with an empty data set.
        (
            "redis-not-append-only",
            "redis 127.0.0.1:6379 PONG appendonly=no process_id=900 config_file=/etc/redis/redis.conf"
                .to_owned(),
            "redis-cli -h 127.0.0.1 -p 6379 config set appendonly yes && sed -i '/^[[:blank:]]*appendonly[[:blank:]]/Id' /etc/redis/redis.conf && printf '%s\\n' 'appendonly yes' >> /etc/redis/redis.conf",
        ),
        (
            "place-missing",
            format!("remove {DATA}/backups"),
            "runuser -u qt -- install -d -m 0755 /opt/quantum/data/backups",
        ),
        (
            "place-missing",
            format!("move {DATA} -> {DATA}-2\nlink {DATA} -> data-2\nremove {DATA}-2/backups"),
            "runuser -u qt -- install -d -m 0755 /opt/quantum/data-2/backups",
        ),
        (
            "place-missing",
            "remove /opt/quantum/secrets".to_owned(),
            "install -d -o root -g root -m 0750 /opt/quantum/secrets",
        ),
        (
            "place-missing",
            format!("remove {REPOSITORY}"),
            "runuser -u qt -- git clone --branch main -- https://github.com/binyaminsemerci-ops/quantum_trader.git \
             /home/qt/quantum_trader",
        ),
        ("place-mode-wrong", format!("mode {DATA} 0777"), "chmod 0755 /opt/quantum/data"),
        ("place-mode-wrong", format!("mode {DATA} 3722"), "chmod 3700 /opt/quantum/data"),
        ("place-mode-wrong", format!("mode {DATA} 0055"), "chmod 0755 /opt/quantum/data"),
        (
            "place-mode-wrong",
            format!("mode {DATA}/backups 0770"),
            "runuser -u qt -- chmod 0750 /opt/quantum/data/backups",
        ),
        ("place-owner-wrong", format!("owner {DATA} root:qt"), "chown --no-dereference qt /opt/quantum/data"),
        (
            "dependency-not-active",
            "unit redis-server.service ActiveState=inactive SubState=dead".to_owned(),
            "systemctl start -- redis-server.service",
        ),
        (
            "dependency-not-enabled",
            "remove /etc/systemd/system/multi-user.target.wants/redis-server.service".to_owned(),
            "systemctl enable -- redis-server.service",
        ),
        (
            "journal-not-persistent",
            "remove /var/log/journal".to_owned(),
            "install -d -o root -g systemd-journal -m 2755 /var/log/journal",
        ),
        (
            "redis-setting-unsaved",
            format!("replace {CONF}\n- appendonly yes\n+ appendonly no"),
            "sed -i '/^[[:blank:]]*appendonly[[:blank:]]/Id' /etc/redis/redis.conf && \
             printf '%s\\n' 'appendonly yes' >> /etc/redis/redis.conf",
        ),
        (
            "redis-exposed",
            format!(
                "process 900 exe=/usr/bin/redis-server uid=110 gid=115 sockets=9001,9002,5001\n\
                 listen 0.0.0.0 6379 5001\nreplace {CONF}\n- bind 127.0.0.1 -::1\n+ bind -::1 10.0.0.5"
            ),
            "sed -i '/^[[:blank:]]*bind[[:blank:]]/Id' /etc/redis/redis.conf && \
             printf '%s\\n' 'bind 127.0.0.1 -::1' >> /etc/redis/redis.conf && \
             systemctl restart -- redis-server.service",
        ),
        (
            "redis-exposed",
            "process 900 exe=/usr/bin/redis-server uid=110 gid=115 sockets=9001,9002,5001\n\
             listen 0.0.0.0 6379 5001"
                .to_owned(),
            "systemctl restart -- redis-server.service",
        ),
        (
            "job-script-missing",
            format!("remove {REPOSITORY}/ops/training/train_patchtst.py"),
            "runuser -u qt -- git -C /home/qt/quantum_trader checkout HEAD -- /home/qt/quantum_trader/ops/training/train_patchtst.py",
        ),
        (
            "wrapper-missing",
            format!("remove {REPOSITORY}/ops/run.sh"),
            "runuser -u qt -- git -C /home/qt/quantum_trader checkout HEAD -- /home/qt/quantum_trader/ops/run.sh",
        ),
        (
            "job-script-missing",
            format!("mode {REPOSITORY}/ops/training/train_patchtst.py 0044"),
            "runuser -u qt -- chmod 0444 /home/qt/quantum_trader/ops/training/train_patchtst.py",
        ),
        (
            "job-script-open",
            format!("mode {REPOSITORY}/ops/training/train_patchtst.py 0666"),
            "runuser -u qt -- chmod 0664 /home/qt/quantum_trader/ops/training/train_patchtst.py",
        ),
        (
            "job-script-open",
            format!("mode {REPOSITORY}/ops/training 0777"),
            "runuser -u qt -- chmod 0775 /home/qt/quantum_trader/ops/training",
        ),
        (
            "wrapper-not-executable",
            format!("mode {REPOSITORY}/ops/run.sh 0640"),
            "runuser -u qt -- chmod 0750 /home/qt/quantum_trader/ops/run.sh",
        ),
        (
            "makefile-bypasses-wrapper",
            recipe("@python3  ./ops/training/train_patchtst.py --n $(N) --to 'a|b' 1e id"),
            "13\t@ops/run.sh ai-engine ops/training/train_patchtst.py --n $(N) --to 'a|b' 1e id",
        ),
        (
            "job-in-wrong-service",
            recipe("$(RUN)  backend ops/training/train_patchtst.py --of backend"),
            "13\t$(RUN)  ai-engine ops/training/train_patchtst.py --of backend",
        ),
        (
            "makefile-target-missing",
            makefile("- train-patchtst:\n+ train-patchtst-new:"),
            "+|train-patchtst:|\tops/run.sh ai-engine ops/training/train_patchtst.py",
        ),
    ];
    let mut wrong = Vec::new();
    for (rule, block, expected) in cases {
        let remedy = remedy(rule, &block);
        let said = match remedy.list() {
            [Change::Lines { at, line: Some(line), was, lines }] => {
                assert_eq!(at.user.as_deref(), Some("qt"));
                assert!(was.starts_with('\t') && block.contains(was.trim()), "{was}");
                format!("{line}{}", lines.join("|"))
            }
            [Change::Lines { line: None, lines, .. }] => format!("+{}", lines.join("|")),
            _ => remedy.shell(),
        };
        if said != expected {
            wrong.push(format!("{rule}\n{block}\nsays {said}\n{remedy:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn golden_leaves_to_a_person_what_could_do_harm() {
    const DATA: &str = "/opt/quantum/data";
    const REPOSITORY: &str = "/home/qt/quantum_trader";
    const CONF: &str = "/etc/redis/redis.conf";
    let script = format!("{REPOSITORY}/ops/training/train_patchtst.py");
    let recipe = |now: &str| {
        format!(
            "replace {REPOSITORY}/Makefile\n- \t$(RUN) ai-engine ops/training/train_patchtst.py\n+ \t{now}"
        )
    };
    let open = "process 900 exe=/usr/bin/redis-server uid=110 gid=115 sockets=9001,9002,5001\n\
                listen 0.0.0.0 6379 5001";
    let cases: Vec<(&str, String)> = vec![
        ("place-missing", format!("remove {DATA}/backups\nlink {DATA}/backups -> /mnt/gone")),
        ("place-missing", format!("remove {DATA}/backups\nfile {DATA}/backups qt:qt 0644")),
        ("place-missing", format!("owner {DATA} redis:redis\nremove {DATA}/backups")),
        ("place-missing", format!("mode {DATA} 0777\nremove {DATA}/backups")),
        ("place-mode-wrong", format!("owner {DATA}/backups root:root\nmode {DATA}/backups 0777")),
        ("place-owner-wrong", format!("owner {DATA}/redis_dumps root:qt")),
        ("place-on-link", format!("move {REPOSITORY} -> /srv/trader\nlink {REPOSITORY} -> /srv/trader")),
        ("place-misplaced", format!("file-system {DATA} tmpfs")),
        ("place-misplaced", format!("move {DATA} -> /var/tmp/data\nlink {DATA} -> /var/tmp/data")),
        ("database-owner-wrong", format!("owner {DATA}/quantum_trader.db root:root")),
        ("dependency-not-active", "unit redis-server.service ActiveState=failed Result=exit-code".to_owned()),
        ("dependency-unit-missing", "link /etc/systemd/system/redis-server.service -> /dev/null".to_owned()),
        (
            "journal-not-persistent",
            "file /etc/systemd/journald.conf.d/x.conf root:root 0644\n| [Journal]\n| Storage=volatile"
                .to_owned(),
        ),
        ("log-rotation-missing", "remove /etc/logrotate.d/quantum".to_owned()),
        (
            "redis-setting-unsaved",
            "redis 127.0.0.1:6379 PONG appendonly=no process_id=900 config_file=/etc/redis/redis.conf"
                .to_owned(),
        ),
        ("redis-exposed", format!("{open}\nreplace {CONF}\n- appendonly yes\n+ appendonly no")),
        // Somebody else's server.
        ("redis-exposed", "listen 0.0.0.0 6379 5001".to_owned()),
        // Whoever answers on the port names a file.
        (
            "redis-setting-unsaved",
            "file /etc/other.conf root:root 0644\n| appendonly no\n\
             redis 127.0.0.1:6379 PONG appendonly=yes process_id=900 config_file=/etc/other.conf"
                .to_owned(),
        ),
        (
            "redis-setting-unsaved",
            format!(
                "file /srv/more.conf root:root 0644\n| appendonly no\n\
                 replace {CONF}\n- appendonly yes\n+ include /srv/more.conf"
            ),
        ),
        (
            "redis-foreign-listener",
            "process 900 exe=/usr/bin/redis-server uid=110 gid=115 sockets=1".to_owned(),
        ),
        ("redis-not-answering", "redis 127.0.0.1:6379 NOAUTH".to_owned()),
        ("job-script-missing", format!("owner {script} root:root\nmode {script} 0600")),
        ("job-script-open", format!("owner {script} redis:redis")),
        ("job-script-open", format!("links {script} 2")),
        ("job-script-open", format!("links {script} 2\nmode {script} 0666")),
        (
            "wrapper-not-executable",
            format!("owner {REPOSITORY}/ops/run.sh root:root\nmode {REPOSITORY}/ops/run.sh 0700"),
        ),
        (
            "wrapper-not-executable",
            format!("data {REPOSITORY}/ops/run.sh qt:qt 0755\n| #!/bin/sh\\r\\nexec true\\r\\n"),
        ),
        ("makefile-bypasses-wrapper", recipe("python3 ops/other.py")),
        ("makefile-bypasses-wrapper", recipe("python3 ops/training/train_patchtst.py | cat")),
        (
            "job-in-wrong-service",
            recipe(
                "$(RUN) backend ops/training/train_patchtst.py && $(RUN) backend ops/training/train_patchtst.py",
            ),
        ),
        ("job-in-wrong-service", recipe("$(RUN) $(addsuffix end,back) ops/training/train_patchtst.py")),
        ("makefile-bypasses-wrapper", recipe("cd src && python3 ops/training/train_patchtst.py")),
        ("makefile-bypasses-wrapper", recipe("python3 -u ops/training/train_patchtst.py")),
        ("makefile-bypasses-wrapper", recipe("python3 ops/training/train_patchtst.py \\\n+ \t\t--fast")),
        ("makefile-bypasses-wrapper", recipe("@echo ops/run.sh ai-engine ops/training/train_patchtst.py")),
        (
            "makefile-bypasses-wrapper",
            format!(
                "owner {REPOSITORY}/Makefile root:root\n{}",
                recipe("python3 ops/training/train_patchtst.py")
            ),
        ),
        ("makefile-hidden", format!("file {REPOSITORY}/GNUmakefile qt:qt 0644\n| a:")),
        ("repository-holds-forbidden-file", format!("file {REPOSITORY}/.env qt:qt 0600\n| A=1")),
        ("repository-not-a-work-tree", format!("remove {REPOSITORY}/.git")),
        (
            "script-calls-system-python",
            format!("file {REPOSITORY}/ops/n.sh qt:qt 0755\n| #!/bin/sh\n| python3 x.py"),
        ),
        (
            "cron-bypasses-wrapper",
            format!("file /etc/cron.d/x root:root 0644\n| @daily qt python3 {REPOSITORY}/x.py"),
        ),
    ];
    let mut wrong = Vec::new();
    for (rule, block) in cases {
        let all = remedies(rule, &block);
        let empty = |remedy: &Remedy| match remedy {
            Remedy::Do { .. } => false,
            Remedy::Decide(decision) => {
                decision.candidates.iter().any(|one| one.words.is_empty() && one.shell.is_empty())
            }
        };
        if all.is_empty() || all.iter().any(|remedy| !remedy.is_a_persons() || empty(remedy)) {
            wrong.push(format!("{rule}\n{block}\n{all:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_place_behind_a_healthy_link_does_not_lead_nowhere() {
    let block = "move /opt/quantum/data -> /opt/quantum/data-2\nlink /opt/quantum/data -> data-2\n\
                 remove /opt/quantum/data-2/backups";
    let (host, contract) = stage(block).unwrap();
    let results = judge(&host, &contract, &["place-missing"]);
    let messages: Vec<String> = results
        .iter()
        .filter_map(|result| match &result.said {
            Said::Fail(failure) => Some(failure.finding.message.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(messages, ["/opt/quantum/data/backups does not exist"]);
}
