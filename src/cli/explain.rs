//! `golden explain`: the manual page of a rule, from the rule itself.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;

use super::{Failure, Global, output};
use crate::model::{RuleInfo, Section, Severity};
use crate::policy;
use crate::rules::RULES;

/// Arguments of `golden explain`.
#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// The rule's id, as it stands at the right edge of a report; without it all rules are listed.
    rule: Option<String>,
}

/// Shows one rule, or lists all.
pub(super) fn run(_global: &Global, args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let text = match &args.rule {
        None => list(),
        Some(id) => match all().find(|info| info.id == id) {
            Some(info) => page(info),
            None => {
                let near: Vec<&str> =
                    all().map(|info| info.id).filter(|known| shares_word(known, id)).collect();
                let hint = if near.is_empty() { "golden explain".to_owned() } else { near.join(", ") };
                return Err(Failure::new(format!("there is no rule {id:?}")).hint(hint));
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

fn page(info: &RuleInfo) -> String {
    let mut text = format!(
        "{} · section {} ({}) · {}\n\nWhy: {}.\n\n",
        info.id,
        info.section,
        info.section.title(),
        level(info),
        info.why
    );
    for line in info.doc.lines() {
        let _ = writeln!(text, "{}", line.strip_prefix(' ').unwrap_or(line));
    }
    text
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
