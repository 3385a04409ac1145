//! `golden explain`: the manual page of a rule, from the rule itself.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;

use super::{Failure, Global, find, output};
use crate::model::{RuleInfo, Section, Severity, Subject, visible};
use crate::policy;
use crate::rules::{RULES, see};

/// Arguments of `golden explain`.
#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// The rule's id, as it stands at the right edge of a report. Without it, all rules are listed.
    rule: Option<String>,
    /// A service, place, dependency, job or model of the contract, as it stands at the left edge of a report. The
    /// commands of the page then name its unit, path or address.
    subject: Option<String>,
}

/// Shows one rule, or lists all.
pub(super) fn run(global: &Global, args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let text = match &args.rule {
        None => list(),
        Some(id) => match all().find(|info| info.id == id) {
            Some(info) => page(info, &values(global, args.subject.as_deref())?),
            None => {
                let near: Vec<&str> =
                    all().map(|info| info.id).filter(|known| shares_word(known, id)).collect();
                let hint = if near.is_empty() { "golden explain".to_owned() } else { near.join(", ") };
                return Err(Failure::new(format!("unknown rule {id:?}")).hint(hint));
            }
        },
    };
    output::print_and(&text, ExitCode::SUCCESS)
}

fn all() -> impl Iterator<Item = &'static RuleInfo> {
    RULES.iter().map(|rule| &rule.info).chain([&policy::WAIVER_UNUSED])
}

fn shares_word(known: &str, asked: &str) -> bool {
    asked.split('-').any(|word| word.len() > 3 && known.split('-').any(|part| part == word))
}

fn level(info: &RuleInfo) -> &'static str {
    match info.severity {
        Severity::Must => "must",
        Severity::Should => "should",
    }
}

/// What the commands of a page name. Without a subject no contract is read, so the page is the same on every host.
fn values(global: &Global, subject: Option<&str>) -> Result<see::Values, Failure> {
    let Some(name) = subject else { return Ok(see::Values::new()) };
    let contract = find::contract(global)?.contract;
    // As JSON names it; the host and a file are nothing of which a contract says more.
    let subject = name.parse::<Subject>();
    let bare = match &subject {
        Ok(Subject::Host | Subject::File(_)) => return Ok(see::Values::new()),
        Ok(subject) => subject.label(),
        Err(_) => name,
    };
    see::values(&contract, bare).ok_or_else(|| {
        let what = "service, place, dependency, job or model";
        Failure::new(format!("{} has no {what} {name:?}", contract.source.path)).hint("golden contract show")
    })
}

fn page(info: &RuleInfo, values: &see::Values) -> String {
    let (says, examples) = parts(info.doc);
    let mut text =
        format!("{} · section {} ({}) · {}\n", info.id, info.section, info.section.title(), level(info));
    let mut part = |title: &str, lines: &[String]| {
        let _ = writeln!(text, "\n{title}");
        for line in lines {
            let _ = writeln!(text, "{}{line}", if line.is_empty() { "" } else { "   " });
        }
    };
    part("What is wrong", &says);
    part("Why it matters", &wrapped(&format!("{}.", capital(info.why))));
    let commands = info.see.iter().map(|command| visible(&see::filled(command, values)).into_owned());
    part("How to see it", &commands.collect::<Vec<_>>());
    part("How to mend it", &wrapped(info.mend));
    if !info.man.is_empty() {
        part("Manual pages", &[info.man.join(", ")]);
    }
    part("Since", &[since(info)]);
    if !examples.is_empty() {
        part("Examples: changes of a compliant host", &examples);
    }
    text
}

/// The prose of a manual page, and its blocks.
fn parts(doc: &str) -> (Vec<String>, Vec<String>) {
    let lines: Vec<&str> = doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let first = lines.iter().position(|line| line.starts_with("```")).unwrap_or(lines.len());
    let says = &lines[..first];
    let end = says.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let shown = |line: &&str| match line.strip_prefix("```") {
        Some("") => String::new(),
        Some("bad") => "breaks the rule:".to_owned(),
        Some(kind) if kind.ends_with("na") => "the rule does not apply:".to_owned(),
        Some(_) => "does not break the rule:".to_owned(),
        None if line.is_empty() => String::new(),
        None => format!("   {line}"),
    };
    (says[..end].iter().map(|line| (*line).to_owned()).collect(), lines[first..].iter().map(shown).collect())
}

fn since(info: &RuleInfo) -> String {
    match info.since {
        "unreleased" => "the next release".to_owned(),
        version => format!("golden {version}"),
    }
}

/// A sentence with a capital; names of programs and settings keep their case.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if !text.starts_with("python ") && !text.starts_with("systemd ") => {
            first.to_uppercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// A text in lines as long as those of the manual pages.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().map_or(0, |line| line.chars().count());
        if last > 0 && last + word.chars().count() >= 104 {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn list() -> String {
    let mut text = String::new();
    for section in Section::ALL {
        let mut rules: Vec<&RuleInfo> = all().filter(|info| info.section == *section).collect();
        if rules.is_empty() {
            continue;
        }
        rules.sort_by_key(|info| info.id);
        let _ = writeln!(text, "{section}  {}", section.title());
        for info in rules {
            let _ = writeln!(text, "   {:<32} {:<7} {}", info.id, level(info), info.summary());
        }
        text.push('\n');
    }
    text.push_str("golden explain RULE shows a rule's manual page.\n");
    text
}
