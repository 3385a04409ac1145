//! What `set -a; . FILE` in bash and dash would make of an environment file, beside what systemd makes of it.
//!
//! People source such files by hand and in scripts, and then debug a service that runs with other values. This
//! is no shell: it reads assignments, quotes, comments and known variables exactly, and for everything else it
//! says that the shell does something of its own. [`ShellReading::Same`] and [`ShellReading::Differs`] are
//! claims about bash and dash both; where the two disagree, the reading is [`ShellReading::Breaks`].
//! Grammar: POSIX.1-2017, Shell Command Language, 2.2 (quoting), 2.3 (tokens), 2.6 (expansions), 2.9.1.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::env_file::{EnvFile, Variable};

mod words;

/// How a shell reads one variable, compared with systemd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShellReading {
    /// Both give the same value.
    Same,
    /// The shell gives another value.
    Differs {
        /// What the shell gives.
        shell: String,
    },
    /// The shell does not assign the variable, or to a value that the file alone does not tell.
    Breaks {
        /// What it does instead.
        why: String,
    },
}

/// The shell's reading of each variable of `file`, in the same order. `bytes` is the file's content.
pub fn shell_readings(bytes: &[u8], file: &EnvFile) -> Vec<ShellReading> {
    let text = String::from_utf8_lossy(bytes);
    let mut shell = Shell::new(&text);
    shell.run();
    let mut by_place: HashMap<(u32, &str), &Result<String, String>> = HashMap::new();
    for assignment in &shell.assignments {
        by_place.insert((assignment.line, assignment.name.as_str()), &assignment.value);
    }
    // A line that systemd takes for the rest of a value, such as one after a comment with a backslash at its end, may
    // be an assignment to a shell; then the last one counts.
    let own: HashSet<(u32, &str)> =
        file.variables.iter().map(|variable| (variable.line, &*variable.name)).collect();
    let mut hidden: HashMap<&str, Vec<&Assignment>> = HashMap::new();
    for assignment in
        shell.assignments.iter().filter(|found| !own.contains(&(found.line, found.name.as_str())))
    {
        hidden.entry(assignment.name.as_str()).or_default().push(assignment);
    }
    let later = |variable: &Variable| {
        let hidden = hidden.get(&*variable.name)?;
        let again =
            file.variables.iter().filter(|other| other.name == variable.name && other.line > variable.line);
        let until = again.map(|other| other.line).min().unwrap_or(u32::MAX);
        hidden.iter().rfind(|found| (variable.line..until).contains(&found.line)).map(|found| &found.value)
    };
    let first = |variable: &Variable| by_place.get(&(variable.line, &*variable.name)).copied();
    let reading = |variable: &Variable| match first(variable).map(|value| later(variable).unwrap_or(value)) {
        Some(Ok(value)) if *value == variable.value => ShellReading::Same,
        Some(Ok(value)) => ShellReading::Differs { shell: value.clone() },
        Some(Err(why)) => ShellReading::Breaks { why: why.clone() },
        None => ShellReading::Breaks { why: shell.why_unassigned(variable.line) },
    };
    file.variables.iter().map(reading).collect()
}

/// Variables that a shell treats in its own way, so that an assignment fails or does not last.
const SPECIAL: [&str; 20] = [
    "_",
    "BASHOPTS",
    "BASHPID",
    "BASH_ARGV0",
    "BASH_COMMAND",
    "BASH_VERSINFO",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "FUNCNAME",
    "GROUPS",
    "HISTCMD",
    "LINENO",
    "OPTIND",
    "PPID",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "UID",
];
/// Words that begin something longer than a command of one line, or that change what later lines mean.
const BEYOND_US: [&str; 37] = [
    "!",
    "{",
    "}",
    "[[",
    "if",
    "then",
    "else",
    "elif",
    "fi",
    "for",
    "while",
    "until",
    "do",
    "done",
    "case",
    "esac",
    "select",
    "function",
    "time",
    "coproc",
    "exit",
    "return",
    "exec",
    "eval",
    "source",
    ".",
    "unset",
    "readonly",
    "declare",
    "typeset",
    "local",
    "read",
    "let",
    "getopts",
    "mapfile",
    "readarray",
    "alias",
];

struct Assignment {
    line: u32,
    name: String,
    /// The value, or why it cannot be told.
    value: Result<String, String>,
}

/// Lines that the shell read as one, and what it did there.
struct Stretch {
    first: u32,
    last: u32,
    why: String,
}

struct Shell<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    assignments: Vec<Assignment>,
    stretches: Vec<Stretch>,
    known: HashMap<String, Result<String, String>>,
    /// Why the shell, or our reading of it, ended before the file did.
    stopped: Option<String>,
    /// How much text expansions may still put in.
    budget: usize,
}

/// Room for expansions beside the file's own length, or `A=$A$A` line after line would double for ever.
const EXPANSION_BUDGET: usize = 256 * 1024;

/// One word of a command.
#[derive(Default)]
struct Word {
    text: String,
    line: u32,
    /// Length of `NAME` where the word begins `NAME=` without a quote in it.
    name_length: Option<usize>,
    quoted: bool,
    /// Why the text cannot be told.
    unknown: Option<String>,
}

enum Token {
    Word(Word),
    Operator(&'static str),
    Newline,
    End,
}

impl<'a> Shell<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
            assignments: Vec::new(),
            stretches: Vec::new(),
            known: HashMap::new(),
            stopped: None,
            budget: text.len() + EXPANSION_BUDGET,
        }
    }

    fn why_unassigned(&self, line: u32) -> String {
        let index = self.stretches.partition_point(|stretch| stretch.first <= line);
        let stretch = index.checked_sub(1).and_then(|index| self.stretches.get(index));
        match (stretch, &self.stopped) {
            (Some(stretch), _) if line <= stretch.last => stretch.why.clone(),
            (_, Some(why)) => why.clone(),
            _ => "the shell does not assign it".to_owned(),
        }
    }

    fn run(&mut self) {
        while self.stopped.is_none() && self.at < self.text.len() {
            self.read_line();
        }
    }

    /// A shell reads a whole line (with its open quotes) before it executes any of it.
    fn read_line(&mut self) {
        let first = self.line;
        let before = self.assignments.len();
        let mut why = None;
        let mut words = Vec::new();
        let mut redirected = false;
        loop {
            match self.token() {
                Ok(Token::Word(word)) => words.push(word),
                Ok(Token::Operator("redirect")) => {
                    redirected = true;
                    if !matches!(self.token(), Ok(Token::Word(_))) {
                        self.stop(first, "a redirection without a file name");
                        break;
                    }
                }
                Ok(Token::Operator(operator)) => {
                    if words.is_empty() {
                        self.stop(first, "a syntax error for a shell");
                        break;
                    }
                    let what = effect_of(operator).or(redirected.then_some("redirects to or from a file"));
                    self.execute(&mut words, what, &mut why);
                    redirected = false;
                    if !matches!(operator, ";" | "&") {
                        self.stop(first, "shell code");
                        break;
                    }
                }
                Ok(Token::Newline | Token::End) => {
                    self.execute(&mut words, redirected.then_some("redirects to or from a file"), &mut why);
                    break;
                }
                Err(error) => {
                    self.stop(first, &error);
                    break;
                }
            }
        }
        if let Some(stopped) = &self.stopped {
            for assignment in self.assignments.iter_mut().skip(before) {
                assignment.value = Err(stopped.clone());
            }
        }
        let why =
            self.stopped.clone().or(why).unwrap_or_else(|| format!("belongs to what begins on line {first}"));
        let last = self.line.saturating_sub(u32::from(self.text[..self.at].ends_with('\n'))).max(first);
        self.stretches.push(Stretch { first, last, why });
    }

    fn stop(&mut self, line: u32, why: &str) {
        self.stopped = Some(format!("the shell gets no further than line {line}: {why}"));
    }

    /// Carries out one simple command. `effect` says why its assignments do not reach this shell.
    fn execute(&mut self, words: &mut Vec<Word>, effect: Option<&'static str>, why: &mut Option<String>) {
        let words = std::mem::take(words);
        let assigning = words.iter().take_while(|word| word.name_length.is_some()).count();
        let command = words.get(assigning);
        let exports = command.is_some_and(|word| word.text == "export");
        if let Some(command) = command {
            if !exports {
                *why = Some(format!("the shell runs `{}` as a command", shorten(&command.text)));
            }
            if !command.quoted && BEYOND_US.contains(&command.text.as_str()) {
                self.stop(command.line, &format!("`{}` is shell code", command.text));
                return;
            }
        }
        let reason = match (command, effect) {
            (Some(_), _) if !exports => why.clone(),
            (_, Some(effect)) => Some(format!("the shell {effect}")),
            _ => None,
        };
        // An assignment before a command lasts no longer than the command.
        let lasting = command.is_none() || exports;
        for (index, word) in words.into_iter().enumerate() {
            let Some(length) = word.name_length.filter(|_| index < assigning || exports) else { continue };
            let name = word.text[..length].to_owned();
            let value = match (&reason, word.unknown) {
                (Some(reason), _) => Err(reason.clone()),
                (None, Some(unknown)) => Err(unknown),
                (None, None) if SPECIAL.contains(&name.as_str()) => {
                    Err(format!("{name} has a meaning of its own in a shell"))
                }
                (None, None) => Ok(word.text[length + 1..].to_owned()),
            };
            if lasting {
                self.known.insert(name.clone(), value.clone());
            }
            self.assignments.push(Assignment { line: word.line, name, value });
        }
    }
}

fn effect_of(operator: &str) -> Option<&'static str> {
    match operator {
        "&" => Some("runs it in the background, where the variable is lost"),
        "|" => Some("runs it in a pipeline, where the variable is lost"),
        "&&" => Some("runs what follows as a command"),
        _ => None,
    }
}

/// The first few characters of something that may be long or secret.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 24;
    let mut short: String = text.chars().take(LONGEST).filter(|c| !c.is_control()).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
