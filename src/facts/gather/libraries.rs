//! Shared libraries of a program, found as ld.so(8) would find them, and none of them loaded.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Pad, Worker, content};
use crate::facts::MissingLibrary;
use crate::facts::start::simplified;
use crate::model::{End, Observed};
use crate::syntax::elf::{self, Elf, Loader, Machine, dynamic};
use crate::syntax::glob;

/// A program with more libraries is not followed further.
const MOST_LIBRARIES: usize = 512;

/// ld.so.conf(5) includes itself no deeper, and no more files.
const DEEPEST_INCLUDE: usize = 4;
const MOST_FILES: usize = 1000;

/// An object and what it asks for.
struct Object {
    path: String,
    needed: Vec<String>,
    runpath: Vec<String>,
    /// Its own and its users' older directories, where it has no `runpath`.
    rpath: Vec<String>,
}

/// The libraries that a program needs and that nobody would find. What is certainly not there counts beside what could not
/// be read; absent where the program asks for none or is no object.
pub(super) fn missing(
    worker: &Worker<'_>,
    program: &str,
    stated: &[String],
    pad: &mut Pad,
) -> Observed<Vec<MissingLibrary>> {
    object(worker, program, &[], pad).and_then(|(own, root)| {
        let Some(system) = System::of(worker, &own, pad) else { return Observed::Absent };
        let (mut lacking, mut unknown) = (Vec::new(), None);
        let mut seen = BTreeSet::new();
        let mut open = VecDeque::from([root]);
        while let Some(user) = open.pop_front() {
            for name in &user.needed {
                if !seen.insert(name.clone()) {
                    continue;
                }
                if seen.len() > MOST_LIBRARIES {
                    return Observed::Unreadable(format!(
                        "{program} needs more than {MOST_LIBRARIES} libraries"
                    ));
                }
                match find(worker, &own, &user, name, (stated, &system), pad) {
                    Observed::Found(library) => open.push_back(library),
                    Observed::Absent => {
                        lacking.push(MissingLibrary { name: name.clone(), wanted_by: user.path.clone() });
                    }
                    Observed::Unreadable(why) => drop(unknown.get_or_insert(format!("{name}: {why}"))),
                }
            }
        }
        match unknown.filter(|_| lacking.is_empty()) {
            Some(why) => Observed::Unreadable(why),
            None => Observed::Found(lacking),
        }
    })
}

/// The first library of a name that fits, in the order of ld.so(8): `DT_RPATH`, `LD_LIBRARY_PATH`, `DT_RUNPATH`, and what
/// the system has. One that cannot be read may be the one that the loader takes.
fn find(
    worker: &Worker<'_>,
    own: &Elf,
    user: &Object,
    name: &str,
    (stated, system): (&[String], &System),
    pad: &mut Pad,
) -> Observed<Object> {
    let fitting = |path: &str, pad: &mut Pad| match object(worker, path, &user.rpath, pad) {
        Observed::Found((elf, _)) if (elf.machine, elf.is_64_bit) != (own.machine, own.is_64_bit) => {
            Observed::Absent
        }
        other => other.map(|(_, object)| object),
    };
    if name.contains('/') {
        return fitting(name, pad);
    }
    let directories = user.rpath.iter().chain(stated).chain(&user.runpath).chain(&system.directories);
    for directory in directories {
        match fitting(&format!("{directory}/{name}"), pad) {
            Observed::Absent => {}
            found => return found,
        }
    }
    system.unread.clone().map_or(Observed::Absent, Observed::Unreadable)
}

/// Reads an object; absent where there is none, and where the file is none.
fn object(worker: &Worker<'_>, path: &str, inherited: &[String], pad: &mut Pad) -> Observed<(Elf, Object)> {
    let lookup = worker.walker.lookup(path);
    let real = match content(&lookup) {
        Observed::Found(real) => real,
        Observed::Absent => return Observed::Absent,
        Observed::Unreadable(why) => return Observed::Unreadable(why),
    };
    if !pad.objects.contains_key(real) {
        let read = read(worker, real);
        pad.objects.insert(real.into(), read);
    }
    let (elf, asked) = match &pad.objects[real] {
        Observed::Found(read) => read.clone(),
        Observed::Absent => return Observed::Absent,
        Observed::Unreadable(why) => return Observed::Unreadable(format!("{real}: {why}")),
    };
    let origin = real.rsplit_once('/').map_or("/", |(directory, _)| directory);
    let expand =
        |paths: &[String]| -> Vec<String> { paths.iter().map(|path| expanded(path, origin)).collect() };
    let runpath = expand(&asked.runpath);
    let rpath = match runpath.is_empty() {
        true => expand(&asked.rpath).into_iter().chain(inherited.iter().cloned()).collect(),
        false => Vec::new(),
    };
    Observed::Found((elf, Object { path: real.to_owned(), needed: asked.needed, runpath, rpath }))
}

fn read(worker: &Worker<'_>, real: &str) -> Observed<(Elf, dynamic::Dynamic)> {
    let system = worker.ground.system;
    system.head(real, elf::ENOUGH as u64).and_then(|start| {
        let Ok(header) = elf::parse(&start) else { return Observed::Absent };
        let unread = RefCell::new(None);
        let part = |at: usize, most: usize| match system.part(real, at as u64, most) {
            Observed::Found(bytes) => Some(bytes),
            Observed::Absent => None,
            Observed::Unreadable(why) => {
                unread.replace(Some(why));
                None
            }
        };
        let dynamic = dynamic::dynamic(&start, &part);
        match (dynamic, unread.into_inner()) {
            (_, Some(why)) => Observed::Unreadable(why),
            (Some(dynamic), None) => Observed::Found((header, dynamic)),
            (None, None) => Observed::Absent,
        }
    })
}

/// `$ORIGIN` is the directory of the object, `$LIB` what the system calls its libraries.
fn expanded(path: &str, origin: &str) -> String {
    let path = path.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
    simplified_up(&path.replace("${LIB}", "lib").replace("$LIB", "lib"))
}

/// A path without `..`, as far as no link is on the way.
fn simplified_up(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "" | "." => {}
            part => parts.push(part),
        }
    }
    simplified(&parts.join("/"))
}

/// Where the loader of a program looks beside what objects say.
#[derive(Clone, Default)]
pub(super) struct System {
    directories: Vec<String>,
    /// Why there may be more of them.
    unread: Option<String>,
}

impl System {
    /// That of a program's own loader; nothing for a program without one.
    fn of(worker: &Worker<'_>, own: &Elf, pad: &mut Pad) -> Option<Self> {
        let Loader::Path(loader) = &own.loader else { return None };
        let (directory, name) = loader.rsplit_once('/').unwrap_or(("", loader));
        if name.starts_with("ld-musl-") {
            return Some(Self::of_musl(worker, name));
        }
        let is_known = name.starts_with("ld-linux") || name.starts_with("ld64");
        let of_system = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"].contains(&directory);
        let triplet = match own.machine {
            Machine::X86_64 => "x86_64-linux-gnu",
            Machine::Aarch64 => "aarch64-linux-gnu",
            Machine::X86 => "i386-linux-gnu",
            Machine::Arm => "arm-linux-gnueabihf",
            Machine::Riscv => "riscv64-linux-gnu",
            Machine::Other(_) => "",
        };
        // A loader in a store of packages (Nix, Guix) has other directories built in, its own among them.
        if !is_known || !of_system || triplet.is_empty() {
            let unread = Some(format!("which directories {loader} has built in is not known"));
            return Some(Self { directories: vec![directory.to_owned()], unread });
        }
        if pad.system_libraries.is_none() {
            pad.system_libraries = Some(Self::of_conf(worker));
        }
        let Self { mut directories, unread } = pad.system_libraries.clone().unwrap_or_default();
        directories.extend([format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")]);
        // What is built for newer processors is looked for first; here it is enough that it is there.
        let newer = directories.iter().flat_map(|directory| {
            ["x86-64-v2", "x86-64-v3", "x86-64-v4"].map(|level| format!("{directory}/glibc-hwcaps/{level}"))
        });
        let may_be_there = |path: &String| !matches!(worker.walker.lookup(path).end, End::Absent(_));
        let newer: Vec<String> = newer.filter(may_be_there).collect();
        directories.extend(newer);
        Some(Self { directories, unread })
    }

    /// What ld.so.conf names, and what glibc has built in.
    fn of_conf(worker: &Worker<'_>) -> Self {
        let mut conf = Conf { worker, seen: BTreeSet::new(), directories: Vec::new(), unread: None };
        conf.read("/etc/ld.so.conf", 0);
        let built_in = ["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/lib32", "/usr/lib32"];
        conf.directories.extend(built_in.map(str::to_owned));
        Self { directories: conf.directories, unread: conf.unread }
    }

    fn of_musl(worker: &Worker<'_>, name: &str) -> Self {
        let path = format!("/etc/{}", name.replace(".so.1", ".path"));
        let (directories, unread) = match worker.read(&worker.walker.lookup(&path)) {
            Observed::Found(text) => {
                let text = String::from_utf8_lossy(&text);
                (text.split(['\n', ':']).map(str::to_owned).collect(), None)
            }
            Observed::Absent => (["/lib", "/usr/local/lib", "/usr/lib"].map(str::to_owned).into(), None),
            Observed::Unreadable(why) => (Vec::new(), Some(format!("{path}: {why}"))),
        };
        Self { directories, unread }
    }
}

/// The directories of ld.so.conf and of what it includes.
struct Conf<'w, 'a> {
    worker: &'w Worker<'a>,
    seen: BTreeSet<String>,
    directories: Vec<String>,
    /// Why some of it is not known.
    unread: Option<String>,
}

impl Conf<'_, '_> {
    fn read(&mut self, path: &str, depth: usize) {
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        if depth > DEEPEST_INCLUDE || self.seen.len() > MOST_FILES {
            self.unread = Some(format!("{path} is included after too many others"));
            return;
        }
        let bytes = match self.worker.read(&self.worker.walker.lookup(path)) {
            Observed::Found(bytes) => bytes,
            Observed::Absent => return,
            Observed::Unreadable(why) => return self.unread = Some(format!("{path}: {why}")),
        };
        for line in String::from_utf8_lossy(&bytes).lines() {
            let line = line.split('#').next().unwrap_or("").trim();
            match line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t'])) {
                Some(patterns) => {
                    patterns.split_ascii_whitespace().for_each(|pattern| self.include(pattern, depth));
                }
                None if line.starts_with('/') => {
                    self.directories.push(simplified(line.split('=').next().unwrap_or(line)));
                }
                None => {}
            }
        }
    }

    fn include(&mut self, pattern: &str, depth: usize) {
        let pattern = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/{pattern}") };
        let (directory, name) = pattern.rsplit_once('/').unwrap_or(("", &pattern));
        match self.worker.list(&self.worker.walker.lookup(directory)) {
            Observed::Found(names) => {
                for found in names.iter().filter(|found| glob::matches_name(name, found)) {
                    self.read(&format!("{directory}/{found}"), depth + 1);
                }
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => self.unread = Some(format!("{directory}: {why}")),
        }
    }
}

/// What was read of objects, by their real paths.
pub(super) type Objects = BTreeMap<Arc<str>, Observed<(Elf, dynamic::Dynamic)>>;
