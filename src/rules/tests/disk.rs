//! The hosts of the blocks as real directories: the kernel must show what the memory shows.

use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::Path;

use super::{RULES, blocks, judge, stage};
use crate::system::memory::MemoryNode;
use crate::system::{DiskSystem, Look, MemorySystem, System};

/// Directives whose hosts no directory can show.
const ONLY_IN_MEMORY: &[&str] =
    &["unreadable ", "closed ", "file-system ", "sqlite ", "links ", "now ", "caller "];

/// Writes a host below a directory; owners need root.
pub(super) fn write(host: &MemorySystem, root: &Path, database: &[u8]) -> std::io::Result<()> {
    for (name, owned) in &host.nodes {
        let path = root.join(name.trim_start_matches('/'));
        match &owned.node {
            MemoryNode::Directory => std::fs::create_dir_all(&path)?,
            MemoryNode::File(bytes) if bytes.starts_with(b"SQLite format 3\0") => {
                std::fs::write(&path, database)?
            }
            MemoryNode::File(bytes) => std::fs::write(&path, bytes)?,
            MemoryNode::Link(target) => symlink(target.as_ref(), &path)?,
            MemoryNode::Unreadable(_) => unreachable!("such blocks are left out"),
        }
        lchown(&path, Some(owned.uid), Some(owned.gid))?;
        if !matches!(owned.node, MemoryNode::Link(_)) {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(owned.mode))?;
        }
    }
    Ok(())
}

/// The bytes of a real database.
fn database() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("database");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(connection);
    std::fs::read(&path).unwrap()
}

/// Hundreds of small hosts are written: in memory, where the system has such a place.
fn temporary() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// What two looks at the same host say, where they differ.
fn difference(rule: &[&str], block: &str, database: &[u8]) -> Option<String> {
    let (mut host, contract) = stage(block).unwrap();
    let directory = temporary();
    write(&host, directory.path(), database).unwrap();
    let disk = DiskSystem::rooted(directory.path()).unwrap();
    host.answers = None;
    host.now = disk.now();
    if let crate::model::Observed::Found(name) = disk.file_system("/") {
        host.file_systems.insert("/".to_owned(), name);
    }
    let in_memory = judge(&host, &contract, rule);
    let on_disk = judge(&disk, &contract, rule);
    let differing = in_memory.iter().zip(&on_disk).find(|(memory, disk)| memory != disk);
    match differing {
        Some((memory, disk)) => Some(format!("memory: {memory:#?}\ndisk: {disk:#?}")),
        None => (in_memory.len() != on_disk.len()).then(|| "another number of results".to_owned()),
    }
}

#[test]
fn a_real_directory_gives_the_same_report() {
    if crate::skip::without_root() {
        return;
    }
    let database = database();
    let mut wrong: Vec<String> = difference(&[], "", &database).into_iter().collect();
    for rule in RULES {
        for block in blocks(rule) {
            let on_disk = |line: &str| !ONLY_IN_MEMORY.iter().any(|directive| line.starts_with(directive));
            if block.text.lines().all(on_disk) {
                let found = difference(&[rule.info.id], &block.text, &database);
                wrong.extend(found.map(|found| format!("{}:\n{}{found}", rule.info.id, block.text)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}
