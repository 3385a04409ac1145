//! What a user's program leaves running when it has ended: processes that left its session. As orphans they become
//! golden's children (prctl(2), `PR_SET_CHILD_SUBREAPER`), and are ended there.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, waitpid};

/// How long the kernel may take to end what it was told to end.
const GRACE: Duration = Duration::from_secs(2);

/// Expects orphans from now on. Where golden has children of somebody else's, it cannot tell theirs, and lets all of them
/// be.
pub(super) struct Strays {
    are_ours: bool,
}

impl Strays {
    /// To be called before the program is started.
    pub(super) fn expect() -> Self {
        let are_ours = children().is_empty() && set_child_subreaper(Some(rustix::process::getpid())).is_ok();
        Self { are_ours }
    }

    /// To be called when the program itself was waited for: ends them; what they started in turn comes in the next round.
    pub(super) fn end(self) {
        if !self.are_ours {
            return;
        }
        let deadline = Instant::now() + GRACE;
        loop {
            let left = children();
            if left.is_empty() || Instant::now() > deadline {
                break;
            }
            for pid in left.into_iter().filter_map(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = set_child_subreaper(None);
    }
}

/// The children of this process (proc(5), `children`).
#[expect(clippy::disallowed_methods, reason = "the children of this process are looked up in /proc")]
fn children() -> BTreeSet<i32> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return BTreeSet::new() };
    let of_thread = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children")).ok();
    let texts: Vec<String> = threads.flatten().filter_map(of_thread).collect();
    texts.iter().flat_map(|text| text.split_whitespace()).filter_map(|pid| pid.parse().ok()).collect()
}
