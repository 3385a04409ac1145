//! What the start of a unit will touch, read off the effective unit. The gatherer looks at it, the rules
//! judge it: both ask here, so that neither can forget what the other knows.

use std::path::Path;

use crate::syntax::accounts::Accounts;
use crate::syntax::command_line::{self, Command};
use crate::syntax::effective::{EffectiveUnit, Setting};
use crate::syntax::env_file::EnvFile;

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
];

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

/// The paths a program may have: itself, or every place systemd would look in.
pub fn program_paths(program: &str) -> Vec<String> {
    if program.starts_with('/') {
        return vec![program.to_owned()];
    }
    PROGRAM_PATH.iter().map(|directory| format!("{directory}/{program}")).collect()
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
}

/// Where the commands of a unit run: `/` unless stated; `~` is the home of the user. `None` when that home
/// is unknown.
pub fn working_directory<'a>(
    unit: &'a EffectiveUnit,
    accounts: Option<&Accounts>,
) -> Option<WorkingDirectory<'a>> {
    let Some(setting) =
        unit.scalar("Service", "WorkingDirectory").filter(|setting| !setting.value().is_empty())
    else {
        return Some(WorkingDirectory { path: "/".to_owned(), optional: false, setting: None });
    };
    let (path, optional) = match setting.value().strip_prefix('-') {
        Some(path) => (path, true),
        None => (setting.value(), false),
    };
    let path = if path == "~" {
        let name = unit.scalar("Service", "User").map_or("root", Setting::value);
        accounts?.user(name)?.home.clone()
    } else {
        simplified(path)
    };
    Some(WorkingDirectory { path, optional, setting: Some(setting) })
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
            let bare = word.trim_start_matches(['-', '+']);
            let optional = word.starts_with('-') || *key == "TemporaryFileSystem";
            let mut parts = bare.split(':');
            let source = simplified(parts.next().unwrap_or(""));
            let target = match parts.next().filter(|_| key.starts_with("Bind")) {
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

/// The code that an interpreter is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// A file.
    File(String),
    /// A Python module by its dotted name; `runs` with `-m`, else it is imported.
    Module {
        /// Its name.
        name: String,
        /// Started with `-m`.
        runs: bool,
    },
}

/// The code that a command gives to its interpreter, as written: `python x.py`, `python -m a.b`,
/// `uvicorn a.b:app`, `sh x.sh`, `node x.js`, the same behind `env`. More than one for `python -m uvicorn
/// a.b:app`.
pub fn given_code(program: &str, words: &[String]) -> Vec<Code> {
    let name = base_name(program);
    if name == "env" {
        let at = words.iter().position(|word| !word.starts_with('-') && !word.contains('='));
        return at.map_or(Vec::new(), |at| given_code(&words[at], &words[at + 1..]));
    }
    if is_python(name) {
        return python_code(words);
    }
    match name {
        "uvicorn" | "gunicorn" | "hypercorn" | "daphne" | "granian" => {
            application(words).into_iter().collect()
        }
        // Options of a shell that take a word (`-o`), and those that bring the code themselves.
        "sh" | "bash" | "dash" | "zsh" | "ksh" => script(words, "cso").into_iter().collect(),
        "node" | "nodejs" | "perl" | "ruby" => script(words, "eErpIMC").into_iter().collect(),
        _ => Vec::new(),
    }
}

/// `python`, `python3`, `python3.11`, `pypy3`.
pub fn is_python(name: &str) -> bool {
    let version = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"));
    version.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn python_code(words: &[String]) -> Vec<Code> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "-W" | "-X" | "--check-hash-based-pycs" => at += 2,
            "-m" => return words.get(at + 1).map_or(Vec::new(), |name| module(name, &words[at + 2..])),
            "-" => return Vec::new(),
            option if option.starts_with("--") => at += 1,
            option if option.starts_with('-') => {
                // Options may be run together; `-c` and `-m` take the rest.
                if option.contains('c') {
                    return Vec::new();
                }
                if let Some((_, name)) = option.split_once('m') {
                    return match name.is_empty() {
                        true => words.get(at + 1).map_or(Vec::new(), |name| module(name, &words[at + 2..])),
                        false => module(name, &words[at + 1..]),
                    };
                }
                at += 1;
            }
            file => return vec![Code::File(file.to_owned())],
        }
    }
    Vec::new()
}

fn module(name: &str, rest: &[String]) -> Vec<Code> {
    let mut all = vec![Code::Module { name: name.to_owned(), runs: true }];
    all.extend(
        given_code(name, rest).into_iter().filter(|code| matches!(code, Code::Module { runs: false, .. })),
    );
    all
}

/// `package.module:attribute` among the words of an application server.
fn application(words: &[String]) -> Option<Code> {
    let is_module = |name: &str| {
        !name.is_empty()
            && name.split('.').all(|part| {
                part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            })
    };
    let mut after_option = false;
    for word in words {
        let option = word.starts_with('-');
        if let Some((name, attribute)) = word.split_once(':')
            && !option
            && is_module(name)
            && is_module(attribute.trim_end_matches("()"))
            && !(after_option && attribute.chars().all(|c| c.is_ascii_digit()))
        {
            return Some(Code::Module { name: name.to_owned(), runs: false });
        }
        after_option = option && !word.contains('=');
    }
    None
}

/// The first word that is no option, unless an option of `ends` makes that uncertain.
fn script(words: &[String], ends: &str) -> Option<Code> {
    for word in words {
        match word.strip_prefix('-') {
            None => return Some(Code::File(word.clone())),
            Some("") => return None,
            Some(long) if long.starts_with('-') => {}
            Some(options) if options.contains(|option| ends.contains(option)) => return None,
            Some(_) => {}
        }
    }
    None
}

/// A path as a process in `directory` resolves it.
pub fn from_directory(directory: &str, path: &str) -> String {
    if path.starts_with('/') { simplified(path) } else { simplified(&format!("{directory}/{path}")) }
}

/// The files of which one must exist so that Python finds a module below `root`.
pub fn module_files(root: &str, name: &str, runs: bool) -> Vec<String> {
    let path = format!("{root}/{}", name.replace('.', "/"));
    let package = if runs { "__main__.py" } else { "__init__.py" };
    vec![format!("{path}.py"), format!("{path}/{package}")]
}

/// The first component of a module below `root`: where it exists, Python looks nowhere else.
pub fn top_of_module(root: &str, name: &str) -> [String; 2] {
    let top = name.split('.').next().unwrap_or(name);
    [format!("{root}/{top}"), format!("{root}/{top}.py")]
}

/// Where Python looks for modules.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// The working directory and `PYTHONPATH`.
    pub stated: Vec<String>,
    /// Directories of installed packages.
    pub installed: Vec<String>,
}

impl Roots {
    /// The working directory and what `PYTHONPATH` of the unit and of its env files names.
    pub fn stated<'e>(
        unit: &EffectiveUnit,
        env_files: impl Iterator<Item = &'e EnvFile>,
        directory: &str,
    ) -> Roots {
        let words = unit.words("Service", "Environment");
        let in_unit = words.iter().rev().find_map(|(word, _)| word.strip_prefix("PYTHONPATH="));
        let mut python_path = in_unit.unwrap_or("").to_owned();
        for file in env_files {
            if let Some(variable) = file.get("PYTHONPATH") {
                python_path.clone_from(&variable.value);
            }
        }
        let mut stated = vec![directory.to_owned()];
        for part in python_path.split(':').filter(|part| !part.is_empty()) {
            stated.push(from_directory(directory, part));
        }
        Roots { stated, installed: Vec::new() }
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

    /// All of them, in Python's order.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.stated.iter().chain(&self.installed)
    }
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

    fn code(line: &str) -> Vec<Code> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        given_code(&words[0], &words[1..])
    }

    fn module(name: &str, runs: bool) -> Code {
        Code::Module { name: name.to_owned(), runs }
    }

    #[test]
    fn interpreters_are_given_files_and_modules() {
        assert_eq!(code("/v/bin/python -u -W error x.py a"), [Code::File("x.py".into())]);
        assert_eq!(code("/v/bin/python3.11 -um a.b c"), [module("a.b", true)]);
        assert_eq!(code("/v/bin/python -m uvicorn a.b:app"), [module("uvicorn", true), module("a.b", false)]);
        assert_eq!(code("/v/bin/uvicorn --host 0.0.0.0 a.b:app"), [module("a.b", false)]);
        assert_eq!(code("/v/bin/gunicorn -b localhost:80 a:app"), [module("a", false)]);
        assert_eq!(code("/usr/bin/env A=1 bash -e x.sh"), [Code::File("x.sh".into())]);
        assert_eq!(code("/usr/bin/node --trace x.js"), [Code::File("x.js".into())]);
    }

    #[test]
    fn code_that_is_no_file_is_none() {
        assert_eq!(code("/bin/sh -c x"), []);
        assert_eq!(code("/v/bin/python -c pass"), []);
        assert_eq!(code("/v/bin/python -"), []);
        assert_eq!(code("/usr/bin/nginx -g x"), []);
    }

    #[test]
    fn paths_are_simplified() {
        assert_eq!(simplified("//a/./b//"), "/a/b");
        assert_eq!(from_directory("/a/", "./b"), "/a/b");
        assert!(lies_under("/a/b", "/a") && !lies_under("/ab", "/a") && lies_under("/a", "/"));
    }
}
