//! The wrapper on a booted machine: what a job gets, what is refused, and what an attacker tries. Everything is
//! done as root and, where it makes a difference, as the contract's user.

mod as_unit;
mod ends;
use crate::support::example;
mod given;
use crate::support::machine;
mod refused;

use std::collections::BTreeMap;
use std::process::{Output, Stdio};
use std::time::Instant;

use example::text;
use machine::Machine;
use serde_json::Value;

#[test]
fn the_wrapper_on_systemd_252() {
    judge("bookworm", CASES);
}

/// Another systemd to start units.
#[test]
fn the_wrapper_as_a_unit_on_systemd_257() {
    judge("trixie", AS_UNIT);
}

fn judge(suite: &str, cases: &[(&str, Case)]) {
    if machine::skipped() {
        return;
    }
    let mut failed = Vec::new();
    let only = std::env::var("GOLDEN_WRAPPER").unwrap_or_default();
    let host = Host::boot(suite);
    for (name, case) in cases.iter().filter(|(name, _)| name.contains(&only)) {
        let start = Instant::now();
        println!("wrapper on {suite}: {name}");
        if std::panic::catch_unwind(|| case(&host)).is_err() {
            failed.push(*name);
        }
        host.put_back();
        println!("           {:.1} s", start.elapsed().as_secs_f32());
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

type Case = fn(&Host);

const CASES: &[(&str, Case)] = &[
    ("arguments, identity, descriptors, stdout", given::what_the_job_gets),
    ("variables of the env file are values and nothing else", given::env_lines_are_values),
    ("the environment of the service", given::environment_of_the_service),
    ("what of the caller is passed", given::what_of_the_caller_is_passed),
    ("secrets are not shown", given::secrets_are_not_shown),
    ("names and paths that lead out", refused::names_that_lead_out),
    ("each check of the preflight", refused::each_check),
    ("what a stranger can write", refused::what_a_stranger_can_write),
    ("the contract of the service user offered to root", refused::contract_of_the_user),
    ("nothing of the repository before the identity", refused::nothing_before_the_identity),
    ("a directory that is swapped all the time", refused::swapped_directory),
    ("a megabyte of arguments", refused::a_megabyte),
    ("a stranger calls", refused::a_stranger_calls),
    ("the end of the job is the caller's", ends::ends),
    ("one at a time", ends::one_at_a_time),
    ("a time limit", ends::time_limit),
    ("built-in jobs", ends::built_in_jobs),
    ("the journal", ends::the_journal),
    ("make builds a dataset and trains", ends::make_trains),
    ("as a unit: identity, environment, output, ends", as_unit::as_unit_runs),
    ("as a unit: the properties of the service", as_unit::as_unit_properties),
    ("what only a terminal can show", ends::on_a_terminal),
    ("what the caller did to signals", ends::signals_of_the_caller),
    ("a chain of contracts is as trusted as its weakest file", refused::chain_of_contracts),
    ("a lock with a second name", refused::lock_with_a_second_name),
    ("a limit that the job ignores", ends::limit_that_is_ignored),
];

const AS_UNIT: &[(&str, Case)] = &[
    ("as a unit: identity, environment, output, ends", as_unit::as_unit_runs),
    ("as a unit: the properties of the service", as_unit::as_unit_properties),
    ("the environment of the service", given::environment_of_the_service),
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
        // A service that was just being started while its repository was laid anew comes back after RestartSec=.
        example::wait(&self.machine);
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
