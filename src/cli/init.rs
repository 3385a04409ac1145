//! `golden init`: a contract to begin with, and what it makes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::render::{self, RenderArgs};
use super::{Failure, Global, find, output, owner};
use crate::adopt;
use crate::audit::{Selection, audit};
use crate::contract::{Contract, edit};
use crate::facts::gather::gather;
use crate::system::DiskSystem;
use crate::system::act::{Act, Rights};
use crate::system::hand::{Call, DiskHand, Hand};

/// Arguments of `golden init`.
#[derive(Args, Debug)]
pub(super) struct InitArgs {
    /// The repository of the system; otherwise the current directory.
    directory: Option<PathBuf>,
    /// The system's name, also used for its user; otherwise the directory's name.
    #[arg(long)]
    name: Option<String>,
    /// Start from a copy of a built-in contract.
    #[arg(long, value_name = "CONTRACT", conflicts_with = "from_host")]
    from: Option<String>,
    /// Start from services of this host, as they are: names of units. golden does not render them.
    #[arg(long, value_name = "UNIT", num_args = 1..)]
    from_host: Vec<String>,
    /// Read the services from the disk in this directory instead of this host.
    #[arg(long, value_name = "DIR", requires = "from_host")]
    root: Option<PathBuf>,
    /// Write only the contract, no other files.
    #[arg(long)]
    contract_only: bool,
}

/// Longer names of users make trouble (systemd.exec(5) takes 31).
const LONGEST_NAME: usize = 24;

/// Carries the verb out.
pub(super) fn run(global: &Global, args: &InitArgs) -> Result<ExitCode, Failure> {
    let here = args.directory.clone().unwrap_or_else(|| PathBuf::from("."));
    let found = |here: &Path| {
        here.canonicalize().map_err(|error| {
            Failure::new(format!("{}: {error}", here.display())).hint("make the directory first: mkdir")
        })
    };
    // A host is looked at with the caller's rights, a directory is written to with those of its owner.
    let of_host = match args.from_host.is_empty() {
        true => None,
        false => Some(of_host(args, &found(&here)?)?),
    };
    owner::become_owner(&here)?;
    let directory = found(&here)?;
    let path = directory.join("golden.toml");
    if std::fs::symlink_metadata(&path).is_ok() {
        output::complain(
            &Failure::new(format!("{} is there already", path.display()))
                .hint("golden contract check; golden service add NAME --exec …")
                .to_string(),
        );
        return Ok(ExitCode::from(1));
    }
    let text = match &of_host {
        Some(adopted) => adopted.text.clone(),
        None => text(args, &directory)?,
    };
    // What is written is read first: a defect of the template must not become a person's.
    let contract = find::parse(&text, &path)?;
    write(&path, &text)?;
    if !global.quiet {
        output::print(&format!("written {}\n", path.display()))?;
    }
    if let Some(adopted) = of_host {
        if !global.quiet {
            output::talk(&adopted.said);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !args.contract_only {
        let code = render::into(global, &contract, &RenderArgs::everything(&directory))?;
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
    }
    let next = match args.from {
        Some(_) => "golden plan        what this host lacks",
        None => "golden service add NAME --exec \"/path/to/program --its-arguments\"",
    };
    if !global.quiet {
        output::talk(&format!("\nRead golden.toml, change what is yours, then: {next}\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// A contract of what a host has, and what an audit says of it.
struct Adopted {
    text: String,
    said: String,
}

fn of_host(args: &InitArgs, directory: &Path) -> Result<Adopted, Failure> {
    let system = match &args.root {
        Some(root) => DiskSystem::rooted(root),
        None => DiskSystem::live(),
    };
    let shown = args.root.as_deref().unwrap_or(Path::new("/")).display();
    let system = system.map_err(|error| Failure::new(format!("{shown}: {error}")))?;
    let (today, authority) = (today(), authority());
    let header = adopt::Header { name: &name(args, directory)?, today: &today, authority: &authority };
    let text = adopt::contract(&system, header, &args.from_host).map_err(|adopt::Refused(why)| {
        Failure::listing(why.join("\n")).hint("systemctl list-units --type=service")
    })?;
    let contract = find::parse(&text, Path::new("what was written of these units"))?;
    let selection = Selection::default();
    let report = audit(&contract, &gather(&system, &contract, selection.needs(&contract)), &selection, false);
    let summary = report.summary();
    let needs_root = summary.undecided > 0 && !rustix::process::geteuid().is_root();
    let said = format!(
        "\nJudged by it, this host is {}: {} passed, {} failed, {} undecided.{}\n\
         Read golden.toml and remove what is accidental. Then: golden --contract golden.toml audit\n",
        report.verdict().word(),
        summary.pass,
        summary.fail,
        summary.undecided,
        if needs_root { " Not everything could be read: sudo golden init …" } else { "" },
    );
    Ok(Adopted { text, said })
}

fn today() -> String {
    jiff::Zoned::now().date().to_string()
}

/// Who calls, as the one who may change the contract.
fn authority() -> String {
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty());
    user.unwrap_or_else(|| "the people who may change this file".to_owned()).replace(['"', '\\'], "")
}

fn text(args: &InitArgs, directory: &Path) -> Result<String, Failure> {
    if let Some(from) = &args.from {
        let built_in = Contract::built_in();
        return match *from == built_in.name.value {
            true => Ok(Contract::built_in_text().to_owned()),
            false => Err(Failure::new(format!("no contract {from:?} is built in"))
                .hint(format!("golden init --from {}", built_in.name.value))),
        };
    }
    let name = name(args, directory)?;
    Ok(edit::starter(&name, &today(), &authority(), remote(directory).as_deref()))
}

/// A name that a user, a unit and a directory can have.
fn name(args: &InitArgs, directory: &Path) -> Result<String, Failure> {
    let fits = |name: &str| {
        name.len() <= LONGEST_NAME
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if let Some(name) = &args.name {
        return match fits(name) {
            true => Ok(name.clone()),
            false => Err(Failure::new(format!("{name:?} cannot be the name of a system")).hint(
                "lower-case letters, digits and `-`, beginning with a letter, at most 24: --name shop",
            )),
        };
    }
    let of_directory =
        directory.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name: String =
        of_directory.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-').to_owned();
    fits(&name).then_some(name).ok_or_else(|| {
        Failure::new(format!("{} gives the system no name", directory.display()))
            .hint("golden init --name shop")
    })
}

/// From where git got the repository that the contract lies in.
fn remote(directory: &Path) -> Option<String> {
    let words = ["git", "-C", directory.to_str()?, "remote", "get-url", "origin"].map(str::to_owned).to_vec();
    let call = Call { words, identity: None, environment: Vec::new(), limit: 10 };
    let ended = DiskHand::live().run(&call, &mut |_| {}).ok()?;
    (ended.code == Some(0)).then(|| ended.said.trim().to_owned()).filter(|url| !url.is_empty())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt;
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    let directory = path.parent().unwrap_or(Path::new("."));
    let owner = std::fs::metadata(directory).map_err(failed)?;
    let shown = path.to_str().ok_or_else(|| Failure::new(format!("{} is not text", path.display())))?;
    let rights = Rights { uid: owner.uid(), gid: owner.gid(), mode: 0o644 };
    Act::live().write(shown, text.as_bytes(), rights).map_err(failed)
}
