//! Files of any size that golden moves about as a whole: their digests, copies into new files of root's, and names that
//! change places. Nothing of them is held in memory.

use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::disk::DiskHand;
use super::held::{Held, io_error, sync};
use super::{Digested, Refused};

/// How much is read at once, in bytes.
const PIECE: usize = 1 << 20;

/// The mode of an artefact of root's: every service may read it.
const MODE: u32 = 0o644;

/// Opens the regular file with one name that a held name is; `None` where nothing is there.
fn open(held: &Held) -> Result<Option<std::fs::File>, Refused> {
    let path = held.way.path.as_str();
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(&held.directory, held.name.as_c_str(), flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => {
            return Err(Refused::Unsafe(format!("{path} is a link, where a file of its own belongs")));
        }
        Err(error) => return Err(io_error(path, error)),
    };
    let stat = rustix::fs::fstat(&file).map_err(|error| io_error(path, error))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Refused::Unsafe(format!("{path} is not a regular file")));
    }
    if stat.st_nlink > 1 {
        return Err(Refused::Unsafe(format!("{path} has {} names (hard links)", stat.st_nlink)));
    }
    if held.way.user.is_some_and(|user| user != stat.st_uid) {
        return Err(Refused::Unsafe(format!("{path} is not of the user in whose directory it lies")));
    }
    Ok(Some(std::fs::File::from(file)))
}

/// Reads a file to its end, and gives each piece to `piece`; its sha256 in hex.
fn digested(file: &mut std::fs::File, mut piece: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; PIECE];
    loop {
        if super::interrupted() {
            return Err(io::Error::other("it was interrupted"));
        }
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        hash.update(&buffer[..length]);
        piece(&buffer[..length])?;
    }
    Ok(crate::model::hex(&hash.finalize()))
}

impl DiskHand {
    /// The digest and the first bytes of a file, `None` where there is none.
    pub(super) fn digest_of(&self, path: &str, head: usize) -> Result<Option<Digested>, Refused> {
        let held = match self.walk(path) {
            Err(Refused::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let Some(mut file) = self.in_place(&held, || open(&held))? else { return Ok(None) };
        let mut first = Vec::new();
        let keep = |piece: &[u8]| {
            first.extend_from_slice(&piece[..piece.len().min(head.saturating_sub(first.len()))]);
            Ok(())
        };
        let digest = digested(&mut file, keep).map_err(|error| io_error(path, error))?;
        Ok(Some(Digested { digest, head: first }))
    }

    /// Copies a file into a new one of root's, in the place of nothing. It is opened with the rights of whose directory it
    /// lies in, read once, and what was read is what is written.
    pub(super) fn copied(&self, from: &str, to: &str, digest: &str) -> Result<(), Refused> {
        let (old, new) = (self.walk(from)?, self.walk(to)?);
        if new.way.user.is_some() {
            return Err(Refused::Unsafe(format!("{to} lies in a user's directory")));
        }
        let missing = || io_error(from, Errno::NOENT);
        let mut source = self.in_place(&old, || open(&old))?.ok_or_else(missing)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let target =
            rustix::fs::openat(&new.directory, new.name.as_c_str(), flags, Mode::from_raw_mode(0o600))
                .map_err(|error| io_error(to, error))?;
        let written = fill(&mut source, target, digest).map_err(|error| io_error(from, error));
        match &written {
            Ok(()) => sync(&new),
            Err(_) => {
                let _ = rustix::fs::unlinkat(&new.directory, new.name.as_c_str(), AtFlags::empty());
            }
        }
        written
    }

    /// Two names of one place change places, at once.
    pub(super) fn exchanged(&self, one: &str, other: &str) -> Result<(), Refused> {
        let (first, second) = (self.walk(one)?, self.walk(other)?);
        if first.way.user.is_some() || second.way.user.is_some() {
            return Err(Refused::Unsafe(format!("{one} or {other} lies in a user's directory")));
        }
        let (from, to) = (first.name.as_c_str(), second.name.as_c_str());
        rustix::fs::renameat_with(&first.directory, from, &second.directory, to, RenameFlags::EXCHANGE)
            .map_err(|error| io_error(other, error))?;
        sync(&first);
        sync(&second);
        Ok(())
    }

    /// A file of root's loses its name; nothing where there is none.
    pub(super) fn discarded(&self, path: &str) -> Result<(), Refused> {
        let held = self.walk(path)?;
        if held.way.user.is_some() {
            return Err(Refused::Unsafe(format!("{path} lies in a user's directory")));
        }
        match rustix::fs::unlinkat(&held.directory, held.name.as_c_str(), AtFlags::empty()) {
            Ok(()) => {
                sync(&held);
                Ok(())
            }
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(io_error(path, errno)),
        }
    }
}

/// Fills a new file; an error where what was read is not what was promised.
fn fill(source: &mut std::fs::File, target: OwnedFd, digest: &str) -> io::Result<()> {
    let mut target = std::fs::File::from(target);
    let read = digested(source, |piece| target.write_all(piece))?;
    if read != digest {
        return Err(io::Error::other(format!("it holds other bytes (sha256 {read}) than {digest}")));
    }
    rustix::fs::fchmod(&target, Mode::from_raw_mode(MODE))?;
    target.sync_all()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test looks at the world itself")]
mod tests {
    use std::os::unix::fs::{MetadataExt, chown, symlink};

    use super::*;
    use crate::system::hand::Hand;

    fn ground() -> (tempfile::TempDir, DiskHand) {
        let home = tempfile::tempdir().unwrap();
        for directory in ["etc", "models/active", "models/shadow"] {
            std::fs::create_dir_all(home.path().join(directory)).unwrap();
        }
        std::fs::write(
            home.path().join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\nqt:x:1000:1000::/home/qt:/bin/sh\n",
        )
        .unwrap();
        std::fs::write(home.path().join("etc/group"), "root:x:0:\nqt:x:1000:\n").unwrap();
        let hand = DiskHand::below(home.path());
        (home, hand)
    }

    fn digest(bytes: &[u8]) -> String {
        crate::model::sha256(bytes)
    }

    #[test]
    fn what_is_read_is_what_is_written() {
        let (home, hand) = ground();
        let shadow = home.path().join("models/shadow/a");
        let bytes = vec![7_u8; PIECE + 9];
        std::fs::write(&shadow, &bytes).unwrap();
        let Digested { digest: known, head } = hand.digest("/models/shadow/a", 4).unwrap().unwrap();
        assert_eq!((known.as_str(), head.as_slice()), (digest(&bytes).as_str(), [7_u8; 4].as_slice()));
        assert!(hand.copy_file("/models/shadow/a", "/models/active/a", &digest(b"other")).is_err());
        assert!(!home.path().join("models/active/a").exists(), "nothing is left of it");
        hand.copy_file("/models/shadow/a", "/models/active/a", &known).unwrap();
        assert!(
            hand.copy_file("/models/shadow/a", "/models/active/a", &known).is_err(),
            "nothing is overwritten"
        );
        std::fs::write(home.path().join("models/active/b"), "b").unwrap();
        hand.exchange("/models/active/a", "/models/active/b").unwrap();
        assert_eq!(std::fs::read(home.path().join("models/active/a")).unwrap(), b"b");
        hand.discard("/models/active/a").unwrap();
        hand.discard("/models/active/a").unwrap();
        assert_eq!(hand.digest("/models/active/a", 0).unwrap(), None);
        assert_eq!(hand.digest("/nowhere/a", 0).unwrap(), None);
    }

    #[test]
    fn links_and_things_that_are_no_files_are_refused() {
        let (home, hand) = ground();
        let shadow = home.path().join("models/shadow");
        std::fs::write(home.path().join("etc/secret"), "secret").unwrap();
        symlink("/etc/secret", shadow.join("link")).unwrap();
        std::fs::write(shadow.join("one"), "one").unwrap();
        std::fs::hard_link(shadow.join("one"), shadow.join("two")).unwrap();
        let (mode, fifo) = (Mode::from_raw_mode(0o600), FileType::Fifo);
        rustix::fs::mknodat(rustix::fs::CWD, shadow.join("fifo"), fifo, mode, 0).unwrap();
        for name in ["link", "one", "two", "fifo"] {
            let path = format!("/models/shadow/{name}");
            assert!(hand.digest(&path, 0).is_err(), "{name}");
            assert!(hand.copy_file(&path, "/models/active/x", &digest(b"secret")).is_err(), "{name}");
        }
        assert!(std::fs::read_dir(home.path().join("models/active")).unwrap().next().is_none());
    }

    #[test]
    fn a_copy_out_of_a_users_directory_is_roots() {
        if crate::skip::without_root() {
            return;
        }
        let (home, hand) = ground();
        let shadow = home.path().join("models/shadow");
        std::fs::write(shadow.join("a"), "a").unwrap();
        for path in [shadow.clone(), shadow.join("a")] {
            chown(path, Some(1000), Some(1000)).unwrap();
        }
        hand.copy_file("/models/shadow/a", "/models/active/a", &digest(b"a")).unwrap();
        let meta = std::fs::metadata(home.path().join("models/active/a")).unwrap();
        assert_eq!((meta.uid(), meta.mode() & 0o7777), (0, MODE));
        assert!(
            hand.copy_file("/models/active/a", "/models/shadow/b", &digest(b"a")).is_err(),
            "nor the other way"
        );
        // What somebody else left in there is not that user's word.
        std::fs::write(shadow.join("roots"), "r").unwrap();
        assert!(hand.digest("/models/shadow/roots", 0).is_err());
    }
}
