//! `/etc/passwd` and `/etc/group` as glibc's `files` service reads them (passwd(5), group(5)).
//!
//! The first line of a name wins, as in `getpwnam`; a user's supplementary groups come from every line that
//! lists them, as in `initgroups`. Lines that glibc would skip are kept as notes, since a user nobody can look
//! up is a service that ends in 217/USER.

use serde::{Deserialize, Serialize};

/// The users and groups of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// Users in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<User>,
    /// Groups in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// Lines that glibc skips.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<BrokenLine>,
    /// Where else the host finds accounts: sources of `/etc/nsswitch.conf` other than these files and systemd. Who is
    /// in none of the files may still exist there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
    /// Users of whom the running host was asked: who is among them and not among the users does not exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked_users: Vec<String>,
    /// The same of groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked_groups: Vec<String>,
}

/// One line of `/etc/passwd`, without its password and its full name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Numeric user id.
    pub uid: u32,
    /// Numeric id of the primary group.
    pub gid: u32,
    /// Home directory; may be empty.
    pub home: String,
    /// Login shell; may be empty, which means `/bin/sh`.
    pub shell: String,
    /// Line in the file, from 1.
    pub line: u32,
}

/// One line of `/etc/group`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Group name.
    pub name: String,
    /// Numeric group id.
    pub gid: u32,
    /// Names of users for whom it is a supplementary group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// Line in the file, from 1.
    pub line: u32,
}

/// A line that gives no account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenLine {
    /// Which of the two files.
    pub file: AccountFile,
    /// Line in the file, from 1.
    pub line: u32,
    /// The name the line begins with.
    pub name: String,
    /// What is wrong with it.
    pub why: String,
}

/// The file a broken line stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountFile {
    /// `/etc/passwd`
    Passwd,
    /// `/etc/group`
    Group,
}

impl Accounts {
    /// The user of this name, as `getpwnam` finds it: the first line wins.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// The first user with this id, as `getpwuid` finds it.
    pub fn user_by_id(&self, uid: u32) -> Option<&User> {
        self.users.iter().find(|user| user.uid == uid)
    }

    /// The group of this name, as `getgrnam` finds it.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The first group with this id, as `getgrgid` finds it.
    pub fn group_by_id(&self, gid: u32) -> Option<&Group> {
        self.groups.iter().find(|group| group.gid == gid)
    }

    /// Group ids that a process of this user gets from `initgroups`: its primary group first, then every
    /// group that lists it, each once.
    pub fn group_ids_of(&self, user: &User) -> Vec<u32> {
        let mut ids = vec![user.gid];
        for group in &self.groups {
            if group.members.contains(&user.name) && !ids.contains(&group.gid) {
                ids.push(group.gid);
            }
        }
        ids
    }

    /// Names of the groups a user is in, primary group first.
    pub fn group_names_of(&self, user: &User) -> Vec<&str> {
        let ids = self.group_ids_of(user);
        ids.into_iter().filter_map(|gid| self.group_by_id(gid)).map(|group| group.name.as_str()).collect()
    }
}

/// Reads the text of both files. Bytes that are not UTF-8 become U+FFFD, which no real name holds.
pub fn parse(passwd: &[u8], group: &[u8]) -> Accounts {
    let mut accounts = Accounts::default();
    for (line, text) in numbered_lines(passwd) {
        match parse_user(&text, line) {
            Ok(user) => accounts.users.push(user),
            Err(why) => accounts.broken.push(broken(AccountFile::Passwd, line, &text, why)),
        }
    }
    for (line, text) in numbered_lines(group) {
        match parse_group(&text, line) {
            Ok(group) => accounts.groups.push(group),
            Err(why) => accounts.broken.push(broken(AccountFile::Group, line, &text, why)),
        }
    }
    accounts
}

/// Whether nsswitch.conf(5) makes the host ask systemd for users or groups.
pub fn asks_systemd(nsswitch: &[u8]) -> bool {
    numbered_lines(nsswitch).any(|(_, line)| {
        let line = line.split('#').next().unwrap_or_default();
        let Some((database, sources)) = line.split_once(':') else { return false };
        matches!(database.trim(), "passwd" | "group")
            && sources.split_whitespace().any(|word| word == "systemd")
    })
}

/// The sources of users and groups in the text of nsswitch.conf(5) beside the two files and systemd, as far as they are
/// asked about a name that the sources before them do not have.
pub fn elsewhere(nsswitch: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for (_, line) in numbered_lines(nsswitch) {
        let line = line.split('#').next().unwrap_or_default();
        let Some((database, sources)) = line.split_once(':') else { continue };
        if !matches!(database.trim(), "passwd" | "group" | "initgroups") {
            continue;
        }
        let mut in_action = false;
        for word in sources.split_whitespace() {
            in_action |= word.starts_with('[');
            let is_source = !in_action && !matches!(word, "files" | "systemd");
            if is_source && !found.iter().any(|known| known == word) {
                found.push(word.to_owned());
            }
            // `files [NOTFOUND=return] sss`: who is in none of the sources so far is in none of the next.
            if in_action && word.trim_matches(['[', ']']).eq_ignore_ascii_case("notfound=return") {
                break;
            }
            in_action &= !word.ends_with(']');
        }
    }
    found
}

/// Whether a table of accounts sends who reads it as `compat` on to other sources: a line of it begins with `+` or `-`.
pub fn sends_on(table: &[u8]) -> bool {
    table.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"+") || line.starts_with(b"-"))
}

/// Lines that are neither blank nor comments; glibc skips leading blanks.
fn numbered_lines(bytes: &[u8]) -> impl Iterator<Item = (u32, String)> + '_ {
    let lines = bytes.split(|&byte| byte == b'\n').zip(1u32..);
    lines.filter_map(|(line, number)| {
        let line = line.trim_ascii_start();
        let counts = !line.is_empty() && !line.starts_with(b"#");
        counts.then(|| (number, String::from_utf8_lossy(line).into_owned()))
    })
}

fn broken(file: AccountFile, line: u32, text: &str, why: &str) -> BrokenLine {
    let name = text.split(':').next().unwrap_or_default().chars().take(64).collect();
    BrokenLine { file, line, name, why: why.to_owned() }
}

fn parse_user(text: &str, line: u32) -> Result<User, &'static str> {
    let mut fields = text.splitn(7, ':');
    let name = account_name(fields.next())?;
    fields.next().ok_or("only one field")?;
    let uid = number(fields.next()).ok_or("the user id is not a number")?;
    let gid = number(fields.next()).ok_or("the group id is not a number")?;
    fields.next();
    let home = fields.next().unwrap_or_default().to_owned();
    let shell = fields.next().unwrap_or_default().trim_end_matches('\r').to_owned();
    Ok(User { name, uid, gid, home, shell, line })
}

fn parse_group(text: &str, line: u32) -> Result<Group, &'static str> {
    let mut fields = text.splitn(4, ':');
    let name = account_name(fields.next())?;
    fields.next().ok_or("only one field")?;
    let gid = number(fields.next()).ok_or("the group id is not a number")?;
    let members = fields.next().unwrap_or_default().split(',').map(str::trim);
    let members = members.filter(|member| !member.is_empty()).map(str::to_owned).collect();
    Ok(Group { name, gid, members, line })
}

fn account_name(field: Option<&str>) -> Result<String, &'static str> {
    match field {
        None | Some("") => Err("no name"),
        Some(name) if name.starts_with(['+', '-']) => Err("an entry for NIS, which needs `compat`"),
        Some(name) => Ok(name.to_owned()),
    }
}

fn number(field: Option<&str>) -> Option<u32> {
    field?.trim_start().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_sources_of_accounts() {
        let text = b"# passwd: nis\npasswd: files [NOTFOUND=continue SUCCESS=return] sss systemd # ldap\n\
            group:files winbind sss\nhosts: files dns\n";
        assert_eq!(elsewhere(text), ["sss", "winbind"]);
        assert!(elsewhere(b"passwd:\tfiles systemd\ngroup: files [SUCCESS=merge] systemd\n").is_empty());
    }

    fn sample() -> Accounts {
        let passwd = b"root:x:0:0:root:/root:/bin/bash\n# c\n\nqt:x:997:997::/home/qt:/usr/sbin/nologin\n\
            bad:x:abc:1::/:/bin/sh\nqt:x:1:1::/other:\n+::::::\nshort:x:5:6\n";
        let group =
            b"root:x:0:\nqt:x:997:\nadm:x:4:syslog,qt\nredis:x:110: qt\ndocker:x\nwheel:x:10:qt,,root\n";
        parse(passwd, group)
    }

    #[test]
    fn the_first_line_of_a_name_wins() {
        let accounts = sample();
        let user = accounts.user("qt").expect("qt is there");
        assert_eq!((user.uid, user.home.as_str(), user.line), (997, "/home/qt", 4));
        assert_eq!(accounts.user_by_id(0).map(|user| user.name.as_str()), Some("root"));
        assert_eq!(accounts.user("short").map(|user| user.shell.as_str()), Some(""));
    }

    #[test]
    fn supplementary_groups_come_from_every_line() {
        let accounts = sample();
        let user = accounts.user("qt").expect("qt is there");
        assert_eq!(accounts.group_names_of(user), ["qt", "adm", "redis", "wheel"]);
        assert_eq!(accounts.group_ids_of(user), [997, 4, 110, 10]);
    }

    #[test]
    fn lines_that_give_no_account_are_kept() {
        let lines: Vec<_> = sample().broken.into_iter().map(|b| (b.file, b.line, b.name)).collect();
        assert_eq!(
            lines,
            [
                (AccountFile::Passwd, 5, "bad".to_owned()),
                (AccountFile::Passwd, 7, "+".to_owned()),
                (AccountFile::Group, 5, "docker".to_owned()),
            ]
        );
    }
}
