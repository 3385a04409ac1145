//! What is refused, and what an attacker tries.

use super::*;

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

/// A contract by which root would run what the service user likes.
pub const OF_USER: &str = r#"schema = 1
extends = "quantum"
[identity]
user = "root"
group = "root"
[jobs.evil]
service = "ai-engine"
script = "ops/probe.py"
"#;

pub fn names_that_lead_out(host: &Host) {
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
        run("ai-engine", "../../../tmp/evil.py", "not a plain path");
        run("ai-engine", "ops/../../../../tmp/evil.py", "not a plain path");
        run("ai-engine", "/tmp/evil.py", "absolute path");
        run("ai-engine", "ops/probe.py\n", "control character");
        run("ai-engine", "", "not a plain path");
        run("ai-engine", "ops", "is not a file");
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

pub fn each_check(host: &Host) {
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
    // The services stop for it: one that starts without its database ends, and is not healthy until it is back.
    host.sh("systemctl stop quantum-ai-engine quantum-backend quantum-execution quantum-rl-agent
         mv /opt/quantum/data/quantum_trader.db /opt/quantum/data/away.db");
    let output = host.machine.run(&["golden", "run", "ai-engine", SCRIPT]);
    told(&output);
    assert!(text(&output.stderr).contains("! database"), "{}", text(&output.stderr));
    host.lay_contract(&CONTRACT.replace("single_flight = true", "needs = [\"database\"]"));
    host.refused("root", &["golden", "job", "probe"], "database-missing");
    host.revive(
        "mv /opt/quantum/data/away.db /opt/quantum/data/quantum_trader.db; rm -rf /etc/golden
         systemctl start quantum-backend quantum-ai-engine quantum-execution quantum-rl-agent",
    );
    host.put_back();
}

pub fn what_a_stranger_can_write(host: &Host) {
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

pub fn contract_of_the_user(host: &Host) {
    host.machine.write(&format!("{REPOSITORY}/golden.toml"), OF_USER, 0o644, "qt:qt");
    let inside = |words: &str| host.machine.sh(&format!("cd {REPOSITORY} && {words}"));
    // Found on the way up: passed over, and said.
    let output = inside("golden job evil");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is not used by root"), "{}", text(&output.stderr));
    let output = inside(&format!("golden -q run ai-engine {SCRIPT}"));
    assert_ne!(told(&output)["uid"], 0);
    // Named: refused.
    for words in ["golden --contract golden.toml job evil", "GOLDEN_CONTRACT=golden.toml golden job evil"] {
        let output = inside(words);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("root does not use"), "{}", text(&output.stderr));
    }
    // Root's own contract cannot make a job root's either.
    host.lay_contract(OF_USER);
    host.refused("root", &["golden", "job", "evil"], "has uid 0");
}

pub fn nothing_before_the_identity(host: &Host) {
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
pub fn swapped_directory(host: &Host) {
    host.sh(&format!(
        "mkdir /tmp/swap; cp {REPOSITORY}/{SCRIPT} /tmp/swap/probe.py; chown -R qt:qt /tmp/swap"
    ));
    let swap = format!(
        "cd {REPOSITORY}; while :; do mv ops ops.real; ln -s /tmp/swap ops; rm ops; mv ops.real ops; sleep 0.03; done"
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
    assert!(ran > 0, "nothing was tried");
    let uids = host.sh("cat /opt/quantum/data/ran 2>/dev/null || true");
    let qt = host.sh("id -u qt");
    assert!(uids.lines().all(|uid| uid == qt.trim()), "{uids}");
}

pub fn a_megabyte(host: &Host) {
    let script = format!(
        "import subprocess, json
words = ['x' * 1000] * 1000
done = subprocess.run(['golden', '-q', 'run', 'ai-engine', '{SCRIPT}', *words], capture_output=True)
assert json.loads(done.stdout)['argv'] == words, done.stderr
assert len(done.stderr) == 0, done.stderr"
    );
    host.machine.ok(&["python3", "-c", &script]);
}

pub fn a_stranger_calls(host: &Host) {
    host.refused("nobody", &["golden", "run", "ai-engine", SCRIPT], "nobody may not run jobs of qt");
    host.refused("nobody", &["golden", "job", "train-patchtst"], "nobody may not run jobs of qt");
    host.refused("nobody", &["golden", "run", "--print-env", "ai-engine"], "may not");
}

pub fn chain_of_contracts(host: &Host) {
    host.machine.write(
        "/home/qt/base.toml",
        OF_USER.replace("[identity]\nuser = \"root\"\ngroup = \"root\"\n", ""),
        0o644,
        "qt:qt",
    );
    host.lay_contract("schema = 1\nextends = \"/home/qt/base.toml\"\n");
    host.refused("root", &["golden", "job", "evil"], "root does not use it");
    assert_eq!(host.machine.run(&["golden", "audit"]).status.code(), Some(2));
    // The same from a place that only root can write.
    host.sh("install -m 0644 /home/qt/base.toml /etc/golden/base.toml; rm /home/qt/base.toml");
    host.lay_contract("schema = 1\nextends = \"/etc/golden/base.toml\"\n");
    told(&host.machine.run(&["golden", "-q", "job", "evil"]));
}

pub fn lock_with_a_second_name(host: &Host) {
    host.lay_contract(CONTRACT);
    host.sh("echo precious >/run/precious; chmod 0600 /run/precious; rm -f /run/golden/qt/*; ln /run/precious /run/golden/qt/quantum.probe.lock");
    host.refused("root", &["golden", "job", "--as-unit", "probe"], "is open to others");
    host.refused("root", &["golden", "job", "probe"], "the lock");
    assert_eq!(host.sh("stat -c '%U %a' /run/precious; cat /run/precious"), "root 600\nprecious\n");
    host.sh("rm /run/golden/qt/* /run/precious");
}
