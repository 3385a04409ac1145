//! `golden fix` over the catalogue of breaks: what a machine can mend is mended, the audit passes after, and the undo
//! brings back every path byte for byte, with owner, mode and link. Each takes seconds, since what was restarted must be
//! quiet for a while: by default every eighth break, with GOLDEN_FIXES=all every one, with GOLDEN_FIXES=words those whose
//! names hold them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test fails by panicking, and looks at the world itself"
)]

#[path = "machine/catalogue.rs"]
mod catalogue;
#[path = "machine/demo.rs"]
mod demo;
#[path = "support/example.rs"]
mod example;
#[path = "support/machine.rs"]
mod machine;

use catalogue::Break;
use demo::{Demo, Judged};

/// How many breaks lie between two of the sample.
const STRIDE: usize = 8;

#[test]
fn golden_fix_mends_what_the_catalogue_breaks() {
    if let Err(why) = machine::machines_available() {
        println!("skipped: {why}");
        return;
    }
    let demo = Demo::boot();
    let baseline = demo.audit();
    let chosen = std::env::var("GOLDEN_FIXES").unwrap_or_default();
    let mut breaks = catalogue::breaks();
    breaks.retain(|entry| entry.rule != "undecided");
    match chosen.as_str() {
        "all" => {}
        "" => breaks = breaks.into_iter().step_by(STRIDE).collect(),
        words => breaks.retain(|entry| entry.name.contains(words)),
    }
    let (mut whole, mut parts, mut persons) = (0, 0, 0);
    let mut wrong = Vec::new();
    for entry in &breaks {
        println!("fix: {} {}", entry.section, entry.name);
        match fix_and_undo(&demo, &baseline, entry) {
            Ok(Mended::Whole) => whole += 1,
            Ok(Mended::InPart) => parts += 1,
            Ok(Mended::Nothing) => persons += 1,
            Err(why) => wrong.push(format!("{} {}: {why}", entry.section, entry.name)),
        }
    }
    println!(
        "fixes: of {} breaks {whole} mended to compliant, {parts} in part, {persons} left to a person; each undone byte for byte",
        breaks.len()
    );
    assert!(wrong.is_empty(), "{} wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(!breaks.is_empty() && (whole > 0 || !chosen.is_empty()));
}

/// What came of a fix.
enum Mended {
    /// The audit passes again.
    Whole,
    /// Everything is mended that a machine can mend.
    InPart,
    /// There was nothing that a machine can mend.
    Nothing,
}

fn fix_and_undo(demo: &Demo, baseline: &Judged, entry: &Break) -> Result<Mended, String> {
    demo.ensure_running();
    let snapshot = demo.snapshot(&entry.paths(), !entry.touched.is_empty());
    demo.change(&entry.shell, !entry.no_reload);
    let broken = demo.state();
    let fixed = demo.shell("golden fix 2>&1; echo code $?");
    let result = judge(demo, baseline, &fixed);
    // One fix may take several plans; the newest is undone first.
    let undone = demo.shell("for try in 1 2 3 4 5; do golden apply --undo 2>&1 || break; done");
    let after = demo.state();
    // What lies below a mount is another file system's; an undo mounts nothing.
    let mounts = entry.shell.contains("mount ");
    let result = match difference(&broken, &after).filter(|_| !mounts) {
        None => result,
        Some(what) => Err(format!("the undo left a difference: {what}\n{fixed}\n{undone}")),
    };
    demo.restore(&snapshot, entry.undo.as_deref());
    demo.shell("rm -rf /var/lib/golden/plans");
    let started = demo.shell(
        "systemctl reset-failed 'quantum-*' 2>/dev/null; systemctl restart redis-server; \
         systemctl restart quantum-backend quantum-ai-engine quantum-execution quantum-rl-agent 2>&1 && echo started; \
         golden audit --quiet",
    );
    match started.contains("started\n") {
        true => result,
        false => Err(format!("not put back: {started}\n{fixed}\n{undone}")),
    }
}

fn judge(demo: &Demo, baseline: &Judged, fixed: &str) -> Result<Mended, String> {
    // A server that was just restarted may need a moment.
    let mut left = Vec::new();
    for _ in 0..20 {
        let before = baseline.failures();
        let now = demo.audit();
        left = now.remedies();
        left.retain(|(failure, _)| !before.contains(failure));
        if left.is_empty() {
            return Ok(Mended::Whole);
        }
        demo.shell("sleep 0.2");
    }
    // A mend that the host refuses (a busy mount) is taken back, and said.
    if fixed.contains("golden: could not ") && fixed.contains("is undone") && fixed.ends_with("code 1\n") {
        return Ok(Mended::Nothing);
    }
    let person = |remedy: &str| remedy.is_empty() || remedy.contains("person must");
    if !left.iter().any(|(_, remedy)| person(remedy)) {
        return Err(format!("left to mend: {left:#?}\n{fixed}"));
    }
    Ok(if fixed.contains("nothing that a machine can mend") { Mended::Nothing } else { Mended::InPart })
}

fn difference(before: &str, after: &str) -> Option<String> {
    let only = |one: &str, other: &str| -> Vec<String> {
        let known: std::collections::BTreeSet<&str> = other.lines().collect();
        one.lines().filter(|line| !known.contains(line)).map(str::to_owned).collect()
    };
    let (gone, mut new) = (only(before, after), only(after, before));
    // A service makes its database when it starts; that is nobody's to take away.
    new.retain(|line| !line.starts_with("f opt/quantum/data/") || !line.contains(".db "));
    (!gone.is_empty() || !new.is_empty()).then(|| format!("was {gone:#?} is {new:#?}"))
}
