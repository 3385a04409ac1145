//! Facts about one unit and about what it starts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Observed;
use crate::model::answers::UnitState;
use crate::syntax::elf::Elf;
use crate::syntax::pyvenv_cfg::PyvenvCfg;
use crate::syntax::shebang::Shebang;
use crate::systemd::effective::EffectiveUnit;

/// A unit as it is written, and as systemd has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnitFacts {
    /// The effective unit from all its files.
    pub effective: Observed<Arc<EffectiveUnit>>,
    /// The links that enable it: `…/multi-user.target.wants/NAME` and kin.
    pub enabled_by: Observed<Vec<Arc<str>>>,
    /// Directories that exist and in which a drop-in of this unit would count.
    #[serde(default)]
    pub drop_in_directories: Vec<Arc<str>>,
    /// systemd's word; absent on a disk alone.
    pub state: Observed<UnitState>,
}

/// What kind of thing an executable file is, from its first bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramFacts {
    /// A binary.
    Elf(Elf),
    /// Something that begins like a binary or a script and is broken, and why.
    Broken(String),
    /// A script with a `#!` line.
    Script(Shebang),
    /// Neither: execve(2) gives ENOEXEC.
    Other,
    /// An empty file.
    Empty,
}

/// A program that every host has; its machine is the host's.
pub const OF_THIS_MACHINE: &str = "/bin/sh";

/// What was seen in a venv.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenvFacts {
    /// `pyvenv.cfg`.
    pub config: Observed<PyvenvCfg>,
    /// The scripts of `bin/` with the interpreter that starts them.
    pub scripts: Observed<Vec<VenvScript>>,
    /// Paths of the standard library, one of which the interpreter needs; empty when its version is unknown.
    pub libraries: Vec<Arc<str>>,
}

/// A script in `bin/` of a venv.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenvScript {
    /// Its name in `bin/`.
    pub name: Arc<str>,
    /// What runs it, with the program that `env` is asked for.
    pub interpreter: String,
    /// The line that names it: the first, or the second where a shell passes on to a long path.
    pub line: u32,
}

/// Where golden itself is installed, by hand or as a package.
pub const OWN_PROGRAMS: [&str; 2] = ["/usr/local/bin/golden", "/usr/bin/golden"];
