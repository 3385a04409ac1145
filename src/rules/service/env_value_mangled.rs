//! Values of env files that are not what their writer meant.

use crate::rules::env_files::{contents, demanded_at, none};
use crate::rules::prelude::*;
use crate::syntax::env_file::NoteKind;

rule! {
    /// A value of an env file is not what its writer meant.
    ///
    /// systemd knows no comment behind a value: `KEY=5 # five` sets `5 # five`. A quote that nobody closes
    /// swallows the rest of the file, and text behind a closing quote is glued on (systemd.exec(5),
    /// measured).
    ///
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// + WORKERS=5 # one a core
    /// ```
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// + GREETING="hello
    /// ```
    /// ```good
    /// replace /etc/quantum/backend.env
    /// + # one a core
    /// + WORKERS=5
    /// + COLOR=#ff0000
    /// ```
    id: "env-value-mangled",
    section: C,
    severity: Must,
    needs: [EnvFiles, Units],
    why: "the service gets another value than everybody reads there",
    check: Service(check),
}

/// What a note says of a value, and what mends it; `None` for what harms nobody.
fn mangled(kind: NoteKind, line: u32, path: &str) -> Option<(&'static str, String)> {
    let path = quoted(path);
    Some(match kind {
        NoteKind::CommentInValue => {
            ("the comment is part of the value", format!("sed -i '{line}s/[[:blank:]]*[#;].*$//' {path}"))
        }
        NoteKind::UnterminatedQuote => (
            "a quote is never closed and swallows the rest of the file",
            format!("a person must close the quote that line {line} of {path} opens"),
        ),
        NoteKind::SwallowedAssignment => (
            "the quoted value swallows what looks like another assignment",
            format!("a person must close the quote that line {line} of {path} opens"),
        ),
        NoteKind::TextAfterQuote => (
            "the text behind the closing quote is glued to the value",
            format!("a person must say what line {line} of {path} means"),
        ),
        NoteKind::TooLongToExec => (
            "it is too long for a process to be started with",
            format!("a person must shorten line {line} of {path}"),
        ),
        NoteKind::LiteralQuote
        | NoteKind::JoinedLine
        | NoteKind::BackslashLost
        | NoteKind::CommentBackslash
        | NoteKind::CarriageReturn => return None,
    })
}

fn check(view: &ServiceView) -> Ruling {
    let files = contents(view)?;
    if files.is_empty() {
        return Ok(none());
    }
    let mut findings = Vec::new();
    for (path, content) in files {
        for note in &content.read.notes {
            let Some((why, mend)) = mangled(note.kind, note.line, &path) else { continue };
            let mend = if mend.starts_with("sed") { view.and_take_up(mend) } else { mend };
            findings.push(
                Finding::new(
                    format!("{} is mangled: {why}", note.name),
                    Location::line(path.as_str(), note.line),
                    demanded_at(view, &path),
                )
                .key(&*note.name)
                .expected("a value and nothing else")
                .observed(format!("{}=…", note.name))
                .mend(mend),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}
