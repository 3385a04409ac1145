//! `golden fix` over the catalogue of breaks: what a machine can mend is mended, the audit passes after and nothing is
//! planned beyond, and the undo brings back every path byte for byte, with owner, mode and link. What became of each stands
//! in machine/fixes.txt, with the reason where something is left to a person. Each takes seconds, since what was restarted
//! must be quiet for a while: by default one of each section and end, with GOLDEN_FIXES=all every one, with GOLDEN_FIXES=words those
//! whose names hold them (several are parted by `|`). UPDATE_CATALOGUE=1 writes what became of them anew and keeps the reasons.

use super::machine::catalogue;
use super::machine::demo;
use crate::support::machine;
use crate::support::sample::one_of_each;

use std::collections::BTreeMap;

use catalogue::Break;
use demo::{Demo, Judged};

/// How many of the whole catalogue are mended without a person, at the least.
const WHOLE: usize = 120;

#[test]
fn golden_fix_mends_what_the_catalogue_breaks() {
    if machine::skipped() {
        return;
    }
    let demo = Demo::boot();
    let baseline = demo.audit();
    assert_eq!(demo.plans_something(), None);
    let chosen = std::env::var("GOLDEN_FIXES").unwrap_or_default();
    let mut breaks = catalogue::breaks();
    breaks.retain(|entry| entry.rule != "undecided");
    let mut table = Table::read();
    table.keep_only(&breaks);
    match chosen.as_str() {
        "all" => {}
        "" => breaks = one_of_each(breaks, |entry| (entry.section.clone(), table.end_of(entry))),
        words => breaks.retain(|entry| words.split('|').any(|words| entry.name.contains(words))),
    }
    let mut wrong = Vec::new();
    for entry in &breaks {
        println!("fix: {}", named(entry));
        match fix_and_undo(&demo, &baseline, entry) {
            Ok(outcome) => {
                println!("     {outcome}");
                wrong.extend(table.compare(entry, outcome));
            }
            Err(why) => {
                println!("     WRONG {why}");
                wrong.push(format!("{}: {why}", named(entry)));
            }
        }
    }
    println!("fixes: {} breaks, each undone byte for byte; {}", breaks.len(), table.counted());
    table.write();
    assert!(wrong.is_empty(), "{} wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(!breaks.is_empty());
    if chosen == "all" {
        assert!(table.count("do") >= WHOLE, "{}", table.counted());
    }
}

fn named(entry: &Break) -> String {
    format!("{} {}", entry.section, entry.name)
}

/// What became of each break: `do` where golden mends it whole, `part` where it mends some of it, `person` where it mends
/// nothing; the last two with a reason.
struct Table {
    /// By section and name.
    known: BTreeMap<String, (String, String)>,
    order: Vec<String>,
}

impl Table {
    fn file() -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machines/machine/fixes.txt")
    }

    fn read() -> Self {
        let text = std::fs::read_to_string(Self::file()).unwrap_or_default();
        let mut known = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (outcome, rest) = line.split_once(' ').expect("an outcome and a break");
            let (name, reason) = rest.trim_start().split_once(" | ").unwrap_or((rest.trim_start(), ""));
            known.insert(name.to_owned(), (outcome.to_owned(), reason.to_owned()));
        }
        Self { known, order: Vec::new() }
    }

    /// Whatever the catalogue holds no more is forgotten; its order is the table's.
    fn keep_only(&mut self, breaks: &[Break]) {
        self.order = breaks.iter().map(named).collect();
        self.known.retain(|name, _| self.order.contains(name));
    }

    /// Why the table does not say the same, with a reason where one is needed.
    fn compare(&mut self, entry: &Break, outcome: &str) -> Option<String> {
        let name = named(entry);
        let (was, reason) = self.known.get(&name).cloned().unwrap_or_default();
        if std::env::var_os("UPDATE_CATALOGUE").is_some() {
            self.known.insert(name, (outcome.to_owned(), reason));
            return None;
        }
        if was != outcome {
            return Some(format!("{name}: it ends as {outcome}, and fixes.txt says {was:?}"));
        }
        (outcome != "do" && reason.is_empty()).then(|| format!("{name}: fixes.txt does not say why"))
    }

    /// What the table says of a break.
    fn end_of(&self, entry: &Break) -> Option<String> {
        self.known.get(&named(entry)).map(|(outcome, _)| outcome.clone())
    }

    fn count(&self, outcome: &str) -> usize {
        self.known.values().filter(|(is, _)| is == outcome).count()
    }

    fn counted(&self) -> String {
        let counts = ["do", "part", "person"].map(|outcome| format!("{} {outcome}", self.count(outcome)));
        format!("of all breaks {}", counts.join(", "))
    }

    fn write(&self) {
        if std::env::var_os("UPDATE_CATALOGUE").is_none() {
            return;
        }
        let mut text = HEAD.to_owned();
        for name in &self.order {
            let Some((outcome, reason)) = self.known.get(name) else { continue };
            let reason =
                if reason.is_empty() || outcome == "do" { String::new() } else { format!(" | {reason}") };
            text.push_str(&format!("{outcome:<6}  {name}{reason}\n"));
        }
        std::fs::write(Self::file(), text).expect("the table is written");
    }
}

const HEAD: &str = "\
# What `golden fix` makes of each break of breaks.txt: `do` mends it whole, `part` some of it, `person` nothing; behind the
# bar stands why the rest is a person's. UPDATE_CATALOGUE=1 GOLDEN_FIXES=all cargo test --test machines fixes:: writes the outcomes anew.
";

/// One call is one pass; what comes to light is mended by the next.
const FIX: &str = r#"
last=
for pass in 1 2 3 4 5 6; do
    golden --contract builtin:quantum fix --yes --list >/run/fix.said 2>&1; code=$?
    cat /run/fix.said; echo "code $code"
    grep -qxE 'nothing to mend|nothing that golden can mend' /run/fix.said && break
    digest=$(grep -oE 'plan [0-9a-f]{16}' /run/fix.said | head -n 1)
    [ "$digest" = "$last" ] && break
    last=$digest
done"#;

/// The newest plan is undone first, until there is none.
const UNDO: &str =
    "for try in 1 2 3 4 5 6 7 8; do golden --contract builtin:quantum apply --undo 2>&1 || break; done";

fn fix_and_undo(demo: &Demo, baseline: &Judged, entry: &Break) -> Result<&'static str, String> {
    demo.ensure_running();
    let snapshot = demo.snapshot(&entry.paths(), !entry.touched.is_empty());
    demo.change(&entry.shell, !entry.no_reload);
    let broken = demo.state();
    let fixed = demo.shell(FIX);
    let result = judge(demo, baseline, &fixed);
    let undone = demo.shell(UNDO);
    let after = demo.state();
    // What lies below a mount is another file system's; an undo mounts nothing.
    let mounts = entry.shell.contains("mount ");
    let result = match difference(&broken, &after, &undone).filter(|_| !mounts) {
        None => result,
        Some(what) => Err(format!("the undo left a difference: {what}\n{fixed}\n{undone}")),
    };
    demo.restore(&snapshot, entry.undo.as_deref());
    demo.shell("rm -rf /var/lib/golden/plans");
    match demo.put_back(baseline) {
        None => result,
        Some(why) => Err(format!("not put back: {why}\n{fixed}\n{undone}")),
    }
}

fn judge(demo: &Demo, baseline: &Judged, fixed: &str) -> Result<&'static str, String> {
    // A server that was just restarted may need a moment.
    let mut left = Vec::new();
    for _ in 0..10 {
        let before = baseline.failures();
        let now = demo.audit();
        left = now.remedies();
        left.retain(|(failure, _)| !before.contains(failure));
        if left.is_empty() {
            return match demo.plans_something() {
                None => Ok("do"),
                Some(why) => Err(format!("{why}\n{fixed}")),
            };
        }
        demo.shell("sleep 0.2");
    }
    // What golden could have done and has not is named, with the reason.
    let said = |rule: &str, subject: &str| {
        let name = format!("{rule} ({subject})");
        fixed.lines().any(|line| line.starts_with("left    ") && line.contains(&name))
    };
    let named = |((rule, subject, _), remedy): &(demo::Failure, String)| {
        demo::remedy::is_a_persons(remedy) || said(rule, subject)
    };
    let stopped = ["golden: could not ", "skipped "].iter().any(|word| fixed.contains(word));
    if !stopped && !left.iter().any(named) {
        return Err(format!("left to mend: {left:#?}\n{fixed}"));
    }
    println!("     left: {left:?}");
    println!("     | {}", fixed.trim_end().replace('\n', "\n     | "));
    let made = fixed.lines().any(|line| line.contains(" made. To take "));
    Ok(if made { "part" } else { "person" })
}

fn difference(before: &str, after: &str, undone: &str) -> Option<String> {
    let only = |one: &str, other: &str| -> Vec<String> {
        let known: std::collections::BTreeSet<&str> = other.lines().collect();
        one.lines().filter(|line| !known.contains(line)).map(str::to_owned).collect()
    };
    let (mut gone, mut new) = (only(before, after), only(after, before));
    // Accounts that were made stay, and the undo says so (law 8).
    if undone.contains("make the account") && undone.contains("what it made stays") {
        let of_accounts = |line: &String| {
            ["passwd", "shadow", "group"]
                .iter()
                .any(|file| line.contains(&format!("etc/{file}")) || line.contains("etc/gshadow"))
        };
        gone.retain(|line| !of_accounts(line));
        new.retain(|line| !of_accounts(line));
    }
    // A service makes its database when it starts; that is nobody's to take away.
    new.retain(|line| !line.starts_with("f opt/quantum/data/") || !line.contains(".db "));
    (!gone.is_empty() || !new.is_empty()).then(|| format!("was {gone:#?} is {new:#?}"))
}
