//! `golden init --from-host`: the first contract of a host that runs already. A stack that somebody set up by hand, beside a
//! packaged server, is written down as it is: compliant, nothing to plan, and what then breaks is found. Then everything
//! that ninety packages brought.

use crate::support::machine;

use std::collections::BTreeSet;
use std::process::Command;

use machine::{Image, Machine, Suite};
use serde_json::Value;

/// What somebody has typed over the years.
const BY_HAND: &str = r#"
useradd --system --home-dir /srv/orders --shell /usr/sbin/nologin orders
mkdir -p /srv/orders /etc/orders /var/lib/orders/spool; chown -R orders:orders /var/lib/orders; chmod 0750 /var/lib/orders
echo 'require("http").createServer((_, answer) => answer.end("ok")).listen(process.env.PORT, "127.0.0.1")' >/srv/orders/api.js
echo 'setInterval(() => {}, 1000)' >/srv/orders/worker.js
printf 'PORT=8800\nDATABASE_PASSWORD=zq7-Kp31-xW90-hh\nEMPTY=\n' >/etc/orders/api.env
printf 'PORT=8801\n' >/etc/orders/local.env
chown root:orders /etc/orders/*.env; chmod 0640 /etc/orders/*.env
cd /etc/systemd/system
printf '[Unit]\nDescription=Orders %%p\nAfter=network-online.target nginx.service\nWants=network-online.target\n[Service]\nUser=orders\nEnvironmentFile=/etc/orders/api.env\nEnvironmentFile=-/etc/orders/local.env\nEnvironmentFile=-/etc/orders/none.env\nEnvironment=NODE_ENV=production "NOTE=two words"\nWorkingDirectory=/srv/orders\nExecStart=/usr/bin/node ${NODE_FLAGS} api.js --title "[orders] %%n" $$5\nEnvironment=NODE_FLAGS=--no-warnings\nRestart=always\nRestartSec=2min 5s\n[Install]\nWantedBy=multi-user.target\n' >orders-api.service
printf '[Service]\nUser=orders\nGroup=orders\nProtectSystem=strict\nReadWritePaths=/var/lib/orders\nNoNewPrivileges=yes\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_CHOWN\nExecStart=/usr/bin/node /srv/orders/worker.js\nRestart=on-failure\nMemoryMax=1G\n[Install]\nWantedBy=multi-user.target\n' >orders-worker@.service
printf '[Service]\nType=oneshot\nUser=orders\nExecStart=/usr/bin/true\n' >orders-report.service
printf '[Timer]\nOnCalendar=daily\nPersistent=true\n[Install]\nWantedBy=timers.target\n' >orders-report.timer
printf '[Socket]\nListenStream=/run/orders.sock\nAccept=no\n[Install]\nWantedBy=sockets.target\n' >orders-echo.socket
printf '[Service]\nUser=orders\nExecStart=/usr/bin/env "A={layout.none}" sleep infinity\nEnvironment="B={x}"\n' >orders-echo.service
systemctl daemon-reload
systemctl --quiet enable --now nginx orders-api orders-worker@1 orders-report.timer orders-echo.socket
"#;

/// What happens to it then, and the rule that says so.
const MUTATIONS: &[(&str, &str, &str)] = &[
    (
        "another user",
        "mkdir -p $U/orders-api.service.d; printf '[Service]\\nUser=root\\n' >$U/orders-api.service.d/x.conf",
        "unit-runs-as-root",
    ),
    (
        "another restart",
        "mkdir -p $U/orders-api.service.d; printf '[Service]\\nRestart=no\\n' >$U/orders-api.service.d/x.conf",
        "unit-setting-wrong",
    ),
    (
        "a time in other words",
        "sed -i 's/^RestartSec=.*/RestartSec=126/' $U/orders-api.service",
        "unit-setting-wrong",
    ),
    ("a setting that is gone", "sed -i /^MemoryMax/d $U/orders-worker@.service", "unit-setting-missing"),
    ("one word of a list", "sed -i 's/ CAP_CHOWN//' $U/orders-worker@.service", "unit-setting-wrong"),
    (
        "a packaged unit by a drop-in",
        "mkdir -p $U/nginx.service.d; printf '[Service]\\nKillMode=process\\n' >$U/nginx.service.d/x.conf",
        "unit-setting-wrong",
    ),
    ("another program", "sed -i 's/ api.js/ other.js/' $U/orders-api.service", "unit-exec-wrong"),
    ("an env file too open", "chmod 0666 /etc/orders/api.env", "env-file-mode-wrong"),
    ("an env file of somebody else", "chown nobody /etc/orders/local.env", "env-file-owner-wrong"),
    ("no env file", "mv /etc/orders/api.env /etc/orders/api.env.old", "env-file-missing"),
    (
        "an env file that the unit does not read",
        "sed -i /local.env/d $U/orders-api.service",
        "unit-env-file-wrong",
    ),
    ("a variable less", "sed -i /^DATABASE_PASSWORD/d /etc/orders/api.env", "env-variable-missing"),
    (
        "another value in the unit",
        "sed -i s/=production/=development/ $U/orders-api.service",
        "env-variable-wrong",
    ),
    (
        "another port",
        "sed -i s/=8801/=8802/ /etc/orders/local.env; systemctl restart orders-api",
        "port-not-declared",
    ),
    (
        "a web server that listens for everybody",
        "printf 'server { listen 8080; }\\n' >/etc/nginx/conf.d/x.conf; systemctl restart nginx",
        "port-not-declared",
    ),
    ("no directory", "mv /var/lib/orders /var/lib/orders.old", "place-missing"),
    ("a directory of root's", "chown root /var/lib/orders", "place-owner-wrong"),
    ("a directory for all", "chmod 0777 /srv/orders", "place-mode-wrong"),
    ("it does not come back", "systemctl --quiet disable orders-api", "unit-not-enabled"),
    ("its timer does not come back", "systemctl --quiet disable orders-report.timer", "timer-not-enabled"),
    ("its timer is stopped", "systemctl stop orders-report.timer", "timer-not-active"),
    (
        "its socket does not come back",
        "systemctl --quiet disable orders-echo.socket",
        "activation-not-enabled",
    ),
    ("it is masked", "systemctl --quiet mask orders-worker@1", "unit-masked"),
    ("it is stopped", "systemctl stop nginx", "unit-not-active"),
    (
        "its sandbox locks it out",
        "sed -i /^ReadWritePaths/d $U/orders-worker@.service",
        "start-sandbox-locks",
    ),
    ("its account may become root", "usermod -aG sudo orders", "account-may-become-root"),
    ("its program is gone", "mv /usr/bin/node /usr/bin/node.old", "start-program-missing"),
];

/// Everything that a mutation touches, put back.
const BACK: &str = "cd /; [ ! -e /usr/bin/node.old ] || mv /usr/bin/node.old /usr/bin/node; rm -rf /etc/systemd/system /etc/orders /srv/orders /var/lib/orders /var/lib/orders.old
    tar -xpf /before.tar; rm -f /etc/nginx/conf.d/x.conf; systemctl daemon-reload; systemctl restart nginx orders-api; systemctl start orders-worker@1 orders-report.timer orders-echo.socket";

struct Host(Machine);

impl Host {
    fn audit(&self) -> Vec<(String, String)> {
        let output = self.0.sh("golden --contract /root/golden.toml audit --format json");
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let text = |result: &Value, key: &str| result[key].as_str().unwrap_or_default().to_owned();
        let results = report["results"].as_array().unwrap().iter();
        let broken = results.filter(|result| {
            result["severity"] == "must" && (result["outcome"] == "fail" || result["outcome"] == "undecided")
        });
        broken.map(|result| (text(result, "rule"), text(result, "message") + &text(result, "why"))).collect()
    }
}

#[test]
fn a_host_that_runs_is_written_down() {
    if machine::skipped() {
        return;
    }
    let host = Host(Machine::boot(Image::Web, Suite::Bookworm, &[]));
    let program = std::fs::read(env!("CARGO_BIN_EXE_golden")).unwrap();
    host.0.write("/usr/local/bin/golden", program, 0o755, "root:root");
    host.0.sh_ok(BY_HAND);
    host.0.wait_until("orders are taken", "curl -s http://127.0.0.1:8801");
    let said = host.0.sh_ok(
        "cd /root; golden init --name orders --from-host nginx orders-api orders-worker@1.service orders-report.timer orders-echo.socket 2>&1",
    );
    assert!(said.contains("this host is compliant"), "{said}{:#?}", host.audit());
    let verdict = said.lines().find(|line| line.contains("this host is compliant")).unwrap_or_default();
    assert!(include_str!("../../README.md").contains(verdict), "the README shows another end: {verdict}");
    let contract = host.0.sh_ok("cat /root/golden.toml");
    println!("{said}{contract}");
    assert!(!contract.contains("zq7-Kp31"), "a secret was written down");
    for line in [
        r#"command = ["/usr/bin/node", "${NODE_FLAGS}", "api.js", "--title", "[orders] %n", "$$5"]"#,
        r#"activation = "socket""#,
        r#"kind = "timer-job""#,
        r#"name = "orders-worker@1.service""#,
        r#"DATABASE_PASSWORD = { present = true }"#,
        r#"B = { present = true }"#,
        r#"overrides = ["PORT"]"#,
        r#"ports = ["127.0.0.1:8801"]"#,
        r#"ports = ["*:80"]"#,
    ] {
        assert!(contract.contains(line), "{line}");
    }
    let plan = host.0.sh_ok("golden --contract /root/golden.toml plan");
    assert!(plan.contains("nothing to do"), "{plan}");
    host.0.sh_ok("tar -C / -cpf /before.tar etc/systemd/system etc/orders etc/group etc/gshadow srv/orders var/lib/orders");
    let mut missed = Vec::new();
    for (name, shell, rule) in MUTATIONS {
        host.0.sh_ok(&format!("U=/etc/systemd/system; {shell}; systemctl daemon-reload"));
        let broken = host.audit();
        if !broken.iter().any(|(said, _)| said == rule) {
            missed.push(format!("{name}: {rule} is not in {broken:?}"));
        }
        host.0.sh_ok(BACK);
        host.0.wait_until(name, "golden --contract /root/golden.toml audit --quiet");
    }
    assert!(missed.is_empty(), "{missed:#?}");
    println!("{} of {} mutations found", MUTATIONS.len(), MUTATIONS.len());
    secrets(&host);
    refused(&host);
}

/// What a unit says that it should not is found, and not written down a second time.
fn secrets(host: &Host) {
    host.0.sh_ok(
        "mkdir /root/secret; printf '[Service]\nUser=orders\nEnvironment=API_TOKEN=kW29-zz81-QpL4 A=1\nExecStart=/usr/bin/sleep infinity --password=pL55-oo92-mN3\n' >/etc/systemd/system/leaky.service; systemctl daemon-reload",
    );
    let said =
        host.0.sh_ok("cd /root/secret; golden init --name leaky --from-host leaky 2>&1; cat golden.toml");
    assert!(
        said.contains("this host is violated") && said.contains("API_TOKEN = { present = true }"),
        "{said}"
    );
    assert!(
        said.contains("A = { present = true }") && !said.contains("kW29-zz81") && !said.contains("pL55-oo92"),
        "{said}"
    );
    host.0.sh_ok("rm -r /root/secret /etc/systemd/system/leaky.service");
}

/// What no contract can be made of is said, all of it at once, and nothing is written.
fn refused(host: &Host) {
    host.0.sh_ok("mkdir /root/none; systemctl --quiet mask nginx");
    let output = host.0.sh(
        "cd /root/none; golden init --name x --from-host orders-worker@.service no-such orders-echo a/b nginx",
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("is a template") && said.contains("a/b"), "{said}");
    let output = host.0.sh("cd /root/none; golden init --name x --from-host no-such nginx orders-echo");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no-such.service is not on this host") && said.contains("is masked"), "{said}");
    assert_eq!(host.0.sh_ok("ls -A /root/none"), "");
}

/// No demand that was taken from a unit is broken by that unit, whatever a package wrote into it.
#[test]
fn whatever_packages_brought_is_written_down() {
    if machine::skipped() {
        return;
    }
    let image = machine::image(Image::Zoo, Suite::Bookworm);
    let desk = tempfile::tempdir().unwrap();
    let golden = |words: &[&str]| {
        let command = &mut Command::new(env!("CARGO_BIN_EXE_golden"));
        command.current_dir(desk.path()).args(words).env_remove("GOLDEN_CONTRACT").output().unwrap()
    };
    let units = std::fs::read_dir(image.join("usr/lib/systemd/system")).unwrap();
    let units = units.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_masked = |name: &str| {
        let target = |directory: &str| std::fs::read_link(image.join(directory).join(name));
        ["etc/systemd/system", "usr/lib/systemd/system"]
            .iter()
            .any(|directory| target(directory).is_ok_and(|target| target.as_os_str() == "/dev/null"))
    };
    // What lies in /run is made while a host runs, so nothing can be written down of it here, which golden says.
    let is_for_running_host = |name: &str| {
        let text =
            std::fs::read_to_string(image.join("usr/lib/systemd/system").join(name)).unwrap_or_default();
        text.contains("EnvironmentFile=-/run/")
    };
    let units = units.filter(|name| name.ends_with(".service") && !name.contains('@') && !is_masked(name));
    let (for_running_host, units): (BTreeSet<String>, BTreeSet<String>) =
        units.partition(|name| is_for_running_host(name));
    let root = image.to_str().unwrap();
    let one = for_running_host.first().unwrap();
    let refused = golden(&["init", "--name", "zoo", "--root", root, "--from-host", one]);
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("/run is made while the host runs"),
        "{refused:?}"
    );
    let mut words = vec!["init", "--name", "zoo", "--root", root, "--from-host"];
    words.extend(units.iter().map(String::as_str));
    let made = golden(&words);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let audit = golden(&["--contract", "golden.toml", "audit", "--root", root, "--format", "json"]);
    let report: Value = serde_json::from_slice(&audit.stdout).unwrap();
    let own_word = |rule: &str| {
        rule.starts_with("unit-setting")
            || rule.starts_with("env-variable-m")
            || rule.starts_with("env-variable-w")
            || rule.starts_with("place-")
            || rule.starts_with("env-file")
            || rule.starts_with("unit-exec")
            || rule == "unit-env-file-wrong"
    };
    let results = report["results"].as_array().unwrap();
    let broken: Vec<&Value> = results
        .iter()
        .filter(|result| ["fail", "undecided"].contains(&result["outcome"].as_str().unwrap()))
        .filter(|result| own_word(result["rule"].as_str().unwrap()))
        .collect();
    println!("{} units of packages, {} results", units.len(), results.len());
    assert!(units.len() > 150, "{}", units.len());
    assert!(broken.is_empty(), "{broken:#?}");
}
