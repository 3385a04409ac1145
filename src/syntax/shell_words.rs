//! Which programs a piece of shell calls: a recipe line, an ops script, the string after `bash -c`.
//!
//! No shell is run and no tree is built. The text is cut into simple commands as POSIX.1-2017 (Shell Command
//! Language, 2.3 to 2.10) says, substitutions and subshells included, and programs that only run another program
//! (`sudo`, `timeout`, `xargs`, `env` …) are looked through. What `echo` prints, what stands in a comment, a
//! heredoc or the pattern of `pgrep` is not a call. Variables stay as written: `$PYTHON` is a program name here.

use super::shell_wrappers::{Inner, inner_command};

/// One program called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The program as written, quotes removed. `$(which python3)` as a whole word is `python3`.
    pub program: String,
    /// Its arguments, quotes removed, redirections left out.
    pub args: Vec<String>,
    /// Line of the text, counted from the first line given.
    pub line: u32,
    /// Programs that run it, outermost first: `sudo`, `timeout`, `bash`.
    pub through: Vec<String>,
}

impl Call {
    /// The program's name without its directory.
    pub fn name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or_default()
    }

    /// A python interpreter, wherever it lives: `python`, `python3`, `/usr/bin/python3.11`, `venv/bin/python`.
    pub fn is_python(&self) -> bool {
        self.name().strip_prefix("python").is_some_and(|version| {
            version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && !version.starts_with('.')
        })
    }

    /// `python -m venv …`: making a virtual environment is the one thing to do with the system's python.
    pub fn makes_a_venv(&self) -> bool {
        let mut args = self.args.iter().skip_while(|arg| arg.starts_with('-') && *arg != "-m");
        self.is_python()
            && args.next().is_some_and(|arg| arg == "-m")
            && args.next().is_some_and(|arg| arg == "venv")
    }
}

/// How deep substitutions and `-c` strings are followed.
const DEEPEST: usize = 24;

/// How much room the calls of one text may take, in bytes. A script of a person takes a few KiB.
pub const MOST_ROOM: usize = 4 << 20;

/// All calls in `text`, in the order they are written; `first_line` is the number of its first line. Of a text whose
/// calls take more room than [`MOST_ROOM`] only the first are given: whoever takes silence for an answer asks
/// [`calls_within`].
pub fn calls(text: &str, first_line: u32) -> Vec<Call> {
    all(text, first_line, MOST_ROOM).calls
}

/// The same with the room that they take; `None` where that would be more than `room`.
pub fn calls_within(text: &str, first_line: u32, room: usize) -> Option<(Vec<Call>, usize)> {
    let found = all(text, first_line, room);
    (!found.is_cut).then_some((found.calls, room - found.room))
}

fn all(text: &str, first_line: u32, room: usize) -> Found {
    let mut found = Found { calls: Vec::new(), room, is_cut: false };
    scan(text, first_line, 0, &[], &mut found);
    found
}

/// Calls, and how much room is left for more.
struct Found {
    calls: Vec<Call>,
    room: usize,
    is_cut: bool,
}

impl Found {
    /// Whether there is room for a call of these words. Once there is none, nothing more is read.
    fn takes<'w>(&mut self, words: impl Iterator<Item = &'w String>) -> bool {
        // A string of the heap is its bytes and about this much around them.
        const STRING: usize = 48;
        let size = words.map(|word| word.len() + STRING).sum::<usize>() + 2 * STRING;
        self.is_cut |= size > self.room;
        self.room = self.room.saturating_sub(size);
        !self.is_cut
    }
}

fn scan(text: &str, line: u32, depth: usize, through: &[String], found: &mut Found) {
    if depth < DEEPEST {
        Scanner { text, at: 0, line, depth, through, found, heredocs: Vec::new() }.list(false);
    }
}

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
    super::env_file::is_valid_name(text)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(text: &str) -> Vec<String> {
        calls(text, 1).into_iter().map(|call| call.program).collect()
    }

    fn python_lines(text: &str) -> Vec<u32> {
        calls(text, 1).into_iter().filter(Call::is_python).map(|call| call.line).collect()
    }

    #[test]
    fn simple_commands_and_their_separators() {
        assert_eq!(programs("a; b && c || d | e & f\ng |& h"), ["a", "b", "c", "d", "e", "f", "g", "h"]);
        assert_eq!(programs("X=1 Y='a b' prog --x='1;2' \"a;b\" # c; d\n"), ["prog"]);
        assert_eq!(programs("(a; b) && { c; d; }"), ["a", "b", "c", "d"]);
        assert_eq!(programs("a >f 2>&1 <g &>h; b 2> x y"), ["a", "b"]);
        assert_eq!(calls("b 2> x y", 1)[0].args, ["y"]);
        assert_eq!(programs("a \\\n  b \\\n  c\nd"), ["a", "d"]);
    }

    #[test]
    fn substitutions_are_calls_and_text_is_not() {
        assert_eq!(programs("echo \"python x; $(python3 -V)\" 'python $(no)'"), ["python3", "echo"]);
        assert_eq!(programs("X=`python a` y"), ["python", "y"]);
        assert_eq!(programs("A=$((1+2)) B=(python x) C=$(a (b) )"), ["a", "b"]);
        assert_eq!(programs("diff <(a) <(b | c)"), ["a", "b", "c", "diff"]);
        assert_eq!(
            programs("$(which python3) x.py; \"$(command -v python)\" y"),
            ["which", "python3", "command", "python"]
        );
        assert_eq!(programs("$PYTHON x; ${PY} y"), ["$PYTHON", "${PY}"]);
    }

    #[test]
    fn compound_commands() {
        let text = "if a; then b; elif ! c; then d; else e; fi\nfor x in python3 y; do f $x; done\n\
                    while read -r l; do g; done < h\ncase $1 in\n python) i ;;\n (x|y) j; k ;;\n *) l\nesac\nm() { n; }\n\
                    function o { p; }\n[[ -f q && r ]] && s\n(( t + 1 ))\nu";
        let expected = ["a", "b", "c", "d", "e", "f", "read", "g", "i", "j", "k", "l", "n", "p", "s", "u"];
        assert_eq!(programs(text), expected);
    }

    #[test]
    fn programs_that_run_programs() {
        for text in [
            "sudo -u qt -E python x",
            "timeout -k 5 30 python x",
            "xargs -0 -n 1 python x",
            "env -u A B=1 python x",
            "exec -a name python x",
            "nohup nice -n 5 python x &",
            "cd /x && python x",
            "echo x | python3 -m json.tool",
            "bash -c 'cd y; python x'",
            "sh -ec \"python x\"",
            "find . -name a -exec python {} \\;",
            "eval python x",
            "flock -n /run/l python x",
            "sudo -- env A=1 timeout 5s bash -lc 'exec python x'",
            "! python x",
            "systemd-run --uid=qt -p Nice=5 python x",
            "su qt -c 'python x'",
            "runuser -u qt -- python x",
            "time python x",
            "env -S 'python -u' x",
            "command python x",
            "uv run python x",
            "ssh-agent python x",
            "trap 'python x' EXIT",
            "echo `python x`",
        ] {
            assert_eq!(python_lines(text), [1], "{text}");
        }
        let found = calls("sudo timeout 5 python x", 7);
        assert_eq!(found[2].through, ["sudo", "timeout"]);
        assert_eq!((found[2].line, found[2].args.as_slice()), (7, &["x".to_owned()][..]));
    }

    #[test]
    fn what_only_names_python() {
        for text in [
            "pgrep python",
            "pkill -f 'python x'",
            "echo python; printf '%s' python",
            "command -v python3",
            "which python",
            "apt-get install -y python3",
            "grep -r python3 .",
            "# python x",
            "cat <<EOF\npython x\nEOF\n",
            "ls /usr/bin/python3",
            "cat >x <<-'E'\n\tpython x\n\tE\ntrue",
            "docker exec c python x",
            "case python in python) ;; esac",
            "type python",
            "ps aux | grep [p]ython",
            "A=python",
            "export PY=python",
            "pythonx y",
            "git commit -m 'python x'",
        ] {
            assert!(python_lines(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn lines_are_counted() {
        assert_eq!(
            python_lines("a\n\npython x\ncat <<E\nx\nE\npython y\nb \"\n\" \\\n c; python z"),
            [3, 7, 10]
        );
    }

    #[test]
    fn python_names() {
        let call = |program: &str| calls(program, 1).remove(0);
        assert!(call("/usr/bin/python3.11").is_python() && call("venv/bin/python").is_python());
        assert!(!call("python-config").is_python() && !call("ipython").is_python());
        assert!(call("python3 -I -m venv x").makes_a_venv() && !call("python3 -m pip x").makes_a_venv());
    }

    #[test]
    fn calls_without_number_are_cut_and_said_to_be() {
        let many = "a|".repeat(500_000);
        assert!(calls_within(&many, 1, MOST_ROOM).is_none());
        assert!(calls(&many, 1).len() < 100_000);
        assert!(calls_within(&("sudo ".repeat(20) + &"x ".repeat(100_000)), 1, MOST_ROOM).is_none());
        let (few, room) = calls_within("a | b c", 1, MOST_ROOM).unwrap();
        assert!(few.len() == 2 && room > 0 && room < 1000);
    }

    #[test]
    fn deep_nesting_ends() {
        let deep = "$(".repeat(10_000) + "python" + &")".repeat(10_000);
        assert!(calls(&deep, 1).len() < 10_000);
        let quoted = "bash -c '".repeat(5_000);
        assert!(!calls(&quoted, 1).is_empty());
        assert!(calls(&"sudo ".repeat(5_000), 1).len() < 100);
    }
}
