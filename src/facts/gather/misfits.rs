//! Whether what a service is started with has the version that its files ask for, and loads the modules that were built for it.
//!
//! Version managers and modules are looked for where their own programs look. Where the files do not tell a version, nothing is
//! said. No more packages are looked at than a large application has.

use super::{Pad, Worker};
use crate::facts::ProgramFacts;
use crate::facts::environment;
use crate::facts::misfit::{
    Manager, Misfit, bundle_path, interface_of_name, is_ruby_interface, module_version, number_behind,
    stand_in,
};
use crate::facts::start::{
    Code, START_SETTINGS, base_name, behind_binds, commands, from_directory, given_code, program_paths,
};
use crate::model::{NodeKind, Observed};
use crate::systemd::effective::EffectiveUnit;

/// A file that names a version, or holds settings, has a few lines.
const TEXT: u64 = 64 << 10;

/// The largest module of Node that is read, in bytes.
const MODULE: u64 = 64 << 20;

/// A program of Node that lies in a library is small.
const SMALL_PROGRAM: u64 = 1 << 20;

/// So many packages of Node are looked at, and so many bytes of their modules read.
const MOST_PACKAGES: usize = 5_000;
const MOST_BYTES: usize = 256 << 20;

/// What does not fit the runtimes of a unit's commands. Where nobody knows the working directory, no command starts.
pub(super) fn of(
    worker: &Worker<'_>,
    unit: &EffectiveUnit,
    directory: Option<&str>,
    pad: &mut Pad,
) -> Observed<Vec<Misfit>> {
    let all = directory.map_or(Ok(Vec::new()), |directory| Looker { worker, unit, directory }.all(pad));
    all.map_or_else(Observed::Unreadable, Observed::Found)
}

struct Looker<'a, 'w> {
    worker: &'a Worker<'w>,
    unit: &'a EffectiveUnit,
    directory: &'a str,
}

type Found<T> = Result<T, String>;

impl Looker<'_, '_> {
    /// What does not fit, of each command.
    fn all(&self, pad: &mut Pad) -> Found<Vec<Misfit>> {
        let mut all: Vec<Misfit> = Vec::new();
        for started in commands(self.unit, START_SETTINGS) {
            // What may fail ends no start.
            if started.may_fail(self.unit) {
                continue;
            }
            for misfit in self.misfits(&started.command.program, &started.command.words, pad)? {
                if !all.contains(&misfit) {
                    all.push(misfit);
                }
            }
        }
        Ok(all)
    }

    fn misfits(&self, program: &str, words: &[String], pad: &mut Pad) -> Found<Vec<Misfit>> {
        let name = base_name(program).to_owned();
        let interpreter = match name.as_str() {
            "bundle" | "bundler" => "ruby",
            "node" | "nodejs" => "node",
            _ => "",
        };
        let runtime = match stand_in(program) {
            Some((manager, root, name)) => match self.chosen(manager, root, (program, name, words), pad)? {
                Chosen::Missing(misfit) => return Ok(vec![misfit]),
                Chosen::Prefix(prefix) if !interpreter.is_empty() => {
                    self.real(&format!("{prefix}/bin/{interpreter}"), pad)
                }
                Chosen::Prefix(_) | Chosen::Elsewhere => None,
            },
            None if interpreter.is_empty() => None,
            None => self.runtime(program, pad),
        };
        let Some(runtime) = runtime else { return Ok(Vec::new()) };
        let found = match interpreter {
            "ruby" => self.gems(&runtime, pad)?,
            "node" => self.modules(&runtime, (program, words), pad)?,
            _ => None,
        };
        Ok(found.into_iter().collect())
    }

    /// The text of a small file; `None` where there is none.
    fn text(&self, path: &str, pad: &mut Pad) -> Found<Option<String>> {
        match self.worker.read_up_to(pad.look(self.worker, &behind_binds(self.unit, path)), TEXT) {
            Observed::Found(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Observed::Absent => Ok(None),
            Observed::Unreadable(why) => Err(format!("{path}: {why}")),
        }
    }

    fn is_directory(&self, path: &str, pad: &mut Pad) -> Found<bool> {
        let node = pad.look(self.worker, &behind_binds(self.unit, path)).node();
        Ok(node.map_err(|undecided| undecided.why)?.is_some_and(|node| node.meta.kind == NodeKind::Directory))
    }

    fn names(&self, path: &str) -> Found<Vec<String>> {
        let lookup = self.worker.walker.lookup(&behind_binds(self.unit, path));
        match self.worker.list(&lookup) {
            Observed::Found(names) => Ok(names),
            Observed::Absent => Ok(Vec::new()),
            Observed::Unreadable(why) => Err(format!("{path}: {why}")),
        }
    }

    fn variable(&self, name: &str, pad: &Pad) -> Found<Option<(String, String)>> {
        let layers =
            environment::layers(&pad.env_files, self.unit, name).map_err(|undecided| undecided.why)?;
        let last = layers.into_iter().next_back().filter(|layer| !layer.value.is_empty());
        Ok(last.map(|layer| (layer.value, format!("{name} ({})", layer.at))))
    }

    /// What a version manager starts in the place of its stand-in.
    fn chosen(
        &self,
        manager: &Manager,
        root: &str,
        (program, name, words): (&str, &str, &[String]),
        pad: &mut Pad,
    ) -> Found<Chosen> {
        let Some((text, asked_by)) = self.asked(manager, root, (name, words), pad)? else {
            return Ok(Chosen::Elsewhere);
        };
        let Some(versions) = manager.versions(&text) else {
            return Err(format!("{asked_by} asks for what {} may not know as a version", manager.name));
        };
        let place = format!("{root}/versions");
        for version in &versions {
            // `system` is whatever comes later in the PATH.
            if version == "system" {
                return Ok(Chosen::Elsewhere);
            }
            for name in manager.names(version) {
                let prefix = format!("{place}/{name}");
                if self.is_directory(&prefix, pad)? {
                    return Ok(Chosen::Prefix(prefix));
                }
            }
        }
        // pyenv takes the newest of those that begin so; the others may know aliases.
        let begins = |known: &String| {
            let mut names = versions.iter().flat_map(|version| manager.names(version));
            names.any(|name| known.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
        };
        if self.names(&place)?.iter().any(begins) {
            return match manager.name {
                "pyenv" => Ok(Chosen::Elsewhere),
                name => Err(format!(
                    "{asked_by} asks for the beginning of a version, which not every {name} takes"
                )),
            };
        }
        let version = versions.join(" ");
        let place = format!("{place}/{}", versions[0]);
        Ok(Chosen::Missing(Misfit::NotInstalled { program: program.to_owned(), version, asked_by, place }))
    }

    /// What asks for a version: a variable, a file on the way up from where the program looks, or the manager's own.
    fn asked(
        &self,
        manager: &Manager,
        root: &str,
        (name, words): (&str, &[String]),
        pad: &mut Pad,
    ) -> Found<Option<(String, String)>> {
        if let Some(asked) = self.variable(manager.variable, pad)? {
            return Ok(Some(asked));
        }
        // rbenv begins beside the script that Ruby is given.
        let script = words
            .iter()
            .find(|word| word.contains('/') && !word.starts_with('-') && name.starts_with("ruby"));
        let script = script.map(|word| from_directory(self.directory, word));
        let begin = script
            .as_deref()
            .and_then(|path| path.rsplit_once('/'))
            .map_or(self.directory, |(above, _)| above);
        let above = std::path::Path::new(begin).ancestors().filter_map(|path| path.to_str());
        let files = above.map(|path| format!("{}/{}", path.trim_end_matches('/'), manager.file));
        for file in files.chain([format!("{root}/version")]) {
            if let Some(text) = self.text(&file, pad)? {
                return Ok(Some((text, file)));
            }
        }
        Ok(None)
    }

    /// Where a path leads to.
    fn real(&self, path: &str, pad: &mut Pad) -> Option<String> {
        pad.look(self.worker, &behind_binds(self.unit, path)).real().map(str::to_owned)
    }

    /// The runtime that a program is, or that its `#!` line names.
    fn runtime(&self, program: &str, pad: &mut Pad) -> Option<String> {
        let paths = program_paths(self.unit, program);
        let path = paths.into_iter().find(|path| self.real(path, pad).is_some())?;
        match pad.programs.get(behind_binds(self.unit, &path).as_str()) {
            // What env(1) finds depends on more than files.
            Some(Observed::Found(ProgramFacts::Script(shebang))) => {
                let interpreter = shebang.interpreter.clone();
                if shebang.env_use().is_some() { None } else { self.real(&interpreter, pad) }
            }
            _ => self.real(&path, pad),
        }
    }

    /// Gems that Bundler keeps for another Ruby than the one that it is started with.
    fn gems(&self, runtime: &str, pad: &mut Pad) -> Found<Option<Misfit>> {
        let path = match self.variable("BUNDLE_PATH", pad)? {
            Some((path, _)) => Some(path),
            None => self
                .text(&format!("{}/.bundle/config", self.directory), pad)?
                .as_deref()
                .and_then(bundle_path),
        };
        let Some(path) = path else { return Ok(None) };
        let place = format!("{}/ruby", from_directory(self.directory, &path));
        let kept: Vec<String> =
            self.names(&place)?.into_iter().filter(|name| is_ruby_interface(name)).collect();
        let Some(is) = self.ruby_interface(runtime)? else { return Ok(None) };
        if kept.is_empty() || kept.contains(&is) {
            return Ok(None);
        }
        let built_for = kept.join(", ");
        Ok(Some(Misfit::BuiltForAnother { runtime: "Ruby".to_owned(), is, built_for, place }))
    }

    /// Which interface for modules a Ruby has, where its name or the directory of its libraries tells.
    fn ruby_interface(&self, ruby: &str) -> Found<Option<String>> {
        if let Some(found) = interface_of_name(base_name(ruby)) {
            return Ok(Some(found));
        }
        let Some((prefix, _)) = ruby.rsplit_once("/bin/") else { return Ok(None) };
        let names = self.names(&format!("{prefix}/lib/ruby"))?;
        let mut known = names.into_iter().filter(|name| is_ruby_interface(name));
        Ok(known.next().filter(|_| known.next().is_none()))
    }

    /// A module of Node that was built for another version than the one that loads it.
    fn modules(
        &self,
        runtime: &str,
        (program, words): (&str, &[String]),
        pad: &mut Pad,
    ) -> Found<Option<Misfit>> {
        let Some(is) = self.node_version(runtime, pad)? else { return Ok(None) };
        let script = given_code(program, words).into_iter().find_map(|code| match code {
            Code::File(file) => Some(from_directory(self.directory, &file)),
            _ => None,
        });
        let begin = script
            .as_deref()
            .and_then(|path| path.rsplit_once('/'))
            .map_or(self.directory, |(above, _)| above);
        let above = std::path::Path::new(begin).ancestors().filter_map(|path| path.to_str());
        let mut found = None;
        for path in above {
            let place = format!("{}/node_modules", path.trim_end_matches('/'));
            let names = self.names(&place)?;
            if !names.is_empty() {
                found = Some((place, names));
                break;
            }
        }
        let Some((place, names)) = found else { return Ok(None) };
        let packages = self.packages(&place, names)?;
        if packages.len() > MOST_PACKAGES {
            return Err(format!("{place} holds more than {MOST_PACKAGES} packages"));
        }
        let mut read = 0;
        for release in packages.into_iter().map(|package| format!("{package}/build/Release")) {
            for name in self.names(&release)?.into_iter().filter(|name| name.ends_with(".node")) {
                let place = format!("{release}/{name}");
                let lookup = self.worker.walker.lookup(&behind_binds(self.unit, &place));
                let bytes = match self.worker.read_up_to(&lookup, MODULE) {
                    Observed::Found(bytes) => bytes,
                    Observed::Absent => continue,
                    Observed::Unreadable(why) => return Err(format!("{place}: {why}")),
                };
                read += bytes.len();
                if read > MOST_BYTES {
                    return Err(format!("the modules of packages hold more than {} MiB", MOST_BYTES >> 20));
                }
                if let Some(built_for) = module_version(&bytes).filter(|version| *version != is) {
                    let (is, built_for) = (is.to_string(), built_for.to_string());
                    let runtime = "Node.js".to_owned();
                    return Ok(Some(Misfit::BuiltForAnother { runtime, is, built_for, place }));
                }
            }
        }
        Ok(None)
    }

    /// The directories of packages, those of scopes (`@scope/name`) among them.
    fn packages(&self, place: &str, names: Vec<String>) -> Found<Vec<String>> {
        let mut all = Vec::new();
        for name in names.into_iter().filter(|name| !name.starts_with('.')) {
            let path = format!("{place}/{name}");
            match name.starts_with('@') {
                true => all.extend(self.names(&path)?.into_iter().map(|name| format!("{path}/{name}"))),
                false => all.push(path),
            }
        }
        Ok(all)
    }

    /// The `NODE_MODULE_VERSION` of a Node: by the library that is all of it, or by the headers that came with it.
    fn node_version(&self, node: &str, pad: &mut Pad) -> Found<Option<u32>> {
        let lookup = pad.look(self.worker, &behind_binds(self.unit, node));
        if let Observed::Found(program) = self.worker.read_up_to(lookup, SMALL_PROGRAM)
            && let Some(version) = number_behind(&program, "libnode.so.")
        {
            return Ok(Some(version));
        }
        let Some((prefix, name)) = node.rsplit_once("/bin/") else { return Ok(None) };
        let headers = self.text(&format!("{prefix}/include/node/node_version.h"), pad)?;
        let Some(headers) = headers else { return Ok(None) };
        // Of several Nodes the headers may be another one's.
        let major = number_behind(headers.as_bytes(), "#define NODE_MAJOR_VERSION ");
        let named = name.split_once('-').and_then(|(_, version)| version.parse().ok());
        let are_its_own = named.is_none() || named == major;
        Ok(number_behind(headers.as_bytes(), "#define NODE_MODULE_VERSION ").filter(|_| are_its_own))
    }
}

/// What stands behind a stand-in.
enum Chosen {
    /// The runtime in this directory.
    Prefix(String),
    /// A version that is not installed.
    Missing(Misfit),
    /// Something that the manager does not keep.
    Elsewhere,
}
