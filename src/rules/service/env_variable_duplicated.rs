//! One variable twice in one env file.

use crate::rules::env_files::{contents, demanded_at, none};
use crate::rules::prelude::*;

rule! {
    /// A variable is set twice in one env file.
    ///
    /// systemd takes the last one (systemd.exec(5)); a person who searches for the variable finds the first.
    /// Nobody can say which of the two was meant, so a person decides which line goes.
    ///
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// - LOG_LEVEL=INFO
    /// + LOG_LEVEL=INFO
    /// + LOG_LEVEL=DEBUG
    /// ```
    /// ```good
    /// replace /etc/quantum/backend.env
    /// - LOG_LEVEL=INFO
    /// + #LOG_LEVEL=DEBUG
    /// + LOG_LEVEL=INFO
    /// ```
    id: "env-variable-duplicated",
    section: C,
    severity: Must,
    needs: [EnvFiles, Units],
    why: "the line a person finds is not the one that counts",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let files = contents(view)?;
    if files.is_empty() {
        return Ok(none());
    }
    let mut findings = Vec::new();
    for (path, content) in files {
        for (name, places) in content.read.repeated() {
            let [before @ .., last] = places.as_slice() else { continue };
            let first = before.first().map_or(last.line, |first| first.line);
            findings.push(
                Finding::new(
                    format!("{name} is set {} times in one file", places.len()),
                    Location::line(path.as_str(), last.line),
                    demanded_at(view, &path),
                )
                .key(name)
                .expected(format!("{name}= once"))
                .observed(format!("the last of {} counts", places.len()))
                .overrode(before.iter().rev().map(|old| (Location::line(path.as_str(), old.line), format!("{name}="))))
                .mend(format!("a person must decide which line goes: sed -n '{first}p;{}p' {path}", last.line)),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}
