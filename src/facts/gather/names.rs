//! Accounts that neither the files nor systemd's own records hold, asked of the name service of a running host.
//!
//! It is asked only where nsswitch.conf(5) names a source that golden does not read itself, and only for names that the
//! contract or a unit of it names.

use std::collections::BTreeSet;

use super::Pad;
use crate::contract::Contract;
use crate::model::Observed;
use crate::syntax::accounts::{self, Accounts, Group, User};
use crate::system::{Ask, System, Walker};
use crate::systemd::effective::EffectiveUnit;

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
    asked(system, known, || Wanted::of(pad.loaded()))
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
        accounts.groups.extend(groups_of(&text));
        accounts.asked_groups.extend(groups.into_iter().map(str::to_owned));
    }
    if users.is_empty() {
        return;
    }
    let Observed::Found(text) = ask.getent("passwd", &users) else { return };
    // Of no line of a file.
    let found = accounts::parse(text.as_bytes(), b"").users.into_iter().map(|user| User { line: 0, ..user });
    let found: Vec<User> = found.collect();
    let names: Vec<&str> = found.iter().map(|user| user.name.as_str()).collect();
    if !names.is_empty() {
        // Without its groups it is not known what a user may do.
        let Observed::Found(text) = ask.getent("initgroups", &names) else { return };
        if !add_to_groups(ask, &text, accounts) {
            return;
        }
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

/// The groups of lines that getent(1) has printed; they stand in no line of a file.
fn groups_of(text: &str) -> impl Iterator<Item = Group> {
    let groups = accounts::parse(b"", text.as_bytes()).groups.into_iter();
    groups.map(|group| Group { line: 0, ..group })
}

/// Adds users to the groups that `getent initgroups` gives them by number. A group whose name nobody knows keeps its number;
/// false where the names could not be asked.
fn add_to_groups(ask: &dyn Ask, text: &str, accounts: &mut Accounts) -> bool {
    let members = text.lines().flat_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let user = words.next().unwrap_or_default();
        words.filter_map(|word| word.parse::<u32>().ok()).map(move |gid| (gid, user))
    });
    let unknown: BTreeSet<u32> =
        members.clone().map(|(gid, _)| gid).filter(|gid| accounts.group_by_id(*gid).is_none()).collect();
    let numbers: Vec<String> = unknown.iter().map(u32::to_string).collect();
    if !numbers.is_empty() {
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let Observed::Found(named) = ask.getent("group", &numbers) else { return false };
        accounts.groups.extend(groups_of(&named));
    }
    for gid in unknown.into_iter().filter(|gid| accounts.group_by_id(*gid).is_none()).collect::<Vec<u32>>() {
        accounts.groups.push(Group { name: gid.to_string(), gid, members: Vec::new(), line: 0 });
    }
    for (gid, user) in members {
        let group = accounts.groups.iter_mut().find(|group| group.gid == gid);
        if let Some(group) = group.filter(|group| !group.members.iter().any(|member| member == user)) {
            group.members.push(user.to_owned());
        }
    }
    true
}
