//! Venvs: whether one would run is decided from its files, without running anything of it.

use std::sync::Arc;

use super::{Pad, Worker};
use crate::contract::Service;
use crate::facts::unit::OF_THIS_MACHINE;
use crate::facts::{Need, ProgramFacts, VenvFacts, VenvScript};
use crate::model::{NodeKind, Observed};
use crate::syntax::elf::{self, ElfFault};
use crate::syntax::pyvenv_cfg::{self, PyvenvCfg};
use crate::syntax::shebang::{self, ShebangFault};

/// Scripts are read to the end of their second line.
const FIRST_LINES: u64 = 1024;

/// Looks at the venv of a service.
pub(super) fn gather(worker: &Worker<'_>, service: &Service, pad: &mut Pad) {
    let Some(venv) = &service.venv else { return };
    let venv = venv.value.as_str();
    if pad.venvs.contains_key(venv) {
        return;
    }
    let found = match pad.look(worker, venv).node() {
        Ok(Some(step)) if step.meta.kind == NodeKind::Directory => Observed::Found(()),
        Ok(_) => Observed::Absent,
        Err(undecided) => Observed::Unreadable(undecided.why),
    };
    super::start::program(worker, &format!("{venv}/bin/python"), pad);
    pad.list(worker, &format!("{venv}/lib"));
    super::start::program(worker, OF_THIS_MACHINE, pad);
    let facts = found.map(|()| {
        let config = config(worker, venv, pad);
        let libraries = libraries(worker, venv, &config, pad);
        let scripts = match worker.needs(Need::VenvScripts) {
            true => scripts(worker, venv, pad),
            false => Observed::Unreadable("its scripts were not looked at".to_owned()),
        };
        VenvFacts { config, scripts, libraries }
    });
    pad.venvs.insert(venv.into(), facts);
}

fn config(worker: &Worker<'_>, venv: &str, pad: &mut Pad) -> Observed<PyvenvCfg> {
    let lookup = pad.look(worker, &format!("{venv}/pyvenv.cfg"));
    worker.read(lookup).map(|bytes| pyvenv_cfg::parse(&bytes))
}

/// Where the standard library of the base interpreter may lie: beside the `bin` that `home` names, and
/// beside the one of the real interpreter. Looks at each, and at the base's programs.
fn libraries(worker: &Worker<'_>, venv: &str, config: &Observed<PyvenvCfg>, pad: &mut Pad) -> Vec<Arc<str>> {
    let python = format!("{venv}/bin/python");
    let real = pad.paths.get(python.as_str()).and_then(|lookup| lookup.real().map(str::to_owned));
    let mut prefixes = Vec::new();
    let mut version = None;
    if let Observed::Found(config) = config
        && let Some(home) = config.home.as_ref().filter(|home| home.value.starts_with('/'))
    {
        pad.look(worker, &home.value);
        // Only of a venv that copies its python does the home have to be searched for one.
        let own = pad.paths.get(venv).and_then(|lookup| lookup.real()).unwrap_or(venv);
        if real
            .as_deref()
            .is_some_and(|real| real.strip_prefix(own).is_some_and(|rest| rest.starts_with('/')))
        {
            pad.list(worker, &home.value);
        }
        prefixes.extend(parent(&home.value));
        let real = pad.paths.get(home.value.as_str()).and_then(|lookup| lookup.real());
        prefixes.extend(real.and_then(parent));
        version = config.version.as_ref().and_then(|version| minor_version(&version.value));
    }
    if let Some((prefix, name)) = real.as_deref().and_then(|real| real.rsplit_once("/bin/")) {
        // A copied python finds its library by the home alone: below the venv lie packages.
        let is_copy = matches!(config, Observed::Found(_))
            && pad.paths.get(venv).and_then(|lookup| lookup.real()) == Some(prefix);
        prefixes.extend((!is_copy).then(|| prefix.to_owned()));
        version = name.strip_prefix("python").and_then(minor_version).or(version);
    }
    let Some(version) = version else { return Vec::new() };
    if real.is_none() {
        // What could be linked in the place of a python that is gone.
        let home = match config {
            Observed::Found(config) => config.home.as_ref().map(|home| home.value.trim_end_matches('/')),
            _ => None,
        };
        for directory in home.into_iter().filter(|home| home.starts_with('/')).chain(["/usr/bin"]) {
            pad.look(worker, &format!("{directory}/python{version}"));
        }
    }
    let mut paths = Vec::new();
    for prefix in prefixes {
        for lib in ["lib", "lib64"] {
            let path = format!("{prefix}/{lib}/python{version}");
            pad.look(worker, &path);
            paths.push(Arc::from(path));
        }
    }
    paths.sort_unstable();
    paths.dedup();
    paths
}

fn parent(path: &str) -> Option<String> {
    Some(path.trim_end_matches('/').rsplit_once('/')?.0.to_owned())
}

/// `3.11` of `3.11.2`; `None` for anything without two numbers.
fn minor_version(text: &str) -> Option<String> {
    let mut parts = text.split('.');
    let (major, minor) = (parts.next()?, parts.next()?);
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (number(major) && number(minor)).then(|| format!("{major}.{minor}"))
}

fn scripts(worker: &Worker<'_>, venv: &str, pad: &mut Pad) -> Observed<Vec<VenvScript>> {
    let bin = format!("{venv}/bin");
    let Observed::Found(names) = pad.list(worker, &bin) else {
        return pad.list(worker, &bin).map(|_| Vec::new());
    };
    let mut scripts = Vec::new();
    for name in names {
        let lookup = worker.walker.lookup_no_follow(&format!("{bin}/{name}"));
        let path = match lookup.node() {
            Ok(Some(step)) if step.meta.kind == NodeKind::File && step.meta.mode & 0o111 != 0 => {
                step.path.clone()
            }
            Ok(_) => continue,
            Err(undecided) => return Observed::Unreadable(undecided.why),
        };
        match worker.ground.system.head(&path, FIRST_LINES) {
            Observed::Found(bytes) => scripts.extend(script(&name, &bytes)),
            Observed::Absent => {}
            Observed::Unreadable(why) => return Observed::Unreadable(format!("{path}: {why}")),
        }
    }
    Observed::Found(scripts)
}

/// What runs a script. pip writes `#!/bin/sh` and a second line that passes on where the path of the
/// interpreter is too long for the kernel.
fn script(name: &str, bytes: &[u8]) -> Option<VenvScript> {
    let shebang = shebang::parse(bytes).ok()?;
    let text = String::from_utf8_lossy(bytes);
    let second = text.lines().nth(1).unwrap_or("");
    let passed_on = second.strip_prefix("'''exec' ").and_then(|rest| match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split(' ').next(),
    });
    let (interpreter, line) = match (passed_on, shebang.env_use()) {
        (Some(interpreter), _) => (interpreter.to_owned(), 2),
        (None, Some(env)) => (format!("{} {}", shebang.interpreter, env.program), 1),
        (None, None) => (shebang.interpreter.clone(), 1),
    };
    Some(VenvScript { name: name.into(), interpreter, line })
}

/// What an executable file is, from its first bytes.
pub(super) fn classify(bytes: &[u8]) -> ProgramFacts {
    if bytes.is_empty() {
        return ProgramFacts::Empty;
    }
    match (shebang::parse(bytes), elf::parse(bytes)) {
        (Ok(shebang), _) => ProgramFacts::Script(shebang),
        (_, Ok(elf)) => ProgramFacts::Elf(elf),
        (Err(ShebangFault::Missing), Err(ElfFault::NotElf)) => ProgramFacts::Other,
        (Err(ShebangFault::Missing), Err(fault)) => ProgramFacts::Broken(fault.to_string()),
        (Err(fault), Err(_)) => ProgramFacts::Broken(fault.to_string()),
    }
}
