//! What a rule needs to see. The audit gathers the union of its rules' needs and no more; a rule that
//! reaches for what it did not declare gets *undecided*, which a test over all rules turns into a failure.
//!
//! A need that only a running host can answer makes a rule *not applicable* under `--root`.

use serde::{Deserialize, Serialize};

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident = $bit:expr, $live:literal, $words:literal;)*) => {
        /// One family of facts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Need { $($(#[$doc])* $name = 1 << $bit,)* }

        impl Need {
            /// Every family.
            pub const ALL: &'static [Need] = &[$(Need::$name,)*];

            /// Its name in a facts file.
            pub fn name(self) -> &'static str {
                match self { $(Need::$name => stringify!($name),)* }
            }

            /// What is looked at, in words for people.
            pub fn words(self) -> &'static str {
                match self { $(Need::$name => $words,)* }
            }

            /// True when only a running host can answer.
            pub const fn live(self) -> bool {
                match self { $(Need::$name => $live,)* }
            }
        }
    };
}

needs! {
    /// Users and groups.
    Accounts = 0, false, "accounts";
    /// Who may become root by sudo.
    Sudo = 1, false, "sudoers";
    /// The places of the layout.
    Places = 2, false, "directories";
    /// Effective units and the links that enable them.
    Units = 3, false, "effective unit";
    /// Everything that a unit's start will need: programs, scripts, directories.
    Start = 4, false, "what a start needs";
    /// Env files.
    EnvFiles = 5, false, "env files";
    /// Venvs: their interpreter, its configuration and its library.
    Venvs = 6, false, "venv";
    /// What systemd says of units.
    Bus = 7, true, "systemd's answers";
    /// The main processes of units.
    Processes = 8, true, "running processes";
    /// Redis and other servers of the contract, asked.
    Servers = 9, true, "servers' answers";
    /// Configuration files of servers.
    ServerFiles = 10, false, "servers' configuration";
    /// Databases.
    Databases = 11, false, "database";
    /// The governed repository: git, wrapper, Makefile, scripts of jobs.
    Repository = 12, false, "repository";
    /// The search for second clones.
    Clones = 13, false, "search for clones";
    /// The journal and log rotation.
    Logs = 14, false, "journal and logrotate";
    /// The contract's own files on the host.
    Contract = 15, false, "the contract in force";
    /// What lies in the repository, file by file, and what cron runs of it.
    Sources = 16, false, "repository's files and cron";
    /// Effective units as their files and drop-ins make them; what links below `*.wants` and its kin add is not in
    /// them. Who needs [`Need::Units`] has these too.
    Fragments = 17, false, "effective unit";
    /// What the python of a venv says when it is run. Nobody runs it unless it is asked for: see [`Needs::looked_at`].
    Probes = 18, true, "a run of the venv's python (`--probe`)";
    /// The scripts in a venv's `bin`.
    VenvScripts = 19, false, "scripts of the venv";
    /// The servers that the environments of services name, asked.
    NamedServers = 20, true, "answers of servers that env files name";
    /// golden's own record: plans that did not end, and the ledger.
    State = 21, false, "golden's own record";
    /// Which places are mount points.
    Mounts = 22, true, "mount points";
    /// What lies where golden activates models, and what the ledger says of them.
    Models = 24, false, "active models and the ledger";
    /// What models said. Only who judges models reads it: see [`Needs::looked_at`].
    Telemetry = 23, false, "telemetry (`golden gate`)";
}

/// A set of families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs(u32);

impl Needs {
    /// Of these families.
    pub const fn of(needs: &[Need]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < needs.len() {
            bits |= needs[at] as u32;
            at += 1;
        }
        Needs(bits)
    }

    /// Every family that can be had by looking.
    pub fn all() -> Self {
        Self::of(Need::ALL).looked_at()
    }

    /// Without what can only be had by running something of the host or by reading a long stream, which is done when
    /// somebody asks for it and never because a rule would like to know.
    #[must_use]
    pub const fn looked_at(self) -> Self {
        Needs(self.0 & !(Need::Probes as u32 | Need::Telemetry as u32))
    }

    /// Whether a family is in the set.
    pub const fn has(self, need: Need) -> bool {
        // Whoever looked at the links has looked at the units.
        let links_too = matches!(need, Need::Fragments) && self.0 & Need::Units as u32 != 0;
        links_too || self.0 & need as u32 != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Needs) -> Self {
        Needs(self.0 | other.0)
    }

    /// True when one of them needs a running host.
    pub fn live(self) -> bool {
        self.iter().any(Need::live)
    }

    /// The families in the set.
    pub fn iter(self) -> impl Iterator<Item = Need> {
        Need::ALL.iter().copied().filter(move |need| self.has(*need))
    }
}

impl Serialize for Needs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Need::name))
    }
}

impl<'de> Deserialize<'de> for Needs {
    /// Names that this version does not know are other families; they are passed over.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names: Vec<String> = Vec::deserialize(deserializer)?;
        let known = Need::ALL.iter().filter(|need| names.iter().any(|name| name == need.name()));
        Ok(Needs(known.fold(0, |bits, need| bits | *need as u32)))
    }
}
