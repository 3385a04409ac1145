//! Venvs: whether one would run is decided from its files, without running anything of it.

use std::sync::Arc;

use super::{Pad, Worker};
use crate::contract::Service;
use crate::facts::{ProgramFacts, VenvFacts};
use crate::model::{NodeKind, Observed};
use crate::syntax::elf::{self, ElfFault};
use crate::syntax::shebang::{self, ShebangFault};
use crate::syntax::pyvenv_cfg;

/// Scripts are read to the end of their first line.
const FIRST_LINE: u64 = 512;

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
    let facts = found.map(|()| VenvFacts { config: config(worker, venv, pad), scripts: scripts(worker, venv, pad) });
    python(worker, venv, pad);
    if let Observed::Found(VenvFacts { config: Observed::Found(config), .. }) = &facts
        && let Some(home) = config.home.as_ref().map(|entry| entry.value.as_str())
        && home.starts_with('/')
    {
        pad.look(worker, home);
        pad.list(worker, home);
    }
    pad.venvs.insert(venv.into(), facts);
}

fn config(worker: &Worker<'_>, venv: &str, pad: &mut Pad) -> Observed<pyvenv_cfg::PyvenvCfg> {
    let lookup = pad.look(worker, &format!("{venv}/pyvenv.cfg"));
    worker.read(lookup).map(|bytes| pyvenv_cfg::parse(&bytes))
}

/// The interpreter itself: its walk, what it is, and its loader.
fn python(worker: &Worker<'_>, venv: &str, pad: &mut Pad) {
    let python = format!("{venv}/bin/python");
    super::start::program(worker, &python, pad);
    // The library of the base interpreter: `…/bin/python3.11` has `…/lib/python3.11` beside its `bin`.
    let real = pad.paths.get(python.as_str()).and_then(|lookup| lookup.real().map(str::to_owned));
    if let Some((prefix, name)) = real.as_deref().and_then(|real| real.rsplit_once("/bin/")) {
        pad.look(worker, &format!("{prefix}/lib/{name}"));
    }
}

fn scripts(worker: &Worker<'_>, venv: &str, pad: &mut Pad) -> Observed<Vec<(Arc<str>, shebang::Shebang)>> {
    let bin = format!("{venv}/bin");
    // Python's own and pip's wrappers come first in every venv, but any script may have been moved.
    pad.list(worker, &bin).map(|names| {
        let script = |name: &String| {
            let path = format!("{bin}/{name}");
            let lookup = worker.walker.lookup_no_follow(&path);
            let step = lookup.node().ok().flatten()?;
            let is_script = step.meta.kind == NodeKind::File && step.meta.mode & 0o111 != 0;
            let bytes = match worker.ground.system.read(&step.path, FIRST_LINE) {
                Observed::Found(bytes) if is_script => bytes,
                _ => return None,
            };
            Some((Arc::from(name.as_str()), shebang::parse(&bytes).ok()?))
        };
        names.iter().filter_map(script).collect()
    })
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
