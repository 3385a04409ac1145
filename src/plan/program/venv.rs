//! A venv is built where nobody but its builder sees it, then copied by root into new files.
//!
//! What is installed may run code, so it is built by the owner of the locked requirements, in a transient unit whose
//! mount namespace shows a directory of golden's at the venv's own path. When nothing of that unit runs any more, golden
//! copies bytes and links into new files of root's and renames the tree into place: no file that somebody could still
//! hold open, no access list and no owner survives.

use super::{Failed, Hands, LONG, VenvBefore, accounts, failed, run, words};
use crate::model::change::Change;
use crate::model::sha256;
use crate::plan::build::STAMP;
use crate::syntax::accounts::{Accounts, User};
use crate::system::System;
use crate::system::hand::{Hand, Node, Refused, Rights};

/// Where venvs are built: only root passes it.
const BUILDS: &str = "/var/lib/golden/builds";

const ROOTS: Rights = Rights { uid: 0, gid: 0, mode: 0o755 };

/// Who builds where the locked requirements are root's.
const NOBODY: &str = "nobody";

fn user_named(accounts: &Accounts, name: &str) -> Result<User, Failed> {
    super::user(accounts, name)
}

/// The directory beside a venv's own that nobody uses.
fn beside(path: &str, what: &str) -> String {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    format!("{parent}/.{name}.golden-{what}")
}

/// Where the venv that is there now goes.
pub(super) fn before(hand: &dyn Hand, path: &str, id: &str) -> Result<VenvBefore, Failed> {
    let aside = match hand.node(path) {
        Ok(Node::Absent) | Err(Refused::Io(..)) => None,
        Ok(Node::Directory { .. }) => Some(beside(path, &format!("old-{id}"))),
        Ok(other) => return Err(failed(format!("{path} is {}, where a venv belongs", other.word()))),
        Err(refused) => return Err(refused.into()),
    };
    Ok(VenvBefore { path: path.to_owned(), aside })
}

/// Brings the venv before back.
pub(super) fn take_back(hand: &dyn Hand, before: &VenvBefore) -> Result<(), Failed> {
    // Where golden was killed its build may go on.
    let _ = Build::of(&before.path, "").stop(hand);
    remove_tree(hand, &beside(&before.path, "new"))?;
    match &before.aside {
        None => remove_tree(hand, &before.path),
        Some(aside) if hand.node(aside)? == Node::Absent => Ok(()),
        Some(aside) => {
            remove_tree(hand, &before.path)?;
            Ok(hand.rename(aside, &before.path)?)
        }
    }
}

/// Removes a tree of root's that lies where only root can replace a name.
fn remove_tree(hand: &dyn Hand, path: &str) -> Result<(), Failed> {
    match hand.node(path)? {
        Node::Absent => Ok(()),
        _ if hand.way(path)?.user.is_some() => Err(failed(format!("{path} lies in a user's directory"))),
        _ => run(hand, words(&["rm", "-rf", "--one-file-system", "--", path]), None, LONG, &mut |_| {})
            .map(drop),
    }
}

/// The words that take a clone away again: as its owner, and the directory itself stays.
pub(super) fn emptying(path: &str, user: &str) -> Vec<String> {
    words(&["as", user, "find", path, "-mindepth", "1", "-delete"])
}

/// Runs the words that take something back; those that begin with `as USER` as that user.
pub(super) fn run_back(hand: &dyn Hand, back: &[String], system: &dyn System) -> Result<(), Failed> {
    let (user, rest) = match back {
        [first, name, rest @ ..] if first == "as" => (Some(super::user(&accounts(system)?, name)?), rest),
        rest => (None, rest),
    };
    let limit =
        if rest.first().is_some_and(|program| program == "redis-cli") { super::ANSWERS } else { LONG };
    run(hand, rest.to_vec(), user.as_ref(), limit, &mut |_| {}).map(drop)
}

/// The command that installs locked requirements into a venv: nothing without a hash, nothing that is built here.
fn installer(venv: &str, uv: Option<&str>, wheelhouse: Option<&str>) -> Vec<String> {
    let python = format!("{venv}/bin/python");
    let mut all = match uv {
        Some(uv) => vec![uv, "pip", "install", "--python", &python, "--no-cache", "--link-mode=copy"],
        None => vec![&python, "-m", "pip", "install", "--disable-pip-version-check", "--no-cache-dir"],
    };
    all.extend(["--quiet", "--only-binary=:all:", "--require-hashes"]);
    if let Some(wheelhouse) = wheelhouse {
        all.extend(["--no-index", "--find-links", wheelhouse]);
    }
    words(&all)
}

/// Makes a venv anew.
pub(super) fn make(hands: &mut Hands<'_>, change: &Change, before: &super::Record) -> Result<(), Failed> {
    let Change::Venv { path, interpreter, requirements, wheelhouse, uv } = change else {
        return Err(failed("this is not a venv"));
    };
    let hand = hands.hand;
    // By the hand: a link in a user's directory could make root's file, and root its builder, of anything.
    let (locked, uid) = match hand.node(requirements)? {
        Node::File { bytes, rights, .. } => (bytes, rights.uid),
        other => return Err(failed(format!("{requirements} is {}, where a file belongs", other.word()))),
    };
    let accounts = accounts(hands.system)?;
    // What is installed may run code, which root never does.
    let owner = match hand.way(requirements)?.user.unwrap_or(uid) {
        0 => user_named(&accounts, NOBODY)?,
        uid => accounts
            .user_by_id(uid)
            .cloned()
            .ok_or_else(|| failed(format!("{requirements} belongs to uid {uid}, which has no account")))?,
    };
    if hand.way(path).is_ok_and(|way| way.user.is_some()) {
        return Err(failed(format!(
            "{path} lies in a user's directory, who could change what a service runs"
        )));
    }
    let build = Build::begin(hand, path, interpreter, owner.uid, owner.gid)?;
    let made = build.run(hands, &owner.name, words(&[interpreter, "-m", "venv", path])).and_then(|()| {
        let mut install = installer(path, uv.as_deref(), wheelhouse.as_deref());
        install.extend(["--requirement".to_owned(), requirements.clone()]);
        build.run(hands, &owner.name, install)
    });
    // Whoever ended the program that waits for it, the build itself ends here.
    let stopped = build.stop(hand);
    let taken = made.and(stopped).and_then(|()| build.take(hand, &sha256(&locked), before));
    let removed = remove_tree(hand, &build.staging);
    taken.and(removed)
}

/// A venv while it is built.
struct Build {
    /// The venv's own path, at which its builder sees it.
    path: String,
    /// Where it lies meanwhile.
    staging: String,
    /// The unit in which it is built.
    unit: String,
    /// What it is made with; its python is a link to it.
    interpreter: String,
}

impl Build {
    fn of(path: &str, interpreter: &str) -> Self {
        let name = sha256(path.as_bytes()).get(..16).unwrap_or("venv").to_owned();
        let (staging, unit) = (format!("{BUILDS}/{name}"), format!("golden-build-{name}.service"));
        Self { path: path.to_owned(), staging, unit, interpreter: interpreter.to_owned() }
    }

    fn begin(hand: &dyn Hand, path: &str, interpreter: &str, uid: u32, gid: u32) -> Result<Self, Failed> {
        let build = Self::of(path, interpreter);
        let staging = &build.staging;
        // One that a golden that was killed has left behind.
        build.stop(hand)?;
        let closed =
            Node::Directory { rights: Rights { mode: 0o700, ..ROOTS }, attributes: Default::default() };
        if hand.node(BUILDS)? == Node::Absent {
            hand.put(BUILDS, &Node::Absent, &closed)?;
        }
        remove_tree(hand, staging)?;
        let own =
            Node::Directory { rights: Rights { uid, gid, mode: 0o755 }, attributes: Default::default() };
        hand.put(staging, &Node::Absent, &own)?;
        // systemd shows it at the venv's own path, which must be there to be covered.
        if hand.node(path)? == Node::Absent {
            hand.put(
                path,
                &Node::Absent,
                &Node::Directory { rights: ROOTS, attributes: Default::default() },
            )?;
        }
        Ok(build)
    }

    /// Ends what is left of its unit.
    fn stop(&self, hand: &dyn Hand) -> Result<(), Failed> {
        let stopped = super::systemctl(hand, &["--quiet", "stop", "--", &self.unit]).map(drop);
        // systemd knows it only while something of it runs.
        stopped.or_else(|failed| if failed.why.ends_with("ended with 5") { Ok(()) } else { Err(failed) })
    }

    /// Runs a program as the builder, who sees the build at the venv's path; nothing of it is left when this returns.
    fn run(&self, hands: &mut Hands<'_>, user: &str, program: Vec<String>) -> Result<(), Failed> {
        let mut all =
            words(&["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--service-type=exec"]);
        all.push(format!("--unit={}", self.unit));
        for property in [
            format!("User={user}"),
            format!("RuntimeMaxSec={LONG}"),
            format!("BindPaths={}:{}", self.staging, self.path),
            "PrivateTmp=yes".to_owned(),
            "NoNewPrivileges=yes".to_owned(),
            "ProtectSystem=full".to_owned(),
            "KillMode=control-group".to_owned(),
            "SendSIGKILL=yes".to_owned(),
            "UMask=0022".to_owned(),
        ] {
            all.push(format!("--property={property}"));
        }
        // systemd-run(1) looks for the program where it is called, and the build is seen in the unit alone.
        all.extend(words(&["--", "setpriv", "--no-new-privs", "--"]));
        all.extend(program);
        run(hands.hand, all, None, LONG, hands.talk).map(drop)
    }

    /// Copies what was built into new files of root's and puts it in place.
    fn take(&self, hand: &dyn Hand, locked: &str, before: &super::Record) -> Result<(), Failed> {
        let new = beside(&self.path, "new");
        remove_tree(hand, &new)?;
        hand.copy_tree(&self.staging, &new, &self.path, &self.interpreter)?;
        let stamp = Node::file(format!("{locked}\n"), Rights { mode: 0o644, ..ROOTS });
        hand.put(&format!("{new}/{STAMP}"), &Node::Absent, &stamp)?;
        match before.venv.as_ref().and_then(|before| before.aside.as_ref()) {
            Some(aside) => hand.rename(&self.path, aside)?,
            // The empty directory that the build was shown at.
            None => remove_tree(hand, &self.path)?,
        }
        Ok(hand.rename(&new, &self.path)?)
    }
}
