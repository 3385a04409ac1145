//! Shared libraries of a program, found as ld.so(8) would find them, and none of them loaded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Pad, Worker, content};
use crate::facts::MissingLibrary;
use crate::facts::start::simplified;
use crate::model::Observed;
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

/// The libraries that a program needs and that nobody would find; absent where it is not told how they are looked for.
pub(super) fn missing(
    worker: &Worker<'_>,
    program: &str,
    stated: &[String],
    pad: &mut Pad,
) -> Observed<Vec<MissingLibrary>> {
    pad.unread_object = None;
    let Some((own, root)) = object(worker, program, &[], pad) else { return Observed::Absent };
    let Some(system) = directories(worker, &own, pad) else { return Observed::Absent };
    let mut lacking = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = VecDeque::from([root]);
    while let Some(user) = open.pop_front() {
        for name in &user.needed {
            if !seen.insert(name.clone()) {
                continue;
            }
            if seen.len() > MOST_LIBRARIES {
                return Observed::Unreadable(format!("{program} needs more than {MOST_LIBRARIES} libraries"));
            }
            match find(worker, &own, &user, name, (stated, &system), pad) {
                Some(library) => open.push_back(library),
                None => lacking.push(MissingLibrary { name: name.clone(), wanted_by: user.path.clone() }),
            }
        }
    }
    match pad.unread_object.take().filter(|_| !lacking.is_empty()) {
        Some(why) => Observed::Unreadable(why),
        None => Observed::Found(lacking),
    }
}

/// The first library of a name that fits, in the order of ld.so(8): `DT_RPATH`, `LD_LIBRARY_PATH`, `DT_RUNPATH`, and what
/// the system has.
fn find(
    worker: &Worker<'_>,
    own: &Elf,
    user: &Object,
    name: &str,
    (stated, system): (&[String], &[String]),
    pad: &mut Pad,
) -> Option<Object> {
    let fitting = |path: &str, pad: &mut Pad| {
        let (elf, object) = object(worker, path, &user.rpath, pad)?;
        ((elf.machine, elf.is_64_bit) == (own.machine, own.is_64_bit)).then_some(object)
    };
    if name.contains('/') {
        return fitting(name, pad);
    }
    let directories = user.rpath.iter().chain(stated).chain(&user.runpath).chain(system);
    directories.map(|directory| format!("{directory}/{name}")).find_map(|path| fitting(&path, pad))
}

/// Reads an object; nothing where there is none that can be read.
fn object(worker: &Worker<'_>, path: &str, inherited: &[String], pad: &mut Pad) -> Option<(Elf, Object)> {
    let lookup = worker.walker.lookup(path);
    let real = match content(&lookup) {
        Observed::Found(real) => real,
        Observed::Absent => return None,
        Observed::Unreadable(why) => {
            pad.unread_object = Some(why);
            return None;
        }
    };
    if !pad.objects.contains_key(real) {
        let read = read(worker, real);
        pad.objects.insert(real.into(), read);
    }
    let (elf, asked) = pad.objects.get(real)?.clone()?;
    let origin = real.rsplit_once('/').map_or("/", |(directory, _)| directory);
    let expand =
        |paths: &[String]| -> Vec<String> { paths.iter().map(|path| expanded(path, origin)).collect() };
    let runpath = expand(&asked.runpath);
    let rpath = match runpath.is_empty() {
        true => expand(&asked.rpath).into_iter().chain(inherited.iter().cloned()).collect(),
        false => Vec::new(),
    };
    Some((elf, Object { path: real.to_owned(), needed: asked.needed, runpath, rpath }))
}

fn read(worker: &Worker<'_>, real: &str) -> Option<(Elf, dynamic::Dynamic)> {
    let system = worker.ground.system;
    let Observed::Found(start) = system.head(real, elf::ENOUGH as u64) else { return None };
    let header = elf::parse(&start).ok()?;
    let part = |at: usize, most: usize| match system.part(real, at as u64, most) {
        Observed::Found(bytes) => Some(bytes),
        _ => None,
    };
    Some((header, dynamic::dynamic(&start, &part)?))
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

/// Where the loader of a program looks beside what objects say; nothing for a loader that is not known here.
fn directories(worker: &Worker<'_>, own: &Elf, pad: &mut Pad) -> Option<Vec<String>> {
    let Loader::Path(loader) = &own.loader else { return None };
    let name = loader.rsplit('/').next().unwrap_or(loader);
    let owned = |paths: &[&str]| -> Vec<String> { paths.iter().map(|path| (*path).to_owned()).collect() };
    if name.starts_with("ld-musl-") {
        let stated = worker.read(&worker.walker.lookup(&format!("/etc/{}", name.replace(".so.1", ".path"))));
        return Some(match stated {
            Observed::Found(text) => {
                String::from_utf8_lossy(&text).split(['\n', ':']).map(str::to_owned).collect()
            }
            _ => owned(&["/lib", "/usr/local/lib", "/usr/lib"]),
        });
    }
    // A loader in a store of packages (Nix, Guix) has other directories built in.
    if !name.starts_with("ld-linux") && !name.starts_with("ld64")
        || !["/lib", "/lib64", "/usr/lib", "/usr/lib64"]
            .iter()
            .any(|directory| loader.rsplit_once('/').is_some_and(|(of, _)| of == *directory))
    {
        return None;
    }
    if pad.library_directories.is_none() {
        let mut conf = Conf { worker, seen: BTreeSet::new(), directories: Vec::new(), unread: None };
        conf.read("/etc/ld.so.conf", 0);
        conf.directories.extend(owned(&["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/lib32", "/usr/lib32"]));
        pad.library_directories = Some((conf.directories, conf.unread));
    }
    let (of_the_system, unread) = pad.library_directories.clone().unwrap_or_default();
    pad.unread_object = unread.or(pad.unread_object.take());
    let triplet = match own.machine {
        Machine::X86_64 => "x86_64-linux-gnu",
        Machine::Aarch64 => "aarch64-linux-gnu",
        Machine::X86 => "i386-linux-gnu",
        Machine::Arm => "arm-linux-gnueabihf",
        Machine::Riscv => "riscv64-linux-gnu",
        Machine::Other(_) => return None,
    };
    let multiarch = [format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")];
    let all: Vec<String> = of_the_system.into_iter().chain(multiarch).collect();
    // What is built for newer processors is looked for first; here it is enough that it is there.
    let newer = all.iter().flat_map(|directory| {
        ["x86-64-v2", "x86-64-v3", "x86-64-v4"].map(|level| format!("{directory}/glibc-hwcaps/{level}"))
    });
    let newer: Vec<String> = newer.filter(|path| worker.walker.lookup(path).real().is_some()).collect();
    Some(all.into_iter().chain(newer).collect())
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
pub(super) type Objects = BTreeMap<Arc<str>, Option<(Elf, dynamic::Dynamic)>>;
