//! `pyvenv.cfg` as CPython's `getpath` and `site` read it (docs of the `venv` and `site` modules).
//!
//! Lines with an `=`; keys without regard to case; no comments. `home` counts at its first occurrence,
//! `include-system-site-packages` at its last, and is *true* where it is missing.

use serde::{Deserialize, Serialize};

/// The keys that decide how a virtual environment runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PyvenvCfg {
    /// Directory of the base interpreter; without it python does not see a virtual environment.
    pub home: Option<Entry>,
    /// Whether the base interpreter's packages are visible; see [`PyvenvCfg::sees_system_packages`].
    pub include_system_site_packages: Option<Entry>,
    /// Python's version as the tool wrote it (`version`, or `version_info` by virtualenv and uv).
    pub version: Option<Entry>,
    /// The base interpreter itself (`executable`, or virtualenv's `base-executable`). Informative only.
    pub executable: Option<Entry>,
    /// The command that made it. Informative only; tells where it was made, hence whether it was moved.
    pub command: Option<Entry>,
}

/// A value and its line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The text after `=`, trimmed.
    pub value: String,
    /// Line in the file, from 1.
    pub line: u32,
    /// The whole line; empty in facts of an older golden.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl PyvenvCfg {
    /// What `site` makes of it: only the word `true` (in any case) opens the system's packages, and so does
    /// saying nothing.
    pub fn sees_system_packages(&self) -> bool {
        self.include_system_site_packages
            .as_ref()
            .is_none_or(|entry| entry.value.eq_ignore_ascii_case("true"))
    }
}

/// Reads the content of a `pyvenv.cfg`.
pub fn parse(bytes: &[u8]) -> PyvenvCfg {
    let text = String::from_utf8_lossy(bytes);
    let mut cfg = PyvenvCfg::default();
    // Python's universal newlines: a lone CR ends a line too.
    let unified = text.replace("\r\n", "\n");
    for (line, number) in unified.split(['\n', '\r']).zip(1u32..) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let entry = Entry { value: value.trim().to_owned(), line: number, text: line.to_owned() };
        match key.trim().to_lowercase().as_str() {
            "home" => {
                cfg.home.get_or_insert(entry);
            }
            "include-system-site-packages" => cfg.include_system_site_packages = Some(entry),
            "version" => cfg.version = Some(entry),
            "version_info" => {
                cfg.version.get_or_insert(entry);
            }
            "executable" => cfg.executable = Some(entry),
            "base-executable" => {
                cfg.executable.get_or_insert(entry);
            }
            "command" => cfg.command = Some(entry),
            _ => {}
        }
    }
    cfg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_venv_module_writes() {
        let cfg = parse(
            b"home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n\
              executable = /usr/bin/python3.11\ncommand = /usr/bin/python3 -m venv /opt/x\n",
        );
        assert_eq!(
            cfg.home,
            Some(Entry { value: "/usr/bin".into(), line: 1, text: "home = /usr/bin".into() })
        );
        assert!(!cfg.sees_system_packages());
        assert_eq!(cfg.version.map(|entry| entry.value).as_deref(), Some("3.11.2"));
        assert_eq!(cfg.executable.map(|entry| entry.line), Some(4));
    }

    #[test]
    fn odd_spelling() {
        let cfg =
            parse(b"HOME=/a\nhome = /b\r\nInclude-System-Site-Packages=True\nversion_info=3.13.1.final.0\n");
        assert_eq!(cfg.home.as_ref().map(|entry| entry.value.as_str()), Some("/a"));
        assert!(cfg.sees_system_packages());
        assert!(parse(b"# include-system-site-packages = false\n").sees_system_packages());
        assert!(!parse(b"include-system-site-packages = yes\n").sees_system_packages());
        assert_eq!(parse(b"").home, None);
    }
}
