//! Transitions that are killed at every call by which golden, and what it starts, change anything.

use std::time::Instant;

use super::Host;

/// A transition that is killed at its writes.
struct Transition {
    name: &'static str,
    /// What carries it out, without the kill.
    begin: &'static str,
    /// What `golden model list` says when it is done.
    done: &'static str,
    /// Brings back where it began.
    back: fn(&Host),
}

const TRANSITIONS: &[Transition] = &[
    Transition {
        name: "canary",
        begin: "golden model canary patchtst",
        done: "canary    v9",
        back: |host| drop(host.expect("golden model rollback --yes", 0)),
    },
    Transition {
        name: "promote",
        begin: "golden model promote patchtst",
        done: "active    v9",
        // Without --to it would go back to before the canary.
        back: |host| {
            let last = "tac /var/lib/golden/ledger.jsonl | grep -m1 '\"event\":\"canary\"' | grep -o '\"number\":[0-9]*' | cut -d: -f2";
            drop(host.expect(&format!("golden model rollback --yes --to $({last})"), 0));
        },
    },
    Transition {
        name: "rollback",
        begin: "golden model rollback --yes",
        done: "shadow    v9",
        back: |host| drop(host.person("patchtst", "model canary patchtst", 0)),
    },
];

/// The old state or the new one, whichever write the kill comes before; and the ledger says which.
pub(super) fn killed(host: &Host) {
    let digest = host.registered("[0.9, 0.1]", "v9");
    let only = std::env::var("GOLDEN_KILLED").unwrap_or_default();
    for transition in TRANSITIONS {
        let start = Instant::now();
        host.passed(&digest);
        let kills = if only.is_empty() || only == transition.name { killed_in(host, transition) } else { 0 };
        println!(
            "           {} killed {kills} times, {:.0} s",
            transition.name,
            start.elapsed().as_secs_f32()
        );
        if transition.name == "canary" {
            host.person("patchtst", "model canary patchtst", 0);
        }
    }
    host.expect("golden model rollback --yes", 0);
    host.expect("golden audit --quiet", 0);
}

/// The calls by which golden, and what it starts, change anything.
const WRITES: &[&str] = &[
    "renameat2",
    "rename",
    "fsync",
    "unlinkat",
    "write",
    "ftruncate",
    "fchmod",
    "fchown",
    "mkdirat",
    "utimensat",
    "sendto",
    "sendmsg",
];

/// How often a transition was killed before it went through.
fn killed_in(host: &Host, transition: &Transition) -> usize {
    let Transition { name, begin, done, back } = transition;
    let before = host.state();
    let mut after = None;
    let mut kills = 0;
    let all = std::env::var_os("GOLDEN_KILLS").is_some();
    // The first message to systemd is one of systemctl(1), which golden starts: golden itself goes on without it.
    let sampled: &[_] = &[("renameat2", 1, 1), ("rename", 2, 7), ("fsync", 4, 23), ("sendmsg", 1, 99)];
    let every: Vec<_> = WRITES.iter().map(|call| (*call, 1, 1)).collect();
    for (call, first, stride) in if all { &every } else { sampled } {
        for number in (*first..).step_by(*stride) {
            let kill = format!(
                "strace -f -qq -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={number}"
            );
            let (code, said) =
                host.said(&format!("NO_COLOR=1 python3 /root/person.py patchtst {kill} {begin}"));
            kills += usize::from(code != 0);
            if all {
                println!("           {name}, {call} {number}: ended with {code}");
            }
            // The next call says what it found, and brings back what did not come to its end.
            host.expect("golden apply --recover", 0);
            let is_done = host.expect("golden model list", 0).contains(done);
            assert!(is_done || code != 0, "{name} said that it was done: {said}");
            if is_done {
                let state = host.state();
                assert_eq!(
                    &state,
                    after.get_or_insert_with(|| state.clone()),
                    "{name}, {call} {number}: {said}"
                );
                back(host);
            }
            assert_eq!(host.state(), before, "{name} killed at {call} {number}: {said}");
            host.expect("golden ledger verify", 0);
            if code == 0 {
                break;
            }
        }
    }
    assert!(kills > 3 && after.is_some(), "{name}: {kills}");
    kills
}
