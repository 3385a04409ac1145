//! For a person at a terminal.

use std::fmt::Write as _;

use super::{agreement, interval, level, sign, value};
use crate::model::board::{Board, Card, Figure, Reason, Word};
use crate::report::human::Style;
use crate::report::shown::{Paint, Shown};

/// Every figure of every model against its limit, and the verdict.
pub fn gate(board: &Board, style: Style) -> Shown {
    let mut out = Shown::new();
    if !style.quiet {
        head(&mut out, board, "gate", style);
    }
    for card in board.models.iter().filter(|card| !style.quiet || !card.passed) {
        model(&mut out, board, card, style);
    }
    stream(&mut out, board, style);
    if !style.quiet {
        notes(&mut out, board, style);
    }
    let about = board.asked.as_deref().unwrap_or("every model");
    let (word, paint) = if board.passed { ("PASSED", Paint::Green) } else { ("BLOCKED", Paint::Red) };
    out.paint(word, color(style, paint));
    let what = match board.passed {
        true => format!(". {about} is within the limits."),
        false if board.asked.is_some() => format!(". {about} stays in shadow."),
        false => ". No model is promoted on this.".to_owned(),
    };
    out.push(&what);
    out.end_line();
    out
}

/// One line a model, with small histograms.
pub fn scoreboard(board: &Board, style: Style) -> Shown {
    let mut out = Shown::new();
    if !style.quiet {
        head(&mut out, board, "scoreboard", style);
    }
    let width = board.models.iter().map(|card| card.name.chars().count()).max().unwrap_or(0).clamp(5, 24);
    for card in &board.models {
        out.push("  ");
        out.paint(&format!("{:<5}", card.word.text()), color(style, paint_of(card.word)));
        let _ = write!(out, "  {:<width$}  {:>6}  ", short(&card.name, width), card.events);
        out.push(&bars(&card.confidences));
        out.push("  ");
        for action in &card.actions {
            let over = action.share > action.limit;
            let text = format!("{} {:>3.0} %  ", action.action, action.share * 100.0);
            out.paint(&text, over.then_some(()).and_then(|()| color(style, Paint::Red)));
        }
        out.end_line();
        for reason in &card.reasons {
            out.blanks(9);
            out.push(&reason.message);
            out.paint(&format!("  {}", reason.rule), color(style, Paint::Dim));
            out.end_line();
        }
    }
    stream(&mut out, board, style);
    if !style.quiet {
        out.line(format_args!("  {}", agreement(board)));
        notes(&mut out, board, style);
    }
    out.paint(board.word.text(), color(style, paint_of(board.word)));
    out.end_line();
    out
}

fn color(style: Style, paint: Paint) -> Option<Paint> {
    style.color.then_some(paint)
}

fn paint_of(word: Word) -> Paint {
    match word {
        Word::Go => Paint::Green,
        Word::Wait => Paint::Yellow,
        Word::NoGo => Paint::Red,
    }
}

/// A name that leaves room for the rest.
fn short(name: &str, width: usize) -> String {
    match name.chars().count() > width {
        true => name.chars().take(width - 1).chain(['…']).collect(),
        false => name.to_owned(),
    }
}

/// Counts as small bars.
fn bars(counts: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &u64| match count {
        0 => ' ',
        _ => BARS[(count.saturating_mul(7) / most).min(7) as usize],
    };
    format!("│{}│", counts.iter().map(bar).collect::<String>())
}

fn head(out: &mut Shown, board: &Board, verb: &str, style: Style) {
    out.paint(&format!("golden {verb}"), color(style, Paint::Bold));
    out.line(format_args!(
        " · host {} · contract {} {} · {}",
        board.host, board.contract.name, board.contract.version, board.at
    ));
    let events = &board.events;
    let malformed =
        if events.malformed > 0 { format!(", {} malformed", events.malformed) } else { String::new() };
    out.line(format_args!(
        "{} · the newest {} events (at most {}){malformed}",
        board.source, events.count, events.window
    ));
    out.end_line();
}

fn model(out: &mut Shown, board: &Board, card: &Card, style: Style) {
    let (word, paint) = if card.passed { ("passes", Paint::Green) } else { ("blocked", Paint::Red) };
    out.paint(&card.name, color(style, Paint::Bold));
    out.push("  ");
    out.paint(word, color(style, paint));
    out.end_line();
    let head = ["check".to_owned(), "value".to_owned(), level(board), "limit".to_owned()];
    let rows: Vec<[String; 4]> = card.figures.iter().map(row).collect();
    let width = |at: usize| rows.iter().chain([&head]).map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |row: &[String; 4]| {
        let [name, value, interval, limit] = row;
        format!("{name:<0$}  {value:>1$}   {interval:<2$}   {limit}", widths[0], widths[1], widths[2])
    };
    out.push("    ");
    out.paint(&line(&head), color(style, Paint::Dim));
    out.end_line();
    for (figure, row) in card.figures.iter().zip(&rows) {
        let paint = match figure.holds {
            Some(true) => Paint::Green,
            Some(false) => Paint::Red,
            None => Paint::Dim,
        };
        out.push("  ");
        out.paint(sign(figure.holds), color(style, paint));
        out.line(format_args!(" {}", line(row)));
    }
    card.reasons.iter().for_each(|why| reason(out, "✗", why, Paint::Red, style));
    card.warnings.iter().for_each(|why| reason(out, "!", why, Paint::Yellow, style));
    out.end_line();
}

fn row(figure: &Figure) -> [String; 4] {
    [figure.name.clone(), value(figure), interval(figure), figure.limit.clone()]
}

fn reason(out: &mut Shown, mark: &str, reason: &Reason, paint: Paint, style: Style) {
    out.push("  ");
    out.paint(mark, color(style, paint));
    out.push(&format!(" {}", reason.message));
    let waived = reason.waived_until.as_ref().map(|day| format!(" · waived until {day}")).unwrap_or_default();
    let demanded = match reason.demanded_by.is_empty() {
        true => String::new(),
        false => format!(" · {}", reason.demanded_by),
    };
    out.paint(&format!("   {}{demanded}{waived}", reason.rule), color(style, Paint::Dim));
    out.end_line();
}

fn stream(out: &mut Shown, board: &Board, style: Style) {
    let mut said = Vec::new();
    for why in &board.reasons {
        // An unreadable stream keeps several rules from a word, for one reason.
        if !said.contains(&&why.message) {
            reason(out, "✗", why, Paint::Red, style);
            said.push(&why.message);
        }
    }
    if !said.is_empty() {
        out.end_line();
    }
}

fn notes(out: &mut Shown, board: &Board, style: Style) {
    for note in &board.notes {
        out.paint(&format!("  {note}"), color(style, Paint::Dim));
        out.end_line();
    }
}
