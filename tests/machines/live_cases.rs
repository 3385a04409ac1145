//! A booted machine in states that the catalogue of breaks cannot express: nobody answers, the caller may not
//! read, a contract of the host's own. What cannot be known is undecided, in seconds, and never a pass.

use crate::support::example;
use crate::support::machine;
use crate::support::report;

mod jobs;
mod names;
mod values;

use std::time::{Duration, Instant};

use example::text;
use machine::Machine;
use report::Report;

/// What an audit may take when somebody does not answer.
const A_FEW_SECONDS: Duration = Duration::from_secs(10);

#[test]
fn what_the_catalogue_cannot_express() {
    if machine::skipped() {
        return;
    }
    let host = Host::boot();
    // GOLDEN_CASES=words runs the cases whose names hold them, for whoever writes new ones.
    let chosen = std::env::var("GOLDEN_CASES").unwrap_or_default();
    for (name, case) in CASES.iter().filter(|(name, _)| name.contains(&chosen)) {
        let start = Instant::now();
        println!("live case: {name}");
        case(&host);
        host.put_back();
        println!("           {:.1} s", start.elapsed().as_secs_f32());
    }
}

type Case = fn(&Host);

const CASES: &[(&str, Case)] = &[
    ("no D-Bus", no_bus),
    ("a D-Bus that does not answer", silent_bus),
    ("a caller who is not root", not_root),
    ("a Redis that does not answer", silent_redis),
    ("a backend that is not well, and one that hangs", unwell),
    ("a fifth service", fifth_service),
    ("a port whose queue is full", silent_port),
    ("an unedited template", unedited_template),
    ("a start reset in a drop-in", start_reset_in_a_drop_in),
    ("a contract that others can write", contract_of_others),
    ("pythons that are run", probe),
    ("a job that does not run", jobs::jobs),
    ("what the manager has in force", values::values),
    ("accounts of another source", names::names),
];

fn no_bus(host: &Host) {
    host.sh("systemctl stop dbus.socket dbus.service; mv /run/systemd/private /run/systemd/away");
    let report = host.audit();
    assert_only_the_bus_is_unknown(&report);
    // The rest is judged all the same.
    host.sh("chmod 0777 /opt/quantum/data");
    let report = host.audit();
    assert_eq!(report.code, 1);
    assert!(report.fails("place-mode-wrong", "host", "/opt/quantum/data"), "{:#?}", report.failures());
    host.sh("chmod 0755 /opt/quantum/data; mv /run/systemd/away /run/systemd/private; systemctl start dbus.socket");
}

fn silent_bus(host: &Host) {
    // Its socket still takes connections.
    host.sh("systemctl start dbus.service; pkill -STOP -x dbus-daemon");
    let start = Instant::now();
    let report = host.audit();
    assert!(start.elapsed() < A_FEW_SECONDS, "{:?}", start.elapsed());
    assert_only_the_bus_is_unknown(&report);
    host.sh("pkill -CONT -x dbus-daemon");
}

fn assert_only_the_bus_is_unknown(report: &Report) {
    let undecided = report.undecided();
    assert_eq!((report.code, report.failures()), (2, Vec::new()));
    assert!(undecided.iter().all(|said| said.message.contains("over D-Bus")), "{undecided:#?}");
    assert_unknown(
        report,
        &["unit-not-active", "process-user-wrong", "unit-not-reloaded", "dependency-not-active"],
    );
    assert!(report.passes() >= 500, "{} passes", report.passes());
}

/// Nothing passed what could not be looked at.
fn assert_unknown(report: &Report, rules: &[&str]) {
    for rule in rules {
        let outcomes = report.outcomes(rule);
        assert!(outcomes.contains(&"undecided") && !outcomes.contains(&"pass"), "{rule}: {outcomes:?}");
    }
}

fn not_root(host: &Host) {
    host.machine.write("/etc/sudoers", "root ALL=(ALL:ALL) ALL\n", 0o440, "root:root");
    let report = Report::of(&host.machine.run_as("nobody", &["golden", "audit", "--format", "json"]));
    assert_eq!((report.code, report.failures()), (2, Vec::new()));
    assert_unknown(
        &report,
        &[
            "env-variable-missing",
            "env-variable-wrong",
            "start-env-file-missing",
            "start-directory-missing",
            "wrapper-not-executable",
            "makefile-bypasses-wrapper",
            "job-script-missing",
            "account-may-sudo",
            "process-executable-wrong",
        ],
    );
    for said in report.undecided() {
        assert!(said.message.contains('/'), "it does not say what could not be read: {said:?}");
    }
    let human = host.machine.run_as("nobody", &["golden", "audit"]);
    assert!(
        text(&human.stdout).contains("note: without root, golden cannot read many files: sudo golden audit"),
        "{}",
        text(&human.stdout)
    );
}

fn unwell(host: &Host) {
    let health = r#"health = { http = "http://127.0.0.1:8000/no-such-page", within = "4s" }"#;
    let contract = format!("schema = 1\nextends = \"quantum\"\n[services.backend]\n{health}\n");
    host.machine.write("/root/unwell.toml", contract, 0o600, "root:root");
    // Until it could have become healthy.
    host.sh("sleep 6");
    let audit = ["golden", "--contract", "/root/unwell.toml", "audit", "--format", "json"];
    let report = Report::of(&host.machine.run(&audit));
    let unit = "/etc/systemd/system/quantum-backend.service";
    assert!(report.fails("service-not-answering", "service:backend", unit), "{:#?}", report.failures());
    assert_eq!(report.code, 1);
    host.sh("systemctl kill -s STOP quantum-backend.service");
    let report = host.audit();
    host.sh("systemctl kill -s CONT quantum-backend.service");
    assert_eq!((report.code, report.failures()), (2, Vec::new()));
    assert_unknown(&report, &["service-not-answering"]);
}

fn silent_redis(host: &Host) {
    host.sh("pkill -STOP -x redis-server");
    let start = Instant::now();
    let report = host.audit();
    assert!(start.elapsed() < A_FEW_SECONDS, "{:?}", start.elapsed());
    host.sh("pkill -CONT -x redis-server");
    assert_eq!((report.code, report.failures()), (2, Vec::new()));
    assert_unknown(&report, &["redis-not-answering", "redis-setting-unsaved"]);
}

fn fifth_service(host: &Host) {
    host.lay_fifth_service();
    let report = host.audit();
    assert_eq!(report.failures(), []);
    assert_eq!(report.code, 0);
    let (fifth, fourth) = (report.passes_of("service:reporter"), report.passes_of("service:rl-agent"));
    assert!(fifth >= fourth && fifth > 50, "{fifth} checks, of the fourth {fourth}");

    host.sh("systemctl disable --now quantum-reporter; rm /etc/systemd/system/quantum-reporter.service; \
             systemctl daemon-reload");
    let report = host.audit();
    assert_eq!(report.code, 1);
    let place = "/etc/systemd/system/quantum-reporter.service";
    assert!(report.fails("unit-missing", "service:reporter", place), "{:#?}", report.failures());
}

fn silent_port(host: &Host) {
    host.lay_fifth_service();
    assert_eq!(
        host.audit()
            .outcomes("dependency-not-answering")
            .iter()
            .filter(|outcome| **outcome == "pass")
            .count(),
        1
    );

    host.listen("full");
    let start = Instant::now();
    let report = host.audit();
    assert!(start.elapsed() < A_FEW_SECONDS, "{:?}", start.elapsed());
    assert_eq!((report.code, report.failures()), (2, Vec::new()));
    let undecided = report.undecided();
    assert_eq!(undecided.len(), 1, "{undecided:#?}");
    assert!(
        undecided[0].rule == "dependency-not-answering" && undecided[0].message.contains(FEED),
        "{undecided:#?}"
    );

    host.sh("systemctl stop feed");
    let report = host.audit();
    assert!(
        report.code == 1 && report.fails("dependency-not-answering", "host", FEED),
        "{:#?}",
        report.failures()
    );
}

fn unedited_template(host: &Host) {
    host.lay_fifth_service();
    host.sh("systemctl stop quantum-reporter");
    host.machine.write("/etc/systemd/system/quantum-reporter.service", TEMPLATE, 0o644, "root:root");
    host.sh("systemctl daemon-reload");
    let report = host.audit();
    assert_eq!(report.code, 1);
    let failures = report.failures();
    for (rule, line) in [("unit-env-file-wrong", 14), ("unit-exec-wrong", 15), ("unit-setting-wrong", 18)] {
        let place = format!("/etc/systemd/system/quantum-reporter.service:{line}");
        assert!(report.fails(rule, "service:reporter", &place), "{rule} {place}: {failures:#?}");
    }
    let of_others = failures.iter().filter(|said| said.subject != "service:reporter");
    assert_eq!(of_others.count(), 0, "{failures:#?}");
}

fn start_reset_in_a_drop_in(host: &Host) {
    let drop_in = "/etc/systemd/system/quantum-backend.service.d/debug.conf";
    let content = "[Service]\n# for one evening\nExecStart=\nExecStart=/usr/bin/python3 -m src.backend.app\n";
    host.machine.write(drop_in, content, 0o644, "root:root");
    host.sh("systemctl daemon-reload");
    let report = host.audit();
    assert_eq!(report.code, 1);
    for rule in ["unit-uses-system-python", "unit-exec-outside-venv"] {
        let place = format!("{drop_in}:4");
        assert!(report.fails(rule, "service:backend", &place), "{rule}: {:#?}", report.failures());
    }
}

fn contract_of_others(host: &Host) {
    host.lay_fifth_service();
    for (change, says) in [
        ("chmod 0646 /etc/golden/golden.toml", "can be written by others"),
        ("chown qt /etc/golden/golden.toml", "belongs to uid"),
        ("chmod 0777 /etc/golden", "a directory above it can be written by others"),
    ] {
        host.sh(change);
        let named = ["golden", "audit", "--contract", "/etc/golden/golden.toml"];
        for words in [&["golden", "audit"][..], &named] {
            let output = host.machine.run(words);
            let errors = text(&output.stderr);
            assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()), "{change}");
            assert!(errors.contains("root does not use") && errors.contains(says), "{change}: {errors}");
        }
        host.sh("chown -R root:root /etc/golden; chmod 0755 /etc/golden; chmod 0644 /etc/golden/golden.toml");
    }
    host.machine.wait_until("the host is compliant again", "golden audit --quiet");
}

/// What a probe must not change; what the services write themselves is elsewhere.
const UNTOUCHED: &str =
    "/opt/quantum/venvs /usr/lib/python3* /home/qt/quantum_trader /var/crash /etc /tmp /var/tmp";

fn probe(host: &Host) {
    const RULE: &str = "venv-does-not-run";
    let all = ["backend", "ai-engine", "execution", "rl-agent"].len();
    let files =
        || host.sh_says(&format!("find {UNTOUCHED} -printf '%p %i %s %T@ %C@\\n' 2>/dev/null | sort"));
    let processes = || host.sh_says("pgrep -u qt -l | sort -n");

    // Nobody asked: nothing is run, and the rule has no word.
    assert_eq!(host.audit().outcomes(RULE), vec!["not-applicable"; all]);
    let (before, running) = (files(), processes());
    let start = Instant::now();
    let report = host.probe();
    assert!(start.elapsed() < A_FEW_SECONDS, "{:?}", start.elapsed());
    assert_eq!((report.code, report.failures(), report.undecided()), (0, Vec::new(), Vec::new()));
    assert_eq!(report.outcomes(RULE), vec!["pass"; all]);
    assert_eq!(
        (files(), processes()),
        (before, running),
        "a probe changes nothing and leaves nothing running"
    );

    runs_as_the_user_of_the_service(host);
    callers_who_may_not(host, RULE, all);

    // A path file that kills every python of the venv at its start: the files are as they should be.
    let path_file = "/opt/quantum/venvs/backend/lib/python3.11/site-packages/zz.pth";
    host.machine.write(path_file, "import os; os.kill(os.getpid(), 11)\n", 0o644, "root:root");
    assert_eq!((host.audit().code, host.audit().failures()), (0, Vec::new()));
    let report = host.probe();
    let place = "/opt/quantum/venvs/backend/bin/python";
    assert!(report.code == 1 && report.fails(RULE, "service:backend", place), "{:#?}", report.failures());
    assert!(report.failures()[0].message.contains("SIGSEGV"), "{:#?}", report.failures());
    assert_eq!(report.failures().len(), 1, "{:#?}", report.failures());
    assert_eq!(host.sh_says("ls / | grep '^core' || true"), "", "a core was left");

    // One that hangs, and has started something that hides from its session.
    let hangs = "import os, subprocess, time; subprocess.Popen(['sleep', '4711'], start_new_session=True); time.sleep(600)\n";
    host.machine.write(path_file, hangs, 0o644, "root:root");
    let start = Instant::now();
    let report = host.probe();
    let took = start.elapsed();
    assert!(took > Duration::from_secs(9) && took < Duration::from_secs(16), "{took:?}");
    assert!(report.code == 1 && report.fails(RULE, "service:backend", place), "{:#?}", report.failures());
    assert!(report.failures()[0].message.contains("after 10 s"), "{:#?}", report.failures());
    assert_eq!(
        host.sh_says("pgrep -f '[s]leep 4711|[g]olden-python' || true"),
        "",
        "something was left running"
    );

    // Another service is asked about: this one's python is not run.
    let only = ["golden", "audit", "--probe", "--service", "execution", "--format", "json"];
    let start = Instant::now();
    assert_eq!(Report::of(&host.machine.run(&only)).outcomes(RULE), ["pass"]);
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    host.sh(&format!("rm {path_file}"));

    // A python of another version than the venv was made with.
    let config = "/opt/quantum/venvs/rl-agent/pyvenv.cfg";
    host.sh(&format!("cp -p {config} /kept.cfg; sed -i 's/^version = .*/version = 3.9.2/' {config}"));
    let report = host.probe();
    assert!(report.code == 1 && report.fails(RULE, "service:rl-agent", config), "{:#?}", report.failures());
    host.sh(&format!("cp -p /kept.cfg {config}; rm /kept.cfg"));
    assert_eq!(host.probe().code, 0);
}

/// What python itself says of who it is, as facts that are judged elsewhere.
fn runs_as_the_user_of_the_service(host: &Host) {
    let facts = host.machine.ok(&["golden", "facts", "--probe"]);
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    let said = &facts["pythons"]["backend"]["found"]["said"];
    let id = |option: &str| host.sh_says(&format!("id {option} qt | tr ' ' '\\n' | sort -n | tr '\\n' ' '"));
    let groups: Vec<String> =
        said["groups"].as_array().unwrap().iter().map(|gid| format!("{gid} ")).collect();
    assert_eq!((format!("{} ", said["uid"]), format!("{} ", said["gid"])), (id("-u"), id("-g")), "{said}");
    assert_eq!(groups.concat(), id("-G"), "{said}");
    assert_eq!(said["prefix"], "/opt/quantum/venvs/backend");

    host.sh("golden facts --probe --out /run/probed.json; golden facts --out /run/looked.json");
    let replay = |file: &str| host.machine.run(&["golden", "audit", "--format", "json", "--facts", file]);
    let outcomes = |file: &str| Report::of(&replay(file)).outcomes("venv-does-not-run").join(" ");
    assert_eq!(outcomes("/run/probed.json"), "pass pass pass pass");
    assert_eq!(outcomes("/run/looked.json"), ["not-applicable"; 4].join(" "));
    host.sh("rm /run/probed.json /run/looked.json");
}

/// The services' user may run what is its own; a stranger learns nothing, and that is no pass.
fn callers_who_may_not(host: &Host, rule: &str, all: usize) {
    let words = ["golden", "audit", "--probe", "--rule", rule, "--format", "json"];
    assert_eq!(Report::of(&host.machine.run_as("qt", &words)).outcomes(rule), vec!["pass"; all]);
    let report = Report::of(&host.machine.run_as("nobody", &words));
    assert_eq!((report.code, report.outcomes(rule)), (2, vec!["undecided"; all]));
    assert!(report.undecided()[0].message.contains("only root and qt"), "{:#?}", report.undecided());
}

struct Host {
    machine: Machine,
}

/// Where the fifth service gets its data from.
const FEED: &str = "127.0.0.1:7777";

/// What the cases change.
const KEPT: &str = "etc/systemd/system etc/quantum";

impl Host {
    fn boot() -> Self {
        let host = Self { machine: example::boot("bookworm") };
        host.wait();
        host.sh(&format!("tar -C / -cf /before.tar {KEPT}"));
        host.machine.write("/feed.py", FEED_PY, 0o644, "root:root");
        assert_eq!(host.audit().code, 0);
        host
    }

    fn wait(&self) {
        example::wait(&self.machine);
    }

    fn sh(&self, script: &str) {
        self.machine.sh_ok(script);
    }

    fn sh_says(&self, script: &str) -> String {
        self.machine.sh_ok(script)
    }

    fn probe(&self) -> Report {
        Report::of(&self.machine.run(&["golden", "audit", "--probe", "--format", "json"]))
    }

    fn audit(&self) -> Report {
        Report::of(&self.machine.run(&["golden", "audit", "--format", "json"]))
    }

    /// The built-in contract, copied and extended by a service that lives like the others.
    fn lay_fifth_service(&self) {
        let built_in = self.machine.ok(&["golden", "contract", "show", "--text"]);
        // Whoever takes it over reviews it.
        let reviewed = built_in.lines().filter(|line| !line.starts_with("next_review ="));
        let text = reviewed.collect::<Vec<_>>().join("\n") + FIFTH;
        self.machine.write("/etc/golden/golden.toml", text, 0o644, "root:root");
        self.sh("chmod 0755 /etc/golden");
        // What it requires must be there before it starts.
        self.listen("accept");
        self.sh("cd /etc/quantum; sed 's/^SERVICE_NAME=.*/SERVICE_NAME=reporter/' rl-agent.env >reporter.env
                 chown root:qt reporter.env; chmod 0640 reporter.env
                 cd /etc/systemd/system
                 sed 's|RL Agent|Reporter|; s|/rl-agent.env|/reporter.env|; s|=quantum-rl-agent$|=quantum-reporter|
                      s|--contract builtin:quantum|--contract /etc/golden/golden.toml|; s|--preflight-only rl-agent|--preflight-only reporter|; s|^ExecStart=.*|ExecStart=/opt/quantum/venvs/backend/bin/python -m http.server 8099|' \
                     quantum-rl-agent.service >quantum-reporter.service
                 systemctl daemon-reload; systemctl -q enable --now quantum-reporter");
    }

    /// Somebody listens where the fifth service gets its data from.
    fn listen(&self, how: &str) {
        self.sh(&format!(
            "systemctl -q stop feed 2>/dev/null || true
             systemd-run --quiet --unit=feed --service-type=notify --property=NotifyAccess=all python3 /feed.py {how}"
        ));
    }

    fn put_back(&self) {
        self.sh(&format!(
            "systemctl -q stop quantum-reporter feed 2>/dev/null || true
             cd /; rm -rf etc/golden etc/sudoers {KEPT}; tar -xpf /before.tar
             systemctl daemon-reload; systemctl reset-failed
             systemctl restart redis-server quantum-backend quantum-ai-engine quantum-execution quantum-rl-agent"
        ));
        self.wait();
        let report = self.audit();
        assert_eq!((report.code, report.failures(), report.undecided()), (0, Vec::new(), Vec::new()));
    }
}

/// The fifth service in the contract.
const FIFTH: &str = r#"

[dependencies.feed]
kind = "tcp"
address = "127.0.0.1:7777"

[services.reporter]
title = "Reporter"
kind = "python"
venv = "backend"
command = ["python", "-m", "http.server"]
requires = ["redis", "feed"]
after = ["execution"]
writes = ["{layout.data}"]
"#;

/// A server that takes connections, or one whose queue is full: the kernel drops what else wants to connect.
const FEED_PY: &str = r#"
import os, socket, sys, time
server = socket.create_server(("127.0.0.1", 7777), backlog=0)
waiting = []
if sys.argv[1] == "full":
    for _ in range(8):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", 7777))
        waiting.append(client)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
    systemd.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while sys.argv[1] == "accept":
    server.accept()[0].close()
time.sleep(3600)
"#;

/// As a person copies it from a manual; the comments hold what the settings should.
const TEMPLATE: &str = r#"# Copy to /etc/systemd/system/quantum-<SERVICE>.service and put in the service.
# reporter: EnvironmentFile=/etc/quantum/reporter.env
# reporter: ExecStart=/opt/quantum/venvs/backend/bin/python -m http.server
[Unit]
Description=Quantum Trading System - <TITLE>
After=network-online.target redis-server.service quantum-execution.service
Wants=network-online.target
BindsTo=redis-server.service
[Service]
Type=simple
User=qt
Group=qt
WorkingDirectory=/home/qt/quantum_trader
EnvironmentFile=/etc/quantum/<SERVICE>.env
ExecStart=/opt/quantum/venvs/<SERVICE>/bin/python -m <MODULE>
Restart=always
RestartSec=10
SyslogIdentifier=quantum-<SERVICE>
StandardOutput=journal
StandardError=journal
[Install]
WantedBy=multi-user.target redis-server.service
"#;
