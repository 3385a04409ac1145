//! Files that are read line by line: env files, units, Makefiles, the configuration of a Redis.

use std::ops::Range;

use super::Search;
use crate::syntax::secret_shape::is_placeholder;

impl Search<'_, '_> {
    /// Each assignment to the end of its value, which may go over several lines.
    pub(super) fn env_file(&mut self) {
        self.expands = false;
        let mut at = 0;
        while at < self.text.len() {
            let line = self.line_at(at);
            let text = &self.text[line.clone()];
            let bare = text.trim_start_matches([' ', '\t', '#', ';', '\u{feff}']);
            let is_comment = text.trim_start().starts_with(['#', ';']);
            let bare = bare.strip_prefix("export ").unwrap_or(bare).trim_start();
            let start = line.end - bare.len();
            let Some(equals) = bare.find('=').filter(|_| !bare.is_empty()) else {
                // What is no assignment may be the rest of one.
                if !is_comment {
                    self.value("", start..line.end);
                }
                self.words(start..line.end, true);
                at = line.end + 1;
                continue;
            };
            let value = start + equals + 1;
            let end = if is_comment { line.end } else { self.value_end(value) };
            let name = bare[..equals].trim();
            if !self.value(name, value..end) {
                self.words(value..end, true);
            }
            at = end + 1;
        }
    }

    /// The line that begins at a position, without its end.
    fn line_at(&self, at: usize) -> Range<usize> {
        at..self.text[at..].find('\n').map_or(self.text.len(), |end| at + end)
    }

    /// The lines that begin at a position and continue each other by a backslash.
    fn logical_line(&self, at: usize) -> Range<usize> {
        let mut line = self.line_at(at);
        while self.text[line.clone()].ends_with('\\') && line.end < self.text.len() {
            line.end = self.line_at(line.end + 1).end;
        }
        line
    }

    /// Where the value of an env file ends: at the first end of a line that is neither quoted nor escaped.
    fn value_end(&self, from: usize) -> usize {
        let mut quote = None;
        let mut bytes = self.text.as_bytes()[from..].iter().enumerate();
        while let Some((at, &byte)) = bytes.next() {
            match (byte, quote) {
                (b'\\', None | Some(b'"')) => drop(bytes.next()),
                (b'\n', None) => return from + at,
                (b'"' | b'\'', None) => quote = Some(byte),
                (_, Some(open)) if byte == open => quote = None,
                _ => {}
            }
        }
        self.text.len()
    }

    /// A unit file: each setting with the lines that continue it.
    pub(super) fn unit(&mut self) {
        let mut at = 0;
        while at < self.text.len() {
            let line = self.logical_line(at);
            at = line.end + 1;
            let text = &self.text[line.clone()];
            let bare = text.trim_start_matches([' ', '\t', '#', ';']);
            let start = line.end - bare.len();
            match bare.find('=') {
                Some(equals) => {
                    let key = bare[..equals].trim().to_owned();
                    self.setting(&key, start + equals + 1..line.end);
                }
                None => self.words(start..line.end, false),
            }
        }
    }

    /// The value of a setting. Only some settings hold variables, and only some hold what a process reads. The name of
    /// one of systemd's settings is never that of a secret (`LoadCredential=` has an id and a path); a line that is
    /// none, such as `DB_PASSWORD=` below `[Service]`, is a variable to the person who wrote it.
    pub(super) fn setting(&mut self, key: &str, at: Range<usize>) {
        match key {
            "SetCredential" | "SetCredentialEncrypted" => {
                let id = self.text[at.clone()].find(':').map_or(at.start, |colon| at.start + colon + 1);
                self.whole(id..at.end);
            }
            "StandardInputText" | "StandardInputData" => self.whole(at),
            "LoadCredential"
            | "LoadCredentialEncrypted"
            | "ImportCredential"
            | "EnvironmentFile"
            | "ConditionCredential"
            | "AssertCredential"
            | "PassCredentials"
            | "PassEnvironment" => {}
            "Environment" | "UnsetEnvironment" => {
                self.expands = false;
                self.words(at, false);
                self.expands = true;
            }
            _ => {
                let name = key.split_whitespace().next_back().unwrap_or_default();
                // By the name alone: a URL with a password is found among the words.
                let is_named = (self.named)(name, "a value without a shape");
                if !is_named || !self.value(name, at.clone()) {
                    self.words(at, false);
                }
            }
        }
    }

    /// All of a value that is no placeholder.
    fn whole(&mut self, at: Range<usize>) {
        let at = self.bare(at);
        if !is_placeholder(&self.text[at.clone()]) {
            self.spans.push(at);
        }
    }

    /// A Makefile: its assignments, and commands.
    pub(super) fn makefile(&mut self) {
        let mut defined: Option<(String, usize)> = None;
        let mut at = 0;
        while at < self.text.len() {
            let line = self.logical_line(at);
            at = line.end + 1;
            let text = &self.text[line.clone()];
            if let Some((name, start)) = &defined {
                if text.trim_start().starts_with("endef") {
                    let (name, body) = (name.clone(), *start..line.start);
                    self.value(&name, body);
                    defined = None;
                }
                self.words(line, true);
                continue;
            }
            if let Some(name) = text.trim_start().strip_prefix("define ") {
                let name = name.trim().trim_end_matches([':', '?', '+', '=']).trim_end();
                defined = Some((name.to_owned(), at.min(self.text.len())));
            }
            let assigned = if text.starts_with('\t') { None } else { assigned(text) };
            let is_secret = assigned.is_some_and(|(name, value)| {
                let name = text[name].to_owned();
                self.value(&name, line.start + value..line.end)
            });
            if !is_secret {
                self.words(line, true);
            }
        }
    }

    /// The configuration of a Redis or a Sentinel.
    pub(super) fn redis(&mut self) {
        self.expands = false;
        let mut at = 0;
        while at < self.text.len() {
            let line = self.line_at(at);
            at = line.end + 1;
            let words = self.split(line.clone(), false);
            let Some((first, rest)) = words.split_first() else { continue };
            let name = |at: &Range<usize>| self.text[at.clone()].trim_start_matches('#').to_ascii_lowercase();
            let (name, arguments) = match (name(first), rest) {
                (none, [second, arguments @ ..]) if none.is_empty() => (name(second), arguments),
                (name, arguments) => (name, arguments),
            };
            self.directive(&name, arguments);
            self.of_words(&words, 0);
        }
    }

    /// The arguments of a directive that are secrets.
    pub(super) fn directive(&mut self, name: &str, arguments: &[Range<usize>]) {
        let first = |count: usize| arguments.iter().skip(count).take(1);
        match name {
            "requirepass" | "masterauth" | "tls-key-file-pass" | "tls-client-key-file-pass" => {
                first(0).for_each(|at| self.add(at.clone()));
            }
            // An unguessable name keeps others from a command.
            "rename-command" => first(1).for_each(|at| self.add(at.clone())),
            "sentinel" => {
                let word = |index: usize| arguments.get(index).map(|at| &self.text[at.clone()]);
                let secret = match word(0) {
                    Some("auth-pass") => 2,
                    Some("sentinel-pass") => 1,
                    _ => return,
                };
                first(secret).for_each(|at| self.add(at.clone()));
            }
            // `user bob on >password #digest ~* +@all`
            "user" => {
                for at in arguments {
                    let bare = self.bare(at.clone());
                    if self.text[bare.clone()].starts_with(['>', '#', '<', '!']) {
                        self.add(bare.start + 1..bare.end);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The name and the start of the value of a line of a Makefile that assigns: `export NAME ?= value`.
fn assigned(text: &str) -> Option<(Range<usize>, usize)> {
    let equals = text.find('=')?;
    let before = text[..equals].trim_end_matches([':', '?', '+', '!']).trim_end();
    let name = before.rsplit(|c: char| c.is_whitespace() || c == ':').next()?;
    let start = before.len() - name.len();
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    is_name.then_some((start..before.len(), equals + 1))
}
