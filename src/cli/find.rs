//! Which contract is in force, and whether the caller may obey it.
//!
//! Root obeys only what nobody but root can write: a contract that the service user owns could otherwise
//! waive its own violations, or name its own commands. Such a file is the *source* of a contract, not the
//! contract.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Failure, Global, output};
use crate::contract::{Contract, ContractError, INSTALLED};
use crate::rules::RULES;

const VARIABLE: &str = "GOLDEN_CONTRACT";

/// The contract in force with the text it was made from.
pub(super) struct FoundContract {
    /// The contract.
    pub contract: Contract,
    /// Its own text.
    pub text: String,
}

/// Finds, reads and validates the contract in force.
pub(super) fn contract(global: &Global) -> Result<FoundContract, Failure> {
    let found = in_force(global)?;
    if let Some(path) = &found.contract.anchor {
        crate::ledger::anchor::anchor_in(&path.value);
    }
    // What somebody only looks with must not become a program of root's: the commands of the installed contract alone are run.
    if let Some(outside) = &found.contract.outside
        && *found.contract.source.path == *INSTALLED
    {
        crate::ledger::outside::obey(&outside.send.value, &outside.recall.value);
    }
    Ok(found)
}

fn in_force(global: &Global) -> Result<FoundContract, Failure> {
    match find(global)? {
        None => {
            let text = Contract::built_in_text().to_owned();
            Ok(FoundContract { contract: Contract::built_in(), text })
        }
        Some(path) => {
            let text = obeyed(&path)?;
            let mut found = FoundContract { contract: parse(&text, &path)?, text };
            found.contract.source.path = whole(&path)?.into();
            Ok(found)
        }
    }
}

/// A path from the root on, so that what lies beside the contract is found wherever one stands.
pub(super) fn whole(path: &Path) -> Result<String, Failure> {
    let whole = std::path::absolute(path).map_err(|error| cannot_read(path, &error))?;
    let text = whole.to_str().map(str::to_owned);
    text.ok_or_else(|| {
        Failure::new(format!("{} is not a path in UTF-8", path.display())).hint("give it another name")
    })
}

/// How the built-in contract is named.
const BUILT_IN: &str = "builtin:";

/// The contract that somebody named, by option or variable.
fn stated(global: &Global) -> Option<PathBuf> {
    global.contract.clone().or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from))
}

/// Whether somebody named the built-in contract.
pub(super) fn names_built_in(global: &Global) -> bool {
    stated(global).is_some_and(|path| path.to_string_lossy().starts_with(BUILT_IN))
}

/// The path of the contract in force; `None` for the built-in one.
fn find(global: &Global) -> Result<Option<PathBuf>, Failure> {
    if let Some(path) = stated(global) {
        if let Some(name) = path.to_string_lossy().strip_prefix(BUILT_IN) {
            return match name == Contract::built_in().name.value {
                true => Ok(None),
                false => Err(Failure::new(format!("there is no built-in contract {name:?}"))
                    .hint(format!("--contract {BUILT_IN}{}", Contract::built_in().name.value))),
            };
        }
        return match distrust(&path)? {
            None => Ok(Some(path)),
            Some(why) => Err(refused(&path, &why).hint(format!(
                "install it where only root can write: install -D -o root -g root -m 0644 {} {INSTALLED}",
                path.display()
            ))),
        };
    }
    for candidate in upwards() {
        match fs::symlink_metadata(&candidate) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(cannot_read(&candidate, &error)),
            Ok(_) => {}
        }
        match distrust(&candidate)? {
            // What a person takes for the contract is not passed over.
            None if !candidate.is_file() => {
                let what = "it leads to no regular file";
                return Err(Failure::new(format!(
                    "the contract {} cannot be read: {what}",
                    candidate.display()
                ))
                .hint("remove it, or name the contract with --contract"));
            }
            None => return Ok(Some(candidate)),
            Some(why) => {
                output::complain(&format!("note: {} is not used by root: {why}", candidate.display()))
            }
        }
    }
    installed()
}

/// The contract that was put in force on this host. To pass over it would hold the host against another contract than
/// its own, and call that compliant.
fn installed() -> Result<Option<PathBuf>, Failure> {
    let path = PathBuf::from(INSTALLED);
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot_read(&path, &error)),
        Ok(_) => {}
    }
    match distrust(&path)? {
        None => Ok(Some(path)),
        Some(why) => Err(refused(&path, &why).hint(format!(
            "read it, and when it is right: chown root:root {INSTALLED} && chmod 0644 {INSTALLED}; only root may write \
             a directory above it"
        ))),
    }
}

fn refused(path: &Path, why: &str) -> Failure {
    Failure::new(format!("root does not use {}: {why}", path.display()))
}

/// `golden.toml` here and above, up to the top of the git work tree (or the root, outside of one).
fn upwards() -> Vec<PathBuf> {
    let Ok(here) = std::env::current_dir() else { return Vec::new() };
    let mut candidates = Vec::new();
    for directory in here.ancestors() {
        candidates.push(directory.join("golden.toml"));
        if directory.join(".git").exists() {
            break;
        }
    }
    candidates
}

/// The text of a contract that may be obeyed. It is read at the very place that was judged: the name that led there may
/// lead elsewhere by now.
fn obeyed(path: &Path) -> Result<String, Failure> {
    let (real, why) = judged(path)?;
    match why {
        None => super::read_text(&real).map_err(|error| cannot_read(path, &error)),
        Some(why) => Err(refused(path, &why)),
    }
}

/// Why root must not obey a contract; `None` when it may, and for callers that are not root.
fn distrust(path: &Path) -> Result<Option<String>, Failure> {
    Ok(judged(path)?.1)
}

/// Where a contract really lies, and why root must not obey it.
fn judged(path: &Path) -> Result<(PathBuf, Option<String>), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Ok((path.to_owned(), None));
    }
    let whole = std::path::absolute(path).map_err(|error| cannot_read(path, &error))?;
    match followed(&whole)? {
        Ok(real) => {
            let why = open_to_others(&real)?;
            Ok((real, why))
        }
        Err(why) => Ok((whole, Some(why))),
    }
}

/// The kernel follows no more links on one way (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Where a path leads when only links are followed that nobody but root can replace; otherwise whose link it is. Who can
/// set a link chooses which of root's files root obeys.
fn followed(path: &Path) -> Result<Result<PathBuf, String>, Failure> {
    let parts = |path: &Path| -> Vec<OsString> {
        path.components().rev().map(|part| part.as_os_str().to_owned()).collect()
    };
    let (mut at, mut rest, mut links) = (PathBuf::from("/"), parts(path), 0);
    while let Some(part) = rest.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&part);
        let meta = fs::symlink_metadata(&next).map_err(|error| cannot_read(path, &error))?;
        if !meta.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Ok(Err("it leads through too many links".to_owned()));
        }
        if meta.uid() != 0 {
            return Ok(Err(format!("a link on the way belongs to uid {} ({})", meta.uid(), next.display())));
        }
        if let Some(why) = open_directory(&at)? {
            return Ok(Err(why));
        }
        rest.extend(parts(&fs::read_link(&next).map_err(|error| cannot_read(path, &error))?));
    }
    Ok(Ok(at))
}

/// Who else than root can replace a file, as words.
fn open_to_others(real: &Path) -> Result<Option<String>, Failure> {
    let meta = fs::symlink_metadata(real).map_err(|error| cannot_read(real, &error))?;
    if let Some(why) = open_node("it", real, &meta, false) {
        return Ok(Some(why));
    }
    real.parent().map_or(Ok(None), open_directory)
}

/// Who else than root can replace a name in a directory.
pub(super) fn open_directory(directory: &Path) -> Result<Option<String>, Failure> {
    for part in directory.ancestors() {
        let meta = fs::symlink_metadata(part).map_err(|error| cannot_read(part, &error))?;
        // A sticky directory lets nobody replace another's entry, so it is safe when the entry below is root's.
        let sticky = meta.mode() & 0o1000 != 0;
        if let Some(why) = open_node("a directory above it", part, &meta, sticky) {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

fn open_node(what: &str, path: &Path, meta: &fs::Metadata, sticky: bool) -> Option<String> {
    let shown = path.display();
    if meta.uid() != 0 {
        return Some(format!("{what} belongs to uid {} ({shown})", meta.uid()));
    }
    let is_open = meta.mode() & 0o022 != 0 && !sticky;
    is_open.then(|| format!("{what} can be written by others than root ({shown})"))
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("the contract {} cannot be read: {error}", path.display()))
        .hint("golden contract show   (without --contract) tells which contract is in force")
}

/// Reads and validates a contract file; a contract it extends is read relative to it.
pub(super) fn read(path: &Path) -> Result<FoundContract, Failure> {
    let text = super::read_contract(path).map_err(|error| cannot_read(path, &error))?;
    Ok(FoundContract { contract: parse(&text, path)?, text })
}

/// Validates a text as the contract that lies, or will lie, at a path.
pub(super) fn parse(text: &str, path: &Path) -> Result<Contract, Failure> {
    let shown = path.display().to_string();
    // A chain of contracts is as trustworthy as its weakest file.
    let load = |name: &str| {
        let path = PathBuf::from(name);
        match distrust(&path).map_err(|failure| failure.message().to_owned())? {
            Some(why) => Err(format!("root does not use it: {why}")),
            None => super::read_contract(&path).map_err(|error| error.to_string()),
        }
    };
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.info.id).collect();
    Contract::parse_for_rules(text, &shown, false, &load, &rules)
        .map_err(|errors| Failure::listing(list(&errors, text, &shown)))
}

/// All errors of a contract at once.
pub(super) fn list(errors: &[ContractError], text: &str, path: &str) -> String {
    let mut shown: String = errors.iter().map(|error| format!("{}\n", error.render(text))).collect();
    let count = errors.len();
    let plural = if count == 1 { "error" } else { "errors" };
    shown.push_str(&format!("{path} has {count} {plural}; a contract with errors is never used in part"));
    shown
}

/// The contract that is installed on this host; `None` where there is none, or none that could be used.
pub(super) fn installed_contract() -> Option<Contract> {
    let path = installed().ok().flatten()?;
    read(&path).ok().map(|found| found.contract)
}
