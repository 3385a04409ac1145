//! What a job gets: arguments, identity, descriptors, environment.

use super::*;

/// What systemd gives a process and nobody else can.
pub const OF_SYSTEMD: &[&str] = &[
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
];

/// What the contract says that the wrapper sets, and what it lets pass.
const OF_WRAPPER: &[&str] = &["PATH", "PYTHONPATH", "LANG", "TERM"];

pub fn what_the_job_gets(host: &Host) {
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

pub fn env_lines_are_values(host: &Host) {
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

pub fn environment_of_the_service(host: &Host) {
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

pub fn what_of_the_caller_is_passed(host: &Host) {
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
        ("A B", "not the name"),
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
    assert!(line("REDIS_HOST").contains("/etc/quantum/ai-engine.env:13"), "{shown}");
}

pub fn secrets_are_not_shown(host: &Host) {
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
