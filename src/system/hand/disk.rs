//! The hand on a real disk, by descriptors.
//!
//! Every directory on the way is opened from the one before it, one name at a time, without rights to anything but the
//! way itself (O_PATH). What was looked at is what is changed: modes and owners are set on the descriptor, a new file is
//! written beside its place and takes it by rename, in the directory that is held.

use std::collections::VecDeque;
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::copy;
use super::held::{Held, beside, hold, io_error, is_directory, is_link, look, make, sync};
use super::user::{Account, done_as};
use super::{Call, Digested, Ended, Hand, Node, Refused, Way, attributes, program};
use crate::model::Observed;
use crate::model::answers::RedisQuestion;
use crate::syntax::accounts::{self, Accounts};

/// The kernel follows no more links on one way (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// The most names in a directory that are read.
const MOST_NAMES: usize = 100_000;

/// Changes what lies below a directory that is the root of a host.
#[derive(Debug)]
pub struct DiskHand {
    root: PathBuf,
}

impl DiskHand {
    /// The host this process runs on.
    pub fn live() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// Everything below another root, where links stay below it. Programs still run on this host.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Whether somebody counts as root: root, or, where golden is not root, its own user.
    fn is_root(uid: u32) -> bool {
        uid == 0 || uid == rustix::process::geteuid().as_raw()
    }

    /// Whether nobody but root can put names into a directory.
    fn is_roots_alone(node: &OwnedFd, stat: &Stat) -> bool {
        let group = stat.st_mode & 0o020 != 0;
        let by_group =
            group && (stat.st_gid != 0 || Self::has_access_list(node)) && !Self::is_own_group(stat.st_gid);
        Self::is_root(stat.st_uid) && stat.st_mode & 0o002 == 0 && !by_group
    }

    fn is_own_group(gid: u32) -> bool {
        !rustix::process::geteuid().is_root() && gid == rustix::process::getegid().as_raw()
    }

    fn has_access_list(node: &OwnedFd) -> bool {
        attributes::read(node).is_ok_and(|all| all.contains_key("system.posix_acl_access"))
    }

    /// Walks to the directory that holds a path.
    pub(super) fn walk(&self, path: &str) -> Result<Held, Refused> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root =
            rustix::fs::open(&self.root, flags, Mode::empty()).map_err(|error| io_error(path, error))?;
        let mut held: Vec<(OwnedFd, OsString)> = vec![(root, OsString::new())];
        let mut user: Option<u32> = None;
        let mut links = 0;
        let mut rest = names(Path::new(path), path)?;
        let here = |held: &[(OwnedFd, OsString)], last: Option<&OsString>| -> String {
            let names = held[1..].iter().map(|(_, name)| name).chain(last);
            let text: String = names.map(|name| format!("/{}", name.to_string_lossy())).collect();
            if text.is_empty() { "/".to_owned() } else { text }
        };
        loop {
            let Some(name) = rest.pop_front() else {
                let (directory, _) = held.swap_remove(0);
                return Ok(Held { directory, name: CString::default(), way: Way { path: "/".into(), user } });
            };
            if name == ".." {
                if held.len() > 1 {
                    held.pop();
                }
                continue;
            }
            let raw = CString::new(name.as_bytes())
                .map_err(|_| Refused::Unsafe(format!("{path:?} is not a path")))?;
            if rest.is_empty() {
                let way = Way { path: here(&held, Some(&name)), user };
                let Some((directory, _)) = held.pop() else {
                    return Err(Refused::Unsafe(format!("{path} is a broken link")));
                };
                return Ok(Held { directory, name: raw, way });
            }
            let Some((directory, _)) = held.last() else {
                return Err(Refused::Unsafe(format!("{path} is a broken link")));
            };
            let at = here(&held, Some(&name));
            let (node, stat) = match hold(directory, &raw) {
                Err(Errno::NOENT) => return Err(io_error(&at, Errno::NOENT)),
                other => other.map_err(|error| io_error(&at, error))?,
            };
            if is_link(&stat) {
                if user.is_some() || !Self::is_root(stat.st_uid) {
                    return Err(Refused::Unsafe(format!(
                        "{at} is a link that a user other than root can change"
                    )));
                }
                links += 1;
                if links > MOST_LINKS {
                    return Err(Refused::Unsafe(format!("{path} leads through too many links")));
                }
                let target =
                    rustix::fs::readlinkat(&node, c"", Vec::new()).map_err(|error| io_error(&at, error))?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                if target.is_absolute() {
                    held.truncate(1);
                }
                let mut further = names(&target, path)?;
                further.append(&mut rest);
                rest = further;
                continue;
            }
            if !is_directory(&stat) {
                return Err(io_error(&at, Errno::NOTDIR));
            }
            user = Self::whose(&node, &stat, user, &at)?;
            held.push((node, name));
        }
    }

    /// In whose directory a walk is after it has entered this one.
    fn whose(node: &OwnedFd, stat: &Stat, user: Option<u32>, at: &str) -> Result<Option<u32>, Refused> {
        let shared = stat.st_mode & 0o002 != 0;
        match user {
            None if Self::is_roots_alone(node, stat) => Ok(None),
            None if !Self::is_root(stat.st_uid) && !shared => Ok(Some(stat.st_uid)),
            Some(user) if stat.st_uid == user && !shared => Ok(Some(user)),
            Some(_) if stat.st_uid != user.unwrap_or_default() => Err(Refused::Unsafe(format!(
                "{at} belongs to uid {} in a directory of uid {}; check it by hand",
                stat.st_uid,
                user.unwrap_or_default()
            ))),
            _ => Err(Refused::Unsafe(format!(
                "others than root and its owner can write {at} (uid {}, gid {}, mode {:04o}); check it by hand",
                stat.st_uid,
                stat.st_gid,
                stat.st_mode & 0o7777
            ))),
        }
    }

    /// An error where a link of root's leads to what somebody else can replace. What it says of `place` it says of `to`,
    /// which takes that place.
    fn stays_with_root(&self, link: &str, to: &str, place: &str) -> Result<(), Refused> {
        let mut path = link.to_owned();
        for _ in 0..MOST_LINKS {
            let held = match self.walk(&path) {
                // Nothing is there, and only root can make it.
                Err(Refused::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                other => other?,
            };
            if held.way.user.is_some() {
                return Err(Refused::Unsafe(format!("{link} leads into a user's directory ({path})")));
            }
            let (node, stat) = match hold(&held.directory, &held.name) {
                Err(Errno::NOENT) => return Ok(()),
                other => other.map_err(|error| io_error(&path, error))?,
            };
            if !is_link(&stat) {
                return match Self::is_roots_alone(&node, &stat) {
                    true => Ok(()),
                    false => {
                        Err(Refused::Unsafe(format!("{link} leads to what is not root's alone ({path})")))
                    }
                };
            }
            let target =
                rustix::fs::readlinkat(&node, c"", Vec::new()).map_err(|error| io_error(&path, error))?;
            let target = target
                .into_string()
                .map_err(|_| Refused::Unsafe(format!("{path} is a link whose text is not UTF-8")))?;
            let real = held.way.path;
            path = match target.strip_prefix(place).filter(|rest| rest.is_empty() || rest.starts_with('/')) {
                Some(rest) => format!("{to}{rest}"),
                None if target.starts_with('/') => target,
                None => format!("{}/{target}", real.rsplit_once('/').map_or("", |(directory, _)| directory)),
            };
        }
        Err(Refused::Unsafe(format!("{link} leads through too many links")))
    }

    /// Does something in a directory that is held, with the rights that belong there.
    pub(super) fn in_place<T: Send>(
        &self,
        held: &Held,
        work: impl FnOnce() -> Result<T, Refused> + Send,
    ) -> Result<T, Refused> {
        let Some(uid) = held.way.user.filter(|_| rustix::process::geteuid().is_root()) else { return work() };
        let accounts = self.accounts()?;
        let Some(user) = accounts.user_by_id(uid) else {
            return Err(Refused::Unsafe(format!(
                "{} lies in a directory of uid {uid}, which has no account",
                held.way.path
            )));
        };
        let account = Account { uid, gid: user.gid, groups: accounts.group_ids_of(user) };
        done_as(&account, work).map_err(|error| io_error(&held.way.path, error))?
    }

    /// The accounts of the files of this root.
    fn accounts(&self) -> Result<Accounts, Refused> {
        let read = |path: &str| -> Result<Vec<u8>, Refused> {
            match self.node(path)? {
                Node::File { bytes, .. } => Ok(bytes),
                other => Err(Refused::Unsafe(format!("{path} is {}, where a file belongs", other.word()))),
            }
        };
        Ok(accounts::parse(&read("/etc/passwd")?, &read("/etc/group")?))
    }
}

/// The names of a path in order; `.` is nothing.
fn names(path: &Path, asked: &str) -> Result<VecDeque<OsString>, Refused> {
    let mut all = VecDeque::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Prefix(_) => return Err(Refused::Unsafe(format!("{asked} is not a path"))),
            Component::ParentDir => all.push_back(OsString::from("..")),
            Component::Normal(name) => all.push_back(name.to_owned()),
        }
    }
    Ok(all)
}

impl Hand for DiskHand {
    fn way(&self, path: &str) -> Result<Way, Refused> {
        Ok(self.walk(path)?.way)
    }

    fn node(&self, path: &str) -> Result<Node, Refused> {
        let held = self.walk(path)?;
        // Root reads what lies in a user's directory with that user's rights, too.
        self.in_place(&held, || look(&held))
    }

    fn has_room(&self, path: &str) -> bool {
        /// git writes what it checks out beside what is there, and its index anew.
        const LITTLE: u64 = 16 << 20;
        let Ok(held) = self.walk(path) else { return true };
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let name = if held.name.is_empty() { c"." } else { held.name.as_c_str() };
        let place = rustix::fs::openat(&held.directory, name, flags, Mode::empty());
        let Ok(room) = place.and_then(rustix::fs::fstatvfs) else { return true };
        let is_read_only = room.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
        !is_read_only && room.f_bavail.saturating_mul(room.f_frsize) >= LITTLE
    }

    fn list(&self, path: &str) -> Result<Vec<String>, Refused> {
        let held = match self.walk(path) {
            Err(Refused::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        self.in_place(&held, || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let name = if held.name.is_empty() { c"." } else { held.name.as_c_str() };
            let directory = match rustix::fs::openat(&held.directory, name, flags, Mode::empty()) {
                Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
                other => other.map_err(|error| io_error(path, error))?,
            };
            let mut all = Vec::new();
            for entry in Dir::new(directory).map_err(|error| io_error(path, error))? {
                let entry = entry.map_err(|error| io_error(path, error))?;
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    all.push(String::from_utf8_lossy(name).into_owned());
                }
                if all.len() > MOST_NAMES {
                    return Err(Refused::Unsafe(format!("{path} has more than {MOST_NAMES} entries")));
                }
            }
            all.sort();
            Ok(all)
        })
    }

    fn put(&self, path: &str, was: &Node, now: &Node) -> Result<Node, Refused> {
        let held = self.walk(path)?;
        if held.name.is_empty() {
            return Err(Refused::Unsafe("the root directory is never changed".to_owned()));
        }
        self.in_place(&held, || {
            if !look(&held)?.same(was) {
                return Err(Refused::Changed(path.to_owned()));
            }
            make(&held, was, now).map_err(|error| io_error(path, error))?;
            sync(&held);
            look(&held)
        })
    }

    fn sweep(&self, path: &str) -> Result<(), Refused> {
        let held = match self.walk(path) {
            Err(Refused::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            held => held?,
        };
        let left = beside(&held.name, None);
        self.in_place(&held, || {
            match rustix::fs::unlinkat(&held.directory, left.as_c_str(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(errno) => Err(io_error(path, errno)),
            }
        })
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Refused> {
        let (old, new) = (self.walk(from)?, self.walk(to)?);
        if old.way.user != new.way.user {
            return Err(Refused::Unsafe(format!("{from} and {to} lie in directories of different users")));
        }
        self.in_place(&old, || {
            let (from_name, to_name) = (old.name.as_c_str(), new.name.as_c_str());
            let flags = RenameFlags::NOREPLACE;
            rustix::fs::renameat_with(&old.directory, from_name, &new.directory, to_name, flags)
                .map_err(|error| io_error(to, error))?;
            sync(&old);
            sync(&new);
            Ok(())
        })
    }

    fn copy_tree(&self, from: &str, to: &str, place: &str, but: &str) -> Result<(), Refused> {
        let (old, new) = (self.walk(from)?, self.walk(to)?);
        if new.way.user.is_some() {
            return Err(Refused::Unsafe(format!("{to} lies in a user's directory")));
        }
        let (node, stat) = hold(&old.directory, &old.name).map_err(|error| io_error(from, error))?;
        if !is_directory(&stat) {
            return Err(io_error(from, Errno::NOTDIR));
        }
        let mut copied = copy::Copied::default();
        copy::directory(&node, &new.directory, &new.name, "", &mut copied)
            .map_err(|error| io_error(from, error))?;
        sync(&new);
        let but = but.rsplit_once('/').map(|(directory, _)| format!("{directory}/"));
        for (name, target) in copied.links {
            let is_program = but
                .as_ref()
                .is_some_and(|but| target.strip_prefix(but.as_str()).is_some_and(|rest| !rest.contains('/')));
            if !is_program {
                self.stays_with_root(&format!("{to}{name}"), to, place)?;
            }
        }
        Ok(())
    }

    fn digest(&self, path: &str, head: usize) -> Result<Option<Digested>, Refused> {
        self.digest_of(path, head)
    }

    fn copy_file(&self, from: &str, to: &str, digest: &str) -> Result<(), Refused> {
        self.copied(from, to, digest)
    }

    fn exchange(&self, one: &str, other: &str) -> Result<(), Refused> {
        self.exchanged(one, other)
    }

    fn discard(&self, path: &str) -> Result<(), Refused> {
        self.discarded(path)
    }

    fn say_to_redis(&self, server: &RedisQuestion<'_>, words: &[&str]) -> Observed<String> {
        crate::system::os::redis_says(server, words)
    }

    fn run(&self, call: &Call, line: &mut dyn FnMut(&str)) -> io::Result<Ended> {
        program::run(call, line)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test looks at the world itself")]
mod tests;
