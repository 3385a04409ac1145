//! For a repository: Markdown in which no value can be more than text.

use std::fmt::Write as _;

use super::{agreement, interval, level, sign, value};
use crate::model::board::{Board, Card, Reason};
use crate::model::visible;

/// The report of the gate, or of the scoreboard.
pub fn markdown(board: &Board, verb: &str) -> String {
    let mut out = String::new();
    let title = if verb == "gate" { "Quality gate" } else { "Scoreboard" };
    let word = match (verb, board.passed) {
        ("gate", true) => "PASSED",
        ("gate", false) => "BLOCKED",
        _ => board.word.text(),
    };
    let _ = writeln!(out, "# {title}: {word}\n");
    let contract = &board.contract;
    let _ = writeln!(out, "| | |\n|---|---|");
    let row = |out: &mut String, name: &str, text: &str| {
        let _ = writeln!(out, "| {name} | {} |", cell(text));
    };
    row(&mut out, "judged", &board.at);
    row(&mut out, "host", &board.host);
    row(
        &mut out,
        "contract",
        &format!("{} {} (sha256 {})", contract.name, contract.version, contract.digest),
    );
    row(&mut out, "events", &events(board));
    row(&mut out, "golden", board.golden);
    if let Some(asked) = &board.asked {
        row(&mut out, "model", asked);
    }
    let _ = writeln!(out, "\nEnsemble: {}.\n", agreement(board));
    reasons(&mut out, "What blocks every model", &board.reasons);
    if verb != "gate" {
        summary(&mut out, board);
    }
    board.models.iter().for_each(|card| model(&mut out, board, card, verb));
    for note in &board.notes {
        let _ = writeln!(out, "*{}*\n", cell(note));
    }
    out
}

/// What stands in the place of a report that could not be made.
pub fn failed(at: &str, why: &str) -> String {
    format!(
        "# Scoreboard: NO-GO\n\nAt {} no scoreboard could be made: {}.\n\nThe page before this one is out of date. Do not use it for a decision.\n",
        cell(at),
        cell(why)
    )
}

fn events(board: &Board) -> String {
    let events = &board.events;
    let range = match events.newest.is_empty() {
        true => String::new(),
        false => format!(", {} to {}", events.oldest, events.newest),
    };
    format!(
        "{}: the newest {} (at most {}), {} malformed{range}",
        board.source, events.count, events.window, events.malformed
    )
}

fn summary(out: &mut String, board: &Board) {
    let _ = writeln!(out, "| model | word | events | actions |\n|---|---|---|---|");
    for card in &board.models {
        let shares = card.actions.iter().map(|one| format!("{} {:.1} %", one.action, one.share * 100.0));
        let shares = shares.collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            cell(&card.name),
            card.word.text(),
            card.events,
            cell(&shares)
        );
    }
    out.push('\n');
}

fn model(out: &mut String, board: &Board, card: &Card, verb: &str) {
    let word = match (verb, card.passed) {
        ("gate", true) => "passes",
        ("gate", false) => "blocked",
        _ => card.word.text(),
    };
    let _ = writeln!(out, "## {}: {word}\n", cell(&card.name));
    let _ = writeln!(out, "| | check | value | {} | limit |\n|---|---|---|---|---|", level(board));
    for figure in &card.figures {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            sign(figure.holds),
            cell(&figure.name),
            value(figure),
            interval(figure),
            cell(&figure.limit)
        );
    }
    out.push('\n');
    reasons(out, "Blocked because", &card.reasons);
    reasons(out, "Warnings", &card.warnings);
}

fn reasons(out: &mut String, title: &str, reasons: &[Reason]) {
    if reasons.is_empty() {
        return;
    }
    let _ = writeln!(out, "{title}:\n");
    for reason in reasons {
        let _ = write!(out, "- {}", cell(&reason.message));
        if !reason.expected.is_empty() {
            let _ = write!(out, ": wanted {}, found {}", cell(&reason.expected), cell(&reason.observed));
        }
        let _ = writeln!(out, " (`{}`, {})", reason.rule, cell(&reason.demanded_by));
    }
    out.push('\n');
}

/// Text that Markdown and HTML take for text.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for char in visible(text).chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '!' | '~' => {
                out.push('\\');
                out.push(char);
            }
            other => out.push(other),
        }
    }
    out
}
