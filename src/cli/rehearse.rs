//! `golden rehearse`: the clean-slate test on a throwaway machine.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use clap::Args;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::{Failure, Global, find, output};
use crate::contract::{Contract, INSTALLED, LeadsOut};
use crate::rehearse::{Act, Ground, Machine, NoMachine, Rehearsal, STORE, play, still};
use crate::render::Artefact;
use crate::run::identity;
use crate::system::act::{self, Rights};
use crate::system::hand::{Call, DiskHand, Hand, Way};

/// Arguments of `golden rehearse`.
#[derive(Args, Debug)]
pub(super) struct RehearseArgs {
    /// The release of Debian: bookworm (systemd 252) or trixie (systemd 257).
    #[arg(long, default_value = "bookworm", conflicts_with = "copy_host")]
    suite: String,
    /// Use a copy of this host, which itself stays unchanged. The copy has no network and starts only the contract's units; what it writes stays in memory.
    #[arg(long)]
    copy_host: bool,
    /// The working copy to clone into the machine; otherwise the contract's repository on this host.
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Wheels for the venvs; the machine has no network.
    #[arg(long, value_name = "DIR")]
    wheelhouse: Option<PathBuf>,
    /// Delete everything, and do it again.
    #[arg(long)]
    twice: bool,
    /// Keep the machine under this name; otherwise it is removed at the end.
    #[arg(long, value_name = "NAME")]
    keep: Option<String>,
    /// Only apply and audit: run no jobs, kill nothing.
    #[arg(long)]
    calm: bool,
}

/// Seconds that git may take for a clone on this host.
const CLONES: u64 = 300;

/// Where things lie in the machine.
const SOURCE: &str = "/var/cache/golden-rehearsal/repository.git";
const GITCONFIG: &str = "/etc/gitconfig";
const WHEELS: &str = "/var/cache/golden-rehearsal/wheelhouse";

/// Carries the verb out.
pub(super) fn run(global: &Global, args: &RehearseArgs) -> Result<ExitCode, Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::new("a throwaway machine needs root").hint("sudo golden rehearse"));
    }
    let found = find::contract(global)?;
    let mut contract = found.contract;
    let artefacts = super::render::rendered(&contract)?;
    if args.calm {
        contract.provision.rehearse.clear();
    }
    let text = (!contract.source.built_in).then_some(found.text.as_str());
    let began = Instant::now();
    let ground = match args.copy_host {
        true => "a copy of this host".to_owned(),
        false => format!("Debian {}", args.suite),
    };
    output::print(&format!(
        "golden rehearse · contract {} {} · {ground}\n\n",
        contract.name.value, contract.version.value
    ))?;
    let (mut machine, title) = laid(&contract, &artefacts, args, text).map_err(no_machine)?;
    let mut heard = Heard { failed: None };
    heard.hear(&Act { title, took: began.elapsed(), failed: None });
    if args.keep.is_some() {
        machine.keep();
    }
    let boot = Instant::now();
    machine.boot(&mut |_| {}).map_err(no_machine)?;
    heard.hear(&Act { title: "it boots".into(), took: boot.elapsed(), failed: None });
    let wheelhouse = args.wheelhouse.as_ref().map(|_| WHEELS);
    let rehearsal = Rehearsal { contract: &contract, twice: args.twice, wheelhouse, calm: args.calm };
    let played = play(&machine, &rehearsal, &mut |act| heard.hear(act));
    if let Some(name) = &args.keep {
        let script = machine.script_path();
        output::complain(&format!("the machine keeps running: {script} shell {name}"));
        output::complain(&format!("to end it: {script} down {name}"));
    }
    let (count, seconds) = (played.len() + 2, began.elapsed().as_secs());
    match heard.failed {
        None => output::print_and(&format!("\n{count} acts passed in {seconds} s\n"), ExitCode::SUCCESS),
        Some(why) => {
            output::complain(&why);
            output::print_and(&format!("\nact {count} failed after {seconds} s\n"), ExitCode::from(1))
        }
    }
}

/// Set by Ctrl-C and its kin from now on: what runs in the machine ends, and the machine goes away as it always does.
fn stopped() -> std::io::Result<Arc<AtomicBool>> {
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // Whoever asks twice does not want to wait; the next rehearsal clears away what that leaves.
        signal_hook::flag::register_conditional_shutdown(signal, 1, stopped.clone())?;
        signal_hook::flag::register(signal, stopped.clone())?;
    }
    Ok(stopped)
}

/// Tries a verb on a copy of this host: afterwards nothing fails there that does not fail in the unchanged copy, and
/// everything that was up is up. The error says what went wrong.
pub(super) fn on_a_copy(global: &Global, contract: &Contract, words: &[&str]) -> Result<(), String> {
    let args = RehearseArgs {
        suite: String::new(),
        copy_host: true,
        source: None,
        wheelhouse: None,
        twice: false,
        keep: None,
        calm: true,
    };
    let artefacts = super::render::rendered(contract).map_err(|failure| failure.to_string())?;
    let text = match contract.source.built_in {
        true => None,
        false => Some(find::contract(global).map_err(|failure| failure.to_string())?.text),
    };
    let told = |NoMachine(why)| format!("cannot copy this host: {why}");
    output::talk("trying it on a copy of this host\n");
    let (machine, ..) = laid_without_source(contract, &artefacts, &args, text.as_deref()).map_err(told)?;
    machine.boot(&mut |_| {}).map_err(told)?;
    let golden = contract.provision.golden.value.as_str();
    let named = contract.source.built_in.then(|| format!("builtin:{}", contract.name.value));
    let call = |words: &[&str]| {
        let mut all = vec![golden];
        all.extend(named.iter().flat_map(|name| ["--contract", name.as_str()]));
        all.extend(words);
        machine.run(&all).map_err(|error| error.to_string())
    };
    let units: Vec<&str> = contract
        .services
        .iter()
        .filter(|one| one.runs_by_itself())
        .map(|one| one.unit.value.as_str())
        .collect();
    let up = || -> Vec<&str> {
        let is_up = |unit: &&&str| {
            machine.run(&["systemctl", "is-active", "--quiet", unit]).is_ok_and(|ended| ended.code == Some(0))
        };
        units.iter().filter(is_up).copied().collect()
    };
    let failing = || -> Result<std::collections::BTreeSet<String>, String> {
        let ended = call(&["audit", "--quiet", "--color", "never"])?;
        let lines = ended.said.lines().filter_map(|line| line.trim().strip_prefix('✗'));
        Ok(lines.map(|line| line.split_whitespace().collect::<Vec<&str>>().join(" ")).collect())
    };
    let (before, was_up) = (failing()?, up());
    let done = call(words)?;
    if done.code != Some(0) && !done.said.contains("To take them back") {
        return Err(format!("it did not work on a copy of this host:\n{}", done.said.trim_end()));
    }
    let after = failing()?;
    if let Some(new) = after.difference(&before).next() {
        return Err(format!("on a copy of this host {new} fails after the change, and passed before"));
    }
    let now_up = up();
    match was_up.iter().find(|unit| !now_up.contains(unit)) {
        Some(unit) => Err(format!("on a copy of this host {unit} does not run after the change")),
        None => {
            output::talk("it worked on the copy\n");
            Ok(())
        }
    }
}

/// Prints the protocol while it is played.
struct Heard {
    failed: Option<String>,
}

impl Heard {
    fn hear(&mut self, act: &Act) {
        let mark = if act.failed.is_some() { "✗" } else { "✓" };
        let line = format!("  {mark} {:<68} {:>6.1} s\n", act.title, act.took.as_secs_f64());
        let _ = output::print(&line);
        self.failed.clone_from(&act.failed);
    }
}

fn no_machine(NoMachine(why): NoMachine) -> Failure {
    Failure::listing(format!("golden cannot start a machine for the rehearsal\n{why}"))
}

fn failed(what: String) -> impl FnOnce(std::io::Error) -> NoMachine {
    move |error| NoMachine(format!("{what}: {error}"))
}

/// A machine that has not booted, with this program, a clone's source and wheels on it, and what it stands for.
fn laid(
    contract: &Contract,
    artefacts: &[Artefact],
    args: &RehearseArgs,
    text: Option<&str>,
) -> Result<(Machine, String), NoMachine> {
    let laid = laid_without_source(contract, artefacts, args, text)?;
    source(contract, args, &laid.2)?;
    Ok((laid.0, laid.1))
}

/// The same without the source of a clone.
fn laid_without_source(
    contract: &Contract,
    artefacts: &[Artefact],
    args: &RehearseArgs,
    text: Option<&str>,
) -> Result<(Machine, String, act::Act), NoMachine> {
    let store = std::env::var("GOLDEN_MACHINES").unwrap_or_else(|_| STORE.to_owned());
    let name = args.keep.clone().unwrap_or_else(|| format!("rehearsal-{}", std::process::id()));
    let mut said = |line: &str| output::talk(&format!("        {line}\n"));
    let ground = match args.copy_host {
        true => Ground::Host,
        false => Ground::Distribution {
            suite: args.suite.clone(),
            packages: contract.provision.packages.iter().map(|name| name.value.clone()).collect(),
        },
    };
    let (machine, root) = Machine::lay(&store, &name, &ground, stopped()?, &mut said)?;
    let inside = act::Act::below(std::path::Path::new(&root));
    let title = match ground {
        Ground::Distribution { .. } => "a machine with the distribution alone".to_owned(),
        Ground::Host => {
            let stilled = still(&inside, contract, artefacts).map_err(failed("the copy".to_owned()))?;
            format!("a copy of this host, with {stilled} links disabled")
        }
    };
    let own = |mode| Rights { uid: 0, gid: 0, mode };
    let program =
        std::env::current_exe().and_then(std::fs::read).map_err(failed("this program".to_owned()))?;
    let golden = contract.provision.golden.value.as_str();
    let put = |path: &str, bytes: &[u8], mode| {
        let written = inside.make_way(path).and_then(|()| inside.write(path, bytes, own(mode)));
        written.map_err(failed(path.to_owned()))
    };
    put(golden, &program, 0o755)?;
    if let Some(text) = text {
        let out = |LeadsOut { why, way_out }| NoMachine(format!("{why}\n  try: {way_out}"));
        for (path, text) in contract.source.files_beside(INSTALLED).map_err(out)? {
            put(&path, text.as_bytes(), 0o644)?;
        }
        put(INSTALLED, text.as_bytes(), 0o644)?;
    }
    if let Some(wheelhouse) = &args.wheelhouse {
        for entry in std::fs::read_dir(wheelhouse).map_err(failed(wheelhouse.display().to_string()))? {
            let entry = entry?;
            let path = format!("{WHEELS}/{}", entry.file_name().to_string_lossy());
            let wheel = std::fs::read(entry.path()).map_err(failed(entry.path().display().to_string()))?;
            put(&path, &wheel, 0o644)?;
        }
    }
    Ok((machine, title, inside))
}

/// Who runs git in a working copy: git reads its configuration, so it is the user in whose directory it lies, and root only
/// where nobody else can change anything. Where strangers could exchange it, a person must have named it (`is_named`).
fn reader(from: &Path, is_named: bool) -> Result<(u32, u32), NoMachine> {
    use std::os::unix::fs::MetadataExt;
    let shown = from.display();
    let another = "name another working copy: --source DIR";
    let meta = std::fs::symlink_metadata(from)
        .map_err(|error| NoMachine(format!("{shown}: {error}\n  {another}")))?;
    if let Some(name) = GIT_READS.iter().find(|name| would_block(&from.join(".git").join(name))) {
        return Err(NoMachine(format!(
            "{shown}/.git/{name} is not a file: git would wait there\n  {another}"
        )));
    }
    let uid = match DiskHand::live().way(&format!("{shown}/.git")) {
        Ok(Way { user, .. }) => user.unwrap_or(0),
        Err(_) if is_named && meta.is_dir() && (meta.uid() != 0 || is_closed(from)) => meta.uid(),
        Err(error) => return Err(NoMachine(format!("{error}, so no git is run there\n  {another}"))),
    };
    if uid == 0 {
        return Ok((0, 0));
    }
    let accounts = identity::accounts().map_err(|refusal| NoMachine(refusal.why))?;
    let user = accounts.user_by_id(uid);
    user.map(|user| (uid, user.gid))
        .ok_or_else(|| NoMachine(format!("{shown} belongs to uid {uid}, which has no account\n  {another}")))
}

/// What git opens by name before it looks at anything else (gitrepository-layout(5)).
const GIT_READS: [&str; 7] =
    ["HEAD", "config", "commondir", "packed-refs", "shallow", "index", "objects/info/alternates"];

/// Whether an open of a path would wait: at a FIFO, a device or a socket.
fn would_block(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

/// Whether a working copy and what git reads in it are root's and nobody else can write them.
fn is_closed(copy: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_roots = |path: PathBuf| {
        std::fs::symlink_metadata(path)
            .is_ok_and(|meta| meta.uid() == 0 && meta.mode() & 0o022 == 0 && !meta.is_symlink())
    };
    [".", ".git", ".git/config"].iter().all(|name| is_roots(copy.join(name)))
}

/// The committed state of the working copy, to be cloned in the machine under the contract's own remote.
fn source(contract: &Contract, args: &RehearseArgs, inside: &act::Act) -> Result<(), NoMachine> {
    let Some(policy) = &contract.repository else { return Ok(()) };
    let Some(remote) = &policy.remote else { return Ok(()) };
    let from = match &args.source {
        Some(directory) => directory
            .canonicalize()
            .map_err(|error| NoMachine(format!("{}: {error}", directory.display())))?,
        None => PathBuf::from(&policy.path.value),
    };
    let (uid, gid) = reader(&from, args.source.is_some())?;
    inside.make_way(SOURCE)?;
    inside.make_directory(SOURCE, Rights { uid, gid, mode: 0o755 })?;
    let place = inside.place(SOURCE);
    let words = ["git", "-c", "safe.directory=*", "clone", "--quiet", "--bare", "--no-local", "--"];
    let words = words
        .iter()
        .map(|word| (*word).to_owned())
        .chain([from.to_string_lossy().into_owned(), place.to_string_lossy().into_owned()]);
    let identity = Some((uid, gid));
    let call = Call { words: words.collect(), identity, environment: Vec::new(), limit: CLONES };
    let ended = DiskHand::live().run(&call, &mut |_| {})?;
    if ended.code != Some(0) {
        return Err(NoMachine(format!("{} cannot be cloned: {}", from.display(), ended.said.trim_end())));
    }
    // What a copied host says already stays.
    let mut config = match std::fs::read_to_string(inside.place(GITCONFIG)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.map_err(failed(GITCONFIG.to_owned()))?,
    };
    config
        .push_str(&format!("[safe]\n\tdirectory = *\n[url \"{SOURCE}\"]\n\tinsteadOf = {}\n", remote.value));
    inside.write(GITCONFIG, config.as_bytes(), Rights { uid: 0, gid: 0, mode: 0o644 })?;
    Ok(())
}
