//! Attacks on the changes of golden, tried on a booted machine: by the service's user, by a stranger with a shell, by
//! whoever answers on a port. Each is planted, root runs its verbs, and nothing of root's or of somebody else's may have
//! changed, been read out or been executed; nothing hangs, nothing takes much memory, and a stranger changes no verdict.
//!
//! All of them take a quarter of an hour: by default one attack of each kind and attacker is tried, with and without root's help, and every story;
//! `GOLDEN_ATTACKS=all` tries all, `GOLDEN_ATTACKS=words` those whose kind or name holds the words (several are parted
//! by `|`).

use crate::support::example;
mod jobs;
use crate::support::machine;
mod stories;
mod table;

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::sample::one_of_each;
use machine::{Bind, Machine};
use table::{ATTACKS, Attack, By, VERBS};

/// Seconds that a call may take; those that restart services wait until each has been quiet for a while.
const LIMIT: u32 = 60;
/// Memory that a call may take, in KiB.
const MOST_KIB: u64 = 256 << 10;
/// Texts that only root or their owner may read.
const SECRETS: &[&str] = &["CANARY"];
/// What the attackers' shell lines may name.
const VARIABLES: &str = "R=/home/qt/quantum_trader D=/opt/quantum/data M=/opt/quantum/ai_engine/models E=/etc/quantum \
    V=/opt/quantum/venvs; CLONE='/attack/clone'; RACE='setsid --fork python3 /attack/race.py'\n";

#[test]
fn no_attack_succeeds() {
    if machine::skipped() {
        return;
    }
    let all = ATTACKS.iter().chain(jobs::JOBS);
    let chosen: Vec<&Attack> = match asked().as_str() {
        "" => one_of_each(all, |attack| (attack.kind, attack.by, attack.before.is_empty())),
        _ => all.filter(|attack| is_asked(attack.kind, attack.name)).collect(),
    };
    if let Some(ground) = Ground::of(&chosen) {
        judge(chosen.iter().map(|attack| (attack.kind, attack.name, ground.attack(attack))));
    }
}

#[test]
fn no_story_of_an_attack_succeeds() {
    if machine::skipped() {
        return;
    }
    let chosen: Vec<_> = stories::STORIES.iter().filter(|(kind, name, _)| is_asked(kind, name)).collect();
    if let Some(ground) = Ground::of(&chosen) {
        judge(chosen.iter().map(|(kind, name, story)| {
            let said = story(&ground);
            ground.back(true);
            (*kind, *name, said)
        }));
    }
}

fn asked() -> String {
    std::env::var("GOLDEN_ATTACKS").unwrap_or_default()
}

fn is_asked(kind: &str, name: &str) -> bool {
    let words = asked();
    words == "all" || words.split('|').any(|words| kind.contains(words) || name.contains(words))
}

/// Tries each, and fails when one succeeded.
fn judge(attacks: impl Iterator<Item = (&'static str, &'static str, Result<(), String>)>) {
    let (mut tried, mut succeeded) = (0, Vec::new());
    for (kind, name, said) in attacks {
        tried += 1;
        match said {
            Ok(()) => println!("  held: {kind}: {name}"),
            Err(why) => {
                println!("  SUCCEEDED: {kind}: {name}: {why}");
                succeeded.push((format!("{kind}: {name}"), why));
            }
        }
    }
    println!("attacks: {tried} tried, {} succeeded", succeeded.len());
    assert!(succeeded.is_empty(), "{} attacks succeeded:\n{succeeded:#?}", succeeded.len());
}

/// The machine with everything that may be attacked.
pub struct Ground {
    machine: Machine,
}

/// How a call went.
#[derive(Debug)]
pub struct Call {
    /// Its exit code; `hung` where it was ended.
    pub code: String,
    /// Both streams.
    pub said: String,
}

impl Ground {
    /// The machine, where anything was chosen; `GOLDEN_ATTACKS` may name attacks of the other test alone.
    fn of<T>(chosen: &[T]) -> Option<Self> {
        let anything = ATTACKS.iter().chain(jobs::JOBS).any(|attack| is_asked(attack.kind, attack.name))
            || stories::STORIES.iter().any(|(kind, name, _)| is_asked(kind, name));
        assert!(anything, "no attack is called so");
        (!chosen.is_empty()).then(Self::boot)
    }

    fn boot() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let wheels = Bind::read_only(here.join("target/wheelhouse"), "/attack/wheelhouse");
        let machine = example::boot_with("bookworm", &[wheels]);
        for (name, text) in [
            ("ground.sh", include_str!("attack/ground.sh")),
            ("canaries.sh", include_str!("attack/canaries.sh")),
            ("back.sh", include_str!("attack/back.sh")),
            ("clone", include_str!("attack/clone.sh")),
            ("bounded.py", include_str!("attack/bounded.py")),
            ("race.py", include_str!("attack/race.py")),
            ("redis.py", include_str!("attack/redis.py")),
            ("terminal.sh", include_str!("attack/terminal.sh")),
            ("venv.py", include_str!("attack/venv.py")),
        ] {
            machine.write(&format!("/attack/{name}"), text, 0o755, "root:root");
        }
        machine.sh_ok("chmod 0755 /attack");
        let ground = Self { machine };
        example::wait(&ground.machine);
        ground.machine.sh_ok("sh /attack/ground.sh");
        let verdict = ground.call("golden audit", LIMIT).unwrap();
        assert_eq!(verdict.code, "0", "{}", verdict.said);
        ground
    }

    /// A script as somebody.
    pub fn as_user(&self, user: &str, script: &str) {
        let script = format!("cd; {VARIABLES}{script}");
        // What it leaves running must not hold our pipes.
        self.machine.run(&[
            "runuser",
            "-u",
            user,
            "--",
            "bash",
            "-c",
            &format!("exec </dev/null >/tmp/said.{user} 2>&1\n{script}"),
        ]);
    }

    /// A script as root.
    pub fn root(&self, script: &str) -> String {
        let output = self.machine.run(&["bash", "-c", &format!("{VARIABLES}{script}")]);
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }

    /// Whether a script of root's succeeds.
    pub fn holds(&self, script: &str) -> bool {
        self.machine.run(&["bash", "-c", &format!("{VARIABLES}{script}")]).status.success()
    }

    /// A call of root's: bounded in time and memory, silent about secrets, harmless on a terminal.
    pub fn call(&self, words: &str, limit: u32) -> Result<Call, String> {
        let script = format!("{VARIABLES}export GOLDEN_CONTRACT=builtin:quantum\n{words}");
        let limit = limit.to_string();
        let out = "/attack/said";
        let run = ["python3", "/attack/bounded.py", &limit, "256", out, "bash", "-c", &script];
        let went = String::from_utf8_lossy(&self.machine.run(&run).stdout).into_owned();
        let said = String::from_utf8_lossy(&self.machine.read(out)).into_owned();
        let mut fields = went.split_whitespace();
        let code = fields.next().unwrap_or("").to_owned();
        let kib: u64 = fields.nth(1).and_then(|field| field.parse().ok()).unwrap_or(u64::MAX);
        let short: String = said.chars().take(3000).collect();
        let wrong = |what: &str| Err(format!("{words}: {what}\n{short}"));
        if code == "hung" {
            return wrong(&format!("no end within {limit} s"));
        }
        if kib > MOST_KIB {
            return wrong(&format!("{} MiB of memory", kib >> 10));
        }
        if let Some(secret) = SECRETS.iter().find(|secret| said.contains(*secret)) {
            return wrong(&format!("{secret} was read out"));
        }
        if said.contains("panicked at") {
            return wrong("it panicked");
        }
        let hides = |c: char| {
            c.is_control() && !matches!(c, '\n' | '\t')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if let Some(c) = said.chars().find(|c| hides(*c)) {
            return wrong(&format!("{c:?} reaches the terminal"));
        }
        if said.lines().any(|line| line.trim_start().starts_with("FORGED")) {
            return wrong("a line was forged");
        }
        Ok(Call { code, said })
    }

    /// What nobody may have changed.
    pub fn canaries(&self) -> BTreeSet<String> {
        self.machine.sh_ok("sh /attack/canaries.sh").lines().map(str::to_owned).collect()
    }

    /// What is different now.
    pub fn unharmed(&self, before: &BTreeSet<String>) -> Result<(), String> {
        let after = self.canaries();
        // What golden makes in its own places is judged elsewhere.
        let counts = |line: &&String| {
            !line.contains(" etc/systemd/system")
                && !line.starts_with("etc/systemd/system")
                && !line.contains("etc/golden")
        };
        let gone: Vec<&String> = before.difference(&after).filter(counts).collect();
        let new: Vec<&String> = after.difference(before).filter(counts).collect();
        match gone.is_empty() && new.is_empty() {
            true => Ok(()),
            false => Err(format!("it was {gone:#?}, it is {new:#?}")),
        }
    }

    /// Puts everything back.
    pub fn back(&self, data: bool) {
        self.machine.sh_ok(&format!("sh /attack/back.sh {} >/dev/null 2>&1", if data { "data" } else { "" }));
        let healthy = "test \"$(systemctl is-active quantum-backend quantum-ai-engine quantum-execution quantum-rl-agent \
             redis-server | grep -cx active)\" = 5 && GOLDEN_CONTRACT=builtin:quantum golden audit --quiet";
        self.machine.wait_until("everything is back", healthy);
    }

    fn attack(&self, attack: &Attack) -> Result<(), String> {
        let said = self.tried(attack);
        if attack.before.contains("$V") {
            self.root("rm -rf $V; tar -C / -xpf /attack/venvs.tar");
        }
        let text = format!("{}{}", attack.before, attack.plant);
        self.back(["$D", "$M", "/opt/quantum/"].iter().any(|place| text.contains(place)));
        said
    }

    fn tried(&self, attack: &Attack) -> Result<(), String> {
        if attack.before.contains("$V") {
            self.root("test -e /attack/venvs.tar || tar -C / -cpf /attack/venvs.tar opt/quantum/venvs");
        }
        let clean = self.canaries();
        self.root(attack.before);
        match attack.by {
            By::Qt => self.as_user("qt", attack.plant),
            By::Mallory => self.as_user("mallory", attack.plant),
            By::Root => drop(self.root(attack.plant)),
        }
        if attack.by == By::Mallory && attack.before.is_empty() {
            let verdict = self.call("golden audit", LIMIT)?;
            if verdict.code != "0" {
                return Err(format!("a stranger changed the verdict: {}\n{}", verdict.code, verdict.said));
            }
        }
        let before = match attack.by {
            By::Root => self.canaries(),
            _ => clean,
        };
        let verbs = if attack.verbs.is_empty() { VERBS } else { attack.verbs };
        let mut said = String::new();
        for verb in verbs {
            let call = self.call(verb, LIMIT)?;
            said.push_str(&call.said);
            if attack.seen && *verb == "golden audit" && call.code == "0" {
                return Err(format!("the audit passes\n{}", call.said));
            }
            // What was mended stays so until the undo.
            if !attack.after.is_empty() && *verb == "golden apply --yes" && !self.holds(attack.after) {
                return Err(format!("{} does not hold after {verb}\n{}", attack.after, call.said));
            }
        }
        if !attack.after.is_empty() && !verbs.contains(&"golden apply --undo") && !self.holds(attack.after) {
            return Err(format!("{} does not hold\n{said}", attack.after));
        }
        if attack.before.is_empty() {
            return self.unharmed(&before);
        }
        // What root did before is no harm, whether it is mended or not.
        let of_root = |line: &String| {
            ["etc/quantum", "/etc/quantum", "opt/quantum/venvs", "etc/golden"]
                .iter()
                .any(|own| line.starts_with(own))
        };
        let after: BTreeSet<String> = self.canaries().into_iter().filter(|line| !of_root(line)).collect();
        let before: BTreeSet<String> = before.into_iter().filter(|line| !of_root(line)).collect();
        let counts = |line: &&String| {
            !line.contains("etc/systemd/system")
                && !line.contains("  etc/quantum")
                && !line.contains("  etc/golden")
        };
        let gone: Vec<&String> = before.difference(&after).filter(counts).collect();
        let new: Vec<&String> = after.difference(&before).filter(counts).collect();
        match gone.is_empty() && new.is_empty() {
            true => Ok(()),
            false => Err(format!("it was {gone:#?}, it is {new:#?}")),
        }
    }
}
