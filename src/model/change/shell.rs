//! A change as shell for a person to copy into a root shell. Nothing in golden reads or runs it.

use super::{Change, How, Spot, Verb, drop_in_name};
use crate::model::RAW_BYTES;

/// A word of a shell command, quoted where it must be.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    // Some shells read a word that begins with `=` as the path of a program.
    if word.chars().any(|c| RAW_BYTES.contains(&c)) {
        return with_raw_bytes(word);
    }
    match !word.is_empty() && !word.starts_with('=') && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A name that is no UTF-8, in the form of quotes in which a shell reads a byte by its number.
fn with_raw_bytes(word: &str) -> String {
    let escaped = word.chars().map(|c| match c {
        c if RAW_BYTES.contains(&c) => format!("\\x{:02x}", u32::from(c) & 0xff),
        '\'' | '\\' => format!("\\{c}"),
        c => c.to_string(),
    });
    format!("$'{}'", escaped.collect::<String>())
}

/// Words as one command.
fn command(words: &[&str]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<String>>().join(" ")
}

/// What stands for `--` before a word that could be taken for an option; nothing before others.
fn guarded<'a>(words: &[&'a str], word: &'a str) -> Vec<&'a str> {
    let guard = word.starts_with('-').then_some("--");
    words.iter().copied().chain(guard).chain([word]).collect()
}

/// A name as a regular expression of sed that means just this name, between slashes.
fn expression(name: &str) -> String {
    name.chars().fold(String::new(), |mut all, c| {
        match c {
            '/' | '\\' | '^' | '.' | '*' | '[' | ']' | '$' => all.extend(['\\', c]),
            '\n' => all.push_str("\\n"),
            c => all.push(c),
        }
        all
    })
}

/// The same as the user whose directory it is done in.
fn at(spot: &Spot, shell: String) -> String {
    match &spot.user {
        None => shell,
        Some(user) if shell.contains(['>', ';', '|', '&']) => {
            format!("runuser -u {} -- sh -c {}", quoted(user), quoted(&shell))
        }
        Some(user) => format!("runuser -u {} -- {shell}", quoted(user)),
    }
}

/// Adds lines to the end of a file.
fn append(path: &str, lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| quoted(line)).collect();
    format!("printf '%s\\n' {} >> {}", lines.join(" "), quoted(path))
}

/// Replaces a line and the lines that continue it.
fn replace_line(path: &str, line: u32, text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('|', r"\|").replace('&', r"\&").replace('\n', r"\n");
    let script = format!(r"{line}{{:a;/\\$/{{N;ba}};s|.*|{text}|}}");
    format!("sed -i {} {}", quoted(&script), quoted(path))
}

/// Empties a line and the lines that continue it.
fn empty_line(path: &str, line: u32) -> String {
    let script = format!(r"{line}{{:a;/\\$/{{N;ba}};s/[^\n]*//g}}");
    format!("sed -i {} {}", quoted(&script), quoted(path))
}

/// A variable as a line of an env file, quoted where systemd needs it (systemd.exec(5), `EnvironmentFile=`).
pub(super) fn env_line(name: &str, value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    match value.chars().all(plain) {
        true => format!("{name}={value}"),
        false => format!(
            "{name}=\"{}\"",
            value.replace('\\', r"\\").replace('"', "\\\"").replace('$', "\\$").replace('`', "\\`")
        ),
    }
}

/// Whether names and paths are each one word of sysusers.d(5) that means itself.
pub(crate) fn are_words(names: &[Option<&str>]) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    names.iter().flatten().all(|name| !name.is_empty() && !name.starts_with('-') && name.chars().all(plain))
}

impl Change {
    /// A variable of an env file as the line that is written.
    pub fn env_line(name: &str, value: &str) -> String {
        env_line(name, value)
    }

    /// The assignments that a setting change writes.
    pub fn assignments(key: &str, values: &[String], how: How) -> Vec<String> {
        let reset = (how == How::Replace).then(|| format!("{key}="));
        reset.into_iter().chain(values.iter().map(|value| format!("{key}={value}"))).collect()
    }

    /// The shell that a person may copy.
    pub fn shell(&self) -> String {
        match self {
            Change::Setting { unit, section, key, values, how, over } => {
                let directory = format!("/etc/systemd/system/{unit}.d");
                let mut lines = vec![format!("[{section}]")];
                lines.extend(Change::assignments(key, values, *how));
                let file = format!("{directory}/{}", drop_in_name(over.as_deref()));
                format!("mkdir -p {} && {}", quoted(&directory), append(&file, &lines))
            }
            Change::UnitLine { path, line, text: Some(text), .. } => replace_line(path, *line, text),
            Change::UnitLine { path, line, text: None, .. } => empty_line(path, *line),
            Change::Variable { path, line: Some(line), name, value: Some(value) } => {
                replace_line(path, *line, &env_line(name, value))
            }
            Change::Variable { path, line: None, name, value: Some(value) } => {
                append(path, &[env_line(name, value)])
            }
            Change::Variable { path, line: Some(line), value: None, .. } => empty_line(path, *line),
            Change::Variable { path, line: None, name, value: None } => {
                format!(
                    "sed -i {} {}",
                    quoted(&format!("/^[[:blank:]]*{}[[:blank:]]*=/d", expression(name))),
                    quoted(path)
                )
            }
            // Only golden knows which text the file had before, and in which state the models are.
            Change::Assignment { .. } | Change::Artefact { .. } => "golden model".to_owned(),
            Change::Directive { path, name, value } => {
                let script = format!("/^[[:blank:]]*{}[[:blank:]]/Id", expression(name));
                let line = append(path, &[format!("{name} {value}")]);
                format!("sed -i {} {} && {line}", quoted(&script), quoted(path))
            }
            Change::Server { address, name, value, .. } => {
                let mut words = super::redis_cli(address);
                words.extend(["config", "set", name, value]);
                command(&words)
            }
            Change::Lines { at: spot, line: Some(line), lines, .. } if lines.is_empty() => {
                at(spot, empty_line(&spot.path, *line))
            }
            Change::Lines { at: spot, line: Some(line), lines, .. } => {
                at(spot, replace_line(&spot.path, *line, &lines.join("\n")))
            }
            Change::Lines { at: spot, line: None, lines, .. } => at(spot, append(&spot.path, lines)),
            Change::Mode { at: spot, mode } => {
                at(spot, command(&["chmod", &format!("{mode:04o}"), &spot.path]))
            }
            Change::Owner { at: spot, owner, group } => {
                let name = |name: &Option<String>| name.clone().unwrap_or_default();
                let whose = match group {
                    None => name(owner),
                    Some(group) => format!("{}:{group}", name(owner)),
                };
                let words = guarded(&["chown", "--no-dereference"], &whose);
                at(spot, command(&[&words[..], &[&spot.path]].concat()))
            }
            Change::Directory { at: spot, owner, group, mode } => {
                let mode = format!("{mode:04o}");
                match &spot.user {
                    None => command(&["install", "-d", "-o", owner, "-g", group, "-m", &mode, &spot.path]),
                    Some(_) => at(spot, command(&["install", "-d", "-m", &mode, &spot.path])),
                }
            }
            Change::File { at: spot, content, owner, group, mode } => {
                let lines: Vec<String> = content.lines().map(quoted).collect();
                let write = format!("printf '%s\\n' {} > {}", lines.join(" "), quoted(&spot.path));
                let chmod = command(&["chmod", &format!("{mode:04o}"), &spot.path]);
                match &spot.user {
                    None => {
                        let whose = format!("{owner}:{group}");
                        let chown = command(&[&guarded(&["chown"], &whose)[..], &[&spot.path]].concat());
                        format!("{write} && {chown} && {chmod}")
                    }
                    Some(_) => at(spot, format!("{write} && {chmod}")),
                }
            }
            Change::Link { at: spot, target } => at(spot, command(&["ln", "-sfn", "--", target, &spot.path])),
            Change::Remove { at: spot } => at(spot, command(&["rm", "-f", "--", &spot.path])),
            Change::Move { at: spot, to } => at(spot, command(&["mv", "-nT", "--", &spot.path, to])),
            // Such a name would be more than one word of sysusers.d(5).
            Change::Account { user, group, home }
                if !are_words(&[user.as_deref(), Some(group), home.as_deref()]) =>
            {
                "golden apply".to_owned()
            }
            Change::Account { user, group, home } => {
                let mut words =
                    vec!["systemd-sysusers".to_owned(), "--inline".to_owned(), format!("g {group} -")];
                if let Some(user) = user {
                    let home = home.as_deref().unwrap_or("-");
                    words.push(format!("u {user} -:{group} - {home}"));
                }
                command(&words.iter().map(String::as_str).collect::<Vec<&str>>())
            }
            Change::LeaveGroup { user, group } => command(&guarded(&["gpasswd", "-d", user], group)),
            Change::Packages { names } => {
                let mut words = vec!["apt-get", "install", "--yes", "--"];
                words.extend(names.iter().map(String::as_str));
                command(&words)
            }
            Change::Clone { remote, branch, path, user } => {
                let mut words = vec!["runuser", "-u", user, "--", "git", "clone"];
                words.extend(branch.iter().flat_map(|branch| ["--branch", branch.as_str()]));
                words.extend(["--", remote, path]);
                command(&words)
            }
            Change::Checkout { to, .. } => command(&guarded(&["golden", "deploy"], &to.commit)),
            Change::Restore { at: spot, tree } => {
                at(spot, command(&["git", "-C", tree, "checkout", "HEAD", "--", &spot.path]))
            }
            Change::Venv { .. } => "golden apply".to_owned(),
            Change::Database { at: spot, owner } => {
                let path = quoted(&spot.path);
                let make = format!(
                    "python3 -c \"import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('pragma journal_mode=wal')\" {path}"
                );
                match &spot.user {
                    None => {
                        let chown = command(&[&guarded(&["chown"], owner)[..], &[&spot.path]].concat());
                        format!("{make} && {chown}")
                    }
                    Some(_) => at(spot, make),
                }
            }
            Change::Reload => "systemctl daemon-reload".to_owned(),
            Change::Unit { verb: Verb::Retire, unit } => {
                command(&["systemctl", "disable", "--now", "--", unit])
            }
            Change::Unit { verb, unit } => command(&["systemctl", verb.word(), "--", unit]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_where_they_must_be() {
        assert_eq!(quoted("User=qt"), "User=qt");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn what_lies_in_a_users_directory_is_done_as_that_user() {
        let change = Change::Mode { at: Spot::of_user("/home/qt/x y", "qt"), mode: 0o755 };
        assert_eq!(change.shell(), "runuser -u qt -- chmod 0755 '/home/qt/x y'");
        let change = Change::Lines {
            at: Spot::of_user("/home/qt/M", "qt"),
            line: None,
            was: String::new(),
            lines: vec!["a'b".into()],
        };
        assert_eq!(
            change.shell(),
            r"runuser -u qt -- sh -c 'printf '\''%s\n'\'' '\''a'\''\'\'''\''b'\'' >> /home/qt/M'"
        );
    }

    #[test]
    fn a_replacement_is_text() {
        let change = Change::UnitLine {
            unit: "x.service".into(),
            path: "/etc/systemd/system/x.service".into(),
            line: 3,
            text: Some("Description=a|b&c\\d".into()),
        };
        let script = r"3{:a;/\\$/{N;ba};s|.*|Description=a\|b\&c\\d|}";
        assert_eq!(change.shell(), format!("sed -i '{script}' /etc/systemd/system/x.service"));
    }
}
