//! What runs before in the same unit and may make what is missing: a unit may copy, build or install its own program.

use super::prelude::*;
use super::reach::Obstacle;
use crate::facts::made::before as units_before;
use crate::facts::start::{START_SETTINGS, Started, commands, lies_under};

/// Programs that make no program, whatever they are told.
const HARMLESS: &[&str] = &[
    "[",
    "chattr",
    "chcon",
    "chgrp",
    "chmod",
    "chown",
    "echo",
    "false",
    "find",
    "grep",
    "logger",
    "ls",
    "mkdir",
    "nice",
    "restorecon",
    "rm",
    "rmdir",
    "setcap",
    "setfacl",
    "sleep",
    "stat",
    "test",
    "touch",
    "true",
];

/// Programs that fill a directory that they are told.
const FILLS: &[&str] = &[
    "cp",
    "curl",
    "git",
    "install",
    "ln",
    "mount",
    "mv",
    "rsync",
    "tar",
    "tee",
    "unzip",
    "uv",
    "virtualenv",
    "wget",
];

/// Programs that build or install what the directory says in which they stand.
const BUILDS: &[&str] = &[
    "bun", "bundle", "cargo", "composer", "go", "gradle", "make", "mvn", "npm", "pip", "pip3", "pnpm",
    "poetry", "yarn",
];

/// What keeps somebody from a path, where nothing that runs before may make the path or open it; else it is undecided.
pub fn unless_made(
    view: &ServiceView,
    unit: &EffectiveUnit,
    (before, path): (&[Started<'_>], &str),
    obstacle: Option<Obstacle>,
) -> Result<Option<Obstacle>, Undecided> {
    let Some(found) = &obstacle else { return Ok(None) };
    if found.missing {
        return is_made_by_none(view, unit, before, path).map(|()| obstacle);
    }
    let opener = before.iter().find(|started| opens(started, found.at.path()));
    match opener {
        Some(opener) => Err(Undecided::new(format!(
            "{} {}, and {} may change that",
            found.at, found.what, opener.setting.at
        ))),
        None => Ok(obstacle),
    }
}

/// Whether a command changes who may do what with a path.
fn opens(started: &Started<'_>, path: &str) -> bool {
    const OPEN: &[&str] = &["chmod", "chown", "chgrp", "setfacl", "install"];
    let words = &started.command.words;
    let name = started.command.program.rsplit('/').next().unwrap_or_default();
    let does = OPEN.contains(&name) || words.iter().any(|text| OPEN.iter().any(|word| says(text, word)));
    let mut told = words.iter().flat_map(|word| word.split(|c: char| " '\";=<>&|()".contains(c)));
    does && told.any(|told| told.starts_with('/') && lies_under(path, told))
}

/// Whether nothing may make a path that runs before: neither these commands nor those of units that are started before.
pub fn is_made_by_none(
    view: &ServiceView,
    unit: &EffectiveUnit,
    before: &[Started<'_>],
    path: &str,
) -> Result<(), Undecided> {
    let is_maker = |started: &&Started<'_>| {
        may(&started.command.program, &started.command.words, path) || may_make_anything(view, started, path)
    };
    let mut maker = before.iter().find(is_maker).map(|maker| maker.setting.at.clone());
    for name in units_before(unit) {
        if maker.is_some() {
            break;
        }
        let others = commands(view.effective(&name)?, START_SETTINGS);
        maker = others.iter().find(is_maker).map(|maker| maker.setting.at.clone());
    }
    match maker {
        Some(at) => Err(Undecided::new(format!("{path} does not exist, and {at} may make it"))),
        None => Ok(()),
    }
}

/// Whether a command runs a script of a shell, which may do anything and is not read; one of a package makes no program of a
/// package.
fn may_make_anything(view: &ServiceView, started: &Started<'_>, path: &str) -> bool {
    let is_packages = |path: &str| {
        path.starts_with("/usr/") && !path.starts_with("/usr/local/") || path.starts_with("/lib/")
    };
    if is_packages(&started.command.program) && is_packages(path) && started.command.words.is_empty() {
        return false;
    }
    const SHELLS: &[&str] = &["sh", "bash", "dash", "ksh", "zsh"];
    let is_shell = |path: &str| SHELLS.contains(&path.rsplit('/').next().unwrap_or_default());
    let program = &started.command.program;
    let runs_one = || {
        let first = started.command.words.iter().find(|word| !word.starts_with('-'));
        let has_text = started.command.words.iter().any(|word| word.starts_with('-') && word.ends_with('c'));
        first.is_some() && !has_text
    };
    match view.program(program) {
        Ok(Some(ProgramFacts::Script(shebang))) => is_shell(&shebang.interpreter),
        _ => is_shell(program) && runs_one(),
    }
}

fn may(program: &str, words: &[String], path: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or(program);
    if HARMLESS.contains(&name) {
        return false;
    }
    let shell = words.iter().any(|word| word == "-c" || word == "-ec").then(|| words.join(" "));
    let runs = |known: &[&str]| match &shell {
        Some(text) => known.iter().any(|known| says(text, known)),
        None => known.contains(&name),
    };
    if runs(BUILDS) || words.iter().any(|word| word == path) {
        return true;
    }
    let is_venv = || words.iter().any(|word| word == "venv" || word == "virtualenv");
    let names_above = || {
        let told = words.iter().flat_map(|word| word.split(|c: char| " '\";=<>&|()".contains(c)));
        // A directory of all programs says nothing.
        told.filter(|told| told.matches('/').count() > 1).any(|told| lies_under(path, told))
    };
    (runs(FILLS) || shell.as_ref().is_some_and(|text| text.contains('>')) || is_venv()) && names_above()
}

/// Whether a text has a word of its own.
fn says(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').any(|said| said == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systemd::command_line;

    fn makes(line: &str, path: &str) -> bool {
        let command = &command_line::parse(line).commands[0];
        may(&command.program, &command.words, path)
    }

    #[test]
    fn a_command_may_make_what_it_is_told() {
        for line in [
            "/bin/cp /opt/tools/tool /opt/app/tool",
            "/bin/cp -r /srv/build/. /opt/app",
            "/usr/bin/install -m 755 /srv/tool /opt/app/tool",
            "/usr/bin/python3 -m venv /opt/app",
            "/bin/sh -c 'cp /opt/tools/tool /opt/app/'",
            "/bin/sh -c \"echo '#!/bin/sh' > /opt/app/tool\"",
            "/bin/sh -c 'echo x >/opt/app/tool'",
            "/bin/sh -c 'make_it|tee /opt/app/tool'",
            "/usr/bin/npm ci",
            "/usr/bin/bash -c 'cd /srv && make install'",
            "/opt/tools/fetch /opt/app/tool",
        ] {
            assert!(makes(line, "/opt/app/tool"), "{line}");
        }
        for line in [
            "/bin/mkdir -p /opt/app",
            "/bin/chown -R app /opt/app",
            "/usr/bin/test -x /opt/app/tool",
            "/opt/app/venv/bin/python /opt/app/manage.py migrate",
            "/opt/app/venv/bin/gunicorn --chdir /opt/app --check-config",
            "/bin/sh -c 'sleep 5'",
            "/bin/cp /srv/a /srv/b",
            "/usr/bin/test -x /opt/app/tool",
        ] {
            assert!(!makes(line, "/opt/app/tool"), "{line}");
        }
    }
}
