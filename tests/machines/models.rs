//! The lifecycle of a model on a booted machine: let out of the shadow by a person alone, taken back byte for byte, killed,
//! forged, swapped, and dying after its first seconds.

use crate::support::example;
use crate::support::machine;

mod kills;
mod outside;
mod watch;

use std::collections::BTreeMap;
use std::process::Output;
use std::time::Instant;

use example::text;
use golden::ledger::{self, By, Entry, Event, Mode, Who};
use golden::system::act::Act;
use machine::Machine;

#[test]
fn models_on_a_booted_machine() {
    play(CASES);
}

#[test]
fn models_that_are_killed() {
    play(KILLS);
}

/// Plays the cases that `GOLDEN_MODELS` names, or all, on a machine of their own.
fn play(cases: &[(&str, Case)]) {
    if machine::skipped() {
        return;
    }
    let only = std::env::var("GOLDEN_MODELS").unwrap_or_default();
    let is_chosen = |(name, _): &&(&str, Case)| only.split(',').any(|word| name.contains(word));
    assert!(CASES.iter().chain(KILLS).any(|case| is_chosen(&case)), "no case is called so");
    if !cases.iter().any(|case| is_chosen(&case)) {
        return;
    }
    let suite = std::env::var("GOLDEN_SUITE").unwrap_or_else(|_| "bookworm".to_owned());
    let machine = example::boot(&suite);
    example::wait(&machine);
    let host = Host { machine };
    host.machine.write("/root/person.py", include_str!("models/person.py"), 0o644, "root:root");
    for (name, case) in cases.iter().filter(is_chosen) {
        let start = Instant::now();
        println!("models: {name}");
        case(&host);
        println!("           {:.1} s", start.elapsed().as_secs_f32());
    }
}

type Case = fn(&Host);

/// The entry is about the events of one artefact.
fn of_artefact(entry: &mut Entry, digest: &str) {
    entry.facts.insert("artefact".to_owned(), digest.to_owned());
    entry.facts.insert("digest".to_owned(), format!("patchtst_digest={digest}"));
}

/// Each leaves the host as it found it: no artefact that golden activated is live.
const CASES: &[(&str, Case)] = &[
    ("registered by its digest", registered),
    ("no program activates", no_program),
    ("only a verdict that counts", only_a_verdict_that_counts),
    ("canary, promoted, rolled back", a_whole_life),
    ("two, and back twice", two_and_back_twice),
    ("the gate itself, and the watch", watch::gate_and_watch),
    ("a signature where there is no terminal", a_signature),
    ("one that dies after its first seconds", dies_later),
    ("no place to write", no_place_to_write),
    ("Redis goes in the middle", redis_goes),
    ("a ledger that was cut off", a_cut_ledger),
    ("heads that a command takes outside", outside::taken_outside),
    ("an edited ledger", an_edited_ledger),
];

const KILLS: &[(&str, Case)] = &[("killed at many writes", kills::killed)];

const SHADOW: &str = "/opt/quantum/ai_engine/models/shadow/patchtst.json";
const ACTIVE: &str = "/opt/quantum/ai_engine/models/active";
const ARCHIVE: &str = "/opt/quantum/ai_engine/models/archive";
const ENV: &str = "/etc/quantum/ai-engine.env";

struct Host {
    machine: Machine,
}

impl Host {
    fn run(&self, script: &str) -> Output {
        self.machine.sh(&format!("export GOLDEN_CONTRACT=builtin:quantum; {script}"))
    }

    fn shell(&self, script: &str) -> String {
        let output = self.run(script);
        assert!(output.status.success(), "{script}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    fn said(&self, script: &str) -> (i32, String) {
        let output = self.run(script);
        (output.status.code().unwrap_or(-1), text(&output.stdout) + &text(&output.stderr))
    }

    fn expect(&self, script: &str, code: i32) -> String {
        let (ended, said) = self.said(script);
        assert_eq!(ended, code, "{script}: {said}");
        said
    }

    /// A person at a terminal who answers once.
    fn person(&self, answer: &str, words: &str, code: i32) -> String {
        self.expect(&format!("NO_COLOR=1 python3 /root/person.py {answer} golden {words}"), code)
    }

    /// An artefact of the service's user in shadow, with these weights.
    fn artefact(&self, weights: &str) -> String {
        self.machine.write(SHADOW, format!("{{\"weights\": {weights}}}\n"), 0o644, "qt:qt");
        self.shell(&format!("sha256sum {SHADOW} | cut -d' ' -f1")).trim().to_owned()
    }

    /// The same, registered.
    fn registered(&self, weights: &str, version: &str) -> String {
        let digest = self.artefact(weights);
        self.expect(&format!("golden model shadow {SHADOW} --version {version}"), 0);
        digest
    }

    /// What root's golden writes down when the gate has judged: the entry that `golden gate` makes.
    fn gated(&self, change: impl FnOnce(&mut Entry)) {
        let mut entry = Entry {
            at: jiff::Timestamp::now().to_string(),
            by: By::Who(Who::default()),
            event: Event::Gated,
            verb: "gate".to_owned(),
            plan: String::new(),
            plan_number: 0,
            contract: String::new(),
            steps: Vec::new(),
            result: "passed".to_owned(),
            left: Vec::new(),
            facts: BTreeMap::from([("model".to_owned(), "patchtst".to_owned())]),
        };
        change(&mut entry);
        ledger::append(&Act::below(self.machine.root()), &entry, Mode::Strict).unwrap();
    }

    /// The gate has passed the artefact with this digest.
    fn passed(&self, digest: &str) {
        self.gated(|entry| of_artefact(entry, digest));
    }

    /// The files that a transition touches, byte for byte, and whether the service runs.
    fn state(&self) -> String {
        self.shell(&format!(
            "find {ACTIVE} {ENV} -printf '%p %u:%g %#m ' -type f -exec sha256sum {{}} \\; -o -printf '\\n'; \
             systemctl is-active quantum-ai-engine"
        ))
    }

    fn lives(&self) -> String {
        self.expect("golden model show patchtst", 0)
    }

    /// The environment of the process that runs.
    fn process(&self) -> String {
        self.shell("tr '\\0' '\\n' </proc/$(systemctl show -p MainPID --value quantum-ai-engine)/environ | grep PATCHTST | sort")
    }
}

const IN_SHADOW: &str =
    "PATCHTST_MODEL_PATH=/opt/quantum/ai_engine/models/shadow/patchtst.json\nPATCHTST_SHADOW_ONLY=true\n";

fn registered(host: &Host) {
    host.artefact("[0.1, 0.2]");
    host.shell("golden model list | grep -q 'no artefact is registered'");
    let output = host.run(&format!("runuser -u qt -- golden model shadow {SHADOW}"));
    assert_eq!(output.status.code(), Some(1), "nobody but root registers: {}", text(&output.stderr));
    // What runs code, what leads elsewhere, what lies elsewhere, what is no file, what has another name.
    let shadow = SHADOW.rsplit_once('/').unwrap().0;
    host.shell(&format!(
        "cd {shadow}; printf '\\200\\004\\225' >evil.json; ln -s /etc/shadow link.json; mkfifo fifo.json; \
         cp patchtst.json one.json; ln one.json two.json; mkdir dir.json; chown -h qt:qt *; cp patchtst.json root.json"
    ));
    for (file, word) in [
        (format!("{shadow}/evil.json"), "a pickle"),
        (format!("{shadow}/link.json"), "is a link"),
        (format!("{shadow}/fifo.json"), "not a regular file"),
        (format!("{shadow}/one.json"), "hard links"),
        (format!("{shadow}/dir.json"), "not a regular file"),
        (format!("{shadow}/root.json"), "not of the user"),
        (format!("{shadow}/none.json"), "does not exist"),
        ("/etc/shadow".to_owned(), "does not lie in"),
        (format!("{shadow}/../shadow/patchtst.json"), "does not lie in"),
    ] {
        let said = host.expect(&format!("timeout 20 golden model shadow {file}"), 1);
        assert!(said.contains(word), "{file}: {said}");
    }
    let said = host.expect(&format!("golden model shadow {SHADOW} --version 'v_1'"), 1);
    assert!(said.contains("is not a version"), "{said}");
    host.shell(&format!(
        "cd {shadow}; rm -rf evil.json link.json fifo.json one.json two.json dir.json root.json"
    ));
    assert!(!host.run("test -e /var/lib/golden/ledger.jsonl").status.success(), "nothing was written down");
    let digest = host.registered("[0.1, 0.2, 0.9]", "v1");
    let list = host.expect("golden model list", 0);
    assert!(list.contains("patchtst") && list.contains("shadow") && list.contains(&digest[..12]), "{list}");
    host.expect("golden ledger verify", 0);
}

fn no_program(host: &Host) {
    let digest = host.registered("[0.3, 0.1]", "v2");
    host.passed(&digest);
    let before = host.state();
    let pty = "python3 /root/person.py patchtst";
    for (script, word) in [
        ("golden model canary patchtst".to_owned(), "no terminal"),
        ("golden model canary patchtst --yes".to_owned(), "--yes is not enough"),
        ("yes patchtst | golden model canary patchtst".to_owned(), "no terminal"),
        (format!("CI=true {pty} golden model canary patchtst"), "the variable CI"),
        (format!("GITHUB_ACTIONS=true {pty} golden model canary patchtst"), "GITHUB_ACTIONS"),
        (format!("{pty} golden model canary patchtst --yes"), "--yes is not enough"),
        (
            format!(
                "systemd-run --quiet --wait --collect --pipe -E GOLDEN_CONTRACT=builtin:quantum {pty} golden model canary patchtst"
            ),
            "systemd's unit",
        ),
        ("python3 /root/person.py pathtst golden model canary patchtst".to_owned(), "not the model's name"),
        ("python3 /root/person.py y golden model canary patchtst".to_owned(), "not the model's name"),
        ("python3 /root/person.py other golden model promote patchtst".to_owned(), "no canary"),
    ] {
        let said = host.expect(&script, 1);
        assert!(said.contains(word), "{script}: {said}");
        assert_eq!(host.state(), before, "{script}");
    }
    let said = host.expect("golden model canary other", 2);
    assert!(said.contains("no model \"other\""), "{said}");
    // The service's user can neither write where golden activates nor what the service is told.
    for path in [format!("{ACTIVE}/x"), format!("{ARCHIVE}/x"), ENV.to_owned(), format!("{ACTIVE}-2")] {
        assert!(!host.run(&format!("runuser -u qt -- touch {path}")).status.success(), "{path}");
    }
}

fn only_a_verdict_that_counts(host: &Host) {
    host.shell("sleep 2");
    let digest = host.registered("[0.4, 0.1]", "v3");
    let before = host.state();
    let refused = |word: &str| {
        let said = host.person("patchtst", "model canary patchtst", 1);
        assert!(said.contains(word), "{word}: {said}");
        assert_eq!(host.state(), before);
    };
    refused("holds no verdict");
    // A report in the repository proves nothing.
    host.shell(
        "d=/home/qt/quantum_trader/reports/safety; mkdir -p $d; echo PASSED >$d/quality_gate_20261129T000000Z.md; chown -R qt:qt $d",
    );
    refused("holds no verdict");
    host.passed(&"0".repeat(64));
    refused("holds no verdict");
    let artefact = |entry: &mut Entry| of_artefact(entry, &digest);
    host.gated(|entry| {
        artefact(entry);
        entry.result = "blocked: majority bias".into();
    });
    refused("majority bias");
    host.gated(|entry| {
        artefact(entry);
        entry.at = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(2)).to_string();
    });
    refused("s old");
    host.gated(|entry| {
        artefact(entry);
        entry.at = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(2)).to_string();
    });
    refused("from the future");
    host.gated(|entry| {
        artefact(entry);
        entry.by = By::Who(Who { uid: 997, euid: 997, ..Who::default() });
    });
    refused("is not root's");
    // Without a digest in the events only those since the start count, and the service runs for longer.
    host.gated(|_| {});
    refused("runs since before");
    host.shell("sleep 3; systemctl restart quantum-ai-engine");
    host.gated(|entry| drop(entry.facts.insert("since".into(), "1000-0".into())));
    refused("from before");
    // The artefact was swapped since.
    host.passed(&digest);
    host.artefact("[9.9]");
    refused("is not what was registered");
    host.artefact("[0.4, 0.1]");
    // The audit is not clean.
    host.shell("chmod 0666 /etc/quantum/execution.env");
    let said = host.person("patchtst", "model canary patchtst", 1);
    assert!(said.contains("the audit is not clean"), "{said}");
    host.shell("chmod 0640 /etc/quantum/execution.env");
    let said = host.expect("golden model canary patchtst --check", 1);
    assert!(said.contains("Nothing was changed") && said.contains("+PATCHTST_SHADOW_ONLY=false"), "{said}");
    assert_eq!(host.state(), before);
}

fn a_whole_life(host: &Host) {
    let digest = host.registered("[0.5, 0.2]", "v4");
    host.passed(&digest);
    let (before, env) = (host.state(), host.shell(&format!("cat {ENV}")));
    let said = host.person("patchtst", "model canary patchtst", 0);
    for line in ["\n-PATCHTST_SHADOW_ONLY=true\n", "\n+PATCHTST_SHADOW_ONLY=false\n"] {
        assert!(said.contains(line), "{said}");
    }
    assert!(said.contains(&format!("patchtst {} is obeyed", &digest[..12])), "the journal is shown: {said}");
    let canary = format!("{ACTIVE}/canary-patchtst.json");
    assert_eq!(host.process(), format!("PATCHTST_MODEL_PATH={canary}\nPATCHTST_SHADOW_ONLY=false\n"));
    assert_eq!(host.shell(&format!("stat -c '%U:%G %a' {canary}")), "root:root 644\n");
    assert!(host.shell(&format!("sha256sum {canary}")).starts_with(&digest));
    // Every other byte of the env file stays.
    let others = |text: &str| {
        text.lines().filter(|line| !line.starts_with("PATCHTST_")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(others(&host.shell(&format!("cat {ENV}"))), others(&env));
    assert!(host.lives().contains("canary"), "{}", host.lives());
    host.shell("journalctl --quiet -t golden | grep -q 'model patchtst v4 is a canary'");
    host.expect("golden audit --quiet", 0);
    host.expect("golden plan", 0);
    // A secret is rotated while the canary runs.
    host.shell(&format!(
        "sed -i 's/^LOG_LEVEL=.*/LOG_LEVEL=DEBUG/' {ENV}; systemctl restart quantum-ai-engine"
    ));

    host.person("patchtst", "model promote patchtst", 0);
    let active = format!("{ACTIVE}/patchtst.json");
    assert_eq!(host.process(), format!("PATCHTST_MODEL_PATH={active}\nPATCHTST_SHADOW_ONLY=false\n"));
    assert_eq!(host.shell(&format!("ls {ACTIVE}")), "patchtst.json\n");
    host.expect("golden audit --quiet", 0);
    let list = host.expect("golden model list", 0);
    assert!(list.contains("active    v4"), "{list}");

    // Back to before it, with what was changed since.
    let said = host.person("y", "model rollback", 0);
    assert!(said.contains("- v4 active") && said.contains("+ no artefact"), "{said}");
    assert_eq!(host.process(), IN_SHADOW);
    assert_eq!(host.shell(&format!("cat {ENV}")), env.replace("LOG_LEVEL=INFO", "LOG_LEVEL=DEBUG"));
    host.shell(&format!(
        "sed -i 's/^LOG_LEVEL=.*/LOG_LEVEL=INFO/' {ENV}; systemctl restart quantum-ai-engine"
    ));
    assert_eq!(host.state(), before);
    host.expect("golden audit --quiet", 0);
    host.expect("golden ledger verify", 0);
    let said = host.expect("golden model rollback --yes", 1);
    assert!(said.contains("nothing to take back"), "{said}");
    let history = host.expect("golden model history", 0);
    for word in ["shadowed", "gated", "canary", "promoted", "rolled-back"] {
        assert!(history.contains(word), "{word}: {history}");
    }
}

fn two_and_back_twice(host: &Host) {
    let before = host.state();
    let live = |weights: &str, version: &str| {
        let digest = host.registered(weights, version);
        host.passed(&digest);
        host.person("patchtst", "model canary patchtst", 0);
        host.person("patchtst", "model promote patchtst", 0);
        digest
    };
    let one = live("[0.6, 0.1]", "v5");
    let between = host.shell("sleep 1.1; date -u +%Y-%m-%dT%H:%M:%SZ");
    let with_one = host.state();
    let two = live("[0.7, 0.1]", "v6");
    assert!(host.shell(&format!("sha256sum {ACTIVE}/patchtst.json")).starts_with(&two));
    let archived = host.shell(&format!("ls {ARCHIVE} | grep _patchtst_v5.json"));
    assert!(host.shell(&format!("sha256sum {ARCHIVE}/{}", archived.trim())).starts_with(&one));
    host.expect("golden audit --quiet", 0);
    host.expect("golden model rollback --yes", 0);
    assert_eq!(host.state(), with_one, "the second one's predecessor");
    host.expect("golden model rollback --yes", 0);
    assert_eq!(host.state(), before, "the first one's predecessor");
    // An archived artefact is never overwritten, and the past can be told.
    host.shell(&format!("test -e {ARCHIVE}/{}", archived.trim()));
    let then = host.expect(&format!("golden model history --at {}", between.trim()), 0);
    assert!(then.contains("v5 was active") && then.contains(&one), "{then}");
    let now = host.expect("golden model history --at 2999-01-01T00:00:00Z", 0);
    assert!(now.contains("no artefact of patchtst"), "{now}");
    host.expect("golden audit --quiet", 0);
}

fn a_signature(host: &Host) {
    let seed = ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]);
    let key = ssh_key::PrivateKey::from(seed);
    let write = |path: &str, text: &str, mode| host.machine.write(path, text, mode, "root:root");
    write("/root/key", &key.to_openssh(ssh_key::LineEnding::LF).unwrap(), 0o600);
    write("/etc/golden/signers", &format!("ops {}\n", key.public_key().to_openssh().unwrap()), 0o644);
    write(
        "/etc/golden/golden.toml",
        "schema = 1\nextends = \"quantum\"\n[approval]\nsigners = \"/etc/golden/signers\"\nrequired = 1\n",
        0o644,
    );
    let golden = "export GOLDEN_CONTRACT=/etc/golden/golden.toml; golden";
    host.expect(&format!("{golden} contract sign /etc/golden/golden.toml --key /root/key"), 0);
    let digest = host.registered("[0.8, 0.1]", "v7");
    host.passed(&digest);
    let before = host.state();
    let message = host.expect(&format!("{golden} model canary patchtst --message"), 0);
    assert!(message.contains(&format!("artefact sha256:{digest}")), "{message}");
    let sign = |namespace: &str, key: &ssh_key::PrivateKey, text: &str| {
        let signature = key.sign(namespace, ssh_key::HashAlg::Sha512, text.as_bytes()).unwrap();
        write("/root/approval", &signature.to_pem(ssh_key::LineEnding::LF).unwrap(), 0o600);
    };
    let refused = |what: &str| {
        let said = host.expect(&format!("{golden} model canary patchtst --approval /root/approval"), 1);
        assert!(said.contains("0 of 1 demanded signatures"), "{what}: {said}");
        assert_eq!(host.state(), before, "{what}");
    };
    sign("golden-contract", &key, &message);
    refused("for another purpose");
    sign("golden-model", &key, &message.replace("canary", "promote"));
    refused("of another transition");
    let stranger = ssh_key::PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(&[8; 32]));
    sign("golden-model", &stranger, &message);
    refused("of a stranger");
    sign("golden-model", &key, &message);
    let said = host
        .expect(&format!("CI=true; export CI; {golden} model canary patchtst --approval /root/approval"), 1);
    assert!(said.contains("the variable CI"), "{said}");
    host.expect(&format!("{golden} model canary patchtst --approval /root/approval"), 0);
    host.shell("grep -q '\"confirmed\":\"signed by ops\"' /var/lib/golden/ledger.jsonl");
    host.expect(&format!("{golden} model rollback --yes"), 0);
    // It counted once.
    host.passed(&digest);
    refused("the second time");
    host.shell("rm -r /etc/golden /root/key /root/approval");
}

fn dies_later(host: &Host) {
    // The engine of this host ends six seconds after it has loaded such an artefact; Restart=always hides it.
    host.machine.write("/root/dies.py", include_str!("models/dies.py"), 0o644, "root:root");
    host.shell(
        "f=/home/qt/quantum_trader/src/ai_engine/patchtst.py; cp -p $f /root/kept.py; cat /root/dies.py >>$f",
    );
    let start = Instant::now();
    let digest = host.registered("[6, 0.1]", "v8");
    host.passed(&digest);
    let before = host.state();
    let said = host.person("patchtst", "model canary patchtst", 1);
    assert!(said.contains("does not become a canary") && said.contains("are undone"), "{said}");
    assert!(start.elapsed().as_secs() >= 6, "it ran for six seconds: {said}");
    assert_eq!(host.state(), before);
    assert_eq!(host.process(), IN_SHADOW);
    assert!(host.expect("golden model list", 0).contains("shadow    v8"));
    host.shell("cp -p /root/kept.py /home/qt/quantum_trader/src/ai_engine/patchtst.py; systemctl restart quantum-ai-engine");
    host.expect("golden audit --quiet", 0);
}

fn no_place_to_write(host: &Host) {
    let digest = host.registered("[1.0, 0.1]", "v10");
    host.passed(&digest);
    let before = host.state();
    for (what, begin, end) in [
        (
            "a full disk for golden's record",
            "mount -t tmpfs -o size=4k,mode=0700 tmpfs /var/lib/golden/plans",
            "umount /var/lib/golden/plans",
        ),
        ("a read-only /etc", "mount --bind /etc /etc; mount -o remount,ro,bind /etc", "umount /etc"),
        (
            "read-only models",
            "mount --bind /opt/quantum/ai_engine/models/active /opt/quantum/ai_engine/models/active; \
             mount -o remount,ro,bind /opt/quantum/ai_engine/models/active",
            "umount /opt/quantum/ai_engine/models/active",
        ),
    ] {
        host.shell(begin);
        let (code, said) = host.said("python3 /root/person.py patchtst golden model canary patchtst");
        host.shell(end);
        assert_eq!(code, 1, "{what}: {said}");
        assert!(said.contains("No space left") || said.contains("Read-only"), "{what}: {said}");
        assert_eq!(host.state(), before, "{what}");
        host.expect("golden ledger verify", 0);
    }
}

fn redis_goes(host: &Host) {
    let digest = host.registered("[1.1, 0.1]", "v11");
    host.passed(&digest);
    let before = host.state();
    // Redis is killed for good while golden watches the service; what is bound to it goes along.
    let said = host.expect(
        "(for try in $(seq 600); do grep -q PATCHTST_SHADOW_ONLY=false /etc/quantum/ai-engine.env && break; sleep 0.1; done; sleep 4; \
          systemctl stop redis-server) & python3 /root/person.py patchtst golden model canary patchtst >/tmp/said 2>&1; \
         code=$?; wait; cat /tmp/said; exit $code",
        1,
    );
    assert!(said.contains("does not become a canary"), "{said}");
    host.shell("systemctl start redis-server quantum-backend quantum-ai-engine quantum-execution quantum-rl-agent; sleep 5");
    assert_eq!(host.state(), before, "{said}");
    assert!(host.expect("golden model list", 0).contains("shadow    v11"));
}

/// The chain of a ledger that was shortened holds; who kept its head knows better.
fn a_cut_ledger(host: &Host) {
    let ledger = "/var/lib/golden/ledger.jsonl";
    let text = "schema = 1\nextends = \"quantum\"\n[ledger]\nanchor = \"/srv/heads/golden\"\n";
    host.machine.write("/root/anchored.toml", text, 0o600, "root:root");
    host.shell("mkdir -p /srv/heads");
    let golden = "golden --contract /root/anchored.toml";
    let rule = |code| host.expect(&format!("{golden} audit --rule ledger-not-anchored"), code);
    host.registered("[1.3, 0.1]", "v13");
    assert!(rule(1).contains("golden ledger anchor"));
    host.expect(&format!("{golden} ledger anchor"), 0);
    rule(0);
    for version in ["v14", "v15"] {
        host.artefact(&format!("[1.3, 0.{}]", &version[1..]));
        host.expect(&format!("{golden} model shadow {SHADOW} --version {version}"), 0);
    }
    assert_eq!(host.shell("stat -c '%U %a' /srv/heads/golden; wc -l </srv/heads/golden"), "root 600\n3\n");
    let said = host.expect(&format!("{golden} ledger verify"), 0);
    assert_eq!(said.matches("and the ledger has them all").count(), 2, "{said}");
    assert!(host.expect("golden ledger verify", 0).contains("the contract names none"));
    rule(0);
    host.shell(&format!("cp -p {ledger} /root/whole; sed -i '$d' {ledger}"));
    host.expect("golden ledger", 0);
    let said = host.expect(&format!("{golden} ledger verify"), 1);
    assert_eq!(said.matches("what followed was taken away").count(), 2, "{said}");
    // Without the file the journal still has it, and without the journal the file.
    let said = host.expect("golden ledger verify", 1);
    assert!(said.contains("the journal: entry"), "{said}");
    assert!(rule(1).contains("what followed was taken away"));
    // Who puts another end there has another digest.
    host.gated(|entry| entry.result = "passed".to_owned());
    let said = host.expect(&format!("{golden} ledger verify"), 1);
    assert_eq!(said.matches("it was rewritten").count(), 2, "{said}");
    // A user's line in the journal is no head of golden's.
    host.shell(&format!("cp -p /root/whole {ledger}"));
    host.shell("runuser -u qt -- logger --tag golden 'golden ledger: entry 1 sha256 0000000000000000000000000000000000000000000000000000000000000000'");
    host.expect(&format!("{golden} ledger verify"), 0);
    // A directory of a user is no place for it.
    host.shell("chown qt /srv/heads");
    let said = host.expect(&format!("{golden} ledger anchor"), 2);
    assert!(said.contains("/srv/heads"), "{said}");
    host.shell("rm -r /srv/heads /root/anchored.toml /root/whole");
}

fn an_edited_ledger(host: &Host) {
    let digest = host.registered("[1.2, 0.1]", "v12");
    host.passed(&digest);
    let before = host.state();
    host.person("patchtst", "model canary patchtst", 0);
    // Somebody rewrites the past: nothing new is begun, and the way back stays open.
    host.shell("cp -p /var/lib/golden/ledger.jsonl /root/ledger; echo '{\"schema\":2}' >>/var/lib/golden/ledger.jsonl; echo x >>/var/lib/golden/ledger.jsonl");
    host.expect("golden ledger verify", 1);
    // What it no longer tells is no answer.
    for look in ["model list", "model show", "model history", "model history --at 2026-01-01T00:00:00Z"] {
        let said = host.expect(&format!("golden {look}"), 2);
        assert!(said.contains("the ledger is broken"), "{look}: {said}");
    }
    let said = host.person("patchtst", "model promote patchtst", 1);
    assert!(said.contains("the ledger is broken"), "{said}");
    let said = host.expect("golden model rollback --yes", 0);
    assert!(said.contains("is rolled back"), "{said}");
    assert_eq!(host.state(), before);
    // What it no longer tells may be live all the same; that is no reason for a rollback, and no good news.
    let said = host.expect("golden model watch --once", 2);
    assert!(said.contains("nothing is due") && said.contains("the ledger is broken"), "{said}");
    host.expect("golden ledger repair --yes", 0);
    host.expect("golden ledger verify", 0);
    host.shell("cp -p /root/ledger /var/lib/golden/ledger.jsonl");
    assert_eq!(host.state(), before);
}
