//! Unit files: what is demanded of the effective unit, written down.
//!
//! The words of a command are those that systemd has after it has split the line, before it expands specifiers and
//! variables. Rendering only quotes them, and the audit compares the split words, so neither can change the meaning of
//! `%i` or `${PORT}`.

use std::collections::BTreeMap;

use super::{Artefact, Gap, HostFile, What, env_file, header};
use crate::contract::{Contract, EnvFileDemand, Form, Kind, Service, SettingDemand};
use crate::model::Severity;

/// The order in which people expect settings; others follow by name.
const ORDER: &[&str] = &[
    "Description",
    "Documentation",
    "After",
    "Before",
    "Wants",
    "Requires",
    "BindsTo",
    "PartOf",
    "StartLimitIntervalSec",
    "StartLimitBurst",
    "Type",
    "User",
    "Group",
    "WorkingDirectory",
    "Environment",
    "EnvironmentFile",
    "ExecStartPre",
    "ExecStart",
    "Restart",
    "RestartSec",
    "RemainAfterExit",
    "StandardOutput",
    "StandardError",
    "SyslogIdentifier",
    "NoNewPrivileges",
    "PrivateTmp",
    "ProtectSystem",
    "ProtectHome",
    "ReadWritePaths",
    "MemoryMax",
    "CPUQuota",
    "WantedBy",
];

/// Settings whose value is a list of words, so that demanded and written words are laid together.
const LISTS: &[&str] = &["After", "Before", "Wants", "Requires", "BindsTo", "WantedBy", "ReadWritePaths"];

/// The unit of a service, and its timer.
pub(super) fn artefacts(contract: &Contract, service: &Service, gaps: &mut Vec<Gap>) -> Vec<Artefact> {
    let mut all = vec![artefact(&service.unit.value, unit(contract, service, gaps))];
    if let Some(timer) = &service.timer {
        match &service.provision.schedule {
            Some(schedule) => {
                all.push(artefact(&timer.value, timer_text(contract, service, &schedule.value)))
            }
            None => gaps.push(Gap {
                at: service.at.clone(),
                message: format!("nothing says when {} starts {}", timer.value, service.name),
                way_out: format!("add `schedule = \"daily\"` to [services.{}.provision]", service.name),
                files: vec![on_host(&timer.value)],
                variable: None,
            }),
        }
    }
    all
}

/// Where a unit of that name lies on a host.
pub(super) fn on_host(name: &str) -> String {
    format!("{}/{name}", super::UNIT_FOLDER)
}

fn artefact(name: &str, content: String) -> Artefact {
    Artefact {
        what: What::Units,
        in_repository: Some(format!("{}/{name}", super::UNITS)),
        on_host: Some(HostFile { path: on_host(name), owner: "root".to_owned(), group: "root".to_owned() }),
        mode: 0o644,
        content,
    }
}

fn title(service: &Service) -> &str {
    service.title.as_deref().unwrap_or(&service.name)
}

fn timer_text(contract: &Contract, service: &Service, schedule: &str) -> String {
    format!(
        "{}\n[Unit]\nDescription={}\n\n[Timer]\nOnCalendar={schedule}\nPersistent=yes\nUnit={}\n\n[Install]\nWantedBy=timers.target\n",
        header(contract, &format!("When {} runs", title(service))),
        title(service),
        service.unit.value,
    )
}

/// The text of a service's unit.
fn unit(contract: &Contract, service: &Service, gaps: &mut Vec<Gap>) -> String {
    let mut open = |what: Open<'_>| {
        gaps.push(what.gap(service));
        None
    };
    let text = header(contract, &format!("{}: {}", service.unit.value, title(service)));
    let text = text + &written(&sections(contract, service, &mut open));
    env_file::environment(contract, service, gaps);
    text
}

/// What nobody has decided for a service.
pub(super) enum Open<'c> {
    /// The value of a setting that must be set.
    Setting(&'c SettingDemand),
    /// What it starts.
    Start,
}

impl Open<'_> {
    fn gap(&self, service: &Service) -> Gap {
        match self {
            Open::Setting(SettingDemand { section, key, at, .. }) => Gap {
                at: at.clone(),
                message: format!("{key}= of {} must be set, and nothing says to what", service.unit.value),
                way_out: format!("add `{key} = \"…\"` to [provision.unit.{section}]"),
                files: vec![on_host(&service.unit.value)],
                variable: None,
            },
            Open::Start => Gap {
                at: service.at.clone(),
                message: format!("nothing says what {} starts", service.name),
                way_out: format!(
                    "add `start = [\"program\", \"argument\"]` to [services.{}.provision]",
                    service.name
                ),
                files: vec![on_host(&service.unit.value)],
                variable: None,
            },
        }
    }
}

/// Who is asked for what nobody has decided.
pub(super) type Ask<'a> = &'a mut dyn FnMut(Open<'_>) -> Option<String>;

/// The sections of a unit, each with its settings in the order in which they are written.
pub(super) type Sections = [(&'static str, Vec<(String, String)>); 3];

/// Where a setting stands in its section.
pub(super) fn place(key: &str) -> usize {
    ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len())
}

/// What stands in the unit of a service.
pub(super) fn sections(contract: &Contract, service: &Service, open: Ask<'_>) -> Sections {
    let mut sections: Sections = [("Unit", Vec::new()), ("Service", Vec::new()), ("Install", Vec::new())];
    for (section, lines) in &mut sections {
        let mut values = demanded(contract, service, section, open);
        match *section {
            "Unit" => {
                order(service, &mut values);
                describe(service, &mut values);
            }
            "Service" => own(contract, service, &mut values, open),
            _ => wanted(service, &mut values),
        }
        lines.extend(
            values
                .into_iter()
                .flat_map(|(key, values)| values.into_iter().map(move |value| (key.clone(), value))),
        );
        lines.sort_by_key(|(key, _)| place(key));
    }
    sections
}

/// Sections as a unit file has them.
pub(super) fn written(sections: &Sections) -> String {
    let mut text = String::new();
    for (section, lines) in sections.iter().filter(|(_, lines)| !lines.is_empty()) {
        text.push_str(&format!("\n[{section}]\n"));
        for (key, value) in lines {
            text.push_str(&format!("{key}={value}\n"));
        }
    }
    text
}

/// Settings that make directories read-only.
const SANDBOX: [&str; 2] = ["ProtectSystem", "ProtectHome"];

/// The setting that opens directories again.
const WRITABLE: &str = "ReadWritePaths";

/// Settings by name, each with its lines.
type Lines = BTreeMap<String, Vec<String>>;

/// What the demands of a section and `[provision]` decide.
fn demanded(contract: &Contract, service: &Service, section: &str, open: Ask<'_>) -> Lines {
    let provision = &contract.provision;
    let mut by_key: BTreeMap<&str, Vec<&SettingDemand>> = BTreeMap::new();
    for demand in service.settings.iter().filter(|demand| demand.section == section) {
        by_key.entry(&demand.key).or_default().push(demand);
    }
    let provisioned = provision.settings(service).filter(|(of, _)| **of == *section);
    for (_, key) in provisioned {
        by_key.entry(key).or_default();
    }
    let mut lines = Lines::new();
    for (key, demands) in by_key {
        let own = provision.setting(service, section, key);
        let chosen = choose(key, &demands, own).unwrap_or_else(|demand| open(Open::Setting(demand)));
        lines.extend(chosen.map(|value| (key.to_owned(), vec![value])));
    }
    lines
}

/// The value of one setting; the demand that leaves it open where nobody decides.
fn choose<'d>(
    key: &str,
    demands: &[&'d SettingDemand],
    own: Option<String>,
) -> Result<Option<String>, &'d SettingDemand> {
    let is_list =
        LISTS.contains(&key) || demands.iter().any(|demand| matches!(demand.form, Form::Contains(_)));
    let mut words: Vec<String> = Vec::new();
    let mut add = |more: &mut dyn Iterator<Item = &str>| {
        for word in more {
            if !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
    };
    for demand in demands {
        match &demand.form {
            Form::Equals(value) => return Ok(Some(value.clone())),
            Form::OneOf(values) if own.is_none() => return Ok(values.first().cloned()),
            Form::Absent => return Ok(None),
            Form::Contains(demanded) => add(&mut demanded.iter().map(String::as_str)),
            Form::OneOf(_) | Form::Present => {}
        }
    }
    if let Some(own) = own {
        if !is_list {
            return Ok(Some(own));
        }
        add(&mut own.split_whitespace());
    }
    if !words.is_empty() {
        return Ok(Some(words.join(" ")));
    }
    match demands.iter().find(|demand| demand.severity == Severity::Must) {
        // `After=` and its kin are filled from what the service requires; ExecStart and User have keys of their own.
        Some(demand) if demand.form == Form::Present && !LISTS.contains(&key) => Err(demand),
        _ => Ok(None),
    }
}

/// Adds words to a setting of words.
fn add_words<'w>(lines: &mut Lines, key: &str, words: impl Iterator<Item = &'w str>) {
    let line = lines.remove(key).unwrap_or_default().join(" ");
    let mut all: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    for word in words {
        if !all.iter().any(|known| known == word) {
            all.push(word.to_owned());
        }
    }
    if !all.is_empty() {
        lines.insert(key.to_owned(), vec![all.join(" ")]);
    }
}

/// Words for people, where no demand says which.
fn describe(service: &Service, lines: &mut Lines) {
    if let Some(title) = &service.title {
        lines.entry("Description".to_owned()).or_insert_with(|| vec![title.replace('%', "%%")]);
    }
}

/// What the service starts after and is bound to.
fn order(service: &Service, lines: &mut Lines) {
    add_words(lines, "After", service.after_units.iter().map(|unit| unit.value.as_str()));
    add_words(lines, "BindsTo", service.binds_to.iter().map(|unit| unit.value.as_str()));
}

/// A bound unit is also wanted by what it is bound to, which brings it back after a crash of that.
fn wanted(service: &Service, lines: &mut Lines) {
    if service.runs_by_itself() {
        add_words(lines, "WantedBy", service.binds_to.iter().map(|unit| unit.value.as_str()));
    }
}

/// What of `[Service]` has keys of its own in the contract.
fn own(contract: &Contract, service: &Service, lines: &mut Lines, open: Ask<'_>) {
    let mut set = |key: &str, values: Vec<String>| {
        lines.insert(key.to_owned(), values);
    };
    set("User", vec![service.user.value.clone()]);
    set("Group", vec![service.group.value.clone()]);
    if !service.env_files.is_empty() {
        set("EnvironmentFile", service.env_files.iter().map(EnvFileDemand::setting).collect());
    }
    // What keeps it from being written is a gap, which `unit` takes down.
    let environment = env_file::environment(contract, service, &mut Vec::new());
    if !environment.is_empty() {
        lines.entry("Environment".to_owned()).or_default().extend(environment);
    }
    let start = service.provision.start.as_ref().or(service.command.as_ref());
    if let Some(line) = start.map(|command| service.exec_line(command)).or_else(|| open(Open::Start)) {
        lines.insert("ExecStart".to_owned(), vec![line]);
    }
    // A sandbox must leave the service what it must write.
    let is_demanded = service.settings.iter().any(|demand| *demand.key == *WRITABLE);
    if is_demanded || SANDBOX.iter().any(|key| lines.contains_key(*key)) {
        add_words(lines, WRITABLE, service.writes.iter().map(|path| path.value.as_str()));
    }
    if service.kind.value.runs() && !service.requires.is_empty() {
        let golden = &contract.provision.golden.value;
        let named = super::named(contract);
        let preflight = format!("{golden} --quiet --contract {named} run --preflight-only {}", service.name);
        lines.entry("ExecStartPre".to_owned()).or_default().insert(0, preflight);
    }
    if matches!(service.kind.value, Kind::TimerJob | Kind::Job) {
        lines.entry("Type".to_owned()).or_insert_with(|| vec!["oneshot".to_owned()]);
    }
}
