//! Section G: the jobs that people and timers start through the wrapper.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::places::relative;
use super::{Cx, Fields, name};
use crate::contract::tree::{Entry, Node};
use crate::contract::{Contract, Job, JobProgram, schema, words};
use crate::model::Stated;

/// `[jobs]`
pub(super) fn jobs<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>, contract: &Contract) -> Vec<Job> {
    let Some(entry) = root.get("jobs") else { return Vec::new() };
    let services: HashSet<&str> = contract.services.iter().map(|service| service.name.as_ref()).collect();
    let entries = cx.named(entry);
    let mut jobs = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = name(cx, entry);
        jobs.extend(job(cx, entry, name, contract, &services));
    }
    refuse_doubles(cx, &jobs);
    jobs
}

fn job<'a>(
    cx: &mut Cx<'a>,
    entry: &Entry<'a>,
    name: Arc<str>,
    contract: &Contract,
    services: &HashSet<&str>,
) -> Option<Job> {
    let fields = cx.fields(&entry.node, entry.at, &entry.key, &schema::JOB)?;
    let service = fields.need(cx, "service", "\"backend\"", |cx, node, key| {
        let named = cx.text(node, key)?;
        if !services.contains(named.value.as_str()) && !cx.partial {
            let message = format!("there is no service {:?}", named.value);
            cx.unknown(node.span, message, &named.value, services.iter().copied());
        }
        Some(named)
    });
    let runs = program(cx, &fields, contract);
    let replaces = fields.list(cx, "replaces", relative);
    if let (Some(JobProgram::Script(_)), Some(entry)) = (&runs, fields.get("replaces")) {
        let message = "only a built-in job can replace scripts of the repository";
        cx.error(entry.at, message, "remove it, or write `built_in = \"…\"` instead of the script");
    }
    let needs = fields.list(cx, "needs", |cx, node, key| needed(cx, node, key, contract));
    let single_flight = fields.opt(cx, "single_flight", Cx::boolean).is_some_and(|stated| stated.value);
    let time_limit = fields.opt(cx, "time_limit", |cx, node, key| cx.word(node, key, words::seconds));
    let make_target = fields.opt(cx, "make_target", |cx, node, key| cx.word(node, key, target));
    Some(Job {
        name,
        service: service?,
        runs: runs?,
        replaces,
        needs,
        single_flight,
        time_limit: time_limit.map(|stated| stated.value),
        make_target,
        at: cx.at(entry.at),
    })
}

/// A dependency that a job needs.
fn needed<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str, contract: &Contract) -> Option<Stated<String>> {
    let named = cx.text(node, key)?;
    let known = &contract.dependencies;
    if !known.contains_key(named.value.as_str()) && !cx.partial {
        let message = format!("there is no dependency {:?}", named.value);
        cx.unknown(node.span, message, &named.value, known.keys().map(|name| name.as_ref()));
    }
    Some(named)
}

/// Either `script` or `built_in`.
fn program<'a>(cx: &mut Cx<'a>, fields: &Fields<'_, 'a>, contract: &Contract) -> Option<JobProgram> {
    let script = fields.opt(cx, "script", relative);
    let built_in = fields.opt(cx, "built_in", |cx, node, key| {
        let named = cx.text(node, key)?;
        if !schema::BUILT_IN_JOBS.contains(&named.value.as_str()) {
            let message = format!("golden has no built-in job {:?}", named.value);
            cx.unknown(node.span, message, &named.value, schema::BUILT_IN_JOBS.iter().copied());
        }
        Some(named)
    });
    match (fields.get("script"), fields.get("built_in")) {
        (Some(_), Some(entry)) => {
            let message = "a job runs a script or a built-in job, not both";
            cx.error(entry.at, message, "keep one of them");
            None
        }
        (Some(entry), None) => {
            if contract.repository.is_none() {
                let message = "a script lies in the repository, but the contract has none";
                cx.missing(entry.at, message, "add `[repository]` with `place = \"…\"`");
            }
            script.map(JobProgram::Script)
        }
        (None, Some(_)) => built_in.map(JobProgram::BuiltIn),
        (None, None) => {
            let message = format!("the job {} runs nothing", fields.name);
            cx.missing(fields.at, message, "add `script = \"ops/task.py\"` or `built_in = \"audit\"`");
            None
        }
    }
}

/// A target of a Makefile.
fn target(text: &str) -> Result<String, words::Wrong> {
    if text == "help" {
        let way_out = "choose another name".to_owned();
        return Err(("the target `help` lists the others and is always there".into(), way_out));
    }
    words::name(text)
}

/// Two jobs cannot be one target, nor stand in for one script.
fn refuse_doubles(cx: &mut Cx<'_>, jobs: &[Job]) {
    let mut targets: HashMap<&str, &Job> = HashMap::new();
    let mut paths: HashMap<&str, &Job> = HashMap::new();
    for job in jobs {
        if let Some(target) = &job.make_target
            && let Some(other) = targets.insert(&target.value, job)
        {
            let message = format!("the jobs {} and {} are one make target", other.name, job.name);
            cx.error_at(&target.at, message, "give each a target of its own");
        }
        for path in &job.replaces {
            if let Some(other) = paths.insert(&path.value, job) {
                let message = format!("both {} and {} replace {}", other.name, job.name, path.value);
                cx.error_at(&path.at, message, "let one of them replace it");
            }
        }
    }
}
