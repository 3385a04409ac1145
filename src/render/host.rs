//! What a host needs around its services: accounts (sysusers.d(5)), directories (tmpfiles.d(5)), rotation of logs
//! (logrotate(8)) and the daily audit (systemd.timer(5)).

use std::collections::{BTreeMap, BTreeSet};

use super::{Artefact, HostFile, What, header, system_name};
use crate::contract::{Contract, Place};

/// The name of the place that is the fallback of the journal.
const LOGS: &str = "logs";

/// Where the wrapper keeps its locks (see docs/wrapper.md).
const LOCKS: &str = "/run/golden";

/// Accounts, directories, rotation.
pub(super) fn artefacts(contract: &Contract) -> Vec<Artefact> {
    let name = system_name(contract);
    let mut all = vec![
        artefact(&format!("sysusers.d/{name}.conf"), accounts(contract)),
        artefact(&format!("tmpfiles.d/{name}.conf"), directories(contract)),
    ];
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

/// A directory as tmpfiles.d(5) has it.
struct Directory {
    mode: u32,
    owner: String,
    group: String,
}

/// The layout, the directories in it and on the way to it.
fn directories(contract: &Contract) -> String {
    let identity = &contract.identity;
    let root = |mode| Directory { mode, owner: "root".to_owned(), group: "root".to_owned() };
    let mut all: BTreeMap<String, Directory> = BTreeMap::new();
    let repository = contract.repository.as_ref().map(|policy| policy.path.value.as_str());
    let is_made = |place: &&Place| place.required && Some(place.path.value.as_str()) != repository;
    for place in contract.layout.values().filter(is_made) {
        let name = |stated: &Option<crate::model::Stated<String>>| {
            stated.as_ref().map_or_else(|| "root".to_owned(), |name| name.value.clone())
        };
        let of = || Directory {
            mode: place.mode.as_ref().map_or(0o755, |mode| mode.value),
            owner: name(&place.owner),
            group: match &place.group {
                Some(group) => group.value.clone(),
                None => "root".to_owned(),
            },
        };
        all.insert(place.path.value.clone(), of());
        for held in &place.holds {
            all.insert(format!("{}/{}", place.path.value, held.value), of());
        }
    }
    if let Some(home) = &contract.provision.home {
        let (owner, group) = (identity.user.value.clone(), identity.group.value.clone());
        all.insert(home.value.clone(), Directory { mode: 0o750, owner, group });
    }
    for directory in missing_parents(all.keys()) {
        all.insert(directory, root(0o755));
    }
    all.insert(LOCKS.to_owned(), root(0o755));
    for service in contract.services.iter().filter(|service| service.user.value != "root") {
        let (owner, group) = (service.user.value.clone(), service.group.value.clone());
        all.insert(format!("{LOCKS}/{owner}"), Directory { mode: 0o700, owner, group });
    }
    // The journal is kept over a reboot where this directory exists (journald.conf(5), Storage=auto).
    let journal = Directory { mode: 0o2755, owner: "root".to_owned(), group: "systemd-journal".to_owned() };
    all.insert("/var/log/journal".to_owned(), journal);
    let mut text = header(contract, "Directories of the layout");
    for (path, directory) in &all {
        let Directory { mode, owner, group } = directory;
        text.push_str(&format!("d {} {mode:04o} {owner} {group} -\n", path.replace('%', "%%")));
    }
    text
}

/// Directories on the way that the distribution does not bring.
fn missing_parents<'p>(paths: impl Iterator<Item = &'p String> + Clone) -> Vec<String> {
    const OF_THE_DISTRIBUTION: &[&str] =
        &["", "/etc", "/home", "/opt", "/run", "/srv", "/usr", "/usr/local", "/var", "/var/lib", "/var/log"];
    let mut found = BTreeSet::new();
    for path in paths.clone() {
        let mut rest = path.as_str();
        while let Some((parent, _)) = rest.rsplit_once('/') {
            if !OF_THE_DISTRIBUTION.contains(&parent) {
                found.insert(parent.to_owned());
            }
            rest = parent;
        }
    }
    let known: BTreeSet<&String> = paths.collect();
    found.into_iter().filter(|path| !known.contains(path)).collect()
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
