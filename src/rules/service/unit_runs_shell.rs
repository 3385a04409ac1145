//! Shell text in Exec lines.

use super::unit_uses_system_python::is_inline;
use crate::facts::start::{EXEC_SETTINGS, base_name, commands};
use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;
use crate::systemd::command_line::{self, Command, Prefixes};

rule! {
    /// A unit runs a command through a shell.
    ///
    /// With `sh -c '…'` the main process is the shell, signals reach it and not the program, and the text is
    /// quoted twice (systemd.service(5), "COMMAND LINES"). Every Exec line counts, and a shell behind `env`
    /// too. A shell that runs a script file is allowed.
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
    cause: Unit,
    why: "stop signals reach the shell instead of the service, and the real command is hidden",
    see: ["systemctl show -p ExecStart,ExecStartPre {unit}"],
    mend: "Write the program itself into the line, or move the text into a script. golden does the first if \
           the text is one command with its full path and nothing that a shell would interpret.",
    man: ["systemd.service(5)"],
    since: "0.1.0",
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
        let setting = started.setting;
        let demanded = view.service.command.as_ref().filter(|_| started.key == "ExecStart");
        let remedy = match (unwrapped(setting, command), demanded) {
            (Some(text), _) => view.replace_one(unit, setting, Some(&text)),
            (None, Some(demanded)) => view.set_command(unit, demanded, Some(setting)),
            (None, None) => {
                Remedy::decide(format!("decide what {} should run without a shell", setting.at))
                    .candidate("", by_hand(&setting.at))
            }
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

/// The command that a shell is given, where the shell adds nothing to it: plain words, the program by its full path.
fn unwrapped(setting: &Setting, command: &Command) -> Option<String> {
    let [option, text] = command.words.as_slice() else { return None };
    let is_only = command_line::parse(setting.value()).commands.len() == 1;
    let is_bare = command.prefixes == Prefixes::default() && base_name(&command.program) != "env";
    let text = text.strip_prefix("exec ").unwrap_or(text).trim();
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || " /._-+=:@,".contains(c));
    let is_one = text.starts_with('/') && !text.split(' ').next()?.contains('=');
    (matches!(option.as_str(), "-c" | "-ec" | "-ce") && is_only && is_bare && is_plain && is_one)
        .then(|| text.to_owned())
}
