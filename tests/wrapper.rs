//! The wrapper on a booted machine: what a job gets, what is refused, and what an attacker tries. Everything is
//! done as root and, where it makes a difference, as the contract's user.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test fails by panicking, and looks at the world itself"
)]

#[path = "support/example.rs"]
mod example;
#[path = "support/machine.rs"]
mod machine;

use std::collections::BTreeMap;
use std::process::{Output, Stdio};
use std::time::Instant;

use example::text;
use machine::Machine;
use serde_json::Value;

#[test]
fn the_wrapper_on_a_booted_machine() {
    if let Err(why) = machine::machines_available() {
        println!("skipped: {why}");
        return;
    }
    let mut failed = Vec::new();
    let only = std::env::var("GOLDEN_WRAPPER").unwrap_or_default();
    // The cases of one release are all of them; the other one has another systemd to start units.
    for (suite, cases) in [("bookworm", CASES), ("trixie", AS_UNIT)] {
        let host = Host::boot(suite);
        for (name, case) in cases.iter().filter(|(name, _)| name.contains(&only)) {
            let start = Instant::now();
            println!("wrapper on {suite}: {name}");
            if std::panic::catch_unwind(|| case(&host)).is_err() {
                failed.push((suite, *name));
            }
            host.put_back();
            println!("           {:.1} s", start.elapsed().as_secs_f32());
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

type Case = fn(&Host);

const CASES: &[(&str, Case)] = &[
    ("arguments, identity, descriptors, stdout", what_the_job_gets),
    ("variables of the env file are values and nothing else", env_lines_are_values),
    ("the environment of the service", environment_of_the_service),
    ("what of the caller is passed", what_of_the_caller_is_passed),
    ("secrets are not shown", secrets_are_not_shown),
    ("names and paths that lead out", names_that_lead_out),
    ("each check of the preflight", each_check),
    ("what a stranger can write", what_a_stranger_can_write),
    ("the contract of the service user offered to root", contract_of_the_user),
    ("nothing of the repository before the identity", nothing_before_the_identity),
    ("a directory that is swapped all the time", swapped_directory),
    ("a megabyte of arguments", a_megabyte),
    ("a stranger calls", a_stranger_calls),
    ("the end of the job is the caller's", ends),
    ("one at a time", one_at_a_time),
    ("a time limit", time_limit),
    ("built-in jobs", built_in_jobs),
    ("the journal", the_journal),
    ("make builds a dataset and trains", make_trains),
    ("as a unit: identity, environment, output, ends", as_unit_runs),
    ("as a unit: the properties of the service", as_unit_properties),
    ("what only a terminal can show", on_a_terminal),
    ("what the caller did to signals", signals_of_the_caller),
    ("a chain of contracts is as trusted as its weakest file", chain_of_contracts),
    ("a lock with a second name", lock_with_a_second_name),
    ("a limit that the job ignores", limit_that_is_ignored),
];

const AS_UNIT: &[(&str, Case)] = &[
    ("as a unit: identity, environment, output, ends", as_unit_runs),
    ("as a unit: the properties of the service", as_unit_properties),
    ("the environment of the service", environment_of_the_service),
];

/// Says what it was given, and leaves a trace that it ran.
const PROBE: &str = r#"
import json, os, signal, sys, time
with open("/opt/quantum/data/ran", "a") as trace:
    print(os.getuid(), file=trace)
fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
print(json.dumps({"argv": sys.argv[1:], "uid": os.getuid(), "euid": os.geteuid(), "gids": os.getgroups(),
    "gid": os.getgid(), "cwd": os.getcwd(), "fds": [fd for fd in fds if os.path.exists(f"/proc/self/fd/{fd}")],
    "umask": os.umask(0o22), "env": dict(word.split("=", 1) for word in open("/proc/self/environ", errors="surrogateescape").read().split("\0") if word)}), flush=True)
for word in sys.argv[1:]:
    if word == "tty":
        import fcntl, termios
        print("terminals", [fd for fd in (0, 1, 2) if os.isatty(fd)], flush=True)
        for path in ("/dev/stdin", "/dev/stdout", "/dev/tty"):
            try:
                with open(path) as terminal:
                    for c in b"touch /tmp/typed\n": fcntl.ioctl(terminal, termios.TIOCSTI, bytes([c]))
                print("typed through", path, flush=True)
            except OSError: pass
    if word == "echo": print("read", sys.stdin.readline(), flush=True)
    if word == "on-int":
        signal.signal(signal.SIGINT, lambda *_: sys.exit(6))
        print("ready", flush=True)
    if word == "deaf": signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if word == "signals":
        status = open("/proc/self/status").read().splitlines()
        print([line.split()[1] for line in status if line.startswith(("SigBlk", "SigIgn"))], flush=True)
    if word == "err": print("to stderr", file=sys.stderr)
    if word.startswith("code="): sys.exit(int(word[5:]))
    if word.startswith("kill="): os.kill(os.getpid(), int(word[5:]))
    if word.startswith("sleep="): time.sleep(float(word[6:]))
    if word == "on-term":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
        print("ready", flush=True)
        time.sleep(20)
"#;

const SCRIPT: &str = "ops/probe.py";
const REPOSITORY: &str = "/home/qt/quantum_trader";
const ENV_FILE: &str = "/etc/quantum/ai-engine.env";

/// What the cases change.
const KEPT: &str = "etc/quantum etc/systemd/system home/qt/quantum_trader opt/quantum/venvs/ai-engine/bin opt/quantum/venvs/ai-engine/pyvenv.cfg";

/// The built-in contract with jobs for the probe.
const CONTRACT: &str = r#"schema = 1
extends = "quantum"

[jobs.probe]
service = "ai-engine"
script = "ops/probe.py"
single_flight = true

[jobs.short]
service = "ai-engine"
script = "ops/short.py"
time_limit = "1s"
"#;

struct Host {
    machine: Machine,
}

/// The two who may call.
const CALLERS: [&str; 2] = ["root", "qt"];

impl Host {
    fn boot(suite: &str) -> Self {
        let machine = example::boot(suite);
        example::wait(&machine);
        let host = Self { machine };
        host.machine.write(&format!("{REPOSITORY}/{SCRIPT}"), PROBE, 0o644, "qt:qt");
        host.machine.write(&format!("{REPOSITORY}/ops/short.py"), PROBE, 0o644, "qt:qt");
        host.sh(&format!("tar -C / -cf /before.tar {KEPT}; mkdir -p /run/golden/qt; chown qt: /run/golden/qt; chmod 0700 /run/golden/qt"));
        host
    }

    fn put_back(&self) {
        self.sh(&format!(
            "rm -rf /etc/golden /opt/quantum/data/ran
             (cd / && mkdir -p /opt/quantum/venvs/ai-engine/bin; find {KEPT} -mindepth 1 -delete || true; tar -C / -xpf /before.tar)
             systemctl daemon-reload"
        ));
    }

    fn sh(&self, script: &str) -> String {
        self.machine.sh_ok(script)
    }

    /// Brings services back; a repository that is laid anew under a program that just starts would end it.
    fn revive(&self, script: &str) {
        self.sh(script);
        example::wait(&self.machine);
    }

    fn call(&self, who: &str, words: &[&str]) -> Output {
        match who {
            "root" => self.machine.run(words),
            user => self.machine.run_as(user, words),
        }
    }

    /// The probe through the wrapper.
    fn probe(&self, who: &str, arguments: &[&str]) -> Output {
        self.call(who, &[&["golden", "-q", "run", "ai-engine", SCRIPT], arguments].concat())
    }

    /// Everything is refused, says so in these words, and starts nothing.
    fn refused(&self, who: &str, words: &[&str], why: &str) {
        self.sh("rm -f /opt/quantum/data/ran /tmp/evil-ran");
        let output = self.call(who, words);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{who} {words:?}: {said}");
        assert!(said.contains(why), "{who} {words:?}: {why:?} is not in: {said}");
        assert_eq!(text(&output.stdout), "", "{who} {words:?}");
        self.sh("test ! -e /opt/quantum/data/ran && test ! -e /tmp/evil-ran");
    }

    fn append(&self, path: &str, line: &str) {
        let end = self.machine.read(path);
        let text = [&end[..], line.as_bytes(), b"\n"].concat();
        self.machine.write(path, text, 0o640, "root:qt");
    }

    fn lay_contract(&self, text: &str) {
        self.machine.write("/etc/golden/golden.toml", text, 0o644, "root:root");
        self.sh("chmod 0755 /etc/golden");
    }
}

fn told(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_str(text(&output.stdout).lines().next().unwrap()).unwrap()
}

fn variables(told: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(told["env"].clone()).unwrap()
}

fn what_the_job_gets(host: &Host) {
    let id = |what: &str| host.sh(&format!("id {what} qt")).trim().parse::<u64>().unwrap();
    for who in CALLERS {
        let output = host.probe(who, &["--name", "a b", "*.md", "", "-q", "--", "err"]);
        let told = told(&output);
        assert_eq!(told["argv"], serde_json::json!(["--name", "a b", "*.md", "", "-q", "--", "err"]));
        assert_eq!((told["uid"].as_u64(), told["euid"].as_u64()), (Some(id("-u")), Some(id("-u"))));
        assert_eq!((told["gid"].as_u64(), &told["gids"]), (Some(id("-g")), &serde_json::json!([id("-G")])));
        assert_eq!(told["cwd"], REPOSITORY);
        assert_eq!((&told["fds"], told["umask"].as_u64()), (&serde_json::json!([0, 1, 2]), Some(0o22)));
        // stdout is the script's alone, and with -q so is stderr.
        assert_eq!((text(&output.stdout).lines().count(), text(&output.stderr).as_str()), (1, "to stderr\n"));
    }
    // Descriptors of the caller stay the caller's.
    let script = format!("exec 7</etc/shadow; golden -q run ai-engine {SCRIPT}");
    let told = told(&host.machine.sh(&script));
    assert_eq!(told["fds"], serde_json::json!([0, 1, 2]));
    // Every check has its line.
    let said = text(&host.machine.run(&["golden", "run", "ai-engine", SCRIPT]).stderr);
    for topic in ["repository", "venv", "python", "env file", "script", "server", "database", "directories"] {
        assert!(
            said.lines().any(|line| line.trim_start().starts_with(&format!("✓ {topic}"))),
            "{topic}: {said}"
        );
    }
}

fn env_lines_are_values(host: &Host) {
    for line in ["X=$(id)", "PYTHON_BIN=/bin/echo", "PASS=a$bcd", "DESC=hello world", "TICK=`id`;id"] {
        host.append(ENV_FILE, line);
    }
    for who in CALLERS {
        let env = variables(&told(&host.probe(who, &[])));
        for (name, value) in [
            ("X", "$(id)"),
            ("PYTHON_BIN", "/bin/echo"),
            ("PASS", "a$bcd"),
            ("DESC", "hello world"),
            ("TICK", "`id`;id"),
        ] {
            assert_eq!(env[name], value);
        }
    }
}

/// What systemd gives a process and nobody else can.
const OF_SYSTEMD: &[&str] = &[
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
];
/// What the contract says that the wrapper sets, and what it lets pass.
const OF_WRAPPER: &[&str] = &["PATH", "PYTHONPATH", "LANG", "TERM"];

fn environment_of_the_service(host: &Host) {
    let drop_in = "[Service]\nEnvironment=FROM_UNIT=\"two words\" TICK_SECONDS=9 GONE=1\nUnsetEnvironment=GONE SHELL\nUMask=0027\n";
    host.machine.write(
        "/etc/systemd/system/quantum-ai-engine.service.d/env.conf",
        drop_in,
        0o644,
        "root:root",
    );
    host.append(ENV_FILE, "LAYERED='of the file'");
    host.sh("systemctl daemon-reload; systemctl restart quantum-ai-engine; sleep 1");
    let environ = host.sh("tr '\\0' '\\n' </proc/$(systemctl show -P MainPID quantum-ai-engine)/environ");
    let service: BTreeMap<String, String> = environ
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    assert_eq!((service["FROM_UNIT"].as_str(), service.get("GONE")), ("two words", None));
    for who in CALLERS {
        let told = told(&host.probe(who, &[]));
        let job = variables(&told);
        assert_eq!(told["umask"].as_u64(), Some(0o27));
        let excused =
            |name: &&String| OF_SYSTEMD.contains(&name.as_str()) || OF_WRAPPER.contains(&name.as_str());
        let left: Vec<_> = service.iter().filter(|(name, _)| !excused(name)).collect();
        let right: Vec<_> = job.iter().filter(|(name, _)| !excused(name)).collect();
        assert_eq!(left, right, "left: the service, right: the job of {who}");
        assert_eq!(job["PYTHONPATH"], REPOSITORY);
        assert_eq!(job["PATH"].split(':').next(), Some("/opt/quantum/venvs/ai-engine/bin"));
        // What a service has as its default; releases differ in the directories of an unmerged /usr.
        assert!(service["PATH"].starts_with("/usr/local/sbin:/usr/local/bin:"), "{}", service["PATH"]);
    }
    host.revive("rm -r /etc/systemd/system/quantum-ai-engine.service.d; systemctl daemon-reload; systemctl restart quantum-ai-engine");
}

fn what_of_the_caller_is_passed(host: &Host) {
    let with = |words: &[&str]| {
        let caller = [
            "env",
            "TERM=dumb",
            "LC_TIME=C",
            "SECRET_OF_ROOT=x",
            "EXTRA=e",
            "LOG_LEVEL=DEBUG",
            "LD_PRELOAD_X=1",
        ];
        host.machine.run(&[&caller[..], &["golden", "-q", "run"], words].concat())
    };
    let env = variables(&told(&with(&["ai-engine", SCRIPT])));
    assert_eq!((env["TERM"].as_str(), env["LC_TIME"].as_str()), ("dumb", "C"));
    for absent in ["SECRET_OF_ROOT", "EXTRA", "SUDO_USER", "PWD", "OLDPWD", "LD_PRELOAD_X"] {
        assert!(!env.contains_key(absent), "{absent}");
    }
    assert_eq!(variables(&told(&with(&["--pass-env", "EXTRA", "ai-engine", SCRIPT])))["EXTRA"], "e");
    for (name, why) in [
        ("LD_PRELOAD", "dynamic linker"),
        ("PYTHONSTARTUP", "python loads"),
        ("BASH_ENV", "every shell"),
        ("LOG_LEVEL", "the contract decides"),
        ("AUTO_ACTIVATION", "the contract decides"),
        ("PATH", "the wrapper itself"),
        ("NOT_SET", "not set here"),
        ("A B", "no name"),
    ] {
        let output = with(&["--pass-env", name, "ai-engine", SCRIPT]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(text(&output.stderr).contains(why), "{name}: {}", text(&output.stderr));
    }
    // In the env file: refused, or overridden and shown.
    for line in ["LD_PRELOAD=/tmp/x.so", "PYTHONSTARTUP=/tmp/x.py", "PYTHONHOME=/tmp", "LD_LIBRARY_PATH=/tmp"]
    {
        host.append(ENV_FILE, line);
        for who in CALLERS {
            host.refused(who, &["golden", "run", "ai-engine", SCRIPT], "env-variable-hijacks");
        }
        host.put_back();
    }
    host.append(ENV_FILE, "PATH=/tmp/evil:/usr/bin");
    host.append(ENV_FILE, "PYTHONPATH=/srv/more");
    let shown = text(&host.machine.run(&["golden", "-q", "run", "--print-env", "ai-engine"]).stdout);
    let line =
        |name: &str| shown.lines().find(|line| line.starts_with(&format!("{name}="))).unwrap().to_owned();
    assert!(line("PATH").contains("PATH=/opt/quantum/venvs/ai-engine/bin:/tmp/evil:/usr/bin "), "{shown}");
    assert!(line("PATH").contains("(over /etc/quantum/ai-engine.env:"), "{shown}");
    assert!(line("PYTHONPATH").contains(&format!("PYTHONPATH={REPOSITORY}:/srv/more ")), "{shown}");
    assert!(line("REDIS_HOST").contains("/etc/quantum/ai-engine.env:8"), "{shown}");
}

fn secrets_are_not_shown(host: &Host) {
    let env =
        "[services.ai-engine]\nenv_files = [{ path = \"/etc/quantum/ai-engine.env\", secret = true }]\n";
    host.lay_contract(&format!("{CONTRACT}{env}"));
    host.append(ENV_FILE, "BROKER_API_SECRET=8f2b61c09d7e4a55");
    for who in CALLERS {
        let output = host.call(who, &["golden", "run", "--print-env", "ai-engine"]);
        let shown = text(&output.stdout) + &text(&output.stderr);
        assert!(shown.contains("BROKER_API_SECRET=(a secret)") && !shown.contains("8f2b61"), "{shown}");
        assert_eq!(variables(&told(&host.probe(who, &[])))["BROKER_API_SECRET"], "8f2b61c09d7e4a55");
    }
}

fn names_that_lead_out(host: &Host) {
    host.sh(
        "mkdir -p /tmp/evil; echo 'open(\"/tmp/evil-ran\",\"w\")' >/tmp/evil.py; chmod 0777 /tmp/evil.py",
    );
    for who in CALLERS {
        let run = |service: &str, script: &str, why: &str| {
            host.refused(who, &["golden", "run", service, script], why)
        };
        run("../../tmp/p", SCRIPT, "no service");
        run("", SCRIPT, "no service");
        run("ai-engine\n", SCRIPT, "no service");
        run("ai-engine", "../../../tmp/evil.py", "no plain path");
        run("ai-engine", "ops/../../../../tmp/evil.py", "no plain path");
        run("ai-engine", "/tmp/evil.py", "absolute path");
        run("ai-engine", "ops/probe.py\n", "control character");
        run("ai-engine", "", "no plain path");
        run("ai-engine", "ops", "is no file");
        run("ai-engine", "ops/none.py", "does not exist");
        run("backend", "ops/training/train_patchtst.py", "not of backend");
        host.refused(who, &["golden", "job", "../x"], "no job");
        host.refused(who, &["golden", "job"], "no job is named");
        host.refused(who, &["golden", "run", "ai-engine"], "no script");
        host.refused(who, &["golden", "run", "--nonsense"], "unexpected argument");
    }
    for link in ["ops/out.py", "ops/deep/out.py"] {
        let path = format!("{REPOSITORY}/{link}");
        host.sh(&format!(
            "mkdir -p {REPOSITORY}/ops/deep; ln -sf /tmp/evil.py {path}; chown -h qt:qt {path}"
        ));
        for who in CALLERS {
            host.refused(who, &["golden", "run", "ai-engine", link], "leads out of the repository");
        }
    }
    host.sh(&format!("ln -s /tmp {REPOSITORY}/ops/linked"));
    host.refused(
        "root",
        &["golden", "run", "ai-engine", "ops/linked/evil.py"],
        "leads out of the repository",
    );
    // A link inside the repository is right, and the script behind it is what runs.
    host.sh(&format!("ln -s probe.py {REPOSITORY}/ops/alias.py"));
    told(&host.machine.run(&["golden", "-q", "run", "ai-engine", "ops/alias.py"]));
}

/// What is broken, and the rule that refuses.
const BROKEN: &[(&str, &str)] = &[
    ("mv /home/qt/quantum_trader/.git /home/qt/quantum_trader/.away", "repository-not-a-work-tree"),
    ("mv /opt/quantum/venvs/ai-engine /opt/quantum/venvs/away", "venv-missing"),
    ("rm /opt/quantum/venvs/ai-engine/pyvenv.cfg", "venv-config-invalid"),
    ("ln -sf /bin/false /opt/quantum/venvs/ai-engine/bin/python", "venv-python-broken"),
    (
        "ln -sf /tmp/python3 /opt/quantum/venvs/ai-engine/bin/python; cp /usr/bin/python3 /tmp/python3; chmod 0777 /tmp/python3",
        "venv-open",
    ),
    ("rm /etc/quantum/ai-engine.env", "env-file-missing"),
    ("chmod 0666 /etc/quantum/ai-engine.env", "env-file-mode-wrong"),
    ("chown nobody /etc/quantum/ai-engine.env", "env-file-owner-wrong"),
    (
        "mv /etc/quantum/ai-engine.env /tmp/x.env; ln -s /tmp/x.env /etc/quantum/ai-engine.env",
        "env-file-not-regular",
    ),
    ("chmod 0600 /etc/quantum/ai-engine.env", "env-file-unreachable"),
    ("sed -i '/^REDIS_PORT/d' /etc/quantum/ai-engine.env", "env-variable-missing"),
    (
        "sed -i 's/^REDIS_HOST=.*/REDIS_HOST=redis.example.org/' /etc/quantum/ai-engine.env",
        "env-variable-wrong",
    ),
    ("ln -sf /dev/null /etc/systemd/system/quantum-ai-engine.service", "unit-masked"),
    ("systemctl stop redis-server", "redis-not-answering"),
    ("redis-cli CONFIG SET requirepass x", "redis-not-answering"),
    ("mv /opt/quantum/data /opt/quantum/data.away", "place-missing"),
    ("chown root:root /opt/quantum/data; chmod 0755 /opt/quantum/data", "place-owner-wrong"),
];

const MENDED: &str = "redis-cli -a x CONFIG SET requirepass '' >/dev/null 2>&1 || true; systemctl reset-failed; systemctl start redis-server
    [ ! -d /opt/quantum/data.away ] || mv /opt/quantum/data.away /opt/quantum/data
    [ ! -d /opt/quantum/venvs/away ] || { rm -rf /opt/quantum/venvs/ai-engine; mv /opt/quantum/venvs/away /opt/quantum/venvs/ai-engine; }
    chown qt:qt /opt/quantum/data";

fn each_check(host: &Host) {
    host.sh("systemctl stop quantum-ai-engine quantum-backend quantum-execution quantum-rl-agent");
    for (script, rule) in BROKEN {
        for who in CALLERS {
            host.sh(script);
            let output = host.call(who, &["golden", "run", "ai-engine", SCRIPT]);
            let said = text(&output.stderr);
            assert_eq!(
                (output.status.code(), text(&output.stdout).as_str()),
                (Some(1), ""),
                "{who}: {script}: {said}"
            );
            let line = said.lines().find(|line| line.ends_with(rule));
            let mark = line.and_then(|line| line.trim_start().chars().next());
            assert!(matches!(mark, Some('✗' | '?')), "{who}: {script}: {rule} is not in: {said}");
            host.sh("test ! -e /opt/quantum/data/ran && test ! -e /opt/quantum/data.away/ran");
            host.sh(MENDED);
            host.put_back();
        }
    }
    // A database that is not there yet is a warning, unless the job demands it.
    host.sh("mv /opt/quantum/data/quantum_trader.db /opt/quantum/data/away.db");
    let output = host.machine.run(&["golden", "run", "ai-engine", SCRIPT]);
    told(&output);
    assert!(text(&output.stderr).contains("! database"), "{}", text(&output.stderr));
    host.lay_contract(&CONTRACT.replace("single_flight = true", "needs = [\"database\"]"));
    host.refused("root", &["golden", "job", "probe"], "database-missing");
    host.put_back();
    host.revive("mv /opt/quantum/data/away.db /opt/quantum/data/quantum_trader.db; systemctl start quantum-backend quantum-ai-engine quantum-execution quantum-rl-agent");
}

fn what_a_stranger_can_write(host: &Host) {
    for open in [
        format!("chmod 0666 {REPOSITORY}/{SCRIPT}"),
        format!("chmod 0777 {REPOSITORY}/ops"),
        format!("chmod 0777 {REPOSITORY}"),
        format!("chown nobody {REPOSITORY}/{SCRIPT}"),
        format!("ln {REPOSITORY}/{SCRIPT} {REPOSITORY}/ops/second.py"),
        format!("usermod -aG qt nobody; chmod 0664 {REPOSITORY}/{SCRIPT}"),
    ] {
        host.sh(&open);
        for who in CALLERS {
            host.refused(who, &["golden", "run", "ai-engine", SCRIPT], "job-script-open");
        }
        host.put_back();
    }
    host.sh("gpasswd -d nobody qt");
    for open in
        ["chmod 0777 /opt/quantum/venvs/ai-engine/bin", "chmod 0666 /opt/quantum/venvs/ai-engine/pyvenv.cfg"]
    {
        host.sh(open);
        host.refused("root", &["golden", "run", "ai-engine", SCRIPT], "venv-open");
        host.put_back();
    }
}

/// A contract by which root would run what the service user likes.
const OF_USER: &str = r#"schema = 1
extends = "quantum"
[identity]
user = "root"
group = "root"
[jobs.evil]
service = "ai-engine"
script = "ops/probe.py"
"#;

fn contract_of_the_user(host: &Host) {
    host.machine.write(&format!("{REPOSITORY}/golden.toml"), OF_USER, 0o644, "qt:qt");
    let inside = |words: &str| host.machine.sh(&format!("cd {REPOSITORY} && {words}"));
    // Found on the way up: passed over, and said.
    let output = inside("golden job evil");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("not obeyed by root"), "{}", text(&output.stderr));
    let output = inside(&format!("golden -q run ai-engine {SCRIPT}"));
    assert_ne!(told(&output)["uid"], 0);
    // Named: refused.
    for words in ["golden --contract golden.toml job evil", "GOLDEN_CONTRACT=golden.toml golden job evil"] {
        let output = inside(words);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("root does not obey"), "{}", text(&output.stderr));
    }
    // Root's own contract cannot make a job root's either.
    host.lay_contract(OF_USER);
    host.refused("root", &["golden", "job", "evil"], "root");
}

fn nothing_before_the_identity(host: &Host) {
    let trace =
        "strace -f -qq -o /tmp/trace -e trace=execve,execveat,open,openat,openat2,setresuid,setuid,connect";
    host.sh(&format!("cd / && {trace} golden -q run ai-engine {SCRIPT} >/dev/null"));
    let trace = host.sh("cat /tmp/trace");
    let lines: Vec<&str> = trace.lines().collect();
    let dropped = lines.iter().position(|line| line.contains("setresuid(")).expect("the identity changes");
    let before: Vec<&&str> = lines[..dropped]
        .iter()
        .filter(|line| line.contains("/home/qt") || line.contains("/opt/quantum"))
        .collect();
    assert!(before.is_empty(), "{before:#?}");
    let execs: Vec<usize> = (0..lines.len()).filter(|&at| lines[at].contains("execve(")).collect();
    assert_eq!(
        execs.len(),
        2,
        "golden, and the interpreter: {:#?}",
        execs.iter().map(|&at| lines[at]).collect::<Vec<_>>()
    );
    assert!(
        execs[1] > dropped && lines[execs[1]].contains("/opt/quantum/venvs/ai-engine/bin/python"),
        "{}",
        lines[execs[1]]
    );
}

/// Who may write the repository may swap it at any moment. What is run so is the job's user's, never root's.
fn swapped_directory(host: &Host) {
    host.sh(&format!(
        "mkdir /tmp/swap; cp {REPOSITORY}/{SCRIPT} /tmp/swap/probe.py; chown -R qt:qt /tmp/swap"
    ));
    let swap = format!(
        "cd {REPOSITORY}; while :; do mv ops ops.real; ln -s /tmp/swap ops; rm ops; mv ops.real ops; done"
    );
    let mut words = vec!["setpriv", "--reuid=qt", "--regid=qt", "--init-groups", "sh", "-c", &swap];
    let mut swapping = host.machine.command(words.drain(..)).stderr(Stdio::null()).spawn().unwrap();
    let mut ran = 0;
    for _ in 0..40 {
        let output = host.probe("root", &[]);
        ran += u32::from(output.status.success());
        assert!(matches!(output.status.code(), Some(0..=2)), "{:?}", output.status);
    }
    swapping.kill().unwrap();
    swapping.wait().unwrap();
    host.sh("pkill -u qt -f ops.real || true; sleep 0.3");
    host.sh(&format!(
        "cd {REPOSITORY}; [ ! -d ops.real ] || {{ rm -f ops; mv ops.real ops; }}; rm -rf /tmp/swap"
    ));
    println!("           {ran} of 40 ran");
    let uids = host.sh("cat /opt/quantum/data/ran 2>/dev/null || true");
    let qt = host.sh("id -u qt");
    assert!(uids.lines().all(|uid| uid == qt.trim()), "{uids}");
}

fn a_megabyte(host: &Host) {
    let script = format!(
        "import subprocess, json
words = ['x' * 1000] * 1000
done = subprocess.run(['golden', '-q', 'run', 'ai-engine', '{SCRIPT}', *words], capture_output=True)
assert json.loads(done.stdout)['argv'] == words, done.stderr
assert len(done.stderr) == 0, done.stderr"
    );
    host.machine.ok(&["python3", "-c", &script]);
}

fn a_stranger_calls(host: &Host) {
    host.refused("nobody", &["golden", "run", "ai-engine", SCRIPT], "nobody may not run jobs of qt");
    host.refused("nobody", &["golden", "job", "train-patchtst"], "nobody may not run jobs of qt");
    host.refused("nobody", &["golden", "run", "--print-env", "ai-engine"], "may not");
}

fn ends(host: &Host) {
    for who in CALLERS {
        for job in [false, true] {
            if job {
                host.lay_contract(CONTRACT);
            }
            let code = |argument: &str| {
                let script = if job {
                    "exec golden -q job probe"
                } else {
                    "exec golden -q run ai-engine ops/probe.py"
                };
                let output = host.call(who, &["sh", "-c", &format!("{script} {argument}")]);
                (output.status.code(), text(&output.stderr))
            };
            // The shell that becomes golden shows its caller a death by signal as the kernel does.
            assert_eq!(code("code=3").0, Some(3));
            assert_eq!(code("code=255").0, Some(255));
            let by_signal = |number: u32| {
                let script = if job { "golden -q job probe" } else { "golden -q run ai-engine ops/probe.py" };
                let probe = format!(
                    "import subprocess; print(subprocess.run('{script} kill={number}'.split(), stdout=subprocess.DEVNULL).returncode)"
                );
                text(&host.call(who, &["python3", "-c", &probe]).stdout).trim().to_owned()
            };
            assert_eq!(
                (by_signal(15), by_signal(9), by_signal(10)),
                ("-15".into(), "-9".into(), "-10".into())
            );
        }
        host.put_back();
    }
}

fn one_at_a_time(host: &Host) {
    host.lay_contract(CONTRACT);
    for (first, second) in [("root", "qt"), ("qt", "root")] {
        let start = |who: &str, words: &str| {
            let identity = if who == "root" { "" } else { "setpriv --reuid=qt --regid=qt --init-groups " };
            host.sh(&format!("{identity}golden -q job probe {words} >/tmp/first.{who} 2>&1 & echo $!"))
                .trim()
                .to_owned()
        };
        let pid = start(first, "sleep=30");
        host.machine.wait_until("the first run", &format!("grep -q argv /tmp/first.{first}"));
        host.sh("rm /opt/quantum/data/ran");
        let output = host.call(second, &["golden", "-q", "job", "probe"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("already running, process") && said.contains("started 20"), "{said}");
        let job = said.split("process ").nth(1).unwrap().split(',').next().unwrap().to_owned();
        // golden is killed, the job lives on, and so does its lock.
        host.sh(&format!("kill -9 {pid}; sleep 0.2; test -d /proc/{job}"));
        let output = host.call(second, &["golden", "-q", "job", "probe"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        host.sh("test ! -e /opt/quantum/data/ran");
        host.sh(&format!("kill {job}"));
        host.machine.wait_until("the end of the job", &format!("! test -d /proc/{job}"));
        told(&host.call(second, &["golden", "-q", "job", "probe"]));
    }
    // Without the directory of locks its user is told what root must do; root makes it.
    host.sh("rm -r /run/golden");
    host.refused("qt", &["golden", "job", "probe"], "sudo install -d -m 0755 /run/golden");
    told(&host.machine.run(&["golden", "-q", "job", "probe"]));
    told(&host.call("qt", &["golden", "-q", "job", "probe"]));
    assert_eq!(host.sh("stat -c '%U %a' /run/golden /run/golden/qt | tr '\\n' ' '"), "root 755 qt 700 ");
}

fn time_limit(host: &Host) {
    host.lay_contract(CONTRACT);
    for who in CALLERS {
        let start = Instant::now();
        let output = host.call(who, &["sh", "-c", "golden -q job short sleep=30; echo $?"]);
        assert!(text(&output.stdout).ends_with("143\n"), "{}", text(&output.stdout));
        assert!(
            text(&output.stderr).contains("its time limit of 1 seconds is over"),
            "{}",
            text(&output.stderr)
        );
        assert!(start.elapsed().as_secs() < 10);
        told(&host.call(who, &["golden", "-q", "job", "short"]));
        // A signal to golden is the job's to handle.
        let script = "golden -q job probe on-term >/tmp/out & pid=$!
            while ! grep -q ready /tmp/out; do sleep 0.1; done; kill -TERM $pid; wait $pid; echo $?; rm /tmp/out";
        assert_eq!(text(&host.call(who, &["sh", "-c", script]).stdout), "5\n");
    }
}

fn built_in_jobs(host: &Host) {
    let audit = |who: &str, words: &[&str]| host.call(who, &[&["golden"], words].concat());
    let output = audit("root", &["job", "audit"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("COMPLIANT."), "{}", text(&output.stdout));
    let output =
        audit("root", &["run", "ai-engine", "ops/audit_contract.py", "--format", "json", "--section", "E"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["verdict"]), (Some(0), &"compliant".into()));
    // It runs although a dependency is down, and says so.
    host.sh("systemctl stop redis-server");
    let output = audit("root", &["job", "audit", "--section", "E"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("redis"), "{}", text(&output.stdout));
    host.sh(
        "systemctl start redis-server quantum-backend quantum-ai-engine quantum-execution quantum-rl-agent",
    );
    for job in ["quality-gate", "scoreboard"] {
        for who in CALLERS {
            let output = audit(who, &["job", job]);
            assert_eq!(output.status.code(), Some(2));
            assert!(text(&output.stderr).contains("is not there yet"), "{}", text(&output.stderr));
        }
    }
    assert_eq!(audit("root", &["job", "audit", "--nonsense"]).status.code(), Some(2));
}

fn the_journal(host: &Host) {
    host.lay_contract(CONTRACT);
    host.sh("golden -q job probe --api-key hunter2 code=4 >/dev/null || true; journalctl --sync");
    let entries = host.sh("journalctl -t golden -o json --no-pager -n 2");
    let entries: Vec<Value> = entries.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let commit = host.sh(&format!("runuser -u qt -- git -C {REPOSITORY} rev-parse HEAD"));
    for entry in &entries {
        assert_eq!((&entry["GOLDEN_JOB"], &entry["GOLDEN_SERVICE"]), (&"probe".into(), &"ai-engine".into()));
        assert_eq!(entry["GOLDEN_COMMIT"], commit.trim());
        assert_eq!(entry["GOLDEN_CALLER"], "uid 0");
        assert_eq!(entry["GOLDEN_ARGUMENTS"], "--api-key (a secret) code=4");
    }
    assert_eq!(
        (&entries[0]["GOLDEN_RESULT"], &entries[1]["GOLDEN_RESULT"]),
        (&"started".into(), &"exit code 4".into())
    );
}

fn make_trains(host: &Host) {
    let make = |target: &str| host.call("qt", &["make", "-C", REPOSITORY, target]);
    host.sh("rm -rf /opt/quantum/data/model_checkpoints/* /opt/quantum/data/training_data/*");
    let models = host.sh("cd /opt/quantum/ai_engine/models && find . -type f -exec sha256sum {} + | sort");
    let wait = "test $(sqlite3 -readonly /opt/quantum/data/quantum_trader.db 'SELECT max(n) FROM (SELECT count(*) n \
        FROM trades GROUP BY symbol)') -ge 60";
    host.machine.wait_until("some market to learn from", wait);
    for target in ["build-patchtst-dataset", "train-patchtst"] {
        let output = make(target);
        assert!(output.status.success(), "{target}: {}{}", text(&output.stdout), text(&output.stderr));
    }
    let made = host.sh("find /opt/quantum/data/model_checkpoints -type f -printf '%u %s %f\\n'");
    println!("           made {}", made.trim());
    assert!(
        !made.is_empty() && made.lines().all(|line| line.starts_with("qt ") && !line.starts_with("qt 0 ")),
        "{made}"
    );
    assert_eq!(
        models,
        host.sh("cd /opt/quantum/ai_engine/models && find . -type f -exec sha256sum {} + | sort")
    );
    // GNU make makes a 2 of every failure; the words are golden's.
    for (target, words) in [("quality-gate", "is not there yet"), ("scoreboard", "is not there yet")] {
        let output = make(target);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
    }
    // The dataset and the checkpoint are data: the host is as compliant as before.
    let output = host.machine.run(&["make", "-C", REPOSITORY, "audit"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}

fn as_unit_runs(host: &Host) {
    host.lay_contract(CONTRACT);
    host.append(ENV_FILE, "DESC=hello $world \"x\"");
    let run = |words: &[&str]| {
        host.machine
            .run(&[&["golden", "-q", "run", "--as-unit", "ai-engine", "ops/short.py"], words].concat())
    };
    let output = run(&["a b", "$HOME", "%n", "", "*.md", "err"]);
    let told_by_unit = told(&output);
    assert_eq!(told_by_unit["argv"], serde_json::json!(["a b", "$HOME", "%n", "", "*.md", "err"]));
    assert_eq!(told_by_unit["uid"].to_string(), host.sh("id -u qt").trim());
    assert_eq!(told_by_unit["cwd"], REPOSITORY);
    assert_eq!((text(&output.stdout).lines().count(), text(&output.stderr).as_str()), (1, "to stderr\n"));
    // The environment is that of the plain job and what systemd adds.
    let plain = variables(&told(&host.machine.run(&["golden", "-q", "run", "ai-engine", SCRIPT])));
    let mut unit = variables(&told_by_unit);
    unit.retain(|name, _| !OF_SYSTEMD.contains(&name.as_str()));
    assert_eq!(plain, unit, "left: the plain job, right: the unit");
    // The caller sees its end; the journal has its words under the service's identifier.
    assert_eq!(run(&["code=7"]).status.code(), Some(7));
    assert_eq!(
        text(
            &host
                .machine
                .sh("golden -q run --as-unit ai-engine ops/short.py kill=15 >/dev/null; echo $?")
                .stdout
        ),
        "143\n"
    );
    let over = host.machine.sh("golden -q run --as-unit ai-engine ops/short.py sleep=30 >/dev/null; echo $?");
    assert_eq!(text(&over.stdout), "143\n", "the time limit is the unit's");
    host.sh("journalctl --sync");
    assert!(host.sh("journalctl -t quantum-ai-engine --no-pager -o cat").contains("to stderr"));
    assert_eq!(
        host.sh(
            "systemctl list-units --all --no-legend 'golden-*'; ls /run/golden-*.env 2>/dev/null || true"
        ),
        ""
    );
    // Only root may ask systemd; the checks are the same; one at a time holds here too.
    host.refused("qt", &["golden", "run", "--as-unit", "ai-engine", SCRIPT], "--as-unit is root's");
    host.refused("root", &["golden", "run", "--as-unit", "ai-engine", "ops/none.py"], "does not exist");
    host.sh("golden -q job --as-unit probe sleep=20 >/tmp/unit.out 2>&1 &");
    host.machine.wait_until("the unit", "grep -q argv /tmp/unit.out");
    host.sh("rm -f /opt/quantum/data/ran");
    for who in CALLERS {
        host.refused(who, &["golden", "job", "probe"], "already running");
    }
    host.refused("root", &["golden", "job", "--as-unit", "probe"], "already running");
    // A signal to golden reaches the unit.
    host.sh("pkill -TERM -f '[j]ob --as-unit probe'; sleep 0.5");
    host.machine
        .wait_until("the end of the unit", "! systemctl list-units --no-legend 'golden-*' | grep -q .");
}

/// Runs words on a terminal of their own; what stands in `types` is typed once `ready` has been seen.
const ON_PTY: &str = r#"
import os, pty, select, sys, time
ready, types, words = sys.argv[1].encode(), sys.argv[2].encode().decode("unicode_escape").encode(), sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(words[0], words)
seen, typed, end = b"", False, time.time() + 20
while time.time() < end:
    if select.select([terminal], [], [], 0.1)[0]:
        try: part = os.read(terminal, 4096)
        except OSError: break
        if not part: break
        seen += part
    if ready in seen and not typed:
        typed = True
        os.write(terminal, types)
_, status = os.waitpid(pid, 0)
sys.stdout.write(seen.decode().replace("\r", ""))
print("END", os.waitstatus_to_exitcode(status))
"#;

fn on_a_terminal(host: &Host) {
    host.machine.write("/on-pty.py", ON_PTY, 0o644, "root:root");
    host.lay_contract(CONTRACT);
    let on_pty = |ready: &str, types: &str, words: &str| {
        text(&host.machine.run(&["python3", "/on-pty.py", ready, types, "sh", "-c", words]).stdout)
    };
    for verb in ["run ai-engine ops/probe.py", "job probe", "run --as-unit ai-engine ops/probe.py"] {
        // A job of another user holds no terminal of root's: it can neither type nor read on it.
        let said = on_pty(
            "no such words",
            "",
            &format!("golden -q {verb} tty; sleep 0.3; stat -c 'owner %U' $(tty)"),
        );
        assert!(said.contains("terminals []") && !said.contains("typed through"), "{verb}: {said}");
        assert!(said.contains("owner root") && said.contains("END 0"), "{verb}: {said}");
        host.sh("test ! -e /tmp/typed");
        // What is typed reaches it all the same, and so does ^C, once.
        let said = on_pty("argv", "hello\\n", &format!("golden -q {verb} echo"));
        assert!(said.contains("read hello"), "{verb}: {said}");
        let said =
            on_pty("ready", "\\x03", &format!("trap : INT; golden -q {verb} on-int sleep=15; echo code $?"));
        assert!(said.contains("code 6"), "{verb}: {said}");
    }
    // In the background it runs on, without what is typed.
    for verb in ["job probe", "job --as-unit probe"] {
        let said = on_pty(
            "no such words",
            "",
            &format!("set -m; golden -q {verb} echo code=3 & wait $!; echo code $?"),
        );
        assert!(said.contains("code 3"), "{verb}: {said}");
    }
    // The user itself keeps its terminal.
    let said = on_pty(
        "no such words",
        "",
        "setpriv --reuid=qt --regid=qt --init-groups golden -q run ai-engine ops/probe.py tty",
    );
    assert!(said.contains("terminals [0, 1, 2]"), "{said}");
}

fn signals_of_the_caller(host: &Host) {
    host.lay_contract(CONTRACT);
    let ignoring = "env --ignore-signal=CHLD,TERM,INT --block-signal=USR1,TERM golden -q";
    for verb in ["run ai-engine ops/probe.py", "job probe", "run --as-unit ai-engine ops/probe.py"] {
        let output = host.machine.sh(&format!("{ignoring} {verb} signals code=7; echo $?"));
        assert!(
            text(&output.stdout).ends_with("7\n"),
            "{verb}: {}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
        if !verb.contains("--as-unit") {
            let out = text(&output.stdout);
            let masks: Vec<u64> = out
                .split('\'')
                .filter_map(|word| u64::from_str_radix(word, 16).ok().filter(|_| word.len() == 16))
                .collect();
            let touched = [2, 10, 15, 17].iter().fold(0, |bits, signal| bits | 1 << (signal - 1));
            assert_eq!((masks.len(), masks[0], masks[1] & touched), (2, 0, 0), "{out}");
        }
    }
    let odd = "LC_TIME=$(printf '\\377') golden -q run --as-unit ai-engine ops/probe.py";
    assert!(host.machine.sh(odd).status.success());
}

fn chain_of_contracts(host: &Host) {
    host.machine.write(
        "/home/qt/base.toml",
        OF_USER.replace("[identity]\nuser = \"root\"\ngroup = \"root\"\n", ""),
        0o644,
        "qt:qt",
    );
    host.lay_contract("schema = 1\nextends = \"/home/qt/base.toml\"\n");
    host.refused("root", &["golden", "job", "evil"], "root does not obey it");
    assert_eq!(host.machine.run(&["golden", "audit"]).status.code(), Some(2));
    // The same from a place that only root can write.
    host.sh("install -m 0644 /home/qt/base.toml /etc/golden/base.toml; rm /home/qt/base.toml");
    host.lay_contract("schema = 1\nextends = \"/etc/golden/base.toml\"\n");
    told(&host.machine.run(&["golden", "-q", "job", "evil"]));
}

fn lock_with_a_second_name(host: &Host) {
    host.lay_contract(CONTRACT);
    host.sh("echo precious >/run/precious; chmod 0600 /run/precious; rm -f /run/golden/qt/*; ln /run/precious /run/golden/qt/quantum.probe.lock");
    host.refused("root", &["golden", "job", "--as-unit", "probe"], "is open to others");
    host.refused("root", &["golden", "job", "probe"], "the lock");
    assert_eq!(host.sh("stat -c '%U %a' /run/precious; cat /run/precious"), "root 600\nprecious\n");
    host.sh("rm /run/golden/qt/* /run/precious");
}

fn limit_that_is_ignored(host: &Host) {
    host.lay_contract(CONTRACT);
    for option in ["", "--as-unit"] {
        let start = Instant::now();
        let output = host.machine.sh(&format!("golden -q job {option} short deaf sleep=60; echo $?"));
        assert!(text(&output.stdout).ends_with("137\n"), "{option}: {}", text(&output.stdout));
        assert!(
            text(&output.stderr).contains("its time limit of 1 seconds is over"),
            "{}",
            text(&output.stderr)
        );
        assert!((10..20).contains(&start.elapsed().as_secs()), "{option}: {:?}", start.elapsed());
    }
}

fn as_unit_properties(host: &Host) {
    let drop_in = "[Service]\nLimitNOFILE=4096:8192\nNice=5\nReadOnlyPaths=/srv\nSystemCallFilter=~@reboot\nRestrictNamespaces=yes\n\
        CapabilityBoundingSet=\nProtectClock=yes\nOOMScoreAdjust=77\nTasksMax=99\nRuntimeDirectory=quantum-ai\n";
    host.machine.write(
        "/etc/systemd/system/quantum-ai-engine.service.d/more.conf",
        drop_in,
        0o644,
        "root:root",
    );
    host.sh("systemctl daemon-reload; systemctl restart quantum-ai-engine");
    host.sh("golden -q run --as-unit ai-engine ops/probe.py sleep=20 >/tmp/unit.out 2>&1 &");
    host.machine.wait_until("the unit", "grep -q argv /tmp/unit.out");
    let names = "User,Group,WorkingDirectory,NoNewPrivileges,PrivateTmp,ProtectSystem,ProtectHome,ReadWritePaths,ReadOnlyPaths,\
        MemoryMax,CPUQuotaPerSecUSec,LimitNOFILE,LimitNOFILESoft,Nice,SystemCallFilter,RestrictNamespaces,CapabilityBoundingSet,\
        ProtectClock,OOMScoreAdjust,TasksMax,SyslogIdentifier,UMask,Slice";
    let show = |unit: &str| host.sh(&format!("systemctl show -p {names} {unit}"));
    let unit = host.sh("systemctl list-units --no-legend --plain 'golden-*' | cut -d' ' -f1");
    assert_eq!(show("quantum-ai-engine"), show(unit.trim()));
    let show = |name: &str| host.sh(&format!("systemctl show -P {name} {}", unit.trim()));
    for (name, value) in [
        ("RuntimeDirectory", "\n"),
        ("BindsTo", "\n"),
        ("Restart", "no\n"),
        ("PIDFile", "\n"),
        ("Type", "exec\n"),
    ] {
        assert_eq!(show(name), value, "{name}");
    }
    // A property is shown to everybody, so no value of the env files may be one.
    assert!(!show("Environment").contains("REDIS_PORT"), "{}", show("Environment"));
    host.sh("pkill -TERM -f '[r]un --as-unit'; sleep 0.5; rm -r /etc/systemd/system/quantum-ai-engine.service.d; systemctl daemon-reload; systemctl restart quantum-ai-engine");
}
