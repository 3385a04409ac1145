//! Git's own files, read as bytes. Git is never run: a repository's configuration can name programs.

use std::time::SystemTime;

use gix_config::File;
use gix_config::file::Metadata;
use gix_index::State;

use super::Worker;
use crate::facts::repository::{GitConfig, GitFacts};
use crate::model::{Lookup, NodeKind, Observed};

/// An index of a million files has about this many bytes.
const INDEX_LIMIT: u64 = 128 << 20;

/// The git metadata of a work tree whose top level is `tree`; absent when it is none.
pub(super) fn look(worker: &Worker<'_>, tree: &str) -> Observed<GitFacts> {
    directory(worker, tree).map(|directory| {
        let common = common(worker, &directory);
        let has = |name: &str, kind| match worker.walker.lookup(name).node() {
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
    let dot_git = worker.walker.lookup(&format!("{tree}/.git"));
    match dot_git.node() {
        Err(undecided) => Observed::Unreadable(undecided.why),
        Ok(Some(step)) if step.meta.kind == NodeKind::Directory => Observed::Found(step.path.to_string()),
        Ok(Some(step)) if step.meta.kind == NodeKind::File => worker.read(&dot_git).and_then(|bytes| {
            let text = String::from_utf8_lossy(&bytes);
            let Some(pointed) = text.trim_end().strip_prefix("gitdir: ") else { return Observed::Absent };
            let pointed = joined(tree, pointed);
            real_directory(&worker.walker.lookup(&pointed))
        }),
        Ok(_) => Observed::Absent,
    }
}

fn real_directory(lookup: &Lookup) -> Observed<String> {
    match lookup.node() {
        Ok(Some(step)) if step.meta.kind == NodeKind::Directory => Observed::Found(step.path.to_string()),
        Ok(_) => Observed::Absent,
        Err(undecided) => Observed::Unreadable(undecided.why),
    }
}

/// A linked work tree shares everything but HEAD and the index with the repository it was made from.
fn common(worker: &Worker<'_>, directory: &str) -> String {
    match worker.read(&worker.walker.lookup(&format!("{directory}/commondir"))) {
        Observed::Found(bytes) => joined(directory, String::from_utf8_lossy(&bytes).trim()),
        _ => directory.to_owned(),
    }
}

fn joined(base: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{base}/{path}") }
}

fn head(worker: &Worker<'_>, directory: &str, common: &str) -> Observed<String> {
    let read = |path: String| {
        let lookup = worker.walker.lookup(&path);
        worker.read(&lookup).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    read(format!("{directory}/HEAD")).and_then(|head| {
        let Some(name) = head.strip_prefix("ref: ") else { return Observed::Found(head) };
        match read(format!("{common}/{name}")) {
            Observed::Absent => read(format!("{common}/packed-refs")).and_then(|packed| {
                let mut refs = packed.lines().filter_map(|line| line.split_once(' '));
                let found = refs.find(|(_, packed)| *packed == name);
                found.map_or(Observed::Absent, |(commit, _)| Observed::Found(commit.to_owned()))
            }),
            loose => loose,
        }
    })
}

/// What a repository's own `config` says; includes are not followed.
fn config(worker: &Worker<'_>, common: &str) -> Observed<GitConfig> {
    let path = format!("{common}/config");
    worker.read(&worker.walker.lookup(&path)).and_then(|bytes| {
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

/// The paths that git tracks in a work tree, sorted; none before the first `git add`.
pub(super) fn tracked(worker: &Worker<'_>, git: &GitFacts) -> Observed<Vec<String>> {
    let path = format!("{}/index", git.directory);
    let lookup = worker.walker.lookup(&path);
    let Some(real) = lookup.real() else {
        return match worker.read(&lookup) {
            Observed::Unreadable(why) => Observed::Unreadable(why),
            _ => Observed::Found(Vec::new()),
        };
    };
    worker.ground.system.read(real, INDEX_LIMIT).and_then(|bytes| {
        if bytes.len() as u64 == INDEX_LIMIT {
            return Observed::Unreadable(format!("{path} has more than {INDEX_LIMIT} bytes"));
        }
        let options = gix_index::decode::Options {
            thread_limit: Some(1),
            alloc_limit_bytes: usize::try_from(4 * INDEX_LIMIT).ok(),
            ..Default::default()
        };
        let never = SystemTime::UNIX_EPOCH.into();
        match State::from_bytes(&bytes, never, gix_index::hash::Kind::Sha1, options) {
            Ok((state, _)) if state.link().is_some() => {
                Observed::Unreadable(format!("{path} is a split index"))
            }
            Ok((state, _)) => {
                Observed::Found(state.entries().iter().map(|entry| entry.path(&state).to_string()).collect())
            }
            Err(error) => Observed::Unreadable(format!("{path} cannot be parsed: {error}")),
        }
    })
}
