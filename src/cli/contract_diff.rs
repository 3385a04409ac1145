//! `golden contract diff`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Failure, find, output};
use crate::contract::Contract;
use crate::contract::diff::{Change, Side, diff};
use crate::report::Shown;

/// Arguments of `golden contract diff`.
#[derive(Args, Debug)]
pub(super) struct DiffArgs {
    /// The old contract.
    old: PathBuf,
    /// The new contract.
    new: PathBuf,
    /// How to write it.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person.
    Human,
    /// For a machine: golden.contract-diff/1.
    Json,
}

/// Compares.
pub(super) fn run(args: &DiffArgs) -> Result<ExitCode, Failure> {
    let old = find::read(&args.old)?.contract;
    let new = find::read(&args.new)?.contract;
    let changes = diff(&old, &new);
    let text = match args.format {
        Format::Human => human(&old, &new),
        Format::Json => Shown::json(&json(&old, &new, &changes)?),
    };
    output::print_and(&text, ExitCode::from(u8::from(!changes.is_empty())))
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    old: Which<'a>,
    new: Which<'a>,
    duties_change: bool,
    changes: &'a [Change],
}

#[derive(Serialize)]
struct Which<'a> {
    path: &'a str,
    name: &'a str,
    version: &'a str,
    digest: &'a str,
}

impl<'a> Which<'a> {
    fn of(contract: &'a Contract) -> Self {
        Self {
            path: &contract.source.path,
            name: &contract.name.value,
            version: &contract.version.value,
            digest: &contract.source.digest,
        }
    }
}

fn json(old: &Contract, new: &Contract, changes: &[Change]) -> Result<String, Failure> {
    let document = Document {
        schema: "golden.contract-diff/1",
        old: Which::of(old),
        new: Which::of(new),
        duties_change: !changes.is_empty(),
        changes,
    };
    let text = serde_json::to_string_pretty(&document)
        .map_err(|error| Failure::new(format!("the changes cannot be written: {error}")))?;
    Ok(text + "\n")
}

/// How many subjects of one change are named.
const NAMED: usize = 6;

/// What changes alike for many is said once.
pub(super) fn human(old: &Contract, new: &Contract) -> Shown {
    let changes = &diff(old, new);
    let which = |contract: &Contract| format!("{} ({})", contract.source.path, contract.version.value);
    let mut text = Shown::new();
    text.line(format_args!("{} → {}", which(old), which(new)));
    let mut alike: Vec<(&Change, Vec<&str>)> = Vec::new();
    let mut places: HashMap<_, usize> = HashMap::new();
    for change in changes {
        let side = |side: &Option<Side>| side.as_ref().map(|side| (side.text.clone(), side.at.to_string()));
        let key = (&change.what, change.kind, side(&change.old), side(&change.new));
        let at = *places.entry(key).or_insert_with(|| {
            alike.push((change, Vec::new()));
            alike.len() - 1
        });
        if let Some((_, subjects)) = alike.get_mut(at) {
            subjects.push(&change.subject);
        }
    }
    for (change, subjects) in &alike {
        let named = subjects.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let more = match subjects.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        text.end_line();
        text.line(format_args!("{:<10} {}   {named}{more}", change.kind.word(), change.what));
        for (word, side) in [("old", &change.old), ("new", &change.new)] {
            if let Some(side) = side {
                text.line(format_args!("   {word}  {:<48} {}", side.text, side.at));
            }
        }
    }
    text.end_line();
    match changes.len() {
        0 => text.line(format_args!("no duty of any host changes")),
        number => text.line(format_args!("{number} changes")),
    }
    text
}
