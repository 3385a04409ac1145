//! Files below a root directory. The kernel is asked with openat2(2) and RESOLVE_IN_ROOT, so that even a
//! tree that changes under our feet cannot lead a look out of its root, and with NO_MAGICLINKS, so that
//! `/proc` cannot either. There is nothing out of the running host's own root: what only looks at a node there
//! is a single call.

use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, StatxAttributes, StatxFlags, fstat, fstatfs, lstat,
    openat2, readlinkat, statat, statx,
};
use rustix::io::{Errno, pread, read, retry_on_intr};
use sha2::{Digest as _, Sha256};

use super::{LiveHost, names, sqlite};
use crate::model::answers::SqliteAnswer;
use crate::model::{End, Entry, Meta, NodeKind, Observed};
use crate::system::walk::untrusted;
use crate::system::{Ask, Look, MOST_NAME_BYTES, MOST_NAMES, System, Walker, too_long, too_many};

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
        let inside = names::bytes(if path == "/" { "." } else { path });
        openat2(
            self.root.as_fd(),
            &*inside,
            flags | OFlags::CLOEXEC | OFlags::NOFOLLOW,
            Mode::empty(),
            // Whoever asks has resolved the links. One that comes into the way since then ends the look.
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS,
        )
    }

    /// Opens a node. Where a link stands on the way it is resolved, unless somebody else than root could have laid
    /// it there; one at the end is never followed.
    fn open_walked(&self, path: &str, flags: OFlags) -> Observed<OwnedFd> {
        match self.open_node(path, flags) {
            Err(Errno::LOOP) => {}
            other => return observe(other),
        }
        let lookup = Walker::new(self).lookup_no_follow(path);
        if let Some(why) = untrusted(&lookup) {
            return Observed::Unreadable(why);
        }
        match (&lookup.end, lookup.real()) {
            (End::Found, Some(real)) => observe(self.open_node(real, flags)),
            (End::Unreadable(at, why), _) => Observed::Unreadable(format!("{at}: {why}")),
            _ => Observed::Absent,
        }
    }

    /// A regular file and its size. NONBLOCK: opening a FIFO must not wait for its writer, nor a leased file for
    /// its holder.
    fn open_file(&self, path: &str) -> Observed<(OwnedFd, u64)> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        self.open_walked(path, flags).and_then(|fd| match fstat(&fd).map(|stat| meta(&stat)) {
            Ok(Meta { kind: NodeKind::File, size, .. }) => Observed::Found((fd, size)),
            Ok(other) => Observed::Unreadable(format!("it is {}", other.kind.word())),
            Err(errno) => observe(Err(errno)),
        })
    }
}

/// An error of a look as an observation: only "it is not there" is *absent*.
fn observe<T>(result: Result<T, Errno>) -> Observed<T> {
    match result {
        Ok(value) => Observed::Found(value),
        Err(Errno::NOENT | Errno::NOTDIR) => Observed::Absent,
        Err(Errno::LOOP) => Observed::Unreadable("it is a symbolic link".into()),
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

/// The sha256 of at most so many bytes, read piece by piece.
fn digested(fd: OwnedFd, most: u64) -> std::io::Result<String> {
    let (mut file, mut hash) = (std::fs::File::from(fd).take(most), Sha256::new());
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(crate::model::hex(&hash.finalize())),
            length => hash.update(&piece[..length]),
        }
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

/// At most so many bytes of a file from an offset on.
fn part(fd: &OwnedFd, offset: u64, most: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; most];
    let mut got = 0;
    while got < most {
        let at = offset.saturating_add(got as u64);
        match retry_on_intr(|| pread(fd, &mut bytes[got..], at))? {
            0 => break,
            more => got += more,
        }
    }
    bytes.truncate(got);
    Ok(bytes)
}

/// Room for a read of a file that does not say how long it is.
const SMALLEST_READ: usize = 4096;

/// Bytes of a directory that the kernel is asked for at a time.
const LISTED_AT_ONCE: usize = 32 * 1024;

/// How much of a directory was read.
#[derive(Default)]
struct Room {
    names: usize,
    bytes: usize,
}

impl Room {
    /// Whether there is room for one more name.
    fn takes(&mut self, name: &str) -> bool {
        self.names += 1;
        self.bytes += name.len();
        self.names <= MOST_NAMES && self.bytes <= MOST_NAME_BYTES
    }
}

impl Look for DiskSystem {
    fn node(&self, path: &str) -> Observed<(Meta, Option<Arc<str>>)> {
        if self.live.is_some() {
            match lstat(&*names::bytes(path)).map(|stat| meta(&stat)) {
                Ok(Meta { kind: NodeKind::Link, .. }) => {}
                found => return observe(found.map(|meta| (meta, None))),
            }
        }
        observe(self.open_node(path, OFlags::PATH).and_then(|fd| {
            let meta = meta(&fstat(&fd)?);
            let target = match meta.kind {
                NodeKind::Link => Some(names::text(readlinkat(&fd, c"", Vec::new())?.as_bytes()).into()),
                _ => None,
            };
            Ok((meta, target))
        }))
    }

    fn read(&self, path: &str, limit: u64) -> Observed<Vec<u8>> {
        self.open_file(path).and_then(|(fd, size)| {
            // Its length says so before a byte of it is read; one that grows, or has none, is read up to there.
            if size > limit {
                return too_long(limit);
            }
            observe(contents(&fd, size, limit.saturating_add(1))).and_then(|bytes| {
                if bytes.len() as u64 > limit { too_long(limit) } else { Observed::Found(bytes) }
            })
        })
    }

    fn head(&self, path: &str, most: u64) -> Observed<Vec<u8>> {
        self.open_file(path).and_then(|(fd, size)| observe(contents(&fd, size, most)))
    }

    fn part(&self, path: &str, offset: u64, most: usize) -> Observed<Vec<u8>> {
        self.open_file(path).and_then(|(fd, _)| observe(part(&fd, offset, most)))
    }

    fn digest(&self, path: &str, most: u64) -> Observed<String> {
        self.open_file(path).and_then(|(fd, size)| match size > most {
            true => super::super::too_long(most),
            false => digested(fd, most)
                .map_or_else(|error| Observed::Unreadable(error.to_string()), Observed::Found),
        })
    }

    fn list(&self, path: &str) -> Observed<Vec<String>> {
        let read = |fd: OwnedFd| {
            let mut names = Vec::new();
            let mut room = Room::default();
            for entry in rustix::fs::Dir::new(fd)? {
                let name = names::text(entry?.file_name().to_bytes()).into_owned();
                if name == "." || name == ".." {
                    continue;
                }
                if !room.takes(&name) {
                    return Ok(None);
                }
                names.push(name);
            }
            names.sort_unstable();
            Ok(Some(names))
        };
        let opened = self.open_walked(path, OFlags::RDONLY | OFlags::DIRECTORY);
        opened.and_then(|fd| observe(read(fd))).and_then(|names| names.map_or_else(too_many, Observed::Found))
    }

    fn entries(&self, path: &str) -> Observed<Vec<Entry>> {
        let read = |fd: OwnedFd| {
            let mut entries = Vec::new();
            let mut room = Room::default();
            let mut buffer = Vec::with_capacity(LISTED_AT_ONCE);
            let mut directory = rustix::fs::RawDir::new(&fd, buffer.spare_capacity_mut());
            while let Some(entry) = directory.next() {
                let entry = entry?;
                let name = names::text(entry.file_name().to_bytes());
                if name == "." || name == ".." {
                    continue;
                }
                if !room.takes(&name) {
                    return Ok(None);
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
                let target = target.map(|target| names::text(target.as_bytes()).into());
                entries.push(Entry { name: name.into_owned(), kind, target });
            }
            entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            Ok(Some(entries))
        };
        let opened = self.open_walked(path, OFlags::RDONLY | OFlags::DIRECTORY);
        opened.and_then(|fd| observe(read(fd))).and_then(|names| names.map_or_else(too_many, Observed::Found))
    }

    fn file_system(&self, path: &str) -> Observed<String> {
        observe(self.open_node(path, OFlags::PATH).and_then(|fd| fstatfs(&fd)))
            .map(|stat| file_system_name(stat.f_type as u64))
    }

    fn has_access_list(&self, path: &str) -> bool {
        const LIST: &str = "system.posix_acl_access";
        let nothing: &mut [u8] = &mut [];
        if self.live.is_some() {
            return rustix::fs::lgetxattr(&*names::bytes(path), LIST, nothing).is_ok();
        }
        // A descriptor that only names a place has no attributes; the kernel follows its name in /proc.
        let opened = self.open_node(path, OFlags::PATH);
        opened.is_ok_and(|fd| {
            let named = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd));
            rustix::fs::getxattr(named, LIST, nothing).is_ok()
        })
    }

    fn is_mount_point(&self, path: &str) -> Observed<bool> {
        let root = StatxAttributes::MOUNT_ROOT;
        let opened = self.open_node(path, OFlags::PATH);
        match observe(opened.and_then(|fd| statx(&fd, "", AtFlags::EMPTY_PATH, StatxFlags::empty()))) {
            Observed::Found(stat) if stat.stx_attributes_mask.contains(root) => {
                Observed::Found(stat.stx_attributes.contains(root))
            }
            Observed::Found(_) => {
                Observed::Unreadable(format!("{path}: this kernel does not tell mount points"))
            }
            Observed::Absent => Observed::Absent,
            Observed::Unreadable(why) => Observed::Unreadable(why),
        }
    }

    fn sqlite(&self, path: &str, check_up_to: u64) -> Observed<SqliteAnswer> {
        let header = match self.head(path, 16) {
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Instant;

    use super::*;

    fn unreadable<T: std::fmt::Debug>(observed: Observed<T>) -> String {
        match observed {
            Observed::Unreadable(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_plain_file_is_not_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let start = Instant::now();
        rustix::fs::mknodat(rustix::fs::CWD, root.path().join("pipe"), FileType::Fifo, 0o644.into(), 0)
            .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
        symlink("pipe", root.path().join("link")).unwrap();
        let system = DiskSystem::rooted(root.path()).unwrap();
        for name in ["/pipe", "/socket", "/link"] {
            assert!(!unreadable(system.read(name, 10)).is_empty());
            assert!(!unreadable(system.head(name, 10)).is_empty());
            assert!(!matches!(system.list(name), Observed::Found(_)));
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(2));
    }

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("ten"), "0123456789").unwrap();
        std::fs::File::create(root.path().join("sparse")).unwrap().set_len(3 << 30).unwrap();
        let system = DiskSystem::rooted(root.path()).unwrap();
        assert_eq!(system.read("/ten", 10), Observed::Found(b"0123456789".to_vec()));
        assert_eq!(system.head("/ten", 4), Observed::Found(b"0123".to_vec()));
        assert!(unreadable(system.read("/ten", 9)).contains("more than 9 bytes"));
        assert!(unreadable(system.read("/sparse", 1 << 20)).contains("more than"));
        assert_eq!(system.read("/none", 9), Observed::Absent);
    }

    #[test]
    fn a_link_that_comes_into_the_way_ends_the_look() {
        if crate::skip::without_root() {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        for folder in ["etc", "etc/sub", "home", "home/qt"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        std::os::unix::fs::chown(root.path().join("home/qt"), Some(1000), Some(1000)).unwrap();
        rustix::fs::chmod(root.path(), 0o755.into()).unwrap();
        std::fs::write(root.path().join("etc/shadow"), "secret").unwrap();
        symlink("/etc", root.path().join("home/qt/app")).unwrap();
        symlink("/etc", root.path().join("release")).unwrap();
        let system = DiskSystem::rooted(root.path()).unwrap();
        assert!(unreadable(system.read("/home/qt/app/shadow", 10)).contains("leads out of"));
        assert!(unreadable(system.list("/home/qt/app/sub")).contains("leads out of"));
        // One that root has laid is followed.
        assert_eq!(system.read("/release/shadow", 10), Observed::Found(b"secret".to_vec()));
    }
}
