//! Edits of text: of one line, one variable, one directive. Each is proven on the text that it makes before it counts.

use super::No;
use crate::model::Change;
use crate::syntax::{env_file, redis_conf};

/// The text of a file; golden edits only what it can read.
fn text(bytes: &[u8]) -> Result<&str, No> {
    std::str::from_utf8(bytes).map_err(|_| No::Person("it is not UTF-8; edit it by hand".to_owned()))
}

/// The lines of a text with the ends that they have.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The index of a line and how many lines it goes on for.
fn span(lines: &[&str], line: u32) -> Option<(usize, usize)> {
    let at = usize::try_from(line).ok()?.checked_sub(1).filter(|at| *at < lines.len())?;
    let goes_on =
        lines[at..].iter().take_while(|line| line.trim_end_matches(['\n', '\r']).ends_with('\\')).count();
    Some((at, (goes_on + 1).min(lines.len() - at)))
}

/// Replaces a line and those that continue it. The number of lines stays, so that others keep theirs.
pub(super) fn replaced(bytes: &[u8], line: u32, was: Option<&str>, with: &[String]) -> Result<Vec<u8>, No> {
    let text = text(bytes)?;
    let all = lines(text);
    let (at, length) =
        span(&all, line).ok_or_else(|| No::Person(format!("it has no line {line} any more")))?;
    let says = all[at].trim_end_matches(['\n', '\r']);
    if was.is_some_and(|was| was.trim_end_matches(['\n', '\r']) != says) {
        return Err(No::Person(format!("line {line} has changed since it was judged")));
    }
    if with.iter().any(|line| line.contains('\0')) {
        return Err(No::Person("a line cannot hold a NUL".to_owned()));
    }
    let ends = all[at + length - 1].ends_with('\n');
    let mut new: Vec<String> = all[..at].iter().map(|line| (*line).to_owned()).collect();
    let count = length.max(with.len()).max(1);
    for index in 0..count {
        let end = if index + 1 < count || ends { "\n" } else { "" };
        new.push(format!("{}{end}", with.get(index).map_or("", String::as_str)));
    }
    new.extend(all[at + length..].iter().map(|line| (*line).to_owned()));
    Ok(new.concat().into_bytes())
}

/// Adds lines at the end; the last one may have no end.
pub(super) fn appended(bytes: &[u8], with: &[String]) -> Vec<u8> {
    let mut new = bytes.to_vec();
    if !new.is_empty() && !new.ends_with(b"\n") {
        new.push(b'\n');
    }
    for line in with {
        new.extend_from_slice(line.as_bytes());
        new.push(b'\n');
    }
    new
}

/// Sets or takes out a variable of an env file. Every other variable must keep the value that systemd reads.
pub(super) fn variable(
    bytes: &[u8],
    line: Option<u32>,
    name: &str,
    value: Option<&str>,
) -> Result<Vec<u8>, No> {
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
    if !is_name || value.is_some_and(|value| value.contains(['\n', '\r', '\0'])) {
        return Err(No::Person(format!("{name:?} cannot be set in one line")));
    }
    text(bytes)?;
    let new = match (line, value) {
        (Some(line), Some(value)) => replaced(bytes, line, None, &[Change::env_line(name, value)])?,
        (Some(line), None) => replaced(bytes, line, None, &[])?,
        (None, Some(value)) => appended(bytes, &[Change::env_line(name, value)]),
        (None, None) => {
            let read = env_file::parse(bytes, u32::MAX);
            let at = read.variables.iter().rev().find(|variable| variable.name == name);
            let at = at.ok_or_else(|| No::Person(format!("{name} is not set there")))?;
            replaced(bytes, at.line, None, &[])?
        }
    };
    let (before, after) = (env_file::parse(bytes, u32::MAX), env_file::parse(&new, u32::MAX));
    let others = |file: &env_file::EnvFile| -> Vec<(String, String)> {
        let others = file.variables.iter().filter(|variable| variable.name != name);
        others.map(|variable| (variable.name.clone(), variable.value.clone())).collect()
    };
    let is_right = match value {
        Some(value) => after.get(name).is_some_and(|variable| variable.value == value),
        None => line.is_some() || after.get(name).is_none(),
    };
    match is_right && others(&before) == others(&after) && after.fatal.is_none() {
        true => Ok(new),
        false => Err(No::Person(format!(
            "{name} cannot be changed without changing another line; a quote may be open"
        ))),
    }
}

/// Puts the text of one assignment of an env file in the place of another. `was` is the text of the assignment that counts
/// now; without it the new text is added at the end. Every other byte stays.
pub(super) fn assignment(
    bytes: &[u8],
    name: &str,
    was: Option<&str>,
    now: Option<&str>,
) -> Result<Vec<u8>, No> {
    let changed = || No::Person(format!("{name} is no longer set as it was when this was planned"));
    let found = env_file::assignment(bytes, name);
    let new = match (found, was) {
        (Some(at), Some(was)) if &bytes[at.clone()] == was.as_bytes() => {
            let (end, now) = match now {
                Some(now) => (at.end, now),
                // Its line goes with it.
                None => (at.end + usize::from(bytes.get(at.end) == Some(&b'\n')), ""),
            };
            [&bytes[..at.start], now.as_bytes(), &bytes[end..]].concat()
        }
        (None, None) => match now {
            Some(now) => appended(bytes, &[now.to_owned()]),
            None => bytes.to_vec(),
        },
        _ => return Err(changed()),
    };
    let (before, after) = (env_file::parse(bytes, u32::MAX), env_file::parse(&new, u32::MAX));
    let others = |file: &env_file::EnvFile| -> Vec<(String, String)> {
        let others = file.variables.iter().filter(|variable| variable.name != name);
        others.map(|variable| (variable.name.clone(), variable.value.clone())).collect()
    };
    let is_right = env_file::assignment(&new, name).map(|at| &new[at]) == now.map(str::as_bytes);
    match is_right && others(&before) == others(&after) && after.fatal.is_none() {
        true => Ok(new),
        false => Err(No::Person(format!("{name} cannot be changed without changing another line"))),
    }
}

/// Sets a directive of a Redis configuration file.
pub(super) fn directive(bytes: &[u8], name: &str, value: &str) -> Result<Vec<u8>, No> {
    if name.contains(char::is_whitespace) || value.contains(['\n', '\r', '\0']) {
        return Err(No::Person(format!("{name:?} cannot be set in one line")));
    }
    let new = with_directive(text(bytes)?, name, value);
    let wanted: Vec<&str> = value.split_whitespace().collect();
    match directive_of(&new, name).is_some_and(|words| words == wanted) {
        true => Ok(new.into_bytes()),
        false => Err(No::Person(format!("{name} is decided elsewhere in that file"))),
    }
}

/// The text with a directive set: its last line is replaced, or one is added. The last of a name wins (redis.conf).
fn with_directive(text: &str, name: &str, value: &str) -> String {
    let is_it =
        |line: &str| line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(name));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = format!("{name} {value}");
    match lines.iter().rposition(|line| is_it(line)) {
        Some(at) => lines[at] = line,
        None => lines.push(line),
    }
    lines.join("\n") + "\n"
}

/// The value of a directive in a text.
fn directive_of(text: &str, name: &str) -> Option<Vec<String>> {
    let conf = redis_conf::parse(text.as_bytes());
    conf.last(name).map(|directive| directive.arguments.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(made: Result<Vec<u8>, No>) -> String {
        match made {
            Ok(bytes) => String::from_utf8(bytes).unwrap(),
            Err(No::Person(why) | No::Contradiction(why)) => format!("no: {why}"),
        }
    }

    #[test]
    fn a_line_and_what_continues_it_are_one() {
        let text = b"a\nb \\\n c\nd";
        assert_eq!(said(replaced(text, 2, None, &["x".into()])), "a\nx\n\nd");
        assert_eq!(said(replaced(text, 4, Some("d"), &[])), "a\nb \\\n c\n");
        assert_eq!(said(replaced(text, 1, Some("z"), &[])), "no: line 1 has changed since it was judged");
        assert_eq!(said(replaced(text, 9, None, &[])), "no: it has no line 9 any more");
    }

    #[test]
    fn a_variable_changes_nothing_beside_it() {
        let text = b"# mine\nA=1\nB=2";
        assert_eq!(said(variable(text, Some(2), "A", Some("x y"))), "# mine\nA=\"x y\"\nB=2");
        assert_eq!(said(variable(text, None, "C", Some("$x"))), "# mine\nA=1\nB=2\nC=\"\\$x\"\n");
        assert_eq!(said(variable(text, None, "B", None)), "# mine\nA=1\n");
        let open = b"A='x\nB=2\n";
        assert!(said(variable(open, None, "C", Some("1"))).starts_with("no: "), "the quote swallows it");
        assert!(said(variable(open, Some(1), "A", Some("1"))).starts_with("no: "), "it gives B its value");
        assert!(said(variable(text, None, "A\nB", Some("1"))).starts_with("no: "));
        assert!(said(variable(text, None, "A", Some("1\nB=3"))).starts_with("no: "));
    }

    #[test]
    fn a_directive_is_set_where_it_counts() {
        assert_eq!(
            said(directive(b"appendonly no\nbind 0.0.0.0\n", "appendonly", "yes")),
            "appendonly yes\nbind 0.0.0.0\n"
        );
        assert_eq!(said(directive(b"", "bind", "127.0.0.1 -::1")), "bind 127.0.0.1 -::1\n");
    }
}
