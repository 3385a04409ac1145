//! The gate and the scoreboard on a booted machine with a real Redis: healthy telemetry, and what a forger would write.

mod events;
mod forged;
use crate::support::machine;

use std::io::Write;
use std::process::{Output, Stdio};
use std::time::Instant;

use events::{Event, healthy, now};
use machine::{Image, Machine, Suite};
use serde_json::Value;

const STREAM: &str = "quantum:stream:trade.intent";
const REPORTS: &str = "/home/qt/quantum_trader/reports/safety";

#[test]
fn the_gate_on_a_booted_machine() {
    if machine::skipped() {
        return;
    }
    let host = Host::boot();
    // GOLDEN_CASES=words runs the cases whose names hold them, for whoever writes new ones.
    let chosen = std::env::var("GOLDEN_CASES").unwrap_or_default();
    for (name, case) in CASES.iter().chain(forged::CASES).filter(|(name, _)| name.contains(&chosen)) {
        let start = Instant::now();
        println!("gate: {name}");
        host.clean();
        case(&host);
        println!("      {:.1} s", start.elapsed().as_secs_f32());
    }
}

type Case = fn(&Host);

const CASES: &[(&str, Case)] = &[
    ("two thousand healthy events pass, and root's verdict is recorded", healthy_events),
    ("the payload of real producers", payloads),
    ("the newest events of more than the window", more_than_the_window),
    ("too little proof", too_little),
    ("a model that is not there", absent_model),
    ("events of three months ago", stale),
    ("asked again and again", asked_again),
    ("drift from an approved baseline", drift),
    ("as the service's user", as_the_user),
    ("as a job", as_a_job),
    ("a Redis that is down", redis_down),
    ("a Redis that is not the governed one", another_redis),
    ("reports behind a link, or where nobody may write", reports_elsewhere),
    ("yesterday's page", yesterday),
    ("a model named like markup", markup),
];

/// A machine with the service's user and the place of its repository.
struct Host {
    machine: Machine,
}

/// One look.
struct Look {
    output: Output,
    board: Value,
}

impl Host {
    fn boot() -> Self {
        let machine = Machine::boot(Image::Base, Suite::chosen(), &[]);
        let golden = std::fs::read(env!("CARGO_BIN_EXE_golden")).unwrap();
        machine.write("/usr/local/bin/golden", golden, 0o755, "root:root");
        machine.sh_ok(
            "useradd --create-home qt; chmod 755 /home/qt; install -d -o qt -g qt /home/qt/quantum_trader
             systemctl start redis-server",
        );
        Self { machine }
    }

    fn clean(&self) {
        self.machine.sh_ok(
            "systemctl start redis-server; redis-cli FLUSHALL >/dev/null
             rm -rf /home/qt/quantum_trader/reports /var/lib/golden/ledger.jsonl",
        );
    }

    /// Writes events as a producer would.
    fn feed(&self, events: &[Event]) {
        let mut child = self
            .machine
            .command(["redis-cli", "--pipe"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut to = child.stdin.take().unwrap();
        for event in events {
            to.write_all(&event.command(STREAM)).unwrap();
        }
        drop(to);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("errors: 0"), "{said}");
    }

    fn look(&self, more: &[&str]) -> Look {
        let words = [&["golden", "--contract", "builtin:quantum", "gate", "--format", "json"], more].concat();
        let output = self.machine.run(&words);
        let board = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", text(&output.stdout), text(&output.stderr)));
        Look { output, board }
    }

    fn gate(&self, more: &[&str]) -> Output {
        self.machine.run(&[&["golden", "--contract", "builtin:quantum", "gate"], more].concat())
    }

    fn scoreboard(&self) -> Output {
        self.machine.run(&["golden", "--contract", "builtin:quantum", "scoreboard"])
    }

    fn page(&self) -> String {
        text(&self.machine.read(&format!("{REPORTS}/scoreboard_latest.html")))
    }

    fn ledger(&self) -> Vec<Value> {
        let text = text(&self.machine.read("/var/lib/golden/ledger.jsonl"));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Look {
    fn passes(&self) {
        assert_eq!(self.output.status.code(), Some(0), "{:#}", self.board);
        assert_eq!(self.board["passed"], true);
    }

    /// Blocked with exit 2, for a reason with these words, of the stream or of any model.
    fn blocked(&self, because: &str) {
        assert_eq!(self.output.status.code(), Some(2), "{because}: {:#}", self.board);
        assert_eq!(self.board["passed"], false);
        let reasons = self.reasons();
        assert!(reasons.iter().any(|reason| reason.contains(because)), "{because}: {reasons:#?}");
    }

    fn reasons(&self) -> Vec<String> {
        let of = |value: &Value| {
            let reasons = value["reasons"].as_array().unwrap();
            reasons.iter().map(|one| format!("{} ({})", one["message"], one["rule"])).collect::<Vec<_>>()
        };
        let models = self.board["models"].as_array().unwrap();
        of(&self.board).into_iter().chain(models.iter().flat_map(of)).collect()
    }

    fn warnings(&self) -> String {
        self.board["models"].as_array().unwrap().iter().map(|card| card["warnings"].to_string()).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn healthy_events(host: &Host) {
    host.feed(&healthy(2_000, 0));
    let look = host.look(&[]);
    look.passes();
    assert_eq!(look.board["events"]["count"], 2_000);
    let listed = host.machine.sh_ok(&format!("stat -c '%U %a %n' {REPORTS}/*"));
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.lines().all(|line| line.starts_with("qt 644 ")), "{listed}");
    let digest = host.machine.sh_ok(&format!("sha256sum <$(ls {REPORTS}/quality_gate_*.json)"));
    let ledger = host.ledger();
    let models: Vec<&str> = ledger.iter().map(|entry| entry["facts"]["model"].as_str().unwrap()).collect();
    assert_eq!(models, ["momentum", "reversion"]);
    for entry in &ledger {
        let facts = &entry["facts"];
        assert_eq!((&entry["event"], &entry["result"]), (&Value::from("gated"), &Value::from("passed")));
        assert_eq!(facts["events"], "2000");
        assert_eq!(facts["to"], look.board["events"]["newest"]);
        assert_eq!(facts["from"], look.board["events"]["oldest"]);
        assert!(digest.starts_with(facts["report"].as_str().unwrap()), "{digest} {facts}");
    }
    host.machine.ok(&["golden", "ledger", "verify"]);
}

fn payloads(host: &Host) {
    host.feed(&healthy(400, 0).into_iter().map(|event| event.in_payload()).collect::<Vec<_>>());
    host.look(&[]).passes();
}

fn more_than_the_window(host: &Host) {
    let bad = (0..3_000).map(|at| Event::at(now() - 9_000_000 + at).saying("BUY", 0.7));
    host.feed(&bad.chain(healthy(2_000, 0)).collect::<Vec<_>>());
    let look = host.look(&[]);
    look.passes();
    assert_eq!(look.board["events"]["count"], 2_000);
    host.feed(&(0..1_500).map(|at| Event::at(now() + at).saying("BUY", 0.7)).collect::<Vec<_>>());
    host.look(&[]).blocked("says BUY");
}

fn too_little(host: &Host) {
    let without = (0..198).map(|at| Event::at(now() - 90_000 + at).with("note", "no answers"));
    host.feed(&without.chain(healthy(3, 0)).collect::<Vec<_>>());
    let look = host.look(&[]);
    look.blocked("model-event-malformed");
    look.blocked("has too few events");
    host.clean();
    let mut events = healthy(2_000, 0);
    for event in &mut events[..3] {
        *event = event.clone().and_model("rare", "BUY", "0.5");
    }
    host.feed(&events);
    host.look(&["--model", "rare"]).blocked("has too few events");
    host.look(&["--model", "momentum"]).passes();
}

fn absent_model(host: &Host) {
    host.look(&["--model", "momentum"]).blocked("is not in the telemetry");
    host.look(&[]).blocked("holds nothing to judge");
    host.feed(&healthy(400, 0));
    for name in ["nosuch", "momentu", "Momentum", "momentum ", ""] {
        host.look(&["--model", name]).blocked("is not in the telemetry");
    }
}

fn stale(host: &Host) {
    host.feed(&healthy(400, 90 * 86_400));
    host.look(&[]).blocked("has no recent event");
}

/// A model at the limit that was blocked once is not let through by asking again; a better one is.
fn asked_again(host: &Host) {
    let biased = |parts: u64, back: u64| {
        let event = move |at: u64| {
            let action = if at % 100 < parts { "BUY" } else { ["SELL", "HOLD"][at as usize % 2] };
            Event::at(now() - back * 1_000 + at).saying(action, (at as f64 * 0.618_034).fract())
        };
        (0..2_000).map(event).collect::<Vec<_>>()
    };
    host.feed(&biased(76, 300));
    host.look(&[]).blocked("model-actions-biased");
    host.feed(&biased(69, 200));
    for _ in 0..3 {
        host.look(&[]).blocked("model-improvement-unproven");
    }
    // The same events pass where nothing is known of an earlier look.
    host.machine.ok(&["mv", "/var/lib/golden/ledger.jsonl", "/var/lib/golden/aside"]);
    host.look(&["--no-report"]).passes();
    host.machine.ok(&["mv", "/var/lib/golden/aside", "/var/lib/golden/ledger.jsonl"]);
    host.feed(&biased(50, 100));
    host.look(&[]).passes();
    let looks = host.ledger().iter().map(|entry| entry["result"].to_string()).collect::<Vec<_>>();
    assert_eq!(looks.len(), 5, "{looks:?}");
}

fn drift(host: &Host) {
    host.feed(&healthy(2_000, 100));
    host.look(&["--approve"]).passes();
    let calm = host.look(&[]);
    calm.passes();
    assert!(!calm.warnings().contains("model-drifted"), "{}", calm.warnings());
    let event = |at: u64| {
        Event::at(now() - 50_000 + at)
            .saying(["BUY", "SELL", "BUY"][at as usize % 3], 0.2 + (at % 100) as f64 / 400.0)
    };
    host.feed(&(0..2_000).map(event).collect::<Vec<_>>());
    let look = host.look(&[]);
    look.passes();
    assert!(look.warnings().contains("model-drifted"), "{}", look.warnings());
}

fn as_the_user(host: &Host) {
    host.feed(&healthy(400, 0));
    let words = ["golden", "--contract", "builtin:quantum", "gate", "--format", "json"];
    let output = host.machine.run_as("qt", &words);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("not root"));
    assert!(!host.machine.run(&["test", "-e", "/var/lib/golden/ledger.jsonl"]).status.success());
    let approve = host.machine.run_as("qt", &[&words[..], &["--approve"]].concat());
    assert_eq!(approve.status.code(), Some(2));
}

fn as_a_job(host: &Host) {
    let job = |words: &[&str]| {
        host.machine.run(&[&["golden", "--contract", "builtin:quantum", "job"], words].concat()).status.code()
    };
    assert_eq!(job(&["quality-gate"]), Some(2));
    host.feed(&healthy(400, 0));
    assert_eq!(job(&["quality-gate", "--model", "momentum"]), Some(0));
    assert_eq!(job(&["quality-gate", "--model", "nosuch"]), Some(2));
    assert_eq!(job(&["quality-gate", "--no-such-option"]), Some(2));
    // Two models that never agree wait.
    assert_eq!(job(&["scoreboard"]), Some(1));
}

fn redis_down(host: &Host) {
    host.feed(&healthy(400, 0));
    host.machine.ok(&["systemctl", "stop", "redis-server"]);
    host.look(&["--model", "momentum"]).blocked("connection refused");
    assert_eq!(host.scoreboard().status.code(), Some(2));
    assert!(host.page().contains("connection refused"));
}

/// The same events from a process that is not the unit's are no evidence.
fn another_redis(host: &Host) {
    host.machine.sh_ok(
        "systemctl stop redis-server
         redis-server --port 6379 --bind 127.0.0.1 --daemonize yes --save '' --pidfile /run/other.pid >/dev/null",
    );
    host.machine.wait_until("the other Redis answers", "redis-cli ping");
    host.feed(&healthy(400, 0));
    let look = host.look(&["--model", "momentum"]);
    look.blocked("not of redis-server.service");
    assert_eq!(look.board["events"]["count"], 0);
    host.machine.sh_ok("redis-cli shutdown nosave; while redis-cli ping 2>/dev/null; do sleep 0.1; done");
}

fn reports_elsewhere(host: &Host) {
    host.feed(&healthy(400, 0));
    host.machine.sh_ok("install -d -o qt -g qt /home/qt/quantum_trader/reports; ln -s /etc /home/qt/quantum_trader/reports/safety");
    let before = host.machine.sh_ok("ls /etc | sha256sum");
    for output in [host.gate(&[]), host.scoreboard()] {
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("link"), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    }
    assert_eq!(host.machine.sh_ok("ls /etc | sha256sum"), before);
    host.machine
        .sh_ok("rm -rf /home/qt/quantum_trader/reports; install -d -m 755 /home/qt/quantum_trader/reports");
    let output = host.machine.run_as("qt", &["golden", "--contract", "builtin:quantum", "gate"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no report was written"), "{}", text(&output.stderr));
    // A copy elsewhere is written as whoever could put a link there, and a link is replaced.
    host.machine.sh_ok("ln -sf /etc/passwd /home/qt/board.html; ln -sfn /etc /home/qt/away; ls -l /etc | sha256sum >/etc-before");
    host.machine.sh("golden --contract builtin:quantum scoreboard --no-report --html /home/qt/board.html");
    assert_eq!(host.machine.sh_ok("stat -c '%F %U' /home/qt/board.html"), "regular file qt\n");
    host.machine
        .sh("golden --contract builtin:quantum scoreboard --no-report --html /home/qt/away/board.html");
    host.machine.sh_ok("! test -e /etc/board.html && grep -q ^root: /etc/passwd && ls -l /etc | sha256sum | cmp - /etc-before");
    host.machine.sh_ok("systemctl stop redis-server");
    host.machine.sh("golden --contract builtin:quantum scoreboard --no-report --html /home/qt/board.html");
    host.machine.sh_ok("grep -q NO-GO /home/qt/board.html && systemctl start redis-server && rm /home/qt/board.html /home/qt/away");
}

/// A page is today's, or says that it could not be made; a link in its place is replaced, never followed.
fn yesterday(host: &Host) {
    host.feed(&healthy(400, 0));
    host.scoreboard();
    assert!(host.page().contains("momentum"));
    host.machine.sh_ok(&format!(
        "install -m 644 /dev/null /tmp/victim; cd {REPORTS}; rm scoreboard_latest.*
         ln -s /tmp/victim scoreboard_latest.html; ln -s /tmp/victim scoreboard_latest.md"
    ));
    host.scoreboard();
    assert!(host.machine.read("/tmp/victim").is_empty());
    let before = host.page();
    host.machine.ok(&["redis-cli", "SET", "x", "1"]);
    host.machine.ok(&["redis-cli", "DEL", STREAM]);
    assert_eq!(host.scoreboard().status.code(), Some(2));
    let page = host.page();
    assert!(page != before && page.contains("NO-GO") && page.contains("no such stream"), "{page}");
}

fn markup(host: &Host) {
    let name = "<script>alert(1)</script>|`x`";
    host.feed(&healthy(400, 0).into_iter().map(|one| one.and_model(name, "BUY", "0.5")).collect::<Vec<_>>());
    host.look(&["--model", name]).blocked("says BUY");
    host.scoreboard();
    let page = host.page();
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
    let markdown = text(&host.machine.read(&format!("{REPORTS}/scoreboard_latest.md")));
    assert!(!markdown.contains("<script") && markdown.contains("\\|\\`x\\`"), "{markdown}");
}
