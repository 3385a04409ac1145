//! How a path was before a step, kept so that it can be brought back: content, owner, mode, time and link text of
//! everything below it. Extended attributes and hard links between files are not kept.
#![expect(clippy::disallowed_methods, reason = "the store of backups is read and written here")]

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::system::act::{Act, Rights};

/// Who owns something and what may be done with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned {
    uid: u32,
    gid: u32,
    mode: u32,
    /// Seconds and nanoseconds of the last change of contents.
    modified: (i64, i64),
}

impl Owned {
    fn of(meta: &Metadata) -> Self {
        let (uid, gid, mode) = (meta.uid(), meta.gid(), meta.mode() & 0o7777);
        Self { uid, gid, mode, modified: (meta.mtime(), meta.mtime_nsec()) }
    }

    fn rights(&self) -> Rights {
        Rights { uid: self.uid, gid: self.gid, mode: self.mode }
    }
}

/// What was at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Before {
    /// Nothing.
    Absent,
    /// A regular file; its bytes lie in the store under this digest.
    File(Owned, String),
    /// A symbolic link with its text.
    Link(Owned, String),
    /// A directory and all that is in it.
    Directory(Owned, BTreeMap<String, Before>),
    /// A directory of which only owner and mode may change.
    Shallow(Owned),
    /// No directory; one that was made is removed while nothing is in it.
    NoDirectory,
}

/// The bytes of files by their digest, in a directory that only root may enter.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

/// Something that cannot be kept, such as a socket.
fn unfit(path: &Path) -> io::Error {
    io::Error::other(format!(
        "{} is neither file, link nor directory, so it cannot be backed up",
        path.display()
    ))
}

impl Store {
    /// The store in a directory that exists.
    pub fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn keep(&self, bytes: &[u8]) -> io::Result<String> {
        let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let place = self.directory.join(&digest);
        if !place.exists() {
            let beside = self.directory.join(format!("{digest}.part"));
            let _ = fs::remove_file(&beside);
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            io::Write::write_all(&mut file, bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &place)?;
        }
        Ok(digest)
    }

    fn bytes(&self, digest: &str) -> io::Result<Vec<u8>> {
        fs::read(self.directory.join(digest))
    }

    /// Keeps what is at a path, with all that is below it.
    pub fn take(&self, act: &Act, path: &str) -> io::Result<Before> {
        self.take_at(&act.place(path))
    }

    /// Keeps owner and mode of a directory, or all of anything else.
    pub fn take_shallow(&self, act: &Act, path: &str) -> io::Result<Before> {
        match fs::symlink_metadata(act.place(path)) {
            Ok(meta) if meta.is_dir() => Ok(Before::Shallow(Owned::of(&meta))),
            Ok(_) => self.take(act, path),
            Err(_) => Ok(Before::NoDirectory),
        }
    }

    fn take_at(&self, place: &Path) -> io::Result<Before> {
        let meta = match fs::symlink_metadata(place) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Before::Absent);
            }
            other => other?,
        };
        let owned = Owned::of(&meta);
        if meta.is_file() {
            return Ok(Before::File(owned, self.keep(&fs::read(place)?)?));
        }
        if meta.is_symlink() {
            let target = fs::read_link(place)?;
            let text = target.to_str().ok_or_else(|| unfit(place))?.to_owned();
            return Ok(Before::Link(owned, text));
        }
        if !meta.is_dir() {
            return Err(unfit(place));
        }
        let mut entries = BTreeMap::new();
        for entry in fs::read_dir(place)? {
            let name = entry?.file_name();
            let text = std::str::from_utf8(name.as_bytes()).map_err(|_| unfit(&place.join(&name)))?;
            entries.insert(text.to_owned(), self.take_at(&place.join(&name))?);
        }
        Ok(Before::Directory(owned, entries))
    }

    /// Brings a path back to what it was. What is so already is not touched.
    pub fn restore(&self, act: &Act, path: &str, before: &Before) -> io::Result<()> {
        if self.is_as_before(&act.place(path), before) {
            return Ok(());
        }
        match before {
            Before::Absent => act.remove(path),
            Before::NoDirectory => act.remove_empty(path),
            Before::File(owned, digest) => {
                if fs::symlink_metadata(act.place(path)).is_ok_and(|meta| meta.is_dir()) {
                    act.remove(path)?;
                }
                act.write(path, &self.bytes(digest)?, owned.rights())?;
                act.set_modified(path, owned.modified.0, owned.modified.1)
            }
            Before::Link(owned, target) => {
                act.link(path, target, owned.uid, owned.gid)?;
                act.set_modified(path, owned.modified.0, owned.modified.1)
            }
            Before::Directory(owned, entries) => self.restore_directory(act, path, owned, entries),
            Before::Shallow(owned) => {
                act.make_directory(path, owned.rights())?;
                act.set_modified(path, owned.modified.0, owned.modified.1)
            }
        }
    }

    fn restore_directory(
        &self,
        act: &Act,
        path: &str,
        owned: &Owned,
        entries: &BTreeMap<String, Before>,
    ) -> io::Result<()> {
        let place = act.place(path);
        if !fs::symlink_metadata(&place).is_ok_and(|meta| meta.is_dir()) {
            act.remove(path)?;
        }
        act.make_directory(path, owned.rights())?;
        for entry in fs::read_dir(&place)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !entries.contains_key(&name) {
                act.remove(&format!("{path}/{name}"))?;
            }
        }
        for (name, before) in entries {
            self.restore(act, &format!("{path}/{name}"), before)?;
        }
        // Its entries have moved the time of the directory.
        act.set_modified(path, owned.modified.0, owned.modified.1)
    }

    fn is_as_before(&self, place: &Path, before: &Before) -> bool {
        let Ok(meta) = fs::symlink_metadata(place) else {
            return matches!(before, Before::Absent | Before::NoDirectory);
        };
        let owned = Owned::of(&meta);
        match before {
            Before::Absent | Before::NoDirectory => false,
            Before::File(was, digest) => {
                *was == owned && meta.is_file() && fs::read(place).ok() == self.bytes(digest).ok()
            }
            Before::Link(was, target) => {
                was.uid == owned.uid
                    && was.gid == owned.gid
                    && fs::read_link(place).is_ok_and(|now| now.to_str() == Some(target))
            }
            Before::Shallow(was) => *was == owned && meta.is_dir(),
            Before::Directory(..) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of files, links and directories comes back whatever became of it.
    #[test]
    fn what_was_taken_comes_back() {
        let home = tempfile::tempdir().unwrap();
        let act = Act::below(home.path());
        let kept = home.path().join("kept");
        fs::create_dir(&kept).unwrap();
        let store = Store::at(kept);
        let meta = fs::metadata(home.path()).unwrap();
        let rights = |mode| Rights { uid: meta.uid(), gid: meta.gid(), mode };
        act.make_directory("/a", rights(0o750)).unwrap();
        act.make_directory("/a/b", rights(0o700)).unwrap();
        act.write("/a/b/file", b"one\0\xff", rights(0o640)).unwrap();
        act.link("/a/link", "b/../b/file", meta.uid(), meta.gid()).unwrap();
        let before = store.take(&act, "/a").unwrap();

        act.write("/a/b/file", b"two", rights(0o600)).unwrap();
        act.write("/a/new", b"", rights(0o600)).unwrap();
        act.remove("/a/link").unwrap();
        act.make_directory("/a/link", rights(0o755)).unwrap();
        store.restore(&act, "/a", &before).unwrap();
        assert_eq!(store.take(&act, "/a").unwrap(), before);

        act.remove("/a").unwrap();
        store.restore(&act, "/a", &before).unwrap();
        assert_eq!(store.take(&act, "/a").unwrap(), before);

        store.restore(&act, "/a", &Before::Absent).unwrap();
        assert!(!home.path().join("a").exists());
    }
}
