//! Steps made into works: changes of files become edits on a draft, the rest are programs, all in the order in which
//! they are done. What cannot be done is refused with its reason, and never keeps the rest from being done.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::draft::{Draft, Edit, EnvFiles, No};
use super::{Awaited, Plan, Step, What, Work};
use crate::contract::Contract;
use crate::model::Observed;
use crate::model::change::{Change, Stage, Verb, is_unit_file};
use crate::model::sha256;
use crate::syntax::accounts::{self, Accounts};
use crate::system::hand::{Call, Hand, Node, Rights};
use crate::system::{READ_LIMIT, System};

/// What will be done, and what will not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prepared {
    /// In the order in which it is done.
    pub works: Vec<Work>,
    /// Steps that a person must take.
    pub refused: Vec<Refusal>,
}

/// A step that is not taken, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The step.
    pub step: Step,
    /// Why golden does not take it.
    pub why: String,
}

impl Prepared {
    /// A digest of all that will be done, by which it can be asked for: sha256 in hex.
    pub fn digest(&self) -> String {
        let node = |node: &Node| match node {
            Node::Absent => json!("absent"),
            Node::File { bytes, rights, attributes, .. } => {
                let attributes: BTreeMap<&String, String> =
                    attributes.iter().map(|(name, value)| (name, sha256(value))).collect();
                json!(["file", sha256(bytes), rights.uid, rights.gid, rights.mode, attributes])
            }
            Node::Link { target, uid, gid } => json!(["link", target, uid, gid]),
            Node::Directory { rights, .. } => json!(["directory", rights.uid, rights.gid, rights.mode]),
        };
        let works = self.works.iter().map(|work| match &work.what {
            What::Edit(edit) => json!(["edit", edit.path, node(&edit.was), node(&edit.now), edit.names]),
            What::Program(change) => json!(["program", change]),
            What::Healthy(awaited) => json!(["healthy", awaited.unit]),
        });
        sha256(serde_json::Value::from_iter(works).to_string().as_bytes())
    }

    /// Whether nothing will be done.
    pub fn is_empty(&self) -> bool {
        self.works.is_empty()
    }
}

/// The users and groups of a host; an unreadable file is never an empty one.
pub(super) fn known_accounts(system: &dyn System) -> Result<Accounts, String> {
    let read = |path: &str| match system.read(path, READ_LIMIT) {
        Observed::Found(bytes) => Ok(bytes),
        Observed::Absent => Err(format!("{path} is missing")),
        Observed::Unreadable(why) => Err(format!("{path}: {why}")),
    };
    Ok(accounts::parse(&read("/etc/passwd")?, &read("/etc/group")?))
}

/// Makes works of a plan. An error where two steps contradict each other, or where the host cannot be read: then nothing
/// is done at all.
pub fn prepare(
    hand: &dyn Hand,
    system: &dyn System,
    contract: &Contract,
    plan: &Plan,
) -> Result<Prepared, String> {
    let accounts = known_accounts(system)?;
    let named = accounts.clone();
    let mut draft = Draft::new(hand, system, accounts, env_files(hand, contract))
        .with_mount_points(mount_points(contract));
    let mut prepared = Prepared::default();
    // Which steps touch a path, and when the first of them is taken.
    let mut reasons: BTreeMap<String, (Stage, Vec<String>)> = BTreeMap::new();
    let mut steps: Vec<&Step> = plan.steps.iter().collect();
    steps.sort_by_key(|step| step.change.stage());
    let mut units = BTreeSet::new();
    for step in steps {
        let known: Vec<Edit> = draft.edits();
        match draft.make(&step.change) {
            Ok(true) => {
                let new = draft.edits().into_iter().filter(|edit| !known.contains(edit));
                for edit in new {
                    let entry = reasons.entry(edit.path).or_insert_with(|| (step.change.stage(), Vec::new()));
                    if !entry.1.contains(&step.why) {
                        entry.1.push(step.why.clone());
                    }
                }
                units.extend(unit_of(&step.change));
            }
            Ok(false) => program(&mut prepared.works, step),
            Err(No::Person(why)) => prepared.refused.push(Refusal { step: step.clone(), why }),
            Err(No::Contradiction(why)) => {
                return Err(format!("two remedies contradict each other: {why}; nothing was begun"));
            }
        }
    }
    let mut edits: Vec<Work> = Vec::new();
    for edit in draft.edits() {
        let (stage, why) = reasons.get(&edit.path).cloned().unwrap_or((Stage::Places, Vec::new()));
        // What lies in a user's directory that user can keep from being changed, and holds nothing else up by it.
        let tried = edit.user.is_some();
        edits.push(Work {
            title: title(&edit, &named),
            why,
            stage,
            tried,
            along: Vec::new(),
            what: What::Edit(edit),
        });
    }
    drop_what_serves_nothing(&mut prepared, &edits, plan);
    edits.append(&mut prepared.works);
    let ranks = ranks(contract);
    edits.sort_by_key(|work| (work.stage, rank(work, &ranks)));
    prepared.works = edits;
    say_what_restarts_along(hand, system, contract, &mut prepared);
    Ok(prepared)
}

/// In which order units start: dependencies, then services as they need each other.
fn ranks(contract: &Contract) -> Vec<String> {
    let dependencies =
        contract.dependencies.values().filter_map(|one| Some(one.unit.as_ref()?.value.clone()));
    let services =
        super::build::in_order(&contract.services).into_iter().map(|service| service.unit.value.clone());
    dependencies.chain(services).collect()
}

fn rank(work: &Work, ranks: &[String]) -> usize {
    let unit = match &work.what {
        What::Healthy(awaited) => Some(awaited.unit.as_str()),
        _ => work.starts(),
    };
    // What stands in no order comes last; what starts nothing comes first.
    unit.map_or(0, |unit| 1 + ranks.iter().position(|name| name == unit).unwrap_or(ranks.len()))
}

/// Units that systemd restarts along with one are named in its title and waited for.
fn say_what_restarts_along(
    hand: &dyn Hand,
    system: &dyn System,
    contract: &Contract,
    prepared: &mut Prepared,
) {
    // Of a disk, the systemd of this host would answer for its own units of that name.
    if system.ask().is_none() {
        return;
    }
    let mut works = Vec::new();
    for mut work in std::mem::take(&mut prepared.works) {
        let restarted = match &work.what {
            What::Program(Change::Unit { verb: Verb::Restart, unit }) => Some(unit.clone()),
            _ => None,
        };
        let Some(unit) = restarted else {
            works.push(work);
            continue;
        };
        let along = along(hand, &unit);
        if !along.is_empty() {
            work.title = format!("{}, and with it {}", work.title, along.join(", "));
        }
        let (stage, why, tried) = (work.stage, work.why.clone(), work.tried);
        work.along.clone_from(&along);
        works.push(work);
        for unit in along {
            let service = contract.services.iter().find(|service| service.unit.value == unit);
            let health = service.map(crate::contract::Service::health).unwrap_or_default();
            works.push(Work { tried, ..Work::wait(Awaited { unit, health }, why.clone(), stage) });
        }
    }
    prepared.works = works;
}

/// Active units that systemd stops and starts with this one (systemd.unit(5), BindsTo=, Requires=, PartOf=).
fn along(hand: &dyn Hand, unit: &str) -> Vec<String> {
    let mut words = vec!["systemctl", "show"];
    words.extend([
        "--property=BoundBy",
        "--property=RequiredBy",
        "--property=ConsistsOf",
        "--value",
        "--",
        unit,
    ]);
    let Ok(ended) = hand.run(&Call::new(&words, 30), &mut |_| {}) else { return Vec::new() };
    let units: BTreeSet<&str> = ended.said.split_whitespace().filter(|word| word.contains('.')).collect();
    let is_up = |unit: &&str| {
        let call = Call::new(&["systemctl", "is-active", "--quiet", "--", unit], 30);
        hand.run(&call, &mut |_| {}).is_ok_and(|ended| ended.code == Some(0))
    };
    units.into_iter().filter(is_up).map(str::to_owned).collect()
}

/// The unit that a change of files is about.
fn unit_of(change: &Change) -> Option<String> {
    match change {
        Change::Setting { unit, .. } | Change::UnitLine { unit, .. } => Some(unit.clone()),
        _ => None,
    }
}

/// Adds a program, once; a restart does all that a start does.
fn program(works: &mut Vec<Work>, step: &Step) {
    if let Change::Unit { verb: verb @ (Verb::Start | Verb::Restart), unit } = &step.change
        && let Some(known) = works.iter_mut().find(|work| work.starts() == Some(unit))
    {
        known.tried &= step.tried;
        if *verb == Verb::Restart {
            known.what = What::Program(step.change.clone());
            known.title = step.change.words();
        }
        if !known.why.contains(&step.why) {
            known.why.push(step.why.clone());
        }
        return;
    }
    let what = What::Program(step.change.clone());
    if let Some(known) = works.iter_mut().find(|work| work.what == what) {
        if !known.why.contains(&step.why) {
            known.why.push(step.why.clone());
        }
        return;
    }
    let (title, why, stage) = (step.change.words(), vec![step.why.clone()], step.change.stage());
    let tried = step.tried;
    works.push(Work { title, why: why.clone(), stage, tried, along: Vec::new(), what });
    if let (Some(health), Change::Unit { unit, .. }) = (&step.health, &step.change) {
        let awaited = Awaited { unit: unit.clone(), health: health.clone() };
        works.push(Work { tried, ..Work::wait(awaited, why, stage) });
    }
    for awaited in &step.answering {
        let why = vec!["it answered before".to_owned()];
        works.push(Work { tried, ..Work::wait(awaited.clone(), why, Stage::Answers) });
    }
}

/// A reload and a restart that came with a change that is refused, or that changes nothing, serve nothing: what runs
/// goes on running.
fn drop_what_serves_nothing(prepared: &mut Prepared, edits: &[Work], plan: &Plan) {
    let edited: BTreeSet<&str> = edits.iter().filter_map(Work::path).collect();
    // A venv, a checkout, a package: a program makes it, and no edit names it.
    let programs: Vec<Change> = prepared.works.iter().filter_map(Work::program).cloned().collect();
    let refused: Vec<&Step> = prepared.refused.iter().map(|refusal| &refusal.step).collect();
    // A reason whose every change is refused or empty.
    let is_idle = |why: &str| {
        let mut of_files =
            plan.steps.iter().filter(|step| step.why == why && is_of_files(&step.change)).peekable();
        let has_files = of_files.peek().is_some();
        let done = |step: &&Step| {
            let touched = step.change.touches();
            !refused.contains(step)
                && (programs.contains(&step.change) || touched.iter().any(|path| touches(&edited, path)))
        };
        has_files && !of_files.any(|step| done(&step))
    };
    let mut dropped = Vec::new();
    prepared.works.retain_mut(|work| {
        let follows = matches!(
            &work.what,
            What::Program(Change::Reload | Change::Unit { verb: Verb::Start | Verb::Restart, .. })
                | What::Healthy(_)
        );
        if !follows {
            return true;
        }
        work.why.retain(|why| !is_idle(why));
        if work.why.is_empty() {
            dropped.push(work.title.clone());
        }
        !work.why.is_empty()
    });
}

/// A drop-in of golden's may have another name than the usual one.
fn touches(edited: &BTreeSet<&str>, path: &str) -> bool {
    let directory = |path: &str| path.rsplit_once('/').map(|(directory, _)| directory.to_owned());
    edited.contains(path)
        || path.ends_with(crate::model::change::DROP_IN)
            && edited.iter().any(|other| directory(other) == directory(path) && is_unit_file(other))
        || edited.iter().any(|other| other.rsplit('/').next() == path.rsplit('/').next())
}

fn is_of_files(change: &Change) -> bool {
    !matches!(change, Change::Reload | Change::Unit { .. })
}

/// What a person reads of an edit.
fn title(edit: &Edit, accounts: &Accounts) -> String {
    let path = &edit.path;
    let user = |uid: u32| accounts.user_by_id(uid).map_or_else(|| uid.to_string(), |user| user.name.clone());
    let group =
        |gid: u32| accounts.group_by_id(gid).map_or_else(|| gid.to_string(), |group| group.name.clone());
    let whose = |rights: &Rights| match &edit.names {
        Some((owner, group)) => format!("{owner}:{group} {:04o}", rights.mode),
        None => format!("{}:{} {:04o}", user(rights.uid), group(rights.gid), rights.mode),
    };
    match (&edit.was, &edit.now) {
        (_, Node::Absent) => format!("remove {path}"),
        (Node::File { bytes, rights: old, .. }, Node::File { bytes: new, rights, .. }) => {
            let rights_differ = old != rights;
            match (bytes == new, rights_differ) {
                (true, _) => format!("give {path} {} (now {})", whose(rights), whose(old)),
                (false, true) => format!("change {path}, {} (now {})", whose(rights), whose(old)),
                (false, false) => format!("change {path}"),
            }
        }
        (_, Node::File { rights, .. }) => format!("write {path} ({})", whose(rights)),
        (_, Node::Link { target, .. }) => format!("link {path} to {target}"),
        (Node::Directory { rights: old, .. }, Node::Directory { rights, .. }) => {
            format!("give {path} {} (now {})", whose(rights), whose(old))
        }
        (_, Node::Directory { rights, .. }) => format!("make the directory {path} ({})", whose(rights)),
    }
}

/// Places that must be mount points.
fn mount_points(contract: &Contract) -> impl Iterator<Item = &str> {
    contract.layout.values().filter(|place| place.mounted.is_some()).map(|place| place.path.value.as_str())
}

/// Which env files golden wrote, and who reads which.
fn env_files(hand: &dyn Hand, contract: &Contract) -> EnvFiles {
    let mut files = EnvFiles::default();
    for service in &contract.services {
        for file in &service.env_files {
            files.readers.entry(file.path.clone()).or_default().insert(service.unit.value.clone());
        }
    }
    for path in files.readers.keys() {
        if let Ok(Node::File { bytes, .. }) = hand.node(path)
            && String::from_utf8_lossy(&bytes).contains(crate::render::MARK)
        {
            files.ours.insert(path.clone());
        }
    }
    files
}

/// Sources of users and groups beside this host's own files (nsswitch.conf(5)); `None` where there are none.
pub(super) fn foreign_sources(system: &dyn System) -> Result<Option<String>, String> {
    const OWN: [&str; 4] = ["files", "systemd", "compat", "altfiles"];
    let text = match system.read("/etc/nsswitch.conf", READ_LIMIT) {
        Observed::Found(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // The C library asks its files then.
        Observed::Absent => return Ok(None),
        Observed::Unreadable(why) => return Err(format!("/etc/nsswitch.conf: {why}")),
    };
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
    let of_accounts =
        lines.filter_map(|line| line.strip_prefix("passwd:").or_else(|| line.strip_prefix("group:")));
    let sources = of_accounts.flat_map(str::split_whitespace).filter(|word| !word.starts_with('['));
    let foreign: BTreeSet<&str> =
        sources.filter(|word| !OWN.contains(word) && !word.ends_with(']')).collect();
    Ok((!foreign.is_empty()).then(|| foreign.into_iter().collect::<Vec<&str>>().join(", ")))
}
