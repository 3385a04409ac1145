//! What a rule is given: the contract, the subject, and the facts it said it needs.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use super::environment::{self, Layer};
use super::repository::{Search, WorkTree};
use super::{
    ApprovalFacts, ContractFiles, DependencyFacts, EnvFileFacts, HostFacts, LogFacts, Need, Needs,
    ProgramFacts, RepositoryFacts, SudoersFiles, UnitFacts, VenvFacts, VenvScript,
};
use crate::contract::{Contract, Dependency, Job, Place, Service};
use crate::model::answers::{Process, PythonAnswer, RedisAnswer, UnitState};
use crate::model::{Credentials, Location, Lookup, Observed, Undecided};
use crate::syntax::accounts::Accounts;
use crate::syntax::effective::{EffectiveUnit, LoadState};
use crate::syntax::search::UNIT_DIRECTORIES;
use crate::syntax::version::SystemdVersion;

/// The host as one rule may see it.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The contract.
    pub contract: &'a Contract,
    facts: &'a HostFacts,
    needs: Needs,
}

/// The view of a rule that judges a service.
#[derive(Clone, Copy)]
pub struct ServiceView<'a> {
    view: View<'a>,
    /// The service.
    pub service: &'a Service,
}

/// The view of a rule that judges a place of the layout.
#[derive(Clone, Copy)]
pub struct PlaceView<'a> {
    view: View<'a>,
    /// The place.
    pub place: &'a Place,
}

/// The view of a rule that judges a dependency.
#[derive(Clone, Copy)]
pub struct DependencyView<'a> {
    view: View<'a>,
    /// The dependency.
    pub dependency: &'a Dependency,
}

/// The view of a rule that judges a job.
#[derive(Clone, Copy)]
pub struct JobView<'a> {
    view: View<'a>,
    /// The job.
    pub job: &'a Job,
}

macro_rules! is_a_view {
    ($($name:ident { $field:ident: $type:ty },)*) => {$(
        impl<'a> $name<'a> {
            /// The view of this subject.
            pub fn new(view: View<'a>, $field: &'a $type) -> Self {
                Self { view, $field }
            }
        }

        impl<'a> Deref for $name<'a> {
            type Target = View<'a>;

            fn deref(&self) -> &View<'a> {
                &self.view
            }
        }
    )*};
}

is_a_view! {
    ServiceView { service: Service },
    PlaceView { place: Place },
    DependencyView { dependency: Dependency },
    JobView { job: Job },
}

impl<'a> View<'a> {
    /// A view that shows what `needs` names.
    pub fn new(contract: &'a Contract, facts: &'a HostFacts, needs: Needs) -> Self {
        Self { contract, facts, needs }
    }

    fn facts(&self, need: Need) -> Result<&'a HostFacts, Undecided> {
        if !self.needs.has(need) {
            return Err(Undecided::new(format!("the rule did not declare that it needs {}", need.name())));
        }
        if !self.facts.gathered.has(need) {
            return Err(Undecided::new(format!("the facts do not hold {}", need.name())));
        }
        Ok(self.facts)
    }

    /// The moment of the look, in seconds since the epoch.
    pub fn now(&self) -> i64 {
        self.facts.time
    }

    /// The systemd version whose reading counts.
    pub fn systemd(&self) -> &'a Observed<SystemdVersion> {
        &self.facts.systemd
    }

    /// Users and groups.
    pub fn accounts(&self) -> Result<&'a Accounts, Undecided> {
        let accounts = &self.facts(Need::Accounts)?.accounts;
        accounts.known()?.ok_or_else(|| Undecided::new("the host has no /etc/passwd"))
    }

    /// Who may become root by sudo; `None` without sudo.
    pub fn sudoers(&self) -> Result<Option<&'a SudoersFiles>, Undecided> {
        self.facts(Need::Sudo)?.sudoers.known()
    }

    /// A user with all of its groups; `None` when the host has no such user.
    pub fn credentials(&self, user: &str) -> Result<Option<Credentials>, Undecided> {
        let accounts = self.accounts()?;
        Ok(accounts
            .user(user)
            .map(|found| Credentials { uid: found.uid, gids: accounts.group_ids_of(found) }))
    }

    /// The walk to a path of the family `need`.
    pub fn path(&self, need: Need, path: &str) -> Result<&'a Lookup, Undecided> {
        self.facts(need)?.paths.get(path).ok_or_else(|| not_looked_at(path))
    }

    /// The names in a directory, `None` when it does not exist.
    pub fn listing(&self, need: Need, path: &str) -> Result<Option<&'a Vec<String>>, Undecided> {
        self.facts(need)?.listings.get(path).ok_or_else(|| not_looked_at(path))?.known()
    }

    /// The type of the file system a path lies on.
    pub fn file_system(&self, path: &str) -> Result<Option<&'a String>, Undecided> {
        self.facts(Need::Places)?.file_systems.get(path).ok_or_else(|| not_looked_at(path))?.known()
    }

    /// Any unit by its name.
    pub fn unit(&self, name: &str) -> Result<&'a UnitFacts, Undecided> {
        self.facts(Need::Fragments)?.units.get(name).ok_or_else(|| not_looked_at(name))
    }

    /// The effective unit of any name, whatever its load state.
    pub fn effective(&self, name: &str) -> Result<&'a EffectiveUnit, Undecided> {
        let effective = &self.unit(name)?.effective;
        effective.known()?.map(Arc::as_ref).ok_or_else(|| Undecided::new(format!("{name} was not read")))
    }

    /// The links that enable a unit.
    pub fn enabled_by(&self, name: &str) -> Result<&'a [Arc<str>], Undecided> {
        self.facts(Need::Units)?;
        let links = self.unit(name)?.enabled_by.known()?;
        Ok(links.map_or(&[], Vec::as_slice))
    }

    /// Where a unit of this name has a file or a link that leads somewhere, in systemd's order of search.
    pub fn fragments(&self, name: &str) -> Result<Vec<String>, Undecided> {
        let mut found = Vec::new();
        for directory in UNIT_DIRECTORIES {
            let path = format!("{directory}/{name}");
            // Only of units without a usable file is every place looked at.
            match self.facts(Need::Fragments)?.paths.get(path.as_str()) {
                Some(lookup) if lookup.node()?.is_some() => found.push(path),
                _ => {}
            }
        }
        Ok(found)
    }

    /// Whether one of these words is the name of a unit, or another name of it.
    pub fn names_unit(&self, words: &[&str], name: &str) -> Result<bool, Undecided> {
        if words.contains(&name) {
            return Ok(true);
        }
        let units = &self.facts(Need::Units)?.units;
        for word in words {
            // A word that is no unit we looked at is no name of the unit: aliases are all looked at.
            let Some(unit) = units.get(*word) else { continue };
            if unit.effective.known()?.is_some_and(|unit| unit.names().any(|other| other == name)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What systemd says of a unit.
    pub fn state(&self, name: &str) -> Result<&'a UnitState, Undecided> {
        let unit = self.facts(Need::Bus)?.units.get(name).ok_or_else(|| not_looked_at(name))?;
        unit.state.known()?.ok_or_else(|| Undecided::new(format!("systemd was not asked about {name}")))
    }

    /// A process by its id; `None` when it is gone.
    pub fn process(&self, pid: u32) -> Result<Option<&'a Process>, Undecided> {
        let processes = &self.facts(Need::Processes)?.processes;
        processes.get(&pid).ok_or_else(|| not_looked_at(&format!("process {pid}")))?.known()
    }

    /// An env file's content by its path; `None` when it does not exist.
    pub fn env_file(&self, path: &str) -> Result<Option<&'a EnvFileFacts>, Undecided> {
        let observed = self.facts(Need::EnvFiles)?.env_files.get(path).ok_or_else(|| not_looked_at(path))?;
        environment::known(path, observed)
    }

    /// Every value that a variable is given in a unit's environment, the one that counts last.
    pub fn layers(&self, unit: &EffectiveUnit, name: &str) -> Result<Vec<Layer>, Undecided> {
        environment::layers(&self.facts(Need::EnvFiles)?.env_files, unit, name)
    }

    /// Every variable of a unit's environment with all values it is given, the one that counts last.
    pub fn environment(&self, unit: &EffectiveUnit) -> Result<BTreeMap<String, Vec<Layer>>, Undecided> {
        environment::all(&self.facts(Need::EnvFiles)?.env_files, unit)
    }

    /// The `host:port` that a unit's environment names in two variables, and where.
    pub fn named_address(
        &self,
        unit: &EffectiveUnit,
        variables: (&str, &str),
    ) -> Result<Option<(String, Location)>, Undecided> {
        environment::named_address(&self.facts(Need::EnvFiles)?.env_files, unit, variables)
    }

    /// Whether the contract's own Redis answers, for rules that have nothing to add where it does not; `None` where nobody
    /// has asked it.
    pub fn own_redis_answers(&self, dependency: &str) -> Option<bool> {
        let asked = self.facts.gathered.has(Need::Servers);
        let answer = match self.facts.dependencies.get(dependency) {
            Some(DependencyFacts::Redis { answer: Observed::Found(answer), .. }) => Some(&answer.ping),
            _ => None,
        };
        asked.then(|| answer.is_some_and(|ping| ping.as_deref() == Ok("PONG")))
    }

    /// What the Redis server at an address that an env file names answers; `None` when it refuses the connection.
    pub fn named_server(&self, address: &str) -> Result<Option<&'a RedisAnswer>, Undecided> {
        self.facts(Need::NamedServers)?
            .named_servers
            .get(address)
            .ok_or_else(|| not_looked_at(address))?
            .known()
    }

    /// What an executable is; `None` when it does not exist.
    pub fn program(&self, path: &str) -> Result<Option<&'a ProgramFacts>, Undecided> {
        self.facts(Need::Start)?.programs.get(path).ok_or_else(|| not_looked_at(path))?.known()
    }

    /// A venv by its path; `None` when it does not exist.
    pub fn venv(&self, path: &str) -> Result<Option<&'a VenvFacts>, Undecided> {
        self.facts(Need::Venvs)?.venvs.get(path).ok_or_else(|| not_looked_at(path))?.known()
    }

    /// The scripts in the `bin` of a venv that is there; `None` where it has no such directory.
    pub fn venv_scripts(&self, venv: &'a VenvFacts) -> Result<Option<&'a [VenvScript]>, Undecided> {
        self.facts(Need::VenvScripts)?;
        Ok(venv.scripts.known()?.map(Vec::as_slice))
    }

    /// What a service's python said when it was run as its user.
    pub fn python(&self, service: &str) -> Result<&'a PythonAnswer, Undecided> {
        let ran = self.facts(Need::Probes)?.pythons.get(service);
        let answer = ran.ok_or_else(|| Undecided::new(format!("nobody has run the python of {service}")))?;
        answer.known()?.ok_or_else(|| Undecided::new(format!("nobody has run the python of {service}")))
    }

    /// The governed repository.
    pub fn repository(&self) -> Result<&'a RepositoryFacts, Undecided> {
        let repository = self.facts(Need::Repository)?.repository.as_ref();
        repository.ok_or_else(|| not_looked_at("the repository"))
    }

    /// The governed repository with what lies in it, file by file.
    pub fn sources(&self) -> Result<&'a RepositoryFacts, Undecided> {
        let repository = self.facts(Need::Sources)?.repository.as_ref();
        repository.ok_or_else(|| not_looked_at("the repository"))
    }

    /// The search for second clones; `None` without a repository to compare with.
    pub fn clones(&self) -> Result<Option<&'a Search<WorkTree>>, Undecided> {
        match &self.facts(Need::Clones)?.repository {
            Some(repository) => repository.clones.known(),
            None => Err(not_looked_at("the repository")),
        }
    }

    /// The journal and log rotation.
    pub fn logs(&self) -> Result<&'a LogFacts, Undecided> {
        self.facts(Need::Logs)?.logs.as_ref().ok_or_else(|| not_looked_at("the logs"))
    }

    /// What an executable that was looked at for the family `need` is; `None` when it does not exist.
    pub fn program_of(&self, need: Need, path: &str) -> Result<Option<&'a ProgramFacts>, Undecided> {
        self.facts(need)?.programs.get(path).ok_or_else(|| not_looked_at(path))?.known()
    }

    /// What was observed of a dependency, for the family `need`.
    pub fn dependency(&self, need: Need, name: &str) -> Result<&'a DependencyFacts, Undecided> {
        self.facts(need)?.dependencies.get(name).ok_or_else(|| not_looked_at(name))
    }

    /// Digests of the contract's own files.
    pub fn contract_files(&self) -> Result<&'a ContractFiles, Undecided> {
        self.facts(Need::Contract)?
            .contract_files
            .as_ref()
            .ok_or_else(|| not_looked_at("the contract's files"))
    }

    /// What approves the contract.
    pub fn approval(&self) -> Result<&'a ApprovalFacts, Undecided> {
        let approval = self.facts(Need::Contract)?.approval.as_ref();
        approval.ok_or_else(|| not_looked_at("what approves the contract"))
    }
}

fn not_looked_at(what: &str) -> Undecided {
    Undecided::new(format!("nobody has looked at {what}"))
}

impl<'a> ServiceView<'a> {
    /// The service's unit when it loads; rules about missing, masked and refused units have the word
    /// otherwise, and every other rule is not applicable.
    pub fn loaded(&self) -> Result<Option<&'a EffectiveUnit>, Undecided> {
        let unit = self.effective(&self.service.unit.value)?;
        Ok(matches!(unit.load, LoadState::Loaded).then_some(unit))
    }

    /// The name of the user the unit really runs as: `root` where it names none.
    pub fn runs_as(&self, unit: &'a EffectiveUnit) -> &'a str {
        unit.scalar("Service", "User").map_or("root", |setting| setting.value())
    }
}
