//! A tree that somebody else built, copied into new files of root's.
//!
//! Every entry is opened by its name in a directory that is held, without following it, and must be what it looked like.
//! A file with a second name could be somebody else's secret; it ends the copy.

use std::ffi::CString;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;

use rustix::fs::{Dir, FileType, Mode, OFlags};

use super::held::hold;

/// Deeper is no venv.
const DEEPEST: usize = 64;
/// More entries are no venv.
const MOST_ENTRIES: usize = 1_000_000;
/// More bytes are no venv; a file with holes counts as if it had none.
const MOST_BYTES: u64 = 32 << 30;

/// What a copy has come to.
#[derive(Default)]
pub(super) struct Copied {
    /// The links in it by their names below its top, with their texts.
    pub links: Vec<(String, String)>,
    entries: usize,
    bytes: u64,
}

/// Copies a directory that is held to a name in another one; nothing may be there. `below` is how the names in it begin.
pub(super) fn directory(
    from: &OwnedFd,
    into: &OwnedFd,
    name: &CString,
    below: &str,
    copied: &mut Copied,
) -> io::Result<()> {
    if below.matches('/').count() > DEEPEST {
        return Err(io::Error::other("its directories lie deeper than golden copies"));
    }
    rustix::fs::mkdirat(into, name.as_c_str(), Mode::from_raw_mode(0o755))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let to = rustix::fs::openat(into, name.as_c_str(), flags, Mode::empty())?;
    rustix::fs::fchmod(&to, Mode::from_raw_mode(0o755))?;
    let listed = rustix::fs::openat(from, c".", flags, Mode::empty())?;
    for entry in Dir::new(listed)? {
        let entry = entry?;
        let name = entry.file_name().to_owned();
        if name.as_bytes() == b"." || name.as_bytes() == b".." {
            continue;
        }
        copied.entries += 1;
        if copied.entries > MOST_ENTRIES {
            return Err(io::Error::other(format!("it has more than {MOST_ENTRIES} entries")));
        }
        let text = |text: &CString| {
            text.to_str().map(str::to_owned).map_err(|_| io::Error::other(format!("{text:?} is not UTF-8")))
        };
        let (node, stat) = hold(from, &name)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                directory(&node, &to, &name, &format!("{below}/{}", text(&name)?), copied)?;
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(&node, c"", Vec::new())?;
                copied.links.push((format!("{below}/{}", text(&name)?), text(&target)?));
                rustix::fs::symlinkat(target.as_c_str(), &to, name.as_c_str())?;
            }
            FileType::RegularFile if stat.st_nlink == 1 => {
                copied.bytes += u64::try_from(stat.st_size).unwrap_or(u64::MAX);
                if copied.bytes > MOST_BYTES {
                    return Err(io::Error::other(format!("it has more than {} GiB", MOST_BYTES >> 30)));
                }
                file(from, &to, &name, &stat)?;
            }
            _ => {
                return Err(io::Error::other(format!(
                    "{name:?} is not a file, link or directory of its own"
                )));
            }
        }
    }
    rustix::fs::fsync(&to)?;
    Ok(())
}

fn file(from: &OwnedFd, to: &OwnedFd, name: &CString, stat: &rustix::fs::Stat) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let old = rustix::fs::openat(from, name.as_c_str(), flags, Mode::empty())?;
    let opened = rustix::fs::fstat(&old)?;
    if (opened.st_dev, opened.st_ino, opened.st_nlink) != (stat.st_dev, stat.st_ino, 1) {
        return Err(io::Error::other(format!("{name:?} changed while it was copied")));
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let new = rustix::fs::openat(to, name.as_c_str(), flags, Mode::from_raw_mode(0o600))?;
    let (mut old, mut new) = (std::fs::File::from(old), std::fs::File::from(new));
    // It may grow while it is read.
    io::copy(&mut old.by_ref().take(u64::try_from(stat.st_size).unwrap_or(0)), &mut new)?;
    let mode = if opened.st_mode & 0o100 != 0 { 0o755 } else { 0o644 };
    rustix::fs::fchmod(&new, Mode::from_raw_mode(mode))?;
    let time = rustix::fs::Timespec {
        tv_sec: opened.st_mtime,
        tv_nsec: i64::try_from(opened.st_mtime_nsec).unwrap_or(0),
    };
    // Compiled python files name the time of their source.
    rustix::fs::futimens(&new, &rustix::fs::Timestamps { last_access: time, last_modification: time })?;
    Ok(())
}
