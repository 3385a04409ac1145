//! The start itself: golden becomes the job, or stands beside it where the contract sets a lock or a time limit.

use std::ffi::{OsStr, OsString};
use std::fs::{OpenOptions, Permissions};
use std::io::{ErrorKind, IsTerminal, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
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
pub(super) const GRACE: u64 = 10;

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

    /// Starts the job and waits for it. `started` hears its process id; signals are passed on. A job that is
    /// `detached` has a session of its own and none of the caller's terminals, as a service has none.
    pub fn supervise(
        &self,
        limit: Option<u64>,
        detached: bool,
        started: impl FnOnce(u32) -> Result<(), Refusal>,
    ) -> Result<Ended, Refusal> {
        let watched = SignalsInfo::<WithOrigin>::new(FORWARDED);
        let mut signals =
            watched.map_err(|error| Refusal::new(format!("signals cannot be watched: {error}")))?;
        let mut command = self.command();
        let output = if detached { detach(&mut command)? } else { Vec::new() };
        let mut child = command.spawn().map_err(|error| self.failed(&error))?;
        // With it go the ends of pipes that are the job's.
        drop(command);
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
                if (detached || origin.cause != Cause::Kernel)
                    && let Some(signal) = Signal::from_named_raw(origin.signal)
                {
                    let _ = pidfd_send_signal(&job, signal);
                }
            }
        });
        let timed_out = limit.is_some_and(|limit| !ends_within(&watch, Some(limit)) && end(&watch));
        let status = child.wait();
        // What it wrote last. A process that it left behind may hold a pipe open, and is not waited for.
        for done in output {
            let _ = done.recv_timeout(Duration::from_millis(500));
        }
        handle.close();
        let _ = forwarding.join();
        let status =
            status.map_err(|error| Refusal::new(format!("the job cannot be waited for: {error}")))?;
        Ok(Ended { status, timed_out, complaint: noted.err() })
    }
}

/// Whether the caller has a terminal: one of the standard descriptors, or the controlling one.
#[expect(clippy::disallowed_methods, reason = "it looks at them and prints nothing")]
pub fn has_terminal() -> bool {
    let own =
        std::io::stdin().is_terminal() || std::io::stdout().is_terminal() || std::io::stderr().is_terminal();
    own || OpenOptions::new().read(true).open("/dev/tty").is_ok()
}

/// Takes the caller's terminals from a job: whoever holds one can read what its owner types, and type for them.
#[expect(unsafe_code, reason = "setsid(2) must be called between fork and exec; it is async-signal-safe")]
#[expect(clippy::disallowed_methods, reason = "what a job writes goes to the caller as it is")]
fn detach(command: &mut Command) -> Result<Vec<Receiver<()>>, Refusal> {
    let mut output = Vec::new();
    if std::io::stdin().is_terminal() {
        command.stdin(typed()?);
    }
    if std::io::stdout().is_terminal() {
        let (reader, writer) = pipe()?;
        command.stdout(writer);
        output.push(told(pass_on(reader, std::io::stdout(), |_| {})));
    }
    if std::io::stderr().is_terminal() {
        let (reader, writer) = pipe()?;
        command.stderr(writer);
        output.push(told(pass_on(reader, std::io::stderr(), |_| {})));
    }
    // SAFETY: the closure makes two system calls and touches no memory of the parent.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGTTIN, libc::SIG_DFL);
            rustix::process::setsid().map(|_| ()).map_err(std::io::Error::from)
        });
    }
    Ok(output)
}

/// A pipe.
pub(super) fn pipe() -> Result<(PipeReader, PipeWriter), Refusal> {
    std::io::pipe().map_err(|error| Refusal::new(format!("cannot create a pipe: {error}")))
}

/// A pipe with what somebody types from now on; closed where golden runs in the background and may not ask.
#[expect(unsafe_code, reason = "no safe binding of signal(2)")]
pub(super) fn typed() -> Result<OwnedFd, Refusal> {
    // SAFETY: one disposition of this process changes; no handler is installed for it. Ignored, a read in the
    // background fails instead of stopping golden.
    unsafe {
        libc::signal(libc::SIGTTIN, libc::SIG_IGN);
    }
    let (reader, writer) = pipe()?;
    // Ends with golden: a read of a terminal cannot be called off.
    let _ = pass_on(std::io::stdin(), writer, |_| {});
    Ok(reader.into())
}

/// Passes bytes on until their source is closed; `seen` sees them too. A reader that went away ends nothing.
pub(super) fn pass_on(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    mut seen: impl FnMut(&[u8]) + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        let mut heard = true;
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    heard = heard && to.write_all(&buffer[..count]).and_then(|()| to.flush()).is_ok();
                    seen(&buffer[..count]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    })
}

/// Hears when a thread has ended.
fn told(thread: JoinHandle<()>) -> Receiver<()> {
    let (say, hear) = channel();
    std::thread::spawn(move || {
        let _ = thread.join();
        let _ = say.send(());
    });
    hear
}

/// Undoes what the caller did to signals: a blocked or ignored one would be the job's too, and an ignored SIGCHLD
/// would take its end from golden. SIGHUP stays, for nohup(1); SIGPIPE is the standard library's.
#[expect(unsafe_code, reason = "no safe binding of signal(2) and sigprocmask(2)")]
pub fn default_signals() {
    let kept = [libc::SIGHUP, libc::SIGPIPE, libc::SIGSEGV, libc::SIGBUS];
    // SAFETY: only dispositions and the mask of this thread change, before any other thread or handler exists; the
    // set is initialised by sigemptyset.
    unsafe {
        for signal in (1..=31).filter(|signal| !kept.contains(signal)) {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
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
