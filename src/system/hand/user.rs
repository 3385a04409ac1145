//! Doing something with the rights of another user, and no more.
//!
//! A thread of its own takes the user's file system identity (setfsuid(2)): the kernel then judges every path by that
//! user's rights and takes away what lets root pass by them. Signals and ptrace go by other identities, so the user can
//! neither stop nor steer the thread, which a process of that user's could not be sure of.

use std::io;

use rustix::thread::Gid;

/// A user with all of its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

/// Does something as that user, in a thread that ends with it.
pub(super) fn done_as<T: Send>(account: &Account, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let done = scope.spawn(|| {
            become_for_files(account)?;
            Ok(work())
        });
        match done.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[expect(unsafe_code, reason = "no safe binding of setfsuid(2) and setfsgid(2); they take and give integers")]
fn become_for_files(account: &Account) -> io::Result<()> {
    let groups: Vec<Gid> = account.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    rustix::thread::set_thread_groups(&groups)?;
    // SAFETY: integers in, an integer out; the identity of this thread alone changes.
    let (gid, uid) = unsafe {
        libc::setfsgid(account.gid);
        libc::setfsuid(account.uid);
        // Both report no errors: asked with an impossible id, they say what is in force.
        (libc::setfsgid(libc::gid_t::MAX), libc::setfsuid(libc::uid_t::MAX))
    };
    match gid.cast_unsigned() == account.gid && uid.cast_unsigned() == account.uid {
        true => Ok(()),
        false => Err(io::Error::other(format!("the kernel did not let golden act as uid {}", account.uid))),
    }
}
