//! The changes that programs make: how each is carried out and verified, and what must be kept before it. Programs get
//! arguments, never text; what belongs to a user is run as that user.

mod artefact;
mod venv;

use serde::{Deserialize, Serialize};

use super::Left;
use super::journal::{Record, UnitBefore};
use super::links::LinksBefore;
use super::prepare::known_accounts;
use crate::model::Observed;
use crate::model::answers::RedisQuestion;
use crate::model::change::{Change, Verb};
use crate::syntax::accounts::{Accounts, User};
use crate::system::System;
use crate::system::hand::{Call, Hand};

/// Why a work failed.
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

impl From<crate::system::hand::Refused> for Failed {
    fn from(refused: crate::system::hand::Refused) -> Self {
        failed(refused.to_string())
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

pub(super) fn failed(why: impl Into<String>) -> Failed {
    Failed { why: why.into(), said: String::new() }
}

pub(crate) use artefact::ArtefactBefore;

/// A venv that was put in the place of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenvBefore {
    /// Its directory.
    pub path: String,
    /// Where the one before it was moved to; `None` where there was none.
    pub aside: Option<String>,
}

/// A setting of a running Redis, as it was before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The server's `host:port`.
    pub address: String,
    /// The unit of which the process must be that answers there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Seconds that a program of the host may take: systemctl waits for a start, which has its own limit.
const LIMIT: u64 = 180;
/// Seconds for a server of this host, in journals of golden 0.1, which called redis-cli.
const ANSWERS: u64 = 10;
/// Seconds for what loads from a network.
const LONG: u64 = 1800;

/// What changes the host, what looks at it, and who hears of it.
pub(super) struct Hands<'a> {
    pub hand: &'a dyn Hand,
    pub system: &'a dyn System,
    pub talk: &'a mut dyn FnMut(&str),
}

/// What must be kept before a program.
pub(super) fn keep(hand: &dyn Hand, change: &Change, id: &str, record: &mut Record) -> Result<(), Failed> {
    match change {
        Change::Packages { .. } | Change::Account { .. } => record.lasting = true,
        Change::Clone { path, user, .. } => {
            record.lasting = true;
            record.back = venv::emptying(path, user);
        }
        Change::LeaveGroup { user, group } => record.back = words(&["gpasswd", "-a", user, group]),
        Change::Server { address, unit, name, was, .. } => {
            record.server = Some(Setting {
                address: address.clone(),
                unit: unit.clone(),
                name: name.clone(),
                value: was.clone(),
            });
        }
        Change::Checkout { tree, to, .. } => record.commit = Some(tree.before(hand, to)?),
        Change::Venv { path, .. } => record.venv = Some(venv::before(hand, path, id)?),
        Change::Artefact { to, now, was } => {
            record.artefact = Some(artefact::before(hand, to, now.as_ref(), was.as_ref())?);
        }
        Change::Unit { verb: Verb::Mask, unit } => {
            record.back = words(&["systemctl", "--quiet", "unmask", unit])
        }
        Change::Unit { verb: Verb::Unmask, unit } => {
            record.back = words(&["systemctl", "--quiet", "mask", unit])
        }
        Change::Unit { verb, unit } => {
            record.units.push(unit_before(hand, unit));
            if matches!(verb, Verb::Enable | Verb::Disable | Verb::Retire) {
                record.links = Some(LinksBefore::look(hand, unit)?);
            }
        }
        _ => {}
    }
    Ok(())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Setting {
    /// Gives the running server this setting.
    fn set(&self, hand: &dyn Hand) -> Result<(), Failed> {
        let Self { address, unit, name, value } = self;
        let server = RedisQuestion {
            address,
            password: None,
            parameters: None,
            unit: unit.as_deref(),
            is_stated: true,
        };
        let no = |why: &str| Err(failed(format!("Redis at {address} did not set {name}: {why}")));
        match hand.say_to_redis(&server, &["config", "set", name, value]) {
            Observed::Found(said) if said == "OK" => Ok(()),
            Observed::Found(said) => no(&format!("{said:?}")),
            Observed::Absent => no("it said nothing"),
            Observed::Unreadable(why) => no(&why),
        }
    }
}

fn unit_before(hand: &dyn Hand, unit: &str) -> UnitBefore {
    let says = |verb: &str| systemctl(hand, &[verb, "--quiet", "--", unit]).is_ok();
    UnitBefore { unit: unit.to_owned(), enabled: says("is-enabled"), active: says("is-active") }
}

/// Runs systemctl(1).
pub(super) fn systemctl(hand: &dyn Hand, words: &[&str]) -> Result<String, Failed> {
    let words = std::iter::once("systemctl").chain(words.iter().copied()).map(str::to_owned).collect();
    run(hand, words, None, LIMIT, &mut |_| {})
}

pub(super) fn run(
    hand: &dyn Hand,
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
    let ended =
        hand.run(&call, line).map_err(|error| failed(format!("{}: {error}", call.words.join(" "))))?;
    let why = match ended.code {
        Some(0) => return Ok(ended.said),
        Some(code) => format!("{} ended with {code}", call.words.join(" ")),
        None if ended.too_long && crate::system::hand::interrupted() => {
            format!("{} was ended, since golden was asked to end", call.words.join(" "))
        }
        None if ended.too_long => format!("{} took longer than {limit} s", call.words.join(" ")),
        None => format!("{} was killed", call.words.join(" ")),
    };
    let last: Vec<&str> = ended.said.lines().rev().take(12).collect();
    let said = last.into_iter().rev().collect::<Vec<_>>().join("\n");
    Err(Failed { why, said })
}

fn accounts(system: &dyn System) -> Result<Accounts, Failed> {
    known_accounts(system).map_err(failed)
}

fn user(accounts: &Accounts, name: &str) -> Result<User, Failed> {
    accounts.user(name).cloned().ok_or_else(|| failed(format!("there is no user {name}")))
}

/// Carries a program out and looks whether it did what it should.
pub(super) fn perform(hands: &mut Hands<'_>, change: &Change, before: &Record) -> Result<(), Failed> {
    let hand = hands.hand;
    match change {
        Change::Packages { names } => {
            let own = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "--"];
            let all = own.iter().map(|word| (*word).to_owned()).chain(names.iter().cloned()).collect();
            run(hand, all, None, LONG, hands.talk).map(drop)
        }
        Change::Account { user: name, group, home } => {
            account(hands, name.as_deref(), group, home.as_deref())
        }
        Change::LeaveGroup { user, group } => {
            run(hand, words(&["gpasswd", "-d", user, group]), None, LIMIT, &mut |_| {}).map(drop)
        }
        Change::Server { address, unit, name, value, .. } => {
            let (address, unit) = (address.clone(), unit.clone());
            Setting { address, unit, name: name.clone(), value: value.clone() }.set(hand)
        }
        Change::Clone { remote, branch, path, user } => clone(hands, remote, branch.as_deref(), path, user),
        Change::Checkout { tree, from, to } => match tree.here(hand)? == *from {
            true => tree.go(hand, to),
            false => Err(failed(format!("{} is no longer at {}", tree.path, from.commit))),
        },
        Change::Venv { wheelhouse, .. } => {
            venv::make(hands, change, before).map_err(|failed| match wheelhouse {
                Some(_) => failed,
                None => failed.hint("where the index cannot be reached: golden apply --wheelhouse DIR"),
            })
        }
        Change::Artefact { to, now, was } => artefact::put(hand, to, now.as_ref(), was.as_ref()),
        Change::Reload => systemctl(hand, &["daemon-reload"]).map(drop),
        Change::Unit { verb, unit } => unit_verb(hand, *verb, unit),
        other => Err(failed(format!("golden does not know how to {}", other.words()))),
    }
}

/// Accounts are made by systemd-sysusers(8), unless names come from elsewhere too.
fn account(hands: &mut Hands<'_>, name: Option<&str>, group: &str, home: Option<&str>) -> Result<(), Failed> {
    let elsewhere = super::prepare::foreign_sources(hands.system);
    if let Some(sources) = elsewhere.map_err(failed)? {
        return Err(failed(format!(
            "users and groups come from {sources} too (nsswitch.conf); make {} by hand",
            name.unwrap_or(group)
        )));
    }
    if !crate::model::change::are_words(&[name, Some(group), home]) {
        return Err(failed(format!("{} is more than one word of sysusers.d", name.unwrap_or(group))));
    }
    let mut all = words(&["systemd-sysusers", "--inline"]);
    all.push(format!("g {group} -"));
    if let Some(name) = name {
        all.push(format!("u {name} -:{group} \"\" {}", home.unwrap_or("-")));
    }
    run(hands.hand, all, None, LIMIT, &mut |_| {})?;
    let accounts = accounts(hands.system)?;
    match accounts.group(group).is_some() && name.is_none_or(|name| accounts.user(name).is_some()) {
        true => Ok(()),
        false => Err(failed(format!("{} is not there afterwards", name.unwrap_or(group)))),
    }
}

fn clone(
    hands: &mut Hands<'_>,
    remote: &str,
    branch: Option<&str>,
    path: &str,
    name: &str,
) -> Result<(), Failed> {
    let user = user(&accounts(hands.system)?, name)?;
    let mut all = words(&["git", "-c", "core.hooksPath=/dev/null", "clone", "--quiet"]);
    all.extend(branch.iter().flat_map(|branch| ["--branch".to_owned(), (*branch).to_owned()]));
    all.extend(["--".to_owned(), remote.to_owned(), path.to_owned()]);
    run(hands.hand, all, Some(&user), LONG, hands.talk).map(drop)
}

fn unit_verb(hand: &dyn Hand, verb: Verb, unit: &str) -> Result<(), Failed> {
    if verb == Verb::Restart {
        return restart(hand, unit);
    }
    let words: &[&str] = match verb {
        Verb::Retire => &["--quiet", "disable", "--now", "--", unit],
        _ => &["--quiet", verb.word(), "--", unit],
    };
    said_by_journal(hand, unit, systemctl(hand, words))
}

/// Restarts a unit.
pub(super) fn restart(hand: &dyn Hand, unit: &str) -> Result<(), Failed> {
    // One that has failed too often would refuse.
    let _ = systemctl(hand, &["reset-failed", "--", unit]);
    said_by_journal(hand, unit, systemctl(hand, &["--quiet", Verb::Restart.word(), "--", unit]))
}

/// What became of a verb; where it failed, with what the unit's journal says.
fn said_by_journal(hand: &dyn Hand, unit: &str, done: Result<String, Failed>) -> Result<(), Failed> {
    done.map(drop).map_err(|error| {
        let journal = journal_of(hand, unit, String::new()).said;
        Failed { why: error.why, said: if journal.is_empty() { error.said } else { journal } }
    })
}

/// A failure with the last lines of a unit's journal.
pub(super) fn journal_of(hand: &dyn Hand, unit: &str, why: String) -> Failed {
    let all = ["journalctl", "--no-pager", "--quiet", "--lines=12", "--output=cat", "--unit", unit];
    let said = run(hand, words(&all), None, LIMIT, &mut |_| {}).unwrap_or_default();
    Failed { why, said }
}

/// Takes back what a program did, as far as it is not a person's since.
pub(super) fn take_back(hand: &dyn Hand, record: &Record, system: &dyn System) -> Vec<Left> {
    let mut left = Vec::new();
    if let Some(before) = &record.venv {
        let back = venv::take_back(hand, before);
        left.extend(back.err().map(|failed| Left::of_program(hand, &before.path, failed.why)));
    }
    if let Some(before) = &record.artefact {
        let back = before.bring_back(hand);
        left.extend(
            back.err().map(|refused| Left::from(refused).about(format!("{} stays as it is", before.to))),
        );
    }
    if let Some(before) = &record.server {
        left.extend(before.set(hand).err().map(|failed| failed.why.into()));
    }
    if !record.back.is_empty() {
        let done = venv::run_back(hand, &record.back, system);
        left.extend(done.err().map(|failed| Left::of_program(hand, "/etc", failed.why).about(&record.title)));
    }
    left
}
