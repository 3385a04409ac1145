//! The governed repository and the search for second clones of it. Nothing of it is run.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Pad, Worker, git};
use crate::contract::{JobProgram, RepositoryPolicy};
use crate::facts::Need;
use crate::facts::repository::{RepositoryFacts, Search, ShellCommand, ShellScript, Unwanted, WorkTree};
use crate::model::{Entry, NodeKind, Observed};
use crate::syntax::{crontab, glob, makefile, shebang, shell_words};

/// A tree with more directories than this is not searched to its end.
const MOST_DIRECTORIES: usize = 50_000;

/// The largest shell script that is read.
const SCRIPT_LIMIT: u64 = 1 << 20;

/// Looks at the repository of the contract.
pub(super) fn gather(worker: &Worker<'_>, pad: &mut Pad) -> Option<RepositoryFacts> {
    let policy = worker.ground.contract.repository.as_ref()?;
    let path = policy.path.value.as_str();
    let lookup = pad.look(worker, path);
    let real = match lookup.node() {
        Ok(Some(step)) => Observed::Found(step.path.to_string()),
        Ok(None) => Observed::Absent,
        Err(undecided) => Observed::Unreadable(undecided.why),
    };
    let top = real.clone().and_then(|real| git::look(worker, &real));
    let mut facts = RepositoryFacts {
        work_tree_above: None,
        makefile: Observed::Absent,
        scripts: Search::default(),
        crontabs: Search::default(),
        unwanted: Search::default(),
        clones: Observed::Absent,
        git: top,
    };
    if worker.needs(Need::Repository) {
        files(worker, policy, pad);
        facts.makefile = makefile(worker, policy, pad);
        if let Observed::Found(real) = &real {
            facts.work_tree_above = above(worker, real);
        }
    }
    if worker.needs(Need::Sources) {
        facts.crontabs = crontabs(worker);
        if let Observed::Found(real) = &real {
            let mut tree = Tree::new(worker, policy);
            facts.unwanted = tree.unwanted(real, &facts.git);
            facts.scripts = tree.scripts(real);
        }
        unreadable(&real, path, &mut facts);
    }
    if worker.needs(Need::Clones) {
        let own = match &real {
            Observed::Found(real) => real.as_str(),
            _ => path,
        };
        facts.clones = Observed::Found(clones(worker, policy, own));
    }
    Some(facts)
}

/// A repository that cannot be looked at was not searched either.
fn unreadable(real: &Observed<String>, path: &str, facts: &mut RepositoryFacts) {
    if let Observed::Unreadable(why) = real {
        let unread = (Arc::from(path), why.clone());
        facts.unwanted.unread.push(unread.clone());
        facts.scripts.unread.push(unread);
    }
}

/// The wrapper and the scripts of jobs.
fn files(worker: &Worker<'_>, policy: &RepositoryPolicy, pad: &mut Pad) {
    let scripts = worker.ground.contract.jobs.iter().filter_map(|job| match &job.runs {
        JobProgram::Script(script) => Some(script),
        JobProgram::BuiltIn(_) => None,
    });
    for file in policy.wrapper.iter().chain(&policy.makefile).chain(scripts) {
        pad.look(worker, &format!("{}/{}", policy.path.value, file.value));
    }
    for path in policy.before_makefile() {
        pad.look(worker, &path);
    }
    if let Some(wrapper) = &policy.wrapper {
        super::start::program(worker, &format!("{}/{}", policy.path.value, wrapper.value), pad);
    }
}

fn makefile(worker: &Worker<'_>, policy: &RepositoryPolicy, pad: &mut Pad) -> Observed<makefile::Makefile> {
    let Some(file) = &policy.makefile else { return Observed::Absent };
    let lookup = pad.look(worker, &format!("{}/{}", policy.path.value, file.value));
    worker.read(lookup).map(|bytes| makefile::parse(&String::from_utf8_lossy(&bytes)))
}

/// The nearest directory above that holds a `.git`.
fn above(worker: &Worker<'_>, path: &str) -> Option<Arc<str>> {
    let mut at = path;
    while let Some((parent, _)) = at.rsplit_once('/') {
        at = parent;
        let holds = worker.walker.lookup(&format!("{parent}/.git"));
        if holds.real().is_some() {
            return Some(if parent.is_empty() { "/".into() } else { parent.into() });
        }
    }
    None
}

/// Walks over the files of a work tree.
struct Tree<'a, 'w> {
    worker: &'a Worker<'w>,
    policy: &'a RepositoryPolicy,
    directories: usize,
}

impl<'a, 'w> Tree<'a, 'w> {
    fn new(worker: &'a Worker<'w>, policy: &'a RepositoryPolicy) -> Self {
        Self { worker, policy, directories: 0 }
    }

    /// Calls `each` with the path relative to `top` of every file and link below; directories whose names
    /// the contract skips are passed over, and git's own.
    fn walk(&mut self, top: &str, from: &str, each: &mut dyn FnMut(&str)) -> Vec<(Arc<str>, String)> {
        let mut unread = Vec::new();
        let mut waiting = vec![from.to_owned()];
        self.directories = 0;
        while let Some(below) = waiting.pop() {
            let path = if below.is_empty() { top.to_owned() } else { format!("{top}/{below}") };
            self.directories += 1;
            if self.directories > MOST_DIRECTORIES {
                unread.push((path.into(), format!("more than {MOST_DIRECTORIES} directories")));
                break;
            }
            let entries = match self.worker.ground.system.entries(&path) {
                Observed::Found(entries) => entries,
                Observed::Absent => continue,
                Observed::Unreadable(why) => {
                    unread.push((path.into(), why));
                    continue;
                }
            };
            for Entry { name, kind, .. } in entries {
                let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
                match kind {
                    NodeKind::Directory if !self.skips(&name) => waiting.push(path),
                    NodeKind::Directory => {}
                    _ => each(&path),
                }
            }
        }
        unread
    }

    fn skips(&self, name: &str) -> bool {
        name == ".git" || self.policy.clone_skip.value.iter().any(|skipped| skipped == name)
    }

    /// Files that match the contract's patterns: those that lie there and those that git tracks.
    fn unwanted(
        &mut self,
        top: &str,
        facts: &Observed<crate::facts::repository::GitFacts>,
    ) -> Search<Unwanted> {
        let patterns: Vec<&str> =
            self.policy.must_not_hold.iter().map(|pattern| pattern.value.as_str()).collect();
        if patterns.is_empty() {
            return Search::default();
        }
        let matches = |path: &str| glob::deciding(patterns.iter().copied(), path).is_some();
        let mut there = Vec::new();
        let mut unread = self.walk(top, "", &mut |path| {
            if matches(path) {
                there.push(path.to_owned());
            }
        });
        let mut tracked = HashSet::new();
        if let Observed::Found(git) = facts {
            match git::tracked(self.worker, git) {
                Observed::Found(paths) => tracked.extend(paths.into_iter().filter(|path| matches(path))),
                Observed::Absent => {}
                Observed::Unreadable(why) => unread.push((git.directory.clone(), why)),
            }
        }
        let mut found: Vec<Unwanted> = there
            .into_iter()
            .map(|path| Unwanted { tracked: tracked.remove(&path), there: true, path: path.into() })
            .collect();
        found.extend(tracked.into_iter().map(|path| Unwanted {
            path: path.into(),
            tracked: true,
            there: false,
        }));
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Search { found, unread }
    }

    /// The shell scripts beside the wrapper and below its first directory.
    fn scripts(&mut self, top: &str) -> Search<ShellScript> {
        let Some((directory, _)) = self.policy.wrapper.as_ref().and_then(|file| file.value.split_once('/'))
        else {
            return Search::default();
        };
        let mut files = Vec::new();
        let unread = self.walk(top, directory, &mut |path| files.push(format!("{top}/{path}")));
        let mut search = Search { found: Vec::new(), unread };
        files.sort_unstable();
        for path in files {
            let by_name = path.ends_with(".sh") || path.ends_with(".bash");
            let has_other_name = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
            if has_other_name && !by_name {
                continue;
            }
            let lookup = self.worker.walker.lookup(&path);
            let Some(real) = lookup.real() else { continue };
            match self.worker.ground.system.read(real, SCRIPT_LIMIT) {
                Observed::Found(bytes) if by_name || is_shell(&bytes) => {
                    search.found.push(ShellScript {
                        path: path.into(),
                        commands: commands(&String::from_utf8_lossy(&bytes), 1),
                    });
                }
                Observed::Found(_) | Observed::Absent => {}
                Observed::Unreadable(why) => search.unread.push((path.into(), why)),
            }
        }
        search
    }
}

/// What cron runs: the system's crontabs and those of users.
fn crontabs(worker: &Worker<'_>) -> Search<ShellScript> {
    let mut search = Search::default();
    let mut files = vec![("/etc/crontab".to_owned(), true)];
    for (directory, names_user) in [("/etc/cron.d", true), ("/var/spool/cron/crontabs", false)] {
        match worker.ground.system.list(directory) {
            // cron passes over names that a package manager or an editor leaves behind.
            Observed::Found(names) => files.extend(
                names
                    .iter()
                    .filter(|name| {
                        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
                    })
                    .map(|name| (format!("{directory}/{name}"), names_user)),
            ),
            Observed::Absent => {}
            Observed::Unreadable(why) => search.unread.push((directory.into(), why)),
        }
    }
    for (path, names_user) in files {
        match worker.read(&worker.walker.lookup(&path)) {
            Observed::Found(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let jobs = crontab::parse(&text, names_user);
                let commands = jobs.iter().flat_map(|job| commands(job.command, job.line)).collect();
                search.found.push(ShellScript { path: path.into(), commands });
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => search.unread.push((path.into(), why)),
        }
    }
    search
}

fn is_shell(bytes: &[u8]) -> bool {
    let Ok(shebang) = shebang::parse(bytes) else { return false };
    let program = shebang.env_use().map_or(shebang.interpreter.clone(), |env| env.program);
    let name = program.rsplit('/').next().unwrap_or("");
    matches!(name, "sh" | "bash" | "dash" | "ash" | "ksh" | "zsh")
}

fn commands(text: &str, line: u32) -> Vec<ShellCommand> {
    let words = |call: shell_words::Call| ShellCommand {
        line: call.line,
        words: std::iter::once(call.program).chain(call.args).collect(),
    };
    shell_words::calls(text, line).into_iter().map(words).collect()
}

/// Work trees below the contract's roots, but for the repository itself.
fn clones(worker: &Worker<'_>, policy: &RepositoryPolicy, own: &str) -> Search<WorkTree> {
    let mut search = Search::default();
    for root in &policy.clone_roots.value {
        let real = match worker.walker.lookup(root).node() {
            Ok(Some(step)) => step.path.to_string(),
            Ok(None) => continue,
            Err(undecided) => {
                search.unread.push((root.as_str().into(), undecided.why));
                continue;
            }
        };
        let on = worker.ground.system.file_system(&real);
        let mut waiting = vec![(real, 0)];
        while let Some((path, depth)) = waiting.pop() {
            if path == own || search.found.iter().any(|clone: &WorkTree| clone.path.as_ref() == path) {
                continue;
            }
            let entries = match worker.ground.system.entries(&path) {
                Observed::Found(entries) => entries,
                Observed::Absent => continue,
                Observed::Unreadable(why) => {
                    search.unread.push((path.into(), why));
                    continue;
                }
            };
            if entries.iter().any(|entry| entry.name == ".git") {
                clone(worker, &path, &mut search);
            }
            if depth == policy.clone_depth.value {
                continue;
            }
            for Entry { name, kind, .. } in entries {
                let skipped = name == ".git" || policy.clone_skip.value.contains(&name);
                let path = format!("{}/{name}", path.trim_end_matches('/'));
                // Other file systems are passed over: backups, network shares, images.
                if kind == NodeKind::Directory && !skipped && worker.ground.system.file_system(&path) == on {
                    waiting.push((path, depth + 1));
                }
            }
        }
    }
    search.found.sort_by(|a, b| a.path.cmp(&b.path));
    search
}

fn clone(worker: &Worker<'_>, path: &str, search: &mut Search<WorkTree>) {
    let git = match git::look(worker, path) {
        Observed::Found(git) => git.config,
        Observed::Absent => return,
        Observed::Unreadable(why) => Observed::Unreadable(why),
    };
    match git {
        Observed::Found(config) => {
            search
                .found
                .push(WorkTree { path: path.into(), remotes: config.remotes.into_values().collect() });
        }
        Observed::Absent => {}
        Observed::Unreadable(why) => search.unread.push((path.into(), why)),
    }
}
