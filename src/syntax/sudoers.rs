//! As much of sudoers(5) as it takes to say that a user may become root by sudo.
//!
//! Reads user specifications and user aliases, follows `%group`, `#uid` and negation, and lists included files
//! for the caller to read. Hosts are taken to match. What it cannot know (netgroups, LDAP) it does not grant.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::accounts::{Accounts, User};

/// Aliases in aliases are followed this deep; nobody nests them further.
const DEEPEST_ALIAS: usize = 64;

/// One sudoers file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sudoers {
    /// Lines that grant or deny something.
    pub rules: Vec<Rule>,
    /// `User_Alias` and `Runas_Alias` definitions: name and members.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Any command, not only listed ones.
    pub everything: bool,
}

impl Sudoers {
    /// Appends what an included file says. Aliases hold across files.
    pub fn extend(&mut self, other: Sudoers) {
        self.rules.extend(other.rules);
        self.aliases.extend(other.aliases);
        self.includes.extend(other.includes);
    }

    /// Rules by which `user` may run a command as root.
    pub fn grants_root(&self, user: &User, accounts: &Accounts) -> Vec<Grant<'_>> {
        let groups = accounts.group_ids_of(user);
        let aliases: HashMap<&str, &[String]> =
            self.aliases.iter().map(|(name, members)| (name.as_str(), members.as_slice())).collect();
        let is_user = |item: &str| match item.strip_prefix('%') {
            Some(group) => match group.strip_prefix('#') {
                Some(gid) => gid.parse().is_ok_and(|gid| groups.contains(&gid)),
                None => accounts.group(group).is_some_and(|group| groups.contains(&group.gid)),
            },
            None => item.strip_prefix('#').map_or(item == user.name, |uid| uid.parse() == Ok(user.uid)),
        };
        let is_root = |item: &str| item == "root" || item == "#0";
        let mut users = Matcher { aliases: &aliases, matches: &is_user, judged: HashMap::new(), depth: 0 };
        let mut run_as = Matcher { aliases: &aliases, matches: &is_root, judged: HashMap::new(), depth: 0 };
        let mut grants = Vec::new();
        for rule in &self.rules {
            let as_root = rule.run_as.is_empty() || run_as.list(&rule.run_as) == Some(true);
            let allowed = rule.commands.iter().any(|command| !command.starts_with('!'));
            if as_root && allowed && users.list(&rule.users) == Some(true) {
                let everything = rule.commands.iter().any(|command| command == "ALL");
                grants.push(Grant { rule, everything });
            }
        }
        grants
    }
}

/// Judges lists whose items may be aliases; the last item that matches decides, `!` negates.
struct Matcher<'a> {
    aliases: &'a HashMap<&'a str, &'a [String]>,
    matches: &'a dyn Fn(&str) -> bool,
    /// Aliases judged already; None while one is being judged, so that a circle ends.
    judged: HashMap<&'a str, Option<bool>>,
    /// How many aliases deep we are.
    depth: usize,
}

impl Matcher<'_> {
    fn list(&mut self, items: &[String]) -> Option<bool> {
        let mut verdict = None;
        for item in items {
            let name = item.trim_start_matches('!');
            let negated = (item.len() - name.len()) % 2 == 1;
            if let Some(matched) = self.item(name) {
                verdict = Some(matched != negated);
            }
        }
        verdict
    }

    fn item(&mut self, name: &str) -> Option<bool> {
        if name == "ALL" || (self.matches)(name) {
            return Some(true);
        }
        let (&key, &members) = self.aliases.get_key_value(name)?;
        if let Some(known) = self.judged.get(key) {
            return *known;
        }
        self.judged.insert(key, None);
        if self.depth >= DEEPEST_ALIAS {
            return None;
        }
        self.depth += 1;
        let verdict = self.list(members);
        self.depth -= 1;
        self.judged.insert(key, verdict);
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
            "User_Alias" | "Runas_Alias" => read_aliases(&text[keyword.len()..], &mut sudoers.aliases),
            "Host_Alias" | "Cmnd_Alias" | "Cmd_Alias" => {}
            _ if keyword.starts_with("Defaults") => {}
            _ => sudoers.rules.extend(parse_rule(text, line)),
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

/// `users hosts = (run as) TAG: commands`, several host parts separated by `:`.
fn parse_rule(text: &str, line: u32) -> Option<Rule> {
    let (left, right) = split_unescaped(text, '=')?;
    let users = users_of(left);
    let mut rule = Rule {
        line,
        text: text.to_owned(),
        users: list(users),
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
        parse(text).grants_root(user, &accounts).iter().map(|grant| grant.rule.line).collect()
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
