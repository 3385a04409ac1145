//! Shell text in Exec lines.

use super::unit_uses_system_python::is_inline;
use crate::facts::start::{EXEC_SETTINGS, base_name, commands};
use crate::rules::prelude::*;
use crate::syntax::command_line;

rule! {
    /// A unit runs text through a shell.
    ///
    /// `sh -c '…'` hides what really runs from systemd: the main process is the shell, signals reach it and
    /// not the program, and the text is subject to quoting twice (systemd.service(5), "COMMAND LINES"). Any
    /// Exec line counts, and a shell behind `env` too. A shell that runs a script file is not meant.
    ///
    /// Write the program itself into the line, or move the text into a script.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=/bin/bash -c 'exec /opt/quantum/venvs/backend/bin/python -m backend'
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=/usr/bin/env bash -lc true
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=/opt/quantum/venvs/backend/bin/python -c "print('/bin/bash -c')"
    /// ```
    id: "unit-runs-shell",
    section: D,
    severity: Must,
    needs: [Units],
    why: "signals reach the shell and not the service, and nobody sees what really runs",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let forbidden = &view.contract.runtime.forbidden_shells;
    let is_shell = |program: &str| forbidden.value.iter().any(|shell| base_name(shell) == base_name(program));
    let mut findings = Vec::new();
    for started in commands(unit, EXEC_SETTINGS) {
        let command = &started.command;
        let (program, words) = match base_name(&command.program) {
            "env" => {
                match command.words.iter().position(|word| !word.starts_with('-') && !word.contains('=')) {
                    Some(at) => (command.words[at].as_str(), &command.words[at + 1..]),
                    None => continue,
                }
            }
            _ => (command.program.as_str(), command.words.as_slice()),
        };
        let inline = words.iter().take_while(|word| word.starts_with(['-', '+'])).any(|word| is_inline(word));
        if !is_shell(program) || !inline {
            continue;
        }
        let no_shell = |text: &str| {
            let commands = command_line::parse(text).commands;
            !commands.is_empty() && !commands.iter().any(|command| is_shell(&command.program))
        };
        let setting = started.setting;
        let demanded = view.service.command.as_ref().filter(|_| started.key == "ExecStart");
        let remedy = match (view.mend_by_removing(unit, setting, no_shell), demanded) {
            (Some(command), _) => command,
            (None, Some(demanded)) => view.mend_command(unit, demanded, Some(setting)),
            (None, None) => format!("a person must decide what {} should run without a shell", setting.at),
        };
        findings.push(
            Finding::new(
                format!("{}= runs text through {program}", started.key),
                started.setting.at.clone(),
                forbidden.at.clone(),
            )
            .key(started.key)
            .expected("the program itself, or a script")
            .observed(written(started.setting))
            .overrode(overridden(started.setting))
            .mend(remedy),
        );
    }
    Ok(Outcome::from_findings(findings))
}
