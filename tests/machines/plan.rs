//! Plans on a booted machine: applied, applied again, undone byte for byte, killed at every write, refused, and what
//! findings become. The rehearsal from the bare distribution is `tests/machines/rehearsal.rs`.

use crate::support::clock;
use crate::support::example;
use crate::support::machine;

use std::process::Output;
use std::time::Instant;

use example::text;
use machine::Machine;

#[test]
fn plans_on_a_booted_machine() {
    play(CASES, |_| {});
}

#[test]
fn plans_that_are_killed() {
    // As the other cases leave it.
    play(KILLS, |host| {
        host.expect("apply --yes --quiet", 0);
        host.expect("audit --quiet", 0);
    });
}

/// Plays the cases that `GOLDEN_PLAN` names, or all, on a machine of their own.
fn play(cases: &[(&str, Case)], begin: impl Fn(&Host)) {
    if machine::skipped() {
        return;
    }
    let only = std::env::var("GOLDEN_PLAN").unwrap_or_default();
    let is_chosen = |(name, _): &&(&str, Case)| only.split(',').any(|word| name.contains(word));
    assert!(CASES.iter().chain(KILLS).any(|case| is_chosen(&case)), "no case is called so");
    if !cases.iter().any(|case| is_chosen(&case)) {
        return;
    }
    let machine = example::boot("bookworm");
    example::wait(&machine);
    let host = Host { machine };
    begin(&host);
    for (name, case) in cases.iter().filter(is_chosen) {
        let start = Instant::now();
        println!("plan: {name}");
        case(&host);
        println!("           {:.1} s", start.elapsed().as_secs_f32());
    }
}

type Case = fn(&Host);

/// Each begins where the one before it ended.
const CASES: &[(&str, Case)] = &[
    ("nobody but root changes a host", only_root),
    ("a plan changes nothing", a_plan_changes_nothing),
    ("applied, and again, and undone", applied_and_undone),
    ("a contract that extends files", extending_contract),
    ("a step that fails undoes what went before", a_failing_step),
    ("one at a time", one_at_a_time),
    ("a clock that was set back", a_clock_set_back),
    ("a file that changed after the plan", changed_meanwhile),
    ("an env file is a person's too", env_files),
    ("a mask is a person's decision", a_mask),
    ("no place to write", no_place_to_write),
    ("findings are mended, and the mends undone", fixed_and_undone),
];

const KILLS: &[(&str, Case)] =
    &[("killed at every write", killed_at_every_write), ("an undo that is killed", killed_while_undoing)];

struct Host {
    machine: Machine,
}

impl Host {
    fn shell(&self, script: &str) -> String {
        let output = self.run(script);
        assert!(output.status.success(), "{script}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// The example has no contract installed, so the built-in one is named.
    fn run(&self, script: &str) -> Output {
        self.machine.sh(&format!("export GOLDEN_CONTRACT=builtin:quantum; {script}"))
    }

    /// Exit code and everything said.
    fn golden(&self, words: &str) -> (i32, String) {
        let output = self.run(&format!("golden {words}"));
        (output.status.code().unwrap_or(-1), text(&output.stdout) + &text(&output.stderr))
    }

    fn expect(&self, words: &str, code: i32) -> String {
        let (ended, said) = self.golden(words);
        assert_eq!(ended, code, "golden {words}: {said}");
        said
    }

    /// Everything that a plan may write, byte for byte: kind, owner, mode, size, link text, content.
    fn state(&self) -> String {
        self.shell(
            "cd /; find etc opt/quantum/secrets opt/quantum/venvs home/qt/quantum_trader -xdev \
             ! -path '*/__pycache__*' ! -path '*/.git/*' ! -path 'etc/.pwd.lock' \
             ! -path 'etc/*shadow*' -printf '%y %p %U:%G %#m %l\\n' | sort; \
             find etc home/qt/quantum_trader/Makefile -xdev -type f ! -path 'etc/*shadow*' -exec sha256sum {} + | sort -k2; \
             systemctl is-active quantum-backend quantum-ai-engine quantum-execution quantum-rl-agent redis-server; \
             systemctl is-enabled quantum-backend quantum-ai-engine quantum-execution quantum-rl-agent redis-server",
        )
    }
}

fn assert_same(before: &str, after: &str, what: &str) {
    let missing: Vec<&str> =
        before.lines().filter(|line| !after.lines().any(|other| other == *line)).collect();
    let new: Vec<&str> = after.lines().filter(|line| !before.lines().any(|other| other == *line)).collect();
    assert!(missing.is_empty() && new.is_empty(), "{what}\nwas: {missing:#?}\nis: {new:#?}");
}

fn only_root(host: &Host) {
    for verb in ["plan", "apply --yes", "fix --yes"] {
        let output = host.machine.sh(&format!("golden {verb}"));
        assert_eq!(output.status.code(), Some(2), "{verb}: the contract is neither named nor installed");
        assert!(text(&output.stderr).contains("golden init"), "{}", text(&output.stderr));
    }
    for verb in ["apply", "fix", "apply --undo"] {
        let output = host.run(&format!("runuser -u qt -- golden {verb}"));
        assert_eq!(output.status.code(), Some(1), "{verb}");
        assert!(text(&output.stderr).contains("sudo golden"), "{}", text(&output.stderr));
    }
}

fn a_plan_changes_nothing(host: &Host) {
    assert!(host.expect("plan --color never", 0).contains("nothing to do"));
    host.shell(DISORDER);
    let before = host.state();
    let said = host.expect("plan --color never", 1);
    for part in [
        "\n+SyslogIdentifier=quantum-execution\n",
        "write /etc/systemd/system/quantum-execution.service.d/zz-golden.conf",
        "write /etc/logrotate.d/quantum (root:root 0644)",
        "give /etc/tmpfiles.d/quantum.conf root:root 0644 (now qt:root 0644)",
        "give /etc/quantum/backend.env root:qt 0640 (now root:qt 0666)",
        "restart quantum-rl-agent.service",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("restart quantum-backend.service"), "{said}");
    assert_eq!(host.expect("apply --check --color never", 1), said);
    // Nobody can be asked, and nobody has said yes; a plan that was shown is not another one.
    let asked = host.expect("apply", 1);
    assert!(asked.contains("there is no terminal to ask on"), "{asked}");
    let other = host.expect("apply --plan 0123456789abcdef", 1);
    assert!(other.contains("this is not the plan 0123456789abcdef"), "{other}");
    assert_same(&before, &host.state(), "a plan has changed something");
    host.shell("! test -e /var/lib/golden");
}

fn applied_and_undone(host: &Host) {
    let before = host.state();
    let plan = host.expect("plan --list", 1);
    let digest = plan.split("plan ").last().unwrap().split('.').next().unwrap();
    host.expect(&format!("apply --plan {digest}"), 0);
    host.expect("audit --quiet", 0);
    // Here by systemd 252; tests/machines/rehearsal.rs asks 257.
    let verify =
        "cd /etc/systemd/system && systemd-analyze verify quantum-*.service golden-audit-quantum.* 2>&1";
    assert_eq!(host.shell(verify), "", "systemd-analyze verify");
    let applied = host.state();
    assert!(host.expect("plan", 0).contains("nothing to do"));
    assert!(host.expect("apply --yes", 0).contains("nothing to do"));
    assert_same(&applied, &host.state(), "a second apply has changed something");
    assert!(host.expect("apply --undo", 0).contains("is undone"));
    assert_same(&before, &host.state(), "the undo has left something");
    let said = host.expect("apply --undo", 1);
    assert!(said.contains("no plan that could be undone"), "{said}");
    host.expect("apply --yes --quiet", 0);
    host.expect("audit --quiet", 0);
    the_ledger(host);
}

/// What a contract extends is installed with it, before it, and goes with it.
fn extending_contract(host: &Host) {
    host.shell(
        "mkdir -p /root/team/parts; cd /root/team
         printf 'schema = 1\\nextends = \"parts/base.toml\"\\n' >golden.toml
         printf 'schema = 1\\nextends = \"quantum\"\\n[contract]\\nversion = \"3.0.0\"\\n' >parts/base.toml
         printf 'schema = 1\\nextends = \"../parts/base.toml\"\\n' >parts/out.toml",
    );
    let before = host.state();
    let plan = host.expect("--contract /root/team/golden.toml plan --list", 1);
    let place = |path: &str| plan.find(&format!("write {path}")).unwrap_or_else(|| panic!("{path}: {plan}"));
    assert!(place("/etc/golden/parts/base.toml") < place("/etc/golden/golden.toml"), "{plan}");
    host.expect("--contract /root/team/golden.toml apply --yes --quiet", 0);
    let installed = "unset GOLDEN_CONTRACT; golden contract show; golden plan --list; golden apply --undo";
    let said = host.shell(installed);
    assert!(said.contains("3.0.0") && said.contains("nothing to do"), "{said}");
    assert_same(&before, &host.state(), "the undo has left something");
    let refused = host.expect("--contract /root/team/parts/out.toml plan", 2);
    assert!(refused.contains("leads out of its directory"), "{refused}");
    host.shell("cd /root/team; cp golden.toml ..; cd ..; golden --contract team/golden.toml contract check; rm -r golden.toml team");
}

/// What was done is told, and what was done to the record as well.
fn the_ledger(host: &Host) {
    let said = host.expect("ledger", 0);
    assert!(said.contains("3 entries, each follows the one before"), "{said}");
    for verb in ["  apply  ", "  undo  "] {
        assert!(said.lines().any(|line| line.contains(verb) && line.contains("done")), "{verb}: {said}");
    }
    let last = said.split_whitespace().next_back().unwrap();
    host.expect(&format!("ledger --holds {last}"), 0);
    host.expect(&format!("ledger verify --against {last}"), 0);
    let tampered = |how: &str, words: &str, code: i32, says: &str| {
        host.shell(&format!("{how} /var/lib/golden/ledger.jsonl >/root/tampered.jsonl"));
        let said = host.expect(&format!("ledger --file /root/tampered.jsonl {words}"), code);
        assert!(said.contains(says), "{how}: {said}");
    };
    tampered("sed '2s/undo/apply/'", "", 1, "/root/tampered.jsonl:2: it was changed");
    tampered("sed 2d", "", 1, "/root/tampered.jsonl:2: it does not follow");
    tampered("sed 3d", "", 0, "2 entries");
    tampered("sed 3d", &format!("--holds {last}"), 1, "cut off");
    tampered("sed d", "", 1, "is empty");
    let refused = host.run("runuser -u qt -- golden ledger; golden ledger --file /root/none; test $? = 2");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.success() && said.contains("sudo golden ledger"), "{said}");
    assert!(said.contains("golden has changed nothing here yet"), "{said}");
    a_broken_ledger(host);
}

/// A changed line stops new changes, and no undo, until a person has accepted what is left.
fn a_broken_ledger(host: &Host) {
    host.expect("ledger verify", 0);
    host.shell("sed -i '2s/undone/undome/' /var/lib/golden/ledger.jsonl");
    host.shell(DISORDER);
    for (verb, code, says) in [
        ("ledger verify", 1, "ledger.jsonl:2: it was changed"),
        ("audit --rule ledger-broken", 1, "golden ledger repair"),
        ("apply --yes", 1, "the ledger is broken at line 2"),
        ("apply --undo", 0, "is undone"),
        ("ledger repair </dev/null", 1, "no terminal"),
        ("ledger repair --yes", 0, "the ledger is whole again"),
        ("ledger verify", 0, "2 entries"),
        ("audit --rule ledger-broken --quiet", 0, ""),
        ("apply --yes --quiet", 0, ""),
        ("audit --quiet", 0, ""),
    ] {
        let said = host.expect(verb, code);
        assert!(said.contains(says), "{verb}: {said}");
    }
    let kept = host.shell("wc -l </var/lib/golden/ledger.jsonl.broken-1");
    // The two that were broken, and the undo behind them.
    assert_eq!(kept.trim(), "3");
}

/// Something for a plan to do: a file to write, one with another owner, one that is too open, two units that must
/// restart. Services can start as it is, so that an undo can bring them back.
const DISORDER: &str = "rm -f /etc/logrotate.d/quantum; chown qt /etc/tmpfiles.d/quantum.conf; \
     chmod 0666 /etc/quantum/backend.env; rm -rf /etc/systemd/system/quantum-*.service.d; \
     sed -i s/^SyslogIdentifier=.*/SyslogIdentifier=x/ /etc/systemd/system/quantum-rl-agent.service \
     /etc/systemd/system/quantum-execution.service; systemctl daemon-reload";

fn killed_at_every_write(host: &Host) {
    host.shell(DISORDER);
    let before = host.state();
    let mut kills = 0;
    // Some of the files that take their place, of the journal's renames and of the syncs around them: each round waits for
    // services that restart.
    let stride = if std::env::var_os("GOLDEN_KILLS").is_some() { 1 } else { 9 };
    for (call, stride) in [("renameat2", stride.min(2)), ("rename", stride), ("fsync", 3 * stride)] {
        for number in (1..).step_by(stride) {
            let killed = host.run(&format!(
                "strace -f -qq -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={number} golden --quiet apply --yes"
            ));
            if killed.status.success() {
                // There are no more writes: this one went through, and is taken back for the next round.
                assert!(number > 2, "only {number} calls of {call}");
                host.expect("apply --undo", 0);
                assert_same(&before, &host.state(), "the undo after a whole apply");
                break;
            }
            kills += 1;
            // The next call says what it found and brings the old state back, whether or not it has more to do.
            host.expect("apply --recover", 0);
            if host.golden("plan --list").0 == 0 {
                // Killed when all was done: the new state is whole, and can be undone like any other.
                host.expect("apply --undo", 0);
            }
            assert_same(&before, &host.state(), &format!("killed at {call} {number}"));
        }
    }
    println!("           killed {kills} times, the old state came back each time");
    host.expect("apply --yes --quiet", 0);
    host.expect("audit --quiet", 0);
    host.expect("ledger", 0);
}

/// An undo that is killed is announced by the next audit, and goes on with the next call.
fn killed_while_undoing(host: &Host) {
    host.shell(DISORDER);
    let before = host.state();
    let stride = if std::env::var_os("GOLDEN_KILLS").is_some() { 1 } else { 5 };
    let mut kills = 0;
    for number in (1..).step_by(stride) {
        host.expect("apply --yes --quiet", 0);
        let killed = host.run(&format!(
            "strace -f -qq -o /dev/null -e trace=rename,renameat2 -e inject=rename,renameat2:signal=KILL:when={number} golden --quiet apply --undo"
        ));
        if killed.status.success() {
            assert_same(&before, &host.state(), "the undo after a whole apply");
            break;
        }
        kills += 1;
        let (code, said) = host.golden("audit");
        let journals = host.shell("cat /var/lib/golden/plans/*/journal.json");
        // Killed before the undo was written down, or after its end: the plan is whole, or undone.
        let begun = journals.contains("\"progress\": \"begun\",\n  \"undoing\"");
        assert_eq!(begun, said.contains("plan-interrupted"), "killed at {number}: {code}: {said}");
        let recovered = host.expect("apply --recover", 0);
        if !begun && host.golden("apply --undo").0 != 0 {
            println!("           killed behind its end at {number}");
        }
        assert_same(&before, &host.state(), &format!("killed at {number}: {recovered}"));
    }
    println!("           killed {kills} times, the undo went on each time");
    assert!(kills > 2);
    host.expect("apply --yes --quiet", 0);
    host.expect("audit --quiet", 0);
}

fn a_failing_step(host: &Host) {
    host.shell(
        "mkdir -p /etc/golden; printf 'schema = 1\\nextends = \"quantum\"\\n[contract]\\nname = \"quantum\"\\nversion = \"1.0.1\"\\n\
         [services.ai-engine.provision]\\nstart = [\"python\", \"-c\", \"raise SystemExit(3)\"]\\n' >/root/broken.toml",
    );
    let before = host.state();
    let said = host.expect("--contract /root/broken.toml apply --yes", 1);
    assert!(said.contains("quantum-ai-engine.service") && said.contains("are undone"), "{said}");
    assert_same(&before, &host.state(), "a failed apply has left something");
    host.shell("rm /root/broken.toml; rmdir /etc/golden 2>/dev/null || true");
    host.expect("audit --quiet", 0);
}

fn one_at_a_time(host: &Host) {
    // So that there is something to repair.
    host.shell("cp -a /var/lib/golden/ledger.jsonl /root/ledger; sed -i '1s/applied/appliep/' /var/lib/golden/ledger.jsonl");
    for verb in
        ["apply --yes", "apply --undo", "apply --recover", "fix --yes", "deploy main", "ledger repair --yes"]
    {
        let said = host.shell(&format!(
            "flock /run/golden/apply.lock -c 'golden --contract builtin:quantum {verb}; echo $?' 2>&1"
        ));
        assert!(
            said.contains("another golden is changing this host") && said.ends_with("1\n"),
            "{verb}: {said}"
        );
    }
    host.shell("mv /root/ledger /var/lib/golden/ledger.jsonl");
    host.expect("ledger verify", 0);
}

/// The later plan is the one that was made later, whatever the clock said: each verb, and one that is killed.
fn a_clock_set_back(host: &Host) {
    clock::lay(&host.machine);
    let earlier = format!("env LD_PRELOAD={}", clock::SHIM);
    let yesterday = host.shell(&format!("{earlier} golden --version >/dev/null; {earlier} date -u +%F"));
    assert_eq!(yesterday, host.shell("date -u -d yesterday +%F"), "the clock was not set back");
    // Nothing that makes a service restart: this is about the order of plans.
    host.shell("rm -f /etc/logrotate.d/quantum; chown qt /etc/tmpfiles.d/quantum.conf");
    let first = host.state();
    host.expect("apply --yes --quiet", 0);
    let whole = host.state();
    host.shell("chmod 0666 /etc/quantum/backend.env");
    let second = host.state();
    host.shell(&format!(
        "{earlier} golden fix --yes --quiet --rule env-file-mode-wrong; golden audit --quiet"
    ));
    let said = host.expect("ledger verify", 0);
    assert!(said.contains("entries"), "{said}");
    let ledger = host.shell("tail -n 1 /var/lib/golden/ledger.jsonl");
    assert!(ledger.contains(yesterday.trim()), "it was not written by that clock: {ledger}");
    // The newest by its clock is the older one: it is not what is undone first.
    host.expect("apply --undo", 0);
    assert_same(&second, &host.state(), "the undo took another plan");
    host.shell("chmod 0640 /etc/quantum/backend.env");
    host.shell(&format!("{earlier} golden apply --undo"));
    assert_same(&first, &host.state(), "the undo by an earlier clock");
    // Killed by an earlier clock: announced, and taken back by the next call.
    let killed = host.run(&format!(
        "{earlier} strace -f -qq -o /dev/null -e trace=renameat2 -e inject=renameat2:signal=KILL:when=1 golden --quiet apply --yes"
    ));
    assert!(!killed.status.success(), "it was not killed");
    host.expect("audit --rule plan-interrupted", 1);
    host.expect("apply --recover", 0);
    assert_same(&first, &host.state(), "killed by an earlier clock");
    host.expect("apply --yes --quiet", 0);
    assert_same(&whole, &host.state(), "it is not whole again");
    host.expect("audit --quiet", 0);
    host.expect("ledger verify", 0);
}

fn changed_meanwhile(host: &Host) {
    // While the plan is carried out, somebody edits one of its files; the plan notices.
    host.shell(DISORDER);
    let said = host.shell(
        "(golden apply --yes 2>&1; echo code $?) >/tmp/said & \
         for try in $(seq 400); do grep -q '\\[1/' /tmp/said 2>/dev/null && break; sleep 0.005; done; \
         echo '# mine' >>/etc/quantum/backend.env; wait; cat /tmp/said",
    );
    // Whoever was faster: either the edit was seen and nothing is half-done, or it came after the write.
    // An edit behind the write makes a process older than its env file: all is undone but for what somebody wrote.
    let noticed = said.contains("has changed since the plan was made")
        || said.contains("backend.env stays as it is: it was changed since");
    assert!(noticed && said.ends_with("code 1\n") || said.ends_with("code 0\n"), "{said}");
    host.shell("grep -qx '# mine' /etc/quantum/backend.env");
    for _ in 0..2 {
        host.expect("apply --yes --quiet", 0);
    }
    host.expect("audit --quiet", 0);
}

fn env_files(host: &Host) {
    host.shell(
        "printf 'STRIPE_MODE=test\\n' >>/etc/quantum/backend.env; sed -i s/LOG_LEVEL=INFO/LOG_LEVEL=DEBUG/ /etc/quantum/backend.env; \
         sed -i /SHADOW_MODE/d /etc/quantum/backend.env",
    );
    host.expect("apply --yes --quiet", 0);
    let file = host.shell("cat /etc/quantum/backend.env");
    assert!(file.contains("STRIPE_MODE=test\n") && file.contains("LOG_LEVEL=DEBUG\n"), "{file}");
    assert!(file.contains("SHADOW_MODE=enabled\n"), "{file}");
}

fn a_mask(host: &Host) {
    host.shell("systemctl stop quantum-rl-agent; mv /etc/systemd/system/quantum-rl-agent.service /root/; systemctl mask quantum-rl-agent");
    let said = host.expect("apply --yes", 0);
    assert!(said.contains("left    unit-masked (service:rl-agent)"), "{said}");
    host.shell("test $(readlink /etc/systemd/system/quantum-rl-agent.service) = /dev/null");
    assert!(host.run("systemctl is-active quantum-rl-agent").status.code() != Some(0), "it was started");
    host.shell(
        "rm /etc/systemd/system/quantum-rl-agent.service; mv /root/quantum-rl-agent.service /etc/systemd/system/; \
         systemctl daemon-reload; systemctl start quantum-rl-agent",
    );
    host.expect("apply --yes --quiet", 0);
}

fn no_place_to_write(host: &Host) {
    host.shell(DISORDER);
    let before = host.state();
    for (what, begin, end) in [
        (
            "a full disk",
            "mount -t tmpfs -o size=4k,mode=0700 tmpfs /var/lib/golden/plans",
            "umount /var/lib/golden/plans",
        ),
        ("a read-only /etc", "mount --bind /etc /etc; mount -o remount,ro,bind /etc", "umount /etc"),
    ] {
        for verb in ["apply --yes", "fix --yes"] {
            host.shell(begin);
            let (code, said) = host.golden(verb);
            host.shell(end);
            assert_eq!(code, 1, "{what}: {verb}: {said}");
            assert!(said.contains("No space left") || said.contains("Read-only"), "{what}: {verb}: {said}");
            assert_same(&before, &host.state(), what);
        }
    }
    host.expect("apply --yes --quiet", 0);
    // What could not be brought back for want of a place is brought back by the next undo.
    let (begin, end) = ("mount --bind /etc /etc; mount -o remount,ro,bind /etc", "umount /etc");
    host.shell(begin);
    let (code, said) = host.golden("apply --undo");
    host.shell(end);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("Read-only") && said.contains("`golden apply --undo` brings the rest back"),
        "{said}"
    );
    host.expect("apply --undo", 0);
    assert_same(&before, &host.state(), "undone in two parts");
    host.expect("apply --yes --quiet", 0);
}

fn fixed_and_undone(host: &Host) {
    host.shell(
        "mkdir -p /etc/systemd/system/quantum-ai-engine.service.d; \
         printf '[Service]\\nUser=root\\n' >/etc/systemd/system/quantum-ai-engine.service.d/override.conf; \
         systemctl daemon-reload; chmod 0666 /etc/quantum/execution.env; rmdir /opt/quantum/data/backups; \
         groupadd --system docker; gpasswd -a qt docker >/dev/null; \
         echo 'export WORKERS=5' >>/etc/quantum/backend.env",
    );
    let broken = host.state();
    host.expect("audit --quiet", 1);
    let said = host.expect("fix --check", 1);
    // Accounts are causes of much else, so they come first.
    for rule in ["account-may-become-root", "place-missing"] {
        assert!(said.contains(rule), "{rule}: {said}");
    }
    assert_same(&broken, &host.state(), "a look at the fixes has changed something");
    // Causes first: what follows from them is looked at again, so that there may be several plans, each by a call.
    let (passes, said) = fix_all(host);
    for rule in ["unit-runs-as-root", "env-file-mode-wrong", "env-line-ignored", "account-may-become-root"] {
        assert!(said.contains(rule), "{rule}: {said}");
    }
    host.expect("audit --quiet", 0);
    for _ in 0..passes {
        host.expect("apply --undo", 0);
    }
    // As broken as it was, so that its services may not start.
    let paths = |state: &str| -> String {
        state.lines().filter(|line| line.contains('/')).collect::<Vec<_>>().join("\n")
    };
    assert_same(&paths(&broken), &paths(&host.state()), "the undo of a fix has left something");
    fix_all(host);
    host.shell("groupdel docker; rmdir /etc/systemd/system/quantum-ai-engine.service.d 2>/dev/null || true; sed -i /WORKERS/d /etc/quantum/backend.env; systemctl restart quantum-backend");
    host.expect("audit --quiet", 0);
}

/// Mends until there is nothing left to mend; how many plans that took, and what was said of them.
fn fix_all(host: &Host) -> (usize, String) {
    let (mut passes, mut all) = (0, String::new());
    for _pass in 0..6 {
        let (code, said) = host.golden("fix --yes --list");
        // What came to light waits for the next call, which ends this one with 1.
        if said.contains("To take them back") {
            passes += 1;
            all.push_str(&said);
        }
        if said.contains("nothing to mend") {
            assert_eq!(code, 0, "{said}");
            return (passes, all);
        }
        assert!(said.contains("To take them back"), "{said}");
    }
    panic!("there was always more to mend");
}
