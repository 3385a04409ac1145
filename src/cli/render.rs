//! `golden render`: what the contract makes, written into a governed repository.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use similar::TextDiff;

use super::{Failure, Global, find, output, owner};
use crate::contract::Contract;
use crate::contract::secrets::Hiding;
use crate::render::{Artefact, ENV_FILES, Gap, MARK, UNITS, What, artefacts, documents};
use crate::system::act::{Act, Rights};

/// Arguments of `golden render`.
#[derive(Args, Debug)]
pub(super) struct RenderArgs {
    /// What: units, env, host, audit, makefile, wrapper, standard, readme, template; without it everything.
    what: Vec<String>,
    /// The repository; otherwise the directory of golden.toml, or the top of the git work tree here.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Change nothing: show the difference, and end with 1 when there is one.
    #[arg(long)]
    check: bool,
    /// Replace files that were not written by golden, too.
    #[arg(long)]
    replace: bool,
}

impl RenderArgs {
    /// Everything, into a directory.
    pub(super) fn everything(directory: &Path) -> Self {
        Self { what: Vec::new(), out: Some(directory.to_owned()), check: false, replace: false }
    }
}

/// A file of the repository and what is there now.
struct Pending {
    path: PathBuf,
    shown: String,
    artefact: Artefact,
    now: Option<String>,
    mode_fits: bool,
}

/// Carries the verb out.
pub(super) fn run(global: &Global, args: &RenderArgs) -> Result<ExitCode, Failure> {
    into(global, &find::contract(global)?.contract, args)
}

/// The same for a contract that somebody has found already.
pub(super) fn into(global: &Global, contract: &Contract, args: &RenderArgs) -> Result<ExitCode, Failure> {
    let wanted = selection(&args.what)?;
    let all = match wanted.iter().all(|what| what.is_document()) {
        true => documents(contract),
        false => rendered(contract)?,
    };
    let root = match &args.out {
        Some(directory) => directory.clone(),
        None => repository(contract)?,
    };
    owner::become_owner(&root)?;
    // Of a selection nobody knows what is left over.
    let orphans = if args.what.is_empty() { orphans(&root, contract, &all)? } else { Vec::new() };
    let chosen = all.into_iter().filter(|artefact| wanted.contains(&artefact.what));
    let pending: Vec<Pending> =
        chosen.filter_map(|artefact| pending(&root, artefact).transpose()).collect::<Result<_, _>>()?;
    if args.check {
        return check(contract, &root, &pending, &orphans);
    }
    let foreign: Vec<&str> = pending
        .iter()
        .filter(|one| one.now.as_ref().is_some_and(|now| !now.contains(MARK)))
        .map(|one| one.shown.as_str())
        .collect();
    if !foreign.is_empty() && !args.replace {
        let message = format!("nothing was written: {} is not golden's file", foreign.join(", "));
        output::complain(
            &Failure::new(message)
                .hint("look at the difference: golden render --check; then golden render --replace")
                .to_string(),
        );
        return Ok(ExitCode::from(1));
    }
    let act = Act::live();
    for one in &pending {
        write(&act, one)?;
        if !global.quiet {
            output::print(&format!(
                "{} {}\n",
                if one.now.is_some() { "changed" } else { "written" },
                one.shown
            ))?;
        }
    }
    for orphan in &orphans {
        let path = root.join(orphan);
        std::fs::remove_file(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        if !global.quiet {
            output::print(&format!("removed {orphan}\n"))?;
        }
    }
    if pending.is_empty() && orphans.is_empty() && !global.quiet {
        output::print("all files are as the contract makes them\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Files of the contract's repository that are not as the contract makes them.
pub(super) fn stale(contract: &Contract) -> Result<Vec<String>, Failure> {
    let root = repository(contract)?;
    let all = rendered(contract)?;
    let orphans = orphans(&root, contract, &all)?;
    let pending = all.into_iter().map(|artefact| pending(&root, artefact));
    let pending: Vec<Option<Pending>> = pending.collect::<Result<_, _>>()?;
    Ok(pending.into_iter().flatten().map(|one| one.shown).chain(orphans).collect())
}

/// Files that golden has written for this contract when it said something else, beside those it makes now.
fn orphans(root: &Path, contract: &Contract, all: &[Artefact]) -> Result<Vec<String>, Failure> {
    let made: BTreeSet<&str> = all.iter().filter_map(|artefact| artefact.in_repository.as_deref()).collect();
    let parents = made.iter().filter_map(|path| Some(path.rsplit_once('/')?.0.to_owned()));
    let folders: BTreeSet<String> = parents.chain([UNITS.to_owned(), ENV_FILES.to_owned()]).collect();
    let own = format!("{MARK} from the contract {} ", contract.name.value);
    let mut found = Vec::new();
    for folder in folders {
        let entries = match std::fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Failure::new(format!("{folder}: {error}"))),
        };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())) {
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            let is_ours = || super::read_text(&entry.path()).is_ok_and(|text| text.contains(&own));
            if !made.contains(name.as_str()) && is_ours() {
                found.push(name);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The artefacts of a contract, or its gaps as one failure.
pub(super) fn rendered(contract: &Contract) -> Result<Vec<Artefact>, Failure> {
    artefacts(contract).map_err(|gaps| {
        let line = |gap: &Gap| format!("{}: {}\n    {}\n", gap.at, gap.message, gap.way_out);
        let shown: String = gaps.iter().map(line).collect();
        Failure::new(format!("{shown}the contract does not say everything that must be written"))
    })
}

/// What the contract that is installed on this host renders, by which golden knows its own files again; without one
/// what the built-in contract renders.
pub(super) fn of_installed() -> Vec<Artefact> {
    let contract = find::installed_contract().unwrap_or_else(Contract::built_in);
    artefacts(&contract).unwrap_or_default()
}

fn selection(words: &[String]) -> Result<Vec<What>, Failure> {
    if words.is_empty() {
        return Ok(What::ALL.iter().map(|(_, what)| *what).collect());
    }
    let known = || What::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let unknown = |word: &String| {
        let message = format!("golden does not render {word:?}");
        Failure::new(message).hint(format!("one of {}", known()))
    };
    let find = |word: &String| What::ALL.iter().find(|(name, _)| name == word).map(|(_, what)| *what);
    words.iter().map(|word| find(word).ok_or_else(|| unknown(word))).collect()
}

/// The repository that the contract lies in.
fn repository(contract: &Contract) -> Result<PathBuf, Failure> {
    let own = Path::new(&*contract.source.path);
    if !contract.source.built_in
        && own.file_name().is_some_and(|name| name == "golden.toml")
        && !own.starts_with("/etc")
    {
        return Ok(own
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .to_owned());
    }
    let here = std::env::current_dir()
        .map_err(|error| Failure::new(format!("the current directory is unknown: {error}")))?;
    let top = here.ancestors().find(|directory| directory.join(".git").exists());
    top.map(Path::to_owned).ok_or_else(|| {
        Failure::new("this is not a git work tree, so golden does not know where to write")
            .hint("golden render --out DIR")
    })
}

/// A file that is not yet what it should be.
fn pending(root: &Path, artefact: Artefact) -> Result<Option<Pending>, Failure> {
    let Some(shown) = artefact.in_repository.clone() else { return Ok(None) };
    let path = root.join(&shown);
    let now = match std::fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() => {
            let text = super::read_text(&path)
                .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
            let mode_fits = meta.permissions().mode() & 0o111 == artefact.mode & 0o111;
            if text == artefact.content && mode_fits {
                return Ok(None);
            }
            Some((text, mode_fits))
        }
        Ok(_) => {
            return Err(Failure::new(format!("{} is not a regular file", path.display()))
                .hint("check it, and move it away"));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Failure::new(format!("{}: {error}", path.display()))),
    };
    let (now, mode_fits) = now.map_or((None, true), |(text, fits)| (Some(text), fits));
    Ok(Some(Pending { path, shown, artefact, now, mode_fits }))
}

/// What a file of the repository holds can be a secret that somebody wrote into it.
fn check(
    contract: &Contract,
    root: &Path,
    pending: &[Pending],
    orphans: &[String],
) -> Result<ExitCode, Failure> {
    let hiding = Hiding::of(contract);
    for one in pending {
        let old = hiding.shown(&one.shown, one.now.as_deref().unwrap_or(""));
        let new = hiding.shown(&one.shown, &one.artefact.content);
        let from = if one.now.is_some() { one.shown.as_str() } else { "/dev/null" };
        let diff = TextDiff::from_lines(&old, &new);
        output::print(&diff.unified_diff().header(from, &one.shown).to_string())?;
        if !one.mode_fits {
            output::print(&format!("mode of {} should be {:04o}\n", one.shown, one.artefact.mode))?;
        }
    }
    for orphan in orphans {
        let old = hiding.shown(orphan, &super::read_text(&root.join(orphan)).unwrap_or_default());
        let diff = TextDiff::from_lines(old.as_str(), "");
        output::print(&diff.unified_diff().header(orphan, "/dev/null").to_string())?;
    }
    match pending.len() + orphans.len() {
        0 => Ok(ExitCode::SUCCESS),
        stale => {
            output::complain(&format!("{stale} files differ from the contract; try: golden render"));
            Ok(ExitCode::from(1))
        }
    }
}

/// Writes a file whole, as its directory's owner: a repository is the user's, whoever renders into it.
fn write(act: &Act, one: &Pending) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", one.path.display()));
    let absolute = std::path::absolute(&one.path).map_err(failed)?;
    let path =
        absolute.to_str().ok_or_else(|| Failure::new(format!("{} is not text", absolute.display())))?;
    let parents: Vec<&Path> = absolute.ancestors().skip(1).collect();
    let there = parents
        .iter()
        .find(|parent| parent.is_dir())
        .ok_or_else(|| Failure::new("no directory to write into"))?;
    let owner = std::fs::metadata(there).map_err(failed)?;
    let rights = |mode| Rights { uid: owner.uid(), gid: owner.gid(), mode };
    for parent in parents.iter().rev().filter(|parent| parent.starts_with(there) && *parent != there) {
        act.make_directory(&parent.to_string_lossy(), rights(0o755)).map_err(failed)?;
    }
    act.write(path, one.artefact.content.as_bytes(), rights(one.artefact.mode)).map_err(failed)
}
