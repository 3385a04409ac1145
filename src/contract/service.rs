//! Services and jobs as the contract declares them, with everything inherited already merged in.

use std::sync::Arc;

use super::{Health, Port, ServiceProvision, SettingDemand, VariableDemand};
use crate::model::{Location, Stated};

/// What sort of thing a service is. The kind decides which rules concern it and which demands it starts
/// with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A long-running program of a venv.
    Python,
    /// A long-running program of any other sort.
    Executable,
    /// A oneshot service that a timer starts.
    TimerJob,
    /// A oneshot service that a person starts.
    Job,
    /// Not ready: it must not be enabled and need not exist.
    Draft,
}

impl Kind {
    /// True for kinds that must be enabled and running.
    pub fn runs(self) -> bool {
        matches!(self, Kind::Python | Kind::Executable)
    }

    /// As the contract writes it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Python => "python",
            Kind::Executable => "executable",
            Kind::TimerJob => "timer-job",
            Kind::Job => "job",
            Kind::Draft => "draft",
        }
    }
}

/// A service of the contract.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name in the contract.
    pub name: Arc<str>,
    /// Its title in documents.
    pub title: Option<String>,
    /// What sort of thing it is.
    pub kind: Stated<Kind>,
    /// The unit that runs it.
    pub unit: Stated<String>,
    /// The timer that starts it, for a timer job.
    pub timer: Option<Stated<String>>,
    /// What starts it in place of the boot.
    pub activation: Option<Stated<Activation>>,
    /// Seconds within which its last run must have succeeded, for what is started for one task.
    pub succeeded_within: Option<Stated<u64>>,
    /// Where its processes listen, and nowhere else; `None` where the contract does not say.
    pub ports: Option<Vec<Stated<Port>>>,
    /// The user it must run as.
    pub user: Stated<String>,
    /// The group it must run as.
    pub group: Stated<String>,
    /// True when the unit must name the group; otherwise a user's primary group counts as well.
    pub group_stated: bool,
    /// The directory of its venv.
    pub venv: Option<Stated<String>>,
    /// What its ExecStart must run.
    pub command: Option<CommandDemand>,
    /// Its env files in order; the last wins.
    pub env_files: Vec<EnvFileDemand>,
    /// The working directory.
    pub working_directory: Option<Stated<String>>,
    /// Names of dependencies without which it must not run.
    pub requires: Vec<Stated<String>>,
    /// Names of services, or of dependencies it can live without, that it starts after.
    pub after: Vec<Stated<String>>,
    /// Units that must stand in its `After=`: those of `requires` and of `after`.
    pub after_units: Vec<Stated<String>>,
    /// Units that must stand in its `BindsTo=`: those of `requires`, for kinds that run all the time.
    pub binds_to: Vec<Stated<String>>,
    /// Demands on settings: the contract's, its kind's and its own, merged.
    /// Shared: ten thousand services of one kind hold one copy of each common demand.
    pub settings: Vec<Arc<SettingDemand>>,
    /// Demands on variables, merged.
    pub variables: Vec<Arc<VariableDemand>>,
    /// Directories it must be able to write.
    pub writes: Vec<Stated<String>>,
    /// What is written for it where a demand leaves a choice.
    pub provision: Arc<ServiceProvision>,
    /// When it counts as healthy, where the contract says so.
    pub health: Option<Arc<Health>>,
    /// Files and directories of the repository that it runs, relative to it; `None` where the contract does not say.
    pub code: Option<Vec<Stated<String>>>,
    /// Where it begins in the contract.
    pub at: Location,
}

/// What starts a service that does not start at boot by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// A connection to its socket unit.
    Socket,
    /// Its timer unit.
    Timer,
    /// Its path unit.
    Path,
    /// A message to its name on D-Bus.
    Bus,
}

impl Activation {
    /// Every way with its word in a contract.
    pub const ALL: [(&'static str, Activation); 4] = [
        ("socket", Activation::Socket),
        ("timer", Activation::Timer),
        ("path", Activation::Path),
        ("bus", Activation::Bus),
    ];

    /// As the contract writes it.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, way)| *way == self).map_or("", |(word, _)| word)
    }
}

impl Service {
    /// When it counts as healthy.
    pub fn health(&self) -> Health {
        self.health.as_deref().cloned().unwrap_or_default()
    }

    /// Whether it must be enabled and active: its kind runs all the time, and nothing else starts it.
    pub fn runs_by_itself(&self) -> bool {
        self.kind.value.runs() && self.activation.is_none()
    }

    /// The unit that starts it, where the contract says that one does. A name on D-Bus has none.
    pub fn activated_by(&self) -> Option<String> {
        let way = self.activation.as_ref()?;
        let stem = self.unit.value.strip_suffix(".service").unwrap_or(&self.unit.value);
        (way.value != Activation::Bus).then(|| format!("{stem}.{}", way.value.word()))
    }

    /// The path of a program of the contract: a relative one lies in the venv.
    pub fn program(&self, program: &str) -> String {
        match &self.venv {
            Some(venv) if !program.contains('/') => format!("{}/bin/{program}", venv.value),
            Some(venv) if !program.starts_with('/') => format!("{}/{program}", venv.value),
            _ => program.to_owned(),
        }
    }

    /// A command of the contract as an Exec line has it. `%` and `$` are systemd's in both, so only blanks, quotes and
    /// backslashes are protected.
    pub fn exec_line(&self, command: &CommandDemand) -> String {
        let Some((program, arguments)) = command.words.split_first() else { return String::new() };
        let program = self.program(program);
        let words = std::iter::once(program.as_str()).chain(arguments.iter().map(String::as_str));
        words.map(exec_word).collect::<Vec<_>>().join(" ")
    }
}

/// A word as an Exec line must write it (systemd.service(5), *Command lines*). `$NAME` as a word of its own stays bare.
fn exec_word(word: &str) -> String {
    let plain = !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "'\";\\".contains(c));
    if plain {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\""))
}

/// What ExecStart must run. A relative first word lives in the venv's `bin/`.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandDemand {
    /// Program and leading arguments.
    pub words: Vec<String>,
    /// True when no further arguments are allowed.
    pub exact: bool,
    /// Where it is written.
    pub at: Location,
}

/// An env file of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvFileDemand {
    /// Its absolute path.
    pub path: String,
    /// True when it may hold secrets.
    pub secret: bool,
    /// Demanded owner, group and greatest mode where they differ from the contract's.
    pub owner: Option<String>,
    /// See `owner`.
    pub group: Option<String>,
    /// See `owner`.
    pub mode: Option<u32>,
    /// Variables that this file may set although an earlier one does.
    pub overrides: Vec<String>,
    /// True when the service also starts without it.
    pub optional: bool,
    /// Where it is written.
    pub at: Location,
}

impl EnvFileDemand {
    /// Its path as `EnvironmentFile=` has it: with a `-` before it where it may be absent.
    pub fn setting(&self) -> String {
        format!("{}{}", if self.optional { "-" } else { "" }, self.path)
    }
}

/// An ops job of the contract.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name in the contract.
    pub name: Arc<str>,
    /// The service whose environment it gets.
    pub service: Stated<String>,
    /// What it runs.
    pub runs: JobProgram,
    /// Seed paths that the job stands in for.
    pub replaces: Vec<Stated<String>>,
    /// Dependencies that must be up.
    pub needs: Vec<Stated<String>>,
    /// Never two at a time.
    pub single_flight: bool,
    /// Seconds it may take.
    pub time_limit: Option<u64>,
    /// Its target in the Makefile.
    pub make_target: Option<Stated<String>>,
    /// Where it begins in the contract.
    pub at: Location,
}

/// What a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobProgram {
    /// A script, relative to the repository.
    Script(Stated<String>),
    /// A job that golden itself carries out, by name.
    BuiltIn(Stated<String>),
}
