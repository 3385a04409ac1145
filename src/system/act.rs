//! The third leaf of the door: what changes a host. Plans alone use it.
//!
//! A file is replaced whole or not at all: written beside its place, synced, given its owner and mode, renamed, and
//! its directory synced.
//!
//! Below another root, links on the way stay below it: so laying the files of a copied host never follows that host's
//! own `/etc/golden -> /srv/golden` out of the copy.
#![expect(clippy::disallowed_methods, reason = "this is the one place that changes a host")]

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Owner and group by number, and permission bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// The root below which things are changed.
#[derive(Clone, Debug)]
pub struct Act {
    root: PathBuf,
}

/// The kernel follows no more links on one way (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Walks to a path below a root, and follows the links on the way as if that were the root of everything. The last
/// part is not looked at.
fn below(root: &Path, path: &str) -> PathBuf {
    let parts = |path: &Path| -> Vec<OsString> {
        path.components().rev().map(|part| part.as_os_str().to_owned()).collect()
    };
    let mut at = root.to_owned();
    let mut links = 0;
    let mut rest = parts(Path::new(path));
    while let Some(part) = rest.pop() {
        match part.as_encoded_bytes() {
            b"/" => root.clone_into(&mut at),
            b"." => {}
            b".." if at == root => {}
            b".." => {
                at.pop();
            }
            _ => {
                let next = at.join(&part);
                match fs::read_link(&next) {
                    Ok(target) if !rest.is_empty() => {
                        links += 1;
                        if links > MOST_LINKS {
                            // There is no such place, and whoever works on it hears so.
                            return root.join("too-many-links").join(part);
                        }
                        rest.extend(parts(&target));
                    }
                    _ => at = next,
                }
            }
        }
    }
    at
}

impl Act {
    /// The host this process runs on.
    pub fn live() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// Everything below another root, where links on the way to a path stay below it. Programs still run on this host.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Whether the running host is changed.
    pub fn is_live(&self) -> bool {
        self.root.parent().is_none()
    }

    /// The real place of an absolute path; a link at its end is not followed.
    pub fn place(&self, path: &str) -> PathBuf {
        match self.root.parent() {
            Some(_) => below(&self.root, path),
            None => self.root.join(path.trim_start_matches('/')),
        }
    }

    /// Replaces a file, or makes it.
    pub fn write(&self, path: &str, bytes: &[u8], rights: Rights) -> io::Result<()> {
        let (place, beside) = (self.place(path), self.beside(path));
        let directory = place.parent().unwrap_or(Path::new("/"));
        let written = write_beside(&beside, bytes, rights).and_then(|()| fs::rename(&beside, &place));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        written.and_then(|()| sync_directory(directory))
    }

    /// Where a file is written before it takes its place. The name is always the same, so that what a crash left there
    /// is found again.
    fn beside(&self, path: &str) -> PathBuf {
        let place = self.place(path);
        let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        place.with_file_name(format!(".{name}.golden-new"))
    }

    /// Removes what a write that was killed has left beside its place.
    pub fn remove_leftover(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.beside(path)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(())
            }
            other => other,
        }
    }

    /// Makes a directory that is not there; its parents must be.
    pub fn make_directory(&self, path: &str, rights: Rights) -> io::Result<()> {
        let place = self.place(path);
        match fs::create_dir(&place) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.set_rights(path, rights)
    }

    /// Gives a file or directory its owner and mode; a link keeps its mode.
    pub fn set_rights(&self, path: &str, rights: Rights) -> io::Result<()> {
        let place = self.place(path);
        std::os::unix::fs::lchown(&place, Some(rights.uid), Some(rights.gid))?;
        // chown(2) takes set-id bits away, so the mode comes last.
        match fs::symlink_metadata(&place)?.file_type().is_symlink() {
            true => Ok(()),
            false => fs::set_permissions(&place, Permissions::from_mode(rights.mode)),
        }
    }

    /// Makes a link, in place of whatever file or link is there.
    pub fn link(&self, path: &str, target: &str, uid: u32, gid: u32) -> io::Result<()> {
        self.remove(path)?;
        std::os::unix::fs::symlink(target, self.place(path))?;
        std::os::unix::fs::lchown(self.place(path), Some(uid), Some(gid))
    }

    /// Removes a file, a link or a whole directory; what is not there is gone already.
    pub fn remove(&self, path: &str) -> io::Result<()> {
        let place = self.place(path);
        let removed = match fs::symlink_metadata(&place) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&place),
            Ok(_) => fs::remove_file(&place),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Removes a directory that nothing is in; another one stays.
    pub fn remove_empty(&self, path: &str) -> io::Result<()> {
        match fs::remove_dir(self.place(path)) {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) =>
            {
                Ok(())
            }
            other => other,
        }
    }

    /// Gives everything below a directory to an owner; links are not followed.
    pub fn own_tree(&self, path: &str, uid: u32, gid: u32) -> io::Result<()> {
        fn walk(place: &Path, uid: u32, gid: u32) -> io::Result<()> {
            std::os::unix::fs::lchown(place, Some(uid), Some(gid))?;
            if fs::symlink_metadata(place)?.is_dir() {
                for entry in fs::read_dir(place)? {
                    walk(&entry?.path(), uid, gid)?;
                }
            }
            Ok(())
        }
        walk(&self.place(path), uid, gid)
    }

    /// Makes the directories on the way to a path that are not there, root's and open to all.
    pub fn make_way(&self, path: &str) -> io::Result<()> {
        match self.place(path).parent() {
            Some(parent) => fs::create_dir_all(parent),
            None => Ok(()),
        }
    }

    /// The topmost directory on the way to a path that is not there.
    pub fn missing_parent(&self, path: &str) -> Option<String> {
        let mut missing = None;
        let mut rest = path;
        while let Some((parent, _)) = rest.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
            if self.place(parent).exists() {
                break;
            }
            missing = Some(parent.to_owned());
            rest = parent;
        }
        missing
    }

    /// Moves something on one file system.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.place(from), self.place(to))
    }

    /// Sets the time of the last change of contents.
    pub fn set_modified(&self, path: &str, seconds: i64, nanoseconds: i64) -> io::Result<()> {
        let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
        let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::utimensat(rustix::fs::CWD, self.place(path), &times, flags).map_err(io::Error::from)
    }
}

fn write_beside(path: &Path, bytes: &[u8], rights: Rights) -> io::Result<()> {
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    fchown(&file, Some(rights.uid), Some(rights.gid))?;
    file.set_permissions(Permissions::from_mode(rights.mode))?;
    file.sync_all()
}

/// A rename is only sure to last once its directory is on the disk.
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_below_a_root_stay_below_it() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("root");
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::create_dir_all(root.join("srv/real")).unwrap();
        fs::create_dir_all(home.path().join("outside")).unwrap();
        symlink("/srv/real", root.join("etc/absolute")).unwrap();
        symlink("../../../../srv/real", root.join("etc/above")).unwrap();
        symlink(home.path().join("outside"), root.join("etc/away")).unwrap();
        symlink("circle", root.join("etc/circle")).unwrap();
        let act = Act::below(&root);
        assert_eq!(act.place("/etc/absolute/x"), root.join("srv/real/x"));
        assert_eq!(act.place("/etc/above/./x/"), root.join("srv/real/x"));
        assert_eq!(act.place("/etc/../../../x"), root.join("x"));
        assert_eq!(act.place("/etc/absolute"), root.join("etc/absolute"), "a link at the end");
        let rights = Rights { uid: 0, gid: 0, mode: 0o644 };
        for path in ["/etc/away/x", "/etc/circle/x"] {
            assert!(act.write(path, b"x", rights).is_err(), "{path}");
        }
        assert_eq!(fs::read_dir(home.path().join("outside")).unwrap().count(), 0);
    }
}
