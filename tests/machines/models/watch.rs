//! The watch over what is live: triggers of a rollback, and where their numbers come from.

use super::*;

/// A trade of the example's book with this profit, made or taken out again.
const TRADE: &str = "runuser -u qt -- python3 /root/trade.py";

pub(super) fn gate_and_watch(host: &Host) {
    host.machine.write("/root/trade.py", include_str!("trade.py"), 0o644, "root:root");
    host.shell("chmod 0711 /root");
    host.shell(&format!("cp -p {ENV} /root/env; sed -i s/^TICK_SECONDS=.*/TICK_SECONDS=0.01/ {ENV}"));
    let digest = host.registered("[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]", "v20");
    let blocked = host.person("patchtst", "model canary patchtst", 1);
    assert!(blocked.contains("no verdict"), "{blocked}");
    host.shell("systemctl restart quantum-ai-engine; sleep 8");
    host.expect("golden gate --model patchtst --no-report", 0);
    host.shell(&format!("grep -q 'patchtst_digest={digest}' /var/lib/golden/ledger.jsonl"));
    host.person("patchtst", "model canary patchtst", 0);
    // The gate has not judged the canary yet, which is no yes.
    let said = host.expect("golden model watch --once", 2);
    assert!(said.contains("? gate") && said.contains("nothing is due"), "{said}");
    host.expect("golden gate --model patchtst --no-report", 0);
    let said = host.expect("golden model watch --once", 0);
    for word in ["✓ gate", "✓ loss", "✓ errors", "✓ service", "✓ audit"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    // Each trigger for itself.
    let due = |word: &str| {
        let said = host.expect("golden model watch --once", 1);
        assert!(said.contains("ROLLBACK IS DUE") && said.contains(word), "{word}: {said}");
    };
    host.shell(&format!("{TRADE} -900"));
    due("✗ loss");
    host.shell(TRADE);
    host.gated(|entry| {
        of_artefact(entry, &digest);
        entry.result = "blocked: dead zone".into();
    });
    due("dead zone");
    host.shell("chmod 0666 /etc/quantum/execution.env");
    due("✗ audit");
    host.shell(
        "chmod 0640 /etc/quantum/execution.env; systemctl kill --signal=KILL quantum-ai-engine; sleep 2",
    );
    due("✗ service");
    host.shell("systemctl reset-failed quantum-ai-engine; systemctl restart quantum-ai-engine");
    number_in_redis(host);
    host.expect("golden model rollback --yes", 0);
    host.shell(&format!("cp -p /root/env {ENV}; systemctl restart quantum-ai-engine; sleep 1"));
    assert_eq!(host.process(), IN_SHADOW);
    let said = host.expect("golden model watch --once", 0);
    assert!(said.contains("nothing is watched"), "{said}");
    assert_eq!(host.said("systemctl is-enabled golden-model-watch-quantum-patchtst.timer").1, "disabled\n");
}

/// A number that Redis holds: asked for with the password, on no command line, and believed of the unit's process alone.
fn number_in_redis(host: &Host) {
    let secret = "/opt/quantum/secrets/redis.env";
    host.machine.write(secret, "REDIS_PASSWORD=s3cret\n", 0o600, "root:root");
    host.machine.write(
        "/root/watch.toml",
        "schema = 1\nextends = \"quantum\"\n[dependencies.redis]\n\
         password = { file = \"/opt/quantum/secrets/redis.env\", key = \"REDIS_PASSWORD\" }\n\
         [models.patchtst.watch]\nerrors = { dependency = \"redis\", key = \"the errors\" }\n",
        0o600,
        "root:root",
    );
    let errors = || {
        let trace = "strace -f -qq -s 999 -e trace=execve -o /root/execs";
        let (_, said) = host.said(&format!("{trace} golden --contract /root/watch.toml model watch --once"));
        let started = host.shell("cat /root/execs");
        assert!(!started.contains("s3cret") && !started.contains("redis-cli"), "{started}");
        said.lines().find(|line| line.contains(" errors ")).unwrap_or_else(|| panic!("{said}")).to_owned()
    };
    let client = "redis-cli --no-auth-warning -a s3cret";
    host.shell(&format!("redis-cli config set requirepass s3cret; {client} set 'the errors' 0.02"));
    assert!(errors().contains("✗ errors   2.00 % failed"), "{}", errors());
    host.shell(&format!("{client} set 'the errors' 0.001"));
    assert!(errors().contains("✓ errors"), "{}", errors());
    host.shell(&format!("{client} set 'the errors' 'a few'"));
    assert!(errors().contains("? errors   redis answers \"a few\""), "{}", errors());
    host.shell(&format!("{client} del 'the errors'; {client} rpush 'the errors' 0"));
    assert!(errors().contains("? errors   redis: ") && errors().contains("WRONGTYPE"), "{}", errors());
    host.shell(&format!("{client} del 'the errors'"));
    assert!(errors().contains("? errors   there is no number"), "{}", errors());
    host.machine.write(secret, "REDIS_PASSWORD=wrong\n", 0o600, "root:root");
    assert!(errors().contains("? errors   redis: the server refused"), "{}", errors());
    host.machine.write(secret, "REDIS_PASSWORD=s3cret\n", 0o600, "root:root");
    // Somebody else answers on the port, and would say that all is well.
    let services = "quantum-backend quantum-ai-engine quantum-execution quantum-rl-agent";
    host.shell(&format!(
        "systemctl stop {services} redis-server; redis-server --port 6379 --bind 127.0.0.1 --daemonize yes --save '' \
         --pidfile /run/other.pid >/dev/null; for i in $(seq 50); do redis-cli ping && break; sleep 0.1; done; redis-cli set 'the errors' 0"
    ));
    assert!(
        errors().contains("is answered by a process that is not of redis-server.service"),
        "{}",
        errors()
    );
    host.shell(&format!(
        "redis-cli shutdown nosave; while redis-cli ping 2>/dev/null; do sleep 0.1; done; \
         systemctl start redis-server {services}; sleep 5; rm /root/watch.toml {secret}"
    ));
}
