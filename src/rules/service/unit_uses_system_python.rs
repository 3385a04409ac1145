//! Interpreters of the system in Exec lines.

use crate::facts::start::{EXEC_SETTINGS, base_name, commands, is_python, simplified};
use crate::rules::prelude::*;
use crate::rules::remedy::{by_hand, python_in};
use crate::systemd::command_line::Command;

rule! {
    /// A unit runs the system's Python.
    ///
    /// Looks at the program of every Exec line of the effective unit, and behind `env` and `sh -c`, for the
    /// programs that the contract forbids: by bare name, or below `/usr` or `/bin`, with or without a version.
    /// systemd searches a bare name in its own fixed path (systemd.service(5)), never in a venv.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=-/usr/bin/python3.11 -c pass
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=/usr/bin/env python3 -c pass
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=/opt/quantum/venvs/backend/bin/python3 -c "print('python3')"
    /// ```
    id: "unit-uses-system-python",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "an upgrade of the distribution can break the service",
    see: ["systemctl show -p ExecStart,ExecStartPre {unit}"],
    mend: "Name the interpreter of the service's venv.",
    man: ["systemd.service(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let forbidden = &view.contract.runtime.forbidden_programs;
    let mut findings = Vec::new();
    for started in commands(unit, EXEC_SETTINGS) {
        let called = called(&started.command);
        let Some(program) = called.into_iter().find(|program| is_forbidden(program, &forbidden.value)) else {
            continue;
        };
        let remedy = match (&view.service.venv, program == started.command.program) {
            (Some(venv), true) => view.set_programs(unit, &started, |other| {
                let program = &other.command.program;
                let bin = format!("{}/bin", venv.value);
                is_forbidden(program, &forbidden.value).then(|| python_in(&bin, base_name(program)))
            }),
            _ => Remedy::decide(format!(
                "name an interpreter of the contract in place of {program} at {}",
                started.setting.at
            ))
            .candidate("", by_hand(&started.setting.at)),
        };
        findings.push(
            Finding::new(
                format!("{}= runs {program}", started.key),
                started.setting.at.clone(),
                forbidden.at.clone(),
            )
            .key(started.key)
            .expected("an interpreter of a venv")
            .observed(written(started.setting))
            .overrode(overridden(started.setting))
            .mend(remedy),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// Every program that a command calls, as far as it can be seen: itself, behind `env`, in `sh -c` text.
fn called(command: &Command) -> Vec<String> {
    let mut programs = vec![command.program.clone()];
    let mut words = command.words.as_slice();
    if base_name(&command.program) == "env" {
        let Some(at) = words.iter().position(|word| !word.starts_with('-') && !word.contains('=')) else {
            return programs;
        };
        programs.push(words[at].clone());
        words = &words[at + 1..];
    }
    let is_shell = programs.last().is_some_and(|program| base_name(program).ends_with("sh"));
    if let Some(text) = words.iter().skip_while(|word| !is_inline(word)).nth(1).filter(|_| is_shell) {
        programs.extend(text.split(|c: char| c.is_whitespace() || ";|&()`".contains(c)).map(str::to_owned));
    }
    programs
}

/// `-c`, `-lc`, `-ec`
pub fn is_inline(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|options| !options.starts_with('-') && options.contains('c'))
}

fn is_forbidden(program: &str, forbidden: &[String]) -> bool {
    let program = if program.starts_with('/') { simplified(program) } else { program.to_owned() };
    let name = base_name(&program);
    let of_the_system =
        !program.contains('/') || ["/usr/", "/bin/", "/sbin/"].iter().any(|place| program.starts_with(place));
    forbidden.iter().any(|entry| {
        let entry_name = base_name(entry);
        program == *entry
            || (of_the_system
                && (name == entry_name || (is_python(name) && is_python(entry_name) && !name.is_empty())))
    })
}
