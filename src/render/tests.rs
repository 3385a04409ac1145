//! What is rendered, held against the contract it comes from and against the registry of rules.

use std::collections::BTreeSet;

use super::*;
use crate::model::{RuleInfo, Section, Severity};
use crate::policy::WAIVER_UNUSED;
use crate::rules::{RULES, Rule};
use crate::syntax::unit_file;

const WEB: &str = include_str!("../../examples/contracts/web.toml");

/// A contract that says as little as it may.
const LEAST: &str = "schema = 1\n[contract]\nname = \"least\"\nversion = \"1\"\n[identity]\nuser = \"app\"\ngroup = \"app\"\n";

/// The built-in contract with levels, a waiver and signers.
const STRICTER: &str = r#"
schema = 1
extends = "quantum"
[rules]
unit-runs-as-root = "should"
log-rotation-missing = "must"
unit-restarts-often = "off"
[approval]
signers = "/etc/golden/allowed_signers"
required = 2
[[waivers]]
rule = "venv-moved"
subject = "service:backend"
reason = "Until the | new | wheels are there."
owner = "ops@example.org"
expires = 2027-06-30
"#;

fn built_in() -> Contract {
    Contract::built_in()
}

fn read(text: &str) -> Contract {
    Contract::parse(text, "golden.toml", false, &|_| Err("nothing else".into())).unwrap()
}

fn contracts() -> Vec<Contract> {
    vec![built_in(), read(WEB), read(LEAST), read(STRICTER)]
}

fn document(contract: &Contract, what: What) -> String {
    documents(contract).into_iter().find(|one| one.what == what).unwrap().content
}

/// The text of a section of the standard, without its heading.
fn section(text: &str, section: Section) -> &str {
    let mark = format!("\n## {}\n", standard::heading(section));
    let (_, rest) = text.split_once(&mark).unwrap_or_else(|| panic!("no section {section}"));
    rest.split("\n## ").next().unwrap()
}

fn infos() -> impl Iterator<Item = &'static RuleInfo> {
    RULES.iter().map(|rule| &rule.info).chain([&WAIVER_UNUSED])
}

#[test]
fn the_built_in_contract_leaves_no_gap() {
    let all = artefacts(&built_in()).unwrap();
    let paths: Vec<&str> = all.iter().filter_map(|one| Some(one.on_host.as_ref()?.path.as_str())).collect();
    for wanted in [
        "/etc/systemd/system/quantum-ai-engine.service",
        "/etc/quantum/backend.env",
        "/etc/sysusers.d/quantum.conf",
    ] {
        assert!(paths.contains(&wanted), "{wanted} not in {paths:?}");
    }
    let paths: Vec<&str> = all.iter().filter_map(|one| one.in_repository.as_deref()).collect();
    for wanted in [
        "docs/STANDARD_CONTRACT.md",
        "docs/SYSTEMD_STANDARD_README.md",
        "systemd/templates/quantum-golden.service",
    ] {
        assert!(paths.contains(&wanted), "{wanted} not in {paths:?}");
    }
}

#[test]
fn a_gap_keeps_only_its_own_files_from_being_made() {
    let text = "schema = 1\nextends = \"quantum\"\n[contract]\nname = \"gaps\"\nversion = \"1\"\n\
                [services.extra]\nkind = \"python\"\nvenv = \"backend\"\n";
    let contract = read(text);
    let (all, gaps) = decided(&contract, &|_| false);
    let paths: Vec<&str> = all.iter().filter_map(|one| Some(one.on_host.as_ref()?.path.as_str())).collect();
    let open: Vec<&str> = gaps.iter().flat_map(|gap| &gap.files).map(String::as_str).collect();
    assert!(open.contains(&"/etc/systemd/system/quantum-extra.service"), "{open:?}");
    assert!(!paths.contains(&"/etc/systemd/system/quantum-extra.service"), "{paths:?}");
    assert!(paths.contains(&"/etc/systemd/system/quantum-backend.service"), "{paths:?}");
    assert!(artefacts(&contract).is_err());
}

#[test]
fn what_is_rendered_is_tidy_and_says_who_wrote_it() {
    for contract in contracts() {
        let all = artefacts(&contract).unwrap_or_else(|_| documents(&contract));
        for one in &all {
            assert!(one.content.ends_with('\n') && !one.content.contains("\n\n\n"), "{}", one.content);
            assert!(!one.content.lines().any(|line| line.ends_with(' ')), "{}", one.content);
            let head: String = one.content.lines().take(3).collect();
            assert!(head.contains(&origin(&contract)), "{head}");
        }
    }
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    for (one, two) in contracts().iter().zip(&contracts()) {
        assert_eq!(documents(one), documents(two));
    }
}

#[test]
fn the_standard_has_all_sections_in_their_order() {
    for contract in contracts() {
        let text = document(&contract, What::Standard);
        let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).skip(1).collect();
        let wanted: Vec<String> = Section::ALL.iter().map(|one| standard::heading(*one)).collect();
        assert_eq!(headings, wanted);
        for of in Section::ALL {
            let said = section(&text, *of).trim();
            assert!(said.len() > 20, "section {of} of {} is empty", contract.name.value);
        }
    }
}

#[test]
fn every_rule_stands_in_its_section_once_with_its_level() {
    for contract in contracts() {
        let text = document(&contract, What::Standard);
        for info in infos() {
            let row = format!("| `{}` |", info.id);
            let rows: Vec<&str> = text.lines().filter(|line| line.starts_with(&row)).collect();
            // A waiver's table begins with the rule, too.
            let waived = contract.waivers.iter().filter(|waiver| waiver.rule == info.id).count();
            assert_eq!(rows.len(), 1 + waived, "{}", info.id);
            let of_section = section(&text, info.section);
            let here: Vec<&str> = of_section.lines().filter(|line| line.starts_with(&row)).collect();
            assert_eq!(here.len(), 1, "{} in section {}", info.id, info.section);
            assert_eq!(of_section.matches(&format!("`{}`", info.id)).count(), 1, "{}", info.id);
            assert!(here[0].contains(info.summary()) && here[0].contains(info.why), "{}", here[0]);
            let level = here[0].split(" | ").nth(1).unwrap();
            match contract.severity_of(info) {
                None => assert!(level.starts_with("off"), "{level}"),
                Some(_) if level.starts_with("as demanded") => {}
                Some(Severity::Must) => assert!(level.starts_with("**must**"), "{level}"),
                Some(Severity::Should) => assert!(level.starts_with("**should**"), "{level}"),
            }
        }
    }
}

#[test]
fn every_must_and_every_line_of_what_is_forbidden_names_a_rule_or_a_person() {
    for contract in contracts() {
        let text = document(&contract, What::Standard);
        let rows = text.lines().filter(|line| line.starts_with("| ") && line.contains("**must**"));
        for line in rows {
            let id = line.split('`').nth(1).unwrap();
            assert!(infos().any(|info| info.id == id), "{line}");
        }
        for line in section(&text, Section::L).lines().filter(|line| line.starts_with("| ")).skip(1) {
            let last = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
            let by_rule = Rule::find(last.trim_matches('`')).is_some();
            assert!(by_rule || last == "*a person checks this*", "{line}");
        }
    }
}

#[test]
fn levels_and_waivers_of_the_contract_stand_at_the_rule() {
    let text = document(&read(STRICTER), What::Standard);
    for (section_of, words) in [
        (Section::D, "| `unit-runs-as-root` | **should**, by this contract |"),
        (Section::D, "| `unit-restarts-often` | off, by this contract |"),
        (Section::A, "| `log-rotation-missing` | **must**, by this contract |"),
        (Section::B, "| `venv-moved` | **must**; waived for `service:backend` until 2027-06-30 |"),
        (Section::H, "| 2027-06-30 | ops@example.org | Until the \\| new \\| wheels are there. |"),
        (Section::N, "of 2 different people of those in `/etc/golden/allowed_signers`"),
    ] {
        assert!(section(&text, section_of).contains(words), "{words}\n{}", section(&text, section_of));
    }
}

#[test]
fn everything_that_the_contract_names_stands_in_the_standard() {
    for contract in [built_in(), read(WEB)] {
        let text = document(&contract, What::Standard);
        let mut names: BTreeSet<String> = BTreeSet::new();
        for place in contract.layout.values() {
            names.insert(place.path.value.clone());
            names.extend(place.holds.iter().map(|held| held.value.clone()));
        }
        names.extend(contract.venvs.values().map(|venv| venv.path.value.clone()));
        for service in &contract.services {
            names.extend([service.name.to_string(), service.unit.value.clone(), service.user.value.clone()]);
            names.extend(service.env_files.iter().map(|file| file.path.clone()));
            names.extend(service.variables.iter().map(|demand| demand.name.to_string()));
            names.extend(contract.provision.variables(service).map(ToString::to_string));
            names.extend(service.settings.iter().map(|demand| format!("{}=", demand.key)));
            names.extend(service.writes.iter().map(|path| path.value.clone()));
            names.extend(service.timer.iter().map(|timer| timer.value.clone()));
        }
        names.extend(contract.dependencies.keys().map(ToString::to_string));
        names.extend(contract.identity.must_not_write.iter().map(|path| path.value.clone()));
        names.extend(contract.identity.forbidden_groups.value.iter().cloned());
        for job in &contract.jobs {
            names.insert(job.name.to_string());
            names.extend(job.replaces.iter().map(|path| path.value.clone()));
        }
        names.extend(contract.checklist.iter().map(|item| item.text.clone()));
        names.extend(contract.changes.iter().map(|change| change.text.clone()));
        names.extend(contract.forbidden.iter().flat_map(|forbidden| forbidden.words.clone()));
        let missing: Vec<&String> = names.iter().filter(|name| !text.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{missing:?} not in the standard of {}", contract.name.value);
        // Nothing of one system stands in the document of another.
        if &*contract.name.value == "web" {
            for word in ["quantum", "redis-server", "python3"] {
                assert!(!text.contains(word), "{word}");
            }
        }
    }
}

#[test]
fn tables_are_whole_and_links_lead_somewhere() {
    for contract in contracts() {
        let all = documents(&contract);
        let files: BTreeSet<&str> = all.iter().filter_map(|one| one.in_repository.as_deref()).collect();
        let anchors = |text: &str| -> BTreeSet<String> {
            let headings = text.lines().filter(|line| line.starts_with('#'));
            headings.map(|line| markdown::anchor(line.trim_start_matches('#').trim())).collect()
        };
        for one in all.iter().filter(|one| one.what != What::Template) {
            let mut columns = None;
            for line in one.content.lines() {
                let bars = line.replace(r"\|", "").matches('|').count();
                let is_row = line.starts_with('|');
                assert!(!is_row || columns.is_none_or(|known| known == bars), "{line}");
                columns = is_row.then_some(bars);
            }
            for (at, _) in one.content.match_indices("](") {
                let target = one.content[at + 2..].split(')').next().unwrap();
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                let path = match file.strip_prefix("../") {
                    Some(above) => above.to_owned(),
                    None if file.is_empty() => one.in_repository.clone().unwrap(),
                    None => format!("docs/{file}"),
                };
                assert!(files.contains(path.as_str()), "{target}");
                let aim = all.iter().find(|other| other.in_repository.as_deref() == Some(&path)).unwrap();
                assert!(anchor.is_empty() || anchors(&aim.content).contains(anchor), "{target}");
            }
        }
    }
}

/// Settings of a unit file, by section and key.
fn settings(text: &str) -> Vec<(String, String, String)> {
    let file = unit_file::parse(&"golden.service".into(), text.as_bytes());
    assert!(file.fatal.is_none() && file.notes.is_empty(), "{:?} {:?}", file.fatal, file.notes);
    let entries = file.entries.into_iter();
    entries.map(|entry| (entry.section.to_string(), entry.key, entry.value)).collect()
}

#[test]
fn the_template_is_the_unit_of_every_service_with_placeholders() {
    let contract = built_in();
    let all = artefacts(&contract).unwrap();
    let template = all.iter().find(|one| one.what == What::Template).unwrap();
    for service in rendered(&contract) {
        let path = format!("{UNITS}/{}", service.unit.value);
        let unit = all.iter().find(|one| one.in_repository.as_deref() == Some(&path)).unwrap();
        let unit = settings(&unit.content);
        let filled =
            template.content.replace("<service>", &service.name).replace("<title>", words::title(service));
        let filled = settings(&filled);
        let keys = |all: &[(String, String, String)]| -> Vec<(String, String)> {
            all.iter().map(|(section, key, _)| (section.clone(), key.clone())).collect()
        };
        assert_eq!(keys(&filled), keys(&unit), "{}", service.name);
        for ((_, key, of_template), (_, _, of_unit)) in filled.iter().zip(&unit) {
            match key.as_str() {
                // What it starts is a service's own; what it needs and writes may be more.
                "ExecStart" => assert_eq!(
                    of_template.split("<program>").next(),
                    of_unit.get(..of_template.find('<').unwrap())
                ),
                "After" | "ReadWritePaths" => {
                    let words: Vec<&str> = of_unit.split(' ').collect();
                    assert!(
                        of_template.split(' ').all(|word| words.contains(&word)),
                        "{key}: {of_template} {of_unit}"
                    );
                }
                _ => assert_eq!(of_template, of_unit, "{key}"),
            }
        }
    }
}

#[test]
fn a_template_of_any_contract_can_be_read() {
    for contract in contracts() {
        let text = document(&contract, What::Template);
        assert!(settings(&text).iter().any(|(_, key, _)| key == "ExecStart"), "{text}");
    }
    let text = document(&read(WEB), What::Template);
    // What nobody has decided for all services is left to whoever fills it in.
    assert!(text.contains("\nDescription=<Description>\n"), "{text}");
}
