//! Values of env files that are not what their writer meant.

use crate::rules::env_files::{Place, contents, demanded_at, keep, none, without_comment};
use crate::rules::prelude::*;
use crate::rules::remedy::of_many;
use crate::syntax::env_file::{Note, NoteKind};

rule! {
    /// systemd reads a value of an env file differently from what was meant.
    ///
    /// systemd has no comments after a value: `KEY=5 # five` sets `5 # five`. A quote that is not closed
    /// swallows the rest of the file, and text after a closing quote is appended to the value (systemd.exec(5),
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
    cause: Environment,
    why: "the service gets a different value from the one that people read in the file",
    see: ["grep -nE \"( #|['\\\"])\" {env-file}"],
    mend: "golden removes a comment if the contract accepts the value without it. Correct other lines \
           yourself.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

/// What a note says of a value; `None` for what harms nobody.
pub(super) fn mangled(kind: NoteKind) -> Option<&'static str> {
    Some(match kind {
        NoteKind::CommentInValue => "the comment is part of the value",
        NoteKind::UnterminatedQuote => "a quote is never closed and swallows the rest of the file",
        NoteKind::SwallowedAssignment => "the quoted value swallows what looks like another assignment",
        NoteKind::TextAfterQuote => "the text after the closing quote is appended to the value",
        NoteKind::TooLongToExec => "it is too long for a process to be started with",
        NoteKind::LiteralQuote
        | NoteKind::JoinedLine
        | NoteKind::BackslashLost
        | NoteKind::CommentBackslash
        | NoteKind::CarriageReturn => return None,
    })
}

/// The remedy: only a comment behind a value whose demand tells the two apart is golden's; the rest is a person's.
fn remedy(view: &ServiceView, path: &str, note: &Note) -> Remedy {
    let line = note.line;
    let what = match note.kind {
        NoteKind::CommentInValue => {
            if let Some((name, value)) = without_comment(view, path, line) {
                return keep(view, Place { path, line: Some(line) }, &name, Some(&value));
            }
            let script = format!("{line}s/[[:blank:]]*#.*$//");
            return Remedy::decide(format!(
                "decide whether what stands behind # in line {line} of {path} is a comment"
            ))
            .candidate("without it", format!("sed -i {} {}", quoted(&script), quoted(path)));
        }
        NoteKind::UnterminatedQuote | NoteKind::SwallowedAssignment => "close the quote that begins in",
        NoteKind::TooLongToExec => "shorten",
        _ => "decide on the value of",
    };
    Remedy::decide(format!("{what} line {line} of {path}"))
}

fn check(view: &ServiceView) -> Ruling {
    let files = contents(view)?;
    if files.is_empty() {
        return Ok(none());
    }
    let mut findings = Vec::new();
    for (path, content) in files {
        for note in &content.read.notes {
            let Some(why) = mangled(note.kind) else { continue };
            findings.push(
                Finding::new(
                    format!("{} is mangled: {why}", note.name),
                    Location::line(path.as_str(), note.line),
                    demanded_at(view, &path),
                )
                .key(&*note.name)
                .expected("a value and nothing else")
                .observed(format!("{}=…", note.name))
                .mend(of_many(findings.len(), || remedy(view, &path, note))),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}
