//! Git's own files, read as bytes. Git is never run: a repository's configuration can name programs.
//!
//! gix-config and gix-index parse bytes that the door has read. No link in `.git` is followed, `gitdir:` and
//! `commondir` may lead only to directories of the same owner, and HEAD and branches are taken only for ids of commits.

use std::time::SystemTime;

use gix_config::File;
use gix_config::file::Metadata;
use gix_index::State;

use super::Worker;
use crate::facts::repository::{GitConfig, GitFacts};
use crate::model::{NodeKind, Observed, Step};
use crate::system::TEXT_LIMIT;

/// An index of three hundred thousand files has about this many bytes, and takes this much room.
const INDEX_LIMIT: u64 = 32 << 20;
const INDEX_ROOM: usize = 96 << 20;

/// HEAD, a loose branch and a file that names a directory hold one line.
const POINTER_LIMIT: u64 = 4 << 10;

/// Packed branches and tags, a line each.
const PACKED_LIMIT: u64 = 8 << 20;

/// The git metadata of a work tree whose top level is `tree`; absent when it is none.
pub(super) fn look(worker: &Worker<'_>, tree: &str) -> Observed<GitFacts> {
    let directory = directory(worker, tree);
    let both = directory.and_then(|directory| common(worker, &directory).map(|common| (directory, common)));
    both.map(|(directory, common)| {
        let has = |name: &str, kind| match worker.walker.lookup_no_follow(name).node() {
            // Whoever reads it says so.
            Ok(Some(step)) if step.meta.kind == NodeKind::Link => true,
            Ok(Some(step)) => step.meta.kind == kind,
            // A component that cannot be looked at is not certainly missing; reading HEAD will say so.
            Ok(None) => false,
            Err(_) => true,
        };
        let lacks = [
            (format!("{directory}/HEAD"), "HEAD", NodeKind::File),
            (format!("{common}/objects"), "objects", NodeKind::Directory),
            (format!("{common}/refs"), "refs", NodeKind::Directory),
        ];
        let lacks = lacks.into_iter().filter(|(path, _, kind)| !has(path, *kind));
        GitFacts {
            lacks: lacks.map(|(_, name, _)| name.to_owned()).collect(),
            head: head(worker, &directory, &common),
            config: config(worker, &common),
            directory: directory.into(),
        }
    })
}

/// Where git keeps its files for a work tree: `.git`, or where a file `.git` points (gitrepository-layout(5)).
fn directory(worker: &Worker<'_>, tree: &str) -> Observed<String> {
    let dot_git = worker.walker.lookup_no_follow(&format!("{tree}/.git"));
    match dot_git.node() {
        Err(undecided) => Observed::Unreadable(undecided.why),
        Ok(Some(step)) if step.meta.kind == NodeKind::Directory => Observed::Found(step.path.to_string()),
        Ok(Some(step)) if step.meta.kind == NodeKind::Link => Observed::Unreadable(is_link(&step.path)),
        Ok(Some(step)) if step.meta.kind == NodeKind::File => {
            worker.read_up_to(&dot_git, POINTER_LIMIT).and_then(|bytes| {
                let text = String::from_utf8_lossy(&bytes);
                let Some(pointed) = text.trim_end().strip_prefix("gitdir: ") else { return Observed::Absent };
                pointed_at(worker, step, &joined(tree, pointed))
            })
        }
        Ok(_) => Observed::Absent,
    }
}

/// A directory that a file of git's names. Whoever owns the file must own the directory as well: a name in a file is
/// followed no further than a link would be.
fn pointed_at(worker: &Worker<'_>, file: &Step, pointed: &str) -> Observed<String> {
    let lookup = worker.walker.lookup(pointed);
    super::content(&lookup).and_then(|real| match lookup.node() {
        Ok(Some(step)) if step.meta.kind != NodeKind::Directory => Observed::Absent,
        Ok(Some(step)) if file.meta.uid == 0 || step.meta.uid == file.meta.uid => {
            Observed::Found(real.to_owned())
        }
        _ => Observed::Unreadable(format!("{} names {real}, which belongs to another user", file.path)),
    })
}

fn is_link(path: &str) -> String {
    format!("{path} is a link: git's own files are not read through links")
}

/// One of git's own files, without any link between its directory and itself.
fn own_file(worker: &Worker<'_>, directory: &str, name: &str, limit: u64) -> Observed<Vec<u8>> {
    let lookup = worker.walker.lookup_no_follow(&format!("{directory}/{name}"));
    match lookup.links().next() {
        Some(link) => Observed::Unreadable(is_link(&link.path)),
        None => worker.read_up_to(&lookup, limit),
    }
}

/// A linked work tree shares everything but HEAD and the index with the repository it was made from.
fn common(worker: &Worker<'_>, directory: &str) -> Observed<String> {
    let path = format!("{directory}/commondir");
    match own_file(worker, directory, "commondir", POINTER_LIMIT) {
        Observed::Found(bytes) => {
            let pointed = joined(directory, String::from_utf8_lossy(&bytes).trim());
            match worker.walker.lookup_no_follow(&path).node() {
                Ok(Some(file)) => pointed_at(worker, file, &pointed),
                _ => Observed::Unreadable(format!("{path} has changed while it was read")),
            }
        }
        Observed::Absent => Observed::Found(directory.to_owned()),
        Observed::Unreadable(why) => Observed::Unreadable(format!("{path}: {why}")),
    }
}

fn joined(base: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{base}/{path}") }
}

/// The commit that HEAD leads to. What stands in these files is only believed to be what git writes there: an id of a
/// commit, or the name of a branch. Any other text is somebody else's file.
fn head(worker: &Worker<'_>, directory: &str, common: &str) -> Observed<String> {
    let read = |directory: &str, name: &str, limit| {
        own_file(worker, directory, name, limit)
            .map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    let commit = |text: String, name: &str| match is_commit(&text) {
        true => Observed::Found(text),
        false => Observed::Unreadable(format!("{name} of git holds neither a commit nor a branch")),
    };
    read(directory, "HEAD", POINTER_LIMIT).and_then(|head| {
        let Some(name) = head.strip_prefix("ref: ") else { return commit(head, "HEAD") };
        if !is_reference(name) {
            return commit(String::new(), "HEAD");
        }
        match read(common, name, POINTER_LIMIT) {
            Observed::Absent => read(common, "packed-refs", PACKED_LIMIT).and_then(|packed| {
                let mut refs = packed.lines().filter_map(|line| line.split_once(' '));
                let found = refs.find(|(_, packed)| *packed == name);
                found.map_or(Observed::Absent, |(found, _)| commit(found.to_owned(), "packed-refs"))
            }),
            loose => loose.and_then(|loose| commit(loose, name)),
        }
    })
}

/// The id of a commit, SHA-1 or SHA-256.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A name below `refs/` that leads nowhere else (git-check-ref-format(1)).
fn is_reference(name: &str) -> bool {
    name.starts_with("refs/")
        && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
        && !name.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// What a repository's own `config` says; includes are not followed.
fn config(worker: &Worker<'_>, common: &str) -> Observed<GitConfig> {
    let path = format!("{common}/config");
    own_file(worker, common, "config", TEXT_LIMIT).and_then(|bytes| {
        let meta = Metadata::from(gix_config::Source::Local);
        match File::from_bytes_no_includes(&bytes, meta, gix_config::file::init::Options::default()) {
            Ok(file) => Observed::Found(read_config(&file)),
            Err(error) => Observed::Unreadable(format!("{path} cannot be parsed: {error}")),
        }
    })
}

fn read_config(file: &File) -> GitConfig {
    let mut config = GitConfig {
        // Git itself refuses a value that is no boolean; then there is no work tree to speak of either.
        bare: file.boolean("core.bare").is_ok_and(|bare| bare == Some(true)),
        work_tree: file.string("core.worktree").map(|path| path.to_string()),
        shared: file.string("core.sharedRepository").is_some_and(|value| !is_umask(&value.to_string())),
        ..GitConfig::default()
    };
    for section in file.sections_by_name("remote").into_iter().flatten() {
        let name = section.header().subsection_name().map(ToString::to_string);
        if let (Some(name), Some(url)) = (name, section.value("url")) {
            config.remotes.insert(name, url.to_string());
        }
    }
    config
}

/// `core.sharedRepository` that leaves rights to the umask (git-config(1)).
fn is_umask(value: &str) -> bool {
    ["umask", "false", "no", "off", "0", ""].iter().any(|word| word.eq_ignore_ascii_case(value))
}

/// No path is longer for the kernel (PATH_MAX). An index that compresses its paths can spell out far longer ones.
const LONGEST_PATH: usize = 4096;

/// Calls `each` with the paths that git tracks in a work tree, in git's order, until it gives a reason to stop; absent
/// before the first `git add`.
pub(super) fn tracked(
    worker: &Worker<'_>,
    git: &GitFacts,
    mut each: impl FnMut(&str) -> Result<(), String>,
) -> Observed<()> {
    let path = format!("{}/index", git.directory);
    let index = match own_file(worker, &git.directory, "index", INDEX_LIMIT) {
        Observed::Unreadable(why) => Observed::Unreadable(format!("{path}: {why}")),
        read => read,
    };
    index.and_then(|bytes| {
        let options = gix_index::decode::Options {
            thread_limit: Some(1),
            alloc_limit_bytes: Some(INDEX_ROOM),
            ..Default::default()
        };
        let never = SystemTime::UNIX_EPOCH.into();
        let state = match State::from_bytes(&bytes, never, gix_index::hash::Kind::Sha1, options) {
            Ok((state, _)) if state.link().is_some() => {
                return Observed::Unreadable(format!("{path} is a split index"));
            }
            Ok((state, _)) => state,
            Err(error) => return Observed::Unreadable(format!("{path} cannot be parsed: {error}")),
        };
        for entry in state.entries() {
            let tracked = entry.path(&state);
            let read = match tracked.len() < LONGEST_PATH {
                true => each(&String::from_utf8_lossy(tracked)),
                false => Err(format!("a path of {} bytes", tracked.len())),
            };
            if let Err(why) = read {
                return Observed::Unreadable(format!("{path}: {why}"));
            }
        }
        Observed::Found(())
    })
}
