//! The words of a shell's line: quotes, backslashes, and as much of the expansions as can be told.

use super::{SPECIAL, Shell, Token, Word, shorten};
use crate::syntax::env_file::is_valid_name;

impl<'a> Shell<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes one character and counts lines as systemd does: a lone CR ends one too.
    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' || c == '\r' && self.peek() != Some('\n') {
            self.line = self.line.saturating_add(1);
        }
        Some(c)
    }

    /// Outside single quotes and comments a backslash at the end of a line is gone before words are looked for.
    fn join_lines(&mut self) {
        while self.rest().starts_with("\\\n") {
            self.bump();
            self.bump();
        }
    }

    fn skip_blanks_and_comment(&mut self) {
        loop {
            self.join_lines();
            if matches!(self.peek(), Some(' ' | '\t')) {
                self.bump();
            } else {
                break;
            }
        }
        if self.peek() == Some('#') {
            while self.peek().is_some_and(|c| c != '\n') {
                self.bump();
            }
        }
    }

    pub(super) fn token(&mut self) -> Result<Token, String> {
        self.skip_blanks_and_comment();
        let Some(c) = self.peek() else { return Ok(Token::End) };
        match c {
            '\n' => {
                self.bump();
                Ok(Token::Newline)
            }
            '(' | ')' => Err(format!("`{c}` is shell syntax")),
            ';' | '&' | '|' => {
                self.bump();
                if self.peek() == Some(c) {
                    self.bump();
                    return if c == ';' {
                        Err("`;;` is a syntax error".to_owned())
                    } else {
                        Ok(Token::Operator("&&"))
                    };
                }
                Ok(Token::Operator(match c {
                    ';' => ";",
                    '&' => "&",
                    _ => "|",
                }))
            }
            '<' | '>' => {
                if self.rest().starts_with("<<") {
                    return Err("a here-document begins".to_owned());
                }
                while matches!(self.peek(), Some('<' | '>' | '&' | '|')) {
                    self.bump();
                }
                Ok(Token::Operator("redirect"))
            }
            _ => self.word().map(Token::Word),
        }
    }

    fn word(&mut self) -> Result<Word, String> {
        let mut word = Word { line: self.line, ..Word::default() };
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => self.single_quoted(&mut word)?,
                '"' => self.double_quoted(&mut word)?,
                '$' => self.dollar(&mut word, false)?,
                '`' => self.backticks(&mut word)?,
                '\\' => {
                    self.bump();
                    match self.bump() {
                        Some('\n') => continue,
                        Some(escaped) => word.text.push(escaped),
                        // At the end of the file bash keeps the backslash and dash drops it.
                        None => word.unknown = Some("ends in a backslash".to_owned()),
                    }
                    word.quoted = true;
                }
                _ => {
                    self.bare(&mut word, c);
                    self.bump();
                }
            }
        }
        Ok(word)
    }

    fn bare(&self, word: &mut Word, c: char) {
        let in_value = word.name_length.is_some();
        if c == '=' && !in_value && !word.quoted && word.unknown.is_none() && is_valid_name(&word.text) {
            word.name_length = Some(word.text.len());
        }
        let before = self.text[..self.at].trim_end_matches("\\\n");
        if c == '~' && in_value && before.ends_with(['=', ':']) {
            word.unknown = Some("the shell puts a home directory for `~`".to_owned());
        }
        word.text.push(c);
    }

    fn single_quoted(&mut self, word: &mut Word) -> Result<(), String> {
        self.bump();
        word.quoted = true;
        while let Some(c) = self.bump() {
            if c == '\'' {
                return Ok(());
            }
            word.text.push(c);
        }
        Err("a single quote is not closed".to_owned())
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), String> {
        self.bump();
        word.quoted = true;
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    self.bump();
                    return Ok(());
                }
                '$' => self.dollar(word, true)?,
                '`' => self.backticks(word)?,
                '\\' => {
                    self.bump();
                    match self.bump() {
                        Some('\n') => {}
                        Some(escaped @ ('$' | '`' | '"' | '\\')) => word.text.push(escaped),
                        Some(other) => word.text.extend(['\\', other]),
                        None => break,
                    }
                }
                _ => {
                    self.bump();
                    word.text.push(c);
                }
            }
        }
        Err("a double quote is not closed".to_owned())
    }

    fn backticks(&mut self, word: &mut Word) -> Result<(), String> {
        self.bump();
        word.quoted = true;
        word.unknown = Some("the shell runs what stands between backticks".to_owned());
        loop {
            match self.bump() {
                Some('`') => return Ok(()),
                Some('\\' | '\'' | '"' | '(' | ')' | '\n') | None => {
                    return Err("code in backticks that only a shell can follow".to_owned());
                }
                Some(_) => {}
            }
        }
    }

    fn dollar(&mut self, word: &mut Word, in_quotes: bool) -> Result<(), String> {
        self.bump();
        word.quoted = true;
        self.join_lines();
        match self.peek() {
            Some('{') => self.braces(word),
            Some('(') => {
                let inside = self.enclosed(')')?;
                word.unknown = Some(format!("the shell runs `{}`", shorten(inside)));
                Ok(())
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = self.name();
                self.insert(word, &name);
                Ok(())
            }
            Some(c @ ('0'..='9' | '$' | '?' | '!' | '#' | '@' | '*' | '-')) => {
                self.bump();
                word.unknown = Some(format!("the shell expands `${c}`"));
                Ok(())
            }
            // bash reads $'…', $"…" and $[…] in its own way, dash does not.
            Some('\'' | '"') if !in_quotes => {
                Err("a quote after `$`, which bash and dash read differently".to_owned())
            }
            Some('[') => Err("`$[`, which bash and dash read differently".to_owned()),
            _ => {
                word.text.push('$');
                Ok(())
            }
        }
    }

    /// The name that stands here; it may go on behind the end of a line.
    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
            self.bump();
            self.join_lines();
        }
        name
    }

    fn braces(&mut self, word: &mut Word) -> Result<(), String> {
        let inside = self.enclosed('}')?;
        let length = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inside.len());
        let (name, operation) = inside.split_at(length);
        if !is_valid_name(name) {
            return Err(format!("`${{{}}}` is a bad substitution", shorten(inside)));
        }
        if operation.is_empty() {
            self.insert(word, name);
        } else if operation.trim_start_matches(':').starts_with(['-', '+']) {
            word.unknown = Some(format!("the shell expands `${{{}}}`", shorten(inside)));
        } else {
            return Err(format!("`${{{}}}`, which only a shell can follow", shorten(inside)));
        }
        Ok(())
    }

    /// The text between the bracket that stands here and `close`, if it is plain enough.
    fn enclosed(&mut self, close: char) -> Result<&'a str, String> {
        let inside = self.rest().get(1..).unwrap_or_default();
        let hard = |c: char| matches!(c, '\'' | '"' | '`' | '\\' | '$' | '(' | '{' | '\n' | '\r' | '#');
        let end = inside.find(|c| c == close || hard(c));
        match end {
            Some(end) if inside[end..].starts_with(close) => {
                self.at += end + 2;
                Ok(&inside[..end])
            }
            _ => Err("an expansion that only a shell can follow".to_owned()),
        }
    }

    fn insert(&mut self, word: &mut Word, name: &str) {
        match self.known.get(name) {
            Some(Ok(_)) if SPECIAL.contains(&name) => {
                word.unknown = Some(format!("the shell expands `${name}`"));
            }
            Some(Ok(value)) if value.len() <= self.budget => {
                self.budget -= value.len();
                word.text.push_str(value);
            }
            Some(_) => word.unknown = Some(format!("the shell puts in the value of ${name}")),
            None => {
                word.unknown =
                    Some(format!("the shell puts in the value of ${name}, which this file does not set"));
            }
        }
    }
}
