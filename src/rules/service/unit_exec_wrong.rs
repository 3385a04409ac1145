//! `ExecStart=` against the contract's command.

use crate::facts::start::{Started, base_name, commands, is_python, simplified};

use crate::rules::prelude::*;
use crate::syntax::command_line::Command;

rule! {
    /// ExecStart does not run the contract's command.
    ///
    /// Reads `ExecStart=` of the effective unit as systemd does: prefixes, quotes, escapes, specifiers
    /// (systemd.service(5)). The program and the leading arguments must be the contract's; a relative
    /// program of the contract lies in the `bin` of the service's venv, where `python`, `python3` and
    /// `python3.N` are one. More arguments may follow unless the contract says `exact = true`. Switches that
    /// only change how Python writes (`-u`, `-B`, `-b`, `-q`, `-v`, `-O`) may stand before the arguments.
    ///
    /// Correct the line, or the contract.
    ///
    /// ```bad
    /// contract [services.backend]
    /// contract command = ["uvicorn", "src.backend.app:app"]
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=/opt/quantum/venvs/backend/bin/uvicorn src.backend.old:app
    /// ```
    /// ```bad
    /// contract [services.backend]
    /// contract command = ["uvicorn", "src.backend.app:app"]
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=/opt/quantum/venvs/execution/bin/uvicorn src.backend.app:app
    /// ```
    /// ```good
    /// contract [services.backend]
    /// contract command = ["uvicorn", "src.backend.app:app"]
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=@/opt/quantum/venvs/%j/bin/uvicorn uvicorn "src.backend.app:app" --port 1
    /// ```
    id: "unit-exec-wrong",
    section: D,
    severity: Must,
    needs: [Units],
    why: "the unit has the service's name and runs something else",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let Some(demanded) = &view.service.command else {
        return Ok(Outcome::not_applicable("the contract names no command"));
    };
    let started = commands(unit, &["ExecStart"]);
    let right = started.iter().filter(|started| runs(&started.command, demanded, view.service)).count();
    if right >= 1 && (right == started.len() || !demanded.exact) {
        return Ok(Outcome::Pass);
    }
    let expected = view.service.exec_line(demanded);
    let offending: Option<&Started> =
        started.iter().rfind(|started| !runs(&started.command, demanded, view.service));
    let location = offending.map_or_else(|| unit.location(), |started| started.setting.at.clone());
    let remedy = view.mend_command(unit, demanded, offending.map(|started| started.setting));
    let observed = offending.map_or_else(|| "no ExecStart=".to_owned(), |started| written(started.setting));
    Ok(Finding::new("does not run the contract's command", location, demanded.at.clone())
        .expected(format!("ExecStart={expected}"))
        .observed(observed)
        .overrode(offending.map(|started| overridden(started.setting)).unwrap_or_default())
        .mend(remedy)
        .into())
}

fn runs(command: &Command, demanded: &CommandDemand, service: &Service) -> bool {
    let Some((program, arguments)) = demanded.words.split_first() else { return true };
    let found = simplified(&command.program);
    let wanted = service.program(program);
    let directory = |path: &str| path.rsplit_once('/').map(|(directory, _)| directory.to_owned());
    let both_python = is_python(base_name(&wanted)) && is_python(base_name(&found));
    let same = found == wanted
        || (!wanted.starts_with('/') && command.program == wanted)
        || (both_python && directory(&found) == directory(&wanted));
    let words: Vec<&String> =
        match is_python(base_name(&found)) && !arguments.iter().any(|word| is_switch(word)) {
            true => command.words.iter().skip_while(|word| is_switch(word)).collect(),
            false => command.words.iter().collect(),
        };
    let leading =
        words.len() >= arguments.len() && words.iter().zip(arguments).all(|(found, wanted)| *found == wanted);
    same && leading && (!demanded.exact || words.len() == arguments.len())
}

/// Switches of Python that change neither what runs nor where it is found.
fn is_switch(word: &str) -> bool {
    word.strip_prefix('-')
        .is_some_and(|options| !options.is_empty() && options.chars().all(|c| "uBbqvO".contains(c)))
}
