//! How each kind of step is carried out and verified, and what must be kept before it.

use std::io::{Read, Write as _};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::build::{STAMP, digest};
use super::journal::{Record, UnitBefore};
use super::snapshot::Store;
use super::{Action, Progress, Step, UnitVerb, Write};
use crate::contract::Health;
use crate::model::Observed;
use crate::syntax::accounts::{self, Accounts, User};
use crate::system::act::{Act, Call, Rights};
use crate::system::{Ask, READ_LIMIT, System};

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What went wrong.
    pub why: String,
    /// The last lines of what a program said of it.
    pub said: String,
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self { why: error.to_string(), said: String::new() }
    }
}

impl Failed {
    /// The same with a way out.
    fn hint(mut self, way_out: &str) -> Self {
        self.why.push_str("; ");
        self.why.push_str(way_out);
        self
    }
}

fn failed(why: impl Into<String>) -> Failed {
    Failed { why: why.into(), said: String::new() }
}

/// Seconds that a program of the host may take: systemctl waits for a start, which has its own limit.
const LIMIT: u64 = 180;
/// Seconds for what loads from a network.
const LONG: u64 = 1800;
/// Seconds after which a service that is not healthy never will be.
const HEALTHY_WITHIN: u64 = 90;

/// The hands of a plan: what changes the host, what looks at it, and who hears of it.
pub(super) struct Hands<'a> {
    pub act: &'a Act,
    pub system: &'a dyn System,
    pub talk: &'a mut dyn FnMut(&str),
}

/// What must be kept before a step.
pub(super) fn keep(act: &Act, store: &Store, step: &Step) -> Result<Record, Failed> {
    let mut record = Record {
        title: step.title(),
        progress: Progress::Begun,
        paths: Vec::new(),
        units: Vec::new(),
        commit: None,
        lasting: false,
    };
    let mut whole = |path: &str| -> std::io::Result<()> {
        record.paths.push((path.to_owned(), store.take(act, path)?));
        Ok(())
    };
    match &step.action {
        Action::Write(write) => {
            if let Some(parent) = act.missing_parent(&write.path) {
                whole(&parent)?;
            }
            whole(&write.path)?;
        }
        Action::Directories { paths, .. } => {
            for path in paths {
                record.paths.push((path.clone(), store.take_shallow(act, path)?));
            }
        }
        Action::Venv { path, .. } => whole(path)?,
        Action::Checkout { tree, to, .. } => record.commit = Some(tree.before(act, &to.commit)?),
        Action::Clone { path, .. } | Action::Database { path, .. } => {
            whole(path)?;
            record.lasting = true;
        }
        Action::Packages(_) | Action::Accounts(_) => record.lasting = true,
        Action::Mend { paths, .. } => {
            for path in paths {
                let before = match super::fix::never_whole(path) {
                    true => store.take_shallow(act, path)?,
                    false => store.take(act, path)?,
                };
                record.paths.push((path.clone(), before));
            }
        }
        Action::Unit { unit, .. } => record.units.push(unit_before(act, unit)),
        Action::Reload | Action::Healthy { .. } => {}
    }
    Ok(record)
}

fn unit_before(act: &Act, unit: &str) -> UnitBefore {
    let says = |verb: &str| systemctl(act, &[verb, "--quiet", unit]).is_ok();
    UnitBefore { unit: unit.to_owned(), enabled: says("is-enabled"), active: says("is-active") }
}

/// Runs systemctl(1).
pub(super) fn systemctl(act: &Act, words: &[&str]) -> Result<String, Failed> {
    let words = std::iter::once("systemctl").chain(words.iter().copied()).map(str::to_owned).collect();
    run(act, words, None, LIMIT, &mut |_| {})
}

fn run(
    act: &Act,
    words: Vec<String>,
    user: Option<&User>,
    limit: u64,
    line: &mut dyn FnMut(&str),
) -> Result<String, Failed> {
    let environment =
        user.map(|user| vec![("HOME".to_owned(), user.home.clone()), ("USER".to_owned(), user.name.clone())]);
    let call = Call {
        identity: user.map(|user| (user.uid, user.gid)),
        environment: environment.unwrap_or_default(),
        limit,
        words,
    };
    let ended = act.run(&call, line).map_err(|error| failed(format!("{}: {error}", call.words.join(" "))))?;
    let why = match ended.code {
        Some(0) => return Ok(ended.said),
        Some(code) => format!("{} ended with {code}", call.words.join(" ")),
        None if ended.too_long => format!("{} took longer than {limit} s", call.words.join(" ")),
        None => format!("{} was killed", call.words.join(" ")),
    };
    let last: Vec<&str> = ended.said.lines().rev().take(12).collect();
    let said = last.into_iter().rev().collect::<Vec<_>>().join("\n");
    Err(Failed { why, said })
}

/// Carries a step out and looks whether it did what it should.
pub(super) fn perform(hands: &mut Hands<'_>, step: &Step) -> Result<(), Failed> {
    let act = hands.act;
    match &step.action {
        Action::Packages(names) => {
            let words = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "--"];
            let words = words.iter().map(|word| (*word).to_owned()).chain(names.iter().cloned()).collect();
            run(act, words, None, LONG, hands.talk).map(drop)
        }
        Action::Write(write) => write_file(hands, write),
        Action::Accounts(file) => program(act, &["systemd-sysusers", file], LIMIT),
        Action::Directories { file, paths } => {
            program(act, &["systemd-tmpfiles", "--create", file], LIMIT)?;
            let missing = paths.iter().find(|path| !act.place(path).is_dir());
            missing.map_or(Ok(()), |path| Err(failed(format!("{path} is not there afterwards"))))
        }
        Action::Clone { remote, branch, path, user } => clone(hands, remote, branch.as_deref(), path, user),
        Action::Checkout { tree, from, to } => match tree.here(act)? == *from {
            true => tree.go(act, to),
            false => Err(failed(format!("{} is no longer at {}", tree.path, from.commit))),
        },
        Action::Venv { path, interpreter, requirements, wheelhouse, uv } => {
            let installer = installer(path, uv.as_deref(), wheelhouse.as_deref());
            let made = venv(hands, path, interpreter, requirements, installer);
            made.map_err(|failed| match wheelhouse {
                Some(_) => failed,
                None => failed.hint("where the index cannot be reached: golden apply --wheelhouse DIR"),
            })
        }
        Action::Database { path, user } => database(hands, path, user),
        Action::Reload => systemctl(act, &["daemon-reload"]).map(drop),
        Action::Unit { verb, unit } => unit_verb(act, *verb, unit),
        Action::Healthy { unit, health } => healthy(hands, unit, health),
        Action::Mend { command, .. } => {
            let words = ["/bin/sh", "-ec", command].map(str::to_owned).to_vec();
            run(act, words, None, LONG, &mut |_| {}).map(drop)
        }
    }
}

fn program(act: &Act, words: &[&str], limit: u64) -> Result<(), Failed> {
    run(act, words.iter().map(|word| (*word).to_owned()).collect(), None, limit, &mut |_| {}).map(drop)
}

fn known_accounts(system: &dyn System) -> Result<Accounts, Failed> {
    let read = |path: &str| match system.read(path, READ_LIMIT) {
        Observed::Found(bytes) => Ok(bytes),
        Observed::Absent => Err(failed(format!("{path} is missing"))),
        Observed::Unreadable(why) => Err(failed(format!("{path}: {why}"))),
    };
    Ok(accounts::parse(&read("/etc/passwd")?, &read("/etc/group")?))
}

fn user(accounts: &Accounts, name: &str) -> Result<User, Failed> {
    accounts.user(name).cloned().ok_or_else(|| failed(format!("there is no user {name}")))
}

fn write_file(hands: &mut Hands<'_>, write: &Write) -> Result<(), Failed> {
    let accounts = known_accounts(hands.system)?;
    let uid = user(&accounts, &write.owner)?.uid;
    let group =
        accounts.group(&write.group).ok_or_else(|| failed(format!("there is no group {}", write.group)))?;
    // Somebody may have changed the file between the plan and this step.
    let now = hands.system.read(&write.path, READ_LIMIT);
    let is_as_planned = match (&now, &write.now) {
        (Observed::Found(bytes), Some(text)) => bytes == text.as_bytes(),
        (Observed::Absent, None) => true,
        _ => false,
    };
    if !is_as_planned {
        return Err(failed(format!(
            "{} has changed since the plan was made; look at a new plan",
            write.path
        )));
    }
    hands.act.make_way(&write.path)?;
    let rights = Rights { uid, gid: group.gid, mode: write.mode };
    Ok(hands.act.write(&write.path, write.content.as_bytes(), rights)?)
}

fn clone(
    hands: &mut Hands<'_>,
    remote: &str,
    branch: Option<&str>,
    path: &str,
    name: &str,
) -> Result<(), Failed> {
    let user = user(&known_accounts(hands.system)?, name)?;
    let mut words = vec!["git".to_owned(), "clone".to_owned(), "--quiet".to_owned()];
    words.extend(branch.iter().flat_map(|branch| ["--branch".to_owned(), (*branch).to_owned()]));
    words.extend(["--".to_owned(), remote.to_owned(), path.to_owned()]);
    run(hands.act, words, Some(&user), LONG, hands.talk).map(drop)
}

/// The command that installs locked requirements into a venv: nothing without a hash, nothing that is built here.
fn installer(venv: &str, uv: Option<&str>, wheelhouse: Option<&str>) -> Vec<String> {
    let python = format!("{venv}/bin/python");
    let mut words = match uv {
        Some(uv) => vec![uv, "pip", "install", "--python", &python, "--no-cache", "--link-mode=copy"],
        None => vec![&python, "-m", "pip", "install", "--disable-pip-version-check", "--no-cache-dir"],
    };
    words.extend(["--quiet", "--only-binary=:all:", "--require-hashes"]);
    if let Some(wheelhouse) = wheelhouse {
        words.extend(["--no-index", "--find-links", wheelhouse]);
    }
    words.into_iter().map(str::to_owned).collect()
}

/// Makes a venv as nobody who matters: what is installed may run code, so it is done as the owner of the
/// requirements; then all of it is given to root, so that no service can change what it runs.
fn venv(
    hands: &mut Hands<'_>,
    path: &str,
    interpreter: &str,
    requirements: &str,
    mut installer: Vec<String>,
) -> Result<(), Failed> {
    let act = hands.act;
    let locked = match hands.system.read(requirements, READ_LIMIT) {
        Observed::Found(bytes) => bytes,
        Observed::Absent => return Err(failed(format!("{requirements} is missing"))),
        Observed::Unreadable(why) => return Err(failed(format!("{requirements}: {why}"))),
    };
    let Observed::Found((meta, _)) = hands.system.node(requirements) else {
        return Err(failed(format!("{requirements} cannot be looked at")));
    };
    let accounts = known_accounts(hands.system)?;
    let owner = accounts
        .user_by_id(meta.uid)
        .ok_or_else(|| failed(format!("{requirements} belongs to nobody known")))?;
    act.remove(path)?;
    act.make_way(path)?;
    act.make_directory(path, Rights { uid: owner.uid, gid: owner.gid, mode: 0o755 })?;
    let words = [interpreter, "-m", "venv", path].map(str::to_owned).to_vec();
    run(act, words, Some(owner), LONG, hands.talk)?;
    installer.extend(["--requirement".to_owned(), requirements.to_owned()]);
    run(act, installer, Some(owner), LONG, hands.talk)?;
    act.own_tree(path, 0, 0)?;
    let stamp = format!("{}\n", digest(&locked));
    Ok(act.write(&format!("{path}/{STAMP}"), stamp.as_bytes(), Rights { uid: 0, gid: 0, mode: 0o644 })?)
}

/// An empty database: the header alone, in WAL mode.
fn database(hands: &mut Hands<'_>, path: &str, name: &str) -> Result<(), Failed> {
    let user = user(&known_accounts(hands.system)?, name)?;
    let bytes = crate::system::os::empty_database().map_err(|error| failed(format!("SQLite: {error}")))?;
    let rights = Rights { uid: user.uid, gid: user.gid, mode: 0o640 };
    Ok(hands.act.write(path, &bytes, rights)?)
}

fn unit_verb(act: &Act, verb: UnitVerb, unit: &str) -> Result<(), Failed> {
    if verb == UnitVerb::Restart {
        // A unit that has failed too often would refuse.
        let _ = systemctl(act, &["reset-failed", unit]);
    }
    systemctl(act, &["--quiet", verb.word(), unit]).map(drop).map_err(|error| {
        let words = ["--no-pager", "--quiet", "--lines=12", "--output=cat", "--unit", unit];
        let words = std::iter::once("journalctl").chain(words).map(str::to_owned).collect();
        let journal = run(act, words, None, LIMIT, &mut |_| {}).unwrap_or_default();
        Failed { why: error.why, said: if journal.is_empty() { error.said } else { journal } }
    })
}

/// Waits until a service has been active and quiet for long enough and answers where it should.
fn healthy(hands: &mut Hands<'_>, unit: &str, health: &Health) -> Result<(), Failed> {
    let ask = hands.system.ask().ok_or_else(|| failed("there is no running systemd to ask"))?;
    let end = Instant::now() + Duration::from_secs(HEALTHY_WITHIN + health.quiet());
    let mut since: Option<(Instant, u32)> = None;
    loop {
        let wrong = match state(ask, unit)? {
            State::Failed(why) => return Err(journal_of(hands.act, unit, why)),
            State::Active(restarts) => {
                let (began, before) = *since.get_or_insert((Instant::now(), restarts));
                if restarts != before {
                    let why = format!(
                        "{unit} was started and has died {} times since",
                        restarts - before.min(restarts)
                    );
                    return Err(journal_of(hands.act, unit, why));
                }
                let quiet = began.elapsed() >= Duration::from_secs(health.quiet());
                match answers(ask, health) {
                    Ok(()) if quiet => return Ok(()),
                    Ok(()) => "it has not been up for long enough".to_owned(),
                    Err(why) => why,
                }
            }
            State::Otherwise(word) => {
                since = None;
                format!("it is {word}")
            }
        };
        if Instant::now() > end {
            return Err(journal_of(
                hands.act,
                unit,
                format!("{unit} is not healthy after {HEALTHY_WITHIN} s: {wrong}"),
            ));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn journal_of(act: &Act, unit: &str, why: String) -> Failed {
    let words = ["journalctl", "--no-pager", "--quiet", "--lines=12", "--output=cat", "--unit", unit];
    let said = run(act, words.map(str::to_owned).to_vec(), None, LIMIT, &mut |_| {}).unwrap_or_default();
    Failed { why, said }
}

enum State {
    Active(u32),
    Failed(String),
    Otherwise(String),
}

fn state(ask: &dyn Ask, unit: &str) -> Result<State, Failed> {
    let states = match ask.units(&[unit]) {
        Observed::Found(states) => states,
        Observed::Absent => return Err(failed("systemd does not answer")),
        Observed::Unreadable(why) => return Err(failed(format!("systemd: {why}"))),
    };
    let Some(state) = states.get(unit) else { return Err(failed(format!("systemd knows no {unit}"))) };
    Ok(match state.active_state.as_str() {
        "active" => State::Active(state.restarts),
        // It has ended by itself, and systemd waits before it tries again (RestartSec=).
        "activating" if state.sub_state.starts_with("auto-restart") => {
            State::Failed(format!("{unit} ends as soon as it starts: {}", state.result))
        }
        "failed" => State::Failed(format!("{unit} has failed: {}", state.result)),
        _ => State::Otherwise(format!("{} ({})", state.active_state, state.sub_state)),
    })
}

fn answers(ask: &dyn Ask, health: &Health) -> Result<(), String> {
    if let Some(address) = &health.tcp {
        match ask.tcp(&address.value) {
            Observed::Found(()) => {}
            Observed::Absent => return Err(format!("nothing listens on {}", address.value)),
            Observed::Unreadable(why) => return Err(format!("{}: {why}", address.value)),
        }
    }
    match &health.http {
        Some(address) => get(&address.value),
        None => Ok(()),
    }
}

/// Asks an `http://` address and takes any status from 200 to 299 for an answer.
fn get(address: &str) -> Result<(), String> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let rest = address.strip_prefix("http://").unwrap_or(address);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let wrong = |error: std::io::Error| format!("{address}: {error}");
    let target =
        authority.to_socket_addrs().map_err(wrong)?.next().ok_or_else(|| format!("{address}: no address"))?;
    let mut stream = TcpStream::connect_timeout(&target, PATIENCE).map_err(wrong)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(wrong)?;
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(wrong)?;
    let mut head = [0; 64];
    let got = stream.read(&mut head).map_err(wrong)?;
    let line = String::from_utf8_lossy(&head[..got]).into_owned();
    let status = line.split(' ').nth(1).and_then(|word| word.parse::<u16>().ok());
    match status {
        Some(status) if (200..300).contains(&status) => Ok(()),
        Some(status) => Err(format!("{address} answers {status}")),
        None => Err(format!("{address} does not answer in HTTP")),
    }
}
