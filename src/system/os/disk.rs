//! Files below a root directory. The kernel is asked with openat2(2) and RESOLVE_IN_ROOT, so that even a
//! tree that changes under our feet cannot lead a look out of its root, and with NO_MAGICLINKS, so that
//! `/proc` cannot either. There is nothing out of the running host's own root: what only looks at a node there
//! is a single call.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, fstatfs, lstat, openat2, readlinkat, statat,
};
use rustix::io::{Errno, read, retry_on_intr};

use super::{LiveHost, sqlite};
use crate::model::answers::SqliteAnswer;
use crate::model::{Entry, Meta, NodeKind, Observed};
use crate::system::{Ask, Look, System};

/// A host seen through its root directory: the running one at `/`, or a mounted image.
pub struct DiskSystem {
    root: OwnedFd,
    root_path: PathBuf,
    live: Option<LiveHost>,
}

impl DiskSystem {
    /// The running host.
    pub fn live() -> std::io::Result<Self> {
        Self::open(Path::new("/"), Some(LiveHost::new()))
    }

    /// A root directory of which only the files are looked at.
    pub fn rooted(root: &Path) -> std::io::Result<Self> {
        Self::open(&root.canonicalize()?, None)
    }

    fn open(root: &Path, live: Option<LiveHost>) -> std::io::Result<Self> {
        let fd = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { root: fd, root_path: root.to_owned(), live })
    }

    fn open_node(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let inside = if path == "/" { "." } else { path };
        openat2(
            self.root.as_fd(),
            inside,
            flags | OFlags::CLOEXEC | OFlags::NOFOLLOW,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        )
    }
}

/// An error of a look as an observation: only "it is not there" is *absent*.
fn observe<T>(result: Result<T, Errno>) -> Observed<T> {
    match result {
        Ok(value) => Observed::Found(value),
        Err(Errno::NOENT | Errno::NOTDIR) => Observed::Absent,
        Err(Errno::ACCESS | Errno::PERM) => Observed::Unreadable("permission denied".into()),
        Err(errno) => Observed::Unreadable(std::io::Error::from(errno).to_string()),
    }
}

fn kind(of: FileType) -> NodeKind {
    match of {
        FileType::RegularFile => NodeKind::File,
        FileType::Directory => NodeKind::Directory,
        FileType::Symlink => NodeKind::Link,
        _ => NodeKind::Special,
    }
}

fn meta(stat: &Stat) -> Meta {
    Meta {
        kind: kind(FileType::from_raw_mode(stat.st_mode)),
        uid: stat.st_uid,
        gid: stat.st_gid,
        mode: stat.st_mode & 0o7777,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified: stat.st_mtime,
        links: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
    }
}

/// At most `limit` bytes of a file. A file with a size ends where a read stops short, so that most take one
/// call; those of `/proc` have none and end with an empty read.
fn contents(fd: &OwnedFd, size: u64, limit: u64) -> Result<Vec<u8>, Errno> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let expected = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1);
    let mut bytes = Vec::with_capacity(expected.min(limit));
    while bytes.len() < limit {
        if bytes.len() == bytes.capacity() || bytes.capacity() < SMALLEST_READ && size == 0 {
            bytes.reserve(SMALLEST_READ);
        }
        let room = bytes.capacity() - bytes.len();
        let got = retry_on_intr(|| read(fd, spare_capacity(&mut bytes)))?;
        if got == 0 || size > 0 && got < room {
            break;
        }
    }
    bytes.truncate(limit);
    Ok(bytes)
}

/// Room for a read of a file that does not say how long it is.
const SMALLEST_READ: usize = 4096;

/// Bytes of a directory that the kernel is asked for at a time.
const LISTED_AT_ONCE: usize = 32 * 1024;

impl Look for DiskSystem {
    fn node(&self, path: &str) -> Observed<(Meta, Option<Arc<str>>)> {
        if self.live.is_some() {
            match lstat(path).map(|stat| meta(&stat)) {
                Ok(Meta { kind: NodeKind::Link, .. }) => {}
                found => return observe(found.map(|meta| (meta, None))),
            }
        }
        observe(self.open_node(path, OFlags::PATH).and_then(|fd| {
            let meta = meta(&fstat(&fd)?);
            let target = match meta.kind {
                NodeKind::Link => Some(readlinkat(&fd, c"", Vec::new())?.to_string_lossy().into()),
                _ => None,
            };
            Ok((meta, target))
        }))
    }

    fn read(&self, path: &str, limit: u64) -> Observed<Vec<u8>> {
        // NONBLOCK: opening a FIFO must not wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        observe(self.open_node(path, flags)).and_then(|fd| match fstat(&fd).map(|stat| meta(&stat)) {
            Ok(Meta { kind: NodeKind::File, size, .. }) => observe(contents(&fd, size, limit)),
            Ok(other) => Observed::Unreadable(format!("it is {}", other.kind.word())),
            Err(errno) => observe(Err(errno)),
        })
    }

    fn list(&self, path: &str) -> Observed<Vec<String>> {
        let opened = self.open_node(path, OFlags::RDONLY | OFlags::DIRECTORY);
        observe(opened.and_then(|fd| {
            let mut names = Vec::new();
            for entry in rustix::fs::Dir::new(fd)? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                if name != "." && name != ".." {
                    names.push(name);
                }
            }
            names.sort_unstable();
            Ok(names)
        }))
    }

    fn entries(&self, path: &str) -> Observed<Vec<Entry>> {
        let opened = self.open_node(path, OFlags::RDONLY | OFlags::DIRECTORY);
        observe(opened.and_then(|fd| {
            let mut entries = Vec::new();
            let mut buffer = Vec::with_capacity(LISTED_AT_ONCE);
            let mut directory = rustix::fs::RawDir::new(&fd, buffer.spare_capacity_mut());
            while let Some(entry) = directory.next() {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy();
                if name == "." || name == ".." {
                    continue;
                }
                // Some file systems do not keep the type in the directory.
                let kind = match entry.file_type() {
                    FileType::Unknown => match statat(&fd, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                        Ok(stat) => meta(&stat).kind,
                        Err(_) => NodeKind::Special,
                    },
                    known => kind(known),
                };
                let target = match kind {
                    NodeKind::Link => readlinkat(&fd, entry.file_name(), Vec::new()).ok(),
                    _ => None,
                };
                let target = target.map(|target| target.to_string_lossy().into());
                entries.push(Entry { name: name.into_owned(), kind, target });
            }
            entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            Ok(entries)
        }))
    }

    fn file_system(&self, path: &str) -> Observed<String> {
        observe(self.open_node(path, OFlags::PATH).and_then(|fd| fstatfs(&fd)))
            .map(|stat| file_system_name(stat.f_type as u64))
    }

    fn sqlite(&self, path: &str, check_up_to: u64) -> Observed<SqliteAnswer> {
        let header = match self.read(path, 16) {
            Observed::Found(bytes) => bytes == b"SQLite format 3\0",
            Observed::Absent => return Observed::Absent,
            Observed::Unreadable(why) => return Observed::Unreadable(why),
        };
        if !header {
            return Observed::Found(SqliteAnswer { header, quick_check: Observed::Absent });
        }
        let on_disk = self.root_path.join(path.trim_start_matches('/'));
        Observed::Found(SqliteAnswer { header, quick_check: sqlite::quick_check(&on_disk, check_up_to) })
    }
}

/// The magic numbers of statfs(2) that a contract may name.
fn file_system_name(magic: u64) -> String {
    match magic {
        0x0102_1994 => "tmpfs".into(),
        0x8584_58f6 => "ramfs".into(),
        0xef53 => "ext4".into(),
        0x5846_5342 => "xfs".into(),
        0x9123_683e => "btrfs".into(),
        0x794c_7630 => "overlay".into(),
        0x6969 => "nfs".into(),
        0x2fc1_2fc1 => "zfs".into(),
        other => format!("0x{other:x}"),
    }
}

impl System for DiskSystem {
    fn ask(&self) -> Option<&dyn Ask> {
        self.live.as_ref().map(|live| live as &dyn Ask)
    }

    fn host_name(&self) -> String {
        match self.live {
            Some(_) => rustix::system::uname().nodename().to_string_lossy().into_owned(),
            None => match self.read("/etc/hostname", 256) {
                Observed::Found(bytes) => String::from_utf8_lossy(&bytes).trim().to_owned(),
                _ => self.root_path.display().to_string(),
            },
        }
    }

    fn now(&self) -> i64 {
        rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec
    }

    fn caller(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }
}
