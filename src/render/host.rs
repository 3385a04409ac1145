//! What a host needs around its services: accounts (sysusers.d(5)), directories (tmpfiles.d(5)), rotation of logs
//! (logrotate(8)) and the daily audit (systemd.timer(5)).
//!
//! A line of tmpfiles.d names what the contract states and nothing else: `-` for the rest, no line for parents, and
//! none below a directory of another user, where systemd-tmpfiles would refuse the step anyway.

use std::collections::{BTreeMap, BTreeSet};

use super::{Artefact, HostFile, What, header, system_name};
use crate::contract::words::lies_under;
use crate::contract::{Content, Contract, Model, Place};
use crate::model::Stated;

/// The name of the place that is the fallback of the journal.
const LOGS: &str = "logs";

/// Where the wrapper keeps its locks (see docs/wrapper.md).
const LOCKS: &str = "/run/golden";

/// Accounts, directories, rotation.
pub(super) fn artefacts(contract: &Contract) -> Vec<Artefact> {
    let name = system_name(contract);
    let mut all = vec![
        artefact(&format!("sysusers.d/{name}.conf"), accounts(contract)),
        artefact(&format!("tmpfiles.d/{name}.conf"), directories_text(contract)),
    ];
    all.extend(contract.layout.values().filter_map(file));
    if let Some(place) = contract.layout.get(LOGS) {
        let owner = (&contract.identity.user.value, &contract.identity.group.value);
        let text = format!(
            "{}\n{}/*.log {{\n    weekly\n    rotate 8\n    compress\n    delaycompress\n    missingok\n    notifempty\n    su {} {}\n    copytruncate\n}}\n",
            header(contract, "Rotation of what does not go to the journal"),
            place.path.value,
            owner.0,
            owner.1,
        );
        all.push(artefact(&format!("logrotate.d/{name}"), text));
    }
    all
}

fn artefact(name: &str, content: String) -> Artefact {
    Artefact {
        what: What::Host,
        in_repository: Some(format!("systemd/{name}")),
        on_host: Some(root_file(format!("/etc/{name}"))),
        mode: 0o644,
        content,
    }
}

/// A file of the layout whose text the contract states.
fn file(place: &Place) -> Option<Artefact> {
    let Some(Content::Text(text)) = place.content.as_ref().filter(|_| place.is_file()) else { return None };
    let name = |stated: &Option<Stated<String>>| {
        stated.as_ref().map_or_else(|| "root".to_owned(), |name| name.value.clone())
    };
    Some(Artefact {
        what: What::Host,
        in_repository: Some(format!("systemd/files{}", place.path.value)),
        on_host: Some(HostFile {
            path: place.path.value.clone(),
            owner: name(&place.owner),
            group: name(&place.group),
        }),
        mode: place.mode.as_ref().map_or(0o644, |mode| mode.value),
        content: text.value.clone(),
    })
}

fn root_file(path: String) -> HostFile {
    HostFile { path, owner: "root".to_owned(), group: "root".to_owned() }
}

/// Users of services with their groups. Accounts that a distribution brings (root, www-data) are named by sysusers
/// too, which leaves what is there alone.
fn accounts(contract: &Contract) -> String {
    let identity = &contract.identity;
    let mut users: BTreeMap<&str, &str> = BTreeMap::new();
    let mut groups: BTreeSet<&str> = BTreeSet::new();
    users.insert(&identity.user.value, &identity.group.value);
    for service in &contract.services {
        users.entry(&service.user.value).or_insert(&service.group.value);
        groups.insert(&service.group.value);
    }
    for place in contract.layout.values() {
        groups.extend(place.group.iter().map(|group| group.value.as_str()));
    }
    groups.insert(&contract.env.group.value);
    groups.extend(users.values());
    let mut text = header(contract, "Accounts of services");
    for group in groups.iter().filter(|group| **group != "root") {
        text.push_str(&format!("g {group} -\n"));
    }
    for (user, group) in users.iter().filter(|(user, _)| **user != "root") {
        let home = match &contract.provision.home {
            Some(home) if *user == identity.user.value => home.value.as_str(),
            _ => "-",
        };
        // `u NAME -:GROUP` needs systemd 257; a user of the group of its name needs nothing.
        let id = if user == group { "-".to_owned() } else { format!("-:{group}") };
        text.push_str(&format!(
            "u {user} {id} \"Services of {}\" {home} /usr/sbin/nologin\n",
            contract.name.value
        ));
    }
    text
}

/// A directory as tmpfiles.d(5) has it. What is `None` is written as `-`: a new directory gets systemd's default
/// (0755, root), and one that is there keeps what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Octal digits; after a colon only for a new directory.
    pub mode: Option<String>,
    /// By name; after a colon only of a new directory.
    pub owner: Option<String>,
    /// By name; after a colon only of a new directory.
    pub group: Option<String>,
}

impl Directory {
    fn of(mode: u32, owner: &str, group: &str) -> Self {
        let name = |name: &str| Some(name.to_owned());
        Self { mode: Some(format!("{mode:04o}")), owner: name(owner), group: name(group) }
    }
}

/// The directories of the layout, parents first. What lies on the way to them and is no place of the contract has no
/// line: systemd-tmpfiles makes it where it is missing, and a line would take it over from its owner. With them come the
/// paths that a person must make.
pub(super) fn directories(contract: &Contract) -> (BTreeMap<String, Directory>, Vec<String>) {
    let identity = &contract.identity;
    let mut all: BTreeMap<String, Directory> = BTreeMap::new();
    for place in contract.layout.values().filter(|place| is_made(contract, place)) {
        for path in made(place) {
            all.insert(path, of_place(contract, place));
        }
    }
    if let Some(home) = &contract.provision.home {
        let (owner, group) = (&identity.user.value, &identity.group.value);
        // With a colon the mode is that of a new directory only: a home may be stricter.
        let new = Directory { mode: Some(":0750".to_owned()), ..Directory::of(0, owner, group) };
        all.entry(home.value.clone()).or_insert(new);
    }
    let (kept_back, all): (BTreeMap<_, _>, BTreeMap<_, _>) =
        all.into_iter().partition(|(path, _)| replaceable_by(contract, path).is_some());
    let mut all = all;
    all.insert(LOCKS.to_owned(), Directory::of(0o755, "root", "root"));
    for service in contract.services.iter().filter(|service| service.user.value != "root") {
        let (owner, group) = (&service.user.value, &service.group.value);
        all.insert(format!("{LOCKS}/{owner}"), Directory::of(0o700, owner, group));
    }
    // The journal is kept over a reboot where this directory exists (journald.conf(5), Storage=auto).
    all.insert("/var/log/journal".to_owned(), Directory::of(0o2755, "root", "systemd-journal"));
    (all, kept_back.into_keys().collect())
}

/// The same as tmpfiles.d(5) has it.
fn directories_text(contract: &Contract) -> String {
    let (all, kept_back) = directories(contract);
    let mut text = header(contract, "Directories of the layout");
    for path in &kept_back {
        let user = replaceable_by(contract, path).unwrap_or_default();
        text.push_str(&format!("# {path} is missing: make it yourself, because {user} can replace it\n"));
    }
    for (path, directory) in &all {
        let field = |stated: &Option<String>| stated.as_deref().unwrap_or("-").to_owned();
        let Directory { mode, owner, group } = directory;
        let (mode, owner, group) = (field(mode), field(owner), field(group));
        text.push_str(&format!("d {} {mode} {owner} {group} -\n", escaped(path)));
    }
    text
}

/// A path as a field of tmpfiles.d(5), where `%` begins a specifier and blanks end a field.
fn escaped(path: &str) -> String {
    let path = path.replace('%', "%%");
    if !path.contains(|c: char| c.is_whitespace() || "\"'\\".contains(c)) {
        return path;
    }
    format!("\"{}\"", path.replace('\\', r"\\").replace('"', "\\\""))
}

/// Whether a place is a directory that golden makes. A repository is cloned; where other places lie in it, it is
/// made first, so that its owner does not depend on who makes those.
fn is_made(contract: &Contract, place: &Place) -> bool {
    let below = |other: &&Place| {
        other.name != place.name
            && other.required
            && !other.is_file()
            && lies_under(&other.path.value, &place.path.value)
    };
    let repository = contract.repository.as_ref().is_some_and(|policy| policy.path.value == place.path.value);
    place.required
        && !place.is_file()
        && place.mounted.is_none()
        && (!repository || contract.layout.values().any(|other| below(&other)))
}

/// The directories of a place: itself, and what it must hold.
fn made(place: &Place) -> impl Iterator<Item = String> {
    let path = &place.path.value;
    std::iter::once(path.clone()).chain(place.holds.iter().map(move |held| format!("{path}/{}", held.value)))
}

/// What a place is made as. One that names no owner and lies below a place of a user is made as that user's.
fn of_place(contract: &Contract, place: &Place) -> Directory {
    let is_above = |above: &&Place| {
        above.name != place.name
            && above.path.value != place.path.value
            && lies_under(&place.path.value, &above.path.value)
            && above.owner.as_ref().is_some_and(|owner| owner.value != "root")
    };
    let above = contract.layout.values().filter(is_above).max_by_key(|above| above.path.value.len());
    if let Some(above) = above.filter(|_| place.owner.is_none()) {
        let new = |name: &Option<Stated<String>>| name.as_ref().map(|name| format!(":{}", name.value));
        let own = stated(place);
        return Directory {
            owner: new(&above.owner),
            group: own.group.or(new(&above.group)),
            mode: own.mode,
        };
    }
    stated(place)
}

fn stated(place: &Place) -> Directory {
    Directory {
        mode: place.mode.as_ref().map(|mode| format!("{:04o}", mode.value)),
        owner: place.owner.as_ref().map(|owner| owner.value.clone()),
        group: place.group.as_ref().map(|group| group.value.clone()),
    }
}

/// The user who owns a declared directory above a path of another owner, and so can replace what lies there.
/// systemd-tmpfiles refuses such a step.
fn replaceable_by<'c>(contract: &'c Contract, path: &str) -> Option<&'c str> {
    let below = contract.places_below_others();
    below.iter().find(|below| lies_under(path, &below.place.path.value)).map(|below| below.user)
}

/// The name of a unit of the daily audit.
pub(super) fn audit_unit(contract: &Contract, suffix: &str) -> String {
    format!("golden-audit-{}.{suffix}", system_name(contract))
}

/// The audit of every day, by a timer.
pub(super) fn audit(contract: &Contract) -> Vec<Artefact> {
    let golden = &contract.provision.golden.value;
    let service = format!(
        "{}\n[Unit]\nDescription=Audit of the contract {}\n\n[Service]\nType=oneshot\nExecStart={golden} audit --quiet --color never\nStandardOutput=journal\nStandardError=journal\nSyslogIdentifier=golden-audit\n",
        header(contract, "The audit, whose failure is the unit's"),
        contract.name.value,
    );
    let timer = format!(
        "{}\n[Unit]\nDescription=Daily audit of the contract {}\n\n[Timer]\nOnCalendar={}\nPersistent=yes\n\n[Install]\nWantedBy=timers.target\n",
        header(contract, "When the audit runs by itself"),
        contract.name.value,
        contract.provision.audit.value,
    );
    [("service", service), ("timer", timer)]
        .into_iter()
        .map(|(suffix, content)| {
            let name = audit_unit(contract, suffix);
            Artefact {
                what: What::Audit,
                in_repository: Some(format!("{}/{name}", super::UNITS)),
                on_host: Some(root_file(format!("{}/{name}", super::UNIT_FOLDER))),
                mode: 0o644,
                content,
            }
        })
        .collect()
}

/// The name of a unit that watches over a model.
fn watch_unit(contract: &Contract, model: &str, suffix: &str) -> String {
    format!("golden-model-watch-{}-{}.{suffix}", system_name(contract), model.to_ascii_lowercase())
}

/// The watch over each model, by a timer that nothing enables: a person decides whether golden looks by itself.
pub(super) fn watches(contract: &Contract) -> Vec<Artefact> {
    let golden = &contract.provision.golden.value;
    let named = super::named(contract);
    let one = |model: &Model| {
        let name = &model.name;
        let service = format!(
            "{}\n[Unit]\nDescription=Watch over the model {name}\n\n[Service]\nType=oneshot\nExecStart={golden} --contract {named} --color never model watch {name} --once\nStandardOutput=journal\nStandardError=journal\nSyslogIdentifier=golden-model-watch\n",
            header(contract, "Fails when a rollback is due, or when golden cannot tell"),
        );
        let timer = format!(
            "{}\n[Unit]\nDescription=Regular watch over the model {name}\n\n[Timer]\nOnCalendar=*:0/5\n\n[Install]\nWantedBy=timers.target\n",
            header(contract, "Not enabled: systemctl enable --now lets golden look every five minutes"),
        );
        [("service", service), ("timer", timer)].map(|(suffix, content)| {
            let name = watch_unit(contract, name, suffix);
            Artefact {
                what: What::Audit,
                in_repository: Some(format!("{}/{name}", super::UNITS)),
                on_host: Some(root_file(format!("{}/{name}", super::UNIT_FOLDER))),
                mode: 0o644,
                content,
            }
        })
    };
    contract.models.iter().flat_map(one).collect()
}
