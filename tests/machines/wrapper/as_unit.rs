//! The job as a transient unit.

use super::given::OF_SYSTEMD;
use super::*;

pub fn as_unit_runs(host: &Host) {
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
            "systemctl list-units --all --no-legend 'golden-ops-*'; ls /run/golden-*.env 2>/dev/null || true"
        ),
        ""
    );
    // Only root may ask systemd; the checks are the same; one at a time holds here too.
    host.refused("qt", &["golden", "run", "--as-unit", "ai-engine", SCRIPT], "--as-unit needs root");
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
        .wait_until("the end of the unit", "! systemctl list-units --no-legend 'golden-ops-*' | grep -q .");
}

pub fn as_unit_properties(host: &Host) {
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
    let unit = host.sh("systemctl list-units --no-legend --plain 'golden-ops-*' | cut -d' ' -f1");
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
