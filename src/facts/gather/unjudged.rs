//! Looks for what golden does not judge, so that the report names it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Pad, Worker};
use crate::facts::start::lies_under;
use crate::facts::unjudged::Unjudged;
use crate::model::{NodeKind, Observed};

/// Where distributions and the kernel put what has no access control list.
const PLAIN: &[&str] = &["/usr", "/dev", "/proc", "/sys", "/run", "/etc/systemd", "/boot", "/lib", "/lib64"];

/// What lies there is the administrator's.
const OF_THE_HOST: &str = "/usr/local";

const SELINUX: &str = "/etc/selinux/config";
const SELINUX_NOW: &str = "/sys/fs/selinux/enforce";
const APPARMOR: &str = "/etc/apparmor.d";
const APPARMOR_NOW: &str = "/sys/module/apparmor/parameters/enabled";
const LINGER: &str = "/var/lib/systemd/linger";

/// All that there is of it.
pub(super) fn gather(worker: &Worker<'_>, access_lists: &BTreeSet<Arc<str>>) -> Vec<Unjudged> {
    let lists = access_lists.first();
    let lists = lists.map(|first| Unjudged::AccessControlLists(first.clone(), access_lists.len() - 1));
    [selinux(worker), apparmor(worker), lists, user_units(worker)].into_iter().flatten().collect()
}

fn is_live(worker: &Worker<'_>) -> bool {
    worker.ground.system.ask().is_some()
}

fn text(worker: &Worker<'_>, path: &str) -> Option<String> {
    match worker.read(&worker.walker.lookup(path)) {
        Observed::Found(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        _ => None,
    }
}

fn selinux(worker: &Worker<'_>) -> Option<Unjudged> {
    if is_live(worker) {
        return (text(worker, SELINUX_NOW)?.trim() == "1").then(|| Unjudged::Selinux(SELINUX_NOW.into()));
    }
    let config = text(worker, SELINUX)?;
    let stated = config.lines().rev().find_map(|line| line.trim().strip_prefix("SELINUX="))?;
    stated.trim().eq_ignore_ascii_case("enforcing").then(|| Unjudged::Selinux(SELINUX.into()))
}

fn apparmor(worker: &Worker<'_>) -> Option<Unjudged> {
    if is_live(worker) && text(worker, APPARMOR_NOW).is_none_or(|enabled| enabled.trim() != "Y") {
        return None;
    }
    let Observed::Found(entries) = worker.ground.system.entries(worker.walker.lookup(APPARMOR).real()?)
    else {
        return None;
    };
    let has_profile = entries.iter().any(|entry| entry.kind == NodeKind::File);
    has_profile.then(|| Unjudged::Apparmor(APPARMOR.into()))
}

/// What has an access control list on the ways to all that was looked at.
pub(super) fn access_lists(worker: &Worker<'_>, pad: &Pad) -> BTreeSet<Arc<str>> {
    let steps = pad.paths.values().flat_map(|lookup| &lookup.steps);
    let places: BTreeSet<&Arc<str>> = steps
        .filter(|step| {
            let is_plain = PLAIN.iter().any(|plain| lies_under(&step.path, plain));
            step.meta.kind != NodeKind::Link && (!is_plain || lies_under(&step.path, OF_THE_HOST))
        })
        .map(|step| &step.path)
        .collect();
    places.into_iter().filter(|path| worker.ground.system.has_access_list(path)).cloned().collect()
}

/// Users whose manager runs without them (loginctl(1), `enable-linger`), and units of the user of the contract.
fn user_units(worker: &Worker<'_>) -> Option<Unjudged> {
    let names = |directory: &str| -> Vec<String> {
        let lookup = worker.walker.lookup(directory);
        match worker.list(&lookup) {
            Observed::Found(names) => names.into_iter().map(|name| format!("{directory}/{name}")).collect(),
            _ => Vec::new(),
        }
    };
    let mut all = names(LINGER);
    let user = &worker.ground.contract.identity.user.value;
    let home =
        worker.ground.accounts.known().ok().flatten().and_then(|known| Some(known.user(user)?.home.clone()));
    if let Some(home) = home.filter(|home| home.starts_with('/')) {
        let is_unit = |path: &String| path.ends_with(".service") || path.ends_with(".timer");
        all.extend(
            names(&format!("{}/.config/systemd/user", home.trim_end_matches('/')))
                .into_iter()
                .filter(is_unit),
        );
    }
    (!all.is_empty()).then(|| Unjudged::UserUnits(all.into_iter().map(Arc::from).collect()))
}
