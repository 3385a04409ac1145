//! `golden run` and `golden job`: the wrapper of ops jobs.
//!
//! Until the job exists every failure is exit 1; from then on the exit code is the job's.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::Args;

use super::{Failure, Global, audit, find, gate, model, output, scoreboard};
use crate::contract::{Contract, Job, JobProgram, Service};
use crate::facts::HostFacts;
use crate::facts::environment::files_of as environment_files;
use crate::model::{Observed, Verdict};
use crate::report;
use crate::run::call::{self, Call};
use crate::run::environment::{self, Environment, Sources};
use crate::run::identity::{self, Identity};
use crate::run::journal::{self, Run};
use crate::run::lock;
use crate::run::process::{self, Ended, Start, end_like};
use crate::run::{Refusal, as_unit, preflight};
use crate::system::DiskSystem;
use crate::systemd::effective::{EffectiveUnit, LoadState};

/// systemd's default (systemd.exec(5)).
const UMASK: u32 = 0o022;

/// Arguments of `golden run`.
#[derive(Args, Debug)]
#[command(override_usage = "golden run [OPTIONS] SERVICE SCRIPT [ARGS]...")]
pub(super) struct RunArgs {
    #[command(flatten)]
    how: How,
    /// The service whose user and environment it gets.
    #[arg(value_name = "SERVICE")]
    service: OsString,
    /// The script, relative to the repository, and its arguments, passed on exactly as given.
    #[arg(value_name = "SCRIPT [ARGS]...", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Arguments of `golden job`.
#[derive(Args, Debug)]
#[command(override_usage = "golden job [OPTIONS] NAME [ARGS]...")]
pub(super) struct JobArgs {
    #[command(flatten)]
    how: How,
    /// A job of the contract, and its arguments, passed on exactly as given.
    #[arg(value_name = "NAME [ARGS]...", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// How a job is started.
#[derive(Args, Debug)]
struct How {
    /// Pass this variable of the caller on (repeatable).
    #[arg(long, value_name = "NAME")]
    pass_env: Vec<String>,
    /// Show the environment of the job and where each value comes from; start nothing.
    #[arg(long, conflicts_with = "preflight_only")]
    print_env: bool,
    /// Only make the checks, for ExecStartPre= of a unit.
    #[arg(long)]
    preflight_only: bool,
    /// Run it as a transient unit with the service's own limits and sandbox (root only).
    #[arg(long, conflicts_with_all = ["print_env", "preflight_only"])]
    as_unit: bool,
}

/// `golden run`
pub(super) fn run(global: &Global, args: &RunArgs) -> Result<ExitCode, Failure> {
    let contract = match find::contract(global) {
        Ok(found) => found.contract,
        // A typo in a contract must not keep every service of the host from starting.
        Err(failure) if args.how.preflight_only => {
            output::complain(failure.to_string().as_str());
            output::complain("warning: no contract can be used, so nothing is checked before this start");
            return Ok(ExitCode::SUCCESS);
        }
        Err(failure) => return Err(failure),
    };
    let call = match args.words.split_first() {
        Some((script, _)) => call::script(&contract, &args.service, script)?,
        None if args.how.preflight_only || args.how.print_env => call::nothing(&contract, &args.service)?,
        None => {
            return Err(Failure::new("no script is named").hint("golden run SERVICE SCRIPT [ARGS]..."));
        }
    };
    carry_out(global, &args.how, contract, call, args.words.get(1..).unwrap_or_default())
}

/// `golden job`
pub(super) fn job(global: &Global, args: &JobArgs) -> Result<ExitCode, Failure> {
    let contract = find::contract(global)?.contract;
    let Some((name, arguments)) = args.words.split_first() else {
        let names: Vec<&str> = contract.jobs.iter().map(|job| job.name.as_ref()).collect();
        return Err(Failure::new("no job is named").hint(format!("one of {}", names.join(", "))));
    };
    let call = call::job(&contract, name)?;
    carry_out(global, &args.how, contract, call, arguments)
}

fn carry_out(
    global: &Global,
    how: &How,
    contract: Contract,
    call: Call,
    arguments: &[OsString],
) -> Result<ExitCode, Failure> {
    let (job, service) = match &call {
        Call::BuiltIn { program, job } => return Ok(built_in(global, how, program, job, arguments)),
        Call::Script(job) => (Some(job.clone()), job.service.value.clone()),
        Call::Nothing(service) => (None, service.to_string()),
    };
    let Some(contract) = call.narrowed(contract) else { return Err(Failure::new("nothing is left to run")) };
    let Some(service) = contract.services.iter().find(|other| *other.name == *service).cloned() else {
        return Err(Failure::new(format!("the contract has no service {service}")));
    };
    process::default_signals();
    let caller = name_of_caller();
    let accounts = identity::accounts()?;
    let identity = identity::named(&accounts, &service.user.value)?;
    let is_root = identity::admits(&identity, &accounts)?;
    if how.as_unit {
        let ready = Ready { global, contract, service, identity, caller, detached: true };
        return match (is_root, job) {
            (true, Some(job)) => ready.start_as_unit(how, &job, arguments),
            (true, None) => Err(Failure::new("no script is named")),
            (false, _) => Err(Failure::new("--as-unit needs root: systemd starts units for root alone")
                .hint("sudo golden job --as-unit NAME")),
        };
    }
    if is_root {
        if job.as_ref().is_some_and(|job| job.single_flight) {
            lock::make_directory(&identity)?;
        }
        identity::become_for_good(&identity)?;
    }
    // From here on nothing is root's any more.
    let detached = is_root && process::has_terminal();
    let ready = Ready { global, contract, service, identity, caller, detached };
    let found = ready.preflight(how)?;
    let environment = ready.environment(how, &found.facts)?;
    if how.print_env {
        return output::print_and(&environment::shown(&environment), ExitCode::SUCCESS);
    }
    match job {
        _ if how.preflight_only => Ok(ExitCode::SUCCESS),
        Some(job) => ready.start(&job, arguments, &environment, &found.facts),
        None => Err(Failure::new("no script is named")),
    }
}

/// A call of which all is known but whether the host is ready.
struct Ready<'a> {
    global: &'a Global,
    contract: Contract,
    service: Service,
    identity: Identity,
    caller: String,
    /// The job gets none of the caller's terminals: it is another user's.
    detached: bool,
}

impl Ready<'_> {
    /// Looks, says what it saw, and goes on only when everything demanded holds.
    fn preflight(&self, how: &How) -> Result<preflight::Preflight, Failure> {
        let system = DiskSystem::live().map_err(|error| Failure::new(format!("/: {error}")))?;
        let found = preflight::check(&system, &self.contract);
        let style = output::style_of_talk(self.global);
        output::talk(report::preflight::render(&found.report, &found.topics, style));
        match found.report.verdict() {
            Verdict::Compliant => Ok(found),
            // Shown for the person who looks for the fault.
            _ if how.print_env => Ok(found),
            _ => {
                let why = format!("{}: a check failed; nothing was started", self.service.name);
                Err(Failure::new(why).hint(format!("golden audit --service {}", self.service.name)))
            }
        }
    }

    fn environment(&self, how: &How, facts: &HostFacts) -> Result<Environment, Failure> {
        let caller: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        let sources = Sources {
            contract: &self.contract,
            service: &self.service,
            facts,
            identity: &self.identity,
            caller: &caller,
            pass: &how.pass_env,
        };
        Ok(environment::make(&sources)?)
    }

    fn start(
        &self,
        job: &Job,
        arguments: &[OsString],
        environment: &Environment,
        facts: &HostFacts,
    ) -> Result<ExitCode, Failure> {
        let start = self.command(job, arguments, environment, facts)?;
        let run = self.run(job, arguments, facts);
        let mut lock = match job.single_flight {
            true => Some(lock::take(&self.identity, &self.contract.name.value, &job.name)?),
            false => None,
        };
        remember(&run, &format!("{} starts as {}", job.name, self.identity.account.name), 6, "started");
        if lock.is_none() && job.time_limit.is_none() && !self.detached {
            let refusal = start.exec();
            remember(&run, &format!("{} did not start: {}", job.name, refusal.why), 3, "not started");
            return Err(refusal.into());
        }
        start.prepare()?;
        let started = held_since(&self.caller);
        if let Some(lock) = &mut lock {
            lock.hand_over(&started(&format!("process {}", std::process::id())))?;
        }
        let noted = |pid: u32| match &mut lock {
            Some(lock) => lock.hand_over(&started(&format!("process {pid}"))),
            None => Ok(()),
        };
        let ended = start.supervise(job.time_limit, self.detached, noted)?;
        Ok(tell_end(job, &run, &ended))
    }

    /// The same as a transient unit. The checks are made by a process that has become the user; this one stays root,
    /// because systemd starts units for nobody else, and executes nothing of the repository.
    fn start_as_unit(&self, how: &How, job: &Job, arguments: &[OsString]) -> Result<ExitCode, Failure> {
        let system = DiskSystem::live().map_err(|error| Failure::new(format!("/: {error}")))?;
        if !as_unit::checked(&self.words_of_preflight(job))? {
            return Ok(ExitCode::from(NOT_STARTED));
        }
        // What is executed is what was judged: the look of the other process is over.
        let preflight::Preflight { report, facts, .. } = preflight::check(&system, &self.contract);
        if report.verdict() != Verdict::Compliant {
            return Err(Failure::new(format!("{}: it changed while it was checked", self.service.name))
                .hint("try again"));
        }
        let environment = self.environment(how, &facts)?;
        let start = self.command(job, arguments, &environment, &facts)?;
        let unit_name = self.service.unit.value.as_str();
        let unit = facts.units.get(unit_name).and_then(|unit| unit.effective.known().ok().flatten());
        let Some(unit) = unit else {
            return Err(Failure::new(format!("{unit_name} does not exist: there is nothing to run it like")));
        };
        let run = self.run(job, arguments, &facts);
        let mut words = vec![start.program.clone()];
        words.extend(start.arguments.iter().cloned());
        if job.single_flight {
            lock::make_directory(&self.identity)?;
            let mut lock = lock::take(&self.identity, &self.contract.name.value, &job.name)?;
            let unit = format!("the unit {}", as_unit::name_of(&job.name));
            lock.hand_over(&held_since(&self.caller)(&unit))?;
            words.splice(0..0, lock.held_by_job());
        }
        remember(&run, &format!("{} starts as a unit like {unit_name}", job.name), 6, "started");
        let files = environment_files(unit);
        let ended = as_unit::run(&as_unit::Transient {
            job: &job.name,
            like: unit,
            like_name: unit_name,
            user: &self.service.user.value,
            group: &self.service.group.value,
            words,
            directory: start.directory,
            environment: &environment,
            env_files: files.into_iter().map(|file| (file.path, file.optional)).collect(),
            time_limit: job.time_limit,
        })?;
        Ok(tell_end(job, &run, &ended))
    }

    /// This call again, to be checked and not started.
    fn words_of_preflight(&self, job: &Job) -> Vec<OsString> {
        let mut words = Vec::new();
        if let Some(contract) = &self.global.contract {
            words.extend([OsString::from("--contract"), contract.into()]);
        }
        if self.global.quiet {
            words.push("--quiet".into());
        }
        words.extend(["run", "--preflight-only", &self.service.name].map(OsString::from));
        if let JobProgram::Script(script) = &job.runs {
            words.push(script.value.as_str().into());
        }
        words
    }

    /// The interpreter of the service's venv with the script as the look at the host found it, links resolved; of a
    /// service without a venv, the script itself.
    fn command<'e>(
        &'e self,
        job: &Job,
        arguments: &[OsString],
        environment: &'e Environment,
        facts: &HostFacts,
    ) -> Result<Start<'e>, Failure> {
        let (Some(repository), JobProgram::Script(script)) = (&self.contract.repository, &job.runs) else {
            return Err(Failure::new(format!("{} has no script", job.name)));
        };
        let asked = format!("{}/{}", repository.path.value, script.value);
        let real = facts.paths.get(asked.as_str()).and_then(|lookup| lookup.real());
        let Some(real) = real else { return Err(Failure::new(format!("{asked} was not looked at"))) };
        let mut words = arguments.to_vec();
        let program = match &self.service.venv {
            Some(venv) => {
                words.insert(0, real.into());
                format!("{}/bin/python", venv.value)
            }
            None => real.to_owned(),
        };
        Ok(Start {
            program: program.into(),
            arguments: words,
            environment,
            directory: &repository.path.value,
            umask: umask(&self.service, facts),
        })
    }

    fn run(&self, job: &Job, arguments: &[OsString], facts: &HostFacts) -> Run {
        let commit = facts.repository.as_ref().and_then(|repository| match &repository.git {
            Observed::Found(git) => git.head.known().ok().flatten().cloned(),
            _ => None,
        });
        let words = arguments.iter().map(OsString::as_os_str);
        Run {
            job: job.name.to_string(),
            service: self.service.name.to_string(),
            commit: commit.unwrap_or_else(|| "unknown".to_owned()),
            caller: self.caller.clone(),
            arguments: journal::arguments(words, &self.contract),
            contract: self.contract.source.digest.clone(),
        }
    }
}

/// Says how a job ended, remembers it, and ends the same way.
fn tell_end(job: &Job, run: &Run, ended: &Ended) -> ExitCode {
    if let Some(complaint) = &ended.complaint {
        output::complain(&complaint.why);
    }
    if ended.timed_out {
        let limit = job.time_limit.unwrap_or_default();
        output::complain(&format!("{} was ended: its time limit of {limit} seconds is over", job.name));
    }
    let priority = if ended.status.success() { 6 } else { 4 };
    remember(run, &format!("{} ended: {}", job.name, ended.words()), priority, &ended.words());
    end_like(ended.status)
}

/// A job that is not remembered still runs; that it is not, is said.
fn remember(run: &Run, message: &str, priority: u8, result: &str) {
    if let Err(error) = run.write(message, priority, result) {
        output::complain(&format!("note: the journal has no entry of this: {error}"));
    }
}

fn umask(service: &Service, facts: &HostFacts) -> u32 {
    let unit = facts.units.get(service.unit.value.as_str()).map(|unit| &unit.effective);
    let loaded = |unit: &&EffectiveUnit| matches!(unit.load, LoadState::Loaded);
    let Some(unit) = unit.and_then(|unit| unit.known().ok().flatten()).map(AsRef::as_ref).filter(loaded)
    else {
        return UMASK;
    };
    let stated = unit.scalar("Service", "UMask");
    stated.and_then(|setting| u32::from_str_radix(setting.value(), 8).ok()).unwrap_or(UMASK)
}

/// Who stands behind the call: the account, and through sudo the person.
fn name_of_caller() -> String {
    let uid = rustix::process::getuid().as_raw();
    match std::env::var("SUDO_USER") {
        Ok(person) if uid == 0 => format!("uid {uid}, sudo of {}", person.escape_debug()),
        _ => format!("uid {uid}"),
    }
}

/// What stands in a lock, for the next one to read.
fn held_since(caller: &str) -> impl Fn(&str) -> String {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let caller = caller.to_owned();
    move |who| format!("{who}, started {now} by {caller}")
}

/// A job of golden's own keeps the caller's identity: it looks, and runs nothing of the repository.
fn built_in(global: &Global, how: &How, program: &str, job: &str, arguments: &[OsString]) -> ExitCode {
    if how.as_unit || how.print_env || how.preflight_only || !how.pass_env.is_empty() {
        output::complain(&format!("{job} is carried out by golden itself and takes none of these options"));
        return ExitCode::from(NOT_STARTED);
    }
    let done = match program {
        "audit" => audit::run_with(global, arguments),
        "gate" => gate::run_with(global, arguments),
        "scoreboard" => scoreboard::run_with(global, arguments),
        "canary" | "rollback" => model::run_with(global, program, arguments),
        _ => Err(Failure::new(format!("the job {job} asks for {program}, which golden does not have"))),
    };
    done.unwrap_or_else(|failure| {
        output::complain(&failure.to_string());
        ExitCode::from(super::CANNOT)
    })
}

/// Exit code of `run` and `job` before there is a job.
pub(super) const NOT_STARTED: u8 = 1;

/// Whether these arguments call the wrapper, whose failures have another code.
pub(super) fn is_meant(arguments: &[OsString]) -> bool {
    let takes_value = |word: &OsStr| word == "--contract" || word == "--color";
    let mut words = arguments.iter().skip(1).map(OsString::as_os_str);
    while let Some(word) = words.next() {
        if takes_value(word) {
            words.next();
        } else if !word.to_string_lossy().starts_with('-') {
            return word == "run" || word == "job";
        }
    }
    false
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let failure = Failure::new(refusal.why);
        match refusal.way_out {
            Some(way_out) => failure.hint(way_out),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    #[test]
    fn the_verb_is_found_behind_options() {
        let meant = |line: &str| super::is_meant(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(meant("golden run x"));
        assert!(meant("golden -q --contract audit job x"));
        assert!(!meant("golden audit run"));
        assert!(!meant("golden --color=never explain"));
        assert!(!meant("golden"));
    }
}
