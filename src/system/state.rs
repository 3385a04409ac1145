//! golden's own directories and files: `/var/lib/golden` and `/run/golden`.
//!
//! They are made with fixed modes whatever the umask says, and checked each time before they are used: a real directory,
//! a regular file with one name, owned by root, writable by nobody else. Everything is opened from the directory's
//! descriptor, so a name that somebody exchanges afterwards leads nowhere. No open waits: a FIFO is refused, not read.
//!
//! `/run/golden` is 0755, not 0700, because the users of the wrapper have directories for their locks in it.
#![expect(clippy::disallowed_methods, reason = "this is a door to the world")]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fchmod, fstat, mkdirat, openat, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::act::Act;

/// The ledger, the journals of plans and what they keep. For root alone.
pub const STATE: &str = "/var/lib/golden";

/// Locks. Users have directories of their own in it, so they may pass through.
pub const RUN: &str = "/run/golden";

/// The mode of [`STATE`] and of what lies in it.
pub const PRIVATE: u32 = 0o700;

/// The mode of [`RUN`].
pub const PASSABLE: u32 = 0o755;

/// The mode of every file.
const FILE: u32 = 0o600;

/// A directory of golden's that was checked, held open.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: String,
    owner: u32,
}

impl Folder {
    /// Opens a directory by its absolute path; makes it with this mode where there is none.
    pub fn make(act: &Act, path: &str, mode: u32) -> io::Result<Self> {
        act.make_way(path)?;
        let (parent, name) = parent_of(act, path)?;
        Self::made(&parent, &name, path.to_owned(), mode, owner(act)).map(|(folder, _)| folder)
    }

    /// Opens a directory by its absolute path; `None` where there is none.
    pub fn find(act: &Act, path: &str) -> io::Result<Option<Self>> {
        match parent_of(act, path) {
            Ok((parent, name)) => Self::opened(&parent, &name, path.to_owned(), owner(act)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a directory in this one, and makes it where there is none.
    pub fn make_inside(&self, name: &str) -> io::Result<Self> {
        Self::made(&self.fd, name, self.path_of(name), PRIVATE, self.owner).map(|(folder, _)| folder)
    }

    /// Makes a directory in this one that must not be there yet.
    pub fn make_new(&self, name: &str) -> io::Result<Self> {
        match Self::made(&self.fd, name, self.path_of(name), PRIVATE, self.owner)? {
            (folder, true) => Ok(folder),
            (folder, false) => Err(io::Error::other(format!("{} exists already", folder.path))),
        }
    }

    /// Makes a directory in this one that belongs to a user. One of that name must be the user's already, or root's: what
    /// somebody else has put there is given to nobody.
    pub fn make_for_user(&self, name: &str, uid: u32, gid: u32) -> io::Result<()> {
        match mkdirat(&self.fd, name, Mode::from_raw_mode(PRIVATE)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let path = self.path_of(name);
        let refused = |why: String| io::Error::other(format!("{path} {why}"));
        let directory = openat(&self.fd, name, flags, Mode::empty())
            .map_err(|error| refused(format!("is not a directory that golden made: {error}")))?;
        let stat = fstat(&directory)?;
        if stat.st_uid != uid && stat.st_uid != self.owner {
            return Err(refused(format!("belongs to uid {}, not to uid {uid}", stat.st_uid)));
        }
        fchmod(&directory, Mode::from_raw_mode(PRIVATE))?;
        let (user, group) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
        Ok(rustix::fs::fchown(&directory, Some(user), Some(group))?)
    }

    /// Opens a directory in this one; `None` where there is none.
    pub fn find_inside(&self, name: &str) -> io::Result<Option<Self>> {
        Self::opened(&self.fd, name, self.path_of(name), self.owner)
    }

    /// Opens a file in this directory for reading and writing, and makes it where there is none.
    pub fn file(&self, name: &str) -> io::Result<File> {
        match self.find_file(name)? {
            Some(file) => Ok(file),
            // Another process may have been faster; then its file is opened and checked.
            None => match self.new_file(name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self
                    .find_file(name)?
                    .ok_or_else(|| io::Error::other(format!("{} comes and goes", self.path_of(name)))),
                made => made,
            },
        }
    }

    /// Opens a file in this directory to which lines are added and which is read, and makes it where there is none.
    pub fn file_to_add(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let path = self.path_of(name);
        let opened =
            openat(&self.fd, name, flags | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::from_raw_mode(FILE));
        let fd = opened.map_err(|errno| named(&path, errno))?;
        let stat = fstat(&fd)?;
        match fault_of_file(&stat).or_else(|| fault_of_rights(&stat, self.owner)) {
            Some(fault) => Err(unfit(&path, &fault)),
            None => Ok(File::from(fd)),
        }
    }

    /// Makes a file that must not be there yet.
    pub fn new_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&self.fd, name, flags, Mode::from_raw_mode(FILE))?;
        fchmod(&fd, Mode::from_raw_mode(FILE))?;
        Ok(File::from(fd))
    }

    /// Opens a file in this directory for reading and writing; `None` where there is none.
    pub fn find_file(&self, name: &str) -> io::Result<Option<File>> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let path = self.path_of(name);
        let fd = match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(unfit(&path, "is a symbolic link, not a file")),
            // A socket, or a directory.
            Err(Errno::NXIO | Errno::ISDIR) => return Err(unfit(&path, "is not a regular file")),
            Err(errno) => return Err(named(&path, errno)),
        };
        let stat = fstat(&fd)?;
        match fault_of_file(&stat).or_else(|| fault_of_rights(&stat, self.owner)) {
            Some(fault) => Err(unfit(&path, &fault)),
            None => Ok(Some(File::from(fd))),
        }
    }

    /// The names in this directory, sorted. Names that are no UTF-8 are never golden's.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            if let Ok(name) = entry?.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// What was made or removed in it is on the disk when this returns.
    pub fn sync(&self) -> io::Result<()> {
        rustix::fs::fsync(&self.fd).map_err(io::Error::from)
    }

    fn path_of(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    /// The directory, and whether it was made just now.
    fn made(parent: &OwnedFd, name: &str, path: String, mode: u32, owner: u32) -> io::Result<(Self, bool)> {
        let made = match mkdirat(parent, name, Mode::from_raw_mode(mode)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(named(&path, errno)),
        };
        let gone = || io::Error::other(format!("{path} comes and goes"));
        let folder = Self::opened(parent, name, path.clone(), owner)?.ok_or_else(gone)?;
        if made {
            fchmod(&folder.fd, Mode::from_raw_mode(mode))?;
        }
        Ok((folder, made))
    }

    fn opened(parent: &OwnedFd, name: &str, path: String, owner: u32) -> io::Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match openat(parent, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let what = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
                let link = FileType::from_raw_mode(what.st_mode) == FileType::Symlink;
                let what = if link { "is a symbolic link, not a directory" } else { "is not a directory" };
                return Err(unfit(&path, what));
            }
            Err(errno) => return Err(named(&path, errno)),
        };
        match fault_of_rights(&fstat(&fd)?, owner) {
            Some(fault) => Err(unfit(&path, &fault)),
            None => Ok(Some(Self { fd, path, owner })),
        }
    }
}

/// Who must own golden's own files: root; below a test's root whoever runs the test.
fn owner(act: &Act) -> u32 {
    if act.place("/") == Path::new("/") { 0 } else { rustix::process::geteuid().as_raw() }
}

/// The directory above a path, links followed as root's, and the last part of the path.
fn parent_of(act: &Act, path: &str) -> io::Result<(OwnedFd, String)> {
    let place = act.place(path);
    let (Some(parent), Some(name)) = (place.parent(), path.rsplit('/').next()) else {
        return Err(unfit(path, "is not one of golden's paths"));
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(parent, flags, Mode::empty())
        .map_err(|errno| named(&parent.display().to_string(), errno))?;
    Ok((fd, name.to_owned()))
}

fn fault_of_file(stat: &Stat) -> Option<String> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Some("is not a regular file".to_owned());
    }
    (stat.st_nlink != 1).then(|| format!("has {} names (hard links)", stat.st_nlink))
}

fn fault_of_rights(stat: &Stat, owner: u32) -> Option<String> {
    if stat.st_uid != owner {
        return Some(format!("belongs to uid {}, not to uid {owner}", stat.st_uid));
    }
    let mode = stat.st_mode & 0o7777;
    (mode & 0o022 != 0).then(|| format!("can be written by others (mode {mode:04o})"))
}

fn unfit(path: &str, fault: &str) -> io::Error {
    io::Error::other(format!("{path} {fault}; golden does not use it"))
}

fn named(path: &str, errno: Errno) -> io::Error {
    let error = io::Error::from(errno);
    io::Error::new(error.kind(), format!("{path}: {error}"))
}

/// The bytes of a file from where it stands; one that is longer than `most` is an error.
pub fn read_whole(file: &File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(io::Error::other(format!("it holds more than {} MiB", most >> 20))),
        false => Ok(bytes),
    }
}

/// The bytes of a regular file that somebody named. A link, a FIFO or a device is refused and blocks nothing.
pub fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::LOOP) => return Err(io::Error::other("it is a symbolic link")),
        Err(Errno::NXIO) => return Err(io::Error::other("it is not a regular file")),
        opened => opened?,
    };
    match FileType::from_raw_mode(fstat(fd.as_fd())?.st_mode) {
        FileType::RegularFile => read_whole(&File::from(fd), most),
        _ => Err(io::Error::other("it is not a regular file")),
    }
}

/// A process, told from every other one on this host: process ids are used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runner {
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub started: u64,
    /// Which boot, by the kernel's id of it.
    pub boot: String,
}

impl Runner {
    /// The process with this id; `None` where none has it.
    pub fn with_id(pid: u32) -> Option<Self> {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        let boot = std::fs::read_to_string(BOOT).ok()?;
        Some(Self { pid, started: started(&stat)?, boot: boot.trim().to_owned() })
    }

    /// Whether this process still runs.
    pub fn lives(&self) -> bool {
        Self::with_id(self.pid).as_ref() == Some(self)
    }
}

/// Where the kernel tells which boot this is.
pub const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// This process; `None` without `/proc`.
pub fn this_process() -> Option<Runner> {
    Runner::with_id(std::process::id())
}

/// The time of start in what `/proc/PID/stat` holds (proc_pid_stat(5), the 22nd field).
pub fn started(stat: &[u8]) -> Option<u64> {
    // The second field is the program's name in parentheses, which may hold anything.
    let after = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[after + 1..]).ok()?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The user who logged in, whoever they became since: `/proc/self/loginuid`. `None` where no login set it (a service, a
/// container, a kernel without audit).
pub fn login_uid() -> Option<u32> {
    login_uid_of(&std::fs::read_to_string("/proc/self/loginuid").ok()?)
}

fn login_uid_of(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    /// The umask belongs to the whole process, so the test that follows runs this one again in processes of its own.
    #[test]
    fn makes_all_below_a_root() {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let run = home.path().join("run");
        std::fs::create_dir(&run).unwrap();
        std::fs::set_permissions(&run, PermissionsExt::from_mode(0o755)).unwrap();
        let folder = Folder::make(&Act::below(home.path()), RUN, PASSABLE).unwrap();
        drop(folder.file("apply.lock").unwrap());
        drop(folder.make_inside("x").unwrap());
        assert_eq!(mode(&run.join("golden")), 0o755);
        assert_eq!(mode(&run.join("golden/x")), 0o700);
        assert_eq!(mode(&run.join("golden/apply.lock")), 0o600);
    }

    #[test]
    fn modes_are_fixed_whatever_the_umask() {
        for umask in ["0000", "0277"] {
            let script =
                format!("umask {umask}; exec \"$0\" --exact system::state::tests::makes_all_below_a_root");
            let mut shell = std::process::Command::new("sh");
            let said = shell.args(["-c", &script]).arg(std::env::current_exe().unwrap()).output().unwrap();
            let text = String::from_utf8_lossy(&said.stdout).into_owned();
            assert!(said.status.success() && text.contains("1 passed"), "{umask}: {text}");
        }
    }

    #[test]
    fn what_others_have_laid_there_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let act = Act::below(home.path());
        assert!(Folder::find(&act, STATE).unwrap().is_none());
        let lib = home.path().join("var/lib");
        std::fs::create_dir_all(&lib).unwrap();
        std::fs::create_dir(home.path().join("elsewhere")).unwrap();
        symlink(home.path().join("elsewhere"), lib.join("golden")).unwrap();
        let refused = |says: &str| {
            for result in [Folder::make(&act, STATE, PRIVATE), Folder::find(&act, STATE).map(Option::unwrap)]
            {
                let said = result.unwrap_err().to_string();
                assert!(said.contains(says), "{said}");
            }
        };
        refused("symbolic link");
        std::fs::remove_file(lib.join("golden")).unwrap();
        std::fs::write(lib.join("golden"), "").unwrap();
        refused("not a directory");
        std::fs::remove_file(lib.join("golden")).unwrap();
        std::fs::create_dir(lib.join("golden")).unwrap();
        std::fs::set_permissions(lib.join("golden"), PermissionsExt::from_mode(0o775)).unwrap();
        refused("written by others");
        std::fs::set_permissions(lib.join("golden"), PermissionsExt::from_mode(0o755)).unwrap();
        let folder = Folder::make(&act, STATE, PRIVATE).unwrap();

        let place = |name: &str| lib.join("golden").join(name);
        symlink("/etc/passwd", place("link")).unwrap();
        std::fs::write(place("one"), "").unwrap();
        std::fs::set_permissions(place("one"), PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::hard_link(place("one"), place("two")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, place("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0)
            .unwrap();
        std::fs::create_dir(place("directory")).unwrap();
        std::fs::write(place("open"), "").unwrap();
        std::fs::set_permissions(place("open"), PermissionsExt::from_mode(0o666)).unwrap();
        for (name, says) in [
            ("link", "symbolic link"),
            ("one", "2 names"),
            ("fifo", "not a regular file"),
            ("directory", "not a regular file"),
            ("open", "written by others"),
        ] {
            for said in [folder.file(name), folder.find_file(name).map(Option::unwrap)] {
                let said = said.unwrap_err().to_string();
                assert!(said.contains(says), "{name}: {said}");
            }
        }
        assert!(folder.find_file("none").unwrap().is_none());
        assert!(read_regular(&place("fifo"), 10).is_err());
        assert!(read_regular(&place("link"), 10).is_err());
        std::fs::write(place("long"), "12345678901").unwrap();
        assert!(read_regular(&place("long"), 10).is_err());
        assert!(folder.make_new("directory").is_err());
        folder.make_new("new").unwrap();
    }

    #[test]
    fn a_process_is_told_from_others() {
        let own = this_process().unwrap();
        assert_eq!(Some(&own), this_process().as_ref());
        assert!(own.lives());
        assert!(!Runner { started: own.started + 1, ..own.clone() }.lives());
        assert!(!Runner { boot: "another".to_owned(), ..own.clone() }.lives());
        assert!(!Runner { pid: u32::MAX, ..own }.lives());
        assert_eq!(
            started(b"7 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20"),
            Some(4242)
        );
        assert_eq!(started(b"7 (a"), None);
        assert_eq!(started(b"7 (a) S 1"), None);
        assert_eq!(
            (login_uid_of("4294967295"), login_uid_of("1000\n"), login_uid_of("x")),
            (None, Some(1000), None)
        );
    }
}
