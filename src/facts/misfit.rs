//! What does not fit the runtime that a service is started with: a version that a version manager is asked for and does not
//! have, and modules that were built for another version.

use serde::{Deserialize, Serialize};

use super::start::base_name;

/// One thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misfit {
    /// A version manager is asked for a version that is not installed.
    NotInstalled {
        /// The program that is started: one of the manager's stand-ins.
        program: String,
        /// The version.
        version: String,
        /// The file or the variable that asks for it.
        asked_by: String,
        /// Where it would lie.
        place: String,
    },
    /// Modules were built for another version of the runtime, which does not load them.
    BuiltForAnother {
        /// `Ruby` or `Node.js`.
        runtime: String,
        /// The version of its interface for modules (Ruby's `3.2.0`, Node's `NODE_MODULE_VERSION`).
        is: String,
        /// For which they were built.
        built_for: String,
        /// The directory or file with the modules.
        place: String,
    },
}

/// A version manager that puts a stand-in for each program into a directory `shims`.
#[derive(Debug, PartialEq, Eq)]
pub struct Manager {
    /// The name of its directory, without a dot.
    pub name: &'static str,
    /// The variable that names a version.
    pub variable: &'static str,
    /// The file that does, in the working directory or one above it.
    pub file: &'static str,
    /// What may stand before a version.
    pub prefix: &'static str,
}

/// rbenv(1), pyenv(1) and nodenv(1) are one program with different words.
const MANAGERS: &[Manager] = &[
    Manager { name: "rbenv", variable: "RBENV_VERSION", file: ".ruby-version", prefix: "ruby-" },
    Manager { name: "pyenv", variable: "PYENV_VERSION", file: ".python-version", prefix: "python-" },
    Manager { name: "nodenv", variable: "NODENV_VERSION", file: ".node-version", prefix: "node-" },
];

/// The manager behind a stand-in, its directory and the program's name.
pub fn stand_in(program: &str) -> Option<(&'static Manager, &str, &str)> {
    let (root, name) = program.rsplit_once("/shims/")?;
    let of = base_name(root).trim_start_matches('.');
    let manager = MANAGERS.iter().find(|manager| manager.name == of)?;
    (!name.is_empty() && !name.contains('/')).then_some((manager, root, name))
}

impl Manager {
    /// The versions that a text asks for: the words of its lines, `#` begins a comment. None where one of them is no version.
    pub fn versions(&self, text: &str) -> Option<Vec<String>> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        let words: Vec<String> = lines.flat_map(str::split_whitespace).map(str::to_owned).collect();
        let is_version = |word: &String| {
            word.len() <= 64
                && !word.starts_with('.')
                && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        };
        // rbenv and nodenv read the first word alone.
        let counts = if self.name == "pyenv" { words.len() } else { 1 };
        let words: Vec<String> = words.into_iter().take(counts).collect();
        (!words.is_empty() && words.iter().all(is_version)).then_some(words)
    }

    /// The names under which a version may be installed.
    pub fn names<'v>(&self, version: &'v str) -> impl Iterator<Item = &'v str> {
        let bare = version.strip_prefix(self.prefix).or_else(|| version.strip_prefix('v'));
        std::iter::once(version).chain(bare)
    }
}

/// Whether a name is a version of Ruby's interface for modules: `3.2.0`.
pub fn is_ruby_interface(name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// The version of the interface of a Ruby that is called so: `ruby3.1` has `3.1.0`.
pub fn interface_of_name(name: &str) -> Option<String> {
    let version = name.strip_prefix("ruby")?;
    let found = format!("{version}.0");
    is_ruby_interface(&found).then_some(found)
}

/// Where the settings of Bundler put gems: `BUNDLE_PATH`, or `vendor/bundle` of a deployment (bundle-config(1)).
pub fn bundle_path(config: &str) -> Option<String> {
    let value = |key: &str| {
        let of = |line: &str| Some(line.strip_prefix(key)?.trim().trim_matches(['"', '\'']).to_owned());
        config.lines().find_map(|line| of(line.trim()))
    };
    let deployed =
        || value("BUNDLE_DEPLOYMENT:").filter(|value| value == "true").map(|_| "vendor/bundle".to_owned());
    value("BUNDLE_PATH:").or_else(deployed).filter(|path| !path.is_empty() && !path.contains('$'))
}

/// The number behind a mark in the bytes of a file.
pub fn number_behind(bytes: &[u8], mark: &str) -> Option<u32> {
    let at = memchr::memmem::find(bytes, mark.as_bytes())? + mark.len();
    let rest = &bytes[at..];
    let digits = rest.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// The `NODE_MODULE_VERSION` for which a module of Node was built, where it says so (node.h, `NODE_MODULE_INITIALIZER`). One
/// of Node-API says none, and fits all.
pub fn module_version(module: &[u8]) -> Option<u32> {
    match memchr::memmem::find(module, b"napi_register_module_v1") {
        Some(_) => None,
        None => number_behind(module, "node_register_module_v"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_their_managers_do() {
        let (rbenv, root, name) = stand_in("/home/m/.rbenv/shims/bundle").unwrap();
        assert_eq!((rbenv.name, root, name), ("rbenv", "/home/m/.rbenv", "bundle"));
        assert!(stand_in("/home/m/.rbenv/bin/rbenv").is_none() && stand_in("/opt/shims/x").is_none());
        assert_eq!(rbenv.versions("3.2.2 # old\n3.3\n"), Some(vec!["3.2.2".into()]));
        assert_eq!(rbenv.versions("../../etc"), None);
        assert_eq!(rbenv.versions("# nothing\n"), None);
        assert_eq!(rbenv.names("ruby-3.2.2").collect::<Vec<_>>(), ["ruby-3.2.2", "3.2.2"]);
        let (pyenv, ..) = stand_in("/opt/pyenv/shims/python").unwrap();
        assert_eq!(pyenv.versions("3.11.4\n3.10.1\n").unwrap().len(), 2);
    }

    #[test]
    fn what_files_tell_of_versions() {
        assert_eq!(interface_of_name("ruby3.1").as_deref(), Some("3.1.0"));
        assert!(interface_of_name("ruby").is_none() && !is_ruby_interface("gems"));
        assert_eq!(bundle_path("---\nBUNDLE_PATH: \"vendor/bundle\"\n").as_deref(), Some("vendor/bundle"));
        assert_eq!(bundle_path("---\nBUNDLE_DEPLOYMENT: \"true\"\n").as_deref(), Some("vendor/bundle"));
        assert_eq!(bundle_path("---\nBUNDLE_WITHOUT: \"test\"\n"), None);
        assert_eq!(number_behind(b"#define NODE_MODULE_VERSION 108\n", "NODE_MODULE_VERSION "), Some(108));
        assert_eq!(module_version(b"\0node_register_module_v93\0"), Some(93));
        assert_eq!(module_version(b"\0napi_register_module_v1\0node_register_module_v93\0"), None);
        assert_eq!(module_version(b""), None);
    }
}
