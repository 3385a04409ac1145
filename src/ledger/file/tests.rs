#![expect(clippy::disallowed_methods, reason = "ledgers are broken by hand")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::super::chain::tests::{entry, old_line};
use super::*;

struct Host {
    _home: tempfile::TempDir,
    act: Act,
}

impl Host {
    fn new(text: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let act = Act::below(home.path());
        let host = Self { _home: home, act };
        Folder::make(&host.act, STATE, PRIVATE).unwrap();
        host.write(text);
        host
    }

    fn write(&self, text: &str) {
        fs::write(self.act.place(LEDGER), text).unwrap();
        fs::set_permissions(self.act.place(LEDGER), PermissionsExt::from_mode(0o600)).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(self.act.place(LEDGER)).unwrap()
    }

    fn chain(&self) -> Chain {
        read(self.text().as_bytes())
    }

    fn append(&self, verb: &str) -> io::Result<Appended> {
        append(&self.act, &entry(verb), Mode::Strict)
    }
}

#[test]
fn entries_follow_each_other_and_old_ones() {
    let host = Host::new(&old_line(1, chain::FIRST, "apply").0);
    for number in 2..5 {
        assert_eq!(host.append("apply").unwrap().number, number);
    }
    assert!(host.chain().is_whole());
    assert_eq!(settle(&host.act).unwrap().last_plan, 7);
    // Without the newline of its last line it is whole, and goes on.
    host.write(host.text().trim_end());
    host.append("fix").unwrap();
    assert!(host.chain().is_whole());
    assert_eq!(host.chain().lines.len(), 5);
    let mode = fs::metadata(host.act.place(LEDGER)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn entries_that_belong_together_follow_each_other() {
    let host = Host::new("");
    host.append("one").unwrap();
    // The last line lacks its newline alone.
    host.write(host.text().trim_end());
    let added = append_all(&host.act, &[entry("two"), entry("three")], Mode::Strict).unwrap();
    assert_eq!(added.iter().map(|one| one.number).collect::<Vec<_>>(), [2, 3]);
    assert!(host.chain().is_whole());
    assert_eq!(host.chain().head(), added[1].digest);
    assert_eq!(append_all(&host.act, &[], Mode::Strict).unwrap(), Vec::new());
    // A ledger without an entry would be a broken one.
    let home = tempfile::tempdir().unwrap();
    let act = Act::below(home.path());
    Folder::make(&act, STATE, PRIVATE).unwrap();
    append_all(&act, &[], Mode::Strict).unwrap();
    assert!(!home.path().join(LEDGER.trim_start_matches('/')).exists());
    assert_eq!(host.chain().lines.len(), 3);
    // Only the first says what was kept aside.
    host.write(&format!("{}{{", host.text()));
    append_all(&host.act, &[entry("four"), entry("five")], Mode::Strict).unwrap();
    let says = |at: usize| host.chain().lines[at].entry.facts.contains_key("torn-line-kept");
    assert!(says(3) && !says(4));
}

#[test]
fn the_first_entry_makes_the_ledger() {
    let home = tempfile::tempdir().unwrap();
    let act = Act::below(home.path());
    assert_eq!(settle(&act).unwrap(), Settled::default());
    assert!(!act.place(STATE).exists());
    assert_eq!(append(&act, &entry("apply"), Mode::Strict).unwrap().number, 1);
    assert!(read(&load(&act.place(LEDGER)).unwrap()).is_whole());
}

#[test]
fn a_torn_line_is_kept_aside_and_said() {
    let host = Host::new("");
    host.append("one").unwrap();
    let whole = host.text();
    for number in 1..3 {
        host.write(&format!("{whole}{{\"schema\":2,\"num"));
        let kept = format!("{LEDGER}.torn-{number}");
        match number {
            1 => {
                let appended = host.append("two").unwrap();
                assert_eq!(appended.kept_aside.as_deref(), Some(kept.as_str()));
                assert_eq!(host.chain().lines[1].entry.facts["torn-line-kept"], kept);
            }
            _ => {
                let settled = settle(&host.act).unwrap();
                assert_eq!(settled.kept_aside.as_deref(), Some(kept.as_str()));
                assert_eq!(host.text(), whole);
            }
        }
        assert!(host.chain().is_whole());
        assert_eq!(fs::read_to_string(host.act.place(&kept)).unwrap(), "{\"schema\":2,\"num");
    }
}

#[test]
fn a_broken_chain_stops_what_is_new_and_nothing_else() {
    let host = Host::new("");
    for verb in ["one", "two", "three"] {
        host.append(verb).unwrap();
    }
    host.write(&host.text().replace("two", "TWO"));
    let said = host.append("four").unwrap_err().to_string();
    assert!(said.contains("line 2") && said.contains("golden ledger repair"), "{said}");
    assert!(settle(&host.act).unwrap().broken.is_some());
    let appended = append(&host.act, &entry("undo"), Mode::EvenIfBroken).unwrap();
    assert_eq!(appended.number, 4);
    assert!(host.text().contains("\"behind-broken-line\":\"2\""));

    let broken = host.text();
    let found = damage(broken.as_bytes(), &host.chain()).unwrap();
    assert_eq!((found.good, found.line, found.lines), (1, 2, 3));
    host.write(&broken.replace("three", "THREE"));
    assert!(repair(&host.act, By::Name("x".into()), "now", &found).is_err(), "it has changed meanwhile");
    host.write(&broken);
    let repaired = repair(&host.act, By::Name("x".into()), "now", &found).unwrap();
    let kept = repaired.kept_aside.unwrap();
    assert_eq!(kept, format!("{LEDGER}.broken-1"));
    let chain = host.chain();
    assert!(chain.is_whole());
    assert_eq!(chain.lines.len(), 2);
    assert_eq!(chain.head(), repaired.digest);
    let last = &chain.lines[1].entry;
    assert_eq!(last.event, Event::Repaired);
    let part = fs::read(host.act.place(&kept)).unwrap();
    assert_eq!(last.facts["kept-digest"], chain::sha256(&part));
    assert_eq!(last.facts["good-digest"], chain.lines[0].digest);
    assert_eq!(last.facts["good-number"], "1");
    assert!(broken.ends_with(std::str::from_utf8(&part).unwrap()));
    assert!(damage(host.text().as_bytes(), &chain).is_none());
    host.append("five").unwrap();
    assert!(host.chain().is_whole());
}

#[test]
fn an_empty_ledger_can_be_repaired() {
    let host = Host::new("");
    let found = damage(b"", &read(b"")).unwrap();
    let repaired = repair(&host.act, By::Name("x".into()), "now", &found).unwrap();
    assert_eq!(repaired.kept_aside, None);
    assert!(host.chain().is_whole());
}

#[test]
fn what_lies_in_its_place_is_refused_and_blocks_nothing() {
    let host = Host::new("");
    let place = host.act.place(LEDGER);
    fs::remove_file(&place).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &place,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(host.append("one").is_err());
    assert!(settle(&host.act).is_err());
    assert!(load(&place).is_err());
    fs::remove_file(&place).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &place).unwrap();
    assert!(host.append("one").is_err());
    fs::remove_file(&place).unwrap();
    let giant = fs::File::create(&place).unwrap();
    giant.set_len(MOST + 1).unwrap();
    fs::set_permissions(&place, PermissionsExt::from_mode(0o600)).unwrap();
    let said = host.append("one").unwrap_err().to_string();
    assert!(said.contains("more than 64 MiB"), "{said}");
}
