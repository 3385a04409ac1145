//! From a text to a [`Contract`], or to all of its errors.

use std::collections::HashMap;

use super::document::{self, Load, Shelf};
use super::reader::Cx;
use super::{Contract, ContractError, Source, builtin, check, read};

impl Contract {
    /// Parses and validates a contract.
    ///
    /// `path` names the text in locations; `load` reads the file that the contract extends: what the contract names, in
    /// the directory of `path`. The errors are all there are, in the order of the files.
    pub fn parse(
        text: &str,
        path: &str,
        built_in: bool,
        load: &Load<'_>,
    ) -> Result<Self, Vec<ContractError>> {
        Self::parse_for_rules(text, path, built_in, load, &[])
    }

    /// [`parse`](Self::parse), and refuses waivers and levels for rules that are not in `known_rules`.
    /// Without any known rule that question is not asked.
    pub fn parse_for_rules(
        text: &str,
        path: &str,
        built_in: bool,
        load: &Load<'_>,
        known_rules: &[&str],
    ) -> Result<Self, Vec<ContractError>> {
        let (contract, errors) = judge(text, path, built_in, load, known_rules);
        if errors.is_empty() { Ok(contract) } else { Err(errors) }
    }

    /// What is sound in this contract and yet can be turned against the host: warnings, in the order of their places.
    pub fn doubts(&self) -> Vec<ContractError> {
        check::doubts(self)
    }

    /// The contract that is part of the program. A test proves that it has no errors.
    pub fn built_in() -> Self {
        judge(builtin::TEXT, builtin::PATH, true, &|_| Err("nothing is extended".into()), &[]).0
    }

    /// The text of [`built_in`](Self::built_in).
    pub fn built_in_text() -> &'static str {
        builtin::TEXT
    }
}

/// The contract, as far as it can be understood, and its errors in order.
fn judge(
    text: &str,
    path: &str,
    built_in: bool,
    load: &Load<'_>,
    known_rules: &[&str],
) -> (Contract, Vec<ContractError>) {
    let shelf = Shelf::default();
    let mut cx = Cx::default();
    let document = document::read(&mut cx, text, path, &shelf, load);
    let source = Source {
        path: path.into(),
        built_in,
        digest: document.digest,
        extended: document.extended,
        templates: document.templates,
    };
    let contract = match document.root {
        Some(root) => {
            let contract = read::contract(&mut cx, root, source);
            check::contradictions(&mut cx, &contract, known_rules);
            contract
        }
        None => {
            // Of a newer schema nothing else can be said.
            let contract = read::empty(&cx, source);
            cx.errors.retain(|error| error.message.starts_with("schema "));
            contract
        }
    };
    (contract, in_order(cx))
}

/// The errors by file and place, each said once.
fn in_order(cx: Cx<'_>) -> Vec<ContractError> {
    let files: HashMap<_, _> =
        cx.sources.iter().enumerate().map(|(index, source)| (source.path.clone(), index)).collect();
    let mut errors = cx.errors;
    errors.sort_by(|a, b| {
        let place = |error: &ContractError| {
            (files.get(error.at.path()).copied(), error.at.line_number(), error.at.column_number())
        };
        place(a).cmp(&place(b))
    });
    errors.dedup();
    errors
}
