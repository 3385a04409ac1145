//! The golden template: the unit that every service of the contract has, with placeholders, and what a person who fills
//! it in needs to know as comments. Its settings are those of a rendered unit because they are rendered as one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::example::{self, filled};
use super::markdown::capital;
use super::unit::{self, Sections};
use super::words::title;
use super::{Artefact, UNIT_FOLDER, What, forbidden, header, rendered, troubles};
use crate::contract::{Contract, Kind, Service};
use crate::model::Section;

/// Where it lies in a governed repository: named as a service `golden` of the contract would be.
pub(super) fn path(contract: &Contract) -> Option<String> {
    let pattern = contract.patterns.get(&example::usual_kind(contract))?;
    let unit = pattern.unit.value.replace(pattern.name.as_ref(), "golden");
    // A contract may give all of its units names that do not hold the service's.
    let name = if unit.contains("golden") { unit.as_str() } else { "golden.service" };
    Some(format!("systemd/templates/{}", name.replace(['<', '>', '/'], "-")))
}

/// The template; `None` for a contract that nobody has read.
pub(super) fn artefact(contract: &Contract) -> Option<Artefact> {
    let kind = example::usual_kind(contract);
    let example = example::service(contract, kind)?;
    let sections = example::sections(contract, &example);
    let mut text =
        header(contract, &format!("The golden unit: what every unit of kind {} says", kind.word()));
    text.push_str(&comment(&introduction(contract, &example, &sections)));
    text.push_str(&unit::written(&sections));
    for part in [
        examples(contract, &example, &sections),
        tasks(contract, kind, &sections),
        never(contract),
        trouble(contract, &example),
    ] {
        if !part.is_empty() {
            text.push('\n');
            text.push_str(&comment(&part));
        }
    }
    Some(Artefact {
        what: What::Template,
        in_repository: Some(path(contract)?),
        on_host: None,
        mode: 0o644,
        content: text,
    })
}

/// Each line as a comment of a unit file.
fn comment(text: &str) -> String {
    text.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect()
}

/// What to do with it, as a list to be ticked off.
fn introduction(contract: &Contract, example: &Service, sections: &Sections) -> String {
    let mut text = String::from(
        "\ngolden writes the units of the contract's services: golden service add NAME, golden render,\n\
         golden apply. This is their pattern, also for a service that you only try out:\n\n",
    );
    let placeholders = placeholders(contract, example, sections);
    let width = placeholders.iter().map(|(placeholder, _)| placeholder.len()).max().unwrap_or_default();
    for (placeholder, what) in placeholders {
        let _ = writeln!(text, "[ ] {placeholder:<width$}  {what}");
    }
    let _ = writeln!(text, "[ ] it lies at {UNIT_FOLDER}/{}, root:root, mode 0644", example.unit.value);
    for file in &example.env_files {
        let policy = &contract.env;
        let (owner, group) = (file.owner.as_ref(), file.group.as_ref());
        let _ = writeln!(
            text,
            "[ ] {} is {}:{}, mode {:04o} at most, and holds all that section C demands",
            file.path,
            owner.unwrap_or(&policy.owner.value),
            group.unwrap_or(&policy.group.value),
            file.mode.unwrap_or(policy.mode.value),
        );
    }
    if let Some(venv) = &example.venv {
        let _ = writeln!(text, "[ ] {} holds what the program imports", venv.value);
    }
    text.push_str("[ ] After= and BindsTo= name every dependency that it cannot work without\n");
    let _ = writeln!(text, "[ ] systemctl daemon-reload; systemctl enable --now {}", example.unit.value);
    let _ = writeln!(text, "[ ] golden audit --service {} ends with 0", example.name);
    text
}

/// The placeholders of a unit, each with what belongs there.
fn placeholders(contract: &Contract, example: &Service, sections: &Sections) -> Vec<(String, String)> {
    let all: String =
        sections.iter().flat_map(|(_, lines)| lines).map(|(_, value)| format!("{value} ")).collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for piece in all.split('<').skip(1) {
        let Some((name, _)) = piece.split_once('>') else { continue };
        if seen.insert(name) {
            found.push((format!("<{name}>"), meaning(contract, example, name)));
        }
    }
    found
}

fn meaning(contract: &Contract, example: &Service, name: &str) -> String {
    let first = rendered(contract).find(|service| service.kind.value == example.kind.value);
    let such_as =
        |of: &dyn Fn(&Service) -> String| first.map_or(String::new(), |one| format!(", such as {}", of(one)));
    match name {
        "service" => format!("its name in the contract{}", such_as(&|one| one.name.to_string())),
        "title" => format!("its name for people{}", such_as(&|one| title(one).to_owned())),
        "program" => match example.venv {
            Some(_) => "a program of its venv".to_owned(),
            None => "the absolute path of its program".to_owned(),
        },
        "arguments" => "what the program is given, if anything".to_owned(),
        "venv" => "the directory of its venv".to_owned(),
        setting => format!("a value of {setting}= that fits it"),
    }
}

/// What a unit has, line by line.
fn lines(sections: &Sections) -> Vec<String> {
    sections.iter().flat_map(|(_, lines)| lines).map(|(key, value)| format!("{key}={value}")).collect()
}

/// How the services of the contract fill it in: what of their units does not stand above.
fn examples(contract: &Contract, example: &Service, sections: &Sections) -> String {
    let of_kind: Vec<&Service> =
        rendered(contract).filter(|service| service.kind.value == example.kind.value).collect();
    if of_kind.is_empty() {
        return String::new();
    }
    let mut text = String::from("Examples: how each service of the contract differs\n");
    for service in of_kind {
        let alike: BTreeSet<String> =
            lines(sections).iter().map(|line| filled(example, line, service)).collect();
        let _ = writeln!(text, "\n  {}", service.unit.value);
        for line in lines(&example::sections_of(contract, service)) {
            if !alike.contains(&line) {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
    text
}

/// How the units of tasks differ.
fn tasks(contract: &Contract, usual: Kind, sections: &Sections) -> String {
    let above: BTreeSet<String> = lines(sections).into_iter().collect();
    let mut found: Vec<(Vec<String>, String)> = Vec::new();
    for kind in [Kind::TimerJob, Kind::Job].into_iter().filter(|kind| *kind != usual) {
        let Some(task) = example::service(contract, kind) else { continue };
        let difference = difference(&above, &lines(&example::sections(contract, &task)));
        let name = format!("{} (kind {})", super::words::kind(kind), kind.word());
        match found.iter_mut().find(|(_, other)| *other == difference) {
            Some((kinds, _)) => kinds.push(name),
            None => found.push((vec![name], difference)),
        }
    }
    let mut text = String::from("Tasks that end: how their units differ\n");
    for (kinds, difference) in found {
        let _ = write!(text, "\n  {}\n{difference}", kinds.join("\n  "));
    }
    text + "\nA script of the repository that a person starts needs no unit: golden job NAME.\n"
}

/// What a unit says otherwise than the one above, and what it does not say. What it starts is its own.
fn difference(above: &BTreeSet<String>, below: &[String]) -> String {
    let key = |line: &String| line.split('=').next().unwrap_or_default().to_owned();
    let keys: BTreeSet<String> = below.iter().map(key).collect();
    let others = below.iter().filter(|line| !above.contains(*line) && !line.starts_with("ExecStart="));
    let mut text: String = others.map(|line| format!("    {line}\n")).collect();
    let gone: BTreeSet<String> = above.iter().map(key).filter(|key| !keys.contains(key)).collect();
    if !gone.is_empty() {
        let gone: Vec<String> = gone.iter().map(|key| format!("{key}=")).collect();
        let _ = writeln!(text, "    without {}", gone.join(", "));
    }
    text
}

/// Patterns that no unit has.
fn never(contract: &Contract) -> String {
    let mut text = String::from("Forbidden\n\n");
    for never in forbidden::all(contract).iter().filter(|never| never.section == Section::D) {
        let plain = |words: &str| words.replace('`', "");
        let _ = writeln!(text, "  {}\n    instead: {}", plain(&capital(&never.what)), plain(&never.instead));
    }
    text
}

/// What to look at when it does not start.
fn trouble(contract: &Contract, example: &Service) -> String {
    let unit = &example.unit.value;
    let mut text = format!(
        "When it does not start\n\n  systemctl status {unit}\n  journalctl -u {unit} -n 50\n  \
         golden audit --service {0}\n  golden run --preflight-only {0}\n\n",
        example.name
    );
    for (status, rules) in troubles::failed_starts(contract) {
        for rule in rules {
            let _ =
                writeln!(text, "  {status:<15} {}\n  {:15} golden explain {}", rule.summary(), "", rule.id);
        }
    }
    text
}
