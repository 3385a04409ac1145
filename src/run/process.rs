//! The start itself: golden becomes the job, or stands beside it where the contract sets a lock or a time limit.

use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

use super::Refusal;
use super::environment::Environment;

/// Between the end of the time limit and the kill, in seconds.
const GRACE: u64 = 10;

/// Signals that somebody means for the job.
pub(super) const FORWARDED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// What is to be executed.
#[derive(Debug)]
pub struct Start<'a> {
    /// The interpreter, or the script itself.
    pub program: OsString,
    /// Its arguments, exactly.
    pub arguments: Vec<OsString>,
    /// The whole environment.
    pub environment: &'a Environment,
    /// The working directory.
    pub directory: &'a str,
    /// The permission bits that new files do not get.
    pub umask: u32,
}

impl Start<'_> {
    #[expect(clippy::disallowed_methods, reason = "the one place that starts what the contract names")]
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let given = self.environment.iter().map(|(name, given)| (OsStr::new(name), given.value.as_os_str()));
        command.args(&self.arguments).env_clear().envs(given).current_dir(self.directory);
        command
    }

    fn failed(&self, error: &std::io::Error) -> Refusal {
        Refusal::new(format!("{} cannot be executed: {error}", self.program.to_string_lossy()))
    }

    /// Becomes the job; comes back only to say why not.
    pub fn exec(&self) -> Refusal {
        if let Err(refusal) = self.prepare() {
            return refusal;
        }
        self.failed(&self.command().exec())
    }

    /// Nothing of the caller's is left: no descriptors beyond 0, 1 and 2, and the unit's own umask.
    pub fn prepare(&self) -> Result<(), Refusal> {
        rustix::process::umask(Mode::from_raw_mode(Permissions::from_mode(self.umask).mode() & 0o777));
        close_on_exec()
    }

    /// Starts the job and waits for it. `started` hears its process id; signals are passed on.
    pub fn supervise(
        &self,
        limit: Option<u64>,
        started: impl FnOnce(u32) -> Result<(), Refusal>,
    ) -> Result<Ended, Refusal> {
        let watched = SignalsInfo::<WithOrigin>::new(FORWARDED);
        let mut signals =
            watched.map_err(|error| Refusal::new(format!("signals cannot be watched: {error}")))?;
        let mut child = self.command().spawn().map_err(|error| self.failed(&error))?;
        let watch = watch(&child).map_err(|error| {
            let _ = child.kill();
            Refusal::new(format!("the job cannot be watched: {error}"))
        })?;
        // The job runs: whatever fails from here on must not be told as "nothing was started".
        let noted = started(child.id());
        let handle = signals.handle();
        let passed = watch.try_clone();
        let forwarding = std::thread::spawn(move || {
            let Ok(job) = passed else { return };
            for origin in &mut signals {
                // A terminal sends to the whole foreground group: the job has had it already.
                if origin.cause != Cause::Kernel
                    && let Some(signal) = Signal::from_named_raw(origin.signal)
                {
                    let _ = pidfd_send_signal(&job, signal);
                }
            }
        });
        let timed_out = limit.is_some_and(|limit| !ends_within(&watch, Some(limit)) && end(&watch));
        let status = child.wait();
        handle.close();
        let _ = forwarding.join();
        let status =
            status.map_err(|error| Refusal::new(format!("the job cannot be waited for: {error}")))?;
        Ok(Ended { status, timed_out, complaint: noted.err() })
    }
}

/// How a supervised job ended.
#[derive(Debug)]
pub struct Ended {
    /// Its code or signal.
    pub status: ExitStatus,
    /// True when golden ended it.
    pub timed_out: bool,
    /// What could not be noted about it while it ran.
    pub complaint: Option<Refusal>,
}

impl Ended {
    /// As words for the journal.
    pub fn words(&self) -> String {
        let how = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "an unknown end".to_owned(),
        };
        if self.timed_out { format!("{how} after its time limit") } else { how }
    }
}

fn watch(child: &Child) -> rustix::io::Result<rustix::fd::OwnedFd> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(rustix::io::Errno::SRCH)?;
    pidfd_open(pid, PidfdFlags::empty())
}

/// Whether a process ends within so many seconds.
fn ends_within(process: &impl AsFd, seconds: Option<u64>) -> bool {
    let deadline = seconds.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(process, PollFlags::IN)], left.as_ref()) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return true,
        }
    }
}

/// Asks a process to end, and after a while makes it. Always true: it was golden's doing.
fn end(process: &impl AsFd) -> bool {
    let _ = pidfd_send_signal(process, Signal::TERM);
    if !ends_within(process, Some(GRACE)) {
        let _ = pidfd_send_signal(process, Signal::KILL);
    }
    true
}

/// Ends as the job did: with its code, or by its signal.
pub fn end_like(status: ExitStatus) -> std::process::ExitCode {
    if let Some(signal) = status.signal() {
        // The core, if any, is the job's.
        let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
        let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        if let Some(signal) = Signal::from_named_raw(signal) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
        }
        return std::process::ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX));
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    std::process::ExitCode::from(code.unwrap_or(u8::MAX))
}

/// Marks every descriptor beyond 0, 1 and 2, whoever opened it, to be closed when the job begins.
#[expect(unsafe_code, reason = "no safe binding of close_range(2); it touches no memory")]
fn close_on_exec() -> Result<(), Refusal> {
    // SAFETY: plain integers in, an integer out; with CLOEXEC no descriptor in use here is closed.
    let done = unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) };
    match done {
        0 => Ok(()),
        _ => Err(Refusal::new(format!(
            "inherited descriptors cannot be closed: {}",
            std::io::Error::last_os_error()
        ))),
    }
}
