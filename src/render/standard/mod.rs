//! The standard of the house as a document for people: all fourteen sections of a contract, with its values, and every
//! rule with its level, its reason and how it is checked. Nothing stands here that the contract or a rule does not say.

mod host;
mod layers;
mod rules;
mod units;
mod work;

use jiff::civil::Date;

use super::markdown::{Page, anchor, capital, code, prose};
use super::{Artefact, What, document};
use crate::contract::{CheckItem, Contract, SeenTo};
use crate::model::{Section, Stated};

/// Where it lies in a governed repository.
pub(super) const PATH: &str = "docs/STANDARD_CONTRACT.md";

/// The document.
pub(super) fn artefact(contract: &Contract) -> Artefact {
    let about = format!("The standard of {}, for people", contract.name.value);
    document(contract, What::Standard, PATH, &about, |page| {
        opening(page, contract);
        for section in Section::ALL {
            page.heading(2, &heading(*section));
            values(page, contract, *section);
            seen_to(page, contract, *section);
            rules::table(page, contract, *section);
            if *section == Section::N {
                work::signature_block(page, contract);
            }
        }
    })
}

/// The heading of a section, from which its anchor is made.
pub(super) fn heading(section: Section) -> String {
    format!("{section}. {}", capital(section.title()))
}

/// A link to a section of this document from one in the same directory.
pub(super) fn link(section: Section) -> String {
    let file = PATH.rsplit('/').next().unwrap_or(PATH);
    format!("[{}]({file}#{})", heading(section), anchor(&heading(section)))
}

fn opening(page: &mut Page, contract: &Contract) {
    page.heading(1, &format!("The standard of {}", contract.name.value));
    page.say(&format!(
        "How every service of {} lives on a Linux host with systemd. golden makes this document, the units, the env files and more from the contract, and `golden audit` judges hosts by the same contract. To change a demand, change the contract.",
        prose(&contract.name.value)
    ));
    let date =
        |date: &Option<Stated<Date>>| date.as_ref().map_or_else(String::new, |date| date.value.to_string());
    let authority = contract.authority.as_ref().map_or_else(String::new, |stated| prose(&stated.value));
    let named = format!("{} {}", prose(&contract.name.value), contract.version.value);
    let rows = [
        ["In force from", &date(&contract.effective)],
        ["Next review", &date(&contract.next_review)],
        ["Authority", &authority],
    ];
    let rows: Vec<[String; 2]> =
        rows.iter().filter(|row| !row[1].is_empty()).map(|row| row.map(str::to_owned)).collect();
    page.table(["Contract", &named], &rows);
    page.heading(2, "How to read it");
    page.list([
        "**must**: a host that breaks it violates the contract, and nothing is deployed. **should**: a warning. A demand without a level is a must."
            .to_owned(),
        "Each section says what is demanded, and then which rules judge it. `golden explain RULE` shows the whole \
         page of a rule, with examples."
            .to_owned(),
        "A demand that a rule cannot check on a host is *undecided*, and undecided is never compliant. A demand that no rule can judge is marked: *a person checks this*."
            .to_owned(),
        "`<service>` and `<title>` stand for the name and the title of each service.".to_owned(),
    ]);
    page.say("The sections:");
    page.list(Section::ALL.iter().map(|section| {
        let heading = heading(*section);
        format!("[{heading}](#{})", anchor(&heading))
    }));
}

/// What the contract says in a section.
fn values(page: &mut Page, contract: &Contract, section: Section) {
    match section {
        Section::A => host::layout(page, contract),
        Section::B => host::runtime(page, contract),
        Section::C => host::environment(page, contract),
        Section::D => units::units(page, contract),
        Section::E => host::dependencies(page, contract),
        Section::F => work::safety(page, contract),
        Section::G => work::operations(page, contract),
        Section::H => work::audit(page, contract),
        Section::I => work::deployment(page, contract),
        Section::J => host::accounts(page, contract),
        Section::K => work::repeatability(page, contract),
        Section::L => work::forbidden(page, contract),
        Section::M => work::changes(page, contract),
        Section::N => work::approval(page, contract),
    }
}

/// What no rule of this section can judge.
fn seen_to(page: &mut Page, contract: &Contract, section: Section) {
    let items: Vec<&CheckItem> = contract.checklist.iter().filter(|item| item.section == section).collect();
    if !items.is_empty() {
        page.say("Demands that no rule can judge:");
    }
    let tick = if section == Section::I { "[ ] " } else { "" };
    page.list(items.into_iter().map(|item| {
        let who = match item.by {
            None => "*a person checks this*".to_owned(),
            Some(SeenTo::Ledger) => format!("{} writes it into the ledger", code("golden deploy")),
            Some(SeenTo::Journal) => format!("{} looks into the journal", code("golden deploy")),
        };
        format!("{tick}{} ({who})", prose(&item.text))
    }));
}
