//! What must be done to a host so that it is as its contract says, in typed steps: shown first, backed up, verified
//! after, and undone when one of them fails.
//!
//! [`build`] finds the difference between contract and host; it changes nothing. [`apply`] carries a plan out with a
//! journal, so that a plan that was interrupted at any point is brought back to the old state by the next call.

pub mod apply;
pub mod build;
pub mod deploy;
mod diff;
pub mod fix;
mod journal;
pub mod ledger;
mod perform;
mod redis;
mod snapshot;
pub mod work_tree;

pub use apply::{Applied, Trouble};
pub use build::{Hindrance, plan};
use journal::Progress;
pub use perform::Failed;

/// Steps in the order in which they are taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// None where the host is as the contract says.
    pub steps: Vec<Step>,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it is for: a service, or the host.
    pub subject: String,
    /// Why it is due.
    pub why: String,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Installs packages of the distribution.
    Packages(Vec<String>),
    /// Writes a file.
    Write(Write),
    /// Makes the accounts of a sysusers.d(5) file.
    Accounts(String),
    /// Makes the directories of a tmpfiles.d(5) file, and gives them owner and mode.
    Directories {
        /// The file.
        file: String,
        /// The directories in it.
        paths: Vec<String>,
    },
    /// Clones the repository as its owner.
    Clone {
        /// From where.
        remote: String,
        /// Which branch.
        branch: Option<String>,
        /// To where.
        path: String,
        /// As whom.
        user: String,
    },
    /// Checks another commit out, as the owner of the repository.
    Checkout {
        /// The repository.
        tree: work_tree::WorkTree,
        /// What is checked out now.
        from: work_tree::Place,
        /// What will be.
        to: work_tree::Place,
    },
    /// Makes a venv anew and installs its locked requirements.
    Venv {
        /// Its directory.
        path: String,
        /// What it is made with.
        interpreter: String,
        /// The locked requirements.
        requirements: String,
        /// Where wheels lie.
        wheelhouse: Option<String>,
        /// uv, where it installs in place of pip.
        uv: Option<String>,
    },
    /// Makes an empty SQLite database.
    Database {
        /// Its path.
        path: String,
        /// Its owner.
        user: String,
    },
    /// systemd reads its unit files again.
    Reload,
    /// Something with a unit.
    Unit {
        /// What is done with it.
        verb: UnitVerb,
        /// Its name.
        unit: String,
    },
    /// Waits until a service is healthy.
    Healthy {
        /// Its unit.
        unit: String,
        /// When it is.
        health: crate::contract::Health,
    },
    /// A command that a finding names as its mend.
    Mend {
        /// As a person would type it.
        command: String,
        /// Paths it names, which are kept before.
        paths: Vec<String>,
    },
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Absolute.
    pub path: String,
    /// Its text.
    pub content: String,
    /// What it says now; `None` when there is no file.
    pub now: Option<String>,
    /// Its owner by name.
    pub owner: String,
    /// Its group by name.
    pub group: String,
    /// Its permission bits.
    pub mode: u32,
}

/// What is done with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitVerb {
    /// `systemctl enable`
    Enable,
    /// `systemctl disable`
    Disable,
    /// `systemctl start`
    Start,
    /// `systemctl restart`
    Restart,
    /// `systemctl stop`
    Stop,
}

impl UnitVerb {
    /// As systemctl(1) has it.
    pub fn word(self) -> &'static str {
        match self {
            UnitVerb::Enable => "enable",
            UnitVerb::Disable => "disable",
            UnitVerb::Start => "start",
            UnitVerb::Restart => "restart",
            UnitVerb::Stop => "stop",
        }
    }
}

impl Step {
    /// One line for a person: what is done, without why.
    pub fn title(&self) -> String {
        match &self.action {
            Action::Packages(names) => format!("install {}", names.join(" ")),
            Action::Write(write) if write.now.is_none() => format!("write {}", write.path),
            Action::Write(write) if write.now.as_ref() == Some(&write.content) => {
                format!("give {} to {}:{} with mode {:04o}", write.path, write.owner, write.group, write.mode)
            }
            Action::Write(write) => format!("change {}", write.path),
            Action::Accounts(file) => format!("make the accounts of {file}"),
            Action::Directories { file, .. } => format!("make the directories of {file}"),
            Action::Clone { remote, path, user, .. } => format!("clone {remote} to {path} as {user}"),
            Action::Checkout { tree, from, to } => {
                format!(
                    "check out {} in {} in place of {}",
                    short(&to.commit),
                    tree.path,
                    short(&from.commit)
                )
            }
            Action::Venv { path, requirements, .. } => format!("make the venv {path} with {requirements}"),
            Action::Database { path, user } => format!("make the database {path} of {user}"),
            Action::Reload => "reload systemd's units".to_owned(),
            Action::Unit { verb, unit } => format!("{} {unit}", verb.word()),
            Action::Healthy { unit, .. } => format!("wait until {unit} is healthy"),
            Action::Mend { command, .. } => command.clone(),
        }
    }

    /// The difference it makes to a file, in unified form; empty where it makes none. Values of secrets are hidden.
    pub fn diff(&self, secret_names: &[String]) -> String {
        match &self.action {
            Action::Write(write) => diff::unified(write, secret_names),
            _ => String::new(),
        }
    }
}

/// A commit as a person names it.
pub fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
