//! sysusers.d(5): the accounts that systemd-sysusers makes at boot, line by line.

use super::accounts::{Accounts, Group, User};
use super::words::{Strictness, Words};

/// Directories of sysusers.d, the strongest first.
pub const DIRECTORIES: [&str; 4] =
    ["/etc/sysusers.d", "/run/sysusers.d", "/usr/local/lib/sysusers.d", "/usr/lib/sysusers.d"];

/// A number that systemd gives no system account: one that is made at boot has a number that nobody knows before, and on
/// the disk nothing belongs to it.
const GIVEN_AT_BOOT: u32 = 0x7fff_0000;

/// Adds the accounts that these lines make, where they are not there already. Lines with specifiers depend on the host
/// and are passed over.
pub fn add(text: &str, accounts: &mut Accounts) {
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = Words::new(line, Strictness::PLAIN);
        let mut next = || words.next_word().ok().flatten().map(|word| word.text).unwrap_or_default();
        let (kind, name, id, _, home, shell) = (next(), next(), next(), next(), next(), next());
        if name.is_empty() || name.contains('%') {
            continue;
        }
        let id = id.trim_start_matches('-');
        match kind.trim_end_matches('!') {
            "u" => user(accounts, &name, id, (&home, &shell)),
            "g" => drop(group(accounts, &name, id.parse().ok())),
            "m" => member(accounts, &name, id),
            _ => {}
        }
    }
}

/// "The user and group … will be created": with a number and a group after it, that group is the primary one.
fn user(accounts: &mut Accounts, name: &str, id: &str, (home, shell): (&str, &str)) {
    if accounts.user(name).is_some() {
        return;
    }
    let (uid, primary) = match id.split_once(':') {
        Some((uid, primary)) => (uid, Some(primary)),
        None => (id, None),
    };
    let uid: Option<u32> = uid.parse().ok();
    let gid = match primary {
        Some(primary) => match primary.parse() {
            Ok(gid) => gid,
            Err(_) => group(accounts, primary, None),
        },
        None => group(accounts, name, uid),
    };
    let stated = |word: &str, usual: &str| match word {
        "" | "-" => usual.to_owned(),
        word => word.to_owned(),
    };
    let uid = uid.unwrap_or_else(|| free(accounts));
    let (home, shell) = (stated(home, "/"), stated(shell, "/usr/sbin/nologin"));
    accounts.users.push(User { name: name.to_owned(), uid, gid, home, shell, line: 0 });
}

/// The number of a group, which is made where it is not there.
fn group(accounts: &mut Accounts, name: &str, gid: Option<u32>) -> u32 {
    if let Some(group) = accounts.group(name) {
        return group.gid;
    }
    let gid = gid.unwrap_or_else(|| free(accounts));
    accounts.groups.push(Group { name: name.to_owned(), gid, members: Vec::new(), line: 0 });
    gid
}

/// "Add a user to a group. If the user or group do not exist yet, they will be implicitly created."
fn member(accounts: &mut Accounts, name: &str, of: &str) {
    if of.is_empty() {
        return;
    }
    user(accounts, name, "", ("", ""));
    group(accounts, of, None);
    let group = accounts.groups.iter_mut().find(|group| group.name == of);
    if let Some(group) = group.filter(|group| !group.members.iter().any(|member| member == name)) {
        group.members.push(name.to_owned());
    }
}

fn free(accounts: &Accounts) -> u32 {
    let all = u32::try_from(accounts.users.len() + accounts.groups.len()).unwrap_or(0);
    GIVEN_AT_BOOT.saturating_add(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_make_users_and_groups() {
        let mut accounts = Accounts::default();
        add(
            "# x\ng web 33 -\nu app 1000:web \"App\" /srv/app -\nu! own 900 - -\nm app adm\nu b -\n",
            &mut accounts,
        );
        let app = accounts.user("app").expect("app");
        assert_eq!((app.uid, app.gid, app.home.as_str()), (1000, 33, "/srv/app"));
        assert_eq!(accounts.group("own").map(|group| group.gid), Some(900));
        assert_eq!(accounts.group_names_of(app), ["web", "adm"]);
        assert!(accounts.user("b").is_some_and(|b| b.uid >= GIVEN_AT_BOOT && b.home == "/"));
    }

    #[test]
    fn who_is_there_stays() {
        let mut accounts = crate::syntax::accounts::parse(b"app:x:5:6::/a:/b\n", b"app:x:6:\n");
        let before = accounts.clone();
        add("u app 1000\ng app 1000\nu %m -\nr - 500-900\n", &mut accounts);
        assert_eq!(accounts, before);
    }
}
