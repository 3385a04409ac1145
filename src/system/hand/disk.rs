//! The hand on a real disk, by descriptors.
//!
//! Every directory on the way is opened from the one before it, one name at a time, without rights to anything but the
//! way itself (O_PATH). What was looked at is what is changed: modes and owners are set on the descriptor, a new file is
//! written beside its place and takes it by rename, in the directory that is held.

use std::collections::VecDeque;
use std::ffi::{CString, OsString};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, RenameFlags, Stat, Uid};
use rustix::io::Errno;

use super::copy;
use super::user::{Account, done_as};
use super::{Call, Digested, Ended, Hand, Node, Refused, Rights, Way, attributes, program};
use crate::model::Observed;
use crate::model::answers::RedisQuestion;
use crate::syntax::accounts::{self, Accounts};

/// The kernel follows no more links on one way (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// The largest file that is changed, in bytes. A plan holds what was there and what will be, some of it several times.
const MOST_BYTES: u64 = 16 << 20;

/// The most names in a directory that are read.
const MOST_NAMES: usize = 100_000;

/// Changes what lies below a directory that is the root of a host.
#[derive(Debug)]
pub struct DiskHand {
    root: PathBuf,
}

/// A directory that is held, with the name in it that is meant.
pub(super) struct Held {
    pub(super) directory: OwnedFd,
    /// Empty for the root itself.
    pub(super) name: CString,
    pub(super) way: Way,
}

pub(super) fn io_error(path: &str, error: impl Into<io::Error>) -> Refused {
    Refused::Io(path.to_owned(), error.into())
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

fn rights(stat: &Stat) -> Rights {
    Rights { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777 }
}

/// Opens a name in a directory to hold it, whatever it is, without rights to its content.
pub(super) fn hold(directory: &OwnedFd, name: &CString) -> rustix::io::Result<(OwnedFd, Stat)> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let node = match name.is_empty() {
        true => rustix::io::fcntl_dupfd_cloexec(directory, 0)?,
        false => rustix::fs::openat(directory, name.as_c_str(), flags, Mode::empty())?,
    };
    let stat = rustix::fs::fstat(&node)?;
    Ok((node, stat))
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
            let raw =
                CString::new(name.as_bytes()).map_err(|_| Refused::Unsafe(format!("{path:?} is no path")))?;
            if rest.is_empty() {
                let way = Way { path: here(&held, Some(&name)), user };
                let Some((directory, _)) = held.pop() else {
                    return Err(Refused::Unsafe(format!("{path} leads nowhere")));
                };
                return Ok(Held { directory, name: raw, way });
            }
            let Some((directory, _)) = held.last() else {
                return Err(Refused::Unsafe(format!("{path} leads nowhere")));
            };
            let at = here(&held, Some(&name));
            let (node, stat) = match hold(directory, &raw) {
                Err(Errno::NOENT) => return Err(io_error(&at, Errno::NOENT)),
                other => other.map_err(|error| io_error(&at, error))?,
            };
            if is_link(&stat) {
                if user.is_some() || !Self::is_root(stat.st_uid) {
                    return Err(Refused::Unsafe(format!(
                        "{at} is a link that somebody else than root can change"
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
                "{at} belongs to uid {} in a directory of uid {}; a person must look at it",
                stat.st_uid,
                user.unwrap_or_default()
            ))),
            _ => Err(Refused::Unsafe(format!(
                "others than root and its owner can write {at} (uid {}, gid {}, mode {:04o}); a person must look at it",
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
            Component::Prefix(_) => return Err(Refused::Unsafe(format!("{asked} is no path"))),
            Component::ParentDir => all.push_back(OsString::from("..")),
            Component::Normal(name) => all.push_back(name.to_owned()),
        }
    }
    Ok(all)
}

/// What a held name is.
fn look(held: &Held) -> Result<Node, Refused> {
    let path = held.way.path.as_str();
    let (node, stat) = match hold(&held.directory, &held.name) {
        Err(Errno::NOENT) => return Ok(Node::Absent),
        other => other.map_err(|error| io_error(path, error))?,
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => {
            let target =
                rustix::fs::readlinkat(&node, c"", Vec::new()).map_err(|error| io_error(path, error))?;
            let target = target
                .into_string()
                .map_err(|_| Refused::Unsafe(format!("{path} is a link whose text is not UTF-8")))?;
            Ok(Node::Link { target, uid: stat.st_uid, gid: stat.st_gid })
        }
        FileType::Directory => {
            let attributes = attributes::read(&node).map_err(|error| io_error(path, error))?;
            Ok(Node::Directory { rights: rights(&stat), attributes })
        }
        FileType::RegularFile if stat.st_nlink > 1 => Err(Refused::Unsafe(format!(
            "{path} has {} names (hard links); a person must look at the others",
            stat.st_nlink
        ))),
        FileType::RegularFile => {
            let attributes = attributes::read(&node).map_err(|error| io_error(path, error))?;
            let bytes = content(held, &stat).map_err(|error| io_error(path, error))?;
            let modified = Some((stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)));
            Ok(Node::File { bytes, rights: rights(&stat), attributes, modified })
        }
        _ => Err(Refused::Unsafe(format!("{path} is neither a file, a link nor a directory"))),
    }
}

/// The bytes of a regular file, which must still be the one that was looked at.
fn content(held: &Held, stat: &Stat) -> io::Result<Vec<u8>> {
    if u64::try_from(stat.st_size).unwrap_or(u64::MAX) > MOST_BYTES {
        return Err(io::Error::other("it is larger than golden changes"));
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&held.directory, held.name.as_c_str(), flags, Mode::empty())?;
    let opened = rustix::fs::fstat(&file)?;
    if (opened.st_dev, opened.st_ino) != (stat.st_dev, stat.st_ino) {
        return Err(io::Error::other("it changed while it was read"));
    }
    let mut bytes = Vec::new();
    std::fs::File::from(file).take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MOST_BYTES {
        true => Err(io::Error::other("it is larger than golden changes")),
        false => Ok(bytes),
    }
}

/// Sets owner and mode of what is held. chown(2) takes set-id bits away, so the mode comes last.
fn give(node: &OwnedFd, now: Rights, wanted: Rights) -> io::Result<()> {
    if (now.uid, now.gid) != (wanted.uid, wanted.gid) {
        let (uid, gid) = (Uid::from_raw(wanted.uid), Gid::from_raw(wanted.gid));
        rustix::fs::chownat(node, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    }
    let same_owner = (now.uid, now.gid) == (wanted.uid, wanted.gid);
    if now.mode != wanted.mode || !same_owner {
        // A descriptor without rights has no fchmod(2); its name below /proc leads to the very same thing.
        let name = format!("/proc/self/fd/{}", node.as_raw_fd());
        rustix::fs::chmod(name, Mode::from_raw_mode(wanted.mode))?;
    }
    Ok(())
}

/// Where a file is written before it takes its place: the usual name, so that what a crash left there is found again, or
/// another that nobody can guess, where somebody has put something there.
fn beside(name: &CString, other: Option<u64>) -> CString {
    let mut text = b".".to_vec();
    // Names have at most 255 bytes.
    text.extend_from_slice(&name.as_bytes()[..name.as_bytes().len().min(220)]);
    text.extend_from_slice(b".golden-new");
    text.extend(other.iter().flat_map(|number| format!("-{number:016x}").into_bytes()));
    CString::new(text).unwrap_or_default()
}

/// A new file beside a place, and its name.
fn new_file(held: &Held) -> io::Result<(OwnedFd, CString)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = |name: &CString| {
        rustix::fs::openat(&held.directory, name.as_c_str(), flags, Mode::from_raw_mode(0o600))
    };
    let usual = beside(&held.name, None);
    let _ = rustix::fs::unlinkat(&held.directory, usual.as_c_str(), AtFlags::empty());
    match open(&usual) {
        Ok(file) => return Ok((file, usual)),
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let mut number = [0; 8];
    rustix::rand::getrandom(&mut number, rustix::rand::GetRandomFlags::empty())?;
    let other = beside(&held.name, Some(u64::from_ne_bytes(number)));
    Ok((open(&other)?, other))
}

/// Writes a file beside its place and gives it the place.
fn write_file(held: &Held, was: &Node, node: &Node) -> io::Result<()> {
    let Node::File { bytes, rights: wanted, attributes: own, modified } = node else {
        return Err(io::Error::other("no file"));
    };
    let (file, temporary) = new_file(held)?;
    let written = (|| -> io::Result<()> {
        let mut file = std::fs::File::from(file);
        file.write_all(bytes)?;
        let file = OwnedFd::from(file);
        let now = rights(&rustix::fs::fstat(&file)?);
        give(&file, now, *wanted)?;
        attributes::write(&file, own)?;
        // A label or list may have changed the bits.
        rustix::fs::fchmod(&file, Mode::from_raw_mode(wanted.mode))?;
        if let Some((seconds, nanoseconds)) = modified {
            let time = rustix::fs::Timespec { tv_sec: *seconds, tv_nsec: *nanoseconds };
            rustix::fs::futimens(
                &file,
                &rustix::fs::Timestamps { last_access: time, last_modification: time },
            )?;
        }
        rustix::fs::fsync(&file)?;
        let how = if *was == Node::Absent { RenameFlags::NOREPLACE } else { RenameFlags::empty() };
        let (from, to) = (temporary.as_c_str(), held.name.as_c_str());
        match rustix::fs::renameat_with(&held.directory, from, &held.directory, to, how) {
            // Some file systems know no flags; what is there was looked at a moment ago.
            Err(Errno::INVAL) => rustix::fs::renameat(&held.directory, from, &held.directory, to)?,
            other => other?,
        }
        Ok(())
    })();
    if written.is_err() {
        let _ = rustix::fs::unlinkat(&held.directory, temporary.as_c_str(), AtFlags::empty());
    }
    written
}

/// A rename is only sure to last once its directory is on the disk.
pub(super) fn sync(held: &Held) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if let Ok(directory) = rustix::fs::openat(&held.directory, c".", flags, Mode::empty()) {
        let _ = rustix::fs::fsync(directory);
    }
}

/// What must go before something of another kind can take its place.
fn clear(held: &Held, was: &Node) -> io::Result<()> {
    let flags = if matches!(was, Node::Directory { .. }) { AtFlags::REMOVEDIR } else { AtFlags::empty() };
    Ok(rustix::fs::unlinkat(&held.directory, held.name.as_c_str(), flags)?)
}

/// Sets rights and attributes of what is there; its kind and content stay.
fn adjust(held: &Held, was: &Node, now: &Node) -> io::Result<()> {
    let (node, stat) = hold(&held.directory, &held.name)?;
    let (Some(wanted), Some(of)) = (now.rights(), was.rights()) else { return Ok(()) };
    let is_same_kind = is_directory(&stat) == matches!(was, Node::Directory { .. }) && !is_link(&stat);
    if !is_same_kind || rights(&stat) != of {
        return Err(io::Error::other("it has changed since the plan was made"));
    }
    give(&node, of, wanted)?;
    match (was, now) {
        (
            Node::File { attributes: before, .. } | Node::Directory { attributes: before, .. },
            Node::File { attributes: after, .. } | Node::Directory { attributes: after, .. },
        ) if before != after => {
            attributes::write(&node, after)?;
            give(&node, rights(&rustix::fs::fstat(&node)?), wanted)?;
        }
        _ => {}
    }
    if let Node::File { modified: Some((seconds, nanoseconds)), .. } = now {
        let time = rustix::fs::Timespec { tv_sec: *seconds, tv_nsec: *nanoseconds };
        let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
        let name = format!("/proc/self/fd/{}", node.as_raw_fd());
        let _ = rustix::fs::utimensat(rustix::fs::CWD, name, &times, AtFlags::empty());
    }
    Ok(())
}

/// Whether a file must become a new inode: where somebody else owned it, that one may still hold it open.
fn must_be_new(was: &Node, now: &Node) -> bool {
    match (was, now) {
        (Node::File { bytes, rights, .. }, Node::File { bytes: other, rights: wanted, .. }) => {
            bytes != other || rights.uid != wanted.uid
        }
        _ => true,
    }
}

fn make(held: &Held, was: &Node, now: &Node) -> io::Result<()> {
    match (was, now) {
        (Node::Absent, Node::Absent) => Ok(()),
        (_, Node::Absent) => clear(held, was),
        (Node::File { .. }, Node::File { .. }) if !must_be_new(was, now) => adjust(held, was, now),
        (Node::Directory { .. }, Node::Directory { .. }) => adjust(held, was, now),
        (_, Node::File { .. }) => {
            if matches!(was, Node::Directory { .. }) {
                clear(held, was)?;
            }
            write_file(held, was, now)
        }
        (_, Node::Link { target, uid, gid }) => {
            if *was != Node::Absent {
                clear(held, was)?;
            }
            rustix::fs::symlinkat(target.as_str(), &held.directory, held.name.as_c_str())?;
            let (node, stat) = hold(&held.directory, &held.name)?;
            if (stat.st_uid, stat.st_gid) != (*uid, *gid) {
                let owner = (Some(Uid::from_raw(*uid)), Some(Gid::from_raw(*gid)));
                rustix::fs::chownat(&node, c"", owner.0, owner.1, AtFlags::EMPTY_PATH)?;
            }
            Ok(())
        }
        (_, Node::Directory { rights: wanted, attributes: own }) => {
            if *was != Node::Absent {
                clear(held, was)?;
            }
            rustix::fs::mkdirat(&held.directory, held.name.as_c_str(), Mode::from_raw_mode(0o700))?;
            let (node, stat) = hold(&held.directory, &held.name)?;
            if !own.is_empty() {
                attributes::write(&node, own)?;
            }
            give(&node, rights(&stat), *wanted)
        }
    }
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
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use super::*;

    fn ground() -> (tempfile::TempDir, DiskHand) {
        let home = tempfile::tempdir().unwrap();
        let root = home.path();
        for directory in ["etc", "opt/app", "home/qt/repo", "srv"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        std::fs::write(
            root.join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\nqt:x:1000:1000::/home/qt:/bin/sh\n",
        )
        .unwrap();
        std::fs::write(root.join("etc/group"), "root:x:0:\nqt:x:1000:\n").unwrap();
        let hand = DiskHand::below(root);
        (home, hand)
    }

    fn own() -> Rights {
        Rights {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            mode: 0o640,
        }
    }

    #[test]
    fn a_file_takes_its_place_whole_and_comes_back() {
        let (home, hand) = ground();
        let new = Node::file(*b"one\n", own());
        let after = hand.put("/etc/x.env", &Node::Absent, &new).unwrap();
        assert!(after.same(&new));
        let two = Node::file(*b"two\n", Rights { mode: 0o600, ..own() });
        let then = hand.put("/etc/x.env", &after, &two).unwrap();
        assert!(matches!(hand.put("/etc/x.env", &after, &two), Err(Refused::Changed(_))));
        hand.put("/etc/x.env", &then, &after).unwrap();
        assert_eq!(hand.node("/etc/x.env").unwrap(), after, "with its time");
        hand.put("/etc/x.env", &after, &Node::Absent).unwrap();
        assert!(!home.path().join("etc/x.env").exists());
        assert!(matches!(hand.put("/no/way", &Node::Absent, &new), Err(Refused::Io(..))));
    }

    #[test]
    fn what_a_kill_left_beside_a_file_is_swept_away() {
        let (directory, hand) = ground();
        let left = directory.path().join(".x.golden-new");
        std::fs::write(&left, "half").unwrap();
        std::fs::write(directory.path().join("x"), "whole").unwrap();
        hand.sweep("/x").unwrap();
        hand.sweep("/x").unwrap();
        hand.sweep("/none/x").unwrap();
        assert!(!left.exists() && directory.path().join("x").exists());
    }

    #[test]
    fn roots_links_are_followed_and_stay_below_the_root() {
        let (home, hand) = ground();
        symlink("/opt/app", home.path().join("etc/app")).unwrap();
        symlink("../../../../opt", home.path().join("etc/above")).unwrap();
        assert_eq!(hand.way("/etc/app/x").unwrap().path, "/opt/app/x");
        assert_eq!(hand.way("/etc/above/app/x").unwrap().path, "/opt/app/x");
        symlink("circle", home.path().join("etc/circle")).unwrap();
        assert!(matches!(hand.way("/etc/circle/x"), Err(Refused::Unsafe(_))));
    }

    #[test]
    fn in_a_users_directory_no_link_is_followed_and_root_is_that_user() {
        if crate::skip::without_root() {
            return;
        }
        let (home, hand) = ground();
        for path in ["home/qt", "home/qt/repo"] {
            chown(home.path().join(path), Some(1000), Some(1000)).unwrap();
        }
        let shadow = home.path().join("etc/shadow");
        std::fs::write(&shadow, "secret").unwrap();
        std::fs::set_permissions(&shadow, std::fs::Permissions::from_mode(0o600)).unwrap();
        symlink("/etc", home.path().join("home/qt/repo/conf")).unwrap();
        symlink("/etc/shadow", home.path().join("home/qt/repo/shadow")).unwrap();
        assert!(matches!(hand.way("/home/qt/repo/conf/shadow"), Err(Refused::Unsafe(_))));
        assert!(matches!(hand.node("/home/qt/repo/shadow").unwrap(), Node::Link { .. }), "not followed");
        std::fs::hard_link(&shadow, home.path().join("home/qt/repo/hard")).unwrap();
        assert!(matches!(hand.node("/home/qt/repo/hard"), Err(Refused::Unsafe(_))));
        std::fs::remove_file(home.path().join("home/qt/repo/hard")).unwrap();

        // What is made there is the user's, and what the user may not do is not done.
        let qt = Rights { uid: 1000, gid: 1000, mode: 0o755 };
        let file = Node::file(*b"#!/bin/sh\n", qt);
        hand.put("/home/qt/repo/run.sh", &Node::Absent, &file).unwrap();
        let meta = std::fs::metadata(home.path().join("home/qt/repo/run.sh")).unwrap();
        assert_eq!((meta.uid(), meta.mode() & 0o7777), (1000, 0o755));
        let rooted = Node::file(*b"#!/bin/sh\n", Rights { uid: 0, ..qt });
        let was = hand.node("/home/qt/repo/run.sh").unwrap();
        assert!(hand.put("/home/qt/repo/run.sh", &was, &rooted).is_err(), "a user gives nothing to root");

        // A thing of root's in there is a person's.
        std::fs::create_dir(home.path().join("home/qt/repo/.git")).unwrap();
        assert!(matches!(hand.way("/home/qt/repo/.git/HEAD"), Err(Refused::Unsafe(_))));
        std::fs::set_permissions(home.path().join("home/qt"), std::fs::Permissions::from_mode(0o777))
            .unwrap();
        assert!(matches!(hand.way("/home/qt/repo"), Err(Refused::Unsafe(_))));
    }

    #[test]
    fn no_link_of_a_copied_tree_leads_to_a_user() {
        if crate::skip::without_root() {
            return;
        }
        let (home, hand) = ground();
        let tree = home.path().join("srv/built");
        std::fs::create_dir_all(tree.join("bin/deep")).unwrap();
        std::fs::write(home.path().join("opt/app/python3"), "").unwrap();
        std::fs::write(home.path().join("home/qt/python3"), "").unwrap();
        chown(home.path().join("home/qt"), Some(1000), Some(1000)).unwrap();
        let copy = |target: &str, at: &str, but: &str| {
            let link = tree.join(at);
            symlink(target, &link).unwrap();
            let copied = hand.copy_tree("/srv/built", "/opt/new", "/opt/venv", but);
            std::fs::remove_file(&link).unwrap();
            std::fs::remove_dir_all(home.path().join("opt/new")).unwrap();
            copied
        };
        for target in
            ["/opt/app/python3", "bin", "bin/deep", "/opt/venv/bin", "/opt/nowhere", "../app/python3"]
        {
            copy(target, "link", "/usr/bin/python3").unwrap();
        }
        for target in ["/home/qt", "/home/qt/python3", "/home/qt/nothing", "../../home/qt/python3", "link"] {
            let refused = copy(target, "link", "/usr/bin/python3");
            assert!(matches!(refused, Err(Refused::Unsafe(_))), "{target}: {refused:?}");
        }
        copy("/home/qt/python3", "bin/python", "/home/qt/python3").unwrap();
        // What looks like a way inside leads out by another link.
        symlink("/", tree.join("bin/root")).unwrap();
        assert!(copy("root/home/qt/python3", "bin/link", "/usr/bin/python3").is_err());
        assert!(copy("bin/root/home", "link", "/usr/bin/python3").is_ok());
    }

    #[test]
    fn a_file_that_changes_hands_is_a_new_one() {
        if crate::skip::without_root() {
            return;
        }
        let (home, hand) = ground();
        let place = home.path().join("etc/x.env");
        std::fs::write(&place, "A=1\n").unwrap();
        chown(&place, Some(1000), Some(1000)).unwrap();
        let mut held_open = std::fs::OpenOptions::new().write(true).open(&place).unwrap();
        let was = hand.node("/etc/x.env").unwrap();
        let now = Node::file(*b"A=1\n", Rights { uid: 0, gid: 1000, mode: 0o640 });
        hand.put("/etc/x.env", &was, &now).unwrap();
        held_open.write_all(b"B=2\n").unwrap();
        assert_eq!(std::fs::read_to_string(&place).unwrap(), "A=1\n");
    }

    #[test]
    fn what_lies_where_a_file_is_written_holds_nobody_up() {
        let (home, hand) = ground();
        let etc = home.path().join("etc");
        std::fs::create_dir_all(etc.join(".x.golden-new/full")).unwrap();
        hand.put("/etc/x", &Node::Absent, &Node::file(*b"1", own())).unwrap();
        std::fs::write(etc.join("canary"), "canary").unwrap();
        symlink("canary", etc.join(".y.golden-new")).unwrap();
        hand.put("/etc/y", &Node::Absent, &Node::file(*b"2", own())).unwrap();
        let read = |name: &str| std::fs::read_to_string(etc.join(name)).unwrap();
        assert_eq!((read("x"), read("y"), read("canary")), ("1".into(), "2".into(), "canary".into()));
        let left = std::fs::read_dir(&etc).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<OsString> = left.filter(|name| name.as_bytes().ends_with(b"golden-new")).collect();
        assert_eq!(left, [OsString::from(".x.golden-new")], "and nothing beside it");
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let (home, hand) = ground();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            home.path().join("etc/fifo"),
            FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        assert!(matches!(hand.node("/etc/fifo"), Err(Refused::Unsafe(_))));
        assert!(hand.put("/", &Node::Absent, &Node::Absent).is_err());
        assert!(hand.node(&format!("/etc/{}", "x".repeat(300))).is_err());
    }
}
