//! One at a time: a job that the contract calls `single_flight` holds a lock while it lives.
//!
//! The lock is the kernel's (flock(2)) on a file in a directory that only root and the job's user can enter, so a
//! kill leaves nothing stale, and no stranger can hold it. The job inherits the descriptor: a killed `golden` does
//! not free the lock of a job that lives on.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::FdFlags;

use super::Refusal;
use super::identity::Identity;
use crate::system::act::Act;
use crate::system::state::{Folder, PASSABLE, RUN};

/// A lock that is held.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// The directory of a user's locks, made by root before it becomes that user.
pub fn make_directory(identity: &Identity) -> Result<(), Refusal> {
    let Identity { account, .. } = identity;
    let made = Folder::make(&Act::live(), RUN, PASSABLE)
        .and_then(|locks| locks.make_for_user(&account.name, account.uid, account.gid));
    made.map_err(|error| Refusal::new(error.to_string()).way_out(format!("ls -ld {RUN} {RUN}/*")))
}

fn directory(identity: &Identity) -> PathBuf {
    Path::new(RUN).join(&identity.account.name)
}

fn flags(flags: OFlags) -> i32 {
    i32::from_ne_bytes(flags.bits().to_ne_bytes())
}

/// Takes the lock of a job, or says who holds it.
pub fn take(identity: &Identity, contract: &str, job: &str) -> Result<Lock, Refusal> {
    let directory = directory(identity);
    let name = format!("{contract}.{job}.lock").replace('/', "_");
    let path = directory.join(name);
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags(OFlags::NOFOLLOW))
        .open(&path);
    let mut file = open.map_err(|error| {
        let refusal = Refusal::new(format!("cannot take the lock {}: {error}", path.display()));
        if directory.is_dir() {
            return refusal.way_out(format!("ls -l {}", path.display()));
        }
        let Identity { account, .. } = identity;
        refusal.way_out(format!(
            "sudo install -d -m 0755 {RUN} && sudo install -d -o {0} -g {1} -m 0700 {RUN}/{0}",
            account.name, account.gid
        ))
    })?;
    let is_root = rustix::process::geteuid().is_root();
    private(&file, identity, is_root, &path)?;
    if is_root {
        let own = fchown(&file, Some(identity.account.uid), Some(identity.account.gid));
        own.map_err(|error| Refusal::new(format!("{}: {error}", path.display())))?;
    }
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock { file, path }),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            let _ = Read::by_ref(&mut file).take(4096).read_to_string(&mut holder);
            let holder = match holder.trim() {
                "" => "by a run that has just begun",
                words => words,
            };
            Err(Refusal::new(format!("{job} is already running, {holder}")).way_out("wait for it, or end it"))
        }
        Err(error) => Err(Refusal::new(format!("cannot take the lock {}: {error}", path.display()))),
    }
}

/// A lock that a stranger can open is a stranger's to hold.
fn private(file: &File, identity: &Identity, by_root: bool, path: &Path) -> Result<(), Refusal> {
    let meta = file.metadata().map_err(|error| Refusal::new(format!("{}: {error}", path.display())))?;
    // With a second name it would be another file that root gives away.
    let own = meta.uid() == identity.account.uid || (by_root && meta.uid() == 0);
    match own && meta.mode() & 0o077 == 0 && meta.is_file() && meta.nlink() == 1 {
        true => Ok(()),
        false => Err(Refusal::new(format!("the lock {} is open to others", path.display()))
            .way_out(format!("rm {}", path.display()))),
    }
}

impl Lock {
    /// Words that let a process which golden does not start hold the lock while it lives; this one is given back,
    /// so whoever comes between takes it, and the job does not start.
    pub fn held_by_job(self) -> Vec<OsString> {
        let words = ["/usr/bin/flock", "--nonblock", "--no-fork", "--conflict-exit-code", "1"];
        words.into_iter().map(OsString::from).chain([self.path.into_os_string()]).collect()
    }

    /// Writes down who holds it, for the next one to read, and lets the job inherit it.
    pub fn hand_over(&mut self, holder: &str) -> Result<(), Refusal> {
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{holder}")
        };
        write(&mut self.file)
            .map_err(|error| Refusal::new(format!("the lock cannot be written: {error}")))?;
        rustix::io::fcntl_setfd(&self.file, FdFlags::empty())
            .map_err(|error| Refusal::new(format!("the lock cannot be handed over: {error}")))
    }
}
