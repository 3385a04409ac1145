//! One variable twice in one env file.

use crate::rules::env_files::{Place, contents, demanded_at, is_changeable, none};
use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;
use crate::syntax::env_file::Variable;

rule! {
    /// A variable is set twice in one env file.
    ///
    /// systemd takes the last one (systemd.exec(5)); a person who searches for the variable finds the first.
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
    cause: Environment,
    why: "people find and change the first line, but the last one counts",
    see: ["grep -n \"^{variable}=\" {env-file}"],
    mend: "If all lines set the same value, golden removes all but the last. Otherwise decide which line \
           goes.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
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
            findings.push(
                Finding::new(
                    format!("{name} is set {} times in one file", places.len()),
                    Location::line(path.as_str(), last.line),
                    demanded_at(view, &path),
                )
                .key(name)
                .expected(format!("{name}= once"))
                .observed(format!("the last of {} counts", places.len()))
                .overrode(
                    before.iter().rev().take(MOST_LINES).map(|old| (Location::line(path.as_str(), old.line), format!("{name}="))),
                )
                .mend(leave_one(view, &path, &places)),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}

/// More lines than a person reads are not named one by one.
const MOST_LINES: usize = 12;

/// The remedy that leaves one line: the last where all say the same, else a person decides.
fn leave_one(view: &ServiceView, path: &str, places: &[&Variable]) -> Remedy {
    let (Some(last), Some(name)) = (places.last(), places.first().map(|first| &first.name)) else {
        return Remedy::decide("look at the file");
    };
    let without = |variable: &Variable| Place { path, line: Some(variable.line) }.change(name, None);
    let before = || places.iter().rev().skip(1);
    let alike = before().all(|variable| variable.value == last.value) && !last.value.contains('\n');
    if alike && is_changeable(view, path) {
        // The last line first, so that the lines before it keep their numbers.
        return view.taken_up(before().map(|variable| without(variable)));
    }
    if places.len() > MOST_LINES {
        let question = format!("decide which of {} lines of {path} counts, and remove the others", places.len());
        return Remedy::decide(question).candidate("", by_hand(&Location::line(path, last.line)));
    }
    let lines: Vec<String> = places.iter().map(|variable| variable.line.to_string()).collect();
    let question = format!("decide which of the lines {} of {path} counts, and remove the others", lines.join(", "));
    places.iter().fold(Remedy::decide(question), |question, kept| {
        let others = places.iter().rev().filter(|other| other.line != kept.line);
        let shell: Vec<String> = others.map(|other| without(other).shell()).collect();
        let words = match kept.line == last.line {
            true => format!("line {} counts, as it does now", kept.line),
            false => format!("line {} counts", kept.line),
        };
        question.candidate(words, shell.join(" && "))
    })
}
