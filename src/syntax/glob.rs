//! Patterns over paths, as a contract and a logrotate file write them.
//!
//! `*` and `?` stay within one component, `**` passes any number of components, `[a-z]` and `[!a-z]` are
//! one character. A pattern without a slash is about the last component alone, as in gitignore(5).

/// Whether a path without a leading slash matches.
pub fn matches(pattern: &str, path: &str) -> bool {
    if !pattern.contains('/') {
        return component(pattern, path.rsplit('/').next().unwrap_or(path));
    }
    let pattern: Vec<&str> = pattern.trim_start_matches('/').split('/').collect();
    let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    components(&pattern, &path)
}

/// The directory and the last component of a path that is a pattern for glob(3).
pub fn pattern(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once('/').filter(|_| path.contains(['*', '?', '[']))
}

/// Whether glob(3) takes a name: one that begins with a dot only by a pattern that does.
pub fn matches_name(pattern: &str, name: &str) -> bool {
    name.starts_with('.') <= pattern.starts_with('.') && component(pattern, name)
}

/// Whether a path is matched by the patterns, of which those with a leading `!` take matches back; gives
/// the place of the pattern that decides.
pub fn deciding<'p>(patterns: impl Iterator<Item = &'p str>, path: &str) -> Option<usize> {
    let mut decides = None;
    for (at, pattern) in patterns.enumerate() {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern, path) => decides = None,
            None if decides.is_none() && matches(pattern, path) => decides = Some(at),
            _ => {}
        }
    }
    decides
}

/// The number of ways to spread `**` is bounded by remembering only which parts of the path can be reached.
fn components(pattern: &[&str], path: &[&str]) -> bool {
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        if *part == "**" {
            let mut any = false;
            for (at, slot) in next.iter_mut().enumerate() {
                any |= reached[at];
                *slot = any;
            }
        } else {
            for (at, name) in path.iter().enumerate() {
                next[at + 1] = reached[at] && component(part, name);
            }
        }
        reached = next;
    }
    reached[path.len()]
}

/// Whether a word without slashes matches, such as the name of a variable.
pub fn matches_word(pattern: &str, word: &str) -> bool {
    component(pattern, word)
}

/// One component. Bytes are as good as characters where there is nothing but ASCII, and cost nothing.
fn component(pattern: &str, name: &str) -> bool {
    if pattern.is_ascii() && name.is_ascii() {
        return spread(pattern.as_bytes(), name.as_bytes());
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    spread(&pattern, &name)
}

/// Without backtracking over more than the last star.
fn spread<C: Character>(pattern: &[C], name: &[C]) -> bool {
    let many = C::from(b'*');
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&many) {
            star = Some((p, n));
            p += 1;
        } else if let Some(length) = pattern.get(p..).and_then(|rest| one(rest, name[n])) {
            p += length;
            n += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            n = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == many)
}

/// A byte of ASCII, or a character.
trait Character: Copy + PartialOrd + From<u8> {}

impl<C: Copy + PartialOrd + From<u8>> Character for C {}

/// How much of the pattern one character uses up, when it matches.
fn one<C: Character>(pattern: &[C], character: C) -> Option<usize> {
    let first = *pattern.first()?;
    let alone = || (first == character).then_some(1);
    match first {
        any if any == C::from(b'?') => Some(1),
        open if open == C::from(b'[') => class(pattern, character).unwrap_or_else(alone),
        _ => alone(),
    }
}

/// A class in brackets; `None` when the bracket is never closed and so stands for itself.
fn class<C: Character>(pattern: &[C], character: C) -> Option<Option<usize>> {
    let negated = [b'!', b'^'].iter().any(|not| pattern.get(1) == Some(&C::from(*not)));
    let first = if negated { 2 } else { 1 };
    let close = (first + 1..pattern.len()).find(|at| pattern[*at] == C::from(b']'))?;
    let mut inside = false;
    let mut at = first;
    while at < close {
        if at + 2 < close && pattern[at + 1] == C::from(b'-') {
            inside |= (pattern[at]..=pattern[at + 2]).contains(&character);
            at += 3;
        } else {
            inside |= pattern[at] == character;
            at += 1;
        }
    }
    Some((inside != negated).then_some(close + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_say() {
        for (pattern, path, expected) in [
            (".env", "a/b/.env", true),
            (".env", "a/.env.bak", false),
            ("*.log", "logs/x.log", true),
            ("logs/**", "logs/a/b.txt", true),
            ("logs/**", "src/logs/a", false),
            ("**/logs/*", "src/logs/a", true),
            ("/var/log/*/*.log", "/var/log/a/b.log", true),
            ("/var/log/*.log", "/var/log/a/b.log", false),
            ("x[0-9].txt", "x7.txt", true),
            ("x[!0-9].txt", "x7.txt", false),
            ("a[b", "a[b", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
            ("x[!0-9]ä", "xyä", true),
            ("?ü*", "xüyz", true),
            ("[ä-ö]", "ö", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn an_exclamation_mark_takes_back() {
        let patterns = ["*.env", "!example.env"];
        assert_eq!(deciding(patterns.into_iter(), "a/x.env"), Some(0));
        assert_eq!(deciding(patterns.into_iter(), "a/example.env"), None);
    }
}
