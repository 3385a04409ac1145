//! What the start of a unit will touch, read off the effective unit. The gatherer looks at it, the rules
//! judge it: both ask here, so that neither can forget what the other knows.

mod code;
mod streams;

use std::path::Path;

use crate::facts::environment::Layer;
use crate::model::Undecided;
use crate::syntax::accounts::Accounts;
use crate::systemd::command_line::{self, Command, Privileges};
use crate::systemd::effective::{EffectiveUnit, Setting};

pub use code::{Code, entry_files, given_code, interpreter, is_python, package_directories};
pub use streams::{Stream, StreamEnd, streams, takes_descriptors};

/// The lines that start something.
pub const EXEC_SETTINGS: &[&str] = &[
    "ExecCondition",
    "ExecStartPre",
    "ExecStart",
    "ExecStartPost",
    "ExecReload",
    "ExecStop",
    "ExecStopPost",
];

/// The lines without which the unit does not come up.
pub const START_SETTINGS: &[&str] = &["ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost"];

/// Settings that name paths in the mount namespace of a service, systemd.exec(5).
pub const NAMESPACE_SETTINGS: &[&str] = &[
    "ReadWritePaths",
    "ReadOnlyPaths",
    "InaccessiblePaths",
    "ExecPaths",
    "NoExecPaths",
    "BindPaths",
    "BindReadOnlyPaths",
    "TemporaryFileSystem",
    "MountImages",
    "ExtensionImages",
    "ExtensionDirectories",
];

/// Settings of one path without which the sandbox cannot be made, with what it is made of.
pub const SANDBOX_PATHS: &[&str] =
    &["RootDirectory", "RootImage", "NetworkNamespacePath", "IPCNamespacePath"];

/// What `ProtectHome=` protects, systemd.exec(5).
pub const HOMES: &[&str] = &["/home", "/root", "/run/user"];

/// What `ProtectSystem=yes` protects, and what `full` adds.
pub const SYSTEM: &[&str] = &["/usr", "/boot", "/efi", "/etc"];

/// What `PrivateTmp=` puts others in the place of.
pub const TEMPORARY: &[&str] = &["/tmp", "/var/tmp"];

/// Where systemd looks for a program without a slash.
const PROGRAM_PATH: &[&str] =
    &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A command of the effective unit with the line that states it.
#[derive(Clone, Debug)]
pub struct Started<'a> {
    /// The setting's name.
    pub key: &'static str,
    /// The setting.
    pub setting: &'a Setting,
    /// The command.
    pub command: Command,
}

impl Started<'_> {
    /// Whether the unit comes up although the command fails: the prefix `-` says so. A unit whose main program does not run
    /// is not up for all that, except where systemd does not wait for one to stay (measured on 247 to 262).
    pub fn may_fail(&self, unit: &EffectiveUnit) -> bool {
        self.command.prefixes.ignore_failure && (self.key != "ExecStart" || unit.service_type() == "oneshot")
    }

    /// Whether root runs the command, outside of the sandbox: the prefix `+`, or `PermissionsStartOnly=yes`, which older
    /// units have and which leaves the unit's settings to `ExecStart=` (measured on 247 to 262).
    pub fn is_free(&self, unit: &EffectiveUnit) -> bool {
        let alone = || {
            let stated = unit.scalar("Service", "PermissionsStartOnly");
            self.key != "ExecStart" && stated.is_some_and(|setting| setting.value() == "yes")
        };
        self.command.prefixes.privileges == Privileges::Full || alone()
    }
}

/// The commands of these settings, in order.
pub fn commands<'a>(unit: &'a EffectiveUnit, keys: &[&'static str]) -> Vec<Started<'a>> {
    let mut all = Vec::new();
    for key in keys {
        for setting in unit.assignments("Service", key) {
            let commands = command_line::parse(setting.value()).commands;
            all.extend(commands.into_iter().map(|command| Started { key, setting, command }));
        }
    }
    all
}

/// The paths a program may have: itself, or every place systemd would look in. `ExecSearchPath=` is "a colon separated
/// list of absolute paths relative to which the executable used by the Exec*= properties can be found" (systemd.exec(5)).
pub fn program_paths(unit: &EffectiveUnit, program: &str) -> Vec<String> {
    if program.starts_with('/') {
        return vec![program.to_owned()];
    }
    search_path(unit).iter().map(|directory| format!("{directory}/{program}")).collect()
}

/// Where a bare name is looked for in the process of the service: `PATH` of its environment, which `ExecSearchPath=`
/// only replaces where the unit states none (systemd.exec(5)).
pub fn paths_of_child(unit: &EffectiveUnit, path: Option<&str>, program: &str) -> Vec<String> {
    let Some(path) = path.filter(|_| !program.starts_with('/')) else { return program_paths(unit, program) };
    path.split(':')
        .filter(|part| part.starts_with('/'))
        .map(|part| simplified(&format!("{part}/{program}")))
        .collect()
}

/// The directories in which systemd looks for a program of this unit.
fn search_path(unit: &EffectiveUnit) -> Vec<String> {
    let stated = unit.assignments("Service", "ExecSearchPath").flat_map(|setting| setting.value().split(':'));
    let stated: Vec<String> = stated.filter(|part| part.starts_with('/')).map(simplified).collect();
    match stated.is_empty() {
        true => PROGRAM_PATH.iter().map(|directory| (*directory).to_owned()).collect(),
        false => stated,
    }
}

/// The directories of a program and of the one that is demanded, where the two have one name and are written differently:
/// with a merged /usr, /bin is a link to /usr/bin, and both name one program.
pub fn written_differently<'p>(found: &'p str, wanted: &'p str) -> Option<(&'p str, &'p str)> {
    let ((found_in, found), (wanted_in, wanted)) = (found.rsplit_once('/')?, wanted.rsplit_once('/')?);
    let is_one = found == wanted || (is_python(found) && is_python(wanted));
    let above = |directory: &'p str| if directory.is_empty() { "/" } else { directory };
    (is_one && found_in != wanted_in).then(|| (above(found_in), above(wanted_in)))
}

/// What the environment of a program says about its libraries (ld.so(8)).
#[derive(Clone, Debug, Default)]
pub struct Loading {
    /// `LD_LIBRARY_PATH`.
    pub library_path: Option<String>,
    /// `LD_PRELOAD`.
    pub preload: Option<String>,
    /// What is not known of the environment and may name further directories.
    pub unread: Option<Undecided>,
}

impl Loading {
    /// Takes it from an environment, of which `layers` gives all known values of a variable and what is not known. What
    /// is not known can only add to what is found, unless it takes the place of a value that is.
    pub fn of(layers: impl Fn(&str) -> (Vec<Layer>, Option<Undecided>)) -> Result<Loading, Undecided> {
        let last = |name: &str| {
            let (mut layers, unread) = layers(name);
            let value = layers.pop().map(|layer| layer.value).filter(|value| !value.is_empty());
            match (value, unread) {
                (Some(_), Some(unread)) => Err(unread),
                found => Ok(found),
            }
        };
        let ((library_path, unread), (preload, _)) = (last("LD_LIBRARY_PATH")?, last("LD_PRELOAD")?);
        Ok(Loading { library_path, preload, unread })
    }

    /// Under what the libraries of a program are known.
    pub fn key(&self, program: &str) -> String {
        let mut key = program.to_owned();
        for (name, value) in [("LD_LIBRARY_PATH", &self.library_path), ("LD_PRELOAD", &self.preload)] {
            if let Some(value) = value {
                key.push_str(&format!(" with {name}={value}"));
            }
        }
        key
    }
}

/// The last component of a path.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether `path` is `directory` or lies below it.
pub fn lies_under(path: &str, directory: &str) -> bool {
    Path::new(path).starts_with(directory)
}

/// A path without doubled slashes, `.` components and a final slash; `..` stays.
pub fn simplified(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    format!("/{}", parts.join("/"))
}

/// The working directory of a unit.
#[derive(Clone, Debug)]
pub struct WorkingDirectory<'a> {
    /// The directory.
    pub path: String,
    /// Its absence is no reason not to start.
    pub optional: bool,
    /// The line that states it.
    pub setting: Option<&'a Setting>,
    /// It is to be the home of the user, which has none.
    pub is_homeless: bool,
}

/// Homes of users that have none. What is named and does not exist is one all the same (measured on 247 to 262).
const NO_HOME: &[&str] = &["", "/"];

/// The user that systemd knows without asking, and gives no home unless it is to set up a login (measured on 247 to 262).
const NOBODY: u32 = 65_534;

/// Where the commands of a unit run: `/` unless stated; `~` is the home of the user. `None` when that home
/// is unknown.
pub fn working_directory<'a>(
    unit: &'a EffectiveUnit,
    accounts: Option<&Accounts>,
) -> Option<WorkingDirectory<'a>> {
    let Some(setting) =
        unit.scalar("Service", "WorkingDirectory").filter(|setting| !setting.value().is_empty())
    else {
        return Some(WorkingDirectory {
            path: "/".to_owned(),
            optional: false,
            setting: None,
            is_homeless: false,
        });
    };
    let (path, optional) = match setting.value().strip_prefix('-') {
        Some(path) => (path, true),
        None => (setting.value(), false),
    };
    if path != "~" {
        let path = simplified(path);
        return Some(WorkingDirectory { path, optional, setting: Some(setting), is_homeless: false });
    }
    let accounts = accounts?;
    let of = |name: &str| accounts.user(name).or_else(|| accounts.user_by_id(name.parse().ok()?));
    let login = unit.scalar("Service", "SetLoginEnvironment").is_some_and(|setting| setting.value() == "yes");
    let (home, is_nobody) = match unit.user_name().and_then(of) {
        Some(user) => (&*user.home, user.uid == NOBODY),
        None if unit.is_dynamic() => ("", false),
        None => return None,
    };
    let is_homeless = NO_HOME.contains(&home) || is_nobody && !login;
    let path = if is_homeless { "/" } else { home }.to_owned();
    Some(WorkingDirectory { path, optional, setting: Some(setting), is_homeless })
}

/// A path named by a setting of the mount namespace.
#[derive(Clone, Debug)]
pub struct NamespacePath<'a> {
    /// The setting's name.
    pub key: &'static str,
    /// The path on the host that must exist.
    pub source: String,
    /// Where the service sees it.
    pub target: String,
    /// With a leading `-`: its absence is no reason not to start.
    pub optional: bool,
    /// The line that states it.
    pub setting: &'a Setting,
}

/// Every path of the mount namespace, of these settings.
pub fn namespace_paths<'a>(unit: &'a EffectiveUnit, keys: &[&'static str]) -> Vec<NamespacePath<'a>> {
    let mut all = Vec::new();
    for key in keys {
        for (word, setting) in unit.words("Service", key) {
            let bare = word.strip_prefix('-').unwrap_or(&word);
            let bare = bare.strip_prefix('+').unwrap_or(bare);
            // systemd passes over what is not absolute.
            if !bare.starts_with('/') {
                continue;
            }
            let optional = word.starts_with('-') || *key == "TemporaryFileSystem";
            let mut parts = bare.split(':');
            let source = simplified(parts.next().unwrap_or(""));
            let target = match parts.next().filter(|_| key.starts_with("Bind") || *key == "MountImages") {
                Some(target) if !target.is_empty() => simplified(target),
                _ => source.clone(),
            };
            all.push(NamespacePath { key, source, target, optional, setting });
        }
    }
    all
}

/// The path on the host behind a path the service sees: binds put other directories in its place.
pub fn behind_binds(unit: &EffectiveUnit, path: &str) -> String {
    let binds = namespace_paths(unit, &["BindPaths", "BindReadOnlyPaths"]);
    let nearest =
        binds.iter().filter(|bind| lies_under(path, &bind.target)).max_by_key(|bind| bind.target.len());
    match nearest {
        Some(bind) => simplified(&format!("{}/{}", bind.source, &path[bind.target.len()..])),
        None => path.to_owned(),
    }
}

/// The env files that must be there, as far as they are named by their path.
pub fn env_file_paths(unit: &EffectiveUnit) -> Vec<String> {
    let named = unit.assignments("Service", "EnvironmentFile").map(Setting::value);
    let is_one =
        |path: &&str| path.starts_with('/') && !path.contains(['*', '?', '[']) && *path != "/dev/null";
    named.filter(is_one).map(simplified).collect()
}

/// A credential that is loaded from a path.
#[derive(Clone, Debug)]
pub struct Credential<'a> {
    /// Its name.
    pub id: String,
    /// An absolute path.
    pub path: String,
    /// The line that says so.
    pub setting: &'a Setting,
}

/// The credentials that a unit loads from absolute paths; others are looked for in several places, and may be absent.
pub fn credentials(unit: &EffectiveUnit) -> Vec<Credential<'_>> {
    let mut all = Vec::new();
    for key in ["LoadCredential", "LoadCredentialEncrypted"] {
        for setting in unit.assignments("Service", key) {
            let Some((id, path)) = setting.value().split_once(':') else { continue };
            if path.starts_with('/') {
                all.push(Credential { id: id.to_owned(), path: simplified(path), setting });
            }
        }
    }
    all
}

/// A path as a process in `directory` resolves it.
pub fn from_directory(directory: &str, path: &str) -> String {
    if path.starts_with('/') { simplified(path) } else { simplified(&format!("{directory}/{path}")) }
}

/// The files of which one must exist so that Python finds a module below `root`.
pub fn module_files(root: &str, name: &str, runs: bool) -> Vec<String> {
    let path = format!("{root}/{}", name.replace('.', "/"));
    let package = if runs { "__main__.py" } else { "__init__.py" };
    // Code that was compiled and whose text was not delivered lies beside where that would be.
    vec![
        format!("{path}.py"),
        format!("{path}/{package}"),
        format!("{path}.pyc"),
        format!("{path}/{package}c"),
    ]
}

/// The first component of a module below `root`: where it exists, Python looks nowhere else.
pub fn top_of_module(root: &str, name: &str) -> [String; 3] {
    let top = name.split('.').next().unwrap_or(name);
    [format!("{root}/{top}"), format!("{root}/{top}.py"), format!("{root}/{top}.pyc")]
}

/// Where Python looks for modules.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// The working directory and `PYTHONPATH`.
    pub stated: Vec<String>,
    /// Directories of installed packages.
    pub installed: Vec<String>,
    /// Places that path files (`*.pth`) in those name.
    pub added: Vec<String>,
    /// A path file whose lines run code, so that it may add any place.
    pub open: Option<String>,
}

impl Roots {
    /// The working directory and what `PYTHONPATH` names, where it is set, unless options of Python keep it from there.
    pub fn stated(python_path: Option<&str>, directory: &str, kept: Kept) -> Roots {
        let python_path = python_path.filter(|_| !kept.from_variables);
        let parts = python_path.unwrap_or_default().split(':').filter(|part| !part.is_empty());
        let mut stated = if kept.from_directory { Vec::new() } else { vec![directory.to_owned()] };
        stated.extend(parts.map(|part| from_directory(directory, part)));
        Roots { stated, ..Roots::default() }
    }

    /// Adds the packages of a `lib` directory with these names in it; the base interpreter keeps its own
    /// modules in `pythonX.Y` itself.
    pub fn add_library(&mut self, library: &str, names: &[String]) {
        for name in names.iter().filter(|name| is_python(name)) {
            for place in ["site-packages", "dist-packages"] {
                self.installed.push(format!("{library}/{name}/{place}"));
            }
            self.installed.push(format!("{library}/{name}"));
        }
    }

    /// Takes a path file over (<https://docs.python.org/3/library/site.html>): a line that begins with `import` is run, any
    /// other is a place, relative to where the file lies.
    pub fn add_path_file(&mut self, file: &str, lines: &str) {
        let directory = file.rsplit_once('/').map_or("/", |(directory, _)| directory);
        for line in lines.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            match line.starts_with("import ") || line.starts_with("import\t") {
                true => drop(self.open.get_or_insert_with(|| file.to_owned())),
                false => self.added.push(from_directory(directory, line)),
            }
        }
    }

    /// All of them, in Python's order.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.stated.iter().chain(&self.installed).chain(&self.added)
    }
}

/// The path files among the names of a directory of installed packages, but for the one that setuptools leaves everywhere.
pub fn path_files(installed: &str, names: &[String]) -> Vec<String> {
    let is_it = |name: &&String| name.ends_with(".pth") && *name != "distutils-precedence.pth";
    names.iter().filter(is_it).map(|name| format!("{installed}/{name}")).collect()
}

/// What the options of a Python keep it from (python(1)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// `-P`, `-I`: the working directory is no place for modules.
    pub from_directory: bool,
    /// `-E`, `-I`: `PYTHON…` variables do not count.
    pub from_variables: bool,
}

/// What a command line keeps a Python from; `is_safe` where `PYTHONSAFEPATH` is set.
pub fn kept(program: &str, words: &[String], is_safe: bool) -> Kept {
    let is_python = is_python(base_name(program));
    let letters =
        words.iter().take_while(|word| is_python && word.starts_with('-') && *word != "-m" && *word != "-c");
    let has = |letter: char| {
        letters.clone().any(|word| {
            !word.starts_with("--") && word.split('m').next().is_some_and(|own| own.contains(letter))
        })
    };
    let from_variables = has('E') || has('I');
    Kept { from_directory: has('P') || has('I') || is_safe && is_python && !from_variables, from_variables }
}

/// The `lib` directories beside a program and beside the file it really is.
pub fn libraries(program: &str, real: Option<&str>) -> Vec<String> {
    let beside = |path: &str| path.rsplit_once("/bin/").map(|(prefix, _)| format!("{prefix}/lib"));
    let mut all: Vec<String> = [Some(program), real].into_iter().flatten().filter_map(beside).collect();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_simplified() {
        assert_eq!(simplified("//a/./b//"), "/a/b");
        assert_eq!(from_directory("/a/", "./b"), "/a/b");
        assert!(lies_under("/a/b", "/a") && !lies_under("/ab", "/a") && lies_under("/a", "/"));
    }
}
