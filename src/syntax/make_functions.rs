//! Functions of GNU make over texts.

/// The text up to the bracket that closes `open`, which stands before `text`; all of it where none does.
pub(super) fn enclosed(text: &str, open: char) -> &str {
    let close = if open == '(' { ')' } else { '}' };
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return &text[..at],
            }
        }
    }
    text
}

/// Arguments between commas, brackets respected.
pub(super) fn split_arguments(text: &str) -> Vec<&str> {
    let mut arguments = Vec::new();
    let mut depth = 0usize;
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '{' => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                arguments.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    arguments.push(&text[start..]);
    arguments
}

pub(super) fn first_three(arguments: Vec<String>) -> [String; 3] {
    let mut arguments = arguments.into_iter();
    std::array::from_fn(|_| arguments.next().unwrap_or_default())
}

pub(super) fn is_text_function(name: &str) -> bool {
    const NAMES: [&str; 25] = [
        "strip",
        "sort",
        "wildcard",
        "abspath",
        "realpath",
        "firstword",
        "lastword",
        "dir",
        "notdir",
        "basename",
        "addprefix",
        "addsuffix",
        "subst",
        "patsubst",
        "filter",
        "filter-out",
        "findstring",
        "join",
        "word",
        "wordlist",
        "info",
        "warning",
        "error",
        "words",
        "origin",
    ];
    NAMES.contains(&name) || matches!(name, "flavor" | "value" | "suffix")
}

/// Functions of expanded text alone. Which words a filter leaves is not judged: all of them might remain.
pub(super) fn text_function(name: &str, mut arguments: Vec<String>) -> String {
    match name {
        "filter" | "filter-out" | "findstring" | "join" | "word" | "wordlist" => {
            return arguments.pop().unwrap_or_default();
        }
        // These take a list of words, in which a comma is no separator.
        "wildcard" | "abspath" | "realpath" => return arguments.join(","),
        _ => {}
    }
    let [first, second, third] = first_three(arguments);
    match name {
        "strip" | "sort" => map_words(&first, str::to_owned),
        "firstword" => first.split_whitespace().next().unwrap_or_default().to_owned(),
        "lastword" => first.split_whitespace().next_back().unwrap_or_default().to_owned(),
        "dir" => map_words(&first, |word| word.rfind('/').map_or("./", |at| &word[..=at]).to_owned()),
        "notdir" => map_words(&first, |word| word.rsplit('/').next().unwrap_or_default().to_owned()),
        "basename" => {
            map_words(&first, |word| word.rsplit_once('.').map_or(word, |(stem, _)| stem).to_owned())
        }
        "addprefix" => map_words(&second, |word| format!("{first}{word}")),
        "addsuffix" => map_words(&second, |word| format!("{word}{first}")),
        "subst" if first.is_empty() => third,
        "subst" => third.replace(&first, &second),
        "patsubst" => map_words(&third, |word| substitute_pattern(word, &first, &second)),
        // What `info` and its like print, and what the others tell of variables, starts no program.
        _ => String::new(),
    }
}

pub(super) fn map_words(text: &str, change: impl Fn(&str) -> String) -> String {
    text.split_whitespace().map(change).collect::<Vec<_>>().join(" ")
}

/// `patsubst` for one word: `%` stands for any stem.
pub(super) fn substitute_pattern(word: &str, from: &str, to: &str) -> String {
    let stem = match from.split_once('%') {
        Some((prefix, suffix)) => word.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix)),
        None => return if word == from { to.to_owned() } else { word.to_owned() },
    };
    stem.map_or_else(|| word.to_owned(), |stem| to.replacen('%', stem, 1))
}
