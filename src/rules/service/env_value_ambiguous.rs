//! Values that systemd and a shell read differently.

use crate::facts::EnvFileFacts;
use crate::contract::secrets::is_hidden;
use crate::rules::env_files::{Place, contents, demanded_at, keep, none};
use crate::rules::prelude::*;
use crate::rules::remedy::of_many;
use crate::syntax::env_file::{Note, Variable};
use crate::syntax::env_shell::ShellReading;
use crate::syntax::hijack::hijacks;
use crate::syntax::stand_in::undeciding;

rule! {
    /// systemd and a shell read a value differently.
    ///
    /// Sooner or later a person sources the file (`set -a; . FILE`) to look for a fault. If a shell expands,
    /// splits or drops a value that systemd takes literally, that person sees other settings than the service.
    ///
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// + GREETING=hello world
    /// ```
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// + PASS=a$bcd
    /// ```
    /// ```good
    /// replace /etc/quantum/backend.env
    /// + GREETING='hello world'
    /// ```
    id: "env-value-ambiguous",
    section: C,
    severity: Should,
    needs: [EnvFiles, Units],
    cause: Environment,
    why: "a person who sources the file works with other settings than the service",
    see: ["grep -nE \"[$`;&|<>( ]\" {env-file}"],
    mend: "golden quotes the value so that both read what systemd reads now. Quote the value of a secret \
           yourself; golden does not show it.",
    man: ["systemd.exec(5)", "sh(1)"],
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
        for (variable, reading) in content.read.variables.iter().zip(&content.shell) {
            if *reading == ShellReading::Same {
                continue;
            }
            let secret = is_hidden(view.contract, &path, &variable.name, &variable.value);
            let shown = |value: &str| if secret { "(a secret)".to_owned() } else { format!("{value:?}") };
            let observed = match reading {
                ShellReading::Same => continue,
                ShellReading::Differs { shell } => {
                    format!("systemd: {}   shell: {}", shown(&variable.value), shown(shell))
                }
                // The reason may quote the line.
                ShellReading::Breaks { .. } if secret => "systemd: (a secret)   shell: no value".to_owned(),
                ShellReading::Breaks { why } => format!("systemd: {:?}   shell: {why}", variable.value),
            };
            findings.push(
                Finding::new(
                    format!("systemd and a shell read {} differently", variable.name),
                    Location::line(path.as_str(), variable.line),
                    demanded_at(view, &path),
                )
                .key(&*variable.name)
                .expected("one reading")
                .observed(observed)
                .mend(of_many(findings.len(), || remedy(view, &path, content, variable, reading))),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}

/// The remedy that quotes the value so that it stays what systemd reads.
fn remedy(
    view: &ServiceView,
    path: &str,
    content: &EnvFileFacts,
    variable: &Variable,
    reading: &ShellReading,
) -> Remedy {
    let Variable { name, value, line } = variable;
    if let Some(rule) = speaks_first(view, content, variable) {
        return Remedy::decide(format!("mend line {line} of {path} first (reported by {rule})"));
    }
    if value.contains(['\n', '\r']) || is_hidden(view.contract, path, name, value) {
        let question = format!("quote line {line} of {path} so that systemd and a shell read it alike");
        return Remedy::decide(question);
    }
    let place = Place { path, line: Some(*line) };
    if Change::env_line(name, value) != format!("{name}={value}") {
        return keep(view, place, name, Some(value));
    }
    // Quotes do not help a plain value: blanks around the `=`, or another line, are in the shell's way.
    let why = match reading {
        ShellReading::Breaks { why } => why.as_str(),
        _ => "another line gives it another value there",
    };
    Remedy::decide(format!("change line {line} of {path} so that a shell reads it alike: {why}"))
        .candidate("where the line itself is the cause", place.change(name, Some(value)).shell())
}

/// The rule that finds something else wrong with the line, so that its text will be another one.
fn speaks_first(view: &ServiceView, content: &EnvFileFacts, variable: &Variable) -> Option<&'static str> {
    let Variable { name, value, line } = variable;
    let mangles = |note: &Note| note.line == *line && super::env_value_mangled::mangled(note.kind).is_some();
    let refuses = |demand: &VariableDemand| *demand.name == **name && !undeciding(|| demand.form.accepts(value));
    let same = content.read.variables.iter().filter(|other| other.name == *name);
    if content.read.notes.iter().any(mangles) {
        Some(super::env_value_mangled::RULE.info.id)
    } else if same.count() > 1 {
        Some(super::env_variable_duplicated::RULE.info.id)
    } else if view.service.variables.iter().any(|demand| refuses(demand)) {
        Some(super::env_variable_wrong::RULE.info.id)
    } else {
        hijacks(name).map(|_| super::env_variable_hijacks::RULE.info.id)
    }
}
