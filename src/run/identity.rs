//! Who the job runs as: the contract's user, whole. Root becomes that user for good before anything of the
//! repository is looked at; that user stays; anybody else is refused.
//!
//! Identity is changed by rustix, thread by thread, and only while there is one thread.

use std::fs;

use rustix::process::{Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::Refusal;
use crate::syntax::accounts::{self, Accounts, User};

/// An account with all of its groups.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The account.
    pub account: User,
    /// Its groups, the primary one first.
    pub groups: Vec<u32>,
}

/// The users and groups of this host.
#[expect(clippy::disallowed_methods, reason = "before there is a system to look through")]
pub fn accounts() -> Result<Accounts, Refusal> {
    let read = |path: &str| fs::read(path).map_err(|error| Refusal::new(format!("{path}: {error}")));
    Ok(accounts::parse(&read("/etc/passwd")?, &read("/etc/group")?))
}

/// The account that the contract names, which must not be root.
pub fn named(accounts: &Accounts, name: &str) -> Result<Identity, Refusal> {
    let Some(account) = accounts.user(name) else {
        return Err(Refusal::new(format!("the contract's user {name} does not exist"))
            .way_out("golden audit --section J   says how to make it"));
    };
    if account.uid == 0 {
        return Err(Refusal::new(format!("the contract's user {name} has uid 0"))
            .way_out("no job runs as root: give the service another user"));
    }
    Ok(Identity { groups: accounts.group_ids_of(account), account: account.clone() })
}

/// Whether the caller may run jobs as this identity; true when it must first become it.
pub fn admits(identity: &Identity, accounts: &Accounts) -> Result<bool, Refusal> {
    let (real, effective) = (rustix::process::getuid(), rustix::process::geteuid());
    if real != effective {
        return Err(Refusal::new("golden must not be installed set-uid"));
    }
    let own = identity.account.uid;
    match effective.as_raw() {
        0 => Ok(true),
        uid if uid == own => Ok(false),
        uid => {
            let caller =
                accounts.user_by_id(uid).map_or_else(|| format!("uid {uid}"), |user| user.name.clone());
            let name = &identity.account.name;
            Err(Refusal::new(format!("{caller} may not run jobs of {name}"))
                .way_out(format!("as {name} or as root: sudo golden job NAME")))
        }
    }
}

/// Becomes the identity for good: groups, group, user, and no capability is left to come back by.
pub fn become_for_good(identity: &Identity) -> Result<(), Refusal> {
    let raw = |what: &str, error: rustix::io::Errno| {
        Refusal::new(format!("cannot become {}: {what}: {error}", identity.account.name))
    };
    // These calls change one thread, which must be the only one.
    if threads() != Some(1) {
        return Err(Refusal::new("cannot change the identity of a process with several threads"));
    }
    let groups: Vec<_> = identity.groups.iter().map(|gid| rustix::thread::Gid::from_raw(*gid)).collect();
    let gid = rustix::thread::Gid::from_raw(identity.account.gid);
    let uid = rustix::thread::Uid::from_raw(identity.account.uid);
    rustix::thread::set_thread_groups(&groups).map_err(|error| raw("setgroups", error))?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(|error| raw("setresgid", error))?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(|error| raw("setresuid", error))?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).map_err(|error| raw("capset", error))?;
    // A core of what root held in memory until now would lie where the user reads it.
    let no_core = Rlimit { current: Some(0), maximum: rustix::process::getrlimit(Resource::Core).maximum };
    rustix::process::setrlimit(Resource::Core, no_core).map_err(|error| raw("setrlimit", error))?;
    match (
        rustix::process::getuid() == uid,
        rustix::process::geteuid() == uid,
        rustix::process::getegid() == gid,
    ) {
        (true, true, true) => Ok(()),
        _ => Err(Refusal::new(format!("the kernel did not let golden become {}", identity.account.name))),
    }
}

#[expect(clippy::disallowed_methods, reason = "of this process, not of the host")]
fn threads() -> Option<usize> {
    Some(fs::read_dir("/proc/self/task").ok()?.count())
}
