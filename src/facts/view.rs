//! What a rule is given: the contract, the subject, and the facts it said it needs.

mod environment;
mod programs;

use std::ops::Deref;
use std::sync::Arc;

use super::boot::{BootFacts, Reached};
use super::condition::Names;
use super::made::MadeFacts;
use super::models::ModelFacts;
use super::repository::{Search, WorkTree};
use super::telemetry::{Events, ModelEvents, Past};
use super::{
    ApprovalFacts, ContractFiles, DependencyFacts, EnvFileFacts, FileFacts, HostFacts, LogFacts, Need, Needs,
    ProgramFacts, RepositoryFacts, StateFacts, SudoersFiles, TelemetryFacts, UnitFacts, VenvFacts,
    VenvScript,
};
use crate::contract::{Contract, Dependency, Job, Place, Service};
use crate::model::answers::{Listener, Process, PythonAnswer, RedisAnswer, UnitState};
use crate::model::{Credentials, Location, Lookup, Observed, Scope, Undecided};
use crate::syntax::accounts::{Accounts, Group, User};
use crate::systemd::effective::{EffectiveUnit, LoadState};
use crate::systemd::search::UNIT_DIRECTORIES;
use crate::systemd::version::SystemdVersion;

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

/// The view of a rule that judges a model.
#[derive(Clone, Copy)]
pub struct ModelView<'a> {
    view: View<'a>,
    /// Its name in the telemetry.
    pub model: &'a str,
}

is_a_view! {
    ModelView { model: str },
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

    pub(super) fn facts(&self, need: Need) -> Result<&'a HostFacts, Undecided> {
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

    /// The name of the host.
    pub fn host_name(&self) -> &'a str {
        &self.facts.host
    }

    /// The systemd version whose reading counts.
    pub fn systemd(&self) -> &'a Observed<SystemdVersion> {
        &self.facts.systemd
    }

    /// A setting of systemd's own configuration, system.conf(5); `None` where nothing states it.
    pub fn manager_setting(&self, key: &str) -> Result<Option<&'a (String, Location)>, Undecided> {
        let manager = self.facts(Need::Units)?.manager.as_ref();
        let settings = manager.ok_or_else(|| not_looked_at("/etc/systemd/system.conf"))?.known()?;
        Ok(settings.and_then(|settings| settings.get(key)))
    }

    /// Users and groups.
    pub fn accounts(&self) -> Result<&'a Accounts, Undecided> {
        let accounts = &self.facts(Need::Accounts)?.accounts;
        accounts.known()?.ok_or_else(|| Undecided::new("the host has no /etc/passwd"))
    }

    /// A user by name; `None` when the host certainly has no such user.
    pub fn user(&self, name: &str) -> Result<Option<&'a User>, Undecided> {
        let accounts = self.accounts()?;
        certainly(accounts, accounts.user(name), "passwd", name)
    }

    /// A group by name; `None` when the host certainly has no such group.
    pub fn group(&self, name: &str) -> Result<Option<&'a Group>, Undecided> {
        let accounts = self.accounts()?;
        certainly(accounts, accounts.group(name), "group", name)
    }

    /// Who may become root by sudo; `None` without sudo.
    pub fn sudoers(&self) -> Result<Option<&'a SudoersFiles>, Undecided> {
        self.facts(Need::Sudo)?.sudoers.known()
    }

    /// A user with all of its groups; `None` when the host has no such user.
    pub fn credentials(&self, user: &str) -> Result<Option<Credentials>, Undecided> {
        let accounts = self.accounts()?;
        let found = self.user(user)?;
        Ok(found.map(|found| Credentials { uid: found.uid, gids: accounts.group_ids_of(found) }))
    }

    /// The walk to a path of the family `need`.
    pub fn path(&self, need: Need, path: &str) -> Result<&'a Lookup, Undecided> {
        self.facts(need)?.paths.get(path).ok_or_else(|| not_looked_at(path))
    }

    /// Whether an access control list says more of a file or directory than its mode.
    pub fn has_access_list(&self, path: &str) -> bool {
        self.facts.access_lists.contains(path)
    }

    /// Whether a disk was looked at, and no host that runs.
    pub fn is_disk(&self) -> bool {
        self.facts.scope == Scope::Root
    }

    /// What is made before services start; `None` on a running host, where it is made already.
    pub fn made(&self) -> Option<&'a MadeFacts> {
        let may_see = self.needs.has(Need::Start) || self.needs.has(Need::Places);
        self.facts.made.as_ref().filter(|_| may_see)
    }

    /// The names in a directory, `None` when it does not exist.
    pub fn listing(&self, need: Need, path: &str) -> Result<Option<&'a Vec<String>>, Undecided> {
        self.facts(need)?.listings.get(path).ok_or_else(|| not_looked_at(path))?.known()
    }

    /// The type of the file system a path lies on.
    pub fn file_system(&self, path: &str) -> Result<Option<&'a String>, Undecided> {
        self.facts(Need::Places)?.file_systems.get(path).ok_or_else(|| not_looked_at(path))?.known()
    }

    /// Whether a place is a mount point; `None` when it does not exist.
    pub fn is_mount_point(&self, path: &str) -> Result<Option<bool>, Undecided> {
        let seen = self.facts(Need::Mounts)?.mount_points.get(path).ok_or_else(|| not_looked_at(path))?;
        Ok(seen.known()?.copied())
    }

    /// What stands in a file of the layout; `None` when it does not exist.
    pub fn file(&self, path: &str) -> Result<Option<&'a FileFacts>, Undecided> {
        self.facts(Need::Places)?.files.get(path).ok_or_else(|| not_looked_at(path))?.known()
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

    fn boot(&self) -> Result<&'a BootFacts, Undecided> {
        let boot = self.facts(Need::Units)?.boot.as_ref();
        boot.ok_or_else(|| not_looked_at("what the boot starts"))
    }

    /// What leads from the boot to a unit of a service.
    pub fn at_boot(&self, name: &str) -> Result<Reached, Undecided> {
        Ok(self.boot()?.reaches(name))
    }

    /// The two targets between which a unit closes a circle at a boot, the earlier one first.
    pub fn circle(&self, unit: &EffectiveUnit) -> Result<Option<(String, String)>, Undecided> {
        let after: Vec<String> = unit.words("Unit", "After").into_iter().map(|(word, _)| word).collect();
        Ok(self.boot()?.circle(unit.name.as_str(), &after))
    }

    /// The socket units that start a unit.
    pub fn sockets_of(&self, name: &str) -> Result<Vec<&'a str>, Undecided> {
        let boot = self.boot()?;
        match &boot.unread {
            Some(unread) => Err(Undecided::new(format!("it is not known what else starts {name}: {unread}"))),
            None => Ok(boot.sockets_of(name).into_iter().map(|socket| &**socket).collect()),
        }
    }

    /// The unit that a boot goes to; `None` on a disk without a `default.target`.
    pub fn boot_target(&self) -> Result<Option<&'a str>, Undecided> {
        Ok(self.boot()?.default.as_deref())
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

    /// What the host is called; `None` where nobody looked, since no unit asks.
    pub fn names(&self) -> Result<Option<&'a Names>, Undecided> {
        Ok(self.facts(Need::Units)?.names.as_ref())
    }

    /// What the running manager has in force of a setting that a unit does not state, where it was asked.
    pub fn manager_has(&self, unit: &str, key: &str) -> Result<Option<&'a String>, Undecided> {
        Ok(self.facts(Need::Units)?.values.get(unit).and_then(|values| values.get(key)))
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

    /// Where the processes of a unit listen that runs and whose ports the contract states.
    pub fn listening(&self, unit: &str) -> Result<&'a [Listener], Undecided> {
        let found = self.facts(Need::Processes)?.listening.get(unit);
        let found = found.ok_or_else(|| not_looked_at(&format!("the ports of {unit}")))?.known()?;
        Ok(found.map_or(&[], Vec::as_slice))
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
        let answer = ran.ok_or_else(|| Undecided::new(format!("the python of {service} was not run")))?;
        answer.known()?.ok_or_else(|| Undecided::new(format!("the python of {service} was not run")))
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

    /// golden's own record.
    pub fn state_of_golden(&self) -> Result<&'a StateFacts, Undecided> {
        self.facts(Need::State)?.state.as_ref().ok_or_else(|| not_looked_at("golden's own record"))
    }

    /// The models; `None` where the contract guards none.
    pub fn models(&self) -> Result<Option<&'a ModelFacts>, Undecided> {
        let facts = self.facts(Need::Models)?;
        match (&facts.models, self.contract.models.is_empty()) {
            (Some(models), false) => Ok(Some(models)),
            (_, true) => Ok(None),
            (None, false) => Err(not_looked_at("the models")),
        }
    }

    /// What models said.
    pub fn telemetry(&self) -> Result<&'a TelemetryFacts, Undecided> {
        self.facts(Need::Telemetry)?.telemetry.as_ref().ok_or_else(|| not_looked_at("the telemetry"))
    }

    /// Their events; `None` when there is no such stream.
    pub fn events(&self) -> Result<Option<&'a Events>, Undecided> {
        self.telemetry()?.events.known()
    }

    /// What approves the contract.
    pub fn approval(&self) -> Result<&'a ApprovalFacts, Undecided> {
        let approval = self.facts(Need::Contract)?.approval.as_ref();
        approval.ok_or_else(|| not_looked_at("what approves the contract"))
    }
}

/// Who is in none of the two files is certainly absent only where the host looks nowhere else.
fn certainly<'a, T>(
    accounts: &Accounts,
    found: Option<&'a T>,
    database: &str,
    name: &str,
) -> Result<Option<&'a T>, Undecided> {
    let asked = if database == "passwd" { &accounts.asked_users } else { &accounts.asked_groups };
    match found {
        None if !accounts.elsewhere.is_empty() && !asked.iter().any(|asked| asked == name) => {
            let sources = accounts.elsewhere.join(" ");
            let why = format!(
                "/etc/{database} has no {name}, and the host asks {sources} too (/etc/nsswitch.conf)"
            );
            Err(Undecided::new(why).or_run(format!("getent {database} -- {name}")))
        }
        found => Ok(found),
    }
}

fn not_looked_at(what: &str) -> Undecided {
    Undecided::new(format!("{what} was not looked at"))
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
        unit.user_name().unwrap_or("a dynamic user")
    }
}

impl<'a> ModelView<'a> {
    /// What the model said; `None` when it said nothing, which has a rule of its own.
    pub fn said(&self) -> Result<Option<&'a ModelEvents>, Undecided> {
        Ok(self.events()?.and_then(|events| events.models.get(self.model)))
    }

    /// Earlier looks at it; `None` where none count.
    pub fn past(&self) -> Result<Option<&'a Past>, Undecided> {
        Ok(self.telemetry()?.past.known()?.and_then(|past| past.get(self.model)))
    }
}
