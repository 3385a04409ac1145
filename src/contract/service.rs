//! Services and jobs as the contract declares them, with everything inherited already merged in.

use std::sync::Arc;

use super::{ServiceProvision, SettingDemand, VariableDemand};
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
    /// Words for people.
    pub title: Option<String>,
    /// What sort of thing it is.
    pub kind: Stated<Kind>,
    /// The unit that runs it.
    pub unit: Stated<String>,
    /// The timer that starts it, for a timer job.
    pub timer: Option<Stated<String>>,
    /// The user it must run as.
    pub user: Stated<String>,
    /// The group it must run as.
    pub group: Stated<String>,
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
    /// Where it begins in the contract.
    pub at: Location,
}

impl Service {
    /// The path of a program of the contract: a relative one lies in the venv.
    pub fn program(&self, program: &str) -> String {
        match &self.venv {
            Some(venv) if !program.contains('/') => format!("{}/bin/{program}", venv.value),
            Some(venv) if !program.starts_with('/') => format!("{}/{program}", venv.value),
            _ => program.to_owned(),
        }
    }

    /// A command of the contract as an Exec line has it.
    pub fn exec_line(&self, command: &CommandDemand) -> String {
        let Some((program, arguments)) = command.words.split_first() else { return String::new() };
        let program = self.program(program);
        let words = std::iter::once(program.as_str()).chain(arguments.iter().map(String::as_str));
        words.map(exec_word).collect::<Vec<_>>().join(" ")
    }
}

/// A word as an Exec line must write it (systemd.service(5), *Command lines*).
fn exec_word(word: &str) -> String {
    let text = word.replace('\\', r"\\").replace('%', "%%").replace('$', "$$").replace('"', "\\\"");
    let plain = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "'\";".contains(c));
    if plain { text } else { format!("\"{text}\"") }
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
    /// Where it is written.
    pub at: Location,
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
