//! As much of sudoers(5) as it takes to say that a user may become root by sudo.
//!
//! Reads user specifications and aliases of users and hosts, follows `%group`, `#uid` and negation, and lists included
//! files for the caller to read. What no file says (members of a netgroup, the addresses of a host) makes a grant doubtful.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::accounts::{Accounts, User};
use super::glob;

/// Aliases in aliases are followed this deep; nobody nests them further.
const DEEPEST_ALIAS: usize = 64;

/// One sudoers file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sudoers {
    /// Lines that grant or deny something.
    pub rules: Vec<Rule>,
    /// `User_Alias`, `Runas_Alias` and `Host_Alias` definitions: name and members.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<(String, Vec<String>)>,
    /// `@include`, `#include` and their `dir` forms, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub includes: Vec<Include>,
}

/// One user specification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Line on which it begins, from 1.
    pub line: u32,
    /// The line with continuations joined and its comment removed.
    pub text: String,
    /// Who may.
    pub users: Vec<String>,
    /// On which hosts; empty in facts that were recorded before it was read, which means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// As whom; empty where the rule does not say, which means root.
    pub run_as: Vec<String>,
    /// What, tags removed.
    pub commands: Vec<String>,
    /// `NOPASSWD:` stands before one of the commands.
    pub no_password: bool,
}

/// A file or directory that a sudoers file includes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Include {
    /// Line, from 1.
    pub line: u32,
    /// Path as written; relative to the including file's directory, `%h` is the host's name.
    pub path: String,
    /// `includedir`: every file of it whose name neither ends in `~` nor holds a dot.
    pub is_directory: bool,
}

/// A rule that lets a user run something as root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Any command, not only listed ones.
    pub everything: bool,
    /// What it depends on that no file says; `None` where it is certain.
    pub depends_on: Option<String>,
}

impl Sudoers {
    /// Appends what an included file says. Aliases hold across files.
    pub fn extend(&mut self, other: Sudoers) {
        self.rules.extend(other.rules);
        self.aliases.extend(other.aliases);
        self.includes.extend(other.includes);
    }

    /// Rules by which `user` may run a command as root on the host of this name.
    pub fn grants_root(&self, user: &User, accounts: &Accounts, host: &str) -> Vec<Grant<'_>> {
        let groups = accounts.group_ids_of(user);
        let aliases: HashMap<&str, &[String]> =
            self.aliases.iter().map(|(name, members)| (name.as_str(), members.as_slice())).collect();
        let is_user = |item: &str| match item.strip_prefix('%') {
            _ if item.starts_with('+') => Match::Depends(format!("the netgroup {item}")),
            Some(group) if group.starts_with(':') => Match::Depends(format!("the group {item}")),
            Some(group) => Match::from(match group.strip_prefix('#') {
                Some(gid) => gid.parse().is_ok_and(|gid| groups.contains(&gid)),
                None => accounts.group(group).is_some_and(|group| groups.contains(&group.gid)),
            }),
            None => Match::from(
                item.strip_prefix('#').map_or(item == user.name, |uid| uid.parse() == Ok(user.uid)),
            ),
        };
        let is_root = |item: &str| Match::from(item == "root" || item == "#0");
        let is_host = |item: &str| of_host(item, host);
        let mut users = Matcher::new(&aliases, &is_user);
        let mut run_as = Matcher::new(&aliases, &is_root);
        let mut hosts = Matcher::new(&aliases, &is_host);
        let mut grants = Vec::new();
        for rule in &self.rules {
            let root = if rule.run_as.is_empty() { Match::Yes } else { run_as.list(&rule.run_as) };
            let here = if rule.hosts.is_empty() { Match::Yes } else { hosts.list(&rule.hosts) };
            let allowed = Match::from(rule.commands.iter().any(|command| !command.starts_with('!')));
            let depends_on = match [root, allowed, users.list(&rule.users), here].into_iter().max() {
                Some(Match::Yes) => None,
                Some(Match::Depends(on)) => Some(on),
                _ => continue,
            };
            let everything = rule.commands.iter().any(|command| command == "ALL");
            grants.push(Grant { rule, everything, depends_on });
        }
        grants
    }
}

/// Whether an item of a list is met. Of several that must all be met the greatest counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    Yes,
    /// No file says; on what it depends.
    Depends(String),
    No,
}

impl From<bool> for Match {
    fn from(is_met: bool) -> Self {
        if is_met { Match::Yes } else { Match::No }
    }
}

/// Whether an item of a list of hosts is this one (sudoers(5), "Host_List"): its name, a pattern for it, or what the
/// host's files do not say, its addresses and netgroups. A name with a dot is compared with the whole name of the host.
fn of_host(item: &str, host: &str) -> Match {
    let is_address =
        item.contains(':') || item.bytes().all(|byte| byte.is_ascii_digit() || b"./".contains(&byte));
    // A disk without a name is called by where it lies.
    let is_nameless = host.contains('/') && !item.trim_matches('*').is_empty();
    if item.starts_with('+') || is_address || is_nameless {
        return Match::Depends(format!("whether this host is {item}"));
    }
    let short = host.split('.').next().unwrap_or(host);
    let is_it = |name: &str| glob::matches_word(&item.to_ascii_lowercase(), &name.to_ascii_lowercase());
    match item.split_once('.') {
        None => Match::from(is_it(short)),
        Some(_) if host.contains('.') => Match::from(is_it(host)),
        // A resolver may know the host by a longer name (`Defaults fqdn`).
        Some((name, _)) if name.eq_ignore_ascii_case(short) => {
            Match::Depends(format!("whether this host is {item}"))
        }
        Some(_) => Match::No,
    }
}

/// Judges lists whose items may be aliases; the last item that matches decides, `!` negates.
struct Matcher<'a> {
    aliases: &'a HashMap<&'a str, &'a [String]>,
    matches: &'a dyn Fn(&str) -> Match,
    /// Aliases judged already; a circle ends because one that is being judged matches nothing.
    judged: HashMap<&'a str, Verdict>,
    /// How many aliases deep we are.
    depth: usize,
}

/// What a list says: `None` where no item of it matches, so that what was said before stays.
type Verdict = Option<Match>;

impl<'a> Matcher<'a> {
    fn new(aliases: &'a HashMap<&'a str, &'a [String]>, matches: &'a dyn Fn(&str) -> Match) -> Self {
        Self { aliases, matches, judged: HashMap::new(), depth: 0 }
    }

    fn list(&mut self, items: &[String]) -> Match {
        self.verdict(items).unwrap_or(Match::No)
    }

    fn verdict(&mut self, items: &[String]) -> Verdict {
        let mut verdict = None;
        for item in items {
            let name = item.trim_start_matches('!');
            let negated = (item.len() - name.len()) % 2 == 1;
            let said = match self.item(name) {
                None => continue,
                Some(Match::Yes) => Match::from(!negated),
                Some(Match::No) => Match::from(negated),
                // Whether or not it matches, what it would say was said already.
                Some(Match::Depends(_)) if verdict.clone().unwrap_or(Match::No) == Match::from(!negated) => {
                    continue;
                }
                Some(depends) => depends,
            };
            verdict = Some(said);
        }
        verdict
    }

    fn item(&mut self, name: &str) -> Verdict {
        if name == "ALL" {
            return Some(Match::Yes);
        }
        match (self.matches)(name) {
            Match::No => {}
            known => return Some(known),
        }
        let (&key, &members) = self.aliases.get_key_value(name)?;
        if let Some(known) = self.judged.get(key) {
            return known.clone();
        }
        self.judged.insert(key, None);
        if self.depth >= DEEPEST_ALIAS {
            return None;
        }
        self.depth += 1;
        let verdict = self.verdict(members);
        self.depth -= 1;
        self.judged.insert(key, verdict.clone());
        verdict
    }
}

/// Reads the text of a sudoers file.
pub fn parse(text: &str) -> Sudoers {
    let mut sudoers = Sudoers::default();
    for (line, text) in logical_lines(text) {
        if let Some(include) = parse_include(&text, line) {
            sudoers.includes.push(include);
            continue;
        }
        let text = without_comment(&text).trim();
        let keyword = text.split([' ', '\t']).next().unwrap_or_default();
        match keyword {
            "" => {}
            "User_Alias" | "Runas_Alias" | "Host_Alias" => {
                read_aliases(&text[keyword.len()..], &mut sudoers.aliases);
            }
            "Cmnd_Alias" | "Cmd_Alias" => {}
            _ if keyword.starts_with("Defaults") => {}
            _ => sudoers.rules.extend(parse_rules(text, line)),
        }
    }
    sudoers
}

/// Lines with continuations joined, each with the number of its first line.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(u32, String)> = None;
    for (line, number) in text.lines().zip(1u32..) {
        let (start, mut joined) = open.take().unwrap_or((number, String::new()));
        match line.strip_suffix('\\') {
            Some(part) => {
                joined.push_str(part);
                joined.push(' ');
                open = Some((start, joined));
            }
            None => {
                joined.push_str(line);
                lines.push((start, joined));
            }
        }
    }
    lines.extend(open);
    lines
}

fn parse_include(text: &str, line: u32) -> Option<Include> {
    let text = text.trim();
    let rest = text.strip_prefix('@').or_else(|| text.strip_prefix('#'))?;
    let (rest, is_directory) = match rest.strip_prefix("includedir") {
        Some(rest) => (rest, true),
        None => (rest.strip_prefix("include")?, false),
    };
    let path = rest.starts_with([' ', '\t']).then(|| rest.trim().trim_matches('"'))?;
    Some(Include { line, path: path.to_owned(), is_directory })
}

/// Cuts a comment off. `#` before a digit is a user id, `%#` a group id, `\#` a plain character.
fn without_comment(text: &str) -> &str {
    let bytes = text.as_bytes();
    let mut quoted = false;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'#' if !quoted => {
                let before = at.checked_sub(1).and_then(|index| bytes.get(index));
                let is_id = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
                if before != Some(&b'\\') && !is_id {
                    return &text[..at];
                }
            }
            _ => {}
        }
    }
    text
}

/// `NAME = a, b : OTHER = c`
fn read_aliases(text: &str, aliases: &mut Vec<(String, Vec<String>)>) {
    for definition in text.split(" :").flat_map(|part| part.split(": ")) {
        if let Some((name, members)) = definition.split_once('=') {
            aliases.push((name.trim().to_owned(), list(members)));
        }
    }
}

/// `users hosts = (run as) TAG: commands`, several such parts for the same users separated by ` : `.
fn parse_rules(text: &str, line: u32) -> Vec<Rule> {
    let Some((left, _)) = split_unescaped(text, '=') else { return Vec::new() };
    let users = users_of(left);
    let Some(at) = text.find(users) else { return Vec::new() };
    let mut parts: Vec<String> = Vec::new();
    for part in text[at + users.len()..].split(" : ") {
        match parts.last_mut() {
            Some(last)
                if split_unescaped(part, '=').is_none()
                    || last.matches('(').count() > last.matches(')').count() =>
            {
                last.push_str(" : ");
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
    }
    parts.iter().filter_map(|part| parse_part(part, text, users, line)).collect()
}

fn parse_part(part: &str, text: &str, users: &str, line: u32) -> Option<Rule> {
    let (hosts, right) = split_unescaped(part, '=')?;
    let mut rule = Rule {
        line,
        text: text.to_owned(),
        users: list(users),
        hosts: list(hosts),
        run_as: Vec::new(),
        commands: Vec::new(),
        no_password: false,
    };
    let mut rest = right.trim_start();
    if let Some((run_as, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
        // `(user : group)`: with a group alone the user stays the caller, which is not root.
        let user_part = run_as.split(':').next().unwrap_or_default().trim();
        let caller_only = user_part.is_empty() && run_as.contains(':');
        rule.run_as = if caller_only { vec!["!ALL".to_owned()] } else { list(user_part) };
        rest = after;
    }
    for command in list(rest) {
        let mut command = command.as_str();
        while let Some((tag, after)) = command.split_once(':') {
            if tag.is_empty() || !tag.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
                break;
            }
            rule.no_password |= tag == "NOPASSWD";
            command = after.trim_start();
        }
        rule.commands.push(command.to_owned());
    }
    Some(rule)
}

/// The user list ends at the first blank that neither follows nor precedes a comma.
fn users_of(left: &str) -> &str {
    let left = left.trim();
    let mut quoted = false;
    let mut last = ' ';
    let mut blank_from = None;
    for (at, c) in left.char_indices() {
        let blank = matches!(c, ' ' | '\t');
        if blank && !quoted && last != '\\' {
            blank_from.get_or_insert(at);
            continue;
        }
        if let Some(end) = blank_from.take()
            && c != ','
            && !matches!(last, ',' | '!')
        {
            return &left[..end];
        }
        quoted ^= c == '"';
        last = c;
    }
    left
}

fn split_unescaped(text: &str, separator: char) -> Option<(&str, &str)> {
    let at = text.match_indices(separator).map(|(at, _)| at).find(|&at| !text[..at].ends_with('\\'))?;
    Some((&text[..at], &text[at + 1..]))
}

/// Items between commas, trimmed, quotes and escapes removed.
fn list(text: &str) -> Vec<String> {
    let items = text.split(',').map(|item| item.trim().replace(['"', '\\'], ""));
    items.map(|item| item.replace("! ", "!")).filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::accounts;

    fn granted(text: &str) -> Vec<u32> {
        let accounts = accounts::parse(
            b"root:x:0:0::/root:/bin/sh\nqt:x:997:997::/home/qt:/bin/sh\n",
            b"root:x:0:\nqt:x:997:\nsudo:x:27:qt\nadmin:x:28:bob\n",
        );
        let user = accounts.user("qt").expect("qt is there");
        let sudoers = parse(text);
        let certain = |grant: &Grant| grant.depends_on.is_none().then_some(grant.rule.line);
        sudoers.grants_root(user, &accounts, "web1").iter().filter_map(certain).collect()
    }

    #[test]
    fn who_is_meant() {
        let text = "root ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n%admin ALL=(ALL) ALL\n#997 ALL=ALL\n\
                    %#27 ALL=ALL\nbob,qt ALL = NOPASSWD: ALL\nbob , qt ALL=ALL\nALL, !qt ALL=ALL\n\"qt\" ALL=ALL\n";
        assert_eq!(granted(text), [2, 4, 5, 6, 7, 9]);
    }

    #[test]
    fn aliases_continuations_and_circles() {
        let text = "User_Alias OPS = bob, \\\n  qt : WEB = www\nOPS ALL=(root) /bin/systemctl restart x\n\
                    WEB ALL=ALL\nUser_Alias X = Y : Y = X\nX ALL=ALL\nRunas_Alias DB = pg\nqt ALL=(DB) ALL\n";
        assert_eq!(granted(text), [3]);
    }

    #[test]
    fn on_which_hosts() {
        let text = "qt web1=ALL\nqt db1=ALL\nqt ALL, !db1=ALL\nqt ALL, !web1=ALL\nHost_Alias DB = db*\nqt DB=ALL\n\
                    qt web?=ALL\nqt db1 = ALL : WEB1 = (root : root) ALL\nqt db1.example.org=ALL\n";
        assert_eq!(granted(text), [1, 3, 7, 8]);
    }

    #[test]
    fn what_no_file_says() {
        let accounts = accounts::parse(
            b"root:x:0:0::/root:/bin/sh\nqt:x:997:997::/:/bin/sh\n",
            b"root:x:0:\nqt:x:997:\n",
        );
        let user = accounts.user("qt").expect("qt is there");
        let text = "+ops ALL=ALL\nqt 192.0.2.0/24=ALL\nqt web1.example.org=ALL\nqt +web=ALL\n\
                    +ops, qt ALL=ALL\nALL, !+ops ALL=ALL\n!+ops db1=ALL\n";
        let sudoers = parse(text);
        let all = sudoers.grants_root(user, &accounts, "web1");
        let lines: Vec<_> = all.iter().map(|grant| (grant.rule.line, grant.depends_on.is_some())).collect();
        assert_eq!(lines, [(1, true), (2, true), (3, true), (4, true), (5, false), (6, true)]);
    }

    #[test]
    fn as_whom_and_what() {
        let text = "qt ALL=(postgres) ALL\nqt ALL=(:docker) ALL\nqt ALL=(postgres,root) ALL\nqt ALL=!/bin/su\n\
                    qt ALL=(ALL, !root) ALL # x\n# qt ALL=ALL\n";
        assert_eq!(granted(text), [3]);
    }

    #[test]
    fn details_of_a_grant_and_includes() {
        let sudoers = parse(
            "@includedir /etc/sudoers.d\n#include more\n# include no\nqt ALL=(ALL) NOPASSWD:SETENV: ALL\n",
        );
        let includes: Vec<_> =
            sudoers.includes.iter().map(|i| (i.line, i.path.as_str(), i.is_directory)).collect();
        assert_eq!(includes, [(1, "/etc/sudoers.d", true), (2, "more", false)]);
        assert!(sudoers.rules[0].no_password);
        assert_eq!(sudoers.rules[0].commands, ["ALL"]);
    }
}
