//! Programs that a plan runs: by their arguments, never through a shell, in a session of their own without a terminal,
//! with an empty environment but for what is stated, a fixed umask, a bound on what they say and on how long they take.
//! They end with golden.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid};

use crate::system::strays::Strays;

/// Somebody asked golden to stop.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Whether programs end when somebody asks: an undo is never interrupted.
static HEEDED: AtomicBool = AtomicBool::new(true);

/// Says that somebody asked golden to stop.
pub fn interrupt() {
    INTERRUPTED.store(true, Ordering::SeqCst);
}

/// Whether somebody asked golden to stop, and it may.
pub fn interrupted() -> bool {
    HEEDED.load(Ordering::SeqCst) && INTERRUPTED.load(Ordering::SeqCst)
}

/// Whether golden stops when somebody asks.
pub fn heed_signals(heed: bool) {
    HEEDED.store(heed, Ordering::SeqCst);
}

/// A program with its arguments, and who it runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// User, group and further groups, where it is not the caller's.
    pub identity: Option<(u32, u32)>,
    /// Variables beside PATH and LANG.
    pub environment: Vec<(String, String)>,
    /// Seconds it may take.
    pub limit: u64,
}

impl Call {
    /// A call as the caller, with a time limit in seconds.
    pub fn new(words: &[&str], limit: u64) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Self { words, identity: None, environment: Vec::new(), limit }
    }
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; none when a signal or the time limit ended it.
    pub code: Option<i32>,
    /// What it said, both streams, at most [`MOST_OUTPUT`] from its end.
    pub said: String,
    /// It took too long, or golden was asked to stop, and it was killed.
    pub too_long: bool,
}

/// Bytes of a program's talk that are kept.
const MOST_OUTPUT: usize = 64 * 1024;

/// Bytes of one line that are kept.
const MOST_LINE: usize = 4 * 1024;

/// How soon it is heard that somebody asks golden to stop.
const HEARS: Duration = Duration::from_millis(200);

/// Where programs of the distribution lie.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs a program to its end.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that starts programs which change a host"
)]
pub(super) fn run(call: &Call, line: &mut dyn FnMut(&str)) -> io::Result<Ended> {
    let Some((program, arguments)) = call.words.split_first() else {
        return Err(io::Error::other("no program"));
    };
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").current_dir("/");
    command.envs(call.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    leave_the_caller(&mut command, call.identity);
    // What a user's program leaves behind ends with it, in its session and outside.
    let strays = call.identity.map(|_| Strays::expect());
    let mut child = command.spawn()?;
    // Its ends of the pipe are held by the command, too.
    drop(command);
    let pid = Pid::from_raw(child.id().cast_signed());
    // A kernel before 5.3 has no such descriptor; then the pipe alone says when it is over.
    let ended = pid.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok());
    let (said, too_long) = listen(reader, ended.as_ref(), call.limit, line);
    // Its id is nobody else's until it is waited for.
    if let Some(group) = pid.filter(|_| too_long || call.identity.is_some()) {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    let status = child.wait()?;
    if let Some(strays) = strays {
        strays.end();
    }
    Ok(Ended { code: status.code().filter(|_| !too_long), said, too_long })
}

#[expect(unsafe_code, reason = "identity and session must be set between fork and exec")]
fn leave_the_caller(command: &mut Command, identity: Option<(u32, u32)>) {
    let golden = rustix::process::getpid();
    // SAFETY: the closure makes system calls, each of which is async-signal-safe, and allocates nothing.
    unsafe {
        command.pre_exec(move || Ok(between_fork_and_exec(golden, identity)?));
    }
}

#[expect(unsafe_code, reason = "no safe binding of close_range(2); it touches no memory")]
fn keep_descriptors() {
    // SAFETY: plain integers in, an integer out; with CLOEXEC no descriptor in use here is closed.
    unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) };
}

fn between_fork_and_exec(golden: Pid, identity: Option<(u32, u32)>) -> rustix::io::Result<()> {
    // What golden's caller had open (a lock, a socket, a file that only root may read) is nobody else's.
    keep_descriptors();
    // A session of its own has no terminal that anybody could type into.
    rustix::process::setsid()?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    if let Some((uid, gid)) = identity {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        rustix::thread::set_thread_groups(&[gid])?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        let none = CapabilitySet::empty();
        let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
        rustix::thread::set_capabilities(None, sets)?;
        rustix::thread::set_no_new_privs(true)?;
    }
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // Golden may have ended before this was asked for.
    match rustix::process::getppid() == Some(golden) {
        true => Ok(()),
        false => Err(rustix::io::Errno::SRCH),
    }
}

/// How long a program that has ended is still listened to: something that it left behind may hold its output open.
const LINGERS: Duration = Duration::from_secs(2);

/// Hears a program until it has ended and has nothing more to say; true when it took longer than `limit` seconds or
/// somebody asked golden to stop. Without `ended` it is over when it closes its output.
fn listen(
    reader: io::PipeReader,
    ended: Option<&OwnedFd>,
    limit: u64,
    line: &mut dyn FnMut(&str),
) -> (String, bool) {
    let end = Instant::now() + Duration::from_secs(limit);
    let mut heard = Heard { said: Vec::new(), open: Vec::new(), line };
    let mut reader = Some(reader);
    let mut over: Option<Instant> = None;
    while reader.is_some() || over.is_none() && ended.is_some() {
        let left = end.saturating_duration_since(Instant::now());
        if over.is_none() && (interrupted() || left.is_zero()) {
            return (heard.text(), true);
        }
        // Once it has ended nothing more is waited for than what it has said.
        let rest = if over.is_some() { Duration::ZERO } else { left.min(HEARS) };
        let (speaks, ends) = wait(reader.as_ref(), ended.filter(|_| over.is_none()), rest);
        if over.is_some_and(|over| !speaks || over.elapsed() > LINGERS) {
            break;
        }
        if ends {
            over = Some(Instant::now());
        }
        if speaks && !reader.as_mut().is_some_and(|reader| heard.more(reader)) {
            reader = None;
        }
    }
    (heard.text(), false)
}

/// Waits until a program speaks or ends; which of both it did.
fn wait(reader: Option<&io::PipeReader>, ended: Option<&OwnedFd>, rest: Duration) -> (bool, bool) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let rest = Timespec::try_from(rest).ok();
    let mut watched: Vec<PollFd<'_>> = Vec::new();
    watched.extend(reader.map(|reader| PollFd::new(reader, PollFlags::IN)));
    watched.extend(ended.map(|ended| PollFd::new(ended, PollFlags::IN)));
    if rustix::io::retry_on_intr(|| poll(&mut watched, rest.as_ref())).is_err() {
        return (false, false);
    }
    let mut spoke = watched.iter().map(|of| !of.revents().is_empty());
    let speaks = reader.is_some() && spoke.next() == Some(true);
    (speaks, ended.is_some() && spoke.next() == Some(true))
}

/// What a program has said so far.
struct Heard<'a> {
    /// The end of all of it.
    said: Vec<u8>,
    /// A line that has not ended.
    open: Vec<u8>,
    line: &'a mut dyn FnMut(&str),
}

impl Heard<'_> {
    /// Hears what is there; false when its output is closed.
    fn more(&mut self, reader: &mut io::PipeReader) -> bool {
        let mut buffer = [0; 4096];
        let got = match reader.read(&mut buffer) {
            Ok(0) | Err(_) => return false,
            Ok(got) => &buffer[..got],
        };
        self.said.extend_from_slice(got);
        if self.said.len() > MOST_OUTPUT {
            self.said.drain(..self.said.len() - MOST_OUTPUT);
        }
        self.open.extend_from_slice(got);
        while let Some(at) = self.open.iter().position(|byte| *byte == b'\n') {
            let text: Vec<u8> = self.open.drain(..=at).collect();
            (self.line)(String::from_utf8_lossy(&text).trim_end());
        }
        if self.open.len() > MOST_LINE {
            self.open.clear();
        }
        true
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.said).into_owned()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test looks at the world itself")]
mod tests {
    use super::*;

    #[test]
    fn a_program_inherits_nothing() {
        let held = std::fs::File::open("/dev/null").unwrap();
        rustix::io::fcntl_setfd(&held, rustix::io::FdFlags::empty()).unwrap();
        // The shell's own descriptor of the directory that it lists comes beside the three.
        let ended = run(&Call::new(&["sh", "-c", "ls /proc/self/fd | wc -l"], 5), &mut |_| {}).unwrap();
        assert_eq!(ended.said.trim(), "4");
    }

    #[test]
    fn a_program_has_no_terminal_and_an_end() {
        let ended = run(
            &Call::new(&["sh", "-c", "(exec </dev/tty) 2>/dev/null && echo tty || echo none"], 5),
            &mut |_| {},
        );
        assert_eq!(ended.unwrap().said, "none\n");
        let ended = run(&Call::new(&["sh", "-c", "yes"], 1), &mut |_| {}).unwrap();
        assert!(ended.too_long && ended.said.len() <= MOST_OUTPUT, "{}", ended.said.len());
        // One that is silent is waited for all the same.
        let ended = run(&Call::new(&["sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 4"], 5), &mut |_| {});
        assert_eq!(ended.unwrap().code, Some(4));
        let ended = run(&Call::new(&["sh", "-c", "exec >&- 2>&-; sleep 30"], 1), &mut |_| {});
        assert!(ended.unwrap().too_long);
        // What it leaves behind holds nobody up.
        let began = Instant::now();
        let ended = run(&Call::new(&["sh", "-c", "sleep 30 & echo over"], 20), &mut |_| {}).unwrap();
        assert!(ended.said == "over\n" && !ended.too_long && began.elapsed() < Duration::from_secs(10));
        let mut heard = Vec::new();
        let ended = run(&Call::new(&["sh", "-c", "echo a; echo b; exit 3"], 5), &mut |line| {
            heard.push(line.to_owned())
        });
        assert_eq!((ended.unwrap().code, heard), (Some(3), vec!["a".to_owned(), "b".to_owned()]));
    }
}
