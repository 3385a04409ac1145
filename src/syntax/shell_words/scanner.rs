//! A shell's text cut into words and simple commands.

use super::{Call, DEEPEST, Found, scan};
use crate::syntax::shell_wrappers::{Inner, inner_command};

/// A word with what its parser must know about it.
#[derive(Clone, Default)]
struct Word {
    text: String,
    line: u32,
    /// Some of it was quoted or substituted: no reserved word, no assignment name.
    quoted: bool,
    /// Where `=` stands, when the word begins `NAME=`.
    assigns: bool,
}

enum Token {
    Word(Word),
    Separator(&'static str),
    Open,
    Close,
    /// The token after it is a file name.
    Redirect,
    /// `<<END`, read already.
    Heredoc,
    End,
}

struct Scanner<'a, 'b> {
    text: &'a str,
    at: usize,
    line: u32,
    depth: usize,
    through: &'b [String],
    found: &'b mut Found,
    /// Delimiters of heredocs whose bodies begin at the next line, and whether tabs before them are cut.
    heredocs: Vec<(String, bool)>,
}

/// Where we are inside `case … esac`.
#[derive(Clone, Copy, PartialEq)]
enum Case {
    /// Between `case` and `in`.
    Subject,
    /// Before the `)` of a pattern.
    Pattern,
    /// In the commands of a branch.
    Body,
}

/// Takes down the calls of a text.
pub(super) fn commands(text: &str, line: u32, depth: usize, through: &[String], found: &mut Found) {
    Scanner { text, at: 0, line, depth, through, found, heredocs: Vec::new() }.list(false);
}

impl<'a> Scanner<'a, '_> {
    /// Reads commands to the end, or to the `)` that closes a substitution.
    fn list(&mut self, in_substitution: bool) {
        let mut words: Vec<Word> = Vec::new();
        let mut cases: Vec<Case> = Vec::new();
        let mut open = 0usize;
        loop {
            let token = self.token();
            let in_pattern = cases.last() == Some(&Case::Pattern);
            match token {
                Token::Word(word) => self.word_arrived(word, &mut words, &mut cases),
                Token::Redirect => {
                    if words.last().is_some_and(|word| is_descriptor(word, self.text, self.at)) {
                        words.pop();
                    }
                    self.token();
                }
                Token::Heredoc => {}
                Token::Open if in_pattern => {}
                Token::Open => {
                    // `name (` begins a function, anything else is a command of its own.
                    if words.len() == 1 && self.text[self.at..].trim_start().starts_with(')') {
                        words.clear();
                    }
                    self.finish(&mut words);
                    open += 1;
                }
                Token::Close if in_pattern => {
                    words.clear();
                    set_last(&mut cases, Case::Body);
                }
                Token::Close => {
                    self.finish(&mut words);
                    if open == 0 && in_substitution {
                        return;
                    }
                    open = open.saturating_sub(1);
                }
                Token::Separator(what) => {
                    self.finish(&mut words);
                    if what == ";;" && cases.last() == Some(&Case::Body) {
                        set_last(&mut cases, Case::Pattern);
                    }
                }
                Token::End => {
                    self.finish(&mut words);
                    return;
                }
            }
        }
    }

    /// Adds a word to the current command; reserved words at its start steer us instead.
    fn word_arrived(&mut self, word: Word, words: &mut Vec<Word>, cases: &mut Vec<Case>) {
        match cases.last() {
            Some(Case::Subject) => {
                if word.text == "in" && !word.quoted {
                    set_last(cases, Case::Pattern);
                }
                return;
            }
            Some(Case::Pattern) => {
                if word.text == "esac" && !word.quoted {
                    cases.pop();
                }
                return;
            }
            _ => {}
        }
        if !words.is_empty() || word.quoted {
            let function = words.len() == 2 && words[0].text == "function" && word.text == "{";
            words.push(word);
            if function {
                words.clear();
            }
            return;
        }
        match word.text.as_str() {
            "if" | "then" | "else" | "elif" | "fi" | "while" | "until" | "do" | "done" | "{" | "}" | "!"
            | "time" => {}
            "case" => cases.push(Case::Subject),
            "esac" => {
                cases.pop();
            }
            "[[" => self.skip_test(),
            _ => words.push(word),
        }
    }

    /// `[[ a && b ]]` holds operators of its own.
    fn skip_test(&mut self) {
        loop {
            match self.token() {
                Token::End => return,
                Token::Word(word) if word.text == "]]" => return,
                _ => {}
            }
        }
    }

    /// A command is complete.
    fn finish(&mut self, words: &mut Vec<Word>) {
        let words = std::mem::take(words);
        let command: Vec<Word> = words.into_iter().skip_while(|word| word.assigns).collect();
        let Some((program, args)) = command.split_first() else { return };
        if !program.quoted && matches!(program.text.as_str(), "for" | "select" | "function" | "in") {
            return;
        }
        let args: Vec<String> = args.iter().map(|word| word.text.clone()).collect();
        self.called(program.text.clone(), args, program.line);
    }

    /// Records a call and what it runs in turn.
    fn called(&mut self, program: String, args: Vec<String>, line: u32) {
        let mut through = self.through.to_vec();
        let (mut program, mut args) = (program, args);
        loop {
            if !self.found.takes(args.iter().chain(&through).chain([&program])) {
                return;
            }
            let program_found = looked_up(&program);
            let call = Call { program: program_found, args: args.clone(), line, through: through.clone() };
            let inner = inner_command(call.name(), &call.args);
            through.push(call.name().to_owned());
            self.found.calls.push(call);
            if through.len() > DEEPEST {
                return;
            }
            match inner {
                Inner::None => return,
                Inner::Text(text) => return scan(&text, line, self.depth + 1, &through, self.found),
                Inner::Words(words) => match words.split_first() {
                    None => return,
                    Some((first, rest)) => (program, args) = (first.clone(), rest.to_vec()),
                },
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(c)
    }

    fn eat(&mut self, expected: &str) -> bool {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(expected));
        if found {
            for _ in expected.chars() {
                self.bump();
            }
        }
        found
    }

    fn token(&mut self) -> Token {
        if self.found.is_cut {
            return Token::End;
        }
        while self.eat(" ") || self.eat("\t") || self.eat("\r") || self.eat("\\\n") || self.eat("\\\r\n") {}
        if self.peek() == Some('#') {
            while self.peek().is_some_and(|c| c != '\n') {
                self.bump();
            }
        }
        match self.peek() {
            None => Token::End,
            Some('\n') => {
                self.bump();
                self.skip_heredocs();
                Token::Separator("\n")
            }
            Some(';') => {
                self.bump();
                let double = self.eat(";") | self.eat("&");
                Token::Separator(if double { ";;" } else { ";" })
            }
            Some('&') if self.eat("&>") => Token::Redirect,
            Some('&' | '|') => {
                while matches!(self.peek(), Some('&' | '|')) {
                    self.bump();
                }
                Token::Separator("|")
            }
            Some('(') if self.eat("((") => {
                self.skip_arithmetic();
                Token::Separator(";")
            }
            Some('(') => {
                self.bump();
                Token::Open
            }
            Some(')') => {
                self.bump();
                Token::Close
            }
            Some('<' | '>') => self.redirection(),
            Some(_) => Token::Word(self.word()),
        }
    }

    /// After `((` or `$((`: up to `))`.
    fn skip_arithmetic(&mut self) {
        let mut open = 2usize;
        while open > 0 {
            match self.bump() {
                Some('(') => open += 1,
                Some(')') => open -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    fn redirection(&mut self) -> Token {
        if self.eat("<(") || self.eat(">(") {
            let mut word = Word { line: self.line, quoted: true, ..Word::default() };
            self.substitution(&mut word);
            return Token::Word(word);
        }
        if self.eat("<<<") {
            return Token::Redirect;
        }
        if self.eat("<<") {
            let strip = self.eat("-");
            while self.eat(" ") || self.eat("\t") {}
            let delimiter = self.word().text;
            self.heredocs.push((delimiter, strip));
            return Token::Heredoc;
        }
        while matches!(self.peek(), Some('<' | '>' | '&' | '|')) {
            self.bump();
        }
        Token::Redirect
    }

    fn skip_heredocs(&mut self) {
        for (delimiter, strip) in std::mem::take(&mut self.heredocs) {
            while self.at < self.text.len() {
                let rest = &self.text[self.at..];
                let end = rest.find('\n').unwrap_or(rest.len());
                let line = &rest[..end];
                self.at += (end + 1).min(rest.len());
                self.line = self.line.saturating_add(1);
                let line = if strip { line.trim_start_matches('\t') } else { line };
                if line.trim_end_matches('\r') == delimiter {
                    break;
                }
            }
        }
    }

    fn word(&mut self) -> Word {
        let mut word = Word { line: self.line, ..Word::default() };
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | '\r' | ';' | '&' | '|' | '<' | '>' | ')' => break,
                '(' if word.assigns && word.text.ends_with('=') => {
                    self.bump();
                    self.skip_array();
                }
                '(' => break,
                '\'' => self.single_quoted(&mut word),
                '"' => self.double_quoted(&mut word),
                '`' => self.backticks(&mut word),
                '$' => self.dollar(&mut word),
                '\\' => {
                    self.bump();
                    if let Some(c) = self.bump().filter(|&c| c != '\n') {
                        word.text.push(c);
                    }
                    word.quoted = true;
                }
                _ => {
                    if c == '=' && !word.quoted && is_name(&word.text) {
                        word.assigns = true;
                    }
                    word.text.push(c);
                    self.bump();
                }
            }
        }
        word
    }

    /// `A=(one two)`: the items are no commands, their substitutions are.
    fn skip_array(&mut self) {
        loop {
            match self.token() {
                Token::Close | Token::End => return,
                _ => {}
            }
        }
    }

    fn single_quoted(&mut self, word: &mut Word) {
        self.bump();
        word.quoted = true;
        while let Some(c) = self.bump().filter(|&c| c != '\'') {
            word.text.push(c);
        }
    }

    fn double_quoted(&mut self, word: &mut Word) {
        self.bump();
        word.quoted = true;
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    self.bump();
                    return;
                }
                '`' => self.backticks(word),
                '$' => self.dollar(word),
                '\\' => {
                    self.bump();
                    match self.bump() {
                        Some('\n') | None => {}
                        Some(c @ ('$' | '`' | '"' | '\\')) => word.text.push(c),
                        Some(c) => word.text.extend(['\\', c]),
                    }
                }
                _ => {
                    self.bump();
                    word.text.push(c);
                }
            }
        }
    }

    fn backticks(&mut self, word: &mut Word) {
        let line = self.line;
        self.bump();
        let mut inside = String::new();
        while let Some(c) = self.bump().filter(|&c| c != '`') {
            match (c, self.peek()) {
                ('\\', Some(next @ ('`' | '\\' | '$'))) => {
                    self.bump();
                    inside.push(next);
                }
                _ => inside.push(c),
            }
        }
        word.quoted = true;
        scan(&inside, line, self.depth + 1, self.through, self.found);
        word.text.extend(["$(", inside.trim(), ")"]);
    }

    fn dollar(&mut self, word: &mut Word) {
        self.bump();
        match self.peek() {
            Some('(') if self.eat("((") => {
                self.skip_arithmetic();
                word.quoted = true;
                word.text.push('0');
            }
            Some('(') => {
                self.bump();
                self.substitution(word);
            }
            Some('{') => {
                let rest = &self.text[self.at..];
                let end = rest.find(['}', '\n']).map_or(rest.len(), |end| end + 1);
                word.text.push('$');
                let taken = rest[..end].trim_end_matches('\n');
                word.text.push_str(taken);
                self.at += taken.len();
            }
            _ => word.text.push('$'),
        }
    }

    /// After `$(`, `<(` or `>(`: reads the commands inside and keeps their text in the word.
    fn substitution(&mut self, word: &mut Word) {
        word.quoted = true;
        let start = self.at;
        if self.depth >= DEEPEST {
            self.at = self.text.len();
            return;
        }
        self.depth += 1;
        self.list(true);
        self.depth -= 1;
        let inside = self.text.get(start..self.at).unwrap_or_default();
        let inside = inside.strip_suffix(')').unwrap_or(inside);
        word.text.extend(["$(", inside.trim(), ")"]);
    }
}

fn set_last(cases: &mut [Case], case: Case) {
    if let Some(last) = cases.last_mut() {
        *last = case;
    }
}

/// `2` in `2>file`: digits that touch the redirection.
fn is_descriptor(word: &Word, text: &str, at: usize) -> bool {
    let operator_start = text[..at].trim_end_matches(['<', '>', '&', '|']);
    let digits = !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_digit());
    digits && !word.quoted && operator_start.ends_with(word.text.as_str())
}

fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('+').unwrap_or(text);
    crate::syntax::env_file::is_valid_name(text)
}

/// `$(which python3)` and `$(command -v python3)` name the program they look up.
fn looked_up(program: &str) -> String {
    let inside = program.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
    let mut words = inside.unwrap_or_default().split_ascii_whitespace();
    let found = match (words.next(), words.next()) {
        (Some("which"), Some(name)) => Some(name),
        (Some("command"), Some("-v")) => words.next(),
        _ => None,
    };
    found.unwrap_or(program).to_owned()
}
