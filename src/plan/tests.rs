//! Plans on a host in memory: what is refused, what is undone, and what an undo leaves.

use std::collections::BTreeMap;

use super::apply::{Alone, Listener, Order, Tools, Unwatched, apply, make_up, recover, undo_plan};
use super::journal::Kept;
use super::{Plan, Step, Trouble, Watch, prepare};
use crate::contract::Contract;
use crate::ledger::{self, Event, Who};
use crate::model::answers::UnitState;
use crate::model::change::{Change, How, Spot, Verb};
use crate::system::act::Act;
use crate::system::hand::{MemoryHand, Node, Rights};
use crate::system::memory::{Answers, MemorySystem};

const HOST: &str = "\
file /etc/passwd root:root 0644
| root:x:0:0::/root:/bin/sh
| app:x:1000:1000::/srv/app:/bin/sh
file /etc/group root:root 0644
| root:x:0:
| app:x:1000:
file /etc/app/a.env root:root 0640
| PORT=1
| NAME=a
";

fn system() -> MemorySystem {
    MemorySystem::from_manifest(HOST).expect("it is a host")
}

fn rights(mode: u32) -> Rights {
    Rights { uid: 0, gid: 0, mode }
}

fn hand() -> MemoryHand {
    let directory = Node::Directory { rights: rights(0o755), attributes: BTreeMap::new() };
    let directories = ["/etc", "/etc/app", "/etc/systemd", "/etc/systemd/system", "/srv"];
    let mut nodes: Vec<(String, Node)> =
        directories.iter().map(|path| ((*path).to_owned(), directory.clone())).collect();
    nodes.push(("/etc/app/a.env".to_owned(), Node::file(*b"PORT=1\nNAME=a\n", rights(0o640))));
    MemoryHand::new(nodes)
}

fn set(key: &str, value: &str) -> Change {
    Change::Setting {
        unit: "a.service".into(),
        section: "Service".into(),
        key: key.into(),
        values: vec![value.into()],
        how: How::Set,
        over: None,
    }
}

fn variable(value: &str) -> Change {
    Change::Variable {
        path: "/etc/app/a.env".into(),
        line: Some(1),
        name: "PORT".into(),
        value: Some(value.into()),
    }
}

fn restart() -> Change {
    Change::Unit { verb: Verb::Restart, unit: "a.service".into() }
}

fn plan(changes: impl IntoIterator<Item = Change>) -> Plan {
    Plan { steps: changes.into_iter().map(|change| Step::new("host", "because", change)).collect() }
}

struct Silent;

impl Listener for Silent {
    fn begins(&mut self, _number: usize, _of: usize, _title: &str) {}
    fn says(&mut self, _line: &str) {}
    fn undoes(&mut self, _title: &str) {}
    fn skips(&mut self, _unit: &str, _why: &str) {}
    fn gives_up(&mut self, _title: &str, _why: &str) {}
}

/// A home of golden's own files, with what a plan needs to be carried out.
struct Ground {
    _home: tempfile::TempDir,
    act: Act,
    system: MemorySystem,
    by: Who,
}

impl Ground {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let act = Act::below(home.path());
        Self { act, _home: home, system: system(), by: Who::of_this_process() }
    }

    fn carry_out(&self, hand: &MemoryHand, plan: &Plan, watch: &mut dyn Watch) -> Result<String, Trouble> {
        let prepared = prepare(hand, &self.system, &Contract::built_in(), plan).unwrap();
        let tools = Tools { act: &self.act, hand, system: &self.system };
        let order = Order::new("fix", "c", &self.by);
        let alone = Alone::take(&self.act).unwrap();
        apply(&tools, &prepared, &order, &alone, &mut Silent, watch).map(|applied| applied.id)
    }

    fn undo(&self, hand: &MemoryHand) -> Vec<String> {
        let tools = Tools { act: &self.act, hand, system: &self.system };
        let order = Order::new("undo", "c", &self.by);
        let alone = Alone::take(&self.act).unwrap();
        let (_, left) = undo_plan(&tools, &order, None, &alone, &mut Silent).unwrap();
        left.into_iter().map(|left| left.why).collect()
    }
}

#[test]
fn changes_of_one_file_become_one_edit_and_end_where_they_were() {
    let (ground, hand) = (Ground::new(), hand());
    let before = hand.nodes();
    let wanted = plan([set("User", "app"), set("Nice", "5"), variable("2"), Change::Reload, restart()]);
    let prepared = prepare(&hand, &ground.system, &Contract::built_in(), &wanted).unwrap();
    let titles: Vec<&str> = prepared.works.iter().map(|work| work.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "change /etc/app/a.env",
            "make the directory /etc/systemd/system/a.service.d (root:root 0755)",
            "write /etc/systemd/system/a.service.d/zz-golden.conf (root:root 0644)",
            "reload systemd's units",
            "restart a.service",
        ]
    );
    ground.carry_out(&hand, &wanted, &mut Unwatched).unwrap();
    let Node::File { bytes, .. } = hand.nodes()["/etc/systemd/system/a.service.d/zz-golden.conf"].clone()
    else {
        panic!("no file");
    };
    assert!(String::from_utf8(bytes).unwrap().ends_with("[Service]\nUser=app\nNice=5\n"));
    assert_eq!(ground.undo(&hand), Vec::<String>::new());
    let same = |nodes: &BTreeMap<String, Node>| -> Vec<String> {
        nodes.iter().map(|(path, node)| format!("{path} {node:?}")).collect()
    };
    assert_eq!(same(&hand.nodes()), same(&before));
    assert!(hand.calls().iter().any(|call| call == "systemctl --quiet restart -- a.service"));
}

#[test]
fn an_undo_without_room_is_finished_by_the_next() {
    let (ground, mut hand) = (Ground::new(), hand());
    let before = hand.nodes();
    let wanted = plan([set("User", "app"), variable("2"), Change::Reload, restart()]);
    ground.carry_out(&hand, &wanted, &mut Unwatched).unwrap();
    hand.full = vec!["/etc/systemd".to_owned()];
    let left = ground.undo(&hand);
    // The drop-in, and its directory, which holds it still.
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|why| why.contains("a.service.d")), "{left:?}");
    let restarts = |hand: &MemoryHand| {
        hand.calls().iter().filter(|call| *call == "systemctl --quiet restart -- a.service").count()
    };
    let first = restarts(&hand);
    hand.full.clear();
    assert_eq!(ground.undo(&hand), Vec::<String>::new());
    let texts = |nodes: BTreeMap<String, Node>| format!("{nodes:?}");
    assert_eq!(texts(hand.nodes()), texts(before));
    // The first restart came before its drop-in had gone.
    assert_eq!(restarts(&hand), first + 1);
    let again = undo_plan(
        &Tools { act: &ground.act, hand: &hand, system: &ground.system },
        &Order::new("undo", "c", &ground.by),
        None,
        &Alone::take(&ground.act).unwrap(),
        &mut Silent,
    );
    assert!(matches!(again, Err(Trouble::Refused(why)) if why.contains("no plan that could be undone")));
}

#[test]
fn a_directory_on_the_way_to_another_is_what_its_own_change_says() {
    let (ground, hand) = (Ground::new(), hand());
    let directory = |path: &str, mode| Change::Directory {
        at: Spot::of_root(path),
        owner: "app".into(),
        group: "app".into(),
        mode,
    };
    let wanted = plan([directory("/srv/app/code", 0o755), directory("/srv/app", 0o750)]);
    let prepared = prepare(&hand, &ground.system, &Contract::built_in(), &wanted).unwrap();
    assert_eq!(prepared.refused, []);
    let titles: Vec<&str> = prepared.works.iter().map(|work| work.title.as_str()).collect();
    assert_eq!(
        titles,
        ["make the directory /srv/app (app:app 0750)", "make the directory /srv/app/code (app:app 0755)",]
    );
}

#[test]
fn an_undo_leaves_what_somebody_changed_since() {
    let (ground, hand) = (Ground::new(), hand());
    ground.carry_out(&hand, &plan([variable("2"), set("User", "app")]), &mut Unwatched).unwrap();
    let theirs = Node::file(*b"PORT=3\n", rights(0o640));
    hand.set("/etc/app/a.env", theirs.clone());
    let left = ground.undo(&hand);
    assert_eq!(left, ["/etc/app/a.env stays as it is: it was changed since"]);
    assert_eq!(hand.nodes()["/etc/app/a.env"], theirs);
    assert!(!hand.nodes().contains_key("/etc/systemd/system/a.service.d/zz-golden.conf"));
}

#[test]
fn a_program_that_fails_undoes_all() {
    let ground = Ground::new();
    let mut hand = hand();
    hand.ends.insert("systemctl --quiet restart -- a.service".into(), 1);
    let before = hand.nodes();
    let trouble = ground.carry_out(&hand, &plan([variable("2"), restart()]), &mut Unwatched).unwrap_err();
    assert!(matches!(&trouble, Trouble::Undone { step, .. } if step == "restart a.service"), "{trouble:?}");
    let Node::File { bytes, .. } = &hand.nodes()["/etc/app/a.env"] else { panic!("no file") };
    assert_eq!(bytes, b"PORT=1\nNAME=a\n");
    assert_eq!(hand.nodes().len(), before.len());
}

/// A start that is not proven is left out, with its reason; everything else is done.
#[test]
fn what_would_not_start_is_not_started() {
    struct Careful;
    impl Watch for Careful {
        fn may_start(&mut self, _unit: &str) -> Result<(), String> {
            Err("a quote is open".into())
        }
        fn proof(&mut self, skipped: &[(String, String)]) -> Result<(), super::Failed> {
            assert_eq!(skipped, [("a.service".to_owned(), "a quote is open".to_owned())]);
            Ok(())
        }
    }
    let (ground, hand) = (Ground::new(), hand());
    ground.carry_out(&hand, &plan([variable("2"), restart()]), &mut Careful).unwrap();
    assert!(!hand.calls().iter().any(|call| call.contains("restart")), "{:?}", hand.calls());
}

#[test]
fn a_contradiction_ends_everything_and_a_refusal_nothing_else() {
    let (ground, mut hand) = (Ground::new(), hand());
    let contract = Contract::built_in();
    let both = plan([set("User", "app"), set("User", "root")]);
    let why = prepare(&hand, &ground.system, &contract, &both).unwrap_err();
    assert!(why.contains("User= of a.service would be both app and root"), "{why}");
    hand.refusing.insert("/srv/x".into(), "/srv is open to others".into());
    let mode = Change::Mode { at: Spot::of_root("/srv/x"), mode: 0o750 };
    let usr = Change::Remove { at: Spot::of_root("/usr/lib/systemd/system/a.service") };
    let line = Change::UnitLine {
        unit: "w@1.service".into(),
        path: "/etc/systemd/system/w@.service".into(),
        line: 1,
        text: None,
    };
    let prepared =
        prepare(&hand, &ground.system, &contract, &plan([mode, usr, line, variable("2")])).unwrap();
    assert_eq!(prepared.works.len(), 1, "{:?}", prepared.works);
    assert_eq!(prepared.refused.len(), 3, "{:?}", prepared.refused);
}

/// A reload and a restart that came with a change which is refused serve nothing.
#[test]
fn what_runs_goes_on_running_where_nothing_changes() {
    let ground = Ground::new();
    let hand = hand();
    let steps = plan([
        Change::Variable { path: "/srv/b.env".into(), line: None, name: "A".into(), value: Some("1".into()) },
        Change::Reload,
        restart(),
    ]);
    let prepared = prepare(&hand, &ground.system, &Contract::built_in(), &steps).unwrap();
    assert!(prepared.is_empty(), "{:?}", prepared.works);
    let same = plan([variable("1"), restart()]);
    let prepared = prepare(&hand, &ground.system, &Contract::built_in(), &same).unwrap();
    assert!(prepared.is_empty(), "{:?}", prepared.works);
}

#[test]
fn a_plan_that_was_cut_off_is_undone_by_the_next_call() {
    let (ground, hand) = (Ground::new(), hand());
    ground.carry_out(&hand, &plan([variable("2")]), &mut Unwatched).unwrap();
    // As a kill would have left it: everything done, and no end written down.
    let mut kept = Kept::all(&ground.act).unwrap().remove(0);
    kept.journal.progress = super::Progress::Begun;
    kept.journal.runner = None;
    kept.save().unwrap();
    let tools = Tools { act: &ground.act, hand: &hand, system: &ground.system };
    let alone = Alone::take(&ground.act).unwrap();
    assert_eq!(recover(&tools, &alone, &mut Silent).unwrap().undone.len(), 1);
    let Node::File { bytes, .. } = &hand.nodes()["/etc/app/a.env"] else { panic!("no file") };
    assert_eq!(bytes, b"PORT=1\nNAME=a\n");
}

#[test]
fn a_file_of_the_repository_comes_back_as_it_was_committed() {
    let directory = Node::Directory { rights: rights(0o755), attributes: BTreeMap::new() };
    let path = "/srv/app/ops/x";
    let gone = || {
        let mut hand = hand();
        hand.users.insert("/srv/app".into(), 1000);
        ["/srv/app", "/srv/app/ops"].iter().for_each(|path| hand.set(path, directory.clone()));
        hand.says.insert("cat-file blob abc".into(), "hello".into());
        hand
    };
    let restore = plan([Change::Restore { at: Spot::of_user(path, "app"), tree: "/srv/app".into() }]);
    let listed = "ls-tree -l -z HEAD -- ops/x";
    let (ground, mut hand) = (Ground::new(), gone());
    hand.says.insert(listed.into(), "100755 blob abc       5\tops/x\0".into());
    ground.carry_out(&hand, &restore, &mut Unwatched).unwrap();
    let committed = Rights { uid: 1000, gid: 1000, mode: 0o755 };
    assert!(hand.nodes()[path].same(&Node::file(*b"hello", committed)));
    ground.undo(&hand);
    assert_eq!(hand.nodes().get(path), None);
    // What is longer than what git said, a link, or in no commit is a person's.
    for said in ["100644 blob abc       6\tops/x\0", "120000 blob abc       5\tops/x\0", ""] {
        let mut hand = gone();
        hand.says.insert(listed.into(), said.into());
        let prepared = prepare(&hand, &ground.system, &Contract::built_in(), &restore).unwrap();
        assert!(prepared.is_empty() && prepared.refused.len() == 1, "{said}");
    }
}

#[test]
fn an_undo_that_was_cut_off_goes_on_with_the_next_call() {
    let (ground, mut hand) = (Ground::new(), hand());
    hand.ends.insert("systemctl is-enabled --quiet -- a.service".into(), 1);
    ground.carry_out(&hand, &plan([variable("2"), restart()]), &mut Unwatched).unwrap();
    ground.undo(&hand);
    // As a kill would have left it: the file is back, and the unit has not been restarted.
    let mut kept = Kept::all(&ground.act).unwrap().remove(0);
    assert_eq!(kept.journal.undoing, Some(true));
    kept.journal.progress = super::Progress::Begun;
    kept.journal.runner = None;
    kept.save().unwrap();
    assert!(kept.is_interrupted());
    let calls = hand.calls().len();
    let tools = Tools { act: &ground.act, hand: &hand, system: &ground.system };
    let alone = Alone::take(&ground.act).unwrap();
    assert_eq!(recover(&tools, &alone, &mut Silent).unwrap().undone.len(), 1);
    let more = hand.calls().split_off(calls);
    for words in ["systemctl daemon-reload", "systemctl --quiet restart -- a.service"] {
        assert!(more.iter().any(|call| call == words), "{words}: {more:#?}");
    }
    assert!(recover(&tools, &alone, &mut Silent).unwrap().undone.is_empty());
}

/// A rollback is not undone where its service cannot be restarted: the next call says so, or restarts it when it is asked to.
#[test]
fn a_restart_that_a_rollback_could_not_make_is_made_up_for() {
    let command = "systemctl --quiet restart -- a.service";
    for (done, owed) in [(Event::RolledBack, 1), (Event::Applied, 0)] {
        let mut ground = Ground::new();
        // Its main process is one that lives on: this one.
        let state = UnitState { main_pid: std::process::id(), ..UnitState::default() };
        let units = [("a.service".into(), state)].into_iter().collect();
        ground.system.answers = Some(Answers { units, ..Answers::default() });
        let mut hand = hand();
        hand.ends.insert(command.into(), 1);
        let mut plan = plan([variable("2"), restart()]);
        plan.steps[1].tried = true;
        let prepared = prepare(&hand, &ground.system, &Contract::built_in(), &plan).unwrap();
        let order = Order { done, ..Order::new("model rollback", "c", &ground.by) };
        let alone = Alone::take(&ground.act).unwrap();
        let tools = Tools { act: &ground.act, hand: &hand, system: &ground.system };
        let applied = apply(&tools, &prepared, &order, &alone, &mut Silent, &mut Unwatched).unwrap();
        assert_eq!((applied.skipped.len(), applied.owed.len()), (1, owed));

        // Whoever takes the host hears of it, and restarts nothing.
        let told = recover(&tools, &alone, &mut Silent).unwrap();
        assert_eq!((told.undone.len(), told.owed.len()), (0, owed));
        // It still does not restart: said again with every call.
        let tries = |hand: &MemoryHand| hand.calls().iter().filter(|call| *call == command).count();
        let before = tries(&hand);
        let paid = make_up(&tools, &alone, &mut Silent).unwrap();
        assert_eq!(paid.iter().filter(|paid| paid.done.is_err()).count(), owed);
        assert_eq!(tries(&hand) - before, owed);
        // It does: once, and the ledger says so.
        hand.ends.clear();
        let tools = Tools { act: &ground.act, hand: &hand, system: &ground.system };
        let paid = make_up(&tools, &alone, &mut Silent).unwrap();
        assert_eq!(paid.iter().filter(|paid| paid.done.is_ok()).count(), owed);
        assert!(make_up(&tools, &alone, &mut Silent).unwrap().is_empty());
        let chain = ledger::read(&ledger::load(&ground.act.place(ledger::LEDGER)).unwrap());
        assert_eq!(chain.lines.iter().filter(|line| line.entry.event == Event::MadeUp).count(), owed);
    }
}

#[test]
fn the_digest_is_of_what_will_be_done() {
    let (ground, hand) = (Ground::new(), hand());
    let digest = |plan: &Plan| prepare(&hand, &ground.system, &Contract::built_in(), plan).unwrap().digest();
    let one = plan([variable("2")]);
    assert_eq!(digest(&one), digest(&one));
    assert_ne!(digest(&one), digest(&plan([variable("3")])));
    let before = digest(&one);
    hand.set("/etc/app/a.env", Node::file(*b"PORT=1\nNAME=b\n", rights(0o640)));
    assert_ne!(digest(&one), before, "somebody changed the file meanwhile");
}

#[test]
fn a_restart_with_the_reason_of_a_program_stays() {
    let venv = Change::Venv {
        path: "/srv/venv".into(),
        interpreter: "/usr/bin/python3".into(),
        requirements: "/srv/requirements.txt".into(),
        wheelhouse: None,
        uv: None,
    };
    let prepared = prepare(&hand(), &system(), &Contract::built_in(), &plan([venv, restart()])).unwrap();
    assert!(prepared.works.iter().any(|work| work.starts() == Some("a.service")), "{:?}", prepared.works);
}

/// A disk has units of the same names as the host that looks at it, whose systemd knows nothing of them.
#[test]
fn systemd_is_asked_what_restarts_along_on_the_host_that_runs_alone() {
    let works = |system: &MemorySystem| {
        let mut hand = hand();
        hand.says.insert("-- a.service".to_owned(), "b.service\n".to_owned());
        let prepared = prepare(&hand, system, &Contract::built_in(), &plan([restart()])).unwrap();
        let titles: Vec<String> = prepared.works.into_iter().map(|work| work.title).collect();
        (titles.join("\n"), hand.calls())
    };
    let (titles, calls) =
        works(&MemorySystem::from_manifest(&format!("{HOST}unit a.service LoadState=loaded\n")).unwrap());
    assert!(titles.contains("and with it b.service"), "{titles}");
    assert!(!calls.is_empty());
    let (titles, calls) = works(&MemorySystem::from_manifest(&format!("{HOST}offline\n")).unwrap());
    assert!(titles.contains("restart a.service") && !titles.contains("b.service"), "{titles}");
    assert!(calls.is_empty(), "{calls:?}");
}
