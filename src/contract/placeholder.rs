//! The words in braces: `{layout.data}`, `{identity.user}`, `{service}` and their like. Nothing else is
//! expanded; `%i` and `${NAME}` stay systemd's.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::reader::Cx;
use super::suggest::nearest;
use super::text::Span;
use super::words;

/// Words that each service fills with its own value.
const OF_A_SERVICE: [&str; 3] = ["service", "unit", "title"];

/// What the words of the whole contract stand for.
#[derive(Default)]
pub(super) struct Words {
    /// Paths of the layout; `None` where the path itself is wrong, which was said once already.
    pub places: BTreeMap<String, Option<String>>,
    /// Places that some value names.
    pub used: BTreeSet<String>,
    /// `{identity.user}`
    pub user: String,
    /// `{identity.group}`
    pub group: String,
}

/// Where a text stands, which decides what its placeholders may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Outside of services.
    Contract,
    /// In a service or in what services share: `{service}`, `{unit}`, `{title}` are left for later.
    Service,
}

/// What the words of a service stand for.
pub(super) struct ServiceWords<'n> {
    /// `{service}`
    pub service: &'n str,
    /// `{unit}`
    pub unit: &'n str,
    /// `{title}`
    pub title: &'n str,
}

/// A piece of a text with placeholders.
enum Piece<'t> {
    Text(&'t str),
    Word(&'t str),
}

/// Cuts a text into what stands and what is replaced.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(open) = rest.get(from..).and_then(|tail| tail.find('{')).map(|at| at + from) {
        let word = rest.get(open + 1..).and_then(|tail| tail.split_once('}')).map(|(word, _)| word);
        let of_systemd = rest[..open].ends_with('$');
        match word.filter(|word| !of_systemd && is_word(word)) {
            Some(word) => {
                pieces.push(Piece::Text(&rest[..open]));
                pieces.push(Piece::Word(word));
                rest = &rest[open + word.len() + 2..];
                from = 0;
            }
            None => from = open + 1,
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// Anything else in braces (JSON, globs) is no placeholder.
fn is_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// True when a service has something to fill in.
pub(super) fn is_per_service(text: &str) -> bool {
    text.contains('{')
        && pieces(text).iter().any(|piece| matches!(piece, Piece::Word(word) if OF_A_SERVICE.contains(word)))
}

/// Whether a text means itself in a contract: it is not blank, it is one line, and no word in braces would be filled in or
/// refused.
pub fn means_itself(text: &str) -> bool {
    let has_word = || pieces(text).iter().any(|piece| matches!(piece, Piece::Word(_)));
    !text.trim().is_empty() && words::is_one_line(text) && !(text.contains('{') && has_word())
}

/// The names of places that a text refers to.
pub(super) fn places_in(text: &str) -> Vec<&str> {
    let place = |piece| match piece {
        Piece::Word(word) => word.strip_prefix("layout."),
        Piece::Text(_) => None,
    };
    pieces(text).into_iter().filter_map(place).collect()
}

/// Fills in what depends on the service.
pub(super) fn fill<'t>(text: &'t str, words: &ServiceWords<'_>) -> Cow<'t, str> {
    if !text.contains('{') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for piece in pieces(text) {
        match piece {
            Piece::Word("service") => out.push_str(words.service),
            Piece::Word("unit") => out.push_str(words.unit),
            Piece::Word("title") => out.push_str(words.title),
            Piece::Word(other) => out.extend(["{", other, "}"]),
            Piece::Text(text) => out.push_str(text),
        }
    }
    Cow::Owned(out)
}

impl Cx<'_> {
    /// Expands the words of the contract; unknown ones are errors.
    pub(crate) fn expand(&mut self, text: &str, at: Span, scope: Scope) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len() + 32);
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Word(word) => self.expand_word(word, at, scope, &mut out),
            }
        }
        out
    }

    fn expand_word(&mut self, word: &str, at: Span, scope: Scope, out: &mut String) {
        let value = match (word, word.strip_prefix("layout.")) {
            ("identity.user", _) => Some(self.words.user.as_str()),
            ("identity.group", _) => Some(self.words.group.as_str()),
            (_, Some(place)) => self.words.places.get(place).map(|path| {
                self.words.used.insert(place.to_owned());
                path.as_deref().unwrap_or("/")
            }),
            _ if OF_A_SERVICE.contains(&word) && scope == Scope::Service => {
                out.extend(["{", word, "}"]);
                return;
            }
            _ => None,
        };
        match value {
            Some(value) => out.push_str(value),
            None => self.unknown_word(word, at),
        }
    }

    fn unknown_word(&mut self, word: &str, at: Span) {
        if self.partial && word.starts_with("layout.") {
            return;
        }
        if OF_A_SERVICE.contains(&word) {
            let message = format!("`{{{word}}}` has no meaning here: this value belongs to no service");
            return self.error(at, message, "write the value itself");
        }
        let places = self.words.places.keys().map(|place| format!("layout.{place}"));
        let fixed = ["service", "unit", "title", "identity.user", "identity.group"];
        let known: Vec<String> = fixed.iter().map(|word| (*word).to_owned()).chain(places).collect();
        let way_out = match self.suggest(|| nearest(word, known.iter().map(String::as_str))) {
            Some(meant) => format!("did you mean `{{{meant}}}`?"),
            None => format!("known: {{{}}}", known.join("}, {")),
        };
        self.error(at, format!("unknown placeholder `{{{word}}}`"), way_out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_words_are_words() {
        let words = ServiceWords { service: "api", unit: "api.service", title: "API" };
        let filled = |text| fill(text, &words).into_owned();
        assert_eq!(filled("x-{service}-{unit}"), "x-api-api.service");
        assert_eq!(filled("${service} {\"a\": 1} {a,b} %i {"), "${service} {\"a\": 1} {a,b} %i {");
        assert_eq!(filled("{{service}}"), "{api}");
        assert_eq!(filled("{service"), "{service");
        assert!(!is_per_service("{layout.data}/x"));
        assert_eq!(places_in("{layout.a}/{layout.b}{service}"), ["a", "b"]);
    }
}
