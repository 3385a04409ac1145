//! What golden writes where a demand leaves a choice: the program that a rendered unit starts, a memory limit that
//! is demanded without a number, the log level of an env file. A demand says what must be; this says what is put
//! there when nothing is there yet. It is never judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::placeholder::{ServiceWords, fill};
use super::{CommandDemand, Service};
use crate::model::answers::Protocol;
use crate::model::{Location, Stated};

/// Values by the name of a variable, or by section and setting.
pub type Values<K> = BTreeMap<K, Stated<String>>;

/// systemd section and setting.
pub type SettingKey = (Arc<str>, Arc<str>);

/// `[provision]`: of the whole contract.
#[derive(Clone, Debug)]
pub struct Provision {
    /// Packages of the distribution that must be installed.
    pub packages: Vec<Stated<String>>,
    /// Jobs that a rehearsal runs.
    pub rehearse: Vec<Stated<String>>,
    /// The home directory of the contract's user; `None` leaves it to sysusers.d(5).
    pub home: Option<Stated<String>>,
    /// The program itself, as units call it.
    pub golden: Stated<String>,
    /// The interpreter that venvs are made with.
    pub interpreter: Stated<String>,
    /// A directory of wheels; without one pip asks its index.
    pub wheelhouse: Option<Stated<String>>,
    /// uv(1), which installs in place of pip.
    pub uv: Option<Stated<String>>,
    /// Name of a venv to its locked requirements, relative to the repository.
    pub requirements: BTreeMap<Arc<str>, Stated<String>>,
    /// The branch that a new clone is of.
    pub branch: Option<Stated<String>>,
    /// When the daily audit runs: `OnCalendar=` of systemd.time(7).
    pub audit: Stated<String>,
    /// What is written alike for every service.
    pub shared: Written,
}

/// Variables and settings, with placeholders of a service in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// Values of variables.
    pub variables: Values<Arc<str>>,
    /// Values of settings of the unit.
    pub settings: Values<SettingKey>,
}

/// `[services.NAME.provision]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceProvision {
    /// False where somebody else keeps its unit, such as the distribution.
    pub kept_elsewhere: bool,
    /// What ExecStart is written as; without it the demanded command.
    pub start: Option<CommandDemand>,
    /// `OnCalendar=` of a timer job.
    pub schedule: Option<Stated<String>>,
    /// What is written for this service alone.
    pub own: Written,
}

/// When a service that was started counts as healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// It has been active for so many seconds without a restart.
    pub active_for: Option<Stated<u64>>,
    /// It is all of this so many seconds after its start at the latest.
    pub within: Option<Stated<u64>>,
    /// Something accepts connections at `host:port`.
    pub tcp: Option<Stated<String>>,
    /// A GET of this `http://` address is answered with a status from 200 to 299.
    pub http: Option<Stated<String>>,
}

/// Seconds of quiet after which a service counts as healthy where its contract does not say.
const QUIET: u64 = 3;

/// Seconds after which a service that is not healthy never will be, where its contract does not say.
const WITHIN: u64 = 90;

/// The statuses by which HTTP says that a request has succeeded (RFC 9110, section 15.3).
const SUCCESS: (u16, u16) = (200, 299);

impl Health {
    /// Seconds that it must have been active without a restart.
    pub fn quiet(&self) -> u64 {
        self.active_for.as_ref().map_or(QUIET, |stated| stated.value)
    }

    /// Seconds after its start at which it must be healthy at the latest; never fewer than it must be quiet for.
    pub fn patience(&self) -> u64 {
        self.within.as_ref().map_or(WITHIN + self.quiet(), |stated| stated.value.max(self.quiet() + 1))
    }

    /// Whether a service that was started then (in seconds since the epoch, 0 for never) need not be healthy yet.
    pub fn may_still_come(&self, started: i64, now: i64) -> bool {
        started > 0 && now.saturating_sub(started) < i64::try_from(self.patience()).unwrap_or(i64::MAX)
    }

    /// Whether it answers anywhere.
    pub fn answers(&self) -> bool {
        self.tcp.is_some() || self.http.is_some()
    }

    /// Where it answers, what it is asked there, and where the contract says so.
    pub fn questions(&self) -> Vec<(String, Protocol, &Location)> {
        let tcp = self.tcp.iter().map(|address| (address.value.clone(), Protocol::Any, &address.at));
        let http = self.http.iter().map(|url| {
            let rest = url.value.strip_prefix("http://").unwrap_or(&url.value);
            let (authority, get) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let get = if get.is_empty() { "/".to_owned() } else { get.to_owned() };
            (authority.to_owned(), Protocol::Http { get, statuses: SUCCESS }, &url.at)
        });
        tcp.chain(http).collect()
    }
}

impl Provision {
    /// A contract that writes nothing of its own.
    pub(super) fn nothing(at: &Location) -> Self {
        let usual = |text: &str| Stated::new(text.to_owned(), at.clone());
        Self {
            packages: Vec::new(),
            rehearse: Vec::new(),
            home: None,
            golden: usual("/usr/local/bin/golden"),
            interpreter: usual("/usr/bin/python3"),
            wheelhouse: None,
            uv: None,
            requirements: BTreeMap::new(),
            branch: None,
            audit: usual("daily"),
            shared: Written::default(),
        }
    }

    /// The value of a variable of a service.
    pub fn variable(&self, service: &Service, name: &str) -> Option<String> {
        let own = &service.provision.own.variables;
        own.get(name).or_else(|| self.shared.variables.get(name)).map(|value| filled(&value.value, service))
    }

    /// The names of all variables that are written for a service.
    pub fn variables<'c>(&'c self, service: &'c Service) -> impl Iterator<Item = &'c Arc<str>> {
        self.shared.variables.keys().chain(service.provision.own.variables.keys())
    }

    /// The value of a setting of a service's unit.
    pub fn setting(&self, service: &Service, section: &str, key: &str) -> Option<String> {
        self.stated_setting(service, section, key).map(|value| filled(&value.value, service))
    }

    /// The same as it is written, with its line.
    pub fn stated_setting<'c>(
        &'c self,
        service: &'c Service,
        section: &str,
        key: &str,
    ) -> Option<&'c Stated<String>> {
        let wanted: SettingKey = (section.into(), key.into());
        service.provision.own.settings.get(&wanted).or_else(|| self.shared.settings.get(&wanted))
    }

    /// All settings that are written for a service, by section and setting.
    pub fn settings<'c>(&'c self, service: &'c Service) -> impl Iterator<Item = &'c SettingKey> {
        self.shared.settings.keys().chain(service.provision.own.settings.keys())
    }
}

/// Text with the words of a service filled in.
fn filled(text: &str, service: &Service) -> String {
    let title = service.title.as_deref().unwrap_or(&service.name);
    fill(text, &ServiceWords { service: &service.name, unit: &service.unit.value, title }).into_owned()
}
