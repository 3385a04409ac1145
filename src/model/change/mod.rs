//! The closed vocabulary of what golden may do to a host. A change is data: rules, plans, deployments, undo and
//! rehearsals speak of the same changes, and one executor makes them.
//!
//! A change says what it touches, in words and as shell for a person to copy. How it is made stands with the executor;
//! nothing parses what is printed here.
//!
//! A kind of change has its data, stage, words and shell here, because reports import only `model`. What it does to a
//! draft, or the program that it runs and what that program keeps for an undo, is in `plan`. The enum is closed: the
//! compiler names each place that must know a new kind, and an undo restores what was kept without asking which change
//! it was.

mod shell;

use serde::{Deserialize, Serialize};

pub(crate) use shell::are_words;
pub use shell::quoted;

/// A place on the disk that a change touches, and as whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Spot {
    /// Its absolute path, links on the way resolved.
    pub path: String,
    /// The user whose directory it lies in, as whom it is changed; `None` where only root can replace a name on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl Spot {
    /// A place where only root can replace a name.
    pub fn of_root(path: impl Into<String>) -> Self {
        Self { path: path.into(), user: None }
    }

    /// A place in a user's directory.
    pub fn of_user(path: impl Into<String>, user: impl Into<String>) -> Self {
        Self { path: path.into(), user: Some(user.into()) }
    }
}

/// How a setting of golden's drop-in stands to what the unit says already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Its value counts in place of what was there.
    Set,
    /// The list is emptied first, then holds exactly these values.
    Replace,
    /// Its values come on top of what is there.
    Add,
}

/// What is done with a unit, as systemctl(1) has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// `systemctl disable --now`: stopped, and no longer started by anything
    Retire,
    /// `systemctl enable`
    Enable,
    /// `systemctl disable`
    Disable,
    /// `systemctl mask`
    Mask,
    /// `systemctl unmask`
    Unmask,
    /// `systemctl start`
    Start,
    /// `systemctl restart`
    Restart,
    /// `systemctl stop`
    Stop,
    /// `systemctl reset-failed`
    ResetFailed,
}

impl Verb {
    /// As systemctl(1) has it.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Retire => "disable --now",
            Verb::Enable => "enable",
            Verb::Disable => "disable",
            Verb::Mask => "mask",
            Verb::Unmask => "unmask",
            Verb::Start => "start",
            Verb::Restart => "restart",
            Verb::Stop => "stop",
            Verb::ResetFailed => "reset-failed",
        }
    }
}

/// One change to a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// Settings of one unit in golden's own drop-in of that unit, `/etc/systemd/system/UNIT.d/zz-golden.conf`.
    Setting {
        /// The unit's name; an instance where the unit is one.
        unit: String,
        /// `Unit`, `Service`, `Install` …
        section: String,
        /// The setting.
        key: String,
        /// Its values, one assignment each; for [`How::Set`] one.
        values: Vec<String>,
        /// How they stand to what is there.
        how: How,
        /// The base name of the drop-in that must be overridden, where one must.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<String>,
    },
    /// One line of a unit file below /etc that serves this unit alone, and the lines that continue it.
    UnitLine {
        /// The unit that it serves.
        unit: String,
        /// The file.
        path: String,
        /// The line, from 1.
        line: u32,
        /// What takes its place; `None` empties it, so that other lines keep their numbers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// A variable of an env file.
    Variable {
        /// The file.
        path: String,
        /// The line that sets it now, from 1; `None` adds one at the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<u32>,
        /// The variable.
        name: String,
        /// Its value as the service is to receive it; `None` takes the line out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// One assignment of an env file, text for text: what activates a model, and what takes that back.
    Assignment {
        /// The file.
        path: String,
        /// The variable.
        name: String,
        /// The text of the assignment that counts now; `None` where the file has none.
        was: Option<String>,
        /// The text that takes its place; `None` takes it out with its line.
        now: Option<String>,
    },
    /// A file of any size in a directory of root's, known by its digest: an artefact comes, goes, or takes the place of
    /// another.
    Artefact {
        /// Its path.
        to: String,
        /// What comes; `None` where nothing does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        now: Option<Coming>,
        /// What is there now; `None` where nothing is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<Going>,
    },
    /// A directive of the configuration file of a declared dependency.
    Directive {
        /// The file.
        path: String,
        /// The directive.
        name: String,
        /// Its value.
        value: String,
    },
    /// A setting of a running Redis (`CONFIG SET`), which its file does not keep.
    Server {
        /// Its `host:port`.
        address: String,
        /// The unit of which the process must be that answers there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
        /// The setting.
        name: String,
        /// Its value.
        value: String,
        /// Its value now.
        was: String,
    },
    /// Lines of a text file: one replaced (with those that continue it), or some added at the end.
    Lines {
        /// The file.
        at: Spot,
        /// The line that is replaced, from 1; `None` adds at the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<u32>,
        /// What the line says now; the change is refused when it says something else. Empty where lines are added.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        was: String,
        /// What takes its place; nothing removes the text and keeps an empty line.
        lines: Vec<String>,
    },
    /// Permission bits.
    Mode {
        /// The file or directory.
        at: Spot,
        /// The bits that it gets.
        mode: u32,
    },
    /// Owner and group.
    Owner {
        /// The file or directory.
        at: Spot,
        /// The owner's name, where it changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// The group's name, where it changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
    },
    /// A directory that is missing; parents that are missing are root's with 0755.
    Directory {
        /// The directory.
        at: Spot,
        /// Its owner's name.
        owner: String,
        /// Its group's name.
        group: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A file as a whole.
    File {
        /// The file.
        at: Spot,
        /// Its text.
        content: String,
        /// Its owner's name.
        owner: String,
        /// Its group's name.
        group: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A symbolic link in the place of nothing or of another link.
    Link {
        /// The link.
        at: Spot,
        /// Where it leads.
        target: String,
    },
    /// A file, a link or an empty directory goes.
    Remove {
        /// What goes.
        at: Spot,
    },
    /// Something gets another name on the same file system; nothing may be there.
    Move {
        /// What is moved.
        at: Spot,
        /// Its new path, in a place of the same owner.
        to: String,
    },
    /// A system account with its group (sysusers.d(5)).
    Account {
        /// The user; `None` for a group alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// Its primary group.
        group: String,
        /// Its home directory, where one is stated.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        home: Option<String>,
    },
    /// A user leaves a group.
    LeaveGroup {
        /// The user.
        user: String,
        /// The group.
        group: String,
    },
    /// Packages of the distribution.
    Packages {
        /// Their names.
        names: Vec<String>,
    },
    /// The repository is cloned as its owner.
    Clone {
        /// From where.
        remote: String,
        /// Which branch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
        /// To where.
        path: String,
        /// As whom.
        user: String,
    },
    /// Another commit is checked out, as the owner of the repository.
    Checkout {
        /// The repository.
        tree: WorkTree,
        /// What is checked out now.
        from: Commit,
        /// What will be.
        to: Commit,
    },
    /// A file of the repository that is missing comes back from the last commit, as the owner of the repository.
    Restore {
        /// The file.
        at: Spot,
        /// The top of the work tree.
        tree: String,
    },
    /// A venv is made anew with its locked requirements.
    Venv {
        /// Its directory.
        path: String,
        /// What it is made with.
        interpreter: String,
        /// The locked requirements.
        requirements: String,
        /// Where wheels lie.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wheelhouse: Option<String>,
        /// uv, where it installs in place of pip.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uv: Option<String>,
    },
    /// An empty SQLite database.
    Database {
        /// Its path.
        at: Spot,
        /// Its owner's name.
        owner: String,
    },
    /// systemd reads its unit files again.
    Reload,
    /// Something with a unit.
    Unit {
        /// What is done with it.
        verb: Verb,
        /// Its name.
        unit: String,
    },
}

/// An artefact that comes to a place: a copy of root's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Coming {
    /// The file that is copied; it may lie in a user's directory.
    pub from: String,
    /// sha256 in hex of what it must hold.
    pub digest: String,
}

/// An artefact that goes from a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Going {
    /// sha256 in hex of what it must hold.
    pub digest: String,
    /// Its new path in a directory of root's. Where the same bytes lie there already, those are kept and these go.
    pub aside: String,
}

/// Where a work tree lies and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkTree {
    /// Its top.
    pub path: String,
    /// Its owner.
    pub uid: u32,
    /// The owner's group.
    pub gid: u32,
    /// The owner's home.
    pub home: String,
}

/// A commit that is, or was, checked out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Commit {
    /// The branch that points to it; `None` where HEAD is detached.
    pub branch: Option<String>,
    /// Its full hash.
    pub commit: String,
}

/// A commit as a person names it.
pub fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// In which order changes are made: what others stand on comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Units that are no longer wanted stop, while their files are there.
    Retirement,
    /// Packages of the distribution.
    Packages,
    /// Users and groups.
    Accounts,
    /// Directories, files, links, owners and modes.
    Places,
    /// The repository and what is checked out.
    Repository,
    /// Venvs and databases.
    Runtime,
    /// Configuration files of servers.
    Servers,
    /// Env files.
    Environment,
    /// Unit files.
    Units,
    /// systemd reads its unit files.
    Reload,
    /// Units are enabled, disabled, masked, unmasked.
    Enablement,
    /// Units are stopped, started and restarted.
    Processes,
    /// Units that nobody restarted are asked whether they answer still.
    Answers,
    /// What served until then, and nothing uses any more, goes.
    Leftovers,
}

impl Change {
    /// When it is made.
    pub fn stage(&self) -> Stage {
        match self {
            Change::Packages { .. } => Stage::Packages,
            Change::Account { .. } | Change::LeaveGroup { .. } => Stage::Accounts,
            Change::Clone { .. } | Change::Checkout { .. } => Stage::Repository,
            Change::Venv { .. } | Change::Database { .. } => Stage::Runtime,
            Change::Directive { .. } | Change::Server { .. } => Stage::Servers,
            Change::Variable { .. } | Change::Assignment { .. } => Stage::Environment,
            Change::Artefact { now: None, .. } => Stage::Leftovers,
            Change::Setting { .. } | Change::UnitLine { .. } => Stage::Units,
            Change::File { at, .. } if is_unit_file(&at.path) => Stage::Units,
            Change::Reload => Stage::Reload,
            Change::Unit { verb, .. } => match verb {
                Verb::Retire => Stage::Retirement,
                Verb::Enable | Verb::Disable | Verb::Mask | Verb::Unmask => Stage::Enablement,
                Verb::Start | Verb::Restart | Verb::Stop | Verb::ResetFailed => Stage::Processes,
            },
            Change::Artefact { .. }
            | Change::Lines { .. }
            | Change::Mode { .. }
            | Change::Owner { .. }
            | Change::Directory { .. }
            | Change::File { .. }
            | Change::Link { .. }
            | Change::Remove { .. }
            | Change::Move { .. }
            | Change::Restore { .. } => Stage::Places,
        }
    }

    /// The paths that it touches; for a setting the drop-in.
    pub fn touches(&self) -> Vec<String> {
        match self {
            Change::Setting { unit, .. } => vec![drop_in(unit)],
            Change::UnitLine { path, .. }
            | Change::Variable { path, .. }
            | Change::Assignment { path, .. }
            | Change::Directive { path, .. } => {
                vec![path.clone()]
            }
            Change::Lines { at, .. }
            | Change::Mode { at, .. }
            | Change::Owner { at, .. }
            | Change::Directory { at, .. }
            | Change::File { at, .. }
            | Change::Link { at, .. }
            | Change::Database { at, .. }
            | Change::Restore { at, .. }
            | Change::Remove { at } => vec![at.path.clone()],
            Change::Move { at, to } => vec![at.path.clone(), to.clone()],
            Change::Artefact { to, was, .. } => {
                std::iter::once(to).chain(was.iter().map(|was| &was.aside)).cloned().collect()
            }
            Change::Clone { path, .. } | Change::Venv { path, .. } => vec![path.clone()],
            Change::Checkout { tree, .. } => vec![tree.path.clone()],
            Change::Account { .. } | Change::LeaveGroup { .. } => {
                vec!["/etc/passwd".into(), "/etc/group".into()]
            }
            Change::Packages { .. } | Change::Server { .. } | Change::Reload | Change::Unit { .. } => {
                Vec::new()
            }
        }
    }

    /// One line for a person: what is done.
    pub fn words(&self) -> String {
        match self {
            Change::Setting { unit, section, key, values, how, .. } => {
                let what = match how {
                    How::Set => "set",
                    How::Replace => "set the list",
                    How::Add => "add",
                };
                format!("{what} {key}={} in [{section}] of {unit}", values.join(" "))
            }
            Change::UnitLine { path, line, text: Some(text), .. } => {
                format!("write {text:?} at {path}:{line}")
            }
            Change::UnitLine { path, line, text: None, .. } => format!("empty {path}:{line}"),
            Change::Variable { path, name, value: Some(_), .. } => format!("set {name} in {path}"),
            Change::Variable { path, name, value: None, .. } => format!("remove {name} from {path}"),
            Change::Assignment { path, name, now: Some(_), .. } => format!("set {name} in {path}"),
            Change::Assignment { path, name, now: None, .. } => format!("remove {name} from {path}"),
            Change::Artefact { to, now: Some(now), was: None } => {
                format!("copy {} to {to} (sha256 {})", now.from, short(&now.digest))
            }
            Change::Artefact { to, now: Some(now), was: Some(was) } => format!(
                "copy {} to {to} (sha256 {}); what is there becomes {}",
                now.from,
                short(&now.digest),
                was.aside
            ),
            Change::Artefact { to, now: None, was: Some(was) } => format!("move {to} to {}", was.aside),
            Change::Artefact { to, now: None, was: None } => format!("leave {to} as it is"),
            Change::Directive { path, name, value } => format!("set {name} {value} in {path}"),
            Change::Server { address, name, value, .. } => {
                format!("set {name} {value} in the running Redis at {address}")
            }
            Change::Lines { at, line: Some(line), .. } => format!("change line {line} of {}", at.path),
            Change::Lines { at, line: None, lines, .. } => {
                format!("add {} lines to {}", lines.len(), at.path)
            }
            Change::Mode { at, mode } => format!("give {} mode {mode:04o}", at.path),
            Change::Owner { at, owner, group } => {
                let name = |name: &Option<String>| name.clone().unwrap_or_default();
                format!("give {} to {}:{}", at.path, name(owner), name(group))
            }
            Change::Directory { at, owner, group, mode } => {
                format!("make the directory {} ({owner}:{group} {mode:04o})", at.path)
            }
            Change::File { at, .. } => format!("write {}", at.path),
            Change::Link { at, target } => format!("link {} to {target}", at.path),
            Change::Remove { at } => format!("remove {}", at.path),
            Change::Move { at, to } => format!("move {} to {to}", at.path),
            Change::Account { user: Some(user), group, .. } => {
                format!("make the account {user} with group {group}")
            }
            Change::Account { user: None, group, .. } => format!("make the group {group}"),
            Change::LeaveGroup { user, group } => format!("remove {user} from the group {group}"),
            Change::Packages { names } => format!("install {}", names.join(" ")),
            Change::Clone { remote, path, user, .. } => format!("clone {remote} to {path} as {user}"),
            Change::Checkout { tree, from, to } => {
                let (from, to) = (short(&from.commit), short(&to.commit));
                format!("check out {to} in {} in place of {from}", tree.path)
            }
            Change::Restore { at, .. } => format!("restore {} from the last commit", at.path),
            Change::Venv { path, requirements, .. } => format!("make the venv {path} with {requirements}"),
            Change::Database { at, owner } => format!("make the database {} of {owner}", at.path),
            Change::Reload => "reload systemd's units".to_owned(),
            Change::Unit { verb: Verb::Retire, unit } => format!("stop and disable {unit}"),
            Change::Unit { verb, unit } => format!("{} {unit}", verb.word()),
        }
    }
}

/// What every file that golden renders says of itself.
pub const RENDERED: &str = "Written by `golden render`";

/// The path of golden's own drop-in of a unit.
pub fn drop_in(unit: &str) -> String {
    format!("/etc/systemd/system/{unit}.d/{DROP_IN}")
}

/// The base name of golden's own drop-in.
pub const DROP_IN: &str = "zz-golden.conf";

/// The base name of golden's own drop-in where it must come after another one.
pub fn drop_in_name(over: Option<&str>) -> String {
    let mut name = DROP_IN.to_owned();
    while over.is_some_and(|over| over > name.as_str()) && name.len() < 200 {
        name.insert(0, 'z');
    }
    name
}

/// The words that call redis-cli for a server at `host:port`.
pub fn redis_cli(address: &str) -> Vec<&str> {
    // A contract names both; redis-cli knows what it does without a port.
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let mut words = vec!["redis-cli", "-h", host.trim_start_matches('[').trim_end_matches(']')];
    if !port.is_empty() {
        words.extend(["-p", port]);
    }
    words
}

/// Whether a path is one where systemd looks for units of the system.
pub fn is_unit_file(path: &str) -> bool {
    ["/etc/systemd/", "/run/systemd/", "/usr/lib/systemd/", "/lib/systemd/", "/usr/local/lib/systemd/"]
        .iter()
        .any(|directory| path.starts_with(directory))
}
