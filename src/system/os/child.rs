//! A program that is run to look: heard to its end or ended, and never more kept of it than a bound allows.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// How long the kernel may take to end what was killed.
const GRACE: Duration = Duration::from_secs(2);

/// What became of it.
pub(super) struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// It was ended, since it took too long.
    pub timed_out: bool,
    /// The last of what it wrote.
    pub out: Vec<u8>,
    /// The last of what it complained of.
    pub err: Vec<u8>,
}

/// Hears a child that leads its own process group, or ends it; with it everything that did not leave its group. Of each
/// pipe so many bytes are kept.
pub(super) fn hear(mut child: Child, limit: Duration, most: usize) -> Result<Ended, String> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("it has no process id")?;
    let mut out = Heard::of(child.stdout.take(), most);
    let mut err = Heard::of(child.stderr.take(), most);
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(error) => {
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = child.wait();
            return Err(format!("it cannot be watched: {error}"));
        }
    };
    let timed_out = !hear_until(&process, Instant::now() + limit, &mut out, &mut err);
    // Its group lives as long as it is not waited for, so this cannot hit anybody else.
    let _ = kill_process_group(pid, Signal::KILL);
    if !hear_until(&process, Instant::now() + GRACE, &mut out, &mut err) {
        return Err(format!("process {} cannot be ended: it waits in the kernel", child.id()));
    }
    out.take_what_is_there();
    err.take_what_is_there();
    let status = child.wait().map_err(|error| format!("it cannot be waited for: {error}"))?;
    Ok(Ended { status, timed_out, out: out.kept, err: err.kept })
}

/// Takes down what it writes until it ends; false when it has not ended by then.
fn hear_until(process: &impl AsFd, deadline: Instant, out: &mut Heard, err: &mut Heard) -> bool {
    loop {
        let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok();
        let mut watched = vec![PollFd::new(process, PollFlags::IN)];
        let pipes = [&out.pipe, &err.pipe];
        watched.extend(pipes.into_iter().flatten().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        let polled = poll(&mut watched, left.as_ref());
        let has_ended = !watched[0].revents().is_empty();
        drop(watched);
        match polled {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
        out.take_what_is_there();
        err.take_what_is_there();
        if has_ended || Instant::now() >= deadline {
            return has_ended;
        }
    }
}

/// A pipe's end, and the last of what came out of it.
struct Heard {
    pipe: Option<File>,
    kept: Vec<u8>,
    /// How much of it is kept.
    most: usize,
}

impl Heard {
    fn of(pipe: Option<impl Into<OwnedFd>>, most: usize) -> Self {
        let pipe = pipe.map(|pipe| File::from(pipe.into()));
        let pipe = pipe.filter(|pipe| rustix::io::ioctl_fionbio(pipe, true).is_ok());
        Self { pipe, kept: Vec::new(), most }
    }

    /// Never more than a pipe holds, so that who writes without end cannot keep golden here.
    fn take_what_is_there(&mut self) {
        let mut buffer = [0; 1 << 16];
        let Some(pipe) = &mut self.pipe else { return };
        match pipe.read(&mut buffer) {
            Ok(0) => self.pipe = None,
            Ok(count) => {
                self.kept.extend_from_slice(&buffer[..count]);
                let over = self.kept.len().saturating_sub(self.most);
                self.kept.drain(..over);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.pipe = None,
        }
    }
}
