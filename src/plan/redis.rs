//! What a redis.conf must say, changed where it is said.

use crate::syntax::redis_conf;

/// The text with a directive set: its last line is replaced, or one is added. The last of a name wins (redis.conf).
pub(super) fn with(text: &str, name: &str, value: &str) -> String {
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
pub(super) fn value_of(text: &str, name: &str) -> Option<Vec<String>> {
    let conf = redis_conf::parse(text.as_bytes());
    conf.last(name).map(|directive| directive.arguments.clone())
}
