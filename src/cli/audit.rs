//! `golden audit`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, ValueEnum};

use super::{Failure, Global, facts, find, output};
use crate::audit::{Selection, audit};
use crate::contract::Contract;
use crate::facts::{HostFacts, Need};
use crate::model::{Report, Scope, Section};
use crate::report::{Shown, human, json};
use crate::rules::{RULES, Rule};

/// Arguments of `golden audit`.
#[derive(Args, Debug)]
pub(super) struct AuditArgs {
    /// How to write the report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Only rules of this section, A to N (repeatable).
    #[arg(long, value_name = "LETTER")]
    section: Vec<Section>,
    /// Only this service of the contract (repeatable).
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Only this rule (repeatable).
    #[arg(long, value_name = "ID")]
    rule: Vec<String>,
    #[command(flatten)]
    source: facts::Source,
    /// Judge recorded facts instead of this host.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["root", "probe"])]
    facts: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person.
    Human,
    /// For a machine: golden.report/2.
    Json,
}

/// Arguments of an audit that is a job.
#[derive(Parser, Debug)]
#[command(name = "audit", no_binary_name = true)]
struct AsJob {
    #[command(flatten)]
    args: AuditArgs,
}

/// The audit as a job of the contract, with the job's own arguments.
pub(super) fn run_with(global: &Global, arguments: &[OsString]) -> Result<ExitCode, Failure> {
    match AsJob::try_parse_from(arguments) {
        Ok(job) => run(global, &job.args),
        Err(error) if !error.use_stderr() => output::print_and(&error.to_string(), ExitCode::SUCCESS),
        Err(error) => Err(Failure::listing(error.to_string().trim_end())),
    }
}

/// Judges and reports.
pub(super) fn run(global: &Global, args: &AuditArgs) -> Result<ExitCode, Failure> {
    let contract = find::contract(global)?.contract;
    let selection = selection(&contract, args)?;
    if args.source.probes() && !selection.wants_probe(&contract) {
        return Err(Failure::new("--probe would run nothing: no selected rule needs it")
            .hint("golden explain venv-does-not-run"));
    }
    let facts = match &args.facts {
        Some(file) => facts::read(file)?,
        None => {
            let selected = |service: &str| selection.has_service(service);
            args.source.gather(&contract, selection.needs(&contract), selected)?
        }
    };
    if !args.rule.is_empty() && selection.asks_only_for_probes(&contract) && !facts.gathered.has(Need::Probes)
    {
        let way =
            if args.facts.is_some() { "golden facts --probe --out FILE" } else { "golden audit --probe" };
        return Err(Failure::new("nothing was run, and the selected rules judge nothing else").hint(way));
    }
    if !args.rule.is_empty() && selection.asks_only_for_models(&contract) {
        return Err(Failure::new(
            "an audit does not judge models, and the selected rules judge nothing else",
        )
        .hint("golden gate"));
    }
    let mut report = audit(&contract, &facts, &selection, args.facts.is_some());
    report.notes.extend(rights_wanting(&report));
    let text = render(&report, &facts, args.format, global)?;
    let verdict = report.verdict();
    // The process ends here: taking a million small things apart first would be work for nobody.
    std::mem::forget((contract, facts, report));
    output::print_and(&text, verdict)
}

/// Said once instead of under each thing that a caller without rights could not read.
fn rights_wanting(report: &Report) -> Option<String> {
    let here = report.scope == Scope::Live && !report.replayed;
    let wanting = report.summary().undecided > 0 && !rustix::process::geteuid().is_root();
    (here && wanting).then(|| "without root, golden cannot read many files: sudo golden audit".to_owned())
}

fn render(report: &Report, _facts: &HostFacts, format: Format, global: &Global) -> Result<Shown, Failure> {
    match format {
        Format::Human => Ok(human::render(report, output::style(global))),
        Format::Json => json::render(report)
            .map(|text| Shown::json(&text))
            .map_err(|error| Failure::new(format!("the report cannot be written: {error}"))),
    }
}

/// A name that selects nothing is an error: an empty audit must not look like a clean one.
fn selection(contract: &Contract, args: &AuditArgs) -> Result<Selection, Failure> {
    chosen(contract, &args.section, &args.service, &args.rule)
}

/// The same for any verb that judges.
pub(super) fn chosen(
    contract: &Contract,
    sections: &[Section],
    services: &[String],
    rules: &[String],
) -> Result<Selection, Failure> {
    for name in services {
        if !contract.services.iter().any(|service| service.name.as_ref() == name) {
            let known: Vec<&str> = contract.services.iter().map(|service| service.name.as_ref()).collect();
            return Err(Failure::new(format!("the contract has no service {name:?}")).hint(known.join(", ")));
        }
    }
    for id in rules {
        if Rule::find(id).is_none() {
            return Err(
                Failure::new(format!("there is no rule {id:?}")).hint("golden explain   lists all rules")
            );
        }
    }
    let selection =
        Selection { sections: sections.to_vec(), services: services.to_vec(), rules: rules.to_vec() };
    if selection.rules(contract).next().is_none() {
        let sections: std::collections::BTreeSet<Section> =
            RULES.iter().map(|rule| rule.info.section).collect();
        let sections: Vec<&str> = sections.into_iter().map(Section::letter).collect();
        return Err(Failure::new(format!("no rule is selected by {}", selection.words().join(", ")))
            .hint(format!("sections with rules are {}", sections.join(" "))));
    }
    Ok(selection)
}
