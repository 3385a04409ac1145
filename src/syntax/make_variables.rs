//! Variables and functions of GNU make, expanded without running anything.
//!
//! A variable that a conditional sets has several values; expansion gives one text for each. Functions that need
//! the machine are kept as text: `$(shell x)` becomes the shell's own `$(x)`, `$(wildcard x)` its pattern. Names
//! that nobody sets are empty, as with an empty environment, save the few that every environment has.

use std::collections::HashMap;

use super::make_functions::{
    enclosed, first_three, is_text_function, map_words, split_arguments, substitute_pattern, text_function,
};
use super::makefile::ShellFunction;

/// How a variable is assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `=`: expanded when used.
    Recursive,
    /// `:=`, `::=`, `:::=`: expanded now.
    Simple,
    /// `?=`: only where it has no value.
    IfUnset,
    /// `+=`: appended with a blank.
    Append,
    /// `!=`: the output of a command.
    Shell,
}

/// One assignment.
pub(super) struct Assignment<'a> {
    pub name: &'a str,
    pub operator: Operator,
    pub text: &'a str,
    pub line: u32,
    /// It stands in a conditional, so that the old value may hold as well.
    pub conditional: bool,
}

/// What recipes of a rule see beside the global variables.
pub(super) struct Scope {
    pub target: String,
    pub prerequisites: Vec<String>,
}

impl Scope {
    pub(crate) fn new(targets: &[String], prerequisites: Vec<String>) -> Self {
        Self { target: targets.first().cloned().unwrap_or_default(), prerequisites }
    }
}

/// How many values of one text are followed.
const MOST_VALUES: usize = 8;
/// How deep variables and functions nest.
const DEEPEST: usize = 40;
/// Room for expansions beside a multiple of the file's own length.
const BASE_BUDGET: usize = 256 * 1024;
/// Variables of every environment, left to the shell.
const ENVIRONMENT: [&str; 8] = ["HOME", "USER", "LOGNAME", "PATH", "PWD", "TMPDIR", "SHLVL", "TERM"];

#[derive(Default)]
pub(super) struct Variables {
    global: HashMap<String, Vec<Value>>,
    of_target: HashMap<(String, String), Vec<Value>>,
    shell_functions: Vec<ShellFunction>,
    /// How much text expansions may still produce.
    budget: usize,
    cut: bool,
}

#[derive(Clone, PartialEq)]
struct Value {
    text: String,
    recursive: bool,
}

/// Where an expansion stands.
#[derive(Clone, Copy)]
struct Context<'a> {
    line: u32,
    scope: Option<&'a Scope>,
    /// `$(1)`, `$(2)` … of a `call`, or the variable of a `foreach`.
    parameters: &'a [(String, String)],
    depth: usize,
    /// Which of several values to take, decided afresh for each alternative.
    choice: usize,
}

impl Variables {
    pub(crate) fn new(file_length: usize) -> Self {
        Self { budget: BASE_BUDGET + 16 * file_length, ..Self::default() }
    }

    pub(crate) fn take_shell_functions(&mut self) -> Vec<ShellFunction> {
        std::mem::take(&mut self.shell_functions)
    }

    /// Some expansion was not carried out in full.
    pub(crate) fn was_cut(&self) -> bool {
        self.cut
    }

    pub(crate) fn undefine(&mut self, name: &str, conditional: bool) {
        if !conditional {
            self.global.remove(name);
        }
    }

    /// Carries out an assignment, for one target or for all.
    pub(crate) fn assign(&mut self, target: Option<&str>, assignment: &Assignment<'_>) {
        let old = match target {
            Some(target) => self.of_target.get(&(target.to_owned(), assignment.name.to_owned())),
            None => self.global.get(assignment.name),
        };
        // A target's own variable builds on the global one.
        let old = old.or_else(|| self.global.get(assignment.name)).cloned().unwrap_or_default();
        let new = self.new_values(&old, assignment);
        let mut values = if assignment.conditional { old } else { Vec::new() };
        for value in new {
            if !values.contains(&value) && values.len() < MOST_VALUES {
                values.push(value);
            }
        }
        match target {
            Some(target) => self.of_target.insert((target.to_owned(), assignment.name.to_owned()), values),
            None => self.global.insert(assignment.name.to_owned(), values),
        };
    }

    fn new_values(&mut self, old: &[Value], assignment: &Assignment<'_>) -> Vec<Value> {
        let text = assignment.text;
        let recursive = |text: &str| Value { text: text.to_owned(), recursive: true };
        match assignment.operator {
            Operator::Recursive => vec![recursive(text)],
            Operator::IfUnset if old.is_empty() => vec![recursive(text)],
            Operator::IfUnset => old.to_vec(),
            Operator::Simple => {
                let expanded = self.expand(text, assignment.line, None);
                expanded.into_iter().map(|text| Value { text, recursive: false }).collect()
            }
            Operator::Shell => {
                let command = self.expand(text, assignment.line, None).into_iter().next().unwrap_or_default();
                self.shell_functions.push(ShellFunction { text: command.clone(), line: assignment.line });
                vec![Value { text: format!("$({command})"), recursive: false }]
            }
            Operator::Append if old.is_empty() => vec![recursive(text)],
            Operator::Append => {
                let mut values = Vec::new();
                for value in old {
                    let added = match value.recursive {
                        true => text.to_owned(),
                        false => {
                            self.expand(text, assignment.line, None).into_iter().next().unwrap_or_default()
                        }
                    };
                    if self.spend(value.text.len() + added.len()) {
                        values.push(Value {
                            text: format!("{} {added}", value.text),
                            recursive: value.recursive,
                        });
                    }
                }
                values
            }
        }
    }

    /// All texts that `text` may expand to, the first assigned values first; at least one.
    pub(crate) fn expand(&mut self, text: &str, line: u32, scope: Option<&Scope>) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for choice in 0..MOST_VALUES {
            let mut widest = 1;
            let context = Context { line, scope, parameters: &[], depth: 0, choice };
            let expanded = self.expand_in(text, context, &mut widest);
            if !found.contains(&expanded) {
                found.push(expanded);
            }
            if choice + 1 >= widest {
                break;
            }
        }
        found
    }

    /// Takes `amount` from the budget; false when it is used up.
    fn spend(&mut self, amount: usize) -> bool {
        match self.budget.checked_sub(amount) {
            Some(left) => self.budget = left,
            None => {
                self.budget = 0;
                self.cut = true;
            }
        }
        !self.cut
    }

    fn expand_in(&mut self, text: &str, context: Context<'_>, widest: &mut usize) -> String {
        if !text.contains('$') {
            return if self.spend(text.len()) { text.to_owned() } else { String::new() };
        }
        if context.depth >= DEEPEST || !self.spend(text.len() + 1) {
            self.cut |= context.depth >= DEEPEST;
            return String::new();
        }
        let mut result = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            result.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            match after.chars().next() {
                Some('$') => {
                    result.push('$');
                    rest = &after[1..];
                }
                Some(open @ ('(' | '{')) => {
                    let inside = enclosed(&after[1..], open);
                    result.push_str(&self.reference(inside, context, widest));
                    rest = after.get(inside.len() + 2..).unwrap_or_default();
                }
                Some(c) => {
                    result.push_str(&self.value_of(c.encode_utf8(&mut [0; 4]), context, widest));
                    rest = &after[c.len_utf8()..];
                }
                None => rest = "",
            }
        }
        result.push_str(rest);
        result
    }

    /// What stands between the brackets of `$(…)`.
    fn reference(&mut self, inside: &str, context: Context<'_>, widest: &mut usize) -> String {
        let deeper = Context { depth: context.depth + 1, ..context };
        if let Some((name, arguments)) = inside.split_once([' ', '\t'])
            && let Some(result) = self.function(name, arguments.trim_start(), deeper, widest)
        {
            return result;
        }
        let inside = self.expand_in(inside, deeper, widest);
        match inside.split_once(':').and_then(|(name, change)| Some((name, change.split_once('=')?))) {
            Some((name, (from, to))) => {
                let value = self.value_of(name, context, widest);
                let (from, to) = match from.contains('%') {
                    true => (from.to_owned(), to.to_owned()),
                    false => (format!("%{from}"), format!("%{to}")),
                };
                map_words(&value, |word| substitute_pattern(word, &from, &to))
            }
            None => self.value_of(&inside, context, widest),
        }
    }

    fn value_of(&mut self, name: &str, context: Context<'_>, widest: &mut usize) -> String {
        if let Some((_, value)) = context.parameters.iter().rev().find(|(parameter, _)| parameter == name) {
            let value = value.clone();
            return if self.spend(value.len()) { value } else { String::new() };
        }
        if let Some(value) = automatic(name, context.scope) {
            return if self.spend(value.len()) { value } else { String::new() };
        }
        let own =
            context.scope.and_then(|scope| self.of_target.get(&(scope.target.clone(), name.to_owned())));
        let Some(values) = own.or_else(|| self.global.get(name)).filter(|values| !values.is_empty()) else {
            return builtin(name);
        };
        *widest = (*widest).max(values.len());
        let Some(value) = values.get(context.choice.min(values.len() - 1)).cloned() else {
            return String::new();
        };
        match value.recursive {
            true => {
                // A variable that reaches itself is an error for make; here it ends empty.
                let deeper = Context { depth: context.depth + 1, ..context };
                let mut hidden = self.hide(name, context.scope);
                let text = self.expand_in(&value.text, deeper, widest);
                hidden.restore(self);
                text
            }
            false if self.spend(value.text.len()) => value.text,
            false => String::new(),
        }
    }

    /// Makes `name` unknown while its own value is expanded.
    fn hide(&mut self, name: &str, scope: Option<&Scope>) -> Hidden {
        let global = self.global.remove_entry(name);
        let own =
            scope.and_then(|scope| self.of_target.remove_entry(&(scope.target.clone(), name.to_owned())));
        Hidden { global, own }
    }

    /// Functions; None where `name` is none.
    fn function(
        &mut self,
        name: &str,
        text: &str,
        context: Context<'_>,
        widest: &mut usize,
    ) -> Option<String> {
        let mut arguments = |this: &mut Self| -> Vec<String> {
            split_arguments(text)
                .into_iter()
                .map(|argument| this.expand_in(argument, context, widest))
                .collect()
        };
        Some(match name {
            "if" => {
                let [condition, yes, no] = first_three(arguments(self));
                if condition.trim().is_empty() { no } else { yes }
            }
            "or" => arguments(self).into_iter().find(|value| !value.is_empty()).unwrap_or_default(),
            "and" => {
                let mut values = arguments(self);
                let all = !values.iter().any(String::is_empty);
                values.pop().filter(|_| all).unwrap_or_default()
            }
            "call" => self.call(text, context, widest),
            "foreach" => self.foreach(text, context, widest),
            "shell" => {
                let command = self.expand_in(text, context, widest);
                self.record_shell(&command, context.line);
                format!("$({command})")
            }
            "eval" | "file" | "guile" | "let" => {
                self.cut = true;
                String::new()
            }
            _ if is_text_function(name) => text_function(name, arguments(self)),
            _ => return None,
        })
    }

    fn record_shell(&mut self, command: &str, line: u32) {
        let new = !self.shell_functions.iter().rev().take(8).any(|f| f.line == line && f.text == command);
        if new && self.spend(command.len()) {
            self.shell_functions.push(ShellFunction { text: command.to_owned(), line });
        }
    }

    fn call(&mut self, text: &str, context: Context<'_>, widest: &mut usize) -> String {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (index, argument) in split_arguments(text).into_iter().take(64).enumerate() {
            let value = self.expand_in(argument, context, widest);
            parameters.push((index.to_string(), value));
        }
        let name = parameters.first().map(|(_, name)| name.trim().to_owned()).unwrap_or_default();
        self.value_of(&name, Context { parameters: &parameters, ..context }, widest)
    }

    fn foreach(&mut self, text: &str, context: Context<'_>, widest: &mut usize) -> String {
        let arguments = split_arguments(text);
        let (Some(name), Some(list)) = (arguments.first(), arguments.get(1)) else { return String::new() };
        let body = text.get(name.len() + list.len() + 2..).unwrap_or_default();
        let name = self.expand_in(name, context, widest).trim().to_owned();
        let list = self.expand_in(list, context, widest);
        let mut results = Vec::new();
        for word in list.split_whitespace() {
            let mut parameters = context.parameters.to_vec();
            parameters.push((name.clone(), word.to_owned()));
            results.push(self.expand_in(body, Context { parameters: &parameters, ..context }, widest));
            if self.cut {
                break;
            }
        }
        results.join(" ")
    }
}

struct Hidden {
    global: Option<(String, Vec<Value>)>,
    own: Option<((String, String), Vec<Value>)>,
}

impl Hidden {
    fn restore(&mut self, variables: &mut Variables) {
        variables.global.extend(self.global.take());
        variables.of_target.extend(self.own.take());
    }
}

/// `$@`, `$<`, `$^`, `$(@D)` …; None for other names. What only a run tells (`$*`, `$?`) is taken as all or empty.
fn automatic(name: &str, scope: Option<&Scope>) -> Option<String> {
    let (kind, part) = name.split_at_checked(1)?;
    if !matches!(kind, "@" | "<" | "^" | "+" | "?" | "*" | "%" | "|") || !matches!(part, "" | "D" | "F") {
        return None;
    }
    let Some(scope) = scope else { return Some(String::new()) };
    let value = match kind {
        "@" => scope.target.clone(),
        "<" => scope.prerequisites.first().cloned().unwrap_or_default(),
        "^" | "+" | "?" => scope.prerequisites.join(" "),
        _ => String::new(),
    };
    Some(match part {
        "D" => map_words(&value, |word| word.rsplit_once('/').map_or(".", |(dir, _)| dir).to_owned()),
        "F" => map_words(&value, |word| word.rsplit('/').next().unwrap_or_default().to_owned()),
        _ => value,
    })
}

/// Variables that make brings along.
fn builtin(name: &str) -> String {
    match name {
        "MAKE" | "MAKE_COMMAND" => "make".to_owned(),
        "SHELL" => "/bin/sh".to_owned(),
        "CURDIR" => ".".to_owned(),
        "RM" => "rm -f".to_owned(),
        "CC" => "cc".to_owned(),
        _ if ENVIRONMENT.contains(&name) => format!("${{{name}}}"),
        _ => String::new(),
    }
}
