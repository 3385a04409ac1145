//! The page of the scoreboard: one file of HTML that asks for nothing outside itself and runs nothing. Why a model may not
//! go stands above its plots.

use std::fmt::Write as _;

use super::{agreement, interval, level, plots, sign, value};
use crate::model::board::{Board, Card, Reason, Word};
use crate::model::visible;

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub fn page(board: &Board) -> String {
    let mut body = String::new();
    head(&mut body, board);
    if !board.reasons.is_empty() {
        body.push_str("<section class=\"no\"><h3>What blocks every model</h3>");
        reasons(&mut body, &board.reasons, "broken");
        body.push_str("</section>");
    }
    ensemble(&mut body, board);
    // What may not go comes first.
    let mut cards: Vec<&Card> = board.models.iter().collect();
    cards.sort_by(|a, b| b.word.cmp(&a.word).then_with(|| a.name.cmp(&b.name)));
    cards.into_iter().for_each(|card| model(&mut body, board, card));
    let contract = &board.contract;
    let _ = write!(
        body,
        "<footer>contract {} {} (sha256 {}) · {} · golden {}",
        text(&contract.name),
        text(&contract.version),
        text(&contract.digest),
        text(&contract.source),
        board.golden
    );
    for note in &board.notes {
        let _ = write!(body, "<br>{}", text(note));
    }
    body.push_str("</footer>");
    whole(&format!("{}: scoreboard of {}", board.word.text(), board.host), &body)
}

/// What stands in the place of a page that could not be made.
pub fn failed(at: &str, why: &str) -> String {
    let body = format!(
        "<header><span class=\"word no-go\">NO-GO</span><div><h1>The scoreboard could not be made</h1>\
         <p class=\"soft\">{}</p></div></header><section class=\"no\"><ul><li class=\"broken\">{}</li></ul>\
         <p class=\"soft\">The page before this one is out of date. Do not use it for a decision.</p></section>",
        text(at),
        text(why)
    );
    whole("NO-GO: the scoreboard could not be made", &body)
}

fn whole(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{}</title>\n<style>\n{STYLE}</style></head>\n<body><main>{body}</main></body></html>\n",
        text(title)
    )
}

/// Text that HTML takes for text, in an element or an attribute.
fn text(raw: &str) -> String {
    let mut out = String::new();
    for char in visible(raw).chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn class(word: Word) -> &'static str {
    match word {
        Word::Go => "go",
        Word::Wait => "wait",
        Word::NoGo => "no-go",
    }
}

fn head(out: &mut String, board: &Board) {
    let counts = [Word::Go, Word::Wait, Word::NoGo].map(|word| {
        let count = board.models.iter().filter(|card| card.word == word).count();
        format!("{count} {}", word.text())
    });
    let events = &board.events;
    let malformed =
        if events.malformed > 0 { format!(", {} malformed", events.malformed) } else { String::new() };
    let _ = write!(
        out,
        "<header><span class=\"word {}\">{}</span><div><h1>Scoreboard of {} · {}</h1>\
         <p>{}</p><p class=\"soft\">{} · the newest {} events{malformed}</p></div></header>",
        class(board.word),
        board.word.text(),
        text(&board.host),
        text(&board.at.replace('T', " ")),
        counts.join(" · "),
        text(&board.source),
        events.count
    );
}

fn ensemble(out: &mut String, board: &Board) {
    out.push_str("<section><div class=\"title\"><h2>Agreement of the ensemble</h2></div>");
    if !board.ensemble.lets_go() {
        let why = "the models do not agree as they should, so a model that passes the gate waits";
        let _ = write!(
            out,
            "<ul><li class=\"warning\">{why}<small>{}</small></li></ul>",
            text(&agreement(board))
        );
    }
    out.push_str(&plots::agreement(&board.ensemble));
    if board.ensemble.lets_go() {
        let _ = write!(out, "<p class=\"soft\">{}</p>", text(&agreement(board)));
    }
    out.push_str("</section>");
}

fn model(out: &mut String, board: &Board, card: &Card) {
    let class_of_card = if card.word == Word::NoGo { " class=\"no\"" } else { "" };
    let _ = write!(
        out,
        "<section{class_of_card}><div class=\"title\"><span class=\"word {}\">{}</span><h2>{}</h2><span class=\"soft\">{} events</span></div>",
        class(card.word),
        card.word.text(),
        text(&card.name),
        card.events
    );
    reasons(out, &card.reasons, "broken");
    reasons(out, &card.warnings, "warning");
    if card.events > 0 {
        let _ = write!(
            out,
            "<div class=\"plots\"><div><h3>Confidence</h3>{}</div><div><h3>Actions and their limits</h3>{}</div></div>",
            plots::histogram(&card.confidences),
            plots::shares(&card.actions, text)
        );
    }
    if !card.history.is_empty() {
        let _ = write!(out, "<h3>Earlier verdicts, oldest first</h3>{}", plots::history(&card.history, text));
    }
    figures(out, board, card);
    out.push_str("</section>");
}

fn reasons(out: &mut String, reasons: &[Reason], class: &str) {
    if reasons.is_empty() {
        return;
    }
    out.push_str("<ul>");
    for reason in reasons {
        let _ = write!(out, "<li class=\"{class}\">{}<small>", text(&reason.message));
        if !reason.expected.is_empty() {
            let _ = write!(out, "wanted {}, found {} · ", text(&reason.expected), text(&reason.observed));
        }
        if let Some(day) = &reason.waived_until {
            let _ = write!(out, "waived until {} · ", text(day));
        }
        let _ = write!(out, "{} · {}</small></li>", text(&reason.rule), text(&reason.demanded_by));
    }
    out.push_str("</ul>");
}

fn figures(out: &mut String, board: &Board, card: &Card) {
    let open = if card.word == Word::NoGo { " open" } else { "" };
    let _ = write!(
        out,
        "<details{open}><summary>All figures</summary><div class=\"scroll\"><table><tr><th></th><th>check</th>\
         <th class=\"value\">value</th><th class=\"interval\">{}</th><th>limit</th></tr>",
        text(&level(board))
    );
    for figure in &card.figures {
        let class = match figure.holds {
            Some(true) => "sign holds",
            Some(false) => "sign breaks",
            None => "sign",
        };
        let _ = write!(
            out,
            "<tr><td class=\"{class}\">{}</td><td>{}</td><td class=\"value\">{}</td><td class=\"interval\">{}</td><td>{}</td></tr>",
            sign(figure.holds),
            text(&figure.name),
            value(figure),
            interval(figure),
            text(&figure.limit)
        );
    }
    out.push_str("</table></div></details>");
}
