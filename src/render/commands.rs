//! Commands that several documents show, with the contract's own names in them.

use crate::contract::{Contract, INSTALLED, Job, JobProgram};

/// How a contract of one's own comes into force on a host; nothing for one that is part of the program.
pub(super) fn put_in_force(contract: &Contract) -> Vec<String> {
    if contract.source.built_in {
        return Vec::new();
    }
    let mut lines = vec![format!("sudo install -D -m 0644 golden.toml {INSTALLED}")];
    if contract.approval.is_some() {
        lines.push(format!("sudo install -m 0644 golden.toml.sig {INSTALLED}.sig"));
    }
    lines
}

/// How a verb that changes a host is called: the built-in contract is named each time, since none is installed.
pub(super) fn sudo(contract: &Contract, words: &str) -> String {
    match contract.source.built_in {
        true => format!("sudo golden --contract {} {words}", super::named(contract)),
        false => format!("sudo golden {words}"),
    }
}

/// How a job is started, the short way first.
pub(super) fn ways(contract: &Contract, job: &Job) -> Vec<String> {
    let policy = contract.repository.as_ref();
    let target = job.make_target.as_ref().filter(|_| policy.is_some_and(|policy| policy.makefile.is_some()));
    let mut ways: Vec<String> = target.iter().map(|target| format!("make {}", target.value)).collect();
    let wrapper = policy.and_then(|policy| policy.wrapper.as_ref());
    if let (Some(wrapper), Some(script)) = (wrapper, script(job)) {
        ways.push(format!("{} {} {script}", wrapper.value, job.service.value));
    }
    ways.push(format!("golden job {}", job.name));
    ways
}

/// The script of a job, or the path that it stands in for.
pub(super) fn script(job: &Job) -> Option<&str> {
    match &job.runs {
        JobProgram::Script(script) => Some(&script.value),
        JobProgram::BuiltIn(_) => job.replaces.first().map(|path| path.value.as_str()),
    }
}

/// The job that is the audit.
pub(super) fn audit_job(contract: &Contract) -> Option<&Job> {
    contract.jobs.iter().find(|job| matches!(&job.runs, JobProgram::BuiltIn(name) if name.value == "audit"))
}
