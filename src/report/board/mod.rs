//! The formats of the gate and the scoreboard: pure functions of a [`Board`].

mod markdown;
mod page;
mod plots;
mod terminal;

pub use markdown::{failed as failed_markdown, markdown};
pub use page::{failed as failed_page, page};
pub use terminal::{gate, scoreboard};

use crate::model::board::{Board, Figure};

/// The JSON of a board.
pub fn json(board: &Board) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(board)? + "\n")
}

/// What holds, as one sign.
fn sign(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "✓",
        Some(false) => "✗",
        None => "·",
    }
}

/// A figure's value as people read it.
fn value(figure: &Figure) -> String {
    figure.value.map_or_else(|| "–".to_owned(), |value| figure.unit.written(value))
}

/// Its interval with the way it was made; empty without one.
fn interval(figure: &Figure) -> String {
    figure.interval.map_or_else(String::new, |interval| {
        let (low, high) = (figure.unit.written(interval.low), figure.unit.written(interval.high));
        format!("{low} – {high} {}", interval.method)
    })
}

/// How sure the intervals are, for the head of their column.
fn level(board: &Board) -> String {
    let mut levels = board.models.iter().flat_map(|card| &card.figures).filter_map(|figure| figure.interval);
    levels
        .next()
        .map_or_else(|| "interval".to_owned(), |interval| format!("{} % interval", interval.level * 100.0))
}

/// The agreement of the ensemble in one sentence.
fn agreement(board: &Board) -> String {
    let ensemble = &board.ensemble;
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    match (ensemble.agreement, ensemble.opposed) {
        (Some(agreement), Some(opposed)) => format!(
            "agreement {} (wanted {} – {}), hard disagreement {} (wanted below {}), {} votes",
            percent(agreement),
            percent(ensemble.agreement_limits.0),
            percent(ensemble.agreement_limits.1),
            percent(opposed),
            percent(ensemble.opposed_below),
            ensemble.votes
        ),
        _ => "no agreement: no event holds the answers of two models".to_owned(),
    }
}
