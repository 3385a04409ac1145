//! Remedies that several rules share, as data: the smallest change that makes the unit right.
//!
//! A setting is given its value in golden's own drop-in of that one unit, so a hand-written or packaged unit stays what
//! it is. A line is only edited where no drop-in can do it, and only in a file of /etc that serves this unit alone.
//! What lies in another user's directory is changed as that user, or by a person.

use crate::facts::start::{Started, base_name, is_python, lies_under, simplified};
use crate::model::change::{Change, How, Spot, Verb};
use crate::rules::prelude::*;
use crate::systemd::command_line::{self, Command};
use crate::systemd::effective;

fn is_drop_in(path: &str) -> bool {
    path.rsplit('/').nth(1).is_some_and(|directory| directory.ends_with(".d"))
}

/// Settings of `[Service]` that systemd itself reads, when it stops, restarts or judges the service: the process knows
/// nothing of them, so a reload is enough.
const MANAGERS: &[&str] = &[
    "ExecReload",
    "ExecStop",
    "ExecStopPost",
    "FinalKillSignal",
    "KillMode",
    "KillSignal",
    "RemainAfterExit",
    "ReloadSignal",
    "Restart",
    "RestartForceExitStatus",
    "RestartKillSignal",
    "RestartMaxDelaySec",
    "RestartMode",
    "RestartPreventExitStatus",
    "RestartSec",
    "RestartSteps",
    "SendSIGHUP",
    "SendSIGKILL",
    "SuccessExitStatus",
    "TimeoutAbortSec",
    "TimeoutSec",
    "TimeoutStartFailureMode",
    "TimeoutStartSec",
    "TimeoutStopFailureMode",
    "TimeoutStopSec",
    "WatchdogSignal",
];

/// Whether only systemd reads a setting, so that a process that runs need not be restarted for it.
pub fn is_managers(section: &str, key: &str) -> bool {
    matches!(section, "Unit" | "Install") || MANAGERS.contains(&key)
}

/// Whether a command is golden's own check before a start, which leaves nothing behind in the process.
pub fn is_preflight(command: &Command) -> bool {
    base_name(&command.program) == "golden" && command.words.iter().any(|word| word == "--preflight-only")
}

/// Whether a process that runs has nothing of a change of this setting.
fn needs_only_a_reload(change: &Change) -> bool {
    let Change::Setting { section, key, values, .. } = change else { return false };
    let all_preflights = || {
        let commands = |value: &String| command_line::parse(value).commands;
        values.iter().all(|value| commands(value).iter().all(is_preflight))
    };
    is_managers(section, key) || (key == "ExecStartPre" && all_preflights())
}

/// A word as a line of a unit has it; `$` and `%` stay systemd's.
fn unit_word(word: &str) -> String {
    let plain = !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "'\\\";".contains(c));
    match plain {
        true => word.to_owned(),
        false => format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\"")),
    }
}

/// The command with which a person lets golden bring about what the contract in force says.
pub fn golden(view: &View, verb: &str) -> String {
    let source = &view.contract.source;
    match source.built_in || *source.path == *INSTALLED {
        true => format!("golden {verb}"),
        false => format!("golden --contract {} {verb}", quoted(&source.path)),
    }
}

/// The command that opens the file of a location where it stands.
pub fn by_hand(at: &Location) -> String {
    match at.line_number() {
        Some(line) => format!("vi +{line} {}", quoted(at.path())),
        None => format!("vi {}", quoted(at.path())),
    }
}

/// The remedy of one of many findings. Of more than are shown none is made: each may look through a whole file.
pub fn of_many(earlier: usize, remedy: impl FnOnce() -> Remedy) -> Remedy {
    match earlier < crate::model::MOST_FINDINGS {
        true => remedy(),
        false => Remedy::decide("mend the others first"),
    }
}

/// Whether a file belongs to the distribution.
pub fn is_packaged(path: &str) -> bool {
    ["/usr/lib/", "/lib/", "/usr/share/"].iter().any(|place| path.starts_with(place))
}

/// Whether a directory of this owner and mode lets nobody but root put names into it.
fn is_roots_alone(meta: &Meta) -> bool {
    meta.uid == 0 && meta.mode & 0o002 == 0 && (meta.mode & 0o020 == 0 || meta.gid == 0)
}

/// Who may change what lies at the end of a walk: root where nobody else can replace a name on the way, else the one
/// user in whose directory it lies. Everything else is a person's, and the remedy says why.
pub fn spot(view: &View, lookup: &Lookup) -> Result<Spot, Remedy> {
    let path = lookup.real().unwrap_or(&lookup.asked).to_owned();
    let by_hand = |why: String| Remedy::decide(format!("correct {path} by hand: {why}"));
    let mut owner: Option<u32> = None;
    let end = lookup.steps.len().saturating_sub(usize::from(lookup.real().is_some()));
    for step in &lookup.steps[..end] {
        let Meta { kind, uid, gid, mode, .. } = step.meta;
        match (kind, owner) {
            (NodeKind::Link, None) if uid == 0 => {}
            (NodeKind::Link, _) => {
                return Err(by_hand(format!("{} is a link that its owner can change", step.path)));
            }
            (_, None) if is_roots_alone(&step.meta) => {}
            (_, None) if uid != 0 && mode & 0o002 == 0 => owner = Some(uid),
            (_, Some(user)) if uid == user && mode & 0o002 == 0 => {}
            (_, Some(_)) => {
                return Err(by_hand(format!("{} and its directory belong to different users", step.path)));
            }
            (_, None) => {
                return Err(by_hand(format!("others can write {} (gid {gid}, mode {mode:04o})", step.path)));
            }
        }
    }
    let Some(uid) = owner else { return Ok(Spot::of_root(path)) };
    let name =
        view.accounts().ok().and_then(|accounts| accounts.user_by_id(uid)).map(|user| user.name.clone());
    match name {
        Some(name) => Ok(Spot::of_user(path, name)),
        None => Err(by_hand(format!("it lies in a directory of uid {uid}, which has no account"))),
    }
}

/// The remedy that gives what lies at the end of a walk its permission bits.
pub fn set_mode(view: &View, lookup: &Lookup, mode: u32) -> Remedy {
    match spot(view, lookup) {
        Ok(at) => Change::Mode { at, mode }.into(),
        Err(remedy) => remedy,
    }
}

/// The remedy that gives what lies at the end of a walk to an owner. In a user's directory only a person can: chown
/// hands over whatever was renamed there.
pub fn set_owner(view: &View, lookup: &Lookup, owner: Option<&str>, group: Option<&str>) -> Remedy {
    let change =
        |at: Spot| Change::Owner { at, owner: owner.map(str::to_owned), group: group.map(str::to_owned) };
    match spot(view, lookup) {
        Ok(at @ Spot { user: None, .. }) => change(at).into(),
        Ok(Spot { path, user: Some(user) }) => {
            let shell = change(Spot::of_root(path.clone())).shell();
            Remedy::decide(format!(
                "give {path} its owner: {user} can replace it at any moment, so golden does not"
            ))
            .candidate("once you have looked at it", shell)
        }
        Err(remedy) => remedy,
    }
}

impl ServiceView<'_> {
    /// What makes systemd and, for a service that runs, the process take up what is written.
    pub fn taking_up(&self) -> Vec<Change> {
        let unit = self.service.unit.value.clone();
        match self.service.runs_by_itself() {
            true => vec![Change::Reload, Change::Unit { verb: Verb::Restart, unit }],
            false => vec![Change::Reload],
        }
    }

    /// Changes, and then what takes them up: a reload alone where only systemd reads what has changed.
    pub fn taken_up(&self, changes: impl IntoIterator<Item = Change>) -> Remedy {
        let changes: Vec<Change> = changes.into_iter().collect();
        match changes.iter().all(needs_only_a_reload) {
            true => Remedy::changes(changes.into_iter().chain([Change::Reload])),
            false => Remedy::changes(changes.into_iter().chain(self.taking_up())),
        }
    }

    /// The remedy for a process that is not what its files say. A job that runs is not disturbed.
    pub fn restarted(&self) -> Remedy {
        match self.service.runs_by_itself() {
            true => Remedy::changes(self.taking_up()),
            false => Remedy::decide(format!(
                "wait until {} has ended: a job that runs is not restarted",
                self.service.unit.value
            )),
        }
    }

    /// A verb for the unit of the service.
    pub fn verb(&self, verb: Verb) -> Change {
        Change::Unit { verb, unit: self.service.unit.value.clone() }
    }

    /// The remedy that gives a setting of `[Service]` the demanded value.
    pub fn set(&self, unit: &EffectiveUnit, setting: Option<&Setting>, key: &str, demanded: &str) -> Remedy {
        let section = setting.map_or("Service", |setting| setting.section.as_str());
        self.set_in(unit, setting, section, key, demanded)
    }

    /// The same for a setting of any section. A list holds the demanded value alone afterwards; where systemd does not
    /// empty the list for an empty assignment, only a person can take out what else stands in it.
    pub fn set_in(
        &self,
        unit: &EffectiveUnit,
        setting: Option<&Setting>,
        section: &str,
        key: &str,
        demanded: &str,
    ) -> Remedy {
        let values = [demanded.to_owned()];
        let last = unit.assignments(section, key).last();
        let over = setting.map(|setting| setting.at.path());
        match (effective::is_list(section, key), last) {
            (false, _) => self.in_drop_in(over, section, key, &values, How::Set),
            (true, None) => self.add(unit, section, key, &values),
            (true, Some(last)) if effective::is_reset_by_nothing(section, key) => {
                self.in_drop_in(Some(last.at.path()), section, key, &values, How::Replace)
            }
            (true, Some(last)) => Remedy::decide(format!(
                "write {key}={demanded} at {}: systemd only ever adds to {key}=, so no drop-in can do it",
                last.at
            ))
            .candidate("", by_hand(&last.at)),
        }
    }

    /// The remedy that takes a setting back to systemd's default: an empty assignment where that does it, else the line
    /// goes.
    pub fn unset(&self, unit: &EffectiveUnit, setting: &Setting) -> Remedy {
        let (section, key) = (setting.section.as_str(), setting.key.as_str());
        if effective::is_reset_by_nothing(section, key) {
            return self.in_drop_in(Some(setting.at.path()), section, key, &[], How::Replace);
        }
        // A drop-in that overrides another value would only bring that one back.
        let is_alone = setting.overrode.is_empty() && unit.assignments(section, key).count() == 1;
        self.empty_line(unit, &setting.at).filter(|_| is_alone).unwrap_or_else(|| {
            Remedy::decide(format!("remove {key}= from {}", setting.at)).candidate("", by_hand(&setting.at))
        })
    }

    /// The remedy that adds values to what the unit says already.
    pub fn add(&self, unit: &EffectiveUnit, section: &str, key: &str, values: &[String]) -> Remedy {
        // What a drop-in has reset, an earlier one cannot bring back.
        let over = unit.deciding(section, key).map(|setting| setting.at.path());
        self.in_drop_in(over, section, key, values, How::Add)
    }

    /// The remedy that replaces a whole list.
    pub fn replace_list(
        &self,
        unit: &EffectiveUnit,
        over: Option<&str>,
        section: &str,
        key: &str,
        values: &[String],
    ) -> Remedy {
        let last = unit.deciding(section, key).map(|setting| setting.at.path());
        self.in_drop_in(last.or(over), section, key, values, How::Replace)
    }

    /// The remedy that writes assignments of a list anew, each from the present one; `None` takes one out. Findings about
    /// several assignments of one list all bring this one remedy, so that none undoes another's.
    pub fn replace_each(
        &self,
        unit: &EffectiveUnit,
        section: &str,
        key: &str,
        text: impl Fn(&Setting) -> Option<String>,
    ) -> Remedy {
        let values: Vec<String> = unit.assignments(section, key).filter_map(text).collect();
        self.replace_list(unit, None, section, key, &values)
    }

    /// The same for one assignment; the others stay as they are written.
    pub fn replace_one(&self, unit: &EffectiveUnit, setting: &Setting, text: Option<&str>) -> Remedy {
        let is_it = |other: &Setting| other.at == setting.at && other.raw() == setting.raw();
        self.replace_each(unit, &setting.section, &setting.key, |other| match is_it(other) {
            true => text.map(str::to_owned),
            false => Some(other.raw().to_owned()),
        })
    }

    /// The remedy that writes a setting into golden's drop-in, which is read after the file `over`.
    fn in_drop_in(
        &self,
        over: Option<&str>,
        section: &str,
        key: &str,
        values: &[String],
        how: How,
    ) -> Remedy {
        let over = over.filter(|path| is_drop_in(path)).map(|path| base_name(path).to_owned());
        self.taken_up([Change::Setting {
            // Of a template's instance the instance: what stands in the template holds for all of them.
            unit: self.service.unit.value.clone(),
            section: section.to_owned(),
            key: key.to_owned(),
            values: values.to_vec(),
            how,
            over,
        }])
    }

    /// The remedy that makes ExecStart the contract's. Where the contract allows more arguments, those of the present
    /// line stay; where it is not plain which those are, a person decides.
    pub fn set_command(
        &self,
        unit: &EffectiveUnit,
        demanded: &CommandDemand,
        setting: Option<&Setting>,
    ) -> Remedy {
        let line = self.service.exec_line(demanded);
        let Some(setting) = setting else { return self.add(unit, "Service", "ExecStart", &[line]) };
        let present = command_line::parse(setting.raw());
        let is_only = unit.assignments("Service", "ExecStart").count() == 1;
        let kept = match present.commands.as_slice() {
            [command] if is_only => kept_arguments(self.service, command, demanded),
            _ => None,
        };
        match kept {
            Some(kept) => {
                let kept: String = kept.iter().flat_map(|word| [" ".to_owned(), unit_word(word)]).collect();
                self.replace_list(unit, None, "Service", "ExecStart", &[format!("{line}{kept}")])
            }
            None => {
                let shell = self.replace_list(unit, None, "Service", "ExecStart", &[line]).shell();
                Remedy::decide(format!(
                    "choose the arguments of the contract's command: {} has others",
                    setting.at
                ))
                .candidate("without them", shell)
            }
        }
    }

    /// The remedy that puts another program into an Exec line, and keeps its arguments.
    pub fn set_program(&self, unit: &EffectiveUnit, started: &Started, program: &str) -> Remedy {
        let is_it = |other: &Started| other.setting.at == started.setting.at;
        self.set_programs(unit, started, |other| is_it(other).then(|| program.to_owned()))
    }

    /// The remedy that puts another program into each Exec line of a setting for which there is one. `started` is the
    /// command of the finding.
    pub fn set_programs(
        &self,
        unit: &EffectiveUnit,
        started: &Started,
        program: impl Fn(&Started) -> Option<String>,
    ) -> Remedy {
        let setting = started.setting;
        if let Some(demanded) = self.service.command.as_ref().filter(|_| started.key == "ExecStart") {
            return self.set_command(unit, demanded, Some(setting));
        }
        let corrected = |setting: &Setting| -> Option<String> {
            let command = command_line::parse(setting.value()).commands.into_iter().next()?;
            let started = Started { key: started.key, setting, command };
            with_program(setting, &started.command, &program(&started)?)
        };
        match corrected(setting) {
            Some(_) => self.replace_each(unit, "Service", started.key, |other| {
                Some(corrected(other).unwrap_or_else(|| other.raw().to_owned()))
            }),
            None => Remedy::decide(match program(started) {
                Some(program) => {
                    format!("decide what {} should run; a program of the venv is {program}", setting.at)
                }
                None => format!("decide which program of the venv {} should run", setting.at),
            })
            .candidate("", by_hand(&setting.at)),
        }
    }

    /// The remedy that takes a line out of the unit: only in a file of /etc that serves this unit alone.
    pub fn empty_line(&self, unit: &EffectiveUnit, at: &Location) -> Option<Remedy> {
        self.edit_line(unit, at, None)
    }

    /// The remedy that writes a line of the unit anew, where no drop-in can do it.
    pub fn edit_line(&self, unit: &EffectiveUnit, at: &Location, text: Option<&str>) -> Option<Remedy> {
        let line = at.line_number()?;
        let path = at.path().to_string();
        self.serves_this_unit_alone(unit, &path).then(|| {
            let unit = self.service.unit.value.clone();
            self.taken_up([Change::UnitLine { unit, path, line, text: text.map(str::to_owned) }])
        })
    }

    /// Whether a file of /etc shapes this unit alone: its fragment or a drop-in of its own directory; no template, no
    /// drop-in for a type or a prefix.
    pub fn serves_this_unit_alone(&self, unit: &EffectiveUnit, path: &str) -> bool {
        let own_directory = |name: &str| path.starts_with(&format!("/etc/systemd/system/{name}.d/"));
        let own_fragment = |name: &str| path == format!("/etc/systemd/system/{name}");
        let template = |name: &str| name.contains("@.");
        unit.names().any(|name| !template(name) && (own_directory(name) || own_fragment(name)))
    }

    /// The value that a demand is met with where the contract states one: the demanded one, the only one of a choice,
    /// or what `[provision]` says.
    pub fn stated_value(&self, demand: &SettingDemand) -> Option<String> {
        let provision = &self.contract.provision;
        let written = || provision.setting(self.service, &demand.section, &demand.key);
        match &demand.form {
            Form::Equals(value) => Some(value.clone()),
            Form::OneOf(values) => match values.as_slice() {
                [only] => Some(only.clone()),
                _ => written().filter(|value| values.contains(value)),
            },
            Form::Contains(words) => Some(words.join(" ")),
            Form::Present => written().or_else(|| {
                let title = self.service.title.clone();
                title.filter(|_| (demand.section == "Unit") && (*demand.key == *"Description"))
            }),
            Form::Absent => None,
        }
    }

    /// The question which value meets a demand, where the contract states none.
    pub fn decide_value(&self, demand: &SettingDemand) -> Remedy {
        let (section, key) = (&demand.section, &demand.key);
        let question = match &demand.form {
            Form::OneOf(values) => format!("choose a value for {key}=: {}", values.join(", ")),
            _ => format!("choose a value for {key}="),
        };
        let candidates = match &demand.form {
            Form::OneOf(values) => values.as_slice(),
            _ => &[],
        };
        let set = |value: &String| {
            let values = vec![value.clone()];
            let (unit, section, key) = (self.service.unit.value.clone(), section.to_owned(), key.to_string());
            let change = Change::Setting { unit, section, key, values, how: How::Set, over: None };
            self.taken_up([change]).shell()
        };
        candidates.iter().fold(Remedy::decide(question), |remedy, value| remedy.candidate("", set(value)))
    }
}

/// The arguments of a command that stay when the contract's takes its place; `None` where that is not plain.
fn kept_arguments(service: &Service, present: &Command, demanded: &CommandDemand) -> Option<Vec<String>> {
    let (program, arguments) = demanded.words.split_first()?;
    let wanted = service.program(program);
    let (wanted, found) = (base_name(&wanted).to_owned(), base_name(&present.program));
    let is_same = wanted == found || (is_python(&wanted) && is_python(found));
    if demanded.exact || present.words.is_empty() {
        return Some(Vec::new());
    }
    // A word in the place of a word may be another one; an option is never read as a word, nor a word as an option.
    let is_option = |word: &String| word.starts_with('-');
    let fits =
        |(found, wanted): (&String, &String)| found == wanted || (!is_option(found) && !is_option(wanted));
    let leads = present.words.iter().zip(arguments).all(fits);
    let more = || present.words.get(arguments.len()..).unwrap_or_default().to_vec();
    (is_same && leads && !present.prefixes.argv0_override).then(more)
}

/// The text of an Exec line with another program; `None` where the program is not written as it is read.
fn with_program(setting: &Setting, command: &Command, program: &str) -> Option<String> {
    let raw = setting.raw();
    let is_one = command_line::parse(raw).commands.len() == 1;
    let prefixes = raw.len() - raw.trim_start_matches(['@', '-', ':', '+', '!', '|']).len();
    let (before, rest) = raw.split_at(prefixes);
    let word = rest.split_whitespace().next().filter(|_| is_one)?;
    let is_it = word == command.program || simplified(word) == simplified(&command.program);
    is_it.then(|| format!("{before}{}{}", unit_word(program), &rest[word.len()..]))
}

/// The python of a venv that stands for another one: of the same name, but for a version that the venv need not have.
pub fn python_in(bin: &str, name: &str) -> String {
    match name {
        "python3" => format!("{bin}/python3"),
        _ => format!("{bin}/python"),
    }
}

/// The place of the contract that a path is or lies below.
pub fn own_place<'v>(view: &View<'v>, path: &str) -> Option<&'v Place> {
    let places = view.contract.layout.values().filter(|place| lies_under(path, &place.path.value));
    places.max_by_key(|place| place.path.value.len())
}

/// Whether systemd keeps a directory itself: below the private directories of `DynamicUser=`.
pub fn is_systemds(path: &str) -> bool {
    ["/var/lib/private", "/var/cache/private", "/var/log/private", "/run/private"]
        .iter()
        .any(|place| lies_under(path, place))
}

impl ServiceView<'_> {
    /// The remedy that makes a directory which the service is to write.
    pub fn make_directory(&self, unit: &EffectiveUnit, lookup: &Lookup) -> Remedy {
        let path = &*lookup.asked;
        let stated = own_place(self, path);
        let itself = stated.filter(|place| place.path.value == path);
        let name = |stated: Option<&Option<Stated<String>>>, usual: &str| {
            stated.and_then(Option::as_ref).map_or(usual, |name| &name.value).to_owned()
        };
        let owner = name(itself.map(|place| &place.owner), &self.service.user.value);
        let group = name(itself.map(|place| &place.group), &self.service.group.value);
        let mode = itself.and_then(|place| place.mode.as_ref()).map_or(0o755, |mode| mode.value);
        let is_written = self.service.writes.iter().any(|written| lies_under(path, &written.value));
        if unit.is_dynamic() || is_systemds(path) {
            return Remedy::decide(format!(
                "let systemd make {path}: StateDirectory= and similar settings make the directories of a dynamic user"
            ));
        }
        let change = |at: Spot| {
            let (owner, group) = (owner.clone(), group.clone());
            Change::Directory { at, owner, group, mode }
        };
        match spot(self, lookup) {
            Ok(at)
                if (stated.is_some() || is_written) && at.user.as_ref().is_none_or(|user| *user == owner) =>
            {
                change(at).into()
            }
            _ => Remedy::decide(format!("make the directory {path}, or name another one"))
                .candidate("", change(Spot::of_root(path)).shell()),
        }
    }
}

impl ServiceView<'_> {
    /// The remedy that makes something else start the unit. A unit of the distribution does not get an `[Install]` of
    /// ours: a person adds the link.
    pub fn install(&self, unit: &EffectiveUnit, key: &str, by: &str) -> Remedy {
        if is_packaged(unit.location().path()) {
            let add = match key {
                "RequiredBy" => "add-requires",
                _ => "add-wants",
            };
            let unit = quoted(&self.service.unit.value);
            let links: Vec<String> =
                by.split_whitespace().map(|by| format!("systemctl {add} {} {unit}", quoted(by))).collect();
            return Remedy::decide(format!("decide whether {by} starts {unit}, a unit of the distribution"))
                .candidate("", links.join(" && "));
        }
        let stated = self.add(unit, "Install", key, &[by.to_owned()]);
        let enable = self.verb(Verb::Enable);
        Remedy::changes(stated.list().iter().cloned().chain([enable]))
    }
}

/// The remedy that takes the links away which start a unit, after other changes. A link of a package is a person's.
pub fn unlinked(links: &[std::sync::Arc<str>], first: Vec<Change>) -> Remedy {
    if let Some(link) = links.iter().find(|link| is_packaged(link)) {
        return Remedy::decide(format!("decide about {link}, which belongs to the distribution"))
            .candidate("", format!("rm {} && systemctl daemon-reload", quoted(link)));
    }
    let remove = links.iter().map(|link| Change::Remove { at: Spot::of_root(&**link) });
    Remedy::changes(first.into_iter().chain(remove).chain([Change::Reload]))
}

/// Where a path ends that leads nowhere.
#[derive(Debug)]
pub struct Gap<'a> {
    /// The path that does not exist, links on the way resolved.
    pub path: String,
    /// The link whose target does not exist, where it is a link that leads there.
    pub link: Option<&'a Step>,
}

/// What is missing at the end of a walk: the path that would have to be made, and whether a link on the way leads
/// nowhere. `None` where the walk found something, could not go on, or cannot be followed by its steps alone.
pub fn gap(lookup: &Lookup) -> Option<Gap<'_>> {
    let crate::model::End::Absent(missing) = &lookup.end else { return None };
    let parts = |path: &str, link: Option<usize>| -> Vec<(String, Option<usize>)> {
        let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
        parts.rev().map(|part| (part.to_owned(), link)).collect()
    };
    let mut rest = parts(&lookup.asked, None);
    // The first step is the root.
    let mut at = 1;
    while let Some((name, link)) = rest.pop() {
        if name == ".." {
            continue;
        }
        let Some(step) = lookup.steps.get(at) else {
            let below: Vec<String> = rest.into_iter().rev().map(|(part, _)| part).collect();
            if below.iter().any(|part| part == "..") {
                return None;
            }
            let path = std::iter::once(missing.to_string()).chain(below).collect::<Vec<String>>().join("/");
            return Some(Gap { path, link: link.and_then(|at| lookup.steps.get(at)).map(AsRef::as_ref) });
        };
        if let Some(target) = &step.target {
            rest.extend(parts(target, Some(at)));
        }
        at += 1;
    }
    None
}

/// Who may change what is already there at the end of a walk: as [`spot`] has it, and in a user's directory only what
/// that user owns, because a user can change nothing else. A file with a second name is a person's: the other name may
/// lie anywhere.
pub fn spot_of_own(view: &View, lookup: &Lookup) -> Result<Spot, Remedy> {
    let at = spot(view, lookup)?;
    let by_hand = |why: String| Err(Remedy::decide(format!("correct {} by hand: {why}", at.path)));
    let Ok(Some(node)) = lookup.node() else { return Ok(at) };
    if node.meta.kind == NodeKind::File && node.meta.links > 1 {
        return by_hand(format!("it has {} names (hard links)", node.meta.links));
    }
    let Some(user) = &at.user else { return Ok(at) };
    let owns = view
        .accounts()
        .ok()
        .and_then(|accounts| accounts.user(user))
        .is_some_and(|user| user.uid == node.meta.uid);
    match owns {
        true => Ok(at),
        false => by_hand(format!("it lies in a directory of {user} and belongs to another user")),
    }
}

/// As [`set_mode`], for a file or directory whose owner matters: what golden leaves to a person names the command.
pub fn set_own_mode(view: &View, lookup: &Lookup, mode: u32) -> Remedy {
    match spot_of_own(view, lookup) {
        Ok(at) => Change::Mode { at, mode }.into(),
        Err(remedy) => {
            let path = lookup.real().unwrap_or(&lookup.asked);
            let shell = Change::Mode { at: Spot::of_root(path), mode }.shell();
            remedy.candidate("once you have looked at it", shell)
        }
    }
}

#[cfg(test)]
mod walks {
    use std::sync::Arc;

    use super::*;
    use crate::model::End;

    fn walk(asked: &str, steps: &[(&str, Option<&str>)], missing: &str) -> Lookup {
        let step = |(path, target): &(&str, Option<&str>)| {
            let kind = if target.is_some() { NodeKind::Link } else { NodeKind::Directory };
            let meta = Meta { kind, uid: 0, gid: 0, mode: 0o755, size: 0, modified: 0, links: 1 };
            Arc::new(Step { path: (*path).into(), meta, target: target.map(Into::into) })
        };
        Lookup {
            asked: asked.into(),
            steps: steps.iter().map(step).collect(),
            end: End::Absent(missing.into()),
        }
    }

    fn found(lookup: &Lookup) -> (String, Option<String>) {
        let gap = gap(lookup).unwrap();
        (gap.path, gap.link.map(|link| link.path.to_string()))
    }

    #[test]
    fn a_healthy_link_on_the_way_is_not_the_one_that_leads_nowhere() {
        let plain = [("/", None), ("/opt", None)];
        assert_eq!(found(&walk("/opt/a/b", &plain, "/opt/a")), ("/opt/a/b".into(), None));
        let release = [("/", None), ("/opt", None), ("/opt/app", Some("app-2")), ("/opt/app-2", None)];
        assert_eq!(
            found(&walk("/opt/app/media", &release, "/opt/app-2/media")),
            ("/opt/app-2/media".into(), None)
        );
        let dangling = [("/", None), ("/opt", None), ("/opt/app", Some("/mnt/gone"))];
        assert_eq!(
            found(&walk("/opt/app/media", &dangling, "/mnt")),
            ("/mnt/gone/media".into(), Some("/opt/app".into()))
        );
        let up = [("/", None), ("/a", None), ("/a/l", Some("../b")), ("/b", None)];
        assert_eq!(found(&walk("/a/l/c", &up, "/b/c")), ("/b/c".into(), None));
    }
}
