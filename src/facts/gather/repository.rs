//! The governed repository and the search for second clones of it. Nothing of it is run.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Pad, Worker, git, git_owners};
use crate::contract::{JobProgram, RepositoryPolicy};
use crate::facts::Need;
use crate::facts::repository::{RepositoryFacts, Search, ShellCommand, ShellScript, Unwanted, WorkTree};
use crate::model::{Entry, Lookup, NodeKind, Observed};
use crate::syntax::{crontab, glob, makefile, shebang, shell_words};

/// A tree with more directories than this is not searched to its end.
const MOST_DIRECTORIES: usize = 50_000;

/// Nor one with more names.
const MOST_ENTRIES: usize = 300_000;

/// How much room the paths of one search may take in memory: three hundred thousand long ones.
const ALL_PATHS: usize = 48 << 20;

/// How long all searches of one audit take at most, and how long the trees of strangers are looked at.
const TIME_LIMIT: Duration = Duration::from_secs(20);
const TIME_FOR_STRANGERS: Duration = Duration::from_secs(3);

/// The largest shell script that is read, and how much of scripts is read at all.
const SCRIPT_LIMIT: u64 = 1 << 20;
const ALL_SCRIPTS: u64 = 32 << 20;

/// How much room the commands of all scripts may take in memory.
const ALL_COMMANDS: usize = 24 << 20;

/// The largest Makefile that is read.
const MAKEFILE_LIMIT: u64 = 1 << 20;

/// What is left of the bounds of a whole search. What is not read because of them is unreadable.
pub(super) struct Budget {
    until: Instant,
    directories: usize,
    entries: usize,
    paths: usize,
    bytes: u64,
    room: usize,
}

impl Budget {
    fn new(limit: Duration) -> Self {
        let until = Instant::now() + limit;
        Self {
            until,
            directories: MOST_DIRECTORIES,
            entries: MOST_ENTRIES,
            paths: ALL_PATHS,
            bytes: ALL_SCRIPTS,
            room: ALL_COMMANDS,
        }
    }

    /// Why no further directory is looked at.
    pub(super) fn directory(&mut self) -> Result<(), String> {
        if self.directories == 0 {
            return Err(format!("more than {MOST_DIRECTORIES} directories"));
        }
        if self.entries == 0 {
            return Err(format!("more than {MOST_ENTRIES} names"));
        }
        if Instant::now() > self.until {
            return Err("the search takes too long".to_owned());
        }
        self.directories -= 1;
        Ok(())
    }

    pub(super) fn entries(&mut self, count: usize) {
        self.entries = self.entries.saturating_sub(count);
    }

    /// Why one more path, which no listing gave, is not looked at.
    pub(super) fn entry(&mut self) -> Result<(), String> {
        if self.entries == 0 {
            return Err(format!("more than {MOST_ENTRIES} names"));
        }
        self.entries -= 1;
        // The clock costs more than a path does.
        match self.entries.is_multiple_of(256) && Instant::now() > self.until {
            true => Err("the search takes too long".to_owned()),
            false => Ok(()),
        }
    }

    /// Why one more path is not kept.
    pub(super) fn path(&mut self, path: &str) -> Result<(), String> {
        match self.paths.checked_sub(path.len()) {
            Some(left) => {
                self.paths = left;
                Ok(())
            }
            None => Err(format!("its paths take more than {} MiB", ALL_PATHS >> 20)),
        }
    }

    /// The text of a script with the calls in it, or why it is not read.
    fn calls(&mut self, texts: &[(&str, u32)]) -> Result<Vec<ShellCommand>, String> {
        let words = |call: shell_words::Call| ShellCommand {
            line: call.line,
            words: std::iter::once(call.program).chain(call.args).collect(),
        };
        let mut commands = Vec::new();
        for (text, line) in texts {
            let most = self.room.min(shell_words::MOST_ROOM);
            match shell_words::calls_within(text, *line, most) {
                Some((calls, room)) => {
                    self.room -= room;
                    commands.extend(calls.into_iter().map(words));
                }
                None => return Err("it calls more programs than are looked at".to_owned()),
            }
        }
        Ok(commands)
    }

    /// The bytes of a script.
    fn read(&mut self, worker: &Worker<'_>, lookup: &Lookup) -> Observed<Vec<u8>> {
        if self.bytes == 0 || Instant::now() > self.until {
            return Observed::Unreadable("more text than is looked at".to_owned());
        }
        let bytes = worker.read_up_to(lookup, SCRIPT_LIMIT.min(self.bytes));
        if let Observed::Found(bytes) = &bytes {
            self.bytes = self.bytes.saturating_sub(bytes.len() as u64);
        }
        bytes
    }
}

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
        foreign: Observed::Absent,
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
        facts.crontabs = crontabs(worker, &mut Budget::new(TIME_LIMIT));
        if let Observed::Found(real) = &real {
            let mut tree = Tree::new(worker, policy);
            facts.foreign = git_owners::search(worker, real, &facts.git, &mut Budget::new(TIME_LIMIT));
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
    worker.read_up_to(lookup, MAKEFILE_LIMIT).map(|bytes| makefile::parse(&String::from_utf8_lossy(&bytes)))
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
    budget: Budget,
}

impl<'a, 'w> Tree<'a, 'w> {
    fn new(worker: &'a Worker<'w>, policy: &'a RepositoryPolicy) -> Self {
        Self { worker, policy, budget: Budget::new(TIME_LIMIT) }
    }

    /// Calls `each` with the path relative to `top` of every file and link below; directories whose names
    /// the contract skips are passed over, and git's own.
    fn walk(&mut self, top: &str, from: &str, each: &mut dyn FnMut(&str)) -> Vec<(Arc<str>, String)> {
        let mut unread = Vec::new();
        let mut waiting = vec![from.to_owned()];
        (self.budget.directories, self.budget.entries) = (MOST_DIRECTORIES, MOST_ENTRIES);
        self.budget.paths = ALL_PATHS;
        while let Some(below) = waiting.pop() {
            let path = if below.is_empty() { top.to_owned() } else { format!("{top}/{below}") };
            if let Err(why) = self.budget.directory() {
                unread.push((path.into(), why));
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
            self.budget.entries(entries.len());
            for Entry { name, kind, .. } in entries {
                let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
                if let Err(why) = self.budget.path(&path) {
                    unread.push((format!("{top}/{below}").into(), why));
                    return unread;
                }
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
        self.budget.entries = MOST_ENTRIES;
        let read = facts.as_ref().and_then(|git| {
            git::tracked(self.worker, git, |path| {
                self.budget.entry()?;
                if matches(path) {
                    self.budget.path(path)?;
                    tracked.insert(path.to_owned());
                }
                Ok(())
            })
        });
        if let Observed::Unreadable(why) = read {
            unread.push((format!("{top}/.git").into(), why));
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
        Search { found, unread, ..Search::default() }
    }

    /// The shell scripts beside the wrapper and below its first directory.
    fn scripts(&mut self, top: &str) -> Search<ShellScript> {
        let Some((directory, _)) = self.policy.wrapper.as_ref().and_then(|file| file.value.split_once('/'))
        else {
            return Search::default();
        };
        let mut files = Vec::new();
        let unread = self.walk(top, directory, &mut |path| files.push(format!("{top}/{path}")));
        let mut search = Search { unread, ..Search::default() };
        files.sort_unstable();
        for path in files {
            let by_name = path.ends_with(".sh") || path.ends_with(".bash");
            let has_other_name = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
            if has_other_name && !by_name {
                continue;
            }
            let lookup = self.worker.walker.lookup(&path);
            if matches!(lookup.node(), Ok(Some(step)) if step.meta.kind == NodeKind::Directory) {
                continue;
            }
            let bytes = match self.budget.read(self.worker, &lookup) {
                Observed::Found(bytes) => bytes,
                Observed::Absent => continue,
                Observed::Unreadable(why) => {
                    search.unread.push((path.into(), why));
                    continue;
                }
            };
            if !by_name && !is_shell(&bytes) {
                continue;
            }
            match self.budget.calls(&[(&String::from_utf8_lossy(&bytes), 1)]) {
                Ok(commands) => search.found.push(ShellScript { path: path.into(), commands }),
                Err(why) => search.unread.push((path.into(), why)),
            }
        }
        search
    }
}

/// What cron runs: the system's crontabs and those of users.
fn crontabs(worker: &Worker<'_>, budget: &mut Budget) -> Search<ShellScript> {
    let mut search = Search::default();
    let mut files = vec![("/etc/crontab".to_owned(), true)];
    for (directory, names_user) in [("/etc/cron.d", true), ("/var/spool/cron/crontabs", false)] {
        match worker.list(&worker.walker.lookup(directory)) {
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
        match budget.read(worker, &worker.walker.lookup(&path)) {
            Observed::Found(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let jobs = crontab::parse(&text, names_user);
                let texts: Vec<(&str, u32)> = jobs.iter().map(|job| (job.command, job.line)).collect();
                match budget.calls(&texts) {
                    Ok(commands) => search.found.push(ShellScript { path: path.into(), commands }),
                    Err(why) => search.unread.push((path.into(), why)),
                }
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

/// Users whose word on a host counts: root, and those of the contract. Everybody else is a stranger.
fn known_users(worker: &Worker<'_>) -> HashSet<u32> {
    let contract = worker.ground.contract;
    let services = contract.services.iter().map(|service| service.user.value.as_str());
    let owners = contract.layout.values().filter_map(|place| place.owner.as_ref());
    let names = services
        .chain([contract.identity.user.value.as_str()])
        .chain(owners.map(|owner| owner.value.as_str()));
    let accounts = worker.ground.accounts.known().ok().flatten();
    let uids = names.filter_map(|name| Some(accounts?.user(name)?.uid));
    uids.chain([0]).collect()
}

/// A directory that waits to be searched.
struct Waiting {
    path: String,
    depth: u32,
    /// It lies in the tree of a stranger, who may have laid out anything there.
    is_strange: bool,
}

/// Work trees below the contract's roots, but for the repository itself. The trees of strangers come last and have
/// bounds of their own, so that none of them keeps the search from its end.
fn clones(worker: &Worker<'_>, policy: &RepositoryPolicy, own: &str) -> Search<WorkTree> {
    let users = known_users(worker);
    let mut search = Search::default();
    let mut found = HashSet::new();
    let mut waiting = Vec::new();
    let mut strange = Vec::new();
    for root in &policy.clone_roots.value {
        match worker.walker.lookup(root).node() {
            Ok(Some(step)) => {
                let on = worker.ground.system.file_system(&step.path);
                waiting.push((Waiting { path: step.path.to_string(), depth: 0, is_strange: false }, on));
            }
            Ok(None) => {}
            Err(undecided) => search.unread.push((root.as_str().into(), undecided.why)),
        }
    }
    let mut budget = Budget::new(TIME_LIMIT);
    let mut among_strangers = false;
    loop {
        let Some((at, on)) = waiting.pop() else {
            if among_strangers || strange.is_empty() {
                break;
            }
            (among_strangers, budget) = (true, Budget::new(TIME_FOR_STRANGERS));
            std::mem::swap(&mut waiting, &mut strange);
            continue;
        };
        if at.path == own || found.contains(&at.path) {
            continue;
        }
        let (owner, is_open, is_sticky) = match worker.ground.system.node(&at.path) {
            Observed::Found((meta, _)) => (meta.uid, meta.mode & 0o002 != 0, meta.mode & 0o1000 != 0),
            _ => (0, false, false),
        };
        let is_strange = at.is_strange || !users.contains(&owner) || is_open && !is_sticky;
        // Strangers can fill what everybody can write; what others have put there is still theirs.
        if (is_strange || is_open) && !among_strangers {
            strange.push((Waiting { is_strange, ..at }, on));
            continue;
        }
        let unread = if among_strangers { &mut search.strange } else { &mut search.unread };
        if let Err(why) = budget.directory() {
            unread.push((at.path.into(), why));
            waiting.clear();
            continue;
        }
        let entries = match worker.ground.system.entries(&at.path) {
            Observed::Found(entries) => entries,
            Observed::Absent => continue,
            Observed::Unreadable(why) => {
                unread.push((at.path.into(), why));
                continue;
            }
        };
        budget.entries(entries.len());
        if entries.iter().any(|entry| entry.name == ".git") {
            match clone(worker, &at.path) {
                Ok(None) => {}
                Ok(Some(remotes)) => {
                    found.insert(at.path.clone());
                    let path = at.path.as_str().into();
                    search.found.push(WorkTree { path, remotes, is_strange });
                }
                Err(why) => unread.push((at.path.as_str().into(), why)),
            }
        }
        if at.depth == policy.clone_depth.value {
            continue;
        }
        for Entry { name, kind, .. } in entries {
            let skipped = name == ".git" || policy.clone_skip.value.contains(&name);
            let path = format!("{}/{name}", at.path.trim_end_matches('/'));
            // Other file systems are passed over: backups, network shares, images.
            if kind == NodeKind::Directory && !skipped && worker.ground.system.file_system(&path) == on {
                waiting.push((Waiting { path, depth: at.depth + 1, is_strange }, on.clone()));
            }
        }
    }
    search.found.sort_by(|a, b| a.path.cmp(&b.path));
    search
}

/// The remotes of a work tree; `None` where it is none.
fn clone(worker: &Worker<'_>, path: &str) -> Result<Option<Vec<String>>, String> {
    let config = git::look(worker, path).and_then(|git| git.config);
    match config {
        Observed::Found(config) => Ok(Some(config.remotes.into_values().collect())),
        Observed::Absent => Ok(None),
        Observed::Unreadable(why) => Err(why),
    }
}
