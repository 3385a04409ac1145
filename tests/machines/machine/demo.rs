//! The example on a booted machine: made once, changed and put back many times.

pub use crate::support::remedy;

use serde_json::Value;

use super::catalogue::VARIABLES;
use crate::support::machine::Machine;

/// The demo host.
pub struct Demo {
    machine: Machine,
}

/// A report.
pub struct Judged {
    /// Exit code.
    pub code: i32,
    report: Value,
}

/// Paths as they were, kept on the machine.
pub struct Snapshot {
    directory: String,
    paths: Vec<String>,
}

/// A failure and what the report says mends it.
pub struct Found {
    rule: String,
    subject: String,
    key: String,
    /// The shell that mends it, or what a person must decide.
    pub remedy: String,
}

/// Rule, subject, place.
pub type Failure = (String, String, String);

impl Demo {
    /// Makes and boots it, and waits until a trade was made.
    pub fn boot() -> Self {
        let machine = crate::support::example::boot("bookworm");
        let demo = Self { machine };
        demo.wait_for_a_trade();
        demo.machine.sh_ok("cp -a /opt/quantum/data/quantum_trader.db /snap-db");
        demo
    }

    fn wait_for_a_trade(&self) {
        let healthy = "test \"$(systemctl is-active quantum-backend quantum-ai-engine quantum-execution quantum-rl-agent redis-server | grep -cx active)\" = 5 && \
             test \"$(sqlite3 -readonly /opt/quantum/data/quantum_trader.db \"SELECT count(*) FROM trades WHERE at > strftime('%s','now') - 2\")\" -gt 0 && \
             test \"$(sqlite3 -readonly /opt/quantum/data/quantum_trader.db 'SELECT count(*) FROM heartbeats')\" -ge 3";
        self.machine.wait_until("the example trades", healthy);
    }

    /// The audit as JSON.
    pub fn audit(&self) -> Judged {
        self.audit_with(&[])
    }

    fn audit_with(&self, more: &[&str]) -> Judged {
        let mut words = vec!["golden", "audit", "--format", "json"];
        words.extend(more);
        let output = self.machine.run(&words);
        let code = output.status.code().expect("an exit code");
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        Judged { code, report }
    }

    /// The audit as a person sees it.
    pub fn human(&self) -> String {
        String::from_utf8_lossy(&self.machine.run(&["golden", "audit"]).stdout).into_owned()
    }

    /// One event goes from the market through Redis to a trade and a changed size; a killed service shows.
    pub fn assert_data_flows(&self) {
        let query = |sql: &str| {
            self.machine.ok(&["sqlite3", "-readonly", "/opt/quantum/data/quantum_trader.db", sql])
        };
        let event = self
            .machine
            .sh_ok("redis-cli --raw XREVRANGE quantum:stream:trade.intent + - COUNT 1 | head -n 1");
        let traded = format!(
            "test \"$(sqlite3 -readonly /opt/quantum/data/quantum_trader.db \"SELECT count(*) FROM trades WHERE event_id = '{}'\")\" = 1",
            event.trim()
        );
        self.machine.wait_until("the newest event is traded", &traded);
        self.machine.wait_until(
            "the size follows the trades",
            "test \"$(sqlite3 -readonly /opt/quantum/data/quantum_trader.db 'SELECT count(DISTINCT size) FROM sizes')\" -ge 2",
        );
        for (service, sign) in [
            ("ai-engine", "SELECT max(rowid) FROM trades"),
            ("execution", "SELECT max(rowid) FROM trades"),
            ("rl-agent", "SELECT max(id) FROM sizes"),
            ("backend", "SELECT 0"),
        ] {
            self.machine.sh_ok(&format!("systemctl stop quantum-{service}; sleep 0.7"));
            let before = query(sign);
            self.machine.sh_ok("sleep 1.2");
            assert_eq!(query(sign), before, "without {service} the data still moves");
            if service == "backend" {
                assert!(!self.machine.sh("exec 3<>/dev/tcp/127.0.0.1/8000").status.success());
            }
            self.machine.sh_ok(&format!("systemctl start quantum-{service}"));
        }
        self.wait_for_a_trade();
    }

    /// Waits until everything runs; what an earlier entry left behind must not look like a break of the next.
    pub fn ensure_running(&self) {
        let running = all_run();
        if !self.machine.sh(&running).status.success() {
            self.machine.sh_ok(&format!("systemctl reset-failed {SERVICES} || true; systemctl restart redis-server {SERVICES}; sleep 1"));
            self.machine.wait_until("the services run", &running);
        }
    }

    /// Runs the shell lines of an entry; systemd is told of changed files.
    pub fn change(&self, shell: &str, reload: bool) {
        let variables: String =
            VARIABLES.iter().map(|(name, value)| format!("{}={value}\n", &name[1..])).collect();
        let reload = if reload { "\nsystemctl daemon-reload" } else { "" };
        let script = format!("{variables}{shell}{reload}");
        let output = self.machine.run(&["bash", "-c", &script]);
        assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        self.settled();
    }

    /// Copies these paths away; returns them. A directory that holds everything is copied only when `whole` says
    /// that the paths are meant as they stand.
    pub fn snapshot(&self, paths: &[String], whole: bool) -> Snapshot {
        let directory = self.machine.ok(&["mktemp", "-d", "/snap.XXXXXX"]).trim().to_owned();
        let mut script = "cd /\n".to_owned();
        let top = |path: &str| {
            format!(
                "p={path}; while [ ! -e \"$p\" ] && [ ! -L \"$p\" ] && [ \"$(dirname $p)\" != / ] && [ ! -e \"$(dirname $p)\" ]; do p=$(dirname $p); done; echo $p\n"
            )
        };
        let tops: String = paths.iter().map(|path| top(path)).collect();
        let tops: Vec<String> = self.machine.sh_ok(&tops).lines().map(str::to_owned).collect();
        for path in &tops {
            // Directories that hold everything are saved without what lies in them.
            script.push_str(&format!(
                "if [ -e {path} ] || [ -L {path} ]; then {}; fi\n",
                save(&directory, path, whole)
            ));
        }
        self.machine.sh_ok(&script);
        Snapshot { directory, paths: tops }
    }

    /// Puts a snapshot back.
    pub fn restore(&self, snapshot: &Snapshot, undo: Option<&str>) {
        let mut script = String::new();
        if let Some(undo) = undo {
            script.push_str(&format!("{undo}\n"));
        }
        for path in &snapshot.paths {
            script.push_str(&put_back(&snapshot.directory, path));
        }
        script.push_str(&format!("rm -rf {}; systemctl daemon-reload\n", snapshot.directory));
        self.machine.sh_ok(&script);
    }

    /// Makes everything run again that does not run as it did; why it still is not as it was.
    pub fn put_back(&self, baseline: &Judged) -> Option<String> {
        let is_as_before = || {
            let now = self.audit();
            now.failures() == baseline.failures() && now.undecided() == baseline.undecided()
        };
        let runs = || self.machine.sh(&all_run()).status.success();
        if runs() && is_as_before() {
            return None;
        }
        let said = self.shell(&format!(
            "systemctl reset-failed 'quantum-*' redis-server 2>/dev/null; systemctl restart redis-server {SERVICES} 2>&1"
        ));
        for _ in 0..50 {
            if runs() && is_as_before() {
                return None;
            }
            self.machine.sh_ok("sleep 0.1");
        }
        Some(format!("{said}{:#?}", self.audit().failures()))
    }

    /// Waits until systemd has started what it means to start.
    fn settled(&self) {
        self.machine.sh_ok(
            "for i in $(seq 50); do systemctl list-jobs --no-legend | grep -q . || break; sleep 0.1; done",
        );
    }

    /// After breaks that touch what runs: everything runs again, newer than its files.
    pub fn settle(&self, shell: &str) {
        let live = ["systemctl", "redis-cli", "kill", "python3 -c", "restart"]
            .iter()
            .any(|word| shell.contains(word));
        let dead = !self.machine.sh(&all_run()).status.success();
        if live || dead {
            let redis = if shell.contains("redis") || dead { "systemctl restart redis-server; " } else { "" };
            self.machine.sh_ok(&format!(
                "systemctl reset-failed {SERVICES} || true; {redis}\
                 systemctl restart {SERVICES}"
            ));
        }
    }

    /// Why the plan of a compliant host is not empty; nothing where it is, or where the host is not compliant.
    pub fn plans_something(&self) -> Option<String> {
        // A service that systemd starts again by itself is not up yet: the host is judged first, so that it cannot become
        // compliant between the plan and the judgement.
        if self.audit().code != 0 {
            return None;
        }
        let plan = self.shell("golden --contract builtin:quantum plan 2>&1; echo code $?");
        let empty =
            plan.lines().any(|line| line == "nothing to do on this host") && plan.ends_with("code 0\n");
        (!empty).then(|| format!("it is compliant, and there is a plan: {plan}"))
    }

    /// What a shell script printed, however it ended.
    pub fn shell(&self, script: &str) -> String {
        String::from_utf8_lossy(&self.machine.run(&["bash", "-c", script]).stdout).into_owned()
    }

    /// Everything that a mend may write: kind, owner, mode, link text and content of each path.
    pub fn state(&self) -> String {
        self.shell(
            "cd /; list() { find etc opt/quantum home/qt usr/local root var/spool/cron var/lib/redis -xdev ! -path '*/__pycache__*' ! -path '*/.git/*' ! -path etc/.pwd.lock \
               ! -path etc/ld.so.cache ! -path '*/data/*.db-*' ! -path '*/data/redis_dumps/*' \"$@\"; }; \
             list -printf '%y %p %U:%G %#m %l\n' 2>/dev/null | grep -v ' var/lib/redis/' | sort; \
             list -type f 2>/dev/null | grep -vE '^(var/lib/redis|opt/quantum/(venvs|data))/' | tr '\\n' '\\0' | xargs -0 sha256sum | sort -k2; \
             for file in opt/quantum/venvs/*/pyvenv.cfg opt/quantum/venvs/*/bin/*; do [ -f $file ] && sha256sum $file; done",
        )
    }

    /// Runs a mend command; says why the finding is still there after it.
    pub fn mend(&self, finding: &Found) -> Option<String> {
        let output = self.machine.run(&["bash", "-c", &finding.remedy]);
        // Where a break has broken more than one thing, the service's own checks keep it from starting until all of
        // them are mended; what this command mends must be gone all the same.
        let said = String::from_utf8_lossy(&output.stderr);
        let kept = said.contains("because the control process exited with error code");
        if !output.status.success() && !kept {
            return Some(format!(
                "exit {:?}: {}",
                output.status.code(),
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        // A server that was just restarted may need a moment to listen.
        for _ in 0..20 {
            if !self.audit_with(&["--rule", &finding.rule]).has(finding) {
                return None;
            }
            self.machine.sh_ok("sleep 0.1");
        }
        Some("it still fails".to_owned())
    }
}

/// A shell line that succeeds when all of them run; `systemctl is-active` alone is content with one.
fn all_run() -> String {
    format!("test \"$(systemctl is-active redis-server {SERVICES} | grep -cx active)\" = 5")
}

/// The services of the example.
const SERVICES: &str = "quantum-backend quantum-ai-engine quantum-execution quantum-rl-agent";

/// Paths whose content is not put back: only owner, mode and what the entry names inside.
const SHELLS: &[&str] = &[
    "/opt/quantum",
    "/opt/quantum/data",
    "/etc/quantum",
    "/etc/systemd/system",
    "/usr/local/bin",
    "/home/qt",
    "/home/qt/quantum_trader",
    "/home/qt/quantum_trader/.git",
    "/opt/quantum/ai_engine/models",
    "/opt/quantum/secrets",
];

fn save(snap: &str, path: &str, whole: bool) -> String {
    let copy = format!("cp -a --parents {path} {snap}/");
    match path {
        "/etc/systemd/system" | "/etc/quantum" => copy,
        _ if !whole && SHELLS.contains(&path) => {
            let same = |tool: &str| format!("{tool} --reference={path} {snap}{path}");
            format!(
                "mkdir -p {snap}{path} && {} && {} && touch {snap}{path}/.shell",
                same("chmod"),
                same("chown")
            )
        }
        _ => copy,
    }
}

fn put_back(snap: &str, path: &str) -> String {
    format!(
        "if [ -e {snap}{path}/.shell ]; then mkdir -p {path}; chmod --reference={snap}{path} {path}; \
         chown --reference={snap}{path} {path}; \
         elif [ -e {snap}{path} ] || [ -L {snap}{path} ]; then rm -rf {path}; mkdir -p $(dirname {path}); \
         cp -a {snap}{path} {path}; else rm -rf {path}; fi\n"
    )
}

impl Judged {
    fn results(&self) -> impl Iterator<Item = &Value> {
        self.report["results"].as_array().expect("results").iter()
    }

    /// Every failure: rule, subject, place.
    pub fn failures(&self) -> Vec<Failure> {
        let failed = self.results().filter(|result| result["outcome"] == "fail");
        failed
            .map(|result| (text(&result["rule"]), text(&result["subject"]), place(&result["location"])))
            .collect()
    }

    /// Every failure with what mends it.
    pub fn remedies(&self) -> Vec<(Failure, String)> {
        let failed = self.results().filter(|result| result["outcome"] == "fail");
        let name =
            |result: &Value| (text(&result["rule"]), text(&result["subject"]), place(&result["location"]));
        failed.map(|result| (name(result), remedy::text(&result["remedy"]))).collect()
    }

    /// Whatever passed or failed: rule, subject and key.
    pub fn judged(&self) -> std::collections::BTreeSet<String> {
        let judged =
            self.results().filter(|result| ["pass", "fail"].iter().any(|word| result["outcome"] == *word));
        judged
            .map(|result| {
                format!("{} {} {}", text(&result["rule"]), text(&result["subject"]), demanded_key(result))
            })
            .collect()
    }

    /// Every undecided: rule and reason.
    pub fn undecided(&self) -> Vec<String> {
        let open = self.results().filter(|result| result["outcome"] == "undecided");
        open.map(|result| {
            format!("{} {}: {}", text(&result["rule"]), text(&result["subject"]), text(&result["message"]))
        })
        .collect()
    }

    /// Whether a rule's failures are warnings.
    pub fn is_should(&self, rule: &str) -> bool {
        self.results().any(|result| {
            result["rule"] == rule && result["outcome"] == "fail" && result["severity"] == "should"
        })
    }

    /// The failure of a rule at a place, by what tells it apart from others.
    pub fn finding(&self, rule: &str, subject: &str, place_of: &str) -> Found {
        let of = |result: &&Value| {
            let at = place(&result["location"]);
            result["rule"] == rule
                && result["outcome"] == "fail"
                && (subject == "any" || result["subject"] == subject)
                && at == place_of
        };
        let result = self.results().find(of).expect("the finding was just there");
        Found {
            rule: rule.to_owned(),
            subject: text(&result["subject"]),
            key: text(&result["key"]),
            remedy: remedy::text(&result["remedy"]),
        }
    }

    fn has(&self, finding: &Found) -> bool {
        self.results().any(|result| {
            result["outcome"] == "fail"
                && text(&result["rule"]) == finding.rule
                && text(&result["subject"]) == finding.subject
                && text(&result["key"]) == finding.key
        })
    }

    /// What does not apply on the demo host is known, with its reason.
    pub fn assert_not_applicable_are_listed(&self) {
        let here = self
            .results()
            .filter(|result| result["outcome"] == "not-applicable")
            .map(|result| {
                let key = result["key"].as_str().map_or(String::new(), |key| format!(" {key}"));
                format!(
                    "{} {}{key}: {}",
                    text(&result["rule"]),
                    text(&result["subject"]),
                    text(&result["message"])
                )
            })
            .collect();
        super::catalogue::compare("not-applicable.txt", &here);
    }
}

/// The key of a result where the contract demands it; a finding's own key comes and goes with the finding.
fn demanded_key(result: &Value) -> String {
    let demands =
        ["unit-setting-wrong", "unit-setting-missing", "env-variable-missing", "env-variable-wrong"];
    let of_contract = demands.iter().any(|rule| result["rule"] == *rule);
    if of_contract { text(&result["key"]) } else { String::new() }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("").to_owned()
}

fn place(location: &Value) -> String {
    match location["line"].as_u64() {
        Some(line) => format!("{}:{line}", text(&location["path"])),
        None => text(&location["path"]),
    }
}
