//! The contract as a person reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use toml_edit::{Array, Key, Value};

use super::service::{Demand, EnvFile, Owned, Place, Service};
use super::{Header, Named};

/// Groups that lead to root.
const FORBIDDEN_GROUPS: [&str; 6] = ["root", "sudo", "wheel", "docker", "disk", "shadow"];

/// The head of every contract.
fn head(header: Header<'_>) -> String {
    format!(
        "schema = 1\n\n[contract]\nname = {}\nversion = \"0.1.0\"\nauthority = {}\n\n\
         [[changes]]\nversion = \"0.1.0\"\ndate = {}\ntext = \"Written down from a host that ran.\"\n",
        text(header.name),
        text(header.authority),
        header.today
    )
}

/// A contract that does nothing but name units.
pub(super) fn draft(header: Header<'_>, named: &[Named]) -> String {
    let mut out = head(header);
    out.push_str("\n[identity]\nuser = \"nobody\"\ngroup = \"nogroup\"\n");
    for Named { name, unit, trigger, .. } in named {
        let _ = write!(
            out,
            "\n[services.{}]\nkind = \"executable\"\nunit = {}\ncommand = [\"/usr/bin/true\"]\n",
            key(name),
            text(unit.as_str())
        );
        if let Some(trigger) = trigger {
            let _ = writeln!(out, "activation = {}", text(trigger.word()));
        }
    }
    out
}

/// The whole contract.
pub(super) fn write(header: Header<'_>, services: &[Service]) -> String {
    let common = Common::of(services);
    let mut out = String::from(
        "# Written by `golden init --from-host` from what this host has. Each line is one demand, and a *must* unless it says\n\
         # `level = \"should\"`. Remove what is accidental, add what must be: golden contract check, golden audit.\n\n",
    );
    out.push_str(&head(header));
    places(&mut out, &common);
    let _ = write!(
        out,
        "\n[identity]\nuser = {}\ngroup = {}\nforbidden_groups = {}\n",
        text(&common.user.0),
        text(&common.user.1),
        list(FORBIDDEN_GROUPS.iter().copied().filter(|group| !common.groups.contains(group)))
    );
    if !common.venvs.is_empty() {
        out.push_str("\n[venvs]\n");
        for (path, name) in &common.venvs {
            let _ = writeln!(out, "{} = {}", key(name), text(path));
        }
    }
    // Of files that are not there yet nothing is known but that root should keep them.
    let of_none = Owned { owner: "root".to_owned(), group: "root".to_owned(), mode: 0o640 };
    if services.iter().any(|service| !service.env_files.is_empty()) {
        let _ = write!(
            out,
            "\n[env]                                           # what every env file must be; a stricter mode passes\n{}",
            owned_lines(common.env.unwrap_or(&of_none))
        );
    }
    for service in services {
        self::service(&mut out, service, &common);
    }
    out
}

/// What services have in common.
struct Common<'s> {
    /// The user and group of most.
    user: (String, String),
    groups: BTreeSet<&'s str>,
    /// Venvs by path, with their names.
    venvs: BTreeMap<&'s str, String>,
    /// What most env files are.
    env: Option<&'s Owned>,
    /// Places by path, with their names.
    places: BTreeMap<&'s str, (String, &'s Place)>,
}

impl<'s> Common<'s> {
    fn of(services: &'s [Service]) -> Self {
        let users = services.iter().map(|service| (service.user.clone(), service.group.clone()));
        let files = services.iter().flat_map(|service| &service.env_files);
        let mut common = Self {
            user: commonest(users).unwrap_or_else(|| ("nobody".to_owned(), "nogroup".to_owned())),
            groups: services.iter().map(|service| service.group.as_str()).collect(),
            venvs: BTreeMap::new(),
            env: commonest(files.filter_map(|file| file.owned.as_ref())),
            places: BTreeMap::new(),
        };
        for venv in services.iter().filter_map(|service| service.venv.as_deref()) {
            if !common.venvs.contains_key(venv) {
                let name = free_name(venv, |name| common.venvs.values().any(|taken| taken == name));
                common.venvs.insert(venv, name);
            }
        }
        for place in services.iter().flat_map(|service| &service.places) {
            if !common.places.contains_key(place.path.as_str()) {
                let name =
                    free_name(&place.path, |name| common.places.values().any(|(taken, _)| taken == name));
                common.places.insert(&place.path, (name, place));
            }
        }
        common
    }
}

/// What stands most often in a list; the first of those that do.
fn commonest<T: Ord + Clone>(all: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: Vec<(T, usize)> = Vec::new();
    for one in all {
        match counts.iter_mut().find(|(other, _)| *other == one) {
            Some((_, count)) => *count += 1,
            None => counts.push((one, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(one, _)| one)
}

/// A name after the end of a path. `logs` is a place that means something to golden.
fn free_name(path: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let last = |parts: usize| {
        let mut ends: Vec<&str> = path.rsplit('/').filter(|part| !part.is_empty()).take(parts).collect();
        ends.reverse();
        let name: String =
            ends.join("-").chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        name.trim_matches('-').to_owned()
    };
    let names = (1..8).map(last).chain((2..).map(|number| format!("{}-{number}", last(8))));
    let is_free = |name: &String| !name.is_empty() && name != "logs" && !is_taken(name);
    names.into_iter().find(is_free).unwrap_or_default()
}

fn places(out: &mut String, common: &Common<'_>) {
    for (path, (name, place)) in &common.places {
        let _ = write!(out, "\n[layout.{}]\npath = {}\n{}", key(name), text(path), owned_lines(&place.owned));
    }
}

fn owned_lines(Owned { owner, group, mode }: &Owned) -> String {
    format!("owner = {}\ngroup = {}\nmode = \"{mode:04o}\"\n", text(owner), text(group))
}

fn service(out: &mut String, service: &Service, common: &Common<'_>) {
    let name = key(&service.name);
    let mut line = |key: &str, value: String| {
        let _ = writeln!(out, "{key} = {value}");
    };
    line(&format!("\n[services.{name}]\nkind"), text(service.kind));
    if let Some(title) = &service.title {
        line("title", text(title));
    }
    if let Some(activation) = service.activation {
        line("activation", text(activation));
    }
    if (&service.user, &service.group) != (&common.user.0, &common.user.1) {
        line("user", text(&service.user));
        line("group", text(&service.group));
    }
    if let Some(venv) = service.venv.as_deref().and_then(|venv| common.venvs.get(venv)) {
        line("venv", text(venv));
    }
    if !service.command.is_empty() {
        line("command", list(service.command.iter().map(String::as_str)));
        line("exact", "true".to_owned());
    }
    line("env_files", env_files(&service.env_files, common));
    if let Some(directory) = &service.working_directory {
        line("working_directory", text(directory));
    }
    if !service.ports.is_empty() {
        line("ports", list(service.ports.iter().map(String::as_str)));
    }
    if !service.writes.is_empty() {
        line("writes", list(service.writes.iter().map(String::as_str)));
    }
    // Its unit is somebody's: golden judges it, and adds drop-ins where a demand is broken.
    line("provision", "{ rendered = false }".to_owned());
    let _ = write!(out, "\n[services.{name}.unit]\nname = {}\n", text(&service.unit));
    for (section, settings) in &service.settings {
        let _ = write!(out, "\n[services.{name}.unit.{}]\n", key(section));
        for (setting, demand) in settings {
            let _ = writeln!(out, "{} = {}", key(setting), demanded(demand));
        }
    }
    if !service.variables.is_empty() {
        let _ = write!(out, "\n[services.{name}.variables]\n");
        for (variable, demand) in &service.variables {
            let _ = writeln!(out, "{} = {}", key(variable), demanded(demand));
        }
    }
}

fn env_files(files: &[EnvFile], common: &Common<'_>) -> String {
    let entry = |file: &EnvFile| {
        let mut parts = vec![format!("path = {}", text(&file.path))];
        if file.optional {
            parts.push("optional = true".to_owned());
        }
        if file.secret {
            parts.push("secret = true".to_owned());
        }
        if let Some(owned) = file.owned.as_ref().filter(|owned| Some(*owned) != common.env) {
            parts.push(owned_lines(owned).trim_end().replace('\n', ", "));
        }
        if !file.overrides.is_empty() {
            parts.push(format!("overrides = {}", list(file.overrides.iter().map(String::as_str))));
        }
        match parts.len() {
            1 => text(&file.path),
            _ => format!("{{ {} }}", parts.join(", ")),
        }
    };
    let entries: Vec<String> = files.iter().map(entry).collect();
    match entries.len() {
        0 | 1 => format!("[{}]", entries.concat()),
        _ => format!("[\n    {},\n]", entries.join(",\n    ")),
    }
}

fn demanded(demand: &Demand) -> String {
    match demand {
        Demand::Equals(value) => text(value),
        Demand::Contains(words) => format!("{{ contains = {} }}", list(words.iter().map(String::as_str))),
        Demand::Present => "{ present = true }".to_owned(),
    }
}

fn text(value: &str) -> String {
    Value::from(value).to_string()
}

fn list<'t>(words: impl Iterator<Item = &'t str>) -> String {
    words.collect::<Array>().to_string()
}

fn key(name: &str) -> String {
    Key::new(name).to_string()
}
