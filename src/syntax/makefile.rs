//! A Makefile as GNU make reads it, as far as a reader must to say what its recipes run.
//!
//! Rules, recipe lines before and after expansion, variables of every kind, target-specific ones, `define`,
//! includes. Conditionals are read as if both branches held, because which one holds depends on the machine: a
//! variable set in one of them has several values, and a recipe line several expansions. See the GNU make
//! manual, chapters 3 (parsing), 5 (recipes) and 6 (variables).

use serde::{Deserialize, Serialize};

use super::make_variables::{Assignment, Operator, Scope, Variables};

/// What a Makefile says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Makefile {
    /// Rules in the order they are written, special targets such as `.PHONY` included.
    pub rules: Vec<Rule>,
    /// Assignments in the order they are written, target-specific ones included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assignments: Vec<Stated>,
    /// Other makefiles it includes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub includes: Vec<Include>,
    /// Shell commands that make itself runs while reading: `$(shell …)` and `!=`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shell_functions: Vec<ShellFunction>,
    /// Expansions were cut short, so that recipes may run more than is shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Targets, variables expanded.
    pub targets: Vec<String>,
    /// Prerequisites, variables expanded, order-only ones included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prerequisites: Vec<String>,
    /// The line of its targets, from 1.
    pub line: u32,
    /// Its recipe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipe: Vec<RecipeLine>,
}

/// One recipe line, continuations included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipeLine {
    /// The line it begins on, from 1.
    pub line: u32,
    /// As written, without the recipe prefix.
    pub text: String,
    /// What the shell receives: variables expanded, `$$` a dollar sign, `@-+` removed. More than one where a
    /// conditional gave a variable several values.
    pub expanded: Vec<String>,
    /// `@`: not echoed.
    #[serde(default)]
    pub silent: bool,
    /// `-`: a failure is ignored.
    #[serde(default)]
    pub ignores_errors: bool,
    /// `+`: runs even under `make -n`.
    #[serde(default)]
    pub always: bool,
}

/// One assignment as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    /// Name of the variable.
    pub name: String,
    /// Its text before expansion.
    pub text: String,
    /// Line, from 1.
    pub line: u32,
}

/// An `include` line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Include {
    /// File names or globs, variables expanded.
    pub names: Vec<String>,
    /// `-include` or `sinclude`: a missing file is no error.
    pub optional: bool,
    /// Line, from 1.
    pub line: u32,
}

/// A command that make runs by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellFunction {
    /// The command, variables expanded.
    pub text: String,
    /// Line, from 1.
    pub line: u32,
}

impl Makefile {
    /// All rules that make `target`.
    pub fn rules_of(&self, target: &str) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.targets.iter().any(|name| name == target))
    }

    /// All recipe lines, each with its rule.
    pub fn recipe_lines(&self) -> impl Iterator<Item = (&Rule, &RecipeLine)> {
        self.rules.iter().flat_map(|rule| rule.recipe.iter().map(move |line| (rule, line)))
    }
}

/// Reads the text of a Makefile.
pub fn parse(text: &str) -> Makefile {
    let mut reader = Reader::new(text);
    while let Some((number, line)) = reader.next_physical() {
        reader.read_line(number, line);
    }
    reader.finish()
}

/// A rule whose recipe is not expanded yet: make does that when everything is read.
struct PendingRule {
    rule: Rule,
    scope: Scope,
}

struct Reader<'a> {
    lines: std::iter::Zip<std::str::Lines<'a>, std::ops::RangeFrom<u32>>,
    makefile: Makefile,
    variables: Variables,
    rules: Vec<PendingRule>,
    /// A recipe may follow for the last rule.
    in_rule: bool,
    recipe_prefix: char,
    /// How many conditionals are open.
    conditionals: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            lines: text.lines().zip(1..),
            makefile: Makefile::default(),
            variables: Variables::new(text.len()),
            rules: Vec::new(),
            in_rule: false,
            recipe_prefix: '\t',
            conditionals: 0,
        }
    }

    fn next_physical(&mut self) -> Option<(u32, &'a str)> {
        self.lines.next().map(|(line, number)| (number, line))
    }

    fn read_line(&mut self, number: u32, first: &'a str) {
        match first.strip_prefix(self.recipe_prefix) {
            Some(command) if self.in_rule => {
                let text = self.continue_recipe(command);
                if !text.trim().is_empty() {
                    self.add_recipe_line(number, text);
                }
            }
            _ => {
                let logical = self.continue_line(first);
                self.read_statement(number, &logical);
            }
        }
    }

    /// Recipe lines keep backslash and newline for the shell; the prefix of the next line is cut.
    fn continue_recipe(&mut self, first: &str) -> String {
        let mut text = first.to_owned();
        while ends_in_odd_backslashes(&text) {
            let Some((_, next)) = self.next_physical() else { break };
            text.push('\n');
            text.push_str(next.strip_prefix(self.recipe_prefix).unwrap_or(next));
        }
        text
    }

    /// Other lines are joined by one blank.
    fn continue_line(&mut self, first: &str) -> String {
        let mut text = first.to_owned();
        while ends_in_odd_backslashes(&text) {
            text.pop();
            text.truncate(text.trim_end().len());
            let Some((_, next)) = self.next_physical() else { break };
            text.push(' ');
            text.push_str(next.trim_start());
        }
        text
    }

    fn read_statement(&mut self, number: u32, logical: &str) {
        let line = logical.trim_start();
        let line = &without_comment(line).replace("\\#", "#");
        let (word, rest) = split_word(line);
        match word {
            "" => {}
            "ifeq" | "ifneq" | "ifdef" | "ifndef" => self.conditionals += 1,
            "else" => {}
            "endif" => self.conditionals = self.conditionals.saturating_sub(1),
            "define" => self.read_define(number, rest),
            "include" | "-include" | "sinclude" => self.read_include(number, word, rest),
            "vpath" | "unexport" | "load" | "-load" => {}
            "undefine" => self.variables.undefine(rest.trim(), self.conditionals > 0),
            "export" | "override" | "private" if !rest.starts_with(['=', ':', '?', '+']) => {
                self.read_statement(number, rest);
            }
            _ => match split_assignment(line) {
                Some((name, operator, text)) => self.assign(number, name, operator, text),
                None => self.read_rule(number, line, logical),
            },
        }
    }

    fn assign(&mut self, number: u32, name: &str, operator: Operator, text: &str) {
        self.in_rule = false;
        let name = self.expand_one(number, name.trim_end());
        self.makefile.assignments.push(Stated { name: name.clone(), text: text.to_owned(), line: number });
        if name == ".RECIPEPREFIX" {
            self.recipe_prefix = text.chars().next().unwrap_or('\t');
        }
        let conditional = self.conditionals > 0;
        self.variables.assign(None, &Assignment { name: &name, operator, text, line: number, conditional });
    }

    fn read_define(&mut self, number: u32, head: &str) {
        let head = head.trim();
        let (name, operator) = match split_assignment(head) {
            Some((name, operator, _)) => (name, operator),
            None => (head, Operator::Recursive),
        };
        let mut body = String::new();
        let mut depth = 1;
        while let Some((_, line)) = self.next_physical() {
            let word = split_word(line.trim_start()).0;
            match word {
                "define" => depth += 1,
                "endef" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if !body.is_empty() {
                body.push('\n');
            }
            body.push_str(line);
        }
        self.assign(number, name, operator, &body);
    }

    fn read_include(&mut self, number: u32, word: &str, rest: &str) {
        self.in_rule = false;
        let names = self.expand_one(number, rest);
        let names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
        self.makefile.includes.push(Include { names, optional: word != "include", line: number });
    }

    /// `targets: prerequisites`, `targets: prerequisites ; recipe`, `targets: NAME = value`.
    fn read_rule(&mut self, number: u32, line: &str, logical: &str) {
        let Some(colon) = find_outside_references(line, &[':']) else {
            // A line of references may still define something: `$(eval …)` or `$(call …)`.
            self.in_rule = false;
            self.expand_one(number, line);
            return;
        };
        let targets = self.expand_one(number, line[..colon].trim_end_matches('&'));
        let targets: Vec<String> = targets.split_whitespace().map(str::to_owned).collect();
        let rest = line[colon..].trim_start_matches(':').trim_start();
        let assignment = strip_modifiers(rest);
        if let Some((name, operator, text)) = split_assignment(assignment) {
            let conditional = self.conditionals > 0;
            let name = self.expand_one(number, name.trim_end());
            self.makefile.assignments.push(Stated {
                name: name.clone(),
                text: text.to_owned(),
                line: number,
            });
            for target in &targets {
                let assignment = Assignment { name: &name, operator, text, line: number, conditional };
                self.variables.assign(Some(target), &assignment);
            }
            return;
        }
        let (prerequisites, inline) = match find_outside_references(rest, &[';']) {
            Some(at) => (&rest[..at], inline_recipe(logical)),
            None => (rest, None),
        };
        let prerequisites = self.expand_one(number, prerequisites);
        let prerequisites =
            prerequisites.split_whitespace().filter(|word| *word != "|").map(str::to_owned).collect();
        let scope = Scope::new(&targets, prerequisites);
        let prerequisites = scope.prerequisites.clone();
        let rule = Rule { targets, prerequisites, line: number, recipe: Vec::new() };
        self.rules.push(PendingRule { rule, scope });
        self.in_rule = true;
        if let Some(text) = inline.filter(|text| !text.is_empty()) {
            self.add_recipe_line(number, text.to_owned());
        }
    }

    fn add_recipe_line(&mut self, line: u32, text: String) {
        let recipe = RecipeLine {
            line,
            text,
            expanded: Vec::new(),
            silent: false,
            ignores_errors: false,
            always: false,
        };
        if let Some(pending) = self.rules.last_mut() {
            pending.rule.recipe.push(recipe);
        }
    }

    /// Expands now, taking the first of several values.
    fn expand_one(&mut self, line: u32, text: &str) -> String {
        if !text.contains('$') {
            return text.to_owned();
        }
        self.variables.expand(text, line, None).into_iter().next().unwrap_or_default()
    }

    fn finish(mut self) -> Makefile {
        for PendingRule { mut rule, scope } in self.rules {
            for recipe in &mut rule.recipe {
                let expanded = self.variables.expand(&recipe.text, recipe.line, Some(&scope));
                for text in expanded {
                    let text = take_prefixes(&text, recipe);
                    if !recipe.expanded.contains(&text) {
                        recipe.expanded.push(text);
                    }
                }
            }
            self.makefile.rules.push(rule);
        }
        self.makefile.shell_functions = self.variables.take_shell_functions();
        self.makefile.incomplete = self.variables.was_cut();
        self.makefile
    }
}

/// Removes `@`, `-` and `+` at the start of each line that a recipe expands to, and notes them.
fn take_prefixes(text: &str, recipe: &mut RecipeLine) -> String {
    let mut lines = Vec::new();
    let mut continued = false;
    for line in text.split('\n') {
        let bare = line.trim_start_matches([' ', '\t', '@', '-', '+']);
        if continued {
            lines.push(line);
        } else {
            let prefixes = &line[..line.len() - bare.len()];
            recipe.silent |= prefixes.contains('@');
            recipe.ignores_errors |= prefixes.contains('-');
            recipe.always |= prefixes.contains('+');
            lines.push(bare);
        }
        continued = ends_in_odd_backslashes(line);
    }
    lines.join("\n")
}

fn ends_in_odd_backslashes(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

fn split_word(line: &str) -> (&str, &str) {
    let end = line.find([' ', '\t']).unwrap_or(line.len());
    (&line[..end], line[end..].trim_start())
}

/// Cuts a comment off: `#` outside `$(…)` and without a backslash. What follows `;` in a rule is the shell's.
fn without_comment(line: &str) -> &str {
    let at = find_outside_references(line, &['#']);
    at.map_or(line, |at| &line[..at])
}

/// The recipe after the `;` of a rule line, comments included.
fn inline_recipe(logical: &str) -> Option<&str> {
    let at = find_outside_references(logical, &[';'])?;
    Some(logical[at + 1..].trim_start())
}

fn strip_modifiers(mut rest: &str) -> &str {
    while let (word @ ("export" | "override" | "private"), after) = split_word(rest) {
        if after.is_empty() {
            break;
        }
        rest = rest[word.len()..].trim_start();
    }
    rest
}

/// Where one of `wanted` stands outside `$(…)`, `${…}` and not after a backslash.
fn find_outside_references(text: &str, wanted: &[char]) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open: Vec<u8> = Vec::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        let after_dollar = at.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b'$');
        match c {
            '(' if after_dollar || open.last() == Some(&b')') => open.push(b')'),
            '{' if after_dollar || open.last() == Some(&b'}') => open.push(b'}'),
            ')' | '}' if open.last().is_some_and(|&close| char::from(close) == c) => {
                open.pop();
            }
            _ if open.is_empty() && !escaped && wanted.contains(&c) => return Some(at),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// `NAME op value`. None for a rule: its first `:` does not belong to `:=`, `::=` or `:::=`.
fn split_assignment(line: &str) -> Option<(&str, Operator, &str)> {
    let at = find_outside_references(line, &['=', ':'])?;
    let value = |length: usize| line[at + length..].trim_start();
    let rest = &line[at..];
    let before = &line[..at];
    if rest.starts_with(":=") {
        return Some((before.trim_end(), Operator::Simple, value(2)));
    }
    if rest.starts_with("::=") {
        return Some((before.trim_end(), Operator::Simple, value(3)));
    }
    if rest.starts_with(":::=") {
        return Some((before.trim_end(), Operator::Simple, value(4)));
    }
    if rest.starts_with(':') {
        return None;
    }
    let (name, operator) = match before.as_bytes().last() {
        Some(b'?') => (&before[..at - 1], Operator::IfUnset),
        Some(b'+') => (&before[..at - 1], Operator::Append),
        Some(b'!') => (&before[..at - 1], Operator::Shell),
        _ => (before, Operator::Recursive),
    };
    let name = name.trim_end();
    // A name with a blank in it is a recipe-like line, not an assignment.
    let one_word = find_outside_references(name, &[' ', '\t']).is_none();
    (one_word && !name.is_empty()).then(|| (name, operator, value(1)))
}

#[cfg(test)]
mod tests;
