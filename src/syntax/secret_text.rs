//! Where secrets stand in a text: as the value of a variable or an option with the name of one, in a header, behind an
//! option or a directive that takes one, or by their shape. Facts, reports, differences and the journal all ask here.
//!
//! A text is read as loosely as it can be: what looks like a secret to a person is one, whether systemd, make or a shell
//! would take the line or not. A reference (`${PASSWORD}`, `$(cat /run/x)`) is no secret, and neither is a path of one.

use std::ops::Range;

use super::secret_shape::{is_path_of_secret, is_placeholder, shape_spans};
use super::stand_in::is_stand_in;

mod lines;
mod words;

/// Says whether the value of a name is a secret. A line without a name has the name ``.
pub type Named<'n> = &'n dyn Fn(&str, &str) -> bool;

/// What kind of text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An env file.
    Env,
    /// A unit file or a drop-in.
    Unit,
    /// A Makefile.
    Makefile,
    /// The configuration of a Redis.
    Redis,
    /// A script, a crontab, a command line, and whatever else there is.
    Other,
}

impl Kind {
    /// The kind of a file by its path.
    pub fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        let is_unit = ends(&[".service", ".socket", ".timer", ".path", ".mount", ".target", ".slice"])
            || path.contains("systemd") && name.ends_with(".conf") && path.contains(".d/");
        match () {
            () if is_unit => Self::Unit,
            () if ends(&[".env", ".env.example"]) || path.starts_with("/etc/default/") => Self::Env,
            () if ends(&["akefile", ".mk"]) => Self::Makefile,
            () if name.ends_with(".conf")
                && ["redis", "valkey", "sentinel"].iter().any(|word| path.contains(word)) =>
            {
                Self::Redis
            }
            () => Self::Other,
        }
    }
}

/// Where secrets stand in a text, in order and apart from each other.
pub fn spans(kind: Kind, text: &str, named: Named<'_>) -> Vec<Range<usize>> {
    let mut search = Search::new(text, named);
    match kind {
        Kind::Env => search.env_file(),
        Kind::Unit => search.unit(),
        Kind::Makefile => search.makefile(),
        Kind::Redis => search.redis(),
        Kind::Other => search.words(0..text.len(), true),
    }
    search.found()
}

/// The same of the value of a setting of a unit.
pub fn spans_of_setting(key: &str, value: &str, named: Named<'_>) -> Vec<Range<usize>> {
    let mut search = Search::new(value, named);
    search.setting(key, 0..value.len());
    search.found()
}

/// The same of words that have been split: the index of each word that holds one, and where.
pub fn spans_of_words(words: &[&str], named: Named<'_>) -> Vec<(usize, Vec<Range<usize>>)> {
    let (text, places) = joined(words);
    let mut search = Search::new(&text, named);
    search.of_words(&places, 0);
    let found = search.found();
    let all = places.iter().map(|place| within(&found, place)).enumerate();
    all.filter(|(_, spans)| !spans.is_empty()).collect()
}

/// The same of a directive of a Redis with its arguments.
pub fn spans_of_directive(words: &[&str], named: Named<'_>) -> Vec<(usize, Range<usize>)> {
    let (text, places) = joined(words);
    let mut search = Search::new(&text, named);
    search.expands = false;
    if let (Some(name), Some((_, arguments))) = (words.first(), places.split_first()) {
        search.directive(name, arguments);
    }
    search.of_words(&places, 0);
    let found = search.found();
    let all = places.iter().enumerate();
    all.flat_map(|(index, place)| within(&found, place).into_iter().map(move |span| (index, span))).collect()
}

/// Words as one text, and where each stands in it. Between two stands what no word can hold.
fn joined(words: &[&str]) -> (String, Vec<Range<usize>>) {
    let mut start = 0;
    let place = |word: &&str| {
        let place = start..start + word.len();
        start = place.end + 1;
        place
    };
    (words.join("\0"), words.iter().map(place).collect())
}

/// The parts of spans that lie in a place, counted from its start.
fn within(spans: &[Range<usize>], place: &Range<usize>) -> Vec<Range<usize>> {
    let first = spans.partition_point(|span| span.end <= place.start);
    let inside = spans[first..].iter().take_while(|span| span.start < place.end);
    let cut = |span: &Range<usize>| {
        span.start.max(place.start) - place.start..span.end.min(place.end) - place.start
    };
    inside.map(cut).collect()
}

/// A text with something else in place of these spans.
pub fn replaced(text: &str, spans: &[Range<usize>], stand_in: &dyn Fn(&str) -> String) -> String {
    let (mut shown, mut from) = (String::with_capacity(text.len()), 0);
    for span in spans {
        shown.push_str(&text[from..span.start]);
        shown.push_str(&stand_in(&text[span.clone()]));
        from = span.end;
    }
    shown.push_str(&text[from..]);
    shown
}

/// Whether a value only says where the secret is found: all letters of it belong to references.
fn is_reference(value: &str) -> bool {
    let mut rest = value;
    let mut refers = false;
    while let Some(dollar) = rest.find('$') {
        if rest[..dollar].contains(char::is_alphanumeric) {
            return false;
        }
        refers = true;
        rest = rest[dollar..].trim_start_matches('$');
        let close = match rest.chars().next() {
            Some('{') => '}',
            Some('(') => ')',
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
                continue;
            }
            Some(c) if c.is_ascii_digit() => {
                rest = &rest[1..];
                continue;
            }
            _ => continue,
        };
        let Some(end) = rest.find(close) else { return true };
        rest = &rest[end + 1..];
    }
    refers && !rest.contains(char::is_alphanumeric)
}

/// The texts that stand for a reference where its variable is not set: `${PASSWORD:-hunter2}`.
fn defaults(value: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    value.match_indices("${").filter_map(|(at, _)| {
        let end = at + value[at..].find('}')?;
        let name = value[at + 2..end].find(|c: char| !c.is_ascii_alphanumeric() && c != '_')? + at + 2;
        let operator = value[name..end].find(|c| !matches!(c, ':' | '-' | '=' | '+'))? + name;
        (operator > name && value[name..operator].ends_with(['-', '=', '+'])).then_some(operator..end)
    })
}

/// Collects spans.
struct Search<'t, 'n> {
    text: &'t str,
    named: Named<'n>,
    /// Whether `$` refers to something; where it does not, `$ecret` is a password.
    expands: bool,
    spans: Vec<Range<usize>>,
}

impl<'t, 'n> Search<'t, 'n> {
    fn new(text: &'t str, named: Named<'n>) -> Self {
        Self { text, named, expands: true, spans: shape_spans(text) }
    }

    fn found(mut self) -> Vec<Range<usize>> {
        self.spans.retain(|span| !span.is_empty());
        self.spans.sort_by_key(|span| (span.start, span.end));
        let mut apart: Vec<Range<usize>> = Vec::new();
        for span in self.spans {
            match apart.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => apart.push(span),
            }
        }
        apart
    }

    /// Blanks, and quotes around all of it, left out.
    fn bare(&self, at: Range<usize>) -> Range<usize> {
        let trimmed = |at: Range<usize>| {
            let text = &self.text[at.clone()];
            let start = at.start + (text.len() - text.trim_start().len());
            start..(start + text.trim().len())
        };
        let mut at = trimmed(at);
        // Text within text has its quotes escaped.
        while self.text[at.clone()].starts_with("\\\"") || self.text[at.clone()].starts_with("\\\\") {
            at.start += if self.text[at.start + 1..].starts_with('"') { 2 } else { 1 };
            at.end = at.start + self.text[at.clone()].trim_end_matches('"').trim_end_matches('\\').len();
        }
        let text = &self.text[at.clone()];
        let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return at };
        let closes = |c: char| matches!(c, '}' | ')' | ']' | ',' | ';');
        let is_end = |end: &usize| *end > 0 && text[*end + 1..].chars().all(closes);
        match text.rfind(quote).filter(is_end) {
            Some(end) => at.start + 1..at.start + end,
            // A quote that is never closed.
            None => at.start + 1..at.end,
        }
    }

    /// Whether a value only refers to something. Nothing in single quotes does.
    fn refers(&self, at: &Range<usize>) -> bool {
        let is_literal = self.text[at.clone()].trim_start().starts_with('\'');
        self.expands && !is_literal && is_reference(&self.text[self.bare(at.clone())])
    }

    /// What is taken for a secret because of where it stands.
    fn add(&mut self, at: Range<usize>) {
        let refers = self.refers(&at);
        let at = self.bare(at);
        let value = &self.text[at.clone()];
        if refers {
            let defaults = defaults(value).map(|span| at.start + span.start..at.start + span.end);
            let defaults: Vec<_> =
                defaults.filter(|span| !is_placeholder(&self.text[span.clone()])).collect();
            self.spans.extend(defaults);
        } else if !is_stand_in(value) && !is_placeholder(value) && !is_path_of_secret(value) {
            self.spans.push(at);
        }
    }

    /// The value of a name; true where it is a secret.
    fn value(&mut self, name: &str, at: Range<usize>) -> bool {
        let refers = self.refers(&at);
        let bare = self.bare(at.clone());
        let value = &self.text[bare.clone()];
        let probe = if refers { defaults(value).next().map(|span| &value[span]) } else { Some(value) };
        let is_secret = probe.is_some_and(|value| !value.is_empty() && (self.named)(name, value));
        if is_secret && refers {
            self.add(at);
        } else if is_secret && !is_stand_in(value) {
            self.spans.push(bare);
        }
        is_secret
    }
}

#[cfg(test)]
mod tests;
