//! Artefacts from the contract: what lies on a host and in a governed repository because the contract says so, and
//! is written by nobody's hand. Pure: a contract goes in, texts with their places come out.
//!
//! A demand that leaves no choice is written as it stands; where it leaves one, `[provision]` decides. What neither
//! decides is a [`Gap`]: it is named, with the key that fills it, and nothing is rendered in its place.

mod commands;
mod env_file;
mod example;
mod forbidden;
mod handbook;
mod host;
mod markdown;
mod repository;
mod standard;
mod template;
mod troubles;
mod unit;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use host::Directory;

use markdown::Page;

use crate::contract::{Contract, Service};
use crate::model::Location;

/// A file that the contract makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artefact {
    /// Its name in a selection: `units`, `env`, `makefile` …
    pub what: What,
    /// Where it lies in a governed repository, relative to it.
    pub in_repository: Option<String>,
    /// Where it lies on a host.
    pub on_host: Option<HostFile>,
    /// Permission bits.
    pub mode: u32,
    /// Its whole text.
    pub content: String,
}

/// A file of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFile {
    /// Absolute.
    pub path: String,
    /// Its owner by name.
    pub owner: String,
    /// Its group by name.
    pub group: String,
}

/// Sorts of artefacts, as a selection names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Unit files of services and of their timers.
    Units,
    /// Env files; values of secrets never.
    Env,
    /// sysusers.d(5), tmpfiles.d(5) and logrotate(8).
    Host,
    /// The daily audit: a timer and its service.
    Audit,
    /// The Makefile, whose targets call jobs through the wrapper.
    Makefile,
    /// `ops/run.sh`, or however the contract calls it.
    Wrapper,
    /// The contract as a document for people: `docs/STANDARD_CONTRACT.md`.
    Standard,
    /// How one works under it: `docs/SYSTEMD_STANDARD_README.md`.
    Readme,
    /// The golden unit with placeholders, in `systemd/templates`.
    Template,
}

impl What {
    /// Whether it is for people to read, and nothing on a host is made of it.
    pub fn is_document(self) -> bool {
        matches!(self, What::Standard | What::Readme | What::Template)
    }

    /// Every sort with its word.
    pub const ALL: [(&'static str, What); 9] = [
        ("units", What::Units),
        ("env", What::Env),
        ("host", What::Host),
        ("audit", What::Audit),
        ("makefile", What::Makefile),
        ("wrapper", What::Wrapper),
        ("standard", What::Standard),
        ("readme", What::Readme),
        ("template", What::Template),
    ];
}

/// Something that neither a demand nor `[provision]` decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The line that leaves it open.
    pub at: Location,
    /// What is open.
    pub message: String,
    /// The key that fills it.
    pub way_out: String,
    /// The files of a host that cannot be written while it is open.
    pub files: Vec<String>,
    /// The variable that has no value, and the service whose it is.
    pub variable: Option<(Arc<str>, Arc<str>)>,
}

/// Everything that a contract makes, in the order in which a host needs it; or all of its gaps.
pub fn artefacts(contract: &Contract) -> Result<Vec<Artefact>, Vec<Gap>> {
    let (all, gaps) = with_gaps(contract);
    if gaps.is_empty() { Ok(all) } else { Err(gaps) }
}

/// What a contract makes and decides in every part, and the gaps that keep the rest from being made. Where all files of
/// a gap are on the host already, nobody needs it filled; what the host itself fills is no gap.
pub fn decided(contract: &Contract, is_filled: &dyn Fn(&Gap) -> bool) -> (Vec<Artefact>, Vec<Gap>) {
    let (mut all, mut gaps) = with_gaps(contract);
    gaps.retain(|gap| !is_filled(gap));
    let is_open = |path: &String| gaps.iter().any(|gap| gap.files.contains(path));
    all.retain(|artefact| !artefact.on_host.as_ref().is_some_and(|file| is_open(&file.path)));
    (all, gaps)
}

fn with_gaps(contract: &Contract) -> (Vec<Artefact>, Vec<Gap>) {
    let mut all = vec![];
    let mut gaps = Vec::new();
    all.extend(host::artefacts(contract));
    all.extend(env_file::artefacts(contract, &mut gaps));
    for service in rendered(contract) {
        all.extend(unit::artefacts(contract, service, &mut gaps));
    }
    all.extend(host::audit(contract));
    all.extend(host::watches(contract));
    all.extend(repository::artefacts(contract));
    all.extend(documents(contract));
    (all, gaps)
}

/// What is for people to read. No gap keeps it from being written.
pub fn documents(contract: &Contract) -> Vec<Artefact> {
    let mut all = vec![standard::artefact(contract), handbook::artefact(contract)];
    all.extend(template::artefact(contract));
    all
}

/// Services whose units golden writes.
pub fn rendered(contract: &Contract) -> impl Iterator<Item = &Service> {
    contract.services.iter().filter(|service| {
        service.kind.value != crate::contract::Kind::Draft && !service.provision.kept_elsewhere
    })
}

/// The directories that the contract has made, by path, parents first.
pub fn directories(contract: &Contract) -> BTreeMap<String, Directory> {
    host::directories(contract).0
}

/// How units name the contract: a check that read another one could keep a healthy service from starting.
pub fn named(contract: &Contract) -> String {
    match contract.source.built_in {
        true => format!("builtin:{}", contract.name.value),
        false => crate::contract::INSTALLED.to_owned(),
    }
}

/// The timer of the daily audit.
pub fn audit_timer(contract: &Contract) -> String {
    host::audit_unit(contract, "timer")
}

/// A line of an env file that systemd and a shell read alike.
pub fn env_line(name: &str, value: &str) -> String {
    format!("{name}={}", env_file::written(value))
}

/// Where units lie in a governed repository.
pub const UNITS: &str = "systemd/units";

/// Where units lie on a host.
const UNIT_FOLDER: &str = "/etc/systemd/system";

/// Where examples of env files lie in it.
pub const ENV_FILES: &str = "systemd/env";

/// What every rendered file holds: who wrote it.
pub const MARK: &str = crate::model::change::RENDERED;

/// The first lines of everything that is rendered where `#` begins a comment.
fn header(contract: &Contract, what: &str) -> String {
    format!("# {what}\n# {}\n", origin(contract))
}

/// Who wrote a file, and from what.
fn origin(contract: &Contract) -> String {
    let (name, version) = (&contract.name.value, &contract.version.value);
    format!("{MARK} from the contract {name} {version}; change that, not this file.")
}

/// A document of the repository.
fn document(
    contract: &Contract,
    what: What,
    path: &str,
    about: &str,
    write: impl FnOnce(&mut Page),
) -> Artefact {
    let mut page = Page::new(&format!("{about}\n     {}", origin(contract)));
    write(&mut page);
    Artefact { what, in_repository: Some(path.to_owned()), on_host: None, mode: 0o644, content: page.text() }
}

/// The name under which the system's own files go: that of its contract, as a file name.
fn system_name(contract: &Contract) -> Arc<str> {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '-' };
    contract.name.value.chars().map(safe).collect::<String>().into()
}

#[cfg(test)]
mod tests;
