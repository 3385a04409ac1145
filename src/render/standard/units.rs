//! Section D: names of units, the settings that are demanded, and the services.

use super::layers::{Layers, layers};
use crate::contract::{Contract, EnvFileDemand, Form, Kind, Service, SettingDemand};
use crate::render::example;
use crate::render::markdown::{Page, code, codes, prose};
use crate::render::unit::{self, Sections};
use crate::render::{UNIT_FOLDER, template, words};

/// What golden writes for a service, or for what stands for all of a kind.
struct Written(Option<Sections>);

impl Written {
    fn of_kind(contract: &Contract, kind: Kind) -> Self {
        Written(example::service(contract, kind).map(|example| example::sections(contract, &example)))
    }

    fn of_service(contract: &Contract, service: &Service) -> Self {
        Written(Some(example::sections_of(contract, service)))
    }

    /// The value of a setting whose demand leaves a choice.
    fn choice(&self, demand: &SettingDemand) -> String {
        if !matches!(demand.form, Form::OneOf(_) | Form::Present) {
            return String::new();
        }
        let lines = self.0.iter().flatten().filter(|(section, _)| **section == *demand.section);
        let mut values = lines.flat_map(|(_, lines)| lines).filter(|(key, _)| **key == *demand.key);
        // A placeholder is nothing that golden writes.
        let open = format!("<{}>", demand.key);
        values.next().filter(|(_, value)| *value != open).map_or_else(String::new, |(_, value)| code(value))
    }
}

/// Section D.
pub(super) fn units(page: &mut Page, contract: &Contract) {
    let usual = example::usual_kind(contract);
    let pattern = contract.patterns.get(&usual);
    let name = pattern.map_or_else(String::new, |pattern| code(&pattern.unit.value));
    let template = template::path(contract).map_or_else(String::new, |path| {
        // Documents lie one directory below the top.
        format!(" [{}](../{path}) is their pattern.", path.rsplit('/').next().unwrap_or(&path))
    });
    page.say(&format!(
        "Units lie in {}; where a service does not say otherwise its unit is {name}.{template} golden judges the *effective* unit: after drop-ins, resets, specifiers, links and masks. A demanded setting must be stated, even if systemd's default is the same.",
        code(UNIT_FOLDER)
    ));
    services(page, contract);
    page.heading(3, "Settings");
    let Layers { mut common, mut kinds, mut services } = layers::<SettingDemand>(contract);
    common.sort_by_key(|demand| order(demand));
    kinds.sort_by_key(|(demand, kinds)| (kinds.clone(), order(demand)));
    services.sort_by_key(|(service, demand)| (place_of(contract, service), order(demand)));
    if common.is_empty() && kinds.is_empty() && services.is_empty() {
        page.say("The contract demands no settings except those in the table of services.");
    }
    let written = Written::of_kind(contract, usual);
    let rows: Vec<[String; 4]> = common.iter().map(|demand| row(demand, &written)).collect();
    if !rows.is_empty() {
        page.say("Every unit:");
        page.table(["Setting", "Demanded", "Level", "golden writes"], &rows);
    }
    let mut by_demand: Vec<([String; 4], Vec<&str>)> = Vec::new();
    for (demand, of) in &kinds {
        let row = row(demand, &Written::of_kind(contract, of.first().copied().unwrap_or(usual)));
        let words = of.iter().map(|kind| kind.word());
        match by_demand.iter_mut().find(|(other, _)| *other == row) {
            Some((_, kinds)) => kinds.extend(words),
            None => by_demand.push((row, words.collect())),
        }
    }
    let rows: Vec<[String; 5]> = by_demand.into_iter().map(|(row, kinds)| with(codes(kinds), row)).collect();
    if !rows.is_empty() {
        page.say(&format!("Kinds of services ({}):", kinds_of(contract, &kinds)));
        page.table(["Kind", "Setting", "Demanded", "Level", "golden writes"], &rows);
    }
    let rows: Vec<[String; 5]> = services
        .iter()
        .map(|(service, demand)| {
            with(code(&service.name), row(demand, &Written::of_service(contract, service)))
        })
        .collect();
    if !rows.is_empty() {
        page.say("Single services; each demand replaces the one above for the same setting:");
        page.table(["Service", "Setting", "Demanded", "Level", "golden writes"], &rows);
    }
    forbidden(page, contract);
}

/// The order in which units are written.
fn order(demand: &SettingDemand) -> (usize, usize, &str) {
    let section = ["Unit", "Service", "Install"].iter().position(|known| *known == demand.section);
    (section.unwrap_or(3), unit::place(&demand.key), &demand.key)
}

fn place_of(contract: &Contract, service: &Service) -> Option<usize> {
    contract.services.iter().position(|other| other.name == service.name)
}

fn with(whose: String, [setting, demanded, level, written]: [String; 4]) -> [String; 5] {
    [whose, setting, demanded, level, written]
}

fn row(demand: &SettingDemand, written: &Written) -> [String; 4] {
    [
        format!("[{}] {}", demand.section, code(&format!("{}=", demand.key))),
        words::setting(demand),
        words::level(demand.severity).to_owned(),
        written.choice(demand),
    ]
}

/// The kinds that have demands of their own, explained.
fn kinds_of(contract: &Contract, kinds: &[(&SettingDemand, Vec<Kind>)]) -> String {
    let named = contract.patterns.keys().filter(|kind| kinds.iter().any(|(_, of)| of.contains(kind)));
    named.map(|kind| format!("{}: {}", code(kind.word()), words::kind(*kind))).collect::<Vec<_>>().join("; ")
}

/// The services, and what follows for their units without a demand of its own.
fn services(page: &mut Page, contract: &Contract) {
    if contract.services.is_empty() {
        return page.say("The contract has no service yet.");
    }
    let rows: Vec<[String; 7]> = contract
        .services
        .iter()
        .map(|service| {
            let units =
                |all: &[crate::model::Stated<String>]| codes(all.iter().map(|unit| unit.value.as_str()));
            let unit =
                match service.timer.as_ref().map(|timer| timer.value.clone()).or(service.activated_by()) {
                    Some(timer) => format!("{}, started by {}", code(&service.unit.value), code(&timer)),
                    None => code(&service.unit.value),
                };
            [
                code(&service.name),
                prose(words::title(service)),
                service.kind.value.word().to_owned(),
                unit,
                code(&service.user.value),
                units(&service.after_units),
                units(&service.binds_to),
            ]
        })
        .collect();
    let head = ["Service", "Title", "Kind", "Unit", "`User=`", "`After=` contains", "`BindsTo=` contains"];
    page.table(head, &rows);
    let rows: Vec<[String; 4]> = contract
        .services
        .iter()
        .map(|service| {
            let (started, demanded) = starts(service);
            let files: Vec<String> = service.env_files.iter().map(EnvFileDemand::setting).collect();
            let files = codes(files.iter().map(String::as_str));
            [code(&service.name), started, demanded, files]
        })
        .collect();
    page.table(["Service", "Starts", "Demanded of it", "`EnvironmentFile=`"], &rows);
    page.say("A service that runs all the time is enabled and active. A task with a timer is started only by its timer.");
    if contract.services.iter().any(|service| !service.binds_to.is_empty()) {
        page.say(
            "A service that is bound to a unit stops with it. It should also be in `WantedBy=` of that unit, which starts it again.",
        );
    }
}

/// What golden writes as the start of a service, and what is demanded of it.
fn starts(service: &Service) -> (String, String) {
    let demanded = service.command.as_ref().map(|command| {
        let rest = if command.exact { "exactly this" } else { "this, and any further argument" };
        (code(&service.exec_line(command)), rest)
    });
    let in_venv = || service.venv.as_ref().map(|venv| format!("a program in {}", code(&venv.value)));
    match (&service.provision.start, demanded) {
        (Some(start), Some((demanded, rest))) => {
            (code(&service.exec_line(start)), format!("{demanded}: {rest}"))
        }
        (Some(start), None) => (code(&service.exec_line(start)), in_venv().unwrap_or_default()),
        (None, Some((demanded, rest))) => (demanded, rest.to_owned()),
        (None, None) => (String::new(), in_venv().unwrap_or_default()),
    }
}

/// Words that no unit may say.
fn forbidden(page: &mut Page, contract: &Contract) {
    let mut rows: Vec<[String; 3]> = Vec::new();
    let mut last = None;
    for forbidden in &contract.forbidden {
        let setting = format!("{}.{}", forbidden.section, forbidden.key);
        if last == Some(&forbidden.name) {
            if let Some(row) = rows.last_mut() {
                row[1].push_str(&format!(", {}", code(&setting)));
            }
            continue;
        }
        last = Some(&forbidden.name);
        let found = codes(forbidden.words.iter().map(String::as_str));
        rows.push([found, code(&setting), prose(&forbidden.why)]);
    }
    if !rows.is_empty() {
        page.say("No unit and no drop-in may say this:");
        page.table(["Never", "In", "Because"], &rows);
    }
}
