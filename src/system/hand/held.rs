//! A name in a directory that is held: what it is, and one thing in the place of another.

use std::ffi::CString;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, Stat, Uid};
use rustix::io::Errno;

use super::{Node, Refused, Rights, Way, attributes};

/// The largest file that is changed, in bytes. A plan holds what was there and what will be, some of it several times.
pub(super) const MOST_BYTES: u64 = 16 << 20;

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

pub(super) fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

pub(super) fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

pub(super) fn rights(stat: &Stat) -> Rights {
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

/// What a held name is.
pub(super) fn look(held: &Held) -> Result<Node, Refused> {
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
            "{path} has {} names (hard links); check the others by hand",
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
pub(super) fn content(held: &Held, stat: &Stat) -> io::Result<Vec<u8>> {
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
pub(super) fn give(node: &OwnedFd, now: Rights, wanted: Rights) -> io::Result<()> {
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
pub(super) fn beside(name: &CString, other: Option<u64>) -> CString {
    let mut text = b".".to_vec();
    // Names have at most 255 bytes.
    text.extend_from_slice(&name.as_bytes()[..name.as_bytes().len().min(220)]);
    text.extend_from_slice(b".golden-new");
    text.extend(other.iter().flat_map(|number| format!("-{number:016x}").into_bytes()));
    CString::new(text).unwrap_or_default()
}

/// A new file beside a place, and its name.
pub(super) fn new_file(held: &Held) -> io::Result<(OwnedFd, CString)> {
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
pub(super) fn write_file(held: &Held, was: &Node, node: &Node) -> io::Result<()> {
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
pub(super) fn clear(held: &Held, was: &Node) -> io::Result<()> {
    let flags = if matches!(was, Node::Directory { .. }) { AtFlags::REMOVEDIR } else { AtFlags::empty() };
    Ok(rustix::fs::unlinkat(&held.directory, held.name.as_c_str(), flags)?)
}

/// Sets rights and attributes of what is there; its kind and content stay.
pub(super) fn adjust(held: &Held, was: &Node, now: &Node) -> io::Result<()> {
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
pub(super) fn must_be_new(was: &Node, now: &Node) -> bool {
    match (was, now) {
        (Node::File { bytes, rights, .. }, Node::File { bytes: other, rights: wanted, .. }) => {
            bytes != other || rights.uid != wanted.uid
        }
        _ => true,
    }
}

pub(super) fn make(held: &Held, was: &Node, now: &Node) -> io::Result<()> {
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
