//! How a job ends, what stands beside it, and what is remembered.

use super::*;

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

pub fn ends(host: &Host) {
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

pub fn one_at_a_time(host: &Host) {
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

pub fn time_limit(host: &Host) {
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

pub fn limit_that_is_ignored(host: &Host) {
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

pub fn built_in_jobs(host: &Host) {
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
            // Its own exit code, and the caller's identity: only root's verdict counts.
            let output = audit(who, &["job", job, "--model", "no-such-model"]);
            assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
            let said = text(&output.stdout);
            assert!(said.contains("is not in the telemetry"), "{said}{}", text(&output.stderr));
            assert_eq!(said.contains("not root"), who != "root", "{said}");
        }
    }
    assert_eq!(audit("root", &["job", "audit", "--nonsense"]).status.code(), Some(2));
}

pub fn the_journal(host: &Host) {
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

pub fn make_trains(host: &Host) {
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
    for (target, passes) in [("quality-gate", "PASSED"), ("scoreboard", "GO")] {
        let output = make(target);
        let said = text(&output.stdout);
        let last = said.lines().rfind(|line| !line.starts_with("make")).unwrap_or_default();
        let passed = last.starts_with(passes);
        assert_eq!(output.status.code(), Some(if passed { 0 } else { 2 }), "{said}{}", text(&output.stderr));
        assert!(said.contains("momentum"), "{said}{}", text(&output.stderr));
    }
    // The dataset and the checkpoint are data: the host is as compliant as before.
    let output = host.machine.run(&["make", "-C", REPOSITORY, "audit"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}

pub fn on_a_terminal(host: &Host) {
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

pub fn signals_of_the_caller(host: &Host) {
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
