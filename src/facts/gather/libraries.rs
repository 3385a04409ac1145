//! Shared libraries of a program, found as ld.so(8) would find them, and none of them loaded.
//!
//! Objects are files of anybody, so each program has bounds: on what an object names, on the objects and the paths that
//! are looked at, and on the time. Beyond them it is not known what the program lacks.

mod conf;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Pad, Worker, content};
use crate::facts::MissingLibrary;
use crate::model::{Lookup, Observed};
use crate::syntax::elf::dynamic::{self, DynamicFault, MOST_DIRECTORIES};
use crate::syntax::elf::{self, Elf, Loader, Machine};
use crate::system::{System, Walker};

/// A program with more libraries is not followed further.
const MOST_LIBRARIES: usize = 512;

/// How many paths are looked at for one program, and their bytes. A large program of a desktop takes some thousands.
const MOST_LOOKUPS: usize = 50_000;
const MOST_BYTES: usize = 8 << 20;

/// How long one program takes at most, and all of them.
const TIME_LIMIT: Duration = Duration::from_secs(5);
const TIME_FOR_ALL: Duration = Duration::from_secs(15);

/// No name in a directory is longer (NAME_MAX).
const LONGEST_NAME: usize = 255;

/// More objects than this are not remembered at a time.
const MOST_OBJECTS: usize = 4096;

/// Directories for newer processors that older loaders know (glibc before 2.37). The newer ones are listed.
const OF_PROCESSORS: &[&str] = &[
    "tls",
    "haswell",
    "x86_64",
    "avx512_1",
    "atomics",
    "haswell/avx512_1",
    "haswell/x86_64",
    "tls/haswell",
    "tls/x86_64",
    "tls/haswell/x86_64",
];

/// What the environment of a program says about its libraries.
pub(super) struct Stated<'s> {
    /// `LD_LIBRARY_PATH`.
    pub(super) library_path: Option<&'s str>,
    /// `LD_PRELOAD`.
    pub(super) preload: Option<&'s str>,
}

/// What was read of objects and of the system, for all programs.
#[derive(Default)]
pub(super) struct Known {
    objects: BTreeMap<Arc<str>, Result<(Elf, dynamic::Dynamic), DynamicFault>>,
    /// Directories of ld.so.conf(5), and why some of it is not known.
    directories: Option<(Vec<String>, Option<String>)>,
    /// Objects that every program gets, `/etc/ld.so.preload`.
    preload: Option<Observed<String>>,
    /// Where the system has a library of this name for this machine.
    of_the_system: HashMap<String, Option<String>>,
    spent: Duration,
}

/// An object and what it asks for.
struct Object {
    path: String,
    soname: Option<String>,
    needed: Vec<String>,
    runpath: Vec<String>,
    /// Its own and its users' older directories, where it has no `runpath`.
    rpath: Vec<String>,
}

/// The libraries that a program needs and that nobody would find; absent where it is not told how they are looked for.
pub(super) fn missing(
    worker: &Worker<'_>,
    program: &str,
    stated: &Stated<'_>,
    pad: &mut Pad,
) -> Observed<Vec<MissingLibrary>> {
    let known = &mut pad.libraries_known;
    if known.spent > TIME_FOR_ALL {
        return Observed::Unreadable("the libraries of other programs have taken all of the time".to_owned());
    }
    let start = Instant::now();
    let walker = Walker::new(worker.ground.system);
    let (loaded, unread) = (BTreeSet::new(), None);
    let (until, own, system) = (start + TIME_LIMIT, None, Vec::new());
    let (lookups, bytes, newer) = (MOST_LOOKUPS, MOST_BYTES, HashMap::new());
    let mut closure =
        Closure { worker, walker, known, own, system, loaded, unread, newer, lookups, bytes, until };
    let missing = closure.lacks(program, stated).unwrap_or_else(|why| {
        Observed::Unreadable(format!("the libraries of {program} are not all looked at: {why}"))
    });
    known.spent += start.elapsed();
    missing
}

/// One program with its libraries.
struct Closure<'w, 'a> {
    worker: &'w Worker<'a>,
    /// Its own, so that what is not there is forgotten with it.
    walker: Walker<'a, dyn System + 'a>,
    known: &'w mut Known,
    own: Option<Elf>,
    /// Where the system has libraries.
    system: Vec<String>,
    /// Names that are loaded, by which they were asked for or by which they call themselves.
    loaded: BTreeSet<String>,
    /// Why something could not be read that may be the library that is looked for.
    unread: Option<String>,
    /// Directories for newer processors in a directory.
    newer: HashMap<String, Vec<String>>,
    lookups: usize,
    bytes: usize,
    until: Instant,
}

impl Closure<'_, '_> {
    /// What the program lacks; an error says which bound was met.
    fn lacks(&mut self, program: &str, stated: &Stated<'_>) -> Result<Observed<Vec<MissingLibrary>>, String> {
        let Some(root) = self.object(program, &[])? else { return Ok(Observed::Absent) };
        if !self.is_told() {
            return Ok(Observed::Absent);
        }
        let origin = directory_of(&root.path);
        let library_path = stated.library_path.unwrap_or_default();
        let parts = library_path.split([':', ';']).filter(|_| !library_path.is_empty());
        let library_path = self.expanded(parts, origin)?;
        let mut open: VecDeque<Object> = self.preloaded(&root, stated, &library_path)?.into();
        open.push_front(root);
        let mut lacking = Vec::new();
        let mut count = 0;
        while let Some(user) = open.pop_front() {
            for name in &user.needed {
                if self.loaded.contains(name) {
                    continue;
                }
                count += 1;
                if count > MOST_LIBRARIES {
                    return Err(format!("it needs more than {MOST_LIBRARIES}"));
                }
                match self.find(&user, name, &library_path)? {
                    Some(library) => {
                        self.loaded.extend(library.soname.clone());
                        open.push_back(library);
                    }
                    None => lacking.push(MissingLibrary { name: name.clone(), wanted_by: user.path.clone() }),
                }
                self.loaded.insert(name.clone());
            }
        }
        Ok(match self.unread.take().filter(|_| !lacking.is_empty()) {
            Some(why) => Observed::Unreadable(why),
            None => Observed::Found(lacking),
        })
    }

    /// Pays for a look at a path.
    fn spend(&mut self, path: &str) -> Result<(), String> {
        self.lookups = self.lookups.checked_sub(1).ok_or("too many paths are looked at")?;
        self.bytes = self.bytes.checked_sub(path.len()).ok_or("the paths are too long")?;
        match Instant::now() > self.until {
            true => Err("it takes too long".to_owned()),
            false => Ok(()),
        }
    }

    fn lookup(&mut self, path: &str) -> Result<Lookup, String> {
        self.spend(path)?;
        Ok(self.walker.lookup(path))
    }

    /// Objects that are loaded before all others and so are there for whoever needs them. One that is not found is
    /// passed over, as the loader does.
    fn preloaded(
        &mut self,
        root: &Object,
        stated: &Stated<'_>,
        library_path: &[String],
    ) -> Result<Vec<Object>, String> {
        let file = self.known.preload.get_or_insert_with(|| {
            let bytes = self.worker.read(&self.worker.walker.lookup("/etc/ld.so.preload"));
            bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        });
        let file = match file {
            Observed::Found(text) => text.clone(),
            Observed::Absent => String::new(),
            Observed::Unreadable(why) => {
                self.unread = Some(format!("/etc/ld.so.preload: {why}"));
                String::new()
            }
        };
        let stated = stated.preload.unwrap_or_default().split([' ', ':']);
        let of_the_host = file.split(|c: char| c.is_whitespace() || c == ':');
        let mut all = Vec::new();
        for name in stated.chain(of_the_host).filter(|name| !name.is_empty()) {
            if all.len() == MOST_LIBRARIES {
                return Err(format!("more than {MOST_LIBRARIES} are loaded before"));
            }
            if let Some(object) = self.find(root, name, library_path)? {
                self.loaded.extend(object.soname.clone());
                self.loaded.insert(name.to_owned());
                all.push(object);
            }
        }
        Ok(all)
    }

    /// The first library of a name that fits, in the order of ld.so(8): `DT_RPATH`, `LD_LIBRARY_PATH`, `DT_RUNPATH`, and
    /// what the system has.
    fn find(&mut self, user: &Object, name: &str, library_path: &[String]) -> Result<Option<Object>, String> {
        if name.contains('/') {
            for path in self.expanded([name].into_iter(), directory_of(&user.path))? {
                if let Some(object) = self.fitting(&path, user)? {
                    return Ok(Some(object));
                }
            }
            return Ok(None);
        }
        if name.len() > LONGEST_NAME {
            return Ok(None);
        }
        for directory in user.rpath.iter().chain(library_path).chain(&user.runpath) {
            if let Some(object) = self.fitting(&format!("{directory}/{name}"), user)? {
                return Ok(Some(object));
            }
        }
        if let Some(object) = self.in_system(user, name)? {
            return Ok(Some(object));
        }
        // What is built for some processors alone lies below; here it is enough that it is there.
        let system = std::mem::take(&mut self.system);
        let all = user.rpath.iter().chain(library_path).chain(&user.runpath).chain(&system);
        let found = all.map(|directory| self.in_newer(user, name, directory)).find_map(Result::transpose);
        self.system = system;
        found.transpose()
    }

    /// A library in the directories of the system, which are the same for all programs of this machine.
    fn in_system(&mut self, user: &Object, name: &str) -> Result<Option<Object>, String> {
        let key = format!("{:?} {name}", self.own.as_ref().map(|own| (own.machine, &own.loader)));
        if let Some(found) = self.known.of_the_system.get(&key) {
            return match found.clone() {
                Some(path) => self.fitting(&path, user),
                None => Ok(None),
            };
        }
        let before = self.unread.clone();
        let system = std::mem::take(&mut self.system);
        let mut found = Ok(None);
        for directory in &system {
            let path = format!("{directory}/{name}");
            match self.fitting(&path, user) {
                Ok(None) => {}
                other => {
                    found = other.map(|object| object.map(|object| (path, object)));
                    break;
                }
            }
        }
        self.system = system;
        let found = found?;
        let is_known = self.unread == before && self.known.of_the_system.len() < MOST_OBJECTS;
        if is_known {
            let path = found.as_ref().map(|(path, _)| path.clone());
            self.known.of_the_system.insert(key, path);
        }
        Ok(found.map(|(_, object)| object))
    }

    /// A library in the directories for newer processors of a directory (ld.so(8), `glibc-hwcaps`).
    fn in_newer(&mut self, user: &Object, name: &str, directory: &str) -> Result<Option<Object>, String> {
        if !self.newer.contains_key(directory) {
            let mut newer = Vec::new();
            for below in OF_PROCESSORS {
                let path = format!("{directory}/{below}");
                if self.lookup(&path)?.real().is_some() {
                    newer.push(path);
                }
            }
            let levels = format!("{directory}/glibc-hwcaps");
            match content(&self.lookup(&levels)?).and_then(|real| self.worker.ground.system.list(real)) {
                Observed::Found(names) => {
                    newer.extend(names.iter().take(MOST_DIRECTORIES).map(|name| format!("{levels}/{name}")));
                }
                Observed::Absent => {}
                Observed::Unreadable(why) => self.unread = Some(format!("{levels}: {why}")),
            }
            self.newer.insert(directory.to_owned(), newer);
        }
        for below in self.newer.get(directory).cloned().unwrap_or_default() {
            if let Some(object) = self.fitting(&format!("{below}/{name}"), user)? {
                return Ok(Some(object));
            }
        }
        Ok(None)
    }

    /// An object for the machine of the program.
    fn fitting(&mut self, path: &str, user: &Object) -> Result<Option<Object>, String> {
        self.object(path, &user.rpath)
    }

    /// Reads an object; nothing where there is none that can be read, or it is one of another machine.
    fn object(&mut self, path: &str, inherited: &[String]) -> Result<Option<Object>, String> {
        let lookup = self.lookup(path)?;
        let real = match content(&lookup) {
            Observed::Found(real) => real,
            Observed::Absent => return Ok(None),
            Observed::Unreadable(why) => {
                self.unread = Some(why);
                return Ok(None);
            }
        };
        let objects = &mut self.known.objects;
        if !objects.contains_key(real) {
            if objects.len() == MOST_OBJECTS {
                objects.clear();
            }
            objects.insert(real.into(), read(self.worker, real));
        }
        let (elf, asked) = match objects.get(real) {
            Some(Ok(read)) => read.clone(),
            Some(Err(DynamicFault::TooMuch)) => return Err(format!("{real}: {}", DynamicFault::TooMuch)),
            _ => return Ok(None),
        };
        let own = self.own.get_or_insert_with(|| elf.clone());
        if (elf.machine, elf.is_64_bit) != (own.machine, own.is_64_bit) {
            return Ok(None);
        }
        let origin = directory_of(real);
        let runpath = self.expanded(asked.runpath.iter().map(String::as_str), origin)?;
        let rpath = match asked.runpath.is_empty() {
            true => {
                let mut rpath = self.expanded(asked.rpath.iter().map(String::as_str), origin)?;
                let new = inherited.iter().filter(|path| !rpath.contains(path)).cloned();
                rpath.extend(new.collect::<Vec<_>>());
                rpath
            }
            false => Vec::new(),
        };
        if rpath.len() > MOST_DIRECTORIES {
            return Err(format!("{real} and what loads it name more than {MOST_DIRECTORIES} directories"));
        }
        Ok(Some(Object { path: real.to_owned(), soname: asked.soname, needed: asked.needed, runpath, rpath }))
    }

    /// Directories as the loader reads them: `$ORIGIN` is the directory of the object, `$LIB` what the system calls its
    /// libraries, which differs from one to the next, `$PLATFORM` the processor.
    fn expanded<'p>(
        &mut self,
        paths: impl Iterator<Item = &'p str>,
        origin: &str,
    ) -> Result<Vec<String>, String> {
        let triplet = self.own.as_ref().and_then(|own| triplet(own.machine));
        let platform = triplet.map_or("", |triplet| triplet.split('-').next().unwrap_or(""));
        let mut all = Vec::new();
        for path in paths {
            let path = replaced(&replaced(path, "ORIGIN", origin), "PLATFORM", platform);
            if !path.starts_with('/') {
                self.unread = Some(format!("{path:?} is looked for from the working directory"));
                continue;
            }
            match replaced(&path, "LIB", "lib") == path {
                true => all.push(path),
                false => {
                    let multiarch = triplet.map(|triplet| format!("lib/{triplet}"));
                    let names = ["lib", "lib64"].into_iter().chain(multiarch.as_deref());
                    all.extend(names.map(|name| replaced(&path, "LIB", name)));
                }
            }
            if all.len() > MOST_DIRECTORIES {
                return Err(format!("more than {MOST_DIRECTORIES} directories"));
            }
        }
        Ok(all)
    }

    /// Whether it is told where the loader of the program looks beside what objects say; takes that down.
    fn is_told(&mut self) -> bool {
        let Some(own) = self.own.clone() else { return false };
        match system_directories(self.worker, &own, self.known) {
            Some((system, unread)) => {
                self.system = system;
                self.unread = unread.or(self.unread.take());
                true
            }
            None => false,
        }
    }
}

/// The directory in which an object lies.
fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(directory, _)| directory)
}

/// A word of the loader in a path, in both of its spellings.
fn replaced(path: &str, word: &str, by: &str) -> String {
    path.replace(&format!("${{{word}}}"), by).replace(&format!("${word}"), by)
}

fn read(worker: &Worker<'_>, real: &str) -> Result<(Elf, dynamic::Dynamic), DynamicFault> {
    let system = worker.ground.system;
    let Observed::Found(start) = system.head(real, elf::ENOUGH as u64) else {
        return Err(DynamicFault::Broken);
    };
    let header = elf::parse(&start).map_err(|_| DynamicFault::Broken)?;
    let part = |at: usize, most: usize| match system.part(real, at as u64, most) {
        Observed::Found(bytes) => Some(bytes),
        _ => None,
    };
    Ok((header, dynamic::dynamic(&start, &part)?))
}

/// What a distribution calls the libraries of a machine beside others.
fn triplet(machine: Machine) -> Option<&'static str> {
    Some(match machine {
        Machine::X86_64 => "x86_64-linux-gnu",
        Machine::Aarch64 => "aarch64-linux-gnu",
        Machine::X86 => "i386-linux-gnu",
        Machine::Arm => "arm-linux-gnueabihf",
        Machine::Riscv => "riscv64-linux-gnu",
        Machine::Other(_) => return None,
    })
}

/// Where the loader of a program looks beside what objects say, and why some of that is not known; nothing for a loader
/// that is not known here.
fn system_directories(
    worker: &Worker<'_>,
    own: &Elf,
    known: &mut Known,
) -> Option<(Vec<String>, Option<String>)> {
    let Loader::Path(loader) = &own.loader else { return None };
    let name = loader.rsplit('/').next().unwrap_or(loader);
    let owned = |paths: &[&str]| -> Vec<String> { paths.iter().map(|path| (*path).to_owned()).collect() };
    if name.starts_with("ld-musl-") {
        let stated = worker.read(&worker.walker.lookup(&format!("/etc/{}", name.replace(".so.1", ".path"))));
        return Some(match stated {
            Observed::Found(text) => {
                let text = String::from_utf8_lossy(&text);
                let parts = text.split(['\n', ':']).filter(|part| part.starts_with('/'));
                (parts.take(MOST_DIRECTORIES).map(str::to_owned).collect(), None)
            }
            _ => (owned(&["/lib", "/usr/local/lib", "/usr/lib"]), None),
        });
    }
    // A loader in a store of packages (Nix, Guix) has other directories built in.
    if !name.starts_with("ld-linux") && !name.starts_with("ld64")
        || !["/lib", "/lib64", "/usr/lib", "/usr/lib64"].contains(&directory_of(loader))
    {
        return None;
    }
    let triplet = triplet(own.machine)?;
    let (stated, unread) = known.directories.get_or_insert_with(|| conf::directories(worker)).clone();
    let usual = owned(&["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/lib32", "/usr/lib32"]);
    let multiarch = [format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")];
    Some((stated.into_iter().chain(usual).chain(multiarch).collect(), unread))
}
