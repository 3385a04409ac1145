//! What the host is called, and names that neither the files nor systemd's own records hold, asked of the name service of a running host.
//!
//! It is asked only where nsswitch.conf(5) names a source that golden does not read itself, and only for names that the
//! contract or a unit of it names.

use std::collections::BTreeSet;

use super::{Pad, Worker};
use crate::contract::Contract;
use crate::facts::condition;
use crate::model::Observed;
use crate::syntax::accounts::{self, Accounts};
use crate::system::{Ask, System, Walker};
use crate::systemd::effective::EffectiveUnit;
use crate::systemd::specifier::{Host as _, HostNames};

/// What the host is called, where a unit asks for it.
pub(super) fn of_host(worker: &Worker<'_>, pad: &Pad) -> Option<condition::Names> {
    let asks = |unit: &EffectiveUnit| condition::all(unit).iter().any(|condition| condition.is_of_names());
    let mut units = pad.units.values().filter_map(|unit| match &unit.effective {
        Observed::Found(unit) => Some(&**unit),
        _ => None,
    });
    units.any(asks).then(|| {
        let HostNames { machine_id, host_name, os_release, architecture, .. } = worker.names().clone();
        // systemd fills in the question marks of a name.
        let host_name = host_name.filter(|name| !name.contains('?'));
        condition::Names { host_name, os_release, architecture, has_machine_id: machine_id.is_some() }
    })
}

/// The accounts of a host, those that the contract names among them.
pub(super) fn accounts<'a>(
    system: &'a (dyn System + 'a),
    walker: &Walker<'a, dyn System + 'a>,
    contract: &Contract,
) -> Observed<Accounts> {
    let known = super::accounts::accounts(system, walker);
    asked(system, known, || Wanted::by(contract))
}

/// The same with those that units name.
pub(super) fn with_units(system: &dyn System, known: Observed<Accounts>, pad: &Pad) -> Observed<Accounts> {
    let units = pad.units.values().filter_map(|unit| match &unit.effective {
        Observed::Found(unit) => Some(&**unit),
        _ => None,
    });
    asked(system, known, || Wanted::of(units))
}

fn asked(
    system: &dyn System,
    mut known: Observed<Accounts>,
    wanted: impl FnOnce() -> Wanted,
) -> Observed<Accounts> {
    if let (Some(live), Observed::Found(accounts)) = (system.ask(), &mut known)
        && !accounts.elsewhere.is_empty()
    {
        ask(live, &wanted(), accounts);
    }
    known
}

/// The names of users and of groups that somebody must know.
#[derive(Default)]
struct Wanted {
    users: BTreeSet<String>,
    groups: BTreeSet<String>,
}

impl Wanted {
    /// Those of a contract.
    fn by(contract: &Contract) -> Self {
        let mut all = Self::default();
        all.add(Some(&contract.identity.user.value), Some(&contract.identity.group.value));
        all.add(Some(&contract.env.owner.value), Some(&contract.env.group.value));
        for service in &contract.services {
            all.add(Some(&service.user.value), Some(&service.group.value));
            for file in &service.env_files {
                all.add(file.owner.as_ref(), file.group.as_ref());
            }
        }
        for place in contract.layout.values() {
            all.add(
                place.owner.as_ref().map(|stated| &stated.value),
                place.group.as_ref().map(|stated| &stated.value),
            );
        }
        all
    }

    /// Those of units as they are.
    fn of<'u>(units: impl Iterator<Item = &'u EffectiveUnit>) -> Self {
        let mut all = Self::default();
        for unit in units {
            all.users.extend(unit.scalar("Service", "User").map(|setting| setting.value().to_owned()));
            all.groups.extend(unit.scalar("Service", "Group").map(|setting| setting.value().to_owned()));
            let more = unit.words("Service", "SupplementaryGroups");
            all.groups.extend(more.into_iter().map(|(word, _)| word));
        }
        all
    }

    fn add(&mut self, user: Option<&String>, group: Option<&String>) {
        self.users.extend(user.cloned());
        self.groups.extend(group.cloned());
    }
}

/// Asks for the names that are not known yet, and adds what the host knows of them. Where it does not answer, nothing changes.
fn ask(ask: &dyn Ask, wanted: &Wanted, accounts: &mut Accounts) {
    let users = new_names(&wanted.users, &accounts.asked_users, |name| accounts.user(name).is_some());
    let groups = new_names(&wanted.groups, &accounts.asked_groups, |name| accounts.group(name).is_some());
    // A directory server that is silent is not waited for again.
    if !groups.is_empty() {
        let Observed::Found(text) = ask.getent("group", &groups) else { return };
        accounts.groups.extend(accounts::parse(b"", text.as_bytes()).groups);
        accounts.asked_groups.extend(groups.into_iter().map(str::to_owned));
    }
    if users.is_empty() {
        return;
    }
    let Observed::Found(text) = ask.getent("passwd", &users) else { return };
    let found = accounts::parse(text.as_bytes(), b"").users;
    let names: Vec<&str> = found.iter().map(|user| user.name.as_str()).collect();
    if !names.is_empty() {
        // Without its groups it is not known what a user may do.
        let Observed::Found(text) = ask.getent("initgroups", &names) else { return };
        text.lines().for_each(|line| add_to_groups(line, accounts));
    }
    accounts.asked_users.extend(users.into_iter().map(str::to_owned));
    accounts.users.extend(found);
}

/// The names that nobody was asked for and that are not known. A number names no account.
fn new_names<'a>(
    wanted: &'a BTreeSet<String>,
    asked: &[String],
    is_known: impl Fn(&str) -> bool,
) -> Vec<&'a str> {
    let is_name = |name: &str| !name.is_empty() && !name.bytes().all(|byte| byte.is_ascii_digit());
    let names = wanted.iter().map(String::as_str).filter(|name| is_name(name));
    names.filter(|name| !is_known(name) && !asked.iter().any(|asked| asked == name)).collect()
}

/// A line of `getent initgroups`: a user, and the numbers of the groups that it is in.
fn add_to_groups(line: &str, accounts: &mut Accounts) {
    let mut words = line.split_ascii_whitespace();
    let Some(user) = words.next() else { return };
    for gid in words.filter_map(|word| word.parse::<u32>().ok()) {
        match accounts.groups.iter_mut().find(|group| group.gid == gid) {
            Some(group) if group.members.iter().any(|member| member == user) => {}
            Some(group) => group.members.push(user.to_owned()),
            None => accounts.groups.push(accounts::Group {
                name: gid.to_string(),
                gid,
                members: vec![user.to_owned()],
                line: 0,
            }),
        }
    }
}
