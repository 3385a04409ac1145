//! `ExecStart=` against the contract's command.

use crate::facts::start::{Started, base_name, commands, is_python, simplified, written_differently};

use crate::rules::prelude::*;
use crate::systemd::command_line::{self, Command};
use crate::systemd::specifier::Specifiers;
use crate::systemd::version::SystemdVersion;
use crate::syntax::stand_in;

rule! {
    /// ExecStart= does not run the contract's command.
    ///
    /// Reads `ExecStart=` of the effective unit as systemd does: prefixes, quotes, escapes, specifiers
    /// (systemd.service(5)). The program and the first arguments must be the contract's. A relative program of
    /// the contract lies in the `bin` of the service's venv, where `python`, `python3` and `python3.N` are the
    /// same. More arguments may follow unless the contract says `exact = true`. Switches that only change how
    /// Python writes (`-u`, `-B`, `-b`, `-q`, `-v`, `-O`) may stand before the arguments. Programs are compared
    /// with links resolved: `/bin/true` is `/usr/bin/true` if `/bin` is a link to it (file-hierarchy(7),
    /// "COMPATIBILITY SYMLINKS").
    ///
    /// `%` and `$` mean in the contract what they mean in the unit: `%i` is the instance, `${PORT}` a variable,
    /// `%%` and `$$` are the characters themselves.
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
    /// contract command = ["uvicorn", "src.backend.app:app", "--port=${PORT}", "$OPTIONS", "%p", "100%%", ""]
    /// contract [services.backend.provision]
    /// contract start = ["uvicorn", "src.backend.app:app", "--port=${PORT}", "$OPTIONS", "%p", "100%%", ""]
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=/opt/quantum/venvs/backend/bin/uvicorn src.backend.app:app '--port=${PORT}' $OPTIONS quantum-backend 100%% ""
    /// ```
    /// ```bad
    /// contract [services.backend]
    /// contract command = ["uvicorn", "src.backend.app:app", "--port=${PORT}"]
    /// contract [services.backend.provision]
    /// contract start = ["uvicorn", "src.backend.app:app", "--port=${PORT}"]
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=/opt/quantum/venvs/backend/bin/uvicorn src.backend.app:app --port=$${PORT}
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
    needs: [Units, Start],
    cause: Unit,
    why: "the unit has the service's name but runs another command",
    see: ["systemctl show -p ExecStart {unit}"],
    mend: "Correct the line, or the contract. golden keeps further arguments if the contract allows them \
           and they are clear.",
    man: ["systemd.service(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let Some(demanded) = &view.service.command else {
        return Ok(Outcome::not_applicable("the contract names no command"));
    };
    // What is written as it is demanded needs no reading of what specifiers stand for.
    let lines = unit.assignments("Service", "ExecStart").map(|setting| command_line::parse(setting.raw()));
    let written_out: Vec<Command> = lines.flat_map(|line| line.commands).collect();
    let same = written_out.iter().filter(|command| runs(command, demanded, view.service)).count();
    if same >= 1 && (same == written_out.len() || !demanded.exact) {
        return Ok(Outcome::Pass);
    }
    let mut started = commands(unit, &["ExecStart"]);
    for started in &mut started {
        as_demanded(view, &mut started.command, demanded)?;
    }
    let version = view.systemd().known()?.copied().unwrap_or_default();
    let expanded = expanded(unit, version, demanded);
    let is = |command: &Command, demanded: &CommandDemand| runs(command, demanded, view.service);
    let is_right = |index: usize| {
        // What names something of the host is compared as it is written.
        is(&started[index].command, expanded.as_ref().unwrap_or(demanded))
            || as_written(&started, index).is_some_and(|command| is(&command, demanded))
    };
    let (right, wrong): (Vec<usize>, Vec<usize>) = (0..started.len()).partition(|index| is_right(*index));
    if !right.is_empty() && (wrong.is_empty() || !demanded.exact) {
        return Ok(Outcome::Pass);
    }
    let expected = view.service.exec_line(demanded);
    let offending: Option<&Started> = wrong.last().map(|index| &started[*index]);
    let location = offending.map_or_else(|| unit.location(), |started| started.setting.at.clone());
    let remedy = view.set_command(unit, demanded, offending.map(|started| started.setting));
    let observed = offending.map_or_else(|| "no ExecStart=".to_owned(), |started| written(started.setting));
    Ok(Finding::new("does not run the contract's command", location, demanded.at.clone())
        .expected(format!("ExecStart={expected}"))
        .observed(observed)
        .overrode(offending.map(|started| overridden(started.setting)).unwrap_or_default())
        .mend(remedy)
        .into())
}

/// Writes a program as it is demanded where only a link stands between the two. A venv tells its Python by the path it
/// is started under, so of a Python only the directory may be written differently.
fn as_demanded(view: &ServiceView, command: &mut Command, demanded: &CommandDemand) -> Result<(), Undecided> {
    let Some(word) = demanded.words.first() else { return Ok(()) };
    let wanted = view.service.program(word);
    let Some(directories) = written_differently(&command.program, &wanted) else { return Ok(()) };
    let is_one = |one: &str, other: &str| match (view.path(Need::Start, one), view.path(Need::Start, other)) {
        (Ok(one), Ok(other)) => Ok(one.node()?.is_some() && other.node()?.is_some() && one.real() == other.real()),
        // Facts of an older golden do not hold them.
        _ => Ok(false),
    };
    let python = is_python(base_name(&wanted));
    if is_one(directories.0, directories.1)? || (!python && is_one(&command.program, &wanted)?) {
        let name = base_name(&command.program).to_owned();
        let directory = wanted.rsplit_once('/').map_or("", |(directory, _)| directory);
        command.program = format!("{directory}/{name}");
    }
    Ok(())
}

/// The demanded command with its specifiers expanded as in this unit; `None` where one names something of the host.
fn expanded(
    unit: &EffectiveUnit,
    version: SystemdVersion,
    demanded: &CommandDemand,
) -> Option<CommandDemand> {
    let specifiers = Specifiers::new(&unit.name, unit.fragment.as_ref(), None, version);
    let expand = |word: &String| specifiers.expand(word).ok().map(std::borrow::Cow::into_owned);
    let words = demanded.words.iter().map(expand).collect::<Option<Vec<String>>>()?;
    Some(CommandDemand { words, ..demanded.clone() })
}

/// A command before its specifiers are expanded.
fn as_written(started: &[Started], index: usize) -> Option<Command> {
    let setting = started[index].setting;
    let of_line = started[..index].iter().filter(|before| std::ptr::eq(before.setting, setting)).count();
    command_line::parse(setting.raw()).commands.into_iter().nth(of_line)
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
    // After the prefix `:` a dollar sign is only a dollar sign.
    let is = |found: &String, wanted: &String| {
        stand_in::compared(found);
        match command.prefixes.no_expand {
            true => found.replace('$', "$$") == *wanted,
            false => found == wanted,
        }
    };
    let leading =
        || words.len() >= arguments.len() && words.iter().zip(arguments).all(|(found, wanted)| is(found, wanted));
    same && (!demanded.exact || words.len() == arguments.len()) && leading()
}

/// Switches of Python that change neither what runs nor where it is found.
fn is_switch(word: &str) -> bool {
    word.strip_prefix('-')
        .is_some_and(|options| !options.is_empty() && options.chars().all(|c| "uBbqvO".contains(c)))
}
