//! A sandbox that hides what the service needs.

use std::collections::BTreeSet;

use crate::facts::start::{
    Code, START_SETTINGS, commands, from_directory, given_code, program_paths, working_directory,
};
use crate::rules::prelude::*;
use crate::rules::reach::{has_own_root, no_user};
use crate::rules::remedy::by_hand;
use crate::rules::sandbox::{Effect, Mount, hidden, mounts};

rule! {
    /// The sandbox of a unit hides files that the service needs.
    ///
    /// `ProtectHome=yes` and `InaccessiblePaths=` make directories inaccessible. `ProtectHome=tmpfs`,
    /// `TemporaryFileSystem=` and `PrivateTmp=` put an empty file system over them (systemd.exec(5)). golden
    /// looks at the working directory, the programs and scripts of the start, and the directories that the
    /// contract lets the service write. A bind below an empty file system shows its path again; below an
    /// inaccessible directory it does not. Links are followed first, as systemd does: if /home leads to
    /// /var/home, `ProtectHome=` hides that.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | ProtectHome=true
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | TemporaryFileSystem=/opt:ro
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | ProtectHome=tmpfs
    /// | BindPaths=/home/qt/quantum_trader
    /// | InaccessiblePaths=-/srv
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | InaccessiblePaths=/opt/quantum/venvs/backend/bin
    /// | BindPaths=/opt/quantum/venvs/backend/bin
    /// ```
    id: "start-sandbox-hides",
    section: D,
    severity: Must,
    needs: [Units, Accounts, EnvFiles, Start],
    cause: Unit,
    why: "the next start fails with 200/CHDIR or 203/EXEC, although the same command works in a shell",
    see: ["systemctl show -p ProtectHome,InaccessiblePaths,TemporaryFileSystem,PrivateTmp {unit}"],
    mend: "Use a weaker protection that fits the layout: `ProtectHome=read-only`, or `tmpfs` with a bind.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    has_own_root(unit)?;
    let mounts = mounts(view, unit);
    if !mounts.iter().any(|mount| matches!(mount.effect, Effect::Hidden | Effect::Emptied)) {
        return Ok(Outcome::Pass);
    }
    let Some(needed) = needed(view, unit)? else { return Ok(no_user()) };
    let mut findings: Vec<Finding> = Vec::new();
    let mut seen = BTreeSet::new();
    for (what, path) in needed {
        let real = view.path(Need::Start, &path)?.real().unwrap_or(&path);
        let Some(mount) = hidden(unit, &mounts, &path).or_else(|| hidden(unit, &mounts, real)) else {
            continue;
        };
        if what == WORKING_DIRECTORY && may_be_entered(unit, mount, &path, real) {
            continue;
        }
        // One finding a setting: they all end with the same change.
        if !seen.insert(mount.setting.at.clone()) {
            continue;
        }
        let remedy = remedy(view, unit, mount, &path);
        let at = view.service.working_directory.as_ref().map_or(&view.service.unit.at, |stated| &stated.at);
        findings.push(
            Finding::new(
                format!("cannot start: its sandbox hides {what} {path}"),
                mount.setting.at.clone(),
                at.clone(),
            )
            .key(mount.setting.key.as_str())
            .expected(format!("{path} can be reached"))
            .observed(written(mount.setting))
            .overrode(overridden(mount.setting))
            .mend(remedy),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// What the service is called to stand in.
const WORKING_DIRECTORY: &str = "the working directory";

/// Whether a directory can be entered although a mount of the sandbox lies over it: an empty one by anybody, one that is
/// inaccessible by root, whom its mode 0000 does not keep out, with whatever capabilities (measured on 247 to 262).
fn may_be_entered(unit: &EffectiveUnit, mount: &Mount, path: &str, real: &str) -> bool {
    let may = match mount.effect {
        Effect::Emptied => true,
        Effect::Hidden => matches!(unit.user_name(), Some("root" | "0")),
        Effect::ReadOnly | Effect::Writable => false,
    };
    may && [path, real].contains(&&*mount.path)
}

/// What the service needs to see, each with a word for it.
fn needed(
    view: &ServiceView,
    unit: &EffectiveUnit,
) -> Result<Option<Vec<(&'static str, String)>>, Undecided> {
    let Some(directory) = working_directory(unit, Some(view.accounts()?)) else { return Ok(None) };
    let (arguments, mut all) = (view.arguments(unit)?, Vec::new());
    for started in commands(unit, START_SETTINGS) {
        let command = &started.command;
        if started.may_fail(unit) || started.is_free(unit) {
            continue;
        }
        for path in program_paths(unit, &command.program) {
            if view.path(Need::Start, &path)?.node()?.is_some() {
                all.push(("the program", path));
                break;
            }
        }
        for code in given_code(&command.program, &arguments.words(command)) {
            match code {
                Code::File(file) if !file.contains('$') => {
                    all.push(("the script", from_directory(&directory.path, &file)));
                }
                Code::Program(program) if !program.contains('$') => all.push(("the program", program)),
                _ => {}
            }
        }
    }
    all.extend(view.service.writes.iter().map(|directory| ("the directory", directory.value.clone())));
    if !directory.optional {
        all.insert(0, (WORKING_DIRECTORY, directory.path));
    }
    Ok(Some(all))
}

/// What lets the service see a path. How much of a sandbox is given up is nobody's to guess: only a directory that the
/// contract lets the service write is bound into an empty place.
fn remedy(view: &ServiceView, unit: &EffectiveUnit, mount: &Mount, path: &str) -> Remedy {
    let setting = mount.setting;
    let bind = |key: &str| view.add(unit, "Service", key, &[path.to_owned()]);
    let is_written = view.service.writes.iter().any(|written| written.value == path);
    if mount.effect == Effect::Emptied && is_written {
        return bind("BindPaths");
    }
    let question = format!("decide what {} may hide; the service needs {path}", setting.at);
    let remedy = Remedy::decide(question);
    let set = |value: &str| view.set(unit, Some(setting), &setting.key, value).shell();
    match (&*setting.key, mount.effect) {
        ("ProtectHome", Effect::Hidden) => remedy
            .candidate("homes can be read", set("read-only"))
            .candidate("homes are not protected", set("no")),
        (_, Effect::Emptied) => remedy.candidate("the service sees this alone", bind("BindReadOnlyPaths").shell()),
        _ => remedy.candidate("", by_hand(&setting.at)),
    }
}
