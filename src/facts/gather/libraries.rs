//! Shared libraries of a program, found as ld.so(8) would find them, and none of them loaded.
//!
//! Objects are files of anybody, so each program has bounds: on what an object names, on the objects and the paths that
//! are looked at, and on the time. Beyond them, and where something cannot be read, it is not known what the program lacks;
//! what is certainly nowhere counts all the same.

mod conf;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Pad, Worker, content};
use crate::facts::MissingLibrary;
use crate::model::{End, Lookup, Observed};
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
    objects: BTreeMap<Arc<str>, Observed<(Elf, dynamic::Dynamic)>>,
    /// Those of ld.so.conf(5).
    directories: Option<Directories>,
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
    runpath: Directories,
    /// Its own and its users' older directories, where it has no `runpath`.
    rpath: Directories,
}

/// Where libraries are looked for.
#[derive(Clone, Default)]
struct Directories {
    paths: Vec<String>,
    /// Why there may be more of them.
    unread: Option<String>,
}

/// What came of a look; an error says which bound was met.
type Looked<T> = Result<Observed<T>, String>;

/// The libraries that a program needs and that nobody would find. What is certainly not there counts beside what is not
/// known; absent where the program asks for none or is no object.
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
    let (loaded, lacking, unread) = (BTreeSet::new(), Vec::new(), None);
    let (until, own, system) = (start + TIME_LIMIT, None, Arc::default());
    let (lookups, bytes, newer) = (MOST_LOOKUPS, MOST_BYTES, HashMap::new());
    let mut closure =
        Closure { worker, walker, known, own, system, loaded, lacking, unread, newer, lookups, bytes, until };
    let looked = closure.follow(program, stated).unwrap_or_else(|why| {
        Observed::Unreadable(format!("the libraries of {program} are not all looked at: {why}"))
    });
    let lacking = closure.lacking;
    known.spent += start.elapsed();
    match looked {
        Observed::Unreadable(_) if !lacking.is_empty() => Observed::Found(lacking),
        looked => looked.map(|()| lacking),
    }
}

/// One program with its libraries.
struct Closure<'w, 'a> {
    worker: &'w Worker<'a>,
    /// Its own, so that what is not there is forgotten with it.
    walker: Walker<'a, dyn System + 'a>,
    known: &'w mut Known,
    own: Option<Elf>,
    /// Where the system has libraries.
    system: Arc<Directories>,
    /// Names that are loaded, by which they were asked for or by which they call themselves.
    loaded: BTreeSet<String>,
    /// What is certainly nowhere.
    lacking: Vec<MissingLibrary>,
    /// Why any library may be loaded already.
    unread: Option<String>,
    /// Directories for newer processors in a directory.
    newer: HashMap<String, Arc<Directories>>,
    lookups: usize,
    bytes: usize,
    until: Instant,
}

impl Closure<'_, '_> {
    /// Follows what the program needs and takes down what it lacks; absent where it is not told how that is looked for.
    fn follow(&mut self, program: &str, stated: &Stated<'_>) -> Looked<()> {
        let root = match self.object(program, &Directories::default())? {
            Observed::Found(root) => root,
            Observed::Absent => return Ok(Observed::Absent),
            Observed::Unreadable(why) => return Ok(Observed::Unreadable(why)),
        };
        let Some(system) = self.own.as_ref().and_then(|own| system_directories(self.worker, own, self.known))
        else {
            return Ok(Observed::Absent);
        };
        self.system = Arc::new(system);
        let library_path = stated.library_path.unwrap_or_default();
        let parts = library_path.split([':', ';']).filter(|_| !library_path.is_empty());
        let library_path = self.expanded(parts, directory_of(&root.path))?;
        let mut open: VecDeque<Object> = self.preloaded(&root, stated, &library_path)?.into();
        open.push_front(root);
        let (mut count, mut unknown) = (0, None);
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
                    Observed::Found(library) => {
                        self.loaded.extend(library.soname.clone());
                        open.push_back(library);
                    }
                    Observed::Absent => {
                        let wanted_by = user.path.clone();
                        self.lacking.push(MissingLibrary { name: name.clone(), wanted_by });
                    }
                    Observed::Unreadable(why) => drop(unknown.get_or_insert(format!("{name}: {why}"))),
                }
                self.loaded.insert(name.clone());
            }
        }
        Ok(unknown.map_or(Observed::Found(()), Observed::Unreadable))
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

    /// Objects that are loaded before all others and so are there for whoever needs them. One that is not found is ignored, as the loader does; one that cannot be read may be any library.
    fn preloaded(
        &mut self,
        root: &Object,
        stated: &Stated<'_>,
        library_path: &Directories,
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
            match self.find(root, name, library_path)? {
                Observed::Found(object) => {
                    self.loaded.extend(object.soname.clone());
                    self.loaded.insert(name.to_owned());
                    all.push(object);
                }
                Observed::Absent => {}
                Observed::Unreadable(why) => self.unread = Some(format!("{name}, loaded before: {why}")),
            }
        }
        Ok(all)
    }

    /// The first library of a name that fits, in the order of ld.so(8): `DT_RPATH`, `LD_LIBRARY_PATH`, `DT_RUNPATH`, and
    /// what the system has. One that cannot be read may be the one that the loader takes.
    fn find(&mut self, user: &Object, name: &str, library_path: &Directories) -> Looked<Object> {
        if name.contains('/') {
            let paths = self.expanded([name].into_iter(), directory_of(&user.path))?;
            return Ok(match self.first(user, paths.paths.into_iter())? {
                Observed::Absent => nowhere([&paths.unread, &self.unread]),
                found => found,
            });
        }
        if name.len() > LONGEST_NAME {
            return Ok(Observed::Absent);
        }
        let stated = [&user.rpath, library_path, &user.runpath];
        let stated_paths = || stated.iter().flat_map(|directories| &directories.paths);
        match self.first(user, stated_paths().map(|directory| format!("{directory}/{name}")))? {
            Observed::Absent => {}
            found => return Ok(found),
        }
        match self.in_system(user, name)? {
            Observed::Absent => {}
            found => return Ok(found),
        }
        // What is built for some processors alone lies below; here it is enough that it is there.
        let system = self.system.clone();
        let mut newer_unread = None;
        for directory in stated_paths().chain(&system.paths) {
            let newer = self.newer(directory)?;
            match self.first(user, newer.paths.iter().map(|below| format!("{below}/{name}")))? {
                Observed::Absent => newer_unread = newer_unread.or_else(|| newer.unread.clone()),
                found => return Ok(found),
            }
        }
        let [rpath, library_path, runpath] = stated.map(|directories| &directories.unread);
        Ok(nowhere([rpath, library_path, runpath, &system.unread, &newer_unread, &self.unread]))
    }

    /// A library in the directories of the system, which are the same for all programs of this machine.
    fn in_system(&mut self, user: &Object, name: &str) -> Looked<Object> {
        let key = format!("{:?} {name}", self.own.as_ref().map(|own| (own.machine, &own.loader)));
        if let Some(found) = self.known.of_the_system.get(&key) {
            return match found.clone() {
                Some(path) => self.object(&path, &user.rpath),
                None => Ok(Observed::Absent),
            };
        }
        let system = self.system.clone();
        let found = self.first(user, system.paths.iter().map(|directory| format!("{directory}/{name}")))?;
        let path = match &found {
            Observed::Found(object) => Some(object.path.clone()),
            Observed::Absent => None,
            Observed::Unreadable(_) => return Ok(found),
        };
        if self.known.of_the_system.len() < MOST_OBJECTS {
            self.known.of_the_system.insert(key, path);
        }
        Ok(found)
    }

    /// The directories for newer processors in a directory (ld.so(8), `glibc-hwcaps`).
    fn newer(&mut self, directory: &str) -> Result<Arc<Directories>, String> {
        if let Some(newer) = self.newer.get(directory) {
            return Ok(newer.clone());
        }
        let mut newer = Directories::default();
        for below in OF_PROCESSORS {
            let path = format!("{directory}/{below}");
            // Whether one that cannot be looked at has the library is asked there.
            if !matches!(self.lookup(&path)?.end, End::Absent(_)) {
                newer.paths.push(path);
            }
        }
        let levels = format!("{directory}/glibc-hwcaps");
        match content(&self.lookup(&levels)?).and_then(|real| self.worker.ground.system.list(real)) {
            Observed::Found(names) => {
                if names.len() > MOST_DIRECTORIES {
                    newer.unread = Some(format!("{levels} has more than {MOST_DIRECTORIES} names"));
                }
                newer
                    .paths
                    .extend(names.iter().take(MOST_DIRECTORIES).map(|name| format!("{levels}/{name}")));
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => newer.unread = Some(format!("{levels}: {why}")),
        }
        let newer = Arc::new(newer);
        self.newer.insert(directory.to_owned(), newer.clone());
        Ok(newer)
    }

    /// The first of some paths that has an object for the machine of the program, or may have one.
    fn first(&mut self, user: &Object, paths: impl Iterator<Item = String>) -> Looked<Object> {
        for path in paths {
            match self.object(&path, &user.rpath)? {
                Observed::Absent => {}
                found => return Ok(found),
            }
        }
        Ok(Observed::Absent)
    }

    /// Reads an object; absent where there is none, the file is none, or it is one of another machine.
    fn object(&mut self, path: &str, inherited: &Directories) -> Looked<Object> {
        let lookup = self.lookup(path)?;
        let real = match content(&lookup) {
            Observed::Found(real) => real,
            Observed::Absent => return Ok(Observed::Absent),
            Observed::Unreadable(why) => return Ok(Observed::Unreadable(why)),
        };
        let objects = &mut self.known.objects;
        if !objects.contains_key(real) {
            if objects.len() == MOST_OBJECTS {
                objects.clear();
            }
            objects.insert(real.into(), read(self.worker, real));
        }
        let (elf, asked) = match &objects[real] {
            Observed::Found(read) => read.clone(),
            Observed::Absent => return Ok(Observed::Absent),
            Observed::Unreadable(why) => return Ok(Observed::Unreadable(format!("{real}: {why}"))),
        };
        let own = self.own.get_or_insert_with(|| elf.clone());
        if (elf.machine, elf.is_64_bit) != (own.machine, own.is_64_bit) {
            return Ok(Observed::Absent);
        }
        let origin = directory_of(real);
        let runpath = self.expanded(asked.runpath.iter().map(String::as_str), origin)?;
        let mut rpath = Directories::default();
        if asked.runpath.is_empty() {
            rpath = self.expanded(asked.rpath.iter().map(String::as_str), origin)?;
            let new = inherited.paths.iter().filter(|path| !rpath.paths.contains(path)).cloned();
            rpath.paths.extend(new.collect::<Vec<_>>());
            rpath.unread = rpath.unread.or_else(|| inherited.unread.clone());
        }
        if rpath.paths.len() > MOST_DIRECTORIES {
            return Err(format!("{real} and what loads it name more than {MOST_DIRECTORIES} directories"));
        }
        let (soname, needed) = (asked.soname, asked.needed);
        Ok(Observed::Found(Object { path: real.to_owned(), soname, needed, runpath, rpath }))
    }

    /// Directories as the loader reads them: `$ORIGIN` is the directory of the object, `$LIB` what the system calls its
    /// libraries, which differs from one to the next, `$PLATFORM` the processor.
    fn expanded<'p>(
        &self,
        paths: impl Iterator<Item = &'p str>,
        origin: &str,
    ) -> Result<Directories, String> {
        let triplet = self.own.as_ref().and_then(|own| triplet(own.machine));
        let platform = triplet.map_or("", |triplet| triplet.split('-').next().unwrap_or(""));
        let mut all = Directories::default();
        for path in paths {
            let path = replaced(&replaced(path, "ORIGIN", origin), "PLATFORM", platform);
            if !path.starts_with('/') {
                all.unread = Some(format!("{path:?} is looked for from the working directory"));
                continue;
            }
            match replaced(&path, "LIB", "lib") == path {
                true => all.paths.push(path),
                false => {
                    let multiarch = triplet.map(|triplet| format!("lib/{triplet}"));
                    let names = ["lib", "lib64"].into_iter().chain(multiarch.as_deref());
                    all.paths.extend(names.map(|name| replaced(&path, "LIB", name)));
                }
            }
            if all.paths.len() > MOST_DIRECTORIES {
                return Err(format!("more than {MOST_DIRECTORIES} directories"));
            }
        }
        Ok(all)
    }
}

/// What is in none of the directories that are known: absent where there are no others.
fn nowhere<'u>(unread: impl IntoIterator<Item = &'u Option<String>>) -> Observed<Object> {
    let why = unread.into_iter().find_map(Option::clone);
    why.map_or(Observed::Absent, Observed::Unreadable)
}

/// The directory in which an object lies.
fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(directory, _)| directory)
}

/// A word of the loader in a path, in both of its spellings.
fn replaced(path: &str, word: &str, by: &str) -> String {
    path.replace(&format!("${{{word}}}"), by).replace(&format!("${word}"), by)
}

/// Absent where the loader would not take the file for an object either.
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
            (Ok(dynamic), None) => Observed::Found((header, dynamic)),
            (Err(DynamicFault::Broken), None) => Observed::Absent,
            (Err(fault @ DynamicFault::TooMuch), None) => Observed::Unreadable(fault.to_string()),
        }
    })
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

/// Where the loader of a program looks beside what objects say; nothing for a program without one.
fn system_directories(worker: &Worker<'_>, own: &Elf, known: &mut Known) -> Option<Directories> {
    let Loader::Path(loader) = &own.loader else { return None };
    let (directory, name) = loader.rsplit_once('/').unwrap_or(("", loader));
    if name.starts_with("ld-musl-") {
        return Some(of_musl(worker, name));
    }
    let is_known = name.starts_with("ld-linux") || name.starts_with("ld64");
    let of_system = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"].contains(&directory);
    let Some(triplet) = triplet(own.machine).filter(|_| is_known && of_system) else {
        // A loader in a store of packages (Nix, Guix) has other directories built in, its own among them.
        let unread = Some(format!("it is not known which directories {loader} has built in"));
        return Some(Directories { paths: vec![directory.to_owned()], unread });
    };
    let conf = known.directories.get_or_insert_with(|| {
        let (paths, unread) = conf::directories(worker);
        Directories { paths, unread }
    });
    let Directories { mut paths, unread } = conf.clone();
    paths.extend(["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/lib32", "/usr/lib32"].map(str::to_owned));
    paths.extend([format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")]);
    Some(Directories { paths, unread })
}

/// Where a loader of musl looks.
fn of_musl(worker: &Worker<'_>, name: &str) -> Directories {
    let path = format!("/etc/{}", name.replace(".so.1", ".path"));
    match worker.read(&worker.walker.lookup(&path)) {
        Observed::Found(text) => {
            let text = String::from_utf8_lossy(&text);
            let parts = text.split(['\n', ':']).filter(|part| part.starts_with('/'));
            Directories { paths: parts.take(MOST_DIRECTORIES).map(str::to_owned).collect(), unread: None }
        }
        Observed::Absent => {
            let paths = ["/lib", "/usr/local/lib", "/usr/lib"].map(str::to_owned).into();
            Directories { paths, unread: None }
        }
        Observed::Unreadable(why) => {
            Directories { paths: Vec::new(), unread: Some(format!("{path}: {why}")) }
        }
    }
}
