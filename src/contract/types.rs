//! The contract as the rest of the program sees it: resolved, merged, every value with its line.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::civil::Date;

use super::words::lies_under;
use super::{Dependency, Job, Kind, Model, Provision, Safety, Service};
use crate::model::{Location, RuleInfo, Section, Severity, Stated, Subject};

/// A validated contract. Nothing in it contradicts itself.
#[derive(Clone, Debug)]
pub struct Contract {
    /// Which text it was made from.
    pub source: Source,
    /// Its name.
    pub name: Stated<String>,
    /// Its version.
    pub version: Stated<String>,
    /// The day from which it holds.
    pub effective: Option<Stated<Date>>,
    /// The day by which somebody must have reviewed it.
    pub next_review: Option<Stated<Date>>,
    /// Who may change it.
    pub authority: Option<Stated<String>>,
    /// Section N: whose signatures a change needs; `None` where no approval is demanded.
    pub approval: Option<Approval>,
    /// The file in which each head of golden's ledger is left; `None` where the journal alone has them.
    pub anchor: Option<Stated<String>>,
    /// The commands that take each head to another host and ask for it there; `None` where nothing takes it away.
    pub outside: Option<Outside>,
    /// Section M, oldest first.
    pub changes: Vec<Change>,
    /// Section A: the places of the system by name.
    pub layout: BTreeMap<Arc<str>, Place>,
    /// Section J: who runs services unless they say otherwise.
    pub identity: Identity,
    /// Section C: what every env file must be.
    pub env: EnvPolicy,
    /// Section B: what every venv must be.
    pub runtime: RuntimePolicy,
    /// Sections A, G and H: what a governed repository must be; `None` where there is no repository.
    pub repository: Option<RepositoryPolicy>,
    /// Section B: the venvs by name.
    pub venvs: BTreeMap<Arc<str>, Venv>,
    /// Section D: what no unit may contain.
    pub forbidden: Vec<Forbidden>,
    /// Section E by name.
    pub dependencies: BTreeMap<Arc<str>, Dependency>,
    /// What is written where a demand leaves a choice.
    pub provision: Provision,
    /// Every service in the order of the file.
    pub services: Vec<Service>,
    /// What a service of each kind owes before it says anything of its own, with `<service>` for its name and `<title>` for
    /// its title. Templates and documents are made of it; nothing is judged by it, and most readers never look.
    pub patterns: Patterns,
    /// Every job in the order of the file.
    pub jobs: Vec<Job>,
    /// Dated exceptions.
    pub waivers: Vec<Waiver>,
    /// Section F; `None` where no models are guarded.
    pub safety: Option<Safety>,
    /// Section F: the models by name, in the order of the file.
    pub models: Vec<Model>,
    /// What only a person can check, in the order of the file.
    pub checklist: Vec<CheckItem>,
    /// Rule id to severity, where the contract overrides a rule's own.
    pub severities: BTreeMap<String, Stated<Level>>,
}

/// A service of each kind, made when somebody looks at the first.
pub type Patterns = Arc<LazyLock<BTreeMap<Kind, Service>, MakePatterns>>;

/// What makes them.
pub type MakePatterns = Box<dyn FnOnce() -> BTreeMap<Kind, Service> + Send>;

impl Contract {
    /// How binding a rule is under this contract; `None` where it is switched off.
    pub fn severity_of(&self, rule: &RuleInfo) -> Option<Severity> {
        match self.severities.get(rule.id).map(|stated| stated.value) {
            None => Some(rule.severity),
            Some(Level::At(severity)) => Some(severity),
            Some(Level::Off) => None,
        }
    }

    /// The place of the layout that holds the models, where section F guards any.
    pub fn model_place(&self) -> Option<&Place> {
        let named = &self.safety.as_ref()?.models.value;
        self.layout
            .get(named.as_str())
            .or_else(|| self.layout.values().find(|place| place.path.value == *named))
    }
}

/// What a contract may make of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Judged with this severity.
    At(Severity),
    /// Not judged at all.
    Off,
}

/// Where a contract is in force for everybody on a host.
pub const INSTALLED: &str = "/etc/golden/golden.toml";

/// The text a contract was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path for locations: the file, or `quantum.toml (built in)`.
    pub path: Arc<str>,
    /// True for a contract that is part of the program.
    pub built_in: bool,
    /// sha256 of the bytes, in hex.
    pub digest: String,
    /// The files that it extends, in order.
    pub extended: Vec<Extended>,
    /// The texts of files of the layout, named relative to the directory of the contract.
    pub templates: Vec<Extended>,
}

/// A file that a contract extends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extended {
    /// As the contract names it.
    pub named: String,
    /// What stands in it.
    pub text: Arc<str>,
}

/// Why a contract cannot be put at another place with what it extends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadsOut {
    /// What leads where.
    pub why: String,
    /// What to do about it.
    pub way_out: &'static str,
}

impl Source {
    /// The files that must lie with the contract when it is put at `place`: the path and text of each. A file that is
    /// named by an absolute path stays where it is, with what it extends.
    ///
    /// # Errors
    /// One of them would lie outside of the contract's directory.
    pub fn files_beside(&self, place: &str) -> Result<Vec<(String, &str)>, LeadsOut> {
        let directory = place.rsplit_once('/').map_or("", |(directory, _)| directory);
        let mut files = Vec::new();
        let mut at = directory.to_owned();
        for Extended { named, text } in self.extended.iter().take_while(|file| !file.named.starts_with('/')) {
            if named.split('/').any(|part| part == "..") {
                return Err(LeadsOut {
                    why: format!("{} extends {named}, which leads out of its directory", self.path),
                    way_out: "lay it beside the contract, or name it by an absolute path where only root writes",
                });
            }
            let path = format!("{at}/{named}");
            at = path.rsplit_once('/').map_or(String::new(), |(directory, _)| directory.to_owned());
            files.push((path, &**text));
        }
        for Extended { named, text } in self.templates.iter().filter(|file| !file.named.starts_with('/')) {
            files.push((format!("{directory}/{named}"), &**text));
        }
        Ok(files)
    }

    /// The file in which the signatures of a contract lie: beside it.
    pub fn signature_path(&self) -> String {
        format!("{}.sig", self.path)
    }

    /// What is signed: the digest as one line of text, so that any tool can make and check a signature.
    pub fn signed_message(&self) -> String {
        format!("sha256:{}\n", self.digest)
    }
}

/// The namespace of signatures over contracts: what was signed for anything else is no approval.
pub const NAMESPACE: &str = "golden-contract";

/// Section N: the signatures without which a contract is not approved.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// The file of those who may approve, in the format of ssh-keygen(1), *ALLOWED SIGNERS*.
    pub signers: Stated<String>,
    /// How many different people must have signed.
    pub required: Stated<u32>,
    /// Where it begins in the contract.
    pub at: Location,
}

/// How heads of golden's ledger get outside of this host. Both are a program of root's with its words.
#[derive(Clone, Debug, PartialEq)]
pub struct Outside {
    /// Takes a head there; the head is one more word.
    pub send: Stated<Vec<String>>,
    /// Prints the heads that lie there, the newest last.
    pub recall: Stated<Vec<String>>,
}

/// An entry of section M.
#[derive(Clone, Debug)]
pub struct Change {
    /// The version it made.
    pub version: String,
    /// Its day.
    pub date: Date,
    /// What changed.
    pub text: String,
    /// Where it is written.
    pub at: Location,
}

/// A directory (or file) of the layout and what it must be.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its name in `[layout]`.
    pub name: Arc<str>,
    /// Absolute, normalised, placeholders expanded.
    pub path: Stated<String>,
    /// Demanded owner.
    pub owner: Option<Stated<String>>,
    /// Demanded group.
    pub group: Option<Stated<String>>,
    /// Upper bound of the permission bits.
    pub mode: Option<Stated<u32>>,
    /// Subdirectories that must exist.
    pub holds: Vec<Stated<String>>,
    /// Paths it must not lie on or under, such as `/tmp`, and file systems such as `tmpfs`.
    pub not_under: Vec<Stated<String>>,
    /// File systems it must not lie on.
    pub not_on: Vec<Stated<String>>,
    /// No component may be a symbolic link.
    pub no_links: Option<Location>,
    /// It must lie outside the repository.
    pub outside_repository: Option<Location>,
    /// Demanded to exist (a fallback log directory need not).
    pub required: bool,
    /// Whether it must be a file or a directory; `None` where the contract does not say.
    pub kind: Option<Stated<PlaceKind>>,
    /// What stands in a file.
    pub content: Option<Content>,
    /// It must be a mount point.
    pub mounted: Option<Location>,
    /// How binding its demands are.
    pub severity: Severity,
    /// Where the place begins in the contract.
    pub at: Location,
}

impl Place {
    /// Whether the contract says that it is a file.
    pub fn is_file(&self) -> bool {
        self.kind.as_ref().is_some_and(|kind| kind.value == PlaceKind::File)
    }
}

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
}

/// What stands in a file of the layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Exactly this text.
    Text(Stated<String>),
    /// At least these keys, each as `KEY=` at the beginning of a line.
    Keys(Vec<Stated<String>>),
}

/// A place below a directory of another user.
#[derive(Clone, Copy, Debug)]
pub struct BelowOthers<'c> {
    /// The place.
    pub place: &'c Place,
    /// Who owns the directory above it, and so can replace it.
    pub user: &'c str,
    /// The directory above it that is that user's.
    pub above: &'c str,
}

impl Contract {
    /// Places that lie below a directory of another user than root and their own: a declared place, or the home that
    /// golden makes for the contract's user. That user can replace them. A place without an owner is its parent place's
    /// owner's, and root's below a home.
    pub fn places_below_others(&self) -> Vec<BelowOthers<'_>> {
        let owned = self.layout.values().filter_map(|place| Some((place, place.owner.as_ref()?)));
        let places = owned.map(|(place, owner)| (place.path.value.as_str(), owner.value.as_str(), None));
        let user = self.identity.user.value.as_str();
        let home = self.provision.home.iter().map(|home| (home.value.as_str(), user, Some("root")));
        let of_users: Vec<_> = places.chain(home).filter(|(_, user, _)| *user != "root").collect();
        let mut found = Vec::new();
        for place in self.layout.values() {
            let path = place.path.value.as_str();
            let stated = place.owner.as_ref().map(|owner| owner.value.as_str());
            let is_above = |(above, user, by_default): &&(&str, &str, Option<&str>)| {
                let foreign = stated.or(*by_default).is_some_and(|own| own != *user);
                foreign && path != *above && lies_under(path, above)
            };
            let above = of_users.iter().find(is_above);
            found.extend(above.map(|&(above, user, _)| BelowOthers { place, user, above }));
        }
        found
    }
}

/// Section J.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The user of services that name no other.
    pub user: Stated<String>,
    /// The group of services that name no other.
    pub group: Stated<String>,
    /// Groups that lead to root.
    pub forbidden_groups: Stated<Vec<String>>,
    /// Paths that the users of services must not be able to write.
    pub must_not_write: Vec<Stated<String>>,
}

/// Section C, the files; the variables are in each service.
#[derive(Clone, Debug)]
pub struct EnvPolicy {
    /// Demanded owner.
    pub owner: Stated<String>,
    /// Demanded group.
    pub group: Stated<String>,
    /// Upper bound of the mode.
    pub mode: Stated<u32>,
    /// Further modes that are accepted when nothing in the file is secret.
    pub tolerated: Vec<Stated<u32>>,
    /// Globs of variable names that hold secrets.
    pub secret_names: Stated<Vec<String>>,
}

/// Section B.
#[derive(Clone, Debug)]
pub struct RuntimePolicy {
    /// Programs that no unit, job or recipe may call.
    pub forbidden_programs: Stated<Vec<String>>,
    /// The value `include-system-site-packages` must have.
    pub system_site_packages: Stated<bool>,
    /// Shells that no unit may run with `-c`.
    pub forbidden_shells: Stated<Vec<String>>,
}

/// A venv of section B.
#[derive(Clone, Debug)]
pub struct Venv {
    /// Its name in `[venvs]`.
    pub name: Arc<str>,
    /// Its directory.
    pub path: Stated<String>,
    /// Where it is written.
    pub at: Location,
}

/// A demand that no audit can check; it is printed in checklists and documents.
#[derive(Clone, Debug)]
pub struct CheckItem {
    /// The section it belongs to.
    pub section: Section,
    /// What must be seen to.
    pub text: String,
    /// What sees to it during a deployment; a person where it is `None`.
    pub by: Option<SeenTo>,
    /// Where it is written.
    pub at: Location,
}

/// What sees to an entry of the checklist in place of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenTo {
    /// `golden deploy` writes it into the ledger.
    Ledger,
    /// `golden deploy` looks into the journal when everything has started.
    Journal,
}

/// Sections A, G, H: the governed repository.
#[derive(Clone, Debug)]
pub struct RepositoryPolicy {
    /// The place of the layout that it is.
    pub place: Arc<str>,
    /// Its path.
    pub path: Stated<String>,
    /// The remote that identifies a second clone.
    pub remote: Option<Stated<String>>,
    /// The wrapper, relative to the repository.
    pub wrapper: Option<Stated<String>>,
    /// The Makefile, relative to the repository.
    pub makefile: Option<Stated<String>>,
    /// Where second clones are looked for.
    pub clone_roots: Stated<Vec<String>>,
    /// How deep below each of them, in directories.
    pub clone_depth: Stated<u32>,
    /// Directory names that the search skips.
    pub clone_skip: Stated<Vec<String>>,
    /// Globs of files, relative to the repository, that must not be in it: env files, logs.
    pub must_not_hold: Vec<Stated<String>>,
}

impl RepositoryPolicy {
    /// Paths that GNU make would read before the Makefile.
    pub fn before_makefile(&self) -> Vec<String> {
        const ORDER: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];
        let Some(file) = &self.makefile else { return Vec::new() };
        let (directory, name) = file.value.rsplit_once('/').unwrap_or(("", &file.value));
        let directory = format!("{}/{directory}", self.path.value);
        let own = ORDER.iter().position(|other| *other == name).unwrap_or(0);
        ORDER[..own].iter().map(|other| format!("{}/{other}", directory.trim_end_matches('/'))).collect()
    }
}

/// A value that no effective unit may have.
#[derive(Clone, Debug)]
pub struct Forbidden {
    /// systemd section.
    pub section: String,
    /// Setting.
    pub key: String,
    /// Any word of the value equal to one of these is an offence.
    pub words: Vec<String>,
    /// Its name in the contract.
    pub name: Arc<str>,
    /// Why, for the finding.
    pub why: String,
    /// Where it is written.
    pub at: Location,
}

/// A dated exception.
#[derive(Clone, Debug)]
pub struct Waiver {
    /// The rule it silences.
    pub rule: String,
    /// The exact subject.
    pub subject: Subject,
    /// Narrows it to one finding of the rule.
    pub key: Option<String>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day (UTC) on which it holds.
    pub expires: Date,
    /// Where it is written.
    pub at: Location,
}
